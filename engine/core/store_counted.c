#include "core/store_counted.h"

#include <stdlib.h>

struct counted_file {
    struct store_file file; /* base, first; its path is the real file's */
    struct store_counted *store;
    struct store_file *real;
};

static struct store *count(struct store *store)
{
    struct store_counted *counted = (struct store_counted *)store;

    counted->operations++;
    return counted->real;
}

static struct counted_file *opened(struct store_file *file)
{
    return (struct counted_file *)file;
}

static enum reshard_status counted_open(struct store *store, const char *path, enum store_mode mode,
                                        struct store_file **out, struct reshard_error *error)
{
    struct counted_file *file = calloc(1, sizeof *file);
    enum reshard_status status = RESHARD_ENOMEM;

    *out = NULL;
    if (file)
        status = store_open(count(store), path, mode, &file->real, error);
    if (status) {
        free(file);
        return status;
    }
    file->file = (struct store_file){store->ops, file->real->path};
    file->store = (struct store_counted *)store;
    *out = &file->file;
    return RESHARD_OK;
}

static enum reshard_status counted_allocate(struct store_file *file, uint64_t bytes,
                                            struct reshard_error *error)
{
    return store_allocate(opened(file)->real, bytes, error);
}

static enum reshard_status counted_write(struct store_file *file, uint64_t offset, const void *data,
                                         uint64_t bytes, struct reshard_error *error)
{
    return store_write(opened(file)->real, offset, data, bytes, error);
}

static enum reshard_status counted_read(struct store_file *file, uint64_t offset, void *data,
                                        uint64_t bytes, struct reshard_error *error)
{
    return store_read(opened(file)->real, offset, data, bytes, error);
}

static enum reshard_status counted_size(struct store_file *file, uint64_t *out,
                                        struct reshard_error *error)
{
    return store_size(opened(file)->real, out, error);
}

static enum reshard_status counted_sync(struct store_file *file, struct reshard_error *error)
{
    opened(file)->store->operations++;
    return store_sync(opened(file)->real, error);
}

static enum reshard_status counted_close(struct store_file *file, struct reshard_error *error)
{
    const enum reshard_status status = store_close(opened(file)->real, error);

    free(file);
    return status;
}

static enum store_lock counted_lock(struct store_file *file)
{
    opened(file)->store->operations++;
    return store_lock(opened(file)->real);
}

static enum reshard_status counted_make_directory(struct store *store, const char *path,
                                                  struct reshard_error *error)
{
    return store_make_directory(count(store), path, error);
}

static enum reshard_status counted_sync_directory(struct store *store, const char *path,
                                                  struct reshard_error *error)
{
    return store_sync_directory(count(store), path, error);
}

static enum reshard_status counted_rename(struct store *store, const char *from, const char *to,
                                          struct reshard_error *error)
{
    return store_rename(count(store), from, to, error);
}

static enum reshard_status counted_remove(struct store *store, const char *path,
                                          struct reshard_error *error)
{
    return store_remove(count(store), path, error);
}

static enum reshard_status counted_examine(struct store *store, const char *path,
                                           struct store_entry *out, struct reshard_error *error)
{
    return store_examine(count(store), path, out, error);
}

static enum reshard_status counted_list(struct store *store, const char *path, char ***names,
                                        uint64_t *number, struct reshard_error *error)
{
    return store_list(count(store), path, names, number, error);
}

void store_counted_init(struct store_counted *out, struct store *real)
{
    static const struct store_ops ops = {
        .open = counted_open,
        .allocate = counted_allocate,
        .write = counted_write,
        .read = counted_read,
        .size = counted_size,
        .sync = counted_sync,
        .close = counted_close,
        .lock = counted_lock,
        .make_directory = counted_make_directory,
        .sync_directory = counted_sync_directory,
        .rename = counted_rename,
        .remove = counted_remove,
        .examine = counted_examine,
        .list = counted_list,
    };

    *out = (struct store_counted){.store = {&ops}, .real = real};
}
