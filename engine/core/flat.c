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
    uint32_t *first;  /* by unit and stage: 1 + the first tensor, which others must go with */
    uint32_t *number; /* by unit, stage and expert: 1 + index of the flat parameter */
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

static enum reshard_status flatten(const struct flattening *flattening, uint32_t t)
{
    const struct reshard_tensor *tensor = reshard_model_tensor(flattening->model, t);
    const struct reshard_place *fixed = &flattening->placement[t].fixed; /* 0 where none is */
    const uint64_t group = tensor->unit * flattening->mesh.size[RESHARD_MESH_PIPELINE] +
                           fixed->at[RESHARD_MESH_PIPELINE];
    uint32_t *number = &flattening->number[group * flattening->mesh.size[RESHARD_MESH_EXPERT] +
                                           fixed->at[RESHARD_MESH_EXPERT]];
    struct flat_place *place = &flattening->out->place[t];
    enum reshard_status status;
    struct flat *flat;

    if (flattening->first[group] == 0)
        flattening->first[group] = t + 1;
    status = check_together(flattening, flattening->first[group] - 1, t);
    if (status)
        return status;
    if (*number == 0) {
        *number = ++flattening->out->count;
        flattening->out->flat[*number - 1] = (struct flat){0, 0, tensor->dtype, t};
    }
    flat = &flattening->out->flat[*number - 1];
    place->number = *number;
    place->count = local_count(flattening, t);
    place->begin = round_up(flat->total, alignment(flattening->options, flat->dtype));
    flat->total = place->begin + place->count;
    if (flat->total > INT64_MAX / 16)
        return reshard_error_set(flattening->error, RESHARD_EOVERFLOW,
                                 "unit '%s' is too large to flatten",
                                 reshard_model_unit(flattening->model, tensor->unit));
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
    const size_t groups =
        (size_t)reshard_model_unit_count(model) * flattening.mesh.size[RESHARD_MESH_PIPELINE];
    enum reshard_status status = RESHARD_OK;

    out->flat = calloc((size_t)tensors + 1, sizeof *out->flat);
    out->place = calloc((size_t)tensors + 1, sizeof *out->place);
    if (options->kind != RESHARD_LAYOUT_FSDP1)
        return out->flat && out->place ? RESHARD_OK : RESHARD_ENOMEM;
    flattening.first = calloc(groups, sizeof *flattening.first);
    flattening.number =
        calloc(groups, flattening.mesh.size[RESHARD_MESH_EXPERT] * sizeof *flattening.number);
    if (!out->flat || !out->place || !flattening.first || !flattening.number)
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
    free(flattening.first);
    free(flattening.number);
    return status;
}

void flats_close(struct flats *flats)
{
    free(flats->flat);
    free(flats->place);
    *flats = (struct flats){NULL, 0, NULL};
}
