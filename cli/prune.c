#include "cli/cli.h"
#include "cli/options.h"

#include "core/leftover.h"
#include "sim/report.h"
#include "sim/text.h"

#include <string.h>

static void print_entry(const struct leftover *leftover, bool dry_run)
{
    const bool stays = leftover->state != LEFTOVER_DEAD || (!dry_run && !leftover->removed);
    char bytes[32];
    printf("%s  ", stays ? "left        " : dry_run ? "would remove" : "removed     ");
    text_print(stdout, leftover->name, strlen(leftover->name));
    printf("  %s", report_bytes(leftover->bytes, bytes, sizeof(bytes)));
    if (leftover->reason[0]) {
        printf(": ");
        text_print(stdout, leftover->reason, strlen(leftover->reason));
    }
    printf("\n");
}

/* What was to go, and is still there. */
static bool is_stuck(const struct leftover *leftover, bool dry_run)
{
    return !dry_run && leftover->state == LEFTOVER_DEAD && !leftover->removed;
}

static void print_sum(const struct leftovers *leftovers, bool dry_run)
{
    uint64_t gone = 0, bytes = 0;
    char text[48], size[32];
    for (uint64_t i = 0; i < leftovers->count; i++) {
        const struct leftover *leftover = &leftovers->entry[i];
        if (leftover->removed || (dry_run && leftover->state == LEFTOVER_DEAD)) {
            gone++;
            bytes += leftover->bytes;
        }
    }
    printf("%s %s of dead saves, %s; left %llu\n", dry_run ? "would remove" : "removed",
           text_plural(gone, "leftover", text, sizeof(text)),
           report_bytes(bytes, size, sizeof(size)), (unsigned long long)(leftovers->count - gone));
}

static int prune(const char *directory, bool dry_run)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct leftovers leftovers;
    int result = CLI_OK;
    const enum reshard_status status = leftovers_find(
        store_posix(), directory, (struct leftovers_options){.remove = !dry_run, .measure = true},
        &leftovers, &error);
    if (status == RESHARD_ENOMEM)
        result = cli_out_of_memory();
    else if (status)
        result =
            cli_error(status == RESHARD_ENOENT ? CLI_USAGE : CLI_ENVIRONMENT, "%s", error.text);
    for (uint64_t i = 0; result != CLI_ENVIRONMENT && i < leftovers.count; i++) {
        print_entry(&leftovers.entry[i], dry_run);
        if (is_stuck(&leftovers.entry[i], dry_run))
            result = CLI_FAILED;
    }
    if (!status)
        print_sum(&leftovers, dry_run);
    leftovers_release(&leftovers);
    return result;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    bool dry_run = false;
    const struct cli_option options[] = {
        {"dry-run", 'n', NULL, "say what would be removed, and change nothing", &dry_run, NULL},
    };
    struct cli_arguments directories;
    int status = CLI_OK;
    if (!cli_options_parse(command, options, 1, 1, 1, argc, argv, &directories, &status))
        return status;
    return prune(directories.value[0], dry_run);
}

const struct cli_command cli_prune = {
    .name = "prune",
    .arguments = "DIR",
    .summary = "remove what saves that were cut short have left in a folder",
    .about =
        "Removes the hidden directories .NAME.TOKEN.partial of dead saves from the folder that\n"
        "checkpoints are saved into. Those of saves under way stay, and those whose save cannot\n"
        "be asked whether it lives: storage has no locks, and it ran on another host.",
    .run = run,
};
