/*
 * The verifier's use of libhdf5: files that may be made to break it are opened read-only and looked
 * at without following a link out of them. All of it happens in a child (ordinary.h), whose one
 * thread calls the library; nothing else of the verifier does.
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

/* Open a file of a directory, without a lock: whoever else has it open says nothing about it. The
 * file, for H5Fclose(), or a negative number when HDF5 cannot open it. */
hid_t verify_h5_open(const char *directory, const char *name);

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
