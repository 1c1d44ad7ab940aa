#include "support/random_groups.h"

#include <check.h>
#include <string.h>

static const char *const parts[] = {
    "0",      "1",   "7", "12", ".",  ".",  ".",  "%", "%2E",      "%25", "layers", "w",
    "weight", "{i}", "*", ":",  "\"", "\\", "\n", " ", "\xc3\xa9", "/",   "state",  "\x01"};

void random_name(struct test_random *random, char *out)
{
    const uint64_t count = 1 + test_random_below(random, 6);

    if (test_random_below(random, 4) == 0) {
        (void)snprintf(out, RANDOM_NAME_MAX, "%" PRIu64, test_random_below(random, 12));
        return;
    }
    for (uint64_t i = 0, used = 0; i < count; i++)
        used += (uint64_t)snprintf(out + used, RANDOM_NAME_MAX - used, "%s",
                                   parts[test_random_below(random, sizeof parts / sizeof *parts)]);
}

static double random_number(struct test_random *random)
{
    static const double numbers[] = {0.0, -0.0, 1.0, 0.1, 1e-3, 1e22, 123456789.0, 5e-324, -1e308};
    const uint64_t bits = test_random_next(random);
    double number;

    if (bits % 2)
        return numbers[test_random_below(random, sizeof numbers / sizeof *numbers)];
    /* Any bits at all, one in four of them infinite or no number. */
    const uint64_t any = bits % 8 ? bits : bits | UINT64_C(0x7FF) << 52;
    memcpy(&number, &any, sizeof number);
    return number;
}

static int64_t random_integer(struct test_random *random)
{
    static const int64_t integers[] = {0, 1, -1, INT64_MAX, INT64_MIN, INT64_C(9007199254740993)};

    if (test_random_below(random, 2))
        return (int64_t)test_random_next(random);
    return integers[test_random_below(random, sizeof integers / sizeof *integers)];
}

struct reshard_value random_value(struct test_random *random, int level)
{
    struct reshard_value value = {.kind = RESHARD_VALUE_NONE};
    struct reshard_value *item;
    char *text;

    value.kind = (enum reshard_value_kind)test_random_below(
        random, level < RESHARD_VALUE_DEPTH_MAX ? RESHARD_VALUE_TUPLE + 1 : RESHARD_VALUE_TUPLE);
    switch (value.kind) {
    case RESHARD_VALUE_BOOLEAN:
        value.boolean = test_random_below(random, 2);
        break;
    case RESHARD_VALUE_INTEGER:
        value.integer = random_integer(random);
        break;
    case RESHARD_VALUE_NUMBER:
        value.number = random_number(random);
        break;
    case RESHARD_VALUE_STRING:
        text = calloc(1, RANDOM_NAME_MAX);
        ck_assert_ptr_nonnull(text);
        if (test_random_below(random, 5))
            random_name(random, text);
        value.string = text;
        break;
    case RESHARD_VALUE_TUPLE:
        value.count = (uint32_t)test_random_below(random, 4);
        value.item = item = calloc(4, sizeof *item);
        ck_assert_ptr_nonnull(item);
        for (uint32_t i = 0; i < value.count; i++)
            item[i] = random_value(random, level + 1);
        break;
    default:
        break;
    }
    return value;
}

void random_value_free(struct reshard_value *value)
{
    if (value->kind == RESHARD_VALUE_STRING)
        free((char *)value->string);
    if (value->kind != RESHARD_VALUE_TUPLE)
        return;
    for (uint32_t i = 0; i < value->count; i++)
        random_value_free((struct reshard_value *)&value->item[i]);
    free((struct reshard_value *)value->item);
}

static void add_values(struct test_random *random, struct reshard_groups *groups, uint32_t group,
                       const char *entry)
{
    const uint64_t count = test_random_below(random, 6);
    char key[RANDOM_NAME_MAX];

    for (uint64_t i = 0; i < count; i++) {
        struct reshard_value value = random_value(random, 0);
        random_name(random, key);
        ck_assert_int_eq(entry ? reshard_groups_set_entry(groups, entry, key, &value, NULL)
                               : reshard_groups_set(groups, group, key, &value, NULL),
                         RESHARD_OK);
        random_value_free(&value);
    }
}

struct reshard_groups *random_groups(struct test_random *random, const char *const *name,
                                     uint32_t count)
{
    const uint64_t wanted = test_random_below(random, 6);
    struct reshard_groups *groups;
    char text[RANDOM_NAME_MAX];

    ck_assert_int_eq(reshard_groups_open(&groups), RESHARD_OK);
    for (uint64_t i = 0; i < wanted; i++) {
        random_name(random, text); /* which may be there already */
        if (reshard_groups_add(groups, text, NULL) == RESHARD_OK)
            add_values(random, groups, reshard_groups_count(groups) - 1, NULL);
        random_name(random, text);
        if (test_random_below(random, 2) && !reshard_groups_add_entry(groups, text, NULL))
            add_values(random, groups, 0, text);
    }
    for (uint32_t i = 0; i < count && reshard_groups_count(groups) > 0; i++) {
        const uint32_t group = (uint32_t)test_random_below(random, reshard_groups_count(groups));
        if (test_random_below(random, 5))
            ck_assert_int_eq(reshard_groups_add_member(groups, group, name[i], NULL), RESHARD_OK);
    }
    return groups;
}
