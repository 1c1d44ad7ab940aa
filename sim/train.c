#include "sim/train.h"

#include "core/digest.h"

#include <Random123/philox.h>

#include <math.h>
#include <stdbool.h>
#include <string.h>

/*
 * Work goes by blocks of elements that are consecutive in the tensor and in local memory, small
 * enough that all of a block's arrays stay in the first-level cache. Loops over a block are plain,
 * so that the compiler vectorises them; every operation in them is exactly rounded, which makes the
 * result independent of how it did.
 */
enum { BLOCK_ELEMENTS = 256, PHILOX_WORDS = 4, STEPS_MAX = 1 << 24 };

/* Elements that are consecutive in the tensor (from `begin`) and in local memory (from `local`). */
struct segment {
    uint64_t begin;
    uint64_t local;
    uint64_t count;
};

typedef enum reshard_status segment_visitor(const struct train *train, uint32_t tensor,
                                            const struct segment *segment, void *context,
                                            struct reshard_error *error);

static enum reshard_status box_visit(const struct train *train, uint32_t tensor,
                                     const struct reshard_box *box, uint64_t box_local,
                                     segment_visitor *visit, void *context,
                                     struct reshard_error *error)
{
    const struct reshard_model *model = reshard_layout_model(train->layout);
    const struct reshard_box whole = reshard_box_whole(&reshard_model_tensor(model, tensor)->shape);
    struct reshard_box_runs runs = reshard_box_runs(box, &whole, box);
    while (reshard_box_runs_next(&runs)) {
        const struct segment segment = {runs.source, box_local + runs.target, runs.count};
        enum reshard_status status = visit(train, tensor, &segment, context, error);
        if (status != RESHARD_OK)
            return status;
    }
    return RESHARD_OK;
}

/* Call `visit` for all that this rank has of a tensor, in the order of local memory. */
static enum reshard_status tensor_visit(const struct train *train, uint32_t tensor,
                                        segment_visitor *visit, void *context,
                                        struct reshard_error *error)
{
    struct reshard_box_list boxes = RESHARD_BOX_LIST_INIT;
    uint64_t local = 0;
    enum reshard_status status = reshard_layout_boxes(train->layout, tensor, train->rank, &boxes);
    if (status != RESHARD_OK)
        goto cleanup;
    for (uint64_t i = 0; i < boxes.count; i++) {
        status = box_visit(train, tensor, &boxes.box[i], local, visit, context, error);
        if (status != RESHARD_OK)
            goto cleanup;
        local += reshard_box_count(&boxes.box[i]);
    }

cleanup:
    reshard_box_list_release(&boxes);
    return status;
}

uint32_t train_tensor_number(const char *fqn)
{
    const uint64_t crc = digest_crc(0, fqn, strlen(fqn));
    return (uint32_t)crc ^ (uint32_t)(crc >> 32);
}

/* The random stream of one tensor at one step. */
struct stream {
    philox4x32_key_t key;
    uint32_t tensor;
    uint32_t step;
};

static struct stream stream_of(const struct train *train, const char *fqn, uint64_t step)
{
    const struct stream stream = {{{(uint32_t)train->seed, (uint32_t)(train->seed >> 32)}},
                                  train_tensor_number(fqn),
                                  (uint32_t)step};
    return stream;
}

/* The words of the elements [begin, begin + count), count <= BLOCK_ELEMENTS. Returned is where
 * they begin in `words`, which has room for the neighbours that share the first and last counter.
 */
static const uint32_t *stream_words(const struct stream *stream, uint64_t begin, uint64_t count,
                                    uint32_t words[BLOCK_ELEMENTS + 2 * PHILOX_WORDS])
{
    const uint64_t first = begin / PHILOX_WORDS;
    const uint64_t last = (begin + count - 1) / PHILOX_WORDS;
    for (uint64_t b = first; b <= last; b++) {
        const philox4x32_ctr_t counter = {
            {(uint32_t)b, (uint32_t)(b >> 32), stream->tensor, stream->step}};
        const philox4x32_ctr_t output = philox4x32(counter, stream->key);
        memcpy(words + (b - first) * PHILOX_WORDS, output.v, sizeof(output.v));
    }
    return words + begin % PHILOX_WORDS;
}

static double word_value(uint32_t word)
{
    return (double)(int32_t)word * 0x1p-31;
}

/* --- Stored elements ----------------------------------------------------------------------- */

static float float_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static uint32_t float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static uint16_t bf16_from_float(float value)
{
    const uint32_t bits = float_bits(value);
    if ((bits & 0x7fffffff) > 0x7f800000) /* NaN: rounding could carry it into infinity */
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float f16_to_float(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    const uint32_t exponent = half >> 10 & 0x1f;
    const uint32_t mantissa = half & 0x3ff;
    if (exponent == 0x1f)
        return float_from_bits(sign | 0x7f800000 | mantissa << 13);
    if (exponent == 0) { /* zero and subnormals: a whole number of 2^-24 */
        const float magnitude = (float)mantissa * 0x1p-24F;
        return float_from_bits(sign | float_bits(magnitude));
    }
    return float_from_bits(sign | (exponent + 112) << 23 | mantissa << 13);
}

static uint16_t f16_from_float(float value)
{
    const uint32_t bits = float_bits(value);
    const uint32_t sign = bits >> 16 & 0x8000;
    const uint32_t magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000)
        return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
    if (magnitude >= 0x477ff000) /* 65520 and above: nearest is beyond the largest half */
        return (uint16_t)(sign | 0x7c00);
    if (magnitude < 0x38800000) {
        /* Below 2^-14 halves are multiples of 2^-24, the last digits of the floats at 0.5: adding
         * 0.5 rounds there, to nearest even, as the hardware rounds any sum. */
        const float sum = float_from_bits(magnitude) + 0.5F;
        return (uint16_t)(sign | (float_bits(sum) - float_bits(0.5F)));
    }
    const uint32_t rebased = magnitude - (112U << 23);
    return (uint16_t)(sign | (rebased + 0xfff + (rebased >> 13 & 1)) >> 13);
}

void train_decode(enum reshard_dtype dtype, const void *stored, double *values, uint64_t count)
{
    const float *const singles = stored;
    const uint16_t *const halves = stored;
    switch (dtype) {
    case RESHARD_DTYPE_F64:
        memcpy(values, stored, count * sizeof(double));
        return;
    case RESHARD_DTYPE_F32:
        for (uint64_t i = 0; i < count; i++)
            values[i] = (double)singles[i];
        return;
    case RESHARD_DTYPE_BF16:
        for (uint64_t i = 0; i < count; i++)
            values[i] = (double)float_from_bits((uint32_t)halves[i] << 16);
        return;
    default:
        for (uint64_t i = 0; i < count; i++)
            values[i] = (double)f16_to_float(halves[i]);
    }
}

void train_encode(enum reshard_dtype dtype, const double *values, void *stored, uint64_t count)
{
    float *const singles = stored;
    uint16_t *const halves = stored;
    switch (dtype) {
    case RESHARD_DTYPE_F64:
        memcpy(stored, values, count * sizeof(double));
        return;
    case RESHARD_DTYPE_F32:
        for (uint64_t i = 0; i < count; i++)
            singles[i] = (float)values[i];
        return;
    case RESHARD_DTYPE_BF16:
        for (uint64_t i = 0; i < count; i++)
            halves[i] = bf16_from_float((float)values[i]);
        return;
    default:
        for (uint64_t i = 0; i < count; i++)
            halves[i] = f16_from_float((float)values[i]);
    }
}

/* --- Step 0 -------------------------------------------------------------------------------- */

static void block_begin_float(const struct reshard_tensor *tensor, const uint32_t *words,
                              uint8_t *stored, uint64_t count)
{
    double values[BLOCK_ELEMENTS];
    for (uint64_t i = 0; i < count; i++)
        values[i] = word_value(words[i]) / 32;
    train_encode(tensor->dtype, values, stored, count);
}

static void block_begin_bits(const struct reshard_tensor *tensor, uint64_t begin,
                             const uint32_t *words, uint8_t *stored, uint64_t count)
{
    const size_t bytes = reshard_dtype_bytes(tensor->dtype);
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t z = (uint64_t)words[i] * 0x9E3779B97F4A7C15 + begin + i;
        const uint64_t bits[2] = {z, ~z};
        memcpy(stored + i * bytes, bits, bytes);
        if (tensor->dtype == RESHARD_DTYPE_BOOL)
            stored[i] = (uint8_t)(z >> 63);
    }
}

static enum reshard_status segment_begin_random(const struct train *train, uint32_t tensor,
                                                const struct segment *segment, void *context,
                                                struct reshard_error *error)
{
    (void)error;
    const struct stream *stream = context;
    const struct reshard_tensor *entry =
        reshard_model_tensor(reshard_layout_model(train->layout), tensor);
    const size_t bytes = reshard_dtype_bytes(entry->dtype);
    uint32_t words[BLOCK_ELEMENTS + 2 * PHILOX_WORDS];
    uint8_t *stored = (uint8_t *)train->data[tensor] + segment->local * bytes;
    for (uint64_t done = 0; done < segment->count;) {
        const uint64_t left = segment->count - done;
        const uint64_t count = left < BLOCK_ELEMENTS ? left : BLOCK_ELEMENTS;
        const uint64_t begin = segment->begin + done;
        const uint32_t *mine = stream_words(stream, begin, count, words);
        if (reshard_dtype_kind(entry->dtype) == RESHARD_KIND_FLOAT)
            block_begin_float(entry, mine, stored + done * bytes, count);
        else
            block_begin_bits(entry, begin, mine, stored + done * bytes, count);
        done += count;
    }
    return RESHARD_OK;
}

struct origin {
    const struct safetensors *file;
    const struct safetensors_entry *entry;
};

static enum reshard_status segment_begin_file(const struct train *train, uint32_t tensor,
                                              const struct segment *segment, void *context,
                                              struct reshard_error *error)
{
    const struct origin *origin = context;
    const size_t bytes = reshard_dtype_bytes(origin->entry->dtype);
    uint8_t *stored = (uint8_t *)train->data[tensor] + segment->local * bytes;
    return safetensors_read(origin->file, origin->entry, segment->begin * bytes, stored,
                            segment->count * bytes, error);
}

static enum reshard_status origin_find(struct origin *out, const struct safetensors *file,
                                       const struct reshard_tensor *tensor,
                                       struct reshard_error *error)
{
    char wanted[256];
    char found[256];
    out->file = file;
    out->entry = safetensors_find(file, tensor->fqn);
    if (out->entry == NULL)
        return reshard_error_set(error, RESHARD_EMISMATCH,
                                 "%s: the safetensors file has no tensor of that name",
                                 tensor->fqn);
    if (out->entry->dtype == tensor->dtype &&
        reshard_shape_equal(&out->entry->shape, &tensor->shape))
        return RESHARD_OK;
    return reshard_error_set(error, RESHARD_EMISMATCH,
                             "%s: the model wants %s %s, the safetensors file has %s %s",
                             tensor->fqn, reshard_dtype_name(tensor->dtype),
                             reshard_shape_print(&tensor->shape, wanted, sizeof(wanted)),
                             reshard_dtype_name(out->entry->dtype),
                             reshard_shape_print(&out->entry->shape, found, sizeof(found)));
}

static enum reshard_status parameter_begin(const struct train *train, uint32_t tensor,
                                           const struct safetensors *file,
                                           struct reshard_error *error)
{
    const struct reshard_tensor *entry =
        reshard_model_tensor(reshard_layout_model(train->layout), tensor);
    if (file == NULL) {
        struct stream stream = stream_of(train, entry->fqn, 0);
        return tensor_visit(train, tensor, segment_begin_random, &stream, error);
    }
    struct origin origin;
    enum reshard_status status = origin_find(&origin, file, entry, error);
    if (status != RESHARD_OK)
        return status;
    return tensor_visit(train, tensor, segment_begin_file, &origin, error);
}

enum reshard_status train_begin(const struct train *train, const struct safetensors *file,
                                struct reshard_error *error)
{
    const struct reshard_model *model = reshard_layout_model(train->layout);
    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
        enum reshard_status status = RESHARD_OK;
        if (tensor->slot[0] == '\0')
            status = parameter_begin(train, t, file, error);
        else if (train->data[t] != NULL)
            memset(train->data[t], 0,
                   reshard_layout_local_count(train->layout, t, train->rank) *
                       reshard_dtype_bytes(tensor->dtype));
        if (status != RESHARD_OK)
            return status;
    }
    return RESHARD_OK;
}

/* --- AdamW --------------------------------------------------------------------------------- */

/* One parameter's step: where its state is, and the factors that all its elements share. */
struct adamw {
    struct stream stream;
    enum reshard_dtype dtype;
    enum reshard_dtype slot_dtype;
    uint8_t *exp_avg;
    uint8_t *exp_avg_sq;
    double decay; /* 1 - lr * weight_decay */
    double beta1;
    double beta2;
    double rate;        /* lr / c1 */
    double correction2; /* c2 */
    double eps;
};

/* The arithmetic of a block, in the order of operations that TRAINING.md gives. */
static void adamw_block(const struct adamw *adamw, const uint32_t *words, uint8_t *parameter,
                        uint8_t *exp_avg, uint8_t *exp_avg_sq, uint64_t count)
{
    double p[BLOCK_ELEMENTS];
    double m[BLOCK_ELEMENTS];
    double v[BLOCK_ELEMENTS];
    const double beta1 = adamw->beta1;
    const double beta2 = adamw->beta2;
    const double rest1 = 1 - beta1;
    const double rest2 = 1 - beta2;
    train_decode(adamw->slot_dtype, exp_avg, m, count);
    train_decode(adamw->slot_dtype, exp_avg_sq, v, count);
    for (uint64_t i = 0; i < count; i++) {
        const double g = word_value(words[i]);
        m[i] = beta1 * m[i] + rest1 * g;
        v[i] = beta2 * v[i] + rest2 * (g * g);
    }
    train_encode(adamw->slot_dtype, m, exp_avg, count);
    train_encode(adamw->slot_dtype, v, exp_avg_sq, count);
    train_decode(adamw->slot_dtype, exp_avg, m, count);
    train_decode(adamw->slot_dtype, exp_avg_sq, v, count);
    train_decode(adamw->dtype, parameter, p, count);
    const double decay = adamw->decay;
    const double rate = adamw->rate;
    const double correction2 = adamw->correction2;
    const double eps = adamw->eps;
    for (uint64_t i = 0; i < count; i++)
        p[i] = p[i] * decay - rate * (m[i] / (sqrt(v[i] / correction2) + eps));
    train_encode(adamw->dtype, p, parameter, count);
}

static enum reshard_status segment_adamw(const struct train *train, uint32_t tensor,
                                         const struct segment *segment, void *context,
                                         struct reshard_error *error)
{
    (void)error;
    const struct adamw *adamw = context;
    const size_t bytes = reshard_dtype_bytes(adamw->dtype);
    const size_t slot_bytes = reshard_dtype_bytes(adamw->slot_dtype);
    uint32_t words[BLOCK_ELEMENTS + 2 * PHILOX_WORDS];
    uint8_t *parameter = train->data[tensor];
    for (uint64_t done = 0; done < segment->count;) {
        const uint64_t left = segment->count - done;
        const uint64_t count = left < BLOCK_ELEMENTS ? left : BLOCK_ELEMENTS;
        const uint64_t local = segment->local + done;
        const uint32_t *mine = stream_words(&adamw->stream, segment->begin + done, count, words);
        adamw_block(adamw, mine, parameter + local * bytes, adamw->exp_avg + local * slot_bytes,
                    adamw->exp_avg_sq + local * slot_bytes, count);
        done += count;
    }
    return RESHARD_OK;
}

/* beta^count by repeated multiplication, which is exactly defined where pow() is not. */
static double power(double beta, uint64_t count)
{
    double product = 1;
    for (uint64_t i = 0; i < count; i++)
        product *= beta;
    return product;
}

/* The number of steps that a parameter's `step` slot has counted, with this one: the state's
 * account, not the training's, so that a load which lost it shows. */
static enum reshard_status step_count(const float *slot, const char *fqn, uint64_t *out,
                                      struct reshard_error *error)
{
    const double counted = (double)*slot;
    if (!(counted >= 0 && counted <= STEPS_MAX) || counted != floor(counted))
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "%s, step: %g is not a number of training steps", fqn, counted);
    *out = (uint64_t)counted + 1;
    return RESHARD_OK;
}

static enum reshard_status parameter_step(const struct train *train, uint32_t tensor, uint64_t step,
                                          struct reshard_error *error)
{
    const struct reshard_model *model = reshard_layout_model(train->layout);
    const struct reshard_optimizer *optimizer = train->optimizer;
    const char *fqn = reshard_model_tensor(model, tensor)->fqn;
    uint32_t exp_avg;
    uint32_t exp_avg_sq;
    uint32_t count_slot;
    uint64_t counted = 0;
    enum reshard_status status = reshard_model_find(model, fqn, "exp_avg", &exp_avg);
    if (status == RESHARD_OK)
        status = reshard_model_find(model, fqn, "exp_avg_sq", &exp_avg_sq);
    if (status == RESHARD_OK)
        status = reshard_model_find(model, fqn, "step", &count_slot);
    if (status != RESHARD_OK)
        return reshard_error_set(error, status, "%s: the model lacks a slot of AdamW", fqn);
    /* Who has nothing of a parameter, not even an empty shard, has no account of its steps. */
    float *slot = train->data[count_slot];
    if (slot == NULL)
        return RESHARD_OK;
    status = step_count(slot, fqn, &counted, error);
    if (status != RESHARD_OK)
        return status;
    struct adamw adamw = {
        .stream = stream_of(train, fqn, step),
        .dtype = reshard_model_tensor(model, tensor)->dtype,
        .slot_dtype = reshard_model_tensor(model, exp_avg)->dtype,
        .exp_avg = train->data[exp_avg],
        .exp_avg_sq = train->data[exp_avg_sq],
        .decay = 1 - optimizer->lr * optimizer->weight_decay,
        .beta1 = optimizer->beta1,
        .beta2 = optimizer->beta2,
        .rate = optimizer->lr / (1 - power(optimizer->beta1, counted)),
        .correction2 = 1 - power(optimizer->beta2, counted),
        .eps = optimizer->eps,
    };
    *slot = (float)counted;
    return tensor_visit(train, tensor, segment_adamw, &adamw, error);
}

enum reshard_status train_step(const struct train *train, uint64_t step,
                               struct reshard_error *error)
{
    const struct reshard_model *model = reshard_layout_model(train->layout);
    if (train->optimizer->name != RESHARD_OPTIMIZER_ADAMW)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "there is no optimizer to train with: give one, as in adamw");
    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
        if (tensor->slot[0] != '\0' || tensor->role != RESHARD_ROLE_PARAMETER ||
            !reshard_optimizer_trains(tensor->dtype))
            continue;
        enum reshard_status status = parameter_step(train, t, step, error);
        if (status != RESHARD_OK)
            return status;
    }
    return RESHARD_OK;
}
