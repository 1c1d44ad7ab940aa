#include "parallel/group.h"

#include "core/digest.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { SUBSETS_MAX = 16 };

struct subset {
    uint64_t id;
    MPI_Comm comm;
};

struct reshard_group {
    struct subset subset[SUBSETS_MAX]; /* the last ones used, the next to be replaced at `next` */
    uint32_t subset_count;
    uint32_t subset_next;
    MPI_Comm comm; /* our own duplicate: no message of ours meets one of the caller's */
    struct reshard_host *host;
    uint64_t rank;
    uint64_t world;
    uint64_t local_rank;
    uint64_t local_world;
    uint32_t device;
};

static enum reshard_status mpi_failed(int code, const char *what, struct reshard_error *error)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length;

    MPI_Error_string(code, text, &length);
    return reshard_error_set(error, RESHARD_EMPI, "MPI cannot %s: %s", what, text);
}

/* ---- collectives ----------------------------------------------------------------------------- */

struct reshard_host *group_host(const struct reshard_group *group)
{
    return group->host;
}

MPI_Comm group_comm(const struct reshard_group *group)
{
    return group->comm;
}

enum reshard_status group_allreduce(struct reshard_group *group, MPI_Comm comm, void *values,
                                    int count, MPI_Datatype type, MPI_Op op,
                                    struct reshard_error *error)
{
    MPI_Request request;
    int code;

    if (!group->host->ops->wait) {
        code = MPI_Allreduce(MPI_IN_PLACE, values, count, type, op, comm);
    } else {
        code = MPI_Iallreduce(MPI_IN_PLACE, values, count, type, op, comm, &request);
        if (code == MPI_SUCCESS)
            code = group->host->ops->wait(group->host, &request);
    }
    return code == MPI_SUCCESS ? RESHARD_OK : mpi_failed(code, "reduce", error);
}

static enum reshard_status broadcast_from(struct reshard_group *group, void *bytes, int count,
                                          int root, struct reshard_error *error)
{
    MPI_Request request;
    int code;

    if (!group->host->ops->wait) {
        code = MPI_Bcast(bytes, count, MPI_BYTE, root, group->comm);
    } else {
        code = MPI_Ibcast(bytes, count, MPI_BYTE, root, group->comm, &request);
        if (code == MPI_SUCCESS)
            code = group->host->ops->wait(group->host, &request);
    }
    return code == MPI_SUCCESS ? RESHARD_OK : mpi_failed(code, "broadcast", error);
}

enum reshard_status group_broadcast(struct reshard_group *group, void *bytes, uint64_t count,
                                    struct reshard_error *error)
{
    char *next = bytes;

    while (count > 0) {
        const int part = count < INT_MAX ? (int)count : INT_MAX;
        const enum reshard_status status = broadcast_from(group, next, part, 0, error);
        if (status)
            return status;
        next += part;
        count -= (uint64_t)part;
    }
    return RESHARD_OK;
}

enum reshard_status group_gather(struct reshard_group *group, const void *mine, void *all,
                                 int bytes, struct reshard_error *error)
{
    MPI_Request request;
    int code;

    if (!group->host->ops->wait) {
        code = MPI_Gather(mine, bytes, MPI_BYTE, all, bytes, MPI_BYTE, 0, group->comm);
    } else {
        code = MPI_Igather(mine, bytes, MPI_BYTE, all, bytes, MPI_BYTE, 0, group->comm, &request);
        if (code == MPI_SUCCESS)
            code = group->host->ops->wait(group->host, &request);
    }
    return code == MPI_SUCCESS ? RESHARD_OK : mpi_failed(code, "gather", error);
}

/* The slot for a new subset; the ranks' tables are equal, so all of them evict the same one. */
static struct subset *subset_slot(struct reshard_group *group)
{
    struct subset *slot = &group->subset[group->subset_next];

    group->subset_next = (group->subset_next + 1) % SUBSETS_MAX;
    if (group->subset_count < SUBSETS_MAX)
        group->subset_count++;
    else
        MPI_Comm_free(&slot->comm);
    return slot;
}

enum reshard_status group_subset(struct reshard_group *group, uint64_t id, uint64_t color,
                                 MPI_Comm *out, struct reshard_error *error)
{
    struct subset *slot;
    MPI_Comm comm;
    int code;

    for (uint32_t i = 0; i < group->subset_count; i++) {
        if (group->subset[i].id == id) {
            *out = group->subset[i].comm;
            return RESHARD_OK;
        }
    }
    code = MPI_Comm_split(group->comm, (int)color, (int)group->rank, &comm);
    if (code != MPI_SUCCESS)
        return mpi_failed(code, "split the communicator", error);
    MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN);
    slot = subset_slot(group);
    *slot = (struct subset){id, comm};
    *out = comm;
    return RESHARD_OK;
}

/* ---- agreement ------------------------------------------------------------------------------- */

/* A status and the rank that has it in one word, so that one MAX finds the worst and, of the ranks
 * that have it, the lowest. */
static int64_t encode_outcome(enum reshard_status status, uint64_t rank)
{
    return (int64_t)((uint64_t)status << 32 | (UINT32_MAX - rank));
}

enum reshard_status group_agree(struct reshard_group *group, enum reshard_status mine,
                                struct reshard_error *error)
{
    struct reshard_error worst = RESHARD_ERROR_INIT;
    /* The largest outcome, and the largest of the negated ones: the smallest. */
    int64_t outcome[2] = {encode_outcome(mine, group->rank), -(int64_t)mine};
    enum reshard_status status, agreed;
    int root;

    status = group_allreduce(group, group->comm, outcome, 2, MPI_INT64_T, MPI_MAX, error);
    if (status)
        return status;
    agreed = (enum reshard_status)(outcome[0] >> 32);
    if (agreed == RESHARD_OK)
        return RESHARD_OK;
    root = (int)(UINT32_MAX - (uint32_t)(outcome[0] & UINT32_MAX));
    if (group->rank == (uint64_t)root) {
        if (error)
            worst = *error;
        worst.status = agreed;
        if (worst.text[0] == '\0')
            reshard_error_append(&worst, "%s", reshard_status_text(agreed));
        if (-outcome[1] != (int64_t)agreed)
            reshard_error_prefix(&worst, "rank %d", root);
    }
    status = broadcast_from(group, &worst, (int)sizeof worst, root, error);
    if (status)
        return status;
    if (error)
        *error = worst;
    return agreed;
}

enum reshard_status group_agree_value(struct reshard_group *group, uint64_t value, const char *what,
                                      struct reshard_error *error)
{
    struct reshard_error mine = RESHARD_ERROR_INIT;
    uint64_t first = value;
    enum reshard_status status = group_broadcast(group, &first, sizeof first, error);

    if (status)
        return status;
    if (value != first)
        status = reshard_error_set(
            &mine, RESHARD_EMISMATCH,
            "%s differs from rank 0's (%016" PRIx64 ", there %016" PRIx64 ")", what, value, first);
    status = group_agree(group, status, &mine);
    return status ? reshard_error_set(error, status, "%s", mine.text) : RESHARD_OK;
}

/* ---- opening --------------------------------------------------------------------------------- */

static enum reshard_status check_agrees(const char *name, int64_t stated, uint64_t actual,
                                        const char *what, struct reshard_error *error)
{
    if (stated >= 0 && (uint64_t)stated != actual)
        return reshard_error_set(error, RESHARD_EMISMATCH,
                                 "%s is %" PRId64 ", but MPI's %s is %" PRIu64, name, stated, what,
                                 actual);
    return RESHARD_OK;
}

/* This rank's place among those that share memory with it, as MPI sees it. */
static enum reshard_status place_on_node(struct reshard_group *group, struct reshard_error *error)
{
    int rank = 0, size = 1, code;
    MPI_Comm node;

    code = MPI_Comm_split_type(group->comm, MPI_COMM_TYPE_SHARED, (int)group->rank, MPI_INFO_NULL,
                               &node);
    if (code != MPI_SUCCESS)
        return mpi_failed(code, "find the ranks of a node", error);
    MPI_Comm_rank(node, &rank);
    MPI_Comm_size(node, &size);
    MPI_Comm_free(&node);
    group->local_rank = (uint64_t)rank;
    group->local_world = (uint64_t)size;
    return RESHARD_OK;
}

/* Where the environment states a place, launchers may know better than shared memory does (several
 * containers on a node, say): it wins, but it must be complete. */
static enum reshard_status stated_place(struct reshard_group *group,
                                        const struct environment_values *values,
                                        struct reshard_error *error)
{
    const uint64_t world =
        values->local_world_size >= 0 ? (uint64_t)values->local_world_size : group->local_world;
    const uint64_t rank =
        values->local_rank >= 0 ? (uint64_t)values->local_rank : group->local_rank;

    if (rank >= world)
        return reshard_error_set(error, RESHARD_EMISMATCH,
                                 "LOCAL_RANK is %" PRIu64 "%s, but the node has %" PRIu64
                                 " ranks%s",
                                 rank, values->local_rank >= 0 ? "" : " by MPI", world,
                                 values->local_world_size >= 0 ? " by LOCAL_WORLD_SIZE" : "");
    if (world > group->world)
        return reshard_error_set(error, RESHARD_EMISMATCH,
                                 "LOCAL_WORLD_SIZE is %" PRIu64 ", but the job has %" PRIu64
                                 " ranks in all",
                                 world, group->world);
    group->local_world = world;
    group->local_rank = rank;
    return RESHARD_OK;
}

static enum reshard_status read_environment(struct reshard_group *group,
                                            const struct reshard_environment *environment,
                                            struct reshard_error *error)
{
    struct environment_values values;
    enum reshard_status status = environment_parse(environment, &values, error);

    if (!status)
        status = check_agrees("WORLD_SIZE", values.world_size, group->world, "size", error);
    if (!status)
        status = check_agrees("RANK", values.rank, group->rank, "rank", error);
    if (!status)
        status = stated_place(group, &values, error);
    return status;
}

static enum reshard_status agree_on_master(struct reshard_group *group,
                                           const struct reshard_environment *environment,
                                           struct reshard_error *error)
{
    const char *const texts[] = {environment->master_addr, environment->master_port};
    static const char *const names[] = {"MASTER_ADDR", "MASTER_PORT"};

    for (int i = 0; i < 2; i++) {
        const char *text = texts[i] ? texts[i] : "";
        const enum reshard_status status =
            group_agree_value(group, digest_crc(0, text, strlen(text) + 1), names[i], error);
        if (status)
            return status;
    }
    return RESHARD_OK;
}

enum reshard_status reshard_group_open(struct reshard_group **out, MPI_Comm comm,
                                       const struct reshard_group_options *options,
                                       struct reshard_error *error)
{
    static const struct reshard_environment nothing = {0};
    const struct reshard_environment *environment =
        options && options->environment ? options->environment : &nothing;
    struct reshard_group opening = {0}, *group;
    enum reshard_status status;
    int rank = 0, size = 1, code;

    *out = NULL;
    reshard_error_clear(error);
    opening.host = options && options->host ? options->host : reshard_host_real();
    code = MPI_Comm_dup(comm, &opening.comm);
    if (code != MPI_SUCCESS)
        return mpi_failed(code, "duplicate the communicator", error);
    MPI_Comm_set_errhandler(opening.comm, MPI_ERRORS_RETURN);
    MPI_Comm_rank(opening.comm, &rank);
    MPI_Comm_size(opening.comm, &size);
    opening.rank = (uint64_t)rank;
    opening.world = (uint64_t)size;
    group = malloc(sizeof *group);
    status = group_agree(&opening, group ? RESHARD_OK : RESHARD_ENOMEM, error);
    if (status) {
        MPI_Comm_free(&opening.comm);
        free(group);
        return status;
    }
    *group = opening;
    status = place_on_node(group, error);
    if (!status)
        status = group_agree(group, read_environment(group, environment, error), error);
    if (!status)
        status = agree_on_master(group, environment, error);
    if (status) {
        reshard_group_close(group);
        return status;
    }
    group->device =
        (uint32_t)(group->local_rank %
                   (options && options->devices ? options->devices : group->local_world));
    *out = group;
    return RESHARD_OK;
}

void reshard_group_close(struct reshard_group *group)
{
    if (!group)
        return;
    for (uint32_t i = 0; i < group->subset_count; i++)
        MPI_Comm_free(&group->subset[i].comm);
    MPI_Comm_free(&group->comm);
    free(group);
}

uint64_t reshard_group_rank(const struct reshard_group *group)
{
    return group->rank;
}

uint64_t reshard_group_world(const struct reshard_group *group)
{
    return group->world;
}

uint64_t reshard_group_local_rank(const struct reshard_group *group)
{
    return group->local_rank;
}

uint64_t reshard_group_local_world(const struct reshard_group *group)
{
    return group->local_world;
}

uint32_t reshard_group_device(const struct reshard_group *group)
{
    return group->device;
}
