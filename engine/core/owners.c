#include "core/owners.h"

#include <stdlib.h>

#define NO_ROW UINT64_MAX /* of a tensor that is not saved */

/* A tensor to deal out, with all that says who could own it. */
struct item {
    reshard_mesh_set free, fixed; /* no dimension is free where boxes are given */
    struct reshard_place at;      /* the fixed coordinates; 0 along others */
    const struct given *given;    /* or the ranks that have boxes together: by their number */
    uint64_t bytes;
    uint64_t begin; /* of its parameter in a flat one, whose ranks have what begins there */
    uint32_t tensor;
};

reshard_mesh_set owners_free_dims(const struct placement *placement)
{
    return RESHARD_MESH_ALL & ~placement->cut_dims & ~placement->fixed_dims;
}

/* ---- dealing --------------------------------------------------------------------------------- */

struct hand {
    unsigned __int128 bytes; /* of any number of tensors, each below 2^63 */
    uint64_t number;
};

static bool is_before(const struct hand *a, const struct hand *b)
{
    return a->bytes != b->bytes ? a->bytes < b->bytes : a->number < b->number;
}

/* The first hand of a heap has got more: let it sink to its place. */
static void sink(struct hand *heap, uint64_t count)
{
    uint64_t at = 0, child;

    while ((child = 2 * at + 1) < count) {
        const struct hand moved = heap[at];
        if (child + 1 < count && is_before(&heap[child + 1], &heap[child]))
            child++;
        if (is_before(&moved, &heap[child]))
            return;
        heap[at] = heap[child];
        heap[child] = moved;
        at = child;
    }
}

/* Deal items, which come by falling bytes, to so many hands; `out` says which one each goes to.
 * Hands beyond the number of items stay empty. */
static enum reshard_status deal(const struct item *item, uint32_t count, uint64_t hands,
                                uint64_t *out)
{
    const uint64_t used = hands < count ? hands : count;
    struct hand *heap = calloc(used + 1, sizeof *heap);

    if (!heap)
        return RESHARD_ENOMEM;
    for (uint64_t h = 0; h < used; h++)
        heap[h].number = h;
    for (uint32_t i = 0; i < count; i++) {
        out[i] = heap[0].number;
        heap[0].bytes += item[i].bytes;
        sink(heap, used);
    }
    free(heap);
    return RESHARD_OK;
}

/* ---- who could own --------------------------------------------------------------------------- */

/* Tensors that the same ranks could own come together, the largest first. */
static int compare_sides(const struct item *a, const struct item *b)
{
    const uint64_t left_members = a->given ? a->given->members : 0;
    const uint64_t right_members = b->given ? b->given->members : 0;

    if (!a->given != !b->given)
        return a->given ? 1 : -1;
    if (left_members != right_members)
        return left_members < right_members ? -1 : 1;
    if (a->free != b->free)
        return a->free < b->free ? -1 : 1;
    if (a->fixed != b->fixed)
        return a->fixed < b->fixed ? -1 : 1;
    for (int d = 0; d < RESHARD_MESH_DIMS; d++)
        if (a->at.at[d] != b->at.at[d])
            return a->at.at[d] < b->at.at[d] ? -1 : 1;
    return 0;
}

static int compare_items(const void *left, const void *right)
{
    const struct item *a = left, *b = right;
    const int order = compare_sides(a, b);

    if (order)
        return order;
    if (a->bytes != b->bytes)
        return a->bytes > b->bytes ? -1 : 1;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    return (a->tensor > b->tensor) - (a->tensor < b->tensor);
}

/* What is saved, and has replicas. */
static uint32_t collect(const struct owners_from *from, struct item *out)
{
    uint32_t count = 0;

    for (uint32_t t = 0; t < reshard_model_tensor_count(from->model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(from->model, t);
        const struct placement *placement = &from->placement[t];
        struct item item = {.tensor = t};
        if (!reshard_role_is_saved(tensor->role) || placement->per_rank)
            continue;
        item.bytes = tensor->count * reshard_dtype_bytes(tensor->dtype);
        item.begin = from->flats->place[tensor->parameter].begin;
        if (placement->boxes) {
            item.given = from->given[placement->boxes - from->options->rule];
        } else {
            item.free = owners_free_dims(placement);
            item.fixed = placement->fixed_dims;
            item.at = placement->fixed;
        }
        out[count++] = item;
    }
    return count;
}

/* ---- tensors by coordinates ------------------------------------------------------------------ */

/* The replica that a candidate is: where the layout names an owner, of those at its coordinate. */
static uint64_t replica_of(const struct owners_from *from, const struct reshard_mesh *mesh,
                           reshard_mesh_set dims, uint64_t candidate)
{
    const reshard_mesh_set replicate = RESHARD_MESH_BIT(RESHARD_MESH_REPLICATE);
    struct reshard_place place = {{0}};

    if (from->options->owner == 0 || !(dims & replicate))
        return candidate;
    reshard_mesh_set_number(mesh, dims & ~replicate, candidate, &place);
    place.at[RESHARD_MESH_REPLICATE] = from->options->owner - 1;
    return reshard_mesh_number(mesh, dims, &place);
}

static enum reshard_status deal_replicas(struct owners *out, const struct owners_from *from,
                                         const struct item *item, uint32_t count, uint64_t *hand)
{
    const struct reshard_mesh mesh = reshard_layout_options_mesh(from->options);
    reshard_mesh_set dims = item->free;
    enum reshard_status status;

    if (from->options->owner)
        dims &= ~RESHARD_MESH_BIT(RESHARD_MESH_REPLICATE);
    status = deal(item, count, reshard_mesh_count(&mesh, dims), hand);
    for (uint32_t i = 0; !status && i < count; i++)
        out->replica[item[i].tensor] = replica_of(from, &mesh, item->free, hand[i]);
    return status;
}

/* ---- tensors whose boxes are given ----------------------------------------------------------- */

/* A set of n members is dealt to like n candidates. */
static enum reshard_status deal_members(struct owners *out, const struct item *item, uint32_t count)
{
    const struct given *given = item->given;
    struct owners_hands *hands = &out->hands[given->members];
    enum reshard_status status = RESHARD_OK;

    hands->tensors = count;
    hands->member = reallocarray(NULL, (size_t)count * given->size_count, sizeof *hands->member);
    if (!hands->member)
        return RESHARD_ENOMEM;
    for (uint32_t size = 0; !status && size < given->size_count; size++)
        status = deal(item, count, given->size[size], hands->member + (size_t)size * count);
    for (uint32_t i = 0; i < count; i++)
        out->replica[item[i].tensor] = i;
    return status;
}

uint64_t owners_member(const struct owners *owners, const struct given *given, uint32_t tensor,
                       uint64_t set)
{
    const struct owners_hands *hands = &owners->hands[given->members];
    const uint64_t row = owners->replica[tensor];

    return row == NO_ROW ? 0 : hands->member[(size_t)given->size_of[set] * hands->tensors + row];
}

/* ---- all ------------------------------------------------------------------------------------- */

static enum reshard_status deal_all(struct owners *out, const struct owners_from *from,
                                    struct item *item, uint32_t count, uint64_t *hand)
{
    enum reshard_status status = RESHARD_OK;
    uint32_t end;

    if (count)
        qsort(item, count, sizeof *item, compare_items);
    for (uint32_t first = 0; !status && first < count; first = end) {
        for (end = first + 1; end < count && compare_sides(&item[first], &item[end]) == 0;)
            end++;
        status = item[first].given ? deal_members(out, &item[first], end - first)
                                   : deal_replicas(out, from, &item[first], end - first, hand);
    }
    return status;
}

enum reshard_status owners_open(struct owners *out, const struct owners_from *from)
{
    const size_t tensors = (size_t)reshard_model_tensor_count(from->model) + 1;
    struct item *item = calloc(tensors, sizeof *item);
    uint64_t *hand = calloc(tensors, sizeof *hand);
    enum reshard_status status = RESHARD_ENOMEM;

    out->hands_count = from->options->rule_count;
    out->replica = calloc(tensors, sizeof *out->replica);
    out->hands = calloc((size_t)out->hands_count + 1, sizeof *out->hands);
    if (!item || !hand || !out->replica || !out->hands)
        goto cleanup;
    for (uint32_t t = 0; t + 1 < tensors; t++)
        out->replica[t] = from->placement[t].boxes ? NO_ROW : 0;
    status = deal_all(out, from, item, collect(from, item), hand);

cleanup:
    free(item);
    free(hand);
    return status;
}

void owners_close(struct owners *owners)
{
    for (uint32_t i = 0; owners->hands && i < owners->hands_count; i++)
        free(owners->hands[i].member);
    free(owners->hands);
    free(owners->replica);
    *owners = (struct owners){NULL, NULL, 0};
}
