/*
 * Boxes that a rule gives one by one, instead of by a formula: for codes that cut their grids as no
 * rule here does. The ranks fall into sets that have the same boxes; the boxes of all sets together
 * cover a tensor exactly once. All tensors of a rule share them, since boxes that cover one tensor
 * cover those of its shape and no other.
 */
#ifndef RESHARD_GIVEN_H
#define RESHARD_GIVEN_H

#include "core/placement.h"

#define GIVEN_NONE UINT64_MAX

/* Of the ranks that have boxes alone: a world may be large, and a rule name few of its ranks. */
struct given {
    struct reshard_shape shape; /* of the tensors */
    uint64_t rank_count;
    uint64_t *rank;          /* that have boxes, rising; the arrays by index are by theirs */
    struct reshard_box *box; /* by rank, then rising first element */
    uint64_t *start;         /* by index: its first box; one more at the end */
    uint64_t set_count;
    uint64_t *set;          /* by index: its set, numbered by the sets' lowest ranks */
    uint64_t *number;       /* by index: its number among the set's members */
    uint64_t *member_start; /* by set: its first member; one more at the end */
    uint64_t *member;       /* ranks, rising within a set */
    uint32_t *size_of;      /* by set: how many members it has, as an index into `size` */
    uint64_t *size;         /* the numbers of members that sets have, each once */
    uint32_t size_count;
    uint32_t members; /* the same number for all whose sets have the same members */
};

/*
 * Local. The boxes of a rule as those of a tensor, for so many ranks of the mesh. EINVAL, with
 * tensor and boxes named, when one is empty or does not lie within the tensor, when they do not
 * cover it once, or two ranks share some boxes but not all.
 */
RESHARD_MUST_CHECK enum reshard_status given_open(struct given **out,
                                                  const struct reshard_rule *rule,
                                                  const struct reshard_tensor *tensor,
                                                  uint64_t ranks, struct reshard_error *error);
void given_close(struct given *given); /* accepts NULL */

/* Local. Tell which of `count` have sets of the same members, in the same order; NULL ones are
 * passed over. */
RESHARD_MUST_CHECK enum reshard_status givens_compare(struct given **given, uint32_t count);

/* Local. The index of a rank, GIVEN_NONE when it has no boxes. */
uint64_t given_find(const struct given *given, uint64_t rank);

#endif
