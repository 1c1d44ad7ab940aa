/* Which checkpoint of a folder a job goes on from. */
#ifndef RESHARD_LATEST_H
#define RESHARD_LATEST_H

#include "core/store.h"
#include "parallel/group.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    RESHARD_LATEST_NAME_MAX = 256, /* of a directory, with the final zero */
    RESHARD_LATEST_TEXT_MAX = RESHARD_ERROR_TEXT_MAX,
};

/* The same on all ranks. */
struct reshard_latest {
    char name[RESHARD_LATEST_NAME_MAX]; /* of the checkpoint's directory, in the root */
    uint64_t step;
    uint64_t fallbacks; /* checkpoints that would have come before it, and are damaged */
    char text[RESHARD_LATEST_TEXT_MAX]; /* which, and what is wrong with them; or "" */
};

/*
 * [collective] The checkpoint with the highest training step among the directories in `root`; of
 * equal steps the one whose manifest was written last. `store` NULL: POSIX files. In `root` may be
 *
 * - what is no checkpoint, because this process can reach no `manifest.json` in it (a file, a copy
 *   that has no manifest yet, a directory that it may not search, a link that leads nowhere): it is
 *   passed over;
 * - whole ones: the manifest is valid, and each file that it lists is there with its size (only the
 *   files of what would be taken are looked at);
 * - damaged ones: the manifest is not valid, or a file is missing, of another size or no regular
 *   file. The next one is taken, and this one counted as a fallback and named, if it would have
 *   come before; where the manifest does not say its step, if it was written later;
 * - one of a version that this release does not read: EFORMAT, naming it, whatever else is there;
 * - one that storage fails to give (EIO): that error. It may be the latest; an older one in its
 *   stead would lose work because of what may be over in a minute.
 *
 * ENOENT when there is no checkpoint at all; EFORMAT, naming them, when all of them are damaged.
 * `out` is empty then.
 */
RESHARD_MUST_CHECK enum reshard_status reshard_latest_find(struct reshard_group *group,
                                                           struct store *store, const char *root,
                                                           struct reshard_latest *out,
                                                           struct reshard_error *error);

#ifdef __cplusplus
}
#endif

#endif
