/*
 * JSON as text, whole or not at all. jansson's json_dumps() may return a text that was cut where
 * memory ran out, and json_dumpf() says nothing of bytes that did not reach the file: here a
 * failure stays a failure.
 */
#ifndef RESHARD_SIM_JSON_TEXT_H
#define RESHARD_SIM_JSON_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* Local. Add to an object or an array, taking `value` over. What cannot be added, NULL included,
 * frees all of it and leaves NULL, to which nothing can be added any more: a failure reaches the
 * root. */
void json_text_set(json_t **object, const char *key, json_t *value);
void json_text_append(json_t **array, json_t *value);

/* Local. In new memory; NULL when there is none. `value` may be NULL, which is what could not be
 * made. `flags` are json_dumps()'s. */
char *json_text_print(const json_t *value, size_t flags);

/* Local. The text and a newline to a file; false when a part of it could not be made or written. */
bool json_text_write(const json_t *value, FILE *out, size_t flags);

#endif
