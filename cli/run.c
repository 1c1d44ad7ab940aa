#include "cli/cli.h"
#include "cli/options.h"
#include "cli/place.h"

#include "sim/json_text.h"
#include "sim/report.h"
#include "sim/run.h"
#include "sim/text.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What was asked for. Strings are borrowed from argv. */
struct request {
    const char *on;
    const char *launcher;
    const char *seed;
    const char *json;
    const char *junit;
    const char *keep;
    const char *timeout;
    bool quiet;
    bool verbose;
};

/* A run of the command: the files, and what became of each. */
struct session {
    struct run_options options;
    struct report_style style;
    FILE *out; /* for people */
    const uint64_t *seed;
    char *program;
    char *scenarios; /* NULL: not found, and only needed for models by name */
    char **file;
    size_t file_count;
    struct run_report *reports;
    size_t report_count;
    bool line_open; /* a progress line stands on the terminal */
};

/* ---- files ---- */

static bool add_file(struct session *session, char *path)
{
    char **grown = path ? realloc(session->file, (session->file_count + 1) * sizeof(*grown)) : NULL;
    if (!grown) {
        free(path);
        return false;
    }
    session->file = grown;
    session->file[session->file_count++] = path;
    return true;
}

static int is_scenario_name(const struct dirent *entry)
{
    const size_t length = strlen(entry->d_name);
    return entry->d_name[0] != '.' && length > 5 &&
           strcmp(entry->d_name + length - 5, ".yaml") == 0;
}

static int bytewise(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_directory(struct session *session, const char *path)
{
    struct dirent **entries = NULL;
    const int count = scandir(path, &entries, is_scenario_name, bytewise);
    if (count < 0)
        return cli_error(CLI_USAGE, "%s: %s", path, strerror(errno));
    const size_t length = strlen(path);
    const char *slash = length > 0 && path[length - 1] == '/' ? "" : "/";
    int status = CLI_OK;
    for (int i = 0; i < count; i++) {
        char *file = NULL;
        if (asprintf(&file, "%s%s%s", path, slash, entries[i]->d_name) < 0)
            file = NULL;
        if (status == CLI_OK && !add_file(session, file))
            status = cli_out_of_memory();
        free(entries[i]);
    }
    free(entries);
    if (count == 0)
        return cli_error(CLI_USAGE, "%s: no scenario (*.yaml) in this directory", path);
    return status;
}

static int add_path(struct session *session, const char *path)
{
    struct stat about;
    if (stat(path, &about) != 0)
        return cli_error(CLI_USAGE, "%s: %s", path, strerror(errno));
    if (S_ISDIR(about.st_mode))
        return add_directory(session, path);
    return add_file(session, strdup(path)) ? CLI_OK : cli_out_of_memory();
}

/* ---- progress ---- */

static void clear_line(struct session *session)
{
    if (session->line_open)
        (void)fputs("\r\033[K", stderr);
    session->line_open = false;
}

static void tell(void *context, const char *scenario, uint64_t world, uint64_t world_count,
                 uint64_t ranks)
{
    struct session *session = context;
    char count[48];
    clear_line(session);
    (void)fprintf(stderr, "[%zu/%zu] %s: world %" PRIu64 " of %" PRIu64 ", %s",
                  session->report_count + 1, session->file_count, scenario, world + 1, world_count,
                  text_plural(ranks, "rank", count, sizeof(count)));
    (void)fflush(stderr);
    session->line_open = true;
}

/* ---- running ---- */

/* Of several exit statuses, the one that matters: 2, 4, 3, 1. */
static int worse(int a, int b)
{
    static const int order[] = {CLI_INTERRUPTED, CLI_USAGE, CLI_ENVIRONMENT, CLI_DAMAGED,
                                CLI_FAILED};
    for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++)
        if (a == order[i] || b == order[i])
            return order[i];
    return CLI_OK;
}

static int exit_status(enum run_result result)
{
    switch (result) {
    case RUN_PASS:
        return CLI_OK;
    case RUN_FAIL:
    case RUN_ERROR:
        return CLI_FAILED;
    case RUN_INVALID:
        return CLI_USAGE;
    case RUN_UNAVAILABLE:
        return CLI_ENVIRONMENT;
    case RUN_INTERRUPTED:
        return CLI_INTERRUPTED;
    }
    return CLI_FAILED;
}

/* Read the scenario and run it; what is wrong with the file becomes its report. */
static enum reshard_status run_opened(struct session *session, const char *path, FILE *messages,
                                      char **text, struct run_report *report)
{
    struct scenario *scenario = NULL;
    enum reshard_status status =
        scenario_open(&scenario, path, session->scenarios, session->seed, messages);
    if (status == RESHARD_ENOMEM || fflush(messages) != 0)
        return RESHARD_ENOMEM;
    if (status == RESHARD_OK)
        status = run_scenario(report, scenario, &session->options);
    else if ((*text)[0] != '\0')
        status = run_report_invalid(report, path, *text, session->options.simulated);
    else
        status = run_report_invalid(report, path, reshard_status_text(status),
                                    session->options.simulated);
    scenario_close(scenario);
    return status;
}

/* Run a file and print what became of it; the messages of an invalid one go to standard error. */
static enum reshard_status run_file(struct session *session, const char *path,
                                    struct run_report *report)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *messages = open_memstream(&text, &bytes);
    if (!messages)
        return RESHARD_ENOMEM;
    enum reshard_status status = run_opened(session, path, messages, &text, report);
    if (fclose(messages) != 0)
        status = reshard_first_failure(status, RESHARD_ENOMEM);
    clear_line(session);
    if (text && text[0])
        (void)fputs(text, stderr);
    else if (status == RESHARD_OK)
        report_print_run(session->out, report, &session->style);
    free(text);
    return status;
}

static void warn(const char *text)
{
    (void)fputs("reshard: warning: ", stderr);
    text_print(stderr, text, strlen(text));
    (void)fputc('\n', stderr);
}

static int run_files(struct session *session)
{
    int worst = CLI_OK;
    session->reports = calloc(session->file_count + 1, sizeof(*session->reports));
    if (!session->reports)
        return cli_out_of_memory();
    for (size_t i = 0; i < session->file_count && worst != CLI_INTERRUPTED; i++) {
        struct run_report *report = &session->reports[i];
        if (run_file(session, session->file[i], report) != RESHARD_OK)
            return cli_out_of_memory();
        session->report_count++;
        if (report->warning)
            warn(report->warning);
        (void)fflush(session->out);
        worst = worse(worst, exit_status(report->result));
    }
    report_print_summary(session->out, session->reports, session->report_count, &session->style);
    return worst;
}

/* ---- results to files ---- */

struct sinks {
    const char *json_name;
    const char *junit_name;
    FILE *json;
    FILE *junit;
};

/* Before anything runs, so that an hour's results are not lost to a mistyped folder. */
static bool sinks_open(struct sinks *sinks)
{
    sinks->json = sinks->json_name ? cli_output_open(sinks->json_name) : NULL;
    if (sinks->json_name && !sinks->json)
        return false;
    sinks->junit = sinks->junit_name ? cli_output_open(sinks->junit_name) : NULL;
    return !sinks->junit_name || sinks->junit;
}

static int sinks_write(struct sinks *sinks, const struct session *session)
{
    bool written = true;
    if (sinks->json) {
        json_t *value = report_json(session->reports, session->report_count);
        if (!value)
            return cli_out_of_memory();
        written = json_text_write(value, sinks->json, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
        json_decref(value);
    }
    if (sinks->junit)
        written = report_junit(sinks->junit, session->reports, session->report_count) && written;
    return written ? CLI_OK
                   : cli_error(CLI_ENVIRONMENT, "results cannot be written: %s", strerror(errno));
}

static int sinks_close(struct sinks *sinks)
{
    const bool json = cli_output_close(sinks->json, sinks->json_name);
    const bool junit = cli_output_close(sinks->junit, sinks->junit_name);
    return json && junit ? CLI_OK : CLI_ENVIRONMENT;
}

/* ---- the command ---- */

/* Fill in the session from what was asked for. */
static int prepare(struct session *session, const struct request *request, uint64_t *seed)
{
    struct run_options *options = &session->options;
    const bool real = request->on && strcmp(request->on, "mpi") == 0;
    if (request->on && !real && strcmp(request->on, "sim") != 0)
        return cli_error(CLI_USAGE, "--on %s: it is sim (simulated, the default) or mpi",
                         request->on);
    if (request->seed && !cli_parse_count(request->seed, seed))
        return cli_error(CLI_USAGE, "--seed %s: not a whole number from 0 to 2^64-1",
                         request->seed);
    if (request->timeout && !cli_parse_seconds(request->timeout, &options->launch.timeout_seconds))
        return cli_error(CLI_USAGE, "--timeout %s: not a number of seconds above 0",
                         request->timeout);
    if (request->launcher && !real)
        return cli_error(CLI_USAGE, "--launcher starts real ranks: it needs --on mpi");
    if (request->launcher && !launch_launcher_is_valid(request->launcher))
        return cli_error(CLI_USAGE, "--launcher %s: not the words of a command", request->launcher);
    if (request->quiet && request->verbose)
        return cli_error(CLI_USAGE, "--quiet and --verbose exclude each other");
    if (request->json && request->junit && strcmp(request->json, request->junit) == 0)
        return cli_error(CLI_USAGE, "--json and --junit cannot both write to %s",
                         strcmp(request->json, "-") == 0 ? "standard output" : request->json);
    session->seed = request->seed ? seed : NULL;
    session->scenarios = place_scenarios();
    session->program = place_rank_program(!real);
    if (!session->program)
        return cli_error(CLI_ENVIRONMENT,
                         "%s, the program that ranks run, is not beside this command: it was built "
                         "without it (CMake's RESHARD_SIM), or moved alone",
                         real ? "reshard-rank-mpi" : "reshard-rank-sim.so");
    options->simulated = !real;
    options->launch.program = session->program;
    options->launch.launcher = request->launcher;
    options->keep = request->keep;
    return CLI_OK;
}

static void show(struct session *session, const struct request *request)
{
    const bool results_on_stdout = (request->json && strcmp(request->json, "-") == 0) ||
                                   (request->junit && strcmp(request->junit, "-") == 0);
    session->out = results_on_stdout ? stderr : stdout;
    session->style.colour = cli_colour(session->out);
    session->style.detail = request->quiet     ? REPORT_QUIET
                            : request->verbose ? REPORT_FULL
                                               : REPORT_STEPS;
    if (isatty(STDERR_FILENO) && !request->quiet)
        session->options.progress = (struct run_progress){tell, session};
}

static void session_release(struct session *session)
{
    for (size_t i = 0; i < session->report_count; i++)
        run_report_release(&session->reports[i]);
    for (size_t i = 0; i < session->file_count; i++)
        free(session->file[i]);
    free(session->reports);
    free(session->file);
    free(session->program);
    free(session->scenarios);
}

static int run_request(struct session *session, const struct request *request)
{
    struct sinks sinks = {request->json, request->junit, NULL, NULL};
    int status = sinks_open(&sinks) ? CLI_OK : CLI_ENVIRONMENT;
    if (status == CLI_OK) {
        status = run_files(session);
        status = worse(status, sinks_write(&sinks, session));
    }
    return worse(status, sinks_close(&sinks));
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct request request = {0};
    const struct cli_option options[] = {
        {"on", 0, "sim|mpi", "simulated ranks on this machine (sim, default), or real ones", NULL,
         &request.on},
        {"launcher", 0, "CMD", "starts real ranks instead of mpiexec; -n RANKS is appended", NULL,
         &request.launcher},
        {"seed", 0, "N", "instead of the scenario's own", NULL, &request.seed},
        {"json", 0, "FILE", "results for programs; - is standard output", NULL, &request.json},
        {"junit", 0, "FILE", "results as JUnit XML; - is standard output", NULL, &request.junit},
        {"keep", 0, "DIR", "keep checkpoints, job files and logs, in DIR/SCENARIO", NULL,
         &request.keep},
        {"timeout", 0, "SECONDS", "end a job that runs longer (default 900)", NULL,
         &request.timeout},
        {"quiet", 'q', NULL, "of the steps print only those that failed", &request.quiet, NULL},
        {"verbose", 'v', NULL, "print every step's message too", &request.verbose, NULL},
    };
    struct cli_arguments paths;
    struct session session = {0};
    uint64_t seed = 0;
    int status = CLI_OK;
    if (!cli_options_parse(command, options, sizeof(options) / sizeof(*options), 1, INT_MAX, argc,
                           argv, &paths, &status))
        return status;
    status = prepare(&session, &request, &seed);
    for (int i = 0; status == CLI_OK && i < paths.count; i++)
        status = add_path(&session, paths.value[i]);
    if (status == CLI_OK) {
        /* From here a request to stop ends the job, then us; it stays pending until the exit. */
        sigset_t signals;
        launch_signals_begin(&signals);
        show(&session, &request);
        status = run_request(&session, &request);
        if (!launch_interrupted())
            launch_signals_end(&signals);
    }
    session_release(&session);
    return status;
}

const struct cli_command cli_run = {
    .name = "run",
    .arguments = "PATH...",
    .summary = "run scenarios, on a simulated cluster or on real MPI",
    .about =
        "Runs scenario files, and those (*.yaml) directly in a directory, one after the other.\n"
        "Each world of a scenario is a job of its own; state goes from one to the next through\n"
        "checkpoints alone. The same scenario and seed give the same results, digests and\n"
        "simulated times on every run.",
    .run = run,
};
