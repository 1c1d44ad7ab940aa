/*
 * Reading from one rank's file of a checkpoint: the mover that carries a plan's moves from files to
 * memory. A file is trusted only after all that it says of itself was held against the manifest and
 * against what the layout's formula makes.
 */
#ifndef RESHARD_READER_H
#define RESHARD_READER_H

#include "core/container.h"
#include "core/device.h"
#include "core/manifest.h"
#include "core/plan.h"

struct reader;

/* Local. Open the file that `writer` wrote, in the checkpoint `directory` that `manifest` (borrowed
 * until the end) describes; `layout` is that of the manifest. EFORMAT, with the file and the
 * reason, if it is not the manifest's. */
RESHARD_MUST_CHECK enum reshard_status reader_open(struct reader **out, struct store *store,
                                                   const char *directory,
                                                   const struct manifest *manifest,
                                                   const struct reshard_layout *layout,
                                                   uint64_t writer, struct reshard_error *error);

/* Where a move goes: the packed local memory of its target tensor. */
struct reader_target {
    void *memory;
    const struct reshard_device *device; /* NULL: host memory */
    enum reshard_dtype dtype;            /* another than the file's: a float to be cast to */
};

/* Local. Carry out one move from this file. Exactly the move's elements are asked of the store. */
RESHARD_MUST_CHECK enum reshard_status reader_move(struct reader *reader,
                                                   const struct plan_move *move,
                                                   const struct reader_target *target,
                                                   struct reshard_error *error);

/* Local. Carry out one move whose elements are cast on the way: what was read contributes to its
 * tensor's digest, and is xored into `contribution`, since memory cannot tell any more. */
RESHARD_MUST_CHECK enum reshard_status
reader_cast(struct reader *reader, const struct plan_move *move, const struct reader_target *target,
            uint64_t *contribution, struct reshard_error *error);

/* Local. Read the whole piece that a move comes from, and hold it against its contribution:
 * EDIGEST, naming file, tensor, box and byte range, when it is damaged. */
RESHARD_MUST_CHECK enum reshard_status
reader_check(struct reader *reader, const struct plan_move *move, struct reshard_error *error);
void reader_close(struct reader *reader); /* accepts NULL */

#endif
