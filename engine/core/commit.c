#include "core/commit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum reshard_status commit_check_file(const struct staging *staging, struct store *store,
                                      const char *name, uint64_t bytes, struct reshard_error *error)
{
    struct reshard_error mine = RESHARD_ERROR_INIT;
    char *path = store_path(staging->path, name);
    struct store_entry entry;
    enum reshard_status status = path ? store_examine(store, path, &entry, &mine) : RESHARD_ENOMEM;

    if (status && status != RESHARD_ENOMEM)
        status =
            reshard_error_set(error, RESHARD_EIO, "what was written is not there: %s", mine.text);
    if (!status && (entry.kind != STORE_REGULAR || entry.bytes != bytes))
        status = reshard_error_set(error, RESHARD_EIO,
                                   "%s: is not the file that was written: %s%" PRIu64
                                   " bytes, and %" PRIu64 " were written",
                                   path, entry.kind == STORE_REGULAR ? "" : "no regular file, ",
                                   entry.bytes, bytes);
    free(path);
    return status;
}

static enum reshard_status write_manifest(const char *path, struct store *store,
                                          const struct manifest *manifest,
                                          struct reshard_error *error)
{
    char *text = NULL;
    size_t bytes;
    enum reshard_status status = manifest_encode(manifest, &text, &bytes);

    if (!status)
        status = store_write_file(store, path, text, bytes, error);
    free(text);
    return status;
}

/* By what a reader will see, not by the memory that it was written from. */
static enum reshard_status read_back(const char *path, struct store *store,
                                     const struct manifest *meant, struct reshard_error *error)
{
    struct reshard_error mine = RESHARD_ERROR_INIT;
    struct manifest found = MANIFEST_INIT;
    char *text = NULL;
    uint64_t bytes;
    enum reshard_status status =
        store_read_file(store, path, MANIFEST_BYTES_MAX, &text, &bytes, &mine);

    if (!status)
        status = manifest_decode(&found, text, bytes, path, &mine);
    if (!status)
        status = manifest_compare(&found, meant);
    if (status == RESHARD_EMISMATCH)
        (void)reshard_error_set(&mine, status, "%s: does not say what was written into it", path);
    manifest_release(&found);
    free(text);
    if (status == RESHARD_OK || status == RESHARD_ENOMEM)
        return status;
    return reshard_error_set(error, RESHARD_EIO, "the manifest that was written cannot be used: %s",
                             mine.text);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* One list of the directory, for all files. */
static enum reshard_status check_list(const struct staging *staging, struct store *store,
                                      const struct manifest *manifest, struct reshard_error *error)
{
    char **names = NULL;
    uint64_t count = 0;
    enum reshard_status status = store_list(store, staging->path, &names, &count, error);

    for (uint64_t i = 0; !status && i < manifest->file_count; i++) {
        const char *name = manifest->file[i].name;
        if (count == 0 || !bsearch(&name, names, count, sizeof *names, compare_names))
            status = reshard_error_set(error, RESHARD_EIO,
                                       "%s/%s: is not there, though rank %" PRIu64 " wrote it",
                                       staging->path, name, manifest->file[i].writer);
    }
    store_names_free(names, count);
    return status;
}

enum reshard_status commit_publish(struct staging *staging, struct store *store,
                                   const struct manifest *manifest, struct reshard_error *error)
{
    char *path = store_path(staging->path, MANIFEST_FILE);
    enum reshard_status status =
        path ? write_manifest(path, store, manifest, error) : RESHARD_ENOMEM;

    if (!status)
        status = read_back(path, store, manifest, error);
    free(path);
    if (!status)
        status = check_list(staging, store, manifest, error);
    return status ? status : staging_publish(staging, store, error);
}
