/*
 * Whole parameters: optimizers that reduce need all elements of a parameter and of its slots, of
 * which a rank has but a part. What it lacks it fetches from the other ranks' memory, as it is
 * there, so that state which went wrong on the way here shows; never does it compute anew what is
 * state. It works on its whole copy and keeps its own part of the outcome.
 */
#ifndef RESHARD_SIM_TRAINING_WHOLE_H
#define RESHARD_SIM_TRAINING_WHOLE_H

#include "parallel/state.h"

struct reshard_group;
struct whole;

/* Local. Whole copies of what a state has, which is borrowed; none yet. */
RESHARD_MUST_CHECK enum reshard_status whole_open(struct whole **out, struct reshard_state *live,
                                                  struct reshard_error *error);

/* [collective] Fetch parameters, with their slots, onto the ranks that may have a part of them.
 * What was fetched before is gone. Names that are patterns bring along what else they match. Errors
 * are those of an exchange. */
RESHARD_MUST_CHECK enum reshard_status whole_fetch(struct whole *whole, struct reshard_group *group,
                                                   const uint32_t *parameter, uint32_t count,
                                                   struct reshard_error *error);

/* Local. The whole of a tensor that was fetched, row-major: zero bits where it is absent, NULL
 * where this rank has no part in it. */
void *whole_data(const struct whole *whole, uint32_t tensor);
bool whole_is_absent(const struct whole *whole, uint32_t tensor);

/* Local. Copy this rank's elements of a fetched tensor back into the state. ENOMEM. */
RESHARD_MUST_CHECK enum reshard_status whole_put_back(const struct whole *whole, uint32_t tensor,
                                                      struct reshard_error *error);

void whole_close(struct whole *whole); /* accepts NULL */

#endif
