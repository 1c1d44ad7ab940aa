#include "sim/training/initial.h"

#include "sim/training/numbers.h"
#include "sim/training/stream.h"
#include "sim/training/walk.h"

#include <string.h>

static const struct reshard_tensor *tensor_of(const struct initial *initial)
{
    return reshard_model_tensor(reshard_layout_model(initial->layout), initial->tensor);
}

/* --- From the seed ------------------------------------------------------------------------- */

static void block_floats(enum reshard_dtype dtype, const struct stream *stream, uint64_t begin,
                         uint8_t *stored, uint64_t count)
{
    double values[STREAM_BLOCK];
    stream_values(stream, begin, count, values);
    for (uint64_t i = 0; i < count; i++)
        values[i] /= 32;
    numbers_encode(dtype, values, stored, count);
}

static void block_bits(enum reshard_dtype dtype, const struct stream *stream, uint64_t begin,
                       uint8_t *stored, uint64_t count)
{
    const size_t bytes = reshard_dtype_bytes(dtype);
    uint32_t room[STREAM_ROOM];
    const uint32_t *words = stream_words(stream, begin, count, room);
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t z = (uint64_t)words[i] * 0x9E3779B97F4A7C15 + begin + i;
        const uint64_t bits[2] = {z, ~z};
        memcpy(stored + i * bytes, bits, bytes);
        if (dtype == RESHARD_DTYPE_BOOL)
            stored[i] = (uint8_t)(z >> 63);
    }
}

struct random_origin {
    const struct initial *initial;
    struct stream stream;
};

static enum reshard_status segment_random(const struct segment *segment, void *context,
                                          struct reshard_error *error)
{
    (void)error;
    const struct random_origin *origin = context;
    const enum reshard_dtype dtype = tensor_of(origin->initial)->dtype;
    const size_t bytes = reshard_dtype_bytes(dtype);
    uint8_t *stored = (uint8_t *)origin->initial->data + segment->local * bytes;
    for (uint64_t done = 0; done < segment->count;) {
        const uint64_t left = segment->count - done;
        const uint64_t count = left < STREAM_BLOCK ? left : STREAM_BLOCK;
        const uint64_t begin = segment->begin + done;
        if (reshard_dtype_kind(dtype) == RESHARD_KIND_FLOAT)
            block_floats(dtype, &origin->stream, begin, stored + done * bytes, count);
        else
            block_bits(dtype, &origin->stream, begin, stored + done * bytes, count);
        done += count;
    }
    return RESHARD_OK;
}

enum reshard_status initial_random(const struct initial *initial, uint64_t seed,
                                   struct reshard_error *error)
{
    struct random_origin origin = {initial, stream_of(seed, tensor_of(initial)->fqn, 0)};
    return walk_tensor(initial->layout, initial->tensor, initial->rank, segment_random, &origin,
                       error);
}

/* --- From a file --------------------------------------------------------------------------- */

struct file_origin {
    const struct initial *initial;
    const struct safetensors *file;
    const struct safetensors_entry *entry;
};

static enum reshard_status segment_file(const struct segment *segment, void *context,
                                        struct reshard_error *error)
{
    const struct file_origin *origin = context;
    const size_t bytes = reshard_dtype_bytes(origin->entry->dtype);
    uint8_t *stored = (uint8_t *)origin->initial->data + segment->local * bytes;
    return safetensors_read(origin->file, origin->entry, segment->begin * bytes, stored,
                            segment->count * bytes, error);
}

static enum reshard_status check_entry(const struct safetensors_entry *entry,
                                       const struct reshard_tensor *tensor,
                                       struct reshard_error *error)
{
    char wanted[256];
    char found[256];
    if (entry == NULL)
        return reshard_error_set(error, RESHARD_EMISMATCH,
                                 "%s: the safetensors file has no tensor of that name",
                                 tensor->fqn);
    if (entry->dtype == tensor->dtype && reshard_shape_equal(&entry->shape, &tensor->shape))
        return RESHARD_OK;
    return reshard_error_set(
        error, RESHARD_EMISMATCH, "%s: the model wants %s %s, the safetensors file has %s %s",
        tensor->fqn, reshard_dtype_name(tensor->dtype),
        reshard_shape_print(&tensor->shape, wanted, sizeof(wanted)),
        reshard_dtype_name(entry->dtype), reshard_shape_print(&entry->shape, found, sizeof(found)));
}

enum reshard_status initial_file(const struct initial *initial, const struct safetensors *file,
                                 struct reshard_error *error)
{
    const struct reshard_tensor *tensor = tensor_of(initial);
    struct file_origin origin = {initial, file, safetensors_find(file, tensor->fqn)};
    enum reshard_status status = check_entry(origin.entry, tensor, error);
    if (status != RESHARD_OK)
        return status;
    return walk_tensor(initial->layout, initial->tensor, initial->rank, segment_file, &origin,
                       error);
}
