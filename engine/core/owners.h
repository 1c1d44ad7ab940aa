/*
 * Owners: of the ranks that hold the same, the one that writes it (FORMAT.md section 4). Tensors
 * that the same ranks could own are dealt out among these, the largest first, each to the one that
 * has the fewest bytes: no rank is gone through, so a layout of a million ranks costs no more than
 * one of two.
 */
#ifndef RESHARD_OWNERS_H
#define RESHARD_OWNERS_H

#include "core/flat.h"
#include "core/given.h"

/* What owners are chosen from. */
struct owners_from {
    const struct reshard_model *model;
    const struct reshard_layout_options *options; /* complete */
    const struct placement *placement;            /* by tensor */
    const struct flats *flats;
    struct given *const *given; /* by rule: of those whose boxes a tensor has; NULL for others */
};

/* Of tensors whose boxes are given, and whose sets have the same members: who owns. */
struct owners_hands {
    uint32_t tensors;
    uint64_t *member; /* by index of the set's size, then by row: the number of the member */
};

struct owners {
    uint64_t *replica;          /* by tensor; of one whose boxes are given its row of the hands */
    struct owners_hands *hands; /* by number of the members; as many as there are rules at most */
    uint32_t hands_count;
};

/* Local. Mesh dimensions whose coordinates tell a tensor's replicas apart. */
reshard_mesh_set owners_free_dims(const struct placement *placement);

/* Local. Choose. What is not saved is owned by its first replicas, and counts for nobody. */
RESHARD_MUST_CHECK enum reshard_status owners_open(struct owners *out,
                                                   const struct owners_from *from);
void owners_close(struct owners *owners); /* accepts empty ones */

/* Local. The number of the member that owns a set of a tensor's given boxes. */
uint64_t owners_member(const struct owners *owners, const struct given *given, uint32_t tensor,
                       uint64_t set);

#endif
