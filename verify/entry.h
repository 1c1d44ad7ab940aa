/*
 * An entry of a checkpoint's directory, opened and read. All of them are regular files (FORMAT.md
 * section 1): whatever else stands in the place of one is refused by what it is, before a byte of
 * it is asked for, and no link is followed. How the directory itself was reached does not matter.
 * Local.
 */
#ifndef VERIFY_ENTRY_H
#define VERIFY_ENTRY_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

/* Open an entry for reading, and its size; *fd is the caller's to close, -1 after failure. ENOENT
 * where there is none, EFORMAT for what is no regular file, EIO where storage refuses: that says
 * nothing about the file. The error names no file. */
RESHARD_MUST_CHECK enum reshard_status verify_entry_open(const char *directory, const char *name,
                                                         int *fd, uint64_t *bytes,
                                                         struct reshard_error *error);

/* Read exactly these bytes. EIO, also where the file ends before them. */
RESHARD_MUST_CHECK enum reshard_status verify_entry_read(int fd, void *buffer, size_t bytes,
                                                         uint64_t position,
                                                         struct reshard_error *error);

#endif
