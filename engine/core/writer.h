/*
 * Writing one rank's file: its head, then the rank's pieces, which stream from memory through one
 * aligned buffer into the file's arenas, and whose contributions to the digests are taken as they
 * go by, from that buffer, before any byte leaves. Then come the tables, the trailer and the sync.
 */
#ifndef RESHARD_WRITER_H
#define RESHARD_WRITER_H

#include "core/container.h"
#include "core/device.h"

enum { WRITER_BUFFER_BYTES = 4 * 1024 * 1024 };

/*
 * Local. Write `pieces` (arena_pieces_of the writing rank, not empty) as the new file `path` and
 * make it durable. local[tensor] is the packed local memory of each tensor, on `device` unless that
 * is NULL. Fills the pieces' contributions; returns the file's size and seal. A failure leaves a
 * partial file behind, in a directory that nobody reads.
 */
RESHARD_MUST_CHECK enum reshard_status
writer_write(struct store *store, const char *path, const struct reshard_model *model,
             struct arena_pieces *pieces, const struct container_identity *identity,
             const void *const *local, const struct reshard_device *device, uint64_t *file_bytes,
             uint64_t *seal, struct reshard_error *error);

#endif
