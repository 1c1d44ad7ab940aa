/*
 * Arguments that are NULL. Goal: a public function that returns a status refuses each of its
 * pointers that may not be NULL, with the argument's name where it can say one, and has changed
 * nothing. Method: a table of calls that are right but for one argument. What collective functions
 * do of it is tested by ranks (tests/test_operations.c).
 */
#include "reshard.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct reshard_model *model;
static struct reshard_groups *groups;
static struct reshard_layout *layout;
static struct reshard_state *state;

static const struct reshard_shape shape = {1, {4}};
static const struct reshard_slot slot = {.slot = "exp_avg", .dtype = RESHARD_DTYPE_F32};
static const struct reshard_value value = {.kind = RESHARD_VALUE_NONE};
static const struct reshard_optimizer optimizer = {.name = RESHARD_OPTIMIZER_ADAM};
static const struct reshard_layout_options options = {.shard = 2};

static void open_all(void)
{
    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    ck_assert_int_eq(reshard_model_add(model, "w", "", RESHARD_DTYPE_F32, &shape, NULL),
                     RESHARD_OK);
    ck_assert_int_eq(reshard_layout_open(&layout, model, &options, NULL), RESHARD_OK);
    ck_assert_int_eq(reshard_state_open(&state, layout, 0), RESHARD_OK);
    ck_assert_int_eq(reshard_groups_open(&groups), RESHARD_OK);
    ck_assert_int_eq(reshard_groups_add(groups, "all", NULL), RESHARD_OK);
    ck_assert_int_eq(reshard_groups_add_member(groups, 0, "w", NULL), RESHARD_OK);
}

static void close_all(void)
{
    reshard_groups_close(groups);
    reshard_state_close(state);
    reshard_layout_close(layout);
    reshard_model_close(model);
}

/* EINVAL, and, where the function has an error to say it in, which argument. */
#define REFUSED(call) ck_assert_int_eq((call), RESHARD_EINVAL)
#define NAMED(call, name)                                                                          \
    do {                                                                                           \
        reshard_error_clear(&error);                                                               \
        ck_assert_int_eq((call), RESHARD_EINVAL);                                                  \
        ck_assert_msg(strstr(error.text, "'" name "'") && strstr(error.text, "NULL"), "%s",        \
                      error.text);                                                                 \
    } while (0)

START_TEST(models_refuse_null)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    const struct reshard_slot nameless = {.dtype = RESHARD_DTYPE_F32};
    const uint64_t before = reshard_model_hash(model);
    struct reshard_model *copy;
    uint32_t t;

    REFUSED(reshard_model_open(NULL));
    NAMED(reshard_model_add(NULL, "b", "", RESHARD_DTYPE_F32, &shape, &error), "model");
    NAMED(reshard_model_add(model, NULL, "", RESHARD_DTYPE_F32, &shape, &error), "fqn");
    NAMED(reshard_model_add(model, "b", NULL, RESHARD_DTYPE_F32, &shape, &error), "unit");
    NAMED(reshard_model_add(model, "b", "", RESHARD_DTYPE_F32, NULL, &error), "shape");
    NAMED(reshard_model_add_state(NULL, "w", &slot, &error), "model");
    NAMED(reshard_model_add_state(model, NULL, &slot, &error), "fqn");
    NAMED(reshard_model_add_state(model, "w", NULL, &error), "slot");
    NAMED(reshard_model_add_state(model, "w", &nameless, &error), "slot->slot");
    NAMED(reshard_model_add_slot(model, "w", NULL, RESHARD_DTYPE_F32, NULL, true, &error), "slot");
    NAMED(reshard_model_add_slot(model, "w", "s", RESHARD_DTYPE_F32, NULL, false, &error), "shape");
    NAMED(reshard_model_tie(NULL, "a", "w", &error), "model");
    NAMED(reshard_model_tie(model, NULL, "w", &error), "alias");
    NAMED(reshard_model_tie(model, "a", NULL, &error), "of");
    REFUSED(reshard_model_find(NULL, "w", "", &t));
    REFUSED(reshard_model_find(model, NULL, "", &t));
    REFUSED(reshard_model_find(model, "w", NULL, &t));
    REFUSED(reshard_model_find(model, "w", "", NULL));
    REFUSED(reshard_model_copy(NULL, model, false));
    REFUSED(reshard_model_copy(&copy, NULL, false));
    ck_assert_ptr_null(copy);
    NAMED(reshard_optimizer_extend(NULL, &optimizer, &error), "model");
    NAMED(reshard_optimizer_extend(model, NULL, &error), "optimizer");
    ck_assert_uint_eq(reshard_model_hash(model), before);
}
END_TEST

START_TEST(optimizers_whose_groups_are_null_are_refused)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    const char *const patterns[] = {"w", NULL};
    const struct reshard_optimizer_group group = {
        .name = "g", .pattern = patterns, .pattern_count = 2};
    struct reshard_optimizer wrong = optimizer;

    wrong.group_count = 1;
    NAMED(reshard_optimizer_extend(model, &wrong, &error), "optimizer->group");
    wrong.group = &group;
    NAMED(reshard_optimizer_extend(model, &wrong, &error), "group[g].pattern");
}
END_TEST

START_TEST(groups_refuse_null)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    const uint64_t before = reshard_groups_hash(groups);
    struct reshard_groups *copy;
    const char *member;
    uint32_t g;
    uint64_t id;

    REFUSED(reshard_groups_open(NULL));
    REFUSED(reshard_groups_copy(NULL, groups));
    REFUSED(reshard_groups_copy(&copy, NULL));
    ck_assert_ptr_null(copy);
    NAMED(reshard_groups_add(NULL, "g", &error), "groups");
    NAMED(reshard_groups_add(groups, NULL, &error), "name");
    NAMED(reshard_groups_add_member(NULL, 0, "w", &error), "groups");
    NAMED(reshard_groups_add_member(groups, 0, NULL, &error), "fqn");
    NAMED(reshard_groups_set(NULL, 0, "lr", &value, &error), "groups");
    NAMED(reshard_groups_set(groups, 0, NULL, &value, &error), "key");
    NAMED(reshard_groups_set(groups, 0, "lr", NULL, &error), "value");
    NAMED(reshard_groups_add_entry(NULL, "e", &error), "groups");
    NAMED(reshard_groups_add_entry(groups, NULL, &error), "entry");
    NAMED(reshard_groups_set_entry(NULL, "e", "k", &value, &error), "groups");
    NAMED(reshard_groups_set_entry(groups, NULL, "k", &value, &error), "entry");
    NAMED(reshard_groups_set_entry(groups, "e", NULL, &value, &error), "key");
    NAMED(reshard_groups_set_entry(groups, "e", "k", NULL, &error), "value");
    REFUSED(reshard_groups_find(NULL, "all", &g));
    REFUSED(reshard_groups_find(groups, NULL, &g));
    REFUSED(reshard_groups_find(groups, "all", NULL));
    REFUSED(reshard_groups_of(groups, NULL, &g));
    REFUSED(reshard_groups_entry_find(groups, NULL, &g));
    REFUSED(reshard_groups_id(NULL, "w", &id));
    REFUSED(reshard_groups_id(groups, NULL, &id));
    REFUSED(reshard_groups_id(groups, "w", NULL));
    REFUSED(reshard_groups_of_id(NULL, 0, &member));
    REFUSED(reshard_groups_of_id(groups, 0, NULL));
    NAMED(reshard_groups_check_ids(NULL, &error), "groups");
    NAMED(reshard_groups_check(NULL, model, &error), "groups");
    NAMED(reshard_groups_check(groups, NULL, &error), "model");
    ck_assert_uint_eq(reshard_groups_hash(groups), before);
}
END_TEST

START_TEST(keys_refuse_null)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    char fqn[RESHARD_NAME_MAX], name[RESHARD_NAME_MAX];
    enum reshard_key_kind kind;
    struct reshard_model *to_model;
    struct reshard_groups *to_groups;
    uint32_t t;

    NAMED(reshard_rekey(NULL, &to_groups, model, groups, RESHARD_KEYS_IDS, NULL, &error),
          "model_out");
    NAMED(reshard_rekey(&to_model, NULL, model, groups, RESHARD_KEYS_IDS, NULL, &error),
          "groups_out");
    NAMED(reshard_rekey(&to_model, &to_groups, NULL, groups, RESHARD_KEYS_IDS, NULL, &error),
          "model");
    NAMED(reshard_rekey(&to_model, &to_groups, model, NULL, RESHARD_KEYS_IDS, NULL, &error),
          "groups");
    NAMED(reshard_key_parse(NULL, &kind, fqn, name, &error), "text");
    NAMED(reshard_key_parse("state.w.s", NULL, fqn, name, &error), "kind");
    NAMED(reshard_key_parse("state.w.s", &kind, NULL, name, &error), "fqn");
    NAMED(reshard_key_parse("state.w.s", &kind, fqn, NULL, &error), "name");
    NAMED(reshard_key_resolve(NULL, "state.w.s", &t, &error), "model");
    NAMED(reshard_key_resolve(model, NULL, &t, &error), "text");
    NAMED(reshard_key_resolve(model, "state.w.s", NULL, &error), "tensor");
}
END_TEST

START_TEST(layouts_refuse_null)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_rule rule = {.pattern = NULL};
    struct reshard_layout_options wrong = options, copy;
    struct reshard_layout *out;

    NAMED(reshard_layout_open(NULL, model, &options, &error), "out");
    NAMED(reshard_layout_open(&out, NULL, &options, &error), "model");
    NAMED(reshard_layout_open(&out, model, NULL, &error), "options");
    ck_assert_ptr_null(out);
    REFUSED(reshard_layout_options_copy(NULL, &options));
    REFUSED(reshard_layout_options_copy(&copy, NULL));
    NAMED(reshard_form_layout(NULL, layout, RESHARD_FORM_FULL, false, &error), "out");
    NAMED(reshard_form_layout(&out, NULL, RESHARD_FORM_FULL, false, &error), "live");
    wrong.rule_count = 1;
    NAMED(reshard_layout_open(&out, model, &wrong, &error), "options->rule");
    wrong.rule = &rule;
    NAMED(reshard_layout_open(&out, model, &wrong, &error), "rule[i].pattern");
    rule.pattern = "w";
    rule.section_count = 2;
    NAMED(reshard_layout_open(&out, model, &wrong, &error), "rule[i].section");
    rule.section_count = 0;
    rule.box_count = 1;
    NAMED(reshard_layout_open(&out, model, &wrong, &error), "rule[i].box");
}
END_TEST

START_TEST(states_refuse_null)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_state *out = state;
    char memory[8];

    REFUSED(reshard_state_open(NULL, layout, 0));
    REFUSED(reshard_state_open(&out, NULL, 0));
    ck_assert_ptr_null(out);
    REFUSED(reshard_state_set_device(NULL, NULL));
    NAMED(reshard_state_bind(NULL, "w", "", memory, sizeof memory, &error), "state");
    NAMED(reshard_state_bind(state, NULL, "", memory, sizeof memory, &error), "fqn");
    NAMED(reshard_state_bind(state, "w", NULL, memory, sizeof memory, &error), "slot");
    NAMED(reshard_state_allocate(NULL, &error), "state");
    NAMED(reshard_state_check_tensor(NULL, 0, &error), "state");
    NAMED(reshard_state_check_ties(NULL, NULL, &error), "state");
    REFUSED(reshard_state_fill_ties(NULL, NULL));
    NAMED(reshard_state_check(NULL, RESHARD_PART_ALL, &error), "state");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("arguments");
    TCase *cases = tcase_create("arguments");
    SRunner *runner = srunner_create(suite);
    int failures;

    tcase_add_checked_fixture(cases, open_all, close_all);
    tcase_add_test(cases, models_refuse_null);
    tcase_add_test(cases, optimizers_whose_groups_are_null_are_refused);
    tcase_add_test(cases, groups_refuse_null);
    tcase_add_test(cases, keys_refuse_null);
    tcase_add_test(cases, layouts_refuse_null);
    tcase_add_test(cases, states_refuse_null);
    suite_add_tcase(suite, cases);
    srunner_run_all(runner, CK_NORMAL);
    failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
