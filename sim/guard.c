#include "sim/guard.h"

#include "core/store.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    GRACE_SECONDS = 3, /* from SIGTERM to SIGKILL, as when a run ends its job itself */
    POLLS_A_SECOND = 50,
    DONE = -1, /* in place of a group: the run ended by itself */
};

/* Read a word; false when the run is gone. Words are shorter than PIPE_BUF, so none comes in parts.
 */
static bool read_word(int from, pid_t *out)
{
    ssize_t got;
    do
        got = read(from, out, sizeof(*out));
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof(*out);
}

static void end_group(pid_t group)
{
    const struct timespec pause = {0, 1000000000L / POLLS_A_SECOND};
    (void)kill(-group, SIGTERM);
    for (int i = 0; i < GRACE_SECONDS * POLLS_A_SECOND && kill(-group, 0) == 0; i++)
        (void)nanosleep(&pause, NULL);
    (void)kill(-group, SIGKILL);
    for (int i = 0; i < GRACE_SECONDS * POLLS_A_SECOND && kill(-group, 0) == 0; i++)
        (void)nanosleep(&pause, NULL);
}

/* The process: in a group of its own, deaf to signals, and holding nothing that others wait for. */
_Noreturn static void wait_for_end(int from, const char *folder)
{
    sigset_t all;
    pid_t group = 0;
    pid_t word = 0;
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    (void)setpgid(0, 0);
    (void)dup2(from, 0);
    (void)close_range(1, ~0U, 0);
    while (read_word(0, &word)) {
        if (word == DONE)
            _exit(0);
        group = word;
    }
    if (group > 0)
        end_group(group);
    if (folder)
        (void)!store_remove(store_posix(), folder, NULL);
    _exit(0);
}

enum reshard_status guard_open(struct guard *out, const char *folder, struct reshard_error *error)
{
    int ends[2];
    *out = (struct guard){-1, 0};
    if (pipe2(ends, O_CLOEXEC) != 0)
        return reshard_error_set(error, RESHARD_EIO, "no pipe can be made: %s", strerror(errno));
    out->process = fork();
    if (out->process == 0) {
        (void)close(ends[1]);
        wait_for_end(ends[0], folder);
    }
    const int reason = errno;
    (void)close(ends[0]);
    if (out->process > 0) {
        out->pipe = ends[1];
        return RESHARD_OK;
    }
    (void)close(ends[1]);
    return reshard_error_set(error, RESHARD_EIO, "no process can be started: %s", strerror(reason));
}

/* Should the process be gone, a write must not end us; there is nobody to tell then. */
static void tell(const struct guard *guard, pid_t word)
{
    sigset_t broken;
    sigset_t saved;
    const struct timespec none = {0, 0};
    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    (void)sigprocmask(SIG_BLOCK, &broken, &saved);
    if (write(guard->pipe, &word, sizeof(word)) < 0 && errno == EPIPE)
        (void)sigtimedwait(&broken, NULL, &none);
    (void)sigprocmask(SIG_SETMASK, &saved, NULL);
}

void guard_watch(const struct guard *guard, pid_t group)
{
    if (guard && guard->process > 0)
        tell(guard, group);
}

void guard_close(struct guard *guard)
{
    if (guard->process <= 0)
        return;
    tell(guard, DONE);
    (void)close(guard->pipe);
    while (waitpid(guard->process, NULL, 0) < 0 && errno == EINTR)
        continue;
    *guard = (struct guard){-1, 0};
}
