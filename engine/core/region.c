#include "core/region.h"

struct region region_whole(const struct reshard_shape *shape)
{
    return (struct region){.box = reshard_box_whole(shape)};
}

/* Each section by itself. */
static void cut_sections(struct region *region, uint32_t on, uint64_t ways, uint64_t k,
                         const struct reshard_rule *sections)
{
    uint64_t begin = 0;

    region->dim = on;
    region->part_count = sections->section_count;
    for (uint32_t i = 0; i < sections->section_count; i++) {
        const struct reshard_chunk chunk = reshard_chunk(sections->section[i], ways, k);
        region->part[i].begin = begin + chunk.begin;
        region->part[i].end = begin + chunk.end;
        begin += sections->section[i];
    }
}

static uint64_t parts_length(const struct region *region)
{
    uint64_t length = 0;

    for (uint32_t i = 0; i < region->part_count; i++)
        length += region->part[i].end - region->part[i].begin;
    return length;
}

/* What the parts have from `begin` to `end` when they stand one after the other. */
static void cut_parts(struct region *region, struct reshard_chunk chunk)
{
    uint64_t before = 0;

    for (uint32_t i = 0; i < region->part_count; i++) {
        const uint64_t from = region->part[i].begin;
        const uint64_t length = region->part[i].end - from;
        const uint64_t low = chunk.begin > before ? chunk.begin - before : 0;
        const uint64_t high = chunk.end > before ? chunk.end - before : 0;
        region->part[i].begin = from + (low < length ? low : length);
        region->part[i].end = from + (high < length ? high : length);
        before += length;
    }
}

void region_cut(struct region *region, uint32_t on, uint64_t ways, uint64_t k,
                const struct reshard_rule *sections)
{
    if (sections) {
        cut_sections(region, on, ways, k, sections);
    } else if (region->part_count && region->dim == on) {
        cut_parts(region, reshard_chunk(parts_length(region), ways, k));
    } else {
        const uint64_t from = region->box.begin[on];
        const struct reshard_chunk chunk = reshard_chunk(region->box.end[on] - from, ways, k);
        region->box.begin[on] = from + chunk.begin;
        region->box.end[on] = from + chunk.end;
    }
}

struct region region_at(const struct reshard_shape *shape, const struct placement *placement,
                        const struct reshard_mesh *mesh, const struct reshard_place *place)
{
    struct region region = region_whole(shape);

    for (uint32_t i = 0; i + placement->flat < placement->cut_count; i++)
        region_cut(&region, placement->cut[i].on, placement->cut[i].ways,
                   reshard_mesh_number(mesh, placement->cut[i].dims, place),
                   placement_sections(placement, i));
    return region;
}

/* The box of one part; without parts there is one, the region itself. */
static struct reshard_box part_box(const struct region *region, uint32_t part)
{
    struct reshard_box box = region->box;

    if (region->part_count) {
        box.begin[region->dim] = region->part[part].begin;
        box.end[region->dim] = region->part[part].end;
    }
    return box;
}

static uint32_t box_count(const struct region *region)
{
    return region->part_count ? region->part_count : 1;
}

uint64_t region_count(const struct region *region)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < box_count(region); i++) {
        const struct reshard_box box = part_box(region, i);
        count += reshard_box_count(&box);
    }
    return count;
}

static uint64_t chunk_of(uint64_t length, uint64_t ways)
{
    return length / ways + (length % ways != 0);
}

/* Widen [*begin, *end) by the overlap of an interval, which stands at `before`, with the box. */
static void widen(const struct reshard_box *box, uint32_t on, uint64_t from, uint64_t to,
                  uint64_t before, uint64_t *begin, uint64_t *end)
{
    const uint64_t low = box->begin[on] > from ? box->begin[on] : from;
    const uint64_t high = box->end[on] < to ? box->end[on] : to;

    if (low >= high)
        return;
    if (*begin > before + (low - from))
        *begin = before + (low - from);
    if (*end < before + (high - from))
        *end = before + (high - from);
}

void region_coordinates(const struct region *region, uint32_t on, uint64_t ways,
                        const struct reshard_rule *sections, const struct reshard_box *box,
                        uint64_t *begin, uint64_t *end)
{
    uint64_t low = UINT64_MAX, high = 0, length = 0;

    if (sections) { /* a few ways; those that have nothing of the box drop out later */
        *begin = 0;
        *end = ways;
        return;
    }
    if (region->part_count && region->dim == on) {
        for (uint32_t i = 0; i < region->part_count; i++) {
            widen(box, on, region->part[i].begin, region->part[i].end, length, &low, &high);
            length += region->part[i].end - region->part[i].begin;
        }
    } else {
        length = region->box.end[on] - region->box.begin[on];
        widen(box, on, region->box.begin[on], region->box.end[on], 0, &low, &high);
    }
    *begin = *end = 0;
    if (low >= high)
        return;
    *begin = low / chunk_of(length, ways);
    *end = (high - 1) / chunk_of(length, ways) + 1;
}

enum reshard_status region_boxes(const struct region *region, struct reshard_box_list *out)
{
    enum reshard_status status = RESHARD_OK;

    for (uint32_t i = 0; !status && i < box_count(region); i++) {
        const struct reshard_box box = part_box(region, i);
        if (region->part_count && reshard_box_empty(&box))
            continue;
        status = reshard_box_list_append(out, &box);
    }
    return status;
}

/* An interval of a box's own elements, cut as a tensor of its shape is, and put in its place. */
static enum reshard_status box_interval(const struct reshard_box *box, uint64_t begin, uint64_t end,
                                        struct reshard_box_list *out)
{
    struct reshard_shape shape = {.ndim = box->ndim};
    const uint64_t first = out->count;
    enum reshard_status status;

    for (uint32_t d = 0; d < box->ndim; d++)
        shape.size[d] = box->end[d] - box->begin[d];
    status = reshard_box_from_interval(&shape, begin, end, out);
    for (uint64_t i = first; !status && i < out->count; i++) {
        for (uint32_t d = 0; d < box->ndim; d++) {
            out->box[i].begin[d] += box->begin[d];
            out->box[i].end[d] += box->begin[d];
        }
    }
    return status;
}

enum reshard_status region_interval(const struct region *region, uint64_t begin, uint64_t end,
                                    struct reshard_box_list *out)
{
    enum reshard_status status = RESHARD_OK;
    uint64_t before = 0;

    for (uint32_t i = 0; !status && i < box_count(region); i++) {
        const struct reshard_box box = part_box(region, i);
        const uint64_t count = reshard_box_count(&box);
        const uint64_t low = begin > before ? begin - before : 0;
        const uint64_t high = end > before ? end - before : 0;
        if (low < count && low < high)
            status = box_interval(&box, low, high < count ? high : count, out);
        before += count;
    }
    return status;
}

uint32_t region_runs(const struct region *region, const struct reshard_shape *shape, uint64_t begin,
                     uint64_t end, struct region_run *out)
{
    const struct reshard_box whole = reshard_box_whole(shape);
    uint64_t before = 0;
    uint32_t runs = 0;

    for (uint32_t i = 0; i < box_count(region); i++) {
        const struct reshard_box box = part_box(region, i);
        const uint64_t count = reshard_box_count(&box);
        const uint64_t low = begin > before ? begin - before : 0;
        const uint64_t high = end > before ? end - before : 0;
        if (low < count && low < high) {
            const uint64_t first = reshard_box_offset(&box, &whole);
            out[runs].begin = first + low;
            out[runs++].end = first + (high < count ? high : count);
        }
        before += count;
    }
    return runs;
}

void region_span(const struct region *region, const struct reshard_box *box, uint64_t *begin,
                 uint64_t *end)
{
    uint64_t before = 0;
    struct reshard_box common, last;

    *begin = *end = 0;
    for (uint32_t i = 0; i < box_count(region); i++) {
        const struct reshard_box mine = part_box(region, i);
        if (reshard_box_intersect(&mine, box, &common)) {
            last = common;
            for (uint32_t d = 0; d < last.ndim; d++)
                last.begin[d] = last.end[d] - 1;
            if (*end == 0)
                *begin = before + reshard_box_offset(&common, &mine);
            *end = before + reshard_box_offset(&last, &mine) + 1;
        }
        before += reshard_box_count(&mine);
    }
}
