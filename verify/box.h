/*
 * A box of a tensor, begin[d] <= x[d] < end[d] (FORMAT.md section 2), and its rows: the runs of
 * elements, contiguous in the tensor, that make it up. Local, without state.
 */
#ifndef VERIFY_BOX_H
#define VERIFY_BOX_H

#include "verify/inventory.h"

#include <stddef.h>

enum { VERIFY_BOX_TEXT_MAX = VERIFY_DIMS_MAX * 48 };

/* Entries from `ndim` on are 0. A box of no dimension holds the one element. */
struct verify_box {
    uint32_t ndim;
    uint64_t begin[VERIFY_DIMS_MAX];
    uint64_t end[VERIFY_DIMS_MAX];
};

/* Local. All of a tensor. */
struct verify_box verify_box_whole(const struct verify_tensor *tensor);

/* Local. Is it a box of such a tensor: within its shape, and not empty? */
bool verify_box_fits(const struct verify_box *box, const struct verify_tensor *tensor);

/* Local. The number of its elements; the tensor's number of its first one. */
uint64_t verify_box_elements(const struct verify_box *box);
uint64_t verify_box_first(const struct verify_box *box, const struct verify_tensor *tensor);

/* Local. Order by first element, then by the ends: negative, 0 for equal boxes, positive. */
int verify_box_compare(const struct verify_box *a, const struct verify_box *b);

/* Local. Where an element lies in the dense box, in elements; false when it is not in it. */
bool verify_box_locate(const struct verify_box *box, const struct verify_tensor *tensor,
                       uint64_t element, uint64_t *local);

/* Local. "[0, 2] to [4, 3]". */
void verify_box_text(const struct verify_box *box, char *text, size_t bytes);

/* Where the walk over a box's runs stands. All runs of a box have `run` elements. */
struct verify_rows {
    struct verify_box box;
    uint64_t stride[VERIFY_DIMS_MAX];
    uint64_t index[VERIFY_DIMS_MAX];
    uint32_t outer; /* dimensions that are counted; those behind make up a run */
    uint64_t run;
    bool ended;
};

/* Local. Walk the runs in order; the number of the next one's first element, or false. */
struct verify_rows verify_rows_begin(const struct verify_box *box,
                                     const struct verify_tensor *tensor);
bool verify_rows_next(struct verify_rows *rows, uint64_t *first);

#endif
