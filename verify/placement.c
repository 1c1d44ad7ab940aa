#include "verify/placement.h"

#include "verify/pattern.h"

#include <inttypes.h>
#include <stdlib.h>

/* What the rules say of one tensor: of each member the first rule that has it. */
struct settled {
    struct verify_setting axis[VERIFY_AXES];
    uint64_t number[VERIFY_AXES]; /* the pattern's, where that rule has one */
    const struct verify_rule *sections;
    const struct verify_rule *boxes;
};

static const char *const axis_names[VERIFY_AXES] = {
    [VERIFY_PIPELINE] = "pipeline", [VERIFY_REPLICATE] = "replicate", [VERIFY_SHARD] = "shard",
    [VERIFY_EXPERT] = "expert",     [VERIFY_TENSOR] = "tensor",
};

/* --- coordinates ------------------------------------------------------------------------------ */

void verify_coordinates(const struct verify_rules *rules, uint64_t rank,
                        uint64_t coordinate[VERIFY_AXES])
{
    for (int axis = VERIFY_AXES - 1; axis >= 0; --axis) {
        coordinate[axis] = rank % rules->layout.mesh[axis];
        rank /= rules->layout.mesh[axis];
    }
}

bool verify_placement_is_at(const struct verify_placement *placement,
                            const uint64_t coordinate[VERIFY_AXES])
{
    for (int axis = 0; axis < VERIFY_AXES; ++axis) {
        if (placement->at[axis] != VERIFY_ANYWHERE && placement->at[axis] != coordinate[axis])
            return false;
    }
    return true;
}

uint64_t verify_placement_candidate(const struct verify_rules *rules,
                                    const struct verify_placement *placement,
                                    const uint64_t coordinate[VERIFY_AXES])
{
    uint64_t candidate = 0;

    for (int axis = 0; axis < VERIFY_AXES; ++axis) {
        if (!placement->cut[axis] && placement->at[axis] == VERIFY_ANYWHERE)
            candidate = candidate * rules->layout.mesh[axis] + coordinate[axis];
    }
    return candidate;
}

uint64_t verify_data_coordinate(const struct verify_rules *rules,
                                const struct verify_placement *placement,
                                const uint64_t coordinate[VERIFY_AXES])
{
    return placement->data ? coordinate[VERIFY_SHARD] * rules->layout.mesh[VERIFY_EXPERT] +
                                 coordinate[VERIFY_EXPERT]
                           : coordinate[VERIFY_SHARD];
}

uint64_t verify_data_ways(const struct verify_rules *rules,
                          const struct verify_placement *placement)
{
    const uint64_t *mesh = rules->layout.mesh;

    return placement->data ? mesh[VERIFY_SHARD] * mesh[VERIFY_EXPERT] : mesh[VERIFY_SHARD];
}

uint64_t verify_deal_holder(const struct verify_rules *rules, const struct verify_deal *deal,
                            const uint64_t coordinate[VERIFY_AXES])
{
    const uint64_t experts = rules->layout.mesh[VERIFY_EXPERT];
    const uint64_t along[] = {
        [VERIFY_ALONG_EXPERT] = coordinate[VERIFY_EXPERT],
        [VERIFY_ALONG_TENSOR] = coordinate[VERIFY_TENSOR],
        [VERIFY_ALONG_SHARD] = coordinate[VERIFY_SHARD],
        [VERIFY_ALONG_DATA] = coordinate[VERIFY_SHARD] * experts + coordinate[VERIFY_EXPERT],
    };
    uint64_t holder = 0;

    for (uint32_t c = 0; c < deal->dealing.cut_count; ++c)
        holder = holder * deal->dealing.cut[c].ways + along[deal->dealing.cut[c].along];
    return holder;
}

uint64_t verify_dealt_elements(const struct verify_rules *rules, uint32_t tensor,
                               const uint64_t coordinate[VERIFY_AXES])
{
    const struct verify_tensor *shape = &rules->inventory->tensor[tensor];
    const struct verify_placement *placement = &rules->placement[tensor];
    uint64_t elements = 1;

    for (uint32_t d = 0; d < shape->ndim; ++d) {
        const struct verify_deal *deal = placement->deal[d];

        elements *= deal ? verify_deal_entries(deal, verify_deal_holder(rules, deal, coordinate))
                         : shape->shape[d];
    }
    return elements;
}

/* --- pipeline --------------------------------------------------------------------------------- */

/* Number the units other than the root by their first parameter; how many have one. */
static uint64_t number_units(const struct verify_inventory *inventory, uint64_t *number)
{
    uint64_t count = 0;

    for (uint32_t u = 0; u < inventory->unit_count; ++u)
        number[u] = VERIFY_ANYWHERE;
    for (uint32_t t = 0; t < inventory->tensor_count; ++t) {
        const struct verify_tensor *tensor = &inventory->tensor[t];

        if (verify_tensor_is_parameter(tensor) && tensor->unit > 0 &&
            number[tensor->unit] == VERIFY_ANYWHERE)
            number[tensor->unit] = count++;
    }
    return count;
}

/* Note the stage of each tensor by default: its unit's, or that of the numbered unit before it. */
static enum reshard_status default_stages(const struct verify_rules *rules, uint64_t *stage,
                                          struct reshard_error *error)
{
    const struct verify_inventory *inventory = rules->inventory;
    const uint64_t stages = rules->layout.mesh[VERIFY_PIPELINE];
    uint64_t *number = calloc((size_t)inventory->unit_count + 1, sizeof *number);
    uint64_t latest = 0;
    uint64_t each = 1; /* units of a stage */
    uint64_t units;

    if (!number)
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory for the layout's rules");
    units = number_units(inventory, number);
    if (units > 0)
        each = (units - 1) / stages + 1;
    for (uint32_t t = 0; t < inventory->tensor_count; ++t) {
        const struct verify_tensor *tensor = &inventory->tensor[t];

        if (!verify_tensor_is_slot(tensor) && number[tensor->unit] != VERIFY_ANYWHERE)
            latest = number[tensor->unit] / each;
        stage[t] = latest;
    }
    free(number);
    return RESHARD_OK;
}

/* --- settings --------------------------------------------------------------------------------- */

static struct settled settle(const struct verify_layout *layout, const char *fqn)
{
    struct settled settled = {.sections = NULL};

    for (uint32_t r = 0; r < layout->rule_count; ++r) {
        const struct verify_rule *rule = &layout->rule[r];
        uint64_t number;

        if (!verify_pattern_matches(rule->pattern, fqn, &number))
            continue;
        for (int axis = 0; axis < VERIFY_AXES; ++axis) {
            if (settled.axis[axis].how != VERIFY_UNSET || rule->axis[axis].how == VERIFY_UNSET)
                continue;
            settled.axis[axis] = rule->axis[axis];
            settled.number[axis] = number;
        }
        if (!settled.sections && rule->section_count > 0)
            settled.sections = rule;
        if (!settled.boxes && rule->box)
            settled.boxes = rule;
    }
    return settled;
}

/* Of a setting that leaves the tensor to one coordinate: which. */
static enum reshard_status pin(const struct verify_rules *rules, const struct verify_tensor *tensor,
                               enum verify_axis axis, const struct settled *settled, uint64_t *at,
                               struct reshard_error *error)
{
    const struct verify_setting *setting = &settled->axis[axis];
    const uint64_t size = rules->layout.mesh[axis];

    if (setting->how == VERIFY_AT) {
        *at = setting->number;
        if (*at >= size)
            return reshard_error_set(error, RESHARD_EINVAL,
                                     "tensor %s: is at %s coordinate %" PRIu64
                                     "; the mesh has %" PRIu64,
                                     tensor->fqn, axis_names[axis], *at, size);
    }
    if (setting->how == VERIFY_OF) {
        const uint64_t chunk = setting->number / size + (setting->number % size != 0);

        if (settled->number[axis] >= setting->number)
            return reshard_error_set(
                error, RESHARD_EINVAL, "tensor %s: is entry %" PRIu64 " of %" PRIu64 " along %s",
                tensor->fqn, settled->number[axis], setting->number, axis_names[axis]);
        *at = settled->number[axis] / chunk;
    }
    return RESHARD_OK;
}

/* Rule 5: what `shard` means where no rule sets it. True when the tensor is flat. */
static bool default_shard(const struct verify_layout *layout, const struct verify_tensor *tensor,
                          struct verify_setting *setting)
{
    if (setting->how != VERIFY_UNSET)
        return false;
    setting->how = VERIFY_WHOLE;
    if (!verify_tensor_is_parameter(tensor))
        return false;
    if (layout->kind == VERIFY_FSDP2 && tensor->ndim > 0) {
        setting->how = VERIFY_CUT;
        setting->number = layout->dim < tensor->ndim ? layout->dim : tensor->ndim - 1;
    }
    return layout->kind == VERIFY_FSDP1 && reshard_dtype_kind(tensor->dtype) == RESHARD_KIND_FLOAT;
}

/* --- cuts ------------------------------------------------------------------------------------- */

/* The sections of a dimension that is cut along `tensor` into so many parts. */
static enum reshard_status take_sections(const struct verify_tensor *tensor, uint32_t dimension,
                                         uint64_t ways, const struct settled *settled,
                                         struct verify_dealing *dealing,
                                         struct reshard_error *error)
{
    const struct verify_rule *rule = settled->sections;
    uint64_t sum = 0;
    bool fits = true;

    for (uint32_t s = 0; s < rule->section_count; ++s) {
        fits = fits && !__builtin_add_overflow(sum, rule->section[s], &sum);
        if (rule->section[s] % ways != 0)
            return reshard_error_set(error, RESHARD_EINVAL,
                                     "tensor %s: a section of %" PRIu64
                                     " entries is no multiple of the %" PRIu64 " along tensor",
                                     tensor->fqn, rule->section[s], ways);
    }
    if (!fits || sum != tensor->shape[dimension])
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "tensor %s: its sections are not together the %" PRIu64
                                 " entries of dimension %u",
                                 tensor->fqn, tensor->shape[dimension], dimension);
    if (settled->axis[VERIFY_EXPERT].how == VERIFY_CUT &&
        settled->axis[VERIFY_EXPERT].number == dimension)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "tensor %s: dimension %u has sections, and is cut along expert",
                                 tensor->fqn, dimension);
    dealing->section = rule->section;
    dealing->section_count = rule->section_count;
    return RESHARD_OK;
}

static void add_cut(struct verify_dealing *dealing, enum verify_along along, uint64_t ways)
{
    dealing->cut[dealing->cut_count++] = (struct verify_cut){along, ways};
}

static bool cuts(const struct settled *settled, enum verify_axis axis, uint32_t dimension)
{
    return settled->axis[axis].how == VERIFY_CUT && settled->axis[axis].number == dimension;
}

static enum reshard_status deal_dimension(struct verify_rules *rules, uint32_t number,
                                          uint32_t dimension, const struct settled *settled,
                                          struct reshard_error *error)
{
    const struct verify_tensor *tensor = &rules->inventory->tensor[number];
    struct verify_placement *placement = &rules->placement[number];
    const uint64_t *mesh = rules->layout.mesh;
    struct verify_dealing dealing = {.size = tensor->shape[dimension]};
    enum reshard_status status = RESHARD_OK;

    if (cuts(settled, VERIFY_EXPERT, dimension))
        add_cut(&dealing, VERIFY_ALONG_EXPERT, mesh[VERIFY_EXPERT]);
    if (cuts(settled, VERIFY_TENSOR, dimension)) {
        add_cut(&dealing, VERIFY_ALONG_TENSOR, mesh[VERIFY_TENSOR]);
        if (settled->sections)
            status =
                take_sections(tensor, dimension, mesh[VERIFY_TENSOR], settled, &dealing, error);
    }
    if (cuts(settled, VERIFY_SHARD, dimension))
        add_cut(&dealing, placement->data ? VERIFY_ALONG_DATA : VERIFY_ALONG_SHARD,
                verify_data_ways(rules, placement));
    if (status || dealing.cut_count == 0)
        return status;
    placement->deal[dimension] = verify_deal_add(&rules->deals, &dealing);
    return placement->deal[dimension]
               ? RESHARD_OK
               : reshard_error_set(error, RESHARD_ENOMEM, "no memory for the layout's rules");
}

static enum reshard_status check_cuts(const struct verify_tensor *tensor,
                                      const struct settled *settled, struct reshard_error *error)
{
    for (int axis = 0; axis < VERIFY_AXES; ++axis) {
        if (settled->axis[axis].how == VERIFY_CUT && settled->axis[axis].number >= tensor->ndim)
            return reshard_error_set(error, RESHARD_EINVAL,
                                     "tensor %s: has no dimension %" PRIu64 " to cut along %s",
                                     tensor->fqn, settled->axis[axis].number, axis_names[axis]);
    }
    return RESHARD_OK;
}

/* Rule 8: what a flat tensor must not be, as far as it alone can tell. */
static enum reshard_status check_flat(const struct verify_rules *rules, uint32_t number,
                                      const struct settled *settled, struct reshard_error *error)
{
    const struct verify_tensor *tensor = &rules->inventory->tensor[number];

    if (settled->axis[VERIFY_PIPELINE].how == VERIFY_WHOLE)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "tensor %s: a flat parameter cannot be whole along pipeline",
                                 tensor->fqn);
    for (uint32_t d = 0; d < tensor->ndim; ++d) {
        const struct verify_deal *deal = rules->placement[number].deal[d];

        if (deal && tensor->shape[d] % deal->holders != 0)
            return reshard_error_set(error, RESHARD_EINVAL,
                                     "tensor %s: dimension %u of %" PRIu64
                                     " entries is cut before it is flattened, and no multiple of "
                                     "%" PRIu64,
                                     tensor->fqn, d, tensor->shape[d], deal->holders);
        if (deal && deal->dealing.section_count > 0 && d > 0)
            return reshard_error_set(error, RESHARD_EINVAL,
                                     "tensor %s: sections of a flat parameter stand on dimension 0",
                                     tensor->fqn);
    }
    return RESHARD_OK;
}

/* --- a tensor --------------------------------------------------------------------------------- */

static enum reshard_status place_by_settings(struct verify_rules *rules, uint32_t number,
                                             uint64_t stage, struct settled *settled,
                                             struct reshard_error *error)
{
    const struct verify_tensor *tensor = &rules->inventory->tensor[number];
    struct verify_placement *placement = &rules->placement[number];
    struct verify_setting *axis = settled->axis;
    const bool flat = default_shard(&rules->layout, tensor, &axis[VERIFY_SHARD]);
    enum reshard_status status = check_cuts(tensor, settled, error);

    placement->how = flat ? VERIFY_PLACED_FLAT : VERIFY_PLACED_DEALT;
    placement->expert = axis[VERIFY_EXPERT];
    placement->data = axis[VERIFY_EXPERT].how == VERIFY_UNSET;
    if (axis[VERIFY_PIPELINE].how == VERIFY_UNSET)
        placement->at[VERIFY_PIPELINE] = stage;
    if (!status)
        status =
            pin(rules, tensor, VERIFY_PIPELINE, settled, &placement->at[VERIFY_PIPELINE], error);
    if (!status)
        status = pin(rules, tensor, VERIFY_EXPERT, settled, &placement->at[VERIFY_EXPERT], error);
    placement->cut[VERIFY_SHARD] = flat || axis[VERIFY_SHARD].how == VERIFY_CUT;
    placement->cut[VERIFY_EXPERT] =
        axis[VERIFY_EXPERT].how == VERIFY_CUT || (placement->data && placement->cut[VERIFY_SHARD]);
    placement->cut[VERIFY_TENSOR] = axis[VERIFY_TENSOR].how == VERIFY_CUT;
    for (uint32_t d = 0; d < tensor->ndim && !status; ++d)
        status = deal_dimension(rules, number, d, settled, error);
    return flat && !status ? check_flat(rules, number, settled, error) : status;
}

static enum reshard_status place_entry(struct verify_rules *rules, uint32_t number, uint64_t stage,
                                       struct reshard_error *error)
{
    const struct verify_tensor *tensor = &rules->inventory->tensor[number];
    struct verify_placement *placement = &rules->placement[number];
    struct settled settled;

    if (tensor->role == VERIFY_PER_RANK) {
        placement->how = VERIFY_PLACED_PER_RANK;
        if (tensor->shape[0] == rules->layout.world)
            return RESHARD_OK;
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "tensor %s: is per_rank with %" PRIu64
                                 " rows, in a world of %" PRIu64,
                                 tensor->fqn, tensor->shape[0], rules->layout.world);
    }
    settled = settle(&rules->layout, tensor->fqn);
    if (!settled.boxes)
        return place_by_settings(rules, number, stage, &settled, error);
    placement->how = VERIFY_PLACED_GIVEN;
    return verify_given_find_or_make(&rules->givens, tensor, settled.boxes, rules->ranks,
                                     &placement->given, error);
}

enum reshard_status verify_placement_settle(struct verify_rules *rules, struct reshard_error *error)
{
    const struct verify_inventory *inventory = rules->inventory;
    uint64_t *stage = calloc((size_t)inventory->tensor_count + 1, sizeof *stage);
    enum reshard_status status;

    if (!stage)
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory for the layout's rules");
    status = default_stages(rules, stage, error);
    for (uint32_t t = 0; t < inventory->tensor_count && !status; ++t) {
        for (int axis = 0; axis < VERIFY_AXES; ++axis)
            rules->placement[t].at[axis] = VERIFY_ANYWHERE;
        if (!verify_tensor_is_slot(&inventory->tensor[t]))
            status = place_entry(rules, t, stage[t], error);
    }
    free(stage);
    return status;
}
