/*
 * Replicas: ranks that hold the same elements. On load the owner of a shard alone reads it, so that
 * each byte is asked of storage once, and its replicas get it from here.
 */
#ifndef RESHARD_REPLICAS_H
#define RESHARD_REPLICAS_H

#include "parallel/group.h"
#include "parallel/state.h"

/*
 * [collective] Give every replica what the owner of its shard has in memory, for each tensor that
 * `chosen` marks; bytes that this rank sent are added to *sent. In phases that double how many
 * have it, so that each byte comes to each replica once, and no rank sends to many. `budget`: bytes
 * of memory for it, 0 for 64 MiB.
 */
RESHARD_MUST_CHECK enum reshard_status replicas_spread(struct reshard_group *group,
                                                       struct reshard_state *state,
                                                       const bool *chosen, uint64_t budget,
                                                       uint64_t *sent, struct reshard_error *error);

#endif
