/*
 * What becomes of a run's processes and temporary files when the run itself is killed, which no
 * handler sees: a small process of its own waits for that. It holds one end of a pipe whose other
 * end only the run has; when that closes without a word, it ends the job's process group, politely
 * and then not, and removes the run's folder.
 *
 * All functions are local. The caller must be a process of one thread.
 */
#ifndef RESHARD_SIM_GUARD_H
#define RESHARD_SIM_GUARD_H

#include "core/status.h"

#include <sys/types.h>

struct guard {
    int pipe; /* to the process; below 0 where there is none */
    pid_t process;
};

/* Start one for `folder`, which is removed with all that is in it; NULL: for none. EIO when no
 * process can be had. */
RESHARD_MUST_CHECK enum reshard_status guard_open(struct guard *out, const char *folder,
                                                  struct reshard_error *error);

/* From now on a job of that process group belongs to the run; 0: no job any more. `guard` may be
 * NULL. */
void guard_watch(const struct guard *guard, pid_t group);

/* The run came to its end by itself: nothing is removed. Accepts one that was never opened, all
 * zero. */
void guard_close(struct guard *guard);

#endif
