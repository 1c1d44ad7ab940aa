/*
 * Boxes of one tensor that are given one by one, instead of by a formula: for codes that cut their
 * grids as no rule here does. The ranks fall into sets that have the same boxes; the boxes of all
 * sets together cover the tensor exactly once.
 */
#ifndef RESHARD_GIVEN_H
#define RESHARD_GIVEN_H

#include "core/placement.h"

#define GIVEN_NONE UINT64_MAX

/* Of the ranks that have boxes alone: a world may be large, and a rule name few of its ranks. */
struct given {
    uint64_t rank_count;
    uint64_t *rank;          /* that have boxes, rising; the arrays by index are by theirs */
    struct reshard_box *box; /* by rank, then rising first element */
    uint64_t *start;         /* by index: its first box; one more at the end */
    uint64_t set_count;
    uint64_t *set;          /* by index: its set, numbered by the sets' lowest ranks */
    uint64_t *number;       /* by index: its number among the set's members */
    uint64_t *member_start; /* by set: its first member; one more at the end */
    uint64_t *member;       /* ranks, rising within a set */
};

/*
 * Local. The boxes of a rule, which are not empty and lie within the tensor. EINVAL, with tensor
 * and boxes named, when they do not cover the tensor once, or two ranks share some boxes but not
 * all.
 */
RESHARD_MUST_CHECK enum reshard_status given_open(struct given **out,
                                                  const struct reshard_rule *rule,
                                                  const struct reshard_tensor *tensor,
                                                  struct reshard_error *error);
void given_close(struct given *given); /* accepts NULL */

/* Local. The index of a rank, GIVEN_NONE when it has no boxes. */
uint64_t given_find(const struct given *given, uint64_t rank);

#endif
