/*
 * Boxes that a rule gives, rank by rank (FORMAT.md section 4): ordered, checked, and the ranks that
 * have the same ones told; once for all tensors that have them. Immutable once made.
 */
#ifndef VERIFY_GIVEN_H
#define VERIFY_GIVEN_H

#include "verify/box.h"
#include "verify/rules.h"

struct verify_given_box {
    struct verify_box box;
    uint64_t rank;
};

/* A rank that has boxes: `count` of them from `box` on, by rising first element. */
struct verify_given_holder {
    uint64_t rank;
    const struct verify_given_box *box;
    uint64_t count;
    uint64_t elements;
    uint64_t set;    /* number of its set of boxes, in the order of the lowest rank that has it */
    uint64_t number; /* among the set's members, by rising rank */
};

struct verify_given {
    const struct verify_rule *rule;
    const struct verify_tensor *tensor; /* the first one that has them */
    uint64_t world_elements;            /* that all holders hold */
    struct verify_given_box *box;
    struct verify_given_holder *holder;  /* by rising rank */
    struct verify_given_holder **by_set; /* set after set, within one by rising rank */
    uint64_t holder_count;
    uint64_t set_count;
    uint64_t *members;   /* how many members sets have: each number once, rising */
    uint32_t *member_of; /* of each set: which of these */
    uint32_t member_count;
    struct verify_given *next; /* of all that the rules have */
};

/* Local. A rule's boxes as those of a tensor, for `ranks` ranks: they are checked, and put to
 * *givens, when the first one of that shape comes. EINVAL, ENOMEM. */
RESHARD_MUST_CHECK enum reshard_status
verify_given_find_or_make(struct verify_given **givens, const struct verify_tensor *tensor,
                          const struct verify_rule *rule, uint64_t ranks,
                          const struct verify_given **out, struct reshard_error *error);
void verify_givens_close(struct verify_given *givens); /* accepts NULL */

/* Local. The holder of that rank; NULL when it has no box. */
const struct verify_given_holder *verify_given_find(const struct verify_given *given,
                                                    uint64_t rank);

#endif
