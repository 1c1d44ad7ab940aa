/*
 * Step 0: the values that a tensor which is no slot begins with, pure functions of the seed or the
 * bytes of a file. Local.
 */
#ifndef RESHARD_SIM_TRAINING_INITIAL_H
#define RESHARD_SIM_TRAINING_INITIAL_H

#include "core/layout.h"
#include "core/safetensors.h"

#include <stdint.h>

/* One rank's memory of a tensor, to be filled: packed local memory, NULL where it has none. */
struct initial {
    const struct reshard_layout *layout;
    uint32_t tensor;
    uint64_t rank;
    void *data;
};

/* Fill it with the random values of a seed. ENOMEM. */
RESHARD_MUST_CHECK enum reshard_status initial_random(const struct initial *initial, uint64_t seed,
                                                      struct reshard_error *error);

/* Fill it from a file, of which only this rank's ranges are read. EMISMATCH when the tensor is not
 * in it with the same dtype and shape; EIO, ENOMEM. */
RESHARD_MUST_CHECK enum reshard_status initial_file(const struct initial *initial,
                                                    const struct safetensors *file,
                                                    struct reshard_error *error);

#endif
