/*
 * A small model with every odd tensor, and states whose every byte is a pure function of (seed,
 * tensor, element), so that any rank can say what it must hold under any layout.
 */
#ifndef RESHARD_TESTS_SAMPLE_H
#define RESHARD_TESTS_SAMPLE_H

#include "core/layout.h"
#include "parallel/state.h"

/* Matrices, vectors, 0 dimensions, no elements, fewer rows than ranks, integers, bytes, two units,
 * f32 and bf16, a tie, AdamW's slots, and state of every class. NULL when there is no memory. */
struct reshard_model *sample_model(void);

/* The byte `index` of a tensor's full row-major bytes. */
unsigned char sample_byte(uint64_t seed, uint32_t tensor, uint64_t index);

/* Fill this rank's part of a state. */
void sample_fill(struct reshard_state *state, uint64_t seed);

/* Bytes of this rank's part of a state, of the tensors of `part`, that are not what they must be.
 */
uint64_t sample_wrong_bytes(const struct reshard_state *state, uint64_t seed,
                            enum reshard_part part);

/* Overwrite every byte of the state's memory, padding of flat shards included. */
void sample_stain(struct reshard_state *state, unsigned char stain);

/* Bytes of flat shards' padding that are not `stain` any more. */
uint64_t sample_touched_padding(const struct reshard_state *state, unsigned char stain);

#endif
