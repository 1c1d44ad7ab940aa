/*
 * Patterns. Goal: a pattern means one thing, stars are as short as they can be and numbers as long
 * as they are, in time that a hostile pattern cannot blow up. Method: known answers; then every
 * short pattern and name of a small alphabet, against a matcher that tries all ways.
 */
#include "core/pattern.h"
#include "support/random.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *pattern, *name;
    bool matches;
    const char *stars; /* what they stood for, each ended by a bar */
    int64_t number;    /* -1: none */
} known[] = {
    {"w", "w", true, "", -1},
    {"w", "ww", false, "", -1},
    {"ww", "w", false, "", -1},
    {"w", "", false, "", -1},
    {"*", "", true, "|", -1},
    {"*", "a.b", true, "a.b|", -1},
    {"*.weight", "h.0.weight", true, "h.0|", -1},
    {"*.weight", "h.0.weight.weight", true, "h.0.weight|", -1},
    {"*.weight", ".weight", true, "|", -1},
    {"*.weight", "weight", false, "", -1},
    {"*.*", "a.b.c", true, "a|b.c|", -1},
    {"**", "ab", true, "|ab|", -1},
    {"a*a", "a", false, "", -1},
    {"a*a", "aa", true, "|", -1},
    {"a*a*a", "aaaa", true, "|a|", -1},
    {"h.{i}.w", "h.12.w", true, "", 12},
    {"h.{i}.w", "h..w", false, "", -1},
    {"h.{i}.w", "h.x.w", false, "", -1},
    {"h.{i}.w", "h.-1.w", false, "", -1},
    {"h.{i}", "h.007", true, "", 7},
    {"{i}", "0", true, "", 0},
    {"{i}5", "125", false, "", -1}, /* as many digits as there are */
    {"*{i}", "h12", true, "h|", 12},
    {"*{i}*", "a1b22", true, "a|b22|", 1},
    {"*.{i}.*", "h.x.3.w.4.b", true, "h.x|w.4.b|", 3},
    {"{i}", "999999999999999999", true, "", 999999999999999999},
    {"{i}", "1000000000000000000", false, "", -1}, /* 18 digits are all it takes */
    {"{i}*", "1234567890123456789", true, "9|", 123456789012345678},
    {"{i", "{i", true, "", -1},
    {"{j}", "{j}", true, "", -1},
    {"i}", "i}", true, "", -1},
    {"h.\xc3\xa9.*", "h.\xc3\xa9.w", true, "w|", -1},
};

static void check_parts(const struct pattern_match *match, const char *stars, int64_t number)
{
    char text[128] = "";

    for (uint32_t i = 0; i < match->star_count; i++) {
        strncat(text, match->star[i].text, match->star[i].bytes);
        strcat(text, "|");
    }
    ck_assert_str_eq(text, stars);
    ck_assert((match->number_text != NULL) == (number >= 0));
    if (number >= 0)
        ck_assert_uint_eq(match->number, (uint64_t)number);
}

START_TEST(patterns_mean_what_they_are_known_to_mean)
{
    struct pattern_match match;

    ck_assert(pattern_is_valid(known[_i].pattern));
    ck_assert_msg(pattern_matches(known[_i].pattern, known[_i].name, &match) == known[_i].matches,
                  "'%s' and '%s'", known[_i].pattern, known[_i].name);
    if (known[_i].matches)
        check_parts(&match, known[_i].stars, known[_i].number);
}
END_TEST

START_TEST(a_pattern_is_not_empty_and_has_eight_stars_and_one_number_at_most)
{
    ck_assert(!pattern_is_valid(""));
    ck_assert(pattern_is_valid("a"));
    ck_assert(pattern_is_valid("********"));
    ck_assert(!pattern_is_valid("*********"));
    ck_assert(!pattern_is_valid("*a*b*c*d*e*f*g*h*"));
    ck_assert(pattern_is_valid("{i}*"));
    ck_assert(!pattern_is_valid("{i}.{i}"));
    ck_assert(!pattern_is_valid("{i}{i}"));
    ck_assert(pattern_is_valid("\xc3\xa9*"));
    ck_assert(!pattern_is_valid("\xe9*"));
}
END_TEST

/* ---- all ways ----------------------------------------------------------------------------------
 */

struct ways {
    size_t star[PATTERN_STARS_MAX];
    uint64_t number;
};

/* Stars from short to long, the first one slowest. */
static bool try_all(const char *pattern, const char *name, struct ways *ways, uint32_t stars)
{
    char *end;

    if (!*pattern)
        return !*name;
    if (*pattern == '*') {
        for (size_t length = 0; length <= strlen(name); length++) {
            ways->star[stars] = length;
            if (try_all(pattern + 1, name + length, ways, stars + 1))
                return true;
        }
        return false;
    }
    if (strncmp(pattern, "{i}", 3) == 0) {
        if (*name < '0' || *name > '9')
            return false;
        ways->number = strtoull(name, &end, 10);
        return try_all(pattern + 3, end, ways, stars);
    }
    return *pattern == *name && try_all(pattern + 1, name + 1, ways, stars);
}

static void check_all_ways(const char *pattern, const char *name)
{
    struct pattern_match match;
    struct ways ways = {.number = 0};
    const bool right = try_all(pattern, name, &ways, 0);

    if (pattern_matches(pattern, name, &match) != right)
        ck_abort_msg("'%s' and '%s'", pattern, name);
    for (uint32_t i = 0; right && i < match.star_count; i++)
        if (match.star[i].bytes != ways.star[i])
            ck_abort_msg("'%s' and '%s': star %u", pattern, name, i);
    if (right && (match.number_text != NULL) && match.number != ways.number)
        ck_abort_msg("'%s' and '%s': number", pattern, name);
}

static const char *const tokens[] = {"a", "b", "1", "2", "*", "*", "*", "{i}"};

START_TEST(stars_are_as_short_and_numbers_as_long_as_they_can_be)
{
    struct test_random random = test_random_start("patterns", 1);
    long matched = 0;

    for (long round = 0; round < 400000; round++) {
        char pattern[64] = "", name[16] = "";
        struct pattern_match match;
        const uint64_t parts = 1 + test_random_below(&random, 6);
        const uint64_t bytes = test_random_below(&random, 9);
        for (uint64_t i = 0; i < parts; i++)
            strcat(pattern, tokens[test_random_below(&random, 8)]);
        for (uint64_t i = 0; i < bytes; i++)
            strcat(name, tokens[test_random_below(&random, 4)]);
        if (!pattern_is_valid(pattern))
            continue;
        check_all_ways(pattern, name);
        matched += pattern_matches(pattern, name, &match);
    }
    ck_assert_int_gt(matched, 40000);
}
END_TEST

/* Where every star could be moved for every other: trying all ways would take ages. */
START_TEST(a_hostile_pattern_takes_no_longer_than_its_length_times_the_name)
{
    enum { BYTES = 200000 };
    char *name = malloc(BYTES + 1);
    struct pattern_match match;

    ck_assert_ptr_nonnull(name);
    memset(name, 'a', BYTES);
    name[BYTES] = '\0';
    ck_assert(!pattern_matches("*a*a*a*a*a*a*a*b", name, &match));
    ck_assert(!pattern_matches("*aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", name, &match));
    memset(name, '1', BYTES);
    ck_assert(!pattern_matches("*1*1*1*{i}*1*1*1*b", name, &match));
    ck_assert(pattern_matches("*1*1*1*{i}*1*1*1*", name, &match));
    free(name);
}
END_TEST

/* ---- replacement -------------------------------------------------------------------------------
 */

static const struct {
    const char *pattern, *name, *replacement, *result; /* NULL: it has not as many parts */
} replaced[] = {
    {"module.*", "module.h.0.w", "*", "h.0.w"},
    {"*.w", "a.w", "*.weight", "a.weight"},
    {"*.*", "a.b", "*/*", "a/b"},
    {"*.*", "a.b", "*", "a"},
    {"*", "a", "**", NULL},
    {"w", "w", "*", NULL},
    {"w", "w", "v", "v"},
    {"h.{i}.*", "h.12.w", "blocks.{i}.attn.*", "blocks.12.attn.w"},
    {"h.{i}", "h.3", "{i}.{i}", "3.3"},
    {"h.{i}", "h.007", "b.{i}", "b.007"},
    {"*", "a", "{i}", NULL},
    {"h.{i}", "h.999999999999999999", "{i}", "999999999999999999"},
    {"*", "", "*", ""},
};

START_TEST(a_replacement_has_what_the_parts_stood_for)
{
    struct pattern_match match;
    char out[64];

    ck_assert(pattern_matches(replaced[_i].pattern, replaced[_i].name, &match));
    ck_assert(pattern_replace(replaced[_i].replacement, &match, out, sizeof out) ==
              (replaced[_i].result != NULL));
    if (replaced[_i].result)
        ck_assert_str_eq(out, replaced[_i].result);
}
END_TEST

START_TEST(a_replacement_fits_or_is_refused)
{
    struct pattern_match match;
    char out[8];

    ck_assert(pattern_matches("*{i}", "abc12", &match));
    for (size_t size = 1; size <= sizeof out; size++) {
        memset(out, '~', sizeof out);
        ck_assert(pattern_replace("*-{i}", &match, out, size) == (size >= 7)); /* "abc-12" */
        for (size_t i = size; i < sizeof out; i++)
            ck_assert_int_eq(out[i], '~');
    }
    ck_assert_str_eq(out, "abc-12");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pattern");
    TCase *cases = tcase_create("pattern");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(cases, 30);
    tcase_add_loop_test(cases, patterns_mean_what_they_are_known_to_mean, 0,
                        (int)(sizeof known / sizeof *known));
    tcase_add_test(cases, a_pattern_is_not_empty_and_has_eight_stars_and_one_number_at_most);
    tcase_add_test(cases, stars_are_as_short_and_numbers_as_long_as_they_can_be);
    tcase_add_test(cases, a_hostile_pattern_takes_no_longer_than_its_length_times_the_name);
    tcase_add_loop_test(cases, a_replacement_has_what_the_parts_stood_for, 0,
                        (int)(sizeof replaced / sizeof *replaced));
    tcase_add_test(cases, a_replacement_fits_or_is_refused);
    suite_add_tcase(suite, cases);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
