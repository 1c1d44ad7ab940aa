/*
 * Saving: every rank writes the pieces it owns, and the whole becomes visible by one rename, once
 * all ranks agree that their part is durable. A save that fails, and one that a crash cut short,
 * leave nothing that a reader can take for a checkpoint, and touch no checkpoint that exists.
 *
 * Digests are taken from memory while it streams to storage, before any byte has left. Replicas are
 * held against what their owners write before the checkpoint is published. The state is only read,
 * and must not change during the call.
 */
#ifndef RESHARD_SAVE_H
#define RESHARD_SAVE_H

#include "core/groups.h"
#include "core/notes.h"
#include "core/store.h"
#include "parallel/group.h"
#include "parallel/report.h"
#include "parallel/state.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a save does when replicas do not hold the same. A certain replica's copy wins by the
 * layout's `owner`. */
enum reshard_replicas {
    RESHARD_REPLICAS_REFUSE, /* EMISMATCH, naming tensor and rank; nothing is saved */
    RESHARD_REPLICAS_WARN,   /* the owners' copies are saved; the report counts the tensors */
};

/* Zero is the default throughout; equal on all ranks, but for the store. */
struct reshard_save_options {
    uint64_t step;       /* training step of the state */
    struct store *store; /* NULL: POSIX files */
    bool index; /* write index.h5, too (core/index.h): the view for people and their tools */
    enum reshard_replicas replicas;
    const struct reshard_groups *groups; /* the optimizer's param groups and entries, equal on all
                                            ranks; NULL: none are saved */
    const struct reshard_note *note;     /* what to write into the manifest besides */
    uint64_t note_count;
};

/*
 * [collective] Save the whole state as the checkpoint directory `directory`, which must not exist
 * (EEXIST) while its parent must. Directory and options are equal on all ranks. TRANSIENT buffers
 * are left out. EMISMATCH: the ranks' models, layouts or groups differ, replicas do, a slot is
 * absent on some of those that hold it, or a tie's two names do not hold the same. EINVAL: what
 * is saved has no memory, or a member of the groups is no parameter of the model. EUNKNOWN: the
 * checkpoint is visible, but the last sync failed. `report` may be NULL.
 */
RESHARD_MUST_CHECK enum reshard_status
reshard_save(struct reshard_group *group, const struct reshard_state *state, const char *directory,
             const struct reshard_save_options *options, struct reshard_report *report,
             struct reshard_error *error);

#ifdef __cplusplus
}
#endif

#endif
