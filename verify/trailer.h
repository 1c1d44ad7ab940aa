/*
 * The last 512 bytes of a rank's file (FORMAT.md section 3): what it is, and where everything in it
 * lies. Part of the decoder. Bytes in, numbers out: nothing is opened, nothing allocated. Local.
 */
#ifndef VERIFY_TRAILER_H
#define VERIFY_TRAILER_H

#include "core/dtype.h"
#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

enum {
    VERIFY_VERSION = 2,
    VERIFY_TRAILER_BYTES = 512,
    VERIFY_TOKEN_BYTES = 33,  /* 32 digits and a zero */
    VERIFY_PART_BYTES = 4096, /* head and arenas are multiples of it */
    VERIFY_PIECE_BYTES = 152,
    VERIFY_TENSOR_DTYPE_BYTES = 16,
};

/* Where rows of equal length lie in the file. */
struct verify_extent {
    uint64_t offset;
    uint64_t rows;
    uint64_t row_bytes;
};

struct verify_trailer {
    uint64_t step;
    uint64_t writer;
    uint64_t world;
    char token[VERIFY_TOKEN_BYTES];
    uint64_t head; /* bytes */
    uint64_t head_crc;
    struct verify_extent tensors;
    struct verify_extent pieces;
    size_t fqn_bytes; /* of a row of /tensors; then slot, dtype, ndim, shape */
    size_t slot_bytes;
    uint64_t tables_crc;
    struct verify_extent arena[RESHARD_DTYPE_COUNT]; /* rows are elements; 0 where there is none */
    uint64_t seal;
};

/* Local. Decode the trailer of a file of `file` bytes. EDIGEST where its bytes do not have the CRC
 * that it ends with; EFORMAT, naming what is wrong, unless it is a trailer of this version, and
 * head, arenas, tables and trailer follow one another without gaps and are the whole file. */
RESHARD_MUST_CHECK enum reshard_status
verify_trailer_decode(struct verify_trailer *out, const unsigned char bytes[VERIFY_TRAILER_BYTES],
                      uint64_t file, struct reshard_error *error);

#endif
