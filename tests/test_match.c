/*
 * Matching. Goal: a checkpoint fills a model name by name; all that does not fit is listed at once;
 * and each leniency forgives what it is for, where it was asked for, and nothing else. Method: two
 * inventories that differ in one respect at a time, matched strictly and with each option.
 */
#include "core/match.h"
#include "support/oracle.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum part { ALL, MODEL, OPTIMIZER };

static bool wanted(int part, const struct reshard_tensor *tensor)
{
    return reshard_role_is_saved(tensor->role) &&
           (part == ALL || (part == OPTIMIZER) == (tensor->slot[0] != '\0'));
}

enum { TENSORS_MAX = 16 };

static struct reshard_model *model, *saved;
static uint64_t digests[TENSORS_MAX];
static struct match match;
static struct reshard_error error;

static void setup(void)
{
    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    ck_assert_int_eq(reshard_model_open(&saved), RESHARD_OK);
    for (uint64_t i = 0; i < TENSORS_MAX; i++)
        digests[i] = i;
    match = (struct match)MATCH_INIT;
    reshard_error_clear(&error);
}

static void teardown(void)
{
    match_release(&match);
    reshard_model_close(model);
    reshard_model_close(saved);
}

static void add(struct reshard_model *to, const char *fqn)
{
    oracle_add(to, fqn, "", RESHARD_DTYPE_F32, 1, (const uint64_t[]){6});
}

static void add_both(const char *fqn)
{
    add(model, fqn);
    add(saved, fqn);
}

static void add_role(struct reshard_model *to, const char *fqn, enum reshard_role role,
                     uint64_t rows, enum reshard_other_world other)
{
    const struct reshard_shape shape = {role == RESHARD_ROLE_PER_RANK ? 2 : 1, {rows, 3}};

    ck_assert_int_eq(
        reshard_model_add_role(to, fqn, "", RESHARD_DTYPE_U8, &shape, role, other, NULL),
        RESHARD_OK);
}

static void add_slot(struct reshard_model *to, const char *fqn, const char *slot)
{
    ck_assert_int_eq(reshard_model_add_slot(to, fqn, slot, RESHARD_DTYPE_F32, NULL, true, NULL),
                     RESHARD_OK);
}

static void tie(struct reshard_model *in, const char *alias, const char *of)
{
    ck_assert_int_eq(reshard_model_tie(in, alias, of, NULL), RESHARD_OK);
}

static enum reshard_status try_part(const struct reshard_match_options *options, enum part part)
{
    const struct manifest manifest = {.model = saved, .digest = digests};

    match_release(&match);
    reshard_error_clear(&error);
    return match_tensors(&match, model, &manifest, NULL, options, wanted, part, "ckpt", &error);
}

static enum reshard_status try(const struct reshard_match_options *options)
{
    return try_part(options, ALL);
}

static const struct reshard_match_options strict = {.rename = NULL};

static void must_match(const struct reshard_match_options *options)
{
    ck_assert_msg(try(options) == RESHARD_OK, "%s", error.text);
    ck_assert_str_eq(error.text, "");
}

/* Refused, with exactly so many lines, of which each holds one of the texts. */
static void must_differ(const struct reshard_match_options *options, int lines,
                        const char *const *texts)
{
    int found = 0;

    ck_assert_int_eq(try(options), RESHARD_EMISMATCH);
    ck_assert_int_eq(error.status, RESHARD_EMISMATCH);
    ck_assert_msg(strncmp(error.text, "ckpt does not fit the model:", 28) == 0, "%s", error.text);
    for (const char *c = error.text; *c; c++)
        found += *c == '\n';
    ck_assert_msg(found == lines, "%d lines instead of %d: %s", found, lines, error.text);
    for (int i = 0; i < lines; i++)
        ck_assert_msg(strstr(error.text, texts[i]), "no '%s' in: %s", texts[i], error.text);
}

static void must_differ_in_one(const struct reshard_match_options *options, const char *text)
{
    must_differ(options, 1, &text);
}

/* ---- strict ---------------------------------------------------------------------------------- */

START_TEST(names_decide_not_places)
{
    add(model, "a");
    add(model, "b");
    add(saved, "b");
    add(saved, "a");
    add_slot(model, "a", "m");
    add_slot(saved, "a", "m");
    must_match(&strict);
    ck_assert_uint_eq(match.from[0], 1);
    ck_assert_uint_eq(match.from[1], 0);
    ck_assert_uint_eq(match.from[2], 2);
    ck_assert(!match.cast[0] && !match.wrapped[0]);
    ck_assert_uint_eq(match.cast_count + match.kept + match.unread, 0);
}
END_TEST

START_TEST(all_that_does_not_fit_is_listed_at_once)
{
    add_both("same");
    add(model, "missing");
    add(saved, "unexpected");
    oracle_add(model, "shape", "", RESHARD_DTYPE_F32, 1, (const uint64_t[]){6});
    oracle_add(saved, "shape", "", RESHARD_DTYPE_F32, 2, (const uint64_t[]){6, 1});
    oracle_add(model, "dtype", "", RESHARD_DTYPE_F32, 0, NULL);
    oracle_add(saved, "dtype", "", RESHARD_DTYPE_BF16, 0, NULL);
    add_slot(model, "same", "m");
    add_slot(saved, "same", "v");
    must_differ(&strict, 6,
                (const char *[]){
                    "'missing' f32 (6): missing in the checkpoint",
                    "'unexpected' f32 (6): unknown to the model",
                    "'shape' f32 (6): the checkpoint has f32 (6, 1)",
                    "'dtype' f32 (): the checkpoint has bf16 ()", "'same' slot m f32 (6): missing",
                    "'same' slot v f32 (6): the model has the parameter, but no such state"});
}
END_TEST

START_TEST(a_part_looks_at_its_own_tensors_alone)
{
    add_both("w");
    add(model, "only.here");
    add_slot(saved, "w", "m");
    ck_assert_int_eq(try_part(&strict, MODEL), RESHARD_EMISMATCH);
    ck_assert_ptr_null(strstr(error.text, "slot"));
    ck_assert_int_eq(try_part(&strict, OPTIMIZER), RESHARD_EMISMATCH);
    ck_assert_ptr_null(strstr(error.text, "only.here"));
    add_slot(model, "w", "m");
    ck_assert_int_eq(try_part(&strict, OPTIMIZER), RESHARD_OK);
    ck_assert_uint_eq(match.from[0], MATCH_SKIP);
    ck_assert_uint_eq(match.from[1], MATCH_SKIP);
    ck_assert_uint_eq(match.from[2], 1);
}
END_TEST

START_TEST(what_is_not_saved_is_not_missed)
{
    add_both("w");
    add_role(model, "cache", RESHARD_ROLE_TRANSIENT, 4, RESHARD_OTHER_WORLD_REFUSE);
    must_match(&strict);
    ck_assert_uint_eq(match.from[1], MATCH_SKIP);
    ck_assert_uint_eq(match.kept, 0);
}
END_TEST

/* Bytes without structure are not a buffer of bytes; trained or not, a parameter is one. */
START_TEST(roles_of_other_kinds_do_not_fill_one_another)
{
    static const enum reshard_role roles[] = {RESHARD_ROLE_PARAMETER, RESHARD_ROLE_FROZEN,
                                              RESHARD_ROLE_BUFFER, RESHARD_ROLE_OPAQUE};
    const bool fits =
        (roles[_i / 4] == RESHARD_ROLE_OPAQUE) == (roles[_i % 4] == RESHARD_ROLE_OPAQUE);

    add_role(model, "w", roles[_i / 4], 5, RESHARD_OTHER_WORLD_REFUSE);
    add_role(saved, "w", roles[_i % 4], 5, RESHARD_OTHER_WORLD_REFUSE);
    if (fits)
        must_match(&strict);
    else
        must_differ_in_one(&strict, "in the checkpoint");
}
END_TEST

START_TEST(opaque_bytes_and_a_row_for_each_rank_do_not_fill_one_another)
{
    const struct reshard_shape rows = {1, {5}};

    add_role(_i ? saved : model, "w", RESHARD_ROLE_OPAQUE, 5, RESHARD_OTHER_WORLD_REFUSE);
    ck_assert_int_eq(reshard_model_add_role(_i ? model : saved, "w", "", RESHARD_DTYPE_U8, &rows,
                                            RESHARD_ROLE_PER_RANK, RESHARD_OTHER_WORLD_WRAP, NULL),
                     RESHARD_OK);
    must_differ_in_one(&strict, "per_rank");
    ck_assert_ptr_nonnull(strstr(error.text, "opaque"));
}
END_TEST

/* ---- leniency, by name ----------------------------------------------------------------------- */

START_TEST(what_may_be_missing_is_left_as_it_is)
{
    const struct reshard_match_options options = {.missing = (const char *[]){"lora.*", "x"},
                                                  .missing_count = 2};

    add_both("w");
    add(model, "lora.a");
    add(model, "other");
    add_slot(model, "lora.a", "m");
    must_differ_in_one(&options, "'other'");
    add(saved, "other");
    must_match(&options);
    ck_assert_uint_eq(match.kept, 2); /* the slot goes by its parameter */
    ck_assert_uint_eq(match.from[1], MATCH_SKIP);
    ck_assert_uint_eq(match.from[2], 1);
    ck_assert_uint_eq(match.from[3], MATCH_SKIP);
}
END_TEST

START_TEST(what_may_be_missing_is_loaded_where_it_is_there)
{
    const struct reshard_match_options options = {.missing = (const char *[]){"*"},
                                                  .missing_count = 1};

    add_both("w");
    must_match(&options);
    ck_assert_uint_eq(match.from[0], 0);
    ck_assert_uint_eq(match.kept, 0);
}
END_TEST

START_TEST(what_may_be_unexpected_is_passed_over)
{
    const struct reshard_match_options options = {.unexpected = (const char *[]){"head.*"},
                                                  .unexpected_count = 1};

    add_both("w");
    add(saved, "head.w");
    add(saved, "other");
    add_slot(saved, "head.w", "m");
    must_differ_in_one(&options, "'other'");
    add(model, "other");
    must_match(&options);
    ck_assert_uint_eq(match.unread, 2);
}
END_TEST

START_TEST(floats_are_cast_where_it_is_asked_for)
{
    const struct reshard_match_options options = {.cast = (const char *[]){"h.*"}, .cast_count = 1};

    oracle_add(model, "h.w", "", RESHARD_DTYPE_F32, 0, NULL);
    oracle_add(saved, "h.w", "", RESHARD_DTYPE_BF16, 0, NULL);
    oracle_add(model, "h.same", "", RESHARD_DTYPE_F32, 0, NULL);
    oracle_add(saved, "h.same", "", RESHARD_DTYPE_F32, 0, NULL);
    must_match(&options);
    ck_assert(match.cast[0] && !match.cast[1]);
    ck_assert_uint_eq(match.cast_count, 1);
    oracle_add(model, "b", "", RESHARD_DTYPE_F32, 0, NULL);
    oracle_add(saved, "b", "", RESHARD_DTYPE_F16, 0, NULL);
    must_differ_in_one(&options, "'b'");
}
END_TEST

START_TEST(nothing_but_floats_is_cast_and_no_shape_changes)
{
    const struct reshard_match_options options = {.cast = (const char *[]){"*"}, .cast_count = 1};

    oracle_add(model, "ids", "", RESHARD_DTYPE_I64, 0, NULL);
    oracle_add(saved, "ids", "", RESHARD_DTYPE_I32, 0, NULL);
    oracle_add(model, "w", "", RESHARD_DTYPE_F32, 1, (const uint64_t[]){6});
    oracle_add(saved, "w", "", RESHARD_DTYPE_BF16, 1, (const uint64_t[]){7});
    must_differ(&options, 2, (const char *[]){"only floats can be cast", "bf16 (7)"});
}
END_TEST

/* ---- renames --------------------------------------------------------------------------------- */

START_TEST(renamed_tensors_are_known_by_what_the_parts_stood_for)
{
    const struct reshard_rename renames[] = {
        {"module.h.{i}.*", "blocks.{i}.*"}, {"module.*", "*"}, {"*", "never.reached.*"}};
    const struct reshard_match_options options = {.rename = renames, .rename_count = 2};

    add(saved, "module.h.3.attn.w");
    add(saved, "module.norm");
    add(saved, "as.it.is");
    add_slot(saved, "module.norm", "m");
    add(model, "norm");
    add(model, "blocks.3.attn.w");
    add(model, "as.it.is");
    add_slot(model, "norm", "m");
    must_match(&options);
    ck_assert_uint_eq(match.from[0], 1);
    ck_assert_uint_eq(match.from[1], 0);
    ck_assert_uint_eq(match.from[2], 2);
    ck_assert_uint_eq(match.from[3], 3);
}
END_TEST

START_TEST(two_tensors_renamed_to_one_are_refused)
{
    const struct reshard_rename renames[] = {{"*.w", "w"}};
    const struct reshard_match_options options = {.rename = renames, .rename_count = 1};

    add(saved, "a.w");
    add(saved, "b.w");
    add(model, "w");
    ck_assert_int_eq(try(&options), RESHARD_EMISMATCH);
    ck_assert_ptr_nonnull(strstr(error.text, "'w': two of the checkpoint's are renamed to it"));
}
END_TEST

START_TEST(a_name_renamed_to_one_that_is_there_is_refused)
{
    const struct reshard_rename renames[] = {{"old", "w"}};
    const struct reshard_match_options options = {.rename = renames, .rename_count = 1};

    add(saved, "old");
    add(saved, "w");
    add(model, "w");
    ck_assert_int_eq(try(&options), RESHARD_EMISMATCH);
    ck_assert_ptr_nonnull(strstr(error.text, "'w': two of the checkpoint's are renamed to it"));
}
END_TEST

START_TEST(a_rename_that_asks_for_more_than_there_is_or_becomes_too_long_is_refused)
{
    char much[900];
    const struct reshard_rename more[] = {{"a*", "*.*"}}, longer[] = {{"a*", much}};
    struct reshard_match_options options = {.rename = more, .rename_count = 1};

    memset(much, 'x', sizeof much);
    memcpy(much + sizeof much - 3, "**", 3);
    add_both("ab");
    ck_assert_int_eq(try(&options), RESHARD_EMISMATCH);
    ck_assert_ptr_nonnull(strstr(error.text, "fewer parts"));
    options.rename = longer;
    ck_assert_int_eq(try(&options), RESHARD_EMISMATCH);
}
END_TEST

/* What is unexpected is named as it is after renaming. */
START_TEST(unexpected_names_are_those_after_renaming)
{
    const struct reshard_rename renames[] = {{"module.*", "*"}};
    const struct reshard_match_options options = {.rename = renames,
                                                  .rename_count = 1,
                                                  .unexpected = (const char *[]){"head"},
                                                  .unexpected_count = 1};

    add(saved, "module.head");
    must_match(&options);
    ck_assert_uint_eq(match.unread, 1);
}
END_TEST

/* ---- ties ------------------------------------------------------------------------------------ */

START_TEST(a_tie_is_a_tie_in_the_checkpoint_too)
{
    add_both("w");
    tie(model, "head", "w");
    tie(saved, "head", "w");
    must_match(&strict);
}
END_TEST

static void add_half_slot(struct reshard_model *to, const char *fqn, const char *slot)
{
    ck_assert_int_eq(reshard_model_add_slot(to, fqn, slot, RESHARD_DTYPE_BF16, NULL, true, NULL),
                     RESHARD_OK);
}

START_TEST(states_are_cast_only_where_they_are_named_themselves)
{
    const char *const whole[] = {"w", "*"}, *const state[] = {"*:m"};
    const struct reshard_match_options all = {.cast = whole, .cast_count = 2};
    const struct reshard_match_options one = {.cast = state, .cast_count = 1};

    add_both("w");
    add_half_slot(model, "w", "m");
    add_slot(saved, "w", "m");
    must_differ_in_one(&all, "'w' slot m bf16 (6): the checkpoint has f32 (6)");
    must_match(&one);
    ck_assert(!match.cast[0] && match.cast[1]);
}
END_TEST

START_TEST(which_of_two_tied_names_is_the_tensor_does_not_matter)
{
    add(model, "w");
    tie(model, "head", "w");
    add_slot(model, "w", "m");
    add(saved, "head");
    tie(saved, "w", "head");
    add_slot(saved, "head", "m");
    must_match(&strict);
    ck_assert_uint_eq(match.from[0], 0);
    ck_assert_uint_eq(match.from[1], 1);
}
END_TEST

START_TEST(a_tie_that_the_checkpoint_does_not_know_is_refused_unless_it_may_be_missing)
{
    const struct reshard_match_options options = {.missing = (const char *[]){"head"},
                                                  .missing_count = 1};

    add_both("w");
    tie(model, "head", "w");
    must_differ_in_one(&strict, "'head' is tied to 'w' here: the checkpoint has no such name");
    must_match(&options);
}
END_TEST

START_TEST(two_equal_tensors_fill_a_tie_and_two_that_differ_do_not)
{
    add_both("w");
    add(saved, "head");
    tie(model, "head", "w");
    digests[1] = digests[0] = 7;
    must_match(&strict);
    ck_assert_uint_eq(match.from[0], 0);
    digests[1] = 8;
    must_differ_in_one(&strict, "'head' is tied to 'w' here: in the checkpoint they are two");
}
END_TEST

START_TEST(equal_digests_of_other_dtypes_or_shapes_do_not_make_a_tie)
{
    add_both("w");
    oracle_add(saved, "head", "", _i ? RESHARD_DTYPE_F32 : RESHARD_DTYPE_I32, 1,
               (const uint64_t[]){_i ? 7 : 6});
    tie(model, "head", "w");
    digests[1] = digests[0] = 7;
    must_differ_in_one(&strict, "two tensors that differ");
}
END_TEST

START_TEST(a_second_name_becomes_a_tensor_only_where_it_is_to_be_untied)
{
    const struct reshard_match_options options = {.untie = (const char *[]){"head"},
                                                  .untie_count = 1};

    add_both("w");
    tie(saved, "head", "w");
    add(model, "head");
    must_differ_in_one(&strict, "'head' f32 (6): in the checkpoint it is a second name of 'w'");
    must_match(&options);
    ck_assert_uint_eq(match.from[0], 0);
    ck_assert_uint_eq(match.from[1], 0);
}
END_TEST

START_TEST(a_second_name_that_the_model_does_not_know_is_unexpected)
{
    const struct reshard_match_options options = {.unexpected = (const char *[]){"head"},
                                                  .unexpected_count = 1};

    add_both("w");
    tie(saved, "head", "w");
    must_differ_in_one(&strict, "'head', a second name in the checkpoint: unknown to the model");
    must_match(&options);
}
END_TEST

/* ---- rows of other worlds -------------------------------------------------------------------- */

START_TEST(rows_of_another_world_are_refused_kept_or_wrapped_as_the_model_says)
{
    static const enum reshard_other_world policies[] = {
        RESHARD_OTHER_WORLD_REFUSE, RESHARD_OTHER_WORLD_KEEP, RESHARD_OTHER_WORLD_WRAP};

    add_role(model, "rng", RESHARD_ROLE_PER_RANK, 4, policies[_i]);
    add_role(saved, "rng", RESHARD_ROLE_PER_RANK, 3, RESHARD_OTHER_WORLD_REFUSE);
    if (policies[_i] == RESHARD_OTHER_WORLD_REFUSE) {
        must_differ_in_one(&strict, "another number of ranks");
        return;
    }
    must_match(&strict);
    ck_assert_uint_eq(match.from[0], policies[_i] == RESHARD_OTHER_WORLD_WRAP ? 0 : MATCH_SKIP);
    ck_assert(match.wrapped[0] == (policies[_i] == RESHARD_OTHER_WORLD_WRAP));
    ck_assert_uint_eq(match.kept, policies[_i] == RESHARD_OTHER_WORLD_KEEP);
    ck_assert_uint_eq(match.unread, 0);
}
END_TEST

START_TEST(rows_of_the_same_world_are_loaded_whatever_the_model_says)
{
    add_role(model, "rng", RESHARD_ROLE_PER_RANK, 4, (enum reshard_other_world)_i);
    add_role(saved, "rng", RESHARD_ROLE_PER_RANK, 4, RESHARD_OTHER_WORLD_REFUSE);
    must_match(&strict);
    ck_assert_uint_eq(match.from[0], 0);
    ck_assert(!match.wrapped[0]);
}
END_TEST

START_TEST(rows_of_another_length_fit_no_policy)
{
    const struct reshard_shape longer = {2, {3, 4}};

    add_role(model, "rng", RESHARD_ROLE_PER_RANK, 4, (enum reshard_other_world)_i);
    ck_assert_int_eq(reshard_model_add_role(saved, "rng", "", RESHARD_DTYPE_U8, &longer,
                                            RESHARD_ROLE_PER_RANK, 0, NULL),
                     RESHARD_OK);
    must_differ_in_one(&strict, "the checkpoint has u8 (3, 4)");
}
END_TEST

/* ---- options --------------------------------------------------------------------------------- */

START_TEST(what_is_no_pattern_is_refused_wherever_it_stands)
{
    static const char *const bad[] = {"", "{i}{i}", "*********"};
    const struct reshard_rename rename = {bad[_i % 3], "x"};
    struct reshard_match_options options = {.rename_count = _i / 3 == 0, .rename = &rename};

    options.cast = options.missing = options.unexpected = options.untie = &bad[_i % 3];
    options.cast_count = _i / 3 == 1;
    options.missing_count = _i / 3 == 2;
    options.unexpected_count = _i / 3 == 3;
    options.untie_count = _i / 3 == 4;
    add_both("w");
    ck_assert_int_eq(try(&options), RESHARD_EINVAL);
    ck_assert_ptr_nonnull(strstr(error.text, "is no pattern"));
}
END_TEST

/* Ranks agree on the options by their hash: each option, and where it stands, counts. */
START_TEST(the_hash_changes_with_every_option)
{
    const struct reshard_rename ab = {"a", "b"}, ba = {"b", "a"};
    const char *const a[] = {"a", "b"}, *const joined[] = {"ab"};
    const struct reshard_match_options options[] = {
        {.rename = NULL},
        {.rename = &ab, .rename_count = 1},
        {.rename = &ba, .rename_count = 1},
        {.cast = a, .cast_count = 1},
        {.cast = a, .cast_count = 2},
        {.cast = joined, .cast_count = 1},
        {.missing = a, .missing_count = 1},
        {.unexpected = a, .unexpected_count = 1},
        {.untie = a, .untie_count = 1},
        {.missing = a, .missing_count = 1, .cast = a, .cast_count = 1},
    };
    const size_t count = sizeof options / sizeof *options;

    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++)
            ck_assert_msg((match_options_hash(&options[i]) == match_options_hash(&options[j])) ==
                              (i == j),
                          "%zu and %zu", i, j);
}
END_TEST

static void add_tests(TCase *cases)
{
    tcase_add_test(cases, names_decide_not_places);
    tcase_add_test(cases, all_that_does_not_fit_is_listed_at_once);
    tcase_add_test(cases, a_part_looks_at_its_own_tensors_alone);
    tcase_add_test(cases, what_is_not_saved_is_not_missed);
    tcase_add_loop_test(cases, roles_of_other_kinds_do_not_fill_one_another, 0, 16);
    tcase_add_loop_test(cases, opaque_bytes_and_a_row_for_each_rank_do_not_fill_one_another, 0, 2);
    tcase_add_test(cases, what_may_be_missing_is_left_as_it_is);
    tcase_add_test(cases, what_may_be_missing_is_loaded_where_it_is_there);
    tcase_add_test(cases, what_may_be_unexpected_is_passed_over);
    tcase_add_test(cases, floats_are_cast_where_it_is_asked_for);
    tcase_add_test(cases, nothing_but_floats_is_cast_and_no_shape_changes);
    tcase_add_test(cases, renamed_tensors_are_known_by_what_the_parts_stood_for);
    tcase_add_test(cases, two_tensors_renamed_to_one_are_refused);
    tcase_add_test(cases, a_name_renamed_to_one_that_is_there_is_refused);
    tcase_add_test(cases, a_rename_that_asks_for_more_than_there_is_or_becomes_too_long_is_refused);
    tcase_add_test(cases, unexpected_names_are_those_after_renaming);
    tcase_add_test(cases, a_tie_is_a_tie_in_the_checkpoint_too);
    tcase_add_test(cases, which_of_two_tied_names_is_the_tensor_does_not_matter);
    tcase_add_test(cases, states_are_cast_only_where_they_are_named_themselves);
    tcase_add_test(cases,
                   a_tie_that_the_checkpoint_does_not_know_is_refused_unless_it_may_be_missing);
    tcase_add_test(cases, two_equal_tensors_fill_a_tie_and_two_that_differ_do_not);
    tcase_add_loop_test(cases, equal_digests_of_other_dtypes_or_shapes_do_not_make_a_tie, 0, 2);
    tcase_add_test(cases, a_second_name_becomes_a_tensor_only_where_it_is_to_be_untied);
    tcase_add_test(cases, a_second_name_that_the_model_does_not_know_is_unexpected);
    tcase_add_loop_test(cases, rows_of_another_world_are_refused_kept_or_wrapped_as_the_model_says,
                        0, 3);
    tcase_add_loop_test(cases, rows_of_the_same_world_are_loaded_whatever_the_model_says, 0, 3);
    tcase_add_loop_test(cases, rows_of_another_length_fit_no_policy, 0, 3);
    tcase_add_loop_test(cases, what_is_no_pattern_is_refused_wherever_it_stands, 0, 15);
    tcase_add_test(cases, the_hash_changes_with_every_option);
}

int main(void)
{
    Suite *suite = suite_create("match");
    TCase *cases = tcase_create("match");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(cases, setup, teardown);
    add_tests(cases);
    suite_add_tcase(suite, cases);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
