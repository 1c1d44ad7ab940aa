#include "support/store_memory.h"

#include <stdlib.h>
#include <string.h>

struct memory_file {
    struct store_file file; /* base, first */
    const struct store_memory *store;
};

static enum reshard_status memory_open(struct store *store, const char *path, enum store_mode mode,
                                       struct store_file **out, struct reshard_error *error)
{
    if (mode != STORE_READ)
        return reshard_error_set(error, RESHARD_EIO, "%s: can only be read", path);
    struct memory_file *const file = calloc(1, sizeof *file);
    char *const copy = strdup(path);
    if (!file || !copy) {
        free(file);
        free(copy);
        return reshard_error_set(error, RESHARD_ENOMEM, "%s: out of memory", path);
    }
    file->file.ops = store->ops;
    file->file.path = copy;
    file->store = (const struct store_memory *)store;
    *out = &file->file;
    return RESHARD_OK;
}

static enum reshard_status memory_read(struct store_file *base, uint64_t offset, void *data,
                                       uint64_t bytes, struct reshard_error *error)
{
    const struct store_memory *const store = ((const struct memory_file *)base)->store;
    if (offset > store->bytes || bytes > store->bytes - offset)
        return reshard_error_set(error, RESHARD_EFORMAT, "%s: ends before what should be read",
                                 base->path);
    if (bytes > 0)
        memcpy(data, store->data + offset, bytes);
    return RESHARD_OK;
}

static enum reshard_status memory_size(struct store_file *base, uint64_t *out,
                                       struct reshard_error *error)
{
    (void)error;
    *out = ((const struct memory_file *)base)->store->bytes;
    return RESHARD_OK;
}

static enum reshard_status memory_close(struct store_file *base, struct reshard_error *error)
{
    (void)error;
    free(base->path);
    free(base);
    return RESHARD_OK;
}

static const struct store_ops memory_ops = {
    .open = memory_open, .read = memory_read, .size = memory_size, .close = memory_close};

void store_memory_init(struct store_memory *out, const unsigned char *data, uint64_t bytes)
{
    *out = (struct store_memory){{&memory_ops}, data, bytes};
}
