/*
 * Ranks' memory under layouts of every kind, judged. Memory is filled from the oracle as one layout
 * says and judged by another: the same one, or one that a program might take for it.
 */
#include "support/rules.h"
#include "verify/held.h"
#include "verify/walk.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { STEP = 2, RANKS_MAX = 24 };

static struct verify_memory memory[RANKS_MAX][MADE_TENSORS_MAX];
static const bool *judged; /* of each tensor; NULL: all are */

static struct verify_oracle *open_oracle(void)
{
    const struct verify_oracle_options options = {
        .inventory = &made.inventory,
        .optimizer = {.name = VERIFY_ADAMW,
                      .hyper = {.lr = 1e-3,
                                .beta1 = 0.9,
                                .beta2 = 0.999,
                                .eps = 1e-8,
                                .weight_decay = 0.01}},
        .seed = 42,
        .step = STEP,
    };
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct verify_oracle *oracle;

    ck_assert_msg(verify_oracle_open(&oracle, &options, &error) == RESHARD_OK, "%s", error.text);
    return oracle;
}

static void add_with_slots(const char *fqn, uint32_t unit, int rows, int columns)
{
    const uint32_t number = make_tensor(fqn, unit, rows, columns, -1)->parameter;

    make_slot(number, "exp_avg", true);
    make_slot(number, "exp_avg_sq", true);
    make_slot(number, "step", false);
}

/* A model with a tensor of every role. */
static void make_model(uint64_t world)
{
    make_nothing();
    add_with_slots("h.0.qkv", 1, 24, 4);
    add_with_slots("h.1.w", 2, 8, 6);
    make_tensor("frozen", 3, 5, 3, -1)->role = VERIFY_FROZEN;
    make_tensor("buffer", 2, 3, -1)->role = VERIFY_BUFFER;
    make_tensor("opaque", 0, 9, -1)->role = VERIFY_OPAQUE;
    made.tensor[10].dtype = RESHARD_DTYPE_U8;
    make_tensor("rng", 0, (int)world, 2, -1)->role = VERIFY_PER_RANK;
}

static void fill_tensor(const struct verify_rules *rules, const struct verify_oracle *oracle,
                        struct verify_block *block, uint64_t rank, uint32_t t)
{
    const size_t width = reshard_dtype_bytes(made.tensor[t].dtype);
    const uint64_t bytes = verify_rules_memory_elements(rules, t, rank) * width;
    unsigned char *base = malloc((size_t)bytes + 1);
    const char *truth;
    struct verify_walk walk;
    struct verify_run run;

    memset(base, 0x5a, (size_t)bytes); /* what is left of this is padding */
    memory[rank][t] = (struct verify_memory){.base = base, .bytes = bytes};
    verify_oracle_fill(oracle, block, made.tensor[t].parameter, 0,
                       (uint32_t)verify_tensor_elements(&made.tensor[made.tensor[t].parameter]));
    truth = made.tensor[t].like ? verify_block_values(oracle, block, t)
                                : verify_oracle_whole(oracle, t);
    verify_walk_begin(&walk, rules, t, rank);
    while (verify_walk_next(&walk, &run))
        memcpy(base + run.local * width, truth + run.begin * width,
               (size_t)(run.end - run.begin) * width);
}

static void fill(void)
{
    struct verify_rules *rules = make_rules();
    struct verify_oracle *oracle = open_oracle();
    struct verify_block *block;

    ck_assert_int_eq(verify_block_open(&block), RESHARD_OK);
    for (uint64_t rank = 0; rank < made.layout.world; ++rank) {
        for (uint32_t t = 0; t < made.inventory.tensor_count; ++t)
            fill_tensor(rules, oracle, block, rank, t);
    }
    verify_block_close(block);
    verify_oracle_close(oracle);
    verify_rules_close(rules);
}

/* Judge every rank, and free its memory; the reports added up. */
static struct verify_report judge(const struct verify_rules *rules)
{
    struct verify_oracle *oracle = open_oracle();
    struct verify_report all;

    ck_assert_int_eq(verify_report_open(&all), RESHARD_OK);
    for (uint64_t rank = 0; rank < made.layout.world; ++rank) {
        const struct verify_held_options options = {rules, oracle, memory[rank], rank, judged};
        struct verify_report one;

        ck_assert_int_eq(verify_report_open(&one), RESHARD_OK);
        ck_assert_int_eq(verify_held(&options, &one, NULL), one.status);
        ck_assert_int_eq(verify_report_merge(&all, &one), RESHARD_OK);
        verify_report_close(&one);
        for (uint32_t t = 0; t < made.inventory.tensor_count; ++t)
            free((void *)memory[rank][t].base);
    }
    verify_oracle_close(oracle);
    return all;
}

static const uint64_t sections[] = {8, 4, 12};

static void lay_out(int number)
{
    make_model(number == 0 ? 13 : number == 1 ? 12 : number == 2 ? 8 : number == 3 ? 12 : 7);
    if (number < 3) { /* everything at once, an idle rank; flat; expert */
        make_mesh(number == 1 ? VERIFY_FSDP1 : VERIFY_FSDP2, number == 2 ? 1 : 2, 1,
                  number == 2 ? 2 : 3, number == 2 ? 2 : 1, 2);
        made.layout.world += number == 0;
        make_setting("h.0.*", VERIFY_TENSOR, VERIFY_CUT, 0);
        made.rule[0].section = sections;
        made.rule[0].section_count = 3;
        make_setting("h.1.*", VERIFY_TENSOR, VERIFY_CUT, 1);
        if (number == 2)
            make_setting("h.{i}.w", VERIFY_EXPERT, VERIFY_OF, 2);
        return;
    }
    if (number == 3) {
        make_mesh(VERIFY_FSDP2, 1, 2, 6, 1, 1);
        made.layout.dim = 1;
        return;
    }
    make_mesh(VERIFY_BOXES, 1, 4, 1, 1, 1);
    made.layout.world = 7;
    make_boxes(given_boxes, GIVEN_BOXES);
    made.rule[0].pattern = "h.1.w";
}

START_TEST(ranks_that_hold_the_state_under_any_layout_are_found_to_hold_all_of_it)
{
    struct verify_rules *rules;
    struct verify_report report;

    lay_out(_i);
    fill();
    rules = make_rules();
    report = judge(rules);
    ck_assert_int_eq(verify_report_print(&report, stdout), RESHARD_OK);
    ck_assert_uint_eq(report.finding_total, 0);
    for (uint32_t t = 0; t < made.inventory.tensor_count; ++t) {
        ck_assert_uint_eq(report.tally[t].held, verify_rules_world_elements(rules, t));
        ck_assert_uint_eq(report.tally[t].compared, report.tally[t].held);
        ck_assert_uint_ge(report.tally[t].held, verify_tensor_elements(&made.tensor[t]));
    }
    verify_report_close(&report);
    verify_rules_close(rules);
}
END_TEST

/* Fill by the layout that `mistake` makes of the right one; this many findings of qkv. */
static void expect_findings(void (*mistake)(void), const char *fqn, unsigned findings)
{
    struct verify_rules *rules = make_rules();
    struct verify_report report;
    unsigned found = 0;

    mistake();
    fill();
    report = judge(rules);
    for (uint32_t f = 0; f < report.finding_count; ++f) {
        ck_assert_str_eq(report.finding[f].fqn, fqn);
        found += report.finding[f].status == RESHARD_EMISMATCH;
    }
    ck_assert_uint_eq(found, findings);
    verify_report_close(&report);
    verify_rules_close(rules);
}

static void forget_sections(void)
{
    made.rule[0].section_count = 0;
}

START_TEST(sections_that_were_cut_as_one_are_seen)
{
    make_model(2);
    make_mesh(VERIFY_DDP, 1, 1, 1, 1, 2);
    make_setting("h.0.*", VERIFY_TENSOR, VERIFY_CUT, 0);
    made.rule[0].section = sections;
    made.rule[0].section_count = 3;
    expect_findings(forget_sections, "h.0.qkv", 2 * 3);
}
END_TEST

static void take_for_contiguous(void)
{
    made.layout.rule_count = 0;
    make_mesh(VERIFY_FSDP2, 1, 1, 4, 1, 1);
}

/* The first and the last of four ranks have the same rows either way, the two between them not. */
START_TEST(a_strided_shard_that_was_taken_for_a_contiguous_one_is_seen)
{
    make_nothing();
    add_with_slots("h.0.qkv", 1, 24, 4);
    make_mesh(VERIFY_FSDP2, 1, 1, 2, 1, 2);
    make_setting("h.0.*", VERIFY_TENSOR, VERIFY_CUT, 0);
    expect_findings(take_for_contiguous, "h.0.qkv", 2 * 3);
}
END_TEST

static void take_another_row(void)
{
    const struct verify_memory kept = memory[0][11];

    memory[0][11] = memory[1][11];
    memory[1][11] = kept;
}

START_TEST(rows_of_ranks_that_changed_places_are_seen)
{
    struct verify_rules *rules;
    struct verify_report report;

    lay_out(0);
    fill();
    take_another_row();
    rules = make_rules();
    report = judge(rules);
    ck_assert_uint_eq(report.finding_total, 2);
    ck_assert_str_eq(report.finding[0].fqn, "rng");
    ck_assert_uint_eq(report.finding[1].index[0], 1);
    verify_report_close(&report);
    verify_rules_close(rules);
}
END_TEST

START_TEST(what_an_idle_rank_or_another_stage_holds_is_seen)
{
    static const float one = 1;
    struct verify_rules *rules;
    struct verify_report report;

    lay_out(0);
    fill();
    free((void *)memory[12][3].base);
    free((void *)memory[6][3].base);
    free((void *)memory[0][3].base);
    memory[12][3] = (struct verify_memory){.base = memcpy(malloc(4), &one, 4), .bytes = 4};
    memory[6][3] = (struct verify_memory){.base = memcpy(malloc(4), &one, 4), .bytes = 4};
    memory[0][3] = (struct verify_memory){.base = NULL};
    rules = make_rules();
    report = judge(rules);
    ck_assert_uint_eq(report.finding_total, 3);
    ck_assert_str_eq(report.finding[0].text, "the rank's memory has 0 bytes, not 4");
    ck_assert_str_eq(report.finding[1].text, "the rank's memory has 4 bytes, not 0");
    ck_assert_uint_eq(report.finding[2].rank, 12);
    verify_report_close(&report);
    verify_rules_close(rules);
}
END_TEST

/* A state's slots alone, as where only these were carried somewhere: nothing of the rest is looked
 * at, and the slots are. */
START_TEST(of_a_part_of_the_state_only_that_part_is_judged)
{
    bool slots[MADE_TENSORS_MAX] = {false};
    struct verify_rules *rules;
    struct verify_report report;

    lay_out(_i);
    fill();
    for (uint32_t t = 0; t < made.inventory.tensor_count; ++t)
        slots[t] = verify_tensor_is_slot(&made.tensor[t]);
    memset((void *)memory[0][0].base, 0x7b, (size_t)memory[0][0].bytes);
    free((void *)memory[1][4].base);
    memory[1][4] = (struct verify_memory){.base = NULL};
    memset((void *)memory[0][1].base, 0x7b, (size_t)memory[0][1].bytes);
    judged = slots;
    rules = make_rules();
    report = judge(rules);
    ck_assert_uint_eq(report.finding_total, 1);
    ck_assert_str_eq(report.finding[0].slot, "exp_avg");
    verify_report_close(&report);
    verify_rules_close(rules);
    judged = NULL;
}
END_TEST

/* Buffers, frozen parameters and the rest keep their initial values; slots they have none. */
START_TEST(only_trained_parameters_have_slots)
{
    struct verify_oracle_options options = {
        .inventory = &made.inventory,
        .optimizer = {.name = VERIFY_ADAMW,
                      .hyper = {.lr = 1e-3,
                                .beta1 = 0.9,
                                .beta2 = 0.999,
                                .eps = 1e-8,
                                .weight_decay = 0.01}},
        .seed = 1,
    };
    struct verify_oracle *oracle[2];
    struct verify_block *block[2];

    make_nothing();
    make_tensor("w", 0, 4, -1)->role = (enum verify_role)_i;
    for (int k = 0; k < 2; ++k) {
        options.step = (uint64_t)k;
        ck_assert_int_eq(verify_oracle_open(&oracle[k], &options, NULL), RESHARD_OK);
        ck_assert_int_eq(verify_block_open(&block[k]), RESHARD_OK);
        verify_oracle_fill(oracle[k], block[k], 0, 0, 4);
    }
    ck_assert_int_eq(memcmp(verify_block_values(oracle[0], block[0], 0),
                            verify_block_values(oracle[1], block[1], 0), 16) == 0,
                     _i != VERIFY_PARAMETER);
    for (int k = 0; k < 2; ++k) {
        verify_block_close(block[k]);
        verify_oracle_close(oracle[k]);
    }
    make_slot(0, "exp_avg", true);
    ck_assert_int_eq(verify_oracle_open(&oracle[0], &options, NULL),
                     _i == VERIFY_PARAMETER ? RESHARD_OK : RESHARD_EINVAL);
    verify_oracle_close(oracle[0]);
}
END_TEST

static Suite *suite(void)
{
    Suite *const all = suite_create("verify_held");
    TCase *const one = tcase_create("held");

    tcase_add_loop_test(one, ranks_that_hold_the_state_under_any_layout_are_found_to_hold_all_of_it,
                        0, 5);
    tcase_add_test(one, sections_that_were_cut_as_one_are_seen);
    tcase_add_test(one, a_strided_shard_that_was_taken_for_a_contiguous_one_is_seen);
    tcase_add_test(one, rows_of_ranks_that_changed_places_are_seen);
    tcase_add_test(one, what_an_idle_rank_or_another_stage_holds_is_seen);
    tcase_add_loop_test(one, of_a_part_of_the_state_only_that_part_is_judged, 0, 5);
    tcase_add_loop_test(one, only_trained_parameters_have_slots, VERIFY_PARAMETER,
                        VERIFY_BUFFER + 1);
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
