/*
 * The head of a rank's file: the HDF5 metadata by which h5dump and h5py find what lies in it
 * (FORMAT.md, section 3), encoded here for that one form, because libhdf5 in a rank may end the
 * process, and needs a path of its own. Nothing of ours reads it back.
 *
 * The form is a superblock of version 2, and object headers of version 2 with compact links and
 * attributes, contiguous layouts, and no times: what "HDF5 File Format Specification" (version 3.0)
 * describes in its sections II.A, III and IV.A.
 */
#ifndef RESHARD_H5_HEAD_H
#define RESHARD_H5_HEAD_H

#include "core/trailer.h"

#include <stddef.h>

/* What an HDF5 file begins with. */
#define H5_HEAD_SIGNATURE "\x89HDF\r\n\x1a\n"

/* The head of a file with an arena of every dtype has about 5 KiB. */
enum { H5_HEAD_MAX = 16 * 1024, H5_HEAD_ALIGNMENT = 4096 };

/* Local. Bob Jenkins' lookup3 (hashlittle), by which HDF5 checks its metadata, of at least one
 * byte. */
uint32_t h5_head_checksum(const unsigned char *bytes, size_t count);

/*
 * Local. Encode the head, zero-padded, into `out`, of H5_HEAD_MAX bytes; returns its length, a
 * multiple of H5_HEAD_ALIGNMENT; 0 when there is no room, which no names that a model may have can
 * do. Equal arguments give equal bytes. The length follows from which
 * arenas there are and from the widths of names: it is the same before the places are known.
 */
uint64_t h5_head_encode(const struct container_identity *identity,
                        const struct container_offsets *offsets, unsigned char out[H5_HEAD_MAX]);

#endif
