/*
 * "Do ordinary tools read this?" Asked of libhdf5, in a child process: files can be made so that
 * the library crashes, loops or ends the process, and then that is the answer. The child sees the
 * memory of the asker as it was at the first question, answers any number of them, and is replaced
 * after one that found a fault. It has limits of CPU time, memory and life, and dies with the
 * thread that asks.
 *
 * Local. One thread asks, and no other may be inside the verifier while it does. Costs one process,
 * and one descriptor, at a time.
 */
#ifndef VERIFY_ORDINARY_H
#define VERIFY_ORDINARY_H

#include "core/status.h"

#include <stdint.h>
#include <sys/types.h>

/* What is asked, in the child: the status and its error are the answer. */
typedef enum reshard_status verify_ordinary_judge(const void *context, uint32_t number,
                                                  struct reshard_error *error);

struct verify_ordinary {
    verify_ordinary_judge *judge;
    const void *context;
    unsigned seconds; /* of CPU time for a question, rounded up to the next whole one */
    size_t bytes;     /* of memory beside what the asker has */
    pid_t child;      /* 0 while there is none */
    int socket;
};

/* Prepare; nothing is started before the first question. */
struct verify_ordinary verify_ordinary_begin(verify_ordinary_judge *judge, const void *context,
                                             unsigned seconds, size_t bytes);
void verify_ordinary_end(struct verify_ordinary *ordinary);

/* The judge's answer about `number`; EFORMAT, saying how, where the child did not live to give one.
 * ENOMEM where none can be started. */
RESHARD_MUST_CHECK enum reshard_status
verify_ordinary_ask(struct verify_ordinary *ordinary, uint32_t number, struct reshard_error *error);

#endif
