#include "verify/oracle.h"

#include "verify/course.h"
#include "verify/elementwise.h"
#include "verify/numbers.h"
#include "verify/truth.h"

#include <stdlib.h>
#include <string.h>

/* SPAN elements are trained at a time, so that they stay in the nearest cache. */
enum {
    SPAN = 1024,
    BLOCK_BYTES = VERIFY_BLOCK_ELEMENTS * VERIFY_ELEMENT_BYTES_MAX,
    STATE_BYTES = VERIFY_BLOCK_ELEMENTS * 8,
    STEP_MAX = 1 << 24, /* the slot `step` is an f32 and counts no further */
};

/* What is known of a tensor. */
struct source {
    /* of an entry of the model */
    struct verify_training training;
    struct verify_stream stream;
    const unsigned char *file;   /* initial values, or NULL for those of the seed */
    struct verify_course course; /* of a training that takes one */
    float taken;                 /* steps, as the slot `step` has them */
    /* of a slot */
    enum verify_slot slot;
};

struct verify_oracle {
    const struct verify_inventory *inventory;
    uint64_t seed;
    uint64_t step;
    struct verify_truth *truth;
    struct source source[]; /* for each tensor */
};

struct verify_block {
    _Alignas(64) double p[SPAN];
    double g[SPAN];
    double state[VERIFY_STATES_MAX][SPAN];
    uint64_t begin; /* the first element of the range filled last */
    _Alignas(16) unsigned char parameter[BLOCK_BYTES];
    unsigned char slot[VERIFY_STATES_MAX][STATE_BYTES];
};

/* ---- opening --------------------------------------------------------------------------------- */

static enum reshard_status find_entry(struct verify_oracle *oracle,
                                      const struct verify_optimizer *optimizer, uint32_t number,
                                      struct reshard_error *error)
{
    const struct verify_tensor *tensor = &oracle->inventory->tensor[number];
    struct source *source = &oracle->source[number];

    source->training = verify_training_of(optimizer, tensor);
    source->stream = verify_stream_of(oracle->seed, tensor->fqn);
    source->taken = (float)verify_training_taken(&source->training, oracle->step);
    if (source->training.name == VERIFY_ADAM8BIT && source->training.hyper.block == 0)
        return reshard_error_set(error, RESHARD_EINVAL, "%s: adam8bit with blocks of 0 elements",
                                 tensor->fqn);
    return oracle->truth ? verify_truth_find(oracle->truth, tensor, &source->file, error)
                         : RESHARD_OK;
}

static enum reshard_status find_slot(struct verify_oracle *oracle, uint32_t number,
                                     struct reshard_error *error)
{
    const struct verify_tensor *tensor = &oracle->inventory->tensor[number];
    struct source *source = &oracle->source[number];

    source->slot = verify_training_find(&oracle->source[tensor->parameter].training,
                                        &oracle->inventory->tensor[tensor->parameter], tensor);
    if (source->slot == VERIFY_SLOT_COUNT)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "the reference training knows no slot %s of %s, or not of this "
                                 "dtype, class and shape",
                                 tensor->slot, tensor->fqn);
    return RESHARD_OK;
}

/* A slot comes after its parameter, whose training is known then. */
static enum reshard_status find_sources(struct verify_oracle *oracle,
                                        const struct verify_optimizer *optimizer,
                                        struct reshard_error *error)
{
    enum reshard_status status = RESHARD_OK;

    for (uint32_t t = 0; t < oracle->inventory->tensor_count && !status; ++t)
        status = verify_tensor_is_slot(&oracle->inventory->tensor[t])
                     ? find_slot(oracle, t, error)
                     : find_entry(oracle, optimizer, t, error);
    return status;
}

static enum reshard_status take_courses(struct verify_oracle *oracle, struct reshard_error *error)
{
    for (uint32_t t = 0; t < oracle->inventory->tensor_count; ++t) {
        const struct verify_tensor *tensor = &oracle->inventory->tensor[t];
        struct source *source = &oracle->source[t];

        if (verify_course_needed(&source->training) &&
            verify_course_open(&source->course, tensor, &source->training, source->stream,
                               oracle->step, source->file))
            return reshard_error_set(error, RESHARD_ENOMEM, "no memory to train %s", tensor->fqn);
    }
    return RESHARD_OK;
}

static enum reshard_status check_options(const struct verify_oracle_options *options,
                                         struct reshard_error *error)
{
    const enum reshard_dtype state = options->optimizer.state;

    if (options->step > STEP_MAX)
        return reshard_error_set(error, RESHARD_EINVAL, "step %llu; the oracle goes to 2^24",
                                 (unsigned long long)options->step);
    if (state != RESHARD_DTYPE_NONE && reshard_dtype_kind(state) != RESHARD_KIND_FLOAT)
        return reshard_error_set(error, RESHARD_EINVAL, "optimizer state cannot be %s",
                                 reshard_dtype_name(state));
    return verify_inventory_check(options->inventory, error);
}

enum reshard_status verify_oracle_open(struct verify_oracle **out,
                                       const struct verify_oracle_options *options,
                                       struct reshard_error *error)
{
    struct verify_oracle *oracle;
    enum reshard_status status = check_options(options, error);

    *out = NULL;
    if (status)
        return status;
    oracle = calloc(1, sizeof *oracle +
                           (size_t)options->inventory->tensor_count * sizeof oracle->source[0]);
    if (!oracle)
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory for the oracle");
    oracle->inventory = options->inventory;
    oracle->seed = options->seed;
    oracle->step = options->step;
    if (options->safetensors)
        status = verify_truth_open(&oracle->truth, options->safetensors, error);
    if (!status)
        status = find_sources(oracle, &options->optimizer, error);
    if (!status)
        status = take_courses(oracle, error);
    if (status)
        verify_oracle_close(oracle);
    else
        *out = oracle;
    return status;
}

void verify_oracle_close(struct verify_oracle *oracle)
{
    if (!oracle)
        return;
    for (uint32_t t = 0; t < oracle->inventory->tensor_count; ++t)
        verify_course_close(&oracle->source[t].course);
    verify_truth_close(oracle->truth);
    free(oracle);
}

/* ---- what is known of tensors ---------------------------------------------------------------- */

const struct verify_inventory *verify_oracle_inventory(const struct verify_oracle *oracle)
{
    return oracle->inventory;
}

uint64_t verify_oracle_step(const struct verify_oracle *oracle)
{
    return oracle->step;
}

bool verify_oracle_absent(const struct verify_oracle *oracle, uint32_t tensor)
{
    const struct verify_tensor *slot = &oracle->inventory->tensor[tensor];

    return verify_tensor_is_slot(slot) &&
           verify_training_absent(&oracle->source[slot->parameter].training, oracle->step);
}

const void *verify_oracle_whole(const struct verify_oracle *oracle, uint32_t tensor)
{
    const struct source *of = &oracle->source[oracle->inventory->tensor[tensor].parameter];
    const enum verify_slot slot = oracle->source[tensor].slot;

    return slot == VERIFY_SLOT_STEP ? (const void *)&of->taken : of->course.slot[slot];
}

/* ---- ranges ---------------------------------------------------------------------------------- */

enum reshard_status verify_block_open(struct verify_block **out)
{
    *out = aligned_alloc(64, sizeof **out);
    return *out ? RESHARD_OK : RESHARD_ENOMEM;
}

void verify_block_close(struct verify_block *block)
{
    free(block);
}

/* Which of a span's states a slot like its parameter is. */
static uint32_t state_of(enum verify_slot slot)
{
    return slot == VERIFY_SLOT_EXP_AVG_SQ ? 1 : slot == VERIFY_SLOT_MAX_EXP_AVG_SQ ? 2 : 0;
}

static void fill_initial(const struct source *source, enum reshard_dtype dtype, uint64_t begin,
                         unsigned char *target, size_t count)
{
    const size_t width = reshard_dtype_bytes(dtype);

    if (source->file)
        memcpy(target, source->file + begin * width, count * width);
    else
        verify_stream_initial(&source->stream, dtype, begin, target, count);
}

/* From the initial values in `target` to the oracle's step. Without a step the bytes are left as
 * they are: the way through double would quieten NaNs. */
static void train_span(const struct verify_oracle *oracle, const struct source *source,
                       struct verify_span *span, uint64_t begin, unsigned char *target)
{
    const uint64_t taken = verify_training_taken(&source->training, oracle->step);
    struct verify_count count = verify_count_begin();

    for (uint32_t i = 0; i < VERIFY_STATES_MAX; ++i)
        memset(span->state[i], 0, span->count * sizeof(double));
    if (taken == 0)
        return;
    verify_numbers_load(span->dtype, target, span->p, span->count);
    while (count.s < taken) {
        verify_count_next(&count, &source->training.hyper);
        verify_stream_draw(&source->stream, source->training.hyper.from + count.s - 1, begin,
                           span->g, span->count);
        verify_span_step(&source->training, &count, span);
    }
    verify_numbers_store(span->dtype, span->p, target, span->count);
}

static void fill_span(const struct verify_oracle *oracle, struct verify_block *block,
                      uint32_t parameter, uint64_t begin, size_t offset, size_t count)
{
    const struct source *source = &oracle->source[parameter];
    const enum reshard_dtype dtype = oracle->inventory->tensor[parameter].dtype;
    const enum reshard_dtype state = source->training.state;
    unsigned char *target = block->parameter + offset * reshard_dtype_bytes(dtype);
    struct verify_span span = {.dtype = dtype, .count = count, .p = block->p, .g = block->g};

    fill_initial(source, dtype, begin, target, count);
    if (source->training.name == VERIFY_OPTIMIZER_NONE)
        return;
    for (uint32_t i = 0; i < VERIFY_STATES_MAX; ++i)
        span.state[i] = block->state[i];
    train_span(oracle, source, &span, begin, target);
    for (uint32_t i = 0; i < VERIFY_STATES_MAX; ++i)
        verify_numbers_store(state, span.state[i],
                             block->slot[i] + offset * reshard_dtype_bytes(state), count);
}

void verify_oracle_fill(const struct verify_oracle *oracle, struct verify_block *block,
                        uint32_t parameter, uint64_t begin, uint32_t count)
{
    block->begin = begin;
    if (oracle->source[parameter].course.p)
        return;
    for (uint32_t done = 0; done < count; done += SPAN)
        fill_span(oracle, block, parameter, begin + done, done,
                  count - done < SPAN ? count - done : SPAN);
}

const void *verify_block_values(const struct verify_oracle *oracle,
                                const struct verify_block *block, uint32_t tensor)
{
    const struct verify_tensor *wanted = &oracle->inventory->tensor[tensor];
    const struct source *source = &oracle->source[wanted->parameter];
    const enum verify_slot slot = oracle->source[tensor].slot;
    const bool is_slot = verify_tensor_is_slot(wanted);

    if (!wanted->like)
        return verify_oracle_whole(oracle, tensor);
    if (source->course.p)
        return (is_slot ? source->course.slot[slot] : source->course.p) +
               block->begin * reshard_dtype_bytes(wanted->dtype);
    return is_slot ? block->slot[state_of(slot)] : block->parameter;
}
