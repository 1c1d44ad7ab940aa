#include "core/layout.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT_BYTES = 16 }; /* FlatParamHandle._get_aligned_numel */

enum placement {
    PLACE_REPLICATED,
    PLACE_SHARD0, /* dimension 0, by torch.chunk's rule */
    PLACE_FLAT,   /* an interval of the unit's flat parameter */
};

/* The mesh: rank = replicate coordinate * shard size + shard coordinate. */
enum { MESH_REPLICATE, MESH_SHARD, MESH_DIMS };

struct reshard_layout {
    const struct reshard_model *model;
    struct reshard_layout_options options;
    uint64_t mesh[MESH_DIMS];
    struct reshard_flat_info *flat; /* by unit */
    enum placement *placement;      /* by tensor, along MESH_SHARD; replicated along the other */
    uint64_t *flat_begin;           /* by tensor: its first entry in the flat parameter */
    uint64_t *owner;                /* by tensor: the replica that writes it */
};

static const char *const kind_names[] = {
    [RESHARD_LAYOUT_FSDP1] = "fsdp1",
    [RESHARD_LAYOUT_FSDP2] = "fsdp2",
    [RESHARD_LAYOUT_DDP] = "ddp",
};

const char *reshard_layout_kind_name(enum reshard_layout_kind kind)
{
    return kind_names[kind];
}

bool reshard_layout_kind_from_name(const char *name, enum reshard_layout_kind *out)
{
    for (size_t i = 0; i < sizeof kind_names / sizeof *kind_names; i++) {
        if (strcmp(kind_names[i], name) == 0) {
            *out = (enum reshard_layout_kind)i;
            return true;
        }
    }
    return false;
}

static uint64_t chunk_size(uint64_t size, uint64_t count)
{
    return size / count + (size % count != 0);
}

struct reshard_chunk reshard_chunk(uint64_t size, uint64_t count, uint64_t index)
{
    const uint64_t chunk = chunk_size(size, count);
    /* Sizes are below 2^63 and indices below 2^31, but their product need not fit. */
    const uint64_t begin = chunk && index > size / chunk ? size : chunk * index;
    const struct reshard_chunk piece = {
        .begin = begin < size ? begin : size,
        .end = begin < size && size - begin > chunk ? begin + chunk : size,
    };

    return piece;
}

/* ---- flat parameters ------------------------------------------------------------------------- */

static uint64_t round_up(uint64_t value, uint64_t multiple)
{
    const uint64_t rest = multiple ? value % multiple : 0;

    return rest ? value + (multiple - rest) : value;
}

/* Padding before each parameter, in elements; 0 for none. It follows the *forward* dtype: mixed
 * precision changes the flat layout of the same weights. */
static uint64_t alignment(const struct reshard_layout_options *options, enum reshard_dtype dtype)
{
    const enum reshard_dtype forward = options->forward ? options->forward : dtype;

    return options->orig_params ? ALIGNMENT_BYTES / reshard_dtype_bytes(forward) : 0;
}

static enum reshard_status flatten(struct reshard_layout *layout, uint32_t t, uint32_t *first,
                                   struct reshard_error *error)
{
    const struct reshard_tensor *tensor = reshard_model_tensor(layout->model, t);
    struct reshard_flat_info *flat = &layout->flat[tensor->unit];

    if (flat->dtype == RESHARD_DTYPE_NONE) {
        flat->dtype = tensor->dtype;
        first[tensor->unit] = t;
    } else if (flat->dtype != tensor->dtype) {
        const struct reshard_tensor *other =
            reshard_model_tensor(layout->model, first[tensor->unit]);
        const char *unit = reshard_model_unit(layout->model, tensor->unit);
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "fsdp1 cannot flatten %s%s%s: '%s' is %s and '%s' is %s; a flat "
                                 "parameter has one dtype "
                                 "(put them into different units)",
                                 unit[0] ? "unit '" : "the root unit", unit, unit[0] ? "'" : "",
                                 other->fqn, reshard_dtype_name(other->dtype), tensor->fqn,
                                 reshard_dtype_name(tensor->dtype));
    }
    layout->flat_begin[t] = round_up(flat->total, alignment(&layout->options, flat->dtype));
    flat->total = layout->flat_begin[t] + tensor->count;
    if (flat->total > INT64_MAX / 16)
        return reshard_error_set(error, RESHARD_EOVERFLOW, "unit '%s' is too large to flatten",
                                 reshard_model_unit(layout->model, tensor->unit));
    return RESHARD_OK;
}

static enum reshard_status flatten_all(struct reshard_layout *layout, struct reshard_error *error)
{
    const uint32_t units = reshard_model_unit_count(layout->model);
    uint32_t *first = calloc(units, sizeof *first);
    enum reshard_status status = first ? RESHARD_OK : RESHARD_ENOMEM;

    for (uint32_t t = 0; !status && t < reshard_model_tensor_count(layout->model); t++)
        if (layout->placement[t] == PLACE_FLAT && reshard_model_tensor(layout->model, t)->like == t)
            status = flatten(layout, t, first, error);
    for (uint32_t u = 0; !status && u < units; u++) {
        struct reshard_flat_info *flat = &layout->flat[u];
        if (layout->options.orig_params)
            flat->total = round_up(flat->total, layout->mesh[MESH_SHARD]);
        flat->shard_count = chunk_size(flat->total, layout->mesh[MESH_SHARD]);
    }
    free(first);
    return status;
}

/* ---- opening --------------------------------------------------------------------------------- */

static enum placement place(const struct reshard_layout *layout, uint32_t t)
{
    const struct reshard_tensor *tensor = reshard_model_tensor(layout->model, t);
    const struct reshard_tensor *parameter;

    if (tensor->like == RESHARD_LIKE_NONE)
        return PLACE_REPLICATED;
    parameter = reshard_model_tensor(layout->model, tensor->like);
    switch (layout->options.kind) {
    case RESHARD_LAYOUT_FSDP1:
        return reshard_dtype_kind(parameter->dtype) == RESHARD_KIND_FLOAT ? PLACE_FLAT
                                                                          : PLACE_REPLICATED;
    case RESHARD_LAYOUT_FSDP2:
        return parameter->shape.ndim > 0 ? PLACE_SHARD0 : PLACE_REPLICATED;
    case RESHARD_LAYOUT_DDP:
        break;
    }
    return PLACE_REPLICATED;
}

static enum reshard_status check_options(const struct reshard_layout_options *options,
                                         struct reshard_error *error)
{
    const uint64_t replicate = options->replicate ? options->replicate : 1;
    const uint64_t shard = options->shard ? options->shard : 1;

    if (options->kind > RESHARD_LAYOUT_DDP)
        return reshard_error_set(error, RESHARD_EINVAL, "unknown kind of layout %d",
                                 (int)options->kind);
    if (options->kind == RESHARD_LAYOUT_DDP && shard > 1)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "a ddp layout shards nothing, but its mesh has shard: %" PRIu64,
                                 shard);
    if (options->kind != RESHARD_LAYOUT_FSDP1 && (options->orig_params || options->forward))
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "orig_params and forward are for fsdp1; this layout is %s",
                                 reshard_layout_kind_name(options->kind));
    if (options->forward && reshard_dtype_kind(options->forward) != RESHARD_KIND_FLOAT)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "forward must be f64, f32, f16 or bf16, not %s",
                                 reshard_dtype_name(options->forward));
    if (replicate > RESHARD_MESH_RANKS_MAX || shard > RESHARD_MESH_RANKS_MAX ||
        replicate * shard > RESHARD_MESH_RANKS_MAX)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "a mesh of %" PRIu64 " x %" PRIu64
                                 " ranks is too large; at most %d ranks are supported",
                                 replicate, shard, RESHARD_MESH_RANKS_MAX);
    return RESHARD_OK;
}

/* Bytes that the replica set `replica` has to write already, over the holders that it would take.
 */
static uint64_t replica_load(const struct reshard_layout *layout, uint32_t t, uint64_t replica,
                             uint64_t *load)
{
    uint64_t sum = 0;

    layout->owner[t] = replica;
    for (uint64_t s = 0; s < reshard_layout_shards(layout, t); s++)
        sum += load[reshard_layout_owner(layout, t, s)];
    return sum;
}

/* Give each tensor to the replica set that has least to write, the lowest on a tie. */
static enum reshard_status choose_owners(struct reshard_layout *layout)
{
    const uint64_t holders = reshard_layout_holders(layout);
    uint64_t *load = calloc(holders, sizeof *load);

    if (!load)
        return RESHARD_ENOMEM;
    for (uint32_t t = 0; t < reshard_model_tensor_count(layout->model); t++) {
        const size_t bytes = reshard_dtype_bytes(reshard_model_tensor(layout->model, t)->dtype);
        const uint64_t shards = reshard_layout_shards(layout, t);
        uint64_t best = 0, least = UINT64_MAX;
        for (uint64_t r = 0; r < holders / shards && least > 0; r++) {
            const uint64_t sum = replica_load(layout, t, r, load);
            if (sum < least) {
                least = sum;
                best = r;
            }
        }
        layout->owner[t] = best;
        for (uint64_t s = 0; s < shards; s++) {
            const uint64_t holder = reshard_layout_owner(layout, t, s);
            load[holder] += reshard_layout_local_count(layout, t, holder) * bytes;
        }
    }
    free(load);
    return RESHARD_OK;
}

enum reshard_status reshard_layout_open(struct reshard_layout **out,
                                        const struct reshard_model *model,
                                        const struct reshard_layout_options *options,
                                        struct reshard_error *error)
{
    const uint32_t tensors = reshard_model_tensor_count(model);
    enum reshard_status status = check_options(options, error);
    struct reshard_layout *layout;

    *out = NULL;
    if (status)
        return status;
    layout = calloc(1, sizeof *layout);
    if (!layout)
        return RESHARD_ENOMEM;
    layout->model = model;
    layout->options = *options;
    layout->options.replicate = options->replicate ? options->replicate : 1;
    layout->options.shard = options->shard ? options->shard : 1;
    layout->mesh[MESH_REPLICATE] = layout->options.replicate;
    layout->mesh[MESH_SHARD] = layout->options.shard;
    layout->flat = calloc(reshard_model_unit_count(model), sizeof *layout->flat);
    layout->placement = calloc(tensors + 1, sizeof *layout->placement);
    layout->flat_begin = calloc(tensors + 1, sizeof *layout->flat_begin);
    layout->owner = calloc(tensors + 1, sizeof *layout->owner);
    if (!layout->flat || !layout->placement || !layout->flat_begin || !layout->owner) {
        status = RESHARD_ENOMEM;
        goto cleanup;
    }
    for (uint32_t t = 0; t < tensors; t++)
        layout->placement[t] = place(layout, t);
    status = flatten_all(layout, error);
    if (!status)
        status = choose_owners(layout);

cleanup:
    if (status) {
        reshard_layout_close(layout);
        return status;
    }
    *out = layout;
    return RESHARD_OK;
}

void reshard_layout_close(struct reshard_layout *layout)
{
    if (!layout)
        return;
    free(layout->flat);
    free(layout->placement);
    free(layout->flat_begin);
    free(layout->owner);
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
    return layout->mesh[MESH_REPLICATE] * layout->mesh[MESH_SHARD];
}

/* ---- who has what ---------------------------------------------------------------------------- */

static uint64_t shard_coordinate(const struct reshard_layout *layout, uint64_t holder)
{
    return holder % layout->mesh[MESH_SHARD];
}

bool reshard_layout_is_flat(const struct reshard_layout *layout, uint32_t tensor)
{
    return layout->placement[tensor] == PLACE_FLAT;
}

struct reshard_flat_info reshard_layout_flat(const struct reshard_layout *layout, uint32_t unit)
{
    return layout->flat[unit];
}

/* Where the flat parameter has a tensor: a slot lies where its parameter does. */
static uint64_t flat_begin(const struct reshard_layout *layout, uint32_t tensor)
{
    return layout->flat_begin[reshard_model_tensor(layout->model, tensor)->like];
}

struct reshard_shard_info reshard_layout_shard_info(const struct reshard_layout *layout,
                                                    uint32_t tensor, uint64_t holder)
{
    const struct reshard_tensor *entry = reshard_model_tensor(layout->model, tensor);
    const uint64_t shard_count = layout->flat[entry->unit].shard_count;
    const uint64_t begin = flat_begin(layout, tensor), end = begin + entry->count;
    const uint64_t shard_begin = shard_count * shard_coordinate(layout, holder);
    const uint64_t shard_end = shard_begin + shard_count;
    struct reshard_shard_info info = {false, 0, 0, 0};

    /* As FlatParamHandle._get_shard_metadata has it: an empty tensor counts as in the shard when it
     * lies inside, not where a shard begins. */
    if (shard_begin >= end || begin >= shard_end)
        return info;
    info.in_shard = true;
    info.offset = begin > shard_begin ? begin - shard_begin : 0;
    info.begin = shard_begin > begin ? shard_begin - begin : 0;
    info.end = (end < shard_end ? end : shard_end) - begin;
    return info;
}

static struct reshard_box shard0_box(const struct reshard_layout *layout, uint32_t tensor,
                                     uint64_t holder)
{
    const struct reshard_shape *shape = &reshard_model_tensor(layout->model, tensor)->shape;
    const struct reshard_chunk rows =
        reshard_chunk(shape->size[0], layout->mesh[MESH_SHARD], shard_coordinate(layout, holder));
    struct reshard_box box = reshard_box_whole(shape);

    box.begin[0] = rows.begin;
    box.end[0] = rows.end;
    return box;
}

enum reshard_status reshard_layout_boxes(const struct reshard_layout *layout, uint32_t tensor,
                                         uint64_t holder, struct reshard_box_list *out)
{
    const struct reshard_shape *shape = &reshard_model_tensor(layout->model, tensor)->shape;
    struct reshard_shard_info info;
    struct reshard_box box;

    switch (layout->placement[tensor]) {
    case PLACE_FLAT:
        info = reshard_layout_shard_info(layout, tensor, holder);
        return reshard_box_from_interval(shape, info.begin, info.end, out);
    case PLACE_SHARD0:
        box = shard0_box(layout, tensor, holder);
        return reshard_box_list_append(out, &box);
    case PLACE_REPLICATED:
        break;
    }
    box = reshard_box_whole(shape);
    return reshard_box_list_append(out, &box);
}

uint64_t reshard_layout_local_count(const struct reshard_layout *layout, uint32_t tensor,
                                    uint64_t holder)
{
    struct reshard_shard_info info;
    struct reshard_box box;

    switch (layout->placement[tensor]) {
    case PLACE_FLAT:
        info = reshard_layout_shard_info(layout, tensor, holder);
        return info.end - info.begin;
    case PLACE_SHARD0:
        box = shard0_box(layout, tensor, holder);
        return reshard_box_count(&box);
    case PLACE_REPLICATED:
        break;
    }
    return reshard_model_tensor(layout->model, tensor)->count;
}

/* ---- shards and replicas --------------------------------------------------------------------- */

uint32_t reshard_layout_cut_mask(const struct reshard_layout *layout, uint32_t tensor)
{
    return layout->placement[tensor] == PLACE_REPLICATED ? 0 : 1u << MESH_SHARD;
}

uint64_t reshard_layout_shards(const struct reshard_layout *layout, uint32_t tensor)
{
    return reshard_layout_cut_mask(layout, tensor) ? layout->mesh[MESH_SHARD] : 1;
}

uint64_t reshard_layout_shard_of(const struct reshard_layout *layout, uint32_t tensor,
                                 uint64_t holder)
{
    return reshard_layout_cut_mask(layout, tensor) ? shard_coordinate(layout, holder) : 0;
}

uint64_t reshard_layout_owner(const struct reshard_layout *layout, uint32_t tensor, uint64_t shard)
{
    return layout->owner[tensor] * reshard_layout_shards(layout, tensor) + shard;
}

uint64_t reshard_layout_replica_set(const struct reshard_layout *layout, uint32_t cut_mask,
                                    uint64_t holder)
{
    return cut_mask ? holder / layout->mesh[MESH_SHARD] : holder;
}

void reshard_layout_overlap(const struct reshard_layout *layout, uint32_t tensor,
                            const struct reshard_box *box, uint64_t *begin, uint64_t *end)
{
    const struct reshard_tensor *entry = reshard_model_tensor(layout->model, tensor);
    struct reshard_box whole = reshard_box_whole(&entry->shape), last = *box;
    uint64_t chunk, from, to; /* units of what is cut: rows, or entries of the flat parameter */

    *begin = 0;
    *end = reshard_box_count(box) ? reshard_layout_shards(layout, tensor) : 0;
    if (*end == 0 || layout->placement[tensor] == PLACE_REPLICATED)
        return;
    if (layout->placement[tensor] == PLACE_SHARD0) {
        chunk = chunk_size(entry->shape.size[0], layout->mesh[MESH_SHARD]);
        from = box->begin[0];
        to = box->end[0] - 1;
    } else {
        chunk = layout->flat[entry->unit].shard_count;
        for (uint32_t d = 0; d < last.ndim; d++)
            last.begin[d] = last.end[d] - 1;
        from = flat_begin(layout, tensor) + reshard_box_offset(box, &whole);
        to = flat_begin(layout, tensor) + reshard_box_offset(&last, &whole);
    }
    *begin = from / chunk;
    *end = to / chunk + 1;
}
