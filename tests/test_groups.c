/*
 * Groups. Goal: what is put in comes back, bit for bit and in its order; what cannot be told apart
 * or written is refused with the reason, and nothing has changed; the hash changes with everything
 * that groups say; and many members are found as fast as few. Method: each rule has a case that
 * breaks it alone and a neighbour that keeps it; ids are counted one by one.
 */
#include "core/groups.h"
#include "core/model.h"
#include "support/random_groups.h"

#include <check.h>
#include <math.h>
#include <string.h>

static struct reshard_groups *groups;

static void open_groups(void)
{
    ck_assert_int_eq(reshard_groups_open(&groups), RESHARD_OK);
}

static void close_groups(void)
{
    reshard_groups_close(groups);
}

static struct reshard_value number(double value)
{
    return (struct reshard_value){.kind = RESHARD_VALUE_NUMBER, .number = value};
}

static struct reshard_value integer(int64_t value)
{
    return (struct reshard_value){.kind = RESHARD_VALUE_INTEGER, .integer = value};
}

static struct reshard_value text(const char *value)
{
    return (struct reshard_value){.kind = RESHARD_VALUE_STRING, .string = value};
}

static struct reshard_value tuple(const struct reshard_value *item, uint32_t count)
{
    return (struct reshard_value){.kind = RESHARD_VALUE_TUPLE, .item = item, .count = count};
}

static void add(const char *name)
{
    ck_assert_int_eq(reshard_groups_add(groups, name, NULL), RESHARD_OK);
}

static void add_member(uint32_t group, const char *fqn)
{
    ck_assert_int_eq(reshard_groups_add_member(groups, group, fqn, NULL), RESHARD_OK);
}

static void set(uint32_t group, const char *key, struct reshard_value value)
{
    ck_assert_int_eq(reshard_groups_set(groups, group, key, &value, NULL), RESHARD_OK);
}

static void set_entry(const char *entry, const char *key, struct reshard_value value)
{
    ck_assert_int_eq(reshard_groups_set_entry(groups, entry, key, &value, NULL), RESHARD_OK);
}

/* ---- what there is --------------------------------------------------------------------------- */

START_TEST(new_groups_are_empty_and_keyed_by_names)
{
    const char *member;
    uint64_t id;
    uint32_t group;

    ck_assert_uint_eq(reshard_groups_count(groups), 0);
    ck_assert_uint_eq(reshard_groups_entry_count(groups), 0);
    ck_assert_int_eq(reshard_groups_keys(groups), RESHARD_KEYS_NAMES);
    ck_assert_int_eq(reshard_groups_find(groups, "w", &group), RESHARD_ENOENT);
    ck_assert_int_eq(reshard_groups_of(groups, "w", &group), RESHARD_ENOENT);
    ck_assert_int_eq(reshard_groups_id(groups, "w", &id), RESHARD_ENOENT);
    ck_assert_int_eq(reshard_groups_of_id(groups, 0, &member), RESHARD_ENOENT);
    reshard_groups_set_keys(groups, RESHARD_KEYS_IDS);
    ck_assert_int_eq(reshard_groups_keys(groups), RESHARD_KEYS_IDS);
    reshard_groups_close(NULL);
}
END_TEST

START_TEST(groups_members_and_values_keep_their_order)
{
    uint32_t group = 7;

    add("no decay");
    add("0");
    add_member(1, "b");
    add_member(0, "z");
    add_member(1, "a");
    set(1, "lr", number(0.5));
    set(1, "betas", number(1));
    set(0, "lr", number(0.25));
    ck_assert_uint_eq(reshard_groups_count(groups), 2);
    ck_assert_str_eq(reshard_groups_name(groups, 0), "no decay");
    ck_assert_uint_eq(reshard_groups_member_count(groups, 0), 1);
    ck_assert_uint_eq(reshard_groups_member_count(groups, 1), 2);
    ck_assert_str_eq(reshard_groups_member(groups, 1, 0), "b");
    ck_assert_str_eq(reshard_groups_member(groups, 1, 1), "a");
    ck_assert_uint_eq(reshard_groups_value_count(groups, 1), 2);
    ck_assert_str_eq(reshard_groups_key(groups, 1, 0), "lr");
    ck_assert_str_eq(reshard_groups_key(groups, 1, 1), "betas");
    ck_assert_int_eq(reshard_groups_find(groups, "0", &group), RESHARD_OK);
    ck_assert_uint_eq(group, 1);
    ck_assert_int_eq(reshard_groups_of(groups, "z", &group), RESHARD_OK);
    ck_assert_uint_eq(group, 0);
    ck_assert(reshard_groups_get(groups, 0, "lr")->number == 0.25);
    ck_assert(reshard_groups_get(groups, 1, "lr")->number == 0.5);
    ck_assert_ptr_null(reshard_groups_get(groups, 0, "betas"));
    ck_assert_int_eq(reshard_groups_of(groups, "lr", &group), RESHARD_ENOENT);
}
END_TEST

START_TEST(a_value_takes_the_place_of_the_one_of_its_key)
{
    add("0");
    set(0, "lr", text("warm"));
    set(0, "eps", number(1));
    set(0, "lr", integer(3));
    ck_assert_uint_eq(reshard_groups_value_count(groups, 0), 2);
    ck_assert_int_eq(reshard_groups_value(groups, 0, 0)->integer, 3);
    /* Also where the value is, or is within, the one that it replaces. */
    const struct reshard_value item[] = {text("a"), text("b")};
    set(0, "lr", tuple(item, 2));
    set(0, "lr", reshard_groups_get(groups, 0, "lr")->item[1]);
    ck_assert_str_eq(reshard_groups_get(groups, 0, "lr")->string, "b");
}
END_TEST

START_TEST(names_and_values_are_copied)
{
    char name[] = "fc.weight", string[] = "cosine";
    struct reshard_value item[] = {text(string)};

    add("0");
    add_member(0, name);
    set(0, name, tuple(item, 1));
    set_entry(name, name, text(string));
    memset(name, 'x', sizeof name - 1);
    memset(string, 'x', sizeof string - 1);
    item[0] = integer(1);
    ck_assert_str_eq(reshard_groups_member(groups, 0, 0), "fc.weight");
    ck_assert_str_eq(reshard_groups_get(groups, 0, "fc.weight")->item[0].string, "cosine");
    ck_assert_str_eq(reshard_groups_entry(groups, 0), "fc.weight");
    ck_assert_str_eq(reshard_groups_entry_key(groups, 0, 0), "fc.weight");
    ck_assert_str_eq(reshard_groups_entry_value(groups, 0, 0)->string, "cosine");
}
END_TEST

START_TEST(entries_are_no_groups_and_may_be_empty)
{
    uint32_t group;

    add("scheduler");
    set_entry("scheduler", "last_epoch", integer(7));
    ck_assert_int_eq(reshard_groups_add_entry(groups, "scaler", NULL), RESHARD_OK);
    set_entry("scheduler", "base", number(0.5));
    set_entry("scheduler", "last_epoch", integer(8));
    ck_assert_int_eq(reshard_groups_find(groups, "scaler", &group), RESHARD_ENOENT);
    ck_assert_ptr_null(reshard_groups_get(groups, 0, "last_epoch"));
    ck_assert_uint_eq(reshard_groups_count(groups), 1);
    ck_assert_uint_eq(reshard_groups_entry_count(groups), 2);
    ck_assert_uint_eq(reshard_groups_entry_value_count(groups, 0), 2);
    ck_assert_uint_eq(reshard_groups_entry_value_count(groups, 1), 0);
    ck_assert_str_eq(reshard_groups_entry_key(groups, 0, 1), "base");
    ck_assert_int_eq(reshard_groups_entry_value(groups, 0, 0)->integer, 8);
    ck_assert_int_eq(reshard_groups_entry_find(groups, "scaler", &group), RESHARD_OK);
    ck_assert_uint_eq(group, 1);
    ck_assert(reshard_groups_entry_get(groups, 0, "base")->number == 0.5);
    ck_assert_ptr_null(reshard_groups_entry_get(groups, 1, "base"));
}
END_TEST

/* ---- what is refused ------------------------------------------------------------------------- */

/* Everything that takes a name, in turn. */
static enum reshard_status give(int what, const char *name, struct reshard_error *error)
{
    const struct reshard_value none = {.kind = RESHARD_VALUE_NONE};

    switch (what) {
    case 0:
        return reshard_groups_add(groups, name, error);
    case 1:
        return reshard_groups_add_member(groups, 0, name, error);
    case 2:
        return reshard_groups_set(groups, 0, name, &none, error);
    case 3:
        return reshard_groups_set_entry(groups, name, "key", &none, error);
    case 4:
        return reshard_groups_set_entry(groups, "entry", name, &none, error);
    default:
        return reshard_groups_add_entry(groups, name, error);
    }
}

START_TEST(a_name_is_utf8_of_1_to_1023_bytes)
{
    static const struct {
        const char *name, *reason;
    } bad[] = {{"", "is empty"}, {"a\xff", "is not UTF-8"}, {"\xed\xa0\x80", "is not UTF-8"}};
    char longest[RESHARD_NAME_MAX], longer[RESHARD_NAME_MAX + 1];

    memset(longest, 'n', sizeof longest);
    longest[RESHARD_NAME_MAX - 1] = '\0';
    memset(longer, 'n', sizeof longer);
    longer[RESHARD_NAME_MAX] = '\0';
    add("0");
    const uint64_t before = reshard_groups_hash(groups);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct reshard_error error = RESHARD_ERROR_INIT;
        ck_assert_int_eq(give(_i, bad[i].name, &error), RESHARD_EINVAL);
        ck_assert_msg(strstr(error.text, bad[i].reason) != NULL, "%s", error.text);
    }
    struct reshard_error error = RESHARD_ERROR_INIT;
    ck_assert_int_eq(give(_i, longer, &error), RESHARD_EINVAL);
    ck_assert_msg(strstr(error.text, "has 1024 bytes") != NULL, "%s", error.text);
    ck_assert_uint_eq(reshard_groups_hash(groups), before);
    ck_assert_int_eq(give(_i, longest, NULL), RESHARD_OK);
    ck_assert_uint_ne(reshard_groups_hash(groups), before);
}
END_TEST

START_TEST(a_name_is_given_once_and_a_parameter_is_in_one_group)
{
    struct reshard_error error = RESHARD_ERROR_INIT;

    add("decay");
    add("rest");
    add_member(0, "w");
    ck_assert_int_eq(reshard_groups_add_entry(groups, "e", NULL), RESHARD_OK);
    const uint64_t before = reshard_groups_hash(groups);
    ck_assert_int_eq(reshard_groups_add(groups, "rest", &error), RESHARD_EINVAL);
    ck_assert_str_eq(error.text, "the group 'rest' is given twice");
    reshard_error_clear(&error);
    ck_assert_int_eq(reshard_groups_add_member(groups, 1, "w", &error), RESHARD_EINVAL);
    ck_assert_str_eq(error.text, "'w' is in group 'decay' already");
    ck_assert_int_eq(reshard_groups_add_member(groups, 0, "w", NULL), RESHARD_EINVAL);
    reshard_error_clear(&error);
    ck_assert_int_eq(reshard_groups_add_entry(groups, "e", &error), RESHARD_EINVAL);
    ck_assert_str_eq(error.text, "the entry 'e' is given twice");
    ck_assert_uint_eq(reshard_groups_hash(groups), before);
}
END_TEST

START_TEST(tuples_are_8_deep_at_most)
{
    struct reshard_value value[RESHARD_VALUE_DEPTH_MAX + 2] = {integer(1)};
    struct reshard_error error = RESHARD_ERROR_INIT;

    add("0");
    for (int i = 1; i <= RESHARD_VALUE_DEPTH_MAX + 1; i++)
        value[i] = tuple(&value[i - 1], 1);
    set(0, "deep", value[RESHARD_VALUE_DEPTH_MAX]);
    ck_assert(reshard_value_equal(reshard_groups_get(groups, 0, "deep"),
                                  &value[RESHARD_VALUE_DEPTH_MAX]));
    ck_assert_int_eq(
        reshard_groups_set(groups, 0, "deeper", &value[RESHARD_VALUE_DEPTH_MAX + 1], &error),
        RESHARD_EINVAL);
    ck_assert_str_eq(error.text, "'deeper': it has more than 8 tuples within each other");
    ck_assert_ptr_null(reshard_groups_get(groups, 0, "deeper"));
}
END_TEST

START_TEST(a_value_that_is_none_is_refused_and_adds_no_entry)
{
    const struct reshard_value bad[] = {
        text("\xc3"), text(NULL), tuple(NULL, 1), {.kind = (enum reshard_value_kind)6}};
    const struct reshard_value within = tuple(&bad[_i], 1);

    ck_assert_int_eq(reshard_groups_set_entry(groups, "e", "k", &bad[_i], NULL), RESHARD_EINVAL);
    ck_assert_int_eq(reshard_groups_set_entry(groups, "e", "k", &within, NULL), RESHARD_EINVAL);
    ck_assert_uint_eq(reshard_groups_entry_count(groups), 0);
}
END_TEST

/* ---- values ---------------------------------------------------------------------------------- */

START_TEST(numbers_are_equal_bit_for_bit)
{
    const struct reshard_value zero = number(0.0), minus = number(-0.0), none = number(NAN);
    const struct reshard_value one = number(1.0), whole = integer(1);

    ck_assert(reshard_value_equal(&none, &none));
    ck_assert(!reshard_value_equal(&zero, &minus));
    ck_assert(!reshard_value_equal(&one, &whole));
}
END_TEST

START_TEST(values_are_printed_as_python_has_them)
{
    static const struct reshard_value items[] = {
        {.kind = RESHARD_VALUE_NUMBER, .number = 0.9},
        {.kind = RESHARD_VALUE_NUMBER, .number = 0.999},
        {.kind = RESHARD_VALUE_STRING, .string = "b\xc3\xa9ta"}};
    const struct {
        struct reshard_value value;
        const char *text;
    } cases[] = {
        {number(0.001), "0.001"},
        {number(1.0), "1.0"},
        {number(1e22), "1e+22"},
        {number(0.1 + 0.2), "0.30000000000000004"},
        {number(-0.0), "-0.0"},
        {number(INFINITY), "inf"},
        {number((double)NAN), "nan"},
        {integer(INT64_MIN), "-9223372036854775808"},
        {{.kind = RESHARD_VALUE_NONE}, "None"},
        {{.kind = RESHARD_VALUE_BOOLEAN, .boolean = true}, "True"},
        {{.kind = RESHARD_VALUE_BOOLEAN}, "False"},
        {tuple(items, 2), "(0.9, 0.999)"},
        {tuple(items, 1), "(0.9,)"},
        {tuple(NULL, 0), "()"},
        {tuple(items, 3), "(0.9, 0.999, 'b\xc3\xa9ta')"},
    };
    char out[64];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_str_eq(reshard_value_print(&cases[i].value, out, sizeof out), cases[i].text);
    for (size_t size = 1; size <= sizeof "(0.9, 0.999, 'b\xc3\xa9ta')"; size++) {
        const struct reshard_value value = tuple(items, 3);
        memset(out, '#', sizeof out);
        const size_t length = strlen(reshard_value_print(&value, out, size));
        /* In front of the second byte of the letter there is one byte that is not used. */
        ck_assert_uint_eq(length, size == 17 ? 15 : size - 1);
        ck_assert_mem_eq(out, "(0.9, 0.999, 'b\xc3\xa9ta')", length);
        ck_assert_int_eq(out[size], '#');
    }
}
END_TEST

/* ---- ids ------------------------------------------------------------------------------------- */

/* The id of every member, and the member of every id, by counting. */
static void check_ids(void)
{
    const char *member = NULL;
    uint64_t id = 0, said;

    for (uint32_t g = 0; g < reshard_groups_count(groups); g++) {
        for (uint32_t m = 0; m < reshard_groups_member_count(groups, g); m++, id++) {
            ck_assert_int_eq(reshard_groups_id(groups, reshard_groups_member(groups, g, m), &said),
                             RESHARD_OK);
            ck_assert_uint_eq(said, id);
            ck_assert_int_eq(reshard_groups_of_id(groups, id, &member), RESHARD_OK);
            ck_assert_ptr_eq(member, reshard_groups_member(groups, g, m));
        }
    }
    ck_assert_int_eq(reshard_groups_of_id(groups, id, &member), RESHARD_ENOENT);
    ck_assert_int_eq(reshard_groups_of_id(groups, UINT64_MAX, &member), RESHARD_ENOENT);
}

START_TEST(an_id_is_the_position_in_all_groups_whatever_the_order_of_adding)
{
    struct test_random random = test_random_start("ids", (uint64_t)_i);
    char name[32];

    for (int i = 0; i < 60; i++) {
        (void)snprintf(name, sizeof name, "%d", i);
        if (reshard_groups_count(groups) == 0 || test_random_below(&random, 4) == 0)
            add(name);
        else
            add_member((uint32_t)test_random_below(&random, reshard_groups_count(groups)), name);
        check_ids();
    }
}
END_TEST

START_TEST(many_groups_and_members_are_found_at_once)
{
    enum { MANY = 50000 }; /* squared, more than any test has time for */
    const char *member;
    char name[32];
    uint64_t id;

    for (int i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof name, "group %d", i);
        add(name);
    }
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof name, "%d.weight", i);
        add_member((uint32_t)i, name);
        set((uint32_t)i, "lr", number(i));
        set(0, name, integer(i));
        set_entry(name, "k", integer(i));
    }
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof name, "%d.weight", i);
        ck_assert_int_eq(reshard_groups_id(groups, name, &id), RESHARD_OK);
        ck_assert_int_eq(reshard_groups_of_id(groups, id, &member), RESHARD_OK);
        ck_assert_str_eq(member, name);
        ck_assert_int_eq(reshard_groups_get(groups, 0, name)->integer, i);
    }
}
END_TEST

/* ---- copy and hash --------------------------------------------------------------------------- */

START_TEST(a_copy_is_equal_and_lives_by_itself)
{
    static const char *const names[] = {"a", "b.c", "0", "1", "d"};
    struct test_random random = test_random_start("copies", (uint64_t)_i);
    struct reshard_groups *original = random_groups(&random, names, 5), *copy;

    reshard_groups_set_keys(original, (enum reshard_keys)(_i % 2));
    const uint64_t hash = reshard_groups_hash(original);
    ck_assert_int_eq(reshard_groups_copy(&copy, original), RESHARD_OK);
    reshard_groups_close(original);
    ck_assert_uint_eq(reshard_groups_hash(copy), hash);
    reshard_groups_close(copy);
}
END_TEST

/* Groups, with one thing changed. */
static uint64_t hash_with(int change)
{
    const struct reshard_value item[] = {integer(1), number(1)};
    const bool swap = change == 1;

    open_groups();
    reshard_groups_set_keys(groups, change == 2 ? RESHARD_KEYS_IDS : RESHARD_KEYS_NAMES);
    add(swap ? "b" : "a");
    add(swap ? "a" : change == 3 ? "c" : "b");
    add_member(change == 4, "x");
    add_member(0, "y");
    add_member(0, change == 5 ? "zz" : "z");
    set(0, "lr", number(change == 6 ? -0.0 : 0.0));
    set(0, change == 7 ? "ep" : "eps", change == 8 ? integer(0) : number(0));
    set(0, "betas", tuple(item, change == 9 ? 1 : 2));
    set(0, "name", change == 10 ? text("SGD") : text("sgd"));
    set(0, "flag", (struct reshard_value){.kind = RESHARD_VALUE_BOOLEAN, .boolean = change == 11});
    set(0, "none", (struct reshard_value){.kind = RESHARD_VALUE_NONE});
    if (change == 12)
        add("d");
    if (change == 13)
        ck_assert_int_eq(reshard_groups_add_entry(groups, "d", NULL), RESHARD_OK);
    set_entry(change == 14 ? "f" : "e", "k", integer(change == 15));
    if (change == 16)
        set_entry("e", "l", integer(0));
    if (change == 17)
        set(1, "k", integer(0));
    const uint64_t hash = reshard_groups_hash(groups);
    close_groups();
    groups = NULL;
    return hash;
}

START_TEST(the_hash_changes_with_every_change)
{
    enum { CHANGES = 18 };
    uint64_t hash[CHANGES];

    close_groups();
    for (int i = 0; i < CHANGES; i++) {
        hash[i] = hash_with(i);
        ck_assert_uint_eq(hash_with(i), hash[i]);
        for (int j = 0; j < i; j++)
            ck_assert_msg(hash[j] != hash[i], "changes %d and %d", j, i);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("groups");
    TCase *cases = tcase_create("groups");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(cases, open_groups, close_groups);
    tcase_add_test(cases, new_groups_are_empty_and_keyed_by_names);
    tcase_add_test(cases, groups_members_and_values_keep_their_order);
    tcase_add_test(cases, a_value_takes_the_place_of_the_one_of_its_key);
    tcase_add_test(cases, names_and_values_are_copied);
    tcase_add_test(cases, entries_are_no_groups_and_may_be_empty);
    tcase_add_loop_test(cases, a_name_is_utf8_of_1_to_1023_bytes, 0, 6);
    tcase_add_test(cases, a_name_is_given_once_and_a_parameter_is_in_one_group);
    tcase_add_test(cases, tuples_are_8_deep_at_most);
    tcase_add_loop_test(cases, a_value_that_is_none_is_refused_and_adds_no_entry, 0, 4);
    tcase_add_test(cases, numbers_are_equal_bit_for_bit);
    tcase_add_test(cases, values_are_printed_as_python_has_them);
    tcase_add_loop_test(cases, an_id_is_the_position_in_all_groups_whatever_the_order_of_adding, 0,
                        20);
    tcase_add_test(cases, many_groups_and_members_are_found_at_once);
    tcase_add_loop_test(cases, a_copy_is_equal_and_lives_by_itself, 0, 50);
    tcase_add_test(cases, the_hash_changes_with_every_change);
    suite_add_tcase(suite, cases);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
