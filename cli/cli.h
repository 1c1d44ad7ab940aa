/*
 * The command `reshard`: a table of subcommands, each a file of its own and thin. What they do is
 * in the rooms they call; here are only options, output and exit statuses.
 *
 * Results go to standard output, everything else to standard error.
 */
#ifndef RESHARD_CLI_CLI_H
#define RESHARD_CLI_CLI_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Exit statuses, the same for every subcommand. */
enum {
    CLI_OK = 0,
    CLI_FAILED = 1,      /* ran, and something did not hold, or a job crashed or hung */
    CLI_USAGE = 2,       /* bad usage or scenario */
    CLI_DAMAGED = 3,     /* a damaged or incomplete checkpoint */
    CLI_ENVIRONMENT = 4, /* the environment lacks something */
    CLI_INTERRUPTED = 130,
};

struct cli_command {
    const char *name;
    const char *arguments; /* "PATH..." */
    const char *summary;   /* one line for the table of subcommands */
    const char *about;     /* what its --help says above the options */
    int (*run)(const struct cli_command *command, int argc, char **argv);
};

extern const struct cli_command cli_run;
extern const struct cli_command cli_check;
extern const struct cli_command cli_inspect;
extern const struct cli_command cli_verify;
extern const struct cli_command cli_prune;
extern const struct cli_command cli_index;

/* "reshard: error: …" and a newline to standard error; returns `status`, for the caller to return.
 */
int cli_error(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same where memory ran out. */
int cli_out_of_memory(void);

/* Open a file for a result, or take standard output for "-". NULL, and an error was told. */
FILE *cli_output_open(const char *name);

/* Write out and close what cli_output_open() gave; false, and an error was told, when bytes were
 * lost. Accepts NULL. */
bool cli_output_close(FILE *file, const char *name);

/* Whether colours belong on a stream: a terminal, and NO_COLOR is not set (no-color.org). */
bool cli_colour(FILE *stream);

#endif
