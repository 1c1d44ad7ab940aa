#include "core/leftover.h"

#include "core/owner.h"
#include "core/token.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENDING ".partial"

bool leftover_is_name(const char *name)
{
    const size_t length = strlen(name), ending = sizeof ENDING - 1;
    const size_t least = 3 + RESHARD_TOKEN_DIGITS + ending; /* two dots, one byte of a name */
    char token[RESHARD_TOKEN_BYTES];
    const char *digits;

    if (length < least || name[0] != '.' || strcmp(name + length - ending, ENDING) != 0)
        return false;
    digits = name + length - ending - RESHARD_TOKEN_DIGITS;
    return digits[-1] == '.' && name[1] != '.' && token_parse(digits, RESHARD_TOKEN_DIGITS, token);
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void set_state(struct leftover *leftover, enum leftover_state state, const char *reason)
{
    leftover->state = state;
    snprintf(leftover->reason, sizeof leftover->reason, "%s", reason);
}

/* By the line after the token's. */
static void ask_owner(struct leftover *leftover, struct store_file *file)
{
    char text[RESHARD_TOKEN_BYTES + OWNER_TEXT_MAX] = "";
    const char *line;
    uint64_t bytes;

    if (store_size(file, &bytes, NULL) || bytes >= sizeof text ||
        store_read(file, 0, text, bytes, NULL))
        bytes = 0;
    text[bytes] = '\0';
    line = strchr(text, '\n');
    switch (line ? owner_ask(line + 1) : OWNER_UNKNOWN) {
    case OWNER_DEAD:
        set_state(leftover, LEFTOVER_DEAD, "");
        break;
    case OWNER_LIVES:
        set_state(leftover, LEFTOVER_LIVES, "its save is under way");
        break;
    default:
        set_state(leftover, LEFTOVER_UNKNOWN,
                  "cannot be asked: storage has no locks here, and its save is of another host");
    }
}

/* The file `token`, to be locked. One that is not there is made, if that is allowed: then no save
 * can have the directory any more. */
static enum reshard_status open_token(struct store *store, const char *path, bool make,
                                      struct store_file **out, bool *made,
                                      struct reshard_error *error)
{
    enum reshard_status status = store_open(store, path, STORE_WRITE, out, error);

    *made = false;
    if (status != RESHARD_ENOENT || !make)
        return status;
    reshard_error_clear(error);
    status = store_open(store, path, STORE_CREATE, out, error);
    *made = status == RESHARD_OK;
    return status;
}

/* Whether the save is dead; `*lock` is to be kept open until the directory is gone. */
static void ask(struct leftover *leftover, struct store *store, const char *path, bool remove,
                struct store_file **lock)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct store_entry entry;
    char *token = store_path(path, TOKEN_FILE);
    bool made = false;
    enum reshard_status status =
        token ? open_token(store, token, remove, lock, &made, &error) : RESHARD_ENOMEM;

    free(token);
    if (status == RESHARD_ENOENT && !remove) {
        set_state(leftover, LEFTOVER_DEAD, "");
        return;
    }
    if (status) {
        set_state(leftover, LEFTOVER_UNKNOWN,
                  error.text[0] ? error.text : reshard_status_text(status));
        return;
    }
    switch (store_lock(*lock)) {
    case STORE_LOCKED:
        set_state(leftover, LEFTOVER_DEAD, "");
        break;
    case STORE_LOCK_HELD:
        set_state(leftover, LEFTOVER_LIVES, "its save is under way");
        break;
    default:
        if (made)
            set_state(leftover, LEFTOVER_DEAD, "");
        else
            ask_owner(leftover, *lock);
    }
    /* Published, and the lock given up, while we were asking? */
    if (leftover->state == LEFTOVER_DEAD && store_examine(store, path, &entry, NULL))
        set_state(leftover, LEFTOVER_LIVES, "is not there any more");
}

/* ---- finding --------------------------------------------------------------------------------- */

/* The bytes of a directory's files: of a save's, all are in the directory itself. */
static uint64_t measure(struct store *store, const char *directory)
{
    struct store_entry entry;
    uint64_t count = 0, bytes = 0;
    char **names = NULL;

    if (store_list(store, directory, &names, &count, NULL))
        return 0;
    for (uint64_t i = 0; i < count; i++) {
        char *path = store_path(directory, names[i]);
        if (path && !store_examine(store, path, &entry, NULL) && entry.kind == STORE_REGULAR)
            bytes += entry.bytes;
        free(path);
    }
    store_names_free(names, count);
    return bytes;
}

static void look_at(struct leftover *leftover, struct store *store, const char *path,
                    struct leftovers_options options)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct store_file *lock = NULL;

    if (options.measure)
        leftover->bytes = measure(store, path);
    ask(leftover, store, path, options.remove, &lock);
    if (options.remove && leftover->state == LEFTOVER_DEAD) {
        if (store_remove(store, path, &error))
            set_state(leftover, LEFTOVER_DEAD, error.text);
        else
            leftover->removed = true;
    }
    (void)!store_close(lock, NULL);
}

enum reshard_status leftovers_find(struct store *store, const char *directory,
                                   struct leftovers_options options, struct leftovers *out,
                                   struct reshard_error *error)
{
    char **names = NULL;
    uint64_t count = 0;
    enum reshard_status status = store_list(store, directory, &names, &count, error);

    *out = (struct leftovers)LEFTOVERS_INIT;
    if (!status) {
        out->entry = calloc(count + 1, sizeof *out->entry);
        status = out->entry ? RESHARD_OK : RESHARD_ENOMEM;
    }
    for (uint64_t i = 0; !status && i < count; i++) {
        char *path = leftover_is_name(names[i]) ? store_path(directory, names[i]) : NULL;
        if (path) {
            look_at(&out->entry[out->count], store, path, options);
            out->entry[out->count++].name = names[i];
            names[i] = NULL;
        }
        free(path);
    }
    store_names_free(names, count);
    return status;
}

void leftovers_append(const struct leftovers *leftovers, const char *directory,
                      struct reshard_error *error)
{
    uint64_t count = 0, bytes = 0;

    for (uint64_t i = 0; i < leftovers->count; i++) {
        count += !leftovers->entry[i].removed;
        bytes += leftovers->entry[i].removed ? 0 : leftovers->entry[i].bytes;
    }
    if (count == 0)
        return;
    reshard_error_append(error, "; in %s %" PRIu64 " %s still hold%s %.3f GB:", directory, count,
                         count == 1 ? "directory of another save" : "directories of other saves",
                         count == 1 ? "s" : "", (double)bytes / 1e9);
    for (uint64_t i = 0; i < leftovers->count; i++) {
        const struct leftover *leftover = &leftovers->entry[i];
        if (!leftover->removed)
            reshard_error_append(error, " %s (%.3f GB%s%s),", leftover->name,
                                 (double)leftover->bytes / 1e9, leftover->reason[0] ? ": " : "",
                                 leftover->reason);
    }
    reshard_error_append(error, " see `reshard prune %s`", directory);
}

void leftovers_release(struct leftovers *leftovers)
{
    for (uint64_t i = 0; i < leftovers->count; i++)
        free(leftovers->entry[i].name);
    free(leftovers->entry);
    *leftovers = (struct leftovers)LEFTOVERS_INIT;
}
