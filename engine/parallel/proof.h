/*
 * What makes a save, a load or an exchange believable, and costs three small reductions: that the
 * owners' pieces cover every element exactly once, that what is in memory has the digests that were
 * recorded, and that replicas hold what their owners hold.
 */
#ifndef RESHARD_PROOF_H
#define RESHARD_PROOF_H

#include "parallel/group.h"
#include "parallel/state.h"

#ifdef __cplusplus
extern "C" {
#endif

/* [collective] The exactly-once law over all owners' pieces (core/plan.h). ECOVER. */
RESHARD_MUST_CHECK enum reshard_status proof_cover(struct reshard_group *group,
                                                   const struct reshard_layout *layout,
                                                   struct reshard_error *error);

/*
 * [collective] The digest of every tensor of a part, from memory, into digest[tensor]: the same on
 * all ranks; 0 of absent slots. Other tensors' entries are left alone. EDIGEST, naming tensor and
 * rank, when a replica does not hold what the owner of its shard holds. The state is this rank's,
 * under a layout over the whole group, and the same on all ranks, as a save or load has ensured.
 */
RESHARD_MUST_CHECK enum reshard_status
reshard_state_digest(struct reshard_group *group, const struct reshard_state *state,
                     enum reshard_part part, uint64_t *digest, struct reshard_error *error);

/* [collective] The same of the tensors that `chosen` marks, whose memory must be bound; the digests
 * of others are left alone. */
RESHARD_MUST_CHECK enum reshard_status proof_digest(struct reshard_group *group,
                                                    const struct reshard_state *state,
                                                    const bool *chosen, uint64_t *digest,
                                                    struct reshard_error *error);

/* Local. The contribution of this rank's memory of one tensor, into *out; the bytes that were
 * gone through are added to *bytes. */
RESHARD_MUST_CHECK enum reshard_status proof_contribution(const struct reshard_state *state,
                                                          uint32_t tensor, uint64_t *out,
                                                          uint64_t *bytes);

/* [collective] The digests from what each rank's own memory contributes, contribution[tensor] of
 * all tensors: owners' contributions are united, others are not looked at. */
RESHARD_MUST_CHECK enum reshard_status proof_unite(struct reshard_group *group,
                                                   const struct reshard_layout *layout,
                                                   const uint64_t *contribution, uint64_t *digest,
                                                   struct reshard_error *error);

/*
 * [collective] Whether all replicas contribute what the owners of their shards do, from the same
 * numbers: one word a tensor in one reduction, no matter how many replicas there are. Counts, into
 * *diverged, the tensors of which they do not, and of the first says, into `text` of
 * RESHARD_TENSOR_TEXT_MAX bytes, which rank's it is; tensors that `chosen` does not mark are passed
 * over.
 */
RESHARD_MUST_CHECK enum reshard_status
proof_replicas(struct reshard_group *group, const struct reshard_layout *layout, const bool *chosen,
               const uint64_t *contribution, uint64_t *diverged, char *text,
               struct reshard_error *error);

#ifdef __cplusplus
}
#endif

#endif
