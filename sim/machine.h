/*
 * The machine under a rank: its environment, host, store and clock. There are two, and a program is
 * linked with one of them: machine_sim.c, a simulated cluster as the job describes it, and
 * machine_real.c, the machine as it is. Nothing else in a rank's program knows which it runs on.
 *
 * All functions are local; MPI must have been initialised.
 */
#ifndef RESHARD_SIM_MACHINE_H
#define RESHARD_SIM_MACHINE_H

#include "core/store.h"
#include "parallel/environment.h"
#include "parallel/host.h"
#include "sim/job.h"
#include "sim/record.h"

struct machine;

/* EINVAL when the job was written for the other machine, or the platform is not the job's. `job` is
 * borrowed. */
RESHARD_MUST_CHECK enum reshard_status machine_open(struct machine **out, const struct job *job,
                                                    uint64_t rank, struct reshard_error *error);
void machine_close(struct machine *machine); /* accepts NULL */

/* All of these are the machine's: borrowed until it is closed. */
void machine_environment(const struct machine *machine, struct reshard_environment *out);
struct reshard_host *machine_host(struct machine *machine);
struct store *machine_store(struct machine *machine);
const struct record *machine_record(const struct machine *machine);

/* Seconds since the job began: simulated or wall clock. */
double machine_seconds(const struct machine *machine);

#endif
