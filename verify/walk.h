/*
 * What one rank holds of one tensor, in order: its boxes, or the runs of elements that they consist
 * of. A walk belongs to one thread and borrows the rules.
 */
#ifndef VERIFY_WALK_H
#define VERIFY_WALK_H

#include "verify/box.h"
#include "verify/placement.h"
#include "verify/rules.h"

/* Elements [begin, end) of the tensor lie one after the other from index `local` on in the rank's
 * memory: its boxes one behind the other, each dense; or the flat shard of the tensor's unit. */
struct verify_run {
    uint64_t begin;
    uint64_t end;
    uint64_t local;
};

struct verify_walk {
    const struct verify_tensor *tensor;
    bool ended;
    uint64_t local; /* of the next box */
    /* Boxes that come from deals: what the rank has of each dimension, and which of it comes next.
     */
    struct verify_stretch stretch[VERIFY_DIMS_MAX][VERIFY_SECTIONS_MAX];
    uint32_t stretches[VERIFY_DIMS_MAX];
    uint32_t chosen[VERIFY_DIMS_MAX];
    /* A flat parameter, or its rows: the elements of all those boxes that the rank has. */
    bool flat;
    uint64_t begin;
    uint64_t end;
    struct verify_box around; /* the box that is being cut, elements [before, behind) of them */
    uint64_t before;
    uint64_t behind;
    /* Boxes that were given. */
    const struct verify_given_box *given;
    uint64_t left;
    /* The runs of the box that has come last, and where the next one lies. */
    struct verify_rows rows;
    uint64_t row_local;
};

/* Local. Begin; then either all boxes, by rising first element, with the index of each in memory,
 * or all runs in their order. Neither is ever empty; false at the end. */
void verify_walk_begin(struct verify_walk *walk, const struct verify_rules *rules, uint32_t tensor,
                       uint64_t rank);
bool verify_walk_box(struct verify_walk *walk, struct verify_box *box, uint64_t *local);
bool verify_walk_next(struct verify_walk *walk, struct verify_run *out);

#endif
