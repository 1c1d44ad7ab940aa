/*
 * The host on a simulated cluster: MPI calls block (each test of a request would cost simulated
 * time), and work takes simulated seconds: bytes over a stated bandwidth. No computation is timed,
 * so equal runs take equal simulated time on any machine.
 */
#ifndef RESHARD_SIM_HOST_SIM_H
#define RESHARD_SIM_HOST_SIM_H

#include "parallel/host.h"
#include "sim/record.h"

/*
 * Bytes per second that a rank digests. ISA-L's CRC-64 runs at 33 GB/s on one core from cache; from
 * memory, and with the shifts of strided pieces, 20 GB/s is what a rank can count on.
 */
#define HOST_SIM_DIGEST_BANDWIDTH 20e9

struct host_sim {
    struct reshard_host host; /* base, first */
    struct record *record;
    double device_bandwidth;
    uint64_t drawn; /* the state of what is drawn at random */
};

/* Local. `device_bandwidth` is that between a rank's device and its host memory, in bytes per
 * second; 0: state lives in host memory, staging costs nothing. What is drawn at random follows
 * from the seed, which two ranks, or two worlds of a scenario, must not share. `record` is
 * borrowed. */
void host_sim_open(struct host_sim *out, struct record *record, double device_bandwidth,
                   uint64_t seed);

#endif
