#include "core/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum reshard_status store_open(struct store *store, const char *path, enum store_mode mode,
                               struct store_file **out, struct reshard_error *error)
{
    return store->ops->open(store, path, mode, out, error);
}

enum reshard_status store_allocate(struct store_file *file, uint64_t bytes,
                                   struct reshard_error *error)
{
    return file->ops->allocate(file, bytes, error);
}

enum reshard_status store_write(struct store_file *file, uint64_t offset, const void *data,
                                uint64_t bytes, struct reshard_error *error)
{
    return file->ops->write(file, offset, data, bytes, error);
}

enum reshard_status store_read(struct store_file *file, uint64_t offset, void *data, uint64_t bytes,
                               struct reshard_error *error)
{
    return file->ops->read(file, offset, data, bytes, error);
}

enum reshard_status store_size(struct store_file *file, uint64_t *out, struct reshard_error *error)
{
    return file->ops->size(file, out, error);
}

enum reshard_status store_sync(struct store_file *file, struct reshard_error *error)
{
    return file->ops->sync(file, error);
}

enum reshard_status store_close(struct store_file *file, struct reshard_error *error)
{
    return file ? file->ops->close(file, error) : RESHARD_OK;
}

enum store_lock store_lock(struct store_file *file)
{
    return file->ops->lock(file);
}

enum reshard_status store_make_directory(struct store *store, const char *path,
                                         struct reshard_error *error)
{
    return store->ops->make_directory(store, path, error);
}

enum reshard_status store_sync_directory(struct store *store, const char *path,
                                         struct reshard_error *error)
{
    return store->ops->sync_directory(store, path, error);
}

enum reshard_status store_rename(struct store *store, const char *from, const char *to,
                                 struct reshard_error *error)
{
    return store->ops->rename(store, from, to, error);
}

enum reshard_status store_remove(struct store *store, const char *path, struct reshard_error *error)
{
    return store->ops->remove(store, path, error);
}

enum reshard_status store_examine(struct store *store, const char *path, struct store_entry *out,
                                  struct reshard_error *error)
{
    return store->ops->examine(store, path, out, error);
}

enum reshard_status store_list(struct store *store, const char *path, char ***names,
                               uint64_t *count, struct reshard_error *error)
{
    return store->ops->list(store, path, names, count, error);
}

void store_names_free(char **names, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

enum reshard_status store_write_file(struct store *store, const char *path, const void *data,
                                     uint64_t bytes, struct reshard_error *error)
{
    struct store_file *file = NULL;
    enum reshard_status status = store_open(store, path, STORE_CREATE, &file, error);

    if (status)
        return status;
    status = store_write(file, 0, data, bytes, error);
    if (!status)
        status = store_sync(file, error);
    return reshard_first_failure(status, store_close(file, error));
}

enum reshard_status store_read_file(struct store *store, const char *path, uint64_t limit,
                                    char **out, uint64_t *bytes, struct reshard_error *error)
{
    struct store_file *file = NULL;
    enum reshard_status status = store_open(store, path, STORE_READ, &file, error);
    char *text = NULL;

    *out = NULL;
    if (status)
        return status;
    status = store_size(file, bytes, error);
    if (!status && *bytes > limit)
        status = reshard_error_set(error, RESHARD_EFORMAT,
                                   "%s: has %" PRIu64 " bytes; at most %" PRIu64 " are believable",
                                   path, *bytes, limit);
    if (!status) {
        text = malloc(*bytes + 1);
        status = text ? store_read(file, 0, text, *bytes, error) : RESHARD_ENOMEM;
    }
    status = reshard_first_failure(status, store_close(file, error));
    if (status) {
        free(text);
        return status;
    }
    text[*bytes] = '\0';
    *out = text;
    return RESHARD_OK;
}

char *store_path(const char *directory, const char *name)
{
    char *path = NULL;

    return asprintf(&path, "%s/%s", directory, name) < 0 ? NULL : path;
}
