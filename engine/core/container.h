/*
 * One rank's file: an HDF5 file of arenas and of tables that describe them (FORMAT.md, section 3).
 * hdf5.h is included by the implementation (and the index's) alone.
 *
 * Order of events, which is the crash argument: HDF5 creates the file with every dataset allocated
 * and *closes* it, before any of our bytes exist; data and tables are then written at the offsets
 * that HDF5 gave, through the store, and synced by the caller. So no crash leaves a half-written
 * HDF5 structure, and the library, which syncs nothing, has no part in durability. Between opening
 * and closing an HDF5 file no MPI call and no store call is made: simulated ranks share the
 * process, and the library's state with it.
 */
#ifndef RESHARD_CONTAINER_H
#define RESHARD_CONTAINER_H

#include "core/arena.h"
#include "core/store.h"

/* What a rank's file says of itself. */
/* Room for what HDF5 writes when it creates a rank's file. */
enum { CONTAINER_METADATA_BYTES = 64 * 1024 };

struct container_identity {
    uint64_t step;
    uint64_t writer;
    uint64_t world;
};

/* Where things lie in a file: byte offsets, 0 for an arena that the file has not. */
struct container_offsets {
    uint64_t arena[RESHARD_DTYPE_COUNT];
    uint64_t tensors; /* the /tensors table and its bytes */
    uint64_t tensors_bytes;
    uint64_t pieces; /* the /pieces table */
    uint64_t pieces_bytes;
    uint64_t seal;
    uint64_t file_bytes; /* the whole file's size */
};

/*
 * Local. Create the file's structure at `path` (which store_open with STORE_CREATE just made) and
 * close it again. Nothing but HDF5's own metadata is written.
 */
RESHARD_MUST_CHECK enum reshard_status
container_create(const char *path, const struct reshard_model *model,
                 const struct arena_pieces *pieces, const struct container_identity *identity,
                 struct container_offsets *out, struct reshard_error *error);

/*
 * Local. Write both tables and the seal, contributions included, into a file created so; returns
 * the seal.
 */
RESHARD_MUST_CHECK enum reshard_status
container_write_tables(struct store_file *file, const struct container_offsets *offsets,
                       const struct reshard_model *model, const struct arena_pieces *pieces,
                       uint64_t *seal, struct reshard_error *error);

/* A file's own description, read back and checked against its seal. */
struct container {
    struct container_identity identity;
    struct container_offsets offsets;
    uint64_t seal;
    struct arena_pieces pieces; /* `tensor` indexes the model given to container_read */
};

#define CONTAINER_INIT                                                                             \
    {                                                                                              \
        {0, 0, 0}, {{0}, 0, 0, 0, 0, 0, 0}, 0, ARENA_PIECES_INIT                                   \
    }

/*
 * Local. Read a file's description. `expected_bytes` is its size as the manifest has it; a file of
 * another size is refused before libhdf5 sees it. Tensors must be known to `model` with the same
 * dtype and shape. EFORMAT, with file and reason, for anything that breaks the format; ENOENT.
 * `local_offset` of the pieces is 0.
 */
RESHARD_MUST_CHECK enum reshard_status container_read(struct container *out, struct store *store,
                                                      const char *path, uint64_t expected_bytes,
                                                      const struct reshard_model *model,
                                                      struct reshard_error *error);
void container_release(struct container *container);

/*
 * For the index, the other writer of HDF5 files. HDF5's identifiers (hid_t, 64 bits since 1.10) are
 * int64_t here, negative when the call failed, so that no header brings hdf5.h.
 */

/* Local. A new datatype for elements of a dtype, which the caller closes. */
int64_t container_hdf5_type(enum reshard_dtype dtype);

/* Local. Have the file system set aside room for the metadata of a file that HDF5 just created. On
 * a full disk the library would fail at closing, and keep a half-closed file that ends the process
 * in a crash; so a full disk must show before. False: there is no room (errno says why). */
bool container_reserve(int64_t file, uint64_t bytes);

/* Local. New file access properties: versions of objects that carry checksums, aligned arenas, no
 * locks, no identifier that survives the file. Metadata is allocated in blocks of that size. */
int64_t container_hdf5_access(uint64_t metadata_block_bytes);

/* Local. Attach a fixed UTF-8 string to an object. */
bool container_hdf5_set_text(int64_t object, const char *name, const char *text);

/*
 * Local. Turn HDF5's error stack, which it empties, into a status and a text that begins with
 * `path`. `otherwise` is the status where the stack names no cause of the operating system's.
 */
RESHARD_MUST_CHECK enum reshard_status container_hdf5_failure(const char *path,
                                                              enum reshard_status otherwise,
                                                              struct reshard_error *error);

#endif
