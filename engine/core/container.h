/*
 * One rank's file: a head for HDF5's tools, arenas of elements, tables that describe them, and a
 * trailer that says where everything is (FORMAT.md, section 3).
 *
 * Where things lie is arithmetic, from the pieces alone. So the writer knows every place before it
 * has written a byte, and a reader knows them before it has read one: what a file says of itself is
 * compared with what it must be, and no length that stands in a file is ever gone by. No library
 * has a part in either.
 */
#ifndef RESHARD_CONTAINER_H
#define RESHARD_CONTAINER_H

#include "core/arena.h"
#include "core/h5_head.h"
#include "core/manifest.h"
#include "core/store.h"
#include "core/trailer.h"

/*
 * Local. Everything of the file of `pieces` that is known before its elements are: identity and
 * places in `out`, and the head's bytes in `head`, whose CRC `out` has. EINVAL without pieces: such
 * a rank writes no file. EOVERFLOW when the file would have 2^63 bytes or more. `path` is for
 * messages.
 */
RESHARD_MUST_CHECK enum reshard_status
container_plan(struct trailer *out, unsigned char head[H5_HEAD_MAX],
               const struct reshard_model *model, const struct arena_pieces *pieces,
               const struct container_identity *identity, const char *path,
               struct reshard_error *error);

/* Local. Write both tables, contributions included, and the trailer, which is filled in, where the
 * plan has them. */
RESHARD_MUST_CHECK enum reshard_status container_write_end(struct store_file *file,
                                                           struct trailer *trailer,
                                                           const struct reshard_model *model,
                                                           const struct arena_pieces *pieces,
                                                           struct reshard_error *error);

/* A file's own description, read back. */
struct container {
    struct trailer trailer;
    struct arena_pieces pieces; /* `tensor` indexes the manifest's model */
};

#define CONTAINER_INIT                                                                             \
    {                                                                                              \
        .pieces = ARENA_PIECES_INIT                                                                \
    }

/*
 * Local. Read the description of an open file, and hold it against `entry`, the manifest's of that
 * file, and against `layout`, which the manifest describes: size, version, seal, step, writer,
 * world and token, then all places, and only then the tables, row by row. EFORMAT, with the file
 * and what differs.
 */
RESHARD_MUST_CHECK enum reshard_status
container_read(struct container *out, struct store_file *file, const struct manifest *manifest,
               const struct manifest_file *entry, const struct reshard_layout *layout,
               struct reshard_error *error);
void container_release(struct container *container);

/* What both halves share: the lengths of all parts but the head, and their places once that one's
 * is known. EOVERFLOW when the file would have 2^63 bytes or more. Local. */
RESHARD_MUST_CHECK enum reshard_status container_measure(struct container_offsets *out,
                                                         const struct reshard_model *model,
                                                         const struct arena_pieces *pieces);
RESHARD_MUST_CHECK enum reshard_status container_place(struct container_offsets *offsets,
                                                       uint64_t head_bytes);

#endif
