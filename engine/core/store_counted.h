/*
 * A store that counts what it is asked for besides bytes: another store, and how many operations on
 * names, locks and syncs went to it. These are what a metadata server has to bear.
 */
#ifndef RESHARD_STORE_COUNTED_H
#define RESHARD_STORE_COUNTED_H

#include "core/store.h"

struct store_counted {
    struct store store; /* base, first */
    struct store *real;
    uint64_t operations; /* open, lock, sync, sync_directory, make_directory, rename, remove,
                            examine, list: each one, whether it succeeded or not */
};

/* Local. `real` is borrowed; the result is used as &out->store, and not moved. */
void store_counted_init(struct store_counted *out, struct store *real);

#endif
