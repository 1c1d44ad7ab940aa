/*
 * Command-line options as a table that parses, complains and prints the help, so that these cannot
 * differ. Options stand in any order among the arguments, as --name VALUE, --name=VALUE, -l VALUE,
 * and letters of flags together, -qv for -q -v; after "--" everything is an argument. A mistyped
 * one is answered with the one that was meant.
 */
#ifndef RESHARD_CLI_OPTIONS_H
#define RESHARD_CLI_OPTIONS_H

#include "cli/cli.h"

#include <stdint.h>

struct cli_option {
    const char *name;  /* without dashes */
    char letter;       /* 0: none */
    const char *value; /* what it takes, "FILE"; NULL for a flag */
    const char *help;
    bool *flag;        /* set when a flag is given */
    const char **text; /* set to the value, borrowed from argv */
};

/* The arguments that are no options, moved to the front of argv. */
struct cli_arguments {
    int count;
    char **value;
};

/*
 * Parse a subcommand's options. Returns true when the command is to go on; otherwise everything was
 * said, and *status is what to exit with: CLI_OK after --help, CLI_USAGE after a mistake. Between
 * `least` and `most` arguments must remain.
 */
bool cli_options_parse(const struct cli_command *command, const struct cli_option *options,
                       size_t option_count, int least, int most, int argc, char **argv,
                       struct cli_arguments *out, int *status);

/* Strict numbers; false when the text is not one, wholly, or not in range. */
bool cli_parse_count(const char *text, uint64_t *out); /* 0 to 2^64-1 */
bool cli_parse_seconds(const char *text, double *out); /* above 0 */

#endif
