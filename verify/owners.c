#include "verify/owners.h"

#include "verify/flat.h"

#include <stdlib.h>

/* A sum that no candidate has: this one is none. */
#define NO_CANDIDATE UINT64_MAX

struct counting {
    struct verify_rules *rules;
    uint64_t *owned; /* bytes of each rank so far */
    uint64_t *sum;   /* of the ranks of each candidate */
    uint64_t *part;  /* elements that each data coordinate has of a flat tensor, or of its rows */
};

/* --- tensors by coordinates ------------------------------------------------------------------- */

static void count_flat_parts(const struct counting *counting, uint32_t tensor)
{
    const struct verify_placement *placement = &counting->rules->placement[tensor];
    const uint64_t ways = verify_data_ways(counting->rules, placement);
    struct verify_flat_part part = {0};

    for (uint64_t k = 0; k < ways; ++k)
        counting->part[k] = 0;
    while (verify_flat_next(&placement->flat, &part))
        counting->part[part.coordinate] = part.end - part.begin;
}

static void count_rows(const struct counting *counting, uint32_t tensor)
{
    const struct verify_placement *placement = &counting->rules->placement[tensor];
    const uint64_t ways = verify_data_ways(counting->rules, placement);
    struct verify_flat_rows rows = {.begin = 0};

    for (uint64_t k = 0; k < ways; ++k)
        counting->part[k] = 0;
    while (verify_flat_next_rows(&placement->flat, placement->width, &rows))
        counting->part[rows.part.coordinate] = rows.end - rows.begin;
}

static uint64_t elements_at(const struct counting *counting, uint32_t tensor,
                            const uint64_t coordinate[VERIFY_AXES])
{
    const struct verify_placement *placement = &counting->rules->placement[tensor];

    if (placement->how == VERIFY_PLACED_FLAT || placement->how == VERIFY_PLACED_ROWS)
        return counting->part[verify_data_coordinate(counting->rules, placement, coordinate)];
    return verify_dealt_elements(counting->rules, tensor, coordinate);
}

/* The bytes that each candidate's ranks own together; the candidate with the fewest. */
static uint64_t choose(const struct counting *counting, const struct verify_placement *placement)
{
    const struct verify_rules *rules = counting->rules;
    const int64_t owner = rules->layout.owner;
    uint64_t coordinate[VERIFY_AXES];
    uint64_t best = 0;

    for (uint64_t c = 0; c < rules->ranks; ++c)
        counting->sum[c] = NO_CANDIDATE;
    for (uint64_t rank = 0; rank < rules->ranks; ++rank) {
        uint64_t *sum;

        verify_coordinates(rules, rank, coordinate);
        if (!verify_placement_is_at(placement, coordinate) ||
            (owner >= 0 && coordinate[VERIFY_REPLICATE] != (uint64_t)owner))
            continue;
        sum = &counting->sum[verify_placement_candidate(rules, placement, coordinate)];
        *sum = (*sum == NO_CANDIDATE ? 0 : *sum) + counting->owned[rank];
    }
    for (uint64_t c = 1; c < rules->ranks; ++c) {
        if (counting->sum[c] < counting->sum[best])
            best = c;
    }
    return best;
}

static void own_by_coordinates(const struct counting *counting, uint32_t tensor)
{
    const struct verify_rules *rules = counting->rules;
    struct verify_placement *placement = &counting->rules->placement[tensor];
    const size_t width = reshard_dtype_bytes(rules->inventory->tensor[tensor].dtype);
    uint64_t coordinate[VERIFY_AXES];

    if (placement->how == VERIFY_PLACED_FLAT)
        count_flat_parts(counting, tensor);
    if (placement->how == VERIFY_PLACED_ROWS)
        count_rows(counting, tensor);
    placement->owner = choose(counting, placement);
    for (uint64_t rank = 0; rank < rules->ranks; ++rank) {
        uint64_t elements;

        verify_coordinates(rules, rank, coordinate);
        if (!verify_placement_is_at(placement, coordinate))
            continue;
        elements = elements_at(counting, tensor, coordinate);
        placement->world_elements += elements;
        if (verify_placement_candidate(rules, placement, coordinate) == placement->owner)
            counting->owned[rank] += elements * width;
    }
}

/* --- other tensors ---------------------------------------------------------------------------- */

static enum reshard_status own_given(const struct counting *counting, uint32_t tensor,
                                     struct reshard_error *error)
{
    struct verify_placement *placement = &counting->rules->placement[tensor];
    const struct verify_given *given = placement->given;
    const size_t width = reshard_dtype_bytes(counting->rules->inventory->tensor[tensor].dtype);

    placement->given_owner = calloc((size_t)given->set_count + 1, sizeof(uint64_t));
    if (!placement->given_owner)
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory for the layout's owners");
    for (uint64_t h = 0; h < given->holder_count;) {
        const struct verify_given_holder *best = given->by_set[h];
        const uint64_t set = best->set;

        for (; h < given->holder_count && given->by_set[h]->set == set; ++h) {
            const struct verify_given_holder *holder = given->by_set[h];

            placement->world_elements += holder->elements;
            if (counting->owned[holder->rank] < counting->owned[best->rank])
                best = holder;
        }
        placement->given_owner[set] = best->rank;
        counting->owned[best->rank] += best->elements * width;
    }
    return RESHARD_OK;
}

static void own_rows(const struct counting *counting, uint32_t tensor)
{
    const struct verify_tensor *shape = &counting->rules->inventory->tensor[tensor];
    const uint64_t bytes =
        verify_tensor_elements(shape) / shape->shape[0] * reshard_dtype_bytes(shape->dtype);

    counting->rules->placement[tensor].world_elements = verify_tensor_elements(shape);
    for (uint64_t rank = 0; rank < counting->rules->layout.world; ++rank)
        counting->owned[rank] += bytes;
}

enum reshard_status verify_owners_settle(struct verify_rules *rules, struct reshard_error *error)
{
    const size_t world = (size_t)rules->layout.world;
    struct counting counting = {.rules = rules,
                                .owned = calloc(world, sizeof(uint64_t)),
                                .sum = calloc(world, sizeof(uint64_t)),
                                .part = calloc(world, sizeof(uint64_t))};
    enum reshard_status status = RESHARD_OK;

    if (!counting.owned || !counting.sum || !counting.part)
        status = reshard_error_set(error, RESHARD_ENOMEM, "no memory for the layout's owners");
    for (uint32_t t = 0; t < rules->inventory->tensor_count && !status; ++t) {
        rules->placement[t].world_elements = 0;
        switch (rules->placement[t].how) {
        case VERIFY_PLACED_GIVEN:
            status = own_given(&counting, t, error);
            break;
        case VERIFY_PLACED_PER_RANK:
            own_rows(&counting, t);
            break;
        case VERIFY_PLACED_DEALT:
        case VERIFY_PLACED_FLAT:
        case VERIFY_PLACED_ROWS:
            own_by_coordinates(&counting, t);
            break;
        }
    }
    free(counting.owned);
    free(counting.sum);
    free(counting.part);
    return status;
}
