/*
 * Boxes: n-dimensional half-open intervals of a tensor. All of layouts, plans and files is said in
 * them. A 0-dimensional box holds exactly one element; a box with an empty side holds none.
 *
 * Elements are numbered row-major. A box is *dense* memory when it is stored by itself: its
 * elements in row-major order of the box, with nothing between them.
 */
#ifndef RESHARD_BOX_H
#define RESHARD_BOX_H

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { RESHARD_DIMS_MAX = 8 };

struct reshard_shape {
    uint32_t ndim;
    uint64_t size[RESHARD_DIMS_MAX];
};

struct reshard_box {
    uint32_t ndim;
    uint64_t begin[RESHARD_DIMS_MAX];
    uint64_t end[RESHARD_DIMS_MAX];
};

/* Boxes in the order in which their elements lie in memory or in a file. */
struct reshard_box_list {
    uint64_t count;
    uint64_t capacity;
    struct reshard_box *box;
};

#define RESHARD_BOX_LIST_INIT                                                                      \
    {                                                                                              \
        0, 0, NULL                                                                                 \
    }

/* torch.chunk: the piece of coordinate `index` when [0, size) is cut for `count` coordinates, in
 * chunks of ceil(size / count); the last ones are short or empty. */
struct reshard_chunk {
    uint64_t begin;
    uint64_t end;
};
struct reshard_chunk reshard_chunk(uint64_t size, uint64_t count, uint64_t index);

/* Local. Elements of a shape: the product of its sizes, 1 for 0 dimensions. EOVERFLOW for a product
 * or a single size beyond INT64_MAX, so that differences of offsets are always representable. */
RESHARD_MUST_CHECK enum reshard_status reshard_shape_count(const struct reshard_shape *shape,
                                                           uint64_t *out);
bool reshard_shape_equal(const struct reshard_shape *a, const struct reshard_shape *b);

/* Local. "(4, 4)", "()" into `text` of `size` bytes; returns `text`. */
char *reshard_shape_print(const struct reshard_shape *shape, char *text, unsigned size);

/* Local. The box that covers a whole shape. */
struct reshard_box reshard_box_whole(const struct reshard_shape *shape);

/* Local. Elements of a box that lies in a valid shape (so it cannot overflow). */
uint64_t reshard_box_count(const struct reshard_box *box);
bool reshard_box_equal(const struct reshard_box *a, const struct reshard_box *b);

/* Local. True for a box without elements; the only one of these questions that may be asked of a
 * box of any sides, as damaged input may have them. */
bool reshard_box_empty(const struct reshard_box *box);

/* Local. True when `inner` lies wholly in `outer`; dimensions must agree. An empty box lies in any
 * box whose bounds enclose its own. */
bool reshard_box_inside(const struct reshard_box *inner, const struct reshard_box *outer);

/* Local. The common part of two boxes of the same dimension; false (and an unspecified *out) when
 * it holds no element. */
bool reshard_box_intersect(const struct reshard_box *a, const struct reshard_box *b,
                           struct reshard_box *out);

/* Local. "[0:2, 4:6]" into `text`; returns `text`. */
char *reshard_box_print(const struct reshard_box *box, char *text, unsigned size);

/* Local. Row-major number, within the dense memory of `outer`, of the first element of `inner`. */
uint64_t reshard_box_offset(const struct reshard_box *inner, const struct reshard_box *outer);

/*
 * Local. Cut the interval [begin, end) of a row-major tensor into boxes, appended to `out` in
 * rising order of their elements: at most 2*ndim-1 of them, none for an empty interval.
 */
RESHARD_MUST_CHECK enum reshard_status reshard_box_from_interval(const struct reshard_shape *shape,
                                                                 uint64_t begin, uint64_t end,
                                                                 struct reshard_box_list *out);

/*
 * Local. The law: `parts` cover `whole` exactly once, none overlapping, none outside. Empty parts
 * are ignored. ECOVER, with the boxes named in `error`, when it does not hold. Sorting by the
 * dimension on which most parts begin apart, then a sweep: near-linear for real layouts.
 */
RESHARD_MUST_CHECK enum reshard_status reshard_box_cover(const struct reshard_box *whole,
                                                         const struct reshard_box *parts,
                                                         uint64_t count,
                                                         struct reshard_error *error);

RESHARD_MUST_CHECK enum reshard_status reshard_box_list_append(struct reshard_box_list *list,
                                                               const struct reshard_box *box);
void reshard_box_list_release(struct reshard_box_list *list);

/*
 * The elements of one box as they lie in two row-major containers that both enclose it: runs of
 * elements contiguous in both. The container that is the whole tensor gives runs of the tensor.
 *
 *     struct reshard_box_runs runs = reshard_box_runs(&box, &source, &target);
 *     while (reshard_box_runs_next(&runs))
 *         copy(target + runs.target, source + runs.source, runs.count);
 */
struct reshard_box_runs {
    uint64_t source; /* element offset of the run in the dense memory of the source container */
    uint64_t target; /* likewise in the target */
    uint64_t count;  /* elements of the run; the same for every run of one box */
    /* private */
    uint32_t outer; /* dimensions that are stepped over, the others lie within a run */
    bool started;
    bool done;
    uint64_t size[RESHARD_DIMS_MAX];
    uint64_t index[RESHARD_DIMS_MAX];
    uint64_t source_step[RESHARD_DIMS_MAX];
    uint64_t target_step[RESHARD_DIMS_MAX];
};

struct reshard_box_runs reshard_box_runs(const struct reshard_box *box,
                                         const struct reshard_box *source,
                                         const struct reshard_box *target);
bool reshard_box_runs_next(struct reshard_box_runs *runs);

#ifdef __cplusplus
}
#endif

#endif
