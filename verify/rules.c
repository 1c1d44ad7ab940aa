#include "verify/rules.h"

#include <stdlib.h>

enum { ALIGNMENT_BYTES = 16 };
#define MESH_RANKS_MAX ((uint64_t)1 << 31)

/* A unit's flat parameter: its size in entries while that is counted, then the size of a shard. */
struct flat_unit {
    uint64_t entries;
    uint64_t chunk;
    enum reshard_dtype dtype;
    uint64_t shard; /* the walk over the positions: coordinate, and position within its chunk */
    uint64_t within;
};

enum placement { PLACED_WHOLE, PLACED_ROWS, PLACED_FLAT };

struct placed {
    enum placement how;
    uint64_t shard; /* where the tensor begins in its unit, for PLACED_FLAT */
    uint64_t within;
    uint64_t chunk;
};

struct verify_rules {
    const struct verify_inventory *inventory;
    struct verify_layout layout;
    struct placed placed[];
};

/* torch.chunk's rule for the size of a chunk. */
static uint64_t chunk_size(uint64_t entries, uint64_t ranks)
{
    return entries / ranks + (entries % ranks != 0);
}

static bool is_flattened(const struct verify_layout *layout, const struct verify_tensor *tensor)
{
    return layout->kind == VERIFY_FSDP1 && verify_tensor_is_parameter(tensor) &&
           reshard_dtype_kind(tensor->dtype) == RESHARD_KIND_FLOAT;
}

/* Padding entries that bring `entries` to a multiple of `multiple`. */
static uint64_t padding(uint64_t entries, uint64_t multiple)
{
    const uint64_t over = entries % multiple;

    return over ? multiple - over : 0;
}

/* Padding entries before the next parameter of a unit. */
static uint64_t alignment_padding(const struct verify_layout *layout, enum reshard_dtype dtype,
                                  uint64_t entries)
{
    const enum reshard_dtype forward = layout->forward ? layout->forward : dtype;

    return layout->orig_params ? padding(entries, ALIGNMENT_BYTES / reshard_dtype_bytes(forward))
                               : 0;
}

/* Count every unit's entries, parameter after parameter. */
static enum reshard_status count_entries(const struct verify_rules *rules, struct flat_unit *unit,
                                         struct reshard_error *error)
{
    const struct verify_inventory *inventory = rules->inventory;

    for (uint32_t t = 0; t < inventory->tensor_count; ++t) {
        const struct verify_tensor *tensor = &inventory->tensor[t];
        struct flat_unit *mine = &unit[tensor->unit];

        if (!is_flattened(&rules->layout, tensor))
            continue;
        if (mine->dtype && mine->dtype != tensor->dtype)
            return reshard_error_set(error, RESHARD_EINVAL,
                                     "parameter %s is %s but others of its unit are %s; a unit "
                                     "can be flattened in one dtype only",
                                     tensor->fqn, reshard_dtype_name(tensor->dtype),
                                     reshard_dtype_name(mine->dtype));
        mine->dtype = tensor->dtype;
        mine->entries += alignment_padding(&rules->layout, tensor->dtype, mine->entries);
        if (__builtin_add_overflow(mine->entries, verify_tensor_elements(tensor), &mine->entries) ||
            mine->entries > INT64_MAX)
            return reshard_error_set(error, RESHARD_EOVERFLOW,
                                     "the unit of %s has more than 2^63 entries", tensor->fqn);
    }
    return RESHARD_OK;
}

/* Count on by so many positions: fill the chunk, go over to the next coordinate, and so on. */
static void count_on(struct flat_unit *unit, uint64_t positions)
{
    while (positions) {
        const uint64_t left = unit->chunk - unit->within;
        const uint64_t take = positions < left ? positions : left;

        unit->within += take;
        positions -= take;
        if (unit->within == unit->chunk) {
            unit->within = 0;
            unit->shard += 1;
        }
    }
}

/* Walk the positions of every unit once and note where each parameter begins. */
static void place_flat(struct verify_rules *rules, struct flat_unit *unit)
{
    const struct verify_inventory *inventory = rules->inventory;

    for (uint32_t u = 0; u < inventory->unit_count; ++u) {
        if (rules->layout.orig_params)
            unit[u].entries += padding(unit[u].entries, rules->layout.shard);
        unit[u].chunk = chunk_size(unit[u].entries, rules->layout.shard);
        unit[u].entries = 0;
    }
    for (uint32_t t = 0; t < inventory->tensor_count; ++t) {
        const struct verify_tensor *tensor = &inventory->tensor[t];
        struct flat_unit *mine = &unit[tensor->unit];
        uint64_t before;

        if (!is_flattened(&rules->layout, tensor))
            continue;
        before = alignment_padding(&rules->layout, tensor->dtype, mine->entries);
        count_on(mine, before);
        rules->placed[t] = (struct placed){PLACED_FLAT, mine->shard, mine->within, mine->chunk};
        count_on(mine, verify_tensor_elements(tensor));
        mine->entries += before + verify_tensor_elements(tensor);
    }
}

static void place_rows(struct verify_rules *rules)
{
    for (uint32_t t = 0; t < rules->inventory->tensor_count; ++t) {
        const struct verify_tensor *tensor = &rules->inventory->tensor[t];

        if (verify_tensor_is_parameter(tensor) && tensor->ndim > 0)
            rules->placed[t] = (struct placed){PLACED_ROWS, 0, 0,
                                               chunk_size(tensor->shape[0], rules->layout.shard)};
    }
}

static void place_slots(struct verify_rules *rules)
{
    for (uint32_t t = 0; t < rules->inventory->tensor_count; ++t) {
        const struct verify_tensor *tensor = &rules->inventory->tensor[t];

        if (!verify_tensor_is_parameter(tensor) && tensor->like)
            rules->placed[t] = rules->placed[tensor->parameter];
    }
}

static enum reshard_status check_layout(const struct verify_layout *layout,
                                        struct reshard_error *error)
{
    if (layout->replicate == 0 || layout->shard == 0 || layout->replicate > MESH_RANKS_MAX ||
        layout->shard > MESH_RANKS_MAX / layout->replicate)
        return reshard_error_set(
            error, RESHARD_EINVAL, "a mesh of %llu x %llu ranks; 1 to 2^31 are possible",
            (unsigned long long)layout->replicate, (unsigned long long)layout->shard);
    if (layout->kind == VERIFY_DDP && layout->shard != 1)
        return reshard_error_set(error, RESHARD_EINVAL, "ddp has no mesh dimension \"shard\"");
    return RESHARD_OK;
}

enum reshard_status verify_rules_open(struct verify_rules **out,
                                      const struct verify_inventory *inventory,
                                      const struct verify_layout *layout,
                                      struct reshard_error *error)
{
    struct verify_rules *rules = NULL;
    struct flat_unit *unit = NULL;
    enum reshard_status status;

    *out = NULL;
    status = verify_inventory_check(inventory, error);
    if (!status)
        status = check_layout(layout, error);
    if (status)
        return status;
    rules = calloc(1, sizeof *rules + (size_t)inventory->tensor_count * sizeof rules->placed[0]);
    unit = calloc(inventory->unit_count ? inventory->unit_count : 1, sizeof *unit);
    if (!rules || !unit) {
        status = reshard_error_set(error, RESHARD_ENOMEM, "no memory for the layout's rules");
        goto cleanup;
    }
    rules->inventory = inventory;
    rules->layout = *layout;
    status = count_entries(rules, unit, error);
    if (status)
        goto cleanup;
    if (layout->kind == VERIFY_FSDP1)
        place_flat(rules, unit);
    if (layout->kind == VERIFY_FSDP2)
        place_rows(rules);
    place_slots(rules);
    *out = rules;
    rules = NULL;

cleanup:
    free(unit);
    free(rules);
    return status;
}

void verify_rules_close(struct verify_rules *rules)
{
    free(rules);
}

struct verify_walk verify_walk_begin(const struct verify_rules *rules, uint32_t tensor)
{
    const struct verify_tensor *shape = &rules->inventory->tensor[tensor];
    const struct placed *placed = &rules->placed[tensor];
    struct verify_walk walk = {
        .elements = verify_tensor_elements(shape), .step = 1, .shard = VERIFY_EVERY_SHARD};

    if (placed->how == PLACED_WHOLE)
        return walk;
    walk.shard = placed->shard;
    walk.within = placed->within;
    walk.chunk = placed->chunk;
    for (uint32_t d = 1; d < shape->ndim && placed->how == PLACED_ROWS; ++d)
        walk.step *= shape->shape[d];
    return walk;
}

bool verify_walk_next(struct verify_walk *walk, struct verify_run *out)
{
    if (walk->element == walk->elements)
        return false;
    *out = (struct verify_run){walk->element, walk->elements, walk->shard, walk->within};
    if (walk->chunk == 0) {
        walk->element = walk->elements;
        return true;
    }
    /* Memory counts elements, the chunk of a sharded dimension rows; each starts with its chunk, so
     * `within` is not 0 here only in a flat parameter, where a count is an element. */
    do {
        walk->element += walk->step;
        walk->within += 1;
    } while (walk->element < walk->elements && walk->within < walk->chunk);
    out->end = walk->element;
    if (walk->within == walk->chunk) {
        walk->within = 0;
        walk->shard += 1;
    }
    return true;
}

bool verify_rules_flat(const struct verify_rules *rules, uint32_t tensor)
{
    return rules->placed[tensor].how == PLACED_FLAT;
}

uint64_t verify_rules_memory_elements(const struct verify_rules *rules, uint32_t tensor,
                                      uint64_t shard)
{
    struct verify_walk walk = verify_walk_begin(rules, tensor);
    struct verify_run run;
    uint64_t elements = 0;

    if (verify_rules_flat(rules, tensor))
        return rules->placed[tensor].chunk;
    while (verify_walk_next(&walk, &run)) {
        if (run.shard == shard || run.shard == VERIFY_EVERY_SHARD)
            elements += run.end - run.begin;
    }
    return elements;
}

uint64_t verify_rules_world_elements(const struct verify_rules *rules, uint32_t tensor)
{
    const uint64_t elements = verify_tensor_elements(&rules->inventory->tensor[tensor]);
    const uint64_t copies = rules->placed[tensor].how == PLACED_WHOLE
                                ? rules->layout.replicate * rules->layout.shard
                                : rules->layout.replicate;

    return elements * copies;
}
