#include "verify/oracle.h"

#include "verify/crc.h"
#include "verify/numbers.h"
#include "verify/philox.h"
#include "verify/truth.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* SPAN elements are trained at a time, so that they stay in the nearest cache. Words come in groups
 * of 32, and a span may begin anywhere in its first block of four. */
enum {
    SPAN = 1024,
    GROUP_WORDS = VERIFY_PHILOX_LANES * VERIFY_PHILOX_WORDS,
    SPAN_WORDS = SPAN + GROUP_WORDS,
    BLOCK_BYTES = VERIFY_BLOCK_ELEMENTS * VERIFY_ELEMENT_BYTES_MAX,
    MOMENT_BYTES = VERIFY_BLOCK_ELEMENTS * 8,
    STEP_MAX = 1 << 24, /* the slot `step` is an f32 and counts no further */
};

enum role { ROLE_PARAMETER, ROLE_EXP_AVG, ROLE_EXP_AVG_SQ, ROLE_STEP };

struct source {
    enum role role;
    uint32_t stream;           /* t: the tensor's word of the counter */
    const unsigned char *file; /* initial values, or NULL for those of the seed */
};

/* What AdamW's bias corrections are at one step. */
struct correction {
    double rate; /* lr / c1 */
    double c2;
};

struct verify_oracle {
    const struct verify_inventory *inventory;
    struct verify_optimizer optimizer;
    uint64_t seed;
    uint64_t step;
    float step_value;
    struct verify_truth *truth;
    struct correction *correction; /* of steps 1 to `step`, from index 0 */
    struct source source[];        /* for each tensor */
};

struct verify_block {
    _Alignas(64) double p[SPAN];
    double m[SPAN];
    double v[SPAN];
    double g[SPAN];
    uint32_t words[SPAN_WORDS];
    _Alignas(16) unsigned char parameter[BLOCK_BYTES];
    unsigned char exp_avg[MOMENT_BYTES];
    unsigned char exp_avg_sq[MOMENT_BYTES];
};

static bool is_trained(const struct verify_oracle *oracle, const struct verify_tensor *parameter)
{
    return oracle->optimizer.name == VERIFY_ADAMW && parameter->role == VERIFY_PARAMETER &&
           reshard_dtype_kind(parameter->dtype) == RESHARD_KIND_FLOAT;
}

/* "low 32 bits of h xor high 32 bits of h, with h the CRC-64/XZ of the parameter's FQN" */
static uint32_t stream_of(const char *fqn)
{
    const uint64_t h = verify_crc(0, fqn, strlen(fqn));

    return (uint32_t)h ^ (uint32_t)(h >> 32);
}

/* Which slot of AdamW's a tensor is; false when it is none. */
static bool slot_role(const struct verify_oracle *oracle, const struct verify_tensor *tensor,
                      enum role *out)
{
    const struct verify_tensor *parameter = &oracle->inventory->tensor[tensor->parameter];
    const bool moment = tensor->like && tensor->dtype == oracle->optimizer.state;

    if (!is_trained(oracle, parameter))
        return false;
    *out = strcmp(tensor->slot, "exp_avg") == 0      ? ROLE_EXP_AVG
           : strcmp(tensor->slot, "exp_avg_sq") == 0 ? ROLE_EXP_AVG_SQ
                                                     : ROLE_STEP;
    if (*out != ROLE_STEP)
        return moment;
    return strcmp(tensor->slot, "step") == 0 && !tensor->like && tensor->ndim == 0 &&
           tensor->dtype == RESHARD_DTYPE_F32;
}

static enum reshard_status find_sources(struct verify_oracle *oracle, struct reshard_error *error)
{
    for (uint32_t t = 0; t < oracle->inventory->tensor_count; ++t) {
        const struct verify_tensor *tensor = &oracle->inventory->tensor[t];
        struct source *source = &oracle->source[t];
        enum reshard_status status = RESHARD_OK;

        source->stream = stream_of(tensor->fqn);
        if (verify_tensor_is_slot(tensor)) {
            if (!slot_role(oracle, tensor, &source->role))
                return reshard_error_set(error, RESHARD_EINVAL,
                                         "the reference training knows no slot %s of %s, or not of "
                                         "this dtype and shape",
                                         tensor->slot, tensor->fqn);
            continue;
        }
        if (oracle->truth)
            status = verify_truth_find(oracle->truth, tensor, &source->file, error);
        if (status)
            return status;
    }
    return RESHARD_OK;
}

/* c1 and c2 of every step, the powers multiplied from the left as the specification says. The slot
 * `step` counts with the training, since both begin at 0. */
static enum reshard_status correct(struct verify_oracle *oracle, struct reshard_error *error)
{
    double power1 = 1.0;
    double power2 = 1.0;

    oracle->correction = calloc((size_t)oracle->step + 1, sizeof *oracle->correction);
    if (!oracle->correction)
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory for %llu steps",
                                 (unsigned long long)oracle->step);
    for (uint64_t k = 0; k < oracle->step; ++k) {
        power1 *= oracle->optimizer.beta1;
        power2 *= oracle->optimizer.beta2;
        oracle->correction[k].rate = oracle->optimizer.lr / (1.0 - power1);
        oracle->correction[k].c2 = 1.0 - power2;
    }
    oracle->step_value = (float)oracle->step;
    return RESHARD_OK;
}

enum reshard_status verify_oracle_open(struct verify_oracle **out,
                                       const struct verify_oracle_options *options,
                                       struct reshard_error *error)
{
    struct verify_oracle *oracle;
    enum reshard_status status = verify_inventory_check(options->inventory, error);

    *out = NULL;
    if (status)
        return status;
    if (options->step > STEP_MAX)
        return reshard_error_set(error, RESHARD_EINVAL, "step %llu; the oracle goes to 2^24",
                                 (unsigned long long)options->step);
    oracle = calloc(1, sizeof *oracle +
                           (size_t)options->inventory->tensor_count * sizeof oracle->source[0]);
    if (!oracle)
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory for the oracle");
    oracle->inventory = options->inventory;
    oracle->optimizer = options->optimizer;
    if (oracle->optimizer.state == RESHARD_DTYPE_NONE)
        oracle->optimizer.state = RESHARD_DTYPE_F32;
    oracle->seed = options->seed;
    oracle->step = options->step;
    if (reshard_dtype_kind(oracle->optimizer.state) != RESHARD_KIND_FLOAT)
        status = reshard_error_set(error, RESHARD_EINVAL, "optimizer state cannot be %s",
                                   reshard_dtype_name(oracle->optimizer.state));
    if (!status && options->safetensors)
        status = verify_truth_open(&oracle->truth, options->safetensors, error);
    if (!status)
        status = find_sources(oracle, error);
    if (!status)
        status = correct(oracle, error);
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
    verify_truth_close(oracle->truth);
    free(oracle->correction);
    free(oracle);
}

const struct verify_inventory *verify_oracle_inventory(const struct verify_oracle *oracle)
{
    return oracle->inventory;
}

uint64_t verify_oracle_step(const struct verify_oracle *oracle)
{
    return oracle->step;
}

enum reshard_status verify_block_open(struct verify_block **out)
{
    *out = aligned_alloc(64, sizeof **out);
    return *out ? RESHARD_OK : RESHARD_ENOMEM;
}

void verify_block_close(struct verify_block *block)
{
    free(block);
}

/* Random words for `count` elements from `begin` on; the word of the first one. */
static const uint32_t *words_of(const struct verify_oracle *oracle, struct verify_block *block,
                                uint32_t parameter, uint64_t begin, size_t count, uint64_t k)
{
    const size_t words = begin % VERIFY_PHILOX_WORDS + count;
    const struct verify_stream_key key = {oracle->seed, oracle->source[parameter].stream,
                                          (uint32_t)k};

    verify_philox(&key, begin / VERIFY_PHILOX_WORDS, (words + GROUP_WORDS - 1) / GROUP_WORDS,
                  block->words);
    return block->words + begin % VERIFY_PHILOX_WORDS;
}

static void to_unit_interval(const uint32_t *words, double *x, size_t count)
{
    for (size_t i = 0; i < count; ++i)
        x[i] = (double)(int32_t)words[i] * 0x1p-31;
}

/* "z = (word × 0x9E3779B97F4A7C15 + i) mod 2^64" and what each dtype takes of it. */
static void initial_bits(const struct verify_tensor *tensor, const uint32_t *words, uint64_t begin,
                         unsigned char *target, size_t count)
{
    const size_t width = reshard_dtype_bytes(tensor->dtype);

    for (size_t i = 0; i < count; ++i) {
        const uint64_t z = words[i] * 0x9E3779B97F4A7C15ull + (begin + i);
        const uint64_t bits[2] = {tensor->dtype == RESHARD_DTYPE_BOOL ? z >> 63 : z, ~z};

        memcpy(target + i * width, bits, width);
    }
}

static void fill_initial(const struct verify_oracle *oracle, struct verify_block *block,
                         uint32_t parameter, uint64_t begin, unsigned char *target, size_t count)
{
    const struct verify_tensor *tensor = &oracle->inventory->tensor[parameter];
    const size_t width = reshard_dtype_bytes(tensor->dtype);
    const unsigned char *file = oracle->source[parameter].file;
    const uint32_t *words;

    if (file) {
        memcpy(target, file + begin * width, count * width);
        return;
    }
    words = words_of(oracle, block, parameter, begin, count, 0);
    if (reshard_dtype_kind(tensor->dtype) != RESHARD_KIND_FLOAT) {
        initial_bits(tensor, words, begin, target, count);
        return;
    }
    to_unit_interval(words, block->p, count);
    for (size_t i = 0; i < count; ++i)
        block->p[i] /= 32;
    verify_numbers_store(tensor->dtype, block->p, target, count);
}

static void adamw_step(const struct verify_oracle *oracle, struct verify_block *block,
                       enum reshard_dtype dtype, const struct correction *now, size_t count)
{
    const struct verify_optimizer *o = &oracle->optimizer;
    const double decay = 1.0 - o->lr * o->weight_decay;
    const double left1 = 1.0 - o->beta1;
    const double left2 = 1.0 - o->beta2;
    double *p = block->p;
    double *m = block->m;
    double *v = block->v;
    const double *g = block->g;

    for (size_t i = 0; i < count; ++i) {
        m[i] = o->beta1 * m[i] + left1 * g[i];
        v[i] = o->beta2 * v[i] + left2 * (g[i] * g[i]);
    }
    verify_numbers_round(o->state, m, count);
    verify_numbers_round(o->state, v, count);
    for (size_t i = 0; i < count; ++i)
        p[i] = p[i] * decay - now->rate * (m[i] / (sqrt(v[i] / now->c2) + o->eps));
    verify_numbers_round(dtype, p, count);
}

static void fill_span(const struct verify_oracle *oracle, struct verify_block *block,
                      uint32_t parameter, uint64_t begin, size_t offset, size_t count)
{
    const struct verify_tensor *tensor = &oracle->inventory->tensor[parameter];
    const size_t state_width = reshard_dtype_bytes(oracle->optimizer.state);
    unsigned char *target = block->parameter + offset * reshard_dtype_bytes(tensor->dtype);

    fill_initial(oracle, block, parameter, begin, target, count);
    if (!is_trained(oracle, tensor))
        return;
    memset(block->m, 0, count * sizeof block->m[0]);
    memset(block->v, 0, count * sizeof block->v[0]);
    /* Step 0 leaves the bytes as they are: the way through double would quieten NaNs. */
    if (oracle->step > 0)
        verify_numbers_load(tensor->dtype, target, block->p, count);
    for (uint64_t k = 1; k <= oracle->step; ++k) {
        to_unit_interval(words_of(oracle, block, parameter, begin, count, k), block->g, count);
        adamw_step(oracle, block, tensor->dtype, &oracle->correction[k - 1], count);
    }
    if (oracle->step > 0)
        verify_numbers_store(tensor->dtype, block->p, target, count);
    verify_numbers_store(oracle->optimizer.state, block->m, block->exp_avg + offset * state_width,
                         count);
    verify_numbers_store(oracle->optimizer.state, block->v,
                         block->exp_avg_sq + offset * state_width, count);
}

void verify_oracle_fill(const struct verify_oracle *oracle, struct verify_block *block,
                        uint32_t parameter, uint64_t begin, uint32_t count)
{
    for (uint32_t done = 0; done < count; done += SPAN)
        fill_span(oracle, block, parameter, begin + done, done,
                  count - done < SPAN ? count - done : SPAN);
}

const void *verify_block_values(const struct verify_oracle *oracle,
                                const struct verify_block *block, uint32_t tensor)
{
    switch (oracle->source[tensor].role) {
    case ROLE_EXP_AVG:
        return block->exp_avg;
    case ROLE_EXP_AVG_SQ:
        return block->exp_avg_sq;
    case ROLE_STEP:
        return &oracle->step_value;
    case ROLE_PARAMETER:
        break;
    }
    return block->parameter;
}
