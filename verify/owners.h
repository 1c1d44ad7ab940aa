/*
 * Who writes what: of the ranks that hold the same, the one that owns (FORMAT.md section 4).
 * Tensors that the same ranks could own are dealt out, the largest first, each to the hand that has
 * the fewest bytes: a winner is asked for, no rank is gone through. Inside of rules.h.
 */
#ifndef VERIFY_OWNERS_H
#define VERIFY_OWNERS_H

#include "verify/placement.h"

/* Memory of one group of tensors whose boxes are given. */
struct verify_hands {
    struct verify_hands *next;
    uint64_t hand[];
};

/* Local. Find every tensor's owners, and how many elements of it the world holds. ENOMEM. */
RESHARD_MUST_CHECK enum reshard_status verify_owners_settle(struct verify_rules *rules,
                                                            struct reshard_error *error);
void verify_owners_close(struct verify_hands *hands); /* accepts NULL */

/* Local. Of a tensor whose boxes are given: the number of the member that owns a set. */
uint64_t verify_given_owner(const struct verify_placement *placement, uint64_t set);

#endif
