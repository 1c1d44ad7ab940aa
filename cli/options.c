#include "cli/options.h"

#include "sim/quantity.h"
#include "sim/suggest.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A parse under way. */
struct parse {
    const struct cli_command *command;
    const struct cli_option *options;
    size_t option_count;
    int argc;
    char **argv;
    int at;
    int status;
};

static void print_option(const char *name, char letter, const char *value, const char *help)
{
    char left[64];
    char dash[8] = "    ";
    if (letter)
        (void)snprintf(dash, sizeof(dash), "-%c, ", letter);
    (void)snprintf(left, sizeof(left), "%s--%s%s%s", dash, name, value ? " " : "",
                   value ? value : "");
    printf("  %-24s %s\n", left, help);
}

static void print_help(const struct parse *parse)
{
    const struct cli_command *command = parse->command;
    printf("Usage: reshard %s [OPTIONS] %s\n\n%s\n\nOptions:\n", command->name, command->arguments,
           command->about);
    for (size_t i = 0; i < parse->option_count; i++) {
        const struct cli_option *option = &parse->options[i];
        print_option(option->name, option->letter, option->value, option->help);
    }
    print_option("help", 'h', NULL, "print this");
}

static bool refuse(struct parse *parse)
{
    (void)fprintf(stderr, "Usage: reshard %s [OPTIONS] %s\n", parse->command->name,
                  parse->command->arguments);
    parse->status = CLI_USAGE;
    return false;
}

static bool refuse_unknown(struct parse *parse, const char *argument)
{
    struct suggestion suggestion = suggestion_for(argument + strspn(argument, "-"));
    for (size_t i = 0; i < parse->option_count; i++)
        suggestion_offer(&suggestion, parse->options[i].name);
    suggestion_offer(&suggestion, "help");
    if (suggestion.best)
        (void)cli_error(CLI_USAGE, "%s: no such option of `reshard %s`; did you mean --%s?",
                        argument, parse->command->name, suggestion.best);
    else
        (void)cli_error(CLI_USAGE, "%s: no such option of `reshard %s`", argument,
                        parse->command->name);
    return refuse(parse);
}

static const struct cli_option *find_long(const struct parse *parse, const char *name,
                                          size_t length)
{
    for (size_t i = 0; i < parse->option_count; i++)
        if (strlen(parse->options[i].name) == length &&
            strncmp(parse->options[i].name, name, length) == 0)
            return &parse->options[i];
    return NULL;
}

static const struct cli_option *find_letter(const struct parse *parse, char letter)
{
    for (size_t i = 0; i < parse->option_count; i++)
        if (parse->options[i].letter != 0 && parse->options[i].letter == letter)
            return &parse->options[i];
    return NULL;
}

/* `given` is the value after "=", or NULL. */
static bool apply(struct parse *parse, const struct cli_option *option, const char *given)
{
    if (!option->value) {
        *option->flag = true;
        if (!given)
            return true;
        (void)cli_error(CLI_USAGE, "--%s takes no value", option->name);
        return refuse(parse);
    }
    if (!given && parse->at + 1 < parse->argc)
        given = parse->argv[++parse->at];
    if (!given) {
        (void)cli_error(CLI_USAGE, "--%s needs a value: --%s %s", option->name, option->name,
                        option->value);
        return refuse(parse);
    }
    *option->text = given;
    return true;
}

static bool help(struct parse *parse)
{
    print_help(parse);
    parse->status = CLI_OK;
    return false;
}

/* "-q", "-qv": the last letter alone may be of an option that takes a value. */
static bool parse_letters(struct parse *parse, const char *argument)
{
    for (const char *letter = argument + 1; *letter; letter++) {
        const struct cli_option *option = find_letter(parse, *letter);
        if (*letter == 'h' && !option)
            return help(parse);
        if (!option || (option->value && letter[1] != '\0'))
            return refuse_unknown(parse, argument);
        if (!apply(parse, option, NULL))
            return false;
    }
    return true;
}

static bool parse_option(struct parse *parse)
{
    const char *argument = parse->argv[parse->at];
    if (strcmp(argument, "--help") == 0)
        return help(parse);
    if (argument[1] != '-')
        return parse_letters(parse, argument);
    const size_t length = strcspn(argument + 2, "=");
    const struct cli_option *option = find_long(parse, argument + 2, length);
    const char *given = argument[2 + length] == '=' ? argument + 3 + length : NULL;
    return option ? apply(parse, option, given) : refuse_unknown(parse, argument);
}

static bool check_count(struct parse *parse, int count, int least, int most)
{
    if (count < least)
        (void)cli_error(CLI_USAGE, "`reshard %s` needs %s", parse->command->name,
                        parse->command->arguments);
    else if (count > most)
        (void)cli_error(CLI_USAGE, "`reshard %s` takes %s and nothing more: '%s'",
                        parse->command->name, parse->command->arguments, parse->argv[most]);
    else
        return true;
    return refuse(parse);
}

bool cli_options_parse(const struct cli_command *command, const struct cli_option *options,
                       size_t option_count, int least, int most, int argc, char **argv,
                       struct cli_arguments *out, int *status)
{
    struct parse parse = {command, options, option_count, argc, argv, 0, CLI_USAGE};
    bool all_arguments = false;
    out->count = 0;
    out->value = argv;
    for (; parse.at < argc; parse.at++) {
        char *argument = argv[parse.at];
        if (!all_arguments && strcmp(argument, "--") == 0) {
            all_arguments = true;
        } else if (!all_arguments && argument[0] == '-' && argument[1] != '\0') {
            if (!parse_option(&parse)) {
                *status = parse.status;
                return false;
            }
        } else {
            argv[out->count++] = argument;
        }
    }
    const bool right = check_count(&parse, out->count, least, most);
    *status = parse.status;
    return right;
}

bool cli_parse_count(const char *text, uint64_t *out)
{
    return quantity_count(text, out);
}

bool cli_parse_seconds(const char *text, double *out)
{
    char *end = NULL;
    const double value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(value) || value <= 0)
        return false;
    *out = value;
    return true;
}
