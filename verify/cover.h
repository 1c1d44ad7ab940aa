/*
 * Do boxes cover a tensor, each element exactly once? No two may share an element, which is looked
 * for pair by pair along one dimension; then their sizes must add up, entry by entry of each
 * dimension. The time is that of the pairs, at most the square of the number of boxes, whatever the
 * shape and the number of dimensions. Local, without state.
 */
#ifndef VERIFY_COVER_H
#define VERIFY_COVER_H

#include "verify/box.h"

struct verify_cover {
    bool whole;       /* each element is in exactly one box */
    uint64_t element; /* else the first one that is in none, or in two */
    uint32_t count;   /* of boxes that have it: 0, or 2 for two and more */
    uint32_t box[2];  /* the lowest two of them */
};

/* The boxes, each somewhere in an entry of `stride` bytes; all fit the tensor. */
struct verify_boxes {
    const struct verify_box *first;
    size_t stride;
    uint32_t count;
};

/* Local. ENOMEM. */
RESHARD_MUST_CHECK enum reshard_status verify_cover(const struct verify_tensor *tensor,
                                                    const struct verify_boxes *boxes,
                                                    struct verify_cover *out);

#endif
