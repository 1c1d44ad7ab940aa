#include "sim/run.h"

#include "core/digest.h"
#include "core/manifest.h"
#include "core/store.h"
#include "sim/cluster.h"
#include "sim/input.h"
#include "sim/room.h"
#include "sim/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A run in progress. */
struct run {
    const struct scenario *scenario;
    const struct run_options *options;
    struct run_report *report;
    char *folder; /* absolute */
    char *checkpoints;
    struct guard guard;
    uint64_t trace; /* CRC of the event lines so far */
};

const char *run_result_name(enum run_result result)
{
    static const char *const names[] = {"pass",    "fail",        "error",
                                        "invalid", "unavailable", "interrupted"};
    return names[result];
}

const char *run_step_result_name(enum run_step_result result)
{
    static const char *const names[] = {"pass", "fail", "skip"};
    return names[result];
}

double run_step_amplification(const struct run_step *step)
{
    if (step->verb != SCENARIO_LOAD || !step->reported || step->outcome != SCENARIO_OK ||
        step->bytes == 0)
        return -1;
    return (double)step->bytes_moved / (double)step->bytes;
}

bool run_step_sends(const struct run_step *step)
{
    return step->reported && step->outcome == SCENARIO_OK &&
           (step->verb == SCENARIO_LOAD || step->verb == SCENARIO_RESHARD ||
            step->verb == SCENARIO_TRANSFORM);
}

/* ---- texts ---- */

/* Take `folder` out of a text, so that reports do not depend on where a run worked. */
static void forget_folder(char *text, const char *folder)
{
    const size_t length = strlen(folder);
    for (char *at = strstr(text, folder); at; at = strstr(at, folder)) {
        const size_t cut = length + (at[length] == '/');
        memmove(at, at + cut, strlen(at + cut) + 1);
    }
}

/* Add a line to a list of failures. */
static enum reshard_status add_failure(char **failures, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static enum reshard_status add_failure(char **failures, const char *format, ...)
{
    char *line = NULL;
    char *both = NULL;
    va_list arguments;
    va_start(arguments, format);
    const int printed = vasprintf(&line, format, arguments);
    va_end(arguments);
    if (printed < 0)
        return RESHARD_ENOMEM;
    const bool first = !*failures || (*failures)[0] == '\0';
    const int joined = asprintf(&both, "%s%s%s", first ? "" : *failures, first ? "" : "\n", line);
    free(line);
    if (joined < 0)
        return RESHARD_ENOMEM;
    free(*failures);
    *failures = both;
    return RESHARD_OK;
}

static enum reshard_status fail_scenario(struct run *run, enum run_result result, const char *text)
{
    run->report->result = result;
    return add_failure(&run->report->failures, "%s", text);
}

/* The error of something that was tried, as the scenario's failure; out of memory stays a status.
 */
static enum reshard_status fail_with(struct run *run, enum run_result result,
                                     struct reshard_error *error)
{
    if (error->status == RESHARD_ENOMEM)
        return RESHARD_ENOMEM;
    forget_folder(error->text, run->folder);
    return fail_scenario(run, result, error->text);
}

static char *describe_layout(const struct scenario_start *start)
{
    char ranks[48];
    char *text = NULL;
    const int printed =
        asprintf(&text, "%s %s", text_plural(start->ranks, "rank", ranks, sizeof(ranks)),
                 reshard_layout_kind_name(start->layout.kind));
    return printed < 0 ? NULL : text;
}

static char *describe_transform(const struct scenario_transform *transform)
{
    const struct scenario_form *model = &transform->model;
    const struct scenario_form *optimizer = &transform->optimizer;
    char *text = NULL;
    const int printed =
        asprintf(&text, "%s%s%s%s%s%s", model->given ? "model " : "",
                 model->given ? reshard_form_name(model->form) : "",
                 model->given && optimizer->given ? ", " : "", optimizer->given ? "optimizer " : "",
                 optimizer->given ? reshard_form_name(optimizer->form) : "",
                 transform->rank0_only ? ", rank 0 only" : "");
    return printed < 0 ? NULL : text;
}

/* What a step is about, for people. */
static char *describe(const struct scenario_step *step)
{
    char count[48];
    char *text = NULL;
    int printed = -1;
    switch (step->verb) {
    case SCENARIO_START:
        return describe_layout(&step->start);
    case SCENARIO_RESHARD:
        return describe_layout(&step->reshard);
    case SCENARIO_TRAIN:
        return strdup(text_plural(step->train, "step", count, sizeof(count)));
    case SCENARIO_SAVE:
    case SCENARIO_LOAD:
        return strdup(step->checkpoint);
    case SCENARIO_TRANSFORM:
        return describe_transform(&step->transform);
    case SCENARIO_VERIFY:
        printed = asprintf(&text, "step %" PRIu64, step->verify);
        return printed < 0 ? NULL : text;
    }
    return NULL;
}

/* ---- the report ---- */

static enum reshard_status report_step_init(struct run_step *out, const struct scenario_step *step)
{
    out->verb = step->verb;
    out->line = step->line;
    out->result = RUN_STEP_SKIP;
    out->subject = describe(step);
    out->message = strdup("");
    out->failures = strdup("");
    return out->subject && out->message && out->failures ? RESHARD_OK : RESHARD_ENOMEM;
}

static enum reshard_status report_init(struct run_report *out, const struct scenario *scenario,
                                       bool simulated)
{
    memset(out, 0, sizeof(*out));
    out->simulated = simulated;
    out->seed = scenario->seed;
    out->world_count = job_world_count(scenario);
    out->name = strdup(scenario->name);
    out->file = strdup(scenario->file);
    out->failures = strdup("");
    out->steps = calloc(scenario->step_count ? scenario->step_count : 1, sizeof(*out->steps));
    if (!out->name || !out->file || !out->failures || !out->steps)
        return RESHARD_ENOMEM;
    out->step_count = scenario->step_count;
    uint64_t world = 0;
    uint64_t ranks = 0;
    for (uint64_t i = 0; i < scenario->step_count; i++) {
        const struct scenario_step *step = &scenario->steps[i];
        if (step->verb == SCENARIO_START) {
            world += i > 0;
            ranks = step->start.ranks;
        }
        out->steps[i].world = world;
        out->steps[i].ranks = ranks;
        enum reshard_status status = report_step_init(&out->steps[i], step);
        if (status)
            return status;
    }
    return RESHARD_OK;
}

/* "suite/node-lost.yaml" is called node-lost, as it could not say its name itself. */
static char *name_of_file(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *name = strdup(slash ? slash + 1 : path);
    char *dot = name ? strrchr(name, '.') : NULL;
    if (dot && dot != name)
        *dot = '\0';
    return name;
}

enum reshard_status run_report_invalid(struct run_report *out, const char *path,
                                       const char *messages, bool simulated)
{
    memset(out, 0, sizeof(*out));
    out->simulated = simulated;
    out->result = RUN_INVALID;
    out->name = name_of_file(path);
    out->file = strdup(path);
    out->failures = strdup(messages);
    if (out->name && out->file && out->failures)
        return RESHARD_OK;
    run_report_release(out);
    return RESHARD_ENOMEM;
}

void run_report_release(struct run_report *report)
{
    for (uint64_t i = 0; i < report->step_count; i++) {
        free(report->steps[i].subject);
        free(report->steps[i].message);
        free(report->steps[i].loaded);
        free(report->steps[i].failures);
    }
    free(report->steps);
    free(report->warning);
    free(report->failures);
    free(report->file);
    free(report->name);
    memset(report, 0, sizeof(*report));
}

/* ---- the folder ---- */

static enum reshard_status make_kept_folder(struct run *run, struct reshard_error *error)
{
    char *path = NULL;
    if (mkdir(run->options->keep, 0777) != 0 && errno != EEXIST)
        return reshard_error_set(error, RESHARD_EIO, "%s: %s", run->options->keep, strerror(errno));
    if (asprintf(&path, "%s/%s", run->options->keep, run->scenario->name) < 0)
        return reshard_error_set(error, RESHARD_ENOMEM, "out of memory");
    enum reshard_status status = RESHARD_OK;
    if (mkdir(path, 0777) != 0)
        status =
            reshard_error_set(error, RESHARD_EEXIST, "%s: %s%s", path, strerror(errno),
                              errno == EEXIST ? "; remove it, or keep elsewhere (--keep)" : "");
    else if (!(run->folder = realpath(path, NULL)))
        status = reshard_error_set(error, RESHARD_EIO, "%s: %s", path, strerror(errno));
    free(path);
    return status;
}

static enum reshard_status make_temporary_folder(struct run *run, struct reshard_error *error)
{
    const char *parent = getenv("TMPDIR");
    char *path = NULL;
    if (asprintf(&path, "%s/reshard-XXXXXX", parent && parent[0] ? parent : "/tmp") < 0)
        return reshard_error_set(error, RESHARD_ENOMEM, "out of memory");
    enum reshard_status status = RESHARD_OK;
    if (!mkdtemp(path))
        status = reshard_error_set(error, RESHARD_EIO, "%s: %s (TMPDIR)", path, strerror(errno));
    else if (!(run->folder = realpath(path, NULL)))
        status = reshard_error_set(error, RESHARD_EIO, "%s: %s", path, strerror(errno));
    free(path);
    return status;
}

static enum reshard_status make_folders(struct run *run, struct reshard_error *error)
{
    enum reshard_status status =
        run->options->keep ? make_kept_folder(run, error) : make_temporary_folder(run, error);
    if (!status)
        status = guard_open(&run->guard, run->options->keep ? NULL : run->folder, error);
    if (status)
        return status;
    run->checkpoints = store_path(run->folder, "checkpoints");
    if (!run->checkpoints)
        return reshard_error_set(error, RESHARD_ENOMEM, "out of memory");
    if (mkdir(run->checkpoints, 0777) != 0)
        return reshard_error_set(error, RESHARD_EIO, "%s: %s", run->checkpoints, strerror(errno));
    return RESHARD_OK;
}

/* A temporary folder that cannot be removed changes no result, but people should know of it. */
static void remove_folder(struct run *run)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    if (!run->folder || run->options->keep ||
        store_remove(store_posix(), run->folder, &error) == RESHARD_OK)
        return;
    if (asprintf(&run->report->warning, "%s is left behind: %s", run->folder, error.text) < 0)
        run->report->warning = NULL;
}

/* ---- what was expected ---- */

static enum reshard_status check_seconds(struct run_step *step,
                                         const struct scenario_expect *expect)
{
    if (expect->seconds_at_most >= 0 && step->seconds > expect->seconds_at_most)
        return add_failure(&step->failures, "expected at most %g s, took %.9g s",
                           expect->seconds_at_most, step->seconds);
    if (expect->seconds_at_least >= 0 && step->seconds < expect->seconds_at_least)
        return add_failure(&step->failures, "expected at least %g s, took %.9g s",
                           expect->seconds_at_least, step->seconds);
    return RESHARD_OK;
}

static enum reshard_status check_load(struct run_step *step, const struct scenario_expect *expect)
{
    const double amplification = run_step_amplification(step);
    if (expect->loaded && (!step->loaded || strcmp(expect->loaded, step->loaded) != 0)) {
        enum reshard_status status =
            add_failure(&step->failures, "expected to load '%s', loaded %s%s%s", expect->loaded,
                        step->loaded ? "'" : "", step->loaded ? step->loaded : "nothing",
                        step->loaded ? "'" : "");
        if (status)
            return status;
    }
    if (expect->read_amplification >= 0 && amplification >= 0 &&
        amplification > expect->read_amplification * (1 + 1e-6))
        return add_failure(&step->failures,
                           "expected a read amplification of at most %g, was %.7g: %" PRIu64
                           " bytes were asked of the store for %" PRIu64,
                           expect->read_amplification, amplification, step->bytes_moved,
                           step->bytes);
    return RESHARD_OK;
}

/* Never more over the network than what was lacking, whatever the scenario says. */
static enum reshard_status check_network(struct run_step *step)
{
    if (!run_step_sends(step) || step->network_bytes == step->network_bound)
        return RESHARD_OK;
    return add_failure(&step->failures,
                       "%" PRIu64 " bytes went over the network, where %" PRIu64 " were lacking",
                       step->network_bytes, step->network_bound);
}

/* Hold a step that was reported against what the scenario expects of it. */
static enum reshard_status check_step(const struct run *run, struct run_step *step,
                                      const struct scenario_expect *expect)
{
    enum reshard_status status = RESHARD_OK;
    if (step->outcome != expect->outcome)
        status = add_failure(&step->failures, "expected outcome %s, was %s",
                             scenario_outcome_name(expect->outcome),
                             scenario_outcome_name(step->outcome));
    if (!status && expect->message && !strstr(step->message, expect->message))
        status = add_failure(&step->failures, "expected a message with '%s'", expect->message);
    if (!status && step->outcome == SCENARIO_OK)
        status = check_load(step, expect);
    if (!status)
        status = check_network(step);
    if (!status && run->options->simulated)
        status = check_seconds(step, expect);
    step->result = step->failures[0] ? RUN_STEP_FAIL : RUN_STEP_PASS;
    return status;
}

static bool is_checkpoint(const char *folder, const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s/" MANIFEST_FILE, folder, name) < 0)
        return false;
    const bool there = name[0] != '.' && access(path, F_OK) == 0;
    free(path);
    return there;
}

static bool is_expected(const struct scenario *scenario, const char *name)
{
    for (uint64_t i = 0; i < scenario->checkpoint_count; i++)
        if (strcmp(scenario->checkpoints[i], name) == 0)
            return true;
    return false;
}

/* Exactly the expected checkpoints exist at the end. */
static enum reshard_status check_checkpoints(struct run *run)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    const struct scenario *scenario = run->scenario;
    char **names = NULL;
    uint64_t count = 0;
    char **failures = &run->report->failures;
    if (!scenario->checkpoints_expected)
        return RESHARD_OK;
    if (store_list(store_posix(), run->checkpoints, &names, &count, &error) != RESHARD_OK)
        return fail_with(run, RUN_ERROR, &error);
    enum reshard_status status = RESHARD_OK;
    for (uint64_t i = 0; !status && i < scenario->checkpoint_count; i++)
        if (!is_checkpoint(run->checkpoints, scenario->checkpoints[i]))
            status = add_failure(failures, "expected checkpoint '%s' at the end, it is not there",
                                 scenario->checkpoints[i]);
    for (uint64_t i = 0; !status && i < count; i++)
        if (is_checkpoint(run->checkpoints, names[i]) && !is_expected(scenario, names[i]))
            status = add_failure(failures, "expected no checkpoint '%s' at the end, it is there",
                                 names[i]);
    if ((*failures)[0])
        run->report->result = RUN_FAIL;
    store_names_free(names, count);
    return status;
}

/* ---- results ---- */

static enum reshard_status take_result(struct run *run, uint64_t first, struct job_result *result,
                                       struct reshard_error *error)
{
    const uint64_t index = first + result->step;
    struct run_report *report = run->report;
    struct run_step *step = index < report->step_count ? &report->steps[index] : NULL;
    if (!step || step->verb == SCENARIO_START || step->world != report->steps[first].world ||
        step->reported)
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "steps.jsonl: step %" PRIu64 " is not one that was to come",
                                 result->step);
    step->reported = true;
    step->outcome = result->outcome;
    step->seconds = result->seconds;
    step->bytes = result->bytes_unique;
    step->bytes_moved = result->bytes_moved;
    step->network_bytes = result->bytes_sent;
    step->network_bound = result->bytes_lacking;
    step->files = result->files;
    step->training_step = result->training_step;
    step->tensors = result->tensors;
    step->elements = result->elements;
    step->replicas = result->replicas;
    free(step->message);
    step->message = result->message;
    step->loaded = result->loaded;
    result->message = NULL;
    result->loaded = NULL;
    forget_folder(step->message, run->folder);
    if (result->digest[0] != '\0') /* a step that was refused leaves the state as it was */
        memcpy(report->digest, result->digest, sizeof(report->digest));
    report->bytes += step->bytes;
    report->seconds += step->seconds;
    return check_step(run, step, &run->scenario->steps[index].expect);
}

/* Read what rank 0 reported of a world whose first step is number `first` of the scenario. */
static enum reshard_status take_results(struct run *run, const struct job *job, uint64_t first,
                                        struct reshard_error *error)
{
    char *line = NULL;
    size_t capacity = 0;
    char *path = store_path(job->folder, "steps.jsonl");
    FILE *file = NULL;
    enum reshard_status status = path ? input_open(path, &file, error) : RESHARD_ENOMEM;
    free(path);
    if (status == RESHARD_ENOENT) { /* no step was reported */
        reshard_error_clear(error);
        return RESHARD_OK;
    }
    while (!status && getline(&line, &capacity, file) > 0) {
        struct job_result result;
        /* A job that was ended while it wrote leaves half a line. */
        if (!strchr(line, '\n'))
            break;
        status = job_result_decode(&result, line, error);
        if (!status)
            status = take_result(run, first, &result, error);
        job_result_release(&result);
    }
    free(line);
    if (file)
        (void)fclose(file); /* read only */
    return status;
}

/* Continue the trace's CRC over one rank's event lines: all of its end record but the last line. */
static enum reshard_status trace_rank(struct run *run, const struct job *job, uint64_t rank)
{
    char *text = NULL;
    uint64_t bytes = 0;
    char *path = job_end_path(job, rank);
    if (!path)
        return RESHARD_ENOMEM;
    enum reshard_status status =
        store_read_file(store_posix(), path, UINT32_MAX, &text, &bytes, NULL);
    free(path);
    if (status)
        return status;
    const size_t mark = strlen("end\n");
    run->trace = digest_crc(run->trace, text, bytes < mark ? 0 : (size_t)bytes - mark);
    free(text);
    return RESHARD_OK;
}

static enum reshard_status trace_world(struct run *run, const struct job *job)
{
    enum reshard_status status = RESHARD_OK;
    for (uint64_t rank = 0; !status && job->simulated && rank < job->ranks; rank++)
        status = trace_rank(run, job, rank);
    return status;
}

/* ---- worlds ---- */

static enum reshard_status write_file(const struct job *job, const char *name,
                                      enum reshard_status (*write)(const struct job *, const char *,
                                                                   struct reshard_error *),
                                      struct reshard_error *error)
{
    char *path = store_path(job->folder, name);
    if (!path)
        return reshard_error_set(error, RESHARD_ENOMEM, "out of memory");
    enum reshard_status status = write(job, path, error);
    free(path);
    return status;
}

static enum reshard_status write_platform(const struct job *job, const char *path,
                                          struct reshard_error *error)
{
    return cluster_write_platform(&job->cluster, path, error);
}

static enum reshard_status write_hosts(const struct job *job, const char *path,
                                       struct reshard_error *error)
{
    return cluster_write_hosts(&job->cluster, job->ranks, path, error);
}

/* Compile a world into a new folder of its own. */
static enum reshard_status prepare_world(struct run *run, uint64_t world, struct job **out,
                                         struct reshard_error *error)
{
    char *folder = NULL;
    *out = NULL;
    if (asprintf(&folder, "%s/world-%" PRIu64, run->folder, world) < 0)
        return reshard_error_set(error, RESHARD_ENOMEM, "out of memory");
    enum reshard_status status = RESHARD_OK;
    if (mkdir(folder, 0777) != 0)
        status = reshard_error_set(error, RESHARD_EIO, "%s: %s", folder, strerror(errno));
    if (!status) {
        status = job_compile(out, run->scenario, world, run->checkpoints, folder,
                             run->options->simulated);
        if (status)
            (void)reshard_error_set(error, status, "world %" PRIu64 " cannot be compiled: %s",
                                    world, reshard_status_text(status));
    }
    if (!status)
        status = write_file(*out, LAUNCH_JOB_FILE, job_write, error);
    if (!status && run->options->simulated)
        status = write_file(*out, LAUNCH_PLATFORM_FILE, write_platform, error);
    if (!status && run->options->simulated)
        status = write_file(*out, LAUNCH_HOSTS_FILE, write_hosts, error);
    free(folder);
    return status;
}

/* After a job that came to its end: did all steps that were to come, and as expected? */
static enum reshard_status judge_world(struct run *run, const struct job *job, uint64_t first)
{
    for (uint64_t i = 0; i < job->step_count; i++) {
        const struct run_step *step = &run->report->steps[first + i];
        if (step->reported && step->result == RUN_STEP_FAIL)
            run->report->result = RUN_FAIL;
    }
    if (run->report->result != RUN_PASS)
        return RESHARD_OK;
    for (uint64_t i = 0; i < job->step_count; i++)
        if (!run->report->steps[first + i].reported)
            return fail_scenario(run, RUN_ERROR,
                                 "the job came to its end without reporting all of its steps");
    return RESHARD_OK;
}

static enum run_result result_of(enum launch_outcome outcome)
{
    switch (outcome) {
    case LAUNCH_ENDED:
        return RUN_PASS;
    case LAUNCH_CRASHED:
    case LAUNCH_TIMED_OUT:
        return RUN_ERROR;
    case LAUNCH_INTERRUPTED:
        return RUN_INTERRUPTED;
    case LAUNCH_UNAVAILABLE:
        return RUN_UNAVAILABLE;
    }
    return RUN_ERROR;
}

/* A step that ended in an error, as for want of space, is the whole reason why its job came to no
 * end. False when there is none among the world's. */
static bool find_error(const struct run *run, const struct job *job, uint64_t first,
                       const struct run_step **out)
{
    for (uint64_t i = 0; i < job->step_count; i++) {
        *out = &run->report->steps[first + i];
        if ((*out)->reported && (*out)->outcome == SCENARIO_ERROR)
            return true;
    }
    return false;
}

static enum reshard_status fail_in_error(struct run *run, const struct run_step *step)
{
    run->report->result = RUN_ERROR;
    return add_failure(&run->report->failures, "line %d: the %s ended in an error: %s", step->line,
                       scenario_verb_name(step->verb), step->message);
}

/* Run a compiled world, and take what it reported even when it did not come to its end: the steps
 * up to there say where it happened. */
static enum reshard_status launch_world(struct run *run, const struct job *job, uint64_t first)
{
    struct reshard_error crash = RESHARD_ERROR_INIT;
    struct reshard_error error = RESHARD_ERROR_INIT;
    const struct run_step *failed = NULL;
    struct launch_options options = run->options->launch;
    options.guard = &run->guard;
    const enum launch_outcome outcome = launch_job(job, &options, &crash);
    if (outcome != LAUNCH_UNAVAILABLE)
        run->report->steps[first - 1].result = RUN_STEP_PASS;
    if (take_results(run, job, first, &error) != RESHARD_OK)
        return fail_with(run, RUN_ERROR, &error);
    if ((outcome == LAUNCH_ENDED || outcome == LAUNCH_CRASHED) &&
        find_error(run, job, first, &failed))
        return fail_in_error(run, failed);
    if (outcome != LAUNCH_ENDED)
        return fail_with(run, result_of(outcome), &crash);
    enum reshard_status status = trace_world(run, job);
    if (status)
        return status == RESHARD_ENOMEM
                   ? status
                   : fail_scenario(run, RUN_ERROR, "an end record cannot be read");
    return judge_world(run, job, first);
}

/* Whether the ranks' state fits this machine's memory, where all of them are on it. */
static enum reshard_status check_room(struct run *run, const struct job *job)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    const uint64_t room = room_free();
    uint64_t needed = 0;
    char text[256];
    const enum reshard_status status = room_needed(job, &needed, &error);
    if (status)
        return fail_with(run, RUN_ERROR, &error);
    if (needed <= room)
        return RESHARD_OK;
    (void)snprintf(text, sizeof(text),
                   "world %" PRIu64 ", %" PRIu64 " ranks: their state is %.1f GB, and simulated "
                   "ranks hold it in this machine's memory, of which %.1f GB are free; "
                   "`reshard check` needs none",
                   job->world, job->ranks, (double)needed / 1e9, (double)room / 1e9);
    return fail_scenario(run, RUN_UNAVAILABLE, text);
}

/* Whether the job's files can be open at once: said before it runs, not when it fails. Another
 * launcher may start ranks elsewhere. */
static enum reshard_status check_descriptors(struct run *run, const struct job *job)
{
    const uint64_t needed = room_descriptors_needed(job);
    const uint64_t room = room_descriptors_free();
    char text[256];
    if (needed <= room || (!job->simulated && run->options->launch.launcher))
        return RESHARD_OK;
    (void)snprintf(text, sizeof(text),
                   "world %" PRIu64 ", %" PRIu64 " ranks: up to %" PRIu64
                   " files are open at once, "
                   "and the limit is %" PRIu64 "; raise it with `ulimit -n %" PRIu64
                   "` (or LimitNOFILE=, limits.conf), or use fewer ranks",
                   job->world, job->ranks, needed, room, needed);
    return fail_scenario(run, RUN_UNAVAILABLE, text);
}

static enum reshard_status run_world(struct run *run, uint64_t world, uint64_t first)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    const struct run_progress *progress = &run->options->progress;
    struct job *job = NULL;
    enum reshard_status status = prepare_world(run, world, &job, &error);
    if (status)
        status = fail_with(run, RUN_ERROR, &error);
    else if (run->options->simulated)
        status = check_room(run, job);
    if (!status && run->report->result == RUN_PASS)
        status = check_descriptors(run, job);
    if (!status && run->report->result == RUN_PASS) {
        if (progress->tell)
            progress->tell(progress->context, run->scenario->name, world, run->report->world_count,
                           job->ranks);
        status = launch_world(run, job, first);
    }
    job_close(job);
    return status;
}

static enum reshard_status run_worlds(struct run *run)
{
    const struct scenario *scenario = run->scenario;
    enum reshard_status status = RESHARD_OK;
    uint64_t world = 0;
    for (uint64_t i = 0; !status && i < scenario->step_count; i++) {
        if (scenario->steps[i].verb != SCENARIO_START)
            continue;
        if (launch_interrupted())
            return fail_scenario(run, RUN_INTERRUPTED, "interrupted");
        status = run_world(run, world++, i + 1);
        if (run->report->result != RUN_PASS)
            return status;
    }
    if (!status)
        status = check_checkpoints(run);
    if (!status && run->options->simulated)
        (void)snprintf(run->report->trace_digest, sizeof(run->report->trace_digest), "%016" PRIx64,
                       run->trace);
    return status;
}

enum reshard_status run_scenario(struct run_report *out, const struct scenario *scenario,
                                 const struct run_options *options)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct run run = {.scenario = scenario, .options = options, .report = out};
    const double begin = launch_now();
    enum reshard_status status = report_init(out, scenario, options->simulated);
    if (status)
        goto cleanup;
    if (make_folders(&run, &error) != RESHARD_OK) {
        out->result = error.status == RESHARD_EEXIST ? RUN_INVALID : RUN_UNAVAILABLE;
        status = add_failure(&out->failures, "%s", error.text);
        goto cleanup;
    }
    status = run_worlds(&run);
cleanup:
    remove_folder(&run);
    guard_close(&run.guard);
    free(run.checkpoints);
    free(run.folder);
    out->wall_seconds = launch_now() - begin;
    if (status)
        run_report_release(out);
    return status;
}
