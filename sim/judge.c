#include "sim/judge.h"

#include "sim/reference.h"
#include "verify/held.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>

static struct verify_memory *memory_of(const struct holding *holding)
{
    const struct arrangement *arrangement = holding->arrangement;
    const uint32_t count = arrangement->world->inventory.tensor_count;
    struct verify_memory *memory = calloc((size_t)count + 1, sizeof(*memory));
    if (!memory)
        return NULL;
    for (uint32_t t = 0; t < count; t++) {
        memory[t].base = reshard_state_data(holding->state, t);
        memory[t].bytes = reshard_state_bytes(holding->state, t);
        memory[t].absent = reshard_state_is_absent(holding->state, t);
        if (reshard_layout_is_flat(arrangement->layout, t))
            memory[t].base = reshard_state_flat(holding->state, t, &memory[t].bytes);
    }
    return memory;
}

/* Which tensors are judged: those that move with a part. */
static bool *judged_of(const struct world *world, enum reshard_part part)
{
    const struct reshard_model *model = world->job->model;
    bool *judged = calloc((size_t)world->inventory.tensor_count + 1, sizeof(*judged));
    for (uint32_t t = 0; judged && t < world->inventory.tensor_count; t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
        judged[t] = reshard_part_has(part, tensor) ||
                    (tensor->role == RESHARD_ROLE_TRANSIENT && part != RESHARD_PART_OPTIMIZER);
    }
    return judged;
}

/* This rank's memory against the oracle, the elements it has of each tensor into held[tensor]. */
static enum reshard_status judge_rank(const struct holding *holding, const bool *judged,
                                      const struct verify_oracle *oracle, uint64_t *held,
                                      struct reshard_error *error)
{
    const uint64_t rank = reshard_state_rank(holding->state);
    struct verify_report report;
    struct verify_memory *memory = NULL;
    enum reshard_status status = verify_report_open(&report);
    if (status)
        goto cleanup;
    memory = memory_of(holding);
    if (!memory) {
        status =
            reshard_error_set(error, RESHARD_ENOMEM, "no memory to verify rank %" PRIu64, rank);
        goto cleanup;
    }
    const struct verify_held_options options = {
        .rules = holding->arrangement->rules,
        .oracle = oracle,
        .memory = memory,
        .rank = rank,
        .judged = judged,
    };
    status = verify_held(&options, &report, error);
    for (uint32_t t = 0; report.tally && t < report.tensor_count; t++)
        held[t] = report.tally[t].held;

cleanup:
    free(memory);
    verify_report_close(&report);
    /* A state that is not the expected one is damaged, as far as the job is concerned. */
    return status == RESHARD_EMISMATCH ? RESHARD_EDIGEST : status;
}

/* `held` has the sums over all ranks. What is absent counts for nothing. */
static enum reshard_status judge_sums(const struct arrangement *arrangement, const bool *judged,
                                      const struct verify_oracle *oracle, const uint64_t *held,
                                      struct judgement *out, struct reshard_error *error)
{
    const struct verify_inventory *inventory = &arrangement->world->inventory;
    for (uint32_t t = 0; t < inventory->tensor_count; t++) {
        const uint64_t expected = verify_rules_world_elements(arrangement->rules, t);
        const struct verify_tensor *tensor = &inventory->tensor[t];
        if (!judged[t] || verify_oracle_absent(oracle, t))
            continue;
        if (held[t] != expected)
            return reshard_error_set(
                error, RESHARD_ECOVER,
                "%s%s%s: the ranks hold %" PRIu64 " elements of it, not %" PRIu64, tensor->fqn,
                tensor->slot[0] ? ", " : "", tensor->slot, held[t], expected);
        out->tensors++;
        out->elements += expected;
    }
    return RESHARD_OK;
}

enum reshard_status judge_held(struct reshard_group *group, const struct holding *holding,
                               enum reshard_part part, uint64_t step, struct judgement *out,
                               struct reshard_error *error)
{
    const struct arrangement *arrangement = holding->arrangement;
    const uint32_t count = arrangement->world->inventory.tensor_count;
    const struct verify_oracle *oracle = NULL;
    bool *judged = judged_of(arrangement->world, part);
    uint64_t *held = calloc((size_t)count + 1, sizeof(*held));
    enum reshard_status status = RESHARD_ENOMEM;

    *out = (struct judgement){.replicas = reshard_layout_options(arrangement->layout)->replicate};
    if (held && judged)
        status = reference_acquire(&oracle, arrangement->world, step, error);
    if (!status)
        status = judge_rank(holding, judged, oracle, held, error);
    if (!status && count > INT_MAX)
        status = reshard_error_set(error, RESHARD_EOVERFLOW, "too many tensors to verify");
    status = reshard_group_agree(group, status, error);
    if (!status)
        status = group_allreduce(group, held, (int)count, MPI_UINT64_T, MPI_SUM, error);
    if (!status)
        status = judge_sums(arrangement, judged, oracle, held, out, error);
    reference_release(oracle);
    free(held);
    free(judged);
    return status;
}
