#include "core/layout.h"

#include "core/argument.h"
#include "core/flat.h"
#include "core/owners.h"
#include "core/region.h"

#include <inttypes.h>
#include <stdlib.h>

struct reshard_layout {
    const struct reshard_model *model;
    struct reshard_layout_options options;
    struct reshard_mesh mesh;
    uint64_t ranks;              /* of the mesh; the world's others are idle */
    struct placement *placement; /* by tensor */
    struct given **given;        /* by rule: of those whose boxes a tensor has */
    struct flats flats;
    struct owners owners;
};

static const struct reshard_tensor *tensor_of(const struct reshard_layout *layout, uint32_t t)
{
    return reshard_model_tensor(layout->model, t);
}

/* The sets of given boxes that a tensor follows, NULL for others. */
static const struct given *given_of(const struct reshard_layout *layout, uint32_t t)
{
    const struct reshard_rule *rule = layout->placement[t].boxes;

    return rule ? layout->given[rule - layout->options.rule] : NULL;
}

/* ---- what cuts leave ------------------------------------------------------------------------- */

/* The shape that a tensor's cuts are of: blocks lie where the parameter's elements do. */
static const struct reshard_shape *cut_shape(const struct reshard_layout *layout, uint32_t t)
{
    const struct reshard_tensor *tensor = tensor_of(layout, t);

    return tensor->block ? &tensor_of(layout, tensor->parameter)->shape : &tensor->shape;
}

static struct region region_of(const struct reshard_layout *layout, uint32_t t, uint64_t holder)
{
    const struct reshard_place place = reshard_mesh_place(&layout->mesh, holder);

    return region_at(cut_shape(layout, t), &layout->placement[t], &layout->mesh, &place);
}

static uint64_t divide_up(uint64_t value, uint64_t by)
{
    return value / by + (value % by != 0);
}

/* ---- opening --------------------------------------------------------------------------------- */

static enum reshard_status allocate(struct reshard_layout *layout)
{
    const size_t tensors = (size_t)reshard_model_tensor_count(layout->model) + 1;

    layout->placement = calloc(tensors, sizeof *layout->placement);
    layout->given = calloc((size_t)layout->options.rule_count + 1, sizeof(struct given *));
    return layout->placement && layout->given ? RESHARD_OK : RESHARD_ENOMEM;
}

/* The boxes that the tensors of a rule have: of each rule once, since no second shape can have
 * them. A tensor of another one is refused when its boxes are looked at by themselves. */
static enum reshard_status open_given(struct reshard_layout *layout, uint32_t t,
                                      struct reshard_error *error)
{
    const struct reshard_rule *rule = layout->placement[t].boxes;
    struct given **given = &layout->given[rule - layout->options.rule];
    struct given *other = NULL;
    enum reshard_status status = RESHARD_OK;

    if (!*given)
        return given_open(given, rule, tensor_of(layout, t), layout->ranks, error);
    if (reshard_shape_equal(&(*given)->shape, &tensor_of(layout, t)->shape))
        return RESHARD_OK;
    status = given_open(&other, rule, tensor_of(layout, t), layout->ranks, error);
    given_close(other);
    return status;
}

static enum reshard_status open_givens(struct reshard_layout *layout, struct reshard_error *error)
{
    enum reshard_status status = RESHARD_OK;

    for (uint32_t t = 0; !status && t < reshard_model_tensor_count(layout->model); t++)
        if (layout->placement[t].boxes && tensor_of(layout, t)->like == t)
            status = open_given(layout, t, error);
    if (!status)
        status = givens_compare(layout->given, layout->options.rule_count);
    return status;
}

static enum reshard_status open_owners(struct reshard_layout *layout)
{
    const struct owners_from from = {layout->model, &layout->options, layout->placement,
                                     &layout->flats, layout->given};

    return owners_open(&layout->owners, &from);
}

enum reshard_status reshard_layout_open(struct reshard_layout **out,
                                        const struct reshard_model *model,
                                        const struct reshard_layout_options *options,
                                        struct reshard_error *error)
{
    enum reshard_status status =
        CHECK_ARGUMENTS(error, ARGUMENT(out), ARGUMENT(model), ARGUMENT(options));
    struct reshard_layout *layout;

    if (out)
        *out = NULL;
    if (!status)
        status = formula_check(options, error);
    if (status)
        return status;
    layout = calloc(1, sizeof *layout);
    if (!layout)
        return RESHARD_ENOMEM;
    layout->model = model;
    status = reshard_layout_options_copy(&layout->options, options);
    if (!status)
        status = allocate(layout);
    if (!status) {
        layout->mesh = reshard_layout_options_mesh(&layout->options);
        layout->ranks = reshard_mesh_ranks(&layout->mesh);
        status = placement_find(layout->placement, model, &layout->options, error);
    }
    if (!status)
        status = open_givens(layout, error);
    if (!status)
        status = flats_open(&layout->flats, model, &layout->options, layout->placement, error);
    if (!status)
        status = open_owners(layout);
    if (status)
        reshard_layout_close(layout);
    else
        *out = layout;
    return status;
}

void reshard_layout_close(struct reshard_layout *layout)
{
    if (!layout)
        return;
    for (uint32_t i = 0; layout->given && i < layout->options.rule_count; i++)
        given_close(layout->given[i]);
    reshard_layout_options_release(&layout->options);
    free(layout->placement);
    free(layout->given);
    flats_close(&layout->flats);
    owners_close(&layout->owners);
    free(layout);
}

const struct reshard_model *reshard_layout_model(const struct reshard_layout *layout)
{
    return layout->model;
}

const struct reshard_layout_options *reshard_layout_options(const struct reshard_layout *layout)
{
    return &layout->options;
}

uint64_t reshard_layout_holders(const struct reshard_layout *layout)
{
    return layout->options.world;
}

/* ---- shards and replicas --------------------------------------------------------------------- */

uint64_t reshard_layout_shards(const struct reshard_layout *layout, uint32_t tensor)
{
    const struct given *given = given_of(layout, tensor);

    if (given)
        return given->set_count;
    if (layout->placement[tensor].per_rank)
        return layout->options.world;
    return reshard_mesh_count(&layout->mesh, layout->placement[tensor].cut_dims);
}

uint64_t reshard_layout_shard_of(const struct reshard_layout *layout, uint32_t tensor,
                                 uint64_t holder)
{
    const struct placement *placement = &layout->placement[tensor];
    const struct given *given = given_of(layout, tensor);
    struct reshard_place place;

    if (placement->per_rank)
        return holder;
    if (holder >= layout->ranks)
        return RESHARD_SHARD_NONE;
    if (given) {
        const uint64_t index = given_find(given, holder);
        return index == GIVEN_NONE ? RESHARD_SHARD_NONE : given->set[index];
    }
    place = reshard_mesh_place(&layout->mesh, holder);
    for (int d = 0; d < RESHARD_MESH_DIMS; d++)
        if (placement->fixed_dims & RESHARD_MESH_BIT(d) && placement->fixed.at[d] != place.at[d])
            return RESHARD_SHARD_NONE;
    return reshard_mesh_number(&layout->mesh, placement->cut_dims, &place);
}

uint64_t reshard_layout_replicas(const struct reshard_layout *layout, uint32_t tensor,
                                 uint64_t shard)
{
    const struct given *given = given_of(layout, tensor);

    if (given)
        return given->member_start[shard + 1] - given->member_start[shard];
    if (layout->placement[tensor].per_rank)
        return 1;
    return reshard_mesh_count(&layout->mesh, owners_free_dims(&layout->placement[tensor]));
}

uint64_t reshard_layout_replicas_most(const struct reshard_layout *layout, uint32_t tensor)
{
    const struct given *given = given_of(layout, tensor);
    uint64_t most = 1;

    if (!given) /* all shards have as many */
        return reshard_layout_replicas(layout, tensor, 0);
    for (uint64_t set = 0; set < given->set_count; set++)
        if (reshard_layout_replicas(layout, tensor, set) > most)
            most = reshard_layout_replicas(layout, tensor, set);
    return most;
}

uint64_t reshard_layout_replica_of(const struct reshard_layout *layout, uint32_t tensor,
                                   uint64_t holder)
{
    const struct given *given = given_of(layout, tensor);
    struct reshard_place place;

    if (given)
        return given->number[given_find(given, holder)];
    if (layout->placement[tensor].per_rank)
        return 0;
    place = reshard_mesh_place(&layout->mesh, holder);
    return reshard_mesh_number(&layout->mesh, owners_free_dims(&layout->placement[tensor]), &place);
}

uint64_t reshard_layout_holder(const struct reshard_layout *layout, uint32_t tensor, uint64_t shard,
                               uint64_t replica)
{
    const struct placement *placement = &layout->placement[tensor];
    const struct given *given = given_of(layout, tensor);
    struct reshard_place place = placement->fixed;

    if (given)
        return given->member[given->member_start[shard] + replica];
    if (placement->per_rank)
        return shard;
    reshard_mesh_set_number(&layout->mesh, placement->cut_dims, shard, &place);
    reshard_mesh_set_number(&layout->mesh, owners_free_dims(placement), replica, &place);
    return reshard_mesh_rank(&layout->mesh, &place);
}

uint64_t reshard_layout_owner(const struct reshard_layout *layout, uint32_t tensor, uint64_t shard)
{
    const struct given *given = given_of(layout, tensor);

    if (layout->placement[tensor].per_rank)
        return shard;
    return reshard_layout_holder(layout, tensor, shard,
                                 given ? owners_member(&layout->owners, given, tensor, shard)
                                       : layout->owners.replica[tensor]);
}

bool reshard_layout_is_owner(const struct reshard_layout *layout, uint32_t tensor, uint64_t holder)
{
    const uint64_t shard = reshard_layout_shard_of(layout, tensor, holder);

    return shard != RESHARD_SHARD_NONE && reshard_layout_owner(layout, tensor, shard) == holder;
}

/* ---- who has what ---------------------------------------------------------------------------- */

bool reshard_layout_is_flat(const struct reshard_layout *layout, uint32_t tensor)
{
    return layout->placement[tensor].flat && tensor_of(layout, tensor)->like != RESHARD_LIKE_NONE;
}

struct reshard_flat_info reshard_layout_flat(const struct reshard_layout *layout, uint32_t tensor,
                                             uint32_t *number)
{
    const uint32_t index =
        reshard_layout_is_flat(layout, tensor) ? layout->flats.place[tensor].number : 0;
    const struct flat *flat = index ? &layout->flats.flat[index - 1] : NULL;

    if (number)
        *number = flat ? index - 1 : 0;
    return flat ? (struct reshard_flat_info){flat->total, flat->shard_count, flat->dtype}
                : (struct reshard_flat_info){0, 0, RESHARD_DTYPE_NONE};
}

/* What a holder's flat shard has of a tensor, or of the parameter that a slot goes through the flat
 * cut with. */
static struct reshard_shard_info flat_part(const struct reshard_layout *layout, uint32_t tensor,
                                           uint64_t holder)
{
    const struct flat_place *place = &layout->flats.place[tensor];
    const struct reshard_place at = reshard_mesh_place(&layout->mesh, holder);
    const uint64_t begin = place->begin, end = begin + place->count;
    struct reshard_shard_info info = {false, 0, 0, 0};
    uint64_t shard_count, shard_begin, shard_end;

    if (place->number == 0)
        return info;
    shard_count = layout->flats.flat[place->number - 1].shard_count;
    shard_begin = shard_count *
                  reshard_mesh_number(&layout->mesh,
                                      placement_flat_cut(&layout->placement[tensor])->dims, &at);
    shard_end = shard_begin + shard_count;
    /* As FlatParamHandle._get_shard_metadata has it: an empty tensor counts as in the shard when it
     * lies inside, not where a shard begins. */
    if (shard_begin >= end || begin >= shard_end ||
        reshard_layout_shard_of(layout, tensor, holder) == RESHARD_SHARD_NONE)
        return info;
    info.in_shard = true;
    info.offset = begin > shard_begin ? begin - shard_begin : 0;
    info.begin = shard_begin > begin ? shard_begin - begin : 0;
    info.end = (end < shard_end ? end : shard_end) - begin;
    return info;
}

struct reshard_shard_info reshard_layout_shard_info(const struct reshard_layout *layout,
                                                    uint32_t tensor, uint64_t holder)
{
    return reshard_layout_is_flat(layout, tensor) ? flat_part(layout, tensor, holder)
                                                  : (struct reshard_shard_info){false, 0, 0, 0};
}

/* The elements of its region's memory that the flat cut leaves a holder. */
static struct region_run flat_run(const struct reshard_layout *layout, uint32_t tensor,
                                  uint64_t holder)
{
    const struct reshard_shard_info info = flat_part(layout, tensor, holder);
    const uint64_t width = layout->placement[tensor].width;

    if (width == 1) /* but for rows always, and asked of every rank and tensor */
        return (struct region_run){info.begin, info.end};
    return (struct region_run){divide_up(info.begin, width), divide_up(info.end, width)};
}

/* The elements of its region's memory that a holder has, the flat cut included. */
static struct region_run part_of(const struct reshard_layout *layout, uint32_t tensor,
                                 uint64_t holder, const struct region *region)
{
    return layout->placement[tensor].flat ? flat_run(layout, tensor, holder)
                                          : (struct region_run){0, region_count(region)};
}

/* The blocks whose first elements a holder has, as runs; returns how many. */
static uint32_t block_runs(const struct reshard_layout *layout, uint32_t tensor, uint64_t holder,
                           struct region_run *out)
{
    const struct region region = region_of(layout, tensor, holder);
    const struct region_run part = part_of(layout, tensor, holder, &region);
    const uint64_t block = tensor_of(layout, tensor)->block;
    struct region_run run[RESHARD_SECTIONS_MAX];
    const uint32_t runs =
        region_runs(&region, cut_shape(layout, tensor), part.begin, part.end, run);
    uint32_t count = 0;

    for (uint32_t i = 0; i < runs; i++) {
        out[count].begin = divide_up(run[i].begin, block);
        out[count].end = divide_up(run[i].end, block);
        count += out[count].begin < out[count].end;
    }
    return count;
}

static enum reshard_status block_boxes(const struct reshard_layout *layout, uint32_t tensor,
                                       uint64_t holder, struct reshard_box_list *out)
{
    struct region_run run[RESHARD_SECTIONS_MAX];
    const uint32_t runs = block_runs(layout, tensor, holder, run);
    enum reshard_status status = RESHARD_OK;

    for (uint32_t i = 0; !status && i < runs; i++) {
        const struct reshard_box box = {.ndim = 1, .begin = {run[i].begin}, .end = {run[i].end}};
        status = reshard_box_list_append(out, &box);
    }
    return status;
}

static enum reshard_status given_boxes(const struct given *given, uint64_t holder,
                                       struct reshard_box_list *out)
{
    const uint64_t index = given_find(given, holder);
    enum reshard_status status = RESHARD_OK;

    for (uint64_t i = given->start[index]; !status && i < given->start[index + 1]; i++)
        status = reshard_box_list_append(out, &given->box[i]);
    return status;
}

static struct reshard_box row_box(const struct reshard_shape *shape, uint64_t row)
{
    struct reshard_box box = reshard_box_whole(shape);

    box.begin[0] = row;
    box.end[0] = row + 1;
    return box;
}

enum reshard_status reshard_layout_boxes(const struct reshard_layout *layout, uint32_t tensor,
                                         uint64_t holder, struct reshard_box_list *out)
{
    const struct placement *placement = &layout->placement[tensor];
    struct reshard_box row;
    struct region region;
    struct region_run part;

    if (reshard_layout_shard_of(layout, tensor, holder) == RESHARD_SHARD_NONE)
        return RESHARD_OK;
    if (given_of(layout, tensor))
        return given_boxes(given_of(layout, tensor), holder, out);
    if (placement->per_rank) {
        row = row_box(&tensor_of(layout, tensor)->shape, holder);
        return reshard_box_list_append(out, &row);
    }
    if (tensor_of(layout, tensor)->block)
        return block_boxes(layout, tensor, holder, out);
    region = region_of(layout, tensor, holder);
    if (!placement->flat)
        return region_boxes(&region, out);
    part = flat_run(layout, tensor, holder);
    return region_interval(&region, part.begin, part.end, out);
}

uint64_t reshard_layout_boxes_most(const struct reshard_layout *layout, uint32_t tensor)
{
    const struct placement *placement = &layout->placement[tensor];
    const struct reshard_tensor *entry = tensor_of(layout, tensor);
    uint64_t most = reshard_layout_shards(layout, tensor);

    if (entry->count == 0)
        return 0;
    if (given_of(layout, tensor))
        return placement->boxes->box_count;
    if (placement->sections)
        most *= placement->sections->section_count;
    /* An interval is cut into at most that many boxes. */
    if (placement->flat && entry->shape.ndim > 1 && !entry->block)
        most *= 2 * (uint64_t)entry->shape.ndim - 1;
    return most;
}

static uint64_t given_count(const struct given *given, uint64_t holder)
{
    const uint64_t index = given_find(given, holder);
    uint64_t count = 0;

    for (uint64_t i = given->start[index]; i < given->start[index + 1]; i++)
        count += reshard_box_count(&given->box[i]);
    return count;
}

static uint64_t block_count(const struct reshard_layout *layout, uint32_t tensor, uint64_t holder)
{
    struct region_run run[RESHARD_SECTIONS_MAX];
    const uint32_t runs = block_runs(layout, tensor, holder, run);
    uint64_t count = 0;

    for (uint32_t i = 0; i < runs; i++)
        count += run[i].end - run[i].begin;
    return count;
}

uint64_t reshard_layout_local_count(const struct reshard_layout *layout, uint32_t tensor,
                                    uint64_t holder)
{
    const struct reshard_tensor *entry = tensor_of(layout, tensor);
    struct region region;
    struct region_run part;

    if (reshard_layout_shard_of(layout, tensor, holder) == RESHARD_SHARD_NONE)
        return 0;
    if (given_of(layout, tensor))
        return given_count(given_of(layout, tensor), holder);
    if (layout->placement[tensor].per_rank)
        return entry->count / entry->shape.size[0];
    if (entry->block)
        return block_count(layout, tensor, holder);
    if (layout->placement[tensor].flat) { /* which needs no region */
        part = flat_run(layout, tensor, holder);
        return part.end - part.begin;
    }
    region = region_of(layout, tensor, holder);
    return region_count(&region);
}

/* ---- overlap --------------------------------------------------------------------------------- */

static enum reshard_status add_shard(struct reshard_shard_list *list, uint64_t shard)
{
    if (list->count == list->capacity) {
        const uint64_t capacity = list->capacity ? 2 * list->capacity : 16;
        uint64_t *grown = reallocarray(list->shard, capacity, sizeof *grown);

        if (!grown)
            return RESHARD_ENOMEM;
        list->shard = grown;
        list->capacity = capacity;
    }
    list->shard[list->count++] = shard;
    return RESHARD_OK;
}

void reshard_shard_list_release(struct reshard_shard_list *list)
{
    free(list->shard);
    *list = (struct reshard_shard_list)RESHARD_SHARD_LIST_INIT;
}

/* A search for the shards of one tensor that have elements of a box. */
struct search {
    const struct reshard_layout *layout;
    uint32_t tensor;
    const struct reshard_box *box;
    struct reshard_place place; /* the coordinates chosen so far */
    struct reshard_shard_list *out;
    /* Of blocks, of which `box` is the rows: from the first element of the first to that of the
     * last. NULL for others. */
    const struct region_run *firsts;
};

/* A row may be in many shards, of which blocks are in one or two. */
static void clip_to_blocks(const struct search *search, const struct region *region,
                           uint64_t *begin, uint64_t *end)
{
    const struct reshard_box whole = reshard_box_whole(cut_shape(search->layout, search->tensor));
    const uint64_t before = reshard_box_offset(&region->box, &whole);

    if (before + *begin < search->firsts->begin)
        *begin = search->firsts->begin - before;
    if (before + *end > search->firsts->end)
        *end = search->firsts->end - before;
}

/* The coordinates of cut `index` that may have elements of the box. */
static void search_range(const struct search *search, uint32_t index, const struct region *region,
                         uint64_t *begin, uint64_t *end)
{
    const struct placement *placement = &search->layout->placement[search->tensor];
    const struct placement_cut *cut = &placement->cut[index];
    const struct flat_place *flat = &search->layout->flats.place[search->tensor];
    uint64_t chunk;

    if (!placement->flat || index + 1 < placement->cut_count) {
        region_coordinates(region, cut->on, cut->ways, placement_sections(placement, index),
                           search->box, begin, end);
        return;
    }
    region_span(region, search->box, begin, end);
    if (*begin == *end)
        return;
    if (search->firsts && !region->part_count)
        clip_to_blocks(search, region, begin, end);
    chunk = search->layout->flats.flat[flat->number - 1].shard_count;
    *begin = (flat->begin + *begin * placement->width) / chunk;
    *end = (flat->begin + (*end - 1) * placement->width) / chunk + 1;
}

/* Cut by cut, outermost first: only coordinates that have something of the box are followed. */
static enum reshard_status search_cut(struct search *search, uint32_t index,
                                      const struct region *region)
{
    const struct placement *placement = &search->layout->placement[search->tensor];
    const struct reshard_mesh *mesh = &search->layout->mesh;
    enum reshard_status status = RESHARD_OK;
    uint64_t begin, end, first, last;

    region_span(region, search->box, &first, &last);
    if (first == last)
        return RESHARD_OK;
    if (index == placement->cut_count || index == PLACEMENT_CUTS_MAX)
        return add_shard(search->out,
                         reshard_mesh_number(mesh, placement->cut_dims, &search->place));
    search_range(search, index, region, &begin, &end);
    for (uint64_t k = begin; !status && k < end; k++) {
        struct region left = *region;
        reshard_mesh_set_number(mesh, placement->cut[index].dims, k, &search->place);
        if (!placement->flat || index + 1 < placement->cut_count)
            region_cut(&left, placement->cut[index].on, placement->cut[index].ways, k,
                       placement_sections(placement, index));
        status = search_cut(search, index + 1, &left);
    }
    return status;
}

static enum reshard_status search_given(const struct given *given, const struct reshard_box *box,
                                        struct reshard_shard_list *out)
{
    enum reshard_status status = RESHARD_OK;
    struct reshard_box common;

    for (uint64_t set = 0; !status && set < given->set_count; set++) {
        const uint64_t first = given_find(given, given->member[given->member_start[set]]);
        bool meets = false;
        for (uint64_t i = given->start[first]; !meets && i < given->start[first + 1]; i++)
            meets = reshard_box_intersect(&given->box[i], box, &common);
        if (meets)
            status = add_shard(out, set);
    }
    return status;
}

/* The elements of the parameter from the first of a box of blocks to the first of the last one. */
static struct region_run firsts_of_blocks(const struct reshard_layout *layout, uint32_t tensor,
                                          const struct reshard_box *blocks)
{
    const uint64_t block = tensor_of(layout, tensor)->block;

    return (struct region_run){blocks->begin[0] * block, (blocks->end[0] - 1) * block + 1};
}

/* The rows that these are in. */
static struct reshard_box rows_of(const struct reshard_shape *shape, const struct region_run *run)
{
    struct reshard_box box = reshard_box_whole(shape);
    uint64_t row;

    if (shape->ndim == 0)
        return box;
    row = reshard_box_count(&box) / shape->size[0];
    box.begin[0] = run->begin / row;
    box.end[0] = (run->end - 1) / row + 1;
    return box;
}

enum reshard_status reshard_layout_overlap(const struct reshard_layout *layout, uint32_t tensor,
                                           const struct reshard_box *box,
                                           struct reshard_shard_list *out)
{
    struct search search = {layout, tensor, box, {{0}}, out, NULL};
    const struct region whole = region_whole(cut_shape(layout, tensor));
    enum reshard_status status = RESHARD_OK;
    struct region_run firsts;
    struct reshard_box rows;

    if (reshard_box_empty(box))
        return RESHARD_OK;
    if (tensor_of(layout, tensor)->block) {
        firsts = firsts_of_blocks(layout, tensor, box);
        rows = rows_of(cut_shape(layout, tensor), &firsts);
        search.box = &rows;
        search.firsts = &firsts;
    }
    if (given_of(layout, tensor))
        return search_given(given_of(layout, tensor), box, out);
    if (!layout->placement[tensor].per_rank)
        return search_cut(&search, 0, &whole);
    for (uint64_t row = box->begin[0]; !status && row < box->end[0]; row++)
        status = add_shard(out, row);
    return status;
}
