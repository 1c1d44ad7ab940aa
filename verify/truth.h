/*
 * A safetensors file as the source of true initial values, mapped read-only. The file is checked
 * whole when it is opened: header at most 100,000,000 bytes, valid JSON without duplicate names,
 * known dtypes, sizes that are those of the shapes, data without gap or overlap up to the last
 * byte. An opened file is immutable and may be shared by threads.
 */
#ifndef VERIFY_TRUTH_H
#define VERIFY_TRUTH_H

#include "verify/inventory.h"

struct verify_truth;

/* Local. ENOENT or EIO when the file cannot be read, EFORMAT for what is not such a file. */
RESHARD_MUST_CHECK enum reshard_status
verify_truth_open(struct verify_truth **out, const char *path, struct reshard_error *error);
void verify_truth_close(struct verify_truth *truth); /* accepts NULL */

/* Local. The bytes of the tensor of that name, row-major, borrowed until the close. ENOENT when the
 * file has none, EMISMATCH when it has one of another dtype or shape. */
RESHARD_MUST_CHECK enum reshard_status verify_truth_find(const struct verify_truth *truth,
                                                         const struct verify_tensor *tensor,
                                                         const unsigned char **data,
                                                         struct reshard_error *error);

#endif
