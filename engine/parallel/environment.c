#include "parallel/environment.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void reshard_environment_from_process(struct reshard_environment *out)
{
    *out = (struct reshard_environment){
        .master_addr = getenv("MASTER_ADDR"),
        .master_port = getenv("MASTER_PORT"),
        .rank = getenv("RANK"),
        .world_size = getenv("WORLD_SIZE"),
        .local_rank = getenv("LOCAL_RANK"),
        .local_world_size = getenv("LOCAL_WORLD_SIZE"),
    };
}

static enum reshard_status parse_number(const char *name, const char *text, int64_t least,
                                        int64_t most, int64_t *out, struct reshard_error *error)
{
    char *end;

    *out = -1;
    if (!text)
        return RESHARD_OK;
    errno = 0;
    *out = isdigit((unsigned char)text[0]) ? strtoll(text, &end, 10) : -1;
    if (*out < 0 || errno || *end || *out < least || *out > most)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "%s is '%s'; it must be a whole number from %" PRId64
                                 " to %" PRId64,
                                 name, text, least, most);
    return RESHARD_OK;
}

/* Variables by which launchers say how many ranks there are, or which of them this is. */
static const struct launcher {
    const char *variable;
    bool is_rank; /* counted from 0, so that the world is larger by one at least */
    bool of_mpi;  /* what starts MPI's ranks: one, if it says so */
} launchers[] = {
    {"PMI_SIZE", false, true},             /* MPICH's mpiexec; srun --mpi=pmi2 */
    {"OMPI_COMM_WORLD_SIZE", false, true}, /* Open MPI's mpirun */
    {"PMIX_RANK", true, false},            /* srun --mpi=pmix, prterun */
    {"SLURM_STEP_NUM_TASKS", false, false},
    {"WORLD_SIZE", false, false}, /* torchrun */
};

/* The ranks that a launcher's variable speaks of; 0 where it is not set, or says nothing. */
static int64_t ranks_by(const struct launcher *launcher)
{
    const char *text = getenv(launcher->variable);
    int64_t number;

    if (!text || parse_number(launcher->variable, text, 0, INT32_MAX - 1, &number, NULL))
        return 0;
    return launcher->is_rank ? number + 1 : number;
}

bool environment_has_more(const char **variable, const char **value)
{
    const struct launcher *more = NULL;

    for (size_t i = 0; i < sizeof launchers / sizeof *launchers; i++) {
        const int64_t ranks = ranks_by(&launchers[i]);
        if (launchers[i].of_mpi && ranks == 1)
            return false;
        if (ranks > 1 && !more)
            more = &launchers[i];
    }
    if (!more)
        return false;
    *variable = more->variable;
    *value = getenv(more->variable);
    return true;
}

/* A rank must be below its world's size, where both are given. */
static enum reshard_status check_below(const char *name, int64_t value, const char *limit_name,
                                       int64_t limit, struct reshard_error *error)
{
    if (value >= 0 && limit >= 0 && value >= limit)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "%s is %" PRId64 ", but %s is %" PRId64 "; ranks count from 0",
                                 name, value, limit_name, limit);
    return RESHARD_OK;
}

static enum reshard_status check_address(const char *address, struct reshard_error *error)
{
    const size_t length = address ? strlen(address) : 1;

    if (length == 0 || length > 253)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "MASTER_ADDR has %zu characters; a host name has 1 to 253",
                                 length);
    for (const char *c = address; c && *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-_.:[]%", *c))
            return reshard_error_set(error, RESHARD_EINVAL,
                                     "MASTER_ADDR is '%s'; it must be a host name or an address",
                                     address);
    return RESHARD_OK;
}

enum reshard_status environment_parse(const struct reshard_environment *environment,
                                      struct environment_values *out, struct reshard_error *error)
{
    const struct {
        const char *name, *text;
        int64_t least, most;
        int64_t *value;
    } numbers[] = {
        {"MASTER_PORT", environment->master_port, 1, 65535, &out->master_port},
        {"WORLD_SIZE", environment->world_size, 1, INT32_MAX, &out->world_size},
        {"RANK", environment->rank, 0, INT32_MAX - 1, &out->rank},
        {"LOCAL_WORLD_SIZE", environment->local_world_size, 1, INT32_MAX, &out->local_world_size},
        {"LOCAL_RANK", environment->local_rank, 0, INT32_MAX - 1, &out->local_rank},
    };
    enum reshard_status status = check_address(environment->master_addr, error);

    for (size_t i = 0; !status && i < sizeof numbers / sizeof *numbers; i++)
        status = parse_number(numbers[i].name, numbers[i].text, numbers[i].least, numbers[i].most,
                              numbers[i].value, error);
    if (!status)
        status = check_below("RANK", out->rank, "WORLD_SIZE", out->world_size, error);
    if (!status)
        status = check_below("LOCAL_RANK", out->local_rank, "LOCAL_WORLD_SIZE",
                             out->local_world_size, error);
    if (!status)
        status = check_below("LOCAL_RANK", out->local_rank, "WORLD_SIZE", out->world_size, error);
    if (!status && out->world_size >= 0 && out->local_world_size > out->world_size)
        status = reshard_error_set(error, RESHARD_EINVAL,
                                   "LOCAL_WORLD_SIZE is %" PRId64 ", but WORLD_SIZE is %" PRId64
                                   "; a node cannot have more ranks than the job",
                                   out->local_world_size, out->world_size);
    return status;
}
