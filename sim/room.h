/*
 * Room for a world: simulated ranks are many in one process, so the state of all of them is in this
 * machine's memory. What cannot fit is better refused than ended by the kernel half-way.
 */
#ifndef RESHARD_SIM_ROOM_H
#define RESHARD_SIM_ROOM_H

#include "sim/job.h"

/* Local. The bytes of state that all ranks of a job hold together when it starts. EINVAL and the
 * like, as for a layout that does not fit the model. */
RESHARD_MUST_CHECK enum reshard_status room_needed(const struct job *job, uint64_t *out,
                                                   struct reshard_error *error);

/* Local. Bytes of memory that a process can still get on this machine (/proc/meminfo); UINT64_MAX
 * where the system does not say. */
uint64_t room_free(void);

/* Local. The files that one process of a job, the simulation or the launcher, may have open at
 * once; and how many this process and those that it starts may have, after its limit was raised as
 * far as it goes. */
uint64_t room_descriptors_needed(const struct job *job);
uint64_t room_descriptors_free(void);

#endif
