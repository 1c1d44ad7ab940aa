/*
 * The verifier's view of the engine's optimizers and param groups: every value goes to the member
 * of its name, and the slots that the engine makes of a model are, seen through the view, those
 * that the oracle knows.
 */
#include "sim/param_groups.h"
#include "sim/view.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const char *const first[] = {"none", "w*"};
static const char *const second[] = {"*"};

/* No two values are the same, as far as that can be. */
static struct reshard_hyper hyper_of(double base, bool nesterov)
{
    return (struct reshard_hyper){
        .lr = base + 1,
        .beta1 = base + 2,
        .beta2 = base + 3,
        .eps = base + 4,
        .weight_decay = base + 5,
        .momentum = base + 6,
        .nesterov = nesterov,
        .amsgrad = !nesterov,
        .block = (uint64_t)base + 7,
        .from = (uint64_t)base + 8,
    };
}

static void assert_hyper(const struct verify_hyper *hyper, double base, bool nesterov)
{
    ck_assert_double_eq(hyper->lr, base + 1);
    ck_assert_double_eq(hyper->beta1, base + 2);
    ck_assert_double_eq(hyper->beta2, base + 3);
    ck_assert_double_eq(hyper->eps, base + 4);
    ck_assert_double_eq(hyper->weight_decay, base + 5);
    ck_assert_double_eq(hyper->momentum, base + 6);
    ck_assert_int_eq(hyper->nesterov, nesterov);
    ck_assert_int_eq(hyper->amsgrad, !nesterov);
    ck_assert_uint_eq(hyper->block, (uint64_t)base + 7);
    ck_assert_uint_eq(hyper->from, (uint64_t)base + 8);
}

START_TEST(hyperparameters_and_groups_are_the_same)
{
    const struct reshard_optimizer_group groups[] = {{"a", first, 2, hyper_of(10, true)},
                                                     {"b", second, 1, hyper_of(20, false)}};
    const struct reshard_optimizer optimizer = {
        .name = RESHARD_OPTIMIZER_MUON,
        .dtype = RESHARD_DTYPE_BF16,
        .hyper = hyper_of(30, true),
        .group = groups,
        .group_count = 2,
    };
    struct view_optimizer view;

    ck_assert_int_eq(view_of_optimizer(&view, &optimizer), RESHARD_OK);
    ck_assert_int_eq(view.optimizer.name, VERIFY_MUON);
    ck_assert_int_eq(view.optimizer.state, RESHARD_DTYPE_BF16);
    assert_hyper(&view.optimizer.hyper, 30, true);
    ck_assert_uint_eq(view.optimizer.group_count, 2);
    assert_hyper(&view.optimizer.group[0].hyper, 10, true);
    assert_hyper(&view.optimizer.group[1].hyper, 20, false);
    ck_assert_ptr_eq(view.optimizer.group[0].pattern, first);
    ck_assert_uint_eq(view.optimizer.group[0].pattern_count, 2);
    ck_assert_ptr_eq(view.optimizer.group[1].pattern, second);
    ck_assert_uint_eq(view.optimizer.group[1].pattern_count, 1);
    view_optimizer_release(&view);
    ck_assert_ptr_null(view.optimizer.group);
    view_optimizer_release(&view);
}
END_TEST

static struct reshard_model *model_of(const struct reshard_optimizer *optimizer)
{
    static const struct {
        const char *fqn;
        enum reshard_dtype dtype;
        struct reshard_shape shape;
    } entries[] = {
        {"w", RESHARD_DTYPE_F32, {2, {3, 5}}}, {"x", RESHARD_DTYPE_BF16, {3, {2, 3, 4}}},
        {"b", RESHARD_DTYPE_F64, {1, {7}}},    {"s", RESHARD_DTYPE_F32, {0, {0}}},
        {"n", RESHARD_DTYPE_F16, {2, {0, 4}}}, {"i", RESHARD_DTYPE_I64, {1, {3}}},
    };
    struct reshard_model *model;

    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++)
        ck_assert_int_eq(
            reshard_model_add(model, entries[i].fqn, "", entries[i].dtype, &entries[i].shape, NULL),
            RESHARD_OK);
    ck_assert_int_eq(reshard_optimizer_extend(model, optimizer, NULL), RESHARD_OK);
    return model;
}

/* Every optimizer, with groups of which one has all that makes slots and one has not. */
START_TEST(the_oracle_knows_every_slot_that_the_engine_makes)
{
    const enum reshard_optimizer_name name = (enum reshard_optimizer_name)_i;
    struct reshard_optimizer_group group = {"a", first, 2, reshard_optimizer_defaults(name)};
    const struct reshard_optimizer optimizer = {
        .name = name,
        .dtype = RESHARD_DTYPE_BF16,
        .hyper = reshard_optimizer_defaults(name),
        .group = &group,
        .group_count = 1,
    };
    struct verify_oracle_options options = {.step = 3};
    struct verify_inventory inventory;
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct view_optimizer view;
    struct verify_oracle *oracle;
    struct reshard_model *model;

    group.hyper.amsgrad = true;
    group.hyper.momentum = 0.5;
    group.hyper.block = 4;
    group.hyper.from = 4;
    model = model_of(&optimizer);
    ck_assert_int_eq(view_of_model(&inventory, model), RESHARD_OK);
    ck_assert_int_eq(view_of_optimizer(&view, &optimizer), RESHARD_OK);
    options.inventory = &inventory;
    options.optimizer = view.optimizer;
    ck_assert_msg(verify_oracle_open(&oracle, &options, &error) == RESHARD_OK, "%s", error.text);
    view_optimizer_release(&view);
    for (uint32_t t = 0; t < inventory.tensor_count; t++) {
        const struct verify_tensor *tensor = &inventory.tensor[t];
        const bool late = strcmp(tensor->fqn, "w") == 0;

        ck_assert_int_eq(verify_oracle_absent(oracle, t), tensor->slot[0] && late);
    }
    verify_oracle_close(oracle);
    view_release(&inventory);
    reshard_model_close(model);
}
END_TEST

START_TEST(param_groups_of_a_training_are_the_same)
{
    const struct reshard_optimizer_group group = {"late", first, 2, hyper_of(10, true)};
    const struct reshard_optimizer optimizer = {.name = RESHARD_OPTIMIZER_ADAMW,
                                                .dtype = RESHARD_DTYPE_F32,
                                                .hyper = hyper_of(20, false),
                                                .group = &group,
                                                .group_count = 1};
    struct reshard_model *model = model_of(&optimizer);
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_groups *groups;
    struct verify_inventory inventory;
    struct verify_param_groups view;

    ck_assert_int_eq(view_of_model(&inventory, model), RESHARD_OK);
    ck_assert_int_eq(param_groups_open(&groups, model, &optimizer, &error), RESHARD_OK);
    ck_assert_int_eq(param_groups_set_step(groups, 9, &error), RESHARD_OK);
    ck_assert_msg(view_of_groups(&view, groups, &inventory, &error) == RESHARD_OK, "%s",
                  error.text);
    reshard_groups_close(groups);
    ck_assert(view.there && !view.ids);
    ck_assert_uint_eq(view.groups.count, 2);
    ck_assert_str_eq(view.groups.group[0].name, "late");
    ck_assert_uint_eq(view.groups.group[0].member_count, 1);
    ck_assert_str_eq(view.groups.group[0].member[0], "w");
    ck_assert_str_eq(view.groups.group[0].value[0].key, "lr");
    ck_assert_double_eq(view.groups.group[0].value[0].value.number, 11);
    ck_assert_uint_eq(view.groups.group[1].member_count, 4);
    ck_assert_double_eq(view.groups.group[1].value[0].value.number, 21);
    ck_assert_uint_eq(view.entries.count, 1);
    ck_assert_int_eq(view.entries.group[0].value[0].value.integer, 9);
    verify_param_groups_close(&view);
    ck_assert_int_eq(view_of_groups(&view, NULL, &inventory, &error), RESHARD_OK);
    ck_assert(!view.there);
    view_release(&inventory);
    reshard_model_close(model);
}
END_TEST

static Suite *suite(void)
{
    Suite *const all = suite_create("view");
    TCase *const optimizers = tcase_create("optimizers");

    tcase_add_test(optimizers, hyperparameters_and_groups_are_the_same);
    tcase_add_loop_test(optimizers, the_oracle_knows_every_slot_that_the_engine_makes, 0,
                        RESHARD_OPTIMIZER_COUNT);
    tcase_add_test(optimizers, param_groups_of_a_training_are_the_same);
    suite_add_tcase(all, optimizers);
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
