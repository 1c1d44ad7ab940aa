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

/* Open a scenario of that text. */
static void open_text(const char *text)
{
    char *file = NULL;
    folder = scratch_make("job");
    (void)snprintf(path, sizeof(path), "%s/job.json", folder);
    ck_assert_int_ge(asprintf(&file, "%s/written.yaml", folder), 0);
    FILE *out = fopen(file, "we");
    ck_assert_ptr_nonnull(out);
    ck_assert_int_ge(fputs(text, out), 0);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_int_eq(scenario_open(&scenario, file, NULL, NULL, stderr), RESHARD_OK);
    free(file);
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
    open_text(text);
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

/* Every optimizer, with groups; its slots are of every class. */
static const char *const optimizers[] = {
    "{name: sgd, groups: [{name: g, match: ['*.b', w], momentum: 0.3, from: 7}]}",
    "{name: sgd, lr: 0.1, groups: [{name: g, match: [c], momentum: 0.5, nesterov: true}, {name: h, "
    "match: [w]}]}",
    "{name: adam, lr: 0.3, groups: [{name: g, match: [w], amsgrad: true, betas: [0.1, 0.7]}]}",
    "{name: adamw, eps: 1e-300, weight_decay: 0.7}",
    "adafactor",
    "{name: adam8bit, block: 5, groups: [{name: g, match: [deep.b], block: 3}]}",
    "{name: muon, groups: [{name: g, match: [w], nesterov: false, from: 2}]}",
};

static void open_optimizer(const char *optimizer)
{
    char text[1024];
    (void)snprintf(text, sizeof(text),
                   "scenario: 1\nname: o\nabout: An optimizer.\noptimizer: %s\n"
                   "model: {tensors: {w: [7, 3], deep.b: [2, 3, 5], c: [3], f: []}}\n"
                   "steps:\n  - start: {ranks: 2, layout: fsdp2}\n",
                   optimizer);
    open_text(text);
}

static void assert_same_hyper(const struct reshard_hyper *read, const struct reshard_hyper *hyper)
{
    ck_assert(read->lr == hyper->lr && read->eps == hyper->eps);
    ck_assert(read->beta1 == hyper->beta1 && read->beta2 == hyper->beta2);
    ck_assert(read->weight_decay == hyper->weight_decay && read->momentum == hyper->momentum);
    ck_assert_int_eq(read->nesterov, hyper->nesterov);
    ck_assert_int_eq(read->amsgrad, hyper->amsgrad);
    ck_assert_uint_eq(read->block, hyper->block);
    ck_assert_uint_eq(read->from, hyper->from);
}

static void assert_same_optimizer(const struct reshard_optimizer *read,
                                  const struct reshard_optimizer *optimizer)
{
    ck_assert_int_eq(read->name, optimizer->name);
    ck_assert_int_eq(read->dtype, optimizer->dtype);
    assert_same_hyper(&read->hyper, &optimizer->hyper);
    ck_assert_uint_eq(read->group_count, optimizer->group_count);
    for (uint32_t g = 0; g < read->group_count; g++) {
        const struct reshard_optimizer_group *group = &read->group[g];
        ck_assert_str_eq(group->name, optimizer->group[g].name);
        assert_same_hyper(&group->hyper, &optimizer->group[g].hyper);
        ck_assert_uint_eq(group->pattern_count, optimizer->group[g].pattern_count);
        for (uint32_t i = 0; i < group->pattern_count; i++)
            ck_assert_str_eq(group->pattern[i], optimizer->group[g].pattern[i]);
    }
}

START_TEST(an_optimizer_its_groups_and_slots_are_read_back_as_they_were_compiled)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct job *read = NULL;
    open_optimizer(optimizers[_i]);
    write_world(0);
    ck_assert_msg(job_read(&read, path, &error) == RESHARD_OK, "%s", error.text);
    assert_same_optimizer(&read->optimizer, &scenario->optimizer);
    ck_assert_uint_eq(reshard_model_tensor_count(read->model),
                      reshard_model_tensor_count(scenario->model));
    for (uint32_t t = 0; t < reshard_model_tensor_count(read->model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(read->model, t);
        const struct reshard_tensor *was = reshard_model_tensor(scenario->model, t);
        ck_assert_str_eq(tensor->slot, was->slot);
        ck_assert_int_eq(tensor->slot_class, was->slot_class);
        ck_assert_int_eq(tensor->dtype, was->dtype);
        ck_assert_uint_eq(tensor->block, was->block);
        ck_assert_uint_eq(tensor->shape.ndim, was->shape.ndim);
        for (uint32_t d = 0; d < was->shape.ndim; d++)
            ck_assert_uint_eq(tensor->shape.size[d], was->shape.size[d]);
    }
    ck_assert_uint_eq(reshard_model_hash(read->model), reshard_model_hash(scenario->model));
    job_close(read);
    close_scenario();
}
END_TEST

START_TEST(slots_of_every_class_are_read_back_though_no_optimizer_makes_them)
{
    static const struct reshard_slot slots[] = {
        {"row", RESHARD_DTYPE_F32, RESHARD_CLASS_ROW, 0, false, {0}},
        {"kept_row", RESHARD_DTYPE_F16, RESHARD_CLASS_ROW, 0, true, {0}},
        {"column", RESHARD_DTYPE_BF16, RESHARD_CLASS_COLUMN, 0, false, {0}},
        {"kept_column", RESHARD_DTYPE_F64, RESHARD_CLASS_COLUMN, 0, true, {0}},
        {"scales", RESHARD_DTYPE_F32, RESHARD_CLASS_BLOCKWISE, 4, false, {0}},
        {"basis", RESHARD_DTYPE_C64, RESHARD_CLASS_REPLICATED, 0, false, {2, {3, 0}}},
        {"count", RESHARD_DTYPE_I64, RESHARD_CLASS_SCALAR, 0, false, {0}},
        {"bytes", RESHARD_DTYPE_U8, RESHARD_CLASS_OPAQUE, 0, false, {1, {11}}},
    };
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct job *read = NULL;
    open_optimizer("adamw");
    struct job *job = compile(0);
    for (size_t i = 0; i < sizeof(slots) / sizeof(*slots); i++)
        ck_assert_int_eq(reshard_model_add_state(job->model, "deep.b", &slots[i], NULL),
                         RESHARD_OK);
    ck_assert_int_eq(job_write(job, path, &error), RESHARD_OK);
    ck_assert_msg(job_read(&read, path, &error) == RESHARD_OK, "%s", error.text);
    ck_assert_uint_eq(reshard_model_hash(read->model), reshard_model_hash(job->model));
    job_close(read);
    job_close(job);
    close_scenario();
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

#define SLOT(shape, class, block)                                                                  \
    "[{\"fqn\": \"a\", \"unit\": \"\", \"dtype\": \"f32\", \"shape\": [4, 2], \"role\": "          \
    "\"parameter\", \"other_world\": 0}, {\"fqn\": \"a\", \"slot\": \"s\", \"dtype\": \"f32\", "   \
    "\"shape\": " shape ", \"class\": \"" class "\", \"block\": " block                            \
                                                ", \"keeps_dimension\": false}]"
#define HYPER(lr)                                                                                  \
    "{\"lr\": " lr ", \"beta1\": 0.9, \"beta2\": 0.9, \"eps\": 0.1, \"weight_decay\": 0, "         \
    "\"momentum\": 0, \"nesterov\": false, \"amsgrad\": false, \"block\": 1, \"from\": 1}"
#define OPTIMIZER(name, hyper, groups)                                                             \
    "{\"name\": \"" name "\", \"dtype\": \"f32\", \"hyper\": " hyper ", \"groups\": " groups "}"

/* Members that are put in place of what was written, and what must be said. */
static const struct {
    const char *member;
    const char *value; /* NULL: the member goes */
    const char *says;
} wrong[] = {
    {"ranks", "0", "'ranks' must be 1 or more"},
    {"ranks", "-1", "'ranks' must be an integer of 0 or more"},
    {"ranks", "1.5", "'ranks' must be an integer"},
    {"seed", "42", "'seed' must be a string"},
    {"seed", "\"18446744073709551616\"", "'seed' must be digits"},
    {"folder", "{\"bytes\": \"fg\"}", "'folder' must be a path"},
    {"folder", "{\"bytes\": \"6b00\"}", "'folder' must be a path"},
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
    {"tensors", SLOT("[4]", "rows", "0"), "'class' must be a class"},
    {"tensors", SLOT("[2]", "row", "0"), "'shape' must be what the slot's class gives it"},
    {"tensors", SLOT("[3]", "blockwise", "4"), "'shape' must be what the slot's class gives it"},
    {"tensors", SLOT("[2]", "blockwise", "0"),
     "slot 's' of 'a': a block has 1 to 2^63 - 1 elements"},
    {"tensors", "[{\"fqn\": \"a\", \"slot\": \"s\"}]", "a slot must have 7 members, not 2"},
    {"optimizer", "{}", "optimizer must have 4 members, not 0"},
    {"optimizer", OPTIMIZER("adan", HYPER("1"), "[]"), "'name' must be an optimizer"},
    {"optimizer", OPTIMIZER("sgd", "{}", "[]"), "hyper must have 10 members, not 0"},
    {"optimizer", OPTIMIZER("sgd", HYPER("\"1\""), "[]"), "'lr' must be a number"},
    {"optimizer", OPTIMIZER("sgd", HYPER("1"), "{}"), "'groups' must be an array"},
    {"optimizer", OPTIMIZER("sgd", HYPER("1"), "[{}]"), "a group must have 3 members, not 0"},
    {"optimizer",
     OPTIMIZER("sgd", HYPER("1"),
               "[{\"name\": \"g\", \"match\": [\"a\", 1], \"hyper\": " HYPER("1") "}]"),
     "'match' must be patterns"},
    {"optimizer",
     OPTIMIZER("sgd", HYPER("1"),
               "[{\"name\": \"g\", \"match\": [\"{i}{i}\"], \"hyper\": " HYPER("1") "}]"),
     "'match' must be patterns"},
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
    ck_assert_str_eq(read.message, "file \\xff\\xfe is odd");
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
    TCase *trained = tcase_create("optimizers");
    TCase *results = tcase_create("results");
    tcase_add_checked_fixture(rich, open_rich, close_scenario);
    tcase_add_test(rich, layouts_forms_and_readings_are_read_back_as_they_were_compiled);
    tcase_add_test(rich, a_per_rank_tensor_has_a_row_for_each_rank_of_its_world);
    tcase_add_loop_test(trained,
                        an_optimizer_its_groups_and_slots_are_read_back_as_they_were_compiled, 0,
                        (int)(sizeof(optimizers) / sizeof(*optimizers)));
    tcase_add_test(trained, slots_of_every_class_are_read_back_though_no_optimizer_makes_them);
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
    suite_add_tcase(suite, trained);
    suite_add_tcase(suite, results);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
