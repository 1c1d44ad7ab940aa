#include "verify/rankfile.h"

#include "verify/container.h"
#include "verify/crc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SUPERBLOCK = 2,
    SIGNATURE_BYTES = 8,
    ARENA_ALIGNMENT = 4096,
    ROWS_AT_A_TIME = 256,
    TAIL_MAX = ARENA_ALIGNMENT + VERIFY_ELEMENT_BYTES_MAX,
};

/* A file while it is decoded. */
struct decoding {
    struct verify_checkpoint *checkpoint;
    uint32_t number;
    struct verify_file *file;
    struct verify_container container;
    uint64_t used[RESHARD_DTYPE_COUNT]; /* elements of the pieces so far, in each arena */
    uint64_t crc;                       /* of the tables' bytes so far */
    struct reshard_error *error;
};

static enum reshard_status wrong(const struct decoding *decoding, const char *what)
{
    return reshard_error_set(decoding->error, RESHARD_EFORMAT, "%s", what);
}

static enum reshard_status read_bytes(const struct decoding *decoding, void *buffer, size_t bytes,
                                      uint64_t position)
{
    return verify_checkpoint_read(decoding->checkpoint, decoding->number, buffer, bytes, position,
                                  decoding->error);
}

/* Its size against the manifest, and the first bytes of an HDF5 file with superblock 2. */
static enum reshard_status check_outside(const struct decoding *decoding, const char *path)
{
    static const unsigned char signature[SIGNATURE_BYTES] = {0x89, 'H',  'D',  'F',
                                                             '\r', '\n', 0x1a, '\n'};
    unsigned char head[SIGNATURE_BYTES + 1];
    struct stat about;
    enum reshard_status status;

    if (lstat(path, &about) != 0)
        return errno == ENOENT ? reshard_error_set(decoding->error, RESHARD_ENOENT, "is missing")
                               : reshard_error_set(decoding->error, RESHARD_EIO,
                                                   "cannot be read: %s", strerror(errno));
    if (!S_ISREG(about.st_mode))
        return wrong(decoding, "is not a regular file");
    if ((uint64_t)about.st_size != decoding->file->bytes)
        return reshard_error_set(
            decoding->error, RESHARD_EFORMAT, "has %llu bytes; the manifest says %llu",
            (unsigned long long)about.st_size, (unsigned long long)decoding->file->bytes);
    if (decoding->file->bytes < sizeof head)
        return wrong(decoding, "is too short for an HDF5 file");
    status = read_bytes(decoding, head, sizeof head, 0);
    if (status)
        return status;
    if (memcmp(head, signature, sizeof signature) != 0 || head[SIGNATURE_BYTES] != SUPERBLOCK)
        return wrong(decoding, "does not begin as an HDF5 file with superblock 2");
    return RESHARD_OK;
}

static enum reshard_status check_origin(const struct decoding *decoding)
{
    const struct verify_container *container = &decoding->container;

    if (container->step == decoding->checkpoint->step &&
        container->writer == decoding->file->writer &&
        container->world == decoding->checkpoint->world)
        return RESHARD_OK;
    return reshard_error_set(
        decoding->error, RESHARD_EMISMATCH,
        "is of another save: step %llu by rank %llu of %llu, not step %llu by rank %llu of %llu",
        (unsigned long long)container->step, (unsigned long long)container->writer,
        (unsigned long long)container->world, (unsigned long long)decoding->checkpoint->step,
        (unsigned long long)decoding->file->writer,
        (unsigned long long)decoding->checkpoint->world);
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
    const size_t fqn_bytes = decoding->container.fqn_bytes;
    const size_t slot_bytes = decoding->container.slot_bytes;
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
    const struct verify_extent *extent = &decoding->container.tensors;
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
    if (!status && (longest[0] + 1 != decoding->container.fqn_bytes ||
                    longest[1] + 1 != decoding->container.slot_bytes))
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
    if (decoding->used[tensor->dtype] > decoding->container.arena[tensor->dtype].rows)
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
    const struct verify_extent *extent = &decoding->container.pieces;
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

/* --- seal and arenas -------------------------------------------------------------------------- */

/* Continue the CRC of the tables over the bytes of one. */
static enum reshard_status add_table(struct decoding *decoding, const struct verify_extent *extent)
{
    const uint64_t bytes = extent->rows * extent->row_bytes;
    unsigned char buffer[ARENA_ALIGNMENT];
    enum reshard_status status = RESHARD_OK;

    for (uint64_t done = 0; done < bytes && !status; done += sizeof buffer) {
        const uint64_t left = bytes - done;
        const size_t take = left < sizeof buffer ? (size_t)left : sizeof buffer;

        status = read_bytes(decoding, buffer, take, extent->offset + done);
        if (!status)
            decoding->crc = verify_crc(decoding->crc, buffer, take);
    }
    return status;
}

static enum reshard_status check_seal(const struct decoding *decoding, uint64_t seal)
{
    if (decoding->crc != seal)
        return reshard_error_set(decoding->error, RESHARD_EDIGEST,
                                 "/tensors and /pieces do not have the CRC that /seal says: they "
                                 "are damaged");
    if (decoding->file->seal != seal)
        return reshard_error_set(decoding->error, RESHARD_EDIGEST,
                                 "its seal is %016llx; the manifest says %016llx: it is damaged, "
                                 "or a file of another save",
                                 (unsigned long long)seal,
                                 (unsigned long long)decoding->file->seal);
    return RESHARD_OK;
}

static enum reshard_status check_arena(const struct decoding *decoding, enum reshard_dtype dtype)
{
    const struct verify_extent *arena = &decoding->container.arena[dtype];
    const uint64_t used = decoding->used[dtype] * reshard_dtype_bytes(dtype);
    const uint64_t bytes = arena->rows * arena->row_bytes;
    unsigned char tail[TAIL_MAX];
    enum reshard_status status;

    if (bytes == 0)
        return RESHARD_OK;
    if (used == 0 || bytes - used >= ARENA_ALIGNMENT)
        return reshard_error_set(
            decoding->error, RESHARD_EFORMAT, "/arena/%s has %llu bytes for %llu bytes of pieces",
            reshard_dtype_name(dtype), (unsigned long long)bytes, (unsigned long long)used);
    status = read_bytes(decoding, tail, (size_t)(bytes - used), arena->offset + used);
    for (uint64_t i = 0; i < bytes - used && !status; ++i) {
        const unsigned long long byte = arena->offset + used + i;
        if (tail[i] != 0)
            return reshard_error_set(decoding->error, RESHARD_EFORMAT,
                                     "byte %llu, behind the last piece of /arena/%s, is not zero",
                                     byte, reshard_dtype_name(dtype));
    }
    return status;
}

/* The seal is checked before the tables are looked into: damage to them is named as that, not by
 * what it leads to. */
static enum reshard_status decode_inside(struct decoding *decoding)
{
    uint64_t seal = 0;
    enum reshard_status status =
        read_bytes(decoding, &seal, sizeof seal, decoding->container.seal.offset);

    if (!status)
        status = add_table(decoding, &decoding->container.tensors);
    if (!status)
        status = add_table(decoding, &decoding->container.pieces);
    if (!status)
        status = check_seal(decoding, seal);
    if (!status)
        status = decode_tensors(decoding);
    if (!status)
        status = decode_pieces(decoding);
    for (int dtype = 1; dtype < RESHARD_DTYPE_COUNT && !status; ++dtype) {
        decoding->file->arena[dtype] = decoding->container.arena[dtype].offset;
        status = check_arena(decoding, (enum reshard_dtype)dtype);
    }
    return status;
}

enum reshard_status verify_rankfile_decode(struct verify_checkpoint *checkpoint, uint32_t file,
                                           struct reshard_error *error)
{
    struct decoding decoding = {
        .checkpoint = checkpoint, .number = file, .file = &checkpoint->file[file], .error = error};
    enum reshard_status status;
    char *path = NULL;

    if (asprintf(&path, "%s/%s", checkpoint->directory, decoding.file->name) < 0)
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory for a path");
    status = check_outside(&decoding, path);
    if (!status)
        status = verify_container_inspect(&decoding.container, path, decoding.file->bytes, error);
    if (!status)
        status = check_origin(&decoding);
    if (!status)
        status = decode_inside(&decoding);
    decoding.file->pieces = decoding.container.pieces.offset;
    decoding.file->usable = !status;
    free(path);
    return status;
}
