/*
 * The reference state of a job: ranks of one process share the oracle of a step, which may hold a
 * whole model; other steps and other worlds have their own, and what is let go is opened anew.
 */
#include "sim/reference.h"
#include "sim/view.h"

#include <check.h>
#include <stdlib.h>

/* A world of one matrix, trained by an optimizer whose oracle keeps it whole. */
struct subject {
    struct reshard_model *model;
    struct job job;
    struct world world;
};

static void setup(struct subject *subject, enum reshard_optimizer_name name)
{
    const struct reshard_shape shape = {2, {6, 4}};

    *subject = (struct subject){.job = {.seed = 3}};
    ck_assert_int_eq(reshard_model_open(&subject->model), RESHARD_OK);
    ck_assert_int_eq(
        reshard_model_add(subject->model, "weight", "", RESHARD_DTYPE_F32, &shape, NULL),
        RESHARD_OK);
    subject->job.optimizer.name = name;
    subject->job.optimizer.dtype = RESHARD_DTYPE_F32;
    subject->job.optimizer.hyper = reshard_optimizer_defaults(name);
    ck_assert_int_eq(reshard_optimizer_extend(subject->model, &subject->job.optimizer, NULL),
                     RESHARD_OK);
    subject->job.model = subject->model;
    subject->world.job = &subject->job;
    ck_assert_int_eq(view_of_model(&subject->world.inventory, subject->model), RESHARD_OK);
}

static void teardown(struct subject *subject)
{
    view_release(&subject->world.inventory);
    reshard_model_close(subject->model);
}

static const struct verify_oracle *acquire(const struct subject *subject, uint64_t step)
{
    const struct verify_oracle *oracle = NULL;
    struct reshard_error error = RESHARD_ERROR_INIT;

    ck_assert_msg(reference_acquire(&oracle, &subject->world, step, &error) == RESHARD_OK, "%s",
                  error.text);
    ck_assert_uint_eq(verify_oracle_step(oracle), step);
    return oracle;
}

START_TEST(ranks_share_the_oracle_of_a_step)
{
    struct subject subject;
    setup(&subject, RESHARD_OPTIMIZER_ADAFACTOR);
    const struct verify_oracle *first = acquire(&subject, 2);
    const struct verify_oracle *ahead = acquire(&subject, 3);

    ck_assert_ptr_eq(acquire(&subject, 2), first);
    ck_assert_ptr_ne(ahead, first);
    reference_release(first);
    ck_assert_ptr_eq(acquire(&subject, 2), first);
    reference_release(first);
    reference_release(first);
    ck_assert_uint_eq(verify_oracle_step(acquire(&subject, 3)), 3);
    reference_release(ahead);
    reference_release(ahead);
    reference_release(NULL);
    teardown(&subject);
}
END_TEST

START_TEST(worlds_have_their_own)
{
    struct subject one, other;
    setup(&one, RESHARD_OPTIMIZER_ADAM8BIT);
    setup(&other, RESHARD_OPTIMIZER_ADAFACTOR);
    const struct verify_oracle *first = acquire(&one, 1);
    const struct verify_oracle *second = acquire(&other, 1);

    ck_assert_ptr_ne(first, second);
    ck_assert_ptr_eq(verify_oracle_inventory(first), &one.world.inventory);
    ck_assert_ptr_eq(verify_oracle_inventory(second), &other.world.inventory);
    reference_release(first);
    reference_release(second);
    teardown(&one);
    teardown(&other);
}
END_TEST

START_TEST(what_cannot_be_computed_is_not_kept)
{
    const struct verify_oracle *oracle;
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct subject subject;
    setup(&subject, RESHARD_OPTIMIZER_ADAM8BIT);

    subject.job.optimizer.hyper.block = 0;
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(reference_acquire(&oracle, &subject.world, 1, &error), RESHARD_EINVAL);
    ck_assert_ptr_null(oracle);
    subject.job.optimizer.hyper = reshard_optimizer_defaults(RESHARD_OPTIMIZER_ADAM8BIT);
    reference_release(acquire(&subject, 1));
    teardown(&subject);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reference");
    TCase *cases = tcase_create("reference");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(cases, ranks_share_the_oracle_of_a_step);
    tcase_add_test(cases, worlds_have_their_own);
    tcase_add_test(cases, what_cannot_be_computed_is_not_kept);
    suite_add_tcase(suite, cases);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
