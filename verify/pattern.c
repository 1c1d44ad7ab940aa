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

bool verify_pattern_is_wild(const char *pattern)
{
    return strchr(pattern, '*') || verify_pattern_numbers(pattern) > 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A stretch of bytes. */
struct text {
    const char *at;
    size_t bytes;
};

static struct text text_between(const char *at, const char *behind)
{
    return (struct text){at, (size_t)(behind - at)};
}

/* What stands between stars: a text; with a number in it also what follows that. */
struct part {
    struct text text;
    bool numbered;
    struct text then;
};

/* The part that the pattern begins with, which ends at a star or with the pattern. */
static struct part part_of(const char *pattern)
{
    const char *behind = strchrnul(pattern, '*');
    const char *mark = strstr(pattern, number_mark);

    if (!mark || mark >= behind)
        return (struct part){.text = text_between(pattern, behind)};
    return (struct part){text_between(pattern, mark), true,
                         text_between(mark + sizeof number_mark - 1, behind)};
}

static bool begins(struct text name, struct text with)
{
    return name.bytes >= with.bytes && memcmp(name.at, with.at, with.bytes) == 0;
}

static struct text without(struct text name, size_t bytes)
{
    return (struct text){name.at + bytes, name.bytes - bytes};
}

static size_t count_digits(struct text name)
{
    size_t digits = 0;

    while (digits < name.bytes && digits < DIGITS_MAX && is_digit(name.at[digits]))
        digits += 1;
    return digits;
}

static uint64_t number_in(struct text name, size_t digits)
{
    uint64_t value = 0;

    for (size_t d = 0; d < digits; ++d)
        value = value * 10 + (uint64_t)(name.at[d] - '0');
    return value;
}

/* Take from the front of a name what a part stands for there; false where it does not fit. */
static bool take(const struct part *part, struct text *name, uint64_t *number)
{
    struct text left = *name;
    size_t digits;

    if (left.bytes < part->text.bytes)
        return false;
    left = without(left, part->text.bytes);
    if (part->numbered) {
        const struct text here = left;

        digits = count_digits(here);
        left = without(here, digits);
        if (digits == 0 || !begins(left, part->then) || !begins(*name, part->text))
            return false;
        left = without(left, part->then.bytes);
        *number = number_in(here, digits);
    }
    if (!begins(*name, part->text))
        return false;
    *name = left;
    return true;
}

/* Go on in a name to the first place where a part may begin: where its text is; or, of a numbered
 * one, in front of a digit as many bytes as its text has. */
static bool go_on(const struct part *part, struct text *name)
{
    size_t at = part->text.bytes;

    if (!part->numbered) {
        const char *found = memmem(name->at, name->bytes, part->text.at, part->text.bytes);

        if (found)
            *name = without(*name, (size_t)(found - name->at));
        return found;
    }
    while (at < name->bytes && !is_digit(name->at[at]))
        at += 1;
    if (at >= name->bytes)
        return false;
    *name = without(*name, at - part->text.bytes);
    return true;
}

/* The shortest that the end of a name may be for the last part to fit it to the end; and the
 * longest, a number being of 1 to 18 digits. */
static void keep_end(const struct part *part, struct text *name)
{
    const size_t longest = part->text.bytes + part->then.bytes + (part->numbered ? DIGITS_MAX : 0);

    if (name->bytes > longest)
        *name = without(*name, name->bytes - longest);
}

/* Skip what a star stands for, as little as possible, and take the part behind it. Of the last part
 * the name's end alone comes into question. */
static bool take_behind_star(const struct part *part, bool last, struct text *name,
                             uint64_t *number)
{
    if (last)
        keep_end(part, name);
    while (go_on(part, name)) {
        struct text left = *name;

        if (take(part, &left, number) && (!last || left.bytes == 0)) {
            *name = left;
            return true;
        }
        if (name->bytes == 0)
            return false;
        *name = without(*name, 1);
    }
    return false;
}

/* What a star stands for is never taken back: whatever follows it has been found as far in front as
 * possible, which leaves the most to the rest. */
bool verify_pattern_matches(const char *pattern, const char *name, uint64_t *number)
{
    struct part part = part_of(pattern);
    struct text left = {name, strlen(name)};

    *number = 0;
    if (!take(&part, &left, number))
        return false;
    for (pattern = strchrnul(pattern, '*'); *pattern; pattern = strchrnul(pattern, '*')) {
        const bool last = !strchr(++pattern, '*');

        part = part_of(pattern);
        if (!take_behind_star(&part, last, &left, number))
            return false;
    }
    return left.bytes == 0;
}
