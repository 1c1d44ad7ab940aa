/*
 * The optimizers whose step of an element needs nothing but that element: sgd, adam, adamw, muon.
 * They train whatever part of a parameter a rank has, without a word to any other rank. Local.
 */
#ifndef RESHARD_SIM_TRAINING_ELEMENTWISE_H
#define RESHARD_SIM_TRAINING_ELEMENTWISE_H

#include "core/layout.h"
#include "sim/training/trainee.h"

/* One step of what a rank has of a parameter, which is tensor `parameter` of the layout's model:
 * the trainee's memory is the rank's packed memory. `step` is left to the caller. ENOMEM. */
RESHARD_MUST_CHECK enum reshard_status elementwise_step(const struct trainee *trainee,
                                                        const struct reshard_layout *layout,
                                                        uint32_t parameter, uint64_t rank,
                                                        struct reshard_error *error);

#endif
