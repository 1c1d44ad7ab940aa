/*
 * What became of a call: one status for every function of the engine, and, beside it, an optional
 * text that names the file, tensor or rank concerned.
 *
 * The engine prints nothing. Whoever detects a fault describes it once, with reshard_error_set(),
 * in a struct that the caller owns; everybody above only passes the status on. The order of the
 * statuses is their severity: when ranks fail differently, all of them return the highest.
 */
#ifndef RESHARD_STATUS_H
#define RESHARD_STATUS_H

#include <stdarg.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RESHARD_MUST_CHECK __attribute__((warn_unused_result))

#define RESHARD_STATUS_MAP(X)                                                                      \
    X(OK, "success")                                                                               \
    X(ENOENT, "not found")                                                                         \
    X(EEXIST, "exists already")                                                                    \
    X(EINVAL, "invalid argument or input")                                                         \
    X(EMISMATCH, "two sides that must agree do not")                                               \
    X(ECOVER, "elements are not covered exactly once")                                             \
    X(EFORMAT, "bytes are not what the format says")                                               \
    X(EDIGEST, "a digest differs: data are damaged")                                               \
    X(ENOSPC, "no space left on storage")                                                          \
    X(EIO, "storage or a device refused or failed")                                                \
    X(EOVERFLOW, "a size is too large to represent")                                               \
    X(ENOMEM, "out of memory")                                                                     \
    X(EMPI, "MPI failed; the communicator is not usable any more")                                 \
    X(EUNKNOWN, "published, but not known to be durable; the next load decides")

enum reshard_status {
#define RESHARD_STATUS_ENUM(name, text) RESHARD_##name,
    RESHARD_STATUS_MAP(RESHARD_STATUS_ENUM)
#undef RESHARD_STATUS_ENUM
};

/* Long enough for a message that lists several tensors; longer ones end in "...". */
enum { RESHARD_ERROR_TEXT_MAX = 2048 };

struct reshard_error {
    enum reshard_status status;
    char text[RESHARD_ERROR_TEXT_MAX];
};

#define RESHARD_ERROR_INIT                                                                         \
    {                                                                                              \
        RESHARD_OK, ""                                                                             \
    }

/* Local. "EFORMAT" and the like; a constant string, also for a value outside the table. */
const char *reshard_status_name(enum reshard_status status);

/* Local. One line of English, a constant string. */
const char *reshard_status_text(enum reshard_status status);

/*
 * Local. Record what went wrong and return `status`, so that the detecting line can be
 * `return reshard_error_set(error, ...)`. `error` may be NULL. A description already there is
 * kept: the first fault is the cause, later ones are its consequences.
 */
enum reshard_status reshard_error_set(struct reshard_error *error, enum reshard_status status,
                                      const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Local. Forget an earlier error: what every public collective function does first. Accepts NULL.
 */
void reshard_error_clear(struct reshard_error *error);

/* Local. Put "context: " before the text of an error that is set; do nothing otherwise. */
void reshard_error_prefix(struct reshard_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Local. Append to the text, as when listing several tensors; cut with "..." when full. */
void reshard_error_append(struct reshard_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Local. Of two results, the one to return: the first that is a failure. */
enum reshard_status reshard_first_failure(enum reshard_status first, enum reshard_status second);

#ifdef __cplusplus
}
#endif

#endif
