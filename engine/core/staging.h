/*
 * A checkpoint directory on its way: everything is written into a hidden sibling, which one rename
 * makes visible.
 *
 * A staging directory belongs to one save alone: it is `.NAME.TOKEN.partial`, and no token is drawn
 * twice. Its file `token` holds the token and who made it. The rank that made it keeps that file
 * locked, so that others can tell that the save lives (core/leftover.h); each rank reads it back
 * through its own path, which proves that all of them write into one directory. Several jobs may
 * save under one name: the first to rename wins, and the others fail, because a rename never
 * replaces anything, and nobody removes or writes into a directory but with its own token in its
 * name.
 */
#ifndef RESHARD_STAGING_H
#define RESHARD_STAGING_H

#include "core/store.h"
#include "core/token.h"

/* A file's name has 255 bytes at most, and what is around NAME takes 42. */
enum { STAGING_NAME_MAX = 255 - 42 };

struct staging {
    char *final;  /* the checkpoint's directory */
    char *parent; /* the directory that holds it */
    char *name;   /* its last part */
    char *path;   /* the staging directory; NULL before it is made, and once it is published */
    char token[RESHARD_TOKEN_BYTES];
    struct store_file *lock; /* of the rank that made it: the file `token` */
};

#define STAGING_INIT                                                                               \
    {                                                                                              \
        NULL, NULL, NULL, NULL, "", NULL                                                           \
    }

/* Local. Take the path apart: "a/b/" is "b" in "a". EINVAL for one that does not end in a name, or
 * in one that begins with a dot, because such names are hidden from readers, or that is too long.
 */
RESHARD_MUST_CHECK enum reshard_status staging_open(struct staging *out, const char *directory,
                                                    struct reshard_error *error);

/* Local, one rank: EEXIST when anything is there under the checkpoint's name, a link to nowhere,
 * too. */
RESHARD_MUST_CHECK enum reshard_status
staging_check(const struct staging *staging, struct store *store, struct reshard_error *error);

/* Local, one rank: make the directory with its token, and lock it. EEXIST when that token cannot be
 * had, because its name is taken or somebody took the directory for a leftover before it was
 * locked: try another. */
RESHARD_MUST_CHECK enum reshard_status staging_make(struct staging *staging, struct store *store,
                                                    const char token[RESHARD_TOKEN_BYTES],
                                                    struct reshard_error *error);

/* Local, every rank: that the directory under this rank's path is the one with that token.
 * EMISMATCH when it is not, or is not there: on NFS perhaps not yet. Can be tried again. */
RESHARD_MUST_CHECK enum reshard_status staging_join(struct staging *staging, struct store *store,
                                                    const char token[RESHARD_TOKEN_BYTES],
                                                    struct reshard_error *error);

/*
 * Local, one rank, once all that is in it is durable: sync the directory, rename it, sync its
 * parent. A rename that is reported to have failed did not if our token is there under the final
 * name. EUNKNOWN when the checkpoint is visible, but a power loss may take it because the last sync
 * failed; and when it cannot be told whether it is visible.
 */
RESHARD_MUST_CHECK enum reshard_status staging_publish(struct staging *staging, struct store *store,
                                                       struct reshard_error *error);

/* Local, one rank: remove what a failed save has written, if it has written anything. */
void staging_discard(struct staging *staging, struct store *store);

/* Local. Gives the lock up, too. */
void staging_close(struct staging *staging);

#endif
