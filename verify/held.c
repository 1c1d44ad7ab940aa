#include "verify/held.h"

#include "verify/walk.h"

#include <inttypes.h>
#include <stdlib.h>

/* One rank under judgement: what does not change from tensor to tensor. */
struct judge {
    const struct verify_held_options *options;
    const struct verify_inventory *inventory;
    struct verify_report *report;
    struct verify_block *block;
    struct verify_mismatch *mismatch; /* of each tensor */
    bool *absent;      /* of each tensor: by the oracle, or in memory, which is a finding */
    bool *usable;      /* is each tensor judged, and has its memory its size? */
    uint32_t *next;    /* of the same parameter: verify_groups() */
    uint64_t elements; /* compared so far */
    uint64_t bytes;
};

static uint64_t bytes_of(const struct judge *judge, uint32_t tensor)
{
    return verify_rules_memory_elements(judge->options->rules, tensor, judge->options->rank) *
           reshard_dtype_bytes(judge->inventory->tensor[tensor].dtype);
}

/* Has the rank an element of the tensor? */
static bool holds(const struct judge *judge, uint32_t tensor)
{
    struct verify_walk walk;
    struct verify_box box;
    uint64_t local;

    verify_walk_begin(&walk, judge->options->rules, tensor, judge->options->rank);
    return verify_walk_box(&walk, &box, &local);
}

/* A slot that is absent, or should be, is not looked into. */
static void judge_absence(struct judge *judge, uint32_t tensor)
{
    const struct verify_held_options *options = judge->options;
    const bool must = verify_oracle_absent(options->oracle, tensor);
    const bool is = options->memory[tensor].absent;
    struct verify_finding finding;

    judge->absent[tensor] = must || is;
    if (must == is || (options->judged && !options->judged[tensor]) || !holds(judge, tensor))
        return;
    finding = verify_finding_tensor(RESHARD_EMISMATCH, judge->inventory, tensor);
    finding.rank = options->rank;
    verify_finding_say(&finding, "is %s, and must%s after training step %" PRIu64,
                       is ? "absent" : "there", is ? " be there" : " not be",
                       verify_oracle_step(options->oracle));
    verify_report_add(judge->report, &finding);
}

/* A tensor whose memory has another size is a finding and is not looked into. */
static void judge_size(struct judge *judge, uint32_t tensor)
{
    const struct verify_held_options *options = judge->options;
    const struct verify_memory *memory = &options->memory[tensor];
    const uint64_t bytes = bytes_of(judge, tensor);
    struct verify_finding finding;

    if (judge->absent[tensor] || (options->judged && !options->judged[tensor]))
        return;
    judge->usable[tensor] = memory->bytes == bytes && (bytes == 0 || memory->base);
    if (judge->usable[tensor])
        return;
    if (verify_rules_flat(options->rules, tensor) &&
        !verify_rules_present(options->rules, tensor, options->rank))
        return;
    finding = verify_finding_tensor(RESHARD_EMISMATCH, judge->inventory, tensor);
    finding.rank = options->rank;
    verify_finding_say(&finding, "the rank's memory has %" PRIu64 " bytes, not %" PRIu64,
                       memory->bytes, bytes);
    verify_report_add(judge->report, &finding);
}

/* Compare elements of one tensor from `begin` on, which lie from index `local` on. */
static void judge_elements(struct judge *judge, uint32_t tensor, uint64_t local, uint64_t begin,
                           size_t count, const void *expected)
{
    const size_t width = reshard_dtype_bytes(judge->inventory->tensor[tensor].dtype);
    const char *memory = judge->options->memory[tensor].base;
    const struct verify_pair pair = {
        .expected = expected,
        .actual = memory + local * width,
        .width = width,
        .count = count,
        .begin = begin,
    };

    verify_compare(&judge->mismatch[tensor], &pair);
    judge->report->tally[tensor].compared += count;
    judge->elements += count;
    judge->bytes += count * width;
}

/* A parameter and the slots that follow it lie alike, so one walk and one block serve them all. */
static void judge_run(struct judge *judge, uint32_t parameter, const struct verify_run *run)
{
    const struct verify_tensor *tensor = judge->inventory->tensor;

    for (uint64_t begin = run->begin; begin < run->end; begin += VERIFY_BLOCK_ELEMENTS) {
        const uint64_t left = run->end - begin;
        const uint32_t count =
            left < VERIFY_BLOCK_ELEMENTS ? (uint32_t)left : VERIFY_BLOCK_ELEMENTS;

        verify_oracle_fill(judge->options->oracle, judge->block, parameter, begin, count);
        for (uint32_t t = parameter; t != UINT32_MAX; t = judge->next[t]) {
            if (tensor[t].like && judge->usable[t])
                judge_elements(judge, t, run->local + (begin - run->begin), begin, count,
                               verify_block_values(judge->options->oracle, judge->block, t));
        }
    }
    for (uint32_t t = parameter; t != UINT32_MAX; t = judge->next[t]) {
        if (tensor[t].like && !judge->absent[t])
            judge->report->tally[t].held += run->end - run->begin;
    }
}

/* A slot that does not follow its parameter, which the oracle has whole. */
static void judge_alone(struct judge *judge, uint32_t number, const struct verify_run *run)
{
    const size_t width = reshard_dtype_bytes(judge->inventory->tensor[number].dtype);
    const char *whole;

    judge->report->tally[number].held += run->end - run->begin;
    if (!judge->usable[number])
        return;
    whole = verify_oracle_whole(judge->options->oracle, number);
    judge_elements(judge, number, run->local, run->begin, (size_t)(run->end - run->begin),
                   whole + run->begin * width);
}

/* An entry of the model, with the slots that follow it; or a slot that does not. */
static void judge_tensor(struct judge *judge, uint32_t number)
{
    const bool alone = !judge->inventory->tensor[number].like;
    struct verify_walk walk;
    struct verify_run run;

    if (judge->absent[number])
        return;
    verify_walk_begin(&walk, judge->options->rules, number, judge->options->rank);
    while (verify_walk_next(&walk, &run)) {
        if (alone)
            judge_alone(judge, number, &run);
        else
            judge_run(judge, number, &run);
    }
}

static void add_mismatches(struct judge *judge)
{
    for (uint32_t t = 0; t < judge->inventory->tensor_count; ++t) {
        struct verify_finding finding;

        judge->report->tally[t].differing += judge->mismatch[t].differing;
        if (judge->mismatch[t].differing == 0)
            continue;
        finding = verify_finding_tensor(RESHARD_EMISMATCH, judge->inventory, t);
        finding.rank = judge->options->rank;
        verify_finding_mismatch(&finding, &judge->inventory->tensor[t], &judge->mismatch[t]);
        verify_finding_say(&finding, "not the state of training step %" PRIu64,
                           verify_oracle_step(judge->options->oracle));
        verify_report_add(judge->report, &finding);
    }
}

static enum reshard_status judge_open(struct judge *judge, struct reshard_error *error)
{
    const size_t count = judge->inventory->tensor_count;
    enum reshard_status status = verify_block_open(&judge->block);

    judge->mismatch = calloc(count + 1, sizeof *judge->mismatch);
    judge->absent = calloc(count + 1, sizeof *judge->absent);
    judge->usable = calloc(count + 1, sizeof *judge->usable);
    judge->next = verify_groups(judge->inventory);
    if (!judge->mismatch || !judge->absent || !judge->usable || !judge->next)
        status = RESHARD_ENOMEM;
    if (!status && !judge->report->tally)
        status = verify_report_tensors(judge->report, (uint32_t)count);
    if (!status && judge->report->tensor_count != count)
        return reshard_error_set(error, RESHARD_EINVAL, "the report is about another inventory");
    return status ? reshard_error_set(error, status, "no memory to verify a rank") : RESHARD_OK;
}

static void judge_close(struct judge *judge)
{
    verify_block_close(judge->block);
    free(judge->mismatch);
    free(judge->absent);
    free(judge->usable);
    free(judge->next);
}

enum reshard_status verify_held(const struct verify_held_options *options,
                                struct verify_report *report, struct reshard_error *error)
{
    struct judge judge = {.options = options,
                          .inventory = verify_oracle_inventory(options->oracle),
                          .report = report};
    enum reshard_status status = judge_open(&judge, error);
    const uint64_t before = report->finding_total;
    char line[RESHARD_ERROR_TEXT_MAX];

    if (status)
        goto cleanup;
    for (uint32_t t = 0; t < judge.inventory->tensor_count; ++t) {
        judge_absence(&judge, t);
        judge_size(&judge, t);
    }
    for (uint32_t t = 0; t < judge.inventory->tensor_count; ++t) {
        const struct verify_tensor *tensor = &judge.inventory->tensor[t];

        if (!verify_tensor_is_slot(tensor) || !tensor->like)
            judge_tensor(&judge, t);
    }
    verify_report_count(report, judge.elements, judge.bytes);
    add_mismatches(&judge);
    if (report->finding_total > before) {
        verify_finding_line(&report->finding[0], line, sizeof line);
        status = reshard_error_set(error, report->status, "%s", line);
    }

cleanup:
    judge_close(&judge);
    return status;
}
