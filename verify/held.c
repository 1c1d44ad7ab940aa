#include "verify/held.h"

#include <inttypes.h>
#include <stdlib.h>

/* One rank under judgement: what does not change from tensor to tensor. */
struct judge {
    const struct verify_held_options *options;
    const struct verify_inventory *inventory;
    struct verify_report *report;
    struct verify_block *block;
    struct verify_mismatch *mismatch; /* of each tensor */
    bool *usable;                     /* has each tensor's memory its size? */
    uint32_t *next;                   /* of the same parameter: verify_groups() */
};

/* A tensor whose memory has another size is a finding and is not looked into. */
static void judge_sizes(struct judge *judge)
{
    for (uint32_t t = 0; t < judge->inventory->tensor_count; ++t) {
        const uint64_t elements =
            verify_rules_memory_elements(judge->options->rules, t, judge->options->shard);
        const uint64_t bytes = elements * reshard_dtype_bytes(judge->inventory->tensor[t].dtype);
        const struct verify_memory *memory = &judge->options->memory[t];
        struct verify_finding finding;

        judge->usable[t] = memory->bytes == bytes && (bytes == 0 || memory->base);
        if (judge->usable[t])
            continue;
        finding = verify_finding_tensor(RESHARD_EMISMATCH, judge->inventory, t);
        finding.rank = judge->options->rank;
        verify_finding_say(&finding, "the rank's memory has %" PRIu64 " bytes, not %" PRIu64,
                           memory->bytes, bytes);
        verify_report_add(judge->report, &finding);
    }
}

/* Compare one tensor's part of the block that the oracle has just filled. */
static void judge_block(struct judge *judge, uint32_t tensor, const struct verify_run *run,
                        uint64_t begin, uint32_t count)
{
    const size_t width = reshard_dtype_bytes(judge->inventory->tensor[tensor].dtype);
    const char *memory = judge->options->memory[tensor].base;
    const struct verify_pair pair = {
        .expected = verify_block_values(judge->options->oracle, judge->block, tensor),
        .actual = memory + (run->local + (begin - run->begin)) * width,
        .width = width,
        .count = count,
        .begin = begin,
    };

    verify_compare(&judge->mismatch[tensor], &pair);
    judge->report->tally[tensor].compared += count;
    verify_report_count(judge->report, count, count * width);
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
                judge_block(judge, t, run, begin, count);
        }
    }
    for (uint32_t t = parameter; t != UINT32_MAX; t = judge->next[t]) {
        if (tensor[t].like)
            judge->report->tally[t].held += run->end - run->begin;
    }
}

static void judge_parameter(struct judge *judge, uint32_t parameter)
{
    struct verify_walk walk = verify_walk_begin(judge->options->rules, parameter);
    struct verify_run run;

    while (verify_walk_next(&walk, &run)) {
        if (run.shard == judge->options->shard || run.shard == VERIFY_EVERY_SHARD)
            judge_run(judge, parameter, &run);
    }
}

/* A slot that does not follow its parameter (AdamW's step) is one value, whole on every rank. */
static void judge_scalar(struct judge *judge, uint32_t tensor)
{
    const struct verify_run run = {.end = 1};

    judge->report->tally[tensor].held += 1;
    if (judge->usable[tensor])
        judge_block(judge, tensor, &run, 0, 1);
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
    judge->usable = calloc(count + 1, sizeof *judge->usable);
    judge->next = verify_groups(judge->inventory);
    if (!judge->mismatch || !judge->usable || !judge->next)
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
    judge_sizes(&judge);
    for (uint32_t t = 0; t < judge.inventory->tensor_count; ++t) {
        if (verify_tensor_is_parameter(&judge.inventory->tensor[t]))
            judge_parameter(&judge, t);
        else if (!judge.inventory->tensor[t].like)
            judge_scalar(&judge, t);
    }
    add_mismatches(&judge);
    if (report->finding_total > before) {
        verify_finding_line(&report->finding[0], line, sizeof line);
        status = reshard_error_set(error, report->status, "%s", line);
    }

cleanup:
    judge_close(&judge);
    return status;
}
