#include "verify/rules.h"

#include "verify/flat.h"
#include "verify/owners.h"
#include "verify/pattern.h"
#include "verify/placement.h"
#include "verify/slots.h"

#include <inttypes.h>
#include <stdlib.h>

enum { WORLD_MAX = 1 << 20, SECTIONS_MIN = 2, WILD_MAX = 64 };

/* --- what a layout must be by itself ---------------------------------------------------------- */

/* What is wrong with one setting of a rule, or NULL. */
static const char *setting_fault(const struct verify_setting *setting, enum verify_axis axis,
                                 bool numbered)
{
    const bool pins = setting->how == VERIFY_AT || setting->how == VERIFY_OF;

    if (axis == VERIFY_REPLICATE && setting->how != VERIFY_UNSET)
        return "sets replicate";
    if (axis == VERIFY_PIPELINE && setting->how == VERIFY_CUT)
        return "cuts along pipeline";
    if (pins && axis != VERIFY_PIPELINE && axis != VERIFY_EXPERT)
        return "has \"at\" or \"of\" elsewhere than for pipeline and expert";
    if (setting->how == VERIFY_OF && (!numbered || setting->number == 0))
        return "has \"of\" 0, or without {i} in its pattern";
    return NULL;
}

static const char *rule_fault(const struct verify_rule *rule)
{
    const uint32_t numbers = verify_pattern_numbers(rule->pattern);
    bool says = rule->section_count > 0 || rule->box;

    if (numbers > 1)
        return "has more than one {i}";
    for (int axis = 0; axis < VERIFY_AXES; ++axis) {
        const char *fault = setting_fault(&rule->axis[axis], (enum verify_axis)axis, numbers == 1);

        if (fault)
            return fault;
        says = says || rule->axis[axis].how != VERIFY_UNSET;
    }
    if (!says)
        return "says nothing";
    if (rule->section_count != 0 &&
        (rule->section_count < SECTIONS_MIN || rule->section_count > VERIFY_SECTIONS_MAX))
        return "has not 2 to 16 sections";
    for (uint32_t s = 0; s < rule->section_count; ++s) {
        if (rule->section[s] == 0)
            return "has an empty section";
    }
    return NULL;
}

static enum reshard_status check_rules(const struct verify_layout *layout,
                                       struct reshard_error *error)
{
    uint32_t wild = 0;

    for (uint32_t r = 0; r < layout->rule_count; ++r) {
        const char *fault = rule_fault(&layout->rule[r]);

        if (fault)
            return reshard_error_set(error, RESHARD_EINVAL, "the rule for %s %s",
                                     layout->rule[r].pattern, fault);
        wild += verify_pattern_is_wild(layout->rule[r].pattern);
    }
    if (wild > WILD_MAX)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "%" PRIu32 " rules have a * or {i}; at most %d may", wild,
                                 WILD_MAX);
    return RESHARD_OK;
}

/* The number of ranks of the mesh. */
static enum reshard_status measure_mesh(const struct verify_layout *layout, uint64_t *ranks,
                                        struct reshard_error *error)
{
    if (layout->world == 0 || layout->world > WORLD_MAX)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "a world of %" PRIu64 " ranks; 1 to %d are possible",
                                 layout->world, WORLD_MAX);
    *ranks = 1;
    for (int axis = 0; axis < VERIFY_AXES; ++axis) {
        const uint64_t size = layout->mesh[axis];

        if (size == 0 || size > layout->world / *ranks)
            return reshard_error_set(error, RESHARD_EINVAL,
                                     "the product of the mesh is not 1 to the world of %" PRIu64,
                                     layout->world);
        *ranks *= size;
    }
    return RESHARD_OK;
}

/* What is wrong with a layout's formula, or NULL. */
static const char *formula_fault(const struct verify_layout *layout, uint64_t ranks)
{
    if (layout->kind == VERIFY_DDP && layout->mesh[VERIFY_SHARD] != 1)
        return "ddp has no mesh dimension \"shard\"";
    if (layout->kind == VERIFY_BOXES && layout->mesh[VERIFY_REPLICATE] != ranks)
        return "boxes has no mesh dimension but \"replicate\"";
    if (layout->kind != VERIFY_FSDP2 && layout->dim != 0)
        return "a dimension to cut is for fsdp2 alone";
    if (layout->owner < -1 ||
        (layout->owner >= 0 && (uint64_t)layout->owner >= layout->mesh[VERIFY_REPLICATE]))
        return "the owner is no replicate coordinate";
    return NULL;
}

static enum reshard_status check_layout(const struct verify_layout *layout, uint64_t *ranks,
                                        struct reshard_error *error)
{
    const char *fault;
    enum reshard_status status = measure_mesh(layout, ranks, error);

    if (status)
        return status;
    fault = formula_fault(layout, *ranks);
    if (fault)
        return reshard_error_set(error, RESHARD_EINVAL, "%s", fault);
    return check_rules(layout, error);
}

/* --- life ------------------------------------------------------------------------------------- */

enum reshard_status verify_rules_open(struct verify_rules **out,
                                      const struct verify_inventory *inventory,
                                      const struct verify_layout *layout,
                                      struct reshard_error *error)
{
    struct verify_rules *rules = NULL;
    uint64_t ranks = 0;
    enum reshard_status status = verify_inventory_check(inventory, error);

    *out = NULL;
    if (!status)
        status = check_layout(layout, &ranks, error);
    if (status)
        return status;
    rules = calloc(1, sizeof *rules + (size_t)inventory->tensor_count * sizeof rules->placement[0]);
    if (!rules)
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory for the layout's rules");
    rules->inventory = inventory;
    rules->layout = *layout;
    rules->ranks = ranks;
    status = verify_placement_settle(rules, error);
    if (!status)
        status = verify_flat_settle(rules, error);
    if (!status)
        status = verify_slots_settle(rules, error);
    if (!status)
        status = verify_owners_settle(rules, error);
    if (status)
        verify_rules_close(rules);
    else
        *out = rules;
    return status;
}

void verify_rules_close(struct verify_rules *rules)
{
    if (!rules)
        return;
    verify_owners_close(rules->hands);
    verify_deals_close(rules->deals);
    verify_blocks_close(rules->blocks);
    verify_givens_close(rules->givens);
    free(rules);
}

/* --- answers ---------------------------------------------------------------------------------- */

const struct verify_inventory *verify_rules_inventory(const struct verify_rules *rules)
{
    return rules->inventory;
}

const struct verify_layout *verify_rules_layout(const struct verify_rules *rules)
{
    return &rules->layout;
}

bool verify_rules_flat(const struct verify_rules *rules, uint32_t tensor)
{
    return rules->placement[tensor].how == VERIFY_PLACED_FLAT;
}

bool verify_rules_present(const struct verify_rules *rules, uint32_t tensor, uint64_t rank)
{
    const struct verify_placement *placement = &rules->placement[tensor];
    uint64_t coordinate[VERIFY_AXES];

    if (placement->how == VERIFY_PLACED_PER_RANK)
        return rank < rules->layout.world;
    if (rank >= rules->ranks)
        return false;
    if (placement->how == VERIFY_PLACED_GIVEN)
        return verify_given_find(placement->given, rank);
    verify_coordinates(rules, rank, coordinate);
    return verify_placement_is_at(placement, coordinate);
}

uint64_t verify_rules_memory_elements(const struct verify_rules *rules, uint32_t tensor,
                                      uint64_t rank)
{
    const struct verify_tensor *shape = &rules->inventory->tensor[tensor];
    const struct verify_placement *placement = &rules->placement[tensor];
    uint64_t coordinate[VERIFY_AXES];

    if (!verify_rules_present(rules, tensor, rank))
        return 0;
    if (placement->how == VERIFY_PLACED_PER_RANK)
        return verify_tensor_elements(shape) / rules->layout.world;
    if (placement->how == VERIFY_PLACED_GIVEN)
        return verify_given_find(placement->given, rank)->elements;
    if (placement->how == VERIFY_PLACED_FLAT)
        return placement->flat.chunk;
    verify_coordinates(rules, rank, coordinate);
    if (placement->how == VERIFY_PLACED_ROWS) {
        struct verify_flat_part rows;

        return verify_flat_rows_of(&placement->flat, placement->width,
                                   verify_data_coordinate(rules, placement, coordinate), &rows)
                   ? rows.end - rows.begin
                   : 0;
    }
    return verify_dealt_elements(rules, tensor, coordinate);
}

uint64_t verify_rules_world_elements(const struct verify_rules *rules, uint32_t tensor)
{
    return rules->placement[tensor].world_elements;
}

bool verify_rules_owns(const struct verify_rules *rules, uint32_t tensor, uint64_t rank)
{
    const struct verify_placement *placement = &rules->placement[tensor];
    uint64_t coordinate[VERIFY_AXES];

    if (placement->how == VERIFY_PLACED_PER_RANK)
        return rank < rules->layout.world;
    if (rank >= rules->ranks)
        return false;
    if (placement->how == VERIFY_PLACED_GIVEN) {
        const struct verify_given_holder *holder = verify_given_find(placement->given, rank);

        return holder && verify_given_owner(placement, holder->set) == holder->number;
    }
    verify_coordinates(rules, rank, coordinate);
    return verify_placement_is_at(placement, coordinate) &&
           verify_placement_candidate(rules, placement, coordinate) == placement->owner;
}
