/*
 * Work in proportion to what is given, not to what is claimed: no file of the scenario language, of
 * at most 1 MiB, makes its reader take more than 64 MiB or 2 seconds of a processor. Method: each
 * hostile file is read by a child process under these limits, and must be answered there.
 */
#include "sim/scenario.h"
#include "support/written.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)
#define HEAD "scenario: 1\nname: a\nabout: b\n"
#define START "  - start: {ranks: 1, layout: ddp}\n"

/* A file: a head, then a part again and again, up to `bytes` in all, with each "%" in it a number
 * that counts, then a tail. */
static const struct {
    const char *head;
    const char *part;
    const char *tail;
    size_t bytes;
} hostile[] = {
    {HEAD "model: {tensors: {a: [", "1,", "1]}}\n", MIB},
    {HEAD "model: {tensors: {", "t%: [],", "z: []}}\noptimizer: adamw\nsteps:\n" START, MIB},
    {HEAD "model:\n  tensors:\n", "    t%: []\n", "optimizer: adamw\nsteps:\n" START, MIB},
    {HEAD "model:\n  tensors:\n", "    t%: {role: x}\n", "steps:\n" START, MIB},
    {HEAD, "k%: 1\n", "", MIB},
    {HEAD "model: {tensors: {w: [1]}}\nsteps:\n", START, "", MIB},
    {HEAD "model: {tensors: {w: [1]}}\nsteps:\n" START, "  - save: s%\n", "", MIB},
    {HEAD "model: {tensors: {w: [1]}}\noptimizer: adamw\nsteps:\n" START, "  - train: 1000000\n",
     "", MIB},
    {"a: ", "[", "", MIB},
    {"a: ", "{a: ", "", MIB},
    {"a: &a [1]\nb: ", "&a [", "", MIB},
    {"a: &a [1,1,1,1,1,1,1,1]\nb: [", "*a,", "]\n", MIB},
    {"a: '", "x", "'\n", MIB},
    {"a: |\n", " x\n", "", MIB},
    {"", "\n", "", MIB},
    {"", "#\n", "", MIB},
    {"", "- ", "", MIB},
    {"", "? ", "", MIB},
    {"", "--- a\n", "", MIB},
};

static char *build(size_t index)
{
    char *text = NULL;
    size_t size = 0;
    size_t count = 0;
    FILE *stream = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(stream);
    (void)fputs(hostile[index].head, stream);
    while ((size_t)ftell(stream) + 64 < hostile[index].bytes) {
        const char *number = strchr(hostile[index].part, '%');
        if (number)
            (void)fprintf(stream, "%.*s%zu%s", (int)(number - hostile[index].part),
                          hostile[index].part, count++, number + 1);
        else
            (void)fputs(hostile[index].part, stream);
    }
    (void)fputs(hostile[index].tail, stream);
    ck_assert_int_eq(fclose(stream), 0);
    return text;
}

static size_t address_space(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    const bool read = file && fscanf(file, "%lu", &pages) == 1;
    if (file)
        (void)fclose(file);
    return read ? pages * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

/* In a child under the limits: 0 when the file was answered, by a scenario or by an error of it. */
static int answer(void)
{
    struct scenario *scenario = NULL;
    const struct rlimit space = {address_space() + 64 * MIB, address_space() + 64 * MIB};
    const struct rlimit seconds = {RESHARD_BOUND_SECONDS, RESHARD_BOUND_SECONDS};
    if (setrlimit(RLIMIT_AS, &space) != 0 || setrlimit(RLIMIT_CPU, &seconds) != 0)
        return 2;
    const enum reshard_status status = scenario_open(&scenario, written_path(), NULL, NULL, NULL);
    scenario_close(scenario);
    return status == RESHARD_OK || status == RESHARD_EINVAL ? 0 : 1;
}

static void assert_bounded(const char *text)
{
    int status = 0;
    written_write(text);
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        _exit(answer());
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status), "ended by signal %d", WTERMSIG(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}

START_TEST(a_hostile_file_is_answered_within_the_limits)
{
    char *text = build((size_t)_i);
    assert_bounded(text);
    free(text);
}
END_TEST

/* A model file of a few lines that claims a hundred thousand times what it has, in many layouts. */
static void repeat(const char *steps, unsigned times)
{
    char *text = NULL;
    char model[512];
    size_t size = 0;
    written_write(
        "model: 1\nname: m\nsections:\n  - repeat: 100000\n    tensors:\n      a.{i}: [4]\n"
        "      b.{i}: [4, 4]\n      c.{i}: []\n");
    (void)snprintf(model, sizeof(model), "%s", written_path());
    (void)snprintf(model + strlen(model) - strlen("case.yaml"), 16, "m.yaml");
    ck_assert_int_eq(rename(written_path(), model), 0);
    FILE *stream = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(stream);
    (void)fputs(HEAD "model: m.yaml\noptimizer: adamw\nsteps:\n", stream);
    for (unsigned i = 0; i < times; i++)
        (void)fputs(steps, stream);
    ck_assert_int_eq(fclose(stream), 0);
    assert_bounded(text);
    free(text);
}

START_TEST(a_model_that_repeats_is_answered_within_the_limits)
{
    repeat(START, 1);
    repeat(START, 4000);
}
END_TEST

START_TEST(the_largest_model_that_is_allowed_is_read_within_the_limits)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(stream);
    (void)fputs(HEAD "model:\n  tensors:\n", stream);
    for (int i = 0; i < 10000; i++)
        (void)fprintf(stream, "    t%d: [2]\n", i);
    (void)fputs("optimizer: adamw\nsteps:\n", stream);
    for (int i = 0; i < 8; i++)
        (void)fputs(START, stream);
    ck_assert_int_eq(fclose(stream), 0);
    assert_bounded(text);
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bounds_scenario");
    TCase *bounds = tcase_create("bounds");
    tcase_add_unchecked_fixture(bounds, written_begin, written_end);
    tcase_set_timeout(bounds, 120); /* of the clock; what counts is the child's processor time */
    tcase_add_loop_test(bounds, a_hostile_file_is_answered_within_the_limits, 0,
                        (int)(sizeof(hostile) / sizeof(*hostile)));
    tcase_add_test(bounds, a_model_that_repeats_is_answered_within_the_limits);
    tcase_add_test(bounds, the_largest_model_that_is_allowed_is_read_within_the_limits);
    suite_add_tcase(suite, bounds);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
