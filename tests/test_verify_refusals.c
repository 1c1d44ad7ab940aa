/*
 * Layouts that the verifier must refuse, one broken "must" of FORMAT.md section 4 at a time; each
 * time but for that one thing the layout is right.
 */
#include "support/rules.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t six_and_six[] = {6, 6};

/* The layout is refused, and the reason has these words. */
static void expect_refusal(const char *words)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct verify_rules *rules;

    ck_assert_int_eq(verify_rules_open(&rules, &made.inventory, &made.layout, &error),
                     RESHARD_EINVAL);
    ck_assert_ptr_null(rules);
    ck_assert_msg(strstr(error.text, words), "not '%s', but: %s", words, error.text);
}

START_TEST(layouts_that_break_a_must_of_their_own_are_refused)
{
    static const uint64_t seventeen[17] = {1};
    static const uint64_t with_zero[] = {4, 0};

    make_tensor("w", 0, 4, 4, -1);
    make_mesh(VERIFY_FSDP2, 1, 2, 2, 1, 1);
    made.layout.world = 3;
    expect_refusal("product of the mesh");
    made.layout.world = ((uint64_t)1 << 20) + 1;
    expect_refusal("a world of 1048577 ranks");
    made.layout.world = 4;
    made.layout.mesh[VERIFY_TENSOR] = 0;
    expect_refusal("product of the mesh");
    make_mesh(VERIFY_DDP, 1, 2, 2, 1, 1);
    expect_refusal("ddp has no mesh dimension");
    make_mesh(VERIFY_BOXES, 1, 2, 1, 1, 2);
    expect_refusal("boxes has no mesh dimension");
    make_mesh(VERIFY_FSDP2, 1, 2, 2, 1, 1);
    made.layout.owner = 2;
    expect_refusal("owner");
    made.layout.owner = -1;
    make_rule("w")->axis[VERIFY_PIPELINE] = (struct verify_setting){VERIFY_CUT, 0};
    expect_refusal("cuts along pipeline");
    made.rule[0].axis[VERIFY_PIPELINE].how = VERIFY_UNSET;
    expect_refusal("says nothing");
    made.rule[0].axis[VERIFY_SHARD].how = VERIFY_AT;
    expect_refusal("\"at\" or \"of\"");
    made.rule[0].axis[VERIFY_SHARD].how = VERIFY_UNSET;
    made.rule[0].axis[VERIFY_EXPERT] = (struct verify_setting){VERIFY_OF, 3};
    expect_refusal("without {i}");
    made.rule[0].pattern = "{i}*{i}";
    expect_refusal("more than one {i}");
    made.rule[0].pattern = "{i}";
    made.rule[0].axis[VERIFY_EXPERT].number = 0;
    expect_refusal("\"of\" 0");
    made.rule[0].axis[VERIFY_EXPERT].how = VERIFY_UNSET;
    made.rule[0].section = seventeen;
    made.rule[0].section_count = 1;
    expect_refusal("2 to 16 sections");
    made.rule[0].section_count = 17;
    expect_refusal("2 to 16 sections");
    made.rule[0].section = with_zero;
    made.rule[0].section_count = 2;
    expect_refusal("empty section");
}
END_TEST

START_TEST(settings_that_do_not_fit_a_tensor_are_refused)
{
    static const uint64_t sections[] = {6, 6};

    make_tensor("w.7", 0, 12, 6, -1);
    make_mesh(VERIFY_FSDP2, 1, 1, 2, 2, 3);
    make_rule("w.{i}")->axis[VERIFY_TENSOR] = (struct verify_setting){VERIFY_CUT, 2};
    expect_refusal("has no dimension 2 to cut along tensor");
    made.rule[0].axis[VERIFY_TENSOR].number = 0;
    made.layout.mesh[VERIFY_TENSOR] = 4;
    made.layout.world = 16;
    made.rule[0].axis[VERIFY_EXPERT] = (struct verify_setting){VERIFY_AT, 2};
    expect_refusal("is at expert coordinate 2");
    made.rule[0].axis[VERIFY_EXPERT] = (struct verify_setting){VERIFY_OF, 7};
    expect_refusal("is entry 7 of 7 along expert");
    made.rule[0].axis[VERIFY_EXPERT] = (struct verify_setting){VERIFY_WHOLE, 0};
    made.rule[0].section = sections;
    made.rule[0].section_count = 2;
    expect_refusal("section of 6 entries is no multiple of the 4");
    made.layout.mesh[VERIFY_TENSOR] = 3;
    made.rule[0].axis[VERIFY_EXPERT] = (struct verify_setting){VERIFY_CUT, 0};
    expect_refusal("has sections, and is cut along expert");
    made.rule[0].axis[VERIFY_EXPERT].number = 1;
    made.rule[0].axis[VERIFY_TENSOR].number = 1;
    expect_refusal("not together the 6 entries of dimension 1");
}
END_TEST

START_TEST(roles_that_do_not_fit_are_refused)
{
    make_mesh(VERIFY_DDP, 1, 3, 1, 1, 1);
    make_tensor("x", 0, 2, 5, -1)->role = VERIFY_PER_RANK;
    expect_refusal("per_rank with 2 rows, in a world of 3");
    made.tensor[0].ndim = 0;
    expect_refusal("no dimension for the ranks");
    made.tensor[0].ndim = 2;
    made.tensor[0].role = VERIFY_OPAQUE;
    expect_refusal("not u8 of one dimension");
    made.tensor[0].ndim = 1;
    expect_refusal("not u8 of one dimension");
    made.tensor[0].role = VERIFY_BUFFER;
    make_slot(0, "exp_avg", true);
    expect_refusal("no parameter of its name");
    made.tensor[0].role = VERIFY_FROZEN;
    made.tensor[1].role = VERIFY_FROZEN;
    expect_refusal("slot with a role");
}
END_TEST

START_TEST(units_that_cannot_be_flattened_are_refused)
{
    make_tensor("a.0", 0, 4, 6, -1);
    make_tensor("b.1", 0, 4, -1);
    make_mesh(VERIFY_FSDP1, 2, 1, 2, 2, 1);
    made.tensor[1].role = VERIFY_FROZEN;
    expect_refusal("frozen where the other is not");
    made.layout.orig_params = true;
    verify_rules_close(make_rules());
    made.tensor[1].dtype = RESHARD_DTYPE_BF16;
    expect_refusal("of another dtype");
    made.tensor[1].dtype = RESHARD_DTYPE_F32;
    make_setting("a.{i}", VERIFY_EXPERT, VERIFY_CUT, 1);
    expect_refusal("placed otherwise along expert");
    make_setting("b.{i}", VERIFY_EXPERT, VERIFY_CUT, 0);
    verify_rules_close(make_rules());
    made.tensor[1].shape[0] = 5;
    expect_refusal("cut before it is flattened");
    made.tensor[1].shape[0] = 4;
    made.rule[0].axis[VERIFY_EXPERT] = (struct verify_setting){VERIFY_AT, 0};
    made.rule[1].axis[VERIFY_EXPERT] = (struct verify_setting){VERIFY_AT, 1};
    expect_refusal("placed otherwise along expert");
    make_setting("b.1", VERIFY_PIPELINE, VERIFY_AT, 1);
    verify_rules_close(make_rules());
    made.rule[2].axis[VERIFY_PIPELINE].how = VERIFY_WHOLE;
    expect_refusal("cannot be whole along pipeline");
    made.layout.rule_count = 0;
    make_setting("a.*", VERIFY_TENSOR, VERIFY_CUT, 1);
    made.rule[0].section = six_and_six;
    made.rule[0].section_count = 2;
    made.tensor[0].shape[1] = 12;
    made.rule[0].axis[VERIFY_EXPERT].how = VERIFY_UNSET;
    expect_refusal("sections of a flat parameter stand on dimension 0");
}
END_TEST

START_TEST(boxes_that_do_not_cover_a_tensor_are_refused)
{
    struct verify_rank_box box[GIVEN_BOXES];

    make_tensor("w", 0, 8, 6, -1);
    make_mesh(VERIFY_BOXES, 1, 4, 1, 1, 1);
    make_boxes(box, GIVEN_BOXES);
    memcpy(box, given_boxes, sizeof box);
    box[5].end[0] = 4;
    expect_refusal("element 26 is in none");
    memcpy(box, given_boxes, sizeof box);
    box[5].end[0] = 6;
    expect_refusal("element 32 is in two");
    memcpy(box, given_boxes, sizeof box);
    box[3] = box[2];
    expect_refusal("element 2 is in two");
    memcpy(box, given_boxes, sizeof box);
    made.rule[0].box_count = 5;
    expect_refusal("element 20 is in none");
    made.rule[0].box_count = 6;
    box[5].rank = 4;
    expect_refusal("boxes[5] is of rank 4; the mesh has 4");
    memcpy(box, given_boxes, sizeof box);
    box[0].begin[1] = box[0].end[1];
    expect_refusal("boxes[0] is empty");
    memcpy(box, given_boxes, sizeof box);
    box[1].ndim = 1;
    expect_refusal("boxes[1] is empty, or not within");
    memcpy(box, given_boxes, sizeof box);
    box[1].end[0] = 9;
    expect_refusal("boxes[1] is empty, or not within");
}
END_TEST

static Suite *suite(void)
{
    Suite *const all = suite_create("verify_refusals");
    TCase *const one = tcase_create("refusals");

    tcase_add_checked_fixture(one, make_nothing, NULL);
    tcase_add_test(one, layouts_that_break_a_must_of_their_own_are_refused);
    tcase_add_test(one, settings_that_do_not_fit_a_tensor_are_refused);
    tcase_add_test(one, roles_that_do_not_fit_are_refused);
    tcase_add_test(one, units_that_cannot_be_flattened_are_refused);
    tcase_add_test(one, boxes_that_do_not_cover_a_tensor_are_refused);
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
