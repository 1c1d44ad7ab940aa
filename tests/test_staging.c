/*
 * Staging: a checkpoint appears by one rename, whoever else saves under its name, whatever saves
 * that were cut short have left, and whatever storage says of it. Goal: no save ever publishes,
 * writes into or removes what is another's. Method: several savings of one name side by side, the
 * directories moved under them, and a store whose answers get lost.
 */
#include "core/leftover.h"
#include "core/staging.h"
#include "support/scratch.h"
#include "support/store_faulty.h"

#include <check.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOKEN_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define TOKEN_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define TOKEN_C "cccccccccccccccccccccccccccccccc"

static char *scratch;
static struct reshard_error error;
static struct store_faulty faulty;

static void setup(void)
{
    scratch = scratch_make("staging");
    reshard_error_clear(&error);
    store_faulty_init(&faulty, store_posix());
}

static void teardown(void)
{
    scratch_remove(scratch);
}

/* A path in the scratch directory; kept until the next but three. */
static const char *in_scratch(const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", scratch, name);
    return path;
}

static bool is_there(const char *name)
{
    struct stat info;

    return lstat(in_scratch(name), &info) == 0;
}

static void open_staging(struct staging *staging, const char *name)
{
    ck_assert_int_eq(staging_open(staging, in_scratch(name), &error), RESHARD_OK);
}

static void make(struct staging *staging, const char *name, const char *token)
{
    open_staging(staging, name);
    ck_assert_int_eq(staging_make(staging, store_posix(), token, &error), RESHARD_OK);
}

/* A file in a directory on its way, by which it is known again. */
static void mark(const char *path)
{
    ck_assert_int_eq(store_write_file(store_posix(), in_scratch(path), "x", 1, &error), RESHARD_OK);
}

static void sweep(void)
{
    struct leftovers leftovers;

    ck_assert_int_eq(leftovers_find(store_posix(), scratch,
                                    (struct leftovers_options){.remove = true}, &leftovers, &error),
                     RESHARD_OK);
    leftovers_release(&leftovers);
}

START_TEST(a_checkpoint_appears_at_once_and_leaves_nothing_beside_it)
{
    struct staging staging;

    make(&staging, "a", TOKEN_A);
    ck_assert(is_there(".a." TOKEN_A ".partial/token"));
    ck_assert(!is_there("a"));
    ck_assert_int_eq(staging_publish(&staging, store_posix(), &error), RESHARD_OK);
    ck_assert(is_there("a/token"));
    ck_assert(!is_there(".a." TOKEN_A ".partial"));
    staging_close(&staging);
}
END_TEST

START_TEST(of_two_saves_of_one_name_the_first_wins_and_the_other_fails)
{
    struct staging first, second;

    make(&first, "a", TOKEN_A);
    make(&second, "a", TOKEN_B);
    mark(".a." TOKEN_A ".partial/mine");
    ck_assert_int_eq(staging_publish(&second, store_posix(), &error), RESHARD_OK);
    ck_assert(is_there("a"));
    ck_assert(!is_there("a/mine"));
    ck_assert_int_eq(staging_publish(&first, store_posix(), &error), RESHARD_EEXIST);
    ck_assert(!is_there("a/mine"));
    staging_discard(&first, store_posix());
    ck_assert(is_there("a"));
    ck_assert(!is_there(".a." TOKEN_A ".partial"));
    staging_close(&first);
    staging_close(&second);
}
END_TEST

/* What numbers that were used again made possible: the second save's files in the third's
 * directory, or the other way round. */
START_TEST(of_three_saves_of_one_name_and_a_moved_directory_none_touches_anothers)
{
    struct staging first, second, third;

    make(&first, "a", TOKEN_A);
    mark(".a." TOKEN_A ".partial/first");
    make(&second, "a", TOKEN_B);
    mark(".a." TOKEN_B ".partial/second");
    ck_assert_int_eq(rename(in_scratch(".a." TOKEN_A ".partial"), in_scratch("moved")), 0);
    make(&third, "a", TOKEN_C);
    mark(".a." TOKEN_C ".partial/third");
    sweep();
    ck_assert_int_eq(staging_publish(&first, store_posix(), &error), RESHARD_ENOENT);
    staging_discard(&first, store_posix());
    ck_assert(is_there("moved/first"));
    ck_assert(is_there(".a." TOKEN_B ".partial/second") &&
              is_there(".a." TOKEN_C ".partial/third"));
    reshard_error_clear(&error);
    ck_assert_int_eq(staging_publish(&third, store_posix(), &error), RESHARD_OK);
    ck_assert(is_there("a/third") && !is_there("a/first") && !is_there("a/second"));
    staging_close(&first);
    staging_close(&second);
    staging_close(&third);
}
END_TEST

/* A save that fails removes its own, though another of that name lives. */
START_TEST(a_discarded_save_leaves_a_living_ones_directory)
{
    struct staging living, failing;

    make(&living, "a", TOKEN_A);
    mark(".a." TOKEN_A ".partial/mine");
    make(&failing, "a", TOKEN_B);
    staging_discard(&failing, store_posix());
    staging_discard(&failing, store_posix());
    ck_assert(is_there(".a." TOKEN_A ".partial/mine"));
    ck_assert(!is_there(".a." TOKEN_B ".partial"));
    ck_assert_int_eq(staging_publish(&living, store_posix(), &error), RESHARD_OK);
    ck_assert(is_there("a/mine"));
    staging_close(&living);
    staging_close(&failing);
}
END_TEST

START_TEST(a_token_that_somebody_has_is_not_taken)
{
    struct staging first, second;

    make(&first, "a", TOKEN_A);
    open_staging(&second, "a");
    ck_assert_int_eq(staging_make(&second, store_posix(), TOKEN_A, &error), RESHARD_EEXIST);
    staging_discard(&second, store_posix());
    ck_assert(is_there(".a." TOKEN_A ".partial/token"));
    staging_close(&first); /* a dead one's is not taken either: its files are still there */
    ck_assert_int_eq(staging_make(&second, store_posix(), TOKEN_A, NULL), RESHARD_EEXIST);
    ck_assert_int_eq(staging_make(&second, store_posix(), TOKEN_B, NULL), RESHARD_OK);
    staging_close(&second);
}
END_TEST

START_TEST(a_directory_is_believed_by_its_token_alone)
{
    struct staging first, other;

    make(&first, "a", TOKEN_A);
    ck_assert_int_eq(staging_join(&first, store_posix(), TOKEN_A, &error), RESHARD_OK);
    open_staging(&other, "a");
    ck_assert_int_eq(staging_join(&other, store_posix(), TOKEN_A, &error), RESHARD_OK);
    staging_close(&other);
    open_staging(&other, "a");
    ck_assert_int_eq(staging_join(&other, store_posix(), TOKEN_B, &error), RESHARD_EMISMATCH);
    ck_assert_ptr_nonnull(strstr(error.text, "is not that of rank 0: "));
    ck_assert_ptr_nonnull(strstr(error.text, "/.a." TOKEN_B ".partial/token is not there"));
    reshard_error_clear(&error);
    /* The name is right, and the content is not. */
    ck_assert_int_eq(mkdir(in_scratch(".a." TOKEN_B ".partial"), 0777), 0);
    ck_assert_int_eq(store_write_file(store_posix(), in_scratch(".a." TOKEN_B ".partial/token"),
                                      TOKEN_A "\n", 33, &error),
                     RESHARD_OK);
    ck_assert_int_eq(staging_join(&other, store_posix(), TOKEN_B, &error), RESHARD_EMISMATCH);
    ck_assert_ptr_nonnull(strstr(error.text, "has another token"));
    staging_close(&first);
    staging_close(&other);
}
END_TEST

/* ---- what is there already ------------------------------------------------------------------- */

static enum reshard_status check(const char *name)
{
    struct staging staging;
    enum reshard_status status;

    open_staging(&staging, name);
    status = staging_check(&staging, store_posix(), &error);
    staging_close(&staging);
    return status;
}

START_TEST(whatever_is_there_under_the_name_is_refused)
{
    ck_assert_int_eq(check("a"), RESHARD_OK);
    ck_assert_int_eq(error.status, RESHARD_OK);
    if (_i == 0)
        ck_assert_int_eq(mkdir(in_scratch("a"), 0777), 0);
    else if (_i == 1)
        mark("a");
    else if (_i == 2)
        ck_assert_int_eq(mkfifo(in_scratch("a"), 0666), 0);
    else
        ck_assert_int_eq(symlink("nowhere", in_scratch("a")), 0);
    ck_assert_int_eq(check("a"), RESHARD_EEXIST);
    ck_assert_ptr_nonnull(strstr(error.text, "/a: exists already"));
    reshard_error_clear(&error);
    ck_assert_int_eq(check("a/"), RESHARD_EEXIST);
}
END_TEST

START_TEST(a_parent_that_is_not_there_is_named)
{
    struct staging staging;

    open_staging(&staging, "no/a");
    ck_assert_int_eq(staging_make(&staging, store_posix(), TOKEN_A, &error), RESHARD_ENOENT);
    ck_assert_ptr_nonnull(strstr(error.text, "/no/.a." TOKEN_A ".partial: cannot make directory"));
    ck_assert_ptr_null(staging.path);
    staging_close(&staging);
}
END_TEST

/* ---- answers that get lost ------------------------------------------------------------------- */

START_TEST(a_directory_that_was_made_is_taken_whatever_is_said_of_it)
{
    struct staging staging;

    faulty.lost = "make directory";
    open_staging(&staging, "a");
    ck_assert_int_eq(staging_make(&staging, &faulty.store, TOKEN_A, &error), RESHARD_OK);
    ck_assert_uint_eq(faulty.injected, 1);
    ck_assert_int_eq(staging_publish(&staging, store_posix(), &error), RESHARD_OK);
    ck_assert(is_there("a/token"));
    staging_close(&staging);
}
END_TEST

START_TEST(a_rename_that_happened_is_a_success_whatever_is_said_of_it)
{
    struct staging staging;

    make(&staging, "a", TOKEN_A);
    faulty.lost = "rename";
    ck_assert_int_eq(staging_publish(&staging, &faulty.store, &error), RESHARD_OK);
    ck_assert_uint_eq(faulty.injected, 1);
    ck_assert_int_eq(error.status, RESHARD_OK);
    staging_discard(&staging, store_posix());
    ck_assert(is_there("a/token"));
    staging_close(&staging);
}
END_TEST

/* Each operation of publishing fails, once or from then on: what is visible is never called a
 * failure, and what is not never a success. Where nothing can be looked at any more, nothing is
 * removed. */
START_TEST(what_is_visible_is_never_called_a_failure)
{
    for (uint64_t n = 1; n <= 6; n++) {
        struct staging staging;
        enum reshard_status status;
        char name[8], hidden[64];
        (void)snprintf(name, sizeof name, "a%d", (int)n);
        reshard_error_clear(&error);
        make(&staging, name, TOKEN_A);
        store_faulty_init(&faulty, store_posix());
        faulty.lost = _i & 1 ? "rename" : NULL;
        faulty.persistent = (_i & 2) != 0;
        faulty.fail_at = n;
        status = staging_publish(&staging, &faulty.store, &error);
        if (is_there(name))
            ck_assert_msg(status == RESHARD_OK || status == RESHARD_EUNKNOWN, "%d: %s", (int)n,
                          error.text);
        else
            ck_assert_msg(status != RESHARD_OK, "%d: %s", (int)n, error.text);
        staging_discard(&staging, store_posix());
        ck_assert(status != RESHARD_EUNKNOWN || is_there(name) || faulty.persistent);
        (void)snprintf(hidden, sizeof hidden, ".%s." TOKEN_A ".partial", name);
        ck_assert(status != RESHARD_EUNKNOWN || is_there(name) != is_there(hidden));
        staging_close(&staging);
    }
}
END_TEST

START_TEST(a_failed_write_of_the_token_leaves_nothing)
{
    struct staging staging;
    enum reshard_status status = RESHARD_EIO;

    for (uint64_t n = 1; status != RESHARD_OK; n++) {
        store_faulty_init(&faulty, store_posix());
        faulty.fail_at = n;
        faulty.status = RESHARD_ENOSPC;
        reshard_error_clear(&error);
        open_staging(&staging, "a");
        status = staging_make(&staging, &faulty.store, TOKEN_A, &error);
        ck_assert(n < 20);
        staging_discard(&staging, store_posix());
        staging_close(&staging);
        if (status == RESHARD_EEXIST) /* it looked as if another had it: not ours to remove */
            sweep();
        ck_assert_msg(!is_there(".a." TOKEN_A ".partial"), "operation %d", (int)n);
    }
}
END_TEST

/* ---- names ----------------------------------------------------------------------------------- */

static const char *const refused[] = {"", "/", ".", "..", "a/..", ".hidden", "a/.hidden", "//"};

START_TEST(a_name_that_readers_would_not_see_is_refused)
{
    struct staging staging;

    ck_assert_int_eq(staging_open(&staging, refused[_i], &error), RESHARD_EINVAL);
    ck_assert_ptr_nonnull(strstr(error.text, "cannot be made a checkpoint"));
    staging_close(&staging);
}
END_TEST

START_TEST(the_longest_name_is_one_that_can_be_staged)
{
    struct staging staging;
    char name[STAGING_NAME_MAX + 2];

    memset(name, 'n', sizeof name);
    name[STAGING_NAME_MAX] = '\0';
    make(&staging, name, TOKEN_A);
    ck_assert_int_eq(staging_publish(&staging, store_posix(), &error), RESHARD_OK);
    staging_close(&staging);
    name[STAGING_NAME_MAX] = 'n';
    name[STAGING_NAME_MAX + 1] = '\0';
    ck_assert_int_eq(staging_open(&staging, in_scratch(name), &error), RESHARD_EINVAL);
    ck_assert_ptr_nonnull(strstr(error.text, "at most 213 bytes"));
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
    tcase_add_test(tests, of_three_saves_of_one_name_and_a_moved_directory_none_touches_anothers);
    tcase_add_test(tests, a_discarded_save_leaves_a_living_ones_directory);
    tcase_add_test(tests, a_token_that_somebody_has_is_not_taken);
    tcase_add_test(tests, a_directory_is_believed_by_its_token_alone);
    tcase_add_loop_test(tests, whatever_is_there_under_the_name_is_refused, 0, 4);
    tcase_add_test(tests, a_parent_that_is_not_there_is_named);
    tcase_add_test(tests, a_directory_that_was_made_is_taken_whatever_is_said_of_it);
    tcase_add_test(tests, a_rename_that_happened_is_a_success_whatever_is_said_of_it);
    tcase_add_loop_test(tests, what_is_visible_is_never_called_a_failure, 0, 4);
    tcase_add_test(tests, a_failed_write_of_the_token_leaves_nothing);
    tcase_add_loop_test(tests, a_name_that_readers_would_not_see_is_refused, 0,
                        sizeof refused / sizeof *refused);
    tcase_add_test(tests, the_longest_name_is_one_that_can_be_staged);
    tcase_add_loop_test(tests, a_path_is_taken_apart, 0, 4);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
