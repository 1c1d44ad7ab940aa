#include "core/pattern.h"

#include <string.h>

/* RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
static size_t utf8_sequence(const unsigned char *s)
{
    static const struct {
        unsigned char first_low, first_high, second_low, second_high;
        size_t length;
    } forms[] = {
        {0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (s[0] < forms[i].first_low || s[0] > forms[i].first_high)
            continue;
        if (forms[i].length > 1 && (s[1] < forms[i].second_low || s[1] > forms[i].second_high))
            return 0;
        for (size_t j = 2; j < forms[i].length; j++)
            if (s[j] < 0x80 || s[j] > 0xbf)
                return 0;
        return forms[i].length;
    }
    return 0;
}

bool text_is_utf8(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;

    while (*s) {
        const size_t length = utf8_sequence(s);
        if (length == 0)
            return false;
        s += length;
    }
    return true;
}

enum { DIGITS_MAX = 18 }; /* so that the number fits */

static const char number_token[] = "{i}";
enum { NUMBER_TOKEN_BYTES = sizeof number_token - 1 };

static bool is_number_token(const char *pattern)
{
    return strncmp(pattern, number_token, NUMBER_TOKEN_BYTES) == 0;
}

bool pattern_is_valid(const char *pattern)
{
    uint32_t stars = 0, numbers = 0;

    if (!pattern || strlen(pattern) > PATTERN_BYTES_MAX)
        return false;
    for (const char *c = pattern; *c; c++) {
        stars += *c == '*';
        numbers += is_number_token(c);
    }
    return pattern[0] && text_is_utf8(pattern) && stars <= PATTERN_STARS_MAX && numbers <= 1;
}

/* The digits at `text`, as a number; returns how many. */
static size_t read_number(const char *text, uint64_t *out)
{
    size_t digits = 0;

    *out = 0;
    while (digits < DIGITS_MAX && text[digits] >= '0' && text[digits] <= '9')
        *out = *out * 10 + (uint64_t)(text[digits++] - '0');
    return digits;
}

/* One step of what follows the last star: true when pattern and name both move on. */
static bool step(const char **pattern, const char **name, struct pattern_match *out)
{
    if (is_number_token(*pattern)) {
        const size_t digits = read_number(*name, &out->number);
        out->number_text = *name;
        out->number_bytes = digits;
        *pattern += NUMBER_TOKEN_BYTES;
        *name += digits;
        return digits > 0;
    }
    if (**pattern == '\0' || **pattern != **name)
        return false;
    *pattern += 1;
    *name += 1;
    return true;
}

/*
 * After a star everything up to the next one is tried at the first place where it fits; once the
 * next star is reached that place is final, because whatever a later one allows, it allows too. So
 * only the last star is ever moved, and the time is at most the product of the lengths.
 */
bool pattern_matches(const char *pattern, const char *name, struct pattern_match *out)
{
    const char *after_star = NULL;

    *out = (struct pattern_match){.number = 0};
    while (*pattern || *name) {
        if (*pattern == '*') {
            after_star = ++pattern;
            out->star[out->star_count].text = name;
            out->star[out->star_count++].bytes = 0;
        } else if (!step(&pattern, &name, out)) {
            if (!after_star)
                return false;
            name = out->star[out->star_count - 1].text + out->star[out->star_count - 1].bytes;
            if (*name == '\0')
                return false;
            out->star[out->star_count - 1].bytes++;
            name++;
            pattern = after_star;
        }
    }
    return true;
}

bool pattern_matches_any(const char *const *pattern, uint32_t count, const char *name)
{
    struct pattern_match match;

    for (uint32_t i = 0; i < count; i++)
        if (pattern_matches(pattern[i], name, &match))
            return true;
    return false;
}

bool pattern_replace(const char *replacement, const struct pattern_match *match, char *out,
                     size_t size)
{
    uint32_t star = 0;
    size_t used = 0;

    for (const char *c = replacement; *c;) {
        const char *text = c;
        size_t bytes = 1, skip = 1;
        if (*c == '*') {
            if (star == match->star_count)
                return false;
            text = match->star[star].text;
            bytes = match->star[star++].bytes;
        } else if (is_number_token(c)) {
            if (!match->number_text)
                return false;
            bytes = match->number_bytes;
            text = match->number_text;
            skip = NUMBER_TOKEN_BYTES;
        }
        if (bytes >= size - used)
            return false;
        memcpy(out + used, text, bytes);
        used += bytes;
        c += skip;
    }
    out[used] = '\0';
    return true;
}
