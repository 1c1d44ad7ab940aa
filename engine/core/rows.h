/*
 * The rows of a rank file's tables, /tensors and /pieces, as bytes (FORMAT.md, section 3). They
 * follow from the pieces, but for the contributions: so the writer encodes them, and a reader
 * encodes what they must be and compares.
 */
#ifndef RESHARD_ROWS_H
#define RESHARD_ROWS_H

#include "core/arena.h"
#include "core/trailer.h"

enum {
    ROWS_DTYPE_BYTES = 16,
    ROWS_SIZES_BYTES = RESHARD_DIMS_MAX * 8,
    ROWS_PIECE_TENSOR = 0, /* offsets in a row of /pieces */
    ROWS_PIECE_NDIM = 4,
    ROWS_PIECE_BEGIN = 8,
    ROWS_PIECE_END = ROWS_PIECE_BEGIN + ROWS_SIZES_BYTES,
    ROWS_PIECE_OFFSET = ROWS_PIECE_END + ROWS_SIZES_BYTES,
    ROWS_PIECE_CONTRIBUTION = ROWS_PIECE_OFFSET + 8,
    ROWS_PIECE_BYTES = ROWS_PIECE_CONTRIBUTION + 8,
};

/* Local. Bytes of a row of /tensors, with names of the widths in `offsets`. */
static inline size_t rows_tensor_bytes(const struct container_offsets *offsets)
{
    return (size_t)offsets->fqn_bytes + offsets->slot_bytes + ROWS_DTYPE_BYTES + 4 +
           ROWS_SIZES_BYTES;
}

/* Local. Whether a piece is its tensor's first one: then it brings a row of /tensors. */
bool rows_begins_tensor(const struct arena_pieces *pieces, uint64_t index);

/* Local. One row each. A tensor's names fit their widths. */
void rows_put_tensor(unsigned char *row, const struct reshard_tensor *tensor,
                     const struct container_offsets *offsets);
void rows_put_piece(unsigned char *row, const struct arena_piece *piece, uint64_t tensor_row);

/* Local. The one member of a row of /pieces that does not follow from the layout. */
uint64_t rows_contribution(const unsigned char *row);

#endif
