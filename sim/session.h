/*
 * A rank's way through a job: its state, and one function for each step. Every step ends with the
 * same status on all ranks, so that all go on, or all stop, together.
 */
#ifndef RESHARD_SIM_SESSION_H
#define RESHARD_SIM_SESSION_H

#include "parallel/group.h"
#include "sim/machine.h"
#include "sim/world.h"

struct session;

/* [collective] Allocate the rank's state and give it its values of step 0. All is borrowed. */
RESHARD_MUST_CHECK enum reshard_status session_open(struct session **out, const struct world *world,
                                                    struct machine *machine,
                                                    struct reshard_group *group,
                                                    struct reshard_error *error);
void session_close(struct session *session); /* accepts NULL */

/*
 * [collective] Run one step of the job and describe it in `result`, the same on all ranks but for
 * its strings, which are rank 0's alone to report; the caller releases it. OK means that the step
 * was run and described, whatever became of it (result->status); a failure that the job cannot go
 * on from: EMPI, or ENOMEM.
 */
RESHARD_MUST_CHECK enum reshard_status session_step(struct session *session, uint64_t index,
                                                    struct job_result *result,
                                                    struct reshard_error *error);

/* Local. What a status means to a scenario. False with SCENARIO_ERROR, as for a full disk or a lost
 * message: then nothing was expected to end so. */
bool session_outcome(enum reshard_status status, enum scenario_outcome *out);

#endif
