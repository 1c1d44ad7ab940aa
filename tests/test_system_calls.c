/*
 * System calls that fail. Goal: a handler of the program's own never fails a save, and a full disk
 * is told from a broken one. Method: the calls of the POSIX store are wrapped by the linker, and
 * fail once or for ever; how often they were called is counted.
 */
#include "core/store.h"
#include "support/scratch.h"

#include <check.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

int __real_open(const char *path, int flags, ...);
int __real_fsync(int fd);
int __real_close(int fd);
int __real_flock(int fd, int operation);
ssize_t __real_pwrite(int fd, const void *data, size_t bytes, off_t offset);
int __real_fallocate(int fd, int mode, off_t offset, off_t bytes);
int __wrap_open(const char *path, int flags, ...);
int __wrap_fsync(int fd);
int __wrap_close(int fd);
int __wrap_flock(int fd, int operation);

ssize_t __wrap_pwrite(int fd, const void *data, size_t bytes, off_t offset);
int __wrap_fallocate(int fd, int mode, off_t offset, off_t bytes);

enum call { NONE, OPEN, FSYNC, CLOSE, FLOCK, PWRITE, FALLOCATE };

static enum call interrupted; /* the call that is interrupted, */
static int times;             /* so often */
static int code = EINTR;      /* with that */
static int calls;

static bool interrupt(enum call call)
{
    if (call != interrupted)
        return false;
    calls++;
    if (times == 0)
        return false;
    times--;
    errno = code;
    return true;
}

int __wrap_open(const char *path, int flags, ...)
{
    va_list arguments;
    mode_t mode;

    va_start(arguments, flags);
    mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return interrupt(OPEN) ? -1 : __real_open(path, flags, mode);
}

int __wrap_fsync(int fd)
{
    return interrupt(FSYNC) ? -1 : __real_fsync(fd);
}

/* As on Linux, the descriptor is gone. */
int __wrap_close(int fd)
{
    const int done = __real_close(fd);

    return interrupt(CLOSE) ? -1 : done;
}

int __wrap_flock(int fd, int operation)
{
    return interrupt(FLOCK) ? -1 : __real_flock(fd, operation);
}

ssize_t __wrap_pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
    return interrupt(PWRITE) ? -1 : __real_pwrite(fd, data, bytes, offset);
}

int __wrap_fallocate(int fd, int mode, off_t offset, off_t bytes)
{
    return interrupt(FALLOCATE) ? -1 : __real_fallocate(fd, mode, offset, bytes);
}

static char *scratch;
static char path[512];
static struct reshard_error error;

static void setup(void)
{
    scratch = scratch_make("system_calls");
    (void)snprintf(path, sizeof path, "%s/a", scratch);
    reshard_error_clear(&error);
    interrupted = NONE;
    times = calls = 0;
}

static void teardown(void)
{
    interrupted = NONE;
    scratch_remove(scratch);
}

static void arm(enum call call, int how_often)
{
    interrupted = call;
    times = how_often;
    calls = 0;
}

START_TEST(opening_syncing_and_locking_are_tried_again)
{
    struct store_file *file = NULL;

    arm(OPEN, 3);
    ck_assert_int_eq(store_open(store_posix(), path, STORE_CREATE, &file, &error), RESHARD_OK);
    ck_assert_int_eq(times, 0);
    arm(FLOCK, 2);
    ck_assert_int_eq(store_lock(file), STORE_LOCKED);
    ck_assert_int_eq(calls, 3);
    ck_assert_int_eq(store_write(file, 0, "x", 1, &error), RESHARD_OK);
    arm(FSYNC, 2);
    ck_assert_int_eq(store_sync(file, &error), RESHARD_OK);
    ck_assert_int_eq(calls, 3);
    ck_assert_int_eq(store_close(file, &error), RESHARD_OK);
    arm(FSYNC, 2);
    ck_assert_int_eq(store_sync_directory(store_posix(), scratch, &error), RESHARD_OK);
    ck_assert_int_eq(calls, 3);
    arm(OPEN, 2);
    ck_assert_int_eq(store_sync_directory(store_posix(), scratch, &error), RESHARD_OK);
    ck_assert_int_eq(calls, 3);
}
END_TEST

/* The number of a descriptor that is gone may be another thread's by now. */
START_TEST(closing_is_never_tried_again_and_fails_only_where_bytes_may_be_lost)
{
    struct store_file *file = NULL;

    for (int synced = 0; synced < 2; synced++) {
        ck_assert_int_eq(
            store_open(store_posix(), path, synced ? STORE_WRITE : STORE_CREATE, &file, &error),
            RESHARD_OK);
        ck_assert_int_eq(store_write(file, 0, "x", 1, &error), RESHARD_OK);
        if (synced)
            ck_assert_int_eq(store_sync(file, &error), RESHARD_OK);
        arm(CLOSE, 1000);
        ck_assert_int_eq(store_close(file, NULL), synced ? RESHARD_OK : RESHARD_EIO);
        ck_assert_int_le(calls, 2); /* the file, and the same opened for direct writes */
        arm(NONE, 0);
    }
    ck_assert_int_eq(store_open(store_posix(), path, STORE_READ, &file, &error), RESHARD_OK);
    arm(CLOSE, 1000);
    ck_assert_int_eq(store_close(file, &error), RESHARD_OK);
    ck_assert_int_eq(calls, 1);
}
END_TEST

static const int full_codes[] = {ENOSPC, EDQUOT};

START_TEST(a_full_disk_says_so)
{
    struct store_file *file = NULL;

    ck_assert_int_eq(store_open(store_posix(), path, STORE_CREATE, &file, &error), RESHARD_OK);
    code = full_codes[_i];
    arm(PWRITE, 1);
    ck_assert_int_eq(store_write(file, 0, "x", 1, &error), RESHARD_ENOSPC);
    ck_assert_ptr_nonnull(strstr(error.text, path));
    reshard_error_clear(&error);
    arm(FALLOCATE, 1);
    ck_assert_int_eq(store_allocate(file, 1, &error), RESHARD_ENOSPC);
    ck_assert_ptr_nonnull(strstr(error.text, path));
    code = EINTR;
    reshard_error_clear(&error);
    arm(PWRITE, 2);
    ck_assert_int_eq(store_write(file, 0, "x", 1, &error), RESHARD_OK);
    arm(FALLOCATE, 2);
    ck_assert_int_eq(store_allocate(file, 1, &error), RESHARD_OK);
    ck_assert_int_eq(calls, 3);
    ck_assert_int_eq(store_close(file, &error), RESHARD_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("system_calls");
    TCase *tests = tcase_create("system_calls");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, opening_syncing_and_locking_are_tried_again);
    tcase_add_test(tests, closing_is_never_tried_again_and_fails_only_where_bytes_may_be_lost);
    tcase_add_loop_test(tests, a_full_disk_says_so, 0, 2);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
