#include "verify/elementwise.h"

#include "verify/numbers.h"

#include <math.h>

struct verify_count verify_count_begin(void)
{
    return (struct verify_count){0, 1.0, 1.0};
}

void verify_count_next(struct verify_count *count, const struct verify_hyper *hyper)
{
    count->s += 1;
    count->power1 *= hyper->beta1;
    count->power2 *= hyper->beta2;
}

/* The loops are over local pointers, which do not alias, so that they become vectors. */

static void sgd_step(const struct verify_training *training, bool first, struct verify_span *span)
{
    const struct verify_hyper *hyper = &training->hyper;
    const size_t count = span->count;
    double *restrict p = span->p;
    double *restrict d = span->g;
    double *restrict buf = span->state[0];

    for (size_t i = 0; i < count; ++i)
        d[i] = d[i] + hyper->weight_decay * p[i];
    if (hyper->momentum != 0) {
        for (size_t i = 0; i < count; ++i)
            buf[i] = first ? d[i] : hyper->momentum * buf[i] + d[i];
        verify_numbers_round(training->state, buf, count);
        for (size_t i = 0; i < count; ++i)
            d[i] = hyper->nesterov ? d[i] + hyper->momentum * buf[i] : buf[i];
    }
    for (size_t i = 0; i < count; ++i)
        p[i] = p[i] - hyper->lr * d[i];
    verify_numbers_round(span->dtype, p, count);
}

void verify_span_descend(const struct verify_training *training, const struct verify_count *count,
                         struct verify_span *span, const double *m, const double *v, double decay)
{
    const double rate = training->hyper.lr / (1.0 - count->power1);
    const double c2 = 1.0 - count->power2;
    const double eps = training->hyper.eps;
    double *p = span->p;

    for (size_t i = 0; i < span->count; ++i)
        p[i] = p[i] * decay - rate * (m[i] / (sqrt(v[i] / c2) + eps));
    verify_numbers_round(span->dtype, p, span->count);
}

static void adam_moments(const struct verify_training *training, struct verify_span *span)
{
    const struct verify_hyper *hyper = &training->hyper;
    const double left1 = 1.0 - hyper->beta1;
    const double left2 = 1.0 - hyper->beta2;
    const double *restrict g = span->g;
    double *restrict m = span->state[0];
    double *restrict v = span->state[1];

    for (size_t i = 0; i < span->count; ++i) {
        m[i] = hyper->beta1 * m[i] + left1 * g[i];
        v[i] = hyper->beta2 * v[i] + left2 * (g[i] * g[i]);
    }
    verify_numbers_round(training->state, m, span->count);
    verify_numbers_round(training->state, v, span->count);
}

static void adam_step(const struct verify_training *training, const struct verify_count *count,
                      struct verify_span *span)
{
    const struct verify_hyper *hyper = &training->hyper;
    const bool decoupled = training->name == VERIFY_ADAMW;
    const double *v = span->state[1];
    double *largest = span->state[2];

    for (size_t i = 0; i < span->count && !decoupled; ++i)
        span->g[i] = span->g[i] + hyper->weight_decay * span->p[i];
    adam_moments(training, span);
    if (hyper->amsgrad) {
        for (size_t i = 0; i < span->count; ++i)
            largest[i] = largest[i] > v[i] ? largest[i] : v[i];
        verify_numbers_round(training->state, largest, span->count);
        v = largest;
    }
    verify_span_descend(training, count, span, span->state[0], v,
                        decoupled ? 1.0 - hyper->lr * hyper->weight_decay : 1.0);
}

static double sign_of(double d)
{
    return d > 0 ? 1.0 : d < 0 ? -1.0 : 0.0;
}

static void muon_step(const struct verify_training *training, bool first, struct verify_span *span)
{
    const struct verify_hyper *hyper = &training->hyper;
    const double decay = 1.0 - hyper->lr * hyper->weight_decay;
    const size_t count = span->count;
    const double *restrict g = span->g;
    double *restrict p = span->p;
    double *restrict buf = span->state[0];

    for (size_t i = 0; i < count; ++i)
        buf[i] = first ? g[i] : hyper->momentum * buf[i] + g[i];
    verify_numbers_round(training->state, buf, count);
    for (size_t i = 0; i < count; ++i) {
        const double d = hyper->nesterov ? g[i] + hyper->momentum * buf[i] : buf[i];

        p[i] = p[i] * decay - hyper->lr * sign_of(d);
    }
    verify_numbers_round(span->dtype, p, count);
}

void verify_span_step(const struct verify_training *training, const struct verify_count *count,
                      struct verify_span *span)
{
    switch (training->name) {
    case VERIFY_SGD:
        sgd_step(training, count->s == 1, span);
        break;
    case VERIFY_ADAM:
    case VERIFY_ADAMW:
        adam_step(training, count, span);
        break;
    case VERIFY_MUON:
        muon_step(training, count->s == 1, span);
        break;
    case VERIFY_OPTIMIZER_NONE:
    case VERIFY_ADAFACTOR:
    case VERIFY_ADAM8BIT:
        break;
    }
}
