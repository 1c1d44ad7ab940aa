/*
 * `index.h5`, the derived view of a checkpoint (FORMAT.md section 6), held against the manifest and
 * the rank files: exactly the datasets that must be there, by hard links; their types, shapes and
 * attributes; and for each piece the mapping onto its arena, so that the view shows what is saved.
 *
 * No load reads the index; a fault in it is a fault all the same, because people do. libhdf5 may
 * crash on a damaged one, so it is read in a child process. Local.
 */
#ifndef VERIFY_INDEX_H
#define VERIFY_INDEX_H

#include "verify/decoder.h"

#define VERIFY_INDEX_FILE "index.h5"

/* Local. Call it when the rank files are decoded and no other thread is inside the verifier; where
 * one is not usable, mappings are not judged. OK also when there is no index. EFORMAT, naming the
 * dataset, for the first thing that is not as specified; EIO, ENOMEM. */
RESHARD_MUST_CHECK enum reshard_status
verify_index_check(const struct verify_checkpoint *checkpoint, struct reshard_error *error);

#endif
