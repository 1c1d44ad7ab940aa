#include "parallel/exchange.h"

#include "core/argument.h"
#include "core/digest.h"
#include "core/pattern.h"
#include "parallel/absence.h"
#include "parallel/carrier.h"
#include "parallel/proof.h"
#include "parallel/schema.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* One exchange on its way. */
struct exchange {
    struct reshard_group *group;
    const struct reshard_state *source;
    struct reshard_state *target;
    const struct reshard_exchange_options *options;
    const struct reshard_model *model;
    bool *wanted; /* by tensor: it moves, or is absent */
    bool *absent;
    bool *moves;
    uint32_t *from; /* by tensor: itself where it moves, otherwise PLAN_SKIP */
};

static bool part_moves(enum reshard_part part, const struct reshard_tensor *tensor)
{
    return reshard_part_has(part, tensor) ||
           (tensor->role == RESHARD_ROLE_TRANSIENT && part != RESHARD_PART_OPTIMIZER);
}

static bool is_named(const struct reshard_exchange_options *options, const char *fqn)
{
    return options->only_count == 0 || pattern_matches_any(options->only, options->only_count, fqn);
}

/* Local. */
static enum reshard_status allocate(struct exchange *exchange)
{
    const size_t tensors = (size_t)reshard_model_tensor_count(exchange->model) + 1;

    exchange->wanted = calloc(tensors, sizeof *exchange->wanted);
    exchange->absent = calloc(tensors, sizeof *exchange->absent);
    exchange->moves = calloc(tensors, sizeof *exchange->moves);
    exchange->from = calloc(tensors, sizeof *exchange->from);
    return exchange->wanted && exchange->absent && exchange->moves && exchange->from
               ? RESHARD_OK
               : RESHARD_ENOMEM;
}

static void release(struct exchange *exchange)
{
    free(exchange->wanted);
    free(exchange->absent);
    free(exchange->moves);
    free(exchange->from);
}

/* The options, the same on all ranks. [collective] */
static enum reshard_status agree_options(const struct exchange *exchange,
                                         struct reshard_error *error)
{
    const struct reshard_exchange_options *options = exchange->options;
    uint64_t only = options->only_count;
    enum reshard_status status = RESHARD_OK;

    for (uint32_t i = 0; i < options->only_count; i++)
        only = digest_crc(only, options->only[i], strlen(options->only[i]) + 1);
    const struct group_value values[] = {
        {.value = (uint64_t)options->part, .what = "the part to move"},
        {.value = options->budget, .what = "the budget"},
        {.value = only, .what = "what alone is to move", .text = ""}};
    status = group_agree_values(exchange->group, values, sizeof values / sizeof *values, error);
    if (!status && options->part > RESHARD_PART_OPTIMIZER)
        status = reshard_error_set(error, RESHARD_EINVAL, "%d is no part of a state",
                                   (int)options->part);
    for (uint32_t i = 0; !status && i < options->only_count; i++)
        if (!pattern_is_valid(options->only[i]))
            status = reshard_error_set(error, RESHARD_EINVAL, "only: '%s' is no pattern",
                                       options->only[i]);
    return status;
}

/* Whether all that moves has memory: what is not saved too, which no part has. Local. */
static enum reshard_status check_memory(const struct exchange *exchange,
                                        const struct reshard_state *state,
                                        struct reshard_error *error)
{
    enum reshard_status status = RESHARD_OK;

    for (uint32_t t = 0; !status && t < reshard_model_tensor_count(exchange->model); t++)
        if (exchange->moves[t])
            status = reshard_state_check_tensor(state, t, error);
    return status;
}

/* All that must hold before anything moves. [collective] */
static enum reshard_status prepare(struct exchange *exchange, struct reshard_error *error)
{
    const struct reshard_model *from = reshard_layout_model(reshard_state_layout(exchange->source));
    enum reshard_status status = schema_agree(exchange->group, exchange->source, error);

    if (!status)
        status = schema_agree(exchange->group, exchange->target, error);
    if (!status && reshard_model_hash(from) != reshard_model_hash(exchange->model))
        status = reshard_error_set(error, RESHARD_EMISMATCH,
                                   "the source and the target are states of different models");
    if (!status)
        status = agree_options(exchange, error);
    if (!status)
        status = absence_agree(exchange->group, exchange->source, exchange->absent, error);
    for (uint32_t t = 0; !status && t < reshard_model_tensor_count(exchange->model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(exchange->model, t);
        exchange->wanted[t] =
            part_moves(exchange->options->part, tensor) && is_named(exchange->options, tensor->fqn);
        exchange->moves[t] = exchange->wanted[t] && !exchange->absent[t];
        exchange->from[t] = exchange->moves[t] ? t : PLAN_SKIP;
    }
    if (status)
        return status;
    status = check_memory(exchange, exchange->source, error);
    if (!status)
        status = reshard_state_check_ties(exchange->source, exchange->moves, error);
    if (!status)
        status = check_memory(exchange, exchange->target, error);
    return reshard_group_agree(exchange->group, status, error);
}

/* Hold the target's digests against the source's, of what moves. [collective] */
static enum reshard_status prove(const struct exchange *exchange, struct reshard_error *error)
{
    const uint32_t tensors = reshard_model_tensor_count(exchange->model);
    uint64_t *digest = calloc(2 * ((size_t)tensors + 1), sizeof *digest);
    uint64_t *const moved = digest ? digest + tensors : NULL;
    enum reshard_status status =
        reshard_group_agree(exchange->group, digest ? RESHARD_OK : RESHARD_ENOMEM, error);
    char name[RESHARD_TENSOR_TEXT_MAX];

    if (!status) {
        status = proof_digest(exchange->group, exchange->source, exchange->moves, digest, error);
        if (status == RESHARD_EDIGEST)
            reshard_error_prefix(error, "before the exchange");
    }
    if (!status)
        status = proof_digest(exchange->group, exchange->target, exchange->moves, moved, error);
    for (uint32_t t = 0; !status && t < tensors; t++)
        if (digest[t] != moved[t])
            status = reshard_error_set(
                error, RESHARD_EDIGEST,
                "tensor %s had the digest %016" PRIx64 " and has %016" PRIx64 " after the exchange",
                reshard_tensor_print(reshard_model_tensor(exchange->model, t), name, sizeof name),
                digest[t], moved[t]);
    free(digest);
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

static enum reshard_status fill_report(const struct exchange *exchange, uint64_t sent,
                                       uint64_t lacking, struct reshard_report *report,
                                       struct reshard_error *error)
{
    uint64_t sums[2] = {sent, lacking};
    const enum reshard_status status =
        group_allreduce(exchange->group, sums, 2, MPI_UINT64_T, MPI_SUM, error);

    *report = (struct reshard_report){.bytes_sent = sums[0], .bytes_lacking = sums[1]};
    for (uint32_t t = 0; t < reshard_model_tensor_count(exchange->model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(exchange->model, t);
        report->tensors_absent += exchange->wanted[t] && exchange->absent[t];
        if (!exchange->moves[t])
            continue;
        report->tensors++;
        report->bytes_unique += tensor->count * reshard_dtype_bytes(tensor->dtype);
    }
    return status;
}

/* From the plan to the proof. [collective] */
static enum reshard_status move(struct exchange *exchange, struct reshard_report *report,
                                struct reshard_error *error)
{
    struct reshard_group *group = exchange->group;
    struct carrier carrier =
        carrier_begin(group, exchange->source, exchange->target, exchange->options->budget);
    const struct plan_sides sides = {reshard_state_layout(exchange->source),
                                     reshard_state_layout(exchange->target), exchange->from, false};
    struct leg leg = {.to = NULL};
    uint64_t lacking = 0;
    enum reshard_status status =
        reshard_group_agree(group, make_leg(&carrier, &sides, &leg, &lacking, error), error);

    host_phase(group_host(group), "exchange", "plan", 0);
    if (!status)
        status = carrier_go(&carrier, &leg, error);
    if (!status && !carrier.status)
        carrier.status = reshard_state_fill_ties(exchange->target, exchange->moves);
    if (!status)
        status = reshard_group_agree(group, carrier.status, error);
    host_phase(group_host(group), "exchange", "move", carrier.sent);
    if (!status)
        status = prove(exchange, error);
    host_phase(group_host(group), "exchange", "prove", 0);
    if (!status)
        status = fill_report(exchange, carrier.sent, lacking, report, error);
    leg_release(&leg);
    carrier_end(&carrier);
    return status;
}

enum reshard_status reshard_exchange(struct reshard_group *group,
                                     const struct reshard_state *source,
                                     struct reshard_state *target,
                                     const struct reshard_exchange_options *options,
                                     struct reshard_report *report, struct reshard_error *error)
{
    static const struct reshard_exchange_options defaults = {0};
    struct exchange exchange = {.group = group,
                                .source = source,
                                .target = target,
                                .options = options ? options : &defaults};
    struct reshard_report sink;
    enum reshard_status status;

    reshard_error_clear(error);
    status = CHECK_ARGUMENTS(error, ARGUMENT(source), ARGUMENT(target),
                             {"only", exchange.options->only, true, exchange.options->only_count});
    if (!status) {
        exchange.model = reshard_layout_model(reshard_state_layout(target));
        status = allocate(&exchange);
    }
    status = group_begin(group, GROUP_EXCHANGE, status, error);
    if (status) {
        release(&exchange);
        return status;
    }
    status = prepare(&exchange, error);
    if (!status)
        status = move(&exchange, report ? report : &sink, error);
    for (uint32_t t = 0; !status && t < reshard_model_tensor_count(exchange.model); t++)
        if (exchange.wanted[t])
            reshard_state_set_absent(target, t, exchange.absent[t]);
    release(&exchange);
    group_end(group);
    return status;
}
