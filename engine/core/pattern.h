/*
 * Patterns of names, as layouts, name maps and policies use them to speak of many tensors at once:
 * `*` stands for any bytes, also none, as few as possible; `{i}` for one or more decimal digits,
 * as many as there are, at most 18; all else for itself. A pattern is held against a whole name.
 */
#ifndef RESHARD_PATTERN_H
#define RESHARD_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PATTERN_STARS_MAX = 8, PATTERN_BYTES_MAX = 1023 };

/* What the parts of a pattern stood for. Texts are borrowed from the name. */
struct pattern_match {
    uint64_t number;         /* what {i} stood for */
    const char *number_text; /* its digits, leading zeros too; NULL without {i} */
    size_t number_bytes;
    uint32_t star_count;
    struct {
        const char *text;
        size_t bytes;
    } star[PATTERN_STARS_MAX];
};

/* Local. Whether a text is UTF-8, as all names and patterns are: manifests are JSON. */
bool text_is_utf8(const char *text);

/* Local. Whether a pattern can be used: it is UTF-8 and not empty, has at most one `{i}` and at
 * most PATTERN_STARS_MAX stars. */
bool pattern_is_valid(const char *pattern);

/* Local. Whether a valid pattern stands for more than one name. */
bool pattern_is_wild(const char *pattern);

/* Local. Hold a valid pattern against a name; *out is unspecified when it does not match. */
bool pattern_matches(const char *pattern, const char *name, struct pattern_match *out);

/* Local. Whether a name matches one of several valid patterns. */
bool pattern_matches_any(const char *const *pattern, uint32_t count, const char *name);

/*
 * Local. Write `replacement` into `out` of `size` bytes: its k-th star is what the k-th star of the
 * pattern stood for, its {i} the number's digits. False when it does not fit or asks for more than
 * the pattern has.
 */
bool pattern_replace(const char *replacement, const struct pattern_match *match, char *out,
                     size_t size);

#endif
