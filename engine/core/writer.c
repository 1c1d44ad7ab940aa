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

static enum reshard_status write_data(struct store_file *file, const struct reshard_model *model,
                                      struct arena_pieces *pieces,
                                      const struct container_offsets *offsets,
                                      const void *const *local, const struct reshard_device *device,
                                      struct reshard_error *error)
{
    struct stream stream = {.file = file, .device = device};
    enum reshard_status status = RESHARD_OK;
    void *buffer = NULL;

    if (posix_memalign(&buffer, ARENA_ALIGNMENT, WRITER_BUFFER_BYTES))
        return RESHARD_ENOMEM;
    stream.buffer = buffer;
    for (int dtype = RESHARD_DTYPE_NONE + 1; !status && dtype < RESHARD_DTYPE_COUNT; dtype++) {
        if (pieces->elements[dtype] == 0)
            continue;
        stream.offset = offsets->arena[dtype];
        status = write_arena(&stream, model, pieces, (enum reshard_dtype)dtype, local, error);
    }
    free(buffer);
    return status;
}

enum reshard_status writer_write(struct store *store, const char *path,
                                 const struct reshard_model *model, struct arena_pieces *pieces,
                                 const struct container_identity *identity,
                                 const void *const *local, const struct reshard_device *device,
                                 uint64_t *file_bytes, uint64_t *seal, struct reshard_error *error)
{
    struct container_offsets offsets;
    struct store_file *file = NULL;
    enum reshard_status status = store_open(store, path, STORE_CREATE, &file, error);

    if (status)
        return status;
    /* HDF5 starts the file anew, but finds the room that was set aside: see container_reserve(). */
    status = store_allocate(file, CONTAINER_METADATA_BYTES, error);
    if (!status)
        status = container_create(path, model, pieces, identity, &offsets, error);
    if (!status)
        status = store_allocate(file, offsets.file_bytes, error);
    if (!status)
        status = write_data(file, model, pieces, &offsets, local, device, error);
    if (!status)
        status = container_write_tables(file, &offsets, model, pieces, seal, error);
    if (!status)
        status = store_sync(file, error);
    if (!status)
        *file_bytes = offsets.file_bytes;
    return reshard_first_failure(status, store_close(file, error));
}
