#include "support/bounded.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static char said[4096];

/* The test itself, its libraries and its input are there already. */
static size_t mapped(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long long pages = 0;

    if (!file || fscanf(file, "%llu", &pages) != 1)
        abort();
    (void)fclose(file);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void parse_in_child(const struct bounded_case *bounded, const char *text, size_t bytes,
                           const char *directory, int pipe)
{
    const struct rlimit time = {BOUNDED_SECONDS, BOUNDED_SECONDS};
    const struct rlimit memory = {mapped() + BOUNDED_BYTES, RLIM_INFINITY};
    struct reshard_error error = RESHARD_ERROR_INIT;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGXCPU, SIG_DFL);
    (void)signal(SIGSEGV, SIG_DFL);
    (void)signal(SIGABRT, SIG_DFL);
    if (setrlimit(RLIMIT_CPU, &time) != 0 || setrlimit(RLIMIT_AS, &memory) != 0)
        _exit(1);
    error.status = bounded->parse(text, bytes, directory, &error);
    _exit(write(pipe, &error, sizeof error) == (ssize_t)sizeof error ? 0 : 1);
}

const char *bounded_run(const struct bounded_case *bounded, const char *directory)
{
    char *text = malloc(BOUNDED_INPUT);
    struct reshard_error error = RESHARD_ERROR_INIT;
    int ends[2];
    int ended = 0;
    bool answered;
    pid_t child;
    size_t bytes;

    if (!text || pipe(ends) != 0)
        return "no memory, or no pipe";
    bytes = bounded->make(text);
    child = fork();
    if (child == 0)
        parse_in_child(bounded, text, bytes, directory, ends[1]);
    (void)close(ends[1]);
    answered = read(ends[0], &error, sizeof error) == (ssize_t)sizeof error;
    (void)close(ends[0]);
    free(text);
    if (child < 0 || waitpid(child, &ended, 0) != child)
        return "no process";
    if (!answered)
        snprintf(said, sizeof said, "%s: ended by signal %d, exit status %d", bounded->name,
                 WIFSIGNALED(ended) ? WTERMSIG(ended) : 0,
                 WIFEXITED(ended) ? WEXITSTATUS(ended) : 0);
    else if (error.status != bounded->status || !strstr(error.text, bounded->words))
        snprintf(said, sizeof said, "%s: %s: %.2000s", bounded->name,
                 reshard_status_name(error.status), error.text);
    else
        return NULL;
    return said;
}
