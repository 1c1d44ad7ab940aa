#include "core/index.h"

#include <stdio.h>
#include <stdlib.h>

/* Put the bytes beside their place, and then in it. One that is there goes first: between the two
 * there is none, which is no damage. */
static enum reshard_status put_file(struct store *store, const char *partial, const char *path,
                                    const void *image, size_t bytes, struct reshard_error *error)
{
    enum reshard_status status = store_remove(store, partial, error);

    if (!status)
        status = store_write_file(store, partial, image, bytes, error);
    if (!status)
        status = store_remove(store, path, error);
    if (!status)
        status = store_rename(store, partial, path, error);
    if (status)
        (void)!store_remove(store, partial, NULL);
    return status;
}

enum reshard_status index_write(struct store *store, const char *directory,
                                const struct manifest *manifest,
                                const struct reshard_layout *layout, struct reshard_error *error)
{
    char *const path = store_path(directory, INDEX_FILE), *partial = NULL;
    void *image = NULL;
    size_t bytes = 0;
    enum reshard_status status = RESHARD_ENOMEM;

    if (!path || asprintf(&partial, "%s/.index.%s.partial", directory, manifest->token) < 0)
        goto cleanup;
    status = index_make(path, manifest, layout, &image, &bytes, error);
    if (!status)
        status = put_file(store, partial, path, image, bytes, error);
    if (!status)
        status = store_sync_directory(store, directory, error);

cleanup:
    free(image);
    free(partial);
    free(path);
    return status;
}
