#include "sim/training/adam8bit.h"

#include "sim/training/numbers.h"

#include <math.h>

/* The slots in the optimizer's order (core/optimizer.h). */
enum { CODES = 0, CODES_SQ = 1, SCALES = 2, SCALES_SQ = 3 };

struct factors {
    double decay;       /* 1 - lr * weight_decay */
    double rate;        /* lr / c1 */
    double correction2; /* c2 */
};

/* A block in work: elements [begin, end) of the parameter, with one scale for each moment. */
struct scaled {
    const struct trainee *trainee;
    uint64_t begin;
    uint64_t end;
    double scale; /* before the step */
    double scale_sq;
};

static uint64_t part_of(uint64_t left)
{
    return left < STREAM_BLOCK ? left : STREAM_BLOCK;
}

/* --- Codes --------------------------------------------------------------------------------- */

static void decode(const uint8_t *codes, double scale, double *m, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        m[i] = ((double)codes[i] - 128) / 127 * scale;
}

static void decode_sq(const uint8_t *codes, double scale, double *v, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        const double root = (double)codes[i] / 255;
        v[i] = root * root * scale;
    }
}

/* The nearest integer, ties to even, within [least, most]; `least` for what is no number. Sums at
 * 2^52 have no fraction, so they round as the hardware rounds any sum. */
static double nearest(double value, double least, double most)
{
    const double within = value > least ? (value < most ? value : most) : least;
    return within + 0x1.8p52 - 0x1.8p52;
}

static void encode(const double *m, double scale, uint8_t *codes, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        codes[i] = scale == 0 ? 128 : (uint8_t)(128 + nearest(m[i] / scale * 127, -127, 127));
}

static void encode_sq(const double *v, double scale, uint8_t *codes, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        codes[i] = scale == 0 ? 0 : (uint8_t)nearest(sqrt(v[i] / scale) * 255, 0, 255);
}

/* --- A block ------------------------------------------------------------------------------- */

/* The moments of elements [at, at + count), advanced from the codes of before the step. */
static void moments(const struct scaled *block, uint64_t at, uint64_t count, double *m, double *v)
{
    const struct trainee *trainee = block->trainee;
    const struct stored *slot = trainee->slot;
    const double beta1 = trainee->hyper->beta1;
    const double beta2 = trainee->hyper->beta2;
    const double rest1 = 1 - beta1;
    const double rest2 = 1 - beta2;
    double g[STREAM_BLOCK];
    stream_values(&trainee->gradient, at, count, g);
    decode(slot[CODES].data + at, block->scale, m, count);
    decode_sq(slot[CODES_SQ].data + at, block->scale_sq, v, count);
    for (uint64_t i = 0; i < count && slot[CODES].fresh; i++)
        m[i] = 0;
    for (uint64_t i = 0; i < count; i++) {
        m[i] = beta1 * m[i] + rest1 * g[i];
        v[i] = beta2 * v[i] + rest2 * (g[i] * g[i]);
    }
}

/* The scales that the block has after the step. */
static void largest(const struct scaled *block, double *scale, double *scale_sq)
{
    double m[STREAM_BLOCK];
    double v[STREAM_BLOCK];
    *scale = 0;
    *scale_sq = 0;
    for (uint64_t at = block->begin; at < block->end; at += STREAM_BLOCK) {
        const uint64_t count = part_of(block->end - at);
        moments(block, at, count, m, v);
        for (uint64_t i = 0; i < count; i++) {
            *scale = *scale > fabs(m[i]) ? *scale : fabs(m[i]);
            *scale_sq = *scale_sq > v[i] ? *scale_sq : v[i];
        }
    }
}

static void apply(const struct scaled *block, const struct factors *factors, double scale,
                  double scale_sq)
{
    const struct trainee *trainee = block->trainee;
    const struct stored *slot = trainee->slot;
    const struct stored *value = &trainee->value;
    double p[STREAM_BLOCK];
    double m[STREAM_BLOCK];
    double v[STREAM_BLOCK];
    for (uint64_t at = block->begin; at < block->end; at += STREAM_BLOCK) {
        const uint64_t count = part_of(block->end - at);
        moments(block, at, count, m, v);
        encode(m, scale, slot[CODES].data + at, count);
        encode_sq(v, scale_sq, slot[CODES_SQ].data + at, count);
        decode(slot[CODES].data + at, scale, m, count);
        decode_sq(slot[CODES_SQ].data + at, scale_sq, v, count);
        numbers_decode(value->dtype, trainee_at(value, at), p, count);
        for (uint64_t i = 0; i < count; i++)
            p[i] =
                p[i] * factors->decay -
                factors->rate * (m[i] / (sqrt(v[i] / factors->correction2) + trainee->hyper->eps));
        numbers_encode(value->dtype, p, trainee_at(value, at), count);
    }
}

static double load_scale(const struct stored *stored, uint64_t at)
{
    double scale;
    numbers_decode(stored->dtype, trainee_at(stored, at), &scale, 1);
    return scale;
}

/* Round, store, and read back for what follows. */
static double store_scale(const struct stored *stored, uint64_t at, double scale)
{
    numbers_encode(stored->dtype, &scale, trainee_at(stored, at), 1);
    return load_scale(stored, at);
}

static void block_step(const struct trainee *trainee, const struct factors *factors, uint64_t block)
{
    const struct stored *slot = trainee->slot;
    const uint64_t size = trainee->hyper->block;
    const uint64_t begin = block * size;
    const uint64_t left = trainee->parameter->count - begin;
    const struct scaled before = {
        .trainee = trainee,
        .begin = begin,
        .end = begin + (left < size ? left : size),
        .scale = load_scale(&slot[SCALES], block),
        .scale_sq = load_scale(&slot[SCALES_SQ], block),
    };
    double scale;
    double scale_sq;
    largest(&before, &scale, &scale_sq);
    scale = store_scale(&slot[SCALES], block, scale);
    scale_sq = store_scale(&slot[SCALES_SQ], block, scale_sq);
    apply(&before, factors, scale, scale_sq);
}

void adam8bit_step(const struct trainee *trainee, uint64_t begin, uint64_t end)
{
    const struct reshard_hyper *hyper = trainee->hyper;
    const struct factors factors = {
        .decay = 1 - hyper->lr * hyper->weight_decay,
        .rate = hyper->lr / trainee_correction(trainee, hyper->beta1),
        .correction2 = trainee_correction(trainee, hyper->beta2),
    };
    const uint64_t count = trainee->parameter->count;
    const uint64_t blocks = count / hyper->block + (count % hyper->block != 0);
    for (uint64_t block = begin; block < end && block < blocks; block++)
        block_step(trainee, &factors, block);
}
