/*
 * The random numbers of the training: a stream for each (seed, tensor, step), of which any element
 * can be had by itself. Step 0 is the initial value, others are gradients.
 *
 * Local, and pure functions.
 */
#ifndef RESHARD_SIM_TRAINING_STREAM_H
#define RESHARD_SIM_TRAINING_STREAM_H

#include <stdint.h>

/* Work goes by blocks of elements that are consecutive in the tensor and in memory, small enough
 * that all of a block's arrays stay in the first-level cache. Loops over a block are plain, so that
 * the compiler vectorises them; every operation in them is exactly rounded, which makes the result
 * independent of how it did. */
enum { STREAM_BLOCK = 256, STREAM_WORDS = 4, STREAM_ROOM = STREAM_BLOCK + 2 * STREAM_WORDS };

struct stream {
    uint64_t seed;
    uint32_t tensor;
    uint32_t step;
};

struct stream stream_of(uint64_t seed, const char *fqn, uint64_t step);

/* The tensor's number in the random counter: the halves of its name's CRC, one xor the other. */
uint32_t stream_tensor_number(const char *fqn);

/* The words of the elements [begin, begin + count), count from 1 to STREAM_BLOCK. Returned is where
 * they begin in `words`, which has room for the neighbours that share the first and last counter.
 */
const uint32_t *stream_words(const struct stream *stream, uint64_t begin, uint64_t count,
                             uint32_t words[STREAM_ROOM]);

/* The same as numbers in [-1, 1). */
void stream_values(const struct stream *stream, uint64_t begin, uint64_t count, double *values);

#endif
