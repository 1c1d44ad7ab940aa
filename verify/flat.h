/*
 * Flat parameters (FORMAT.md section 4, rule 8): each unit's entries at one place of the mesh are
 * counted through, position by position of the chunks that the data coordinates have. Inside of
 * rules.h and walk.h.
 */
#ifndef VERIFY_FLAT_H
#define VERIFY_FLAT_H

#include "verify/placement.h"

/* Local. Find where every flat tensor begins. EINVAL for units that cannot be flattened, EOVERFLOW,
 * ENOMEM. */
RESHARD_MUST_CHECK enum reshard_status verify_flat_settle(struct verify_rules *rules,
                                                          struct reshard_error *error);

/* What one data coordinate has of a tensor: elements [begin, end) of what the cuts have left of it,
 * from entry `local` of the coordinate's chunk on. Of a slot that has an element for a row: rows.
 */
struct verify_flat_part {
    uint64_t begin;
    uint64_t end;
    uint64_t local;
};

/* Local. The part of a coordinate; false where it has no element. */
bool verify_flat_part_of(const struct verify_flat_place *place, uint64_t coordinate,
                         struct verify_flat_part *part);

/* Local. Likewise the rows, of `width` elements, at least 1, whose first elements are in its part.
 * False where it has no element; it may have one and no such row. */
bool verify_flat_rows_of(const struct verify_flat_place *place, uint64_t width, uint64_t coordinate,
                         struct verify_flat_part *rows);

#endif
