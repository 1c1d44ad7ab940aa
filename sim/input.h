/*
 * Files that people name: opened without waiting, and looked at before they are read. What is no
 * regular file (a FIFO, on which an open would wait for ever; a device; a directory) is refused by
 * what it is, and a file that holds something else than was meant is named by its content.
 *
 * All functions are local.
 */
#ifndef RESHARD_SIM_INPUT_H
#define RESHARD_SIM_INPUT_H

#include "core/status.h"

#include <stddef.h>
#include <stdio.h>

/* Open a regular file for reading. ENOENT or EIO when it cannot be opened, EINVAL when it is no
 * regular file, ENOMEM; the error's text begins with the path. The caller closes `*out`. */
RESHARD_MUST_CHECK enum reshard_status input_open(const char *path, FILE **out,
                                                  struct reshard_error *error);

/* Read a whole one of at most `limit` bytes, a whole number of MiB, with a zero byte appended. The
 * caller frees `*text`. Errors as above, and EINVAL when it is larger. */
RESHARD_MUST_CHECK enum reshard_status input_read(const char *path, size_t limit, char **text,
                                                  size_t *bytes, struct reshard_error *error);

#endif
