#include "verify/groups.h"

#include "verify/members.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_TEXT_MAX = 96, EXPONENT = 0x7ff, EXPONENT_AT = 52 };

static const char no_memory[] = "";

/* --- lists by name ---------------------------------------------------------------------------- */

/* What groups and keyed values begin with. */
static const char *name_of(const void *named)
{
    return *(const char *const *)named;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(name_of(*(const void *const *)a), name_of(*(const void *const *)b));
}

/* Pointers to `count` entries of `stride` bytes, sorted by name; NULL without memory. */
static const void **sort(const void *first, size_t count, size_t stride)
{
    const void **sorted = calloc(count + 1, sizeof *sorted);

    for (size_t i = 0; sorted && i < count; ++i)
        sorted[i] = (const char *)first + i * stride;
    if (sorted)
        qsort(sorted, count, sizeof *sorted, by_name);
    return sorted;
}

/* The entry of that name, or NULL. */
static const void *find(const void *const *sorted, size_t count, const char *name)
{
    const void *const wanted = &name;
    const void *const *found =
        count > 0 ? bsearch(&wanted, sorted, count, sizeof *sorted, by_name) : NULL;

    return found ? *found : NULL;
}

/* --- values ----------------------------------------------------------------------------------- */

static void close_value(struct verify_value *value)
{
    for (size_t i = 0; i < value->count; ++i)
        close_value(&value->item[i]);
    free(value->item);
}

/* {"f64": bits} of what no JSON number is. */
static const char *parse_bits(struct verify_value *out, const json_t *json)
{
    static const char *const members[] = {"f64", NULL};
    uint64_t bits;

    if (!verify_has_members(json, members) || !verify_read_hex(json, "f64", &bits))
        return "has a value that is an object, but not an \"f64\" of 16 digits";
    if ((bits >> EXPONENT_AT & EXPONENT) != EXPONENT)
        return "has the bits of a number that can be written as one";
    memcpy(&out->number, &bits, sizeof bits);
    return NULL;
}

static const char *parse_value(struct verify_value *out, const json_t *json, unsigned depth);

static const char *parse_tuple(struct verify_value *out, const json_t *json, unsigned depth)
{
    const size_t count = json_array_size(json);
    const char *fault = NULL;

    if (depth == VERIFY_VALUE_DEPTH_MAX)
        return "has tuples that are more than 8 deep";
    out->item = calloc(count + 1, sizeof *out->item);
    if (!out->item)
        return no_memory;
    for (; out->count < count && !fault; ++out->count)
        fault = parse_value(&out->item[out->count], json_array_get(json, out->count), depth + 1);
    return fault;
}

/* What is wrong with a value, or NULL. `depth` is the number of tuples around it. */
static const char *parse_value(struct verify_value *out, const json_t *json, unsigned depth)
{
    static const enum verify_value_kind kinds[] = {
        [JSON_NULL] = VERIFY_VALUE_NONE,     [JSON_TRUE] = VERIFY_VALUE_BOOLEAN,
        [JSON_FALSE] = VERIFY_VALUE_BOOLEAN, [JSON_INTEGER] = VERIFY_VALUE_INTEGER,
        [JSON_REAL] = VERIFY_VALUE_NUMBER,   [JSON_OBJECT] = VERIFY_VALUE_NUMBER,
        [JSON_STRING] = VERIFY_VALUE_STRING, [JSON_ARRAY] = VERIFY_VALUE_TUPLE,
    };

    *out = (struct verify_value){.kind = kinds[json_typeof(json)],
                                 .boolean = json_is_true(json),
                                 .integer = json_integer_value(json),
                                 .number = json_real_value(json),
                                 .string = json_string_value(json)};
    if (json_is_object(json))
        return parse_bits(out, json);
    return json_is_array(json) ? parse_tuple(out, json, depth) : NULL;
}

/* Bit for bit: equal NaNs are equal, zeros of another sign are not. */
static uint64_t bits_of(double number)
{
    uint64_t bits;

    memcpy(&bits, &number, sizeof bits);
    return bits;
}

bool verify_value_equal(const struct verify_value *a, const struct verify_value *b)
{
    if (a->kind != b->kind || a->count != b->count)
        return false;
    switch (a->kind) {
    case VERIFY_VALUE_NONE:
        return true;
    case VERIFY_VALUE_BOOLEAN:
        return a->boolean == b->boolean;
    case VERIFY_VALUE_INTEGER:
        return a->integer == b->integer;
    case VERIFY_VALUE_NUMBER:
        return bits_of(a->number) == bits_of(b->number);
    case VERIFY_VALUE_STRING:
        return strcmp(a->string, b->string) == 0;
    case VERIFY_VALUE_TUPLE:
        break;
    }
    for (size_t i = 0; i < a->count; ++i) {
        if (!verify_value_equal(&a->item[i], &b->item[i]))
            return false;
    }
    return true;
}

/* As few digits as tell it from others; what is no number has more than a name. */
static void put_number(double number, FILE *out)
{
    char text[32];
    int digits = 15;

    if (!isfinite(number)) {
        fprintf(out, "%g (0x%016" PRIx64 ")", number, bits_of(number));
        return;
    }
    do {
        snprintf(text, sizeof text, "%.*g", digits, number);
    } while (strtod(text, NULL) != number && digits++ < 17);
    fprintf(out, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

static void put_value(const struct verify_value *value, FILE *out)
{
    switch (value->kind) {
    case VERIFY_VALUE_NONE:
        fputs("none", out);
        break;
    case VERIFY_VALUE_BOOLEAN:
        fputs(value->boolean ? "true" : "false", out);
        break;
    case VERIFY_VALUE_INTEGER:
        fprintf(out, "%" PRId64, value->integer);
        break;
    case VERIFY_VALUE_NUMBER:
        put_number(value->number, out);
        break;
    case VERIFY_VALUE_STRING:
        fprintf(out, "\"%s\"", value->string);
        break;
    case VERIFY_VALUE_TUPLE:
        fputc('(', out);
        for (size_t i = 0; i < value->count; ++i) {
            fputs(i ? ", " : "", out);
            put_value(&value->item[i], out);
        }
        fputc(')', out);
        break;
    }
}

/* A value as text, cut to fit. */
static void write_value(const struct verify_value *value, char text[VALUE_TEXT_MAX])
{
    FILE *out = fmemopen(text, VALUE_TEXT_MAX, "w");

    text[0] = '\0';
    if (!out)
        return;
    put_value(value, out);
    fclose(out);
    text[VALUE_TEXT_MAX - 1] = '\0';
}

/* --- groups ----------------------------------------------------------------------------------- */

static bool is_name(const char *text)
{
    return text && text[0] && strlen(text) < VERIFY_NAME_MAX;
}

static const char *parse_values(struct verify_param_group *group, json_t *object)
{
    const char *fault = NULL;

    if (!json_is_object(object))
        return "has no object of values";
    group->value = calloc(json_object_size(object) + 1, sizeof *group->value);
    if (!group->value)
        return no_memory;
    for (void *at = json_object_iter(object); at && !fault;
         at = json_object_iter_next(object, at)) {
        struct verify_keyed *next = &group->value[group->value_count++];

        next->key = json_object_iter_key(at);
        fault = is_name(next->key) ? parse_value(&next->value, json_object_iter_value(at), 0)
                                   : "has a key that is no name of 1 to 1023 bytes";
    }
    if (fault)
        return fault;
    group->by_key = sort(group->value, group->value_count, sizeof *group->value);
    return group->by_key ? NULL : no_memory;
}

/* Members while they are taken: of each tensor whether it is one already, and how many are. */
struct taking {
    const struct verify_names *names;
    bool *taken;
    uint64_t count;
    bool ids;
};

static const char *take_member(struct taking *taking, const char *fqn)
{
    const struct verify_inventory *inventory = taking->names->inventory;
    const uint32_t number = fqn ? verify_names_find(taking->names, fqn, "") : UINT32_MAX;
    char id[24];

    if (number == UINT32_MAX || !verify_tensor_is_parameter(&inventory->tensor[number]))
        return "has a member that is no parameter";
    if (taking->taken[number])
        return "has a member that is in a group already";
    snprintf(id, sizeof id, "%" PRIu64, taking->count);
    if (taking->ids && strcmp(id, fqn) != 0)
        return "has a member whose id is not its position in all groups";
    taking->taken[number] = true;
    taking->count += 1;
    return NULL;
}

static const char *parse_members(struct verify_param_group *group, const json_t *array,
                                 struct taking *taking)
{
    const size_t count = json_array_size(array);

    if (!json_is_array(array))
        return "has no array of params";
    group->member = calloc(count + 1, sizeof *group->member);
    if (!group->member)
        return no_memory;
    for (size_t m = 0; m < count; ++m) {
        const char *fqn = json_string_value(json_array_get(array, m));
        const char *fault = take_member(taking, fqn);

        if (fault)
            return fault;
        group->member[group->member_count++] = fqn;
    }
    return NULL;
}

/* A group, or an entry where nothing is taken. */
static const char *parse_group(struct verify_param_group *group, const json_t *value,
                               struct taking *taking)
{
    static const char *const of_group[] = {"name", "params", "values", NULL};
    static const char *const of_entry[] = {"name", "values", NULL};
    const char *fault = NULL;

    if (!verify_has_members(value, taking ? of_group : of_entry))
        return "has members that it must not have, or lacks some";
    group->name = json_string_value(json_object_get(value, "name"));
    if (!is_name(group->name))
        return "has no name of 1 to 1023 bytes";
    if (taking)
        fault = parse_members(group, json_object_get(value, "params"), taking);
    return fault ? fault : parse_values(group, json_object_get(value, "values"));
}

static enum reshard_status wrong(struct reshard_error *error, const char *list, size_t number,
                                 const char *fault)
{
    if (fault == no_memory)
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory for the optimizer's groups");
    return reshard_error_set(error, RESHARD_EFORMAT, "manifest.json: optimizer: %s[%zu] %s", list,
                             number, fault);
}

static enum reshard_status parse_list(struct verify_group_list *out, const json_t *object,
                                      const char *list, struct taking *taking,
                                      struct reshard_error *error)
{
    const json_t *array = json_object_get(object, list);
    const size_t count = json_array_size(array);

    if (!json_is_array(array))
        return reshard_error_set(error, RESHARD_EFORMAT, "manifest.json: optimizer: %s is no array",
                                 list);
    out->group = calloc(count + 1, sizeof *out->group);
    if (!out->group)
        return wrong(error, list, 0, no_memory);
    for (size_t g = 0; g < count; ++g) {
        const char *fault;

        out->count = g + 1;
        fault = parse_group(&out->group[g], json_array_get(array, g), taking);
        if (fault)
            return wrong(error, list, g, fault);
    }
    out->by_name = sort(out->group, count, sizeof *out->group);
    if (!out->by_name)
        return wrong(error, list, 0, no_memory);
    for (size_t g = 1; g < count; ++g) {
        if (by_name(&out->by_name[g - 1], &out->by_name[g]) == 0)
            return reshard_error_set(error, RESHARD_EFORMAT,
                                     "manifest.json: optimizer: two of %s have the name %s", list,
                                     name_of(out->by_name[g]));
    }
    return RESHARD_OK;
}

enum reshard_status verify_param_groups_parse(struct verify_param_groups *out, json_t *value,
                                              const struct verify_names *names,
                                              struct reshard_error *error)
{
    static const char *const members[] = {"keys", "groups", "entries", NULL};
    const char *keys = json_string_value(json_object_get(value, "keys"));
    struct taking taking = {.names = names};
    enum reshard_status status;

    *out = (struct verify_param_groups){.there = value};
    if (!value)
        return RESHARD_OK;
    out->json = json_incref(value);
    if (!verify_has_members(value, members))
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "manifest.json: optimizer: its members are not keys, groups and "
                                 "entries");
    if (!keys || (strcmp(keys, "names") != 0 && strcmp(keys, "ids") != 0))
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "manifest.json: optimizer: keys is not \"names\" or \"ids\"");
    out->ids = taking.ids = strcmp(keys, "ids") == 0;
    taking.taken = calloc((size_t)names->inventory->tensor_count + 1, sizeof *taking.taken);
    if (!taking.taken)
        return wrong(error, "groups", 0, no_memory);
    status = parse_list(&out->groups, value, "groups", &taking, error);
    free(taking.taken);
    return status ? status : parse_list(&out->entries, value, "entries", NULL, error);
}

static void close_list(struct verify_group_list *list)
{
    for (size_t g = 0; g < list->count; ++g) {
        struct verify_param_group *group = &list->group[g];

        for (size_t v = 0; v < group->value_count; ++v)
            close_value(&group->value[v].value);
        free(group->value);
        free(group->by_key);
        free(group->member);
    }
    free(list->group);
    free(list->by_name);
}

void verify_param_groups_close(struct verify_param_groups *groups)
{
    close_list(&groups->groups);
    close_list(&groups->entries);
    json_decref(groups->json);
    *groups = (struct verify_param_groups){.there = false};
}

/* --- held against each other ------------------------------------------------------------------ */

/* What is compared: groups or entries of two checkpoints. */
struct comparison {
    const char *kind; /* "param group" */
    const char *other;
    struct verify_report *report;
};

static void say(const struct comparison *comparison, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(const struct comparison *comparison, const char *format, ...)
{
    struct verify_finding finding = verify_finding_file(RESHARD_EMISMATCH, "manifest.json");
    char text[VERIFY_TEXT_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    verify_finding_say(&finding, "%s", text);
    verify_report_add(comparison->report, &finding);
}

static void compare_members(const struct comparison *comparison,
                            const struct verify_param_group *mine,
                            const struct verify_param_group *theirs)
{
    const size_t count =
        mine->member_count < theirs->member_count ? mine->member_count : theirs->member_count;

    if (mine->member_count != theirs->member_count)
        say(comparison, "%s %s: has %zu member%s, not the %zu that %s has", comparison->kind,
            mine->name, mine->member_count, mine->member_count == 1 ? "" : "s",
            theirs->member_count, comparison->other);
    for (size_t m = 0; m < count; ++m) {
        if (strcmp(mine->member[m], theirs->member[m]) == 0)
            continue;
        say(comparison, "%s %s: member %zu is %s, not %s as in %s", comparison->kind, mine->name, m,
            mine->member[m], theirs->member[m], comparison->other);
        return;
    }
}

static void compare_value(const struct comparison *comparison,
                          const struct verify_param_group *mine, const struct verify_keyed *value,
                          const struct verify_keyed *other)
{
    char is[VALUE_TEXT_MAX];
    char must[VALUE_TEXT_MAX];

    if (verify_value_equal(&value->value, &other->value))
        return;
    write_value(&value->value, is);
    write_value(&other->value, must);
    say(comparison, "%s %s: %s is %s, not %s as in %s", comparison->kind, mine->name, value->key,
        is, must, comparison->other);
}

static void compare_values(const struct comparison *comparison,
                           const struct verify_param_group *mine,
                           const struct verify_param_group *theirs)
{
    bool alike = mine->value_count == theirs->value_count;

    for (size_t v = 0; v < mine->value_count; ++v) {
        const struct verify_keyed *value = &mine->value[v];
        const struct verify_keyed *other = find(theirs->by_key, theirs->value_count, value->key);

        if (other)
            compare_value(comparison, mine, value, other);
        else
            say(comparison, "%s %s: has %s, which %s has not", comparison->kind, mine->name,
                value->key, comparison->other);
        alike = alike && other;
    }
    for (size_t v = 0; v < theirs->value_count; ++v) {
        if (!find(mine->by_key, mine->value_count, theirs->value[v].key))
            say(comparison, "%s %s: has not %s, which %s has", comparison->kind, mine->name,
                theirs->value[v].key, comparison->other);
    }
    for (size_t v = 0; v < mine->value_count && alike; ++v) {
        alike = strcmp(mine->value[v].key, theirs->value[v].key) == 0;
        if (!alike)
            say(comparison, "%s %s: has its values in another order than %s", comparison->kind,
                mine->name, comparison->other);
    }
}

static void compare_lists(const struct comparison *comparison, const struct verify_group_list *mine,
                          const struct verify_group_list *theirs)
{
    bool alike = mine->count == theirs->count;

    for (size_t g = 0; g < mine->count; ++g) {
        const struct verify_param_group *group = &mine->group[g];
        const struct verify_param_group *other = find(theirs->by_name, theirs->count, group->name);

        alike = alike && other;
        if (!other) {
            say(comparison, "%s %s: is not in %s", comparison->kind, group->name,
                comparison->other);
            continue;
        }
        compare_members(comparison, group, other);
        compare_values(comparison, group, other);
    }
    for (size_t g = 0; g < theirs->count; ++g) {
        if (!find(mine->by_name, mine->count, theirs->group[g].name))
            say(comparison, "%s %s: is in %s, but not here", comparison->kind,
                theirs->group[g].name, comparison->other);
    }
    for (size_t g = 0; g < mine->count && alike; ++g) {
        alike = strcmp(mine->group[g].name, theirs->group[g].name) == 0;
        if (!alike)
            say(comparison, "%s %s: comes at another place than in %s", comparison->kind,
                mine->group[g].name, comparison->other);
    }
}

void verify_param_groups_compare(const struct verify_param_groups *mine,
                                 const struct verify_param_groups *theirs, const char *other,
                                 struct verify_report *report)
{
    struct comparison comparison = {"param group", other, report};

    if (mine->there != theirs->there)
        say(&comparison, "the optimizer's groups are %s, and %s in %s",
            mine->there ? "here" : "not here", mine->there ? "not" : "are", other);
    if (!mine->there || !theirs->there)
        return;
    if (mine->ids != theirs->ids)
        say(&comparison, "its parameters are keyed by %s, those of %s by %s",
            mine->ids ? "ids" : "names", other, theirs->ids ? "ids" : "names");
    compare_lists(&comparison, &mine->groups, &theirs->groups);
    comparison.kind = "optimizer's entry";
    compare_lists(&comparison, &mine->entries, &theirs->entries);
}
