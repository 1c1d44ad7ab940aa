#include "verify/flat.h"

#include <inttypes.h>
#include <stdlib.h>

enum { ALIGNMENT_BYTES = 16 };

#define NONE UINT32_MAX

/* One flat parameter: the flat tensors of a unit that are at one pipeline coordinate, and at one
 * expert coordinate where their names decide on that. */
struct flat {
    uint32_t lead;     /* the first of its tensors */
    uint64_t pipeline; /* coordinates that it is fixed at */
    uint64_t expert;
    uint64_t entries;
    uint64_t ways;
    uint64_t chunk;
    uint64_t shard; /* where the counting has come to: coordinate, and entry within its chunk */
    uint64_t within;
    uint32_t before; /* another flat parameter of the same unit, or NONE */
};

struct flats {
    struct verify_rules *rules;
    struct flat *flat;
    uint32_t *latest; /* each unit's latest flat parameter, or NONE */
    uint32_t *of;     /* each tensor's */
    uint32_t count;
};

static bool is_flat(const struct verify_rules *rules, uint32_t tensor)
{
    return rules->placement[tensor].how == VERIFY_PLACED_FLAT;
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

/* --- who is flattened together ---------------------------------------------------------------- */

/* "the same setting of `expert` up to the dimension that it cuts" */
static bool same_setting(const struct verify_setting *a, const struct verify_setting *b)
{
    return a->how == b->how && (a->how == VERIFY_CUT || a->number == b->number);
}

/* What keeps two flat tensors of one unit and pipeline coordinate apart, or NULL. */
static const char *unlike(const struct verify_rules *rules, uint32_t a, uint32_t b)
{
    const struct verify_tensor *tensor = rules->inventory->tensor;

    if (tensor[a].dtype != tensor[b].dtype)
        return "of another dtype";
    if (!same_setting(&rules->placement[a].expert, &rules->placement[b].expert))
        return "placed otherwise along expert";
    if (!rules->layout.orig_params && tensor[a].role != tensor[b].role)
        return "frozen where the other is not, without orig_params";
    return NULL;
}

static enum reshard_status check_alike(const struct verify_rules *rules, uint32_t tensor,
                                       uint32_t lead, struct reshard_error *error)
{
    const char *difference = unlike(rules, tensor, lead);

    if (!difference)
        return RESHARD_OK;
    return reshard_error_set(
        error, RESHARD_EINVAL, "parameter %s cannot be flattened with %s of its unit: it is %s",
        rules->inventory->tensor[tensor].fqn, rules->inventory->tensor[lead].fqn, difference);
}

/* The flat parameter of a tensor, which may be a new one. All of a unit at a pipeline coordinate
 * are alike, so that one of them is enough to be held against. */
static enum reshard_status find_flat(struct flats *flats, uint32_t tensor,
                                     struct reshard_error *error)
{
    const struct verify_placement *placement = &flats->rules->placement[tensor];
    const uint64_t pipeline = placement->at[VERIFY_PIPELINE];
    const uint64_t expert = placement->at[VERIFY_EXPERT];
    uint32_t *latest = &flats->latest[flats->rules->inventory->tensor[tensor].unit];
    uint32_t beside = NONE;
    uint32_t f;

    for (f = *latest; f != NONE; f = flats->flat[f].before) {
        if (flats->flat[f].pipeline != pipeline)
            continue;
        beside = f;
        if (flats->flat[f].expert == expert)
            break;
    }
    if (f == NONE) {
        f = flats->count++;
        flats->flat[f] = (struct flat){.lead = tensor,
                                       .pipeline = pipeline,
                                       .expert = expert,
                                       .ways = verify_data_ways(flats->rules, placement),
                                       .before = *latest};
        *latest = f;
    }
    flats->of[tensor] = f;
    return beside == NONE ? RESHARD_OK
                          : check_alike(flats->rules, tensor, flats->flat[beside].lead, error);
}

/* --- counting --------------------------------------------------------------------------------- */

/* What every rank that has some of the tensor has of it: the cuts before flattening are even. */
static uint64_t local_elements(const struct verify_rules *rules, uint32_t tensor)
{
    static const uint64_t origin[VERIFY_AXES];

    return verify_dealt_elements(rules, tensor, origin);
}

static enum reshard_status count_entries(struct flats *flats, uint32_t tensor,
                                         struct reshard_error *error)
{
    const struct verify_rules *rules = flats->rules;
    struct flat *mine = &flats->flat[flats->of[tensor]];
    struct verify_flat_place *place = &flats->rules->placement[tensor].flat;

    place->elements = local_elements(rules, tensor);
    mine->entries +=
        alignment_padding(&rules->layout, rules->inventory->tensor[tensor].dtype, mine->entries);
    if (__builtin_add_overflow(mine->entries, place->elements, &mine->entries) ||
        mine->entries > INT64_MAX)
        return reshard_error_set(error, RESHARD_EOVERFLOW,
                                 "the unit of %s has more than 2^63 entries",
                                 rules->inventory->tensor[tensor].fqn);
    return RESHARD_OK;
}

static void cut_flats(struct flats *flats)
{
    for (uint32_t f = 0; f < flats->count; ++f) {
        struct flat *flat = &flats->flat[f];

        if (flats->rules->layout.orig_params)
            flat->entries += padding(flat->entries, flat->ways);
        flat->chunk = flat->entries / flat->ways + (flat->entries % flat->ways != 0);
        flat->entries = 0;
    }
}

/* Count on by so many positions: each chunk that gets full brings the next coordinate. */
static void count_on(struct flat *flat, uint64_t positions)
{
    flat->entries += positions;
    if (flat->chunk == 0)
        return;
    flat->within += positions;
    flat->shard += flat->within / flat->chunk;
    flat->within %= flat->chunk;
}

static void place(struct flats *flats, uint32_t tensor)
{
    const struct verify_rules *rules = flats->rules;
    struct flat *mine = &flats->flat[flats->of[tensor]];
    struct verify_flat_place *out = &flats->rules->placement[tensor].flat;

    count_on(mine, alignment_padding(&rules->layout, rules->inventory->tensor[tensor].dtype,
                                     mine->entries));
    out->chunk = mine->chunk;
    out->shard = mine->shard;
    out->within = mine->within;
    count_on(mine, out->elements);
}

enum reshard_status verify_flat_settle(struct verify_rules *rules, struct reshard_error *error)
{
    const uint32_t count = rules->inventory->tensor_count;
    struct flats flats = {.rules = rules,
                          .flat = calloc((size_t)count + 1, sizeof(struct flat)),
                          .latest =
                              malloc(((size_t)rules->inventory->unit_count + 1) * sizeof(uint32_t)),
                          .of = calloc((size_t)count + 1, sizeof(uint32_t))};
    enum reshard_status status = RESHARD_OK;

    if (!flats.flat || !flats.of || !flats.latest)
        status = reshard_error_set(error, RESHARD_ENOMEM, "no memory for the layout's rules");
    for (uint32_t u = 0; u < rules->inventory->unit_count && !status; ++u)
        flats.latest[u] = NONE;
    for (uint32_t t = 0; t < count && !status; ++t) {
        if (!is_flat(rules, t))
            continue;
        status = find_flat(&flats, t, error);
        if (!status)
            status = count_entries(&flats, t, error);
    }
    if (status)
        goto cleanup;
    cut_flats(&flats);
    for (uint32_t t = 0; t < count; ++t) {
        if (is_flat(rules, t))
            place(&flats, t);
    }

cleanup:
    free(flats.flat);
    free(flats.latest);
    free(flats.of);
    return status;
}

bool verify_flat_part_of(const struct verify_flat_place *place, uint64_t coordinate,
                         struct verify_flat_part *part)
{
    /* Positions are counted from the beginning of the chunk that the tensor begins in. */
    const uint64_t first = place->within;
    const uint64_t behind = first + place->elements;
    uint64_t begin;

    if (coordinate < place->shard || place->elements == 0)
        return false;
    begin = (coordinate - place->shard) * place->chunk;
    if (begin >= behind)
        return false;
    part->local = begin < first ? first - begin : 0;
    part->begin = begin < first ? 0 : begin - first;
    part->end = (behind - begin < place->chunk ? behind : begin + place->chunk) - first;
    return true;
}

bool verify_flat_rows_of(const struct verify_flat_place *place, uint64_t width, uint64_t coordinate,
                         struct verify_flat_part *rows)
{
    if (!verify_flat_part_of(place, coordinate, rows))
        return false;
    /* Row r begins with element r * width: as many begin before an element as it takes to reach it.
     */
    rows->begin = rows->begin / width + (rows->begin % width != 0);
    rows->end = rows->end / width + (rows->end % width != 0);
    return true;
}
