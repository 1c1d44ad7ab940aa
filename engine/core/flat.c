#include "core/flat.h"

#include "core/region.h"

#include <stdlib.h>

enum { ALIGNMENT_BYTES = 16 }; /* FlatParamHandle._get_aligned_numel */

/* Flattening on its way. */
struct flattening {
    const struct reshard_model *model;
    const struct reshard_layout_options *options;
    struct reshard_mesh mesh;
    const struct placement *placement;
    struct flats *out;
    uint32_t *latest; /* by unit: 1 + index of its latest flat parameter */
    struct reshard_error *error;
};

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

/* The same setting, up to the dimension that it cuts; which of several entries a parameter is may
 * differ, and then they are not in one rank's flat parameter. */
static bool same_expert(const struct placement *a, const struct placement *b)
{
    return a->expert.how == b->expert.how &&
           (a->expert.how == RESHARD_HOW_CUT || a->expert.number == b->expert.number);
}

/* Two parameters cannot share a flat one: what the one is, and the other. */
static enum reshard_status refuse(const struct flattening *flattening, uint32_t first, uint32_t t,
                                  const char *one_is, const char *other_is, const char *why)
{
    const struct reshard_tensor *one = reshard_model_tensor(flattening->model, first);
    const struct reshard_tensor *other = reshard_model_tensor(flattening->model, t);
    const char *unit = reshard_model_unit(flattening->model, one->unit);

    return reshard_error_set(flattening->error, RESHARD_EINVAL,
                             "fsdp1 cannot flatten %s%s%s: '%s' is %s and '%s' is %s; %s",
                             unit[0] ? "unit '" : "the root unit", unit, unit[0] ? "'" : "",
                             one->fqn, one_is, other->fqn, other_is, why);
}

static const char *expert_text(const struct placement *placement)
{
    static const char *const texts[] = {[RESHARD_HOW_DEFAULT] = "no expert",
                                        [RESHARD_HOW_WHOLE] = "whole along expert",
                                        [RESHARD_HOW_CUT] = "cut along expert",
                                        [RESHARD_HOW_AT] = "at an expert coordinate",
                                        [RESHARD_HOW_OF] = "at an expert coordinate"};

    return texts[placement->expert.how];
}

/* As FlatParamHandle._validate_tensors_to_flatten has it. */
static enum reshard_status check_together(const struct flattening *flattening, uint32_t first,
                                          uint32_t t)
{
    const struct reshard_tensor *one = reshard_model_tensor(flattening->model, first);
    const struct reshard_tensor *other = reshard_model_tensor(flattening->model, t);
    const struct placement *placement = flattening->placement;

    if (one->dtype != other->dtype)
        return refuse(flattening, first, t, reshard_dtype_name(one->dtype),
                      reshard_dtype_name(other->dtype),
                      "a flat parameter has one dtype (put them into different units)");
    if (!flattening->options->orig_params && one->role != other->role)
        return refuse(flattening, first, t, one->role ? "frozen" : "trained",
                      other->role ? "frozen" : "trained",
                      "without orig_params a flat parameter is trained as a whole or not at all");
    if (!same_expert(&placement[first], &placement[t]))
        return refuse(flattening, first, t, expert_text(&placement[first]),
                      expert_text(&placement[t]),
                      "a flat parameter lies on the expert dimension in one way (put them into "
                      "different units)");
    return RESHARD_OK;
}

/* Elements that each rank has of a parameter before the flat cut: all have as many. */
static uint64_t local_count(const struct flattening *flattening, uint32_t t)
{
    const struct reshard_place origin = {{0}};
    const struct region region = region_at(&reshard_model_tensor(flattening->model, t)->shape,
                                           &flattening->placement[t], &flattening->mesh, &origin);

    return region_count(&region);
}

/* The flat parameter of a tensor, 1 + its index: of the unit's at its place, which all at its stage
 * must go with, or a new one. */
static enum reshard_status find_flat(const struct flattening *flattening, uint32_t t, uint32_t *out)
{
    const struct placement *placement = flattening->placement;
    uint32_t *latest = &flattening->latest[reshard_model_tensor(flattening->model, t)->unit];
    const uint64_t *at = placement[t].fixed.at; /* 0 along what is not fixed */
    enum reshard_status status;

    for (uint32_t n = *latest; n > 0; n = flattening->out->flat[n - 1].before) {
        const uint32_t first = flattening->out->flat[n - 1].first;
        const uint64_t *its = placement[first].fixed.at;
        if (its[RESHARD_MESH_PIPELINE] != at[RESHARD_MESH_PIPELINE])
            continue;
        status = check_together(flattening, first, t);
        *out = n;
        if (status || its[RESHARD_MESH_EXPERT] == at[RESHARD_MESH_EXPERT])
            return status;
    }
    flattening->out->flat[flattening->out->count++] = (struct flat){
        .dtype = reshard_model_tensor(flattening->model, t)->dtype, .first = t, .before = *latest};
    *out = *latest = flattening->out->count;
    return RESHARD_OK;
}

static enum reshard_status flatten(const struct flattening *flattening, uint32_t t)
{
    struct flat_place *place = &flattening->out->place[t];
    enum reshard_status status = find_flat(flattening, t, &place->number);
    struct flat *flat;

    if (status)
        return status;
    flat = &flattening->out->flat[place->number - 1];
    place->count = local_count(flattening, t);
    place->begin = round_up(flat->total, alignment(flattening->options, flat->dtype));
    flat->total = place->begin + place->count;
    if (flat->total > INT64_MAX / 16)
        return reshard_error_set(
            flattening->error, RESHARD_EOVERFLOW, "unit '%s' is too large to flatten",
            reshard_model_unit(flattening->model,
                               reshard_model_tensor(flattening->model, t)->unit));
    return RESHARD_OK;
}

/* World-size padding, and the size of a shard. */
static void finish(const struct flattening *flattening, struct flat *flat)
{
    const uint64_t ways = placement_flat_cut(&flattening->placement[flat->first])->ways;

    if (flattening->options->orig_params)
        flat->total = round_up(flat->total, ways);
    flat->shard_count = flat->total / ways + (flat->total % ways != 0);
}

enum reshard_status flats_open(struct flats *out, const struct reshard_model *model,
                               const struct reshard_layout_options *options,
                               const struct placement *placement, struct reshard_error *error)
{
    const uint32_t tensors = reshard_model_tensor_count(model);
    struct flattening flattening = {.model = model,
                                    .options = options,
                                    .mesh = reshard_layout_options_mesh(options),
                                    .placement = placement,
                                    .out = out,
                                    .error = error};
    enum reshard_status status = RESHARD_OK;

    out->flat = calloc((size_t)tensors + 1, sizeof *out->flat);
    out->place = calloc((size_t)tensors + 1, sizeof *out->place);
    if (options->kind != RESHARD_LAYOUT_FSDP1)
        return out->flat && out->place ? RESHARD_OK : RESHARD_ENOMEM;
    flattening.latest =
        calloc((size_t)reshard_model_unit_count(model) + 1, sizeof *flattening.latest);
    if (!out->flat || !out->place || !flattening.latest)
        status = RESHARD_ENOMEM;
    for (uint32_t t = 0; !status && t < tensors; t++) {
        const uint32_t parameter = reshard_model_tensor(model, t)->parameter;
        if (placement[t].flat && parameter == t)
            status = flatten(&flattening, t);
        else if (placement[t].flat)
            out->place[t] = out->place[parameter];
    }
    for (uint32_t i = 0; !status && i < out->count; i++)
        finish(&flattening, &out->flat[i]);
    free(flattening.latest);
    return status;
}

void flats_close(struct flats *flats)
{
    free(flats->flat);
    free(flats->place);
    *flats = (struct flats){NULL, 0, NULL};
}
