/*
 * The reference training, on shards: initial values and optimizer steps computed on one rank's part
 * of the model. Every element's value after k steps is a pure function of (seed, tensor, element),
 * so the state is defined bit for bit at any world size and under any sharding.
 *
 * scenarios/TRAINING.md is the specification. verify/ computes the same from it without sharding
 * and shares no code with these files, which is why either can judge the other.
 *
 * Here it is said who is trained, and by what. The arithmetic is elsewhere:
 * sim/training/elementwise.h, and for optimizers that reduce sim/training/adafactor.h and
 * sim/training/adam8bit.h, which see whole parameters (sim/training/whole.h).
 */
#ifndef RESHARD_SIM_TRAINING_TRAIN_H
#define RESHARD_SIM_TRAINING_TRAIN_H

#include "core/optimizer.h"
#include "core/safetensors.h"
#include "parallel/state.h"

#include <stdint.h>

struct reshard_group;

/* One rank's share of a training: its state, in host memory, and by what it is trained. Borrowed.
 */
struct train {
    struct reshard_state *state;
    const struct reshard_optimizer *optimizer;
    uint64_t seed;
    uint64_t fetch_bytes; /* of whole parameters and their slots that are fetched at a time, unless
                             one alone has more; 0: 64 MiB. The same on all ranks */
};

/*
 * Local. Give every tensor its value of step 0: parameters their random ones, or the bytes of
 * `file` (unless NULL), of which only this rank's ranges are read. Slots are absent. EMISMATCH when
 * a parameter is not in the file with the same dtype and shape; EIO, ENOMEM.
 */
RESHARD_MUST_CHECK enum reshard_status
train_begin(const struct train *train, const struct safetensors *file, struct reshard_error *error);

/*
 * [collective] Optimizer steps: training steps `first` to `first + count - 1`, from 1. What is not
 * trained keeps its value; slots are there from their parameter's first step. Ranks talk to each
 * other only to agree on the outcome, and where an optimizer reduces: then each fetches what it
 * lacks of the parameters that it has a part of.
 *
 * EINVAL without an optimizer, when a parameter's `step` slot holds what no training can have left
 * there, or where memory is not bound; ENOENT or EMISMATCH when the model's slots are not the
 * optimizer's; ENOMEM; the errors of an exchange. After a failure the state is unspecified, but
 * without an optimizer it is left as it is.
 *
 * `group` may be NULL for a rank by itself: there is nobody to agree with, and EINVAL where
 * something would have to be fetched.
 */
RESHARD_MUST_CHECK enum reshard_status train_steps(const struct train *train,
                                                   struct reshard_group *group, uint64_t first,
                                                   uint64_t count, struct reshard_error *error);

#endif
