/*
 * The HDF5 side of a rank's file (FORMAT.md section 3): which datasets it has, of which types, and
 * where their bytes lie. Part of the decoder. Nothing is read through HDF5's conversions; callers
 * read bytes.
 *
 * Local. Calls are serialised, and HDF5 prints nothing.
 */
#ifndef VERIFY_CONTAINER_H
#define VERIFY_CONTAINER_H

#include "verify/inventory.h"

#include <stddef.h>

enum { VERIFY_PIECE_BYTES = 152, VERIFY_TENSOR_DTYPE_BYTES = 16 };

/* Where the bytes of a dataset lie in the file. */
struct verify_extent {
    uint64_t offset;
    uint64_t rows;
    uint64_t row_bytes;
};

struct verify_container {
    uint64_t step;
    uint64_t writer;
    uint64_t world;
    struct verify_extent arena[RESHARD_DTYPE_COUNT]; /* 0 rows where there is none */
    struct verify_extent tensors;
    struct verify_extent pieces;
    struct verify_extent seal;
    size_t fqn_bytes; /* of a row of /tensors; then slot, dtype, ndim, shape */
    size_t slot_bytes;
};

/* Local. Look into an HDF5 file of `bytes` bytes. EFORMAT, naming what is wrong, unless all of its
 * structure is as specified and every dataset lies in the file, apart from the others. */
RESHARD_MUST_CHECK enum reshard_status verify_container_inspect(struct verify_container *out,
                                                                const char *path, uint64_t bytes,
                                                                struct reshard_error *error);

#endif
