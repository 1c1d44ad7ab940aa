/*
 * A job as all ranks of a process share it: the job itself, its file of initial values, the
 * verifier's view of its model, and the optimizer's param groups. Immutable once opened. Simulated
 * ranks are many in one process: the first to ask reads the job, the last to let go frees it.
 *
 * All functions are local and make no MPI call.
 */
#ifndef RESHARD_SIM_WORLD_H
#define RESHARD_SIM_WORLD_H

#include "core/groups.h"
#include "core/safetensors.h"
#include "sim/job.h"
#include "verify/inventory.h"

struct world {
    struct job *job;
    struct safetensors *safetensors; /* NULL: initial values are random */
    struct verify_inventory inventory;
    struct reshard_groups *groups; /* as they are at step 0; NULL without an optimizer */
};

/* The world of that job file; each success is paired with one world_release(). Errors are those of
 * reading and checking the job, with the file's name. */
RESHARD_MUST_CHECK enum reshard_status world_acquire(const struct world **out, const char *path,
                                                     struct reshard_error *error);
void world_release(const struct world *world); /* accepts NULL */

#endif
