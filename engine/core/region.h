/*
 * A region: what nested cuts have left of a tensor, a box of which one dimension may be several
 * intervals (the sections of a fused tensor) that lie one after the other in a rank's memory.
 */
#ifndef RESHARD_REGION_H
#define RESHARD_REGION_H

#include "core/box.h"
#include "core/placement.h"

struct region {
    struct reshard_box box; /* of the dimension that has parts only parts count */
    uint32_t dim;           /* that has parts */
    uint32_t part_count;    /* 0: none has */
    struct {
        uint64_t begin;
        uint64_t end;
    } part[RESHARD_SECTIONS_MAX];
};

/* Local. All of a tensor. */
struct region region_whole(const struct reshard_shape *shape);

/* Local. Keep coordinate `k` of `ways` of what the region has of dimension `on`; with `sections`,
 * which the dimension is whole for, of each of them. */
void region_cut(struct region *region, uint32_t on, uint64_t ways, uint64_t k,
                const struct reshard_rule *sections);

/* Local. What a placement's cuts leave of a tensor at a place, the flat cut aside. */
struct region region_at(const struct reshard_shape *shape, const struct placement *placement,
                        const struct reshard_mesh *mesh, const struct reshard_place *place);

/* Local. Elements. */
uint64_t region_count(const struct region *region);

/* Local. The coordinates that may have elements of `box` when dimension `on` is cut for `ways`
 * (through sections, where they are given): [*begin, *end). */
void region_coordinates(const struct region *region, uint32_t on, uint64_t ways,
                        const struct reshard_rule *sections, const struct reshard_box *box,
                        uint64_t *begin, uint64_t *end);

/* Local. The region's boxes in memory order, appended to `out`; one that is empty stands for an
 * empty region without parts. */
RESHARD_MUST_CHECK enum reshard_status region_boxes(const struct region *region,
                                                    struct reshard_box_list *out);

/* Local. The same of elements [begin, end) of the region's memory alone. */
RESHARD_MUST_CHECK enum reshard_status region_interval(const struct region *region, uint64_t begin,
                                                       uint64_t end, struct reshard_box_list *out);

/* Elements [begin, end) of a tensor, numbered row-major. */
struct region_run {
    uint64_t begin;
    uint64_t end;
};

/* Local. Elements [begin, end) of the memory of a region of `shape` that only dimension 0 is cut
 * of: as runs of the whole tensor, into `out` of RESHARD_SECTIONS_MAX, the empty ones left out;
 * returns how many. */
uint32_t region_runs(const struct region *region, const struct reshard_shape *shape, uint64_t begin,
                     uint64_t end, struct region_run *out);

/* Local. Elements of the region's memory from the first to the last that is of `box`: [*begin,
 * *end), empty where there are none. */
void region_span(const struct region *region, const struct reshard_box *box, uint64_t *begin,
                 uint64_t *end);

#endif
