#include "parallel/group.h"

#include "core/digest.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { EXCHANGE_TAG = 1 };

struct reshard_group {
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

enum reshard_status group_allreduce(struct reshard_group *group, void *values, int count,
                                    MPI_Datatype type, MPI_Op op, struct reshard_error *error)
{
    MPI_Request request;
    int code;

    if (!group->host->ops->wait) {
        code = MPI_Allreduce(MPI_IN_PLACE, values, count, type, op, group->comm);
    } else {
        code = MPI_Iallreduce(MPI_IN_PLACE, values, count, type, op, group->comm, &request);
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

/* Wait for one request, as this host waits. */
static int finish(struct reshard_group *group, MPI_Request *request)
{
    return group->host->ops->wait ? group->host->ops->wait(group->host, request)
                                  : MPI_Wait(request, MPI_STATUS_IGNORE);
}

enum reshard_status group_exchange(struct reshard_group *group, const struct group_message *send,
                                   const struct group_message *receive, struct reshard_error *error)
{
    MPI_Request incoming = MPI_REQUEST_NULL, outgoing = MPI_REQUEST_NULL;
    int code = MPI_SUCCESS, later;

    if (receive->count > 0)
        code = MPI_Irecv(receive->bytes, (int)receive->count, MPI_BYTE, (int)receive->rank,
                         EXCHANGE_TAG, group->comm, &incoming);
    if (code == MPI_SUCCESS && send->count > 0)
        code = MPI_Isend(send->bytes, (int)send->count, MPI_BYTE, (int)send->rank, EXCHANGE_TAG,
                         group->comm, &outgoing);
    if (code == MPI_SUCCESS && incoming != MPI_REQUEST_NULL)
        code = finish(group, &incoming);
    if (outgoing != MPI_REQUEST_NULL) {
        later = finish(group, &outgoing);
        code = code == MPI_SUCCESS ? later : code;
    }
    return code == MPI_SUCCESS ? RESHARD_OK : mpi_failed(code, "exchange", error);
}

/* ---- agreement ------------------------------------------------------------------------------- */

/* Stores and devices are other people's, and may return what is no status: a negative one would be
 * lost among the ranks' outcomes, and the failure with it. */
static enum reshard_status known_status(enum reshard_status status)
{
    return (unsigned)status > RESHARD_EUNKNOWN ? RESHARD_EIO : status;
}

/* A status and the rank that has it in one word, so that one MAX finds the worst and, of the ranks
 * that have it, the lowest. */
static int64_t encode_outcome(enum reshard_status status, uint64_t rank)
{
    return (int64_t)((uint64_t)status << 32 | (UINT32_MAX - rank));
}

enum reshard_status reshard_group_agree(struct reshard_group *group, enum reshard_status mine,
                                        struct reshard_error *error)
{
    const enum reshard_status own = known_status(mine);
    struct reshard_error worst = RESHARD_ERROR_INIT;
    /* The largest outcome, and the largest of the negated ones: the smallest. */
    int64_t outcome[2] = {encode_outcome(own, group->rank), -(int64_t)own};
    enum reshard_status status, agreed;
    int root;

    status = group_allreduce(group, outcome, 2, MPI_INT64_T, MPI_MAX, error);
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

/* Say who differs, where it is known that somebody does. */
static enum reshard_status explain_value(struct reshard_group *group,
                                         const struct group_value *mine,
                                         struct reshard_error *error)
{
    struct reshard_error text = RESHARD_ERROR_INIT;
    uint64_t first = mine->value;
    enum reshard_status status = group_broadcast(group, &first, sizeof first, error);

    if (status)
        return status;
    if (mine->value != first)
        status =
            reshard_error_set(&text, RESHARD_EMISMATCH,
                              "%s differs from rank 0's (%016" PRIx64 ", there %016" PRIx64 ")",
                              mine->what, mine->value, first);
    status = reshard_group_agree(group, status, &text);
    return status ? reshard_error_set(error, status, "%s", text.text) : RESHARD_OK;
}

enum reshard_status group_agree_values(struct reshard_group *group,
                                       const struct group_value *values, uint32_t count,
                                       struct reshard_error *error)
{
    uint64_t extremes[2 * GROUP_VALUES_MAX]; /* the largest of each, and of its complement */
    enum reshard_status status;

    for (size_t i = 0; i < count; i++) {
        extremes[2 * i] = values[i].value;
        extremes[2 * i + 1] = ~values[i].value;
    }
    status = group_allreduce(group, extremes, (int)(2 * count), MPI_UINT64_T, MPI_MAX, error);
    for (size_t i = 0; !status && i < count; i++)
        if (extremes[2 * i] != ~extremes[2 * i + 1])
            status = explain_value(group, &values[i], error);
    return status;
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
    const char *addr = environment->master_addr ? environment->master_addr : "";
    const char *port = environment->master_port ? environment->master_port : "";
    const struct group_value values[] = {
        {digest_crc(0, addr, strlen(addr) + 1), "MASTER_ADDR"},
        {digest_crc(0, port, strlen(port) + 1), "MASTER_PORT"},
    };

    return group_agree_values(group, values, 2, error);
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
    status = reshard_group_agree(&opening, group ? RESHARD_OK : RESHARD_ENOMEM, error);
    if (status) {
        MPI_Comm_free(&opening.comm);
        free(group);
        return status;
    }
    *group = opening;
    status = place_on_node(group, error);
    if (!status)
        status = reshard_group_agree(group, read_environment(group, environment, error), error);
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
