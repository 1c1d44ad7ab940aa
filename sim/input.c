#include "sim/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *kind_of(mode_t mode)
{
    return S_ISDIR(mode)                    ? "a directory"
           : S_ISFIFO(mode)                 ? "a FIFO"
           : S_ISSOCK(mode)                 ? "a socket"
           : S_ISCHR(mode) || S_ISBLK(mode) ? "a device"
                                            : "something else";
}

/* A socket cannot be opened at all, and is named all the same. */
static enum reshard_status refuse_open(const char *path, int reason, struct reshard_error *error)
{
    struct stat about;
    if (reason == ENXIO && stat(path, &about) == 0 && !S_ISREG(about.st_mode))
        return reshard_error_set(error, RESHARD_EINVAL, "%s: is no regular file, but %s", path,
                                 kind_of(about.st_mode));
    return reshard_error_set(error, reason == ENOENT ? RESHARD_ENOENT : RESHARD_EIO,
                             "%s: cannot open: %s", path, strerror(reason));
}

enum reshard_status input_open(const char *path, FILE **out, struct reshard_error *error)
{
    struct stat about;
    int descriptor;
    *out = NULL;
    do
        descriptor = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    while (descriptor < 0 && errno == EINTR);
    if (descriptor < 0)
        return refuse_open(path, errno, error);
    enum reshard_status status = RESHARD_OK;
    if (fstat(descriptor, &about) != 0)
        status =
            reshard_error_set(error, RESHARD_EIO, "%s: cannot open: %s", path, strerror(errno));
    else if (!S_ISREG(about.st_mode))
        status = reshard_error_set(error, RESHARD_EINVAL, "%s: is no regular file, but %s", path,
                                   kind_of(about.st_mode));
    else if (!(*out = fdopen(descriptor, "r")))
        status = reshard_error_set(error, RESHARD_ENOMEM, "%s: out of memory", path);
    if (status != RESHARD_OK)
        (void)close(descriptor); /* nothing was written */
    return status;
}

/* Memory follows what is there, never what is allowed. */
static enum reshard_status read_stream(FILE *file, const char *path, size_t limit, char **text,
                                       size_t *bytes, struct reshard_error *error)
{
    size_t capacity = 0;
    for (;;) {
        if (*bytes == capacity) {
            capacity = capacity ? 2 * capacity : (size_t)16 << 10;
            char *grown = realloc(*text, capacity + 1);
            if (!grown)
                return reshard_error_set(error, RESHARD_ENOMEM, "%s: out of memory", path);
            *text = grown;
        }
        const size_t got = fread(*text + *bytes, 1, capacity - *bytes, file);
        *bytes += got;
        if (*bytes > limit)
            return reshard_error_set(error, RESHARD_EINVAL, "%s: larger than %zu MiB", path,
                                     limit >> 20);
        if (ferror(file))
            return reshard_error_set(error, RESHARD_EIO, "%s: cannot read: %s", path,
                                     strerror(errno));
        if (got == 0)
            break;
    }
    (*text)[*bytes] = '\0';
    return RESHARD_OK;
}

enum reshard_status input_read(const char *path, size_t limit, char **text, size_t *bytes,
                               struct reshard_error *error)
{
    FILE *file = NULL;
    *text = NULL;
    *bytes = 0;
    enum reshard_status status = input_open(path, &file, error);
    if (status != RESHARD_OK)
        return status;
    status = read_stream(file, path, limit, text, bytes, error);
    (void)fclose(file); /* nothing was written */
    if (status != RESHARD_OK) {
        free(*text);
        *text = NULL;
    }
    return status;
}
