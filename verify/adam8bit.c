#include "verify/adam8bit.h"

#include "verify/elementwise.h"
#include "verify/numbers.h"

#include <math.h>
#include <stdlib.h>

/* One block: the elements as doubles, of which m and v are what the codes say. */
struct block {
    struct verify_span span;
    unsigned char *m_code;
    unsigned char *v_code;
    float *m_scale;
    float *v_scale;
};

/* Rounded to the nearest integer, ties to even, and to what a code can be. */
static double nearest(double t, double least, double most)
{
    t = rint(t);
    t = t > least ? t : least;
    return t < most ? t : most;
}

/* Exp_avg as codes, and what is left of it. */
static void encode_m(const struct block *block)
{
    double *m = block->span.state[0];
    double a = 0.0;

    for (size_t i = 0; i < block->span.count; ++i)
        a = fabs(m[i]) > a ? fabs(m[i]) : a;
    *block->m_scale = (float)a;
    a = (double)*block->m_scale;
    for (size_t i = 0; i < block->span.count; ++i) {
        const double t = a == 0.0 ? 0.0 : nearest(m[i] / a * 127.0, -127.0, 127.0);

        block->m_code[i] = (unsigned char)(128.0 + t);
        m[i] = t / 127.0 * a;
    }
}

/* Exp_avg_sq likewise. */
static void encode_v(const struct block *block)
{
    double *v = block->span.state[1];
    double b = 0.0;

    for (size_t i = 0; i < block->span.count; ++i)
        b = v[i] > b ? v[i] : b;
    *block->v_scale = (float)b;
    b = (double)*block->v_scale;
    for (size_t i = 0; i < block->span.count; ++i) {
        const double q = b == 0.0 ? 0.0 : nearest(sqrt(v[i] / b) * 255.0, 0.0, 255.0);
        const double root = q / 255.0;

        block->v_code[i] = (unsigned char)q;
        v[i] = root * root * b;
    }
}

static void take_step(const struct verify_training *training, const struct verify_count *count,
                      struct block *block)
{
    const struct verify_hyper *hyper = &training->hyper;
    const double left1 = 1.0 - hyper->beta1;
    const double left2 = 1.0 - hyper->beta2;
    const double *g = block->span.g;
    double *m = block->span.state[0];
    double *v = block->span.state[1];

    for (size_t i = 0; i < block->span.count; ++i) {
        m[i] = hyper->beta1 * m[i] + left1 * g[i];
        v[i] = hyper->beta2 * v[i] + left2 * (g[i] * g[i]);
    }
    encode_m(block);
    encode_v(block);
    verify_span_descend(training, count, &block->span, m, v, 1.0 - hyper->lr * hyper->weight_decay);
}

static void train_block(const struct verify_course *course, struct block *block, uint64_t begin)
{
    struct verify_count count = verify_count_begin();
    struct verify_span *span = &block->span;
    unsigned char *stored = course->p + begin * reshard_dtype_bytes(span->dtype);

    verify_numbers_load(span->dtype, stored, span->p, span->count);
    for (size_t i = 0; i < span->count; ++i)
        span->state[0][i] = span->state[1][i] = 0.0;
    while (count.s < course->taken) {
        verify_count_next(&count, &course->training->hyper);
        verify_course_draw(course, count.s, begin, span->g, span->count);
        take_step(course->training, &count, block);
    }
    verify_numbers_store(span->dtype, span->p, stored, span->count);
}

enum reshard_status verify_adam8bit(const struct verify_course *course)
{
    const uint64_t size = course->training->hyper.block;
    const size_t room = (size_t)(size < course->elements ? size : course->elements);
    double *doubles = calloc(room, 4 * sizeof *doubles);
    struct block block = {.span.dtype = course->parameter->dtype};

    if (!doubles)
        return RESHARD_ENOMEM;
    block.span.p = doubles;
    block.span.g = doubles + room;
    block.span.state[0] = doubles + 2 * room;
    block.span.state[1] = doubles + 3 * room;
    for (uint64_t begin = 0; begin < course->elements; begin += room) {
        const uint64_t left = course->elements - begin;

        block.span.count = left < room ? (size_t)left : room;
        block.m_code = course->slot[VERIFY_SLOT_EXP_AVG] + begin;
        block.v_code = course->slot[VERIFY_SLOT_EXP_AVG_SQ] + begin;
        block.m_scale = (float *)course->slot[VERIFY_SLOT_EXP_AVG_ABSMAX] + begin / size;
        block.v_scale = (float *)course->slot[VERIFY_SLOT_EXP_AVG_SQ_ABSMAX] + begin / size;
        train_block(course, &block, begin);
    }
    free(doubles);
    return RESHARD_OK;
}
