#include "cli/cli.h"

#include "sim/suggest.h"
#include "sim/text.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct cli_command *const commands[] = {
    &cli_run, &cli_check, &cli_inspect, &cli_verify, &cli_index, &cli_prune, NULL};

int cli_error(int status, const char *format, ...)
{
    va_list arguments;
    char *text = NULL;
    va_start(arguments, format);
    const int printed = vasprintf(&text, format, arguments);
    va_end(arguments);
    (void)fputs("reshard: error: ", stderr);
    const char *whole = printed < 0 ? format : text;
    text_print(stderr, whole, strlen(whole));
    (void)fputc('\n', stderr);
    if (printed >= 0)
        free(text);
    return status;
}

int cli_out_of_memory(void)
{
    return cli_error(CLI_ENVIRONMENT, "out of memory");
}

FILE *cli_output_open(const char *name)
{
    if (strcmp(name, "-") == 0)
        return stdout;
    FILE *file = fopen(name, "we");
    if (!file)
        (void)cli_error(CLI_ENVIRONMENT, "%s: %s", name, strerror(errno));
    return file;
}

bool cli_output_close(FILE *file, const char *name)
{
    if (!file)
        return true;
    bool written = fflush(file) == 0 && !ferror(file);
    if (file != stdout && fclose(file) != 0)
        written = false;
    if (!written)
        (void)cli_error(CLI_ENVIRONMENT, "%s: cannot be written: %s",
                        file == stdout ? "standard output" : name, strerror(errno));
    return written;
}

bool cli_colour(FILE *stream)
{
    const char *no_colour = getenv("NO_COLOR");
    return isatty(fileno(stream)) && (!no_colour || no_colour[0] == '\0');
}

static void print_commands(FILE *out)
{
    (void)fputs(
        "Usage: reshard COMMAND [OPTIONS] [ARGUMENTS]\n\n"
        "Saves, loads and reshards the training state of large models across any number of\n"
        "ranks, and proves bit for bit that nothing was lost.\n\nCommands:\n",
        out);
    for (size_t i = 0; commands[i]; i++)
        (void)fprintf(out, "  %-9s %s\n", commands[i]->name, commands[i]->summary);
    (void)fputs(
        "\n`reshard COMMAND --help` says more.\n\n"
        "Exit status: 0 all held; 1 something did not hold, or a job crashed or hung; 2 bad "
        "usage\nor scenario; 3 damaged or incomplete checkpoint; 4 the environment lacks "
        "something; 130\ninterrupted.\n",
        out);
}

static const struct cli_command *find_command(const char *name)
{
    for (size_t i = 0; commands[i]; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int refuse_unknown(const char *name)
{
    struct suggestion suggestion = suggestion_for(name);
    for (size_t i = 0; commands[i]; i++)
        suggestion_offer(&suggestion, commands[i]->name);
    if (suggestion.best)
        return cli_error(CLI_USAGE, "'%s' is no command of reshard; did you mean '%s'?", name,
                         suggestion.best);
    return cli_error(CLI_USAGE, "'%s' is no command of reshard; `reshard --help` lists them", name);
}

static int print_help(const char *name)
{
    char option[] = "--help";
    char *help[] = {option};
    if (!name || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 ||
        strcmp(name, "help") == 0) {
        print_commands(stdout);
        return CLI_OK;
    }
    const struct cli_command *command = find_command(name);
    return command ? command->run(command, 1, help) : refuse_unknown(name);
}

static int run_command(int argc, char **argv)
{
    if (argc < 2) {
        print_commands(stderr);
        return CLI_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
        return print_help(argc > 2 ? argv[2] : NULL);
    if (strcmp(name, "--version") == 0) {
        printf("reshard " RESHARD_VERSION "\n");
        return CLI_OK;
    }
    if (name[0] == '-')
        return cli_error(CLI_USAGE, "%s: options come after the command: reshard COMMAND [OPTIONS]",
                         name);
    const struct cli_command *command = find_command(name);
    return command ? command->run(command, argc - 2, argv + 2) : refuse_unknown(name);
}

int main(int argc, char **argv)
{
    /* A file that grows beyond `ulimit -f` is an error to tell, here and in what we start. */
    (void)signal(SIGXFSZ, SIG_IGN);
    const int status = run_command(argc, argv);
    /* Results that did not reach their reader are no success. */
    if (!cli_output_close(stdout, NULL) && status == CLI_OK)
        return CLI_ENVIRONMENT;
    return status;
}
