#include "cli/inspect_groups.h"

#include "verify/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { VALUE_TEXT = 512, WIDTH_MAX = 40 };

static bool group_is_shown(const struct reshard_groups *groups, uint32_t g, inspect_shown *shown,
                           const void *context)
{
    for (uint32_t m = 0; shown && m < reshard_groups_member_count(groups, g); m++)
        if (shown(context, reshard_groups_member(groups, g, m)))
            return true;
    return !shown;
}

/* The width of the names' column, within reason. */
static int name_width(const struct reshard_groups *groups)
{
    size_t width = strlen("group");
    for (uint32_t g = 0; g < reshard_groups_count(groups); g++) {
        const size_t length = strlen(reshard_groups_name(groups, g));
        if (length > width && length <= WIDTH_MAX)
            width = length;
    }
    return (int)width;
}

static void print_name(const char *name, int width)
{
    printf("  ");
    const size_t columns = verify_text_print(name, stdout);
    printf("%*s", columns < (size_t)width ? width - (int)columns : 0, "");
}

/* Strings, and keys, come from the file. */
static void print_value(const char *key, const struct reshard_value *value, bool first)
{
    char text[VALUE_TEXT];
    printf("%s", first ? "" : ", ");
    (void)verify_text_print(key, stdout);
    printf(" ");
    (void)verify_text_print(reshard_value_print(value, text, sizeof(text)), stdout);
}

static void print_group(const struct reshard_groups *groups, uint32_t g, int width)
{
    print_name(reshard_groups_name(groups, g), width);
    printf("  %10" PRIu32 "  ", reshard_groups_member_count(groups, g));
    for (uint32_t v = 0; v < reshard_groups_value_count(groups, g); v++)
        print_value(reshard_groups_key(groups, g, v), reshard_groups_value(groups, g, v), v == 0);
    printf("\n");
}

static void print_entry(const struct reshard_groups *groups, uint32_t e)
{
    printf("  entry");
    print_name(reshard_groups_entry(groups, e), 0);
    printf("  ");
    for (uint32_t v = 0; v < reshard_groups_entry_value_count(groups, e); v++)
        print_value(reshard_groups_entry_key(groups, e, v),
                    reshard_groups_entry_value(groups, e, v), v == 0);
    printf("\n");
}

void inspect_groups_print(const struct reshard_groups *groups, inspect_shown *shown,
                          const void *context)
{
    const int width = name_width(groups);
    bool headed = false;
    for (uint32_t g = 0; g < reshard_groups_count(groups); g++) {
        if (!group_is_shown(groups, g, shown, context))
            continue;
        if (!headed)
            printf("\n  %-*s  %10s  hyperparameters\n", width, "group", "parameters");
        headed = true;
        print_group(groups, g, width);
    }
    for (uint32_t e = 0; !shown && e < reshard_groups_entry_count(groups); e++) {
        if (!headed)
            printf("\n");
        headed = true;
        print_entry(groups, e);
    }
}
