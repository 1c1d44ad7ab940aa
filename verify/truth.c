#include "verify/truth.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LENGTH_BYTES = 8, HEADER_MAX = 100000000 };

struct entry {
    struct verify_tensor tensor; /* its name belongs to the header */
    uint64_t begin;              /* in bytes after the header */
    uint64_t end;
};

struct verify_truth {
    char *path;
    unsigned char *map;
    size_t bytes;
    uint64_t data; /* where the data begin */
    json_t *header;
    struct entry *entry; /* by rising offset while checked, then by name */
    size_t entry_count;
};

static enum reshard_status map_file(struct verify_truth *truth, struct reshard_error *error)
{
    struct stat about;
    void *map;
    const int fd = open(truth->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return reshard_error_set(error, errno == ENOENT ? RESHARD_ENOENT : RESHARD_EIO, "%s: %s",
                                 truth->path, strerror(errno));
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        close(fd);
        return reshard_error_set(error, RESHARD_EFORMAT, "%s: not a regular file", truth->path);
    }
    if (about.st_size < LENGTH_BYTES + 2) {
        close(fd);
        return reshard_error_set(error, RESHARD_EFORMAT, "%s: too short for a safetensors file",
                                 truth->path);
    }
    truth->bytes = (size_t)about.st_size;
    map = mmap(NULL, truth->bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (map == MAP_FAILED)
        return reshard_error_set(error, RESHARD_EIO, "%s: %s", truth->path, strerror(errno));
    truth->map = map;
    return RESHARD_OK;
}

static enum reshard_status parse_header(struct verify_truth *truth, struct reshard_error *error)
{
    json_error_t fault;
    uint64_t length;

    memcpy(&length, truth->map, sizeof length);
    if (length > HEADER_MAX || length > truth->bytes - LENGTH_BYTES)
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "%s: a header of %llu bytes; it must lie in the file and have at "
                                 "most %d",
                                 truth->path, (unsigned long long)length, HEADER_MAX);
    if (length == 0 || truth->map[LENGTH_BYTES] != '{')
        return reshard_error_set(error, RESHARD_EFORMAT, "%s: the header does not begin with {",
                                 truth->path);
    truth->data = LENGTH_BYTES + length;
    truth->header = json_loadb((const char *)truth->map + LENGTH_BYTES, (size_t)length,
                               JSON_REJECT_DUPLICATES, &fault);
    if (!truth->header)
        return reshard_error_set(error, RESHARD_EFORMAT, "%s: header: %s", truth->path, fault.text);
    return RESHARD_OK;
}

static bool read_count(const json_t *value, uint64_t *out)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *out = (uint64_t)json_integer_value(value);
    return true;
}

static bool read_shape(const json_t *array, struct verify_tensor *tensor)
{
    if (!json_is_array(array) || json_array_size(array) > VERIFY_DIMS_MAX)
        return false;
    tensor->ndim = (uint32_t)json_array_size(array);
    for (uint32_t d = 0; d < tensor->ndim; ++d) {
        if (!read_count(json_array_get(array, d), &tensor->shape[d]))
            return false;
    }
    return true;
}

/* The file counts values of four bits, and an element is a byte of two along the last dimension. */
static bool pair_values(struct verify_tensor *tensor)
{
    if (tensor->ndim == 0 || tensor->shape[tensor->ndim - 1] % 2 != 0)
        return false;
    tensor->shape[tensor->ndim - 1] /= 2;
    return true;
}

/* What is wrong with one entry of the header, or NULL. */
static const char *read_entry(const char *name, const json_t *value, struct entry *out)
{
    const char *dtype = json_string_value(json_object_get(value, "dtype"));
    const json_t *offsets = json_object_get(value, "data_offsets");
    uint64_t elements;

    out->tensor.fqn = name;
    out->tensor.dtype = dtype ? reshard_dtype_from_safetensors(dtype) : RESHARD_DTYPE_NONE;
    if (out->tensor.dtype == RESHARD_DTYPE_NONE)
        return "has no known dtype";
    if (!read_shape(json_object_get(value, "shape"), &out->tensor))
        return "has no shape of at most 8 dimensions";
    if (out->tensor.dtype == RESHARD_DTYPE_F4_E2M1X2 && !pair_values(&out->tensor))
        return "is F4, of which two values are an element, and its last dimension is odd";
    if (!verify_tensor_measure(&out->tensor, &elements))
        return "is larger than 2^63 bytes";
    if (!json_is_array(offsets) || json_array_size(offsets) != 2 ||
        !read_count(json_array_get(offsets, 0), &out->begin) ||
        !read_count(json_array_get(offsets, 1), &out->end) || out->end < out->begin)
        return "has no data_offsets of a begin and an end";
    if (out->end - out->begin != elements * reshard_dtype_bytes(out->tensor.dtype))
        return "has data of another size than its shape and dtype";
    return NULL;
}

static enum reshard_status read_entries(struct verify_truth *truth, struct reshard_error *error)
{
    const char *name;
    json_t *value;

    truth->entry = calloc(json_object_size(truth->header) + 1, sizeof *truth->entry);
    if (!truth->entry)
        return reshard_error_set(error, RESHARD_ENOMEM, "%s: no memory for the header",
                                 truth->path);
    json_object_foreach(truth->header, name, value)
    {
        const char *fault;

        if (strcmp(name, "__metadata__") == 0)
            continue;
        fault = read_entry(name, value, &truth->entry[truth->entry_count]);
        if (fault)
            return reshard_error_set(error, RESHARD_EFORMAT, "%s: tensor %s %s", truth->path, name,
                                     fault);
        truth->entry_count += 1;
    }
    return RESHARD_OK;
}

static int by_offset(const void *a, const void *b)
{
    const struct entry *left = a;
    const struct entry *right = b;

    if (left->begin != right->begin)
        return left->begin < right->begin ? -1 : 1;
    return left->end < right->end ? -1 : left->end > right->end;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->tensor.fqn, ((const struct entry *)b)->tensor.fqn);
}

static enum reshard_status check_cover(struct verify_truth *truth, struct reshard_error *error)
{
    uint64_t position = 0;

    qsort(truth->entry, truth->entry_count, sizeof *truth->entry, by_offset);
    for (size_t i = 0; i < truth->entry_count; ++i) {
        if (truth->entry[i].begin != position)
            return reshard_error_set(error, RESHARD_EFORMAT,
                                     "%s: tensor %s begins at byte %llu of the data, not at %llu "
                                     "where the one before it ends",
                                     truth->path, truth->entry[i].tensor.fqn,
                                     (unsigned long long)truth->entry[i].begin,
                                     (unsigned long long)position);
        position = truth->entry[i].end;
    }
    if (position != truth->bytes - truth->data)
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "%s: %llu bytes of data, but the header describes %llu",
                                 truth->path, (unsigned long long)(truth->bytes - truth->data),
                                 (unsigned long long)position);
    qsort(truth->entry, truth->entry_count, sizeof *truth->entry, by_name);
    return RESHARD_OK;
}

enum reshard_status verify_truth_open(struct verify_truth **out, const char *path,
                                      struct reshard_error *error)
{
    struct verify_truth *truth = calloc(1, sizeof *truth);
    enum reshard_status status;

    *out = NULL;
    if (!truth || !(truth->path = strdup(path))) {
        free(truth);
        return reshard_error_set(error, RESHARD_ENOMEM, "%s: no memory", path);
    }
    status = map_file(truth, error);
    if (!status)
        status = parse_header(truth, error);
    if (!status)
        status = read_entries(truth, error);
    if (!status)
        status = check_cover(truth, error);
    if (status) {
        verify_truth_close(truth);
        return status;
    }
    *out = truth;
    return RESHARD_OK;
}

void verify_truth_close(struct verify_truth *truth)
{
    if (!truth)
        return;
    if (truth->map)
        munmap(truth->map, truth->bytes);
    json_decref(truth->header);
    free(truth->entry);
    free(truth->path);
    free(truth);
}

enum reshard_status verify_truth_find(const struct verify_truth *truth,
                                      const struct verify_tensor *tensor,
                                      const unsigned char **data, struct reshard_error *error)
{
    const struct entry wanted = {.tensor = *tensor};
    const struct entry *found =
        bsearch(&wanted, truth->entry, truth->entry_count, sizeof *truth->entry, by_name);

    *data = NULL;
    if (!found)
        return reshard_error_set(error, RESHARD_ENOENT, "%s: has no tensor %s", truth->path,
                                 tensor->fqn);
    if (found->tensor.dtype != tensor->dtype || found->tensor.ndim != tensor->ndim ||
        memcmp(found->tensor.shape, tensor->shape, tensor->ndim * sizeof tensor->shape[0]) != 0)
        return reshard_error_set(error, RESHARD_EMISMATCH,
                                 "%s: tensor %s has another dtype or shape than the model's",
                                 truth->path, tensor->fqn);
    *data = truth->map + truth->data + found->begin;
    return RESHARD_OK;
}
