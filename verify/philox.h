/*
 * Philox4x32-10, the counter-based random numbers of Salmon et al., "Parallel random numbers: as
 * easy as 1, 2, 3" (SC11), in the form that scenarios/TRAINING.md asks for. Local, a pure function.
 */
#ifndef VERIFY_PHILOX_H
#define VERIFY_PHILOX_H

#include <stddef.h>
#include <stdint.h>

enum { VERIFY_PHILOX_WORDS = 4, VERIFY_PHILOX_LANES = 8 };

/* What fixes a stream: the seed is the key, the two numbers are the counter's upper words. */
struct verify_stream_key {
    uint64_t seed;
    uint32_t tensor;
    uint32_t step;
};

/* The words of `groups` times eight blocks of four from block `first` on: 32 * groups words. */
void verify_philox(const struct verify_stream_key *key, uint64_t first, size_t groups,
                   uint32_t *words);

#endif
