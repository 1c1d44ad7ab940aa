/*
 * Leftovers: what dead saves have left goes, what living ones are writing stays, and what cannot be
 * asked stays, too, with the reason. Method: directories whose locks this process holds or has
 * given up, and, on a store without locks, owners that are written down by hand.
 */
#include "core/leftover.h"
#include "core/owner.h"
#include "core/staging.h"
#include "support/scratch.h"
#include "support/store_faulty.h"

#include <check.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TOKEN_A "0123456789abcdef0123456789abcdef"
#define TOKEN_B "fedcba9876543210fedcba9876543210"
#define LEFT_A ".a." TOKEN_A ".partial"
#define LEFT_B ".b.c." TOKEN_B ".partial"

static char *scratch;
static struct reshard_error error;
static struct store_faulty faulty;
static struct leftovers found;

static void setup(void)
{
    scratch = scratch_make("leftover");
    reshard_error_clear(&error);
    store_faulty_init(&faulty, store_posix());
}

static void teardown(void)
{
    leftovers_release(&found);
    scratch_remove(scratch);
}

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
    return access(in_scratch(name), F_OK) == 0;
}

static void write_text(const char *path, const char *text)
{
    ck_assert_int_eq(store_write_file(store_posix(), in_scratch(path), text, strlen(text), &error),
                     RESHARD_OK);
}

static void make(struct staging *staging, const char *name, const char *token)
{
    ck_assert_int_eq(staging_open(staging, in_scratch(name), &error), RESHARD_OK);
    ck_assert_int_eq(staging_make(staging, store_posix(), token, &error), RESHARD_OK);
}

/* Look, or sweep; there must be that many. */
static void find(bool remove, uint64_t count)
{
    leftovers_release(&found);
    ck_assert_int_eq(leftovers_find(&faulty.store, scratch,
                                    (struct leftovers_options){.remove = remove, .measure = true},
                                    &found, &error),
                     RESHARD_OK);
    ck_assert_uint_eq(found.count, count);
}

START_TEST(a_living_saves_directory_stays_and_a_dead_ones_goes)
{
    struct staging dead, living;

    make(&dead, "a", TOKEN_A);
    make(&living, "b.c", TOKEN_B);
    write_text(LEFT_A "/rank-00000.h5", "12345");
    staging_close(&dead);
    find(false, 2);
    ck_assert_str_eq(found.entry[0].name, LEFT_A);
    ck_assert_int_eq(found.entry[0].state, LEFTOVER_DEAD);
    ck_assert_int_eq(found.entry[1].state, LEFTOVER_LIVES);
    ck_assert_uint_gt(found.entry[0].bytes, 5 + 33);
    ck_assert(is_there(LEFT_A) && is_there(LEFT_B));
    find(true, 2);
    ck_assert(found.entry[0].removed && !found.entry[1].removed);
    ck_assert(!is_there(LEFT_A) && is_there(LEFT_B "/token"));
    ck_assert_int_eq(staging_publish(&living, store_posix(), &error), RESHARD_OK);
    find(true, 0);
    ck_assert(is_there("b.c/token"));
    staging_close(&living);
}
END_TEST

/* A process that is killed gives its lock up, whatever it was doing. */
START_TEST(a_killed_process_leaves_what_can_be_swept)
{
    struct staging staging;
    int ends[2], status;
    char byte;
    pid_t child;

    ck_assert_int_eq(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        make(&staging, "a", TOKEN_A);
        (void)!write(ends[1], "x", 1);
        for (;;)
            pause();
    }
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    find(true, 1);
    ck_assert_int_eq(found.entry[0].state, LEFTOVER_LIVES);
    ck_assert(is_there(LEFT_A));
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    find(true, 1);
    ck_assert(found.entry[0].removed && !is_there(LEFT_A));
}
END_TEST

/* Between making its directory and locking the token, a save can be taken for dead: then it must
 * not have the directory. */
START_TEST(a_directory_without_a_token_is_whose_makes_it_first)
{
    struct staging staging;

    ck_assert_int_eq(mkdir(in_scratch(LEFT_A), 0777), 0);
    find(false, 1);
    ck_assert_int_eq(found.entry[0].state, LEFTOVER_DEAD);
    ck_assert(is_there(LEFT_A) && !is_there(LEFT_A "/token"));
    write_text(LEFT_A "/token", "");
    ck_assert_int_eq(staging_open(&staging, in_scratch("a"), &error), RESHARD_OK);
    ck_assert_int_eq(staging_make(&staging, store_posix(), TOKEN_A, NULL), RESHARD_EEXIST);
    staging_close(&staging);
    ck_assert_int_eq(unlink(in_scratch(LEFT_A "/token")), 0);
    find(true, 1);
    ck_assert(found.entry[0].removed && !is_there(LEFT_A));
}
END_TEST

START_TEST(nothing_else_is_taken_for_a_leftover)
{
    static const char *const others[] = {".a.partial",
                                         ".a.0.partial",
                                         ".a." TOKEN_A ".partial.old",
                                         "a." TOKEN_A ".partial",
                                         "." TOKEN_A ".partial",
                                         "..a." TOKEN_A ".partial",
                                         ".a." TOKEN_A "partial",
                                         ".a.0123456789ABCDEF0123456789abcdef.partial",
                                         ".a" TOKEN_A ".partial"};

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        ck_assert_int_eq(mkdir(in_scratch(others[i]), 0777), 0);
    find(true, 0);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        ck_assert_msg(is_there(others[i]), "%s is gone", others[i]);
}
END_TEST

/* ---- without locks --------------------------------------------------------------------------- */

/* This process's line, with its n-th word replaced. */
static const char *owner_with(int word, const char *by)
{
    static char text[2 * OWNER_TEXT_MAX];
    char own[OWNER_TEXT_MAX], *next, *at;
    size_t used = (size_t)snprintf(text, sizeof text, "%s", TOKEN_A "\n");

    owner_print(own);
    at = strtok_r(own, " ", &next);
    for (int i = 0; at; i++, at = strtok_r(NULL, " ", &next))
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? " " : "",
                                 i == word ? by : at);
    (void)snprintf(text + used, sizeof text - used, "\n");
    return text;
}

static enum leftover_state ask(const char *text)
{
    faulty.no_locks = true;
    if (!is_there(LEFT_A))
        ck_assert_int_eq(mkdir(in_scratch(LEFT_A), 0777), 0);
    (void)unlink(in_scratch(LEFT_A "/token"));
    write_text(LEFT_A "/token", text);
    find(false, 1);
    return found.entry[0].state;
}

/* The id of a process that is no more. */
static const char *dead_process(void)
{
    static char text[16];
    const pid_t child = fork();

    if (child == 0)
        _exit(0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    (void)snprintf(text, sizeof text, "%d", (int)child);
    return text;
}

START_TEST(without_locks_the_owner_is_asked_and_who_cannot_be_asked_keeps_his)
{
    ck_assert_int_eq(ask(owner_with(-1, "")), LEFTOVER_LIVES);
    ck_assert_int_eq(ask(owner_with(3, dead_process())), LEFTOVER_DEAD);
    ck_assert_int_eq(ask(owner_with(4, "1")), LEFTOVER_DEAD);
    ck_assert_int_eq(ask(owner_with(1, "another-boot")), LEFTOVER_DEAD);
    ck_assert_int_eq(ask(owner_with(0, "another-host")), LEFTOVER_UNKNOWN);
    ck_assert_int_eq(ask(owner_with(2, "pid:[1]")), LEFTOVER_UNKNOWN);
    ck_assert_int_eq(ask(owner_with(3, "-1")), LEFTOVER_UNKNOWN);
    ck_assert_int_eq(ask(TOKEN_A "\n"), LEFTOVER_UNKNOWN);
    ck_assert_int_eq(ask(""), LEFTOVER_UNKNOWN);
    find(true, 1);
    ck_assert(!found.entry[0].removed && is_there(LEFT_A));
    ck_assert_ptr_nonnull(strstr(found.entry[0].reason, "cannot be asked"));
    ck_assert_int_eq(ask(owner_with(3, dead_process())), LEFTOVER_DEAD);
    find(true, 1);
    ck_assert(found.entry[0].removed && !is_there(LEFT_A));
}
END_TEST

/* ---- what stays is named --------------------------------------------------------------------- */

START_TEST(what_remains_is_named_with_its_size_and_the_reason)
{
    struct reshard_error full = {RESHARD_ENOSPC, "no space"};

    faulty.no_locks = true;
    find(false, 0);
    leftovers_append(&found, "dir", &full);
    ck_assert_str_eq(full.text, "no space");
    ck_assert_int_eq(mkdir(in_scratch(LEFT_A), 0777), 0);
    write_text(LEFT_A "/token", "");
    write_text(LEFT_A "/rank-00000.h5", "");
    ck_assert_int_eq(truncate(in_scratch(LEFT_A "/rank-00000.h5"), 3100000000), 0);
    find(true, 1);
    leftovers_append(&found, "dir", &full);
    ck_assert_str_eq(full.text,
                     "no space; in dir 1 directory of another save still holds 3.100 GB: " LEFT_A
                     " (3.100 GB: cannot be asked: storage has no locks here, and its save is of "
                     "another host), see `reshard prune dir`");
}
END_TEST

START_TEST(what_cannot_be_removed_is_no_failure_and_says_why)
{
    ck_assert_int_eq(mkdir(in_scratch(LEFT_A), 0777), 0);
    write_text(LEFT_A "/token", "");
    for (uint64_t n = 2; n < 8; n++) { /* the first one is the list of all */
        faulty.count = 0;
        faulty.fail_at = n;
        find(true, 1);
        if (found.entry[0].removed)
            break;
        ck_assert_msg(is_there(LEFT_A "/token") || n > 4, "operation %d", (int)n);
        ck_assert_str_ne(found.entry[0].reason, "");
    }
    faulty.fail_at = 0;
    find(true, is_there(LEFT_A));
    ck_assert(!is_there(LEFT_A));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("leftover");
    TCase *tests = tcase_create("leftover");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_living_saves_directory_stays_and_a_dead_ones_goes);
    tcase_add_test(tests, a_killed_process_leaves_what_can_be_swept);
    tcase_add_test(tests, a_directory_without_a_token_is_whose_makes_it_first);
    tcase_add_test(tests, nothing_else_is_taken_for_a_leftover);
    tcase_add_test(tests, without_locks_the_owner_is_asked_and_who_cannot_be_asked_keeps_his);
    tcase_add_test(tests, what_remains_is_named_with_its_size_and_the_reason);
    tcase_add_test(tests, what_cannot_be_removed_is_no_failure_and_says_why);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
