/*
 * Where bytes live: a table of file operations. The engine reaches storage through this table
 * alone, so that a simulated cluster, a full disk or a failing one is another table.
 *
 * To add a store: fill a struct store_ops, embed struct store as the first member of your own
 * struct, and run tests/test_store.c over it.
 *
 * Operations on names may meet a storage that did what was asked and lost the answer: then they
 * fail although it happened. Callers to whom that matters look (core/staging.c).
 *
 * All operations are local. They return EIO, ENOSPC, ENOENT, EEXIST or ENOMEM and describe the
 * failure, with the path, in `error`. A transfer moves all bytes asked for or fails; reading beyond
 * the end of a file is EFORMAT.
 */
#ifndef RESHARD_STORE_H
#define RESHARD_STORE_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct store;
struct store_file;

enum store_mode {
    STORE_READ,
    STORE_CREATE, /* write; EEXIST if it is there */
    STORE_WRITE,  /* write; ENOENT if it is not there */
};

/* What is at a path; a link is itself, not what it points to. */
enum store_kind {
    STORE_REGULAR,
    STORE_DIRECTORY,
    STORE_OTHER, /* a link, a pipe, a socket, a device */
};

struct store_entry {
    enum store_kind kind;
    uint64_t bytes;
    uint64_t modified; /* when it was last written, in nanoseconds of the storage's own clock */
};

enum store_lock {
    STORE_LOCKED,
    STORE_LOCK_HELD, /* by another, who lives */
    STORE_LOCK_NONE, /* there are no locks here that all nodes see: nothing is known */
};

struct store_ops {
    /* A regular file; anything else that is there is EFORMAT, unless it was to be created. */
    enum reshard_status (*open)(struct store *store, const char *path, enum store_mode mode,
                                struct store_file **out, struct reshard_error *error);
    /* Reserve the file's final size, so that a full disk shows before any data are written. */
    enum reshard_status (*allocate)(struct store_file *file, uint64_t bytes,
                                    struct reshard_error *error);
    enum reshard_status (*write)(struct store_file *file, uint64_t offset, const void *data,
                                 uint64_t bytes, struct reshard_error *error);
    enum reshard_status (*read)(struct store_file *file, uint64_t offset, void *data,
                                uint64_t bytes, struct reshard_error *error);
    enum reshard_status (*size)(struct store_file *file, uint64_t *out,
                                struct reshard_error *error);
    /* Make the file's bytes durable. */
    enum reshard_status (*sync)(struct store_file *file, struct reshard_error *error);
    /* Ends the file also when it fails; a failure means that earlier writes may be lost. */
    enum reshard_status (*close)(struct store_file *file, struct reshard_error *error);
    /* Take the file's lock, which ends with the file, or with the process; without waiting. For
     * files opened to be written. */
    enum store_lock (*lock)(struct store_file *file);
    enum reshard_status (*make_directory)(struct store *store, const char *path,
                                          struct reshard_error *error);
    /* Make the directory's entries durable. */
    enum reshard_status (*sync_directory)(struct store *store, const char *path,
                                          struct reshard_error *error);
    /* Atomic; EEXIST when `to` is there. */
    enum reshard_status (*rename)(struct store *store, const char *from, const char *to,
                                  struct reshard_error *error);
    /* A directory with all that is in it, or a file. Success when there is none. */
    enum reshard_status (*remove)(struct store *store, const char *path,
                                  struct reshard_error *error);
    /* ENOENT also where this process may not search the directories on the way, or links on it
     * lead nowhere: it can reach nothing there. */
    enum reshard_status (*examine)(struct store *store, const char *path, struct store_entry *out,
                                   struct reshard_error *error);
    /* Names in a directory, sorted bytewise, without "." and "..". Free with store_names_free. */
    enum reshard_status (*list)(struct store *store, const char *path, char ***names,
                                uint64_t *count, struct reshard_error *error);
};

struct store {
    const struct store_ops *ops;
};

/* A file knows its table and its path; implementations embed this first. */
struct store_file {
    const struct store_ops *ops;
    char *path;
};

/* The real thing: POSIX files; large aligned transfers bypass the page cache where the file system
 * lets them (O_DIRECT). Stateless, shared by all. */
struct store *store_posix(void);

/* Thin callers. `store_close` accepts NULL. */
RESHARD_MUST_CHECK enum reshard_status store_open(struct store *store, const char *path,
                                                  enum store_mode mode, struct store_file **out,
                                                  struct reshard_error *error);
RESHARD_MUST_CHECK enum reshard_status store_allocate(struct store_file *file, uint64_t bytes,
                                                      struct reshard_error *error);
RESHARD_MUST_CHECK enum reshard_status store_write(struct store_file *file, uint64_t offset,
                                                   const void *data, uint64_t bytes,
                                                   struct reshard_error *error);
RESHARD_MUST_CHECK enum reshard_status store_read(struct store_file *file, uint64_t offset,
                                                  void *data, uint64_t bytes,
                                                  struct reshard_error *error);
RESHARD_MUST_CHECK enum reshard_status store_size(struct store_file *file, uint64_t *out,
                                                  struct reshard_error *error);
RESHARD_MUST_CHECK enum reshard_status store_sync(struct store_file *file,
                                                  struct reshard_error *error);
RESHARD_MUST_CHECK enum reshard_status store_close(struct store_file *file,
                                                   struct reshard_error *error);
RESHARD_MUST_CHECK enum store_lock store_lock(struct store_file *file);
RESHARD_MUST_CHECK enum reshard_status store_make_directory(struct store *store, const char *path,
                                                            struct reshard_error *error);
RESHARD_MUST_CHECK enum reshard_status store_sync_directory(struct store *store, const char *path,
                                                            struct reshard_error *error);
RESHARD_MUST_CHECK enum reshard_status store_rename(struct store *store, const char *from,
                                                    const char *to, struct reshard_error *error);
RESHARD_MUST_CHECK enum reshard_status store_remove(struct store *store, const char *path,
                                                    struct reshard_error *error);
RESHARD_MUST_CHECK enum reshard_status store_examine(struct store *store, const char *path,
                                                     struct store_entry *out,
                                                     struct reshard_error *error);
RESHARD_MUST_CHECK enum reshard_status store_list(struct store *store, const char *path,
                                                  char ***names, uint64_t *count,
                                                  struct reshard_error *error);
void store_names_free(char **names, uint64_t count);

/* A whole small file: create, write, sync, close; and its reading, up to `limit` bytes, with a zero
 * byte appended. The caller frees *out. */
RESHARD_MUST_CHECK enum reshard_status store_write_file(struct store *store, const char *path,
                                                        const void *data, uint64_t bytes,
                                                        struct reshard_error *error);
RESHARD_MUST_CHECK enum reshard_status store_read_file(struct store *store, const char *path,
                                                       uint64_t limit, char **out, uint64_t *bytes,
                                                       struct reshard_error *error);

/* "directory/name" in new memory; NULL when there is none. */
char *store_path(const char *directory, const char *name);

#ifdef __cplusplus
}
#endif

#endif
