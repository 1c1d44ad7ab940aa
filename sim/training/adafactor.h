/*
 * Adafactor: a step of one element needs sums over the whole parameter, in the parameter's own
 * order. Local.
 */
#ifndef RESHARD_SIM_TRAINING_ADAFACTOR_H
#define RESHARD_SIM_TRAINING_ADAFACTOR_H

#include "sim/training/trainee.h"

/* One step of a parameter with all its elements: the trainee's memory is whole, row-major. `step`
 * is left to the caller. ENOMEM. */
RESHARD_MUST_CHECK enum reshard_status adafactor_step(const struct trainee *trainee,
                                                      struct reshard_error *error);

#endif
