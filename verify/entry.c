#include "verify/entry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum reshard_status refused(int code, struct reshard_error *error)
{
    if (code == ENOENT)
        return reshard_error_set(error, RESHARD_ENOENT, "is missing");
    return reshard_error_set(error, RESHARD_EIO, "cannot be read: %s", strerror(code));
}

static enum reshard_status check_kind(mode_t mode, struct reshard_error *error)
{
    const char *kind = S_ISLNK(mode)    ? "a symbolic link"
                       : S_ISDIR(mode)  ? "a directory"
                       : S_ISFIFO(mode) ? "a FIFO"
                       : S_ISSOCK(mode) ? "a socket"
                                        : "a device";

    if (S_ISREG(mode))
        return RESHARD_OK;
    return reshard_error_set(error, RESHARD_EFORMAT, "is not a regular file, but %s", kind);
}

/* Looked at before it is opened, since opening a device can do something; and after, since another
 * may have come into its place. */
static enum reshard_status open_path(const char *path, int *fd, uint64_t *bytes,
                                     struct reshard_error *error)
{
    struct stat about;
    enum reshard_status status;

    if (lstat(path, &about) != 0)
        return refused(errno, error);
    status = check_kind(about.st_mode, error);
    if (status)
        return status;
    do
        *fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    while (*fd < 0 && errno == EINTR);
    if (*fd < 0 || fstat(*fd, &about) != 0)
        return refused(errno, error);
    *bytes = (uint64_t)about.st_size;
    return check_kind(about.st_mode, error);
}

enum reshard_status verify_entry_open(const char *directory, const char *name, int *fd,
                                      uint64_t *bytes, struct reshard_error *error)
{
    enum reshard_status status;
    char *path = NULL;

    *fd = -1;
    *bytes = 0;
    if (asprintf(&path, "%s/%s", directory, name) < 0)
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory for a path");
    status = open_path(path, fd, bytes, error);
    if (status && *fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    free(path);
    return status;
}

enum reshard_status verify_entry_read(int fd, void *buffer, size_t bytes, uint64_t position,
                                      struct reshard_error *error)
{
    size_t done = 0;

    if (bytes > INT64_MAX || position > INT64_MAX - bytes)
        return reshard_error_set(error, RESHARD_EIO, "a position beyond 2^63");
    while (done < bytes) {
        const ssize_t got =
            pread(fd, (char *)buffer + done, bytes - done, (off_t)(position + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return reshard_error_set(error, RESHARD_EIO, "reading %zu bytes at %llu: %s", bytes,
                                     (unsigned long long)position,
                                     got ? strerror(errno) : "the file ends before them");
        done += (size_t)got;
    }
    return RESHARD_OK;
}
