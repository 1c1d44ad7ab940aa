/*
 * Statuses and error texts. Goal: whoever detects a fault describes it once, nobody above changes
 * the description, and no text, however long, overruns or is cut without saying so. Method: texts
 * of every length about the limit, between two guards.
 */
#include "core/status.h"

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT = RESHARD_ERROR_TEXT_MAX - 1 }; /* characters that fit */

struct guarded {
    unsigned char before[64];
    struct reshard_error error;
    unsigned char after[64];
};

static void guard(struct guarded *guarded)
{
    memset(guarded, 0xA5, sizeof *guarded);
    guarded->error = (struct reshard_error)RESHARD_ERROR_INIT;
}

static void check_guards(const struct guarded *guarded)
{
    for (size_t i = 0; i < sizeof guarded->before; i++)
        ck_assert_uint_eq(guarded->before[i] | guarded->after[i], 0xA5);
    ck_assert_ptr_nonnull(memchr(guarded->error.text, 0, sizeof guarded->error.text));
}

/* `length` characters that tell their place, so that a shift is seen. */
static char *letters(size_t length, char first)
{
    char *text = malloc(length + 1);

    ck_assert_ptr_nonnull(text);
    for (size_t i = 0; i < length; i++)
        text[i] = (char)(first + (char)(i % 23));
    text[length] = '\0';
    return text;
}

/* The text is `whole` where that fits, else as much of it as fits before "...". */
static void check_text(const struct guarded *guarded, const char *whole)
{
    check_guards(guarded);
    if (strlen(whole) <= LIMIT) {
        ck_assert_str_eq(guarded->error.text, whole);
        return;
    }
    ck_assert_uint_eq(strlen(guarded->error.text), LIMIT);
    ck_assert_mem_eq(guarded->error.text, whole, LIMIT - 3);
    ck_assert_str_eq(guarded->error.text + LIMIT - 3, "...");
}

START_TEST(every_status_has_its_name_and_a_text)
{
    ck_assert_int_eq(RESHARD_OK, 0);
    ck_assert_str_eq(reshard_status_name(RESHARD_OK), "OK");
    ck_assert_str_eq(reshard_status_name(RESHARD_ECOVER), "ECOVER");
    ck_assert_str_eq(reshard_status_name(RESHARD_EUNKNOWN), "EUNKNOWN");
    for (int i = RESHARD_OK; i <= RESHARD_EUNKNOWN; i++) {
        const char *name = reshard_status_name((enum reshard_status)i);
        ck_assert(name[0] == (i == RESHARD_OK ? 'O' : 'E'));
        ck_assert_uint_gt(strlen(reshard_status_text((enum reshard_status)i)), 0);
        for (int j = RESHARD_OK; j < i; j++)
            ck_assert_str_ne(name, reshard_status_name((enum reshard_status)j));
    }
}
END_TEST

START_TEST(a_number_that_is_no_status_is_said_to_be_none)
{
    const int wrong[] = {RESHARD_EUNKNOWN + 1, 1000, -1, INT32_MAX, INT32_MIN};

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_str_eq(reshard_status_name((enum reshard_status)wrong[i]), "?");
        ck_assert_str_eq(reshard_status_text((enum reshard_status)wrong[i]),
                         "not a status of reshard");
    }
}
END_TEST

START_TEST(the_first_of_two_failures_is_returned)
{
    ck_assert_int_eq(reshard_first_failure(RESHARD_OK, RESHARD_OK), RESHARD_OK);
    ck_assert_int_eq(reshard_first_failure(RESHARD_EIO, RESHARD_OK), RESHARD_EIO);
    ck_assert_int_eq(reshard_first_failure(RESHARD_OK, RESHARD_EIO), RESHARD_EIO);
    ck_assert_int_eq(reshard_first_failure(RESHARD_ENOENT, RESHARD_EMPI), RESHARD_ENOENT);
    ck_assert_int_eq(reshard_first_failure(RESHARD_EMPI, RESHARD_ENOENT), RESHARD_EMPI);
}
END_TEST

START_TEST(the_first_description_is_kept_and_every_status_returned)
{
    struct reshard_error error = RESHARD_ERROR_INIT;

    ck_assert_int_eq(reshard_error_set(&error, RESHARD_EDIGEST, "tensor '%s' in %d", "w", 3),
                     RESHARD_EDIGEST);
    ck_assert_int_eq(reshard_error_set(&error, RESHARD_EIO, "a consequence"), RESHARD_EIO);
    ck_assert_int_eq(error.status, RESHARD_EDIGEST);
    ck_assert_str_eq(error.text, "tensor 'w' in 3");
}
END_TEST

START_TEST(no_error_need_be_given_to_describe)
{
    struct reshard_error unset = RESHARD_ERROR_INIT;

    ck_assert_int_eq(reshard_error_set(NULL, RESHARD_ENOMEM, "%s", "lost"), RESHARD_ENOMEM);
    reshard_error_prefix(NULL, "%s", "lost");
    reshard_error_append(NULL, "%s", "lost");
    reshard_error_prefix(&unset, "%s", "of nothing");
    reshard_error_append(&unset, "%s", "of nothing");
    ck_assert_int_eq(unset.status, RESHARD_OK);
    ck_assert_str_eq(unset.text, "");
}
END_TEST

START_TEST(context_goes_before_and_more_goes_after)
{
    struct reshard_error error = RESHARD_ERROR_INIT;

    ck_assert_int_eq(reshard_error_set(&error, RESHARD_EIO, "disk %d%%", 7), RESHARD_EIO);
    reshard_error_prefix(&error, "rank %d", 2);
    reshard_error_append(&error, ", %s", "then more");
    reshard_error_prefix(&error, "save '%s'", "100%s");
    ck_assert_int_eq(error.status, RESHARD_EIO);
    ck_assert_str_eq(error.text, "save '100%s': rank 2: disk 7%, then more");
}
END_TEST

START_TEST(a_text_of_any_length_fits_or_ends_in_dots)
{
    for (size_t length = LIMIT - 8; length < LIMIT + 9; length++) {
        struct guarded guarded;
        char *whole = letters(length, 'a');
        guard(&guarded);
        ck_assert_int_eq(reshard_error_set(&guarded.error, RESHARD_EIO, "%s", whole), RESHARD_EIO);
        check_text(&guarded, whole);
        free(whole);
    }
}
END_TEST

/* Every way in which two parts can meet the limit: `added` is put before or after `first`. */
static void join(size_t first_length, size_t added_length, bool before)
{
    char *first = letters(first_length, 'a'), *added = letters(added_length, 'A'), *whole = NULL;
    struct guarded guarded;

    ck_assert_int_ge(before ? asprintf(&whole, "%s: %s", added, first)
                            : asprintf(&whole, "%s%s", first, added),
                     0);
    guard(&guarded);
    ck_assert_int_eq(reshard_error_set(&guarded.error, RESHARD_EIO, "%s", first), RESHARD_EIO);
    if (before)
        reshard_error_prefix(&guarded.error, "%s", added);
    else
        reshard_error_append(&guarded.error, "%s", added);
    check_text(&guarded, whole);
    free(first);
    free(added);
    free(whole);
}

START_TEST(a_text_prefixed_or_appended_to_fits_or_ends_in_dots)
{
    for (size_t first = LIMIT - 8; first <= LIMIT; first++) {
        for (size_t added = 0; added < 12; added++) {
            join(first, added, true);
            join(first, added, false);
            join(added, first, true);
            join(added, first, false);
        }
        join(first, 5000, true);
        join(first, 5000, false);
    }
}
END_TEST

START_TEST(a_cut_text_stays_cut_whatever_is_added)
{
    char *whole = letters(3000, 'a');
    struct guarded guarded;

    guard(&guarded);
    ck_assert_int_eq(reshard_error_set(&guarded.error, RESHARD_EIO, "%s", whole), RESHARD_EIO);
    for (int i = 0; i < 3; i++) {
        reshard_error_append(&guarded.error, "more");
        check_text(&guarded, whole);
    }
    reshard_error_prefix(&guarded.error, "x");
    ck_assert_str_eq(guarded.error.text + LIMIT - 3, "...");
    ck_assert_int_eq(strncmp(guarded.error.text, "x: abc", 6), 0);
    free(whole);
}
END_TEST

/* A name in a text may be cut, but never within a character: reports must stay UTF-8. */
START_TEST(a_cut_never_splits_a_character)
{
    static const char *const characters[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    struct guarded guarded;

    for (size_t c = 0; c < 3; c++) {
        for (size_t shift = 0; shift < 8; shift++) {
            const size_t length = strlen(characters[c]);
            char whole[3000] = "";
            memset(whole, 'x', shift);
            for (size_t used = shift; used + length < sizeof whole; used += length)
                memcpy(whole + used, characters[c], length + 1);
            guard(&guarded);
            (void)reshard_error_set(&guarded.error, RESHARD_EIO, "%s", whole);
            check_guards(&guarded);
            const size_t kept = strlen(guarded.error.text) - 3;
            ck_assert_uint_eq((kept - shift) % length, 0);
            ck_assert_uint_gt(kept + 3 + length, LIMIT);
            ck_assert_mem_eq(guarded.error.text, whole, kept);
            ck_assert_str_eq(guarded.error.text + kept, "...");
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("status");
    TCase *cases = tcase_create("status");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(cases, every_status_has_its_name_and_a_text);
    tcase_add_test(cases, a_number_that_is_no_status_is_said_to_be_none);
    tcase_add_test(cases, the_first_of_two_failures_is_returned);
    tcase_add_test(cases, the_first_description_is_kept_and_every_status_returned);
    tcase_add_test(cases, no_error_need_be_given_to_describe);
    tcase_add_test(cases, context_goes_before_and_more_goes_after);
    tcase_add_test(cases, a_text_of_any_length_fits_or_ends_in_dots);
    tcase_add_test(cases, a_text_prefixed_or_appended_to_fits_or_ends_in_dots);
    tcase_add_test(cases, a_cut_text_stays_cut_whatever_is_added);
    tcase_add_test(cases, a_cut_never_splits_a_character);
    suite_add_tcase(suite, cases);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
