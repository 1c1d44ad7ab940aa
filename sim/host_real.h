/*
 * The host on real MPI: the engine's own reality, with its events written to a record. Seconds are
 * wall clock since the host was opened.
 */
#ifndef RESHARD_SIM_HOST_REAL_H
#define RESHARD_SIM_HOST_REAL_H

#include "parallel/host.h"
#include "sim/record.h"

struct host_real {
    struct reshard_host host; /* base, first */
    struct record *record;
    double begin;
};

/* Local. `record` is borrowed for as long as the host is used. */
void host_real_open(struct host_real *out, struct record *record);

/* Local. Seconds since the host was opened. */
double host_real_seconds(const struct host_real *host);

#endif
