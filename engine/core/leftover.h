/*
 * What saves that were cut short have left: directories `.NAME.TOKEN.partial` whose save is dead.
 *
 * A save that lives holds the lock of the file `token` in its directory. Whoever can take that lock
 * knows that the save is dead, and holds it while the directory goes. Where storage has no locks
 * that all nodes see, the owner is asked for whom the file names (core/owner.h); an owner that
 * cannot be asked from here may live, and what it left is never removed. A directory without a
 * `token` is of a save that died before it had one, or is about to make it: who makes it first has
 * the directory.
 */
#ifndef RESHARD_LEFTOVER_H
#define RESHARD_LEFTOVER_H

#include "core/store.h"

#include <stdbool.h>

#define TOKEN_FILE "token"

enum leftover_state {
    LEFTOVER_DEAD,
    LEFTOVER_LIVES,   /* its save is under way */
    LEFTOVER_UNKNOWN, /* it cannot be told */
};

struct leftover {
    char *name; /* of the directory */
    enum leftover_state state;
    uint64_t bytes;   /* of its files, where they were to be measured */
    bool removed;     /* it was there, and is gone */
    char reason[256]; /* why it is not removed, "" where it is, or could be */
};

struct leftovers {
    struct leftover *entry;
    uint64_t count;
};

#define LEFTOVERS_INIT                                                                             \
    {                                                                                              \
        NULL, 0                                                                                    \
    }

/* What to do with those that are found. */
struct leftovers_options {
    bool remove;  /* remove dead ones; otherwise nothing is changed */
    bool measure; /* add up their files' sizes, before that */
};

/* Local. Whether that is the name of a save's directory. */
bool leftover_is_name(const char *name);

/* Local. All in a directory, of whatever name, in the order of their names. What cannot be looked
 * at or removed is one that stays, with the reason; only a directory that cannot be listed, and
 * memory that runs out, are failures. `out` is to be released in any case. */
RESHARD_MUST_CHECK enum reshard_status leftovers_find(struct store *store, const char *directory,
                                                      struct leftovers_options options,
                                                      struct leftovers *out,
                                                      struct reshard_error *error);

/* Local. Append to an error what remains, with names, sizes and reasons; nothing when none does. */
void leftovers_append(const struct leftovers *leftovers, const char *directory,
                      struct reshard_error *error);

void leftovers_release(struct leftovers *leftovers);

#endif
