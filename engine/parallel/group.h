/*
 * The ranks that work together: a communicator of our own, each rank's place in it, and agreement.
 *
 * A [collective] function is called by every rank of the group, in the same order, and returns the
 * same status and error text on each of them. The rule that makes this so is *local work, agree,
 * act*: between two agreements a rank does only local work, and whatever fails it still reaches the
 * next agreement. After EMPI the group is not usable: close it and leave.
 *
 * Each call of a collective function on a group is an *operation*, and the first thing in it is an
 * agreement, which carries which operation it is and how many came before. So ranks that call
 * different ones, a save here and a load there, find out before any other message: EMISMATCH on all
 * of them, in words, and the group is as good as before. Where one of them was
 * reshard_group_close(), the group has ended for all: what the others call on it from there on is
 * EMISMATCH at once.
 *
 * Three things cannot be found out so, and make the other ranks wait: a rank that calls nothing at
 * all, one that ends or hangs, and one whose group is NULL, which has no way to the others: its
 * call alone returns EINVAL. A rank that has lost its group should end the job (MPI_Abort).
 */
#ifndef RESHARD_GROUP_H
#define RESHARD_GROUP_H

#include "core/status.h"
#include "parallel/environment.h"
#include "parallel/host.h"

#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct reshard_group;

/* Zero is the default throughout. */
struct reshard_group_options {
    const struct reshard_environment *environment; /* NULL: nothing is set. Borrowed for the call */
    struct reshard_host *host; /* NULL: reality. Borrowed until the group is closed */
    uint32_t devices;          /* of each node; 0: one for each rank of the node */
    bool allow_singleton;      /* to be alone where the launcher has started more */
};

/*
 * [collective over comm] Duplicate the communicator and find each rank's place. What the
 * environment says must agree with the communicator (EMISMATCH names both); what it leaves out
 * comes from MPI: the local rank is the place among the ranks that share memory. MASTER_ADDR and
 * MASTER_PORT must be the same on all ranks. The caller owns *out.
 *
 * Where MPI has started this one rank and no other, but the process's own environment has PMI_SIZE,
 * OMPI_COMM_WORLD_SIZE, PMIX_RANK, SLURM_STEP_NUM_TASKS or WORLD_SIZE of a launcher that has
 * started more, EMISMATCH says so, and what to do: such ranks, started by another MPI's launcher,
 * do not know of each other, and each would save and load as if it were the whole job. This is not
 * asked of simulated ranks (parallel/host.h), and `allow_singleton` lets it be.
 */
RESHARD_MUST_CHECK enum reshard_status
reshard_group_open(struct reshard_group **out, MPI_Comm comm,
                   const struct reshard_group_options *options, struct reshard_error *error);

/* [collective] End the group. Accepts NULL, and then ends nothing. */
void reshard_group_close(struct reshard_group *group);

/* Local. A rank's place. The device is its local rank modulo the devices of a node: a place on the
 * node, never the global rank. */
uint64_t reshard_group_rank(const struct reshard_group *group);
uint64_t reshard_group_world(const struct reshard_group *group);
uint64_t reshard_group_local_rank(const struct reshard_group *group);
uint64_t reshard_group_local_world(const struct reshard_group *group);
uint32_t reshard_group_device(const struct reshard_group *group);

/*
 * [collective] Agree on an outcome: the highest status of all ranks, with the text of the lowest
 * rank that had it, "rank K: " before it when the ranks' outcomes differ. What is no status counts
 * as EIO.
 */
RESHARD_MUST_CHECK enum reshard_status reshard_group_agree(struct reshard_group *group,
                                                           enum reshard_status mine,
                                                           struct reshard_error *error);

/* ---- for the engine's own use ---------------------------------------------------------------- */

enum group_operation {
    GROUP_AGREEMENT, /* reshard_group_agree(), called by the program */
    GROUP_SAVE,
    GROUP_LOAD,
    GROUP_EXCHANGE,
    GROUP_MANIFEST_READ,
    GROUP_LATEST_FIND,
    GROUP_DIGEST,
    GROUP_CLOSE,
};

/*
 * [collective] Begin an operation, with this rank's outcome of looking at its arguments: the first
 * communication of each. EINVAL, alone, where `group` is NULL. An operation that calls another one
 * goes on: the inner one is part of it. Only after OK the end of it follows, which is local.
 */
RESHARD_MUST_CHECK enum reshard_status group_begin(struct reshard_group *group,
                                                   enum group_operation operation,
                                                   enum reshard_status mine,
                                                   struct reshard_error *error);
void group_end(struct reshard_group *group);

/* The following are [collective], with EMPI on failure. Counts are equal on all ranks. */
struct reshard_host *group_host(const struct reshard_group *group);

/* Bytes from rank 0 to all, any size. */
RESHARD_MUST_CHECK enum reshard_status group_broadcast(struct reshard_group *group, void *bytes,
                                                       uint64_t count, struct reshard_error *error);
RESHARD_MUST_CHECK enum reshard_status group_allreduce(struct reshard_group *group, void *values,
                                                       int count, MPI_Datatype type, MPI_Op op,
                                                       struct reshard_error *error);
/* `bytes` from each rank to rank 0, whose `all` has world * bytes. */
RESHARD_MUST_CHECK enum reshard_status group_gather(struct reshard_group *group, const void *mine,
                                                    void *all, int bytes,
                                                    struct reshard_error *error);

/* Not collective: bytes to one rank and from another at the same time, which do their part of it
 * likewise; 0 bytes are not sent. At most INT_MAX each. */
struct group_message {
    void *bytes;
    uint64_t count;
    uint64_t rank; /* the other side */
};
RESHARD_MUST_CHECK enum reshard_status group_exchange(struct reshard_group *group,
                                                      const struct group_message *send,
                                                      const struct group_message *receive,
                                                      struct reshard_error *error);

/* A number that must be the same on all ranks, and what it is, for the message. */
struct group_value {
    uint64_t value;
    const char *what;
    const char *text; /* what the number stands for on this rank; NULL: the number says it itself,
                         "": nothing does */
    /* [collective] Where it differs: EMISMATCH that says how. NULL: by number or text. */
    enum reshard_status (*explain)(struct reshard_group *group, const struct group_value *value,
                                   struct reshard_error *error);
    const void *of; /* for explain() */
};
enum { GROUP_VALUES_MAX = 8 };

/* OK when each of the values is the same on all ranks; else EMISMATCH naming the first one that is
 * not, and the first rank that differs from rank 0. One reduction for all of them. */
RESHARD_MUST_CHECK enum reshard_status group_agree_values(struct reshard_group *group,
                                                          const struct group_value *values,
                                                          uint32_t count,
                                                          struct reshard_error *error);

#ifdef __cplusplus
}
#endif

#endif
