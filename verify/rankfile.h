/*
 * One rank's file, decoded and checked (FORMAT.md section 3): its size, the trailer, which save it
 * is of, the tables, order and gaps of the pieces; then what holds none of the pieces, the head's
 * bytes and the zero tails of the arenas. All by reads at places that the trailer states, after
 * these were held against the file's size; no HDF5. Part of the decoder. Local.
 */
#ifndef VERIFY_RANKFILE_H
#define VERIFY_RANKFILE_H

#include "verify/decoder.h"

/* Decode file number `file`, opened and of so many bytes, into its entry; statuses as for
 * verify_checkpoint_decode(). */
RESHARD_MUST_CHECK enum reshard_status verify_rankfile_decode(struct verify_checkpoint *checkpoint,
                                                              uint32_t file, int fd, uint64_t bytes,
                                                              struct reshard_error *error);

/* One row of /pieces as it is in the file: 152 bytes without padding. */
struct verify_piece_row {
    uint32_t tensor;
    uint32_t ndim;
    uint64_t begin[VERIFY_DIMS_MAX];
    uint64_t end[VERIFY_DIMS_MAX];
    uint64_t offset;
    uint64_t contribution;
};

/* Local. The box of a piece; false when it is out of the tensor's bounds, empty, or has entries
 * beyond its dimensions. */
bool verify_piece_box(const struct verify_tensor *tensor, const struct verify_piece_row *row,
                      struct verify_box *out);

#endif
