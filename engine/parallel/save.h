/*
 * Saving: every rank writes the pieces it owns, and the whole becomes visible by one rename, once
 * all ranks agree that their part is durable. A save that fails, and one that a crash cut short,
 * leave nothing that a reader can take for a checkpoint, and touch no checkpoint that exists.
 *
 * Digests are taken from memory while it streams to storage, before any byte has left. The state is
 * only read, and must not change during the call.
 */
#ifndef RESHARD_SAVE_H
#define RESHARD_SAVE_H

#include "core/store.h"
#include "parallel/group.h"
#include "parallel/state.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Zero is the default throughout. */
struct reshard_save_options {
    uint64_t step;       /* training step of the state; equal on all ranks */
    struct store *store; /* NULL: POSIX files */
    bool no_index;       /* leave index.h5 out; equal on all ranks */
};

/* What a save or a load did; the same on all ranks. */
struct reshard_report {
    uint64_t step;         /* of the state */
    uint64_t files;        /* ranks' files written, or distinct files read from */
    uint64_t bytes_unique; /* payload: all elements of all tensors concerned, once */
    uint64_t bytes_moved;  /* payload asked of the store, over all ranks, before alignment */
    uint64_t tensors;
};

/*
 * [collective] Save the whole state as the checkpoint directory `directory`, which must not exist
 * (EEXIST) while its parent must. Directory and options are equal on all ranks. `report` may be
 * NULL. EUNKNOWN: the checkpoint is visible, but the last sync failed.
 */
RESHARD_MUST_CHECK enum reshard_status
reshard_save(struct reshard_group *group, const struct reshard_state *state, const char *directory,
             const struct reshard_save_options *options, struct reshard_report *report,
             struct reshard_error *error);

#ifdef __cplusplus
}
#endif

#endif
