/*
 * The machine that a rank runs on, as far as the engine has to know: how to wait for MPI, and what
 * work costs where time is simulated. Two implementations: reality (below), where waiting yields
 * the processor (MPICH spins without yielding: a barrier of 16 ranks on 2 cores takes 100 ms so,
 * 0.7 ms with yields) and work takes the time it takes; and the simulation's, where waiting blocks
 * in MPI and work is charged in simulated seconds.
 */
#ifndef RESHARD_HOST_H
#define RESHARD_HOST_H

#include "core/status.h"

#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum reshard_work {
    RESHARD_WORK_TO_HOST,   /* bytes staged from device to host memory */
    RESHARD_WORK_TO_DEVICE, /* bytes placed from host to device memory */
    RESHARD_WORK_DIGEST,    /* bytes that go through the digest */
};

struct reshard_host;

struct reshard_host_ops {
    /* Wait for a request; an MPI error code. NULL: the engine uses blocking MPI calls instead of
     * starting a request and waiting for it. */
    int (*wait)(struct reshard_host *host, MPI_Request *request);
    /* Account for work on that many bytes. NULL: work takes its own time. */
    void (*charge)(struct reshard_host *host, enum reshard_work work, uint64_t bytes);
    /* How many ranks MPI has started in all. NULL: what the process's environment says of that is
     * not of these ranks, since they are simulated in it. */
    uint64_t (*started)(struct reshard_host *host);
    /* A phase of an operation ended, having moved that many bytes. NULL: nobody listens. */
    void (*phase)(struct reshard_host *host, const char *verb, const char *phase, uint64_t bytes);
    /* Wait before attempt `attempt` + 2 at what another rank has done to storage and this rank
     * cannot see yet; false: do not wait, do not try again. NULL: nobody waits. Reality waits some
     * 5 s in all, in 10 attempts of doubling length: network file systems cache names and
     * attributes. */
    bool (*pause)(struct reshard_host *host, uint32_t attempt);
    /* Bytes that nobody has drawn before. NULL: the kernel's getrandom(). */
    void (*random)(struct reshard_host *host, void *bytes, size_t count);
};

/* Implementations embed this first. */
struct reshard_host {
    const struct reshard_host_ops *ops;
};

/* Reality; stateless, shared by all. Hosts of one's own that are real can take its operations. */
struct reshard_host *reshard_host_real(void);

/* EIO when the kernel has none. At most 256 bytes. */
RESHARD_MUST_CHECK enum reshard_status host_random(struct reshard_host *host, void *bytes,
                                                   size_t count, struct reshard_error *error);

bool host_pause(struct reshard_host *host, uint32_t attempt);
void host_charge(struct reshard_host *host, enum reshard_work work, uint64_t bytes);
void host_phase(struct reshard_host *host, const char *verb, const char *phase, uint64_t bytes);

#ifdef __cplusplus
}
#endif

#endif
