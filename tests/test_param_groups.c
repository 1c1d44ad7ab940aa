/*
 * The param groups of a training: made from an optimizer they say all of it, given back they are
 * that optimizer again, and no difference between two of them goes unseen. Method: groups are made
 * for a small model; then one thing at a time is built differently.
 */
#include "sim/optimizer.h"
#include "sim/param_groups.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const char *const biases[] = {"*.bias"};
static const char *const late[] = {"b.*", "a.weight"};
static struct reshard_optimizer_group group[] = {
    {.name = "biases", .pattern = biases, .pattern_count = 1},
    {.name = "late", .pattern = late, .pattern_count = 2},
};
static struct reshard_optimizer optimizer;
static struct reshard_model *model;
static struct reshard_groups *groups;

static void add(const char *fqn, enum reshard_role role, enum reshard_dtype dtype)
{
    const struct reshard_shape shape = {1, {4}};
    ck_assert_int_eq(reshard_model_add_role(model, fqn, "", dtype, &shape, role, 0, NULL),
                     RESHARD_OK);
}

/* Muon uses all but amsgrad and block. */
static void begin_with(enum reshard_optimizer_name name)
{
    optimizer = (struct reshard_optimizer){.name = name,
                                           .dtype = RESHARD_DTYPE_F32,
                                           .hyper = reshard_optimizer_defaults(name),
                                           .group = group,
                                           .group_count = 2};
    group[0].hyper = group[1].hyper = optimizer.hyper;
    group[0].hyper.weight_decay = 0.25;
    group[1].hyper.beta2 = 0.5;
    group[1].hyper.from = 3;
    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    add("b.bias", RESHARD_ROLE_PARAMETER, RESHARD_DTYPE_F32);
    add("b.weight", RESHARD_ROLE_PARAMETER, RESHARD_DTYPE_F32);
    add("norm", RESHARD_ROLE_PARAMETER, RESHARD_DTYPE_F64);
    add("b.frozen", RESHARD_ROLE_FROZEN, RESHARD_DTYPE_F32);
    add("b.codes", RESHARD_ROLE_PARAMETER, RESHARD_DTYPE_I8);
    add("b.running", RESHARD_ROLE_BUFFER, RESHARD_DTYPE_F32);
    add("a.weight", RESHARD_ROLE_PARAMETER, RESHARD_DTYPE_F16);
    add("a.bias", RESHARD_ROLE_PARAMETER, RESHARD_DTYPE_BF16);
    ck_assert_int_eq(param_groups_open(&groups, model, &optimizer, NULL), RESHARD_OK);
}

static void begin(void)
{
    begin_with(RESHARD_OPTIMIZER_MUON);
}

static void end(void)
{
    reshard_groups_close(groups);
    reshard_model_close(model);
}

/* "name: members; values" of each group, then of each entry. */
static char *told(const struct reshard_groups *of)
{
    static char text[2048];
    char value[256];
    size_t used = 0;
    for (uint32_t g = 0; g < reshard_groups_count(of); g++) {
        used += (size_t)sprintf(text + used, "%s:", reshard_groups_name(of, g));
        for (uint32_t m = 0; m < reshard_groups_member_count(of, g); m++)
            used += (size_t)sprintf(text + used, " %s", reshard_groups_member(of, g, m));
        for (uint32_t v = 0; v < reshard_groups_value_count(of, g); v++)
            used += (size_t)sprintf(
                text + used, "; %s %s", reshard_groups_key(of, g, v),
                reshard_value_print(reshard_groups_value(of, g, v), value, sizeof(value)));
        used += (size_t)sprintf(text + used, "\n");
    }
    for (uint32_t e = 0; e < reshard_groups_entry_count(of); e++)
        for (uint32_t v = 0; v < reshard_groups_entry_value_count(of, e); v++)
            used += (size_t)sprintf(
                text + used, "%s: %s %s\n", reshard_groups_entry(of, e),
                reshard_groups_entry_key(of, e, v),
                reshard_value_print(reshard_groups_entry_value(of, e, v), value, sizeof(value)));
    return text;
}

START_TEST(groups_say_all_of_an_optimizer_in_order)
{
    ck_assert_str_eq(
        told(groups),
        "biases: b.bias a.bias; lr 0.001; betas (0.9, 0.999); eps 1e-08; weight_decay 0.25; "
        "momentum 0.95; nesterov True; from 1\n"
        "late: b.weight a.weight; lr 0.001; betas (0.9, 0.5); eps 1e-08; weight_decay 0.1; "
        "momentum 0.95; nesterov True; from 3\n"
        "default: norm; lr 0.001; betas (0.9, 0.999); eps 1e-08; weight_decay 0.1; momentum 0.95; "
        "nesterov True; from 1\n"
        "lr_scheduler: last_epoch 0\n");
}
END_TEST

START_TEST(the_default_group_is_there_though_nobody_is_in_it)
{
    static const char *const all[] = {"*"};
    const struct reshard_optimizer_group one = {
        .name = "all", .pattern = all, .pattern_count = 1, .hyper = optimizer.hyper};
    struct reshard_groups *made = NULL;
    optimizer.group = &one;
    optimizer.group_count = 1;
    ck_assert_int_eq(param_groups_open(&made, model, &optimizer, NULL), RESHARD_OK);
    ck_assert_uint_eq(reshard_groups_count(made), 2);
    ck_assert_str_eq(reshard_groups_name(made, 1), "default");
    ck_assert_uint_eq(reshard_groups_member_count(made, 1), 0);
    reshard_groups_close(made);
}
END_TEST

START_TEST(without_an_optimizer_there_are_none)
{
    struct reshard_groups *made = groups;
    optimizer.name = RESHARD_OPTIMIZER_NONE;
    ck_assert_int_eq(param_groups_open(&made, model, &optimizer, NULL), RESHARD_OK);
    ck_assert_ptr_null(made);
}
END_TEST

static bool same_hyper(const struct reshard_hyper *a, const struct reshard_hyper *b)
{
    return a->lr == b->lr && a->beta1 == b->beta1 && a->beta2 == b->beta2 && a->eps == b->eps &&
           a->weight_decay == b->weight_decay && a->momentum == b->momentum &&
           a->nesterov == b->nesterov && a->amsgrad == b->amsgrad && a->block == b->block &&
           a->from == b->from;
}

/* With every hyperparameter of the optimizer's own exchanged for nonsense: what comes back is the
 * groups'. */
START_TEST(groups_given_back_are_the_optimizer_again)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_optimizer back;
    struct reshard_optimizer_group blank[2];
    struct reshard_optimizer other;
    end();
    begin_with((enum reshard_optimizer_name)_i);
    other = optimizer;
    memcpy(blank, group, sizeof(blank));
    for (int g = 0; g < 2; g++)
        blank[g].hyper.lr = blank[g].hyper.weight_decay = -7;
    other.group = blank;
    other.hyper.lr = other.hyper.weight_decay = -7;
    other.hyper.from = 99;
    ck_assert_msg(param_groups_optimizer(&back, groups, &other, &error) == RESHARD_OK, "%s",
                  error.text);
    ck_assert_int_eq(back.name, optimizer.name);
    ck_assert(same_hyper(&back.hyper, &optimizer.hyper));
    ck_assert_uint_eq(back.group_count, 2);
    for (int g = 0; g < 2; g++) {
        ck_assert_str_eq(back.group[g].name, group[g].name);
        ck_assert_ptr_eq(back.group[g].pattern, group[g].pattern);
        ck_assert(same_hyper(&back.group[g].hyper, &group[g].hyper));
    }
    param_groups_release_optimizer(&back);
}
END_TEST

START_TEST(the_step_is_that_of_the_training_or_damage)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    ck_assert_int_eq(param_groups_check_step(groups, 0, NULL), RESHARD_OK);
    ck_assert_int_eq(param_groups_set_step(groups, 5, NULL), RESHARD_OK);
    ck_assert_uint_eq(reshard_groups_entry_count(groups), 1);
    ck_assert_int_eq(param_groups_check_step(groups, 5, NULL), RESHARD_OK);
    ck_assert_int_eq(param_groups_check_step(groups, 4, &error), RESHARD_EFORMAT);
    ck_assert_str_eq(error.text,
                     "lr_scheduler: last_epoch is 5, but the state is of training step 4");
}
END_TEST

START_TEST(a_lost_step_is_damage)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_groups *empty = NULL;
    ck_assert_int_eq(reshard_groups_open(&empty), RESHARD_OK);
    ck_assert_int_eq(param_groups_check_step(empty, 0, &error), RESHARD_EFORMAT);
    ck_assert_ptr_nonnull(strstr(error.text, "last_epoch is missing"));
    reshard_groups_close(empty);
}
END_TEST

START_TEST(what_is_spoiled_has_no_value_left)
{
    struct reshard_groups *spoiled = NULL;
    ck_assert_int_eq(reshard_groups_copy(&spoiled, groups), RESHARD_OK);
    ck_assert_int_eq(param_groups_spoil(spoiled, NULL), RESHARD_OK);
    for (uint32_t g = 0; g < reshard_groups_count(groups); g++) {
        ck_assert_str_eq(reshard_groups_name(spoiled, g), reshard_groups_name(groups, g));
        ck_assert_uint_eq(reshard_groups_member_count(spoiled, g),
                          reshard_groups_member_count(groups, g));
        ck_assert_uint_eq(reshard_groups_value_count(spoiled, g),
                          reshard_groups_value_count(groups, g));
        for (uint32_t v = 0; v < reshard_groups_value_count(groups, g); v++) {
            const struct reshard_value *was = reshard_groups_value(groups, g, v);
            const struct reshard_value *is = reshard_groups_value(spoiled, g, v);
            ck_assert_int_eq(is->kind, was->kind);
            ck_assert_uint_eq(is->count, was->count);
            ck_assert(!reshard_value_equal(is, was));
            for (uint32_t i = 0; i < was->count; i++)
                ck_assert(!reshard_value_equal(&is->item[i], &was->item[i]));
        }
    }
    ck_assert_int_eq(param_groups_check_step(spoiled, 0, NULL), RESHARD_EFORMAT);
    reshard_groups_close(spoiled);
}
END_TEST

/* ---- differences ---- */

static void set_number(const char *name, const char *key, double number)
{
    const struct reshard_value value = {.kind = RESHARD_VALUE_NUMBER, .number = number};
    uint32_t g = 0;
    ck_assert_int_eq(reshard_groups_find(groups, name, &g), RESHARD_OK);
    ck_assert_int_eq(reshard_groups_set(groups, g, key, &value, NULL), RESHARD_OK);
}

static void exchange_values(void)
{
    set_number("biases", "weight_decay", 0.1);
    set_number("default", "weight_decay", 0.25);
}

static void lose_a_bit(void)
{
    set_number("late", "lr", 0.0010000000000000002);
}

static void add_a_value(void)
{
    set_number("default", "eps2", 1);
}

static void add_a_group(void)
{
    ck_assert_int_eq(reshard_groups_add(groups, "more", NULL), RESHARD_OK);
}

static void add_a_member(void)
{
    ck_assert_int_eq(reshard_groups_add_member(groups, 2, "b.codes", NULL), RESHARD_OK);
}

static void add_an_entry(void)
{
    const struct reshard_value value = {.kind = RESHARD_VALUE_NONE};
    ck_assert_int_eq(reshard_groups_set_entry(groups, "grad_scaler", "scale", &value, NULL),
                     RESHARD_OK);
}

static void set_the_step(void)
{
    ck_assert_int_eq(param_groups_set_step(groups, 1, NULL), RESHARD_OK);
}

static void change_keys(void)
{
    reshard_groups_set_keys(groups, RESHARD_KEYS_IDS);
}

/* Make the groups anew for an optimizer and a model that were changed. */
static void make_anew(void)
{
    reshard_groups_close(groups);
    ck_assert_int_eq(param_groups_open(&groups, model, &optimizer, NULL), RESHARD_OK);
}

static void exchange_groups(void)
{
    const struct reshard_optimizer_group exchanged[] = {group[1], group[0]};
    optimizer.group = exchanged;
    make_anew();
    optimizer.group = group;
}

static void rename_a_group(void)
{
    struct reshard_optimizer_group renamed[] = {group[0], group[1]};
    renamed[1].name = "lately";
    optimizer.group = renamed;
    make_anew();
    optimizer.group = group;
}

static void move_a_member(void)
{
    struct reshard_optimizer_group moved[] = {group[0], group[1]};
    moved[1].pattern = (const char *const[]){"b.*", "norm"};
    optimizer.group = moved;
    make_anew();
    optimizer.group = group;
}

static void use_another_key(void)
{
    optimizer.name = RESHARD_OPTIMIZER_ADAMW;
    make_anew();
}

static const struct {
    void (*change)(void);
    const char *says;
} differences[] = {
    {exchange_values, "param group 'biases': weight_decay is 0.1, not 0.25"},
    {lose_a_bit, "param group 'late': lr is 0.0010000000000000002, not 0.001"},
    {add_a_value, "param group 'default': values: 8, not 7"},
    {add_a_group, "param groups: 4, not 3"},
    {add_a_member, "param group 'default': members: 2, not 1"},
    {add_an_entry, "entries: 2, not 1"},
    {set_the_step, "entry 'lr_scheduler': last_epoch is 1, not 0"},
    {change_keys, "param groups are keyed by names on one side alone"},
    {exchange_groups, "param group 'biases': param group 0 is 'late', not 'biases'"},
    {rename_a_group, "param group 'late': param group 1 is 'lately', not 'late'"},
    {move_a_member, "param group 'late': member 1 is 'norm', not 'a.weight'"},
    {use_another_key, "param group 'biases': values: 6, not 7"},
};

START_TEST(every_difference_is_seen_and_named)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_groups *expected = NULL;
    ck_assert_int_eq(reshard_groups_copy(&expected, groups), RESHARD_OK);
    ck_assert_int_eq(param_groups_check(groups, expected, NULL), RESHARD_OK);
    differences[_i].change();
    ck_assert_int_eq(param_groups_check(groups, expected, &error), RESHARD_EDIGEST);
    ck_assert_str_eq(error.text, differences[_i].says);
    reshard_groups_close(expected);
}
END_TEST

/* ---- what cannot be trained with ---- */

static void lose_a_group(void)
{
    struct reshard_optimizer one = optimizer;
    one.group_count = 1;
    reshard_groups_close(groups);
    ck_assert_int_eq(param_groups_open(&groups, model, &one, NULL), RESHARD_OK);
}

static void use_another_kind(void)
{
    set_number("late", "nesterov", 1);
}

static const struct {
    void (*change)(void);
    const char *says;
} unusable[] = {
    {lose_a_group, "param group 'late' is lost"},
    {use_another_kind, "param group 'late': nesterov cannot be 1.0"},
    {use_another_key, "param group 'default': momentum is lost"},
};

START_TEST(groups_that_are_no_optimizer_are_damage)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    const struct reshard_optimizer whole = optimizer;
    struct reshard_optimizer back;
    unusable[_i].change();
    ck_assert_int_eq(param_groups_optimizer(&back, groups, &whole, &error), RESHARD_EFORMAT);
    ck_assert_str_eq(error.text, unusable[_i].says);
    ck_assert_ptr_null(back.group);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("param_groups");
    TCase *cases = tcase_create("groups");
    tcase_add_checked_fixture(cases, begin, end);
    tcase_add_test(cases, groups_say_all_of_an_optimizer_in_order);
    tcase_add_test(cases, the_default_group_is_there_though_nobody_is_in_it);
    tcase_add_test(cases, without_an_optimizer_there_are_none);
    tcase_add_loop_test(cases, groups_given_back_are_the_optimizer_again, RESHARD_OPTIMIZER_SGD,
                        RESHARD_OPTIMIZER_COUNT);
    tcase_add_test(cases, the_step_is_that_of_the_training_or_damage);
    tcase_add_test(cases, a_lost_step_is_damage);
    tcase_add_test(cases, what_is_spoiled_has_no_value_left);
    tcase_add_loop_test(cases, every_difference_is_seen_and_named, 0,
                        (int)(sizeof(differences) / sizeof(*differences)));
    tcase_add_loop_test(cases, groups_that_are_no_optimizer_are_damage, 0,
                        (int)(sizeof(unusable) / sizeof(*unusable)));
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
