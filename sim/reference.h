/*
 * The reference state of a job's training at a step: the verifier's oracle, as all ranks of a
 * process share it. An oracle may hold a whole model that it has trained, and simulated ranks are
 * many in one process: the first to ask opens it, the last to let go closes it. Immutable.
 *
 * All functions are local and make no MPI call.
 */
#ifndef RESHARD_SIM_REFERENCE_H
#define RESHARD_SIM_REFERENCE_H

#include "sim/world.h"
#include "verify/oracle.h"

/* The oracle of that world and step; each success is paired with one reference_release(). Errors
 * are those of verify_oracle_open(). */
RESHARD_MUST_CHECK enum reshard_status reference_acquire(const struct verify_oracle **out,
                                                         const struct world *world, uint64_t step,
                                                         struct reshard_error *error);
void reference_release(const struct verify_oracle *oracle); /* accepts NULL */

#endif
