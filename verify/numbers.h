/*
 * Stored numbers and doubles: the roundings of scenarios/TRAINING.md, section "Rounding", for f64,
 * f32, f16 and bf16. f16 and bf16 are rounded by way of f32, to nearest even both times. A NaN
 * keeps its sign and upper payload bits and becomes quiet. Local, without state.
 */
#ifndef VERIFY_NUMBERS_H
#define VERIFY_NUMBERS_H

#include "core/dtype.h"

#include <stddef.h>

/* Doubles to stored elements. */
void verify_numbers_store(enum reshard_dtype dtype, const double *source, void *target,
                          size_t count);
/* Stored elements to doubles, exactly. */
void verify_numbers_load(enum reshard_dtype dtype, const void *source, double *target,
                         size_t count);
/* What is left of doubles that were stored and read back. */
void verify_numbers_round(enum reshard_dtype dtype, double *values, size_t count);

#endif
