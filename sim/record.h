/*
 * A rank's record: what happened on it, as event lines in memory, written out when the rank reaches
 * the end of its job and not before. A record that exists and ends with "end" is the proof that the
 * rank got there; launchers cannot be asked (a deadlocked simulation exits with 0).
 *
 * An event line is `TIME RANK VERB PHASE BYTES`, time in seconds since the job began with nine
 * decimals: simulated seconds in a simulation, else wall clock. All functions are local.
 */
#ifndef RESHARD_SIM_RECORD_H
#define RESHARD_SIM_RECORD_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct record {
    uint64_t rank;
    char *text;
    size_t bytes;
    size_t capacity;
    bool incomplete; /* memory ran out for a line: the record must not be written */
};

#define RECORD_INIT(rank)                                                                          \
    {                                                                                              \
        (rank), NULL, 0, 0, false                                                                  \
    }

/* Append a line. Events are reported from where no error can be returned: a failure is kept, and
 * record_write() returns it. */
void record_event(struct record *record, double seconds, const char *verb, const char *phase,
                  uint64_t bytes);

/* Write the lines and "end" to `path`, by way of a temporary name, so that the file is whole when
 * it is there. ENOMEM when lines are missing; EIO, ENOSPC, naming the file. */
RESHARD_MUST_CHECK enum reshard_status record_write(const struct record *record, const char *path,
                                                    struct reshard_error *error);

void record_release(struct record *record); /* accepts an empty one */

#endif
