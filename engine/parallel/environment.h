/*
 * The environment that launchers such as torchrun give a rank, as strings. The engine does not read
 * the process's own, which simulated ranks share: a helper fills the table from it for programs
 * that run one rank in each. One question alone is asked of the process itself, by
 * reshard_group_open() where MPI has started just one rank: whether a launcher has started more.
 */
#ifndef RESHARD_ENVIRONMENT_H
#define RESHARD_ENVIRONMENT_H

#include "core/status.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* NULL where a variable is absent. Strings are borrowed. */
struct reshard_environment {
    const char *master_addr;      /* MASTER_ADDR: a host name or address */
    const char *master_port;      /* MASTER_PORT: 1 to 65535 */
    const char *rank;             /* RANK: 0 to WORLD_SIZE - 1 */
    const char *world_size;       /* WORLD_SIZE */
    const char *local_rank;       /* LOCAL_RANK: 0 to LOCAL_WORLD_SIZE - 1, on this node */
    const char *local_world_size; /* LOCAL_WORLD_SIZE */
};

/* The same, read: -1 where absent. */
struct environment_values {
    int64_t master_port;
    int64_t rank;
    int64_t world_size;
    int64_t local_rank;
    int64_t local_world_size;
};

/* Local. Borrow the six variables from the process's environment (getenv). */
void reshard_environment_from_process(struct reshard_environment *out);

/* Local. Whether a launcher of this process says that it has started more ranks than one: by which
 * variable, and what it says, borrowed. Where the launcher of an MPI says that it is one, it is. */
bool environment_has_more(const char **variable, const char **value);

/* Local. Read and check each value by itself and against the others; EINVAL with the variable, its
 * value and what would be right. */
RESHARD_MUST_CHECK enum reshard_status
environment_parse(const struct reshard_environment *environment, struct environment_values *out,
                  struct reshard_error *error);

#ifdef __cplusplus
}
#endif

#endif
