/* Which checkpoint of a folder a job goes on from. */
#ifndef RESHARD_LATEST_H
#define RESHARD_LATEST_H

#include "core/store.h"
#include "parallel/group.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * [collective] The checkpoint with the highest training step among the directories in `root`, the
 * one whose manifest was written last where steps are equal. Directories without a valid manifest
 * are passed over; one that cannot be read is an error. `name` has `size` bytes (EOVERFLOW if they
 * do not suffice). ENOENT when there is none. `store` NULL: POSIX files.
 */
RESHARD_MUST_CHECK enum reshard_status reshard_latest_find(struct reshard_group *group,
                                                           struct store *store, const char *root,
                                                           char *name, uint64_t size,
                                                           struct reshard_error *error);

#ifdef __cplusplus
}
#endif

#endif
