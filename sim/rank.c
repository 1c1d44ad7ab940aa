/*
 * The program that every rank of a job runs: `reshard-rank JOB`. The same source serves real MPI
 * and the simulation; sim/machine.h has what differs.
 *
 * Each step's result goes to the job's steps.jsonl as soon as it is known. A step that ends
 * otherwise than expected ends the job, in good order and on all ranks, with exit status 1; so does
 * an error that no scenario can expect, but then no rank leaves an end record, since none reached
 * the end. What happens to one rank alone, before all can agree on anything, aborts the job.
 */
#include "sim/session.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a rank opens, in this order; released in the reverse. */
struct rank {
    const struct world *world;
    struct machine *machine;
    struct reshard_group *group;
    struct session *session;
    FILE *results; /* rank 0's */
};

static void rank_release(struct rank *rank)
{
    if (rank->results)
        (void)fclose(rank->results); /* each line was flushed, and looked after, when written */
    session_close(rank->session);
    reshard_group_close(rank->group);
    machine_close(rank->machine);
    world_release(rank->world);
}

/* Everything that fails on one rank alone: there is no group yet in which to agree. */
static enum reshard_status open_local(struct rank *rank, const char *path,
                                      struct reshard_error *error)
{
    int number = 0;
    enum reshard_status status = world_acquire(&rank->world, path, error);
    if (status)
        return status;
    MPI_Comm_rank(MPI_COMM_WORLD, &number);
    return machine_open(&rank->machine, rank->world->job, (uint64_t)number, error);
}

/* [collective] */
static enum reshard_status open_results(struct rank *rank, struct reshard_error *error)
{
    enum reshard_status status = RESHARD_OK;
    if (reshard_group_rank(rank->group) == 0) {
        char path[PATH_MAX];
        (void)snprintf(path, sizeof(path), "%s/steps.jsonl", rank->world->job->folder);
        rank->results = fopen(path, "we");
        if (!rank->results)
            status = reshard_error_set(error, RESHARD_EIO, "%s: cannot create: %s", path,
                                       strerror(errno));
    }
    return reshard_group_agree(rank->group, status, error);
}

/* [collective] */
static enum reshard_status open_together(struct rank *rank, struct reshard_error *error)
{
    const struct job *job = rank->world->job;
    struct reshard_environment environment;
    machine_environment(rank->machine, &environment);
    const struct reshard_group_options options = {.environment = &environment,
                                                  .host = machine_host(rank->machine)};
    enum reshard_status status = reshard_group_open(&rank->group, MPI_COMM_WORLD, &options, error);
    if (status)
        return status;
    if (reshard_group_world(rank->group) != job->ranks)
        return reshard_error_set(error, RESHARD_EMISMATCH,
                                 "the job is for %" PRIu64 " ranks, and %" PRIu64 " were started",
                                 job->ranks, reshard_group_world(rank->group));
    status = open_results(rank, error);
    if (status)
        return status;
    return session_open(&rank->session, rank->world, rank->machine, rank->group, error);
}

/* [collective] */
static enum reshard_status report_result(struct rank *rank, const struct job_result *result,
                                         struct reshard_error *error)
{
    enum reshard_status status = RESHARD_OK;
    if (rank->results) {
        char *line = job_result_encode(result);
        if (!line)
            status = RESHARD_ENOMEM;
        else if (fprintf(rank->results, "%s\n", line) < 0 || fflush(rank->results))
            status = reshard_error_set(error, RESHARD_EIO, "steps.jsonl: cannot write: %s",
                                       strerror(errno));
        free(line);
    }
    return reshard_group_agree(rank->group, status, error);
}

static bool is_expected(const struct job_step *step, const struct job_result *result)
{
    enum scenario_outcome outcome;
    return session_outcome((enum reshard_status)result->status, &outcome) &&
           outcome == step->outcome;
}

/* [collective] One step. False in *go_on when the job is to stop after it. */
static enum reshard_status run_step(struct rank *rank, uint64_t index, bool *go_on,
                                    struct reshard_error *error)
{
    const struct job_step *step = &rank->world->job->steps[index];
    struct job_result result = {0};
    enum scenario_outcome outcome;
    enum reshard_status status = session_step(rank->session, index, &result, error);
    if (!status)
        status = report_result(rank, &result, error);
    if (!status && !session_outcome((enum reshard_status)result.status, &outcome))
        status = reshard_error_set(error, (enum reshard_status)result.status, "%s", result.message);
    *go_on = !status && is_expected(step, &result);
    if (!status && !*go_on && rank->results)
        (void)fprintf(stderr, "step %" PRIu64 " (%s, line %d): %s instead of %s: %s\n", index,
                      scenario_verb_name(step->verb), step->line,
                      scenario_outcome_name(result.outcome), scenario_outcome_name(step->outcome),
                      result.message);
    job_result_release(&result);
    return status;
}

static enum reshard_status write_end(const struct rank *rank, struct reshard_error *error)
{
    char *path = job_end_path(rank->world->job, reshard_group_rank(rank->group));
    if (!path)
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory for the end record's name");
    enum reshard_status status = record_write(machine_record(rank->machine), path, error);
    free(path);
    return status;
}

/* [collective] *expected is false when a step ended otherwise than expected. */
static enum reshard_status run_job(struct rank *rank, bool *expected, struct reshard_error *error)
{
    enum reshard_status status = open_together(rank, error);
    *expected = true;
    for (uint64_t i = 0; !status && *expected && i < rank->world->job->step_count; i++)
        status = run_step(rank, i, expected, error);
    if (status)
        return status;
    return reshard_group_agree(rank->group, write_end(rank, error), error);
}

int main(int argc, char **argv)
{
    struct rank rank = {NULL, NULL, NULL, NULL, NULL};
    struct reshard_error error = RESHARD_ERROR_INIT;
    bool expected = false;
    int number = 0;

    /* A file that grows beyond `ulimit -f` is an error that all ranks learn of, not a death. */
    (void)signal(SIGXFSZ, SIG_IGN);
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &number);
    enum reshard_status status =
        argc == 2 ? open_local(&rank, argv[1], &error)
                  : reshard_error_set(&error, RESHARD_EINVAL, "usage: reshard-rank JOB");
    if (status) {
        (void)fprintf(stderr, "rank %d: %s\n", number, error.text);
        MPI_Abort(MPI_COMM_WORLD, 1);
        rank_release(&rank);
        return 1;
    }
    status = run_job(&rank, &expected, &error);
    if (status && number == 0)
        (void)fprintf(stderr, "the job cannot go on: %s: %s\n", reshard_status_name(status),
                      error.text);
    rank_release(&rank);
    MPI_Finalize();
    return status || !expected ? 1 : 0;
}
