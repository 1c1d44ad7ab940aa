/*
 * The verifier's reading of the layout rules, against parts that were worked out by hand from
 * FORMAT.md section 4: a rank's part of a tensor is written as text, box by box. Then what must be
 * refused, one broken "must" at a time; and laws that hold for any layout: owners write each
 * element once, and a rank's memory has no holes.
 */
#include "verify/cover.h"
#include "verify/pattern.h"
#include "verify/walk.h"

#include "support/rules.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECTIONS = 3 };

/* --- parts ------------------------------------------------------------------------------------ */

START_TEST(fsdp2_cuts_the_dimension_that_is_asked_for_or_the_last)
{
    static const char *const matrix[] = {"[0, 0] to [4, 2]", "[0, 2] to [4, 4]", "[0, 4] to [4, 5]",
                                         ""};
    static const char *const vector[] = {"[0] to [2]", "[2] to [4]", "[4] to [6]", "[6] to [7]"};
    static const char *const scalar[] = {"[] to []", "[] to []", "[] to []", "[] to []"};

    make_tensor("w", 0, 4, 5, -1);
    make_tensor("b", 0, 7, -1);
    make_tensor("s", 0, -1);
    make_mesh(VERIFY_FSDP2, 1, 1, 4, 1, 1);
    made.layout.dim = 1;
    rules_expect_parts(0, matrix);
    rules_expect_parts(1, vector);
    rules_expect_parts(2, scalar);
    made.layout.dim = 2;
    rules_expect_parts(0, matrix);
}
END_TEST

START_TEST(columns_lie_dense_in_memory_row_after_row)
{
    struct verify_rules *rules;
    struct verify_walk walk;
    struct verify_run run;

    make_tensor("w", 0, 3, 5, -1);
    make_mesh(VERIFY_FSDP2, 1, 1, 2, 1, 1);
    made.layout.dim = 1;
    rules = make_rules();
    verify_walk_begin(&walk, rules, 0, 1);
    for (uint64_t row = 0; row < 3; ++row) {
        ck_assert(verify_walk_next(&walk, &run));
        ck_assert_uint_eq(run.begin, 5 * row + 3);
        ck_assert_uint_eq(run.end, 5 * row + 5);
        ck_assert_uint_eq(run.local, 2 * row);
    }
    ck_assert(!verify_walk_next(&walk, &run));
    ck_assert_uint_eq(verify_rules_memory_elements(rules, 0, 1), 6);
    verify_rules_close(rules);
}
END_TEST

START_TEST(rules_for_shard_go_before_the_kind)
{
    static const char *const cut[] = {"[0, 0] to [4, 3]", "[0, 3] to [4, 5]"};
    static const char *const whole[] = {"[0, 0] to [2, 2]", "[0, 0] to [2, 2]"};

    make_tensor("a", 0, 4, 5, -1);
    make_tensor("b", 0, 2, 2, -1);
    make_mesh(VERIFY_FSDP1, 1, 1, 2, 1, 1);
    make_setting("a", VERIFY_SHARD, VERIFY_CUT, 1);
    make_setting("*", VERIFY_SHARD, VERIFY_WHOLE, 0);
    rules_expect_parts(0, cut);
    rules_expect_parts(1, whole);
}
END_TEST

START_TEST(tensor_parallel_cuts_rows_or_columns_unevenly_too)
{
    static const char *const rows[] = {"[0, 0] to [3, 4]", "[3, 0] to [5, 4]"};
    static const char *const columns[] = {"[0, 0] to [5, 2]", "[0, 2] to [5, 3]"};

    make_tensor("up", 0, 5, 4, -1);
    make_tensor("down", 0, 5, 3, -1);
    make_mesh(VERIFY_DDP, 1, 1, 1, 1, 2);
    make_setting("up", VERIFY_TENSOR, VERIFY_CUT, 0);
    make_setting("down", VERIFY_TENSOR, VERIFY_CUT, 1);
    rules_expect_parts(0, rows);
    rules_expect_parts(1, columns);
}
END_TEST

static const uint64_t six_and_six[] = {6, 6};
static const uint64_t four_two_six[SECTIONS] = {4, 2, 6};

START_TEST(each_section_is_cut_by_itself)
{
    static const char *const parts[] = {"[0, 0] to [2, 2], [4, 0] to [5, 2], [6, 0] to [9, 2]",
                                        "[2, 0] to [4, 2], [5, 0] to [6, 2], [9, 0] to [12, 2]"};

    make_tensor("qkv", 0, 12, 2, -1);
    make_mesh(VERIFY_DDP, 1, 1, 1, 1, 2);
    make_setting("qkv", VERIFY_TENSOR, VERIFY_CUT, 0);
    make_rule("q*")->section = four_two_six;
    made.rule[1].section_count = SECTIONS;
    rules_expect_parts(0, parts);
}
END_TEST

START_TEST(a_shard_goes_through_the_sections_that_a_rank_has)
{
    /* t = 0 has rows 0 1 2 6 7 8, t = 1 has 3 4 5 9 10 11; each is cut in three */
    static const char *const parts[] = {
        "[0] to [2]", "[3] to [5]",  "[2] to [3], [6] to [7]", "[5] to [6], [9] to [10]",
        "[7] to [9]", "[10] to [12]"};

    make_tensor("qkv", 0, 12, -1);
    make_mesh(VERIFY_FSDP2, 1, 1, 3, 1, 2);
    make_setting("qkv", VERIFY_TENSOR, VERIFY_CUT, 0);
    made.rule[0].section = six_and_six;
    made.rule[0].section_count = 2;
    rules_expect_parts(0, parts);
}
END_TEST

START_TEST(sections_mean_nothing_where_no_rule_cuts_along_tensor)
{
    static const char *const parts[] = {"[0] to [3]", "[3] to [5]"};

    make_tensor("w", 0, 5, -1);
    make_mesh(VERIFY_FSDP2, 1, 1, 2, 1, 1);
    make_rule("*")->section = six_and_six;
    made.rule[0].section_count = 2;
    rules_expect_parts(0, parts);
}
END_TEST

/* The strided shard: rank = 2 s + t has what s has of what t has. */
START_TEST(shard_cuts_what_tensor_has_left_of_the_same_dimension)
{
    static const char *const parts[] = {"[0, 0] to [2, 3]", "[4, 0] to [6, 3]", "[2, 0] to [4, 3]",
                                        "[6, 0] to [8, 3]"};

    make_tensor("w", 0, 8, 3, -1);
    make_mesh(VERIFY_FSDP2, 1, 1, 2, 1, 2);
    make_setting("*", VERIFY_TENSOR, VERIFY_CUT, 0);
    rules_expect_parts(0, parts);
}
END_TEST

START_TEST(cuts_of_three_mesh_dimensions_nest_from_expert_to_shard)
{
    /* rank = (2 s + e) 2 + t; e halves 8 rows to 4, t to 2, s to 1 */
    static const char *const parts[] = {"[0] to [1]", "[2] to [3]", "[4] to [5]", "[6] to [7]",
                                        "[1] to [2]", "[3] to [4]", "[5] to [6]", "[7] to [8]"};

    make_tensor("w", 0, 8, -1);
    make_mesh(VERIFY_FSDP2, 1, 1, 2, 2, 2);
    make_setting("*", VERIFY_TENSOR, VERIFY_CUT, 0);
    make_setting("*", VERIFY_EXPERT, VERIFY_CUT, 0);
    rules_expect_parts(0, parts);
}
END_TEST

START_TEST(shard_goes_over_expert_too_where_no_rule_sets_that)
{
    /* rank = 2 s + e */
    static const char *const dense[] = {"[0] to [2]", "[2] to [4]", "[4] to [6]", "[6] to [7]"};
    static const char *const whole[] = {"[0] to [4]", "[0] to [4]", "[4] to [7]", "[4] to [7]"};
    static const char *const one[] = {"", "[0] to [4]", "", "[4] to [7]"};
    static const char *const cut[] = {"[0, 0] to [2, 2]", "[2, 0] to [3, 2]", "[0, 2] to [2, 3]",
                                      "[2, 2] to [3, 3]"};

    make_tensor("dense", 0, 7, -1);
    make_tensor("whole", 0, 7, -1);
    make_tensor("e.1", 0, 7, -1);
    make_tensor("fused", 0, 3, 3, -1);
    make_mesh(VERIFY_FSDP2, 1, 1, 2, 2, 1);
    make_setting("whole", VERIFY_EXPERT, VERIFY_WHOLE, 0);
    make_setting("e.*", VERIFY_EXPERT, VERIFY_AT, 1);
    make_setting("fused", VERIFY_EXPERT, VERIFY_CUT, 0);
    made.rule[2].axis[VERIFY_SHARD] = (struct verify_setting){VERIFY_CUT, 1};
    rules_expect_parts(0, dense);
    rules_expect_parts(1, whole);
    rules_expect_parts(2, one);
    rules_expect_parts(3, cut);
}
END_TEST

START_TEST(entries_of_n_are_cut_by_the_chunk_rule)
{
    static const int at[] = {0, 0, 1, 1, 2};
    static const char *const names[] = {"e.0", "e.1", "e.2", "e.3", "e.4"};
    struct verify_rules *rules;

    for (int i = 0; i < 5; ++i)
        make_tensor(names[i], 0, 2, -1);
    make_mesh(VERIFY_DDP, 1, 1, 1, 4, 1);
    make_setting("e.{i}", VERIFY_EXPERT, VERIFY_OF, 5);
    rules = make_rules();
    for (uint32_t t = 0; t < 5; ++t) {
        for (int rank = 0; rank < 4; ++rank)
            rules_expect_part(rules, t, (uint64_t)rank, rank == at[t] ? "[0] to [2]" : "");
        ck_assert_uint_eq(verify_rules_world_elements(rules, t), 2);
    }
    verify_rules_close(rules);
}
END_TEST

static void expect_stage(const struct verify_rules *rules, uint32_t tensor, int stage)
{
    for (int rank = 0; rank < (int)made.layout.world; ++rank)
        ck_assert_msg(verify_rules_present(rules, tensor, (uint64_t)rank) ==
                          (stage < 0 || rank == stage),
                      "%s %s at %d", made.tensor[tensor].fqn, made.tensor[tensor].slot, rank);
}

START_TEST(units_are_stages_and_the_rest_follows_what_stands_before_it)
{
    /* Units 1, 2 and 3 have parameters: two of them are at 0, one is at 1. Unit 4 has no number. */
    static const int stages[] = {0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0};
    struct verify_rules *rules;

    make_tensor("embed", 0, 2, -1);
    make_tensor("h.0.seen", 1, 1, -1)->role = VERIFY_BUFFER;
    make_tensor("h.0.w", 1, 2, -1);
    make_tensor("rope", 4, 2, -1)->role = VERIFY_BUFFER;
    make_tensor("h.1.w", 2, 2, -1)->role = VERIFY_FROZEN;
    make_tensor("between", 0, 2, -1);
    make_tensor("h.2.w", 3, 2, -1)->dtype = RESHARD_DTYPE_I32;
    make_tensor("after", 4, 2, -1)->role = VERIFY_BUFFER;
    make_tensor("h.1.late", 2, 2, -1);
    make_tensor("norm", 0, 2, -1);
    make_slot(6, "step", false);
    make_slot(0, "exp_avg", true);
    make_tensor("last", 0, 2, -1); /* after the slot of a unit at 1, which does not count */
    make_mesh(VERIFY_DDP, 2, 1, 1, 1, 1);
    rules = make_rules();
    for (uint32_t t = 0; t < made.inventory.tensor_count; ++t)
        expect_stage(rules, t, stages[t]);
    verify_rules_close(rules);
    make_setting("norm", VERIFY_PIPELINE, VERIFY_WHOLE, 0);
    make_setting("embed", VERIFY_PIPELINE, VERIFY_AT, 1);
    make_setting("h.{i}.w", VERIFY_PIPELINE, VERIFY_OF, 4);
    rules = make_rules();
    expect_stage(rules, 9, -1);
    expect_stage(rules, 0, 1);
    expect_stage(rules, 11, 1);
    expect_stage(rules, 4, 0);
    expect_stage(rules, 6, 1);
    verify_rules_close(rules);
}
END_TEST

START_TEST(more_stages_than_units_leave_some_empty)
{
    struct verify_rules *rules;

    make_tensor("w", 1, 2, -1);
    make_tensor("norm", 0, 2, -1);
    make_mesh(VERIFY_FSDP2, 3, 1, 1, 1, 1);
    rules = make_rules();
    expect_stage(rules, 0, 0);
    expect_stage(rules, 1, 0);
    verify_rules_close(rules);
}
END_TEST

START_TEST(idle_ranks_hold_nothing_but_rows_of_their_own)
{
    struct verify_rules *rules;

    make_tensor("w", 0, 4, 2, -1);
    make_tensor("rng", 0, 5, 2, -1)->role = VERIFY_PER_RANK;
    make_mesh(VERIFY_FSDP2, 1, 1, 3, 1, 1);
    made.layout.world = 5;
    make_setting("*", VERIFY_SHARD, VERIFY_CUT, 1);
    rules = make_rules();
    rules_expect_part(rules, 0, 0, "[0, 0] to [4, 1]");
    rules_expect_part(rules, 0, 1, "[0, 1] to [4, 2]");
    rules_expect_part(rules, 0, 2, "");
    rules_expect_part(rules, 0, 3, "");
    rules_expect_part(rules, 1, 0, "[0, 0] to [1, 2]");
    rules_expect_part(rules, 1, 4, "[4, 0] to [5, 2]");
    ck_assert_uint_eq(verify_rules_world_elements(rules, 0), 8);
    ck_assert_uint_eq(verify_rules_world_elements(rules, 1), 10);
    ck_assert_uint_eq(verify_rules_memory_elements(rules, 1, 4), 2);
    ck_assert(verify_rules_owns(rules, 1, 4) && !verify_rules_owns(rules, 0, 4));
    verify_rules_close(rules);
}
END_TEST

START_TEST(roles_say_what_the_kinds_cut)
{
    struct verify_rules *rules;

    make_tensor("frozen", 0, 4, -1)->role = VERIFY_FROZEN;
    make_tensor("buffer", 0, 4, -1)->role = VERIFY_BUFFER;
    make_tensor("opaque", 0, 4, -1)->role = VERIFY_OPAQUE;
    made.tensor[2].dtype = RESHARD_DTYPE_U8;
    make_tensor("ints", 0, 4, -1)->dtype = RESHARD_DTYPE_I32;
    make_mesh(_i ? VERIFY_FSDP1 : VERIFY_FSDP2, 1, 1, 2, 1, 1);
    rules = make_rules();
    rules_expect_part(rules, 0, 1, "[2] to [4]");
    ck_assert(verify_rules_flat(rules, 0) == (_i == 1));
    rules_expect_part(rules, 1, 1, "[0] to [4]");
    rules_expect_part(rules, 2, 1, "[0] to [4]");
    rules_expect_part(rules, 3, 1, _i ? "[0] to [4]" : "[2] to [4]");
    verify_rules_close(rules);
    make_setting("*", VERIFY_SHARD, VERIFY_CUT, 0);
    rules = make_rules();
    rules_expect_part(rules, 1, 1, "[2] to [4]");
    rules_expect_part(rules, 2, 0, "[0] to [2]");
    verify_rules_close(rules);
}
END_TEST

/* --- flat parameters -------------------------------------------------------------------------- */

START_TEST(a_flat_parameter_is_of_what_the_other_cuts_have_left)
{
    /* t = 0 has columns 0 1 of `down` (3 x 2 entries) and rows 0 1 4 of `qk` (3); N = 9, c = 5 */
    static const char *const down[] = {"[0, 0] to [2, 2], [2, 0] to [3, 1]",
                                       "[0, 2] to [2, 4], [2, 2] to [3, 3]", "[2, 1] to [3, 2]",
                                       "[2, 3] to [3, 4]"};
    static const char *const qk[] = {"", "", "[0] to [2], [4] to [5]", "[2] to [4], [5] to [6]"};
    static const uint64_t sections[] = {4, 2};
    struct verify_rules *rules;
    struct verify_walk walk;
    struct verify_run run;

    make_tensor("down", 0, 3, 4, -1);
    make_tensor("qk", 0, 6, -1);
    make_mesh(VERIFY_FSDP1, 1, 1, 2, 1, 2);
    make_setting("down", VERIFY_TENSOR, VERIFY_CUT, 1);
    make_setting("qk", VERIFY_TENSOR, VERIFY_CUT, 0);
    made.rule[1].section = sections;
    made.rule[1].section_count = 2;
    rules_expect_parts(0, down);
    rules_expect_parts(1, qk);
    rules = make_rules();
    ck_assert_uint_eq(verify_rules_memory_elements(rules, 1, 3), 5);
    verify_walk_begin(&walk, rules, 1, 3);
    ck_assert(verify_walk_next(&walk, &run));
    ck_assert_uint_eq(run.begin, 2);
    ck_assert_uint_eq(run.local, 1);
    ck_assert(verify_walk_next(&walk, &run));
    ck_assert_uint_eq(run.begin, 5);
    ck_assert_uint_eq(run.local, 3);
    verify_rules_close(rules);
}
END_TEST

START_TEST(stages_and_experts_have_flat_parameters_of_their_own)
{
    struct verify_rules *rules;

    make_tensor("e.0", 1, 4, -1);
    make_tensor("e.1", 1, 4, -1);
    make_tensor("e.2", 1, 6, -1);
    make_tensor("x.1", 2, 5, -1);
    make_tensor("x.0", 2, 3, -1);
    make_mesh(VERIFY_FSDP1, 2, 1, 2, 2, 1); /* rank = (2 p + s) 2 + e */
    make_setting("e.{i}", VERIFY_EXPERT, VERIFY_OF, 3);
    make_setting("e.*", VERIFY_PIPELINE, VERIFY_AT, 0);
    make_setting("x.{i}", VERIFY_PIPELINE, VERIFY_OF, 2);
    rules = make_rules();
    rules_expect_part(rules, 0, 0, "[0] to [4]"); /* e.0 and e.1 are one of 8 at expert 0 */
    rules_expect_part(rules, 1, 2, "[0] to [4]");
    rules_expect_part(rules, 2, 1, "[0] to [3]"); /* e.2 is one of 6 at expert 1 */
    rules_expect_part(rules, 2, 3, "[3] to [6]");
    rules_expect_part(rules, 2, 0, "");
    rules_expect_part(rules, 3, 5, "[2] to [4]"); /* x.1 is one of 5 over four data coordinates */
    rules_expect_part(rules, 4, 1, "[1] to [2]");
    ck_assert_uint_eq(verify_rules_memory_elements(rules, 2, 0), 0);
    ck_assert_uint_eq(verify_rules_memory_elements(rules, 2, 1), 3);
    ck_assert_uint_eq(verify_rules_memory_elements(rules, 3, 7), 2);
    verify_rules_close(rules);
}
END_TEST

/* --- boxes that are given --------------------------------------------------------------------- */

START_TEST(boxes_that_are_given_are_held_by_rising_first_element)
{
    static const char *const parts[] = {"[0, 0] to [8, 2]", "[0, 2] to [3, 6], [5, 2] to [8, 6]",
                                        "[3, 2] to [5, 6]", "[0, 2] to [3, 6], [5, 2] to [8, 6]"};
    struct verify_rules *rules;

    make_tensor("w", 0, 8, 6, -1);
    make_tensor("b", 0, 2, -1);
    make_slot(0, "exp_avg", true);
    make_slot(0, "step", false);
    make_mesh(VERIFY_BOXES, 1, 4, 1, 1, 1);
    make_boxes(given_boxes, GIVEN_BOXES);
    rules_expect_parts(0, parts);
    rules_expect_parts(2, parts);
    rules = make_rules();
    rules_expect_part(rules, 1, 3, "[0] to [2]");
    ck_assert(verify_rules_present(rules, 3, 2));
    ck_assert_uint_eq(verify_rules_world_elements(rules, 0), 48 + 24);
    ck_assert_uint_eq(verify_rules_memory_elements(rules, 0, 3), 24);
    ck_assert(verify_rules_owns(rules, 0, 1) && !verify_rules_owns(rules, 0, 3));
    /* w and its exp_avg are dealt to the two that have a set; b, which is at a stage, and the step,
     * which is not, each to all four. */
    ck_assert(verify_rules_owns(rules, 2, 3) && !verify_rules_owns(rules, 2, 1));
    ck_assert(verify_rules_owns(rules, 2, 0) && verify_rules_owns(rules, 2, 2));
    ck_assert(verify_rules_owns(rules, 1, 0) && verify_rules_owns(rules, 3, 0));
    verify_rules_close(rules);
}
END_TEST

/* --- owners ----------------------------------------------------------------------------------- */

START_TEST(the_largest_are_dealt_first_to_the_candidate_that_has_the_fewest_bytes)
{
    struct verify_rules *rules;

    make_tensor("a", 0, 3, 2, -1); /* sharded over four, 2 replicas: 24 bytes, to the first */
    make_tensor("b", 0, -1);       /* whole, like c, and smaller: rank 1's */
    make_tensor("c", 0, 3, -1)->role = VERIFY_BUFFER; /* rank 0's */
    make_tensor("d", 0, 4, 1, -1); /* 16 bytes, the third: the second has 20, the first 24 */
    make_tensor("e", 0, 5, -1);    /* 20 bytes: the second's */
    make_mesh(VERIFY_FSDP2, 1, 2, 4, 1, 1);
    rules = make_rules();
    rules_expect_owners(rules, 0, "xxxx....");
    rules_expect_owners(rules, 1, ".x......");
    rules_expect_owners(rules, 2, "x.......");
    rules_expect_owners(rules, 3, "....xxxx");
    rules_expect_owners(rules, 4, "....xxxx");
    verify_rules_close(rules);
    made.layout.owner = 1;
    rules = make_rules();
    rules_expect_owners(rules, 0, "....xxxx");
    rules_expect_owners(rules, 1, ".....x..");
    rules_expect_owners(rules, 2, "....x...");
    rules_expect_owners(rules, 4, "....xxxx");
    verify_rules_close(rules);
}
END_TEST

START_TEST(candidates_are_chosen_along_the_free_dimensions_alone)
{
    struct verify_rules *rules;

    make_tensor("w", 1, 4, 2, -1); /* pipeline 0, cut along tensor; shard and expert are free */
    make_tensor("e.1", 1, 4, -1);  /* pipeline 0, expert 1; shard and tensor are free */
    make_tensor("v", 1, 4, -1);    /* cut over shard and expert; tensor is free */
    make_mesh(VERIFY_FSDP2, 2, 1, 2, 2, 2); /* rank = ((2 p + s) 2 + e) 2 + t */
    make_setting("w", VERIFY_TENSOR, VERIFY_CUT, 0);
    made.rule[0].axis[VERIFY_SHARD] = (struct verify_setting){VERIFY_WHOLE, 0};
    make_setting("e.*", VERIFY_EXPERT, VERIFY_AT, 1);
    made.rule[1].axis[VERIFY_SHARD] = (struct verify_setting){VERIFY_WHOLE, 0};
    rules = make_rules();
    rules_expect_owners(rules, 0, "xx..............");
    rules_expect_owners(rules, 1, "..x.............");
    rules_expect_owners(rules, 2, "x.x.x.x.........");
    ck_assert_uint_eq(verify_rules_world_elements(rules, 0), 8 * 4);
    ck_assert_uint_eq(verify_rules_world_elements(rules, 1), 4 * 4);
    ck_assert_uint_eq(verify_rules_world_elements(rules, 2), 4 * 2);
    verify_rules_close(rules);
}
END_TEST

/* --- patterns and covers ---------------------------------------------------------------------- */

START_TEST(patterns_match_whole_names)
{
    static const struct {
        const char *pattern;
        const char *name;
        bool matches;
        uint64_t number;
    } cases[] = {
        {"", "", true, 0},
        {"a", "ab", false, 0},
        {"b", "ab", false, 0},
        {"*", "", true, 0},
        {"*", "any.thing", true, 0},
        {"a*c", "abcbc", true, 0},
        {"a*c", "ab", false, 0},
        {"*.w*t", "h.0.weight", true, 0},
        {"h.{i}.*", "h.12.w", true, 12},
        {"h.{i}.*", "h..w", false, 0},
        {"h.{i}.*", "h.x.w", false, 0},
        {"{i}2", "12", false, 0},
        {"*{i}", "e12", true, 12},
        {"*{i}", "a1b23", true, 23},
        {"*{i}.*", "a1b2.3", true, 2},
        {"*{i}*", "a12b34", true, 12},
        {"{i}", "000000000000000007", true, 7},
        {"{i}", "1000000000000000000", false, 0},
        {"{i}", "999999999999999999", true, 999999999999999999},
        {"{j}", "{j}", true, 0},
        {"{i", "{i", true, 0},
        {"a.b", "aXb", false, 0},
        {"**a", "bba", true, 0},
        {"*a*b*c", "xaxbxbxc", true, 0},
        {"*a*b*c", "xaxbxbx", false, 0},
    };

    for (size_t c = 0; c < sizeof cases / sizeof *cases; ++c) {
        uint64_t number;

        ck_assert_msg(verify_pattern_matches(cases[c].pattern, cases[c].name, &number) ==
                          cases[c].matches,
                      "%s %s", cases[c].pattern, cases[c].name);
        if (cases[c].matches)
            ck_assert_uint_eq(number, cases[c].number);
    }
    ck_assert_uint_eq(verify_pattern_numbers("a{i}b{i}"), 2);
}
END_TEST

/* Random boxes, their faults held against a count of every element. */
START_TEST(a_cover_names_the_first_element_that_is_not_in_exactly_one_box)
{
    struct verify_tensor tensor = {.fqn = "w", .slot = "", .ndim = 3, .shape = {4, 3, 5}};
    struct verify_box box[6];
    unsigned seed = 1;

    tensor.dtype = RESHARD_DTYPE_F32;
    for (int round = 0; round < 3000; ++round) {
        const struct verify_boxes boxes = {box, sizeof *box, 1 + (uint32_t)round % 6};
        struct verify_cover cover;
        uint64_t element = 0;
        unsigned count = 1;
        uint64_t local;

        for (uint32_t b = 0; b < boxes.count; ++b) {
            box[b] = verify_box_whole(&tensor);
            for (uint32_t d = 0; d < 3; ++d) {
                if (rand_r(&seed) % 2)
                    continue;
                box[b].begin[d] = (uint64_t)rand_r(&seed) % tensor.shape[d];
                box[b].end[d] = box[b].begin[d] + 1 +
                                (uint64_t)rand_r(&seed) % (tensor.shape[d] - box[b].begin[d]);
            }
        }
        for (; element < 60 && count == 1; element += count == 1) {
            count = 0;
            for (uint32_t b = 0; b < boxes.count; ++b)
                count += verify_box_locate(&box[b], &tensor, element, &local);
        }
        ck_assert_int_eq(verify_cover(&tensor, &boxes, &cover), RESHARD_OK);
        ck_assert(cover.whole == (element == 60));
        if (cover.whole)
            continue;
        ck_assert_uint_eq(cover.element, element);
        ck_assert_uint_eq(cover.count, count ? 2 : 0);
    }
}
END_TEST

/* --- laws ------------------------------------------------------------------------------------- */

static struct verify_setting any_setting(unsigned *seed, bool pins)
{
    const struct verify_setting settings[] = {{VERIFY_UNSET, 0}, {VERIFY_WHOLE, 0}, {VERIFY_CUT, 0},
                                              {VERIFY_CUT, 1},   {VERIFY_AT, 0},    {VERIFY_OF, 3}};

    return settings[(unsigned)rand_r(seed) % (pins ? 6 : 4)];
}

START_TEST(owners_of_any_layout_write_each_element_once)
{
    static const uint64_t sections[] = {12, 24, 12};
    unsigned seed = 7;
    unsigned opened = 0;

    make_tensor("embed.0", 0, 48, 6, -1);
    make_tensor("h.1.w", 1, 48, 4, -1);
    make_tensor("h.2.w", 2, 36, 12, 2, -1);
    make_tensor("h.2.b", 2, 7, -1);
    make_tensor("rng", 0, 200, 1, -1)->role = VERIFY_PER_RANK;
    make_slot(1, "exp_avg", true);
    make_slot(2, "step", false);
    make_state(1, "row", VERIFY_ROW, 48, 1, -1);
    make_state(1, "blocks", VERIFY_BLOCKWISE, 28, -1)->block = 7;
    make_state(2, "row", VERIFY_ROW, 36, 12, -1);
    make_state(2, "column", VERIFY_COLUMN, 36, 1, 2, -1);
    make_state(2, "blocks", VERIFY_BLOCKWISE, 79, -1)->block = 11;
    make_state(3, "blocks", VERIFY_BLOCKWISE, 4, -1)->block = 2;
    make_state(0, "column", VERIFY_COLUMN, 6, -1);
    for (int round = 0; round < 4000; ++round) {
        struct verify_rules *rules;

        made.layout.rule_count = 0;
        memset(made.rule, 0, sizeof made.rule);
        make_mesh((unsigned)rand_r(&seed) % 2 ? VERIFY_FSDP1 : VERIFY_FSDP2,
                  1 + (unsigned)rand_r(&seed) % 3, 1 + (unsigned)rand_r(&seed) % 2,
                  1 + (unsigned)rand_r(&seed) % 4, 1 + (unsigned)rand_r(&seed) % 2,
                  1 + (unsigned)rand_r(&seed) % 3);
        made.layout.world = made.tensor[4].shape[0] =
            made.layout.world + (unsigned)rand_r(&seed) % 2;
        made.layout.dim = made.layout.kind == VERIFY_FSDP2 ? (unsigned)rand_r(&seed) % 3 : 0;
        made.layout.orig_params = made.layout.kind == VERIFY_FSDP1 && (unsigned)rand_r(&seed) % 2;
        for (int r = 0; r < 3; ++r) {
            struct verify_rule *one = make_rule(r == 0   ? "h.{i}.w"
                                                : r == 1 ? "embed.{i}"
                                                         : "*{i}.w");

            one->axis[VERIFY_TENSOR] = any_setting(&seed, false);
            one->axis[VERIFY_EXPERT] = any_setting(&seed, true);
            one->axis[VERIFY_SHARD] = any_setting(&seed, false);
            one->axis[VERIFY_PIPELINE].how = r == 1 ? VERIFY_WHOLE : VERIFY_UNSET;
            one->section = sections;
            one->section_count = SECTIONS;
        }
        if (verify_rules_open(&rules, &made.inventory, &made.layout, NULL))
            continue;
        opened += 1;
        for (uint32_t t = 0; t < made.inventory.tensor_count; ++t)
            rules_check_laws(rules, t);
        verify_rules_close(rules);
    }
    printf("%u of 4000 layouts are none that must be refused\n", opened);
    ck_assert_uint_gt(opened, 400);
}
END_TEST

static Suite *suite(void)
{
    Suite *const all = suite_create("verify_rules");
    TCase *const one = tcase_create("rules");

    tcase_set_timeout(one, 60);
    tcase_add_checked_fixture(one, make_nothing, NULL);
    tcase_add_test(one, fsdp2_cuts_the_dimension_that_is_asked_for_or_the_last);
    tcase_add_test(one, columns_lie_dense_in_memory_row_after_row);
    tcase_add_test(one, rules_for_shard_go_before_the_kind);
    tcase_add_test(one, tensor_parallel_cuts_rows_or_columns_unevenly_too);
    tcase_add_test(one, each_section_is_cut_by_itself);
    tcase_add_test(one, a_shard_goes_through_the_sections_that_a_rank_has);
    tcase_add_test(one, sections_mean_nothing_where_no_rule_cuts_along_tensor);
    tcase_add_test(one, shard_cuts_what_tensor_has_left_of_the_same_dimension);
    tcase_add_test(one, cuts_of_three_mesh_dimensions_nest_from_expert_to_shard);
    tcase_add_test(one, shard_goes_over_expert_too_where_no_rule_sets_that);
    tcase_add_test(one, entries_of_n_are_cut_by_the_chunk_rule);
    tcase_add_test(one, units_are_stages_and_the_rest_follows_what_stands_before_it);
    tcase_add_test(one, more_stages_than_units_leave_some_empty);
    tcase_add_test(one, idle_ranks_hold_nothing_but_rows_of_their_own);
    tcase_add_loop_test(one, roles_say_what_the_kinds_cut, 0, 2);
    tcase_add_test(one, a_flat_parameter_is_of_what_the_other_cuts_have_left);
    tcase_add_test(one, stages_and_experts_have_flat_parameters_of_their_own);
    tcase_add_test(one, boxes_that_are_given_are_held_by_rising_first_element);
    tcase_add_test(one, the_largest_are_dealt_first_to_the_candidate_that_has_the_fewest_bytes);
    tcase_add_test(one, candidates_are_chosen_along_the_free_dimensions_alone);
    tcase_add_test(one, patterns_match_whole_names);
    tcase_add_test(one, a_cover_names_the_first_element_that_is_not_in_exactly_one_box);
    tcase_add_test(one, owners_of_any_layout_write_each_element_once);
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
