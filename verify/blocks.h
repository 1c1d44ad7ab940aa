/*
 * Blocks of a parameter's elements, dealt out (FORMAT.md section 4, rule 9): a block is given to
 * who has its first element. What comes of it is a deal of the one dimension of a `blockwise` slot.
 *
 * Immutable once made.
 */
#ifndef VERIFY_BLOCKS_H
#define VERIFY_BLOCKS_H

#include "verify/deal.h"

/* A tensor in its unit's flat parameter. */
struct verify_flat_place {
    uint64_t elements; /* of the tensor, as a rank has it after the cuts */
    uint64_t chunk;    /* entries of a data coordinate */
    uint64_t shard;    /* where the tensor begins: coordinate, and entry of its chunk */
    uint64_t within;
};

/* What to deal: the elements of a parameter in blocks, by the cuts that count. */
struct verify_blocking {
    uint64_t elements;
    uint64_t block;
    uint64_t inside;                /* elements of one entry of dimension 0 */
    const struct verify_deal *rows; /* of dimension 0; NULL: it is whole */
    bool flat;                      /* what the rows leave is cut once more, in a flat parameter */
    struct verify_flat_place place;
    struct verify_cut cut; /* of the flat parameter, over the data coordinates */
};

struct verify_blocks {
    struct verify_blocking blocking;
    struct verify_deal *deal;
    struct verify_blocks *next;
};

/* Local. The deal of one more blocking among those of *blocks; NULL without memory. */
const struct verify_deal *verify_blocks_add(struct verify_blocks **blocks,
                                            const struct verify_blocking *blocking);
void verify_blocks_close(struct verify_blocks *blocks); /* accepts NULL */

#endif
