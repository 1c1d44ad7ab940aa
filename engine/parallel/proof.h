/*
 * What makes a save or load believable, and costs three small reductions: that ranks mean the same
 * model and layout, that the owners' pieces cover every element exactly once, and that what is in
 * memory has the digests that were recorded.
 */
#ifndef RESHARD_PROOF_H
#define RESHARD_PROOF_H

#include "parallel/group.h"
#include "parallel/state.h"

#ifdef __cplusplus
extern "C" {
#endif

/* [collective] All ranks hold the same model under the same layout, each under its own rank. */
RESHARD_MUST_CHECK enum reshard_status proof_agree_layout(struct reshard_group *group,
                                                          const struct reshard_state *state,
                                                          struct reshard_error *error);

/* [collective] The exactly-once law over all owners' pieces (core/plan.h). ECOVER. */
RESHARD_MUST_CHECK enum reshard_status proof_cover(struct reshard_group *group,
                                                   const struct reshard_layout *layout,
                                                   struct reshard_error *error);

/*
 * [collective] The digest of every tensor of a part as *this rank's replica set* holds it, from
 * memory, into digest[tensor]; other tensors' entries are left alone. Each replica set is reduced
 * by itself: two equal replicas in one exclusive-or would cancel. The state is this rank's, under a
 * layout over the whole group, and the same on all ranks, as a save or load has ensured.
 */
RESHARD_MUST_CHECK enum reshard_status
reshard_state_digest(struct reshard_group *group, const struct reshard_state *state,
                     enum reshard_part part, uint64_t *digest, struct reshard_error *error);

/* [collective] As above when the local contributions are known already: contribution[tensor] is
 * replaced by the replica set's digest. */
RESHARD_MUST_CHECK enum reshard_status proof_reduce(struct reshard_group *group,
                                                    const struct reshard_layout *layout,
                                                    uint64_t *contribution,
                                                    struct reshard_error *error);

#ifdef __cplusplus
}
#endif

#endif
