/*
 * Members of JSON objects, read strictly: each by its name and of its type. A reader remembers its
 * first failure; after it every read gives nothing, so that a whole object can be read and the
 * status be asked once.
 *
 * All functions are local.
 */
#ifndef RESHARD_SIM_MEMBER_H
#define RESHARD_SIM_MEMBER_H

#include "core/dtype.h"
#include "core/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct member_reader {
    const char *name; /* of the file, for messages */
    enum reshard_status status;
    struct reshard_error *error; /* may be NULL */
};

/* Fail with EFORMAT, "member 'MEMBER' must be EXPECTED"; with ENOMEM. */
void member_failed(struct member_reader *reader, const char *member, const char *expected);
void member_exhausted(struct member_reader *reader);

/* The object has exactly so many members; with each of them read by name, there is none other. */
void member_size(struct member_reader *reader, const json_t *object, size_t count,
                 const char *what);

uint64_t member_count(struct member_reader *reader, const json_t *object, const char *name);
double member_real(struct member_reader *reader, const json_t *object, const char *name);
bool member_flag(struct member_reader *reader, const json_t *object, const char *name);

/* Of an array of that name, one that is a count. */
uint64_t member_value_count(struct member_reader *reader, const json_t *value, const char *name);

/* Borrowed from the object; "" after a failure, so that callers need not look. */
const char *member_word(struct member_reader *reader, const json_t *object, const char *name);

/* In new memory; NULL after a failure. */
char *member_text(struct member_reader *reader, const json_t *object, const char *name);
char *member_text_or_null(struct member_reader *reader, const json_t *object, const char *name);

/* A path: a string, or an object whose member "bytes" has its bytes as hexadecimal digits. */
char *member_path(struct member_reader *reader, const json_t *object, const char *name);

/* An array, NULL or something else after a failure, of which no element may be asked then. */
const json_t *member_list(struct member_reader *reader, const json_t *object, const char *name);

enum reshard_dtype member_dtype(struct member_reader *reader, const json_t *object,
                                const char *name);
enum reshard_dtype member_dtype_or_null(struct member_reader *reader, const json_t *object,
                                        const char *name);

#endif
