/*
 * A holding: what one rank has of the training state under one arrangement, in memory of its own.
 * Resharding makes a new one and fills it from the old; whoever fails on the way throws the new one
 * away and still has the old.
 */
#ifndef RESHARD_SIM_HOLDING_H
#define RESHARD_SIM_HOLDING_H

#include "parallel/group.h"
#include "parallel/state.h"
#include "sim/arrangement.h"

struct holding {
    const struct arrangement *arrangement;
    struct reshard_state *state;
};

/* Local. Zeroed memory for a rank's part under an arrangement, which the holding then owns: it is
 * released with it, and after a failure too. */
RESHARD_MUST_CHECK enum reshard_status holding_open(struct holding *out,
                                                    const struct arrangement *arrangement,
                                                    uint64_t rank, struct reshard_error *error);
void holding_release(struct holding *holding); /* accepts an empty one */

#endif
