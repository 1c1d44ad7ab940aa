#include "core/safetensors.h"

#include "core/json_read.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* MAX_HEADER_SIZE of safetensors/src/tensor.rs: decimal bytes, not MiB. */
enum { SAFETENSORS_LENGTH_BYTES = 8, SAFETENSORS_HEADER_MAX = 100000000 };

struct safetensors {
    char *path;
    int fd;
    uint64_t file_bytes;
    uint64_t data_offset; /* where the byte buffer begins */
    char *header;
    json_t *json; /* owns the entries' names */
    uint64_t count;
    struct safetensors_entry *entry;
    uint64_t *by_name; /* indices of entries by rising name */
};

static enum reshard_status read_all(const struct safetensors *file, uint64_t offset, void *buffer,
                                    uint64_t bytes, struct reshard_error *error)
{
    char *to = buffer;
    while (bytes > 0) {
        const ssize_t got = pread(file->fd, to, bytes, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return reshard_error_set(error, RESHARD_EIO, "%s: cannot read at byte %" PRIu64 ": %s",
                                     file->path, offset, strerror(errno));
        if (got == 0)
            return reshard_error_set(error, RESHARD_EFORMAT,
                                     "%s: ends at byte %" PRIu64
                                     ", though it was longer when it was opened",
                                     file->path, offset);
        to += got;
        offset += (uint64_t)got;
        bytes -= (uint64_t)got;
    }
    return RESHARD_OK;
}

static enum reshard_status open_file(struct safetensors *file, const char *path,
                                     struct reshard_error *error)
{
    struct stat status;
    file->path = strdup(path);
    if (!file->path)
        return reshard_error_set(error, RESHARD_ENOMEM, "%s: out of memory", path);
    do /* without waiting: the open of a FIFO would last until somebody writes */
        file->fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    while (file->fd < 0 && errno == EINTR);
    if (file->fd < 0)
        return reshard_error_set(error, errno == ENOENT ? RESHARD_ENOENT : RESHARD_EIO,
                                 "%s: cannot open: %s", path, strerror(errno));
    if (fstat(file->fd, &status) != 0)
        return reshard_error_set(error, RESHARD_EIO, "%s: cannot stat: %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return reshard_error_set(error, RESHARD_EFORMAT, "%s: is no regular file, but %s", path,
                                 S_ISDIR(status.st_mode)    ? "a directory"
                                 : S_ISFIFO(status.st_mode) ? "a FIFO"
                                                            : "a device");
    file->file_bytes = (uint64_t)status.st_size;
    return RESHARD_OK;
}

static uint64_t read_length(const unsigned char *raw)
{
    uint64_t length = 0;
    for (unsigned i = 0; i < SAFETENSORS_LENGTH_BYTES; i++)
        length |= (uint64_t)raw[i] << (8 * i);
    return length;
}

/* Whether the text begins so, capitals and spaces in front aside. */
static bool begins(const char *text, size_t bytes, const char *with)
{
    const size_t length = strlen(with);
    while (bytes > 0 && (*text == ' ' || (*text >= '\t' && *text <= '\r'))) {
        text++;
        bytes--;
    }
    return bytes >= length && strncasecmp(text, with, length) == 0;
}

const char *safetensors_mistaken(const void *head, size_t bytes)
{
    static const struct {
        const char *magic;
        size_t length;
        const char *name;
    } kinds[] = {
        {"PK\x03\x04", 4, "a ZIP archive, as torch.save() writes; save it as safetensors"},
        {"\x89HDF\r\n\x1a\n", 8, "an HDF5 file"},
        {"GGUF", 4, "a GGUF file"},
        {"\x1f\x8b", 2, "compressed by gzip; unpack it"},
        {"\x28\xb5\x2f\xfd", 4, "compressed by zstd; unpack it"},
        {"\x80\x02", 2, "a Python pickle; save it as safetensors"},
        {"\x80\x04", 2, "a Python pickle; save it as safetensors"},
    };
    if (begins(head, bytes, "version https://git-lfs.github.com/"))
        return "a Git LFS pointer; fetch the file itself (git lfs pull)";
    if (begins(head, bytes, "<!doctype html") || begins(head, bytes, "<html"))
        return "an HTML page; download the file itself";
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (bytes >= kinds[i].length && memcmp(head, kinds[i].magic, kinds[i].length) == 0)
            return kinds[i].name;
    return NULL;
}

bool safetensors_looks_right(const void *head, size_t bytes)
{
    const unsigned char *raw = head;
    return bytes > SAFETENSORS_LENGTH_BYTES && raw[SAFETENSORS_LENGTH_BYTES] == '{' &&
           read_length(raw) <= SAFETENSORS_HEADER_MAX;
}

/* What is wrong with how the file begins; what it is instead goes before what its first bytes would
 * claim. */
static enum reshard_status check_head(const struct safetensors *file, const unsigned char *head,
                                      size_t bytes, struct reshard_error *error)
{
    const char *other =
        safetensors_looks_right(head, bytes) ? NULL : safetensors_mistaken(head, bytes);
    if (other)
        return reshard_error_set(error, RESHARD_EFORMAT, "%s: is %s", file->path, other);
    if (bytes < SAFETENSORS_LENGTH_BYTES)
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "%s: has %" PRIu64 " bytes, but the header's length alone takes 8",
                                 file->path, file->file_bytes);
    const uint64_t length = read_length(head);
    if (length > SAFETENSORS_HEADER_MAX && bytes > SAFETENSORS_LENGTH_BYTES &&
        head[SAFETENSORS_LENGTH_BYTES] == '{')
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "%s: claims a header of %" PRIu64
                                 " bytes; the format allows at most %d",
                                 file->path, length, SAFETENSORS_HEADER_MAX);
    if (length > SAFETENSORS_HEADER_MAX)
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "%s: is no safetensors file: its first 8 bytes are no length of a "
                                 "header, which has at most %d bytes",
                                 file->path, SAFETENSORS_HEADER_MAX);
    if (length > file->file_bytes - SAFETENSORS_LENGTH_BYTES)
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "%s: truncated: claims a header of %" PRIu64
                                 " bytes, but only %" PRIu64 " follow its length",
                                 file->path, length, file->file_bytes - SAFETENSORS_LENGTH_BYTES);
    return RESHARD_OK;
}

/* Read the header's length and its bytes; every claim is held against the file's size first. */
static enum reshard_status read_header(struct safetensors *file, uint64_t *header_bytes,
                                       struct reshard_error *error)
{
    unsigned char head[64];
    const size_t bytes = file->file_bytes < sizeof(head) ? (size_t)file->file_bytes : sizeof(head);
    enum reshard_status status = read_all(file, 0, head, bytes, error);
    if (status == RESHARD_OK)
        status = check_head(file, head, bytes, error);
    if (status != RESHARD_OK)
        return status;
    *header_bytes = read_length(head);
    file->header = malloc(*header_bytes + 1);
    if (!file->header)
        return reshard_error_set(error, RESHARD_ENOMEM, "%s: out of memory", file->path);
    file->data_offset = SAFETENSORS_LENGTH_BYTES + *header_bytes;
    return read_all(file, SAFETENSORS_LENGTH_BYTES, file->header, *header_bytes, error);
}

/*
 * The header before it becomes a tree, which takes hundreds of bytes for two of a hostile text: a
 * tree of it is at most three deep (the tensors, one tensor, its lists), and each tensor takes the
 * bytes of its keys.
 */
static enum reshard_status check_form(const struct safetensors *file, uint64_t bytes,
                                      struct reshard_error *error)
{
    enum { ENTRY_BYTES_LEAST = 40, ENTRIES_ALLOWED = 16 };
    uint64_t depth = 0;
    uint64_t entries = 0;
    bool quoted = false;
    for (uint64_t i = 0; i < bytes; i++) {
        const char c = file->header[i];
        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
            continue;
        }
        quoted = c == '"';
        entries += depth == 1 && (c == '{' || c == '[');
        depth += c == '{' || c == '[';
        depth -= depth > 0 && (c == '}' || c == ']');
        if (depth > 3 || (depth > 2 && c == '{'))
            return reshard_error_set(error, RESHARD_EFORMAT,
                                     "%s: the header is nested deeper than that of a tensor",
                                     file->path);
    }
    if (entries > ENTRIES_ALLOWED && entries > bytes / ENTRY_BYTES_LEAST)
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "%s: the header has %" PRIu64
                                 " entries, and too few bytes for their dtypes and shapes",
                                 file->path, entries);
    return RESHARD_OK;
}

static enum reshard_status parse_header(struct safetensors *file, uint64_t header_bytes,
                                        struct reshard_error *error)
{
    if (header_bytes == 0 || file->header[0] != '{')
        return reshard_error_set(error, RESHARD_EFORMAT, "%s: the header must begin with '{'",
                                 file->path);
    enum reshard_status status = check_form(file, header_bytes, error);
    if (!status)
        status = json_read(&file->json, file->header, header_bytes, file->path, error);
    if (status)
        return status;
    free(file->header);
    file->header = NULL;
    return RESHARD_OK;
}

static enum reshard_status check_metadata(const struct safetensors *file, json_t *metadata,
                                          struct reshard_error *error)
{
    const char *key;
    json_t *value;
    if (!json_is_object(metadata))
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "%s: __metadata__ must map strings to strings", file->path);
    json_object_foreach(metadata, key, value)
    {
        if (!json_is_string(value))
            return reshard_error_set(error, RESHARD_EFORMAT,
                                     "%s: __metadata__ must map strings to strings, but the value "
                                     "of '%s' is not one",
                                     file->path, key);
    }
    return RESHARD_OK;
}

static enum reshard_status refuse(const struct safetensors *file, const char *name,
                                  const char *reason, struct reshard_error *error)
{
    return reshard_error_set(error, RESHARD_EFORMAT, "%s: tensor '%s': %s", file->path, name,
                             reason);
}

static enum reshard_status check_keys(const struct safetensors *file, const char *name,
                                      json_t *value, struct reshard_error *error)
{
    static const char *const required[] = {"dtype", "shape", "data_offsets"};
    const char *key;
    json_t *ignored;
    if (!json_is_object(value))
        return refuse(file, name, "must be an object with dtype, shape and data_offsets", error);
    for (unsigned i = 0; i < sizeof(required) / sizeof(required[0]); i++) {
        if (!json_object_get(value, required[i]))
            return reshard_error_set(error, RESHARD_EFORMAT, "%s: tensor '%s': has no %s",
                                     file->path, name, required[i]);
    }
    json_object_foreach(value, key, ignored)
    {
        if (strcmp(key, "dtype") != 0 && strcmp(key, "shape") != 0 &&
            strcmp(key, "data_offsets") != 0)
            return reshard_error_set(error, RESHARD_EFORMAT,
                                     "%s: tensor '%s': unknown key '%s'; known are dtype, shape "
                                     "and data_offsets",
                                     file->path, name, key);
    }
    return RESHARD_OK;
}

static enum reshard_status read_dtype(const struct safetensors *file, json_t *value,
                                      struct safetensors_entry *entry, struct reshard_error *error)
{
    const char *dtype = json_string_value(value);
    if (!dtype)
        return refuse(file, entry->name, "dtype must be a string", error);
    entry->dtype = reshard_dtype_from_safetensors(dtype);
    if (entry->dtype == RESHARD_DTYPE_NONE)
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "%s: tensor '%s': dtype '%s' is unknown; it is not guessed",
                                 file->path, entry->name, dtype);
    return RESHARD_OK;
}

/* A size or an offset: an integer from 0. JSON reals are refused, also when they are whole. */
static bool read_size(json_t *value, uint64_t *out)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *out = (uint64_t)json_integer_value(value);
    return true;
}

static enum reshard_status read_shape(const struct safetensors *file, json_t *value,
                                      struct safetensors_entry *entry, struct reshard_error *error)
{
    if (!json_is_array(value))
        return refuse(file, entry->name, "shape must be a list of sizes", error);
    if (json_array_size(value) > RESHARD_DIMS_MAX)
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "%s: tensor '%s': has %zu dimensions; at most %d are supported",
                                 file->path, entry->name, json_array_size(value), RESHARD_DIMS_MAX);
    entry->shape.ndim = (uint32_t)json_array_size(value);
    for (uint32_t d = 0; d < entry->shape.ndim; d++) {
        if (!read_size(json_array_get(value, d), &entry->shape.size[d]))
            return reshard_error_set(error, RESHARD_EFORMAT,
                                     "%s: tensor '%s': size %u of its shape is not an integer "
                                     "from 0",
                                     file->path, entry->name, d);
    }
    return RESHARD_OK;
}

/* The file counts values of four bits; two of them along the last dimension are an element. */
static enum reshard_status pair_values(const struct safetensors *file,
                                       struct safetensors_entry *entry, struct reshard_error *error)
{
    struct reshard_shape *shape = &entry->shape;
    if (entry->dtype != RESHARD_DTYPE_F4_E2M1X2)
        return RESHARD_OK;
    if (shape->ndim == 0 || shape->size[shape->ndim - 1] % 2 != 0)
        return refuse(file, entry->name,
                      "F4 packs two values into a byte, so its last dimension must be even", error);
    shape->size[shape->ndim - 1] /= 2;
    return RESHARD_OK;
}

static enum reshard_status read_range(const struct safetensors *file, json_t *value,
                                      struct safetensors_entry *entry, struct reshard_error *error)
{
    uint64_t begin = 0;
    uint64_t end = 0;
    if (!json_is_array(value) || json_array_size(value) != 2 ||
        !read_size(json_array_get(value, 0), &begin) || !read_size(json_array_get(value, 1), &end))
        return refuse(file, entry->name, "data_offsets must be two integers from 0", error);
    if (end < begin)
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "%s: tensor '%s': data_offsets end at %" PRIu64
                                 ", before they begin at %" PRIu64,
                                 file->path, entry->name, end, begin);
    if (end > file->file_bytes - file->data_offset)
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "%s: tensor '%s': data_offsets end at %" PRIu64
                                 ", but only %" PRIu64 " bytes of data follow the header",
                                 file->path, entry->name, end,
                                 file->file_bytes - file->data_offset);
    entry->offset = file->data_offset + begin;
    entry->bytes = end - begin;
    return RESHARD_OK;
}

static enum reshard_status check_bytes(const struct safetensors *file,
                                       const struct safetensors_entry *entry,
                                       struct reshard_error *error)
{
    char shape[256];
    uint64_t count = 0;
    uint64_t bytes = 0;
    if (reshard_shape_count(&entry->shape, &count) != RESHARD_OK ||
        __builtin_mul_overflow(count, reshard_dtype_bytes(entry->dtype), &bytes))
        return reshard_error_set(
            error, RESHARD_EFORMAT, "%s: tensor '%s': shape %s of %s is too large to represent",
            file->path, entry->name, reshard_shape_print(&entry->shape, shape, sizeof(shape)),
            reshard_dtype_safetensors(entry->dtype));
    if (bytes != entry->bytes)
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "%s: tensor '%s': data_offsets span %" PRIu64
                                 " bytes, but shape %s of %s takes %" PRIu64,
                                 file->path, entry->name, entry->bytes,
                                 reshard_shape_print(&entry->shape, shape, sizeof(shape)),
                                 reshard_dtype_safetensors(entry->dtype), bytes);
    return RESHARD_OK;
}

static enum reshard_status read_entry(const struct safetensors *file, const char *name,
                                      json_t *value, struct safetensors_entry *entry,
                                      struct reshard_error *error)
{
    entry->name = name;
    enum reshard_status status = check_keys(file, name, value, error);
    if (status == RESHARD_OK)
        status = read_dtype(file, json_object_get(value, "dtype"), entry, error);
    if (status == RESHARD_OK)
        status = read_shape(file, json_object_get(value, "shape"), entry, error);
    if (status == RESHARD_OK)
        status = pair_values(file, entry, error);
    if (status == RESHARD_OK)
        status = read_range(file, json_object_get(value, "data_offsets"), entry, error);
    return status == RESHARD_OK ? check_bytes(file, entry, error) : status;
}

static enum reshard_status read_entries(struct safetensors *file, struct reshard_error *error)
{
    const char *name;
    json_t *value;
    /* One more than needed, so that a header without tensors is no special case. */
    file->entry = calloc(json_object_size(file->json) + 1, sizeof(*file->entry));
    if (!file->entry)
        return reshard_error_set(error, RESHARD_ENOMEM, "%s: out of memory", file->path);
    json_object_foreach(file->json, name, value)
    {
        const enum reshard_status status =
            strcmp(name, "__metadata__") == 0
                ? check_metadata(file, value, error)
                : read_entry(file, name, value, &file->entry[file->count++], error);
        if (status != RESHARD_OK)
            return status;
    }
    return RESHARD_OK;
}

/* By offset; of those that begin together the empty ones come first, by name. */
static int compare_place(const void *a, const void *b)
{
    const struct safetensors_entry *left = a;
    const struct safetensors_entry *right = b;
    if (left->offset != right->offset)
        return left->offset < right->offset ? -1 : 1;
    if (left->bytes != right->bytes)
        return left->bytes < right->bytes ? -1 : 1;
    return strcmp(left->name, right->name);
}

/* The tensors must follow each other from the buffer's first byte to the file's last. */
static enum reshard_status check_contiguous(struct safetensors *file, struct reshard_error *error)
{
    uint64_t expected = file->data_offset;
    qsort(file->entry, file->count, sizeof(*file->entry), compare_place);
    for (uint64_t i = 0; i < file->count; i++) {
        const struct safetensors_entry *entry = &file->entry[i];
        if (entry->offset < expected)
            return reshard_error_set(
                error, RESHARD_EFORMAT, "%s: tensor '%s': overlaps '%s' by %" PRIu64 " bytes",
                file->path, entry->name, file->entry[i - 1].name, expected - entry->offset);
        if (entry->offset > expected)
            return reshard_error_set(error, RESHARD_EFORMAT,
                                     "%s: tensor '%s': begins after a gap of %" PRIu64
                                     " bytes that belong to no tensor",
                                     file->path, entry->name, entry->offset - expected);
        expected = entry->offset + entry->bytes;
    }
    if (expected != file->file_bytes)
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "%s: %" PRIu64 " trailing bytes belong to no tensor; the file "
                                 "should end at byte %" PRIu64,
                                 file->path, file->file_bytes - expected, expected);
    return RESHARD_OK;
}

static int compare_name(const void *a, const void *b, void *context)
{
    const struct safetensors_entry *entry = context;
    return strcmp(entry[*(const uint64_t *)a].name, entry[*(const uint64_t *)b].name);
}

static enum reshard_status index_names(struct safetensors *file, struct reshard_error *error)
{
    file->by_name = calloc(file->count + 1, sizeof(*file->by_name));
    if (!file->by_name)
        return reshard_error_set(error, RESHARD_ENOMEM, "%s: out of memory", file->path);
    for (uint64_t i = 0; i < file->count; i++)
        file->by_name[i] = i;
    qsort_r(file->by_name, file->count, sizeof(*file->by_name), compare_name, file->entry);
    return RESHARD_OK;
}

enum reshard_status safetensors_open(struct safetensors **out, const char *path,
                                     struct reshard_error *error)
{
    uint64_t header_bytes = 0;
    *out = NULL;
    struct safetensors *file = calloc(1, sizeof(*file));
    if (!file)
        return reshard_error_set(error, RESHARD_ENOMEM, "%s: out of memory", path);
    file->fd = -1;
    enum reshard_status status = open_file(file, path, error);
    if (status == RESHARD_OK)
        status = read_header(file, &header_bytes, error);
    if (status == RESHARD_OK)
        status = parse_header(file, header_bytes, error);
    if (status == RESHARD_OK)
        status = read_entries(file, error);
    if (status == RESHARD_OK)
        status = check_contiguous(file, error);
    if (status == RESHARD_OK)
        status = index_names(file, error);
    if (status != RESHARD_OK) {
        safetensors_close(file);
        return status;
    }
    *out = file;
    return RESHARD_OK;
}

uint64_t safetensors_count(const struct safetensors *file)
{
    return file->count;
}

const struct safetensors_entry *safetensors_entry(const struct safetensors *file, uint64_t index)
{
    return &file->entry[index];
}

const struct safetensors_entry *safetensors_find(const struct safetensors *file, const char *name)
{
    uint64_t begin = 0;
    uint64_t end = file->count;
    while (begin < end) {
        const uint64_t middle = begin + (end - begin) / 2;
        const struct safetensors_entry *entry = &file->entry[file->by_name[middle]];
        const int order = strcmp(name, entry->name);
        if (order == 0)
            return entry;
        if (order < 0)
            end = middle;
        else
            begin = middle + 1;
    }
    return NULL;
}

enum reshard_status safetensors_read(const struct safetensors *file,
                                     const struct safetensors_entry *entry, uint64_t begin,
                                     void *buffer, uint64_t bytes, struct reshard_error *error)
{
    if (begin > entry->bytes || bytes > entry->bytes - begin)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "%s: tensor '%s': bytes %" PRIu64 " and %" PRIu64
                                 " more were asked for, but it has %" PRIu64,
                                 file->path, entry->name, begin, bytes, entry->bytes);
    return read_all(file, entry->offset + begin, buffer, bytes, error);
}

void safetensors_close(struct safetensors *file)
{
    if (!file)
        return;
    if (file->fd >= 0)
        (void)close(file->fd);
    json_decref(file->json);
    free(file->header);
    free(file->entry);
    free(file->by_name);
    free(file->path);
    free(file);
}
