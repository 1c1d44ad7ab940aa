#include "core/writer.h"

#include "core/digest.h"

#include <stdlib.h>
#include <string.h>

/* One arena on its way to the file: bytes gather in the buffer and leave when it is full. */
struct stream {
    struct store_file *file;
    const struct reshard_device *device; /* where the bytes are */
    char *buffer;
    uint64_t filled;
    uint64_t offset; /* in the file, of the buffer's first byte */
};

static enum reshard_status stream_flush(struct stream *stream, struct reshard_error *error)
{
    const enum reshard_status status =
        store_write(stream->file, stream->offset, stream->buffer, stream->filled, error);

    stream->offset += stream->filled;
    stream->filled = 0;
    return status;
}

/* Take in bytes and their digest, or zeros where `data` is NULL. */
static enum reshard_status stream_add(struct stream *stream, const char *data, uint64_t bytes,
                                      struct digest_stream *digest, struct reshard_error *error)
{
    enum reshard_status status = RESHARD_OK;

    while (!status && bytes > 0) {
        const uint64_t room = WRITER_BUFFER_BYTES - stream->filled;
        const size_t part = (size_t)(bytes < room ? bytes : room);
        char *const place = stream->buffer + stream->filled;
        if (data) {
            status = device_read(stream->device, place, data, part);
            digest_stream_add(digest, place, part);
            data += part;
        } else {
            memset(place, 0, part);
        }
        stream->filled += part;
        bytes -= part;
        if (!status && stream->filled == WRITER_BUFFER_BYTES)
            status = stream_flush(stream, error);
    }
    return status;
}

static enum reshard_status write_piece(struct stream *stream, const struct reshard_tensor *tensor,
                                       struct arena_piece *piece, const char *local,
                                       struct reshard_error *error)
{
    const size_t size = reshard_dtype_bytes(tensor->dtype);
    struct digest_stream digest;
    enum reshard_status status;

    digest_stream_begin(&digest, &tensor->shape, &piece->box, size);
    status =
        stream_add(stream, local + piece->local_offset * size, piece->count * size, &digest, error);
    piece->contribution = digest.value;
    return status;
}

/* An arena: the pieces of one dtype, in order, and a tail of zeros up to its rounded length. */
static enum reshard_status write_arena(struct stream *stream, const struct reshard_model *model,
                                       struct arena_pieces *pieces, enum reshard_dtype dtype,
                                       const void *const *local, struct reshard_error *error)
{
    const uint64_t elements = pieces->elements[dtype];
    const uint64_t tail = arena_padded(elements, dtype) - elements;
    enum reshard_status status = RESHARD_OK;

    for (uint64_t i = 0; !status && i < pieces->count; i++) {
        struct arena_piece *piece = &pieces->piece[i];
        const struct reshard_tensor *tensor = reshard_model_tensor(model, piece->tensor);
        if (tensor->dtype == dtype)
            status = write_piece(stream, tensor, piece, local[piece->tensor], error);
    }
    if (!status)
        status = stream_add(stream, NULL, tail * reshard_dtype_bytes(dtype), NULL, error);
    return status ? status : stream_flush(stream, error);
}

static enum reshard_status write_data(struct stream *stream, const struct reshard_model *model,
                                      struct arena_pieces *pieces,
                                      const struct container_offsets *offsets,
                                      const void *const *local, struct reshard_error *error)
{
    enum reshard_status status = RESHARD_OK;

    for (int dtype = RESHARD_DTYPE_NONE + 1; !status && dtype < RESHARD_DTYPE_COUNT; dtype++) {
        if (pieces->elements[dtype] == 0)
            continue;
        stream->offset = offsets->arena[dtype];
        status = write_arena(stream, model, pieces, (enum reshard_dtype)dtype, local, error);
    }
    return status;
}

/* Everything between creating the file and closing it. The stream's buffer has the head. */
static enum reshard_status fill_file(struct stream *stream, struct trailer *trailer,
                                     const struct reshard_model *model, struct arena_pieces *pieces,
                                     const void *const *local, struct reshard_error *error)
{
    const struct container_offsets *const offsets = &trailer->offsets;
    enum reshard_status status = store_allocate(stream->file, offsets->file_bytes, error);

    if (!status)
        status = store_write(stream->file, 0, stream->buffer, offsets->head_bytes, error);
    if (!status)
        status = write_data(stream, model, pieces, offsets, local, error);
    if (!status)
        status = container_write_end(stream->file, trailer, model, pieces, error);
    return status ? status : store_sync(stream->file, error);
}

enum reshard_status writer_write(struct store *store, const char *path,
                                 const struct reshard_model *model, struct arena_pieces *pieces,
                                 const struct container_identity *identity,
                                 const void *const *local, const struct reshard_device *device,
                                 uint64_t *file_bytes, uint64_t *seal, struct reshard_error *error)
{
    struct stream stream = {.device = device};
    struct trailer trailer;
    void *buffer = NULL;
    enum reshard_status status;

    if (posix_memalign(&buffer, ARENA_ALIGNMENT, WRITER_BUFFER_BYTES))
        return reshard_error_set(error, RESHARD_ENOMEM, "%s: out of memory", path);
    stream.buffer = buffer;
    status = container_plan(&trailer, buffer, model, pieces, identity, path, error);
    if (!status)
        status = store_open(store, path, STORE_CREATE, &stream.file, error);
    if (!status)
        status = fill_file(&stream, &trailer, model, pieces, local, error);
    if (!status) {
        *file_bytes = trailer.offsets.file_bytes;
        *seal = trailer.seal;
    }
    status = reshard_first_failure(status, store_close(stream.file, error));
    free(buffer);
    return status;
}
