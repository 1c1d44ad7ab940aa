#include "verify/rankfile.h"

#include "verify/crc.h"
#include "verify/entry.h"
#include "verify/trailer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ROWS_AT_A_TIME = 256,
    CHUNK_BYTES = 64 << 10,
    TAIL_MAX = VERIFY_PART_BYTES,
};

/* A file while it is decoded. */
struct decoding {
    struct verify_checkpoint *checkpoint;
    struct verify_file *file;
    int fd;
    struct verify_trailer trailer;
    uint64_t used[RESHARD_DTYPE_COUNT]; /* elements of the pieces so far, in each arena */
    struct reshard_error *error;
};

static enum reshard_status wrong(const struct decoding *decoding, const char *what)
{
    return reshard_error_set(decoding->error, RESHARD_EFORMAT, "%s", what);
}

static enum reshard_status read_bytes(const struct decoding *decoding, void *buffer, size_t bytes,
                                      uint64_t position)
{
    return verify_entry_read(decoding->fd, buffer, bytes, position, decoding->error);
}

/* The CRC of a stretch of the file. */
static enum reshard_status read_crc(const struct decoding *decoding, uint64_t begin, uint64_t end,
                                    uint64_t *crc)
{
    unsigned char *buffer = malloc(CHUNK_BYTES);
    enum reshard_status status = RESHARD_OK;

    if (!buffer)
        return reshard_error_set(decoding->error, RESHARD_ENOMEM, "no memory to read a file");
    *crc = 0;
    for (uint64_t at = begin; at < end && !status; at += CHUNK_BYTES) {
        const size_t take = end - at < CHUNK_BYTES ? (size_t)(end - at) : CHUNK_BYTES;

        status = read_bytes(decoding, buffer, take, at);
        if (!status)
            *crc = verify_crc(*crc, buffer, take);
    }
    free(buffer);
    return status;
}

/* --- the trailer ------------------------------------------------------------------------------ */

static enum reshard_status check_size(const struct decoding *decoding, uint64_t bytes)
{
    if (bytes != decoding->file->bytes)
        return reshard_error_set(
            decoding->error, RESHARD_EFORMAT, "has %llu bytes; the manifest says %llu",
            (unsigned long long)bytes, (unsigned long long)decoding->file->bytes);
    if (bytes < VERIFY_TRAILER_BYTES)
        return wrong(decoding, "is too short to end in a trailer");
    return RESHARD_OK;
}

static enum reshard_status check_origin(const struct decoding *decoding)
{
    const struct verify_trailer *trailer = &decoding->trailer;
    const struct verify_checkpoint *checkpoint = decoding->checkpoint;

    if (trailer->step != checkpoint->step || trailer->writer != decoding->file->writer ||
        trailer->world != checkpoint->world)
        return reshard_error_set(
            decoding->error, RESHARD_EMISMATCH,
            "is of another save: step %llu by rank %llu of %llu, not step "
            "%llu by rank %llu of %llu",
            (unsigned long long)trailer->step, (unsigned long long)trailer->writer,
            (unsigned long long)trailer->world, (unsigned long long)checkpoint->step,
            (unsigned long long)decoding->file->writer, (unsigned long long)checkpoint->world);
    if (strcmp(trailer->token, checkpoint->token) != 0)
        return reshard_error_set(decoding->error, RESHARD_EMISMATCH,
                                 "is of another save: its token is %s, not %s", trailer->token,
                                 checkpoint->token);
    if (trailer->seal != decoding->file->seal)
        return reshard_error_set(decoding->error, RESHARD_EDIGEST,
                                 "its seal is %016llx; the manifest says %016llx: it is damaged, "
                                 "or a file of another save",
                                 (unsigned long long)trailer->seal,
                                 (unsigned long long)decoding->file->seal);
    return RESHARD_OK;
}

static enum reshard_status read_trailer(struct decoding *decoding)
{
    unsigned char bytes[VERIFY_TRAILER_BYTES];
    enum reshard_status status =
        read_bytes(decoding, bytes, sizeof bytes, decoding->file->bytes - VERIFY_TRAILER_BYTES);

    if (!status)
        status = verify_trailer_decode(&decoding->trailer, bytes, decoding->file->bytes,
                                       decoding->error);
    return status;
}

/* --- /tensors --------------------------------------------------------------------------------- */

/* A zero-padded string of `bytes` bytes: at least one zero, and nothing after the first. */
static bool is_padded(const char *text, size_t bytes)
{
    const size_t length = strnlen(text, bytes);

    for (size_t i = length; i < bytes; ++i) {
        if (text[i] != '\0')
            return false;
    }
    return length < bytes;
}

/* Is this row of /tensors the description of that tensor of the manifest? */
static bool describes(const struct verify_tensor *tensor, const char *dtype, const char *numbers)
{
    uint64_t shape[VERIFY_DIMS_MAX];
    uint32_t ndim;

    memcpy(&ndim, numbers, sizeof ndim);
    memcpy(shape, numbers + sizeof ndim, sizeof shape);
    return strcmp(dtype, reshard_dtype_name(tensor->dtype)) == 0 && ndim == tensor->ndim &&
           memcmp(shape, tensor->shape, sizeof shape) == 0;
}

static enum reshard_status decode_tensor(struct decoding *decoding, const char *row,
                                         size_t longest[2])
{
    const struct verify_checkpoint *checkpoint = decoding->checkpoint;
    const size_t fqn_bytes = decoding->trailer.fqn_bytes;
    const size_t slot_bytes = decoding->trailer.slot_bytes;
    const char *slot = row + fqn_bytes;
    const char *dtype = slot + slot_bytes;
    struct verify_file *file = decoding->file;
    uint32_t tensor;

    if (!is_padded(row, fqn_bytes) || !is_padded(slot, slot_bytes) ||
        !is_padded(dtype, VERIFY_TENSOR_DTYPE_BYTES))
        return wrong(decoding, "/tensors has a string that is not padded with zeros");
    tensor = verify_names_find(&checkpoint->names, row, slot);
    if (tensor == UINT32_MAX)
        return reshard_error_set(decoding->error, RESHARD_EFORMAT,
                                 "/tensors has %s %s, which the manifest has not", row, slot);
    if (checkpoint->absent[tensor])
        return reshard_error_set(decoding->error, RESHARD_EFORMAT,
                                 "/tensors has %s %s, which is absent by the manifest", row, slot);
    if (file->span_count > 0 && tensor <= file->span[file->span_count - 1].tensor)
        return wrong(decoding, "/tensors is not in the model's order");
    if (!describes(&checkpoint->inventory.tensor[tensor], dtype, dtype + VERIFY_TENSOR_DTYPE_BYTES))
        return reshard_error_set(decoding->error, RESHARD_EFORMAT,
                                 "/tensors has %s %s as %s; dtype and shape are not the manifest's",
                                 row, slot, dtype);
    file->span[file->span_count++].tensor = tensor;
    longest[0] = strlen(row) > longest[0] ? strlen(row) : longest[0];
    longest[1] = strlen(slot) > longest[1] ? strlen(slot) : longest[1];
    return RESHARD_OK;
}

static enum reshard_status decode_tensors(struct decoding *decoding)
{
    const struct verify_extent *extent = &decoding->trailer.tensors;
    size_t longest[2] = {0, 0};
    enum reshard_status status = RESHARD_OK;
    char *row;

    if (extent->rows > decoding->checkpoint->inventory.tensor_count)
        return wrong(decoding, "/tensors has more rows than the model has tensors");
    row = malloc((size_t)extent->row_bytes);
    decoding->file->span = calloc((size_t)extent->rows, sizeof *decoding->file->span);
    if (!row || !decoding->file->span)
        status = reshard_error_set(decoding->error, RESHARD_ENOMEM, "no memory for /tensors");
    for (uint64_t i = 0; i < extent->rows && !status; ++i) {
        status = read_bytes(decoding, row, (size_t)extent->row_bytes,
                            extent->offset + i * extent->row_bytes);
        if (status)
            break;
        status = decode_tensor(decoding, row, longest);
    }
    free(row);
    if (!status && (longest[0] + 1 != decoding->trailer.fqn_bytes ||
                    longest[1] + 1 != decoding->trailer.slot_bytes))
        status = wrong(decoding, "/tensors has strings that are not as long as the longest needs");
    return status;
}

/* --- /pieces ---------------------------------------------------------------------------------- */

bool verify_piece_box(const struct verify_tensor *tensor, const struct verify_piece_row *row,
                      struct verify_box *out)
{
    out->ndim = row->ndim;
    memcpy(out->begin, row->begin, sizeof out->begin);
    memcpy(out->end, row->end, sizeof out->end);
    return verify_box_fits(out, tensor);
}

/* Where the decoding of /pieces stands: the current row of /tensors, and the first element that its
 * next piece may have. */
struct progress {
    uint32_t row;
    uint64_t next;
};

static enum reshard_status decode_piece(struct decoding *decoding, struct progress *progress,
                                        const struct verify_piece_row *row, uint32_t number)
{
    const struct verify_inventory *inventory = &decoding->checkpoint->inventory;
    struct verify_file *file = decoding->file;
    const struct verify_tensor *tensor;
    struct verify_box box;
    uint64_t first;

    if (number > 0 && row->tensor == progress->row + 1) {
        progress->row += 1;
        progress->next = 0;
    }
    if (row->tensor != progress->row || row->tensor >= file->span_count)
        return reshard_error_set(decoding->error, RESHARD_EFORMAT,
                                 "/pieces[%u] is not in the order of /tensors", number);
    tensor = &inventory->tensor[file->span[row->tensor].tensor];
    if (!verify_piece_box(tensor, row, &box))
        return reshard_error_set(decoding->error, RESHARD_EFORMAT,
                                 "/pieces[%u] of %s %s is no box: it is empty or out of bounds",
                                 number, tensor->fqn, tensor->slot);
    first = verify_box_first(&box, tensor);
    if (first < progress->next)
        return reshard_error_set(decoding->error, RESHARD_EFORMAT,
                                 "/pieces[%u] of %s %s does not follow the one before it", number,
                                 tensor->fqn, tensor->slot);
    if (row->offset != decoding->used[tensor->dtype])
        return reshard_error_set(decoding->error, RESHARD_EFORMAT,
                                 "/pieces[%u] of %s %s is at offset %llu of its arena, not at %llu "
                                 "where the one before it ends",
                                 number, tensor->fqn, tensor->slot, (unsigned long long)row->offset,
                                 (unsigned long long)decoding->used[tensor->dtype]);
    progress->next = first + 1;
    decoding->used[tensor->dtype] += verify_box_elements(&box);
    if (decoding->used[tensor->dtype] > decoding->trailer.arena[tensor->dtype].rows)
        return reshard_error_set(decoding->error, RESHARD_EFORMAT,
                                 "/pieces[%u] of %s %s reaches beyond its arena", number,
                                 tensor->fqn, tensor->slot);
    if (file->span[row->tensor].end == 0)
        file->span[row->tensor].begin = number;
    file->span[row->tensor].end = number + 1;
    return RESHARD_OK;
}

static enum reshard_status decode_pieces(struct decoding *decoding)
{
    const struct verify_extent *extent = &decoding->trailer.pieces;
    struct verify_piece_row *rows = malloc(ROWS_AT_A_TIME * sizeof *rows);
    struct progress progress = {0, 0};
    enum reshard_status status = RESHARD_OK;

    if (!rows)
        return reshard_error_set(decoding->error, RESHARD_ENOMEM, "no memory for /pieces");
    if (extent->rows > UINT32_MAX)
        status = wrong(decoding, "/pieces has more than 2^32 rows");
    for (uint64_t i = 0; i < extent->rows && !status; i += ROWS_AT_A_TIME) {
        const uint64_t left = extent->rows - i;
        const size_t count = left < ROWS_AT_A_TIME ? (size_t)left : ROWS_AT_A_TIME;

        status =
            read_bytes(decoding, rows, count * sizeof *rows, extent->offset + i * sizeof *rows);
        for (size_t r = 0; r < count && !status; ++r)
            status = decode_piece(decoding, &progress, &rows[r], (uint32_t)(i + r));
    }
    free(rows);
    if (!status && progress.row + 1 != decoding->file->span_count)
        status = wrong(decoding, "/tensors has a row without pieces");
    return status;
}

/* --- the whole -------------------------------------------------------------------------------- */

/* Damage to the tables is named as that, not by what it leads to, so it is looked for first. */
static enum reshard_status check_tables(const struct decoding *decoding)
{
    const struct verify_trailer *trailer = &decoding->trailer;
    uint64_t crc = 0;
    enum reshard_status status = read_crc(decoding, trailer->tensors.offset,
                                          decoding->file->bytes - VERIFY_TRAILER_BYTES, &crc);

    if (!status && crc != trailer->tables_crc)
        status =
            reshard_error_set(decoding->error, RESHARD_EDIGEST,
                              "/tensors and /pieces do not have the CRC that the trailer says: "
                              "they are damaged");
    return status;
}

/* Arenas are as long as their pieces need, rounded up. */
static enum reshard_status check_arenas(const struct decoding *decoding)
{
    for (int dtype = 1; dtype < RESHARD_DTYPE_COUNT; ++dtype) {
        const struct verify_extent *arena = &decoding->trailer.arena[dtype];
        const uint64_t bytes = arena->rows * arena->row_bytes;
        const uint64_t used = decoding->used[dtype] * arena->row_bytes;

        decoding->file->arena[dtype] = arena->offset;
        decoding->file->arena_end[dtype] = arena->offset + used;
        if (bytes > 0 && (used == 0 || bytes - used >= VERIFY_PART_BYTES))
            return reshard_error_set(decoding->error, RESHARD_EFORMAT,
                                     "/arena/%s has %llu bytes for %llu bytes of pieces",
                                     reshard_dtype_name((enum reshard_dtype)dtype),
                                     (unsigned long long)bytes, (unsigned long long)used);
    }
    return RESHARD_OK;
}

static enum reshard_status decode(struct decoding *decoding, uint64_t bytes)
{
    enum reshard_status status = check_size(decoding, bytes);

    if (!status)
        status = read_trailer(decoding);
    if (!status)
        status = check_origin(decoding);
    if (!status)
        status = check_tables(decoding);
    if (!status)
        status = decode_tensors(decoding);
    if (!status)
        status = decode_pieces(decoding);
    if (!status)
        status = check_arenas(decoding);
    decoding->file->pieces = decoding->trailer.pieces.offset;
    decoding->file->usable = !status;
    return status;
}

static enum reshard_status check_head(const struct decoding *decoding)
{
    uint64_t crc = 0;
    enum reshard_status status = read_crc(decoding, 0, decoding->trailer.head, &crc);

    if (!status && crc != decoding->trailer.head_crc)
        status = reshard_error_set(decoding->error, RESHARD_EDIGEST,
                                   "its head, HDF5's own bytes, does not have the CRC that the "
                                   "trailer says: it is damaged (no load reads it)");
    return status;
}

static enum reshard_status check_tail(const struct decoding *decoding, enum reshard_dtype dtype)
{
    const struct verify_extent *arena = &decoding->trailer.arena[dtype];
    const uint64_t begin = decoding->file->arena_end[dtype];
    const uint64_t bytes = arena->offset + arena->rows * arena->row_bytes - begin;
    unsigned char tail[TAIL_MAX];
    enum reshard_status status = read_bytes(decoding, tail, (size_t)bytes, begin);

    for (uint64_t i = 0; i < bytes && !status; ++i) {
        if (tail[i] != 0)
            status = reshard_error_set(decoding->error, RESHARD_EFORMAT,
                                       "byte %" PRIu64
                                       ", behind the last piece of /arena/%s, is not zero",
                                       begin + i, reshard_dtype_name(dtype));
    }
    return status;
}

static enum reshard_status check_rest(const struct decoding *decoding)
{
    enum reshard_status status = check_head(decoding);

    for (int dtype = 1; dtype < RESHARD_DTYPE_COUNT && !status; ++dtype)
        status = check_tail(decoding, (enum reshard_dtype)dtype);
    return status;
}

enum reshard_status verify_rankfile_decode(struct verify_checkpoint *checkpoint, uint32_t file,
                                           int fd, uint64_t bytes, struct reshard_error *error)
{
    struct decoding decoding = {
        .checkpoint = checkpoint, .file = &checkpoint->file[file], .fd = fd, .error = error};
    const enum reshard_status status = decode(&decoding, bytes);

    return status ? status : check_rest(&decoding);
}
