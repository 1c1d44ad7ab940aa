#include "core/reader.h"

#include "core/cast.h"
#include "core/digest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { READER_BUFFER_BYTES = 1024 * 1024 };

struct reader {
    const struct manifest *manifest;
    struct container container;
    struct store_file *file;
    char *path;
    char *buffer; /* of READER_BUFFER_BYTES */
};

enum reshard_status reader_open(struct reader **out, struct store *store, const char *directory,
                                const struct manifest *manifest,
                                const struct reshard_layout *layout, uint64_t writer,
                                struct reshard_error *error)
{
    const struct manifest_file *entry = manifest_find_file(manifest, writer);
    struct reader *reader = NULL;
    enum reshard_status status;

    *out = NULL;
    if (!entry)
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "%s/" MANIFEST_FILE ": rank %" PRIu64
                                 " must have written elements, but no file of its is listed",
                                 directory, writer);
    reader = calloc(1, sizeof *reader);
    if (!reader)
        return RESHARD_ENOMEM;
    reader->manifest = manifest;
    reader->path = store_path(directory, entry->name);
    reader->buffer = malloc(READER_BUFFER_BYTES);
    status = reader->path && reader->buffer ? RESHARD_OK : RESHARD_ENOMEM;
    if (!status)
        status = store_open(store, reader->path, STORE_READ, &reader->file, error);
    if (status == RESHARD_ENOENT)
        status = RESHARD_EFORMAT; /* the checkpoint is there, but one of its files is not */
    if (!status)
        status = container_read(&reader->container, reader->file, manifest, entry, layout, error);
    if (status)
        reader_close(reader);
    else
        *out = reader;
    return status;
}

void reader_close(struct reader *reader)
{
    if (!reader)
        return;
    /* Nothing was written: closing cannot lose anything. */
    (void)!store_close(reader->file, NULL);
    container_release(&reader->container);
    free(reader->path);
    free(reader->buffer);
    free(reader);
}

/* The piece that a move comes from, as the file's own table has it. */
static enum reshard_status find_piece(const struct reader *reader, const struct plan_move *move,
                                      const struct arena_piece **out, struct reshard_error *error)
{
    char box[320];

    *out = arena_pieces_find(&reader->container.pieces, move->source_tensor, &move->source);
    if (!*out) {
        const struct reshard_tensor *tensor =
            reshard_model_tensor(reader->manifest->model, move->source_tensor);
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "%s: holds no piece %s of tensor '%s'%s%s, which the layout "
                                 "in the manifest puts there",
                                 reader->path, reshard_box_print(&move->source, box, sizeof box),
                                 tensor->fqn, tensor->slot[0] ? " slot " : "", tensor->slot);
    }
    return RESHARD_OK;
}

/* Runs that follow one another in the file are read at once and dealt out from the buffer. */
struct batch {
    const struct reshard_device *device; /* of the targets */
    uint64_t offset;                     /* in the file */
    uint64_t filled;
    uint64_t count;
    struct {
        char *target;
        uint64_t bytes;
    } part[256];
};

static enum reshard_status batch_flush(struct batch *batch, struct reader *reader,
                                       struct reshard_error *error)
{
    const bool direct = batch->count == 1 && !batch->device;
    const char *next = reader->buffer;
    enum reshard_status status = RESHARD_OK;

    if (batch->count > 0)
        status = store_read(reader->file, batch->offset,
                            direct ? batch->part[0].target : reader->buffer, batch->filled, error);
    for (uint64_t i = 0; !status && !direct && i < batch->count; i++) {
        status = device_write(batch->device, batch->part[i].target, next, batch->part[i].bytes);
        next += batch->part[i].bytes;
    }
    batch->filled = batch->count = 0;
    return status;
}

/* At most the buffer's size, unless it can go straight to its place. */
static enum reshard_status batch_add(struct batch *batch, struct reader *reader, uint64_t offset,
                                     char *target, uint64_t bytes, struct reshard_error *error)
{
    const bool follows = batch->count > 0 && batch->offset + batch->filled == offset;
    const bool fits = batch->filled + bytes <= READER_BUFFER_BYTES &&
                      batch->count < sizeof batch->part / sizeof *batch->part;
    enum reshard_status status = RESHARD_OK;

    if (!follows || !fits)
        status = batch_flush(batch, reader, error);
    if (batch->count == 0)
        batch->offset = offset;
    batch->part[batch->count].target = target;
    batch->part[batch->count].bytes = bytes;
    batch->count++;
    batch->filled += bytes;
    return status;
}

static enum reshard_status batch_run(struct batch *batch, struct reader *reader, uint64_t offset,
                                     char *target, uint64_t bytes, struct reshard_error *error)
{
    enum reshard_status status = RESHARD_OK;

    while (!status && batch->device && bytes > READER_BUFFER_BYTES) {
        status = batch_add(batch, reader, offset, target, READER_BUFFER_BYTES, error);
        offset += READER_BUFFER_BYTES;
        target += READER_BUFFER_BYTES;
        bytes -= READER_BUFFER_BYTES;
    }
    return status ? status : batch_add(batch, reader, offset, target, bytes, error);
}

static uint64_t piece_offset(const struct reader *reader, const struct arena_piece *piece,
                             enum reshard_dtype dtype)
{
    return reader->container.trailer.offsets.arena[dtype] +
           piece->offset * reshard_dtype_bytes(dtype);
}

enum reshard_status reader_move(struct reader *reader, const struct plan_move *move,
                                const struct reader_target *target, struct reshard_error *error)
{
    const struct reshard_tensor *tensor =
        reshard_model_tensor(reader->manifest->model, move->source_tensor);
    const size_t size = reshard_dtype_bytes(tensor->dtype);
    struct reshard_box_runs runs = reshard_box_runs(&move->box, &move->source, &move->target);
    char *const memory = (char *)target->memory + move->target_offset * size;
    struct batch batch = {.device = target->device};
    const struct arena_piece *piece;
    enum reshard_status status = find_piece(reader, move, &piece, error);
    uint64_t base;

    if (status)
        return status;
    base = piece_offset(reader, piece, tensor->dtype);
    while (!status && reshard_box_runs_next(&runs))
        status = batch_run(&batch, reader, base + runs.source * size, memory + runs.target * size,
                           runs.count * size, error);
    return status ? status : batch_flush(&batch, reader, error);
}

/* Read, digest, cast and place a run, as much at a time as the buffer holds both ways. */
static enum reshard_status cast_run(struct reader *reader, enum reshard_dtype dtype,
                                    uint64_t offset, const struct reader_target *target,
                                    uint64_t element, uint64_t count, struct digest_stream *digest,
                                    struct reshard_error *error)
{
    enum { HALF = READER_BUFFER_BYTES / 2 };
    const size_t size = reshard_dtype_bytes(dtype),
                 target_size = reshard_dtype_bytes(target->dtype);
    const uint64_t most = HALF / (size > target_size ? size : target_size);
    enum reshard_status status = RESHARD_OK;

    while (!status && count > 0) {
        const uint64_t part = count < most ? count : most;
        status = store_read(reader->file, offset, reader->buffer, part * size, error);
        if (status)
            return status;
        digest_stream_add(digest, reader->buffer, part * size);
        cast_elements(dtype, reader->buffer, target->dtype, reader->buffer + HALF, part);
        status = device_write(target->device, (char *)target->memory + element * target_size,
                              reader->buffer + HALF, part * target_size);
        offset += part * size;
        element += part;
        count -= part;
    }
    return status;
}

enum reshard_status reader_cast(struct reader *reader, const struct plan_move *move,
                                const struct reader_target *target, uint64_t *contribution,
                                struct reshard_error *error)
{
    const struct reshard_tensor *tensor =
        reshard_model_tensor(reader->manifest->model, move->source_tensor);
    const size_t size = reshard_dtype_bytes(tensor->dtype);
    struct reshard_box_runs runs = reshard_box_runs(&move->box, &move->source, &move->target);
    struct digest_stream digest;
    const struct arena_piece *piece;
    enum reshard_status status = find_piece(reader, move, &piece, error);

    if (status)
        return status;
    digest_stream_begin(&digest, &tensor->shape, &move->box, size);
    while (!status && reshard_box_runs_next(&runs))
        status = cast_run(reader, tensor->dtype,
                          piece_offset(reader, piece, tensor->dtype) + runs.source * size, target,
                          move->target_offset + runs.target, runs.count, &digest, error);
    *contribution ^= digest.value;
    return status;
}

enum reshard_status reader_check(struct reader *reader, const struct plan_move *move,
                                 struct reshard_error *error)
{
    const struct reshard_tensor *tensor =
        reshard_model_tensor(reader->manifest->model, move->source_tensor);
    const size_t size = reshard_dtype_bytes(tensor->dtype);
    struct digest_stream digest;
    const struct arena_piece *piece;
    enum reshard_status status = find_piece(reader, move, &piece, error);
    uint64_t offset, end;
    char box[320];

    if (status)
        return status;
    offset = piece_offset(reader, piece, tensor->dtype);
    end = offset + piece->count * size;
    digest_stream_begin(&digest, &tensor->shape, &piece->box, size);
    for (uint64_t at = offset; !status && at < end; at += READER_BUFFER_BYTES) {
        const uint64_t part = end - at < READER_BUFFER_BYTES ? end - at : READER_BUFFER_BYTES;
        status = store_read(reader->file, at, reader->buffer, part, error);
        if (!status)
            digest_stream_add(&digest, reader->buffer, (size_t)part);
    }
    if (!status && digest.value != piece->contribution)
        status = reshard_error_set(
            error, RESHARD_EDIGEST,
            "%s: bytes %" PRIu64 " to %" PRIu64 " are damaged: piece %s of tensor '%s'%s%s",
            reader->path, offset, end, reshard_box_print(&piece->box, box, sizeof box), tensor->fqn,
            tensor->slot[0] ? " slot " : "", tensor->slot);
    return status;
}
