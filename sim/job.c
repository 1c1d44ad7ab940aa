#include "sim/job.h"

#include "core/layout_json.h"
#include "sim/input.h"
#include "sim/inventory.h"
#include "sim/job_model.h"
#include "sim/json_text.h"
#include "sim/member.h"
#include "sim/optimizer.h"
#include "sim/quantity.h"
#include "sim/text.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JOB_VERSION = 1 };

/* ---- compile ---- */

/* Nothing copies to nothing. */
static char *copy_text(const char *text)
{
    return text ? strdup(text) : NULL;
}

/* Was there something to copy, and is there no copy? */
static bool copy_failed(const char *copy, const char *original)
{
    return original && !copy;
}

/* The steps of a world: [*begin, *end) of the scenario's, its start step excluded. */
static const struct scenario_step *find_world(const struct scenario *scenario, uint64_t world,
                                              uint64_t *begin, uint64_t *end)
{
    const struct scenario_step *start = NULL;
    uint64_t seen = 0;
    for (uint64_t i = 0; i < scenario->step_count; i++) {
        if (scenario->steps[i].verb != SCENARIO_START)
            continue;
        if (start) {
            *end = i;
            return start;
        }
        if (seen++ == world) {
            start = &scenario->steps[i];
            *begin = i + 1;
        }
    }
    *end = scenario->step_count;
    return start;
}

uint64_t job_world_count(const struct scenario *scenario)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < scenario->step_count; i++)
        count += scenario->steps[i].verb == SCENARIO_START;
    return count;
}

static enum reshard_status copy_steps(struct job *job, const struct scenario_step *steps,
                                      uint64_t count)
{
    job->steps = calloc(count ? count : 1, sizeof(*job->steps));
    if (!job->steps)
        return RESHARD_ENOMEM;
    job->step_count = count;
    for (uint64_t i = 0; i < count; i++) {
        struct job_step *step = &job->steps[i];
        step->verb = steps[i].verb;
        step->line = steps[i].line;
        step->train = steps[i].train;
        step->reading = steps[i].reading;
        step->transform = steps[i].transform;
        step->verify = steps[i].verify;
        step->outcome = steps[i].expect.outcome;
        if (step->verb == SCENARIO_RESHARD &&
            reshard_layout_options_copy(&step->layout, &steps[i].reshard.layout))
            return RESHARD_ENOMEM;
        step->checkpoint = copy_text(steps[i].checkpoint);
        if (copy_failed(step->checkpoint, steps[i].checkpoint))
            return RESHARD_ENOMEM;
    }
    return RESHARD_OK;
}

static enum reshard_status copy_texts(struct job *job, const struct scenario *scenario,
                                      const char *checkpoints, const char *folder)
{
    job->scenario = copy_text(scenario->name);
    job->checkpoints = copy_text(checkpoints);
    job->folder = copy_text(folder);
    if (!job->scenario || !job->checkpoints || !job->folder)
        return RESHARD_ENOMEM;
    /* Ranks may be started in another folder, so the path is made absolute. */
    if (scenario->safetensors)
        job->safetensors = realpath(scenario->safetensors, NULL);
    if (copy_failed(job->safetensors, scenario->safetensors))
        return errno == ENOMEM ? RESHARD_ENOMEM : RESHARD_ENOENT;
    return RESHARD_OK;
}

enum reshard_status job_compile(struct job **out, const struct scenario *scenario, uint64_t world,
                                const char *checkpoints, const char *folder, bool simulated)
{
    uint64_t begin = 0;
    uint64_t end = 0;
    *out = NULL;
    const struct scenario_step *start = find_world(scenario, world, &begin, &end);
    if (!start)
        return RESHARD_EINVAL;
    struct job *job = calloc(1, sizeof(*job));
    if (!job)
        return RESHARD_ENOMEM;

    job->world = world;
    job->ranks = start->start.ranks;
    job->seed = scenario->seed;
    job->simulated = simulated;
    job->cluster = scenario->cluster;
    enum reshard_status status = copy_texts(job, scenario, checkpoints, folder);
    if (!status)
        status = optimizer_copy(&job->optimizer, &scenario->optimizer);
    if (!status)
        status = reshard_layout_options_copy(&job->layout, &start->start.layout);
    if (!status)
        status = copy_steps(job, scenario->steps + begin, end - begin);
    if (!status)
        status = inventory_for_world(&job->model, scenario->model, job->ranks, NULL);
    if (status) {
        job_close(job);
        return status;
    }
    *out = job;
    return RESHARD_OK;
}

void job_close(struct job *job)
{
    if (!job)
        return;
    for (uint64_t i = 0; i < job->step_count; i++) {
        reshard_layout_options_release(&job->steps[i].layout);
        free(job->steps[i].checkpoint);
    }
    free(job->steps);
    reshard_layout_options_release(&job->layout);
    reshard_model_close(job->model);
    optimizer_release(&job->optimizer);
    free(job->safetensors);
    free(job->folder);
    free(job->checkpoints);
    free(job->scenario);
    free(job);
}

char *job_end_path(const struct job *job, uint64_t rank)
{
    char *path = NULL;
    return asprintf(&path, "%s/end-%05" PRIu64, job->folder, rank) < 0 ? NULL : path;
}

/* ---- write ---- */

/*
 * A path comes back byte for byte. JSON has none but UTF-8, so any other path is an object with its
 * bytes in hexadecimal digits.
 */
static json_t *path_value(const char *path)
{
    static const char digits[] = "0123456789abcdef";
    if (!path)
        return json_null();
    json_t *value = json_string(path);
    if (value)
        return value;
    char *hex = malloc(2 * strlen(path) + 1);
    if (!hex)
        return NULL;
    char *to = hex;
    for (const char *at = path; *at; at++) {
        *to++ = digits[(unsigned char)*at >> 4];
        *to++ = digits[(unsigned char)*at & 15];
    }
    *to = '\0';
    value = json_pack("{s:s}", "bytes", hex);
    free(hex);
    return value;
}

static json_t *count_value(uint64_t count)
{
    return json_integer((json_int_t)count);
}

static json_t *cluster_value(const struct scenario_cluster *cluster)
{
    return json_pack(
        "{s:o, s:o, s:f, s:f, s:f, s:f, s:o, s:f, s:f, s:f}", "nodes", count_value(cluster->nodes),
        "ranks_per_node", count_value(cluster->ranks_per_node), "network_bandwidth",
        cluster->network_bandwidth, "network_latency", cluster->network_latency, "disk_read",
        cluster->disk_read, "disk_write", cluster->disk_write, "storage_servers",
        count_value(cluster->storage_servers), "storage_read", cluster->storage_read,
        "storage_write", cluster->storage_write, "device_to_host", cluster->device_to_host);
}

static json_t *form_value(const struct scenario_form *form)
{
    return form->given ? json_string(reshard_form_name(form->form)) : json_null();
}

static json_t *step_value(const struct job_step *step)
{
    json_t *layout =
        step->verb == SCENARIO_RESHARD ? layout_json_encode(&step->layout) : json_null();
    return json_pack(
        "{s:s, s:i, s:o, s:o, s:s, s:o, s:o, s:o, s:b, s:o, s:s}", "verb",
        scenario_verb_name(step->verb), "line", step->line, "train", count_value(step->train),
        "checkpoint", text_json(step->checkpoint), "reading", scenario_reading_name(step->reading),
        "layout", layout, "model", form_value(&step->transform.model), "optimizer",
        form_value(&step->transform.optimizer), "rank0_only", step->transform.rank0_only, "verify",
        count_value(step->verify), "outcome", scenario_outcome_name(step->outcome));
}

static json_t *steps_value(const struct job *job)
{
    json_t *list = json_array();
    for (uint64_t i = 0; list && i < job->step_count; i++) {
        if (json_array_append_new(list, step_value(&job->steps[i]))) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* All 64 bits of it, which a JSON integer has not. */
static json_t *seed_value(uint64_t seed)
{
    char digits[24];
    (void)snprintf(digits, sizeof(digits), "%" PRIu64, seed);
    return json_string(digits);
}

static json_t *job_value(const struct job *job)
{
    return json_pack("{s:i, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o}",
                     "job", JOB_VERSION, "scenario", job->scenario, "world",
                     count_value(job->world), "ranks", count_value(job->ranks), "seed",
                     seed_value(job->seed), "checkpoints", path_value(job->checkpoints), "folder",
                     path_value(job->folder), "safetensors", path_value(job->safetensors),
                     "simulated", job->simulated, "cluster", cluster_value(&job->cluster),
                     "optimizer", job_optimizer_encode(&job->optimizer), "layout",
                     layout_json_encode(&job->layout), "tensors", job_tensors_encode(job->model),
                     "ties", job_ties_encode(job->model), "steps", steps_value(job));
}

enum reshard_status job_write(const struct job *job, const char *path, struct reshard_error *error)
{
    enum reshard_status status = RESHARD_OK;
    json_t *root = job_value(job);
    FILE *file = NULL;
    if (!root)
        return reshard_error_set(error, RESHARD_ENOMEM, "%s: cannot be encoded", path);
    file = fopen(path, "wxe");
    if (!file) {
        status = reshard_error_set(error, errno == EEXIST ? RESHARD_EEXIST : RESHARD_EIO, "%s: %s",
                                   path, strerror(errno));
        goto cleanup;
    }
    if (!json_text_write(root, file, JSON_COMPACT))
        status = reshard_error_set(error, RESHARD_EIO, "%s: cannot be written: %s", path,
                                   strerror(errno));
cleanup:
    if (file && fclose(file) && !status)
        status = reshard_error_set(error, RESHARD_EIO, "%s: cannot be written: %s", path,
                                   strerror(errno));
    json_decref(root);
    return status;
}

/* ---- read ---- */

static void read_layout(struct member_reader *reader, const json_t *object,
                        struct reshard_layout_options *out)
{
    struct layout_json_fault fault;
    const enum reshard_status status = layout_json_decode(object, out, &fault);
    if (status && !reader->status)
        reader->status = reshard_error_set(reader->error, status, "%s: %s: %s", reader->name,
                                           fault.where, fault.reason);
}

static void read_cluster(struct member_reader *reader, const json_t *object,
                         struct scenario_cluster *out)
{
    member_size(reader, object, 10, "cluster");
    out->nodes = member_count(reader, object, "nodes");
    out->ranks_per_node = member_count(reader, object, "ranks_per_node");
    out->network_bandwidth = member_real(reader, object, "network_bandwidth");
    out->network_latency = member_real(reader, object, "network_latency");
    out->disk_read = member_real(reader, object, "disk_read");
    out->disk_write = member_real(reader, object, "disk_write");
    out->storage_servers = member_count(reader, object, "storage_servers");
    out->storage_read = member_real(reader, object, "storage_read");
    out->storage_write = member_real(reader, object, "storage_write");
    out->device_to_host = member_real(reader, object, "device_to_host");
}

static enum scenario_verb read_verb(struct member_reader *reader, const json_t *object)
{
    const char *word = member_word(reader, object, "verb");
    for (enum scenario_verb verb = SCENARIO_TRAIN; verb <= SCENARIO_VERIFY; verb++)
        if (strcmp(word, scenario_verb_name(verb)) == 0)
            return verb;
    member_failed(reader, "verb", "a verb other than start");
    return SCENARIO_TRAIN;
}

/* One of the outcomes up to `last`. */
static enum scenario_outcome read_outcome(struct member_reader *reader, const json_t *object,
                                          enum scenario_outcome last)
{
    const char *word = member_word(reader, object, "outcome");
    for (enum scenario_outcome outcome = SCENARIO_OK; outcome <= last; outcome++)
        if (strcmp(word, scenario_outcome_name(outcome)) == 0)
            return outcome;
    member_failed(reader, "outcome", "an outcome");
    return SCENARIO_OK;
}

static int read_line_number(struct member_reader *reader, const json_t *object)
{
    const uint64_t line = member_count(reader, object, "line");
    if (line > INT32_MAX)
        member_failed(reader, "line", "a line number");
    return (int)line;
}

static enum scenario_reading read_reading(struct member_reader *reader, const json_t *object)
{
    const char *word = member_word(reader, object, "reading");
    for (enum scenario_reading reading = SCENARIO_READ_ONCE; reading <= SCENARIO_READ_CHEAPEST;
         reading++)
        if (strcmp(word, scenario_reading_name(reading)) == 0)
            return reading;
    member_failed(reader, "reading", "a way of reading");
    return SCENARIO_READ_ONCE;
}

static struct scenario_form read_form(struct member_reader *reader, const json_t *object,
                                      const char *name)
{
    struct scenario_form form = {!json_is_null(json_object_get(object, name)), RESHARD_FORM_FULL};
    if (form.given && !reshard_form_from_name(member_word(reader, object, name), &form.form))
        member_failed(reader, name, "a form, or null");
    return form;
}

static void read_step(struct member_reader *reader, const json_t *object, uint64_t ranks,
                      struct job_step *out)
{
    member_size(reader, object, 11, "a step");
    out->verb = read_verb(reader, object);
    out->line = read_line_number(reader, object);
    out->train = member_count(reader, object, "train");
    out->checkpoint = member_text_or_null(reader, object, "checkpoint");
    out->reading = read_reading(reader, object);
    out->transform.model = read_form(reader, object, "model");
    out->transform.optimizer = read_form(reader, object, "optimizer");
    out->transform.rank0_only = member_flag(reader, object, "rank0_only");
    out->verify = member_count(reader, object, "verify");
    out->outcome = read_outcome(reader, object, SCENARIO_DAMAGED);
    if (out->verb != SCENARIO_RESHARD)
        return;
    read_layout(reader, json_object_get(object, "layout"), &out->layout);
    out->layout.world = ranks;
}

static void read_steps(struct member_reader *reader, const json_t *root, struct job *job)
{
    const json_t *list = member_list(reader, root, "steps");
    const size_t count = json_array_size(list);
    job->steps = calloc(count ? count : 1, sizeof(*job->steps));
    if (!job->steps) {
        member_exhausted(reader);
        return;
    }
    for (size_t i = 0; i < count && !reader->status; i++)
        read_step(reader, json_array_get(list, i), job->ranks, &job->steps[job->step_count++]);
}

static void read_job(struct member_reader *reader, const json_t *root, struct job *job)
{
    member_size(reader, root, 15, "the job");
    if (member_count(reader, root, "job") != JOB_VERSION)
        member_failed(reader, "job", "1, the version of this language");
    job->scenario = member_text(reader, root, "scenario");
    job->world = member_count(reader, root, "world");
    job->ranks = member_count(reader, root, "ranks");
    if (job->ranks == 0)
        member_failed(reader, "ranks", "1 or more");
    if (!quantity_count(member_word(reader, root, "seed"), &job->seed))
        member_failed(reader, "seed", "digits of a whole number, as a string");
    job->checkpoints = member_path(reader, root, "checkpoints");
    job->folder = member_path(reader, root, "folder");
    if (!json_is_null(json_object_get(root, "safetensors")))
        job->safetensors = member_path(reader, root, "safetensors");
    job->simulated = member_flag(reader, root, "simulated");
    read_cluster(reader, json_object_get(root, "cluster"), &job->cluster);
    job_optimizer_decode(reader, json_object_get(root, "optimizer"), &job->optimizer);
    read_layout(reader, json_object_get(root, "layout"), &job->layout);
    job->layout.world = job->ranks;
    job_model_decode(reader, root, &job->model);
    read_steps(reader, root, job);
}

enum reshard_status job_read(struct job **out, const char *path, struct reshard_error *error)
{
    struct member_reader reader = {path, RESHARD_OK, error};
    json_error_t mistake;
    struct job *job = NULL;
    *out = NULL;
    FILE *file = NULL;
    const enum reshard_status opened = input_open(path, &file, error);
    if (opened)
        return opened;
    json_t *root = json_loadf(file, JSON_REJECT_DUPLICATES, &mistake);
    (void)fclose(file); /* nothing was written */
    if (!root)
        return reshard_error_set(error, RESHARD_EFORMAT, "%s:%d:%d: %s", path, mistake.line,
                                 mistake.column, mistake.text);
    job = calloc(1, sizeof(*job));
    if (job)
        read_job(&reader, root, job);
    else
        member_exhausted(&reader);
    json_decref(root);
    if (reader.status) {
        job_close(job);
        return reader.status;
    }
    *out = job;
    return RESHARD_OK;
}

/* ---- results ---- */

char *job_result_encode(const struct job_result *result)
{
    json_t *value = json_pack(
        "{s:o, s:s, s:i, s:o, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s}", "step",
        count_value(result->step), "outcome", scenario_outcome_name(result->outcome), "status",
        result->status, "message", text_json(result->message ? result->message : ""), "seconds",
        result->seconds, "bytes_unique", count_value(result->bytes_unique), "bytes_moved",
        count_value(result->bytes_moved), "bytes_sent", count_value(result->bytes_sent),
        "bytes_lacking", count_value(result->bytes_lacking), "files", count_value(result->files),
        "training_step", count_value(result->training_step), "loaded", text_json(result->loaded),
        "tensors", count_value(result->tensors), "elements", count_value(result->elements),
        "replicas", count_value(result->replicas), "digest", result->digest);
    char *line = json_text_print(value, JSON_COMPACT);
    json_decref(value);
    return line;
}

static void read_result(struct member_reader *reader, const json_t *root, struct job_result *out)
{
    member_size(reader, root, 16, "a result");
    out->step = member_count(reader, root, "step");
    out->outcome = read_outcome(reader, root, SCENARIO_ERROR);
    out->status = (int)member_count(reader, root, "status");
    out->message = member_text(reader, root, "message");
    out->seconds = member_real(reader, root, "seconds");
    out->bytes_unique = member_count(reader, root, "bytes_unique");
    out->bytes_moved = member_count(reader, root, "bytes_moved");
    out->bytes_sent = member_count(reader, root, "bytes_sent");
    out->bytes_lacking = member_count(reader, root, "bytes_lacking");
    out->files = member_count(reader, root, "files");
    out->training_step = member_count(reader, root, "training_step");
    out->loaded = member_text_or_null(reader, root, "loaded");
    out->tensors = member_count(reader, root, "tensors");
    out->elements = member_count(reader, root, "elements");
    out->replicas = member_count(reader, root, "replicas");
    const char *digest = member_word(reader, root, "digest");
    const size_t length = strlen(digest);
    if ((length != 0 && length != 16) || strspn(digest, "0123456789abcdef") != length)
        member_failed(reader, "digest", "16 hexadecimal digits, or empty");
    else
        memcpy(out->digest, digest, length + 1);
}

enum reshard_status job_result_decode(struct job_result *out, const char *line,
                                      struct reshard_error *error)
{
    struct member_reader reader = {"steps.jsonl", RESHARD_OK, error};
    json_error_t mistake;
    memset(out, 0, sizeof(*out));
    json_t *root = json_loads(line, JSON_REJECT_DUPLICATES, &mistake);
    if (!root)
        return reshard_error_set(error, RESHARD_EFORMAT, "steps.jsonl: %s", mistake.text);
    read_result(&reader, root, out);
    json_decref(root);
    if (reader.status)
        job_result_release(out);
    return reader.status;
}

void job_result_release(struct job_result *result)
{
    free(result->message);
    free(result->loaded);
    memset(result, 0, sizeof(*result));
}
