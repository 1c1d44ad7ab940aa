/*
 * The derived index of a checkpoint: `index.h5`, in which h5dump and h5py show every full tensor by
 * name, as virtual datasets over the ranks' files (FORMAT.md, section 6). A view for people: no
 * part of the engine reads it, because HDF5 shows a fill value, silently, where a source is
 * missing.
 */
#ifndef RESHARD_INDEX_H
#define RESHARD_INDEX_H

#include "core/manifest.h"

#define INDEX_FILE "index.h5"

/* Beyond these, opening the index gets slow; the caller leaves it out and it is made on request. */
enum { INDEX_MAPPINGS_MAX = 1000000, INDEX_FILES_MAX = 1000 };

/* Local. Whether a checkpoint is small enough to be given an index by default. */
bool index_is_affordable(const struct reshard_layout *layout);

/*
 * Local. Write the index to `path`, which must not exist, from the manifest and the layout it
 * describes: the ranks' files are not opened. Not synced. Equal checkpoints give equal bytes.
 * EEXIST; EINVAL when the layout is of another model; a failure leaves no file behind.
 */
RESHARD_MUST_CHECK enum reshard_status index_write(const char *path,
                                                   const struct manifest *manifest,
                                                   const struct reshard_layout *layout,
                                                   struct reshard_error *error);

#endif
