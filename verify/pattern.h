/*
 * Patterns of rules (FORMAT.md section 4): `*` is any bytes, as few as possible; `{i}` is decimal
 * digits, as many as there are, at most 18; all else is itself. Local, without state.
 */
#ifndef VERIFY_PATTERN_H
#define VERIFY_PATTERN_H

#include <stdbool.h>
#include <stdint.h>

/* Local. How many `{i}` a pattern has; one is allowed. */
uint32_t verify_pattern_numbers(const char *pattern);

/* Local. Does it stand for more than one name: has it a `*` or `{i}`? */
bool verify_pattern_is_wild(const char *pattern);

/* Local. Is this all of the name? What stands at `{i}` goes to *number, which is 0 without one. */
bool verify_pattern_matches(const char *pattern, const char *name, uint64_t *number);

#endif
