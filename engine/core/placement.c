#include "core/placement.h"

#include "core/pattern.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- one tensor ------------------------------------------------------------------------------ */

/* What the rules say of a tensor: of each member, as the first rule that has it. */
struct sayings {
    struct reshard_setting pipeline, shard, expert, tensor;
    uint64_t pipeline_number, expert_number; /* what {i} stood for in the rule that decided */
    const struct reshard_rule *sections;
    const struct reshard_rule *boxes;
};

static void take(struct reshard_setting *mine, uint64_t *number, const struct reshard_setting *rule,
                 const struct pattern_match *match)
{
    if (mine->how || !rule->how)
        return;
    *mine = *rule;
    *number = match->number;
}

static struct sayings sayings_of(const struct reshard_layout_options *options, const char *fqn)
{
    struct sayings out = {.sections = NULL};
    struct pattern_match match;
    uint64_t unused = 0;

    for (uint32_t i = 0; i < options->rule_count; i++) {
        const struct reshard_rule *rule = &options->rule[i];
        if (out.boxes)
            break; /* nothing that a later rule says could count */
        if (!pattern_matches(rule->pattern, fqn, &match))
            continue;
        take(&out.pipeline, &out.pipeline_number, &rule->pipeline, &match);
        take(&out.expert, &out.expert_number, &rule->expert, &match);
        take(&out.shard, &unused, &rule->shard, &match);
        take(&out.tensor, &unused, &rule->tensor, &match);
        if (!out.sections && rule->section_count)
            out.sections = rule;
        if (!out.boxes && rule->box_count)
            out.boxes = rule;
    }
    return out;
}

/* One tensor under way. */
struct finding {
    const struct reshard_layout_options *options;
    const struct reshard_tensor *tensor;
    struct reshard_mesh mesh;
    struct placement *placement;
    struct reshard_error *error;
};

static void fix(struct placement *placement, enum reshard_mesh_dim dim, uint64_t coordinate)
{
    placement->fixed_dims |= RESHARD_MESH_BIT(dim);
    placement->fixed.at[dim] = coordinate;
}

static enum reshard_status fix_at(const struct finding *finding, enum reshard_mesh_dim dim,
                                  uint64_t coordinate)
{
    if (coordinate >= finding->mesh.size[dim])
        return reshard_error_set(
            finding->error, RESHARD_EINVAL,
            "'%s' is to be at %s coordinate %" PRIu64 "; there are %" PRIu64 ", counted from 0",
            finding->tensor->fqn, reshard_mesh_dim_name(dim), coordinate, finding->mesh.size[dim]);
    fix(finding->placement, dim, coordinate);
    return RESHARD_OK;
}

/* The coordinate that has entry `number` of `count`, by torch.chunk's rule. */
static enum reshard_status fix_number(const struct finding *finding, enum reshard_mesh_dim dim,
                                      uint64_t count, uint64_t number)
{
    const uint64_t ways = finding->mesh.size[dim];

    if (number >= count)
        return reshard_error_set(finding->error, RESHARD_EINVAL,
                                 "'%s' is number %" PRIu64 " of %" PRIu64
                                 " entries along %s, counted from 0: there are too few",
                                 finding->tensor->fqn, number, count, reshard_mesh_dim_name(dim));
    fix(finding->placement, dim, number / (count / ways + (count % ways != 0)));
    return RESHARD_OK;
}

static enum reshard_status add_cut(const struct finding *finding, reshard_mesh_set dims,
                                   const char *name, uint64_t on)
{
    struct placement *placement = finding->placement;

    if (on >= finding->tensor->shape.ndim)
        return reshard_error_set(
            finding->error, RESHARD_EINVAL,
            "'%s' has %u dimensions, so %s cannot cut it on dimension %" PRIu64,
            finding->tensor->fqn, finding->tensor->shape.ndim, name, on);
    placement->cut[placement->cut_count++] =
        (struct placement_cut){dims, (uint32_t)on, reshard_mesh_count(&finding->mesh, dims)};
    placement->cut_dims |= dims;
    return RESHARD_OK;
}

static enum reshard_status place_expert(const struct finding *finding,
                                        const struct sayings *sayings)
{
    finding->placement->expert = sayings->expert;
    switch (sayings->expert.how) {
    case RESHARD_HOW_CUT:
        return add_cut(finding, RESHARD_MESH_BIT(RESHARD_MESH_EXPERT), "expert",
                       sayings->expert.number);
    case RESHARD_HOW_AT:
        return fix_at(finding, RESHARD_MESH_EXPERT, sayings->expert.number);
    case RESHARD_HOW_OF:
        return fix_number(finding, RESHARD_MESH_EXPERT, sayings->expert.number,
                          sayings->expert_number);
    default:
        return RESHARD_OK;
    }
}

static enum reshard_status place_sections(const struct finding *finding,
                                          const struct reshard_rule *rule, uint64_t on)
{
    const uint64_t ways = finding->mesh.size[RESHARD_MESH_TENSOR];
    const char *fqn = finding->tensor->fqn;
    uint64_t sum = 0;

    for (uint32_t i = 0; i < rule->section_count; i++) {
        if (rule->section[i] % ways)
            return reshard_error_set(finding->error, RESHARD_EINVAL,
                                     "'%s': section %u of %" PRIu64
                                     " is not a multiple of tensor: %" PRIu64,
                                     fqn, i, rule->section[i], ways);
        if (__builtin_add_overflow(sum, rule->section[i], &sum))
            sum = UINT64_MAX;
    }
    if (sum != finding->tensor->shape.size[on])
        return reshard_error_set(finding->error, RESHARD_EINVAL,
                                 "'%s': the sections are %" PRIu64 " in all, but dimension %" PRIu64
                                 " has size %" PRIu64,
                                 fqn, sum, on, finding->tensor->shape.size[on]);
    if (finding->placement->cut_count > 1 && finding->placement->cut[0].on == on)
        return reshard_error_set(finding->error, RESHARD_EINVAL,
                                 "'%s': expert cuts dimension %" PRIu64 ", which has sections", fqn,
                                 on);
    finding->placement->sections = rule;
    return RESHARD_OK;
}

static enum reshard_status place_tensor(const struct finding *finding,
                                        const struct sayings *sayings)
{
    enum reshard_status status;

    if (sayings->tensor.how != RESHARD_HOW_CUT)
        return RESHARD_OK;
    status =
        add_cut(finding, RESHARD_MESH_BIT(RESHARD_MESH_TENSOR), "tensor", sayings->tensor.number);
    if (!status && sayings->sections)
        status = place_sections(finding, sayings->sections, sayings->tensor.number);
    return status;
}

/* The ways that a dimension is cut in all, the flat cut aside. */
static uint64_t ways_of(const struct placement *placement, uint32_t on)
{
    uint64_t ways = 1; /* a product of mesh sizes: at most 2^20 */

    for (uint32_t i = 0; i + placement->flat < placement->cut_count; i++)
        if (placement->cut[i].on == on)
            ways *= placement->cut[i].ways;
    return ways;
}

/* Every rank's flat shard must be cut from the same length. */
static enum reshard_status place_flat(const struct finding *finding, reshard_mesh_set data)
{
    struct placement *placement = finding->placement;
    const struct reshard_tensor *tensor = finding->tensor;

    for (uint32_t d = 0; d < tensor->shape.ndim; d++)
        if (tensor->shape.size[d] % ways_of(placement, d))
            return reshard_error_set(finding->error, RESHARD_EINVAL,
                                     "'%s': fsdp1 flattens what a rank has of it, so dimension %u "
                                     "of size %" PRIu64 " must be a multiple of %" PRIu64,
                                     tensor->fqn, d, tensor->shape.size[d], ways_of(placement, d));
    if (placement->sections && placement->cut[placement->cut_count - 1].on != 0)
        return reshard_error_set(finding->error, RESHARD_EINVAL,
                                 "'%s': fsdp1 can flatten sections of dimension 0 alone",
                                 tensor->fqn);
    if (!(placement->fixed_dims & RESHARD_MESH_BIT(RESHARD_MESH_PIPELINE)))
        return reshard_error_set(finding->error, RESHARD_EINVAL,
                                 "'%s': a flat parameter is at one pipeline coordinate, so it "
                                 "cannot be whole on all",
                                 tensor->fqn);
    placement->cut[placement->cut_count++] =
        (struct placement_cut){data, 0, reshard_mesh_count(&finding->mesh, data)};
    placement->cut_dims |= data;
    placement->flat = true;
    placement->width = 1;
    return RESHARD_OK;
}

/* The dimension that `shard` cuts: as a rule says, or as the kind has it by default. False where it
 * cuts none. */
static bool shard_cut(const struct finding *finding, const struct sayings *sayings, uint64_t *on)
{
    const uint32_t ndim = finding->tensor->shape.ndim, dim = finding->options->dim;

    *on = sayings->shard.number;
    if (sayings->shard.how)
        return sayings->shard.how == RESHARD_HOW_CUT;
    *on = dim < ndim ? dim : ndim - (uint64_t)1;
    return finding->options->kind == RESHARD_LAYOUT_FSDP2 && ndim > 0 &&
           reshard_role_is_parameter(finding->tensor->role);
}

static bool is_flattened(const struct finding *finding, const struct sayings *sayings)
{
    return !sayings->shard.how && finding->options->kind == RESHARD_LAYOUT_FSDP1 &&
           reshard_role_is_parameter(finding->tensor->role) &&
           reshard_dtype_kind(finding->tensor->dtype) == RESHARD_KIND_FLOAT;
}

static enum reshard_status place_data(const struct finding *finding, const struct sayings *sayings)
{
    reshard_mesh_set data = RESHARD_MESH_BIT(RESHARD_MESH_SHARD);
    uint64_t on;

    if (!sayings->expert.how)
        data |= RESHARD_MESH_BIT(RESHARD_MESH_EXPERT);
    if (is_flattened(finding, sayings))
        return place_flat(finding, data);
    if (!shard_cut(finding, sayings, &on))
        return RESHARD_OK;
    return add_cut(finding, data, "shard", on);
}

static enum reshard_status check_rows(const struct finding *finding)
{
    if (finding->tensor->shape.size[0] != finding->options->world)
        return reshard_error_set(
            finding->error, RESHARD_EINVAL,
            "'%s' has a row for each of %" PRIu64 " ranks, but the world has %" PRIu64,
            finding->tensor->fqn, finding->tensor->shape.size[0], finding->options->world);
    finding->placement->per_rank = true;
    return RESHARD_OK;
}

/* A tensor that is no slot, by default at that stage of the pipeline. */
static enum reshard_status place(const struct finding *finding, uint64_t stage)
{
    const struct sayings sayings = sayings_of(finding->options, finding->tensor->fqn);
    enum reshard_status status = RESHARD_OK;

    *finding->placement = (struct placement){.cut_count = 0};
    if (finding->tensor->role == RESHARD_ROLE_PER_RANK)
        return check_rows(finding);
    if (sayings.boxes) {
        finding->placement->boxes = sayings.boxes;
        return RESHARD_OK;
    }
    if (sayings.pipeline.how == RESHARD_HOW_OF)
        status = fix_number(finding, RESHARD_MESH_PIPELINE, sayings.pipeline.number,
                            sayings.pipeline_number);
    else if (sayings.pipeline.how == RESHARD_HOW_AT)
        status = fix_at(finding, RESHARD_MESH_PIPELINE, sayings.pipeline.number);
    else if (sayings.pipeline.how == RESHARD_HOW_DEFAULT)
        fix(finding->placement, RESHARD_MESH_PIPELINE, stage);
    if (!status)
        status = place_expert(finding, &sayings);
    if (!status)
        status = place_tensor(finding, &sayings);
    if (!status)
        status = place_data(finding, &sayings);
    return status;
}

const struct reshard_rule *placement_sections(const struct placement *placement, uint32_t cut)
{
    return placement->cut[cut].dims == RESHARD_MESH_BIT(RESHARD_MESH_TENSOR) ? placement->sections
                                                                             : NULL;
}

const struct placement_cut *placement_flat_cut(const struct placement *placement)
{
    return &placement->cut[placement->cut_count - 1];
}

/* ---- all tensors ----------------------------------------------------------------------------- */

enum { NO_NUMBER = UINT32_MAX };

/* The units other than the root that have a parameter, numbered by their first one. */
static uint32_t number_units(const struct reshard_model *model, uint32_t *number)
{
    uint32_t count = 0;

    for (uint32_t u = 0; u < reshard_model_unit_count(model); u++)
        number[u] = NO_NUMBER;
    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
        if (tensor->unit != 0 && tensor->parameter == t &&
            reshard_role_is_parameter(tensor->role) && number[tensor->unit] == NO_NUMBER)
            number[tensor->unit] = count++;
    }
    return count;
}

/* ---- slots of a shape of their own ------------------------------------------------------------
 */

/* The dimension of a slot that stands for one of its parameter's; false where it is reduced. */
static bool slot_dim(const struct reshard_tensor *slot, const struct reshard_tensor *parameter,
                     uint32_t dim, uint32_t *out)
{
    const uint32_t last = parameter->shape.ndim - 1;
    const bool keeps = slot->shape.ndim == parameter->shape.ndim;

    *out = dim;
    switch (slot->slot_class) {
    case RESHARD_CLASS_ROW:
        return dim != last;
    case RESHARD_CLASS_COLUMN:
        if (dim == last && !keeps)
            *out = last - 1;
        return dim + 1 != last;
    default: /* blocks are numbered along dimension 0 first */
        return dim == 0;
    }
}

/* The elements of the last dimension that a rank has of a flat parameter. */
static uint64_t local_width(const struct placement *parameter, const struct reshard_tensor *tensor)
{
    const uint32_t last = tensor->shape.ndim - 1;

    return tensor->shape.size[last] / ways_of(parameter, last);
}

/* A slot goes through the flat cut of its parameter where its elements are those of runs of the
 * parameter's as a rank has them. */
static void add_flat(struct placement *out, const struct placement *parameter,
                     const struct reshard_tensor *tensor, enum reshard_slot_class slot_class,
                     bool whole_rows)
{
    const struct placement_cut *flat = placement_flat_cut(parameter);

    out->width = 1;
    if (slot_class == RESHARD_CLASS_ROW)
        out->width = local_width(parameter, tensor);
    out->flat = slot_class == RESHARD_CLASS_ROW
                    ? out->width > 0
                    : slot_class == RESHARD_CLASS_BLOCKWISE && whole_rows;
    if (!out->flat)
        return;
    out->cut[out->cut_count++] = *flat;
    out->cut_dims |= flat->dims;
}

/* What has not its parameter's shape is only where its parameter is, and there cut like it as far
 * as it has the dimensions that are cut (FORMAT.md section 4, rule 9). */
static struct placement beside(const struct placement *parameter,
                               const struct reshard_tensor *tensor,
                               const struct reshard_tensor *slot)
{
    struct placement out = {.fixed_dims = parameter->fixed_dims,
                            .fixed = parameter->fixed,
                            .expert = parameter->expert};
    bool whole_rows = true;

    if (slot->slot_class != RESHARD_CLASS_ROW && slot->slot_class != RESHARD_CLASS_COLUMN &&
        slot->slot_class != RESHARD_CLASS_BLOCKWISE)
        return out;
    for (uint32_t i = 0; i + parameter->flat < parameter->cut_count; i++) {
        struct placement_cut cut = parameter->cut[i];
        if (!slot_dim(slot, tensor, cut.on, &cut.on)) {
            whole_rows = whole_rows && cut.ways == 1;
            continue;
        }
        if (placement_sections(parameter, i))
            out.sections = parameter->sections;
        out.cut[out.cut_count++] = cut;
        out.cut_dims |= cut.dims;
    }
    if (parameter->flat)
        add_flat(&out, parameter, tensor, slot->slot_class, whole_rows);
    return out;
}

/* ---- all ------------------------------------------------------------------------------------- */

enum reshard_status placement_find(struct placement *out, const struct reshard_model *model,
                                   const struct reshard_layout_options *options,
                                   struct reshard_error *error)
{
    uint32_t *number = calloc((size_t)reshard_model_unit_count(model) + 1, sizeof *number);
    struct finding finding = {
        .options = options, .mesh = reshard_layout_options_mesh(options), .error = error};
    enum reshard_status status = RESHARD_OK;
    uint64_t stage = 0;

    if (!number)
        return RESHARD_ENOMEM;
    const uint64_t units = number_units(model, number);
    const uint64_t stages = finding.mesh.size[RESHARD_MESH_PIPELINE];
    const uint64_t chunk = units > 0 ? (units - 1) / stages + 1 : 1;
    for (uint32_t t = 0; !status && t < reshard_model_tensor_count(model); t++) {
        finding.tensor = reshard_model_tensor(model, t);
        finding.placement = &out[t];
        if (finding.tensor->like != t && finding.tensor->like != RESHARD_LIKE_NONE) {
            out[t] = out[finding.tensor->like];
        } else if (finding.tensor->like == RESHARD_LIKE_NONE) {
            const uint32_t parameter = finding.tensor->parameter;
            out[t] =
                beside(&out[parameter], reshard_model_tensor(model, parameter), finding.tensor);
        } else {
            const uint32_t unit = number[finding.tensor->unit];
            const uint64_t its = unit != NO_NUMBER ? unit / chunk : stage;
            status = place(&finding, its);
            if (reshard_role_is_saved(finding.tensor->role))
                stage = its; /* checkpoints do not have the others, which may precede nothing */
        }
    }
    free(number);
    return status;
}
