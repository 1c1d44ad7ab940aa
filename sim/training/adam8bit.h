/*
 * 8-bit Adam: moments are codes, scaled by the largest of their block, so that a step of one
 * element needs its whole block of the parameter. Local.
 */
#ifndef RESHARD_SIM_TRAINING_ADAM8BIT_H
#define RESHARD_SIM_TRAINING_ADAM8BIT_H

#include "sim/training/trainee.h"

/* One step of the blocks [begin, end) of a parameter, as far as there are such: the trainee's
 * memory is whole, row-major. `step` is left to the caller. */
void adam8bit_step(const struct trainee *trainee, uint64_t begin, uint64_t end);

#endif
