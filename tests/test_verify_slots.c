/*
 * Where optimizer state of a shape of its own is, against parts that were worked out by hand from
 * rule 9 of FORMAT.md section 4: rows, columns, blocks, and what is whole, of parameters that are
 * cut in one dimension or in several, through sections, flat, or given.
 */
#include "support/rules.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { RANKS_MAX = 8 };

/* All ranks have the same of a tensor. */
static void expect_alike(uint32_t tensor, const char *expected)
{
    const char *parts[RANKS_MAX];

    for (int rank = 0; rank < RANKS_MAX; ++rank)
        parts[rank] = expected;
    rules_expect_parts(tensor, parts);
}

START_TEST(rows_and_columns_are_cut_as_their_parameter_but_for_the_reduced_dimension)
{
    static const char *const rows[] = {"[0, 0] to [2, 1]", "[2, 0] to [4, 1]"};
    static const char *const short_rows[] = {"[0] to [2]", "[2] to [4]"};
    static const char *const columns[] = {"[0, 0] to [1, 3]", "[0, 3] to [1, 6]"};
    static const char *const short_columns[] = {"[0] to [3]", "[3] to [6]"};

    make_tensor("w", 0, 4, 6, -1);
    make_state(0, "row", VERIFY_ROW, 4, 1, -1);
    make_state(0, "short row", VERIFY_ROW, 4, -1);
    make_state(0, "column", VERIFY_COLUMN, 1, 6, -1);
    make_state(0, "short column", VERIFY_COLUMN, 6, -1);
    make_mesh(VERIFY_FSDP2, 1, 1, 2, 1, 1);
    rules_expect_parts(1, rows);
    rules_expect_parts(2, short_rows);
    expect_alike(3, "[0, 0] to [1, 6]");
    expect_alike(4, "[0] to [6]");
    made.layout.dim = 1;
    expect_alike(1, "[0, 0] to [4, 1]");
    expect_alike(2, "[0] to [4]");
    rules_expect_parts(3, columns);
    rules_expect_parts(4, short_columns);
}
END_TEST

/* Dimensions before the last two are no matrix's own. */
START_TEST(of_a_stack_of_matrices_each_has_its_rows_and_columns)
{
    static const char *const rows[] = {"[0, 0] to [1, 2]", "[0, 2] to [1, 4]", "[1, 0] to [2, 2]",
                                       "[1, 2] to [2, 4]"};
    static const char *const columns[] = {"[0, 0] to [1, 3]", "[0, 0] to [1, 3]",
                                          "[1, 0] to [2, 3]", "[1, 0] to [2, 3]"};

    make_tensor("w", 0, 2, 4, 3, -1);
    make_state(0, "row", VERIFY_ROW, 2, 4, -1);
    make_state(0, "column", VERIFY_COLUMN, 2, 3, -1);
    make_mesh(VERIFY_FSDP2, 1, 1, 2, 1, 2); /* rank = 2 s + t */
    make_setting("w", VERIFY_TENSOR, VERIFY_CUT, 1);
    rules_expect_parts(1, rows);
    rules_expect_parts(2, columns);
}
END_TEST

START_TEST(a_block_is_where_its_first_element_is)
{
    /* Blocks begin at elements 0, 5, 10, 15 and 20; rank 0 has 0 to 11. */
    static const char *const blocks[] = {"[0] to [3]", "[3] to [5]"};
    /* Of three ranks with 2, 2 and 0 rows the last has no block. */
    static const char *const uneven[] = {"[0] to [3]", "[3] to [5]", ""};

    make_tensor("w", 0, 4, 6, -1);
    make_state(0, "absmax", VERIFY_BLOCKWISE, 5, -1)->block = 5;
    make_mesh(VERIFY_FSDP2, 1, 1, 2, 1, 1);
    rules_expect_parts(1, blocks);
    make_mesh(VERIFY_FSDP2, 1, 1, 3, 1, 1);
    rules_expect_parts(1, uneven);
    made.layout.dim = 1; /* a cut of another dimension than the first does not count */
    expect_alike(1, "[0] to [5]");
}
END_TEST

START_TEST(blocks_larger_than_a_part_leave_ranks_without_any)
{
    static const char *const parts[] = {"[0] to [1]", "", "", "[1] to [2]"};

    make_tensor("w", 0, 4, 3, -1);
    make_state(0, "absmax", VERIFY_BLOCKWISE, 2, -1)->block = 9;
    make_state(0, "all", VERIFY_BLOCKWISE, 1, -1)->block = UINT64_MAX;
    make_mesh(VERIFY_FSDP2, 1, 1, 4, 1, 1);
    rules_expect_parts(1, parts);
    make_mesh(VERIFY_FSDP1, 1, 1, 4, 1, 1);
    rules_expect_parts(1, parts);
    make_mesh(VERIFY_DDP, 1, 1, 1, 1, 1);
    expect_alike(2, "[0] to [1]");
}
END_TEST

START_TEST(what_is_replicated_scalar_or_opaque_is_whole)
{
    make_tensor("w", 0, 4, 6, -1);
    make_state(0, "any", VERIFY_PLAIN, 4, 6, -1);
    make_slot(0, "step", false);
    make_state(0, "bytes", VERIFY_BYTES, 9, -1)->dtype = RESHARD_DTYPE_U8;
    make_mesh(_i ? VERIFY_FSDP1 : VERIFY_FSDP2, 1, 1, 3, 1, 1);
    expect_alike(1, "[0, 0] to [4, 6]");
    expect_alike(2, "[] to []");
    expect_alike(3, "[0] to [9]");
}
END_TEST

/* --- sections --------------------------------------------------------------------------------- */

static const uint64_t four_two_six[] = {4, 2, 6};

START_TEST(sections_are_the_slots_too)
{
    /* t = 0 has rows 0 1, 4 and 6 7 8, t = 1 has 2 3, 5 and 9 10 11; each is cut in two */
    static const char *const rows[] = {"[0, 0] to [2, 1], [4, 0] to [5, 1]",
                                       "[2, 0] to [4, 1], [5, 0] to [6, 1]", "[6, 0] to [9, 1]",
                                       "[9, 0] to [12, 1]"};
    /* Blocks begin at 0, 3, .. 21, which are in rows 0, 1, 3, 4, 6, 7, 9 and 10. */
    static const char *const blocks[] = {"[0] to [2], [3] to [4]", "[2] to [3]", "[4] to [6]",
                                         "[6] to [8]"};

    make_tensor("qkv", 0, 12, 2, -1);
    make_state(0, "row", VERIFY_ROW, 12, 1, -1);
    make_state(0, "column", VERIFY_COLUMN, 2, -1);
    make_state(0, "absmax", VERIFY_BLOCKWISE, 8, -1)->block = 3;
    make_mesh(VERIFY_FSDP2, 1, 1, 2, 1, 2); /* rank = 2 s + t */
    make_setting("qkv", VERIFY_TENSOR, VERIFY_CUT, 0);
    made.rule[0].section = four_two_six;
    made.rule[0].section_count = 3;
    rules_expect_parts(1, rows);
    expect_alike(2, "[0] to [2]");
    rules_expect_parts(3, blocks);
}
END_TEST

START_TEST(sections_of_columns_are_cut_where_the_rows_are_reduced)
{
    static const char *const columns[] = {"[0] to [2], [4] to [5], [6] to [9]",
                                          "[2] to [4], [5] to [6], [9] to [12]"};

    make_tensor("w", 0, 2, 12, -1);
    make_state(0, "row", VERIFY_ROW, 2, -1);
    make_state(0, "column", VERIFY_COLUMN, 12, -1);
    make_state(0, "absmax", VERIFY_BLOCKWISE, 8, -1)->block = 3;
    make_mesh(VERIFY_DDP, 1, 1, 1, 1, 2);
    make_setting("w", VERIFY_TENSOR, VERIFY_CUT, 1);
    made.rule[0].section = four_two_six;
    made.rule[0].section_count = 3;
    expect_alike(1, "[0] to [2]");
    rules_expect_parts(2, columns);
    expect_alike(3, "[0] to [8]");
}
END_TEST

/* Each section makes a box of its own, where one rank has all of them, too. */
START_TEST(sections_of_one_rank_are_boxes_of_their_own)
{
    make_tensor("w", 0, 12, 2, -1);
    make_state(0, "row", VERIFY_ROW, 12, -1);
    make_state(0, "absmax", VERIFY_BLOCKWISE, 3, -1)->block = 9;
    make_mesh(VERIFY_DDP, 1, 1, 1, 1, 1);
    make_setting("w", VERIFY_TENSOR, VERIFY_CUT, 0);
    made.rule[0].section = four_two_six;
    made.rule[0].section_count = 3;
    expect_alike(1, "[0] to [4], [4] to [6], [6] to [12]");
    /* Elements 0, 9 and 18 are of rows 0, 4 and 9. */
    expect_alike(2, "[0] to [1], [1] to [2], [2] to [3]");
}
END_TEST

/* --- flat parameters -------------------------------------------------------------------------- */

START_TEST(of_a_flat_parameter_rows_and_blocks_are_where_their_first_elements_are)
{
    /* 16 + 4 = 20 entries in chunks of 7: w has 0 to 6, 7 to 13, and 14 and 15. */
    static const char *const rows[] = {"[0, 0] to [2, 1]", "[2, 0] to [4, 1]", ""};
    static const char *const blocks[] = {"[0] to [3]", "[3] to [5]", "[5] to [6]"};
    static const char *const of_b[] = {"", "", "[0] to [2]"};

    make_tensor("w", 0, 4, 4, -1);
    make_tensor("b", 0, 4, -1);
    make_state(0, "row", VERIFY_ROW, 4, 1, -1);
    make_state(0, "column", VERIFY_COLUMN, 1, 4, -1);
    make_state(0, "absmax", VERIFY_BLOCKWISE, 6, -1)->block = 3;
    make_state(1, "absmax", VERIFY_BLOCKWISE, 2, -1)->block = 2;
    make_mesh(VERIFY_FSDP1, 1, 1, 3, 1, 1);
    rules_expect_parts(2, rows);
    expect_alike(3, "[0, 0] to [1, 4]");
    rules_expect_parts(4, blocks);
    rules_expect_parts(5, of_b);
}
END_TEST

START_TEST(slots_of_their_own_shape_are_in_no_flat_shard)
{
    struct verify_rules *rules;

    make_tensor("w", 0, 4, 4, -1);
    make_state(0, "row", VERIFY_ROW, 4, -1);
    make_state(0, "absmax", VERIFY_BLOCKWISE, 6, -1)->block = 3;
    make_slot(0, "exp_avg", true);
    make_mesh(VERIFY_FSDP1, 1, 1, 3, 1, 1); /* chunks of 6 */
    rules = make_rules();
    ck_assert(verify_rules_flat(rules, 0) && verify_rules_flat(rules, 3));
    ck_assert(!verify_rules_flat(rules, 1) && !verify_rules_flat(rules, 2));
    /* Rows 0 and 1, 2, and 3; blocks at 0 3, 6 9, and 12 15. */
    ck_assert_uint_eq(verify_rules_memory_elements(rules, 1, 0), 2);
    ck_assert_uint_eq(verify_rules_memory_elements(rules, 1, 1), 1);
    ck_assert_uint_eq(verify_rules_memory_elements(rules, 1, 2), 1);
    ck_assert_uint_eq(verify_rules_memory_elements(rules, 2, 2), 2);
    ck_assert_uint_eq(verify_rules_world_elements(rules, 1), 4);
    ck_assert_uint_eq(verify_rules_world_elements(rules, 2), 6);
    verify_rules_close(rules);
}
END_TEST

START_TEST(rows_and_blocks_of_what_other_cuts_have_left_of_a_flat_parameter)
{
    /* rank = 2 s + t; t = 0 has rows 0 1 4 of qk, t = 1 has 2 3 5: 6 entries each, as of down's
     * columns 0 1 and 2 3: 12 in chunks of 3. */
    static const uint64_t four_two[] = {4, 2};
    static const char *const qk_rows[] = {"[0, 0] to [2, 1]",
                                          "[2, 0] to [4, 1]",
                                          "[4, 0] to [5, 1]",
                                          "[5, 0] to [6, 1]",
                                          "",
                                          "",
                                          "",
                                          ""};
    static const char *const down_rows[] = {"",           "",           "",           "",
                                            "[0] to [2]", "[0] to [2]", "[2] to [3]", "[2] to [3]"};
    static const char *const down_columns[] = {"[0] to [2]", "[2] to [4]", "[0] to [2]",
                                               "[2] to [4]", "[0] to [2]", "[2] to [4]",
                                               "[0] to [2]", "[2] to [4]"};
    /* Elements 0, 3, 6, 9 are t 0's first, fourth, t 1's third, t 0's sixth. */
    static const char *const qk_blocks[] = {
        "[0] to [1]", "[2] to [3]", "[1] to [2], [3] to [4]", "", "", "", "", ""};

    make_tensor("qk", 0, 6, 2, -1);
    make_tensor("down", 0, 3, 4, -1);
    make_state(0, "row", VERIFY_ROW, 6, 1, -1);
    make_state(0, "column", VERIFY_COLUMN, 2, -1);
    make_state(0, "absmax", VERIFY_BLOCKWISE, 4, -1)->block = 3;
    make_state(1, "row", VERIFY_ROW, 3, -1);
    make_state(1, "column", VERIFY_COLUMN, 4, -1);
    make_state(1, "absmax", VERIFY_BLOCKWISE, 6, -1)->block = 2;
    make_mesh(VERIFY_FSDP1, 1, 1, 4, 1, 2);
    make_setting("qk", VERIFY_TENSOR, VERIFY_CUT, 0);
    made.rule[0].section = four_two;
    made.rule[0].section_count = 2;
    make_setting("down", VERIFY_TENSOR, VERIFY_CUT, 1);
    rules_expect_parts(2, qk_rows);
    expect_alike(3, "[0] to [2]");
    rules_expect_parts(4, qk_blocks);
    rules_expect_parts(5, down_rows);
    rules_expect_parts(6, down_columns);
    expect_alike(7, "[0] to [6]"); /* where columns are cut, no cut of flat entries counts */
}
END_TEST

START_TEST(a_parameter_that_begins_within_a_chunk_moves_rows_and_blocks)
{
    /* 3 + 16 = 19 entries in chunks of 7: ranks have elements 0 to 3, 4 to 10 and 11 to 15 of w. */
    static const char *const rows[] = {"[0] to [1]", "[1] to [3]", "[3] to [4]"};
    static const char *const blocks[] = {"[0] to [2]", "[2] to [4]", "[4] to [6]"};

    make_tensor("a", 0, 3, -1);
    make_tensor("w", 0, 4, 4, -1);
    make_state(1, "row", VERIFY_ROW, 4, -1);
    make_state(1, "absmax", VERIFY_BLOCKWISE, 6, -1)->block = 3;
    make_mesh(VERIFY_FSDP1, 1, 1, 3, 1, 1);
    rules_expect_parts(2, rows);
    rules_expect_parts(3, blocks);
}
END_TEST

START_TEST(a_row_that_is_longer_than_a_chunk_is_at_its_first_element)
{
    /* 21 entries in chunks of 3: rows begin at 0, 7 and 14, with ranks 0, 2 and 4. */
    static const char *const rows[] = {"[0] to [1]", "", "[1] to [2]", "", "[2] to [3]", "", ""};

    make_tensor("w", 0, 3, 7, -1);
    make_state(0, "row", VERIFY_ROW, 3, -1);
    make_mesh(VERIFY_FSDP1, 1, 1, 7, 1, 1);
    rules_expect_parts(1, rows);
}
END_TEST

START_TEST(padding_moves_rows_and_blocks)
{
    /* a has 5 entries, 3 of padding; w begins at 8, 6 entries; 14 and 2 of padding in chunks of 8.
     */
    static const char *const rows[] = {"", "[0] to [3]"};
    static const char *const blocks[] = {"", "[0] to [2]"};

    make_tensor("a", 0, 5, -1);
    make_tensor("w", 0, 3, 2, -1);
    make_state(1, "row", VERIFY_ROW, 3, -1);
    make_state(1, "absmax", VERIFY_BLOCKWISE, 2, -1)->block = 4;
    make_mesh(VERIFY_FSDP1, 1, 1, 2, 1, 1);
    made.layout.orig_params = true;
    made.layout.forward = RESHARD_DTYPE_BF16;
    rules_expect_parts(2, rows);
    rules_expect_parts(3, blocks);
}
END_TEST

START_TEST(a_parameter_without_dimensions_has_one_block)
{
    static const char *const parts[] = {"", "[0] to [1]"};

    make_tensor("w", 0, 4, -1);
    make_tensor("s", 0, -1); /* entry 4 of 5, in chunks of 3 */
    make_state(1, "absmax", VERIFY_BLOCKWISE, 1, -1)->block = 8;
    make_mesh(VERIFY_FSDP1, 1, 1, 2, 1, 1);
    rules_expect_parts(2, parts);
    make_mesh(VERIFY_FSDP2, 1, 1, 2, 1, 1);
    expect_alike(2, "[0] to [1]");
}
END_TEST

START_TEST(an_empty_parameter_has_no_blocks_and_its_rows_are_not_flat)
{
    make_tensor("w", 0, 3, 0, -1);
    make_tensor("b", 0, 4, -1);
    make_state(0, "row", VERIFY_ROW, 3, -1);
    make_state(0, "column", VERIFY_COLUMN, 0, -1);
    make_state(0, "absmax", VERIFY_BLOCKWISE, 0, -1)->block = 8;
    make_mesh(VERIFY_FSDP1, 1, 1, 2, 1, 1);
    expect_alike(2, "[0] to [3]");
    expect_alike(3, "");
    expect_alike(4, "");
    make_mesh(VERIFY_FSDP2, 1, 1, 2, 1, 1);
    expect_alike(4, "");
}
END_TEST

/* --- experts, stages, boxes ------------------------------------------------------------------- */

/* rank = 2 s + e */
static void make_experts(enum verify_layout_kind kind)
{
    make_tensor("e.0", 1, 4, 4, -1);
    make_tensor("e.1", 1, 4, 4, -1);
    make_tensor("fused", 2, 2, 4, 3, -1);
    make_tensor("dense", 3, 4, 3, -1);
    make_state(1, "row", VERIFY_ROW, 4, -1);
    make_state(1, "column", VERIFY_COLUMN, 4, -1);
    make_state(1, "bytes", VERIFY_BYTES, 3, -1)->dtype = RESHARD_DTYPE_U8;
    make_state(2, "row", VERIFY_ROW, 2, 4, 1, -1);
    make_state(2, "column", VERIFY_COLUMN, 2, 3, -1);
    make_state(2, "absmax", VERIFY_BLOCKWISE, 4, -1)->block = 7;
    make_state(3, "row", VERIFY_ROW, 4, -1);
    make_state(3, "column", VERIFY_COLUMN, 3, -1);
    make_mesh(kind, 1, 1, 2, 2, 1);
    make_setting("e.{i}", VERIFY_EXPERT, VERIFY_OF, 2);
    make_setting("fused", VERIFY_EXPERT, VERIFY_CUT, 0);
    if (kind == VERIFY_FSDP2)
        made.rule[1].axis[VERIFY_SHARD] = (struct verify_setting){VERIFY_CUT, 1};
}

START_TEST(slots_of_experts_are_at_their_experts)
{
    static const char *const rows[] = {"", "[0] to [2]", "", "[2] to [4]"};
    static const char *const columns[] = {"", "[0] to [4]", "", "[0] to [4]"};
    static const char *const bytes[] = {"", "[0] to [3]", "", "[0] to [3]"};
    static const char *const dense[] = {"[0] to [1]", "[1] to [2]", "[2] to [3]", "[3] to [4]"};

    make_experts(_i ? VERIFY_FSDP1 : VERIFY_FSDP2);
    rules_expect_parts(4, rows);
    rules_expect_parts(5, columns);
    rules_expect_parts(6, bytes);
    rules_expect_parts(10, dense);
    expect_alike(11, "[0] to [3]");
}
END_TEST

START_TEST(slots_of_fused_experts_are_cut_along_expert)
{
    static const char *const flat_rows[] = {"[0, 0, 0] to [1, 2, 1]", "[1, 0, 0] to [2, 2, 1]",
                                            "[0, 2, 0] to [1, 4, 1]", "[1, 2, 0] to [2, 4, 1]"};
    static const char *const columns[] = {"[0, 0] to [1, 3]", "[1, 0] to [2, 3]",
                                          "[0, 0] to [1, 3]", "[1, 0] to [2, 3]"};
    /* Elements 0 and 7 are expert 0's, of which s = 0 has 0 to 5; 14 and 21 are 2 and 9 of 1's. */
    static const char *const flat_blocks[] = {"[0] to [1]", "[2] to [3]", "[1] to [2]",
                                              "[3] to [4]"};
    static const char *const blocks[] = {"[0] to [2]", "[2] to [4]", "[0] to [2]", "[2] to [4]"};

    make_experts(VERIFY_FSDP1);
    rules_expect_parts(7, flat_rows);
    rules_expect_parts(8, columns);
    rules_expect_parts(9, flat_blocks);
    make_nothing();
    make_experts(VERIFY_FSDP2);
    rules_expect_parts(7, flat_rows); /* as here every second dimension is cut evenly */
    rules_expect_parts(8, columns);
    rules_expect_parts(9, blocks);
}
END_TEST

START_TEST(slots_are_at_the_stage_of_their_parameter)
{
    static const char *const rows[] = {"", "[0] to [3]"};

    make_tensor("a", 1, 3, 2, -1);
    make_tensor("b", 2, 3, 2, -1);
    make_state(1, "row", VERIFY_ROW, 3, -1);
    make_state(1, "absmax", VERIFY_BLOCKWISE, 3, -1)->block = 2;
    make_mesh(_i ? VERIFY_FSDP1 : VERIFY_DDP, 2, 1, 1, 1, 1);
    rules_expect_parts(2, rows);
    rules_expect_parts(3, rows);
}
END_TEST

START_TEST(slots_of_a_parameter_whose_boxes_are_given_are_whole)
{
    make_tensor("w", 0, 8, 6, -1);
    make_state(0, "row", VERIFY_ROW, 8, 1, -1);
    make_state(0, "column", VERIFY_COLUMN, 6, -1);
    make_state(0, "absmax", VERIFY_BLOCKWISE, 10, -1)->block = 5;
    make_mesh(VERIFY_BOXES, 1, 4, 1, 1, 1);
    make_boxes(given_boxes, GIVEN_BOXES);
    expect_alike(1, "[0, 0] to [8, 1]");
    expect_alike(2, "[0] to [6]");
    expect_alike(3, "[0] to [10]");
}
END_TEST

/* --- owners ----------------------------------------------------------------------------------- */

START_TEST(cuts_that_do_not_count_leave_their_dimension_free)
{
    struct verify_rules *rules;

    make_tensor("w", 0, 3, 2, -1); /* cut over both, as rows and blocks are */
    make_state(0, "row", VERIFY_ROW, 3, -1);
    make_state(0, "column", VERIFY_COLUMN, 2, -1); /* free: dealt to two, the larger first */
    make_state(0, "absmax", VERIFY_BLOCKWISE, 2, -1)->block = 4;
    make_state(0, "last", VERIFY_PLAIN, 1, -1);
    make_mesh(_i ? VERIFY_FSDP1 : VERIFY_FSDP2, 1, 1, 2, 1, 1);
    rules = make_rules();
    rules_expect_owners(rules, 0, "xx");
    rules_expect_owners(rules, 1, "xx");
    rules_expect_owners(rules, 2, "x.");
    rules_expect_owners(rules, 3, "xx");
    rules_expect_owners(rules, 4, ".x");
    verify_rules_close(rules);
}
END_TEST

START_TEST(owners_of_rows_are_chosen_along_the_tensor_dimension_that_cuts_columns)
{
    struct verify_rules *rules;

    make_tensor("w", 0, 2, 3, -1);                 /* columns 0 1 and 2 */
    make_state(0, "row", VERIFY_ROW, 2, -1);       /* tensor is free: the first of two */
    make_state(0, "column", VERIFY_COLUMN, 3, -1); /* cut */
    make_state(0, "absmax", VERIFY_BLOCKWISE, 2, -1)->block = 3; /* free: as large, the second */
    make_mesh(VERIFY_DDP, 1, 1, 1, 1, 2);
    make_setting("w", VERIFY_TENSOR, VERIFY_CUT, 1);
    rules = make_rules();
    rules_expect_owners(rules, 1, "x.");
    rules_expect_owners(rules, 2, "xx");
    rules_expect_owners(rules, 3, ".x");
    ck_assert_uint_eq(verify_rules_world_elements(rules, 1), 4);
    verify_rules_close(rules);
}
END_TEST

/* --- shapes and classes ----------------------------------------------------------------------- */

static void expect_refusal(const char *words)
{
    struct reshard_error error = RESHARD_ERROR_INIT;

    ck_assert_int_eq(verify_inventory_check(&made.inventory, &error), RESHARD_EINVAL);
    ck_assert_msg(strstr(error.text, words), "not '%s', but: %s", words, error.text);
}

/* But for one thing at a time a row of an (8, 6) parameter is right. */
START_TEST(classes_that_a_slot_cannot_have_are_refused)
{
    static const char shape[] = "has not the shape of its parameter without the reduced dimension";
    struct verify_tensor *slot;

    make_tensor("w", 0, 8, 6, -1);
    make_tensor("b", 0, 8, -1);
    slot = make_state(0, "row", VERIFY_ROW, 8, 1, -1);
    ck_assert_int_eq(verify_inventory_check(&made.inventory, NULL), RESHARD_OK);
    slot->shape[1] = 2;
    expect_refusal(shape);
    slot->shape[1] = 6;
    expect_refusal(shape);
    slot->slot_class = VERIFY_COLUMN;
    expect_refusal(shape);
    slot->shape[0] = 1;
    ck_assert_int_eq(verify_inventory_check(&made.inventory, NULL), RESHARD_OK);
    slot->ndim = 0;
    expect_refusal(shape);
    slot->ndim = 3;
    slot->shape[2] = 1;
    expect_refusal(shape);
    *slot = made.tensor[1];
    slot->slot = "row";
    slot->like = false;
    slot->slot_class = VERIFY_ROW;
    slot->parameter = 1;
    expect_refusal("fewer than 2 dimensions");
    slot->slot_class = VERIFY_BYTES;
    expect_refusal("not u8 of one dimension");
    slot->dtype = RESHARD_DTYPE_U8;
    ck_assert_int_eq(verify_inventory_check(&made.inventory, NULL), RESHARD_OK);
    slot->ndim = 2;
    expect_refusal("not u8 of one dimension");
    slot->ndim = 1;
    slot->block = 8;
    expect_refusal("has a block, but is not blockwise");
    slot->slot_class = VERIFY_BLOCKWISE;
    expect_refusal("not one element for each block");
    slot->shape[0] = 1;
    ck_assert_int_eq(verify_inventory_check(&made.inventory, NULL), RESHARD_OK);
    slot->ndim = 2;
    slot->shape[1] = 1;
    expect_refusal("not one element for each block");
    slot->ndim = 1;
    slot->block = 7;
    expect_refusal("not one element for each block");
    slot->block = 0;
    expect_refusal("blocks of no elements");
    slot->slot_class = (enum verify_class)9;
    expect_refusal("no known class");
}
END_TEST

START_TEST(only_slots_of_their_own_shape_have_a_class)
{
    struct verify_tensor *slot;

    make_tensor("w", 0, 8, 6, -1);
    slot = make_slot(0, "exp_avg", true);
    slot->slot_class = VERIFY_ROW;
    expect_refusal("follows its parameter, but has a class");
    slot->slot_class = VERIFY_PLAIN;
    slot->block = 3;
    expect_refusal("has a block, but is not blockwise");
    slot->block = 0;
    made.tensor[0].slot_class = VERIFY_COLUMN;
    expect_refusal("is no slot, but has a class or a block");
    made.tensor[0].slot_class = VERIFY_PLAIN;
    made.tensor[0].block = 1;
    expect_refusal("is no slot, but has a class or a block");
}
END_TEST

static Suite *suite(void)
{
    Suite *const all = suite_create("verify_slots");
    TCase *const one = tcase_create("slots");

    tcase_add_checked_fixture(one, make_nothing, NULL);
    tcase_add_test(one, rows_and_columns_are_cut_as_their_parameter_but_for_the_reduced_dimension);
    tcase_add_test(one, of_a_stack_of_matrices_each_has_its_rows_and_columns);
    tcase_add_test(one, a_block_is_where_its_first_element_is);
    tcase_add_test(one, blocks_larger_than_a_part_leave_ranks_without_any);
    tcase_add_loop_test(one, what_is_replicated_scalar_or_opaque_is_whole, 0, 2);
    tcase_add_test(one, sections_are_the_slots_too);
    tcase_add_test(one, sections_of_columns_are_cut_where_the_rows_are_reduced);
    tcase_add_test(one, sections_of_one_rank_are_boxes_of_their_own);
    tcase_add_test(one, of_a_flat_parameter_rows_and_blocks_are_where_their_first_elements_are);
    tcase_add_test(one, slots_of_their_own_shape_are_in_no_flat_shard);
    tcase_add_test(one, rows_and_blocks_of_what_other_cuts_have_left_of_a_flat_parameter);
    tcase_add_test(one, a_parameter_that_begins_within_a_chunk_moves_rows_and_blocks);
    tcase_add_test(one, a_row_that_is_longer_than_a_chunk_is_at_its_first_element);
    tcase_add_test(one, padding_moves_rows_and_blocks);
    tcase_add_test(one, a_parameter_without_dimensions_has_one_block);
    tcase_add_test(one, an_empty_parameter_has_no_blocks_and_its_rows_are_not_flat);
    tcase_add_loop_test(one, slots_of_experts_are_at_their_experts, 0, 2);
    tcase_add_test(one, slots_of_fused_experts_are_cut_along_expert);
    tcase_add_loop_test(one, slots_are_at_the_stage_of_their_parameter, 0, 2);
    tcase_add_test(one, slots_of_a_parameter_whose_boxes_are_given_are_whole);
    tcase_add_loop_test(one, cuts_that_do_not_count_leave_their_dimension_free, 0, 2);
    tcase_add_test(one, owners_of_rows_are_chosen_along_the_tensor_dimension_that_cuts_columns);
    tcase_add_test(one, classes_that_a_slot_cannot_have_are_refused);
    tcase_add_test(one, only_slots_of_their_own_shape_have_a_class);
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
