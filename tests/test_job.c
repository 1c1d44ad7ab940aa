/*
 * Job files and step results: what is written is read back the same, to the last bit, and the same
 * world gives the same bytes; whatever is not exactly such a file is refused, by the member's name.
 * Method: a scenario of the suite is compiled, written and read; then single members of the file
 * are replaced.
 */
#include "sim/job.h"
#include "support/scratch.h"

#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *folder;
static char path[512];
static struct scenario *scenario;

static void open_scenario(void)
{
    folder = scratch_make("job");
    (void)snprintf(path, sizeof(path), "%s/job.json", folder);
    ck_assert_int_eq(scenario_open(&scenario, RESHARD_SOURCE_DIR "/scenarios/hsdp-replicas.yaml",
                                   NULL, NULL, stderr),
                     RESHARD_OK);
}

static void close_scenario(void)
{
    scenario_close(scenario);
    scratch_remove(folder);
}

/* A scenario that has every kind of step and of layout, and whose model depends on the world. */
static void open_rich(void)
{
    static const char text[] =
        "scenario: 1\nname: rich\nabout: All steps.\noptimizer: adamw\n"
        "model: {tensors: {w: [8, 4], rng: {shape: [3], role: per_rank, other_world: keep},\n"
        "                  seen: {shape: [], role: transient}}}\n"
        "steps:\n"
        "  - start: {ranks: 6, layout: {kind: fsdp2, mesh: {tensor: 2}, idle: 2,\n"
        "                               tensors: {w: {tensor: 1, shard: 0}}}}\n"
        "  - reshard: {ranks: 2, layout: {kind: boxes, tensors: {w: {boxes: ['0:8, 0:3',\n"
        "                                                                   '0:8, 3:4']}}}}\n"
        "  - transform: {model: full, rank0_only: true}\n"
        "  - reshard: {layout: {kind: fsdp1, mesh: {replicate: 3}, owner: 1}}\n"
        "  - transform: {model: local, optimizer: sharded}\n"
        "  - save: one\n"
        "  - start: {ranks: 2, layout: ddp}\n"
        "  - load: {name: one, reading: cheapest}\n";
    char *file = NULL;
    folder = scratch_make("job");
    (void)snprintf(path, sizeof(path), "%s/job.json", folder);
    ck_assert_int_ge(asprintf(&file, "%s/rich.yaml", folder), 0);
    FILE *out = fopen(file, "we");
    ck_assert_ptr_nonnull(out);
    ck_assert_int_ge(fputs(text, out), 0);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_int_eq(scenario_open(&scenario, file, NULL, NULL, stderr), RESHARD_OK);
    free(file);
}

static struct job *compile(uint64_t world)
{
    struct job *job = NULL;
    ck_assert_int_eq(job_compile(&job, scenario, world, "/c", folder, true), RESHARD_OK);
    return job;
}

static void write_world(uint64_t world)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct job *job = compile(world);
    (void)unlink(path);
    ck_assert_msg(job_write(job, path, &error) == RESHARD_OK, "%s", error.text);
    job_close(job);
}

static char *read_bytes(void)
{
    json_error_t mistake;
    json_t *root = json_load_file(path, 0, &mistake);
    ck_assert_msg(root != NULL, "%s", mistake.text);
    char *text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return text;
}

START_TEST(a_job_is_read_back_as_it_was_compiled)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct job *read = NULL;
    for (uint64_t world = 0; world < job_world_count(scenario); world++) {
        struct job *job = compile(world);
        write_world(world);
        ck_assert_msg(job_read(&read, path, &error) == RESHARD_OK, "%s", error.text);
        ck_assert_str_eq(read->scenario, "hsdp-replicas");
        ck_assert_str_eq(read->folder, folder);
        ck_assert_str_eq(read->checkpoints, "/c");
        ck_assert_uint_eq(read->world, world);
        ck_assert_uint_eq(read->ranks, job->ranks);
        ck_assert_uint_eq(read->seed, scenario->seed);
        ck_assert(read->simulated);
        ck_assert_uint_eq(reshard_model_hash(read->model), reshard_model_hash(scenario->model));
        ck_assert_mem_eq(&read->cluster, &job->cluster, sizeof(job->cluster));
        ck_assert(read->optimizer.lr == job->optimizer.lr);
        ck_assert_int_eq(read->layout.kind, job->layout.kind);
        ck_assert_uint_eq(read->layout.replicate, job->layout.replicate);
        ck_assert_uint_eq(read->layout.shard, job->layout.shard);
        ck_assert_uint_eq(read->step_count, job->step_count);
        for (uint64_t i = 0; i < job->step_count; i++) {
            ck_assert_int_eq(read->steps[i].verb, job->steps[i].verb);
            ck_assert_int_eq(read->steps[i].line, job->steps[i].line);
            ck_assert_pstr_eq(read->steps[i].checkpoint, job->steps[i].checkpoint);
            ck_assert_uint_eq(read->steps[i].verify, job->steps[i].verify);
            ck_assert_int_eq(read->steps[i].outcome, job->steps[i].outcome);
        }
        job_close(read);
        job_close(job);
    }
}
END_TEST

static void assert_same_step(const struct job_step *read, const struct job_step *step)
{
    ck_assert_int_eq(read->verb, step->verb);
    ck_assert_int_eq(read->reading, step->reading);
    ck_assert_int_eq(read->transform.model.given, step->transform.model.given);
    ck_assert_int_eq(read->transform.model.form, step->transform.model.form);
    ck_assert_int_eq(read->transform.optimizer.given, step->transform.optimizer.given);
    ck_assert_int_eq(read->transform.optimizer.form, step->transform.optimizer.form);
    ck_assert_int_eq(read->transform.rank0_only, step->transform.rank0_only);
    if (step->verb == SCENARIO_RESHARD)
        ck_assert_uint_eq(reshard_layout_options_hash(&read->layout),
                          reshard_layout_options_hash(&step->layout));
}

START_TEST(layouts_forms_and_readings_are_read_back_as_they_were_compiled)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct job *read = NULL;
    for (uint64_t world = 0; world < job_world_count(scenario); world++) {
        struct job *job = compile(world);
        write_world(world);
        ck_assert_msg(job_read(&read, path, &error) == RESHARD_OK, "%s", error.text);
        ck_assert_uint_eq(reshard_layout_options_hash(&read->layout),
                          reshard_layout_options_hash(&job->layout));
        ck_assert_uint_eq(read->layout.world, job->ranks);
        ck_assert_uint_eq(reshard_model_hash(read->model), reshard_model_hash(job->model));
        ck_assert_uint_eq(read->step_count, job->step_count);
        for (uint64_t i = 0; i < job->step_count; i++)
            assert_same_step(&read->steps[i], &job->steps[i]);
        job_close(read);
        job_close(job);
    }
}
END_TEST

START_TEST(a_per_rank_tensor_has_a_row_for_each_rank_of_its_world)
{
    for (uint64_t world = 0; world < 2; world++) {
        struct job *job = compile(world);
        uint32_t rng = 0;
        ck_assert_int_eq(reshard_model_find(job->model, "rng", "", &rng), RESHARD_OK);
        const struct reshard_tensor *tensor = reshard_model_tensor(job->model, rng);
        ck_assert_uint_eq(tensor->shape.ndim, 2);
        ck_assert_uint_eq(tensor->shape.size[0], world == 0 ? 6 : 2);
        ck_assert_uint_eq(tensor->shape.size[1], 3);
        ck_assert_int_eq(tensor->role, RESHARD_ROLE_PER_RANK);
        ck_assert_int_eq(tensor->other_world, RESHARD_OTHER_WORLD_KEEP);
        job_close(job);
    }
}
END_TEST

START_TEST(worlds_share_the_scenarios_steps_out_and_leave_none)
{
    uint64_t steps = 0;
    const uint64_t worlds = job_world_count(scenario);
    for (uint64_t world = 0; world < worlds; world++) {
        struct job *job = compile(world);
        steps += job->step_count;
        job_close(job);
    }
    ck_assert_uint_eq(steps + worlds, scenario->step_count);
}
END_TEST

START_TEST(a_world_that_the_scenario_does_not_have_is_refused)
{
    struct job *job = NULL;
    ck_assert_int_eq(job_compile(&job, scenario, job_world_count(scenario), "/c", folder, true),
                     RESHARD_EINVAL);
    ck_assert_ptr_null(job);
}
END_TEST

START_TEST(the_same_world_gives_the_same_bytes_and_another_does_not)
{
    write_world(0);
    char *first = read_bytes();
    write_world(0);
    char *second = read_bytes();
    write_world(1);
    char *other = read_bytes();
    ck_assert_str_eq(first, second);
    ck_assert_str_ne(first, other);
    free(first);
    free(second);
    free(other);
}
END_TEST

START_TEST(an_existing_job_file_is_not_overwritten)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct job *job = compile(0);
    write_world(0);
    ck_assert_int_eq(job_write(job, path, &error), RESHARD_EEXIST);
    job_close(job);
}
END_TEST

#define STEP(verb, reading, model, outcome)                                                        \
    "[{\"verb\": \"" verb                                                                          \
    "\", \"line\": 1, \"train\": 0, \"checkpoint\": null, \"reading\": \"" reading                 \
    "\", \"layout\": null, \"model\": " model                                                      \
    ", \"optimizer\": null, \"rank0_only\": false, \"verify\": 0, \"outcome\": \"" outcome "\"}]"
#define TENSOR(dtype, shape, role)                                                                 \
    "[{\"fqn\": \"a\", \"unit\": \"\", \"dtype\": \"" dtype "\", \"shape\": " shape                \
    ", \"role\": \"" role "\", \"other_world\": 0}]"

/* Members that are put in place of what was written, and what must be said. */
static const struct {
    const char *member;
    const char *value; /* NULL: the member goes */
    const char *says;
} wrong[] = {
    {"ranks", "0", "'ranks' must be 1 or more"},
    {"ranks", "-1", "'ranks' must be an integer of 0 or more"},
    {"ranks", "1.5", "'ranks' must be an integer"},
    {"seed", "\"42\"", "'seed' must be an integer"},
    {"scenario", "7", "'scenario' must be a string"},
    {"simulated", "1", "'simulated' must be true or false"},
    {"job", "2", "'job' must be 1"},
    {"world", NULL, "the job must have 15 members, not 14"},
    {"surplus", "1", "the job must have 15 members, not 16"},
    {"steps", "{}", "'steps' must be an array"},
    {"steps", "[{\"verb\": \"save\"}]", "a step must have 11 members, not 1"},
    {"steps", STEP("start", "once", "null", "ok"), "'verb' must be a verb other than start"},
    {"steps", STEP("save", "once", "null", "fine"), "'outcome' must be an outcome"},
    {"steps", STEP("load", "twice", "null", "ok"), "'reading' must be a way of reading"},
    {"steps", STEP("transform", "once", "\"whole\"", "ok"), "'model' must be a form, or null"},
    {"steps", STEP("reshard", "once", "null", "ok"), "layout: an object is needed"},
    {"tensors", TENSOR("f33", "[1]", "parameter"), "'dtype' must be a dtype"},
    {"tensors", TENSOR("f32", "[-1]", "parameter"), "'shape' must be an integer"},
    {"tensors", TENSOR("f32", "[1,1,1,1,1,1,1,1,1]", "parameter"),
     "'shape' must be of fewer dimensions"},
    {"tensors", TENSOR("f32", "[1]", "constant"), "'role' must be a role"},
    {"ties", "[{\"alias\": \"b\", \"of\": \"nobody\"}]", "nobody"},
    {"layout", "null", "layout: an object is needed"},
    {"layout", "{\"kind\": \"fsdp3\", \"mesh\": {}}", "layout.kind"},
    {"cluster", "{}", "cluster must have 10 members, not 0"},
};

START_TEST(a_file_that_is_no_job_is_refused_by_the_members_name)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct job *job = NULL;
    write_world(0);
    json_t *root = json_load_file(path, 0, NULL);
    ck_assert_ptr_nonnull(root);
    if (wrong[_i].value)
        json_object_set_new(root, wrong[_i].member,
                            json_loads(wrong[_i].value, JSON_DECODE_ANY, NULL));
    else
        json_object_del(root, wrong[_i].member);
    ck_assert_int_eq(json_dump_file(root, path, 0), 0);
    json_decref(root);
    const enum reshard_status status = job_read(&job, path, &error);
    ck_assert_msg(status == RESHARD_EFORMAT || status == RESHARD_EINVAL || status == RESHARD_ENOENT,
                  "%s: %s", reshard_status_name(status), error.text);
    ck_assert_ptr_null(job);
    ck_assert_msg(strstr(error.text, wrong[_i].says) != NULL, "'%s' is not in: %s", wrong[_i].says,
                  error.text);
}
END_TEST

START_TEST(a_missing_or_cut_job_file_is_told)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct job *job = NULL;
    ck_assert_int_eq(job_read(&job, path, &error), RESHARD_ENOENT);
    write_world(0);
    ck_assert_int_eq(truncate(path, 100), 0);
    ck_assert_int_eq(job_read(&job, path, NULL), RESHARD_EFORMAT);
    ck_assert_ptr_null(job);
}
END_TEST

START_TEST(a_result_survives_its_line)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct job_result read;
    char message[] = "\"quoted\",\nand a second line";
    char loaded[] = "step3";
    const struct job_result result = {
        .step = 3,
        .outcome = SCENARIO_DAMAGED,
        .status = RESHARD_EDIGEST,
        .message = message,
        .seconds = 0.1234567890123456789,
        .bytes_unique = UINT64_C(1) << 62,
        .bytes_moved = 5,
        .bytes_sent = 11,
        .bytes_lacking = 12,
        .files = 6,
        .training_step = 7,
        .loaded = loaded,
        .tensors = 8,
        .elements = 9,
        .replicas = 10,
        .digest = "0123456789abcdef",
    };
    char *line = job_result_encode(&result);
    ck_assert_ptr_nonnull(line);
    ck_assert_ptr_null(strchr(line, '\n'));
    ck_assert_msg(job_result_decode(&read, line, &error) == RESHARD_OK, "%s", error.text);
    ck_assert_uint_eq(read.step, 3);
    ck_assert_int_eq(read.outcome, SCENARIO_DAMAGED);
    ck_assert_int_eq(read.status, RESHARD_EDIGEST);
    ck_assert_str_eq(read.message, result.message);
    ck_assert(read.seconds == result.seconds);
    ck_assert_uint_eq(read.bytes_unique, result.bytes_unique);
    ck_assert_uint_eq(read.bytes_moved, 5);
    ck_assert_uint_eq(read.bytes_sent, 11);
    ck_assert_uint_eq(read.bytes_lacking, 12);
    ck_assert_uint_eq(read.files, 6);
    ck_assert_uint_eq(read.training_step, 7);
    ck_assert_str_eq(read.loaded, "step3");
    ck_assert_uint_eq(read.tensors, 8);
    ck_assert_uint_eq(read.elements, 9);
    ck_assert_uint_eq(read.replicas, 10);
    ck_assert_str_eq(read.digest, result.digest);
    job_result_release(&read);
    free(line);
}
END_TEST

START_TEST(a_message_that_is_no_utf8_still_makes_a_line)
{
    struct job_result read;
    char message[] = "file \xff\xfe is odd";
    const struct job_result result = {.message = message};
    char *line = job_result_encode(&result);
    ck_assert_ptr_nonnull(line);
    ck_assert_int_eq(job_result_decode(&read, line, NULL), RESHARD_OK);
    ck_assert_str_eq(read.message, "file ?? is odd");
    ck_assert_ptr_null(read.loaded);
    ck_assert_str_eq(read.digest, "");
    job_result_release(&read);
    free(line);
}
END_TEST

static const char *const wrong_lines[] = {
    "",
    "{}",
    "[]",
    "{\"step\": 1",
    "end",
    "{\"step\":0,\"outcome\":\"ok\",\"status\":0,\"message\":\"\",\"seconds\":0.0,\"bytes_unique\":"
    "0,"
    "\"bytes_moved\":0,\"bytes_sent\":0,\"bytes_lacking\":0,\"files\":0,\"training_step\":0,"
    "\"loaded\":null,\"tensors\":0,\"elements\":"
    "0,"
    "\"replicas\":0,\"digest\":\"0123\"}",
};

START_TEST(a_line_that_is_no_result_is_refused)
{
    struct job_result read;
    ck_assert_int_eq(job_result_decode(&read, wrong_lines[_i], NULL), RESHARD_EFORMAT);
    ck_assert_ptr_null(read.message);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("job");
    TCase *jobs = tcase_create("files");
    TCase *rich = tcase_create("rich");
    TCase *results = tcase_create("results");
    tcase_add_checked_fixture(rich, open_rich, close_scenario);
    tcase_add_test(rich, layouts_forms_and_readings_are_read_back_as_they_were_compiled);
    tcase_add_test(rich, a_per_rank_tensor_has_a_row_for_each_rank_of_its_world);
    tcase_add_checked_fixture(jobs, open_scenario, close_scenario);
    tcase_add_test(jobs, a_job_is_read_back_as_it_was_compiled);
    tcase_add_test(jobs, worlds_share_the_scenarios_steps_out_and_leave_none);
    tcase_add_test(jobs, a_world_that_the_scenario_does_not_have_is_refused);
    tcase_add_test(jobs, the_same_world_gives_the_same_bytes_and_another_does_not);
    tcase_add_test(jobs, an_existing_job_file_is_not_overwritten);
    tcase_add_loop_test(jobs, a_file_that_is_no_job_is_refused_by_the_members_name, 0,
                        (int)(sizeof(wrong) / sizeof(*wrong)));
    tcase_add_test(jobs, a_missing_or_cut_job_file_is_told);
    tcase_add_test(results, a_result_survives_its_line);
    tcase_add_test(results, a_message_that_is_no_utf8_still_makes_a_line);
    tcase_add_loop_test(results, a_line_that_is_no_result_is_refused, 0,
                        (int)(sizeof(wrong_lines) / sizeof(*wrong_lines)));
    suite_add_tcase(suite, jobs);
    suite_add_tcase(suite, rich);
    suite_add_tcase(suite, results);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
