/*
 * The core without memory. Goal: an allocation that fails makes the call fail with ENOMEM, never
 * the process, and what it was to change is as before, so that the same call succeeds later.
 * Method: every allocation of every step of making a model and groups fails once.
 */
#include "core/groups.h"
#include "core/model.h"
#include "core/rekey.h"
#include "support/heap.h"

#include <check.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAMES = 400 }; /* the hash tables grow at 10 names a bucket: beyond 320 */

static struct reshard_model *model;
static struct reshard_groups *groups;

static void open_both(void)
{
    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    ck_assert_int_eq(reshard_groups_open(&groups), RESHARD_OK);
}

static void close_both(void)
{
    reshard_groups_close(groups);
    reshard_model_close(model);
}

/* Of the i-th of many names, each step that adds something. */
static enum reshard_status add_tensor(int i)
{
    const struct reshard_shape shape = {1, {8}};
    char fqn[32], unit[32];

    snprintf(fqn, sizeof fqn, "layer.%d.weight", i);
    snprintf(unit, sizeof unit, "layer.%d", i);
    return reshard_model_add(model, fqn, unit, RESHARD_DTYPE_F32, &shape, NULL);
}

static enum reshard_status add_slot(int i)
{
    const struct reshard_slot slot = {.slot = "exp_avg", .dtype = RESHARD_DTYPE_F32};
    char fqn[32];

    snprintf(fqn, sizeof fqn, "layer.%d.weight", i);
    return reshard_model_add_state(model, fqn, &slot, NULL);
}

static enum reshard_status add_tie(int i)
{
    char fqn[32], alias[32];

    snprintf(fqn, sizeof fqn, "layer.%d.weight", i);
    snprintf(alias, sizeof alias, "again.%d", i);
    return reshard_model_tie(model, alias, fqn, NULL);
}

static enum reshard_status add_group(int i)
{
    char name[32];

    snprintf(name, sizeof name, "group %d", i);
    return reshard_groups_add(groups, name, NULL);
}

static enum reshard_status add_member(int i)
{
    char fqn[32];

    snprintf(fqn, sizeof fqn, "layer.%d.weight", i);
    return reshard_groups_add_member(groups, (uint32_t)i / 2, fqn, NULL);
}

static enum reshard_status set_value(int i)
{
    const struct reshard_value items[] = {
        {.kind = RESHARD_VALUE_STRING, .string = "text"},
        {.kind = RESHARD_VALUE_INTEGER, .integer = i},
        {.kind = RESHARD_VALUE_STRING, .string = "more"},
    };
    const struct reshard_value value = {.kind = RESHARD_VALUE_TUPLE, .item = items, .count = 3};
    char key[32];

    snprintf(key, sizeof key, "key %d", i / 2); /* every other one replaces */
    return reshard_groups_set(groups, 0, key, &value, NULL);
}

static enum reshard_status set_entry(int i)
{
    const struct reshard_value value = {.kind = RESHARD_VALUE_STRING, .string = "text"};
    char entry[32];

    snprintf(entry, sizeof entry, "entry %d", i);
    return reshard_groups_set_entry(groups, entry, "key", &value, NULL);
}

static enum reshard_status (*const steps[])(int) = {add_tensor, add_slot,  add_tie,  add_group,
                                                    add_member, set_value, set_entry};

/* All that a call may change, as numbers. */
struct seen {
    uint64_t model, groups;
    uint32_t tensors, units, ties, groups_count, entries;
};

static struct seen look(void)
{
    return (struct seen){reshard_model_hash(model),         reshard_groups_hash(groups),
                         reshard_model_tensor_count(model), reshard_model_unit_count(model),
                         reshard_model_tie_count(model),    reshard_groups_count(groups),
                         reshard_groups_entry_count(groups)};
}

static void check_unchanged(const struct seen *before, const char *what, int i, uint64_t n)
{
    const struct seen now = look();

    ck_assert_msg(now.model == before->model && now.groups == before->groups &&
                      now.tensors == before->tensors && now.units == before->units &&
                      now.ties == before->ties && now.groups_count == before->groups_count &&
                      now.entries == before->entries,
                  "%s %d: allocation %" PRIu64 " failed, and something has changed all the same",
                  what, i, n);
}

START_TEST(a_step_that_fails_changes_nothing_and_can_be_done_again)
{
    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
        for (int i = 0; i < NAMES; i++) {
            const struct seen before = look();
            enum reshard_status status = RESHARD_ENOMEM;
            for (uint64_t n = 1; status; n++) {
                heap_fail_at(n);
                status = steps[s](i);
                if (heap_has_failed())
                    ck_assert_int_eq(status, RESHARD_ENOMEM);
                else
                    ck_assert_int_eq(status, RESHARD_OK);
                if (status)
                    check_unchanged(&before, "step", i, n);
            }
        }
    }
    ck_assert_uint_eq(reshard_model_tensor_count(model), 2 * NAMES);
    ck_assert_uint_eq(reshard_model_unit_count(model), NAMES + 1);
    ck_assert_uint_eq(reshard_model_tie_count(model), NAMES);
    ck_assert_uint_eq(reshard_groups_entry_count(groups), NAMES);
    for (int i = 0; i < NAMES; i++) {
        char fqn[32];
        uint32_t t, g;
        snprintf(fqn, sizeof fqn, "layer.%d.weight", i);
        ck_assert_int_eq(reshard_model_find(model, fqn, "exp_avg", &t), RESHARD_OK);
        ck_assert_uint_eq(t, (uint32_t)(NAMES + i));
        ck_assert_int_eq(reshard_groups_of(groups, fqn, &g), RESHARD_OK);
        ck_assert_uint_eq(g, (uint32_t)i / 2);
    }
}
END_TEST

static bool failed; /* an allocation has, in the last of the following */

static enum reshard_status copy_model(void)
{
    struct reshard_model *copy = NULL;
    const enum reshard_status status = reshard_model_copy(&copy, model, false);

    failed = heap_has_failed(); /* what Check allocates is not to fail */
    ck_assert(status ? copy == NULL : reshard_model_hash(copy) == reshard_model_hash(model));
    reshard_model_close(copy);
    return status;
}

static enum reshard_status copy_groups(void)
{
    struct reshard_groups *copy = NULL;
    const enum reshard_status status = reshard_groups_copy(&copy, groups);

    failed = heap_has_failed();
    ck_assert(status ? copy == NULL : reshard_groups_hash(copy) == reshard_groups_hash(groups));
    reshard_groups_close(copy);
    return status;
}

static enum reshard_status rekey(void)
{
    struct reshard_model *by_id = NULL;
    struct reshard_groups *ids = NULL;
    const enum reshard_status status =
        reshard_rekey(&by_id, &ids, model, groups, RESHARD_KEYS_IDS, NULL, NULL);

    failed = heap_has_failed();
    ck_assert(status ? !by_id && !ids : by_id && ids);
    reshard_groups_close(ids);
    reshard_model_close(by_id);
    return status;
}

static enum reshard_status (*const wholes[])(void) = {copy_model, copy_groups, rekey};

START_TEST(a_copy_is_whole_or_there_is_none_and_nothing_is_lost)
{
    enum reshard_status status = RESHARD_ENOMEM;

    for (int i = 0; i < 6; i++)
        for (size_t s = 0; s < sizeof steps / sizeof *steps; s++)
            ck_assert_int_eq(steps[s](i), RESHARD_OK);
    for (uint64_t n = 1; status; n++) {
        const int64_t before = heap_blocks();
        heap_fail_at(n);
        status = wholes[_i]();
        ck_assert_msg(status == (failed ? RESHARD_ENOMEM : RESHARD_OK),
                      "allocation %" PRIu64 " failed, and the call returned %s", n,
                      reshard_status_name(status));
        ck_assert_int_eq(heap_blocks(), before);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("no memory");
    TCase *cases = tcase_create("no memory");
    SRunner *runner = srunner_create(suite);
    int failures;

    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, open_both, close_both);
    tcase_add_test(cases, a_step_that_fails_changes_nothing_and_can_be_done_again);
    tcase_add_loop_test(cases, a_copy_is_whole_or_there_is_none_and_nothing_is_lost, 0,
                        (int)(sizeof wholes / sizeof *wholes));
    suite_add_tcase(suite, cases);
    srunner_run_all(runner, CK_NORMAL);
    failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
