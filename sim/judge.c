#include "sim/judge.h"

#include "sim/view.h"
#include "verify/held.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>

/* The oracle of a job's training. */
static enum reshard_status oracle_open(struct verify_oracle **out, const struct world *world,
                                       uint64_t step, struct reshard_error *error)
{
    const struct verify_oracle_options options = {
        .inventory = &world->inventory,
        .optimizer = view_of_optimizer(&world->job->optimizer),
        .seed = world->job->seed,
        .step = step,
        .safetensors = world->job->safetensors,
    };
    return verify_oracle_open(out, &options, error);
}

static struct verify_memory *memory_of(const struct world *world, const struct reshard_state *state)
{
    struct verify_memory *memory =
        calloc((size_t)world->inventory.tensor_count + 1, sizeof(*memory));
    if (!memory)
        return NULL;
    for (uint32_t t = 0; t < world->inventory.tensor_count; t++) {
        memory[t].base = reshard_state_data(state, t);
        memory[t].bytes = reshard_state_bytes(state, t);
        if (reshard_layout_is_flat(world->layout, t))
            memory[t].base = reshard_state_flat(state, t, &memory[t].bytes);
    }
    return memory;
}

/* This rank's memory against the oracle, the elements it has of each tensor into held[tensor]. */
static enum reshard_status judge_rank(const struct world *world, const struct reshard_state *state,
                                      const struct verify_oracle *oracle, uint64_t *held,
                                      struct reshard_error *error)
{
    const uint64_t rank = reshard_state_rank(state);
    struct verify_report report;
    struct verify_memory *memory = NULL;
    enum reshard_status status = verify_report_open(&report);
    if (status)
        goto cleanup;
    memory = memory_of(world, state);
    if (!memory) {
        status =
            reshard_error_set(error, RESHARD_ENOMEM, "no memory to verify rank %" PRIu64, rank);
        goto cleanup;
    }
    const struct verify_held_options options = {world->rules, oracle, memory, rank};
    status = verify_held(&options, &report, error);
    for (uint32_t t = 0; report.tally && t < world->inventory.tensor_count; t++)
        held[t] = report.tally[t].held;

cleanup:
    free(memory);
    verify_report_close(&report);
    /* A state that is not the expected one is damaged, as far as the job is concerned. */
    return status == RESHARD_EMISMATCH ? RESHARD_EDIGEST : status;
}

/* `held` has the sums over all ranks. */
static enum reshard_status judge_sums(const struct world *world, const uint64_t *held,
                                      struct judgement *out, struct reshard_error *error)
{
    out->tensors = world->inventory.tensor_count;
    for (uint32_t t = 0; t < world->inventory.tensor_count; t++) {
        const uint64_t expected = verify_rules_world_elements(world->rules, t);
        const struct verify_tensor *tensor = &world->inventory.tensor[t];
        if (held[t] != expected)
            return reshard_error_set(
                error, RESHARD_ECOVER,
                "%s%s%s: the ranks hold %" PRIu64 " elements of it, not %" PRIu64, tensor->fqn,
                tensor->slot[0] ? ", " : "", tensor->slot, held[t], expected);
        out->elements += expected;
    }
    return RESHARD_OK;
}

enum reshard_status judge_held(struct reshard_group *group, const struct world *world,
                               const struct reshard_state *state, uint64_t step,
                               struct judgement *out, struct reshard_error *error)
{
    const uint32_t count = world->inventory.tensor_count;
    const uint64_t replicate = world->job->layout.replicate;
    struct verify_oracle *oracle = NULL;
    uint64_t *held = calloc((size_t)count + 1, sizeof(*held));
    enum reshard_status status = RESHARD_ENOMEM;

    *out = (struct judgement){.replicas = replicate ? replicate : 1};
    if (held)
        status = oracle_open(&oracle, world, step, error);
    if (!status)
        status = judge_rank(world, state, oracle, held, error);
    verify_oracle_close(oracle);
    if (!status && count > INT_MAX)
        status = reshard_error_set(error, RESHARD_EOVERFLOW, "too many tensors to verify");
    status = group_agree(group, status, error);
    if (!status)
        status = group_allreduce(group, group_comm(group), held, (int)count, MPI_UINT64_T, MPI_SUM,
                                 error);
    if (!status)
        status = judge_sums(world, held, out, error);
    free(held);
    return status;
}
