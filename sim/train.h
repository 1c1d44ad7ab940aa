/*
 * The reference training, on shards: initial values and optimizer steps computed on one rank's part
 * of the model alone. Every element's value after k steps is a pure function of (seed, tensor,
 * element), so the state is defined bit for bit at any world size and under any sharding.
 *
 * scenarios/TRAINING.md is the specification. verify/ computes the same from it without sharding
 * and shares no code with this file, which is why either can judge the other.
 *
 * All functions are local and talk to no MPI. Memory is the packed local memory of core/layout.h.
 */
#ifndef RESHARD_SIM_TRAIN_H
#define RESHARD_SIM_TRAIN_H

#include "core/layout.h"
#include "core/optimizer.h"
#include "core/safetensors.h"

#include <stdint.h>

/* One rank's share of a training. All is borrowed; `data` has the packed local memory of each of
 * the model's tensors, NULL where the rank has no elements of it. */
struct train {
    const struct reshard_layout *layout;
    const struct reshard_optimizer *optimizer;
    uint64_t rank;
    uint64_t seed;
    void *const *data;
};

/*
 * Give every tensor its value of step 0: parameters their random ones, or the bytes of `file`
 * (unless NULL), of which only this rank's ranges are read; slots zero bits. EMISMATCH when a
 * parameter is not in the file with the same dtype and shape; EIO, ENOMEM.
 */
RESHARD_MUST_CHECK enum reshard_status
train_begin(const struct train *train, const struct safetensors *file, struct reshard_error *error);

/*
 * One optimizer step: training step `step`, from 1. Parameters that are not trained keep their
 * value. EINVAL without an optimizer, or when a parameter's `step` slot holds what no training can
 * have left there.
 */
RESHARD_MUST_CHECK enum reshard_status train_step(const struct train *train, uint64_t step,
                                                  struct reshard_error *error);

/* The tensor's number in the random counter: the halves of its name's CRC, one xor the other. */
uint32_t train_tensor_number(const char *fqn);

/* Read stored elements to double, exactly; and store doubles, rounding to nearest even (f16 and
 * bf16 by way of f32). Floats only: f64, f32, f16, bf16. */
void train_decode(enum reshard_dtype dtype, const void *stored, double *values, uint64_t count);
void train_encode(enum reshard_dtype dtype, const double *values, void *stored, uint64_t count);

#endif
