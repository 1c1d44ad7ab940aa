#include "verify/pattern.h"

#include <string.h>

enum { DIGITS_MAX = 18 };

static const char number_mark[] = "{i}";

uint32_t verify_pattern_numbers(const char *pattern)
{
    uint32_t numbers = 0;

    for (const char *at = strstr(pattern, number_mark); at;
         at = strstr(at + sizeof number_mark - 1, number_mark))
        numbers += 1;
    return numbers;
}

/* The digits at the front of a name; false when there is none. */
static bool take_number(const char **name, uint64_t *number)
{
    const char *at = *name;

    *number = 0;
    for (; *at >= '0' && *at <= '9' && at - *name < DIGITS_MAX; ++at)
        *number = *number * 10 + (uint64_t)(*at - '0');
    if (at == *name)
        return false;
    *name = at;
    return true;
}

/* Go over the next sign of a pattern that is no `*`, and over what it stands for. */
static bool take(const char **pattern, const char **name, uint64_t *number)
{
    if (strncmp(*pattern, number_mark, sizeof number_mark - 1) == 0) {
        if (!take_number(name, number))
            return false;
        *pattern += sizeof number_mark - 1;
        return true;
    }
    if (**pattern == '\0' || **pattern != **name)
        return false;
    *pattern += 1;
    *name += 1;
    return true;
}

/* Where it does not go on, the last `*` takes one more byte. An earlier one never needs to:
 * whatever follows it has been found as far in front as possible, which leaves the most to the
 * rest. */
bool verify_pattern_matches(const char *pattern, const char *name, uint64_t *number)
{
    const char *star = NULL;
    const char *resume = NULL;

    *number = 0;
    while (*pattern || *name) {
        if (*pattern == '*') {
            star = ++pattern;
            resume = name;
        } else if (!take(&pattern, &name, number)) {
            if (!star || *resume == '\0')
                return false;
            pattern = star;
            name = ++resume;
        }
    }
    return true;
}
