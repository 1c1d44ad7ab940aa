/*
 * Who writes what: of the ranks that hold the same, the one that owns (FORMAT.md section 4). Tensor
 * by tensor all ranks are gone through, and the bytes that each owns so far are counted. Inside of
 * rules.h.
 */
#ifndef VERIFY_OWNERS_H
#define VERIFY_OWNERS_H

#include "verify/placement.h"

/* Local. Find every tensor's owners, and how many elements of it the world holds. ENOMEM. */
RESHARD_MUST_CHECK enum reshard_status verify_owners_settle(struct verify_rules *rules,
                                                            struct reshard_error *error);

#endif
