/*
 * `index.h5`, the derived view of a checkpoint (FORMAT.md section 6), held against the manifest and
 * the rank files: exactly the datasets that must be there, by hard links; their types, shapes and
 * attributes; and for each piece the mapping onto its arena, so that the view shows what is saved.
 *
 * No load reads the index; a fault in it is a fault all the same, because people do. To be called
 * in a child (ordinary.h): how mappings are kept has no checksum in HDF5 1.10, and libhdf5 crashes
 * or loops on damaged ones.
 */
#ifndef VERIFY_INDEX_H
#define VERIFY_INDEX_H

#include "verify/decoder.h"

#define VERIFY_INDEX_FILE "index.h5"

/* Judge the index, which is there, when the rank files are decoded; where one is not usable,
 * mappings are not judged. EFORMAT, naming the dataset, for the first thing that is not as
 * specified; EIO, ENOMEM. */
RESHARD_MUST_CHECK enum reshard_status
verify_index_judge(const struct verify_checkpoint *checkpoint, struct reshard_error *error);

#endif
