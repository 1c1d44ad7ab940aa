#include "core/container.h"

#include "core/digest.h"
#include "core/rows.h"

#include <stdlib.h>
#include <string.h>

static uint32_t larger(uint32_t width, size_t length)
{
    return width > length ? width : (uint32_t)length;
}

/* The widths of the names, and how many rows of /tensors there are. Names have at most
 * RESHARD_NAME_MAX bytes. */
static uint64_t measure_names(struct container_offsets *out, const struct reshard_model *model,
                              const struct arena_pieces *pieces)
{
    uint64_t rows = 0;
    out->fqn_bytes = out->slot_bytes = 1;
    for (uint64_t i = 0; i < pieces->count; i++) {
        if (!rows_begins_tensor(pieces, i))
            continue;
        const struct reshard_tensor *tensor = reshard_model_tensor(model, pieces->piece[i].tensor);
        out->fqn_bytes = larger(out->fqn_bytes, strlen(tensor->fqn) + 1);
        out->slot_bytes = larger(out->slot_bytes, strlen(tensor->slot) + 1);
        rows++;
    }
    return rows;
}

enum reshard_status container_measure(struct container_offsets *out,
                                      const struct reshard_model *model,
                                      const struct arena_pieces *pieces)
{
    *out = (struct container_offsets){.file_bytes = 0};
    for (int d = RESHARD_DTYPE_NONE + 1; d < RESHARD_DTYPE_COUNT; d++) {
        const size_t size = reshard_dtype_bytes((enum reshard_dtype)d);
        if (pieces->elements[d] > (INT64_MAX - ARENA_ALIGNMENT) / size)
            return RESHARD_EOVERFLOW;
        out->arena_bytes[d] = arena_padded(pieces->elements[d], (enum reshard_dtype)d) * size;
    }
    const uint64_t rows = measure_names(out, model, pieces);
    if (__builtin_mul_overflow(rows, rows_tensor_bytes(out), &out->tensors_bytes) ||
        __builtin_mul_overflow(pieces->count, ROWS_PIECE_BYTES, &out->pieces_bytes))
        return RESHARD_EOVERFLOW;
    return RESHARD_OK;
}

/* Let a part follow what is placed so far; false when it cannot be. */
static bool append(uint64_t *place, uint64_t *end, uint64_t bytes)
{
    *place = *end;
    return !__builtin_add_overflow(*end, bytes, end) && *end <= INT64_MAX;
}

enum reshard_status container_place(struct container_offsets *offsets, uint64_t head_bytes)
{
    uint64_t end = head_bytes;
    bool fits = head_bytes <= INT64_MAX;
    offsets->head_bytes = head_bytes;
    for (int d = RESHARD_DTYPE_NONE + 1; fits && d < RESHARD_DTYPE_COUNT; d++)
        if (offsets->arena_bytes[d] > 0)
            fits = append(&offsets->arena[d], &end, offsets->arena_bytes[d]);
    fits = fits && append(&offsets->tensors, &end, offsets->tensors_bytes) &&
           append(&offsets->pieces, &end, offsets->pieces_bytes) &&
           append(&offsets->trailer, &end, TRAILER_BYTES);
    offsets->file_bytes = end;
    return fits ? RESHARD_OK : RESHARD_EOVERFLOW;
}

enum reshard_status container_plan(struct trailer *out, unsigned char head[H5_HEAD_MAX],
                                   const struct reshard_model *model,
                                   const struct arena_pieces *pieces,
                                   const struct container_identity *identity, const char *path,
                                   struct reshard_error *error)
{
    *out = (struct trailer){.identity = *identity};
    if (pieces->count == 0)
        return reshard_error_set(error, RESHARD_EINVAL, "%s: a rank without pieces writes no file",
                                 path);
    enum reshard_status status = container_measure(&out->offsets, model, pieces);
    const uint64_t head_bytes = status ? 0 : h5_head_encode(identity, &out->offsets, head);
    if (!status && head_bytes == 0)
        status = RESHARD_EOVERFLOW;
    if (!status)
        status = container_place(&out->offsets, head_bytes);
    if (status)
        return reshard_error_set(error, status, "%s: would have 2^63 bytes or more", path);
    out->head_crc = digest_crc(0, head, h5_head_encode(identity, &out->offsets, head));
    return RESHARD_OK;
}

static void put_rows(unsigned char *tensors, unsigned char *rows,
                     const struct container_offsets *offsets, const struct reshard_model *model,
                     const struct arena_pieces *pieces)
{
    const size_t tensor_bytes = rows_tensor_bytes(offsets);
    uint64_t tensor_rows = 0;
    for (uint64_t i = 0; i < pieces->count; i++) {
        const struct arena_piece *const piece = &pieces->piece[i];
        if (rows_begins_tensor(pieces, i))
            rows_put_tensor(tensors + tensor_rows++ * tensor_bytes,
                            reshard_model_tensor(model, piece->tensor), offsets);
        rows_put_piece(rows + i * ROWS_PIECE_BYTES, piece, tensor_rows - 1);
    }
}

enum reshard_status container_write_end(struct store_file *file, struct trailer *trailer,
                                        const struct reshard_model *model,
                                        const struct arena_pieces *pieces,
                                        struct reshard_error *error)
{
    const struct container_offsets *const offsets = &trailer->offsets;
    /* The plan added both up. */
    const size_t bytes = offsets->tensors_bytes + offsets->pieces_bytes;
    unsigned char *const tables = malloc(bytes + 1);
    unsigned char last[TRAILER_BYTES];
    if (!tables)
        return reshard_error_set(error, RESHARD_ENOMEM, "%s: out of memory", file->path);
    put_rows(tables, tables + offsets->tensors_bytes, offsets, model, pieces);
    trailer->tables_crc = digest_crc(0, tables, bytes);
    trailer_encode(trailer, last);
    enum reshard_status status = store_write(file, offsets->tensors, tables, bytes, error);
    if (!status)
        status = store_write(file, offsets->trailer, last, sizeof last, error);
    free(tables);
    return status;
}
