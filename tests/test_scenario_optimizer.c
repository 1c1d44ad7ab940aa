/*
 * The optimizer of a scenario: its hyperparameters and groups as written, as defaulted and as
 * inherited, and what is said of wrong ones. Goal: no key is taken by an optimizer that does not
 * use it, none is lost, and no parameter is in another group than the file says. Method: files are
 * written into a fresh folder; a table of its own says what each optimizer uses and has by default.
 */
#include "sim/hyper.h"
#include "sim/optimizer.h"
#include "sim/scenario.h"
#include "support/written.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "scenario: 1\nname: case\nabout: An optimizer.\n"
#define TAIL "\nsteps: [{start: {ranks: 2, layout: fsdp2}}]\n"
/* The optimizer's own keys begin in column 13 of line 5. */
#define LINEAR(optimizer) HEAD "model: linear-4x4\noptimizer: " optimizer TAIL
#define MODEL                                                                                      \
    HEAD "model: {tensors: {a.weight: [4, 4], a.bias: [4], b.weight: [2, 2], b.bias: [2], "        \
         "c: {shape: [3], role: frozen}}, ties: {d: a.weight}}\n"

/* By hand from scenarios/TRAINING.md, not from the table under test. */
static const struct {
    const char *name;
    enum reshard_optimizer_name value;
    const char *used;
    struct reshard_hyper hyper;
} optimizers[] = {
    {"sgd",
     RESHARD_OPTIMIZER_SGD,
     "lr, weight_decay, momentum, nesterov, from",
     {1e-3, 0.9, 0.999, 1e-8, 0, 0, false, false, 256, 1}},
    {"adam",
     RESHARD_OPTIMIZER_ADAM,
     "lr, betas, eps, weight_decay, amsgrad, from",
     {1e-3, 0.9, 0.999, 1e-8, 0, 0, false, false, 256, 1}},
    {"adamw",
     RESHARD_OPTIMIZER_ADAMW,
     "lr, betas, eps, weight_decay, amsgrad, from",
     {1e-3, 0.9, 0.999, 1e-8, 0.01, 0, false, false, 256, 1}},
    {"adafactor",
     RESHARD_OPTIMIZER_ADAFACTOR,
     "lr, weight_decay, from",
     {1e-3, 0.9, 0.999, 1e-8, 0, 0, false, false, 256, 1}},
    {"adam8bit",
     RESHARD_OPTIMIZER_ADAM8BIT,
     "lr, betas, eps, weight_decay, block, from",
     {1e-3, 0.9, 0.999, 1e-8, 0, 0, false, false, 256, 1}},
    {"muon",
     RESHARD_OPTIMIZER_MUON,
     "lr, betas, eps, weight_decay, momentum, nesterov, from",
     {1e-3, 0.9, 0.999, 1e-8, 0.1, 0.95, true, false, 256, 1}},
};
enum { OPTIMIZERS = sizeof(optimizers) / sizeof(optimizers[0]) };

/* A value of each key that is nobody's default. */
static const struct {
    const char *key;
    const char *text;
} given[] = {
    {"lr", "0.5"},         {"betas", "[0.25, 0.75]"}, {"eps", "0.125"},    {"weight_decay", "2"},
    {"momentum", "0.375"}, {"nesterov", "false"},     {"amsgrad", "true"}, {"block", "7"},
    {"from", "9"},
};
enum { KEYS = sizeof(given) / sizeof(given[0]) };

static void assert_same_hyper(const struct reshard_hyper *a, const struct reshard_hyper *b)
{
    ck_assert(a->lr == b->lr);
    ck_assert(a->beta1 == b->beta1 && a->beta2 == b->beta2);
    ck_assert(a->eps == b->eps);
    ck_assert(a->weight_decay == b->weight_decay);
    ck_assert(a->momentum == b->momentum);
    ck_assert_int_eq(a->nesterov, b->nesterov);
    ck_assert_int_eq(a->amsgrad, b->amsgrad);
    ck_assert_uint_eq(a->block, b->block);
    ck_assert_uint_eq(a->from, b->from);
}

START_TEST(an_optimizer_alone_has_the_documented_hyperparameters)
{
    char text[512];
    (void)snprintf(text, sizeof(text), LINEAR("%s"), optimizers[_i].name);
    struct scenario *s = written_valid(text);
    ck_assert_int_eq(s->optimizer.name, optimizers[_i].value);
    ck_assert_int_eq(s->optimizer.dtype, RESHARD_DTYPE_F32);
    ck_assert_uint_eq(s->optimizer.group_count, 0);
    assert_same_hyper(&s->optimizer.hyper, &optimizers[_i].hyper);
    scenario_close(s);
}
END_TEST

static bool is_used(const char *used, const char *key)
{
    const char *at = strstr(used, key);
    return at && (at == used || at[-1] == ' ') && strchr(", ", at[strlen(key)]) != NULL;
}

/* Each optimizer with each key alone: taken, or refused by both names and with what it uses. */
START_TEST(a_key_is_taken_by_the_optimizers_that_use_it_and_refused_by_the_others)
{
    const unsigned which = (unsigned)_i / KEYS;
    const unsigned key = (unsigned)_i % KEYS;
    char text[512];
    char heads[512];
    (void)snprintf(text, sizeof(text), LINEAR("{name: %s, %s: %s}"), optimizers[which].name,
                   given[key].key, given[key].text);
    if (!is_used(optimizers[which].used, given[key].key)) {
        (void)snprintf(heads, sizeof(heads),
                       "5:%zu: error: '%s' says nothing about the optimizer %s, which uses %s\n",
                       strlen("optimizer: {name: , ") + strlen(optimizers[which].name) + 1,
                       given[key].key, optimizers[which].name, optimizers[which].used);
        written_refused(text, heads);
        return;
    }
    struct scenario *s = written_valid(text);
    struct reshard_hyper expected = optimizers[which].hyper;
    const struct reshard_hyper taken = {.lr = 0.5,
                                        .beta1 = 0.25,
                                        .beta2 = 0.75,
                                        .eps = 0.125,
                                        .weight_decay = 2,
                                        .momentum = 0.375,
                                        .nesterov = false,
                                        .amsgrad = true,
                                        .block = 7,
                                        .from = 9};
    struct reshard_value item[2];
    const struct reshard_value value = hyper_value(&taken, (enum hyper_key)key, item);
    ck_assert(hyper_take(&expected, (enum hyper_key)key, &value));
    assert_same_hyper(&s->optimizer.hyper, &expected);
    scenario_close(s);
}
END_TEST

START_TEST(every_key_is_its_own_value_and_takes_no_other_kind)
{
    const struct reshard_hyper hyper = {0.5, 0.25, 0.75, 0.125, 2, 0.375, true, true, 7, 9};
    const struct reshard_value none = {.kind = RESHARD_VALUE_NONE};
    const struct reshard_value negative = {.kind = RESHARD_VALUE_INTEGER, .integer = -1};
    struct reshard_hyper back = {0};
    for (int i = 0; i < HYPER_COUNT; i++) {
        const enum hyper_key key = (enum hyper_key)i;
        struct reshard_value item[2];
        struct reshard_value value = hyper_value(&hyper, key, item);
        const struct reshard_hyper before = back;
        ck_assert_str_eq(hyper_key_text(key), given[i].key);
        ck_assert(!hyper_take(&back, key, &none));
        ck_assert(!hyper_take(&back, key, &negative));
        if (value.kind == RESHARD_VALUE_TUPLE) {
            const struct reshard_value mixed[2] = {item[0], none};
            const struct reshard_value shorter = {
                .kind = RESHARD_VALUE_TUPLE, .item = item, .count = 1};
            const struct reshard_value wrong = {
                .kind = RESHARD_VALUE_TUPLE, .item = mixed, .count = 2};
            ck_assert(!hyper_take(&back, key, &shorter));
            ck_assert(!hyper_take(&back, key, &wrong));
        }
        assert_same_hyper(&back, &before);
        ck_assert(hyper_take(&back, key, &value));
    }
    assert_same_hyper(&back, &hyper);
}
END_TEST

/* ---- groups ---- */

static const char grouped[] =
    MODEL "optimizer:\n"
          "  name: adam\n"
          "  lr: 0.5\n"
          "  weight_decay: 0.25\n"
          "  groups:\n"
          "    - {name: biases, match: [\"*.bias\"], weight_decay: 0, betas: [0.5, 0.75]}\n"
          "    - {name: b, match: [a.weight, \"b.*\"], amsgrad: true, from: 4}\n" TAIL;

START_TEST(a_group_has_its_own_hyperparameters_and_else_the_optimizers)
{
    struct scenario *s = written_valid(grouped);
    const struct reshard_optimizer *optimizer = &s->optimizer;
    struct reshard_hyper expected = reshard_optimizer_defaults(RESHARD_OPTIMIZER_ADAM);
    expected.lr = 0.5;
    expected.weight_decay = 0.25;
    ck_assert_uint_eq(optimizer->group_count, 2);
    assert_same_hyper(&optimizer->hyper, &expected);
    ck_assert_str_eq(optimizer->group[1].name, "b");
    ck_assert_uint_eq(optimizer->group[1].pattern_count, 2);
    ck_assert_str_eq(optimizer->group[1].pattern[0], "a.weight");
    ck_assert_str_eq(optimizer->group[1].pattern[1], "b.*");
    expected.amsgrad = true;
    expected.from = 4;
    assert_same_hyper(&optimizer->group[1].hyper, &expected);
    expected.amsgrad = false;
    expected.from = 1;
    expected.weight_decay = 0;
    expected.beta1 = 0.5;
    expected.beta2 = 0.75;
    ck_assert_str_eq(optimizer->group[0].name, "biases");
    assert_same_hyper(&optimizer->group[0].hyper, &expected);
    scenario_close(s);
}
END_TEST

static bool has_slot(const struct scenario *s, const char *fqn, const char *slot)
{
    uint32_t index = 0;
    return reshard_model_find(s->model, fqn, slot, &index) == RESHARD_OK;
}

START_TEST(a_parameter_has_the_slots_of_the_first_group_that_matches_it)
{
    struct scenario *s = written_valid(grouped);
    ck_assert(has_slot(s, "b.weight", "max_exp_avg_sq"));
    ck_assert(has_slot(s, "a.weight", "max_exp_avg_sq"));
    ck_assert(!has_slot(s, "b.bias", "max_exp_avg_sq"));
    ck_assert(has_slot(s, "b.bias", "exp_avg"));
    ck_assert(!has_slot(s, "c", "exp_avg"));
    scenario_close(s);
}
END_TEST

START_TEST(a_copy_owns_its_groups)
{
    struct scenario *s = written_valid(grouped);
    struct reshard_optimizer copy;
    ck_assert_int_eq(optimizer_copy(&copy, &s->optimizer), RESHARD_OK);
    scenario_close(s);
    ck_assert_uint_eq(copy.group_count, 2);
    ck_assert_str_eq(copy.group[0].name, "biases");
    ck_assert_str_eq(copy.group[1].pattern[1], "b.*");
    ck_assert(copy.group[0].hyper.beta1 == 0.5);
    optimizer_release(&copy);
    ck_assert_uint_eq(copy.group_count, 0);
    optimizer_release(&copy);
}
END_TEST

/* ---- wrong ---- */

#define GROUPS(list) MODEL "optimizer: {name: sgd, groups: [" list "]}" TAIL

static const struct {
    const char *text;
    const char *heads;
} wrong[] = {
    {LINEAR("adan"), "5:12: error: 'optimizer' must be one of none, sgd, adam, adamw, adafactor, "
                     "adam8bit, muon, not 'adan'; did you mean 'adam'?\n"},
    {LINEAR("{name: adamw, betas: [0.9]}"), "5:33: error: 'betas' must have 2 values, not 1\n"},
    {LINEAR("{name: adamw, betas: [0.9, 1]}"),
     "5:39: error: a beta is below 1, or nothing is ever forgotten\n"},
    {LINEAR("{name: adamw, betas: [0.9, 1.5]}"),
     "5:39: error: each of 'betas' must be a number from 0 to 1, not '1.5'\n"},
    {LINEAR("{name: sgd, momentum: 1.0}"),
     "5:34: error: 'momentum' is below 1, or nothing is ever forgotten\n"},
    {LINEAR("{name: sgd, nesterov: true}"),
     "5:34: error: 'nesterov' needs a momentum above 0, such as momentum: 0.9\n"},
    {LINEAR("{name: muon, momentum: 0}"),
     "5:35: error: 'nesterov' needs a momentum above 0, such as momentum: 0.9\n"},
    {LINEAR("{name: sgd, momentum: -0.5}"),
     "5:34: error: 'momentum' must be a number from 0 to 1, not '-0.5'\n"},
    {LINEAR("{name: sgd, nesterov: yes}"),
     "5:34: error: 'nesterov' must be true or false, not 'yes'\n"},
    {LINEAR("{name: adam8bit, block: 0}"),
     "5:36: error: 'block' must be a whole number from 1 to 1073741824, not '0'\n"},
    {LINEAR("{name: adam, from: 0}"),
     "5:31: error: 'from' must be a whole number from 1 to 16777216, not '0'\n"},
    {LINEAR("{name: none, lr: 1}"), "5:25: error: 'lr' says nothing about the optimizer none\n"},
    {LINEAR("{name: none, groups: [{name: a, match: [weight]}]}"),
     "5:25: error: 'groups' says nothing about the optimizer none\n"},
    {LINEAR("{name: adamw, group: []}"),
     "5:26: error: unknown key 'group' in 'optimizer'; did you mean 'groups'?\n"},
    {LINEAR("none\nprecision: {optimizer: f32}"),
     "6:13: error: there is no optimizer whose states could be f32; add optimizer: adamw\n"},
    {LINEAR("adam8bit\nprecision: {optimizer: f32}"),
     "6:13: error: all states of adam8bit have dtypes of their own; leave 'optimizer' out\n"},
    {GROUPS(""), "5:32: error: 'groups' must not be empty\n"},
    {GROUPS("{name: g}"),
     "5:33: error: a group lacks 'match': patterns of its parameters' names; those of groups "
     "before it are not in it\n"},
    {GROUPS("{match: [a.bias]}"),
     "5:33: error: a group lacks 'name': what the group is known by; not default\n"},
    {GROUPS("{name: g, match: a.bias}"),
     "5:50: error: 'match' must be a list: patterns of its parameters' names; those of groups "
     "before it are not in it\n"},
    {GROUPS("{name: g, match: []}"), "5:50: error: 'match' must not be empty\n"},
    {GROUPS("{name: default, match: [a.bias]}"),
     "5:40: error: 'default' is the group of the parameters that are in no other; choose another "
     "name\n"},
    {GROUPS("{name: default, match: [a.bias]}, {name: default, match: [b.bias]}"),
     "5:40: error: 'default' is the group of the parameters that are in no other; choose another "
     "name\n"
     "5:74: error: 'default' is the group of the parameters that are in no other; choose another "
     "name\n"},
    {GROUPS("{name: g, match: [a.bias]}, {name: g, match: [b.bias]}"),
     "5:68: error: 'g' is a group in line 5 already\n"},
    {GROUPS("{name: g, match: [\"{i}.{i}\"]}"),
     "5:51: error: a pattern is not empty, and has at most one {i} and 8 stars\n"},
    {GROUPS("{name: g, match: [\"*********\"]}"),
     "5:51: error: a pattern is not empty, and has at most one {i} and 8 stars\n"},
    {GROUPS("{name: g, match: [a.bais]}"),
     "5:51: error: 'a.bais' matches no trained parameter; did you mean 'a.bias'?\n"},
    {GROUPS("{name: g, match: [a.bias, \"*.scale\"]}"),
     "5:59: error: '*.scale' matches no trained parameter\n"},
    {GROUPS("{name: g, match: [c]}"), "5:51: error: 'c' matches no trained parameter\n"},
    {GROUPS("{name: g, match: [d]}"),
     "5:51: error: 'd' is a second name of 'a.weight', by which groups go\n"},
    {GROUPS("{name: g, match: [\"*.bias\"]}, {name: late, match: [b.bias]}"),
     "5:70: error: 'late' matches no trained parameter that is not in a group before it\n"},
    {GROUPS("{name: g, match: [a.bias], betas: [0.5, 0.5]}"),
     "5:60: error: 'betas' says nothing about the optimizer sgd, which uses lr, weight_decay, "
     "momentum, nesterov, from\n"},
    {GROUPS("{name: g, match: [a.bias], momentum: 1}"),
     "5:70: error: 'momentum' is below 1, or nothing is ever forgotten\n"},
    {GROUPS("{name: g, match: [a.bias], groups: []}"),
     "5:60: error: unknown key 'groups' in a group; known: name, match, lr, betas, eps, "
     "weight_decay, momentum, nesterov, amsgrad, block, from\n"},
};

START_TEST(each_wrong_optimizer_is_refused_with_exactly_this_message)
{
    written_refused(wrong[_i].text, wrong[_i].heads);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scenario_optimizer");
    TCase *keys = tcase_create("keys");
    TCase *groups = tcase_create("groups");
    TCase *invalid = tcase_create("wrong");
    tcase_add_unchecked_fixture(keys, written_begin, written_end);
    tcase_add_unchecked_fixture(groups, written_begin, written_end);
    tcase_add_unchecked_fixture(invalid, written_begin, written_end);
    tcase_add_loop_test(keys, an_optimizer_alone_has_the_documented_hyperparameters, 0, OPTIMIZERS);
    tcase_add_loop_test(keys,
                        a_key_is_taken_by_the_optimizers_that_use_it_and_refused_by_the_others, 0,
                        OPTIMIZERS * KEYS);
    tcase_add_test(keys, every_key_is_its_own_value_and_takes_no_other_kind);
    tcase_add_test(groups, a_group_has_its_own_hyperparameters_and_else_the_optimizers);
    tcase_add_test(groups, a_parameter_has_the_slots_of_the_first_group_that_matches_it);
    tcase_add_test(groups, a_copy_owns_its_groups);
    tcase_add_loop_test(invalid, each_wrong_optimizer_is_refused_with_exactly_this_message, 0,
                        (int)(sizeof(wrong) / sizeof(wrong[0])));
    suite_add_tcase(suite, keys);
    suite_add_tcase(suite, groups);
    suite_add_tcase(suite, invalid);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
