#include "parallel/latest.h"

#include "core/manifest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* How far a checkpoint is: by training step, of equals by when it was committed. */
struct progress {
    uint64_t step;
    uint64_t committed;
};

/* Rank 0: that of a directory. ENOENT and EFORMAT: it holds no valid manifest. */
static enum reshard_status read_progress(struct store *store, const char *root, const char *name,
                                         struct progress *out, struct reshard_error *error)
{
    char *directory = store_path(root, name), *text = NULL;
    char *path = directory ? store_path(directory, MANIFEST_FILE) : NULL;
    struct manifest manifest = MANIFEST_INIT;
    enum reshard_status status = path ? RESHARD_OK : RESHARD_ENOMEM;
    uint64_t bytes;

    if (!status)
        status = store_read_file(store, path, MANIFEST_BYTES_MAX, &text, &bytes, error);
    if (!status)
        status = manifest_decode(&manifest, text, bytes, path, error);
    if (!status)
        status = store_modified(store, path, &out->committed, error);
    out->step = manifest.step;
    manifest_release(&manifest);
    free(text);
    free(path);
    free(directory);
    return status;
}

static bool is_further(const struct progress *a, const struct progress *b)
{
    return a->step != b->step ? a->step > b->step : a->committed >= b->committed;
}

/* The index of the best of the names, or `count`. A directory that cannot be read, for another
 * reason than that it is no checkpoint, is an error: an older one in its stead would lose work
 * silently. */
static enum reshard_status choose_latest(struct store *store, const char *root, char **names,
                                         uint64_t count, uint64_t *best,
                                         struct reshard_error *error)
{
    struct progress furthest = {0, 0}, progress;

    *best = count;
    for (uint64_t i = 0; i < count; i++) {
        struct reshard_error mine = RESHARD_ERROR_INIT;
        enum reshard_status status;
        if (names[i][0] == '.')
            continue;
        status = read_progress(store, root, names[i], &progress, &mine);
        if (status == RESHARD_ENOENT || status == RESHARD_EFORMAT)
            continue;
        if (status)
            return reshard_error_set(error, status, "%s", mine.text);
        if (*best == count || is_further(&progress, &furthest)) {
            furthest = progress;
            *best = i;
        }
    }
    return RESHARD_OK;
}

static enum reshard_status find_latest(struct store *store, const char *root, char *name,
                                       uint64_t size, struct reshard_error *error)
{
    char **names = NULL;
    uint64_t count = 0, best = 0;
    enum reshard_status status = store_list(store, root, &names, &count, error);

    if (!status)
        status = choose_latest(store, root, names, count, &best, error);
    if (!status && best == count)
        status = reshard_error_set(error, RESHARD_ENOENT, "%s: holds no whole checkpoint", root);
    if (!status && strlen(names[best]) >= size)
        status = reshard_error_set(error, RESHARD_EOVERFLOW,
                                   "%s: the name '%s' needs %zu bytes, and %" PRIu64 " are given",
                                   root, names[best], strlen(names[best]) + 1, size);
    if (!status)
        memcpy(name, names[best], strlen(names[best]) + 1);
    store_names_free(names, count);
    return status;
}

enum reshard_status reshard_latest_find(struct reshard_group *group, struct store *store,
                                        const char *root, char *name, uint64_t size,
                                        struct reshard_error *error)
{
    enum reshard_status status = RESHARD_OK;

    reshard_error_clear(error);
    memset(name, 0, size);
    if (reshard_group_rank(group) == 0)
        status = find_latest(store ? store : store_posix(), root, name, size, error);
    status = reshard_group_agree(group, status, error);
    return status ? status : group_broadcast(group, name, size, error);
}
