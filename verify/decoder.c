#include "verify/decoder.h"

#include "verify/rankfile.h"
#include "verify/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The manifest is parsed in memory; a larger one is refused unseen. Files beyond the first few
 * hundred are opened for each use, since most users may have 1,024 open. */
enum { MANIFEST_MAX = 256 << 20, KEPT_OPEN = 256 };

/* Storage that refuses says nothing about the file, so it is kept apart from what the file is. */
static enum reshard_status refused(int code, struct reshard_error *error)
{
    if (code == ENOENT)
        return reshard_error_set(error, RESHARD_ENOENT, "is missing");
    if (code == ELOOP || code == ENXIO)
        return reshard_error_set(error, RESHARD_EFORMAT, "is not a regular file");
    return reshard_error_set(error, RESHARD_EIO, "cannot be read: %s", strerror(code));
}

static enum reshard_status open_in(const struct verify_checkpoint *checkpoint, const char *name,
                                   int *fd, struct reshard_error *error)
{
    enum reshard_status status = RESHARD_OK;
    char *path = NULL;

    *fd = -1;
    if (asprintf(&path, "%s/%s", checkpoint->directory, name) < 0)
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory for a path");
    *fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (*fd < 0)
        status = refused(errno, error);
    free(path);
    return status;
}

static enum reshard_status read_all(int fd, void *buffer, size_t bytes, uint64_t position,
                                    struct reshard_error *error)
{
    size_t done = 0;

    if (position > INT64_MAX - bytes)
        return reshard_error_set(error, RESHARD_EIO, "a position beyond 2^63");
    while (done < bytes) {
        const ssize_t got =
            pread(fd, (char *)buffer + done, bytes - done, (off_t)(position + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return reshard_error_set(error, RESHARD_EIO, "reading %zu bytes at %llu: %s", bytes,
                                     (unsigned long long)position,
                                     got ? strerror(errno) : "the file ends before them");
        done += (size_t)got;
    }
    return RESHARD_OK;
}

static enum reshard_status read_manifest(struct verify_checkpoint *checkpoint,
                                         struct reshard_error *error)
{
    struct stat about;
    char *text = NULL;
    int fd;
    struct reshard_error fault = RESHARD_ERROR_INIT;
    enum reshard_status status = open_in(checkpoint, "manifest.json", &fd, &fault);

    if (status == RESHARD_ENOENT)
        return reshard_error_set(error, status,
                                 "no manifest.json: no checkpoint, or a save that was cut short");
    if (status)
        return reshard_error_set(error, status, "manifest.json: %s", fault.text);
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode) || about.st_size > MANIFEST_MAX)
        status =
            reshard_error_set(error, RESHARD_EFORMAT,
                              "manifest.json: no regular file of at most %d bytes", MANIFEST_MAX);
    if (!status && !(text = malloc((size_t)about.st_size + 1)))
        status = reshard_error_set(error, RESHARD_ENOMEM, "no memory for the manifest");
    if (!status)
        status = read_all(fd, text, (size_t)about.st_size, 0, error);
    if (!status)
        status = verify_record_parse(checkpoint, text, (size_t)about.st_size, error);
    free(text);
    close(fd);
    return status;
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

    if (file < KEPT_OPEN && entry->fd < 0) {
        const enum reshard_status status = open_in(checkpoint, entry->name, &entry->fd, error);

        if (status)
            return status;
    }
    return verify_rankfile_decode(checkpoint, file, error);
}

enum reshard_status verify_checkpoint_read(const struct verify_checkpoint *checkpoint,
                                           uint32_t file, void *buffer, size_t bytes,
                                           uint64_t position, struct reshard_error *error)
{
    const struct verify_file *entry = &checkpoint->file[file];
    enum reshard_status status = RESHARD_OK;
    int fd = entry->fd;

    if (fd < 0)
        status = open_in(checkpoint, entry->name, &fd, error);
    if (!status)
        status = read_all(fd, buffer, bytes, position, error);
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
