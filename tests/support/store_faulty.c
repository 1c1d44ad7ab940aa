#include "support/store_faulty.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct faulty_file {
    struct store_file file; /* base, first */
    struct store_faulty *store;
    struct store_file *real;
};

/* Count one operation; its status if it is to fail. */
static enum reshard_status fault(struct store_faulty *store, const char *operation,
                                 const char *path, struct reshard_error *error)
{
    store->count++;
    if (store->fail_at == 0 || store->count < store->fail_at ||
        (store->count > store->fail_at && !store->persistent))
        return RESHARD_OK;
    store->injected++;
    return reshard_error_set(error, store->status, "%s: injected fault: %s (operation %" PRIu64 ")",
                             path, operation, store->count);
}

static struct store_faulty *faulty(struct store *store)
{
    return (struct store_faulty *)store;
}

static enum reshard_status faulty_open(struct store *store, const char *path, enum store_mode mode,
                                       struct store_file **out, struct reshard_error *error)
{
    struct faulty_file *file;
    enum reshard_status status = fault(faulty(store), "open", path, error);

    *out = NULL;
    if (status)
        return status;
    file = calloc(1, sizeof *file);
    if (!file)
        return RESHARD_ENOMEM;
    file->file = (struct store_file){store->ops, strdup(path)};
    file->store = faulty(store);
    status = store_open(file->store->real, path, mode, &file->real, error);
    if (status) {
        free(file->file.path);
        free(file);
        return status;
    }
    *out = &file->file;
    return RESHARD_OK;
}

static struct faulty_file *opened(struct store_file *file)
{
    return (struct faulty_file *)file;
}

static enum reshard_status faulty_allocate(struct store_file *file, uint64_t bytes,
                                           struct reshard_error *error)
{
    const enum reshard_status status = fault(opened(file)->store, "allocate", file->path, error);

    return status ? status : store_allocate(opened(file)->real, bytes, error);
}

static enum reshard_status faulty_write(struct store_file *file, uint64_t offset, const void *data,
                                        uint64_t bytes, struct reshard_error *error)
{
    const struct store_faulty *store = opened(file)->store;
    const enum reshard_status status = fault(opened(file)->store, "write", file->path, error);

    if (!status && store->write_fails_above && bytes > store->write_fails_above)
        return reshard_error_set(error, store->status, "%s: injected fault: write", file->path);
    return status ? status : store_write(opened(file)->real, offset, data, bytes, error);
}

static enum reshard_status faulty_read(struct store_file *file, uint64_t offset, void *data,
                                       uint64_t bytes, struct reshard_error *error)
{
    const enum reshard_status status = fault(opened(file)->store, "read", file->path, error);

    return status ? status : store_read(opened(file)->real, offset, data, bytes, error);
}

static enum reshard_status faulty_size(struct store_file *file, uint64_t *out,
                                       struct reshard_error *error)
{
    const enum reshard_status status = fault(opened(file)->store, "size", file->path, error);

    return status ? status : store_size(opened(file)->real, out, error);
}

static enum reshard_status faulty_sync(struct store_file *file, struct reshard_error *error)
{
    const enum reshard_status status = fault(opened(file)->store, "sync", file->path, error);

    return status ? status : store_sync(opened(file)->real, error);
}

/* As the table demands, the file ends also when closing fails. */
static enum reshard_status faulty_close(struct store_file *file, struct reshard_error *error)
{
    enum reshard_status status = fault(opened(file)->store, "close", file->path, error);

    status = reshard_first_failure(status, store_close(opened(file)->real, error));
    free(file->path);
    free(file);
    return status;
}

/* A storage without locks gives none; one that fails here gives none either. */
static enum store_lock faulty_lock(struct store_file *file)
{
    struct store_faulty *store = opened(file)->store;

    return store->no_locks || fault(store, "lock", file->path, NULL)
               ? STORE_LOCK_NONE
               : store_lock(opened(file)->real);
}

/* What happened although it is said to have failed. */
static enum reshard_status lost(struct store_faulty *store, const char *operation,
                                enum reshard_status status, struct reshard_error *error)
{
    if (status || !store->lost || strcmp(store->lost, operation) != 0)
        return status;
    store->injected++;
    return reshard_error_set(error, store->status, "injected fault: the answer to %s is lost",
                             operation);
}

static enum reshard_status faulty_make_directory(struct store *store, const char *path,
                                                 struct reshard_error *error)
{
    const enum reshard_status status = fault(faulty(store), "make directory", path, error);

    return status ? status
                  : lost(faulty(store), "make directory",
                         store_make_directory(faulty(store)->real, path, error), error);
}

static enum reshard_status faulty_sync_directory(struct store *store, const char *path,
                                                 struct reshard_error *error)
{
    const enum reshard_status status = fault(faulty(store), "sync directory", path, error);

    return status ? status : store_sync_directory(faulty(store)->real, path, error);
}

static enum reshard_status faulty_rename(struct store *store, const char *from, const char *to,
                                         struct reshard_error *error)
{
    const enum reshard_status status = fault(faulty(store), "rename", to, error);

    return status ? status
                  : lost(faulty(store), "rename",
                         store_rename(faulty(store)->real, from, to, error), error);
}

static enum reshard_status faulty_remove(struct store *store, const char *path,
                                         struct reshard_error *error)
{
    const enum reshard_status status = fault(faulty(store), "remove", path, error);

    return status ? status : store_remove(faulty(store)->real, path, error);
}

static enum reshard_status faulty_examine(struct store *store, const char *path,
                                          struct store_entry *out, struct reshard_error *error)
{
    const enum reshard_status status = fault(faulty(store), "examine", path, error);

    return status ? status : store_examine(faulty(store)->real, path, out, error);
}

static enum reshard_status faulty_list(struct store *store, const char *path, char ***names,
                                       uint64_t *count, struct reshard_error *error)
{
    const enum reshard_status status = fault(faulty(store), "list", path, error);

    return status ? status : store_list(faulty(store)->real, path, names, count, error);
}

void store_faulty_init(struct store_faulty *out, struct store *real)
{
    static const struct store_ops ops = {
        .open = faulty_open,
        .allocate = faulty_allocate,
        .write = faulty_write,
        .read = faulty_read,
        .size = faulty_size,
        .sync = faulty_sync,
        .close = faulty_close,
        .lock = faulty_lock,
        .make_directory = faulty_make_directory,
        .sync_directory = faulty_sync_directory,
        .rename = faulty_rename,
        .remove = faulty_remove,
        .examine = faulty_examine,
        .list = faulty_list,
    };

    *out = (struct store_faulty){.store = {&ops}, .real = real, .status = RESHARD_EIO};
}
