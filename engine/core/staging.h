/*
 * A checkpoint directory on its way: everything is written into a hidden sibling, which one rename
 * makes visible.
 *
 * A staging directory belongs to one save alone. Two jobs may save under one name (a job that was
 * given up but is not dead, and its successor): each stages in `.NAME.K.partial` with the first
 * free K, the first to rename wins, and the other fails, because a rename never replaces anything.
 * What cut-short saves have left is removed only after a checkpoint of that name is there: from
 * then on nobody can publish it.
 */
#ifndef RESHARD_STAGING_H
#define RESHARD_STAGING_H

#include "core/store.h"

struct staging {
    char *final;  /* the checkpoint's directory */
    char *parent; /* the directory that holds it */
    char *name;   /* its last part */
    char *path;   /* the staging directory; NULL before it is made, and once it is published */
};

#define STAGING_INIT                                                                               \
    {                                                                                              \
        NULL, NULL, NULL, NULL                                                                     \
    }

/* Local. Take the path apart: "a/b/" is "b" in "a". EINVAL for one that does not end in a name, or
 * in one that begins with a dot: such names are hidden from readers. */
RESHARD_MUST_CHECK enum reshard_status staging_open(struct staging *out, const char *directory,
                                                    struct reshard_error *error);

/* Local, one rank: make the directory and tell its number. EEXIST when the checkpoint is there. */
RESHARD_MUST_CHECK enum reshard_status staging_make(struct staging *staging, struct store *store,
                                                    uint64_t *number, struct reshard_error *error);

/* Local, the other ranks: the directory that one rank made. */
RESHARD_MUST_CHECK enum reshard_status staging_join(struct staging *staging, uint64_t number);

/* Local, one rank, once all that is in it is durable: sync the directory, rename it, sync its
 * parent, remove leftovers. EUNKNOWN when only the last sync failed: visible, but a power loss may
 * take it. */
RESHARD_MUST_CHECK enum reshard_status staging_publish(struct staging *staging, struct store *store,
                                                       struct reshard_error *error);

/* Local, one rank: remove what a failed save has written, if it has written anything. */
void staging_discard(struct staging *staging, struct store *store);
void staging_close(struct staging *staging);

#endif
