#include "sim/member.h"

#include <stdlib.h>
#include <string.h>

void member_failed(struct member_reader *reader, const char *member, const char *expected)
{
    if (!reader->status)
        reader->status =
            reshard_error_set(reader->error, RESHARD_EFORMAT, "%s: member '%s' must be %s",
                              reader->name, member, expected);
}

void member_exhausted(struct member_reader *reader)
{
    if (!reader->status)
        reader->status =
            reshard_error_set(reader->error, RESHARD_ENOMEM, "%s: out of memory", reader->name);
}

void member_size(struct member_reader *reader, const json_t *object, size_t count, const char *what)
{
    if (reader->status)
        return;
    if (!json_is_object(object))
        member_failed(reader, what, "an object");
    else if (json_object_size(object) != count)
        reader->status = reshard_error_set(reader->error, RESHARD_EFORMAT,
                                           "%s: %s must have %zu members, not %zu", reader->name,
                                           what, count, json_object_size(object));
}

uint64_t member_value_count(struct member_reader *reader, const json_t *value, const char *name)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        member_failed(reader, name, "an integer of 0 or more");
        return 0;
    }
    return (uint64_t)json_integer_value(value);
}

uint64_t member_count(struct member_reader *reader, const json_t *object, const char *name)
{
    return member_value_count(reader, json_object_get(object, name), name);
}

double member_real(struct member_reader *reader, const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_number(value))
        member_failed(reader, name, "a number");
    return json_number_value(value);
}

bool member_flag(struct member_reader *reader, const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_boolean(value))
        member_failed(reader, name, "true or false");
    return json_is_true(value);
}

const char *member_word(struct member_reader *reader, const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    if (!text)
        member_failed(reader, name, "a string");
    return text ? text : "";
}

char *member_text(struct member_reader *reader, const json_t *object, const char *name)
{
    char *copy = strdup(member_word(reader, object, name));
    if (!copy)
        member_exhausted(reader);
    return copy;
}

char *member_text_or_null(struct member_reader *reader, const json_t *object, const char *name)
{
    return json_is_null(json_object_get(object, name)) ? NULL : member_text(reader, object, name);
}

char *member_path(struct member_reader *reader, const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    const char *hex = json_string_value(json_object_get(value, "bytes"));
    if (!hex)
        return member_text(reader, object, name);
    const size_t length = strlen(hex);
    char *path = calloc(1, length / 2 + 1);
    if (!path) {
        member_exhausted(reader);
        return NULL;
    }
    for (size_t i = 0; i < length / 2; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        path[i] = (char)strtoul(pair, NULL, 16);
    }
    if (length % 2 || strspn(hex, "0123456789abcdef") != length || strlen(path) != length / 2)
        member_failed(reader, name, "a path");
    return path;
}

const json_t *member_list(struct member_reader *reader, const json_t *object, const char *name)
{
    const json_t *list = json_object_get(object, name);
    if (!json_is_array(list))
        member_failed(reader, name, "an array");
    return list;
}

enum reshard_dtype member_dtype(struct member_reader *reader, const json_t *object,
                                const char *name)
{
    const enum reshard_dtype dtype = reshard_dtype_from_name(member_word(reader, object, name));
    if (dtype == RESHARD_DTYPE_NONE)
        member_failed(reader, name, "a dtype");
    return dtype;
}

enum reshard_dtype member_dtype_or_null(struct member_reader *reader, const json_t *object,
                                        const char *name)
{
    return json_is_null(json_object_get(object, name)) ? RESHARD_DTYPE_NONE
                                                       : member_dtype(reader, object, name);
}
