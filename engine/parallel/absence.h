/*
 * Which slots are absent. Each rank says so of its own memory, and those that hold elements of a
 * slot must say the same: FSDP names the ranks that lack a state which rank 0 has
 * (torch/distributed/fsdp/_optim_utils.py, _check_missing_keys_on_rank), and so does this. A rank
 * that holds none of a slot's elements has no state of it in any framework, and has no say.
 */
#ifndef RESHARD_ABSENCE_H
#define RESHARD_ABSENCE_H

#include "parallel/group.h"
#include "parallel/state.h"

/* [collective] What all ranks agree on, into absent[tensor]: one bitwise-or of three bits a tensor.
 * EMISMATCH, naming the first slot and the ranks that say it is absent, where others that hold some
 * of it have it. */
RESHARD_MUST_CHECK enum reshard_status absence_agree(struct reshard_group *group,
                                                     const struct reshard_state *state,
                                                     bool *absent, struct reshard_error *error);

#endif
