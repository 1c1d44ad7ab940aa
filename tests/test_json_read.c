/*
 * JSON from outside: read whole, or refused with the right reason, also where memory runs out.
 */
#include "core/json_read.h"
#include "support/heap.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* Tokens of many lengths, rising, and numbers that a lost digit would change. */
static char *tokens_of_all_lengths(void)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *const stream = open_memstream(&text, &bytes);
    ck_assert_ptr_nonnull(stream);
    fputs("{\"n\": [1, 1234567890123456789, 0.12345678901234567]", stream);
    for (int length = 1; length <= 1500; length += 13) /* beyond what is fed at once */
        fprintf(stream, ", \"k%0*d\": \"%0*d\\n\"", length, 7, length, 8);
    fputs("}", stream);
    ck_assert_int_eq(fclose(stream), 0);
    return text;
}

START_TEST(out_of_memory_is_no_fault_of_the_text_and_drops_nothing)
{
    char *const text = tokens_of_all_lengths();
    json_t *whole, *value;
    bool failed = true;
    ck_assert_int_eq(json_read(&whole, text, strlen(text), "f", NULL), RESHARD_OK);
    json_set_alloc_funcs(malloc, free); /* those of the heap that fails */
    for (uint64_t n = 1; failed; n++) {
        struct reshard_error error = RESHARD_ERROR_INIT;
        heap_fail_at(n);
        const enum reshard_status status = json_read(&value, text, strlen(text), "f", &error);
        failed = heap_has_failed();
        heap_fail_at(0);
        ck_assert_msg(status == (failed ? RESHARD_ENOMEM : RESHARD_OK), "allocation %d: %s %s",
                      (int)n, reshard_status_name(status), error.text);
        ck_assert(status || json_equal(whole, value));
        json_decref(value);
    }
    json_decref(whole);
    free(text);
}
END_TEST

static const struct {
    const char *text;
    const char *reason;
} wrong[] = {
    {"", "f: its JSON ends too early"},
    {"{\"a\": [1, 2}", "f: line 1, column 12: "},
    {"{\n\n  \"a\": tru\n}", "f: line 3, column "},
    {"{\"a\": \"b", "f: "},
    {"{\"a\": 1", "f: its JSON ends too early"},
    {"{\"a\": 1, \"a\": 2}", "f: line 1, column 12: duplicate object key"},
    {"{}, {}", "f: more than one JSON value"},
    {"{}] [", "f: line 1, column "},
};

START_TEST(what_is_no_json_is_told_by_its_place)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    json_t *value;
    ck_assert_int_eq(json_read(&value, wrong[_i].text, strlen(wrong[_i].text), "f", &error),
                     RESHARD_EFORMAT);
    ck_assert_msg(strncmp(error.text, wrong[_i].reason, strlen(wrong[_i].reason)) == 0, "%s: %s",
                  wrong[_i].text, error.text);
}
END_TEST

START_TEST(brackets_are_bounded_by_the_length_of_the_text)
{
    enum { BYTES = 64 * 1024 };
    char *const text = malloc(BYTES);
    struct reshard_error error = RESHARD_ERROR_INIT;
    json_t *value;
    ck_assert_ptr_nonnull(text);
    memset(text, ' ', BYTES);
    text[0] = '[';
    for (size_t i = 1; i + 3 < BYTES; i += 3)
        memcpy(text + i, i > 1 ? ",{}" : " {}", 3);
    text[BYTES - 1] = ']';
    ck_assert_int_eq(json_read(&value, text, BYTES, "f", &error), RESHARD_EFORMAT);
    ck_assert_ptr_nonnull(strstr(error.text, "more than one for each 8 bytes"));
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json_read");
    TCase *texts = tcase_create("texts");
    SRunner *runner = srunner_create(suite);
    tcase_add_test(texts, out_of_memory_is_no_fault_of_the_text_and_drops_nothing);
    tcase_add_loop_test(texts, what_is_no_json_is_told_by_its_place, 0,
                        (int)(sizeof wrong / sizeof *wrong));
    tcase_add_test(texts, brackets_are_bounded_by_the_length_of_the_text);
    suite_add_tcase(suite, texts);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
