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
 * from entry `local` of the coordinate's chunk on. */
struct verify_flat_part {
    uint64_t coordinate;
    uint64_t begin;
    uint64_t end;
    uint64_t local;
};

/* Local. Go from coordinate to coordinate; begin with a part of zeros. False at the end. */
bool verify_flat_next(const struct verify_flat_place *place, struct verify_flat_part *part);

/* The rows, of `width` elements, at least 1, whose first elements are in a part: rows [begin, end).
 */
struct verify_flat_rows {
    struct verify_flat_part part;
    uint64_t begin;
    uint64_t end;
    uint64_t under_way; /* elements of the last row that are still to come */
};

/* Local. The same, counting the rows that begin. False where there are no elements at all. */
bool verify_flat_next_rows(const struct verify_flat_place *place, uint64_t width,
                           struct verify_flat_rows *rows);

/* Local. The rows of one coordinate; false where it has no element. */
bool verify_flat_rows_of(const struct verify_flat_place *place, uint64_t width, uint64_t coordinate,
                         struct verify_flat_rows *rows);

#endif
