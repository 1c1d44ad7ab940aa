/*
 * The verify step, and the judgement of a form: what every rank holds, judged by the verifier
 * against an oracle that knows nothing of sharding, and a count over all ranks which proves that
 * nothing is missing.
 */
#ifndef RESHARD_SIM_JUDGE_H
#define RESHARD_SIM_JUDGE_H

#include "sim/holding.h"

struct judgement {
    uint64_t tensors;  /* that were judged, slots counted */
    uint64_t elements; /* compared, over all ranks */
    uint64_t replicas; /* copies of the state that the layout's mesh has */
};

/*
 * [collective] Hold the ranks' memory of a part, and of TRANSIENT buffers with the model, against
 * the state after training step `step`. EDIGEST when an element of any rank differs, naming tensor,
 * slot, index, bits and rank of the lowest such rank, and when a slot is absent that must be there,
 * or the other way round; ECOVER when the ranks together do not hold every element of what is there
 * as often as the layout's rules say. What is absent counts for nothing.
 */
RESHARD_MUST_CHECK enum reshard_status
judge_held(struct reshard_group *group, const struct holding *holding, enum reshard_part part,
           uint64_t step, struct judgement *out, struct reshard_error *error);

#endif
