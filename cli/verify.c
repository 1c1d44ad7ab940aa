#include "cli/cli.h"
#include "cli/options.h"
#include "cli/place.h"

#include "core/manifest.h"
#include "core/store.h"
#include "sim/inventory.h"
#include "sim/json_text.h"
#include "sim/param_groups.h"
#include "sim/scenario.h"
#include "sim/text.h"
#include "sim/view.h"
#include "verify/files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct request {
    const char *against;
    const char *scenario;
    const char *step;
    const char *json;
};

/* What a checkpoint is judged by besides itself. */
struct expectation {
    struct scenario *scenario;   /* NULL: nothing was given */
    struct reshard_model *model; /* what its checkpoints hold, at the world size of this one */
    struct verify_inventory inventory;
    struct verify_oracle *oracle;
    struct verify_param_groups groups; /* of its optimizer, at that step */
};

static void expectation_release(struct expectation *expectation)
{
    verify_param_groups_close(&expectation->groups);
    verify_oracle_close(expectation->oracle);
    view_release(&expectation->inventory);
    reshard_model_close(expectation->model);
    scenario_close(expectation->scenario);
}

/* How many ranks saved a checkpoint; 1 where nobody can tell, which the verification then says. */
static uint64_t world_of(const char *directory)
{
    struct manifest manifest = MANIFEST_INIT;
    char *text = NULL;
    uint64_t bytes = 0;
    uint64_t world = 1;
    char *path = store_path(directory, MANIFEST_FILE);
    if (path && !store_read_file(store_posix(), path, MANIFEST_BYTES_MAX, &text, &bytes, NULL) &&
        !manifest_decode(&manifest, text, (size_t)bytes, path, NULL)) {
        world = manifest.world;
        manifest_release(&manifest);
    }
    free(text);
    free(path);
    return world;
}

/* The scenario's model without what is not saved, with a row for each rank of what is per rank. */
static enum reshard_status make_model(struct expectation *out, uint64_t world,
                                      struct reshard_error *error)
{
    struct reshard_model *whole = NULL;
    enum reshard_status status = inventory_for_world(&whole, out->scenario->model, world, error);
    if (!status)
        status = reshard_model_copy(&out->model, whole, true);
    reshard_model_close(whole);
    return status ? status : view_of_model(&out->inventory, out->model);
}

static enum reshard_status make_groups(struct expectation *out, uint64_t step,
                                       struct reshard_error *error)
{
    struct reshard_groups *groups = NULL;
    enum reshard_status status =
        param_groups_open(&groups, out->model, &out->scenario->optimizer, error);
    if (!status && groups)
        status = param_groups_set_step(groups, step, error);
    if (!status)
        status = view_of_groups(&out->groups, groups, &out->inventory, error);
    reshard_groups_close(groups);
    return status;
}

static int expect_training(struct expectation *out, const char *directory, uint64_t step)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    const struct scenario *scenario = out->scenario;
    struct view_optimizer view;
    enum reshard_status status = make_model(out, world_of(directory), &error);
    if (!status)
        status = make_groups(out, step, &error);
    if (status && status != RESHARD_ENOMEM)
        return cli_error(CLI_USAGE, "%s: %s", scenario->file, error.text);
    if (status || view_of_optimizer(&view, &scenario->optimizer))
        return cli_out_of_memory();
    const struct verify_oracle_options options = {
        .inventory = &out->inventory,
        .optimizer = view.optimizer,
        .seed = scenario->seed,
        .step = step,
        .safetensors = scenario->safetensors,
    };
    status = verify_oracle_open(&out->oracle, &options, &error);
    view_optimizer_release(&view);
    if (status == RESHARD_ENOMEM)
        return cli_out_of_memory();
    return status ? cli_error(CLI_USAGE, "%s: %s", scenario->file, error.text) : CLI_OK;
}

/* `--scenario FILE --step K`: the state that the scenario's training has after step K. */
static int expect(struct expectation *out, const char *directory, const struct request *request)
{
    uint64_t step = 0;
    if (!request->scenario && !request->step)
        return CLI_OK;
    if (!request->scenario || !request->step)
        return cli_error(CLI_USAGE, "--scenario FILE and --step K belong together");
    if (!cli_parse_count(request->step, &step))
        return cli_error(CLI_USAGE, "--step %s: not a whole number of 0 or more", request->step);
    char *scenarios = place_scenarios();
    enum reshard_status status =
        scenario_open(&out->scenario, request->scenario, scenarios, NULL, stderr);
    free(scenarios);
    if (status == RESHARD_ENOMEM)
        return cli_out_of_memory();
    return status ? CLI_USAGE : expect_training(out, directory, step);
}

static int check_directory(const char *path)
{
    struct stat about;
    if (stat(path, &about) != 0)
        return cli_error(errno == EACCES ? CLI_ENVIRONMENT : CLI_USAGE, "%s: %s", path,
                         strerror(errno));
    if (!S_ISDIR(about.st_mode))
        return cli_error(CLI_USAGE, "%s: a checkpoint is a directory", path);
    return CLI_OK;
}

/* Whether a checkpoint is whole, judged by itself alone. */
static bool is_whole(const char *directory)
{
    const struct verify_files_options alone = {0};
    struct verify_report report;
    if (verify_report_open(&report) != RESHARD_OK)
        return false;
    const bool whole = verify_files(directory, &alone, &report, NULL) == RESHARD_OK;
    verify_report_close(&report);
    return whole;
}

/* What storage refuses to give cannot be judged. Checkpoints that are whole, but differ from what
 * was asked for, are a difference and no damage; only when something was found are they read again
 * to tell these apart. */
static int exit_status(enum reshard_status status, const char *directory,
                       const struct request *request)
{
    if (status == RESHARD_OK)
        return CLI_OK;
    if (status == RESHARD_ENOMEM || status == RESHARD_EIO)
        return CLI_ENVIRONMENT;
    const bool asked_for_more = request->against || request->scenario;
    const bool whole =
        asked_for_more && is_whole(directory) && (!request->against || is_whole(request->against));
    return whole ? CLI_FAILED : CLI_DAMAGED;
}

static int print_json(const struct verify_report *report, const char *directory, FILE *out)
{
    json_t *value = verify_report_json(report);
    if (!value || json_object_set_new(value, "directory", text_json(directory)) != 0) {
        json_decref(value);
        return cli_out_of_memory();
    }
    const bool written = json_text_write(value, out, JSON_INDENT(2));
    json_decref(value);
    return written ? CLI_OK : cli_error(CLI_ENVIRONMENT, "the report cannot be written");
}

static int judge(const char *directory, const struct request *request,
                 const struct expectation *expectation, FILE *json)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct verify_report report;
    const struct verify_files_options options = {
        .oracle = expectation->oracle,
        .groups = expectation->scenario ? &expectation->groups : NULL,
        .expected = expectation->scenario ? &expectation->inventory : NULL,
        .against = request->against,
    };
    if (verify_report_open(&report) != RESHARD_OK)
        return cli_out_of_memory();
    const enum reshard_status judged = verify_files(directory, &options, &report, &error);
    int status = exit_status(judged, directory, request);
    if (judged == RESHARD_ENOMEM)
        (void)cli_error(status, "%s: cannot be judged: %s", directory,
                        error.text[0] ? error.text : reshard_status_text(RESHARD_ENOMEM));
    FILE *people = json == stdout ? stderr : stdout;
    if (verify_report_print(&report, people) != RESHARD_OK)
        status = cli_error(CLI_ENVIRONMENT, "the report cannot be written");
    if (json && print_json(&report, directory, json) != CLI_OK)
        status = CLI_ENVIRONMENT;
    verify_report_close(&report);
    return status;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct request request = {0};
    const struct cli_option options[] = {
        {"against", 0, "DIR", "another checkpoint, which must hold the same tensors and bytes",
         NULL, &request.against},
        {"scenario", 0, "FILE", "the scenario whose training made it; with --step", NULL,
         &request.scenario},
        {"step", 0, "K", "the training step whose state it must hold", NULL, &request.step},
        {"json", 0, "FILE", "the report for programs; - is standard output", NULL, &request.json},
    };
    struct cli_arguments arguments;
    struct expectation expectation = {0};
    int status = CLI_OK;
    if (!cli_options_parse(command, options, sizeof(options) / sizeof(*options), 1, 1, argc, argv,
                           &arguments, &status))
        return status;
    status = check_directory(arguments.value[0]);
    if (status == CLI_OK && request.against)
        status = check_directory(request.against);
    if (status == CLI_OK)
        status = expect(&expectation, arguments.value[0], &request);
    FILE *json = status == CLI_OK && request.json ? cli_output_open(request.json) : NULL;
    if (status == CLI_OK && request.json && !json)
        status = CLI_ENVIRONMENT;
    if (status == CLI_OK)
        status = judge(arguments.value[0], &request, &expectation, json);
    expectation_release(&expectation);
    return cli_output_close(json, request.json) ? status : CLI_ENVIRONMENT;
}

const struct cli_command cli_verify = {
    .name = "verify",
    .arguments = "DIR",
    .summary = "prove a checkpoint's files, element by element",
    .about =
        "Reads every byte of a checkpoint and judges it by rules of its own: the format, every\n"
        "element in exactly one piece, every digest, the index if there is one; and, where asked,\n"
        "that it equals another checkpoint, what is absent and the optimizer's groups included,\n"
        "or the state of a scenario's training computed without any sharding. Without --scenario\n"
        "and --against a damaged element is known only as one of its piece, and the\n"
        "range of the piece is named; with them, the element.\n"
        "Exit status 3 means that it, or the other checkpoint, is damaged or incomplete; 1 that\n"
        "it is whole, but another state than was asked for; 4 that files could not be read.",
    .run = run,
};
