/*
 * Replicas: ranks that hold the same elements. On load the owner of a shard alone reads it, so that
 * each byte is asked of storage once, and its replicas get it from here.
 */
#ifndef RESHARD_REPLICAS_H
#define RESHARD_REPLICAS_H

#include "parallel/group.h"
#include "parallel/state.h"

/* Memory that spreading takes, whatever the tensors' sizes. */
enum { REPLICAS_BUFFER_BYTES = 4 * 1024 * 1024 };

/* Local. Whether this rank is the owner of its shard of a tensor. */
bool replicas_is_owner(const struct reshard_state *state, uint32_t tensor);

/* [collective] Give every replica what the owner of its shard has in memory, for each tensor of the
 * part. */
RESHARD_MUST_CHECK enum reshard_status replicas_spread(struct reshard_group *group,
                                                       struct reshard_state *state,
                                                       enum reshard_part part,
                                                       struct reshard_error *error);

#endif
