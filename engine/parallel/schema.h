/*
 * Agreement on what is saved, loaded or moved: all ranks mean the same model under the same layout.
 * One reduction of one hash; only where it fails is more said, to name the ranks and the first
 * entry on which they differ.
 */
#ifndef RESHARD_SCHEMA_H
#define RESHARD_SCHEMA_H

#include "parallel/group.h"
#include "parallel/state.h"

/* [collective] EMISMATCH, naming ranks and entry, unless all ranks hold the same model under the
 * same layout, for as many ranks as the group has, each under its own rank. */
RESHARD_MUST_CHECK enum reshard_status schema_agree(struct reshard_group *group,
                                                    const struct reshard_state *state,
                                                    struct reshard_error *error);

/* [collective] The ranks of which `mine` is true, as text: "1, 3 and 5 more". */
RESHARD_MUST_CHECK enum reshard_status schema_name_ranks(struct reshard_group *group, bool mine,
                                                         char *text, size_t size,
                                                         struct reshard_error *error);

#endif
