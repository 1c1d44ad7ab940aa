#include "sim/session.h"

#include "core/digest.h"
#include "parallel/exchange.h"
#include "parallel/latest.h"
#include "parallel/load.h"
#include "parallel/proof.h"
#include "parallel/save.h"
#include "sim/fingerprint.h"
#include "sim/judge.h"
#include "sim/param_groups.h"
#include "sim/training/train.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct session {
    const struct world *world;
    struct machine *machine;
    struct reshard_group *group;
    struct holding live;           /* what training goes on with */
    struct reshard_groups *groups; /* and the optimizer's param groups; NULL without one */
    uint64_t *digest;              /* of each tensor, as this rank's replica set holds it */
    bool *absent;                  /* each tensor: a slot that is not there */
    uint64_t training_step;
};

/* --- Opening ------------------------------------------------------------------------------- */

static struct train train_of(const struct session *session,
                             const struct reshard_optimizer *optimizer)
{
    return (struct train){
        .state = session->live.state,
        .optimizer = optimizer,
        .seed = session->world->job->seed,
    };
}

/* Memory for this rank's part of the state under an arrangement. */
static enum reshard_status hold(const struct session *session, struct holding *out,
                                const struct arrangement *arrangement, struct reshard_error *error)
{
    return holding_open(out, arrangement, reshard_group_rank(session->group), error);
}

static enum reshard_status hold_layout(const struct session *session, struct holding *out,
                                       const struct reshard_layout_options *options,
                                       struct reshard_error *error)
{
    const struct arrangement *arrangement = NULL;
    const enum reshard_status status =
        arrangement_acquire(&arrangement, session->world, options, error);
    return status ? status : hold(session, out, arrangement, error);
}

static enum reshard_status open_state(struct session *session, struct reshard_error *error)
{
    const struct job *job = session->world->job;
    const uint32_t count = reshard_model_tensor_count(job->model);
    enum reshard_status status = hold_layout(session, &session->live, &job->layout, error);
    if (status)
        return status;
    session->digest = calloc((size_t)count + 1, sizeof(*session->digest));
    session->absent = calloc((size_t)count + 1, sizeof(*session->absent));
    if (!session->digest || !session->absent)
        return RESHARD_ENOMEM;
    if (session->world->groups)
        status = reshard_groups_copy(&session->groups, session->world->groups);
    if (status)
        return status;
    const struct train train = train_of(session, &job->optimizer);
    return train_begin(&train, session->world->safetensors, error);
}

enum reshard_status session_open(struct session **out, const struct world *world,
                                 struct machine *machine, struct reshard_group *group,
                                 struct reshard_error *error)
{
    struct session *session = calloc(1, sizeof(*session));
    enum reshard_status status = RESHARD_ENOMEM;

    *out = NULL;
    if (session) {
        session->world = world;
        session->machine = machine;
        session->group = group;
        status = open_state(session, error);
    }
    status = reshard_group_agree(group, status, error);
    if (status) {
        session_close(session);
        return status;
    }
    *out = session;
    return RESHARD_OK;
}

void session_close(struct session *session)
{
    if (!session)
        return;
    free(session->digest);
    free(session->absent);
    reshard_groups_close(session->groups);
    holding_release(&session->live);
    free(session);
}

/* --- The verbs ----------------------------------------------------------------------------- */

/* The hyperparameters that training goes on with are those of the param groups, wherever they came
 * from. */
static enum reshard_status optimizer_of(const struct session *session,
                                        struct reshard_optimizer *out, struct reshard_error *error)
{
    *out = (struct reshard_optimizer){.name = RESHARD_OPTIMIZER_NONE};
    if (!session->groups)
        return RESHARD_OK;
    return param_groups_optimizer(out, session->groups, &session->world->job->optimizer, error);
}

static enum reshard_status run_train(struct session *session, const struct job_step *step,
                                     struct job_result *result, struct reshard_error *error)
{
    struct reshard_optimizer optimizer;
    const uint64_t last = session->training_step + step->train;
    (void)result;
    enum reshard_status status =
        reshard_group_agree(session->group, optimizer_of(session, &optimizer, error), error);
    const struct train train = train_of(session, &optimizer);
    if (!status)
        status =
            train_steps(&train, session->group, session->training_step + 1, step->train, error);
    if (!status)
        status = param_groups_set_step(session->groups, last, error);
    param_groups_release_optimizer(&optimizer);
    status = reshard_group_agree(session->group, status, error);
    if (!status)
        session->training_step = last;
    return status;
}

/* The same on all ranks, since it needs nothing but the job. */
static enum reshard_status checkpoint_path(const struct session *session, const char *name,
                                           char path[PATH_MAX], struct reshard_error *error)
{
    const int length = snprintf(path, PATH_MAX, "%s/%s", session->world->job->checkpoints, name);
    if (length >= 0 && length < PATH_MAX)
        return RESHARD_OK;
    return reshard_error_set(error, RESHARD_EINVAL, "checkpoint %s: its path is too long", name);
}

static void describe_transfer(struct job_result *result, const struct reshard_report *report)
{
    result->bytes_unique = report->bytes_unique;
    result->bytes_moved = report->bytes_moved;
    result->bytes_sent += report->bytes_sent;
    result->bytes_lacking += report->bytes_lacking;
    result->files = report->files;
}

/* Nothing goes over the network but what a rank needs and lacks, each byte once. */
static enum reshard_status check_bound(const struct reshard_report *report,
                                       struct reshard_error *error)
{
    if (report->bytes_sent == report->bytes_lacking)
        return RESHARD_OK;
    return reshard_error_set(error, RESHARD_ECOVER,
                             "%" PRIu64 " bytes went over the network, where %" PRIu64
                             " were lacking",
                             report->bytes_sent, report->bytes_lacking);
}

static enum reshard_status run_save(struct session *session, const struct job_step *step,
                                    struct job_result *result, struct reshard_error *error)
{
    char path[PATH_MAX];
    const struct reshard_save_options options = {
        .step = session->training_step,
        .store = machine_store(session->machine),
        .groups = session->groups,
    };
    struct reshard_report report = {0};
    enum reshard_status status = checkpoint_path(session, step->checkpoint, path, error);
    if (!status)
        status = reshard_save(session->group, session->live.state, path, &options, &report, error);
    if (!status)
        describe_transfer(result, &report);
    return status;
}

static enum reshard_status find_checkpoint(struct session *session, const char *wanted,
                                           char name[RESHARD_NAME_MAX], struct reshard_error *error)
{
    if (strcmp(wanted, "latest") == 0) {
        struct reshard_latest latest;
        const enum reshard_status status =
            reshard_latest_find(session->group, machine_store(session->machine),
                                session->world->job->checkpoints, &latest, error);
        (void)snprintf(name, RESHARD_NAME_MAX, "%s", latest.name);
        return status;
    }
    if (snprintf(name, RESHARD_NAME_MAX, "%s", wanted) < RESHARD_NAME_MAX)
        return RESHARD_OK;
    return reshard_error_set(error, RESHARD_EINVAL, "checkpoint %s: its name is too long", wanted);
}

/* How to read, and the rates by which the cheapest way is chosen: what storage gives to all ranks
 * together, and each rank's share of its node's link. */
static void fill_reading(struct reshard_load_options *options, enum scenario_reading reading,
                         const struct scenario_cluster *cluster)
{
    static const enum reshard_reading readings[] = {
        [SCENARIO_READ_ONCE] = RESHARD_READ_ONCE,
        [SCENARIO_READ_EACH] = RESHARD_READ_EACH,
        [SCENARIO_READ_CHEAPEST] = RESHARD_READ_CHEAPEST,
    };
    options->reading = readings[reading];
    options->storage_rate = cluster->storage_servers
                                ? cluster->storage_read * (double)cluster->storage_servers
                                : cluster->disk_read * (double)cluster->nodes;
    options->network_rate = cluster->network_bandwidth / (double)cluster->ranks_per_node;
}

/* Groups to be filled in by a load, with nothing in them that could be taken for what it brought.
 */
static enum reshard_status open_loaded_groups(const struct session *session,
                                              struct reshard_groups **out,
                                              struct reshard_error *error)
{
    *out = NULL;
    if (!session->groups)
        return RESHARD_OK;
    const enum reshard_status status = reshard_groups_copy(out, session->groups);
    return status ? status : param_groups_spoil(*out, error);
}

/* [collective] The state goes on with what a load has brought besides tensors. */
static enum reshard_status take_loaded(struct session *session, struct reshard_groups **groups,
                                       uint64_t step, struct reshard_error *error)
{
    enum reshard_status status = RESHARD_OK;
    session->training_step = step;
    if (*groups)
        status = param_groups_check_step(*groups, step, error);
    reshard_groups_close(session->groups);
    session->groups = *groups;
    *groups = NULL;
    return reshard_group_agree(session->group, status, error);
}

/* [collective] What is loaded is kept apart from the session until all went well. */
static enum reshard_status load(struct session *session, const struct job_step *step,
                                const char *path, struct reshard_report *report,
                                struct reshard_error *error)
{
    struct reshard_load_options options = {.store = machine_store(session->machine)};
    fill_reading(&options, step->reading, &session->world->job->cluster);
    enum reshard_status status = reshard_group_agree(
        session->group, open_loaded_groups(session, &options.groups, error), error);
    if (!status)
        status = reshard_load(session->group, session->live.state, path, &options, report, error);
    if (!status)
        status = take_loaded(session, &options.groups, report->step, error);
    reshard_groups_close(options.groups);
    return status;
}

static enum reshard_status run_load(struct session *session, const struct job_step *step,
                                    struct job_result *result, struct reshard_error *error)
{
    char name[RESHARD_NAME_MAX];
    char path[PATH_MAX];
    struct reshard_report report = {0};
    enum reshard_status status = find_checkpoint(session, step->checkpoint, name, error);
    if (!status)
        status = checkpoint_path(session, name, path, error);
    if (!status)
        status = load(session, step, path, &report, error);
    if (status)
        return status;
    describe_transfer(result, &report);
    result->loaded = strdup(name);
    status =
        reshard_group_agree(session->group, result->loaded ? RESHARD_OK : RESHARD_ENOMEM, error);
    return status ? status : check_bound(&report, error);
}

/* [collective] Fill one holding's part of the state from another's. */
static enum reshard_status carry(struct session *session, const struct holding *source,
                                 const struct holding *target, enum reshard_part part,
                                 struct job_result *result, struct reshard_error *error)
{
    const struct reshard_exchange_options options = {.part = part};
    struct reshard_report report = {0};
    const enum reshard_status status =
        reshard_exchange(session->group, source->state, target->state, &options, &report, error);
    if (status)
        return status;
    result->bytes_unique += report.bytes_unique;
    result->bytes_sent += report.bytes_sent;
    result->bytes_lacking += report.bytes_lacking;
    return check_bound(&report, error);
}

/* The state goes on in `next` when all went well, and as it was otherwise. */
static enum reshard_status go_on(struct session *session, struct holding *next,
                                 enum reshard_status status)
{
    if (status) {
        holding_release(next);
        return status;
    }
    holding_release(&session->live);
    session->live = *next;
    return RESHARD_OK;
}

static enum reshard_status run_reshard(struct session *session, const struct job_step *step,
                                       struct job_result *result, struct reshard_error *error)
{
    struct holding next = {0};
    enum reshard_status status = reshard_group_agree(
        session->group, hold_layout(session, &next, &step->layout, error), error);
    if (!status)
        status = carry(session, &session->live, &next, RESHARD_PART_ALL, result, error);
    return go_on(session, &next, status);
}

/* [collective] Carry a part into its form, judge it there, and carry it on into `next`. */
static enum reshard_status by_way_of(struct session *session, const struct scenario_form *form,
                                     bool rank0_only, enum reshard_part part, struct holding *next,
                                     struct job_result *result, struct reshard_error *error)
{
    const struct arrangement *arrangement = NULL;
    struct holding formed = {0};
    struct judgement judgement = {0};
    const uint64_t moved = result->bytes_unique;
    enum reshard_status status =
        arrangement_acquire_form(&arrangement, session->live.arrangement, form->form,
                                 rank0_only && form->form == RESHARD_FORM_FULL, error);
    if (!status)
        status = hold(session, &formed, arrangement, error);
    status = reshard_group_agree(session->group, status, error);
    if (!status)
        status = carry(session, &session->live, &formed, part, result, error);
    if (!status)
        status =
            judge_held(session->group, &formed, part, session->training_step, &judgement, error);
    result->bytes_unique = moved; /* the way back counts it once more */
    if (!status)
        status = carry(session, &formed, next, part, result, error);
    result->tensors += judgement.tensors;
    result->elements += judgement.elements;
    holding_release(&formed);
    return status;
}

static enum reshard_status run_transform(struct session *session, const struct job_step *step,
                                         struct job_result *result, struct reshard_error *error)
{
    const struct scenario_form *const forms[] = {&step->transform.model,
                                                 &step->transform.optimizer};
    static const enum reshard_part parts[] = {RESHARD_PART_MODEL, RESHARD_PART_OPTIMIZER};
    const struct reshard_layout *live = session->live.arrangement->layout;
    struct holding next = {0};
    enum reshard_status status = reshard_group_agree(
        session->group, hold_layout(session, &next, reshard_layout_options(live), error), error);
    for (int i = 0; !status && i < 2; i++)
        status = forms[i]->given ? by_way_of(session, forms[i], step->transform.rank0_only,
                                             parts[i], &next, result, error)
                                 : carry(session, &session->live, &next, parts[i], result, error);
    return go_on(session, &next, status);
}

/* [collective] The param groups against the scenario's, at a training step. */
static enum reshard_status check_groups(struct session *session, uint64_t step,
                                        struct reshard_error *error)
{
    struct reshard_groups *expected = NULL;
    enum reshard_status status = RESHARD_OK;
    if (session->groups)
        status = reshard_groups_copy(&expected, session->world->groups);
    if (expected && !status)
        status = param_groups_set_step(expected, step, error);
    if (expected && !status)
        status = param_groups_check(session->groups, expected, error);
    reshard_groups_close(expected);
    return reshard_group_agree(session->group, status, error);
}

static enum reshard_status run_verify(struct session *session, const struct job_step *step,
                                      struct job_result *result, struct reshard_error *error)
{
    struct judgement judgement;
    enum reshard_status status = judge_held(session->group, &session->live, RESHARD_PART_ALL,
                                            step->verify, &judgement, error);
    if (status)
        return status;
    if (session->training_step != step->verify)
        return reshard_error_set(error, RESHARD_EDIGEST,
                                 "the state is that of step %llu, but the training is at step %llu",
                                 (unsigned long long)step->verify,
                                 (unsigned long long)session->training_step);
    status = check_groups(session, step->verify, error);
    if (status)
        return status;
    result->tensors = judgement.tensors;
    result->elements = judgement.elements;
    result->replicas = judgement.replicas;
    return RESHARD_OK;
}

static enum reshard_status run_verb(struct session *session, const struct job_step *step,
                                    struct job_result *result, struct reshard_error *error)
{
    switch (step->verb) {
    case SCENARIO_TRAIN:
        return run_train(session, step, result, error);
    case SCENARIO_SAVE:
        return run_save(session, step, result, error);
    case SCENARIO_LOAD:
        return run_load(session, step, result, error);
    case SCENARIO_RESHARD:
        return run_reshard(session, step, result, error);
    case SCENARIO_TRANSFORM:
        return run_transform(session, step, result, error);
    case SCENARIO_VERIFY:
        return run_verify(session, step, result, error);
    default:
        return reshard_error_set(error, RESHARD_EINVAL, "a job has no step '%s'",
                                 scenario_verb_name(step->verb));
    }
}

/* --- A step -------------------------------------------------------------------------------- */

bool session_outcome(enum reshard_status status, enum scenario_outcome *out)
{
    switch (status) {
    case RESHARD_OK:
        *out = SCENARIO_OK;
        return true;
    case RESHARD_EINVAL:
    case RESHARD_EMISMATCH:
    case RESHARD_EEXIST:
    case RESHARD_ENOENT:
        *out = SCENARIO_REFUSED;
        return true;
    case RESHARD_EFORMAT:
    case RESHARD_EDIGEST:
    case RESHARD_ECOVER:
        *out = SCENARIO_DAMAGED;
        return true;
    default:
        *out = SCENARIO_ERROR;
        return false;
    }
}

/* Run a step and time it from when all ranks are ready to when the slowest has done its part. */
static enum reshard_status run_timed(struct session *session, const struct job_step *step,
                                     struct job_result *result, struct reshard_error *failure)
{
    struct reshard_group *group = session->group;
    enum reshard_status status = reshard_group_agree(group, RESHARD_OK, failure);
    if (status)
        return status;
    const double begin = machine_seconds(session->machine);
    const enum reshard_status outcome = run_verb(session, step, result, failure);
    result->seconds = machine_seconds(session->machine) - begin;
    result->status = outcome;
    if (outcome == RESHARD_EMPI)
        return outcome;
    return group_allreduce(group, &result->seconds, 1, MPI_DOUBLE, MPI_MAX, failure);
}

/* The state's one number, from memory. Replicas that differ have no such number: EDIGEST. */
static enum reshard_status digest_state(struct session *session, struct job_result *result,
                                        struct reshard_error *error)
{
    const struct reshard_model *model = session->world->job->model;
    struct reshard_group *group = session->group;
    enum reshard_status status =
        reshard_state_digest(group, session->live.state, RESHARD_PART_ALL, session->digest, error);
    if (status)
        return status;
    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++)
        session->absent[t] = reshard_state_is_absent(session->live.state, t);
    if (reshard_group_rank(group) == 0)
        status = fingerprint_of(model, session->absent, session->digest, result->digest);
    return reshard_group_agree(group, status, error);
}

/* Digests cost a pass over the state, and training alone asks for none until the job's end. */
static bool wants_digest(const struct job *job, uint64_t index)
{
    return job->steps[index].verb != SCENARIO_TRAIN || index + 1 == job->step_count;
}

enum reshard_status session_step(struct session *session, uint64_t index, struct job_result *result,
                                 struct reshard_error *error)
{
    const struct job *job = session->world->job;
    struct reshard_error failure = RESHARD_ERROR_INIT;
    *result = (struct job_result){.step = index};
    enum reshard_status status = run_timed(session, &job->steps[index], result, &failure);
    if (!status && result->status == RESHARD_OK && wants_digest(job, index))
        result->status = digest_state(session, result, &failure);
    if (status || result->status == RESHARD_EMPI)
        return reshard_error_set(error, RESHARD_EMPI, "%s", failure.text);
    (void)session_outcome(result->status, &result->outcome);
    result->training_step = session->training_step;
    if (result->status && failure.text[0] == '\0')
        reshard_error_append(&failure, "%s", reshard_status_text(result->status));
    result->message = strdup(failure.text);
    status = result->message ? RESHARD_OK : RESHARD_ENOMEM;
    return reshard_group_agree(session->group, status, error);
}
