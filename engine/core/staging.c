#include "core/staging.h"

#include "core/leftover.h"
#include "core/owner.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is believable of a file `token`; only its first line is read. */
enum { TOKEN_FILE_MAX = 65536 };

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
    if (out->name[0] == '\0' || out->name[0] == '.' || strlen(out->name) > STAGING_NAME_MAX)
        return reshard_error_set(
            error, RESHARD_EINVAL,
            "'%s' cannot be made a checkpoint: it must end in a name of at most %d bytes that does "
            "not begin with a dot",
            directory, STAGING_NAME_MAX);
    return RESHARD_OK;
}

enum reshard_status staging_check(const struct staging *staging, struct store *store,
                                  struct reshard_error *error)
{
    struct store_entry entry;
    const enum reshard_status status = store_examine(store, staging->final, &entry, error);

    if (status == RESHARD_ENOENT) {
        reshard_error_clear(error);
        return RESHARD_OK;
    }
    if (status)
        return status;
    return reshard_error_set(
        error, RESHARD_EEXIST, "%s: exists already%s; a checkpoint is never overwritten",
        staging->final, entry.kind == STORE_OTHER ? ", and is neither directory nor file" : "");
}

/* From here on the path is not ours, or not there: it must not be removed. */
static void forget(struct staging *staging)
{
    free(staging->path);
    staging->path = NULL;
}

static enum reshard_status name_path(struct staging *staging, const char *token)
{
    free(staging->path);
    memcpy(staging->token, token, sizeof staging->token);
    if (asprintf(&staging->path, "%s/.%s.%s.partial", staging->parent, staging->name, token) < 0) {
        staging->path = NULL;
        return RESHARD_ENOMEM;
    }
    return RESHARD_OK;
}

/* ---- the file `token` ------------------------------------------------------------------------ */

/* The token of a directory; "" where the file's first line is none. */
static enum reshard_status read_token(struct store *store, const char *directory,
                                      char out[RESHARD_TOKEN_BYTES], struct reshard_error *error)
{
    char *path = store_path(directory, TOKEN_FILE), *text = NULL;
    uint64_t bytes;
    enum reshard_status status =
        path ? store_read_file(store, path, TOKEN_FILE_MAX, &text, &bytes, error) : RESHARD_ENOMEM;

    out[0] = '\0';
    if (!status)
        (void)token_parse(text, strcspn(text, "\n"), out);
    free(text);
    free(path);
    return status;
}

static enum reshard_status write_token(const struct staging *staging, struct reshard_error *error)
{
    char owner[OWNER_TEXT_MAX], text[RESHARD_TOKEN_BYTES + OWNER_TEXT_MAX + 2];
    enum reshard_status status;
    int bytes;

    owner_print(owner);
    bytes = snprintf(text, sizeof text, "%s\n%s\n", staging->token, owner);
    status = store_write(staging->lock, 0, text, (uint64_t)bytes, error);
    return status ? status : store_sync(staging->lock, error);
}

/* Create the file and take its lock. EEXIST when another was before us: who made the file, or who
 * locked it, before we could, or has removed it by now. */
static enum reshard_status lock_token(struct staging *staging, struct store *store,
                                      struct reshard_error *error)
{
    char *path = store_path(staging->path, TOKEN_FILE);
    struct store_entry entry;
    enum reshard_status status =
        path ? store_open(store, path, STORE_CREATE, &staging->lock, error) : RESHARD_ENOMEM;

    if (!status && store_lock(staging->lock) == STORE_LOCK_HELD)
        status = reshard_error_set(error, RESHARD_EEXIST, "%s: is locked by another", path);
    if (!status && (status = store_examine(store, path, &entry, error)) == RESHARD_ENOENT)
        status = RESHARD_EEXIST;
    free(path);
    return status;
}

static void give_up_lock(struct staging *staging)
{
    (void)!store_close(staging->lock, NULL);
    staging->lock = NULL;
}

/* ---- making and joining ---------------------------------------------------------------------- */

/* What is reported to have failed, and is there, was made, by us or by nobody that still counts:
 * the file `token` decides. */
static enum reshard_status make_directory(const struct staging *staging, struct store *store,
                                          struct reshard_error *error)
{
    struct reshard_error mine = RESHARD_ERROR_INIT;
    struct store_entry entry;
    const enum reshard_status status = store_make_directory(store, staging->path, &mine);

    if (status == RESHARD_OK || (store_examine(store, staging->path, &entry, NULL) == RESHARD_OK &&
                                 entry.kind == STORE_DIRECTORY))
        return RESHARD_OK;
    return reshard_error_set(error, status, "%s", mine.text);
}

enum reshard_status staging_make(struct staging *staging, struct store *store,
                                 const char token[RESHARD_TOKEN_BYTES], struct reshard_error *error)
{
    enum reshard_status status = name_path(staging, token);

    if (!status)
        status = make_directory(staging, store, error);
    if (status) {
        forget(staging);
        return status;
    }
    status = lock_token(staging, store, error);
    if (status == RESHARD_EEXIST) {
        forget(staging);
        give_up_lock(staging);
    }
    return status ? status : write_token(staging, error);
}

/* Where a path leads that does not begin at the root. */
static const char *working_directory(const char *path, char out[PATH_MAX])
{
    return path[0] == '/' ? "" : getcwd(out, PATH_MAX) ? out : "an unknown directory";
}

enum reshard_status staging_join(struct staging *staging, struct store *store,
                                 const char token[RESHARD_TOKEN_BYTES], struct reshard_error *error)
{
    char found[RESHARD_TOKEN_BYTES], buffer[PATH_MAX];
    const char *from;
    enum reshard_status status;

    if (!staging->path && (status = name_path(staging, token)))
        return status;
    status = read_token(store, staging->path, found, error);
    if (status && status != RESHARD_ENOENT)
        return status;
    if (!status && token_equal(token, found))
        return RESHARD_OK;
    reshard_error_clear(error);
    from = working_directory(staging->parent, buffer);
    return reshard_error_set(error, RESHARD_EMISMATCH,
                             "its directory %s%s%s is not that of rank 0: %s/%s %s",
                             staging->parent, *from ? " in " : "", from, staging->path, TOKEN_FILE,
                             status ? "is not there" : "has another token");
}

/* ---- publishing ------------------------------------------------------------------------------ */

/* A rename whose answer was lost is told by what is where. */
static enum reshard_status rename_to_final(const struct staging *staging, struct store *store,
                                           struct reshard_error *error)
{
    struct reshard_error mine = RESHARD_ERROR_INIT;
    char found[RESHARD_TOKEN_BYTES];
    struct store_entry entry;
    enum reshard_status look;
    const enum reshard_status status = store_rename(store, staging->path, staging->final, &mine);

    if (!status)
        return RESHARD_OK;
    look = read_token(store, staging->final, found, NULL);
    if (!look && token_equal(staging->token, found))
        return RESHARD_OK;
    if (!look || look == RESHARD_ENOENT || look == RESHARD_EFORMAT)
        look = store_examine(store, staging->path, &entry, NULL);
    if (look == RESHARD_OK || look == RESHARD_ENOENT)
        return reshard_error_set(error, status, "%s", mine.text);
    return reshard_error_set(error, RESHARD_EUNKNOWN,
                             "%s; and whether it happened cannot be seen: %s", mine.text,
                             reshard_status_text(look));
}

enum reshard_status staging_publish(struct staging *staging, struct store *store,
                                    struct reshard_error *error)
{
    enum reshard_status status = store_sync_directory(store, staging->path, error);

    if (!status)
        status = rename_to_final(staging, store, error);
    if (status && status != RESHARD_EUNKNOWN)
        return status;
    forget(staging);
    give_up_lock(staging);
    if (status || store_sync_directory(store, staging->parent, error))
        return RESHARD_EUNKNOWN;
    return RESHARD_OK;
}

void staging_discard(struct staging *staging, struct store *store)
{
    if (staging->path)
        (void)!store_remove(store, staging->path, NULL);
    forget(staging);
    give_up_lock(staging);
}

void staging_close(struct staging *staging)
{
    give_up_lock(staging);
    free(staging->final);
    free(staging->parent);
    free(staging->name);
    free(staging->path);
    *staging = (struct staging)STAGING_INIT;
}
