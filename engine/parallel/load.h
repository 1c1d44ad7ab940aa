/*
 * Loading: any checkpoint onto any layout, at any world size. Each rank reads, of the files that
 * hold them, the elements that it has under its own layout, into its own memory, and nothing else.
 *
 * Nothing is believed: every rank proves before reading that its boxes are covered exactly once;
 * every file is held against the manifest and against the layout's formula; and afterwards the
 * digests of what is in memory are held against those recorded from memory at the save, for each
 * replica set. Whatever fails, all ranks return the same status. Memory that was to be loaded is
 * unspecified after a failure; nothing else is touched.
 */
#ifndef RESHARD_LOAD_H
#define RESHARD_LOAD_H

#include "core/manifest.h"
#include "core/store.h"
#include "parallel/group.h"
#include "parallel/save.h"
#include "parallel/state.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Zero is the default throughout. */
struct reshard_load_options {
    enum reshard_part part; /* equal on all ranks */
    struct store *store;    /* NULL: POSIX files */
};

/*
 * [collective] Load a part of the checkpoint `directory` into the state's memory. Names, shapes and
 * dtypes of the part must be those of the checkpoint: EMISMATCH lists every tensor that is missing,
 * unexpected, or differs. EFORMAT, ECOVER, EDIGEST: the checkpoint is damaged, and the text names
 * file and tensor. ENOENT: `directory` holds no manifest. `report` may be NULL.
 */
RESHARD_MUST_CHECK enum reshard_status
reshard_load(struct reshard_group *group, struct reshard_state *state, const char *directory,
             const struct reshard_load_options *options, struct reshard_report *report,
             struct reshard_error *error);

/* [collective] Read a checkpoint's manifest once and give it to every rank; the caller releases it.
 */
RESHARD_MUST_CHECK enum reshard_status
reshard_manifest_read(struct reshard_group *group, struct store *store, const char *directory,
                      struct manifest *out, struct reshard_error *error);

/*
 * [collective] The checkpoint with the highest training step among the directories in `root`, the
 * one whose manifest was written last where steps are equal. Directories without a valid manifest
 * are passed over; one that cannot be read is an error. `name` has `size` bytes (EOVERFLOW if they
 * do not suffice). ENOENT when there is none.
 */
RESHARD_MUST_CHECK enum reshard_status reshard_latest_find(struct reshard_group *group,
                                                           struct store *store, const char *root,
                                                           char *name, uint64_t size,
                                                           struct reshard_error *error);

#ifdef __cplusplus
}
#endif

#endif
