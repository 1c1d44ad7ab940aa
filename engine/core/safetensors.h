/*
 * Reading safetensors files: an eight-byte header length, a JSON header that maps names to dtype,
 * shape and byte range, then the bytes, row-major and little-endian, without holes.
 *
 * A file is checked completely before anything of it is used, as the format's own reader does
 * (safetensors/src/tensor.rs) and more strictly where that one is lenient: duplicate names, unknown
 * dtypes, overlapping or gapped ranges, sizes that do not match shapes, trailing bytes are refused.
 */
#ifndef RESHARD_SAFETENSORS_H
#define RESHARD_SAFETENSORS_H

#include "core/box.h"
#include "core/dtype.h"

#include <stdbool.h>
#include <stddef.h>

struct safetensors_entry {
    const char *name;
    enum reshard_dtype dtype;
    struct reshard_shape shape; /* in elements; of F4 an element is a pair of values, so that the
                                   last dimension is half of what the file says */
    uint64_t offset;            /* of the tensor's first byte in the file */
    uint64_t bytes;
};

struct safetensors;

/* Local. What a file that begins so is known to be, to follow "FILE is …", with what would be
 * right; NULL: nothing is known. A safetensors file itself is none of these. */
const char *safetensors_mistaken(const void *head, size_t bytes);

/* Local. Whether a file that begins so is meant as a safetensors file: a length, then a JSON
 * object.
 */
bool safetensors_looks_right(const void *head, size_t bytes);

/* Local. Open and check. EFORMAT with the file, the tensor and the reason; ENOENT, EIO. */
RESHARD_MUST_CHECK enum reshard_status safetensors_open(struct safetensors **out, const char *path,
                                                        struct reshard_error *error);

/* Local. Entries by rising offset; names by rising bytes where offsets are equal (empty tensors).
 */
uint64_t safetensors_count(const struct safetensors *file);
const struct safetensors_entry *safetensors_entry(const struct safetensors *file, uint64_t index);

/* Local. The entry of that name, NULL when there is none. */
const struct safetensors_entry *safetensors_find(const struct safetensors *file, const char *name);

/* Local. Read `bytes` bytes of a tensor from its byte `begin`. EIO, or EFORMAT if the file shrank.
 */
RESHARD_MUST_CHECK enum reshard_status
safetensors_read(const struct safetensors *file, const struct safetensors_entry *entry,
                 uint64_t begin, void *buffer, uint64_t bytes, struct reshard_error *error);
void safetensors_close(struct safetensors *file); /* accepts NULL */

#endif
