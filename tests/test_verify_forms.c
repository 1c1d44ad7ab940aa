/*
 * State of every form, judged in the memory of ranks and on files: slots of each class, of dtypes
 * of their own, and absent ones. The truth is a function of names (support/pure.h), so that it
 * knows slots of no optimizer; files come from tests/make_checkpoint.py, which cuts arrays of
 * element numbers where the verifier deals and counts.
 */
#include "support/forms.h"
#include "support/pure.h"
#include "support/scripted.h"
#include "verify/crc.h"
#include "verify/held.h"
#include "verify/walk.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { STEP = 3, RANKS_MAX = 32, LINE_BYTES = 4096, ARGUMENT_BYTES = 4096 };

static void set_up(void)
{
    forms_make();
    pure_absent = forms_absent;
}

/* --- memory ----------------------------------------------------------------------------------- */

static struct verify_memory memory[RANKS_MAX][FORMS_TENSORS];
static struct verify_formula formula;
static struct verify_rules *rules;

static void fill_tensor(uint64_t rank, uint32_t t)
{
    const size_t width = reshard_dtype_bytes(forms.tensor[t].dtype);
    const uint64_t bytes = verify_rules_memory_elements(rules, t, rank) * width;
    unsigned char *base = malloc((size_t)bytes + 1);
    unsigned char element[VERIFY_ELEMENT_BYTES_MAX];
    struct verify_walk walk;
    struct verify_run run;

    memset(base, 0x5a, (size_t)bytes);
    verify_walk_begin(&walk, rules, t, rank);
    while (verify_walk_next(&walk, &run)) {
        for (uint64_t i = 0; i < run.end - run.begin; ++i) {
            pure_element(&forms.tensor[t], run.begin + i, element);
            memcpy(base + (run.local + i) * width, element, width);
        }
    }
    memory[rank][t] =
        (struct verify_memory){.base = base, .bytes = bytes, .absent = forms_absent[t]};
}

static void fill(int layout)
{
    rules = forms_rules(&forms_layouts[layout], &formula);
    for (uint64_t rank = 0; rank < formula.layout.world; ++rank) {
        for (uint32_t t = 0; t < forms.tensor_count; ++t)
            fill_tensor(rank, t);
    }
}

static struct verify_report judge(void)
{
    const struct verify_oracle_options truth = {.inventory = &forms, .step = STEP};
    struct verify_oracle *oracle;
    struct verify_report all;

    ck_assert_int_eq(verify_oracle_open(&oracle, &truth, NULL), RESHARD_OK);
    ck_assert_int_eq(verify_report_open(&all), RESHARD_OK);
    for (uint64_t rank = 0; rank < formula.layout.world; ++rank) {
        const struct verify_held_options options = {
            .rules = rules, .oracle = oracle, .memory = memory[rank], .rank = rank};
        struct verify_report one;

        ck_assert_int_eq(verify_report_open(&one), RESHARD_OK);
        ck_assert_int_eq(verify_held(&options, &one, NULL), one.status);
        ck_assert_int_eq(verify_report_merge(&all, &one), RESHARD_OK);
        verify_report_close(&one);
    }
    verify_oracle_close(oracle);
    return all;
}

static void release(void)
{
    for (uint64_t rank = 0; rank < formula.layout.world; ++rank) {
        for (uint32_t t = 0; t < forms.tensor_count; ++t)
            free((void *)memory[rank][t].base);
    }
    verify_rules_close(rules);
    verify_formula_close(&formula);
}

START_TEST(ranks_that_hold_slots_of_every_form_are_found_to_hold_all_of_them)
{
    struct verify_report report;

    fill(_i);
    report = judge();
    ck_assert_int_eq(verify_report_print(&report, stdout), RESHARD_OK);
    ck_assert_uint_eq(report.finding_total, 0);
    for (uint32_t t = 0; t < forms.tensor_count; ++t) {
        ck_assert_uint_eq(report.tally[t].held,
                          forms_absent[t] ? 0 : verify_rules_world_elements(rules, t));
        ck_assert_uint_eq(report.tally[t].compared, report.tally[t].held);
        ck_assert_uint_ge(verify_rules_world_elements(rules, t),
                          verify_tensor_elements(&forms.tensor[t]));
    }
    verify_report_close(&report);
    release();
}
END_TEST

/* The last element that the last rank with some of a tensor has of it; false where none has any. */
static bool last_element(uint32_t tensor, uint64_t *rank, struct verify_run *last)
{
    for (uint64_t r = formula.layout.world; r-- > 0;) {
        struct verify_walk walk;
        struct verify_run run;
        bool any = false;

        verify_walk_begin(&walk, rules, tensor, r);
        while (verify_walk_next(&walk, &run)) {
            *last = run;
            any = true;
        }
        *rank = r;
        if (any)
            return true;
    }
    return false;
}

START_TEST(one_flipped_bit_of_any_slot_is_named)
{
    fill(_i);
    for (uint32_t t = 0; t < forms.tensor_count; ++t) {
        const size_t width = reshard_dtype_bytes(forms.tensor[t].dtype);
        struct verify_report report;
        struct verify_run run;
        unsigned char *byte;
        uint64_t rank;

        ck_assert(last_element(t, &rank, &run));
        byte =
            (unsigned char *)memory[rank][t].base + (run.local + run.end - run.begin) * width - 1;
        *byte ^= 1;
        report = judge();
        *byte ^= 1;
        ck_assert_uint_eq(report.finding_total, forms_absent[t] ? 0 : 1);
        if (!forms_absent[t]) {
            ck_assert_str_eq(report.finding[0].fqn, forms.tensor[t].fqn);
            ck_assert_str_eq(report.finding[0].slot, forms.tensor[t].slot);
            ck_assert_uint_eq(report.finding[0].element, run.end - 1);
            ck_assert_uint_eq(report.finding[0].rank, rank);
        }
        verify_report_close(&report);
    }
    release();
}
END_TEST

/* Findings of one tensor, one for each of `ranks` ranks, that say this. */
static void expect_absence(uint32_t tensor, unsigned ranks, const char *words)
{
    struct verify_report report = judge();

    ck_assert_uint_eq(report.finding_total, ranks);
    ck_assert_int_eq(report.status, RESHARD_EMISMATCH);
    for (uint32_t f = 0; f < report.finding_count; ++f) {
        ck_assert_str_eq(report.finding[f].fqn, forms.tensor[tensor].fqn);
        ck_assert_str_eq(report.finding[f].slot, forms.tensor[tensor].slot);
        ck_assert_str_eq(report.finding[f].text, words);
    }
    verify_report_close(&report);
}

START_TEST(a_slot_that_is_absent_on_one_side_is_named)
{
    static const char *const slots[][2] = {
        {"embed", "exp_avg"}, {"embed", "row_var"}, {"embed", "step"}, {"h.2.bias", "absmax"}};
    const uint32_t t = forms_find(slots[_i][0], slots[_i][1]);

    fill(3); /* fsdp2 over four, and an idle rank */
    for (uint64_t rank = 0; rank < formula.layout.world; ++rank)
        memory[rank][t].absent = true;
    expect_absence(t, 4, "is absent, and must be there after training step 3");
    for (uint64_t rank = 0; rank < formula.layout.world; ++rank)
        memory[rank][t].absent = false;
    forms_absent[t] = true;
    expect_absence(t, 4, "is there, and must not be after training step 3");
    release();
}
END_TEST

START_TEST(a_rank_without_elements_has_no_say_in_absence)
{
    const uint32_t row = forms_find("h.1.e.1", "row_var");
    struct verify_report report;

    fill(9); /* e.1 is at expert 1: ranks 1 and 3 */
    memory[0][row].absent = memory[2][row].absent = true;
    report = judge();
    ck_assert_uint_eq(report.finding_total, 0);
    verify_report_close(&report);
    memory[3][row].absent = true;
    expect_absence(row, 1, "is absent, and must be there after training step 3");
    release();
}
END_TEST

START_TEST(memory_of_absent_slots_is_not_looked_at)
{
    const uint32_t t = forms_find("h.0.proj", "momentum");
    struct verify_report report;

    fill(3);
    for (uint64_t rank = 0; rank < formula.layout.world; ++rank) {
        free((void *)memory[rank][t].base);
        memory[rank][t] = (struct verify_memory){.absent = true};
    }
    report = judge();
    ck_assert_uint_eq(report.finding_total, 0);
    verify_report_close(&report);
    release();
}
END_TEST

START_TEST(rows_of_ranks_that_changed_places_are_seen)
{
    const uint32_t t = forms_find("embed", "row_var");
    struct verify_report report;
    struct verify_memory kept;

    fill(3);
    kept = memory[0][t];
    memory[0][t] = memory[1][t];
    memory[1][t] = kept;
    report = judge();
    ck_assert_uint_eq(report.finding_total, 2);
    ck_assert_str_eq(report.finding[0].slot, "row_var");
    ck_assert_uint_eq(report.finding[0].differing, 2);
    verify_report_close(&report);
    release();
}
END_TEST

/* --- files ------------------------------------------------------------------------------------ */

static void make(const char *name, const struct forms_layout *layout, const char *more)
{
    char arguments[ARGUMENT_BYTES];

    snprintf(arguments, sizeof arguments, "--model forms --index --world %d --formula '%s' %s",
             (int)layout->world, layout->formula, more);
    scripted_checkpoint(name, arguments);
}

/* The status, and a finding whose line has these words. */
static void expect(const char *against, enum reshard_status status, const char *words)
{
    struct verify_report report = scripted_judge("c", &forms, STEP, against);
    char line[LINE_BYTES];
    bool found = false;

    for (uint32_t f = 0; f < report.finding_count; ++f) {
        verify_finding_line(&report.finding[f], line, sizeof line);
        found = found || strstr(line, words);
    }
    ck_assert_msg(found, "no finding says: %s", words);
    ck_assert_str_eq(reshard_status_name(report.status), reshard_status_name(status));
    verify_report_close(&report);
}

START_TEST(whole_checkpoints_of_every_form_are_found_whole)
{
    struct verify_report report;

    make("c", &forms_layouts[_i], "");
    make("d", &forms_layouts[0], "");
    report = scripted_judge("c", &forms, STEP, "d");
    ck_assert_uint_eq(report.finding_total, 0);
    ck_assert_uint_eq(report.tensor_count, FORMS_TENSORS);
    ck_assert_uint_eq(report.absent_count, 4);
    ck_assert_uint_eq(report.elements, 574);
    verify_report_close(&report);
}
END_TEST

/* Right boxes, right digests, and what is in them was cut as if it were contiguous. */
START_TEST(slots_that_were_cut_otherwise_than_said_differ_from_the_truth)
{
    make("c", &forms_layouts[5],
         _i ? "--fault permute:h.0.qkv/absmax" : "--fault permute:h.0.qkv/row_var");
    expect(NULL, RESHARD_EMISMATCH, _i ? "h.0.qkv absmax: [3] is" : "h.0.qkv row_var: [4] is");
}
END_TEST

START_TEST(slots_of_another_layout_than_the_manifest_says_are_named)
{
    static const struct {
        int written;
        const char *say;
        const char *words;
    } cases[] = {
        {3, "{\"kind\":\"fsdp2\",\"mesh\":{\"shard\":2,\"replicate\":2}}",
         "embed row_var: the piece is [0, 0] to [2, 1] by rank 0; by the layout [0, 0] to [4, 1] "
         "by "
         "rank 0"},
        {5,
         "{\"kind\":\"fsdp2\",\"mesh\":{\"shard\":2,\"tensor\":2},\"tensors\":[{\"pattern\":"
         "\"h.0.qkv\",\"tensor\":0},{\"pattern\":\"h.0.proj\",\"tensor\":1}]}",
         "h.0.qkv absmax: the piece is"},
    };
    char more[1024];

    snprintf(more, sizeof more, "--say '%s'", cases[_i].say);
    make("c", &forms_layouts[cases[_i].written], more);
    expect(NULL, RESHARD_EFORMAT, cases[_i].words);
}
END_TEST

START_TEST(a_slot_that_is_absent_in_one_checkpoint_is_named)
{
    make("c", &forms_layouts[1], _i ? "--absence h.0.proj/momentum" : "--absence embed/absmax");
    make("d", &forms_layouts[3], "");
    expect(NULL, RESHARD_EMISMATCH,
           _i ? "h.0.proj momentum: is there, and absent in the state of training step 3"
              : "embed absmax: is absent, and there in the state of training step 3");
    expect("d", RESHARD_EMISMATCH,
           _i ? "h.0.proj momentum: is there, and absent in /"
              : "embed absmax: is absent, and there in /");
}
END_TEST

START_TEST(what_an_absent_slot_must_not_have_is_named)
{
    make("c", &forms_layouts[3], _i ? "--fault absent-pieces" : "--fault absent-dataset");
    if (_i)
        expect(NULL, RESHARD_EFORMAT,
               "EFORMAT: rank-00000.h5: /tensors has h.0.proj momentum, which is absent");
    else
        expect(NULL, RESHARD_EFORMAT, "index.h5: has members that are no tensor");
}
END_TEST

START_TEST(an_index_without_a_slot_that_is_there_is_named)
{
    make("c", &forms_layouts[3], "");
    scripted_run("%s -c \"import h5py; f = h5py.File('%s/c/index.h5', 'r+');"
                 "del f['optim/state/embed/absmax']\"",
                 scripted_python(), scripted_home);
    expect(NULL, RESHARD_EFORMAT, "the dataset of embed absmax is not where it must be");
}
END_TEST

START_TEST(another_class_or_block_than_the_expected_one_is_named)
{
    forms.tensor[_i ? forms_find("embed", "rng") : forms_find("embed", "row_var")].slot_class =
        VERIFY_PLAIN;
    make("c", &forms_layouts[3], "");
    expect(NULL, RESHARD_EMISMATCH,
           _i ? "embed rng: has another dtype, shape, placement or role"
              : "embed row_var: has another dtype, shape, placement or role");
}
END_TEST

/* --- the manifest ----------------------------------------------------------------------------- */

/* embed is tensor 0; exp_avg 1, row_var 2, col_var 3, absmax 4, step 5, rng 6; momentum 16 is
 * absent. */
START_TEST(manifests_that_break_a_must_about_slots_are_refused)
{
    static const struct {
        const char *change;
        const char *words;
    } cases[] = {
        {"tensors/0/class=\"row\"", "tensors[0] has a class, but is no slot"},
        {"tensors/0/block=4", "tensors[0] is blockwise without \"block\", or has it and is not"},
        {"tensors/0/absent=true", "tensors[0] has \"absent\", and is no slot"},
        {"tensors/1/class=\"row\"", "tensors[1] has a class, but is no slot of a shape of its own"},
        {"tensors/1/block=4", "tensors[1] is blockwise without"},
        {"tensors/1/absent=false", "or it is not true"},
        {"tensors/1/absent=true", "tensors[1] is absent, and has a digest"},
        {"tensors/1/digest=null", "tensors[1] has no digest"},
        {"tensors/2/class=\"rows\"", "tensors[2] has no known class"},
        {"tensors/2/class=\"scalar\"", "tensors[2] has no known class"},
        {"tensors/2/class=7", "tensors[2] has no known class"},
        {"tensors/2/class=\"column\"", "embed row_var: has not the shape of its parameter"},
        {"tensors/2/shape=[8, 6]", "embed row_var: has not the shape of its parameter"},
        {"tensors/2/shape=[1, 8]", "embed row_var: has not the shape of its parameter"},
        {"tensors/2/shape=[]", "embed row_var: has not the shape of its parameter"},
        {"tensors/3/shape=[8]", "embed col_var: has not the shape of its parameter"},
        {"tensors/4/block=null", "tensors[4] is blockwise without"},
        {"tensors/4/block=0", "embed absmax: is blockwise, with blocks of no elements"},
        {"tensors/4/block=-1", "tensors[4] has a block that is no size"},
        {"tensors/4/block=5.0", "tensors[4] has a block that is no size"},
        {"tensors/4/block=6", "embed absmax: has not one element for each block"},
        {"tensors/4/block=9223372036854775807", "has not one element for each block"},
        {"tensors/4/shape=[9]", "embed absmax: has not one element for each block"},
        {"tensors/4/shape=[10, 1]", "embed absmax: has not one element for each block"},
        {"tensors/4/class=null", "tensors[4] is blockwise without"},
        {"tensors/5/class=\"row\"", "embed step: has not the shape of its parameter"},
        {"tensors/5/class=\"opaque\"", "embed step: is opaque, but not u8 of one dimension"},
        {"tensors/6/dtype=\"i8\"", "embed rng: is opaque, but not u8 of one dimension"},
        {"tensors/6/shape=[3, 3]", "embed rng: is opaque, but not u8 of one dimension"},
        {"tensors/8/class=\"row\"", "tensors[8] is blockwise without \"block\", or has it"},
        {"tensors/9/class=\"column\"", "scale step: is a row or column of what has fewer than 2"},
        {"tensors/16/digest=\"0000000000000000\"", "tensors[16] is absent, and has a digest"},
        {"tensors/16/absent=1", "or it is not true"},
        {"tensors/16/absent=null", "tensors[16] has no digest"},
        {"optimizer/keys=null", "optimizer: its members are not keys, groups and entries"},
        {"optimizer/groups/0/name=\"\"", "optimizer: groups[0] has no name"},
        {"optimizer=null", ""},
    };
    char more[512];

    snprintf(more, sizeof more, "--change '%s'", cases[_i].change);
    make("c", &forms_layouts[0], more);
    if (cases[_i].words[0]) {
        expect(NULL, RESHARD_EFORMAT, cases[_i].words);
    } else { /* which may be missing */
        struct verify_report report = scripted_judge("c", &forms, STEP, NULL);

        ck_assert_uint_eq(report.finding_total, 0);
        verify_report_close(&report);
    }
}
END_TEST

enum { REFUSALS = 37 };

START_TEST(an_optimizer_at_another_place_of_the_manifest_is_refused)
{
    make("c", &forms_layouts[0], "");
    scripted_run("cd %s/c && %s -B -c \"import sys; sys.path.insert(0, '%s/tests')\n"
                 "import json, make_checkpoint as m\n"
                 "d = json.load(open('manifest.json'))\n"
                 "d['optimizer'] = d.pop('optimizer')\n"
                 "c = d.pop('crc64'); d['crc64'] = c\n"
                 "%s"
                 "t = json.dumps(d, indent=2); h = t[:t.rindex('  \\\"crc64\\\"')].encode()\n"
                 "open('manifest.json', 'wb').write(h + ('  \\\"crc64\\\": \\\"%%016x\\\"\\n}\\n'"
                 " %% m.crc64(h)).encode())\"",
                 scripted_home, scripted_python(), RESHARD_SOURCE_DIR,
                 _i ? "d = {'optimizer': d.pop('optimizer'), **d}\n" : "");
    expect(NULL, RESHARD_EFORMAT, "its members are not those of version 2 in their order");
}
END_TEST

START_TEST(groups_that_differ_are_named)
{
    static const struct {
        const char *change;
        const char *words;
    } cases[] = {
        {"optimizer=null", "the optimizer's groups are not here, and are in /"},
        {"optimizer/groups/0/values/lr=0.0010000000000000002",
         "param group decay: lr is 0.0010000000000000002"},
        {"optimizer/groups/2/values/weight_decay=0.0",
         "param group default: weight_decay is 0.0, not -0.0 as in /"},
        {"optimizer/groups/0/params=[\"h.0.qkv\",\"embed\",\"h.0.proj\",\"h.2.fused\"]",
         "param group decay: member 0 is h.0.qkv, not embed as in /"},
        {"optimizer/groups/1/name=\"some\"", "param group none: is in /"},
        {"optimizer/entries/0/values/best={\"f64\":\"7ff8000000000000\"}",
         "optimizer's entry scheduler: best is nan (0x7ff8000000000000), not inf"},
    };
    char more[512];

    snprintf(more, sizeof more, "--change '%s'", cases[_i].change);
    make("c", &forms_layouts[0], more);
    make("d", &forms_layouts[1], "");
    expect("d", RESHARD_EMISMATCH, cases[_i].words);
}
END_TEST

/* --- any manifest ----------------------------------------------------------------------------- */

enum { ROUNDS = 400, SEED = 20, SEAL_BYTES = 32 };

static char *read_manifest(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    char *text = malloc(1 << 20);

    ck_assert_ptr_nonnull(file);
    *bytes = fread(text, 1, 1 << 20, file);
    ck_assert_int_eq(fclose(file), 0);
    return text;
}

static void write_manifest(const char *path, const char *text, size_t bytes)
{
    FILE *file = fopen(path, "wb");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, bytes - SEAL_BYTES, file), bytes - SEAL_BYTES);
    (void)fprintf(file, "  \"crc64\": \"%016llx\"\n}\n",
                  (unsigned long long)verify_crc(0, text, bytes - SEAL_BYTES));
    ck_assert_int_eq(fclose(file), 0);
}

/* Bytes of JSON, and digits most of all, in places that mean something: whatever comes of it has a
 * right CRC, is judged, and does no harm. */
START_TEST(no_manifest_does_more_than_be_refused)
{
    static const char bytes[] = "0123456789012345678901234567890123456789-.e\"[]{},:nt";
    const struct verify_files_options options = {.threads = 1};
    unsigned seed = SEED + (unsigned)_i;
    unsigned refused = 0;
    char directory[1024];
    char path[1088];
    size_t size;
    char *text;

    make("c", &forms_layouts[_i ? 8 : 1], "");
    snprintf(directory, sizeof directory, "%s/c", scripted_home);
    snprintf(path, sizeof path, "%s/manifest.json", directory);
    scripted_run("rm %s/index.h5", directory);
    text = read_manifest(path, &size);
    for (int round = 0; round < ROUNDS; ++round) {
        char *changed = malloc(size);
        struct verify_report report;

        memcpy(changed, text, size);
        for (int b = 0; b < 1 + round % 3; ++b)
            changed[(size_t)rand_r(&seed) % (size - SEAL_BYTES)] =
                bytes[(size_t)rand_r(&seed) % (sizeof bytes - 1)];
        write_manifest(path, changed, size);
        ck_assert_int_eq(verify_report_open(&report), RESHARD_OK);
        refused += verify_files(directory, &options, &report, NULL) != RESHARD_OK;
        verify_report_close(&report);
        free(changed);
    }
    printf("seed %u: %u of %d refused\n", SEED + (unsigned)_i, refused, ROUNDS);
    ck_assert_uint_gt(refused, ROUNDS / 2);
    free(text);
}
END_TEST

static Suite *suite(void)
{
    Suite *const all = suite_create("verify_forms");
    TCase *const held = tcase_create("memory");
    TCase *const files = tcase_create("files");

    tcase_set_timeout(held, 60);
    tcase_add_checked_fixture(held, set_up, NULL);
    tcase_add_loop_test(held, ranks_that_hold_slots_of_every_form_are_found_to_hold_all_of_them, 0,
                        FORMS_LAYOUTS);
    tcase_add_loop_test(held, one_flipped_bit_of_any_slot_is_named, 0, FORMS_LAYOUTS);
    tcase_add_loop_test(held, a_slot_that_is_absent_on_one_side_is_named, 0, 4);
    tcase_add_test(held, a_rank_without_elements_has_no_say_in_absence);
    tcase_add_test(held, memory_of_absent_slots_is_not_looked_at);
    tcase_add_test(held, rows_of_ranks_that_changed_places_are_seen);
    tcase_set_timeout(files, 100);
    tcase_add_checked_fixture(files, set_up, NULL);
    tcase_add_checked_fixture(files, scripted_set_up, scripted_tear_down);
    tcase_add_loop_test(files, whole_checkpoints_of_every_form_are_found_whole, 0, FORMS_LAYOUTS);
    tcase_add_loop_test(files, slots_that_were_cut_otherwise_than_said_differ_from_the_truth, 0, 2);
    tcase_add_loop_test(files, slots_of_another_layout_than_the_manifest_says_are_named, 0, 2);
    tcase_add_loop_test(files, a_slot_that_is_absent_in_one_checkpoint_is_named, 0, 2);
    tcase_add_loop_test(files, what_an_absent_slot_must_not_have_is_named, 0, 2);
    tcase_add_test(files, an_index_without_a_slot_that_is_there_is_named);
    tcase_add_loop_test(files, another_class_or_block_than_the_expected_one_is_named, 0, 2);
    tcase_add_loop_test(files, manifests_that_break_a_must_about_slots_are_refused, 0, REFUSALS);
    tcase_add_loop_test(files, an_optimizer_at_another_place_of_the_manifest_is_refused, 0, 2);
    tcase_add_loop_test(files, groups_that_differ_are_named, 0, 6);
    tcase_add_loop_test(files, no_manifest_does_more_than_be_refused, 0, 2);
    suite_add_tcase(all, held);
    suite_add_tcase(all, files);
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
