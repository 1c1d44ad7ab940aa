#include "core/arena.h"

#include <stdlib.h>

static enum reshard_status add_piece(struct arena_pieces *pieces, const struct arena_piece *piece)
{
    if (pieces->count == pieces->capacity) {
        const uint64_t capacity = pieces->capacity ? 2 * pieces->capacity : 64;
        struct arena_piece *grown = reallocarray(pieces->piece, capacity, sizeof *grown);

        if (!grown)
            return RESHARD_ENOMEM;
        pieces->piece = grown;
        pieces->capacity = capacity;
    }
    pieces->piece[pieces->count++] = *piece;
    return RESHARD_OK;
}

static enum reshard_status add_tensor(struct arena_pieces *pieces, uint32_t tensor,
                                      enum reshard_dtype dtype,
                                      const struct reshard_box_list *boxes)
{
    struct arena_piece piece = {.tensor = tensor};
    enum reshard_status status = RESHARD_OK;

    for (uint64_t i = 0; !status && i < boxes->count; i++) {
        piece.box = boxes->box[i];
        piece.count = reshard_box_count(&piece.box);
        piece.offset = pieces->elements[dtype];
        if (piece.count > 0)
            status = add_piece(pieces, &piece);
        piece.local_offset += piece.count;
        if (!status &&
            __builtin_add_overflow(pieces->elements[dtype], piece.count, &pieces->elements[dtype]))
            status = RESHARD_EOVERFLOW;
    }
    return status;
}

enum reshard_status arena_pieces_of(struct arena_pieces *out, const struct reshard_layout *layout,
                                    uint64_t holder, const bool *absent)
{
    const struct reshard_model *model = reshard_layout_model(layout);
    struct reshard_box_list boxes = RESHARD_BOX_LIST_INIT;
    enum reshard_status status = RESHARD_OK;

    *out = (struct arena_pieces)ARENA_PIECES_INIT;
    for (uint32_t t = 0; !status && t < reshard_model_tensor_count(model); t++) {
        if ((absent && absent[t]) || !reshard_layout_is_owner(layout, t, holder))
            continue;
        boxes.count = 0;
        status = reshard_layout_boxes(layout, t, holder, &boxes);
        if (!status)
            status = add_tensor(out, t, reshard_model_tensor(model, t)->dtype, &boxes);
    }
    reshard_box_list_release(&boxes);
    if (status)
        arena_pieces_release(out);
    return status;
}

void arena_pieces_release(struct arena_pieces *pieces)
{
    free(pieces->piece);
    *pieces = (struct arena_pieces)ARENA_PIECES_INIT;
}

uint64_t arena_padded(uint64_t elements, enum reshard_dtype dtype)
{
    const uint64_t multiple = ARENA_ALIGNMENT / reshard_dtype_bytes(dtype);

    return (elements + multiple - 1) / multiple * multiple;
}

/* Tensors rise, and within a tensor the boxes' first elements. */
static int compare_piece(const struct arena_piece *piece, uint32_t tensor,
                         const struct reshard_box *box)
{
    if (piece->tensor != tensor)
        return piece->tensor < tensor ? -1 : 1;
    for (uint32_t d = 0; d < box->ndim; d++)
        if (piece->box.begin[d] != box->begin[d])
            return piece->box.begin[d] < box->begin[d] ? -1 : 1;
    return 0;
}

const struct arena_piece *arena_pieces_find(const struct arena_pieces *pieces, uint32_t tensor,
                                            const struct reshard_box *box)
{
    uint64_t low = 0, high = pieces->count;

    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        const int order = compare_piece(&pieces->piece[middle], tensor, box);
        if (order == 0)
            return reshard_box_equal(&pieces->piece[middle].box, box) ? &pieces->piece[middle]
                                                                      : NULL;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
