/*
 * A store on a simulated cluster: the files are real, the time is the cluster's. Transfers take
 * what the disk and, with storage servers, the network between would take; SimGrid shares both
 * among all that use them at once.
 *
 * The bytes of a write reach the real file at the end of its simulated duration, so that whatever
 * fails in between finds no data that cannot be there yet. A read costs its time when it succeeded.
 * Each operation on a name (open, create, make, rename, remove, list, examine), each lock and each
 * sync is a short message to the server and one back, and a block read from its disk, or written to
 * it where something changes, whether it succeeds or not; without servers it is the block alone. A
 * list costs no more for many names, a removal no more for many files. Nothing else does a file's
 * sync: durability is the simulated disk's, not this machine's. Allocation costs nothing.
 *
 * All else is the wrapped store's: its results, its messages.
 */
#ifndef RESHARD_SIM_STORE_SIM_H
#define RESHARD_SIM_STORE_SIM_H

#include "core/store.h"

/* What an operation on a name sends each way, and reads or writes. */
enum { STORE_SIM_MESSAGE_BYTES = 256, STORE_SIM_BLOCK_BYTES = 4096 };

struct store_sim {
    struct store store; /* base, first */
    struct store *real;
    uint32_t servers;
};

/* Local, in a simulated rank. Without `servers` a file is on the disk of the node that uses it.
 * With them, rank-00007.h5 is on the disk of the host "storage-K", K being 7 modulo the servers,
 * and files that carry no number are on storage-0. EINVAL when the platform lacks such a host or
 * disk. `real` is borrowed. */
RESHARD_MUST_CHECK enum reshard_status store_sim_open(struct store_sim *out, struct store *real,
                                                      uint32_t servers,
                                                      struct reshard_error *error);

/* Local. The server of a file: by the number at the end of its name's stem. Exposed for its test.
 */
uint32_t store_sim_server(const char *path, uint32_t servers);

#endif
