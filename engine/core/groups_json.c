#include "core/groups_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const keys_names[] = {
    [RESHARD_KEYS_NAMES] = "names", [RESHARD_KEYS_IDS] = "ids"};

enum { HEX_DIGITS = 16 };

/* ---- encoding -------------------------------------------------------------------------------- */

/* Set a member; a value that could not be made, or set, is a failure that sticks. */
static void set(json_t *object, const char *member, json_t *value, bool *failed)
{
    if (!value || json_object_set_new(object, member, value))
        *failed = true;
}

static void append(json_t *array, json_t *value, bool *failed)
{
    if (!value || json_array_append_new(array, value))
        *failed = true;
}

/* JSON has no infinities: they are their bits. */
static json_t *number_value(double number, bool *failed)
{
    char text[HEX_DIGITS + 1];
    json_t *value;
    uint64_t bits;

    if (isfinite(number))
        return json_real(number);
    memcpy(&bits, &number, sizeof bits);
    snprintf(text, sizeof text, "%016" PRIx64, bits);
    value = json_object();
    if (value)
        set(value, "f64", json_string(text), failed);
    return value;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as tuples are */
static json_t *value_value(const struct reshard_value *value, bool *failed)
{
    json_t *array;

    switch (value->kind) {
    case RESHARD_VALUE_BOOLEAN:
        return json_boolean(value->boolean);
    case RESHARD_VALUE_INTEGER:
        return json_integer(value->integer);
    case RESHARD_VALUE_NUMBER:
        return number_value(value->number, failed);
    case RESHARD_VALUE_STRING:
        return json_string(value->string);
    case RESHARD_VALUE_TUPLE:
        array = json_array();
        for (uint32_t i = 0; array && i < value->count; i++)
            append(array, value_value(&value->item[i], failed), failed);
        return array;
    default:
        return json_null();
    }
}

static json_t *group_value(const struct reshard_groups *groups, uint32_t group, bool *failed)
{
    json_t *value = json_object(), *params = json_array(), *values = json_object();

    for (uint32_t m = 0; params && m < reshard_groups_member_count(groups, group); m++)
        append(params, json_string(reshard_groups_member(groups, group, m)), failed);
    for (uint32_t v = 0; values && v < reshard_groups_value_count(groups, group); v++)
        set(values, reshard_groups_key(groups, group, v),
            value_value(reshard_groups_value(groups, group, v), failed), failed);
    set(value, "name", json_string(reshard_groups_name(groups, group)), failed);
    set(value, "params", params, failed);
    set(value, "values", values, failed);
    return value;
}

static json_t *entry_value(const struct reshard_groups *groups, uint32_t entry, bool *failed)
{
    json_t *value = json_object(), *values = json_object();

    for (uint32_t v = 0; values && v < reshard_groups_entry_value_count(groups, entry); v++)
        set(values, reshard_groups_entry_key(groups, entry, v),
            value_value(reshard_groups_entry_value(groups, entry, v), failed), failed);
    set(value, "name", json_string(reshard_groups_entry(groups, entry)), failed);
    set(value, "values", values, failed);
    return value;
}

json_t *groups_json_encode(const struct reshard_groups *groups)
{
    json_t *value = json_object(), *array = json_array(), *entries = json_array();
    bool failed = false;

    for (uint32_t g = 0; array && g < reshard_groups_count(groups); g++)
        append(array, group_value(groups, g, &failed), &failed);
    for (uint32_t e = 0; entries && e < reshard_groups_entry_count(groups); e++)
        append(entries, entry_value(groups, e, &failed), &failed);
    set(value, "keys", json_string(keys_names[reshard_groups_keys(groups)]), &failed);
    set(value, "groups", array, &failed);
    set(value, "entries", entries, &failed);
    if (!failed)
        return value;
    json_decref(value);
    return NULL;
}

/* ---- decoding -------------------------------------------------------------------------------- */

/* Where we are, and what is wrong there. */
struct reading {
    struct reshard_groups *groups;
    char where[64]; /* "optimizer.groups[1]" */
    struct groups_json_fault *fault;
};

/* Refuse a member of what we are at, or, with "", that itself. */
__attribute__((format(printf, 3, 4))) static enum reshard_status
refuse(const struct reading *reading, const char *member, const char *format, ...)
{
    struct groups_json_fault *fault = reading->fault;
    va_list arguments;

    snprintf(fault->where, sizeof fault->where, "%s%s%.70s", reading->where, *member ? "." : "",
             member);
    va_start(arguments, format);
    vsnprintf(fault->reason, sizeof fault->reason, format, arguments);
    va_end(arguments);
    return RESHARD_EFORMAT;
}

/* What groups refuse as an argument is here a text that breaks the format. */
static enum reshard_status from_groups(const struct reading *reading, const char *member,
                                       enum reshard_status status,
                                       const struct reshard_error *error)
{
    return status == RESHARD_EINVAL ? refuse(reading, member, "%.390s", error->text) : status;
}

/* A string, and not one that a zero byte would cut short. */
static const char *text_of(const json_t *value)
{
    const char *text = json_string_value(value);

    return text && strlen(text) == json_string_length(value) ? text : NULL;
}

/* An object that has the members of `known`, which NULL ends, and no others. */
static enum reshard_status check_members(const struct reading *reading, const json_t *object,
                                         const char *const *known)
{
    size_t count = 0;

    if (!json_is_object(object))
        return refuse(reading, "", "an object is needed");
    for (; known[count]; count++)
        if (!json_object_get(object, known[count]))
            return refuse(reading, known[count], "is not there");
    /* jansson's iterators want a mutable object and do not change it. */
    json_t *const iterated = (json_t *)(uintptr_t)object;
    for (void *i = json_object_iter(iterated); i; i = json_object_iter_next(iterated, i)) {
        const char *const key = json_object_iter_key(i);
        size_t k = 0;
        while (known[k] && strcmp(known[k], key) != 0)
            k++;
        if (!known[k])
            return refuse(reading, key, "no such member in this version");
    }
    return RESHARD_OK;
}

/* {"f64": bits} of what is no finite number. */
static enum reshard_status get_bits(const struct reading *reading, const char *key,
                                    const json_t *value, struct reshard_value *out)
{
    const char *text = text_of(json_object_get(value, "f64"));
    uint64_t bits;

    if (json_object_size(value) != 1 || !text || strlen(text) != HEX_DIGITS ||
        strspn(text, "0123456789abcdef") != HEX_DIGITS)
        return refuse(reading, key,
                      "no value but {\"f64\": \"16 lower-case hexadecimal digits\"} is an object");
    bits = strtoull(text, NULL, 16);
    memcpy(&out->number, &bits, sizeof bits);
    out->kind = RESHARD_VALUE_NUMBER;
    if (isfinite(out->number))
        return refuse(reading, key, "f64 %s is finite, so it is written as a number", text);
    return RESHARD_OK;
}

static enum reshard_status get_value(const struct reading *reading, const char *key,
                                     const json_t *value, int level, struct reshard_value *out);

/* The items that were read, also after a failure, are the caller's to free. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as tuples may be */
static enum reshard_status get_tuple(const struct reading *reading, const char *key,
                                     const json_t *array, int level, struct reshard_value *out)
{
    const size_t count = json_array_size(array);
    enum reshard_status status = RESHARD_OK;
    struct reshard_value *item;

    if (level == RESHARD_VALUE_DEPTH_MAX)
        return refuse(reading, key, "arrays within each other, more than %d of them",
                      RESHARD_VALUE_DEPTH_MAX);
    if (count > UINT32_MAX)
        return refuse(reading, key, "%zu values in an array", count);
    out->kind = RESHARD_VALUE_TUPLE;
    if (count == 0)
        return RESHARD_OK;
    out->item = item = calloc(count, sizeof *item);
    if (!item)
        return RESHARD_ENOMEM;
    for (size_t i = 0; !status && i < count; i++) {
        out->count++;
        status = get_value(reading, key, json_array_get(array, i), level + 1, &item[i]);
    }
    return status;
}

/* A value within `level` arrays; *out is all zeros before. Its text is the JSON's. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as tuples may be */
static enum reshard_status get_value(const struct reading *reading, const char *key,
                                     const json_t *value, int level, struct reshard_value *out)
{
    switch (json_typeof(value)) {
    case JSON_NULL:
        return RESHARD_OK;
    case JSON_TRUE:
    case JSON_FALSE:
        *out =
            (struct reshard_value){.kind = RESHARD_VALUE_BOOLEAN, .boolean = json_is_true(value)};
        return RESHARD_OK;
    case JSON_INTEGER:
        *out = (struct reshard_value){.kind = RESHARD_VALUE_INTEGER,
                                      .integer = json_integer_value(value)};
        return RESHARD_OK;
    case JSON_REAL:
        *out =
            (struct reshard_value){.kind = RESHARD_VALUE_NUMBER, .number = json_real_value(value)};
        return RESHARD_OK;
    case JSON_STRING:
        *out = (struct reshard_value){.kind = RESHARD_VALUE_STRING, .string = text_of(value)};
        return out->string ? RESHARD_OK : refuse(reading, key, "has a zero byte in its text");
    case JSON_ARRAY:
        return get_tuple(reading, key, value, level, out);
    case JSON_OBJECT:
        return get_bits(reading, key, value, out);
    }
    return refuse(reading, key, "no value");
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as tuples may be */
static void release_items(const struct reshard_value *value)
{
    if (value->kind != RESHARD_VALUE_TUPLE)
        return;
    for (uint32_t i = 0; i < value->count; i++)
        release_items(&value->item[i]);
    free((struct reshard_value *)value->item);
}

/* The values of the group that was added last, or of an entry. No text that jansson reads has zero
 * bytes in a key. */
static enum reshard_status get_values(const struct reading *reading, const json_t *values,
                                      const char *entry)
{
    json_t *const iterated = (json_t *)(uintptr_t)values;
    enum reshard_status status = RESHARD_OK;

    if (!json_is_object(values))
        return refuse(reading, "values", "an object is needed");
    for (void *i = json_object_iter(iterated); !status && i;
         i = json_object_iter_next(iterated, i)) {
        const char *const key = json_object_iter_key(i);
        char member[80];
        struct reshard_error error = RESHARD_ERROR_INIT;
        struct reshard_value value = {.kind = RESHARD_VALUE_NONE};
        snprintf(member, sizeof member, "values.%.60s", key);
        status = get_value(reading, member, json_object_iter_value(i), 0, &value);
        if (!status)
            status = entry ? reshard_groups_set_entry(reading->groups, entry, key, &value, &error)
                           : reshard_groups_set(reading->groups,
                                                reshard_groups_count(reading->groups) - 1, key,
                                                &value, &error);
        release_items(&value);
        status = from_groups(reading, member, status, &error);
    }
    return status;
}

static enum reshard_status get_params(const struct reading *reading, const json_t *params)
{
    const uint32_t group = reshard_groups_count(reading->groups) - 1;
    enum reshard_status status = RESHARD_OK;
    char member[48];

    if (!json_is_array(params))
        return refuse(reading, "params", "an array is needed");
    for (size_t i = 0; !status && i < json_array_size(params); i++) {
        const char *const fqn = text_of(json_array_get(params, i));
        struct reshard_error error = RESHARD_ERROR_INIT;
        snprintf(member, sizeof member, "params[%zu]", i);
        if (!fqn)
            return refuse(reading, member, "a string without zero bytes is needed");
        status = reshard_groups_add_member(reading->groups, group, fqn, &error);
        status = from_groups(reading, member, status, &error);
    }
    return status;
}

/* A group, or an entry, which has no params. */
static enum reshard_status get_group(struct reading *reading, const json_t *object, bool is_entry)
{
    static const char *const of_group[] = {"name", "params", "values", NULL};
    static const char *const of_entry[] = {"name", "values", NULL};
    const char *const name = text_of(json_object_get(object, "name"));
    struct reshard_error error = RESHARD_ERROR_INIT;
    enum reshard_status status = check_members(reading, object, is_entry ? of_entry : of_group);

    if (status)
        return status;
    if (!name)
        return refuse(reading, "name", "a string without zero bytes is needed");
    status = is_entry ? reshard_groups_add_entry(reading->groups, name, &error)
                      : reshard_groups_add(reading->groups, name, &error);
    status = from_groups(reading, "name", status, &error);
    if (!status && !is_entry)
        status = get_params(reading, json_object_get(object, "params"));
    if (status)
        return status;
    return get_values(reading, json_object_get(object, "values"), is_entry ? name : NULL);
}

static enum reshard_status get_groups(struct reading *reading, const json_t *optimizer,
                                      const char *member, bool are_entries)
{
    const json_t *const array = json_object_get(optimizer, member);
    enum reshard_status status = RESHARD_OK;

    if (!json_is_array(array))
        return refuse(reading, member, "an array is needed");
    for (size_t i = 0; !status && i < json_array_size(array); i++) {
        snprintf(reading->where, sizeof reading->where, "optimizer.%s[%zu]", member, i);
        status = get_group(reading, json_array_get(array, i), are_entries);
    }
    if (!status)
        *reading = (struct reading){reading->groups, "optimizer", reading->fault};
    return status;
}

static enum reshard_status get_keys(const struct reading *reading, const json_t *optimizer)
{
    const char *const text = text_of(json_object_get(optimizer, "keys"));

    for (int keys = RESHARD_KEYS_NAMES; text && keys <= RESHARD_KEYS_IDS; keys++) {
        if (strcmp(text, keys_names[keys]) == 0) {
            reshard_groups_set_keys(reading->groups, (enum reshard_keys)keys);
            return RESHARD_OK;
        }
    }
    return refuse(reading, "keys", "\"names\" or \"ids\" is needed");
}

enum reshard_status groups_json_decode(const json_t *optimizer, struct reshard_groups **out,
                                       struct groups_json_fault *fault)
{
    static const char *const known[] = {"keys", "groups", "entries", NULL};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reading reading = {NULL, "optimizer", fault};
    enum reshard_status status = reshard_groups_open(out);

    *fault = (struct groups_json_fault){"optimizer", "out of memory"};
    if (status)
        return status;
    reading.groups = *out;
    status = check_members(&reading, optimizer, known);
    if (!status)
        status = get_keys(&reading, optimizer);
    if (!status)
        status = get_groups(&reading, optimizer, "groups", false);
    if (!status)
        status = get_groups(&reading, optimizer, "entries", true);
    if (!status)
        status = from_groups(&reading, "groups", reshard_groups_check_ids(*out, &error), &error);
    if (status) {
        reshard_groups_close(*out);
        *out = NULL;
    }
    return status;
}
