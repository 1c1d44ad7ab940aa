#include "parallel/exchange.h"

#include "parallel/carrier.h"
#include "parallel/proof.h"
#include "parallel/schema.h"

#include <inttypes.h>
#include <stdlib.h>

static bool part_moves(enum reshard_part part, const struct reshard_tensor *tensor)
{
    return reshard_part_has(part, tensor) ||
           (tensor->role == RESHARD_ROLE_TRANSIENT && part != RESHARD_PART_OPTIMIZER);
}

/* Whether all that moves has memory: what is not saved too, which no part has. Local. */
static enum reshard_status check_memory(const struct reshard_state *state, enum reshard_part part,
                                        struct reshard_error *error)
{
    const struct reshard_model *model = reshard_layout_model(reshard_state_layout(state));
    char name[RESHARD_TENSOR_TEXT_MAX];

    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
        if (part_moves(part, tensor) && reshard_state_bytes(state, t) &&
            !reshard_state_data(state, t))
            return reshard_error_set(error, RESHARD_EINVAL, "tensor %s has no memory bound",
                                     reshard_tensor_print(tensor, name, sizeof name));
    }
    return RESHARD_OK;
}

/* All that must hold before anything moves. [collective] */
static enum reshard_status prepare(struct reshard_group *group, const struct reshard_state *source,
                                   const struct reshard_state *target,
                                   const struct reshard_exchange_options *options,
                                   struct reshard_error *error)
{
    const struct reshard_model *from = reshard_layout_model(reshard_state_layout(source));
    const struct reshard_model *to = reshard_layout_model(reshard_state_layout(target));
    const struct group_value values[] = {{(uint64_t)options->part, "the part to move"},
                                         {options->budget, "the budget"}};
    enum reshard_status status = schema_agree(group, source, error);

    if (!status)
        status = schema_agree(group, target, error);
    if (!status && reshard_model_hash(from) != reshard_model_hash(to))
        status = reshard_error_set(error, RESHARD_EMISMATCH,
                                   "the source and the target are states of different models");
    if (!status)
        status = group_agree_values(group, values, 2, error);
    if (!status && options->part > RESHARD_PART_OPTIMIZER)
        status = reshard_error_set(error, RESHARD_EINVAL, "%d is no part of a state",
                                   (int)options->part);
    if (status)
        return status;
    status = check_memory(source, options->part, error);
    if (!status)
        status = reshard_state_check_ties(source, options->part, error);
    if (!status)
        status = check_memory(target, options->part, error);
    return reshard_group_agree(group, status, error);
}

/* Hold the target's digests against the source's, of what moves. [collective] */
static enum reshard_status prove(struct reshard_group *group, const struct reshard_state *source,
                                 const struct reshard_state *target, enum reshard_part part,
                                 struct reshard_error *error)
{
    const struct reshard_model *model = reshard_layout_model(reshard_state_layout(target));
    const uint32_t tensors = reshard_model_tensor_count(model);
    uint64_t *digest = calloc(2 * ((size_t)tensors + 1), sizeof *digest);
    uint64_t *const moved = digest ? digest + tensors : NULL;
    bool *chosen = calloc((size_t)tensors + 1, sizeof *chosen);
    enum reshard_status status =
        reshard_group_agree(group, digest && chosen ? RESHARD_OK : RESHARD_ENOMEM, error);
    char name[RESHARD_TENSOR_TEXT_MAX];

    for (uint32_t t = 0; !status && t < tensors; t++)
        chosen[t] = part_moves(part, reshard_model_tensor(model, t));
    if (!status) {
        status = proof_digest(group, source, chosen, digest, error);
        if (status == RESHARD_EDIGEST)
            reshard_error_prefix(error, "before the exchange");
    }
    if (!status)
        status = proof_digest(group, target, chosen, moved, error);
    for (uint32_t t = 0; !status && t < tensors; t++)
        if (digest[t] != moved[t])
            status = reshard_error_set(
                error, RESHARD_EDIGEST,
                "tensor %s had the digest %016" PRIx64 " and has %016" PRIx64 " after the exchange",
                reshard_tensor_print(reshard_model_tensor(model, t), name, sizeof name), digest[t],
                moved[t]);
    free(digest);
    free(chosen);
    return status;
}

/* This rank's moves, both ways, and what it lacks. Local. */
static enum reshard_status make_leg(struct carrier *carrier, const struct plan_sides *sides,
                                    struct leg *leg, uint64_t *lacking, struct reshard_error *error)
{
    const uint64_t rank = reshard_group_rank(carrier->group);
    enum reshard_status status = plan_build(&leg->incoming, sides, rank, error);

    if (!status)
        status = plan_sends(&leg->outgoing, sides, rank);
    if (!status)
        status = plan_lacking(sides, rank, lacking);
    if (!status)
        status = leg_prepare(carrier, leg);
    return status ? status : carrier_allocate(carrier);
}

static enum reshard_status fill_report(const struct carrier *carrier, const uint32_t *from,
                                       uint64_t lacking, struct reshard_report *report,
                                       struct reshard_error *error)
{
    const struct reshard_model *model = reshard_layout_model(reshard_state_layout(carrier->target));
    uint64_t sums[2] = {carrier->sent, lacking};
    const enum reshard_status status =
        group_allreduce(carrier->group, sums, 2, MPI_UINT64_T, MPI_SUM, error);

    *report = (struct reshard_report){.bytes_sent = sums[0], .bytes_lacking = sums[1]};
    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
        if (from[t] == PLAN_SKIP)
            continue;
        report->tensors++;
        report->bytes_unique += tensor->count * reshard_dtype_bytes(tensor->dtype);
    }
    return status;
}

enum reshard_status reshard_exchange(struct reshard_group *group,
                                     const struct reshard_state *source,
                                     struct reshard_state *target,
                                     const struct reshard_exchange_options *options,
                                     struct reshard_report *report, struct reshard_error *error)
{
    static const struct reshard_exchange_options defaults = {0};
    const struct reshard_model *model = reshard_layout_model(reshard_state_layout(target));
    const uint32_t tensors = reshard_model_tensor_count(model);
    uint32_t *from = calloc((size_t)tensors + 1, sizeof *from);
    struct carrier carrier;
    struct leg leg = {.to = NULL};
    const struct plan_sides sides = {reshard_state_layout(source), reshard_state_layout(target),
                                     from, false};
    struct reshard_report sink;
    uint64_t lacking = 0;
    enum reshard_status status;

    reshard_error_clear(error);
    options = options ? options : &defaults;
    carrier = carrier_begin(group, source, target, options->budget);
    status = reshard_group_agree(group, from ? RESHARD_OK : RESHARD_ENOMEM, error);
    if (!status)
        status = prepare(group, source, target, options, error);
    for (uint32_t t = 0; !status && t < tensors; t++)
        from[t] = part_moves(options->part, reshard_model_tensor(model, t)) ? t : PLAN_SKIP;
    if (!status)
        status =
            reshard_group_agree(group, make_leg(&carrier, &sides, &leg, &lacking, error), error);
    host_phase(group_host(group), "exchange", "plan", 0);
    if (!status)
        status = carrier_go(&carrier, &leg, error);
    if (!status && !carrier.status)
        carrier.status = reshard_state_fill_ties(target, options->part);
    if (!status)
        status = reshard_group_agree(group, carrier.status, error);
    host_phase(group_host(group), "exchange", "move", carrier.sent);
    if (!status)
        status = prove(group, source, target, options->part, error);
    host_phase(group_host(group), "exchange", "prove", 0);
    if (!status)
        status = fill_report(&carrier, from, lacking, report ? report : &sink, error);
    leg_release(&leg);
    carrier_end(&carrier);
    free(from);
    return status;
}
