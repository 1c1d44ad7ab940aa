/*
 * Agreement on what is saved, loaded or moved: all ranks mean the same model under the same layout.
 * One reduction of one hash; only where it fails is more said, to name the ranks and the first
 * entry on which they differ.
 */
#ifndef RESHARD_SCHEMA_H
#define RESHARD_SCHEMA_H

#include "core/groups.h"
#include "parallel/group.h"
#include "parallel/state.h"

/* [collective] EMISMATCH, naming ranks and entry, unless all ranks hold the same model under the
 * same layout, for as many ranks as the group has, each under its own rank. */
RESHARD_MUST_CHECK enum reshard_status schema_agree(struct reshard_group *group,
                                                    const struct reshard_state *state,
                                                    struct reshard_error *error);

/* What ranks agree on by one number, as a list whose first different entry can be found. */
struct schema_list {
    const void *of;
    uint64_t count; /* of entries on this rank */
    uint64_t (*hash_of_first)(const void *of, uint64_t count);
    /* "'lr' of group 'decay' is 0.001"; of entry `count`, what there is besides entries. */
    void (*describe)(const void *of, uint64_t entry, char *text, size_t size);
    const char *rest; /* where it is that ranks differ, if descriptions are equal */
};

/* [collective] A group_value's explain(), for one that is `of` a schema_list: EMISMATCH, naming the
 * ranks and what the first different entry is on one of them and on rank 0. Each look at half of
 * what is left is a reduction, where it is known already that ranks differ. */
RESHARD_MUST_CHECK enum reshard_status schema_explain(struct reshard_group *group,
                                                      const struct group_value *value,
                                                      struct reshard_error *error);

/* Local. Groups as such a list; NULL: none. */
struct schema_list schema_list_groups(const struct reshard_groups *groups);

/* [collective] The ranks of which `mine` is true, as text: "1, 3 and 5 more". */
RESHARD_MUST_CHECK enum reshard_status schema_name_ranks(struct reshard_group *group, bool mine,
                                                         char *text, size_t size,
                                                         struct reshard_error *error);

#endif
