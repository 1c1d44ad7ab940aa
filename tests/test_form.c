/*
 * Forms. Goal: a full, sharded or local state dict lies on the ranks as PyTorch's does, whatever
 * the live layout. Method: known answers; then random live layouts, where what a form must be is
 * written down as options and the oracle says who holds what.
 */
#include "core/form.h"
#include "support/oracle.h"
#include "support/random_layout.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct reshard_model *linear(void)
{
    struct reshard_model *model;

    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    oracle_add(model, "weight", "", RESHARD_DTYPE_F32, 2, (const uint64_t[]){4, 4});
    oracle_add(model, "bias", "", RESHARD_DTYPE_F32, 1, (const uint64_t[]){4});
    return model;
}

/* ---- known answers --------------------------------------------------------------------------- */

static void check_printed(const struct reshard_layout *layout, uint32_t t, uint64_t holder,
                          const char *expected)
{
    struct reshard_box_list list = RESHARD_BOX_LIST_INIT;
    char text[512] = "", box[128];

    ck_assert_int_eq(reshard_layout_boxes(layout, t, holder, &list), RESHARD_OK);
    for (uint64_t i = 0; i < list.count; i++)
        strcat(strcat(text, i ? " " : ""), reshard_box_print(&list.box[i], box, sizeof box));
    ck_assert_str_eq(text, expected);
    reshard_box_list_release(&list);
}

static const struct {
    struct reshard_layout_options live;
    enum reshard_form form;
    bool rank0_only;
    const char *weight[3];
} known[] = {
    {{.kind = RESHARD_LAYOUT_FSDP1, .shard = 3},
     RESHARD_FORM_FULL,
     false,
     {"[0:4, 0:4]", "[0:4, 0:4]", "[0:4, 0:4]"}},
    {{.kind = RESHARD_LAYOUT_FSDP1, .shard = 3}, RESHARD_FORM_FULL, true, {"[0:4, 0:4]", "", ""}},
    {{.kind = RESHARD_LAYOUT_FSDP1, .shard = 2, .world = 3},
     RESHARD_FORM_FULL,
     false,
     {"[0:4, 0:4]", "[0:4, 0:4]", ""}},
    /* The original dimension 0, though the live shard is an interval. */
    {{.kind = RESHARD_LAYOUT_FSDP1, .shard = 3},
     RESHARD_FORM_SHARDED,
     false,
     {"[0:2, 0:4]", "[2:4, 0:4]", "[4:4, 0:4]"}},
    {{.kind = RESHARD_LAYOUT_FSDP2, .shard = 3, .dim = 1},
     RESHARD_FORM_SHARDED,
     false,
     {"[0:2, 0:4]", "[2:4, 0:4]", "[4:4, 0:4]"}},
    {{.kind = RESHARD_LAYOUT_FSDP1, .shard = 3},
     RESHARD_FORM_LOCAL,
     false,
     {"[0:1, 0:4] [1:2, 0:3]", "[1:2, 3:4] [2:3, 0:4] [3:4, 0:2]", "[3:4, 2:4]"}},
    {{.kind = RESHARD_LAYOUT_FSDP2, .shard = 3},
     RESHARD_FORM_LOCAL,
     false,
     {"[0:1, 0:4] [1:2, 0:3]", "[1:2, 3:4] [2:3, 0:4] [3:4, 0:2]", "[3:4, 2:4]"}},
};

START_TEST(linear_4_4_on_three_ranks_has_its_known_forms)
{
    struct reshard_model *model = linear();
    struct reshard_layout *live, *form;

    ck_assert_int_eq(reshard_layout_open(&live, model, &known[_i].live, NULL), RESHARD_OK);
    ck_assert_int_eq(reshard_form_layout(&form, live, known[_i].form, known[_i].rank0_only, NULL),
                     RESHARD_OK);
    ck_assert_ptr_eq(reshard_layout_model(form), model);
    ck_assert_uint_eq(reshard_layout_holders(form), 3);
    for (uint64_t h = 0; h < 3; h++)
        check_printed(form, 0, h, known[_i].weight[h]);
    reshard_layout_close(form);
    reshard_layout_close(live);
    reshard_model_close(model);
}
END_TEST

/* ---- random live layouts --------------------------------------------------------------------- */

/* What the header says of a form, as options; false where there is none. */
static bool options_of(struct reshard_layout_options *out, struct reshard_rule *rule,
                       const struct reshard_layout_options *live, enum reshard_form form,
                       bool rank0_only)
{
    const struct reshard_mesh mesh = reshard_layout_options_mesh(live);

    *out = *live;
    if (form == RESHARD_FORM_FULL) {
        *out = (struct reshard_layout_options){.kind = RESHARD_LAYOUT_DDP,
                                               .world = live->world,
                                               .replicate =
                                                   rank0_only ? 1 : reshard_mesh_ranks(&mesh)};
        return true;
    }
    out->kind = form == RESHARD_FORM_SHARDED ? RESHARD_LAYOUT_FSDP2 : RESHARD_LAYOUT_FSDP1;
    out->dim = 0;
    if (out->kind != RESHARD_LAYOUT_FSDP1) {
        out->orig_params = false;
        out->forward = RESHARD_DTYPE_NONE;
    }
    out->rule = rule;
    out->rule_count = 0;
    for (uint32_t i = 0; i < live->rule_count; i++) {
        struct reshard_rule next = live->rule[i];
        next.shard = (struct reshard_setting){RESHARD_HOW_DEFAULT, 0};
        if (next.pipeline.how || next.expert.how || next.tensor.how || next.section_count ||
            next.box_count)
            rule[out->rule_count++] = next;
    }
    return !rank0_only && live->kind != RESHARD_LAYOUT_BOXES;
}

static void check_same(const struct reshard_model *model, const struct reshard_layout *layout,
                       const struct reshard_layout_options *options)
{
    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++)
        for (uint64_t h = 0; h < oracle_world(options); h++) {
            struct oracle_places places = oracle_places(model, options, t, h);
            struct reshard_box_list list = RESHARD_BOX_LIST_INIT;
            uint64_t nth = 0;
            ck_assert_int_eq(reshard_layout_boxes(layout, t, h, &list), RESHARD_OK);
            for (uint64_t i = 0; i < list.count; i++)
                if (!reshard_box_empty(&list.box[i])) {
                    ORACLE_ASSERT(nth < places.boxes);
                    ORACLE_ASSERT(reshard_box_equal(&list.box[i], &places.box[nth]));
                    nth++;
                }
            ORACLE_ASSERT(nth == places.boxes);
            reshard_box_list_release(&list);
            oracle_places_release(&places);
        }
}

static bool gives_boxes(const struct reshard_layout_options *options)
{
    for (uint32_t r = 0; r < options->rule_count; r++)
        if (options->rule[r].box_count)
            return true;
    return false;
}

static void check_form(const struct reshard_layout *live, enum reshard_form form, bool rank0_only,
                       int *made)
{
    const struct reshard_model *model = reshard_layout_model(live);
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_rule rule[RANDOM_RULES_MAX];
    struct reshard_layout_options options;
    struct reshard_layout *layout;
    const bool right = options_of(&options, rule, reshard_layout_options(live), form, rank0_only) &&
                       oracle_accepts(model, &options);

    ck_assert_int_eq(reshard_form_layout(&layout, live, form, rank0_only, &error),
                     right ? RESHARD_OK : RESHARD_EINVAL);
    ck_assert(right == !error.text[0]);
    ck_assert((layout != NULL) == right);
    if (right)
        check_same(model, layout, &options);
    *made += right;
    reshard_layout_close(layout);
}

START_TEST(every_live_layout_has_the_forms_that_the_header_says)
{
    struct test_random random = test_random_start("forms", 1);
    int live_ones = 0, made = 0;

    for (int round = 0; round < 3000; round++) {
        struct reshard_model *model = random_model(&random, 8, 40);
        struct reshard_layout *live = NULL;
        struct random_layout drawn;
        random_layout_open(&drawn, &random, model, 8);
        if ((drawn.options.kind == RESHARD_LAYOUT_BOXES || !gives_boxes(&drawn.options)) &&
            oracle_accepts(model, &drawn.options)) {
            ck_assert(!reshard_layout_open(&live, model, &drawn.options, NULL));
            for (int form = 0; form < 3; form++)
                for (int only = 0; only < 2; only++)
                    check_form(live, (enum reshard_form)form, only, &made);
            live_ones++;
        }
        reshard_layout_close(live);
        random_layout_close(&drawn);
        reshard_model_close(model);
    }
    ck_assert_int_gt(live_ones, 800);
    ck_assert_int_gt(made, 3 * live_ones);
}
END_TEST

START_TEST(forms_are_known_by_name)
{
    static const char *const names[] = {"full", "sharded", "local"};
    enum reshard_form form = RESHARD_FORM_LOCAL;

    for (int i = 0; i < 3; i++) {
        ck_assert_str_eq(reshard_form_name((enum reshard_form)i), names[i]);
        ck_assert(reshard_form_from_name(names[i], &form));
        ck_assert_int_eq(form, i);
    }
    ck_assert(!reshard_form_from_name("FULL", &form));
    ck_assert(!reshard_form_from_name("", &form));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("form");
    TCase *cases = tcase_create("form");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, linear_4_4_on_three_ranks_has_its_known_forms, 0,
                        (int)(sizeof known / sizeof *known));
    tcase_add_test(cases, every_live_layout_has_the_forms_that_the_header_says);
    tcase_add_test(cases, forms_are_known_by_name);
    suite_add_tcase(suite, cases);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
