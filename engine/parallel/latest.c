#include "parallel/latest.h"

#include "core/argument.h"
#include "core/manifest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A directory with a manifest. */
struct candidate {
    const char *name;
    bool has_step;      /* the manifest is valid */
    uint64_t step;      /* then */
    uint64_t committed; /* when the manifest was written */
    bool checked;       /* its files have been looked at, too */
    bool damaged;
    char damage[256]; /* what is wrong, if something is */
};

struct search {
    struct store *store;
    const char *root;
    struct candidate *candidate;
    uint64_t count;
};

/* ---- one directory --------------------------------------------------------------------------- */

static void set_damage(struct candidate *candidate, const char *text)
{
    candidate->damaged = true;
    snprintf(candidate->damage, sizeof candidate->damage, "%.255s", text);
}

/* The files that a valid manifest lists: what is missing or of another size is damage. */
static enum reshard_status check_files(struct search *search, struct candidate *candidate,
                                       const char *directory, const struct manifest *manifest,
                                       struct reshard_error *error)
{
    for (uint64_t i = 0; !candidate->damaged && i < manifest->file_count; i++) {
        const struct manifest_file *file = &manifest->file[i];
        char *path = store_path(directory, file->name), text[256];
        struct store_entry entry = {.kind = STORE_OTHER};
        const enum reshard_status status =
            path ? store_examine(search->store, path, &entry, error) : RESHARD_ENOMEM;
        free(path);
        if (status && status != RESHARD_ENOENT)
            return status;
        reshard_error_clear(error);
        if (status)
            snprintf(text, sizeof text, "%s is not there", file->name);
        else if (entry.kind != STORE_REGULAR)
            snprintf(text, sizeof text, "%s is not a regular file", file->name);
        else
            snprintf(text, sizeof text, "%s has %" PRIu64 " bytes instead of %" PRIu64, file->name,
                     entry.bytes, file->bytes);
        if (status || entry.kind != STORE_REGULAR || entry.bytes != file->bytes)
            set_damage(candidate, text);
    }
    return RESHARD_OK;
}

/* The step that a manifest says, or what is wrong with it; and with the files that it lists, where
 * they are to be looked at. ENOENT: it is gone by now. */
static enum reshard_status read_manifest(struct search *search, struct candidate *candidate,
                                         const char *directory, const char *path, bool with_files,
                                         struct reshard_error *error)
{
    struct manifest manifest = MANIFEST_INIT;
    char *text = NULL;
    uint64_t bytes;
    enum reshard_status status =
        store_read_file(search->store, path, MANIFEST_BYTES_MAX, &text, &bytes, error);

    if (!status)
        status = manifest_decode(&manifest, text, bytes, path, error);
    if (status == RESHARD_EFORMAT && !manifest.foreign) {
        set_damage(candidate, error->text);
        reshard_error_clear(error);
        status = RESHARD_OK;
    } else if (!status) {
        candidate->has_step = true;
        candidate->step = manifest.step;
        if (with_files)
            status = check_files(search, candidate, directory, &manifest, error);
    }
    manifest_release(&manifest);
    free(text);
    return status;
}

/* Look at a name; it becomes a candidate if there is a manifest. */
static enum reshard_status look_at(struct search *search, const char *name,
                                   struct reshard_error *error)
{
    struct candidate *candidate = &search->candidate[search->count];
    struct reshard_error mine = RESHARD_ERROR_INIT;
    struct store_entry entry;
    char *directory = store_path(search->root, name);
    char *path = directory ? store_path(directory, MANIFEST_FILE) : NULL;
    enum reshard_status status =
        path ? store_examine(search->store, path, &entry, &mine) : RESHARD_ENOMEM;

    *candidate = (struct candidate){.name = name};
    if (!status) {
        candidate->committed = entry.modified;
        status = read_manifest(search, candidate, directory, path, false, &mine);
        search->count += status == RESHARD_OK;
    }
    free(path);
    free(directory);
    if (status == RESHARD_OK || status == RESHARD_ENOENT)
        return RESHARD_OK;
    return reshard_error_set(error, status, "%s",
                             mine.text[0] ? mine.text : reshard_status_text(status));
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* Whether `a` comes before `b`, which is whole. */
static bool is_further(const struct candidate *a, const struct candidate *b)
{
    return a->has_step && a->step != b->step ? a->step > b->step : a->committed > b->committed;
}

static struct candidate *choose(const struct search *search)
{
    struct candidate *best = NULL;

    for (uint64_t i = 0; i < search->count; i++) {
        struct candidate *candidate = &search->candidate[i];
        if (!candidate->damaged && (!best || !is_further(best, candidate)))
            best = candidate;
    }
    return best;
}

/* Only the files of what would be taken are looked at; where they are damaged, those of the next.
 */
static enum reshard_status check_best(struct search *search, struct reshard_error *error)
{
    enum reshard_status status = RESHARD_OK;
    struct candidate *best;

    while (!status && (best = choose(search)) && !best->checked) {
        char *directory = store_path(search->root, best->name);
        char *path = directory ? store_path(directory, MANIFEST_FILE) : NULL;
        best->checked = true;
        status = path ? read_manifest(search, best, directory, path, true, error) : RESHARD_ENOMEM;
        if (status == RESHARD_ENOENT) {
            set_damage(best, MANIFEST_FILE " is not there any more");
            reshard_error_clear(error);
            status = RESHARD_OK;
        }
        free(path);
        free(directory);
    }
    return status;
}

/* Count and name those that are damaged and come before the best; all, where there is no best. */
static void tell_fallbacks(const struct search *search, const struct candidate *best,
                           struct reshard_latest *out)
{
    struct reshard_error list = {RESHARD_EFORMAT, ""}; /* for its text, cut well where it is long */

    for (uint64_t i = 0; i < search->count; i++) {
        const struct candidate *candidate = &search->candidate[i];
        if (!candidate->damaged || (best && !is_further(candidate, best)))
            continue;
        reshard_error_append(&list, "%s%s: %s", out->fallbacks ? "; " : "", candidate->name,
                             candidate->damage);
        out->fallbacks++;
    }
    memcpy(out->text, list.text, sizeof out->text);
}

static enum reshard_status tell(const struct search *search, struct reshard_latest *out,
                                struct reshard_error *error)
{
    const struct candidate *best = choose(search);
    enum reshard_status status = RESHARD_OK;

    tell_fallbacks(search, best, out);
    if (!best && out->fallbacks == 0)
        status = reshard_error_set(error, RESHARD_ENOENT, "%s: holds no checkpoint", search->root);
    else if (!best)
        status =
            reshard_error_set(error, RESHARD_EFORMAT, "%s: each checkpoint in it is damaged: %s",
                              search->root, out->text);
    else if (strlen(best->name) >= sizeof out->name)
        status = reshard_error_set(error, RESHARD_EOVERFLOW,
                                   "%s: the name '%.64s...' has more than %d bytes", search->root,
                                   best->name, RESHARD_LATEST_NAME_MAX - 1);
    if (status) {
        *out = (struct reshard_latest){.name = ""};
        return status;
    }
    memcpy(out->name, best->name, strlen(best->name) + 1);
    out->step = best->step;
    return RESHARD_OK;
}

static enum reshard_status find_latest(struct store *store, const char *root,
                                       struct reshard_latest *out, struct reshard_error *error)
{
    struct search search = {.store = store, .root = root};
    char **names = NULL;
    uint64_t count = 0;
    enum reshard_status status = store_list(store, root, &names, &count, error);

    if (!status) {
        search.candidate = calloc(count + 1, sizeof *search.candidate);
        status = search.candidate ? RESHARD_OK : RESHARD_ENOMEM;
    }
    for (uint64_t i = 0; !status && i < count; i++)
        if (names[i][0] != '.')
            status = look_at(&search, names[i], error);
    if (!status)
        status = check_best(&search, error);
    if (!status)
        status = tell(&search, out, error);
    free(search.candidate);
    store_names_free(names, count);
    return status;
}

enum reshard_status reshard_latest_find(struct reshard_group *group, struct store *store,
                                        const char *root, struct reshard_latest *out,
                                        struct reshard_error *error)
{
    enum reshard_status status;

    reshard_error_clear(error);
    status = CHECK_ARGUMENTS(error, ARGUMENT(root), ARGUMENT(out));
    status = group_begin(group, GROUP_LATEST_FIND, status, error);
    if (status)
        return status;
    *out = (struct reshard_latest){.name = ""};
    if (reshard_group_rank(group) == 0)
        status = find_latest(store ? store : store_posix(), root, out, error);
    status = reshard_group_agree(group, status, error);
    if (!status)
        status = group_broadcast(group, out, sizeof *out, error);
    group_end(group);
    return status;
}
