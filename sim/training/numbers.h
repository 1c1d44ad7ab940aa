/*
 * Stored numbers: the floats of a tensor's memory as doubles, in which all arithmetic of the
 * training is done. Local; an empty range may have no memory.
 */
#ifndef RESHARD_SIM_TRAINING_NUMBERS_H
#define RESHARD_SIM_TRAINING_NUMBERS_H

#include "core/dtype.h"

#include <stdint.h>

/* Read stored elements to double, exactly; and store doubles, rounding to nearest even (f16 and
 * bf16 by way of f32). Floats only: f64, f32, f16, bf16. */
void numbers_decode(enum reshard_dtype dtype, const void *stored, double *values, uint64_t count);
void numbers_encode(enum reshard_dtype dtype, const double *values, void *stored, uint64_t count);

#endif
