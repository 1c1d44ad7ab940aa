/*
 * The derived index of a checkpoint: `index.h5`, in which h5dump and h5py show every full tensor by
 * name, as virtual datasets over the ranks' files (FORMAT.md, section 6). A view for people: no
 * part of the engine reads it, because HDF5 shows a fill value, silently, where a source is
 * missing.
 *
 * It is made in memory by libhdf5, which here alone has a part in the engine, and written through
 * the store: so no close of the library's can fail on a full disk, and nothing that it reads comes
 * from a file. Between its first and last call no other is made: simulated ranks share the process,
 * and the library's state with it.
 */
#ifndef RESHARD_INDEX_H
#define RESHARD_INDEX_H

#include "core/manifest.h"
#include "core/store.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define INDEX_FILE "index.h5"

/*
 * Local. Make the index's bytes, in new memory which the caller frees, from the manifest and the
 * layout that it describes: the ranks' files are not opened. `name` is for messages. Equal
 * checkpoints give equal bytes. EINVAL when the layout is of another model; ENOMEM.
 */
RESHARD_MUST_CHECK enum reshard_status index_make(const char *name, const struct manifest *manifest,
                                                  const struct reshard_layout *layout, void **out,
                                                  size_t *bytes, struct reshard_error *error);

/*
 * Local. Make it, and put it into the checkpoint `directory`, durably, under a name of its own
 * first. One that is there is replaced. A failure leaves no index, or the one that was there.
 */
RESHARD_MUST_CHECK enum reshard_status index_write(struct store *store, const char *directory,
                                                   const struct manifest *manifest,
                                                   const struct reshard_layout *layout,
                                                   struct reshard_error *error);

#ifdef __cplusplus
}
#endif

#endif
