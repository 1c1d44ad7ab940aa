/*
 * What the reference training draws for a tensor (scenarios/TRAINING.md, "Random words" and
 * "Initial values"): its gradients, and its values before the first step. Local, pure functions.
 */
#ifndef VERIFY_STREAM_H
#define VERIFY_STREAM_H

#include "core/dtype.h"

#include <stdint.h>

struct verify_stream {
    uint64_t seed;
    uint32_t tensor; /* t of the counter */
};

/* The stream of the entry of that FQN. */
struct verify_stream verify_stream_of(uint64_t seed, const char *fqn);

/* x of training step k for `count` elements from `begin` on. */
void verify_stream_draw(const struct verify_stream *stream, uint64_t k, uint64_t begin, double *x,
                        size_t count);

/* The initial values of these elements, of any dtype. */
void verify_stream_initial(const struct verify_stream *stream, enum reshard_dtype dtype,
                           uint64_t begin, void *target, size_t count);

#endif
