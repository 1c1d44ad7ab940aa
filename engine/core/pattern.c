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

bool pattern_is_wild(const char *pattern)
{
    return strchr(pattern, '*') || strstr(pattern, number_token);
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

/* What stands between two stars, or between a star and an end: a text, or a text, the number and a
 * text. */
struct segment {
    const char *text;
    size_t bytes;
    const char *behind; /* the number; NULL without one */
    size_t behind_bytes;
};

/* The segment that begins at `pattern`; moves on to the star behind it, or to the end. */
static struct segment next_segment(const char **pattern)
{
    const size_t bytes = strcspn(*pattern, "*");
    const char *number = memmem(*pattern, bytes, number_token, NUMBER_TOKEN_BYTES);
    struct segment segment = {*pattern, bytes, NULL, 0};

    if (number) {
        segment.bytes = (size_t)(number - *pattern);
        segment.behind = number + NUMBER_TOKEN_BYTES;
        segment.behind_bytes = bytes - segment.bytes - NUMBER_TOKEN_BYTES;
    }
    *pattern += bytes;
    return segment;
}

/* Where a number is to be read at `digits`, which are `run` in all: what a segment stands for
 * there, from *place up to what is returned. NULL where it does not fit between `name` and `end`.
 */
static const char *fit_number(const struct segment *segment, const char *name, const char *digits,
                              size_t run, const char *end, const char **place,
                              struct pattern_match *out)
{
    const char *behind = digits + (run < DIGITS_MAX ? run : DIGITS_MAX);

    *place = digits - segment->bytes;
    if (run == 0 || (size_t)(digits - name) < segment->bytes ||
        (size_t)(end - behind) < segment->behind_bytes ||
        memcmp(behind, segment->behind, segment->behind_bytes) != 0 ||
        memcmp(*place, segment->text, segment->bytes) != 0)
        return NULL;
    out->number_text = digits;
    out->number_bytes = read_number(digits, &out->number);
    return behind + segment->behind_bytes;
}

static size_t digit_run(const char *text)
{
    return strspn(text, "0123456789");
}

/* Likewise at `name` itself. */
static const char *fit_here(const struct segment *segment, const char *name, const char *end,
                            struct pattern_match *out)
{
    const char *place;

    if ((size_t)(end - name) < segment->bytes)
        return NULL;
    if (segment->behind)
        return fit_number(segment, name, name + segment->bytes, digit_run(name + segment->bytes),
                          end, &place, out);
    return memcmp(name, segment->text, segment->bytes) == 0 ? name + segment->bytes : NULL;
}

/* The first place from `name` on where a segment fits; a number is looked for digit by digit. */
static const char *fit_first(const struct segment *segment, const char *name, const char *end,
                             const char **place, struct pattern_match *out)
{
    const char *behind = NULL;

    if (!segment->behind) {
        *place = memmem(name, (size_t)(end - name), segment->text, segment->bytes);
        return *place ? *place + segment->bytes : NULL;
    }
    for (const char *at = name; !behind && at < end;) {
        const char *digits = at + strcspn(at, "0123456789");
        for (size_t run = digit_run(digits); !behind && run > 0; run--)
            behind = fit_number(segment, name, digits++, run, end, place, out);
        at = digits;
    }
    return behind;
}

/* The first place where a segment fits and ends with the name. */
static const char *fit_last(const struct segment *segment, const char *name, const char *end,
                            const char **place, struct pattern_match *out)
{
    const size_t bytes = segment->behind ? segment->behind_bytes : segment->bytes;
    const char *behind = NULL;

    if ((size_t)(end - name) < bytes)
        return NULL;
    *place = end - bytes;
    if (!segment->behind)
        return fit_here(segment, *place, end, out);
    for (size_t digits = DIGITS_MAX; behind != end && digits > 0; digits--)
        if ((size_t)(end - name) - bytes >= digits)
            behind = fit_number(segment, name, end - bytes - digits,
                                digit_run(end - bytes - digits), end, place, out);
    return behind == end ? end : NULL;
}

/* Most names differ from most patterns before the first star or number. */
static bool begins_otherwise(const char *pattern, const char *name)
{
    while (*pattern == *name && *pattern && *pattern != '*' && *pattern != '{') {
        pattern++;
        name++;
    }
    return *pattern != *name && *pattern != '*' && *pattern != '{';
}

/*
 * After a star everything up to the next one stands at the first place where it fits: whatever a
 * later one allows, it allows too. So no place is ever given up, and the time is that of looking
 * for each segment once: about the name's length, whatever the pattern is.
 */
bool pattern_matches(const char *pattern, const char *name, struct pattern_match *out)
{
    const char *end, *place;
    struct segment segment;

    *out = (struct pattern_match){.number = 0};
    if (begins_otherwise(pattern, name))
        return false;
    end = name + strlen(name);
    segment = next_segment(&pattern);
    name = fit_here(&segment, name, end, out);
    while (name && *pattern == '*') {
        const char *const from = name;
        pattern++;
        segment = next_segment(&pattern);
        name = *pattern ? fit_first(&segment, from, end, &place, out)
                        : fit_last(&segment, from, end, &place, out);
        if (!name)
            return false;
        out->star[out->star_count].text = from;
        out->star[out->star_count++].bytes = (size_t)(place - from);
    }
    return name == end;
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
