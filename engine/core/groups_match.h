/*
 * Matching of groups: a loader's are filled from a checkpoint's. Strict like core/match.h: groups,
 * members, their order and hyperparameters must be there on both sides, whatever is not is listed
 * at once, and leniency is asked for by name.
 */
#ifndef RESHARD_GROUPS_MATCH_H
#define RESHARD_GROUPS_MATCH_H

#include "core/groups.h"
#include "core/match.h"

/*
 * Local. Fill `target` from `saved` (NULL: the checkpoint has none). Groups are known by name, in
 * whatever order; those of the target keep theirs, and its members. Members are known by the
 * target's names, after `rename`; those of `missing` need not be in a group of the checkpoint,
 * those of `unexpected` not in one of the target. Members that are saved by ids are those of the
 * target's group of that name, by their position in it.
 *
 * The checkpoint's values replace the target's, of which they must be of a kind: bool, integer and
 * number are three, None is of every one. Those that the target has not are added, and counted;
 * those that the checkpoint has not are kept, and counted, where `keep_values` names them as
 * GROUP:KEY. The same of entries, as ENTRY:KEY, but that these take values of any kind.
 *
 * EINVAL for options that cannot be; EMISMATCH with a line for each thing that does not fit, after
 * those of match_tensors() where the error has them already. After a failure the target is as it
 * was and the counts are 0.
 */
RESHARD_MUST_CHECK enum reshard_status
groups_match(struct reshard_groups *target, const struct reshard_groups *saved,
             const struct reshard_match_options *options, const char *directory,
             uint64_t *values_kept, uint64_t *values_added, struct reshard_error *error);

#endif
