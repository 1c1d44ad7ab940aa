/*
 * Staging: a checkpoint appears by one rename, whoever else saves under its name, and whatever
 * saves that were cut short have left.
 */
#include "core/staging.h"
#include "support/scratch.h"

#include <check.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char *scratch;
static struct reshard_error error;

static void setup(void)
{
    scratch = scratch_make("staging");
    reshard_error_clear(&error);
}

static void teardown(void)
{
    scratch_remove(scratch);
}

/* A path in the scratch directory; kept until the next but three. */
static const char *in_scratch(const char *name)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", scratch, name);
    return path;
}

static bool is_there(const char *name)
{
    struct stat info;

    return stat(in_scratch(name), &info) == 0;
}

static void make(struct staging *staging, const char *name, uint64_t expected)
{
    uint64_t number;

    ck_assert_int_eq(staging_open(staging, in_scratch(name), &error), RESHARD_OK);
    ck_assert_int_eq(staging_make(staging, store_posix(), &number, &error), RESHARD_OK);
    ck_assert_uint_eq(number, expected);
}

START_TEST(a_checkpoint_appears_at_once_and_leaves_nothing_beside_it)
{
    struct staging staging;

    make(&staging, "a", 0);
    ck_assert(is_there(".a.0.partial"));
    ck_assert(!is_there("a"));
    ck_assert_int_eq(staging_publish(&staging, store_posix(), &error), RESHARD_OK);
    ck_assert(is_there("a"));
    ck_assert(!is_there(".a.0.partial"));
    staging_close(&staging);
}
END_TEST

START_TEST(of_two_saves_of_one_name_the_first_wins_and_the_other_fails)
{
    struct staging first, second;

    make(&first, "a", 0);
    make(&second, "a", 1);
    ck_assert_int_eq(
        store_write_file(store_posix(), in_scratch(".a.0.partial/mine"), "x", 1, &error),
        RESHARD_OK);
    ck_assert_int_eq(staging_publish(&second, store_posix(), &error), RESHARD_OK);
    ck_assert(is_there("a"));
    ck_assert(!is_there("a/mine"));
    ck_assert_int_ne(staging_publish(&first, store_posix(), &error), RESHARD_OK);
    ck_assert(!is_there("a/mine"));
    staging_discard(&first, store_posix());
    ck_assert(is_there("a"));
    staging_close(&first);
    staging_close(&second);
}
END_TEST

START_TEST(what_was_cut_short_goes_when_the_name_is_there_and_nothing_else_does)
{
    static const char *const others[] = {".a.partial",    ".a.x.partial", ".a.1.partial.old",
                                         ".ab.0.partial", "a.0.partial",  ".a..partial"};
    struct staging dead, staging;

    make(&dead, "a", 0);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        ck_assert_int_eq(mkdir(in_scratch(others[i]), 0777), 0);
    make(&staging, "a", 1);
    ck_assert(is_there(".a.0.partial"));
    ck_assert_int_eq(staging_publish(&staging, store_posix(), &error), RESHARD_OK);
    ck_assert(!is_there(".a.0.partial"));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        ck_assert_msg(is_there(others[i]), "%s is gone", others[i]);
    staging_close(&dead);
    staging_close(&staging);
}
END_TEST

START_TEST(what_exists_is_refused_and_what_another_made_is_not_discarded)
{
    struct staging other, staging;
    uint64_t number;

    make(&other, "a", 0);
    ck_assert_int_eq(staging_publish(&other, store_posix(), &error), RESHARD_OK);
    ck_assert_int_eq(staging_open(&staging, in_scratch("a"), &error), RESHARD_OK);
    ck_assert_int_eq(staging_make(&staging, store_posix(), &number, &error), RESHARD_EEXIST);
    staging_discard(&staging, store_posix());
    ck_assert(is_there("a"));
    staging_close(&staging);
    staging_close(&other);
}
END_TEST

START_TEST(a_file_of_that_name_is_refused_too)
{
    struct staging staging;
    uint64_t number;

    ck_assert_int_eq(store_write_file(store_posix(), in_scratch("a"), "x", 1, &error), RESHARD_OK);
    ck_assert_int_eq(staging_open(&staging, in_scratch("a"), &error), RESHARD_OK);
    ck_assert_int_eq(staging_make(&staging, store_posix(), &number, &error), RESHARD_EEXIST);
    staging_close(&staging);
}
END_TEST

START_TEST(a_parent_that_is_not_there_is_named)
{
    struct staging staging;
    uint64_t number;

    ck_assert_int_eq(staging_open(&staging, in_scratch("no/a"), &error), RESHARD_OK);
    ck_assert_int_eq(staging_make(&staging, store_posix(), &number, &error), RESHARD_ENOENT);
    ck_assert_ptr_nonnull(strstr(error.text, "/no/.a.0.partial: cannot make directory"));
    ck_assert_ptr_null(staging.path);
    staging_close(&staging);
}
END_TEST

static const char *const refused[] = {"", "/", ".", "..", "a/..", ".hidden", "a/.hidden", "//"};

START_TEST(a_name_that_readers_would_not_see_is_refused)
{
    struct staging staging;

    ck_assert_int_eq(staging_open(&staging, refused[_i], &error), RESHARD_EINVAL);
    ck_assert_ptr_nonnull(strstr(error.text, "cannot be made a checkpoint"));
    staging_close(&staging);
}
END_TEST

START_TEST(a_path_is_taken_apart)
{
    static const struct {
        const char *path, *parent, *name;
    } paths[] = {{"a", ".", "a"}, {"a/b", "a", "b"}, {"a/b//", "a", "b"}, {"/a", "/", "a"}};
    struct staging staging;

    ck_assert_int_eq(staging_open(&staging, paths[_i].path, &error), RESHARD_OK);
    ck_assert_str_eq(staging.parent, paths[_i].parent);
    ck_assert_str_eq(staging.name, paths[_i].name);
    staging_close(&staging);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("staging");
    TCase *tests = tcase_create("staging");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_checkpoint_appears_at_once_and_leaves_nothing_beside_it);
    tcase_add_test(tests, of_two_saves_of_one_name_the_first_wins_and_the_other_fails);
    tcase_add_test(tests, what_was_cut_short_goes_when_the_name_is_there_and_nothing_else_does);
    tcase_add_test(tests, what_exists_is_refused_and_what_another_made_is_not_discarded);
    tcase_add_test(tests, a_file_of_that_name_is_refused_too);
    tcase_add_test(tests, a_parent_that_is_not_there_is_named);
    tcase_add_loop_test(tests, a_name_that_readers_would_not_see_is_refused, 0,
                        sizeof refused / sizeof *refused);
    tcase_add_loop_test(tests, a_path_is_taken_apart, 0, 4);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
