#include "core/rows.h"

#include "core/bytes.h"

bool rows_begins_tensor(const struct arena_pieces *pieces, uint64_t index)
{
    return index == 0 || pieces->piece[index].tensor != pieces->piece[index - 1].tensor;
}

/* The first `ndim` numbers, and zeros: what lies beyond ndim in memory is nobody's business. */
static void put_sizes(unsigned char **at, const uint64_t *size, uint32_t ndim)
{
    for (uint32_t d = 0; d < RESHARD_DIMS_MAX; d++)
        bytes_put_number(at, d < ndim ? size[d] : 0, 8);
}

void rows_put_tensor(unsigned char *row, const struct reshard_tensor *tensor,
                     const struct container_offsets *offsets)
{
    bytes_put_text(&row, tensor->fqn, offsets->fqn_bytes);
    bytes_put_text(&row, tensor->slot, offsets->slot_bytes);
    bytes_put_text(&row, reshard_dtype_name(tensor->dtype), ROWS_DTYPE_BYTES);
    bytes_put_number(&row, tensor->shape.ndim, 4);
    put_sizes(&row, tensor->shape.size, tensor->shape.ndim);
}

void rows_put_piece(unsigned char *row, const struct arena_piece *piece, uint64_t tensor_row)
{
    bytes_put_number(&row, tensor_row, 4);
    bytes_put_number(&row, piece->box.ndim, 4);
    put_sizes(&row, piece->box.begin, piece->box.ndim);
    put_sizes(&row, piece->box.end, piece->box.ndim);
    bytes_put_number(&row, piece->offset, 8);
    bytes_put_number(&row, piece->contribution, 8);
}

uint64_t rows_contribution(const unsigned char *row)
{
    const unsigned char *at = row + ROWS_PIECE_CONTRIBUTION;
    return bytes_take_number(&at, 8);
}
