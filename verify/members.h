/*
 * Members of JSON objects, read strictly: what is not known is refused. Part of the decoder. Local,
 * without state.
 */
#ifndef VERIFY_MEMBERS_H
#define VERIFY_MEMBERS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Local. Has an object these members and no others? The list ends with NULL; `?` before a name
 * marks one that may be absent. False for what is no object. */
bool verify_has_members(const json_t *object, const char *const *names);

/* Local. An integer of 0 or more: as a value, as a member; false when it is none. */
bool verify_read_integer(const json_t *value, uint64_t *out);
bool verify_read_count(const json_t *object, const char *key, uint64_t *out);

/* Local. Sixteen lower-case hexadecimal digits, no more and no less: in text of at least as many
 * bytes, as a member; false when they are none. */
enum { VERIFY_DIGITS = 16 };
bool verify_read_digits(const char *text, uint64_t *out);
bool verify_read_hex(const json_t *object, const char *key, uint64_t *out);

#endif
