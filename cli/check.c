#include "cli/cli.h"
#include "cli/options.h"
#include "cli/place.h"

#include "sim/job.h"
#include "sim/report.h"
#include "sim/text.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static uint64_t most_ranks(const struct scenario *scenario)
{
    uint64_t most = 0;
    for (uint64_t i = 0; i < scenario->step_count; i++)
        if (scenario->steps[i].verb == SCENARIO_START && scenario->steps[i].start.ranks > most)
            most = scenario->steps[i].start.ranks;
    return most;
}

static uint64_t count_parameters(const struct reshard_model *model)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < reshard_model_tensor_count(model); i++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(model, i);
        if (!reshard_tensor_is_slot(tensor) && reshard_role_is_parameter(tensor->role))
            count += tensor->count;
    }
    return count;
}

static void print_scenario(const char *path, const struct scenario *scenario)
{
    char parameters[32];
    char steps[48];
    char worlds[48];
    char ranks[48];
    report_count(count_parameters(scenario->model), parameters, sizeof(parameters));
    text_print(stdout, path, strlen(path));
    printf(": %s is valid: %s, %s, up to %s, %s parameters\n", scenario->name,
           text_plural(scenario->step_count, "step", steps, sizeof(steps)),
           text_plural(job_world_count(scenario), "world", worlds, sizeof(worlds)),
           text_plural(most_ranks(scenario), "rank", ranks, sizeof(ranks)), parameters);
}

static int check_file(const char *path, const char *scenarios)
{
    struct scenario *scenario = NULL;
    enum reshard_status status = scenario_open(&scenario, path, scenarios, NULL, stderr);
    if (status == RESHARD_ENOMEM)
        return cli_out_of_memory();
    if (status != RESHARD_OK)
        return CLI_USAGE;
    print_scenario(path, scenario);
    scenario_close(scenario);
    return CLI_OK;
}

static int print_schema(void)
{
    return scenario_schema_print(stdout)
               ? CLI_OK
               : cli_error(CLI_ENVIRONMENT, "the schema cannot be written");
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    bool schema = false;
    const struct cli_option options[] = {
        {"schema", 0, NULL, "print the language's JSON Schema, for editors, instead", &schema,
         NULL},
    };
    struct cli_arguments files;
    int status = CLI_OK;
    if (!cli_options_parse(command, options, 1, 0, INT_MAX, argc, argv, &files, &status))
        return status;
    if (schema && files.count == 0)
        return print_schema();
    if (schema || files.count == 0)
        return cli_error(CLI_USAGE, "`reshard check` needs a FILE, or --schema alone");
    char *scenarios = place_scenarios();
    status = CLI_OK;
    for (int i = 0; i < files.count; i++) {
        const int one = check_file(files.value[i], scenarios);
        status = status == CLI_OK ? one : status;
    }
    free(scenarios);
    return status;
}

const struct cli_command cli_check = {
    .name = "check",
    .arguments = "FILE...",
    .summary = "say whether scenario files are valid, and where not",
    .about = "Reads scenario files as `reshard run` would, and runs nothing.",
    .run = run,
};
