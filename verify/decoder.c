#include "verify/decoder.h"

#include "verify/entry.h"
#include "verify/rankfile.h"
#include "verify/record.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* The manifest is parsed in memory; a larger one is refused unseen. The first files are kept open
 * where the process may have many more, others are opened for each use. */
enum { MANIFEST_MAX = 256 << 20, KEPT_OPEN = 256, DESCRIPTORS_PLENTY = 1024 };

static enum reshard_status load_manifest(struct verify_checkpoint *checkpoint, int fd,
                                         uint64_t bytes, struct reshard_error *error)
{
    char *text = malloc((size_t)bytes + 1);
    enum reshard_status status;

    if (!text)
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory for the manifest");
    status = verify_entry_read(fd, text, (size_t)bytes, 0, error);
    if (status)
        reshard_error_prefix(error, "manifest.json");
    else
        status = verify_record_parse(checkpoint, text, (size_t)bytes, error);
    free(text);
    return status;
}

static enum reshard_status read_manifest(struct verify_checkpoint *checkpoint,
                                         struct reshard_error *error)
{
    struct reshard_error fault = RESHARD_ERROR_INIT;
    uint64_t bytes;
    int fd;
    enum reshard_status status =
        verify_entry_open(checkpoint->directory, "manifest.json", &fd, &bytes, &fault);

    if (status == RESHARD_ENOENT)
        return reshard_error_set(error, status,
                                 "no manifest.json: no checkpoint, or a save that was cut short");
    if (status)
        reshard_error_set(error, status, "%s", fault.text);
    if (!status && bytes > MANIFEST_MAX)
        status = reshard_error_set(error, RESHARD_EFORMAT, "has more than %d bytes", MANIFEST_MAX);
    if (status)
        reshard_error_prefix(error, "manifest.json");
    else
        status = load_manifest(checkpoint, fd, bytes, error);
    if (fd >= 0)
        close(fd);
    return status;
}

static uint32_t descriptors_to_keep(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= DESCRIPTORS_PLENTY ? KEPT_OPEN
                                                                                         : 0;
}

enum reshard_status verify_checkpoint_open(struct verify_checkpoint **out, const char *directory,
                                           struct reshard_error *error)
{
    struct verify_checkpoint *checkpoint = calloc(1, sizeof *checkpoint);
    enum reshard_status status;

    *out = NULL;
    if (!checkpoint || !(checkpoint->directory = strdup(directory))) {
        free(checkpoint);
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory for a checkpoint");
    }
    checkpoint->keep_open = descriptors_to_keep();
    status = read_manifest(checkpoint, error);
    if (status)
        verify_checkpoint_close(checkpoint);
    else
        *out = checkpoint;
    return status;
}

void verify_checkpoint_close(struct verify_checkpoint *checkpoint)
{
    if (!checkpoint)
        return;
    for (uint32_t f = 0; f < checkpoint->file_count; ++f) {
        if (checkpoint->file[f].fd >= 0)
            close(checkpoint->file[f].fd);
        free(checkpoint->file[f].span);
    }
    for (uint32_t n = 0; n < checkpoint->name_count; ++n)
        free(checkpoint->name[n]);
    verify_names_close(&checkpoint->names);
    verify_formula_close(&checkpoint->formula);
    free(checkpoint->file);
    free(checkpoint->name);
    verify_param_groups_close(&checkpoint->groups);
    free(checkpoint->digest);
    free(checkpoint->absent);
    free(checkpoint->tie);
    free(checkpoint->inventory.tensor);
    free(checkpoint->directory);
    free(checkpoint);
}

enum reshard_status verify_checkpoint_decode(struct verify_checkpoint *checkpoint, uint32_t file,
                                             struct reshard_error *error)
{
    struct verify_file *entry = &checkpoint->file[file];
    uint64_t bytes;
    int fd;
    enum reshard_status status =
        verify_entry_open(checkpoint->directory, entry->name, &fd, &bytes, error);

    if (status)
        return status;
    status = verify_rankfile_decode(checkpoint, file, fd, bytes, error);
    if (entry->usable && entry->fd < 0 && file < checkpoint->keep_open)
        entry->fd = fd;
    else
        close(fd);
    return status;
}

enum reshard_status verify_checkpoint_read(const struct verify_checkpoint *checkpoint,
                                           uint32_t file, void *buffer, size_t bytes,
                                           uint64_t position, struct reshard_error *error)
{
    const struct verify_file *entry = &checkpoint->file[file];
    enum reshard_status status = RESHARD_OK;
    uint64_t size;
    int fd = entry->fd;

    if (fd < 0)
        status = verify_entry_open(checkpoint->directory, entry->name, &fd, &size, error);
    if (!status)
        status = verify_entry_read(fd, buffer, bytes, position, error);
    if (fd >= 0 && entry->fd < 0)
        close(fd);
    return status;
}

static const struct verify_span *find_span(const struct verify_file *file, uint32_t tensor)
{
    uint32_t begin = 0;
    uint32_t end = file->usable ? file->span_count : 0;

    while (begin < end) {
        const uint32_t middle = begin + (end - begin) / 2;

        if (file->span[middle].tensor == tensor)
            return &file->span[middle];
        if (file->span[middle].tensor > tensor)
            end = middle;
        else
            begin = middle + 1;
    }
    return NULL;
}

/* Append one file's pieces of a tensor. The rows were checked when the file was decoded, and are
 * checked again as far as memory depends on them: a file may change under us. */
static enum reshard_status append_pieces(const struct verify_checkpoint *checkpoint,
                                         const struct verify_span *span, uint32_t file,
                                         struct verify_piece *out, struct reshard_error *error)
{
    const struct verify_tensor *tensor = &checkpoint->inventory.tensor[span->tensor];
    const struct verify_file *entry = &checkpoint->file[file];

    for (uint32_t row = span->begin; row < span->end; ++row, ++out) {
        struct verify_piece_row raw = {0};
        const enum reshard_status status = verify_checkpoint_read(
            checkpoint, file, &raw, sizeof raw, entry->pieces + row * sizeof raw, error);

        if (status) {
            reshard_error_prefix(error, "%s", entry->name);
            return status;
        }
        if (!verify_piece_box(tensor, &raw, &out->box))
            return reshard_error_set(error, RESHARD_EIO, "%s changed while it was read",
                                     entry->name);
        out->file = file;
        out->first = verify_box_first(&out->box, tensor);
        out->count = verify_box_elements(&out->box);
        out->position =
            entry->arena[tensor->dtype] + raw.offset * reshard_dtype_bytes(tensor->dtype);
        out->contribution = raw.contribution;
    }
    return RESHARD_OK;
}

static int by_first(const void *a, const void *b)
{
    const struct verify_piece *left = a;
    const struct verify_piece *right = b;

    if (left->first != right->first)
        return left->first < right->first ? -1 : 1;
    return left->file < right->file ? -1 : left->file > right->file;
}

enum reshard_status verify_checkpoint_pieces(const struct verify_checkpoint *checkpoint,
                                             uint32_t tensor, struct verify_piece **out,
                                             uint32_t *count, struct reshard_error *error)
{
    enum reshard_status status = RESHARD_OK;
    uint64_t total = 0;
    uint32_t used = 0;

    *count = 0;
    for (uint32_t f = 0; f < checkpoint->file_count; ++f) {
        const struct verify_span *span = find_span(&checkpoint->file[f], tensor);

        total += span ? span->end - span->begin : 0;
    }
    *out = total < UINT32_MAX ? calloc((size_t)total + 1, sizeof **out) : NULL;
    if (!*out)
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory for a tensor's pieces");
    for (uint32_t f = 0; f < checkpoint->file_count && !status; ++f) {
        const struct verify_span *span = find_span(&checkpoint->file[f], tensor);

        if (!span)
            continue;
        status = append_pieces(checkpoint, span, f, *out + used, error);
        used += span->end - span->begin;
    }
    if (status) {
        free(*out);
        *out = NULL;
        return status;
    }
    qsort(*out, used, sizeof **out, by_first);
    *count = used;
    return RESHARD_OK;
}
