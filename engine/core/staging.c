#include "core/staging.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Leftovers of as many saves of one name are taken for a fault of another kind. */
enum { STAGING_MAX = 1000 };

enum reshard_status staging_open(struct staging *out, const char *directory,
                                 struct reshard_error *error)
{
    size_t length = strlen(directory);
    const char *slash;

    *out = (struct staging)STAGING_INIT;
    while (length > 1 && directory[length - 1] == '/')
        length--;
    out->final = strndup(directory, length);
    if (!out->final)
        return RESHARD_ENOMEM;
    slash = strrchr(out->final, '/');
    out->name = strdup(slash ? slash + 1 : out->final);
    if (!slash)
        out->parent = strdup(".");
    else
        out->parent = strndup(out->final, slash == out->final ? 1 : (size_t)(slash - out->final));
    if (!out->name || !out->parent)
        return RESHARD_ENOMEM;
    if (out->name[0] == '\0' || out->name[0] == '.')
        return reshard_error_set(
            error, RESHARD_EINVAL,
            "'%s' cannot be made a checkpoint: it must end in a name that does "
            "not begin with a dot",
            directory);
    return RESHARD_OK;
}

enum reshard_status staging_join(struct staging *staging, uint64_t number)
{
    free(staging->path);
    if (asprintf(&staging->path, "%s/.%s.%" PRIu64 ".partial", staging->parent, staging->name,
                 number) < 0) {
        staging->path = NULL;
        return RESHARD_ENOMEM;
    }
    return RESHARD_OK;
}

/* From here on the path is not ours, or not there: it must not be removed. */
static void forget(struct staging *staging)
{
    free(staging->path);
    staging->path = NULL;
}

/* Whatever is there, a directory or a file, it is not ours to replace. */
static bool exists(struct store *store, const char *path)
{
    struct store_file *file;
    char **names;
    uint64_t count;

    if (store_list(store, path, &names, &count, NULL) == RESHARD_OK) {
        store_names_free(names, count);
        return true;
    }
    return store_open(store, path, STORE_READ, &file, NULL) == RESHARD_OK &&
           store_close(file, NULL) == RESHARD_OK;
}

enum reshard_status staging_make(struct staging *staging, struct store *store, uint64_t *number,
                                 struct reshard_error *error)
{
    enum reshard_status status;

    if (exists(store, staging->final))
        return reshard_error_set(error, RESHARD_EEXIST,
                                 "%s: exists already; a checkpoint is never overwritten",
                                 staging->final);
    for (*number = 0; *number < STAGING_MAX; (*number)++) {
        struct reshard_error mine = RESHARD_ERROR_INIT;
        status = staging_join(staging, *number);
        if (!status)
            status = store_make_directory(store, staging->path, &mine);
        if (status == RESHARD_OK)
            return RESHARD_OK;
        forget(staging);
        if (status != RESHARD_EEXIST)
            return reshard_error_set(error, status, "%s", mine.text);
    }
    return reshard_error_set(
        error, RESHARD_EIO,
        "%s: holds the remains of %d saves of '%s' that were cut short; remove "
        "its hidden directories .%s.*.partial",
        staging->parent, STAGING_MAX, staging->name, staging->name);
}

/* Is that the name of a staging directory of this checkpoint? */
static bool is_leftover(const struct staging *staging, const char *name)
{
    const size_t length = strlen(staging->name);
    size_t digits;

    if (name[0] != '.' || strncmp(name + 1, staging->name, length) != 0 || name[1 + length] != '.')
        return false;
    name += length + 2;
    digits = strspn(name, "0123456789");
    return digits > 0 && strcmp(name + digits, ".partial") == 0;
}

/* What cannot be removed stays: it is in nobody's way. */
static void sweep(const struct staging *staging, struct store *store)
{
    char **names;
    uint64_t count;

    if (store_list(store, staging->parent, &names, &count, NULL))
        return;
    for (uint64_t i = 0; i < count; i++) {
        char *path = is_leftover(staging, names[i]) ? store_path(staging->parent, names[i]) : NULL;
        if (path)
            (void)!store_remove(store, path, NULL);
        free(path);
    }
    store_names_free(names, count);
}

enum reshard_status staging_publish(struct staging *staging, struct store *store,
                                    struct reshard_error *error)
{
    enum reshard_status status = store_sync_directory(store, staging->path, error);

    if (!status)
        status = store_rename(store, staging->path, staging->final, error);
    if (status)
        return status;
    forget(staging);
    if (store_sync_directory(store, staging->parent, error))
        return RESHARD_EUNKNOWN;
    sweep(staging, store);
    return RESHARD_OK;
}

void staging_discard(struct staging *staging, struct store *store)
{
    if (staging->path)
        (void)!store_remove(store, staging->path, NULL);
}

void staging_close(struct staging *staging)
{
    free(staging->final);
    free(staging->parent);
    free(staging->name);
    free(staging->path);
    *staging = (struct staging)STAGING_INIT;
}
