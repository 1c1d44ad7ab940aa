/*
 * Casts between float dtypes (f64, f32, f16, bf16), for loads that ask for them by name: exact
 * where the target can hold the value, otherwise rounded once, to nearest even; overflow to
 * infinity as IEEE does. A NaN stays one: it keeps its sign and the upper bits of its payload, and
 * is quiet.
 */
#ifndef RESHARD_CAST_H
#define RESHARD_CAST_H

#include "core/dtype.h"

#include <stdbool.h>
#include <stdint.h>

/* Local. Whether there is a cast between two dtypes; of a dtype to itself there is none. */
bool cast_is_possible(enum reshard_dtype from, enum reshard_dtype to);

/* Local. Cast `count` elements; the arrays do not overlap. */
void cast_elements(enum reshard_dtype from, const void *source, enum reshard_dtype to, void *target,
                   uint64_t count);

#endif
