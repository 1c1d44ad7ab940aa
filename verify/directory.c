#include "verify/directory.h"

#include "verify/entry.h"
#include "verify/head.h"
#include "verify/index.h"
#include "verify/ordinary.h"
#include "verify/walk.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOKEN_FILE "token"

/* What HDF5 may use: of a head, which is the same small work for every file; of an index, by its
 * size. */
enum {
    HEAD_SECONDS = 1,
    HEAD_BYTES = 64 << 20,
    INDEX_SECOND_BYTES = 1 << 20,
    INDEX_FACTOR = 8,
};

/* Beyond so many, nobody sees what each lost; beyond so many pairs, nobody waits for it. */
enum { LOSSES_SAID = VERIFY_FINDINGS_MAX, LOST_PAIRS_MAX = 1 << 22 };

static void add(const struct verify_directory *directory, struct verify_report *report,
                enum reshard_status status, const char *file, const char *text)
{
    struct verify_finding finding = verify_finding_file(status, file);

    finding.directory = directory->label;
    verify_finding_say(&finding, "%.*s", VERIFY_TEXT_MAX - 1, text);
    verify_report_add(report, &finding);
}

/* --- life ------------------------------------------------------------------------------------- */

enum reshard_status verify_directory_open(struct verify_directory *out, const char *path,
                                          const char *label, struct verify_report *report,
                                          struct reshard_error *error)
{
    struct reshard_error fault = RESHARD_ERROR_INIT;
    enum reshard_status status;

    *out = (struct verify_directory){.label = label};
    status = verify_checkpoint_open(&out->checkpoint, path, &fault);
    if (status == RESHARD_ENOMEM)
        return reshard_error_set(error, status, "%s", fault.text);
    if (status) {
        add(out, report, status, "", fault.text);
        return RESHARD_OK;
    }
    status = verify_rules_open(&out->rules, &out->checkpoint->inventory,
                               &out->checkpoint->formula.layout, &fault);
    if (status == RESHARD_ENOMEM)
        return reshard_error_set(error, status, "%s", fault.text);
    if (status)
        add(out, report, RESHARD_EFORMAT, "manifest.json", fault.text);
    return RESHARD_OK;
}

void verify_directory_close(struct verify_directory *directory)
{
    free(directory->lost);
    verify_rules_close(directory->rules);
    verify_checkpoint_close(directory->checkpoint);
}

/* --- ranks' files ----------------------------------------------------------------------------- */

/* How many tensors and bytes a file must have by the rules. */
static void measure(const struct verify_directory *directory, uint64_t writer, uint32_t *tensors,
                    uint64_t *bytes)
{
    const struct verify_inventory *inventory = &directory->checkpoint->inventory;
    struct verify_walk walk;
    struct verify_box box;
    uint64_t local;

    *tensors = 0;
    *bytes = 0;
    for (uint32_t t = 0; t < inventory->tensor_count; ++t) {
        uint64_t elements = 0;

        if (directory->checkpoint->absent[t] || !verify_rules_owns(directory->rules, t, writer))
            continue;
        verify_walk_begin(&walk, directory->rules, t, writer);
        while (verify_walk_box(&walk, &box, &local))
            elements += verify_box_elements(&box);
        *tensors += elements > 0;
        *bytes += elements * reshard_dtype_bytes(inventory->tensor[t].dtype);
    }
}

static void add_lost(struct verify_directory *directory, uint32_t file,
                     const struct reshard_error *fault, struct verify_report *report)
{
    const struct verify_file *entry = &directory->checkpoint->file[file];
    const char *fate = fault->status == RESHARD_EIO ? "not judged" : "lost";
    struct verify_finding finding = verify_finding_file(fault->status, entry->name);
    uint32_t tensors;
    uint64_t bytes;

    directory->lost[directory->lost_count++] = file;
    if (directory->lost_count > LOSSES_SAID) {
        add(directory, report, fault->status, entry->name, fault->text);
        return;
    }
    measure(directory, entry->writer, &tensors, &bytes);
    finding.directory = directory->label;
    verify_finding_say(
        &finding, "%.*s: what it must have of %" PRIu32 " tensor%s, %" PRIu64 " bytes, is %s",
        VERIFY_TEXT_MAX - 96, fault->text, tensors, tensors == 1 ? "" : "s", bytes, fate);
    verify_report_add(report, &finding);
}

static enum reshard_status judge_head(const void *context, uint32_t number,
                                      struct reshard_error *error)
{
    return verify_head_judge(context, number, error);
}

/* By our own reader first; only a file that it finds whole is shown to HDF5. */
static enum reshard_status judge_file(struct verify_directory *directory, uint32_t file,
                                      struct verify_ordinary *ordinary,
                                      struct verify_report *report, struct reshard_error *error)
{
    struct verify_checkpoint *checkpoint = directory->checkpoint;
    struct reshard_error fault = RESHARD_ERROR_INIT;
    enum reshard_status status = verify_checkpoint_decode(checkpoint, file, &fault);

    if (!status) {
        status = verify_ordinary_ask(ordinary, file, &fault);
        reshard_error_prefix(&fault, "ordinary HDF5 tools cannot read it");
    }
    if (status == RESHARD_ENOMEM)
        return reshard_error_set(error, status, "%s: %s", checkpoint->file[file].name, fault.text);
    fault.status = status;
    if (!checkpoint->file[file].usable)
        add_lost(directory, file, &fault, report);
    else if (status)
        add(directory, report, status, checkpoint->file[file].name, fault.text);
    return RESHARD_OK;
}

enum reshard_status verify_directory_files(struct verify_directory *directory,
                                           struct verify_report *report,
                                           struct reshard_error *error)
{
    const struct verify_checkpoint *checkpoint = directory->checkpoint;
    struct verify_ordinary ordinary =
        verify_ordinary_begin(judge_head, checkpoint, HEAD_SECONDS, HEAD_BYTES);
    enum reshard_status status = RESHARD_OK;

    directory->lost = calloc((size_t)checkpoint->file_count + 1, sizeof *directory->lost);
    if (!directory->lost)
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory to verify a checkpoint");
    for (uint32_t f = 0; f < checkpoint->file_count && !status; ++f)
        status = judge_file(directory, f, &ordinary, report, error);
    verify_ordinary_end(&ordinary);
    directory->lost_many = directory->lost_count > 0 && checkpoint->inventory.tensor_count >
                                                            LOST_PAIRS_MAX / directory->lost_count;
    return status;
}

/* --- other entries ---------------------------------------------------------------------------- */

/* Its first line is the token; what follows is the owner of a save under way. */
static void judge_token(const struct verify_directory *directory, struct verify_report *report)
{
    const char *expected = directory->checkpoint->token;
    struct reshard_error fault = RESHARD_ERROR_INIT;
    char line[VERIFY_TOKEN_BYTES] = "";
    uint64_t bytes;
    int fd;
    enum reshard_status status =
        verify_entry_open(directory->checkpoint->directory, TOKEN_FILE, &fd, &bytes, &fault);

    if (!status && bytes >= sizeof line)
        status = verify_entry_read(fd, line, sizeof line, 0, &fault);
    if (!status && (line[VERIFY_TOKEN_BYTES - 1] != '\n' ||
                    memcmp(line, expected, VERIFY_TOKEN_BYTES - 1) != 0))
        status = reshard_error_set(&fault, RESHARD_EMISMATCH,
                                   "its first line is not the manifest's token, %s", expected);
    if (status)
        add(directory, report, status, TOKEN_FILE, fault.text);
    if (fd >= 0)
        close(fd);
}

static enum reshard_status judge_index(const void *context, uint32_t number,
                                       struct reshard_error *error)
{
    (void)number;
    return verify_index_judge(context, error);
}

static enum reshard_status ask_index(const struct verify_checkpoint *checkpoint, uint64_t bytes,
                                     struct reshard_error *error)
{
    const uint64_t seconds = bytes / INDEX_SECOND_BYTES;
    struct verify_ordinary ordinary = verify_ordinary_begin(
        judge_index, checkpoint, seconds < 600 ? (unsigned)seconds : 600,
        (size_t)HEAD_BYTES +
            (bytes < SIZE_MAX / INDEX_FACTOR / 2 ? INDEX_FACTOR * (size_t)bytes : SIZE_MAX / 2));
    const enum reshard_status status = verify_ordinary_ask(&ordinary, 0, error);

    verify_ordinary_end(&ordinary);
    return status;
}

static enum reshard_status look_at_index(const struct verify_directory *directory,
                                         struct verify_report *report, struct reshard_error *error)
{
    const struct verify_checkpoint *checkpoint = directory->checkpoint;
    struct reshard_error fault = RESHARD_ERROR_INIT;
    char text[VERIFY_TEXT_MAX];
    uint64_t bytes;
    int fd;
    enum reshard_status status =
        verify_entry_open(checkpoint->directory, VERIFY_INDEX_FILE, &fd, &bytes, &fault);

    if (status == RESHARD_ENOENT)
        return RESHARD_OK;
    if (fd >= 0)
        close(fd);
    if (!status)
        status = ask_index(checkpoint, bytes, &fault);
    if (status == RESHARD_ENOMEM)
        return reshard_error_set(error, status, "%s", fault.text);
    if (!status)
        return RESHARD_OK;
    snprintf(text, sizeof text, "%.*s (derived: it can be deleted, no load reads it)",
             VERIFY_TEXT_MAX - 64, fault.text);
    add(directory, report, status, VERIFY_INDEX_FILE, text);
    return RESHARD_OK;
}

static int by_writer(const void *key, const void *element)
{
    const uint64_t writer = *(const uint64_t *)key;
    const struct verify_file *file = element;

    return writer < file->writer ? -1 : writer > file->writer;
}

static bool is_listed(const struct verify_checkpoint *checkpoint, const char *name)
{
    const uint64_t writer = strtoull(name + strlen("rank-"), NULL, 10);
    const struct verify_file *file = bsearch(&writer, checkpoint->file, checkpoint->file_count,
                                             sizeof *checkpoint->file, by_writer);

    return file && strcmp(file->name, name) == 0;
}

/* Rank files that the manifest does not know: what a save at another world size would leave. Other
 * names are no part of a checkpoint. */
static void judge_strays(const struct verify_directory *directory, struct verify_report *report)
{
    const struct verify_checkpoint *checkpoint = directory->checkpoint;
    DIR *entries = opendir(checkpoint->directory);
    struct dirent *entry = NULL;

    errno = entries ? 0 : errno;
    while (entries && (entry = readdir(entries))) {
        if (strncmp(entry->d_name, "rank-", 5) == 0 && !is_listed(checkpoint, entry->d_name))
            add(directory, report, RESHARD_EFORMAT, entry->d_name, "is not in the manifest");
        errno = 0;
    }
    if (errno != 0)
        add(directory, report, RESHARD_EIO, "", "the directory's entries cannot be listed");
    if (entries)
        closedir(entries);
}

enum reshard_status verify_directory_others(const struct verify_directory *directory,
                                            struct verify_report *report,
                                            struct reshard_error *error)
{
    judge_token(directory, report);
    judge_strays(directory, report);
    return look_at_index(directory, report, error);
}
