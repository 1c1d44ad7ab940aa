#include "core/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Transfers of this size and more, wholly aligned, go past the page cache: 2.5 GB/s instead of 1.1
 * for four synced writers of one NVMe disk. */
enum { DIRECT_BYTES_MIN = 256 * 1024, DIRECT_ALIGNMENT = 4096 };

enum {
    MOUNT_BYTES_MAX = 16 * 1024
}; /* of a line about a mount: two paths, and a page of options */

struct posix_file {
    struct store_file file; /* base, first */
    int fd;
    int direct;    /* the same file opened with O_DIRECT, or -1 */
    bool unsynced; /* something was written that no sync has made durable */
};

static enum reshard_status failed(struct reshard_error *error, int code, const char *what,
                                  const char *path)
{
    enum reshard_status status = RESHARD_EIO;

    if (code == ENOENT || code == ENOTDIR)
        status = RESHARD_ENOENT;
    else if (code == EEXIST || code == ENOTEMPTY)
        status = RESHARD_EEXIST;
    else if (code == ENOSPC || code == EDQUOT)
        status = RESHARD_ENOSPC;
    else if (code == ENOMEM)
        status = RESHARD_ENOMEM;
    return reshard_error_set(error, status, "%s: cannot %s: %s", path, what, strerror(code));
}

/* A signal handler of the program's own is no reason to fail. */
static int open_again(const char *path, int flags)
{
    int fd;

    do
        fd = open(path, flags | O_CLOEXEC, 0666);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static enum reshard_status not_regular(const char *path, struct reshard_error *error)
{
    return reshard_error_set(error, RESHARD_EFORMAT, "%s: is not a regular file", path);
}

/* A descriptor of a regular file. Links are not followed, and opening does not wait for the other
 * end of a pipe: what is no regular file is refused before anything else is done with it. */
static enum reshard_status open_regular(const char *path, enum store_mode mode, int *fd,
                                        struct reshard_error *error)
{
    const int flags = mode == STORE_READ     ? O_RDONLY
                      : mode == STORE_CREATE ? O_RDWR | O_CREAT | O_EXCL
                                             : O_RDWR;
    struct stat info = {0};
    int code;

    *fd = open_again(path, flags | O_NOFOLLOW | O_NONBLOCK);
    code = *fd < 0 || fstat(*fd, &info) ? errno : 0;
    if (code == 0 && S_ISREG(info.st_mode))
        return RESHARD_OK;
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    if (code == 0 || ((code == ELOOP || code == ENXIO || code == EISDIR) &&
                      lstat(path, &info) == 0 && !S_ISREG(info.st_mode)))
        return not_regular(path, error);
    return failed(error, code, mode == STORE_CREATE ? "create" : "open", path);
}

static enum reshard_status posix_open(struct store *store, const char *path, enum store_mode mode,
                                      struct store_file **out, struct reshard_error *error)
{
    struct posix_file *file = calloc(1, sizeof *file);
    char *copy = strdup(path);
    enum reshard_status status = file && copy ? RESHARD_OK : RESHARD_ENOMEM;

    *out = NULL;
    if (!status)
        status = open_regular(path, mode, &file->fd, error);
    if (status) {
        free(copy);
        free(file);
        return status;
    }
    file->file = (struct store_file){store->ops, copy};
    /* Some file systems (tmpfs) refuse O_DIRECT: then the page cache serves. */
    file->direct = mode == STORE_READ ? -1 : open_again(path, O_WRONLY | O_DIRECT | O_NOFOLLOW);
    *out = &file->file;
    return RESHARD_OK;
}

static enum reshard_status posix_allocate(struct store_file *base, uint64_t bytes,
                                          struct reshard_error *error)
{
    const struct posix_file *file = (const struct posix_file *)base;
    int done;

    if (bytes > INT64_MAX)
        return reshard_error_set(error, RESHARD_EOVERFLOW, "%s: too large", base->path);
    if (bytes == 0)
        return RESHARD_OK;
    do
        done = fallocate(file->fd, 0, 0, (off_t)bytes);
    while (done && errno == EINTR);
    if (done == 0)
        return RESHARD_OK;
    if (errno == EOPNOTSUPP && ftruncate(file->fd, (off_t)bytes) == 0)
        return RESHARD_OK;
    return failed(error, errno, "reserve space", base->path);
}

static bool is_direct(const struct posix_file *file, uint64_t offset, const void *data,
                      uint64_t bytes)
{
    return file->direct >= 0 && bytes >= DIRECT_BYTES_MIN &&
           (offset | bytes | (uintptr_t)data) % DIRECT_ALIGNMENT == 0;
}

static enum reshard_status posix_write(struct store_file *base, uint64_t offset, const void *data,
                                       uint64_t bytes, struct reshard_error *error)
{
    struct posix_file *file = (struct posix_file *)base;
    const char *next = data;

    file->unsynced = true;
    while (bytes > 0) {
        const int fd = is_direct(file, offset, next, bytes) ? file->direct : file->fd;
        const size_t part = bytes < SSIZE_MAX / 2 ? (size_t)bytes : SSIZE_MAX / 2;
        const ssize_t done = pwrite(fd, next, part, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        /* Larger sectors than ours, or a file system that took the flag but not the write. */
        if (done < 0 && errno == EINVAL && fd == file->direct) {
            close(file->direct);
            file->direct = -1;
            continue;
        }
        if (done <= 0)
            return failed(error, done < 0 ? errno : ENOSPC, "write", base->path);
        next += done;
        offset += (uint64_t)done;
        bytes -= (uint64_t)done;
    }
    return RESHARD_OK;
}

static enum reshard_status posix_read(struct store_file *base, uint64_t offset, void *data,
                                      uint64_t bytes, struct reshard_error *error)
{
    const struct posix_file *file = (const struct posix_file *)base;
    char *next = data;

    while (bytes > 0) {
        const size_t part = bytes < SSIZE_MAX / 2 ? (size_t)bytes : SSIZE_MAX / 2;
        const ssize_t done = pread(file->fd, next, part, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return failed(error, errno, "read", base->path);
        if (done == 0)
            return reshard_error_set(error, RESHARD_EFORMAT,
                                     "%s: ends at byte %" PRIu64 ", %" PRIu64
                                     " bytes short of what should be read",
                                     base->path, offset, bytes);
        next += done;
        offset += (uint64_t)done;
        bytes -= (uint64_t)done;
    }
    return RESHARD_OK;
}

static enum reshard_status posix_size(struct store_file *base, uint64_t *out,
                                      struct reshard_error *error)
{
    const struct posix_file *file = (const struct posix_file *)base;
    struct stat info;

    if (fstat(file->fd, &info))
        return failed(error, errno, "examine", base->path);
    *out = (uint64_t)info.st_size;
    return RESHARD_OK;
}

static int sync_again(int fd)
{
    int done;

    do
        done = fsync(fd);
    while (done && errno == EINTR);
    return done;
}

static enum reshard_status posix_sync(struct store_file *base, struct reshard_error *error)
{
    struct posix_file *file = (struct posix_file *)base;

    if (sync_again(file->fd))
        return failed(error, errno, "sync", base->path);
    file->unsynced = false;
    return RESHARD_OK;
}

/*
 * Never closed again: the descriptor is gone, and its number may be another thread's by now. What
 * was synced cannot be lost any more, whatever interrupts the closing.
 */
static int close_once(int fd, bool unsynced)
{
    return close(fd) && (errno != EINTR || unsynced) ? -1 : 0;
}

static enum reshard_status posix_close(struct store_file *base, struct reshard_error *error)
{
    struct posix_file *file = (struct posix_file *)base;
    enum reshard_status status = RESHARD_OK;

    if (file->direct >= 0 && close_once(file->direct, file->unsynced))
        status = failed(error, errno, "close", base->path);
    if (close_once(file->fd, file->unsynced) && !status)
        status = failed(error, errno, "close", base->path);
    free(base->path);
    free(file);
    return status;
}

/* What mounts say whose locks only the processes of one node see. */
static bool locks_are_local(const char *mount)
{
    static const char *const words[] = {" - fuse",    " - beegfs",      " - 9p",
                                        "localflock", "local_lock=all", "local_lock=flock",
                                        ",nolock"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(mount, words[i]))
            return true;
    return false;
}

/* Whether a lock on this device is seen by all nodes, as far as its mount says (proc(5)). */
static bool locks_are_shared(dev_t device)
{
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    char wanted[32], line[MOUNT_BYTES_MAX];
    bool shared = true;

    snprintf(wanted, sizeof wanted, " %u:%u ", major(device), minor(device));
    while (mounts && shared && fgets(line, sizeof line, mounts))
        shared = !strstr(line, wanted) || !locks_are_local(line);
    if (mounts)
        fclose(mounts);
    return shared;
}

/* flock(), whose lock is the open file's: fcntl()'s are the process's, and ranks share one in
 * simulation. A child that inherits the descriptor keeps it, until it calls exec. */
static enum store_lock posix_lock(struct store_file *base)
{
    const struct posix_file *file = (const struct posix_file *)base;
    struct stat info;
    int done;

    do
        done = flock(file->fd, LOCK_EX | LOCK_NB);
    while (done && errno == EINTR);
    if (done)
        return errno == EWOULDBLOCK ? STORE_LOCK_HELD : STORE_LOCK_NONE;
    if (fstat(file->fd, &info) || !locks_are_shared(info.st_dev))
        return STORE_LOCK_NONE;
    return STORE_LOCKED;
}

static enum reshard_status posix_make_directory(struct store *store, const char *path,
                                                struct reshard_error *error)
{
    (void)store;
    return mkdir(path, 0777) ? failed(error, errno, "make directory", path) : RESHARD_OK;
}

static enum reshard_status posix_sync_directory(struct store *store, const char *path,
                                                struct reshard_error *error)
{
    const int fd = open_again(path, O_RDONLY | O_DIRECTORY);
    enum reshard_status status = RESHARD_OK;

    (void)store;
    if (fd < 0)
        return failed(error, errno, "open directory", path);
    if (sync_again(fd))
        status = failed(error, errno, "sync directory", path);
    close(fd);
    return status;
}

static enum reshard_status posix_rename(struct store *store, const char *from, const char *to,
                                        struct reshard_error *error)
{
    struct stat info;

    (void)store;
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return RESHARD_OK;
    /* Not every file system knows how to refuse in the same step: then look first. */
    if (errno != EINVAL && errno != ENOSYS)
        return failed(error, errno, "rename to", to);
    if (lstat(to, &info) == 0)
        return failed(error, EEXIST, "rename to", to);
    if (errno != ENOENT)
        return failed(error, errno, "rename to", to);
    return rename(from, to) ? failed(error, errno, "rename to", to) : RESHARD_OK;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    int done;

    do
        done = remove(path);
    while (done && errno == EINTR);
    return done && errno != ENOENT ? done : 0;
}

static enum reshard_status posix_remove(struct store *store, const char *path,
                                        struct reshard_error *error)
{
    (void)store;
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) && errno != ENOENT)
        return failed(error, errno, "remove", path);
    return RESHARD_OK;
}

static enum reshard_status posix_examine(struct store *store, const char *path,
                                         struct store_entry *out, struct reshard_error *error)
{
    struct stat info;

    (void)store;
    if (lstat(path, &info))
        return failed(error, errno == EACCES || errno == ELOOP ? ENOENT : errno, "examine", path);
    *out = (struct store_entry){.kind = S_ISREG(info.st_mode)   ? STORE_REGULAR
                                        : S_ISDIR(info.st_mode) ? STORE_DIRECTORY
                                                                : STORE_OTHER,
                                .bytes = (uint64_t)info.st_size,
                                .modified = (uint64_t)info.st_mtim.tv_sec * 1000000000 +
                                            (uint64_t)info.st_mtim.tv_nsec};
    return RESHARD_OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum reshard_status add_entry(char ***names, uint64_t *count, const char *name)
{
    char **grown = reallocarray(*names, *count + 1, sizeof *grown);

    if (!grown)
        return RESHARD_ENOMEM;
    *names = grown;
    grown[*count] = strdup(name);
    if (!grown[*count])
        return RESHARD_ENOMEM;
    (*count)++;
    return RESHARD_OK;
}

static enum reshard_status posix_list(struct store *store, const char *path, char ***names,
                                      uint64_t *count, struct reshard_error *error)
{
    DIR *directory = opendir(path);
    enum reshard_status status = RESHARD_OK;
    const struct dirent *entry;

    (void)store;
    *names = NULL;
    *count = 0;
    if (!directory)
        return failed(error, errno, "list", path);
    for (errno = 0; !status && (entry = readdir(directory)) != NULL; errno = 0)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            status = add_entry(names, count, entry->d_name);
    if (!status && errno)
        status = failed(error, errno, "list", path);
    closedir(directory);
    if (status) {
        store_names_free(*names, *count);
        *names = NULL;
        *count = 0;
    } else if (*count) {
        qsort(*names, *count, sizeof **names, compare_names);
    }
    return status;
}

struct store *store_posix(void)
{
    static const struct store_ops ops = {
        .open = posix_open,
        .allocate = posix_allocate,
        .write = posix_write,
        .read = posix_read,
        .size = posix_size,
        .sync = posix_sync,
        .close = posix_close,
        .lock = posix_lock,
        .make_directory = posix_make_directory,
        .sync_directory = posix_sync_directory,
        .rename = posix_rename,
        .remove = posix_remove,
        .examine = posix_examine,
        .list = posix_list,
    };
    static const struct store store = {&ops};

    return (struct store *)&store;
}
