/*
 * The verify step: what every rank holds, judged by the verifier against an oracle that knows
 * nothing of sharding, and a count over all ranks which proves that nothing is missing.
 */
#ifndef RESHARD_SIM_JUDGE_H
#define RESHARD_SIM_JUDGE_H

#include "parallel/group.h"
#include "parallel/state.h"
#include "sim/world.h"

struct judgement {
    uint64_t tensors;  /* of the model, slots counted */
    uint64_t elements; /* compared, over all ranks */
    uint64_t replicas; /* copies of the state that the ranks hold */
};

/*
 * [collective] Hold the ranks' memory against the state after training step `step`. EDIGEST when an
 * element of any rank differs, naming tensor, slot, index, bits and rank of the lowest such rank;
 * ECOVER when the ranks together do not hold every element once in each replica.
 */
RESHARD_MUST_CHECK enum reshard_status judge_held(struct reshard_group *group,
                                                  const struct world *world,
                                                  const struct reshard_state *state, uint64_t step,
                                                  struct judgement *out,
                                                  struct reshard_error *error);

#endif
