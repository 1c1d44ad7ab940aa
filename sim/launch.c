#include "sim/launch.h"

#include "sim/input.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <wordexp.h>

enum {
    GRACE_SECONDS = 3, /* from SIGTERM to SIGKILL: mpiexec needs a moment to end remote ranks */
    TAIL_BYTES = 1200,
    LOG_BYTES =
        16 << 10, /* of the log's end, in which the lines that tell something are looked for */
    TAIL_LINES = 12,
    RANKS_NAMED = 4,
};

/* ---- the command ---- */

/* Arguments under construction. A failure is remembered, so that callers look once. */
struct words {
    char **word; /* ends in NULL */
    size_t count;
    bool failed;
};

static void words_add(struct words *words, const char *text)
{
    char **grown = realloc(words->word, (words->count + 2) * sizeof(*grown));
    char *copy = strdup(text);
    if (grown)
        words->word = grown;
    if (!grown || !copy) {
        free(copy);
        words->failed = true;
        return;
    }
    words->word[words->count++] = copy;
    words->word[words->count] = NULL;
}

static void words_release(struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->word[i]);
    free(words->word);
}

/* The tool that the build found, or whatever goes by that name today. */
static const char *find_tool(const char *built_with, const char *name)
{
    return access(built_with, X_OK) == 0 ? built_with : name;
}

/*
 * SimGrid's own defaults describe MPI over gigabit Ethernet. Here the scenario states the bandwidth
 * and the latency that applications get, so every correction factor is 1; no computation is timed,
 * as all costs are charged; and collectives are trees, whose messages grow with the ranks, where
 * the defaults' grow with their square (docs/source/Configuring_SimGrid.rst).
 */
static const char *const simulation_options[] = {
    "-quiet",
    "-no-privatize", /* the rank program has no mutable globals; 16,384 copies cannot be mapped */
    "--cfg=smpi/simulate-computation:no",
    "--cfg=smpi/host-speed:1Gf",
    "--cfg=smpi/display-timing:no",
    "--cfg=smpi/bw-factor:0:1",
    "--cfg=smpi/lat-factor:0:1",
    "--cfg=network/bandwidth-factor:1",
    "--cfg=network/latency-factor:1",
    "--cfg=network/weight-S:0",
    "--cfg=network/TCP-gamma:0",
    "--cfg=network/crosstraffic:no",
    "--cfg=network/loopback-bw:10e9",
    "--cfg=network/loopback-lat:0",
    "--cfg=smpi/coll-selector:mpich",
    "--cfg=smpi/barrier:ompi_tree",
    "--cfg=smpi/bcast:binomial_tree",
    "--cfg=smpi/gather:ompi_binomial",
    "--cfg=smpi/scatter:ompi_binomial",
    "--cfg=smpi/reduce:binomial",
    "--cfg=smpi/allreduce:rdb",
    "--cfg=contexts/stack-size:1024",
    "--log=root.thres:warning",
};

/* Names are relative to the job's folder: smpirun does not quote its program's arguments. */
static void simulated_command(struct words *words, const struct job *job,
                              const struct launch_options *options)
{
    char ranks[24];
    (void)snprintf(ranks, sizeof(ranks), "%" PRIu64, job->ranks);
    words_add(words, find_tool(RESHARD_SMPIRUN, "smpirun"));
    for (size_t i = 0; i < sizeof(simulation_options) / sizeof(*simulation_options); i++)
        words_add(words, simulation_options[i]);
    words_add(words, "-np");
    words_add(words, ranks);
    words_add(words, "-platform");
    words_add(words, LAUNCH_PLATFORM_FILE);
    words_add(words, "-hostfile");
    words_add(words, LAUNCH_HOSTS_FILE);
    words_add(words, options->program);
    words_add(words, LAUNCH_JOB_FILE);
}

bool launch_launcher_is_valid(const char *launcher)
{
    wordexp_t split;
    if (wordexp(launcher, &split, WRDE_NOCMD | WRDE_UNDEF) != 0)
        return false;
    const bool any = split.we_wordc > 0;
    wordfree(&split);
    return any;
}

static void add_launcher(struct words *words, const char *launcher)
{
    wordexp_t split;
    if (wordexp(launcher, &split, WRDE_NOCMD | WRDE_UNDEF) != 0) {
        words->failed = true;
        return;
    }
    for (size_t i = 0; i < split.we_wordc; i++)
        words_add(words, split.we_wordv[i]);
    wordfree(&split);
}

static void real_command(struct words *words, const struct job *job,
                         const struct launch_options *options)
{
    char ranks[24];
    char *path = NULL;
    (void)snprintf(ranks, sizeof(ranks), "%" PRIu64, job->ranks);
    if (options->launcher)
        add_launcher(words, options->launcher);
    else
        words_add(words, find_tool(RESHARD_MPIEXEC, "mpiexec"));
    words_add(words, "-n");
    words_add(words, ranks);
    words_add(words, options->program);
    if (asprintf(&path, "%s/" LAUNCH_JOB_FILE, job->folder) < 0) {
        words->failed = true;
        return;
    }
    words_add(words, path);
    free(path);
}

static void add_unless_set(struct words *words, const char *name, const char *value)
{
    char setting[64];
    (void)snprintf(setting, sizeof(setting), "%s=%s", name, value);
    if (!getenv(name))
        words_add(words, setting);
}

/*
 * What a launcher tells a process of its place among others. It was told to us, who are one process
 * (of a pod, of a job step), and means nothing to the ranks that we start: each of those has a
 * place of its own. Names that end in "_" stand for all that begin so. An allocation (SLURM_JOB_ID,
 * SLURM_JOB_NODELIST) is not among them: launchers need it.
 */
static bool tells_a_place(const char *entry)
{
    static const char *const names[] = {
        "RANK=",
        "WORLD_SIZE=",
        "LOCAL_RANK=",
        "LOCAL_WORLD_SIZE=",
        "NODE_RANK=",
        "GROUP_RANK=",
        "GROUP_WORLD_SIZE=",
        "ROLE_RANK=",
        "ROLE_NAME=",
        "ROLE_WORLD_SIZE=",
        "MASTER_ADDR=",
        "MASTER_PORT=",
        "TORCHELASTIC_",
        "PMI_",
        "PMIX_",
        "HYDI_",
        "MPI_LOCALRANKID=",
        "MPI_LOCALNRANKS=",
        "OMPI_COMM_WORLD_",
        "OMPI_UNIVERSE_SIZE=",
        "SLURM_PROCID=",
        "SLURM_LOCALID=",
        "SLURM_STEP_NUM_TASKS=",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strncmp(entry, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

/*
 * The job's environment is ours, but for that and two things more. Open MPI refuses root, and more
 * ranks than cores, unless told; containers and laptops are the usual case here, other launchers
 * know none of these names, and a user's own settings stand. And smpirun cannot bear a TMPDIR with
 * a space in it; it needs none, so the job's own folder will do.
 */
static void job_environment(struct words *words, bool simulated)
{
    for (char **entry = environ; *entry; entry++)
        if (!tells_a_place(*entry) && (!simulated || strncmp(*entry, "TMPDIR=", 7) != 0))
            words_add(words, *entry);
    if (simulated) {
        words_add(words, "TMPDIR=.");
        return;
    }
    add_unless_set(words, "OMPI_ALLOW_RUN_AS_ROOT", "1");
    add_unless_set(words, "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    add_unless_set(words, "OMPI_MCA_rmaps_base_oversubscribe", "1");
}

/* ---- the child ---- */

/* Standard input, output and error of the job, in its folder; 0, or the errno of why not. */
static int redirect(const char *folder)
{
    if (chdir(folder) != 0)
        return errno;
    const int in = open("/dev/null", O_RDONLY);
    const int out = open(LAUNCH_LOG_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644);
    if (in < 0 || out < 0 || dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
        dup2(out, STDERR_FILENO) < 0)
        return errno;
    if (in > STDERR_FILENO)
        (void)close(in);
    if (out > STDERR_FILENO)
        (void)close(out);
    return 0;
}

/*
 * In the child: a group of its own that goes when its parent goes, no signal blocked. What is
 * ignored stays ignored, as with nohup; but SIGCHLD must be heard, or the launcher waits for ever.
 * Returns the errno of what failed.
 */
static int become(char **command, char **environment, const char *folder, const struct guard *guard,
                  pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    if (setpgid(0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGTERM) != 0)
        return errno;
    if (getppid() != parent) /* it was gone before that was said */
        _exit(1);
    guard_watch(guard, getpid()); /* before the job can do anything, killing the run included */
    const int failure = redirect(folder);
    if (failure)
        return failure;
    (void)signal(SIGCHLD, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)execvpe(command[0], command, environment);
    return errno;
}

/* Start the command; 0, or the errno of why not, which the child tells through a pipe that a
 * successful exec closes. */
static int start(char **command, char **environment, const char *folder, const struct guard *guard,
                 pid_t *out)
{
    int ends[2];
    int failure = 0;
    const pid_t parent = getpid();
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    const pid_t child = fork();
    if (child == 0) {
        failure = become(command, environment, folder, guard, parent);
        (void)!write(ends[1], &failure, sizeof(failure));
        _exit(127);
    }
    if (child < 0)
        failure = errno;
    (void)close(ends[1]);
    if (child > 0) {
        ssize_t got;
        (void)setpgid(child, child); /* whoever comes first */
        do
            got = read(ends[0], &failure, sizeof(failure));
        while (got < 0 && errno == EINTR);
        if (failure)
            (void)waitpid(child, NULL, 0);
    }
    (void)close(ends[0]);
    *out = child;
    return failure;
}

/* ---- waiting ---- */

double launch_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* What people and systems ask a command to stop with. */
static const int stop_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
enum { STOP_SIGNAL_COUNT = sizeof(stop_signals) / sizeof(*stop_signals) };

/* What is ignored, as SIGHUP is under nohup, asks for nothing; were it blocked, it would become
 * pending all the same. */
static bool is_ignored(int number)
{
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static void fill_stop_signals(sigset_t *set)
{
    sigemptyset(set);
    for (int i = 0; i < STOP_SIGNAL_COUNT; i++)
        if (!is_ignored(stop_signals[i]))
            sigaddset(set, stop_signals[i]);
}

void launch_signals_begin(sigset_t *saved)
{
    sigset_t stop;
    fill_stop_signals(&stop);
    (void)sigprocmask(SIG_BLOCK, &stop, saved);
}

void launch_signals_end(const sigset_t *saved)
{
    (void)sigprocmask(SIG_SETMASK, saved, NULL);
}

bool launch_interrupted(void)
{
    sigset_t pending;
    sigpending(&pending);
    for (int i = 0; i < STOP_SIGNAL_COUNT; i++)
        if (sigismember(&pending, stop_signals[i]) == 1)
            return true;
    return false;
}

static bool has_exited(pid_t child, int *exit_status)
{
    const pid_t got = waitpid(child, exit_status, WNOHANG);
    return got == child || (got < 0 && errno == ECHILD);
}

/* Wait until a signal of `set` arrives (returned, and no longer pending) or the deadline (0). */
static int wait_signal(const sigset_t *set, double deadline)
{
    const double rest = deadline - launch_now();
    if (rest <= 0)
        return 0;
    const struct timespec timeout = {(time_t)rest, (long)((rest - (double)(time_t)rest) * 1e9)};
    const int signal = sigtimedwait(set, NULL, &timeout);
    return signal > 0 ? signal : 0;
}

/* End the group: politely, then not. */
static void stop(pid_t child, int *exit_status)
{
    sigset_t set;
    const double deadline = launch_now() + GRACE_SECONDS;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    (void)kill(-child, SIGTERM);
    while (!has_exited(child, exit_status)) {
        if (launch_now() >= deadline) {
            (void)kill(-child, SIGKILL);
            (void)waitpid(child, exit_status, 0);
            return;
        }
        (void)wait_signal(&set, deadline);
    }
}

/*
 * Wait for the child with SIGCHLD and the stop signals blocked. A stop signal that was taken is
 * raised again, so that it stays pending for launch_interrupted().
 */
static enum launch_outcome wait_child(pid_t child, double timeout_seconds, int *exit_status)
{
    enum launch_outcome outcome = LAUNCH_ENDED;
    const double deadline = launch_now() + timeout_seconds;
    sigset_t set;
    fill_stop_signals(&set);
    sigaddset(&set, SIGCHLD);
    while (!has_exited(child, exit_status)) {
        const int signal = wait_signal(&set, deadline);
        if (signal == SIGCHLD)
            continue;
        if (signal != 0) {
            (void)raise(signal);
            outcome = LAUNCH_INTERRUPTED;
        } else if (launch_now() >= deadline) {
            outcome = LAUNCH_TIMED_OUT;
        } else {
            continue;
        }
        stop(child, exit_status);
        break;
    }
    /* Whatever the launcher left behind in its group. */
    (void)kill(-child, SIGKILL);
    return outcome;
}

/* ---- the judgement ---- */

/* A rank's end record is whole when its last line says so. */
static bool has_ended(const struct job *job, uint64_t rank)
{
    char tail[8] = "";
    char *path = job_end_path(job, rank);
    FILE *file = NULL;
    if (path && input_open(path, &file, NULL) != RESHARD_OK)
        file = NULL;
    free(path);
    if (!file)
        return false;
    size_t got = 0;
    const bool long_enough = fseek(file, -5, SEEK_END) == 0;
    if (!long_enough)
        rewind(file);
    got = fread(tail, 1, 5, file);
    (void)fclose(file); /* read only */
    return long_enough ? got == 5 && memcmp(tail, "\nend\n", 5) == 0
                       : got == 4 && memcmp(tail, "end\n", 4) == 0;
}

/* Names the first few ranks without an end record; their number is returned. */
static uint64_t list_missing(const struct job *job, char *text, size_t size)
{
    uint64_t missing = 0;
    size_t used = 0;
    text[0] = '\0';
    for (uint64_t rank = 0; rank < job->ranks; rank++) {
        if (has_ended(job, rank))
            continue;
        if (missing++ < RANKS_NAMED && used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%" PRIu64,
                                     missing == 1 ? "" : ", ", rank);
    }
    if (missing > RANKS_NAMED && used < size)
        (void)snprintf(text + used, size - used, " and %" PRIu64 " more", missing - RANKS_NAMED);
    return missing;
}

/* Where the last lines of a text start: at most TAIL_LINES, and TAIL_BYTES, of a line that is
 * longer its end. */
static const char *last_lines(const char *text, size_t length)
{
    size_t lines = 0;
    size_t at = length > 0 && text[length - 1] == '\n' ? length - 1 : length;
    const size_t least = length > TAIL_BYTES ? length - TAIL_BYTES : 0;
    size_t begin = length;
    for (; at > least && lines < TAIL_LINES; at--)
        if (text[at - 1] == '\n') {
            begin = at;
            lines++;
        }
    if (at == 0 && lines < TAIL_LINES)
        return text;
    return text + (lines > 0 ? begin : at);
}

/* Take out the lines in which the simulation's kernel warns of what it is itself: they say nothing
 * of the job, and at its end there may be one a rank. */
static void drop_kernel_warnings(char *text)
{
    char *kept = text;
    while (text[0] != '\0') {
        size_t line = strcspn(text, "\n");
        line += text[line] == '\n';
        const char *warning = strstr(text, "[smpi_kernel/WARNING]");
        const bool drop = warning && warning < text + line;
        memmove(kept, text, drop ? 0 : line);
        kept += drop ? 0 : line;
        text += line;
    }
    *kept = '\0';
}

/* The end of the job's log, whole lines, in new memory; NULL when it cannot be read. */
static char *read_log(const struct job *job)
{
    char *path = NULL;
    if (asprintf(&path, "%s/" LAUNCH_LOG_FILE, job->folder) < 0)
        return NULL;
    char *text = malloc(LOG_BYTES + 1);
    FILE *file = NULL;
    if (text && input_open(path, &file, NULL) != RESHARD_OK)
        file = NULL;
    free(path);
    if (!file) {
        free(text);
        return NULL;
    }
    const bool cut = fseek(file, -LOG_BYTES, SEEK_END) == 0 && ftell(file) > 0;
    if (!cut)
        rewind(file);
    const size_t length = fread(text, 1, LOG_BYTES, file);
    (void)fclose(file); /* read only */
    text[length] = '\0';
    const char *newline = cut ? strchr(text, '\n') : NULL;
    if (newline && newline[1] != '\0')
        memmove(text, newline + 1, strlen(newline + 1) + 1);
    drop_kernel_warnings(text);
    return text;
}

static void append_log(const struct job *job, struct reshard_error *error)
{
    char *text = read_log(job);
    if (!text)
        return;
    const char *tail = last_lines(text, strlen(text));
    reshard_error_append(error, tail[0] ? "; the end of its output:" : "; it printed nothing");
    while (tail[0] != '\0') {
        const size_t line = strcspn(tail, "\n");
        reshard_error_append(error, "\n    %.*s", (int)line, tail);
        tail += line + (tail[line] == '\n');
    }
    free(text);
}

static void describe_exit(const char *command, int exit_status, char *text, size_t size)
{
    const char *base = strrchr(command, '/');
    const char *name = base ? base + 1 : command;
    if (WIFSIGNALED(exit_status))
        (void)snprintf(text, size, "%s was ended by signal %d (%s)", name, WTERMSIG(exit_status),
                       strsignal(WTERMSIG(exit_status)));
    else
        (void)snprintf(text, size, "%s exited with status %d", name, WEXITSTATUS(exit_status));
}

static enum launch_outcome judge(const struct job *job, const char *command, int exit_status,
                                 struct reshard_error *error)
{
    char missing[128];
    char how[128];
    const uint64_t count = list_missing(job, missing, sizeof(missing));
    if (count == 0)
        return LAUNCH_ENDED;
    describe_exit(command, exit_status, how, sizeof(how));
    (void)reshard_error_set(error, RESHARD_EIO,
                            "world %" PRIu64 ", %" PRIu64 " ranks: the job did not reach its end: "
                            "no end record of %s %s; %s",
                            job->world, job->ranks, count == 1 ? "rank" : "ranks", missing, how);
    append_log(job, error);
    return LAUNCH_CRASHED;
}

static enum launch_outcome run_command(const struct job *job, char **command, char **environment,
                                       const struct guard *guard, double timeout,
                                       struct reshard_error *error)
{
    pid_t child = 0;
    int exit_status = 0;
    const int failure = start(command, environment, job->folder, guard, &child);
    if (failure) {
        guard_watch(guard, 0);
        (void)reshard_error_set(
            error, RESHARD_ENOENT, "cannot start '%s': %s%s", command[0], strerror(failure),
            job->simulated ? "; Debian's package simgrid has smpirun"
                           : "; Debian's packages mpich and openmpi-bin have mpiexec");
        return LAUNCH_UNAVAILABLE;
    }
    const enum launch_outcome outcome = wait_child(child, timeout, &exit_status);
    guard_watch(guard, 0);
    if (outcome == LAUNCH_INTERRUPTED) {
        (void)reshard_error_set(error, RESHARD_EIO, "interrupted");
        return outcome;
    }
    if (outcome == LAUNCH_TIMED_OUT) {
        (void)reshard_error_set(error, RESHARD_EIO,
                                "world %" PRIu64 ", %" PRIu64 " ranks: the job was ended after "
                                "%g seconds (--timeout)",
                                job->world, job->ranks, timeout);
        append_log(job, error);
        return outcome;
    }
    return judge(job, command[0], exit_status, error);
}

static bool program_is_there(const struct launch_options *options, struct reshard_error *error)
{
    if (access(options->program, R_OK) == 0)
        return true;
    (void)reshard_error_set(error, RESHARD_ENOENT, "%s: %s: the program that ranks run",
                            options->program, strerror(errno));
    return false;
}

enum launch_outcome launch_job(const struct job *job, const struct launch_options *options,
                               struct reshard_error *error)
{
    enum launch_outcome outcome = LAUNCH_UNAVAILABLE;
    struct words words = {NULL, 0, false};
    struct words environment = {NULL, 0, false};
    const double timeout =
        options->timeout_seconds > 0 ? options->timeout_seconds : LAUNCH_TIMEOUT_DEFAULT;
    sigset_t blocked;
    sigset_t saved;
    if (!program_is_there(options, error))
        return LAUNCH_UNAVAILABLE;
    if (job->simulated)
        simulated_command(&words, job, options);
    else
        real_command(&words, job, options);
    job_environment(&environment, job->simulated);
    if (words.failed || environment.failed) {
        (void)reshard_error_set(error, RESHARD_EINVAL, "the launcher's command cannot be formed");
        goto cleanup;
    }
    (void)signal(SIGCHLD, SIG_DFL); /* a parent may have had it ignored, and we with it */
    fill_stop_signals(&blocked);
    sigaddset(&blocked, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &blocked, &saved);
    outcome = run_command(job, words.word, environment.word, options->guard, timeout, error);
    (void)sigprocmask(SIG_SETMASK, &saved, NULL);
cleanup:
    words_release(&environment);
    words_release(&words);
    return outcome;
}
