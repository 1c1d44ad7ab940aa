/*
 * The process that owns something on storage, for where storage has no locks that could tell
 * whether it lives: its host, the host's boot, its id there, and when it started.
 */
#ifndef RESHARD_OWNER_H
#define RESHARD_OWNER_H

enum { OWNER_TEXT_MAX = 512 };

enum owner_state {
    OWNER_LIVES,
    OWNER_DEAD,
    OWNER_UNKNOWN, /* of another host, or of another container: it cannot be asked from here */
};

/* Local. This process, as one line without its newline. */
void owner_print(char out[OWNER_TEXT_MAX]);

/* Local. Of such a line: a process of this host and this boot that is gone, or that started at
 * another time, is dead; so is one of this host under another boot. */
enum owner_state owner_ask(const char *line);

#endif
