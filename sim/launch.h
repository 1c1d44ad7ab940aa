/*
 * Launching one job: a world's ranks, simulated in one process by smpirun, or real ones by mpiexec
 * or whatever launcher is given; and the judgement whether it came to its end.
 *
 * That judgement rests on the end record that every rank leaves (sim/job.h) and on nothing else:
 * launchers exit 0 on deadlocks, on MPI_Abort, and when ranks were lost. All output of the job goes
 * to the file `log` in the job's folder.
 *
 * The job is a process group of its own, with nothing on standard input. It is ended, group and
 * all, when it exceeds its time, or when this process is asked to stop: launch_signals_begin()
 * turns SIGINT, SIGTERM, SIGHUP and SIGQUIT into something that launch_job() waits for together
 * with the job and returns from in an orderly way. Those that are ignored stay ignored, here and
 * in the job, as under nohup. When this process is killed, the launcher gets SIGTERM, and a guard
 * ends whatever is left of the group.
 *
 * The job has this process's environment, but for what another launcher told of this process's
 * place among others (RANK, WORLD_SIZE, PMI_… and the like): its ranks have places of their own.
 */
#ifndef RESHARD_SIM_LAUNCH_H
#define RESHARD_SIM_LAUNCH_H

#include "sim/guard.h"
#include "sim/job.h"

#include <signal.h>

enum { LAUNCH_TIMEOUT_DEFAULT = 900 }; /* seconds of wall time, for one job */

struct launch_options {
    const char *program;  /* the rank program: an executable; a shared object where simulated */
    const char *launcher; /* as a shell would split it, "-n RANKS" is appended; NULL: what the build
                             found, looked for on the PATH if it is gone */
    double timeout_seconds;    /* 0: LAUNCH_TIMEOUT_DEFAULT */
    const struct guard *guard; /* who ends the job when this process is killed; may be NULL */
};

enum launch_outcome {
    LAUNCH_ENDED,       /* every rank left its end record */
    LAUNCH_CRASHED,     /* some did not */
    LAUNCH_TIMED_OUT,   /* ended by us, as it exceeded its time */
    LAUNCH_INTERRUPTED, /* ended by us, as we are to stop */
    LAUNCH_UNAVAILABLE, /* never began: the launcher or the rank program lacks */
};

/*
 * Local. Run a job whose job file is `job.json` in its folder; where it is simulated, platform.xml
 * and hosts lie beside it. Returns how it ended, with what happened in `error`: which ranks left no
 * end record, exit status or signal, the end of the log.
 */
enum launch_outcome launch_job(const struct job *job, const struct launch_options *options,
                               struct reshard_error *error);

/* Files in a job's folder. */
#define LAUNCH_JOB_FILE "job.json"
#define LAUNCH_PLATFORM_FILE "platform.xml"
#define LAUNCH_HOSTS_FILE "hosts"
#define LAUNCH_LOG_FILE "log"

/* Local. Whether a launcher can be split into words as a shell would, and has any. */
bool launch_launcher_is_valid(const char *launcher);

/*
 * Local. From here to launch_signals_end(), a request to stop stays pending until launch_job() or
 * launch_interrupted() notices it. `saved` is the caller's, to be handed back.
 */
void launch_signals_begin(sigset_t *saved);
void launch_signals_end(const sigset_t *saved);

/* Local. Seconds on a clock that only goes forward, for measuring how long something took. */
double launch_now(void);

/* Local. Whether we were asked to stop. Does not forget: it stays true until the end. */
bool launch_interrupted(void);

#endif
