/*
 * Reading from one rank's file of a checkpoint: the mover that carries a plan's moves from files to
 * memory. A file is trusted only after its size, its tables' seal, its step and its writer were
 * held against the manifest; and each piece only where the layout's formula puts it.
 */
#ifndef RESHARD_READER_H
#define RESHARD_READER_H

#include "core/container.h"
#include "core/manifest.h"
#include "core/plan.h"

struct reader;

/* Local. Open the file that `writer` wrote, in the checkpoint `directory` that `manifest` (borrowed
 * until the end) describes. EFORMAT, with the file and the reason, if it is not the manifest's. */
RESHARD_MUST_CHECK enum reshard_status reader_open(struct reader **out, struct store *store,
                                                   const char *directory,
                                                   const struct manifest *manifest, uint64_t writer,
                                                   struct reshard_error *error);

/* Local. Carry out one move from this file, into the packed local memory of its target tensor.
 * Exactly the move's elements are asked of the store. */
RESHARD_MUST_CHECK enum reshard_status reader_move(struct reader *reader,
                                                   const struct plan_move *move, void *target,
                                                   struct reshard_error *error);

/* Local. Read the whole piece that a move comes from, and hold it against its contribution:
 * EDIGEST, naming file, tensor, box and byte range, when it is damaged. */
RESHARD_MUST_CHECK enum reshard_status
reader_check(struct reader *reader, const struct plan_move *move, struct reshard_error *error);
void reader_close(struct reader *reader); /* accepts NULL */

#endif
