/*
 * Three readings of FORMAT.md section 4. Goal: the verifier, the tests' oracle and with it the
 * engine say the same of every layout: whether it may be, which boxes each rank has, and who writes
 * them. Method: random models with slots of every class and random layouts of them, told to the
 * verifier in its own terms; the engine and the oracle are held against each other in
 * test_layout_rules.c. So a fault in the text's meaning has to be made three times to be missed.
 */
#include "core/layout.h"
#include "support/oracle.h"
#include "support/random_layout.h"
#include "support/told.h"
#include "verify/walk.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 3000, WORLD_MAX = 24, ELEMENTS = 64 };

/* ---- what they say --------------------------------------------------------------------------- */

struct subject {
    struct reshard_model *model;
    struct random_layout drawn;
    struct told told;
    uint64_t world;
};

/* They differ: say on what. */
#define SUBJECT_ASSERT(subject, condition, tensor, rank)                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            random_layout_print(&(subject)->drawn, (subject)->model);                              \
            ck_abort_msg("tensor %d, rank %d: %s does not hold", (int)(tensor), (int)(rank),       \
                         #condition);                                                              \
        }                                                                                          \
    } while (0)

/* Of what checkpoints hold: the verifier knows nothing else. */
static void draw_subject(struct subject *subject, struct test_random *random)
{
    struct reshard_model *all;

    subject->world = 1 + test_random_below(random, WORLD_MAX);
    all = random_model(random, subject->world, ELEMENTS);
    random_layout_open(&subject->drawn, random, all, subject->world);
    ck_assert_int_eq(reshard_model_copy(&subject->model, all, true), RESHARD_OK);
    reshard_model_close(all);
    told_open(&subject->told, subject->model, &subject->drawn.options);
}

static void release_subject(struct subject *subject)
{
    told_close(&subject->told);
    random_layout_close(&subject->drawn);
    reshard_model_close(subject->model);
}

static bool same_box(const struct verify_box *a, const struct reshard_box *b)
{
    return a->ndim == b->ndim && memcmp(a->begin, b->begin, b->ndim * sizeof *b->begin) == 0 &&
           memcmp(a->end, b->end, b->ndim * sizeof *b->end) == 0;
}

static void check_part(const struct subject *subject, const struct verify_rules *rules, uint32_t t,
                       uint64_t rank, const struct oracle_places *places)
{
    struct verify_walk walk;
    struct verify_box box;
    uint64_t local, count = 0;

    verify_walk_begin(&walk, rules, t, rank);
    while (verify_walk_box(&walk, &box, &local)) {
        SUBJECT_ASSERT(subject, count < places->boxes, t, rank);
        SUBJECT_ASSERT(subject, same_box(&box, &places->box[count++]), t, rank);
    }
    SUBJECT_ASSERT(subject, count == places->boxes, t, rank);
    SUBJECT_ASSERT(subject, verify_rules_present(rules, t, rank) == places->part, t, rank);
    SUBJECT_ASSERT(subject, verify_rules_flat(rules, t) == places->is_flat, t, rank);
    SUBJECT_ASSERT(subject,
                   verify_rules_memory_elements(rules, t, rank) ==
                       (places->is_flat ? places->shard : places->held),
                   t, rank);
}

static void check_all(const struct subject *subject, const struct verify_rules *rules)
{
    const struct reshard_layout_options *options = &subject->drawn.options;
    const uint32_t tensors = reshard_model_tensor_count(subject->model);
    struct oracle_places *places = calloc(tensors * subject->world + 1, sizeof *places);
    bool *owner;

    ck_assert_ptr_nonnull(places);
    for (uint32_t t = 0; t < tensors; t++) {
        uint64_t held = 0;
        for (uint64_t rank = 0; rank < subject->world; rank++) {
            struct oracle_places *its = &places[t * subject->world + rank];
            *its = oracle_places(subject->model, options, t, rank);
            check_part(subject, rules, t, rank, its);
            held += its->held;
        }
        SUBJECT_ASSERT(subject, verify_rules_world_elements(rules, t) == held, t, -1);
    }
    owner = oracle_owners(subject->model, options, places);
    for (uint32_t t = 0; t < tensors; t++)
        for (uint64_t rank = 0; rank < subject->world; rank++)
            SUBJECT_ASSERT(subject,
                           verify_rules_owns(rules, t, rank) == owner[t * subject->world + rank], t,
                           rank);
    for (uint64_t i = 0; i < tensors * subject->world; i++)
        oracle_places_release(&places[i]);
    free(places);
    free(owner);
}

START_TEST(the_verifier_says_what_the_oracle_says)
{
    struct test_random random = test_random_start("readings", 21);
    int accepted = 0;

    for (int round = 0; round < ROUNDS; round++) {
        struct reshard_error error = RESHARD_ERROR_INIT;
        struct verify_rules *rules = NULL;
        struct subject subject;
        draw_subject(&subject, &random);
        const bool right = oracle_accepts(subject.model, &subject.drawn.options);
        const enum reshard_status status =
            verify_rules_open(&rules, &subject.told.inventory, &subject.told.layout, &error);
        if (status != (right ? RESHARD_OK : RESHARD_EINVAL)) {
            random_layout_print(&subject.drawn, subject.model);
            ck_abort_msg("round %d: the verifier says %s, the oracle %s: %s", round,
                         reshard_status_name(status), right ? "yes" : "no", error.text);
        }
        if (right)
            check_all(&subject, rules);
        accepted += right;
        verify_rules_close(rules);
        release_subject(&subject);
    }
    printf("%d of %d may be\n", accepted, ROUNDS);
    ck_assert_int_gt(accepted, ROUNDS / 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("layout_readings");
    TCase *cases = tcase_create("layout_readings");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(cases, 100);
    tcase_add_test(cases, the_verifier_says_what_the_oracle_says);
    suite_add_tcase(suite, cases);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
