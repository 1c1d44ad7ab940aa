/*
 * The trailer of a rank's file: its last 512 bytes, which say whose file it is and where everything
 * in it lies, and which the manifest seals (FORMAT.md, section 3). Readers go by it alone.
 */
#ifndef RESHARD_TRAILER_H
#define RESHARD_TRAILER_H

#include "core/dtype.h"
#include "core/status.h"
#include "core/token.h"

#include <stdbool.h>
#include <stdint.h>

enum { TRAILER_BYTES = 512, TRAILER_VERSION = 2 };

/* Whose file it is. */
struct container_identity {
    uint64_t step;
    uint64_t writer;
    uint64_t world;
    char token[RESHARD_TOKEN_BYTES];
};

/* Where things lie in a file: offsets and lengths in bytes. The parts follow one another without
 * gaps, so places follow from lengths. */
struct container_offsets {
    uint64_t head_bytes;
    uint64_t arena[RESHARD_DTYPE_COUNT]; /* 0 where there is none */
    uint64_t
        arena_bytes[RESHARD_DTYPE_COUNT]; /* with the zeros at the end; 0 where there is none */
    uint64_t tensors;                     /* the /tensors table */
    uint64_t tensors_bytes;
    uint64_t pieces; /* the /pieces table */
    uint64_t pieces_bytes;
    uint64_t trailer;
    uint64_t file_bytes; /* of the whole file */
    uint32_t fqn_bytes;  /* widths of the names in a row of /tensors, each with a final zero */
    uint32_t slot_bytes;
};

struct trailer {
    struct container_identity identity;
    struct container_offsets offsets;
    uint64_t head_crc;
    uint64_t tables_crc;
    uint64_t seal; /* the CRC of all of the above, as they stand in the file */
};

/* Local. Whether these bytes begin as a trailer does, of whatever version. */
bool trailer_is_there(const unsigned char bytes[TRAILER_BYTES]);

/* Local. The trailer's bytes, seal included, which is filled in. */
void trailer_encode(struct trailer *trailer, unsigned char out[TRAILER_BYTES]);

/*
 * Local. The other way. EFORMAT, with `path` and the reason, for what is no trailer, of another
 * version, damaged, or what trailer_encode() would have written otherwise. What it says of places
 * is not checked any further: hold it against the layout before going by it.
 */
RESHARD_MUST_CHECK enum reshard_status trailer_decode(struct trailer *out,
                                                      const unsigned char bytes[TRAILER_BYTES],
                                                      const char *path,
                                                      struct reshard_error *error);

#endif
