/*
 * A store that fails on demand: a real one, whose n-th operation is refused, once or from then on.
 * Faults are injected by count, so that a loop can fail the first operation, then the second, and
 * so on, until a run comes through without having met a fault.
 */
#ifndef RESHARD_TESTS_STORE_FAULTY_H
#define RESHARD_TESTS_STORE_FAULTY_H

#include "core/store.h"

struct store_faulty {
    struct store store; /* base, first */
    struct store *real;
    uint64_t fail_at; /* the operation that fails, counted from 1; 0: none */
    bool persistent;  /* every later one fails too */
    enum reshard_status status;
    uint64_t write_fails_above; /* writes of more bytes fail; 0: none does for that */
    bool no_locks;              /* files cannot be locked */
    const char *lost;  /* "rename" or "make directory": done, and reported as failed; NULL: none */
    uint64_t count;    /* operations so far */
    uint64_t injected; /* faults so far */
};

/* Local. Wrap `real`; the result is used as &out->store. */
void store_faulty_init(struct store_faulty *out, struct store *real);

#endif
