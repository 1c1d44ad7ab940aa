#include "parallel/group.h"

#include "core/argument.h"
#include "core/digest.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
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
    enum group_operation operation; /* the one under way, if any is */
    uint32_t depth;                 /* how many have begun and not ended: those within it, too */
    uint32_t number;                /* of operations that have begun */
    uint32_t agreements;            /* of the one under way */
    bool is_broken;                 /* MPI has failed */
    uint32_t closer;                /* 1 + the rank that closed the group while others did not */
};

static enum reshard_status mpi_failed(struct reshard_group *group, int code, const char *what,
                                      struct reshard_error *error)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length;

    group->is_broken = true;
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
    return code == MPI_SUCCESS ? RESHARD_OK : mpi_failed(group, code, "reduce", error);
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
    return code == MPI_SUCCESS ? RESHARD_OK : mpi_failed(group, code, "broadcast", error);
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
    return code == MPI_SUCCESS ? RESHARD_OK : mpi_failed(group, code, "gather", error);
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
    return code == MPI_SUCCESS ? RESHARD_OK : mpi_failed(group, code, "exchange", error);
}

/* ---- which operation ------------------------------------------------------------------------- */

/* Where a rank is: its operation, the number of it, and of the agreement in it, in one word. */
enum { AGREEMENT_BITS = 24, NUMBER_BITS = 32 };

static int64_t encode_place(const struct reshard_group *group)
{
    const uint64_t agreement = group->agreements & ((1u << AGREEMENT_BITS) - 1);

    return (int64_t)((uint64_t)group->operation << (NUMBER_BITS + AGREEMENT_BITS) |
                     (uint64_t)group->number << AGREEMENT_BITS | agreement);
}

static const char *operation_text(int64_t place)
{
    static const char *const texts[] = {
        [GROUP_AGREEMENT] = "an agreement of the program's own",
        [GROUP_SAVE] = "a save",
        [GROUP_LOAD] = "a load",
        [GROUP_EXCHANGE] = "an exchange",
        [GROUP_MANIFEST_READ] = "the reading of a manifest",
        [GROUP_LATEST_FIND] = "a search for the latest checkpoint",
        [GROUP_DIGEST] = "a digest of its state",
        [GROUP_CLOSE] = "the end of its group",
    };

    return texts[place >> (NUMBER_BITS + AGREEMENT_BITS)];
}

/* "3rd" and so on. */
static const char *ending(uint32_t number)
{
    static const char *const endings[] = {"th", "st", "nd", "rd"};
    const uint32_t last = number % 10;

    return last > 3 || number / 10 % 10 == 1 ? "th" : endings[last];
}

static void print_place(int64_t place, int64_t other, char *text, size_t size)
{
    const uint32_t number = (uint32_t)(place >> AGREEMENT_BITS);
    const size_t used = (size_t)snprintf(text, size, "%" PRIu32 "%s, %s", number, ending(number),
                                         operation_text(place));

    if (place >> AGREEMENT_BITS == other >> AGREEMENT_BITS)
        snprintf(text + used, size - used, " (at its agreement %" PRId64 ")",
                 place & ((1 << AGREEMENT_BITS) - 1));
}

/* Ranks are not at the same place: say at which the first one that is elsewhere is, and rank 0; and
 * remember who has closed the group, for it has ended. [collective] */
static enum reshard_status explain_places(struct reshard_group *group, int64_t place,
                                          struct reshard_error *error)
{
    const bool closes = group->operation == GROUP_CLOSE;
    int64_t first = place, other = place, word[2];
    char there[128], here[128];
    enum reshard_status status = broadcast_from(group, &first, (int)sizeof first, 0, error);
    uint32_t rank;

    if (status)
        return status;
    word[0] = place != first ? (int64_t)(UINT32_MAX - group->rank) : -1; /* the lowest such rank */
    word[1] = closes ? (int64_t)(UINT32_MAX - group->rank) : -1;
    status = group_allreduce(group, word, 2, MPI_INT64_T, MPI_MAX, error);
    if (status)
        return status;
    rank = UINT32_MAX - (uint32_t)word[0];
    status = broadcast_from(group, &other, (int)sizeof other, (int)rank, error);
    if (status)
        return status;
    if (word[1] >= 0)
        group->closer = 1 + UINT32_MAX - (uint32_t)word[1];
    print_place(other, first, there, sizeof there);
    print_place(first, other, here, sizeof here);
    reshard_error_clear(error);
    return reshard_error_set(error, RESHARD_EMISMATCH,
                             "the ranks do not do the same: rank %" PRIu32
                             " is in its operation %s, and rank 0 in its %s. Every rank must call "
                             "the same functions of a group in the same order",
                             rank, there, here);
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

/* The worst outcome of all ranks is everybody's: whose it is says what went wrong. [collective] */
static enum reshard_status take_worst(struct reshard_group *group, int64_t largest, bool is_all,
                                      struct reshard_error *error)
{
    const enum reshard_status agreed = (enum reshard_status)(largest >> 32);
    const int root = (int)(UINT32_MAX - (uint32_t)(largest & UINT32_MAX));
    struct reshard_error worst = RESHARD_ERROR_INIT;
    enum reshard_status status;

    if (group->rank == (uint64_t)root) {
        if (error)
            worst = *error;
        worst.status = agreed;
        if (worst.text[0] == '\0')
            reshard_error_append(&worst, "%s", reshard_status_text(agreed));
        if (!is_all)
            reshard_error_prefix(&worst, "rank %d", root);
    }
    status = broadcast_from(group, &worst, (int)sizeof worst, root, error);
    if (status)
        return status;
    if (error)
        *error = worst;
    return agreed;
}

/* One reduction: the outcomes, and where in which operation each rank is. [collective] */
static enum reshard_status agree(struct reshard_group *group, enum reshard_status mine,
                                 struct reshard_error *error)
{
    const enum reshard_status own = known_status(mine);
    const int64_t place = encode_place(group);
    /* The largest outcome, and the largest of the negated ones: the smallest. Places likewise. */
    int64_t word[4] = {encode_outcome(own, group->rank), -(int64_t)own, place, -place};
    enum reshard_status status;

    group->agreements++;
    status = group_allreduce(group, word, 4, MPI_INT64_T, MPI_MAX, error);
    if (status)
        return status;
    if (word[2] != -word[3])
        return explain_places(group, place, error);
    if (word[0] >> 32 == RESHARD_OK)
        return RESHARD_OK;
    return take_worst(group, word[0], -word[1] == word[0] >> 32, error);
}

enum reshard_status group_begin(struct reshard_group *group, enum group_operation operation,
                                enum reshard_status mine, struct reshard_error *error)
{
    enum reshard_status status = CHECK_ARGUMENTS(error, ARGUMENT(group));

    if (status)
        return status;
    if (group->closer) {
        reshard_error_clear(error);
        return reshard_error_set(error, RESHARD_EMISMATCH,
                                 "the group has ended: rank %" PRIu32 " has closed it",
                                 group->closer - 1);
    }
    if (group->depth++ == 0) {
        group->operation = operation;
        group->number++;
        group->agreements = 0;
    }
    status = agree(group, mine, error);
    if (status)
        group_end(group);
    return status;
}

void group_end(struct reshard_group *group)
{
    group->depth--;
}

enum reshard_status reshard_group_agree(struct reshard_group *group, enum reshard_status mine,
                                        struct reshard_error *error)
{
    enum reshard_status status;

    if (group && group->depth > 0)
        return agree(group, mine, error);
    status = group_begin(group, GROUP_AGREEMENT, mine, error);
    if (!status)
        group_end(group);
    return status;
}

/* ---- values ---------------------------------------------------------------------------------- */

enum { VALUE_TEXT_MAX = 256 };

struct said {
    uint64_t value;
    char text[VALUE_TEXT_MAX];
};

static struct said said_of(const struct group_value *value)
{
    struct said said = {.value = value->value};

    if (value->text)
        snprintf(said.text, sizeof said.text, "%.*s", VALUE_TEXT_MAX - 1, value->text);
    else
        snprintf(said.text, sizeof said.text, "%" PRIu64, value->value);
    return said;
}

/* Say who differs, where it is known that somebody does. [collective] */
static enum reshard_status explain_value(struct reshard_group *group,
                                         const struct group_value *value,
                                         struct reshard_error *error)
{
    struct reshard_error text = RESHARD_ERROR_INIT;
    const struct said mine = said_of(value);
    struct said first = mine;
    enum reshard_status status = group_broadcast(group, &first, sizeof first, error);

    if (status)
        return status;
    if (mine.value != first.value) {
        status =
            reshard_error_set(&text, RESHARD_EMISMATCH, "%s differs from rank 0's", value->what);
        if (strcmp(mine.text, first.text) != 0)
            reshard_error_append(&text, " ('%s', there '%s')", mine.text, first.text);
    }
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
            status =
                (values[i].explain ? values[i].explain : explain_value)(group, &values[i], error);
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
        return mpi_failed(group, code, "find the ranks of a node", error);
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

/* The first line of what MPI says that it is. */
static void print_library(char *text)
{
    int length = 0;

    MPI_Get_library_version(text, &length);
    text[length] = '\0';
    text[strcspn(text, "\t\r\n,")] = '\0';
}

/* A rank that is alone for MPI, and of several for its launcher, is one of several that all think
 * so. */
static enum reshard_status check_alone(const struct reshard_group *group,
                                       const struct reshard_group_options *options,
                                       struct reshard_error *error)
{
    char library[MPI_MAX_LIBRARY_VERSION_STRING + 1];
    const char *variable, *value;

    if ((options && options->allow_singleton) || !group->host->ops->started ||
        group->host->ops->started(group->host) != 1 || !environment_has_more(&variable, &value))
        return RESHARD_OK;
    print_library(library);
    return reshard_error_set(
        error, RESHARD_EMISMATCH,
        "MPI has started this one rank, but %s is %s: was the program started by the launcher of "
        "another MPI? It is linked with %.60s: start it with that MPI's own mpiexec "
        "(mpiexec.mpich, mpirun.openmpi), or with srun --mpi=pmi2 or --mpi=pmix; a program that "
        "means to be alone sets allow_singleton",
        variable, value, library);
}

static enum reshard_status agree_on_master(struct reshard_group *group,
                                           const struct reshard_environment *environment,
                                           struct reshard_error *error)
{
    const char *addr = environment->master_addr ? environment->master_addr : "";
    const char *port = environment->master_port ? environment->master_port : "";
    const struct group_value values[] = {
        {.value = digest_crc(0, addr, strlen(addr) + 1), .what = "MASTER_ADDR", .text = addr},
        {.value = digest_crc(0, port, strlen(port) + 1), .what = "MASTER_PORT", .text = port},
    };

    return group_agree_values(group, values, 2, error);
}

static void discard(struct reshard_group *group)
{
    MPI_Comm_free(&group->comm);
    free(group);
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

    if (out)
        *out = NULL;
    reshard_error_clear(error);
    if (comm == MPI_COMM_NULL)
        return reshard_error_set(error, RESHARD_EINVAL, "the communicator is MPI_COMM_NULL");
    opening.host = options && options->host ? options->host : reshard_host_real();
    code = MPI_Comm_dup(comm, &opening.comm);
    if (code != MPI_SUCCESS)
        return mpi_failed(&opening, code, "duplicate the communicator", error);
    MPI_Comm_set_errhandler(opening.comm, MPI_ERRORS_RETURN);
    MPI_Comm_rank(opening.comm, &rank);
    MPI_Comm_size(opening.comm, &size);
    opening.rank = (uint64_t)rank;
    opening.world = (uint64_t)size;
    group = malloc(sizeof *group);
    status = CHECK_ARGUMENTS(error, ARGUMENT(out));
    if (!status)
        status = check_alone(&opening, options, error);
    status = reshard_group_agree(&opening, status || group ? status : RESHARD_ENOMEM, error);
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
        discard(group);
        return status;
    }
    group->number = 0; /* what was agreed on here is no operation of the group's */
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
    /* Who does something else is told; the group ends in any case. */
    if (!group->is_broken && !group_begin(group, GROUP_CLOSE, RESHARD_OK, NULL))
        group_end(group);
    discard(group);
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
