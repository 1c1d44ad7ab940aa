/*
 * What the writing and the reading half of the container share, and nobody else: the tables' rows,
 * their HDF5 datatypes, and HDF5's printing of errors kept quiet.
 */
#ifndef RESHARD_CONTAINER_TABLE_H
#define RESHARD_CONTAINER_TABLE_H

#include "core/container.h"

#include <hdf5.h>

enum {
    CONTAINER_VERSION = 1,
    METADATA_BLOCK_BYTES = 16 * 1024, /* room for three tables and an arena of every dtype */
    DTYPE_FIELD_BYTES = 16,
    PIECE_ROW_BYTES = 2 * 4 + 2 * RESHARD_DIMS_MAX * 8 + 2 * 8,
    TENSOR_ROW_BYTES = DTYPE_FIELD_BYTES + 4 + RESHARD_DIMS_MAX * 8, /* besides both names */
    SEAL_BYTES = 8,
    REASON_MAX = 512,
};

/* HDF5 prints errors unless told not to; the setting is the thread's, and the caller's. */
struct container_silence {
    H5E_auto2_t print;
    void *data;
};
struct container_silence container_silence_begin(void);
void container_silence_end(struct container_silence silence);

/* What the rows of /tensors measure: it depends on the longest names in the file. */
struct container_table {
    uint64_t tensor_rows;
    size_t fqn_bytes;
    size_t slot_bytes;
};

/* Local. Bytes of a row of /tensors. */
size_t container_tensor_row_bytes(const struct container_table *table);

/* Local. New datatypes, which the caller closes; negative when HDF5 fails. */
hid_t container_text_type(size_t bytes);
hid_t container_tensors_type(const struct container_table *table);
hid_t container_pieces_type(void);

#endif
