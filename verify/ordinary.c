#include "verify/ordinary.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef RESHARD_COVERAGE
#include <gcov.h>
#endif

/* A child that does not even use CPU time gets so many seconds for each of those that it may use.
 */
enum { WALL_FACTOR = 30, MILLISECONDS = 1000 };

struct verify_ordinary verify_ordinary_begin(verify_ordinary_judge *judge, const void *context,
                                             unsigned seconds, size_t bytes)
{
    return (struct verify_ordinary){
        .judge = judge, .context = context, .seconds = seconds, .bytes = bytes, .socket = -1};
}

/* --- the child -------------------------------------------------------------------------------- */

static void limit(int resource, rlim_t soft)
{
    struct rlimit value;

    if (getrlimit(resource, &value) != 0)
        return;
    if (value.rlim_max == RLIM_INFINITY || soft <= value.rlim_max)
        value.rlim_cur = soft;
    (void)setrlimit(resource, &value);
}

/* What this process has mapped is not the child's doing. */
static void limit_memory(size_t bytes)
{
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long long pages = 0;

    if (file && fscanf(file, "%llu", &pages) == 1)
        limit(RLIMIT_AS, (rlim_t)(pages * (unsigned long long)sysconf(_SC_PAGESIZE) + bytes));
    if (file)
        (void)fclose(file);
}

static void limit_time(unsigned seconds)
{
    struct rusage used;

    if (getrusage(RUSAGE_SELF, &used) == 0)
        limit(RLIMIT_CPU,
              (rlim_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec + 1) + (rlim_t)seconds);
}

/* Whatever the library prints, it prints nowhere; whatever the asker does about signals is not done
 * here. */
static void settle(const struct verify_ordinary *ordinary, pid_t asker)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGXCPU, SIGTERM};
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != asker)
        _exit(1);
    if (nowhere >= 0) {
        (void)dup2(nowhere, STDOUT_FILENO);
        (void)dup2(nowhere, STDERR_FILENO);
    }
    for (size_t s = 0; s < sizeof fatal / sizeof *fatal; ++s)
        (void)signal(fatal[s], SIG_DFL);
    limit(RLIMIT_CORE, 0);
    limit_memory(ordinary->bytes);
}

static void answer_all(const struct verify_ordinary *ordinary, int socket)
{
    struct reshard_error answer;
    uint32_t number;

    while (recv(socket, &number, sizeof number, 0) == (ssize_t)sizeof number) {
        limit_time(ordinary->seconds);
        answer = (struct reshard_error)RESHARD_ERROR_INIT;
        answer.status = ordinary->judge(ordinary->context, number, &answer);
#ifdef RESHARD_COVERAGE
        __gcov_dump(); /* which _exit() does not do */
        __gcov_reset();
#endif
        if (send(socket, &answer, sizeof answer, MSG_NOSIGNAL) != (ssize_t)sizeof answer)
            break;
    }
    _exit(0);
}

/* --- the asker -------------------------------------------------------------------------------- */

static enum reshard_status start(struct verify_ordinary *ordinary, struct reshard_error *error)
{
    const pid_t asker = getpid();
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return reshard_error_set(error, RESHARD_EIO, "HDF5 cannot be asked about it: %s",
                                 strerror(errno));
    ordinary->child = fork();
    if (ordinary->child == 0) {
        close(ends[0]);
        settle(ordinary, asker);
        answer_all(ordinary, ends[1]);
    }
    close(ends[1]);
    ordinary->socket = ends[0];
    if (ordinary->child > 0)
        return RESHARD_OK;
    ordinary->child = 0;
    close(ends[0]);
    return reshard_error_set(error, RESHARD_ENOMEM, "no process to ask HDF5 in: %s",
                             strerror(errno));
}

/* The child's wait status. */
static int stop(struct verify_ordinary *ordinary)
{
    int ended = 0;

    close(ordinary->socket);
    while (waitpid(ordinary->child, &ended, 0) < 0 && errno == EINTR)
        continue;
    ordinary->child = 0;
    return ended;
}

void verify_ordinary_end(struct verify_ordinary *ordinary)
{
    if (ordinary->child > 0)
        (void)stop(ordinary);
}

/* False when there is no answer: the child is dead, or must be. */
static bool receive(const struct verify_ordinary *ordinary, struct reshard_error *answer)
{
    struct pollfd wait = {.fd = ordinary->socket, .events = POLLIN};
    const int patience = (int)(ordinary->seconds + 1) * WALL_FACTOR * MILLISECONDS;
    int ready;
    ssize_t got;

    do
        ready = poll(&wait, 1, patience);
    while (ready < 0 && errno == EINTR);
    if (ready <= 0)
        return false;
    do
        got = recv(ordinary->socket, answer, sizeof *answer, 0);
    while (got < 0 && errno == EINTR);
    answer->text[sizeof answer->text - 1] = '\0';
    return got == (ssize_t)sizeof *answer;
}

/* How a child ended that gave no answer. */
static enum reshard_status say_end(int ended, unsigned seconds, struct reshard_error *error)
{
    const char *name = WIFSIGNALED(ended) ? sigabbrev_np(WTERMSIG(ended)) : NULL;

    if (WIFSIGNALED(ended) && (WTERMSIG(ended) == SIGXCPU || WTERMSIG(ended) == SIGKILL))
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "the library came to no end within %u seconds", seconds + 1);
    if (WIFSIGNALED(ended))
        return reshard_error_set(error, RESHARD_EFORMAT, "the library crashed (SIG%s)",
                                 name ? name : "?");
    return reshard_error_set(error, RESHARD_EFORMAT,
                             "the library ended the process (exit status %d)", WEXITSTATUS(ended));
}

enum reshard_status verify_ordinary_ask(struct verify_ordinary *ordinary, uint32_t number,
                                        struct reshard_error *error)
{
    struct reshard_error answer = RESHARD_ERROR_INIT;
    enum reshard_status status = RESHARD_OK;
    pid_t child;
    int ended;

    if (ordinary->child == 0)
        status = start(ordinary, error);
    if (status)
        return status;
    child = ordinary->child;
    if (send(ordinary->socket, &number, sizeof number, MSG_NOSIGNAL) == (ssize_t)sizeof number &&
        receive(ordinary, &answer)) {
        if (answer.status == RESHARD_OK)
            return RESHARD_OK;
        (void)stop(ordinary);
        return reshard_error_set(error, answer.status, "%s", answer.text);
    }
    (void)kill(child, SIGKILL); /* where it has not ended by itself, which then stays the reason */
    ended = stop(ordinary);
    return say_end(ended, ordinary->seconds, error);
}
