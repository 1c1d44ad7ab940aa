/*
 * A training step where each element is on its own: sgd, adam, adamw and muon of
 * scenarios/TRAINING.md, and what adam8bit has in common with them. Local, pure functions.
 */
#ifndef VERIFY_ELEMENTWISE_H
#define VERIFY_ELEMENTWISE_H

#include "verify/optimizer.h"

/* How far a parameter is: s, and what b1 and b2 to the power of s are, multiplied from the left. */
struct verify_count {
    uint64_t s;
    double power1;
    double power2;
};

struct verify_count verify_count_begin(void);
void verify_count_next(struct verify_count *count, const struct verify_hyper *hyper);

enum { VERIFY_STATES_MAX = 3 };

/* Some elements, as doubles that are exactly what is stored: the parameter's, and those of the
 * slots like it in the order of the table. */
struct verify_span {
    enum reshard_dtype dtype; /* of the parameter */
    size_t count;
    double *p;
    double *g; /* of this step; not kept */
    double *state[VERIFY_STATES_MAX];
};

/* Take step count->s. */
void verify_span_step(const struct verify_training *training, const struct verify_count *count,
                      struct verify_span *span);

/* p = p - (lr / c1) · (m / (sqrt(v / c2) + eps)), after the decay of p, stored. */
void verify_span_descend(const struct verify_training *training, const struct verify_count *count,
                         struct verify_span *span, const double *m, const double *v, double decay);

#endif
