/*
 * The verifier's use of libhdf5: files that may be damaged are opened read-only, one at a time, and
 * looked at without following a link out of them. All of the verifier's HDF5 calls are made between
 * verify_h5_open() and verify_h5_close(): libhdf5 need not be built thread-safe, and in between it
 * prints nothing.
 *
 * Local. Functions that answer whether accept invalid handles, as HDF5's own do.
 */
#ifndef VERIFY_H5_H
#define VERIFY_H5_H

#include "core/dtype.h"

#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>

enum { VERIFY_H5_STRING_MAX = 64 };

/* An open file, and what to restore when it is closed. */
struct verify_h5 {
    hid_t file;
    H5E_auto2_t print;
    void *print_data;
};

/* Open a file, and wait for whoever has one open. The file, or a negative number when HDF5 cannot
 * open it; verify_h5_close() must follow in both cases, by the same thread. */
hid_t verify_h5_open(struct verify_h5 *out, const char *path);
void verify_h5_close(struct verify_h5 *h5);

/* Open an object by its hard link, in a group that was opened so; the caller closes it. No other
 * link is followed: it would have another object, or another file, speak for this one. */
hid_t verify_h5_dataset(hid_t parent, const char *path);
hid_t verify_h5_group(hid_t parent, const char *path);

/* Read an attribute: a fixed-length string, padded or terminated by zeros; one number of exactly
 * that type. */
bool verify_h5_string(hid_t object, const char *name, char value[VERIFY_H5_STRING_MAX + 1]);
bool verify_h5_number(hid_t object, const char *name, hid_t wanted, uint64_t *value);

/* Is this the HDF5 type that FORMAT.md has for a dtype? */
bool verify_h5_is_dtype(hid_t type, enum reshard_dtype dtype);

#endif
