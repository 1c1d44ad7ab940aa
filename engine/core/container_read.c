#include "core/container.h"

#include "core/digest.h"
#include "core/rows.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REASON_MAX = 512, SIGNATURE_BYTES = 8 };

/* A file being read, and what it is held against. */
struct reading {
    struct container *container;
    struct store_file *file;
    const struct manifest *manifest;
    const struct manifest_file *entry;
    struct reshard_error *error;
};

static enum reshard_status refuse(const struct reading *reading, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static enum reshard_status refuse(const struct reading *reading, const char *format, ...)
{
    char reason[REASON_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    return reshard_error_set(reading->error, RESHARD_EFORMAT, "%s: %s", reading->file->path,
                             reason);
}

/* ---- the trailer ----------------------------------------------------------------------------- */

/* What may a file be that ends without a trailer? */
static enum reshard_status refuse_start(const struct reading *reading)
{
    char start[SIGNATURE_BYTES];
    const enum reshard_status status =
        store_read(reading->file, 0, start, sizeof start, reading->error);
    if (status)
        return status;
    if (memcmp(start, H5_HEAD_SIGNATURE, sizeof start) == 0)
        return refuse(reading,
                      "ends without a trailer: it is of version 1, or damaged; this release "
                      "reads version %d",
                      TRAILER_VERSION);
    return refuse(reading, "is no rank's file: it neither begins as HDF5 nor ends with a trailer");
}

static enum reshard_status read_trailer(struct reading *reading)
{
    unsigned char bytes[TRAILER_BYTES];
    uint64_t size;
    enum reshard_status status = store_size(reading->file, &size, reading->error);
    if (!status && size != reading->entry->bytes)
        return refuse(reading, "has %" PRIu64 " bytes; the manifest has %" PRIu64, size,
                      reading->entry->bytes);
    if (!status && size < TRAILER_BYTES)
        return refuse(reading, "has %" PRIu64 " bytes, too few for a trailer", size);
    if (!status)
        status =
            store_read(reading->file, size - TRAILER_BYTES, bytes, sizeof bytes, reading->error);
    if (!status && !trailer_is_there(bytes))
        return refuse_start(reading);
    return status ? status
                  : trailer_decode(&reading->container->trailer, bytes, reading->file->path,
                                   reading->error);
}

/* The file must be the one that the manifest speaks of: its own words first, since they say best
 * what is wrong; then the seal, which nothing else can have. */
static enum reshard_status check_identity(const struct reading *reading)
{
    const struct container_identity *const own = &reading->container->trailer.identity;
    const struct manifest *const manifest = reading->manifest;
    const struct manifest_file *const entry = reading->entry;
    if (own->step != manifest->step)
        return refuse(reading,
                      "was written at training step %" PRIu64 ", but the manifest is of step "
                      "%" PRIu64,
                      own->step, manifest->step);
    if (own->writer != entry->writer || own->world != manifest->world)
        return refuse(reading,
                      "was written by rank %" PRIu64 " of %" PRIu64 ", but the manifest expects "
                      "rank %" PRIu64 " of %" PRIu64,
                      own->writer, own->world, entry->writer, manifest->world);
    if (!token_equal(own->token, manifest->token))
        return refuse(reading, "has the token %s, but the manifest has %s: it is of another save",
                      own->token, manifest->token);
    if (reading->container->trailer.seal != entry->seal)
        return refuse(reading,
                      "its seal is %016" PRIx64 ", but the manifest has %016" PRIx64
                      ": it is not the file that was saved",
                      reading->container->trailer.seal, entry->seal);
    return RESHARD_OK;
}

/* ---- places ---------------------------------------------------------------------------------- */

/* One part of the file: where the trailer has it, and where it must be. */
static enum reshard_status check_part(const struct reading *reading, const char *name,
                                      uint64_t offset, uint64_t bytes, uint64_t right_offset,
                                      uint64_t right_bytes)
{
    if (offset == right_offset && bytes == right_bytes)
        return RESHARD_OK;
    return refuse(reading,
                  "its trailer has %s at byte %" PRIu64 " with %" PRIu64
                  " bytes; the layout makes %" PRIu64 " and %" PRIu64,
                  name, offset, bytes, right_offset, right_bytes);
}

static enum reshard_status check_arenas(const struct reading *reading,
                                        const struct container_offsets *own,
                                        const struct container_offsets *right)
{
    enum reshard_status status = RESHARD_OK;
    for (int d = RESHARD_DTYPE_NONE + 1; !status && d < RESHARD_DTYPE_COUNT; d++) {
        char name[32];
        snprintf(name, sizeof name, "/arena/%s", reshard_dtype_name((enum reshard_dtype)d));
        status = check_part(reading, name, own->arena[d], own->arena_bytes[d], right->arena[d],
                            right->arena_bytes[d]);
    }
    return status;
}

/* The places that the layout makes. Of the head only the length is free: what remains. */
static enum reshard_status place(const struct reading *reading, struct container_offsets *right)
{
    const uint64_t bytes = reading->entry->bytes;
    enum reshard_status status =
        container_measure(right, reading->manifest->model, &reading->container->pieces);
    if (!status)
        status = container_place(right, 0);
    if (status)
        return refuse(reading, "has %" PRIu64 " bytes; the layout makes 2^63 or more", bytes);
    if (right->file_bytes >= bytes || (bytes - right->file_bytes) % H5_HEAD_ALIGNMENT)
        return refuse(reading,
                      "has %" PRIu64 " bytes; the layout makes %" PRIu64
                      " and a head, a multiple of %d",
                      bytes, right->file_bytes, H5_HEAD_ALIGNMENT);
    return container_place(right, bytes - right->file_bytes);
}

static enum reshard_status check_places(const struct reading *reading)
{
    const struct container_offsets *const own = &reading->container->trailer.offsets;
    struct container_offsets right;
    enum reshard_status status = place(reading, &right);
    if (!status)
        status = check_part(reading, "the head", 0, own->head_bytes, 0, right.head_bytes);
    if (!status)
        status = check_arenas(reading, own, &right);
    if (!status)
        status = check_part(reading, "/tensors", own->tensors, own->tensors_bytes, right.tensors,
                            right.tensors_bytes);
    if (!status)
        status = check_part(reading, "/pieces", own->pieces, own->pieces_bytes, right.pieces,
                            right.pieces_bytes);
    if (!status)
        status = check_part(reading, "the end", own->file_bytes, 0, right.file_bytes, 0);
    if (!status && (own->fqn_bytes != right.fqn_bytes || own->slot_bytes != right.slot_bytes))
        return refuse(reading,
                      "its trailer has names of %" PRIu32 " and %" PRIu32
                      " bytes; the layout makes %" PRIu32 " and %" PRIu32,
                      own->fqn_bytes, own->slot_bytes, right.fqn_bytes, right.slot_bytes);
    return status;
}

/* ---- tables ---------------------------------------------------------------------------------- */

static enum reshard_status refuse_tensor(const struct reading *reading, uint64_t row,
                                         const struct reshard_tensor *tensor)
{
    const struct reshard_box whole = reshard_box_whole(&tensor->shape);
    char name[RESHARD_TENSOR_TEXT_MAX], box[320];
    return refuse(reading, "/tensors row %" PRIu64 " must be of tensor %.250s, %s %s", row,
                  reshard_tensor_print(tensor, name, sizeof name),
                  reshard_dtype_name(tensor->dtype), reshard_box_print(&whole, box, sizeof box));
}

static enum reshard_status refuse_piece(const struct reading *reading, uint64_t row,
                                        const struct arena_piece *piece)
{
    char name[RESHARD_TENSOR_TEXT_MAX], box[320];
    return refuse(
        reading,
        "/pieces row %" PRIu64 " must be piece %s of tensor %.200s, at element %" PRIu64
        " of its arena",
        row, reshard_box_print(&piece->box, box, sizeof box),
        reshard_tensor_print(reshard_model_tensor(reading->manifest->model, piece->tensor), name,
                             sizeof name),
        piece->offset);
}

/* The rows must be those that the layout makes, and bring the contributions. `row` has room for
 * one. */
static enum reshard_status take_rows(struct reading *reading, const unsigned char *tables,
                                     unsigned char *row)
{
    const struct container_offsets *const offsets = &reading->container->trailer.offsets;
    struct arena_pieces *const pieces = &reading->container->pieces;
    const size_t tensor_bytes = rows_tensor_bytes(offsets);
    const unsigned char *tensors = tables, *at = tables + offsets->tensors_bytes;
    uint64_t tensor_rows = 0;
    for (uint64_t i = 0; i < pieces->count; i++, at += ROWS_PIECE_BYTES) {
        struct arena_piece *const piece = &pieces->piece[i];
        if (rows_begins_tensor(pieces, i)) {
            const struct reshard_tensor *const tensor =
                reshard_model_tensor(reading->manifest->model, piece->tensor);
            rows_put_tensor(row, tensor, offsets);
            if (memcmp(tensors, row, tensor_bytes) != 0)
                return refuse_tensor(reading, tensor_rows, tensor);
            tensors += tensor_bytes;
            tensor_rows++;
        }
        rows_put_piece(row, piece, tensor_rows - 1);
        if (memcmp(at, row, ROWS_PIECE_CONTRIBUTION) != 0)
            return refuse_piece(reading, i, piece);
        piece->contribution = rows_contribution(at);
    }
    return RESHARD_OK;
}

static enum reshard_status check_tables(const struct reading *reading, const unsigned char *tables,
                                        size_t bytes)
{
    const uint64_t crc = digest_crc(0, tables, bytes);
    if (crc == reading->container->trailer.tables_crc)
        return RESHARD_OK;
    return refuse(reading,
                  "/tensors and /pieces are damaged: their CRC is %016" PRIx64
                  "; the trailer has %016" PRIx64,
                  crc, reading->container->trailer.tables_crc);
}

/* Both tables are what the layout makes of the pieces in memory, and lie in the file. */
static enum reshard_status read_tables(struct reading *reading)
{
    const struct container_offsets *const offsets = &reading->container->trailer.offsets;
    const size_t bytes = offsets->tensors_bytes + offsets->pieces_bytes;
    const size_t row = rows_tensor_bytes(offsets) + ROWS_PIECE_BYTES; /* either fits */
    unsigned char *const tables = malloc(bytes + row);
    if (!tables)
        return reshard_error_set(reading->error, RESHARD_ENOMEM, "%s: out of memory",
                                 reading->file->path);
    enum reshard_status status =
        store_read(reading->file, offsets->tensors, tables, bytes, reading->error);
    if (!status)
        status = check_tables(reading, tables, bytes);
    if (!status)
        status = take_rows(reading, tables, tables + bytes);
    free(tables);
    return status;
}

enum reshard_status container_read(struct container *out, struct store_file *file,
                                   const struct manifest *manifest,
                                   const struct manifest_file *entry,
                                   const struct reshard_layout *layout, struct reshard_error *error)
{
    struct reading reading = {out, file, manifest, entry, error};
    *out = (struct container)CONTAINER_INIT;
    enum reshard_status status = read_trailer(&reading);
    if (!status)
        status = check_identity(&reading);
    if (!status)
        status = arena_pieces_of(&out->pieces, layout, entry->writer, manifest->absent);
    if (!status)
        status = check_places(&reading);
    if (!status)
        status = read_tables(&reading);
    if (status)
        container_release(out);
    return status;
}

void container_release(struct container *container)
{
    arena_pieces_release(&container->pieces);
    *container = (struct container)CONTAINER_INIT;
}
