/*
 * The logical digest: CRC-64/XZ of a tensor's full row-major bytes, computed from pieces in any
 * order and any sharding, because CRC is linear (FORMAT.md, section 5).
 *
 * A piece contributes the exclusive-or, over its contiguous runs, of the run's CRC shifted by the
 * bytes that follow the run in the full tensor. Contributions of pieces that cover a tensor exactly
 * once xor to its digest.
 */
#ifndef RESHARD_DIGEST_H
#define RESHARD_DIGEST_H

#include "core/box.h"

#include <stddef.h>

/* Local. Continue a CRC over more bytes; start with 0. */
uint64_t digest_crc(uint64_t crc, const void *bytes, size_t count);

/* Local. The CRC of data whose CRC is `crc`, with `bytes` bytes after it. */
uint64_t digest_shift(uint64_t crc, uint64_t bytes);

/* Local. The contribution of `box`, dense at `data`, to a tensor of that shape and element size. */
uint64_t digest_contribution(const struct reshard_shape *shape, const struct reshard_box *box,
                             size_t element_bytes, const void *data);

/*
 * Local. A contribution taken while a piece streams by, part after part in order. Parts may end
 * anywhere, also in the middle of an element; exactly the piece's bytes must go by.
 */
struct digest_stream {
    uint64_t value; /* the contribution, once the whole piece went by; 0 for an empty one */
    /* private */
    uint64_t run_bytes; /* of a run: contiguous in piece and tensor */
    uint64_t filled;    /* of the run that goes by */
    uint64_t crc;
    uint32_t outer; /* dimensions that step from run to run */
    uint64_t size[RESHARD_DIMS_MAX];
    uint64_t index[RESHARD_DIMS_MAX];
    uint64_t step[RESHARD_DIMS_MAX]; /* multiplier when that dimension steps */
    uint64_t tail;                   /* multiplier for the bytes after the last run */
};
void digest_stream_begin(struct digest_stream *stream, const struct reshard_shape *shape,
                         const struct reshard_box *box, size_t element_bytes);
void digest_stream_add(struct digest_stream *stream, const void *data, size_t bytes);

#endif
