/*
 * Groups as JSON. Goal: everything that groups can say comes back bit for bit, in the one way in
 * which FORMAT.md has it; everything else is refused with the member that is wrong, and nothing
 * that is given can do harm. Method: texts that must survive, random groups, a table of single
 * faults, and texts with any bytes changed.
 */
#include "core/groups_json.h"
#include "support/random_groups.h"

#include <check.h>
#include <math.h>
#include <string.h>

static char *encode(const struct reshard_groups *groups)
{
    json_t *value = groups_json_encode(groups);
    char *text;

    ck_assert_ptr_nonnull(value);
    text = json_dumps(value, GROUPS_JSON_FLAGS);
    json_decref(value);
    ck_assert_ptr_nonnull(text);
    return text;
}

static enum reshard_status decode(const char *text, struct reshard_groups **out,
                                  struct groups_json_fault *fault)
{
    json_error_t where;
    json_t *value = json_loads(text, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &where);
    enum reshard_status status;

    ck_assert_msg(value != NULL, "%s: %s", text, where.text);
    status = groups_json_decode(value, out, fault);
    json_decref(value);
    ck_assert(!status == !!*out);
    return status;
}

/* ---- what comes back ------------------------------------------------------------------------- */

static const char *const texts[] = {
    "{\"keys\": \"names\", \"groups\": [], \"entries\": []}",
    "{\"keys\": \"ids\", \"groups\": [], \"entries\": [{\"name\": \"e\", \"values\": {}}]}",
    "{\"keys\": \"ids\", \"groups\": [{\"name\": \"b\", \"params\": [\"0\", \"1\"], \"values\": "
    "{}}, {\"name\": \"empty\", \"params\": [], \"values\": {}}, {\"name\": \"a\", \"params\": "
    "[\"2\"], \"values\": {}}], \"entries\": []}",
    "{\"keys\": \"names\", \"groups\": [{\"name\": \"0\", \"params\": [\"z\", \"a.\xc3\xa9\", "
    "\"\\\"\\\\\\n\"], \"values\": {\"z\": null, \"a\": true, \"foreach\": false, \"max\": "
    "9223372036854775807, \"min\": -9223372036854775808, \"odd\": 9007199254740993, \"s\": "
    "\"\", \"t\": \"a/\xc3\xa9\", \"none\": [], \"deep\": "
    "[[[[[[[[1]]]]]]]], \"betas\": [0.90000000000000002, [null], \"x\"]}}], \"entries\": "
    "[{\"name\": \"scaler\", \"values\": {\"scale\": 65536.0}}]}",
    /* Whole numbers stay doubles, and no bit is lost, least of all a sign. */
    "{\"keys\": \"names\", \"groups\": [{\"name\": \"0\", \"params\": [], \"values\": {\"a\": 0.0, "
    "\"b\": -0.0, \"c\": 1.0, \"d\": 1e22, \"e\": 4.9406564584124654e-324, \"f\": "
    "-1.7976931348623157e308, \"g\": 100000.0, \"h\": {\"f64\": \"7ff0000000000000\"}, \"i\": "
    "{\"f64\": \"fff0000000000000\"}, \"j\": {\"f64\": \"7ff8000000000000\"}, \"k\": {\"f64\": "
    "\"fff0000000000001\"}, \"l\": [{\"f64\": \"7fffffffffffffff\"}]}}], \"entries\": []}",
};

START_TEST(a_text_comes_back_as_it_was)
{
    struct reshard_groups *groups;
    struct groups_json_fault fault;
    char *again;

    ck_assert_msg(decode(texts[_i], &groups, &fault) == RESHARD_OK, "%s: %s", fault.where,
                  fault.reason);
    again = encode(groups);
    ck_assert_str_eq(again, texts[_i]);
    free(again);
    reshard_groups_close(groups);
}
END_TEST

START_TEST(random_groups_come_back_bit_for_bit)
{
    static const char *const names[] = {"w", "0", "a.b", "\xc3\xa9", "%2E"};
    struct test_random random = test_random_start("groups", (uint64_t)_i);
    struct reshard_groups *groups = random_groups(&random, names, 5), *again;
    struct groups_json_fault fault;
    char *text = encode(groups), *second;

    ck_assert_msg(decode(text, &again, &fault) == RESHARD_OK, "%s: %s", fault.where, fault.reason);
    ck_assert_uint_eq(reshard_groups_hash(again), reshard_groups_hash(groups));
    second = encode(again);
    ck_assert_str_eq(second, text);
    free(second);
    free(text);
    reshard_groups_close(again);
    reshard_groups_close(groups);
}
END_TEST

START_TEST(any_bits_of_a_double_come_back)
{
    struct test_random random = test_random_start("bits", (uint64_t)_i);
    struct reshard_groups *groups, *again;
    struct groups_json_fault fault;
    char key[32];

    ck_assert_int_eq(reshard_groups_open(&groups), RESHARD_OK);
    for (int i = 0; i < 2000; i++) {
        struct reshard_value value = {.kind = RESHARD_VALUE_NUMBER};
        const uint64_t bits = test_random_next(&random);
        if (i % 3) /* few digits, and short ones, too */
            value.number = (double)(int64_t)bits * pow(10, (double)(i % 40) - 30);
        else
            memcpy(&value.number, &bits, sizeof bits);
        (void)snprintf(key, sizeof key, "%d", i);
        ck_assert_int_eq(reshard_groups_set_entry(groups, "e", key, &value, NULL), RESHARD_OK);
    }
    char *text = encode(groups);
    ck_assert_int_eq(decode(text, &again, &fault), RESHARD_OK);
    ck_assert_uint_eq(reshard_groups_hash(again), reshard_groups_hash(groups));
    free(text);
    reshard_groups_close(again);
    reshard_groups_close(groups);
}
END_TEST

/* ---- what is refused ------------------------------------------------------------------------- */

#define GROUPS(text) "{\"keys\": \"names\", \"groups\": [" text "], \"entries\": []}"
#define IDS(text) "{\"keys\": \"ids\", \"groups\": [" text "], \"entries\": []}"
#define ENTRIES(text) "{\"keys\": \"names\", \"groups\": [], \"entries\": [" text "]}"
#define VALUES(text) GROUPS("{\"name\": \"0\", \"params\": [], \"values\": {" text "}}")
#define PARAMS(text) "{\"name\": \"g\", \"params\": [" text "], \"values\": {}}"

static const struct {
    const char *text, *where, *reason;
} bad[] = {
    {"[]", "optimizer", "an object is needed"},
    {"{}", "optimizer.keys", "is not there"},
    {"{\"keys\": \"names\", \"entries\": []}", "optimizer.groups", "is not there"},
    {"{\"keys\": \"names\", \"groups\": []}", "optimizer.entries", "is not there"},
    {"{\"keys\": \"names\", \"groups\": [], \"entries\": [], \"x\": 1}", "optimizer.x",
     "no such member"},
    {"{\"keys\": \"fqns\", \"groups\": [], \"entries\": []}", "optimizer.keys", "\"ids\""},
    {"{\"keys\": 0, \"groups\": [], \"entries\": []}", "optimizer.keys", "\"ids\""},
    {"{\"keys\": \"names\\u0000\", \"groups\": [], \"entries\": []}", "optimizer.keys", "\"ids\""},
    {"{\"keys\": \"names\", \"groups\": {}, \"entries\": []}", "optimizer.groups", "an array"},
    {"{\"keys\": \"names\", \"groups\": [], \"entries\": null}", "optimizer.entries", "an array"},
    {GROUPS("1"), "optimizer.groups[0]", "an object is needed"},
    {GROUPS("{\"params\": [], \"values\": {}}"), "optimizer.groups[0].name", "is not there"},
    {GROUPS("{\"name\": \"a\", \"values\": {}}"), "optimizer.groups[0].params", "is not there"},
    {GROUPS("{\"name\": \"a\", \"params\": []}"), "optimizer.groups[0].values", "is not there"},
    {GROUPS("{\"name\": \"a\", \"params\": [], \"values\": {}, \"lr\": 1}"),
     "optimizer.groups[0].lr", "no such member"},
    {GROUPS("{\"name\": 0, \"params\": [], \"values\": {}}"), "optimizer.groups[0].name",
     "a string"},
    {GROUPS("{\"name\": \"\", \"params\": [], \"values\": {}}"), "optimizer.groups[0].name",
     "is empty"},
    {GROUPS("{\"name\": \"a\\u0000b\", \"params\": [], \"values\": {}}"),
     "optimizer.groups[0].name", "zero bytes"},
    {GROUPS(PARAMS("") ", " PARAMS("")), "optimizer.groups[1].name", "'g' is given twice"},
    {GROUPS("{\"name\": \"a\", \"params\": {}, \"values\": {}}"), "optimizer.groups[0].params",
     "an array is needed"},
    {GROUPS(PARAMS("1")), "optimizer.groups[0].params[0]", "a string"},
    {GROUPS(PARAMS("\"a\", \"\"")), "optimizer.groups[0].params[1]", "is empty"},
    {GROUPS(PARAMS("\"a\", \"b\", \"a\"")), "optimizer.groups[0].params[2]",
     "'a' is in group 'g' already"},
    {GROUPS(PARAMS("\"a\\u0000\"")), "optimizer.groups[0].params[0]", "zero bytes"},
    {GROUPS("{\"name\": \"a\", \"params\": [], \"values\": []}"), "optimizer.groups[0].values",
     "an object is needed"},
    {VALUES("\"\": 1"), "optimizer.groups[0].values.", "is empty"},
    {VALUES("\"lr\": \"a\\u0000b\""), "optimizer.groups[0].values.lr", "zero byte"},
    {VALUES("\"lr\": [1, \"a\\u0000b\"]"), "optimizer.groups[0].values.lr", "zero byte"},
    {VALUES("\"lr\": {}"), "optimizer.groups[0].values.lr", "f64"},
    {VALUES("\"lr\": {\"f64\": 1}"), "optimizer.groups[0].values.lr", "f64"},
    {VALUES("\"lr\": {\"f64\": \"7FF0000000000000\"}"), "optimizer.groups[0].values.lr", "f64"},
    {VALUES("\"lr\": {\"f64\": \"7ff000000000000\"}"), "optimizer.groups[0].values.lr", "f64"},
    {VALUES("\"lr\": {\"f64\": \"7ff000000000000g\"}"), "optimizer.groups[0].values.lr", "f64"},
    {VALUES("\"lr\": {\"f64\": \"-ff0000000000000\"}"), "optimizer.groups[0].values.lr", "f64"},
    {VALUES("\"lr\": {\"f64\": \"7ff0000000000000\", \"x\": 1}"), "optimizer.groups[0].values.lr",
     "f64"},
    {VALUES("\"lr\": {\"f32\": \"7ff0000000000000\"}"), "optimizer.groups[0].values.lr", "f64"},
    {VALUES("\"lr\": {\"f64\": \"3ff0000000000000\"}"), "optimizer.groups[0].values.lr",
     "is finite"},
    {VALUES("\"a\": [[[[[[[[[1]]]]]]]]]"), "optimizer.groups[0].values.a",
     "arrays within each other, more than 8"},
    {ENTRIES("1"), "optimizer.entries[0]", "an object is needed"},
    {ENTRIES("{\"name\": \"e\"}"), "optimizer.entries[0].values", "is not there"},
    {ENTRIES("{\"name\": \"e\", \"params\": [], \"values\": {}}"), "optimizer.entries[0].params",
     "no such member"},
    {ENTRIES("{\"name\": \"e\", \"values\": {}}, {\"name\": \"e\", \"values\": {}}"),
     "optimizer.entries[1].name", "'e' is given twice"},
    {ENTRIES("{\"name\": \"e\", \"values\": {\"k\": {}}}"), "optimizer.entries[0].values.k", "f64"},
    {IDS(PARAMS("\"0\", \"2\"")), "optimizer.groups",
     "Invalid parameter keys: '2' of group 'g' is in the place of id 1"},
    {IDS(PARAMS("\"00\"")), "optimizer.groups", "Invalid parameter keys: '00'"},
    {IDS(PARAMS("\"w\"")), "optimizer.groups", "Invalid parameter keys: 'w'"},
    {IDS("{\"name\": \"a\", \"params\": [\"1\"], \"values\": {}}, " PARAMS("\"0\"")),
     "optimizer.groups", "Invalid parameter keys: '1' of group 'a'"},
};

START_TEST(whatever_the_format_does_not_say_is_refused_by_its_member)
{
    struct reshard_groups *groups;
    struct groups_json_fault fault;

    ck_assert_int_eq(decode(bad[_i].text, &groups, &fault), RESHARD_EFORMAT);
    ck_assert_str_eq(fault.where, bad[_i].where);
    ck_assert_msg(strstr(fault.reason, bad[_i].reason) != NULL, "%s: %s", bad[_i].text,
                  fault.reason);
}
END_TEST

START_TEST(names_that_are_too_long_are_refused_and_cut_in_the_message)
{
    char text[8192], name[1025];
    struct reshard_groups *groups;
    struct groups_json_fault fault;

    memset(name, 'n', sizeof name - 1);
    name[1024] = '\0';
    (void)snprintf(text, sizeof text, VALUES("\"%s\": 1"), name);
    ck_assert_int_eq(decode(text, &groups, &fault), RESHARD_EFORMAT);
    ck_assert_msg(strstr(fault.reason, "has 1024 bytes") != NULL, "%s", fault.reason);
    (void)snprintf(text, sizeof text, VALUES("\"%s\": 1"), name + 1);
    ck_assert_int_eq(decode(text, &groups, &fault), RESHARD_OK);
    reshard_groups_close(groups);
}
END_TEST

/* As deep as the parser goes, and as wide as there is room. */
START_TEST(depth_and_width_cost_no_more_than_they_are)
{
    enum { DEEP = 2000 };
    struct reshard_groups *groups;
    struct groups_json_fault fault;
    json_t *value = json_array(), *root;

    for (int i = 0; i < DEEP; i++) {
        json_t *outer = json_array();
        json_array_append_new(outer, value);
        value = outer;
    }
    root = json_pack("{s:s, s:[], s:[{s:s, s:{s:o}}]}", "keys", "names", "groups", "entries",
                     "name", "e", "values", "k", value);
    ck_assert_ptr_nonnull(root);
    ck_assert_int_eq(groups_json_decode(root, &groups, &fault), RESHARD_EFORMAT);
    ck_assert_str_eq(fault.where, "optimizer.entries[0].values.k");
    json_decref(root);
    value = json_array();
    for (int i = 0; i < 100000; i++)
        json_array_append_new(value, json_integer(i));
    root = json_pack("{s:s, s:[], s:[{s:s, s:{s:o}}]}", "keys", "names", "groups", "entries",
                     "name", "e", "values", "k", value);
    ck_assert_int_eq(groups_json_decode(root, &groups, &fault), RESHARD_OK);
    ck_assert_uint_eq(reshard_groups_entry_value(groups, 0, 0)->count, 100000);
    json_decref(root);
    reshard_groups_close(groups);
}
END_TEST

/* Whatever is taken is groups: it comes back. */
START_TEST(any_change_of_a_text_is_refused_or_read)
{
    struct test_random random = test_random_start("changes", (uint64_t)_i);
    const char *text = texts[3 + _i % 2];
    char changed[1024];
    int read = 0;

    for (int i = 0; i < 3000; i++) {
        json_t *value;
        struct reshard_groups *groups = NULL;
        struct groups_json_fault fault;
        (void)snprintf(changed, sizeof changed, "%s", text);
        for (uint64_t k = test_random_below(&random, 3) + 1; k > 0; k--)
            changed[test_random_below(&random, strlen(text))] =
                text[test_random_below(&random, strlen(text))];
        value = json_loads(changed, JSON_REJECT_DUPLICATES, NULL);
        if (!value)
            continue;
        if (groups_json_decode(value, &groups, &fault) == RESHARD_OK) {
            char *again = encode(groups);
            read++;
            free(again);
        } else {
            ck_assert(fault.reason[0] && strncmp(fault.where, "optimizer", 9) == 0);
            ck_assert_ptr_null(groups);
        }
        reshard_groups_close(groups);
        json_decref(value);
    }
    ck_assert_int_gt(read, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("groups_json");
    TCase *cases = tcase_create("groups_json");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_loop_test(cases, a_text_comes_back_as_it_was, 0, (int)(sizeof texts / sizeof *texts));
    tcase_add_loop_test(cases, random_groups_come_back_bit_for_bit, 0, 200);
    tcase_add_loop_test(cases, any_bits_of_a_double_come_back, 0, 4);
    tcase_add_loop_test(cases, whatever_the_format_does_not_say_is_refused_by_its_member, 0,
                        (int)(sizeof bad / sizeof *bad));
    tcase_add_test(cases, names_that_are_too_long_are_refused_and_cut_in_the_message);
    tcase_add_test(cases, depth_and_width_cost_no_more_than_they_are);
    tcase_add_loop_test(cases, any_change_of_a_text_is_refused_or_read, 0, 4);
    suite_add_tcase(suite, cases);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
