/*
 * The contents of one rank's file, as pure arithmetic: which pieces a holder writes, in which
 * order, and where in its arenas. An arena is the one array of a dtype in a file; pieces lie in it
 * one after the other, each dense (FORMAT.md, section 3).
 *
 * The writer, the derived index and the reader's cross-check all ask here.
 */
#ifndef RESHARD_ARENA_H
#define RESHARD_ARENA_H

#include "core/layout.h"

enum { ARENA_ALIGNMENT = 4096 };

struct arena_piece {
    uint32_t tensor; /* index in the model */
    struct reshard_box box;
    uint64_t count;        /* elements */
    uint64_t offset;       /* first element within the arena of the tensor's dtype */
    uint64_t local_offset; /* first element within the tensor's packed local memory */
    uint64_t contribution; /* to the tensor's digest; 0 until it is known */
};

struct arena_pieces {
    uint64_t count;
    struct arena_piece *piece; /* by tensor, then rising elements; none is empty */
    uint64_t capacity;
    uint64_t elements[RESHARD_DTYPE_COUNT]; /* of each dtype's arena, without its tail */
};

#define ARENA_PIECES_INIT                                                                          \
    {                                                                                              \
        0, NULL, 0,                                                                                \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

/* Local. The pieces that `holder` owns under a layout: what its file holds. Tensors that `absent`
 * marks have none; NULL marks none. */
RESHARD_MUST_CHECK enum reshard_status arena_pieces_of(struct arena_pieces *out,
                                                       const struct reshard_layout *layout,
                                                       uint64_t holder, const bool *absent);
void arena_pieces_release(struct arena_pieces *pieces);

/* Local. Elements of an arena with its zero tail: its bytes are a multiple of ARENA_ALIGNMENT. */
uint64_t arena_padded(uint64_t elements, enum reshard_dtype dtype);

/* Local. The piece of that tensor and box, NULL when there is none. Pieces sorted as above. */
const struct arena_piece *arena_pieces_find(const struct arena_pieces *pieces, uint32_t tensor,
                                            const struct reshard_box *box);

#endif
