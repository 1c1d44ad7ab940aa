#include "verify/slots.h"

/* Cuts that count for a slot: ranks along these axes have parts of it. */
static void take_cuts(struct verify_placement *placement, const struct verify_deal *deal)
{
    for (uint32_t c = 0; c < deal->dealing.cut_count; ++c) {
        const enum verify_along along = deal->dealing.cut[c].along;

        placement->cut[VERIFY_EXPERT] |= along == VERIFY_ALONG_EXPERT || along == VERIFY_ALONG_DATA;
        placement->cut[VERIFY_TENSOR] |= along == VERIFY_ALONG_TENSOR;
        placement->cut[VERIFY_SHARD] |= along == VERIFY_ALONG_SHARD || along == VERIFY_ALONG_DATA;
    }
}

static void take_flat_cut(struct verify_placement *placement)
{
    placement->cut[VERIFY_SHARD] = true;
    placement->cut[VERIFY_EXPERT] |= placement->data;
}

/* Cut as the parameter but for the reduced dimension; where it is flat, a row is where its first
 * element is. Rows without elements are where the other cuts have them. */
static void place_reduced(struct verify_rules *rules, uint32_t number)
{
    const struct verify_tensor *slot = &rules->inventory->tensor[number];
    const struct verify_tensor *parameter = &rules->inventory->tensor[slot->parameter];
    const struct verify_placement *its = &rules->placement[slot->parameter];
    struct verify_placement *placement = &rules->placement[number];
    const uint32_t last = parameter->ndim - 1;
    const uint64_t width =
        parameter->shape[last] / (its->deal[last] ? its->deal[last]->holders : 1);

    for (uint32_t d = 0; d < slot->ndim; ++d) {
        const uint32_t of = verify_slot_dimension(slot, parameter, d);

        if (of == verify_slot_reduced(slot, parameter) || !its->deal[of])
            continue;
        placement->deal[d] = its->deal[of];
        take_cuts(placement, its->deal[of]);
    }
    if (its->how != VERIFY_PLACED_FLAT || slot->slot_class != VERIFY_ROW || width == 0)
        return;
    placement->how = VERIFY_PLACED_ROWS;
    placement->flat = its->flat;
    placement->width = width;
    take_flat_cut(placement);
}

static enum reshard_status place_blocks(struct verify_rules *rules, uint32_t number,
                                        struct reshard_error *error)
{
    const struct verify_tensor *slot = &rules->inventory->tensor[number];
    const struct verify_tensor *parameter = &rules->inventory->tensor[slot->parameter];
    const struct verify_placement *its = &rules->placement[slot->parameter];
    struct verify_placement *placement = &rules->placement[number];
    struct verify_blocking blocking = {.elements = verify_tensor_elements(parameter),
                                       .block = slot->block,
                                       .inside = 1,
                                       .flat = its->how == VERIFY_PLACED_FLAT};

    for (uint32_t d = 1; d < parameter->ndim; ++d) {
        blocking.inside *= parameter->shape[d];
        blocking.flat = blocking.flat && (!its->deal[d] || its->deal[d]->holders == 1);
    }
    blocking.rows = parameter->ndim > 0 ? its->deal[0] : NULL;
    if (blocking.rows)
        take_cuts(placement, blocking.rows);
    if (blocking.flat) {
        blocking.place = its->flat;
        blocking.cut = (struct verify_cut){its->data ? VERIFY_ALONG_DATA : VERIFY_ALONG_SHARD,
                                           verify_data_ways(rules, its)};
        take_flat_cut(placement);
    }
    if (!blocking.rows && !blocking.flat)
        return RESHARD_OK;
    placement->deal[0] = verify_blocks_add(&rules->blocks, &blocking);
    return placement->deal[0]
               ? RESHARD_OK
               : reshard_error_set(error, RESHARD_ENOMEM, "no memory for the layout's rules");
}

/* A parameter whose boxes are given has no cuts, and so its slots are whole. */
static enum reshard_status place_slot(struct verify_rules *rules, uint32_t number,
                                      struct reshard_error *error)
{
    const struct verify_tensor *slot = &rules->inventory->tensor[number];
    const struct verify_placement *its = &rules->placement[slot->parameter];
    struct verify_placement *placement = &rules->placement[number];

    if (slot->like) {
        *placement = *its;
        return RESHARD_OK;
    }
    placement->how = VERIFY_PLACED_DEALT;
    placement->data = its->data;
    placement->at[VERIFY_PIPELINE] = its->at[VERIFY_PIPELINE];
    placement->at[VERIFY_EXPERT] = its->at[VERIFY_EXPERT];
    if (slot->slot_class == VERIFY_BLOCKWISE)
        return place_blocks(rules, number, error);
    if (slot->slot_class == VERIFY_ROW || slot->slot_class == VERIFY_COLUMN)
        place_reduced(rules, number);
    return RESHARD_OK;
}

enum reshard_status verify_slots_settle(struct verify_rules *rules, struct reshard_error *error)
{
    const struct verify_inventory *inventory = rules->inventory;
    enum reshard_status status = RESHARD_OK;

    for (uint32_t t = 0; t < inventory->tensor_count && !status; ++t) {
        if (verify_tensor_is_slot(&inventory->tensor[t]))
            status = place_slot(rules, t, error);
    }
    return status;
}
