/*
 * Matching of groups. Goal: a loader gets a checkpoint's values by names, in its own order; all
 * that does not fit is listed at once and nothing has changed then; and each leniency forgives what
 * it is for and nothing else. Method: two sides that differ in one respect at a time, matched
 * strictly and with each option; random groups against themselves in another order.
 */
#include "core/groups_match.h"
#include "core/rekey.h"
#include "support/random_groups.h"

#include <check.h>
#include <string.h>

static struct reshard_groups *target, *saved;
static struct reshard_error error;
static uint64_t kept, added;

static const struct reshard_match_options strict = {.rename = NULL};

static void setup(void)
{
    ck_assert_int_eq(reshard_groups_open(&target), RESHARD_OK);
    ck_assert_int_eq(reshard_groups_open(&saved), RESHARD_OK);
}

static void teardown(void)
{
    reshard_groups_close(target);
    reshard_groups_close(saved);
}

/* A group with members, a space after each. */
static void add(struct reshard_groups *to, const char *name, const char *members)
{
    const uint32_t group = reshard_groups_count(to);
    char member[32];

    ck_assert_int_eq(reshard_groups_add(to, name, NULL), RESHARD_OK);
    for (const char *c = members; *c; c += strlen(member) + 1) {
        (void)snprintf(member, sizeof member, "%.*s", (int)strcspn(c, " "), c);
        ck_assert_int_eq(reshard_groups_add_member(to, group, member, NULL), RESHARD_OK);
    }
}

static struct reshard_value number(double value)
{
    return (struct reshard_value){.kind = RESHARD_VALUE_NUMBER, .number = value};
}

static struct reshard_value integer(int64_t value)
{
    return (struct reshard_value){.kind = RESHARD_VALUE_INTEGER, .integer = value};
}

static struct reshard_value boolean(bool value)
{
    return (struct reshard_value){.kind = RESHARD_VALUE_BOOLEAN, .boolean = value};
}

static struct reshard_value tuple(const struct reshard_value *item, uint32_t count)
{
    return (struct reshard_value){.kind = RESHARD_VALUE_TUPLE, .item = item, .count = count};
}

static void set(struct reshard_groups *to, uint32_t group, const char *key,
                struct reshard_value value)
{
    ck_assert_int_eq(reshard_groups_set(to, group, key, &value, NULL), RESHARD_OK);
}

static void set_entry(struct reshard_groups *to, const char *entry, const char *key,
                      struct reshard_value value)
{
    ck_assert_int_eq(reshard_groups_set_entry(to, entry, key, &value, NULL), RESHARD_OK);
}

static enum reshard_status try(const struct reshard_match_options *options)
{
    reshard_error_clear(&error);
    kept = added = 99;
    return groups_match(target, saved, options, "ckpt", &kept, &added, &error);
}

static void must_match(const struct reshard_match_options *options)
{
    const uint64_t before = reshard_groups_hash(saved);

    ck_assert_msg(try(options) == RESHARD_OK, "%s", error.text);
    ck_assert_str_eq(error.text, "");
    ck_assert_uint_eq(reshard_groups_hash(saved), before);
}

/* Refused with just these lines, and the target is as it was. */
static void must_differ(const struct reshard_match_options *options, const char *lines)
{
    const uint64_t before = reshard_groups_hash(target);
    char text[RESHARD_ERROR_TEXT_MAX];

    ck_assert_int_eq(try(options), RESHARD_EMISMATCH);
    (void)snprintf(text, sizeof text, "ckpt does not fit the model:\n%s", lines);
    ck_assert_str_eq(error.text, text);
    ck_assert_uint_eq(reshard_groups_hash(target), before);
    ck_assert(kept == 0 && added == 0);
}

/* ---- groups and members ---------------------------------------------------------------------- */

START_TEST(names_decide_and_the_targets_order_stays)
{
    add(target, "decay", "b a ");
    add(target, "rest", "c ");
    set(target, 0, "lr", number(1));
    set(target, 0, "eps", number(2));
    set(target, 1, "lr", number(3));
    add(saved, "rest", "c ");
    add(saved, "decay", "b a ");
    set(saved, 0, "lr", number(30));
    set(saved, 1, "eps", number(20));
    set(saved, 1, "lr", number(10));
    must_match(&strict);
    ck_assert_uint_eq(kept + added, 0);
    ck_assert_str_eq(reshard_groups_name(target, 0), "decay");
    ck_assert_str_eq(reshard_groups_member(target, 0, 0), "b");
    ck_assert_str_eq(reshard_groups_key(target, 0, 0), "lr");
    ck_assert(reshard_groups_get(target, 0, "lr")->number == 10);
    ck_assert(reshard_groups_get(target, 0, "eps")->number == 20);
    ck_assert(reshard_groups_get(target, 1, "lr")->number == 30);
}
END_TEST

START_TEST(all_that_does_not_fit_is_listed_at_once)
{
    add(target, "a", "w x y ");
    add(target, "only here", "z ");
    set(target, 0, "lr", number(1));
    set(target, 0, "eps", number(1));
    set_entry(target, "scaler", "scale", number(1));
    add(saved, "a", "y w ");
    add(saved, "only there", "x v ");
    set(saved, 0, "lr", integer(1));
    must_differ(&strict,
                "  group 'only here': missing in the checkpoint\n"
                "  group 'only there': unknown to the loader\n"
                "  'x' of group 'a': in group 'only there' of the checkpoint\n"
                "  'z' of group 'only here': in no group of the checkpoint\n"
                "  group 'a': another order in the checkpoint, which has 'y' before 'w'\n"
                "  'v', in group 'only there' of the checkpoint: in no group here\n"
                "  group 'a' value 'eps': missing in the checkpoint\n"
                "  group 'a' value 'lr': 1.0 here, but 1, of another kind, in the checkpoint\n"
                "  entry 'scaler' value 'scale': missing in the checkpoint");
}
END_TEST

START_TEST(lines_follow_those_that_are_there_already)
{
    struct reshard_error both = RESHARD_ERROR_INIT;

    add(target, "a", "");
    (void)reshard_error_set(&both, RESHARD_EMISMATCH, "ckpt does not fit the model:\n  'w': no");
    ck_assert_int_eq(groups_match(target, saved, &strict, "ckpt", &kept, &added, &both),
                     RESHARD_EMISMATCH);
    ck_assert_str_eq(both.text, "ckpt does not fit the model:\n  'w': no\n"
                                "  group 'a': missing in the checkpoint");
}
END_TEST

START_TEST(a_checkpoint_without_groups_fits_no_loader_of_groups)
{
    reshard_groups_close(saved);
    saved = NULL;
    add(target, "a", "");
    ck_assert_int_eq(try(&strict), RESHARD_EMISMATCH);
    ck_assert_str_eq(error.text, "ckpt does not fit the model:\n  it has no param groups");
}
END_TEST

START_TEST(members_that_may_be_missing_or_unexpected_are_named)
{
    static const char *const new[] = {"new.*"}, *const old[] = {"old.*"};
    const struct reshard_match_options missing = {.missing = new, .missing_count = 1};
    const struct reshard_match_options unexpected = {.unexpected = old, .unexpected_count = 1};
    const struct reshard_match_options both = {
        .missing = new, .missing_count = 1, .unexpected = old, .unexpected_count = 1};

    add(target, "a", "w new.1 x ");
    add(saved, "a", "old.1 w x ");
    must_differ(&unexpected, "  'new.1' of group 'a': in no group of the checkpoint");
    must_differ(&missing, "  'old.1', in group 'a' of the checkpoint: in no group here");
    must_match(&both);
    ck_assert_uint_eq(reshard_groups_member_count(target, 0), 3);
    ck_assert_str_eq(reshard_groups_member(target, 0, 1), "new.1");
}
END_TEST

/* Nothing forgives a parameter that has got into another group. */
START_TEST(a_member_of_another_group_is_no_missing_one)
{
    static const char *const all[] = {"*"};
    const struct reshard_match_options options = {
        .missing = all, .missing_count = 1, .unexpected = all, .unexpected_count = 1};

    add(target, "a", "w ");
    add(target, "b", "");
    add(saved, "a", "");
    add(saved, "b", "w ");
    must_differ(&options, "  'w' of group 'a': in group 'b' of the checkpoint");
}
END_TEST

START_TEST(members_go_by_the_names_that_they_are_renamed_to)
{
    static const struct reshard_rename renames[] = {{"old.*", "new.*"}, {"*.w", "never.*"}};
    static const struct reshard_rename same[] = {{"*", "x"}};
    static const struct reshard_rename longer[] = {{"*", "*.*"}};
    static const struct reshard_rename empty[] = {{"*w", "*"}};
    const struct reshard_match_options options = {.rename = renames, .rename_count = 1};

    add(target, "a", "new.w y ");
    add(saved, "a", "old.w y ");
    must_match(&options);
    must_differ(&(struct reshard_match_options){.rename = same, .rename_count = 1},
                "  'x': two of the checkpoint's are renamed to it\n"
                "  'new.w' of group 'a': in no group of the checkpoint\n"
                "  'y' of group 'a': in no group of the checkpoint\n"
                "  'x', in group 'a' of the checkpoint: in no group here");
    must_differ(
        &(struct reshard_match_options){.rename = longer, .rename_count = 1},
        "  rename '*' to '*.*': 'old.w' becomes too long, or has fewer parts than are asked "
        "for\n"
        "  rename '*' to '*.*': 'y' becomes too long, or has fewer parts than are asked "
        "for\n"
        "  'new.w' of group 'a': in no group of the checkpoint\n"
        "  'y' of group 'a': in no group of the checkpoint");
    teardown();
    setup();
    add(target, "a", "");
    add(saved, "a", "w ");
    must_differ(&(struct reshard_match_options){.rename = empty, .rename_count = 1},
                "  'w' is renamed to what is no name");
}
END_TEST

START_TEST(options_that_cannot_be_are_refused)
{
    static const char *const bad[] = {""};
    static const struct reshard_rename rename[] = {{"", "x"}};
    const struct reshard_match_options options[] = {
        {.rename = rename, .rename_count = 1},
        {.missing = bad, .missing_count = 1},
        {.unexpected = bad, .unexpected_count = 1},
        {.keep_values = bad, .keep_values_count = 1},
    };

    ck_assert_int_eq(try(&options[_i]), RESHARD_EINVAL);
    ck_assert_msg(strstr(error.text, "'' is no pattern") != NULL, "%s", error.text);
}
END_TEST

/* ---- values ---------------------------------------------------------------------------------- */

START_TEST(a_value_that_the_loader_has_not_is_added)
{
    add(target, "a", "");
    set(target, 0, "lr", number(1));
    add(saved, "a", "");
    set(saved, 0, "fused", boolean(true));
    set(saved, 0, "lr", number(2));
    set(saved, 0, "foreach", (struct reshard_value){.kind = RESHARD_VALUE_NONE});
    must_match(&strict);
    ck_assert(kept == 0 && added == 2);
    ck_assert_uint_eq(reshard_groups_value_count(target, 0), 3);
    ck_assert_str_eq(reshard_groups_key(target, 0, 1), "fused");
    ck_assert(reshard_groups_get(target, 0, "fused")->boolean);
    ck_assert(reshard_groups_get(target, 0, "lr")->number == 2);
}
END_TEST

START_TEST(a_value_that_the_checkpoint_has_not_stays_where_it_is_named)
{
    static const char *const of_a[] = {"a:*"}, *const lr[] = {"*:lr", "e:k"};
    const struct reshard_match_options one = {.keep_values = of_a, .keep_values_count = 1};
    const struct reshard_match_options two = {.keep_values = lr, .keep_values_count = 2};
    const struct reshard_match_options wrong = {.missing = of_a, .missing_count = 1};

    add(target, "a", "");
    add(target, "b", "");
    set(target, 0, "lr", number(1));
    set(target, 1, "lr", number(2));
    add(saved, "a", "");
    add(saved, "b", "");
    must_differ(&one, "  group 'b' value 'lr': missing in the checkpoint");
    must_differ(&wrong, "  group 'a' value 'lr': missing in the checkpoint\n"
                        "  group 'b' value 'lr': missing in the checkpoint");
    must_match(&two);
    ck_assert(kept == 2 && added == 0);
    ck_assert(reshard_groups_get(target, 1, "lr")->number == 2);
    /* What is named may be there, and is taken then. */
    set(saved, 1, "lr", number(5));
    must_match(&two);
    ck_assert(kept == 1 && reshard_groups_get(target, 1, "lr")->number == 5);
}
END_TEST

START_TEST(none_is_of_every_kind)
{
    const struct reshard_value none = {.kind = RESHARD_VALUE_NONE};
    const struct reshard_value others[] = {none, boolean(true), integer(1), number(1)};
    const struct reshard_value value = others[_i % 4];

    add(target, "a", "");
    add(saved, "a", "");
    set(target, 0, "fused", _i < 4 ? none : value);
    set(saved, 0, "fused", _i < 4 ? value : none);
    must_match(&strict);
    ck_assert(reshard_value_equal(reshard_groups_get(target, 0, "fused"), _i < 4 ? &value : &none));
}
END_TEST

START_TEST(values_are_of_a_kind)
{
    static const char *const all[] = {"*"};
    const struct reshard_match_options lenient = {.keep_values = all, .keep_values_count = 1};
    const struct reshard_value one[] = {number(1), number(2)}, two[] = {number(1), integer(2)};
    const struct reshard_value text = {.kind = RESHARD_VALUE_STRING, .string = "1"};
    const struct {
        struct reshard_value here, there;
        const char *line;
    } cases[] = {
        {boolean(true), number(1), "True here, but 1.0"},
        {boolean(true), integer(1), "True here, but 1"},
        {integer(1), number(1), "1 here, but 1.0"},
        {number(1), integer(1), "1.0 here, but 1"},
        {text, integer(1), "'1' here, but 1"},
        {tuple(one, 2), tuple(one, 1), "(1.0, 2.0) here, but (1.0,)"},
        {tuple(one, 1), tuple(one, 2), "(1.0,) here, but (1.0, 2.0)"},
        {tuple(one, 2), tuple(two, 2), "(1.0, 2.0) here, but (1.0, 2)"},
        {tuple(one, 1), number(1), "(1.0,) here, but 1.0"},
    };
    char line[256];

    add(target, "a", "");
    add(saved, "a", "");
    set(target, 0, "k", cases[_i].here);
    set(saved, 0, "k", cases[_i].there);
    (void)snprintf(line, sizeof line,
                   "  group 'a' value 'k': %s, of another kind, in the checkpoint", cases[_i].line);
    must_differ(&strict, line);
    must_differ(&lenient, line);
    set(saved, 0, "k", cases[_i].here);
    must_match(&strict);
}
END_TEST

/* ---- entries --------------------------------------------------------------------------------- */

START_TEST(all_entries_of_the_checkpoint_are_taken_whatever_kind_they_are)
{
    set_entry(target, "scheduler", "epoch", integer(0));
    set_entry(target, "scheduler", "best", (struct reshard_value){.kind = RESHARD_VALUE_NONE});
    set_entry(saved, "scaler", "scale", number(65536));
    ck_assert(!reshard_groups_add_entry(saved, "empty", NULL));
    set_entry(saved, "scheduler", "best", number(0.5));
    set_entry(saved, "scheduler", "epoch", integer(7));
    set_entry(saved, "scheduler", "last", integer(8));
    must_match(&strict);
    ck_assert(kept == 0 && added == 2);
    ck_assert_uint_eq(reshard_groups_entry_count(target), 3);
    ck_assert_str_eq(reshard_groups_entry(target, 0), "scheduler");
    ck_assert_str_eq(reshard_groups_entry(target, 2), "empty");
    ck_assert_int_eq(reshard_groups_entry_get(target, 0, "epoch")->integer, 7);
    ck_assert(reshard_groups_entry_get(target, 0, "best")->number == 0.5);
    ck_assert(reshard_groups_entry_get(target, 1, "scale")->number == 65536);
}
END_TEST

START_TEST(an_entry_that_the_checkpoint_has_not_stays_where_it_is_named)
{
    static const char *const keep[] = {"scaler:*"};
    const struct reshard_match_options options = {.keep_values = keep, .keep_values_count = 1};

    set_entry(target, "scaler", "last", number(1));
    set_entry(target, "scheduler", "epoch", integer(3));
    set_entry(saved, "scheduler", "last", integer(4));
    must_differ(&strict, "  entry 'scaler' value 'last': missing in the checkpoint\n"
                         "  entry 'scheduler' value 'epoch': missing in the checkpoint");
    must_differ(&options, "  entry 'scheduler' value 'epoch': missing in the checkpoint");
    set_entry(saved, "scheduler", "epoch", integer(5));
    must_match(&options);
    ck_assert(kept == 1 && added == 1);
    ck_assert(reshard_groups_entry_get(target, 0, "last")->number == 1);
    ck_assert_int_eq(reshard_groups_entry_get(target, 1, "epoch")->integer, 5);
    ck_assert(!reshard_groups_add_entry(target, "none", NULL));
    must_differ(&options, "  entry 'none': missing in the checkpoint");
}
END_TEST

/* ---- ids ------------------------------------------------------------------------------------- */

START_TEST(members_saved_by_ids_are_known_by_their_place)
{
    static const struct reshard_rename renames[] = {{"*", "x.*"}};
    const struct reshard_match_options options = {.rename = renames, .rename_count = 1};

    add(target, "a", "w x ");
    add(target, "empty", "");
    add(target, "b", "y 0 ");
    add(saved, "b", "0 1 ");
    add(saved, "a", "2 3 ");
    add(saved, "empty", "");
    set(saved, 1, "lr", number(5));
    reshard_groups_set_keys(saved, RESHARD_KEYS_IDS);
    must_match(&options); /* ids are no names that could be renamed */
    ck_assert_int_eq(reshard_groups_keys(target), RESHARD_KEYS_NAMES);
    ck_assert(reshard_groups_get(target, 0, "lr")->number == 5);
    ck_assert_str_eq(reshard_groups_member(target, 0, 0), "w");
    ck_assert_str_eq(rekey_name_of(target, saved, "0"), "y");
    ck_assert_str_eq(rekey_name_of(target, saved, "1"), "0");
    ck_assert_str_eq(rekey_name_of(target, saved, "2"), "w");
    ck_assert_str_eq(rekey_name_of(target, saved, "3"), "x");
    ck_assert_ptr_null(rekey_name_of(target, saved, "4"));
    ck_assert_ptr_null(rekey_name_of(target, saved, "w"));
    reshard_groups_set_keys(saved, RESHARD_KEYS_NAMES);
    ck_assert_ptr_null(rekey_name_of(target, saved, "0"));
}
END_TEST

START_TEST(ids_do_not_say_which_of_more_or_fewer_members_is_meant)
{
    add(target, "a", "w x ");
    add(target, "b", "y ");
    add(saved, "a", "0 ");
    add(saved, "c", "1 ");
    reshard_groups_set_keys(saved, RESHARD_KEYS_IDS);
    must_differ(&strict, "  group 'b': missing in the checkpoint\n"
                         "  group 'c': unknown to the loader\n"
                         "  group 'a': 2 members here, but 1 in the checkpoint, which has no names "
                         "of them");
    ck_assert_ptr_null(rekey_name_of(target, saved, "0"));
    ck_assert_ptr_null(rekey_name_of(target, saved, "1"));
}
END_TEST

START_TEST(a_loader_keyed_by_ids_needs_ids)
{
    add(target, "a", "0 1 ");
    add(saved, "a", "0 1 ");
    reshard_groups_set_keys(target, RESHARD_KEYS_IDS);
    must_differ(&strict, "  parameters are known by ids here, but by names in the checkpoint");
    reshard_groups_set_keys(saved, RESHARD_KEYS_IDS);
    must_match(&strict);
    ck_assert_str_eq(rekey_name_of(target, saved, "1"), "1");
    teardown();
    setup();
    add(target, "a", "1 ");
    reshard_groups_set_keys(target, RESHARD_KEYS_IDS);
    ck_assert_int_eq(try(&strict), RESHARD_EINVAL);
    ck_assert_str_eq(error.text,
                     "Invalid parameter keys: '1' of group 'a' is in the place of id 0");
}
END_TEST

/* ---- random groups --------------------------------------------------------------------------- */

/* A group of `from`, without its values, at the end of `to`. */
static void add_bare(struct reshard_groups *to, const struct reshard_groups *from, uint32_t g)
{
    const uint32_t group = reshard_groups_count(to);

    ck_assert_int_eq(reshard_groups_add(to, reshard_groups_name(from, g), NULL), RESHARD_OK);
    for (uint32_t m = 0; m < reshard_groups_member_count(from, g); m++)
        ck_assert_int_eq(
            reshard_groups_add_member(to, group, reshard_groups_member(from, g, m), NULL),
            RESHARD_OK);
}

/* Groups without values get all of them: then they are the checkpoint's, but for the order of
 * groups; and what is filled is filled again without any change. */
START_TEST(a_loader_without_values_becomes_the_checkpoint)
{
    static const char *const names[] = {"w", "0", "a.b", "\xc3\xa9", "%2E", "1", "x", "y"};
    struct test_random random = test_random_start("match", (uint64_t)_i);
    struct reshard_groups *source = random_groups(&random, names, 8);
    const uint32_t count = reshard_groups_count(source);
    uint64_t hash;

    for (uint32_t g = 0; g < count; g++) {
        add_bare(target, source, _i % 2 ? count - 1 - g : g);
    }
    reshard_groups_close(saved);
    saved = source;
    must_match(&strict);
    hash = reshard_groups_hash(target);
    if (_i % 2 == 0)
        ck_assert_uint_eq(hash, reshard_groups_hash(source));
    for (uint32_t g = 0; g < count; g++)
        for (uint32_t v = 0; v < reshard_groups_value_count(source, g); v++) {
            const struct reshard_value *value = reshard_groups_get(
                target, _i % 2 ? count - 1 - g : g, reshard_groups_key(source, g, v));
            ck_assert(value && reshard_value_equal(value, reshard_groups_value(source, g, v)));
            ck_assert_uint_gt(added--, 0);
        }
    must_match(&strict);
    ck_assert(kept == 0 && added == 0);
    ck_assert_uint_eq(reshard_groups_hash(target), hash);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("groups_match");
    TCase *cases = tcase_create("groups_match");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, names_decide_and_the_targets_order_stays);
    tcase_add_test(cases, all_that_does_not_fit_is_listed_at_once);
    tcase_add_test(cases, lines_follow_those_that_are_there_already);
    tcase_add_test(cases, a_checkpoint_without_groups_fits_no_loader_of_groups);
    tcase_add_test(cases, members_that_may_be_missing_or_unexpected_are_named);
    tcase_add_test(cases, a_member_of_another_group_is_no_missing_one);
    tcase_add_test(cases, members_go_by_the_names_that_they_are_renamed_to);
    tcase_add_loop_test(cases, options_that_cannot_be_are_refused, 0, 4);
    tcase_add_test(cases, a_value_that_the_loader_has_not_is_added);
    tcase_add_test(cases, a_value_that_the_checkpoint_has_not_stays_where_it_is_named);
    tcase_add_loop_test(cases, none_is_of_every_kind, 0, 8);
    tcase_add_loop_test(cases, values_are_of_a_kind, 0, 9);
    tcase_add_test(cases, all_entries_of_the_checkpoint_are_taken_whatever_kind_they_are);
    tcase_add_test(cases, an_entry_that_the_checkpoint_has_not_stays_where_it_is_named);
    tcase_add_test(cases, members_saved_by_ids_are_known_by_their_place);
    tcase_add_test(cases, ids_do_not_say_which_of_more_or_fewer_members_is_meant);
    tcase_add_test(cases, a_loader_keyed_by_ids_needs_ids);
    tcase_add_loop_test(cases, a_loader_without_values_becomes_the_checkpoint, 0, 200);
    suite_add_tcase(suite, cases);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
