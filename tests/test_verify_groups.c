/*
 * The optimizer's groups as the verifier reads them from a manifest: values bit for bit; what must
 * be refused, one broken "must" at a time; and two of them that differ, where each difference is
 * named.
 */
#include "verify/groups.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 4096, MANY = 20000 };

/* Two parameters that have names, and two that have ids; a buffer and a slot are no members. */
static struct verify_tensor tensors[] = {
    {.fqn = "w", .slot = "", .dtype = RESHARD_DTYPE_F32, .parameter = 0, .like = true},
    {.fqn = "b",
     .slot = "",
     .dtype = RESHARD_DTYPE_F32,
     .parameter = 1,
     .like = true,
     .role = VERIFY_FROZEN},
    {.fqn = "0", .slot = "", .dtype = RESHARD_DTYPE_F32, .parameter = 2, .like = true},
    {.fqn = "1", .slot = "", .dtype = RESHARD_DTYPE_F32, .parameter = 3, .like = true},
    {.fqn = "seen",
     .slot = "",
     .dtype = RESHARD_DTYPE_F32,
     .parameter = 4,
     .like = true,
     .role = VERIFY_BUFFER},
    {.fqn = "w", .slot = "step", .dtype = RESHARD_DTYPE_F32, .parameter = 0},
};
static const struct verify_inventory inventory = {6, tensors, 1};
static struct verify_names names;

static void set_up(void)
{
    ck_assert_int_eq(verify_names_open(&names, &inventory, NULL), RESHARD_OK);
}

static void tear_down(void)
{
    verify_names_close(&names);
}

static enum reshard_status parse(struct verify_param_groups *out, const char *text,
                                 struct reshard_error *error)
{
    json_error_t fault;
    json_t *value = json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &fault);
    enum reshard_status status;

    ck_assert_msg(value != NULL, "%s", fault.text);
    status = verify_param_groups_parse(out, value, &names, error);
    json_decref(value);
    return status;
}

static struct verify_param_groups parsed(const char *text)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct verify_param_groups groups;

    ck_assert_msg(parse(&groups, text, &error) == RESHARD_OK, "%s", error.text);
    return groups;
}

/* --- values ----------------------------------------------------------------------------------- */

/* One group, whose one value is this text. */
static struct verify_param_groups with_value(const char *value)
{
    char text[1024];

    snprintf(
        text, sizeof text,
        "{\"keys\":\"names\",\"groups\":[{\"name\":\"g\",\"params\":[],\"values\":{\"k\":%s}}],"
        "\"entries\":[]}",
        value);
    return parsed(text);
}

START_TEST(numbers_are_read_bit_for_bit)
{
    static const struct {
        const char *text;
        uint64_t bits;
    } cases[] = {
        {"0.001", 0x3f50624dd2f1a9fc},
        {"1.0000000000000000e-03", 0x3f50624dd2f1a9fc},
        {"0.10000000000000001", 0x3fb999999999999a},
        {"1e0", 0x3ff0000000000000},
        {"0.0", 0},
        {"-0.0", 0x8000000000000000},
        {"4.9406564584124654e-324", 1},
        {"1.7976931348623157e308", 0x7fefffffffffffff},
        {"{\"f64\":\"7ff0000000000000\"}", 0x7ff0000000000000},
        {"{\"f64\":\"fff0000000000000\"}", 0xfff0000000000000},
        {"{\"f64\":\"7ff8000000000001\"}", 0x7ff8000000000001},
        {"{\"f64\":\"fff4000000000000\"}", 0xfff4000000000000},
    };
    struct verify_param_groups groups = with_value(cases[_i].text);
    const struct verify_value *value = &groups.groups.group[0].value[0].value;
    uint64_t bits;

    ck_assert_int_eq(value->kind, VERIFY_VALUE_NUMBER);
    memcpy(&bits, &value->number, sizeof bits);
    ck_assert_uint_eq(bits, cases[_i].bits);
    verify_param_groups_close(&groups);
}
END_TEST

START_TEST(values_of_every_kind_are_read)
{
    struct verify_param_groups groups = with_value(
        "[null,true,false,-9223372036854775808,9223372036854775807,\"a\\u00e4\",\"\",[],[[1]]]");
    const struct verify_value *value = &groups.groups.group[0].value[0].value;

    ck_assert_int_eq(value->kind, VERIFY_VALUE_TUPLE);
    ck_assert_uint_eq(value->count, 9);
    ck_assert_int_eq(value->item[0].kind, VERIFY_VALUE_NONE);
    ck_assert(value->item[1].kind == VERIFY_VALUE_BOOLEAN && value->item[1].boolean);
    ck_assert(value->item[2].kind == VERIFY_VALUE_BOOLEAN && !value->item[2].boolean);
    ck_assert_int_eq(value->item[3].kind, VERIFY_VALUE_INTEGER);
    ck_assert_int_eq(value->item[3].integer, INT64_MIN);
    ck_assert_int_eq(value->item[4].integer, INT64_MAX);
    ck_assert_str_eq(value->item[5].string, "a\xc3\xa4");
    ck_assert_str_eq(value->item[6].string, "");
    ck_assert_uint_eq(value->item[7].count, 0);
    ck_assert_int_eq(value->item[8].item[0].item[0].integer, 1);
    verify_param_groups_close(&groups);
}
END_TEST

START_TEST(groups_entries_and_members_keep_their_order)
{
    struct verify_param_groups groups =
        parsed("{\"entries\":[{\"values\":{\"z\":1,\"a\":2},\"name\":\"e\"}],\"groups\":["
               "{\"name\":\"z\",\"params\":[\"w\"],\"values\":{}},"
               "{\"name\":\"a\",\"params\":[\"1\",\"b\"],\"values\":{}}],\"keys\":\"names\"}");

    ck_assert(groups.there && !groups.ids);
    ck_assert_uint_eq(groups.groups.count, 2);
    ck_assert_str_eq(groups.groups.group[0].name, "z");
    ck_assert_str_eq(groups.groups.group[1].member[0], "1");
    ck_assert_str_eq(groups.groups.group[1].member[1], "b");
    ck_assert_uint_eq(groups.entries.count, 1);
    ck_assert_str_eq(groups.entries.group[0].value[0].key, "z");
    ck_assert_str_eq(groups.entries.group[0].value[1].key, "a");
    verify_param_groups_close(&groups);
    groups = parsed("{\"keys\":\"ids\",\"groups\":[{\"name\":\"x\",\"params\":[\"0\"],\"values\":"
                    "{}},{\"name\":\"y\",\"params\":[\"1\"],\"values\":{}}],\"entries\":[]}");
    ck_assert(groups.ids);
    verify_param_groups_close(&groups);
    ck_assert_int_eq(verify_param_groups_parse(&groups, NULL, &names, NULL), RESHARD_OK);
    ck_assert(!groups.there);
    verify_param_groups_close(&groups);
}
END_TEST

/* --- refusals --------------------------------------------------------------------------------- */

#define GROUPS(text) "{\"keys\":\"names\",\"groups\":" text ",\"entries\":[]}"
#define IDS(text) "{\"keys\":\"ids\",\"groups\":" text ",\"entries\":[]}"
#define ENTRIES(text) "{\"keys\":\"names\",\"groups\":[],\"entries\":" text "}"
#define VALUE(text) ENTRIES("[{\"name\":\"e\",\"values\":{\"k\":" text "}}]")
#define PARAMS(text) GROUPS("[{\"name\":\"g\",\"params\":" text ",\"values\":{}}]")

START_TEST(groups_that_break_a_must_are_refused)
{
    static const struct {
        const char *text;
        const char *words;
    } cases[] = {
        {"[]", "its members are not keys, groups and entries"},
        {"null", "its members are not keys, groups and entries"},
        {"{\"keys\":\"names\",\"groups\":[]}", "its members are not keys, groups and entries"},
        {"{\"keys\":\"names\",\"groups\":[],\"entries\":[],\"more\":1}", "its members are not"},
        {"{\"keys\":\"fqns\",\"groups\":[],\"entries\":[]}", "keys is not"},
        {"{\"keys\":1,\"groups\":[],\"entries\":[]}", "keys is not"},
        {GROUPS("{}"), "groups is no array"},
        {ENTRIES("null"), "entries is no array"},
        {GROUPS("[1]"), "groups[0] has members that it must not have, or lacks some"},
        {GROUPS("[{\"name\":\"g\",\"values\":{}}]"), "groups[0] has members"},
        {GROUPS("[{\"name\":\"g\",\"params\":[],\"values\":{},\"lr\":1}]"),
         "groups[0] has members"},
        {GROUPS("[{\"name\":\"\",\"params\":[],\"values\":{}}]"), "groups[0] has no name"},
        {GROUPS("[{\"name\":7,\"params\":[],\"values\":{}}]"), "groups[0] has no name"},
        {GROUPS("[{\"name\":\"g\",\"params\":[],\"values\":{}},"
                "{\"name\":\"g\",\"params\":[],\"values\":{}}]"),
         "two of groups have the name g"},
        {GROUPS("[{\"name\":\"g\",\"params\":[],\"values\":[]}]"), "groups[0] has no object"},
        {GROUPS("[{\"name\":\"g\",\"params\":[],\"values\":{\"\":1}}]"), "groups[0] has a key"},
        {PARAMS("{}"), "groups[0] has no array of params"},
        {PARAMS("[\"w\",\"x\"]"), "groups[0] has a member that is no parameter"},
        {PARAMS("[7]"), "groups[0] has a member that is no parameter"},
        {PARAMS("[\"seen\"]"), "groups[0] has a member that is no parameter"},
        {PARAMS("[\"w\",\"w\"]"), "groups[0] has a member that is in a group already"},
        {GROUPS("[{\"name\":\"g\",\"params\":[\"w\"],\"values\":{}},"
                "{\"name\":\"h\",\"params\":[\"b\",\"w\"],\"values\":{}}]"),
         "groups[1] has a member that is in a group already"},
        {IDS("[{\"name\":\"g\",\"params\":[\"1\"],\"values\":{}}]"), "id is not its position"},
        {IDS("[{\"name\":\"g\",\"params\":[\"0\"],\"values\":{}},"
             "{\"name\":\"h\",\"params\":[\"w\"],\"values\":{}}]"),
         "groups[1] has a member whose id is not its position"},
        {ENTRIES("[{\"name\":\"e\",\"params\":[],\"values\":{}}]"), "entries[0] has members"},
        {ENTRIES("[{\"name\":\"e\",\"values\":{}},{\"name\":\"f\",\"values\":{}},"
                 "{\"name\":\"e\",\"values\":{}}]"),
         "two of entries have the name e"},
        {VALUE("{}"), "entries[0] has a value that is an object"},
        {VALUE("{\"f64\":\"7ff0000000000000\",\"x\":1}"), "has a value that is an object"},
        {VALUE("{\"f64\":1}"), "has a value that is an object"},
        {VALUE("{\"f64\":\"7FF0000000000000\"}"), "has a value that is an object"},
        {VALUE("{\"f64\":\"7ff00000000000000\"}"), "has a value that is an object"},
        {VALUE("{\"f64\":\"3ff0000000000000\"}"), "the bits of a number that can be written"},
        {VALUE("[[[[[[[[[]]]]]]]]]"), "has tuples that are more than 8 deep"},
        {VALUE("[[[[[[[[{}]]]]]]]]"), "has a value that is an object"},
    };
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct verify_param_groups groups;

    ck_assert_int_eq(parse(&groups, cases[_i].text, &error), RESHARD_EFORMAT);
    ck_assert_msg(strstr(error.text, cases[_i].words), "not '%s', but: %s", cases[_i].words,
                  error.text);
    ck_assert_ptr_nonnull(strstr(error.text, "manifest.json: optimizer: "));
    verify_param_groups_close(&groups);
}
END_TEST

enum { REFUSALS = 34 };

START_TEST(names_are_of_1023_bytes_at_most_and_tuples_8_deep)
{
    char text[2 * VERIFY_NAME_MAX];
    char name[VERIFY_NAME_MAX + 1];
    struct verify_param_groups groups;

    groups = with_value("[[[[[[[[1]]]]]]]]");
    verify_param_groups_close(&groups);
    for (int bytes = VERIFY_NAME_MAX - 1; bytes <= VERIFY_NAME_MAX; ++bytes) {
        memset(name, 'n', (size_t)bytes);
        name[bytes] = '\0';
        snprintf(text, sizeof text, ENTRIES("[{\"name\":\"%s\",\"values\":{}}]"), name);
        ck_assert_int_eq(parse(&groups, text, NULL),
                         bytes < VERIFY_NAME_MAX ? RESHARD_OK : RESHARD_EFORMAT);
        verify_param_groups_close(&groups);
        snprintf(text, sizeof text, ENTRIES("[{\"name\":\"e\",\"values\":{\"%s\":1}}]"), name);
        ck_assert_int_eq(parse(&groups, text, NULL),
                         bytes < VERIFY_NAME_MAX ? RESHARD_OK : RESHARD_EFORMAT);
        verify_param_groups_close(&groups);
    }
}
END_TEST

/* --- differences ------------------------------------------------------------------------------ */

static const char right[] =
    "{\"keys\":\"names\",\"groups\":["
    "{\"name\":\"a\",\"params\":[\"w\",\"b\"],\"values\":{\"lr\":0.5,\"betas\":[0.9,0.999]}},"
    "{\"name\":\"z\",\"params\":[],\"values\":{}}],"
    "\"entries\":[{\"name\":\"s\",\"values\":{\"x\":1,\"y\":null}}]}";

/* What is said of the right groups with the first `old` in their text replaced. */
START_TEST(each_difference_is_named)
{
    static const struct {
        const char *old;
        const char *new;
        unsigned findings;
        const char *words;
    } cases[] = {
        {"", "", 0, ""},
        {"0.5", "0.25", 1, "param group a: lr is 0.25, not 0.5 as in DIR"},
        {"0.5", "1", 1, "param group a: lr is 1, not 0.5"},
        {"0.5", "1.0", 1, "param group a: lr is 1.0, not 0.5"},
        {"0.5", "-0.0", 1, "param group a: lr is -0.0, not 0.5"},
        {"0.5", "0.50000000000000011", 1, "param group a: lr is 0.5000000000000001, not 0.5 as"},
        {"0.5", "1e300", 1, "param group a: lr is 1e+300, not 0.5"},
        {"0.5", "{\"f64\":\"fff8000000000001\"}", 1, "lr is -nan (0xfff8000000000001), not 0.5"},
        {"0.999]", "0.998]", 1, "param group a: betas is (0.9, 0.998), not (0.9, 0.999)"},
        {"[0.9,0.999]", "[0.9]", 1, "param group a: betas is (0.9), not (0.9, 0.999)"},
        {"\"lr\":0.5,\"betas\":[0.9,0.999]", "\"betas\":[0.9,0.999],\"lr\":0.5", 1,
         "param group a: has its values in another order than DIR"},
        {"\"lr\":0.5,", "", 1, "param group a: has not lr, which DIR has"},
        {"\"lr\":0.5,", "\"lr\":0.5,\"eps\":0.5,", 1, "param group a: has eps, which DIR has not"},
        {"\"lr\"", "\"LR\"", 2, "param group a: has LR, which DIR has not"},
        {"[\"w\",\"b\"]", "[\"b\",\"w\"]", 1, "param group a: member 0 is b, not w as in DIR"},
        {"[\"w\",\"b\"]", "[\"w\"]", 1, "param group a: has 1 member, not the 2 that DIR has"},
        {"[\"w\",\"b\"]", "[\"1\",\"b\",\"w\"]", 2, "member 0 is 1, not w as in DIR"},
        {"\"name\":\"z\"", "\"name\":\"y\"", 2, "param group z: is in DIR, but not here"},
        {"\"name\":\"z\"", "\"name\":\"y\"", 2, "param group y: is not in DIR"},
        {",{\"name\":\"z\",\"params\":[],\"values\":{}}", "", 1,
         "group z: is in DIR, but not here"},
        {"[{\"name\":\"a\"", "[{\"name\":\"n\",\"params\":[],\"values\":{}},{\"name\":\"a\"", 1,
         "param group n: is not in DIR"},
        {"null", "0", 1, "optimizer's entry s: y is 0, not none as in DIR"},
        {"null", "\"none\"", 1, "optimizer's entry s: y is \"none\", not none"},
        {"null", "false", 1, "optimizer's entry s: y is false, not none"},
        {"\"s\"", "\"t\"", 2, "optimizer's entry t: is not in DIR"},
    };
    char text[1024];
    const char *at = strstr(right, cases[_i].old);
    struct verify_param_groups mine;
    struct verify_param_groups theirs = parsed(right);
    struct verify_report report;
    char line[LINE_BYTES];
    bool found = cases[_i].findings == 0;

    ck_assert_ptr_nonnull(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - right), right, cases[_i].new,
             at + strlen(cases[_i].old));
    mine = parsed(text);
    ck_assert_int_eq(verify_report_open(&report), RESHARD_OK);
    verify_param_groups_compare(&mine, &theirs, "DIR", &report);
    for (uint32_t f = 0; f < report.finding_count; ++f) {
        verify_finding_line(&report.finding[f], line, sizeof line);
        ck_assert_ptr_eq(strstr(line, "EMISMATCH: manifest.json: "), line);
        found = found || strstr(line, cases[_i].words);
    }
    ck_assert_msg(found, "not '%s', but: %s", cases[_i].words, line);
    ck_assert_uint_eq(report.finding_total, cases[_i].findings);
    verify_report_close(&report);
    verify_param_groups_close(&mine);
    verify_param_groups_close(&theirs);
}
END_TEST

enum { DIFFERENCES = 25 };

static uint64_t differences(const char *a, const char *b, const char *words)
{
    struct verify_param_groups mine = {.there = false};
    struct verify_param_groups theirs = {.there = false};
    struct verify_report report;
    uint64_t total;

    if (a)
        mine = parsed(a);
    if (b)
        theirs = parsed(b);
    ck_assert_int_eq(verify_report_open(&report), RESHARD_OK);
    verify_param_groups_compare(&mine, &theirs, "DIR", &report);
    total = report.finding_total;
    ck_assert(!words || strstr(report.finding[0].text, words));
    verify_report_close(&report);
    verify_param_groups_close(&mine);
    verify_param_groups_close(&theirs);
    return total;
}

START_TEST(lost_groups_other_keys_and_another_order_are_named)
{
    ck_assert_uint_eq(differences(NULL, NULL, NULL), 0);
    ck_assert_uint_eq(differences(NULL, right, "groups are not here, and are in DIR"), 1);
    ck_assert_uint_eq(differences(right, NULL, "groups are here, and not in DIR"), 1);
    ck_assert_uint_eq(differences(IDS("[]"), GROUPS("[]"), "keyed by ids, those of DIR by names"),
                      1);
    ck_assert_uint_eq(differences(GROUPS("[{\"name\":\"a\",\"params\":[],\"values\":{}},"
                                         "{\"name\":\"b\",\"params\":[],\"values\":{}}]"),
                                  GROUPS("[{\"name\":\"b\",\"params\":[],\"values\":{}},"
                                         "{\"name\":\"a\",\"params\":[],\"values\":{}}]"),
                                  "param group a: comes at another place than in DIR"),
                      1);
}
END_TEST

START_TEST(nans_of_equal_bits_are_equal)
{
    ck_assert_uint_eq(differences(VALUE("{\"f64\":\"7ff8000000000001\"}"),
                                  VALUE("{\"f64\":\"7ff8000000000001\"}"), NULL),
                      0);
    ck_assert_uint_eq(differences(VALUE("{\"f64\":\"7ff8000000000001\"}"),
                                  VALUE("{\"f64\":\"7ff8000000000002\"}"), "k is nan"),
                      1);
}
END_TEST

/* Many groups, of which each is found by name in the others: no search through all for each. */
START_TEST(many_groups_are_compared_in_time)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    fputs("{\"keys\":\"names\",\"groups\":[],\"entries\":[", out);
    for (int g = 0; g < MANY; ++g)
        fprintf(out, "%s{\"name\":\"g%d\",\"values\":{\"a\":%d,\"b\":0.5}}", g ? "," : "",
                (g * 7919) % MANY, g);
    fputs("]}", out);
    fclose(out);
    ck_assert_uint_eq(differences(text, text, NULL), 0);
    free(text);
}
END_TEST

static Suite *suite(void)
{
    Suite *const all = suite_create("verify_groups");
    TCase *const one = tcase_create("groups");

    tcase_add_checked_fixture(one, set_up, tear_down);
    tcase_add_loop_test(one, numbers_are_read_bit_for_bit, 0, 12);
    tcase_add_test(one, values_of_every_kind_are_read);
    tcase_add_test(one, groups_entries_and_members_keep_their_order);
    tcase_add_loop_test(one, groups_that_break_a_must_are_refused, 0, REFUSALS);
    tcase_add_test(one, names_are_of_1023_bytes_at_most_and_tuples_8_deep);
    tcase_add_loop_test(one, each_difference_is_named, 0, DIFFERENCES);
    tcase_add_test(one, lost_groups_other_keys_and_another_order_are_named);
    tcase_add_test(one, nans_of_equal_bits_are_equal);
    tcase_add_test(one, many_groups_are_compared_in_time);
    suite_add_tcase(all, one);
    return all;
}

int main(void)
{
    SRunner *const runner = srunner_create(suite());
    int failed;

    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
