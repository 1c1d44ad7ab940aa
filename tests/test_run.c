/*
 * Running a scenario: every expectation that does not hold is found and told with its step, and a
 * report says nothing that depends on where or how fast a run was. Method: the launcher is a shell
 * script that plays the ranks: it writes the steps' results, end records and checkpoints that a
 * case asks for, by variables set in front of it.
 */
#include "sim/report.h"
#include "sim/run.h"
#include "support/scratch.h"

#include <check.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char scenario_text[] = "scenario: 1\n"
                                    "name: played\n"
                                    "about: What a report says of a run.\n"
                                    "model: {tensors: {w: [4]}}\n"
                                    "optimizer: adamw\n"
                                    "steps:\n"
                                    "  - start: {ranks: 2, layout: fsdp1}\n"
                                    "  - save: one\n"
                                    "  - start: {ranks: 1, layout: fsdp1}\n"
                                    "  - load: one\n"
                                    "    expect: {loaded: one, read_amplification: 1.0}\n"
                                    "  - load: missing\n"
                                    "    expect: {outcome: refused, message: nowhere}\n"
                                    "expect:\n"
                                    "  checkpoints: [one]\n";

/* Played for world 0, then for world 1, each in the folder of its job. */
static const char player[] =
    "result() {\n"
    "  printf '{\"step\":%s,\"outcome\":\"%s\",\"status\":0,\"message\":\"%s\",\"seconds\":0.5,'"
    " \"$1\" \"$2\" \"$3\"\n"
    "  printf '\"bytes_unique\":%s,\"bytes_moved\":%s,\"files\":1,\"training_step\":0,' \"$4\" "
    "\"$5\"\n"
    "  printf '\"bytes_sent\":%s,\"bytes_lacking\":7,' ${SENT:-7}\n"
    "  printf '\"loaded\":%s,\"tensors\":0,\"elements\":0,\"replicas\":0,\"digest\":\"%s\"}\\n' "
    "\"$6\" "
    "\"$7\"\n"
    "}\n"
    "case $PWD in\n"
    "*world-0)\n"
    "  result 0 ${SAVE:-ok} '' 16 16 null 1111111111111111 >> steps.jsonl\n"
    "  for name in ${CHECKPOINTS-one}; do\n"
    "    mkdir -p ../checkpoints/$name && touch ../checkpoints/$name/manifest.json\n"
    "  done\n"
    "  mkdir ../checkpoints/.two.partial ../checkpoints/empty\n"
    "  touch ../checkpoints/.two.partial/manifest.json\n"
    "  echo end > end-00000; echo end > end-00001;;\n"
    "*world-1)\n"
    "  result ${STEP:-0} ok '' 16 ${MOVED:-16} \"${LOADED-\\\"one\\\"}\" 2222222222222222 >> "
    "steps.jsonl\n"
    "  [ \"$SHORT\" ] || result 1 ${REFUSED:-refused} \"${MESSAGE:-it is nowhere}\" 0 0 null '' >> "
    "steps.jsonl\n"
    "  echo end > end-00000;;\n"
    "esac\n";

static char *folder;
static char *temporary;
static struct scenario *scenario;
static struct run_report report;

static void write_text(const char *path, const char *first, const char *second)
{
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fprintf(file, "%s%s", first, second), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static char *path_of(const char *name)
{
    char *path = NULL;
    ck_assert_int_ge(asprintf(&path, "%s/%s", folder, name), 0);
    return path;
}

static void open_scenario(void)
{
    char *relative = scratch_make("run");
    folder = realpath(relative, NULL);
    free(relative);
    ck_assert_ptr_nonnull(folder);
    temporary = path_of("tmp");
    ck_assert_int_eq(mkdir(temporary, 0700), 0);
    ck_assert_int_eq(setenv("TMPDIR", temporary, 1), 0);
    char *path = path_of("played.yaml");
    write_text(path, scenario_text, "");
    ck_assert_int_eq(scenario_open(&scenario, path, NULL, NULL, stderr), RESHARD_OK);
    free(path);
}

static void close_scenario(void)
{
    run_report_release(&report);
    scenario_close(scenario);
    free(temporary);
    scratch_remove(folder);
}

/* Run the scenario with the player and these variables set in front of it. */
static void run(const char *variables, const char *keep)
{
    char *script = path_of("player");
    char *program = path_of("program");
    char head[512];
    (void)snprintf(head, sizeof(head), "#!/bin/sh\n%s\n", variables);
    write_text(script, head, player);
    write_text(program, "", "");
    ck_assert_int_eq(chmod(script, 0700), 0);
    const struct run_options options = {
        .launch = {.program = program, .launcher = script, .timeout_seconds = 60},
        .keep = keep,
    };
    ck_assert_int_eq(run_scenario(&report, scenario, &options), RESHARD_OK);
    free(program);
    free(script);
}

static void assert_says(const char *text, const char *what)
{
    ck_assert_msg(strstr(text, what) != NULL, "'%s' is not in: %s", what, text);
}

START_TEST(a_run_in_which_all_holds_passes)
{
    run("", NULL);
    ck_assert_str_eq(report.failures, "");
    ck_assert_int_eq(report.result, RUN_PASS);
    for (uint64_t i = 0; i < report.step_count; i++)
        ck_assert_int_eq(report.steps[i].result, RUN_STEP_PASS);
    ck_assert_str_eq(report.digest, "2222222222222222");
    ck_assert_uint_eq(report.bytes, 32);
    ck_assert(report.seconds == 1.5);
    ck_assert_uint_eq(report.steps[3].world, 1);
    ck_assert_uint_eq(report.steps[3].ranks, 1);
}
END_TEST

/* Variables; the step that fails, or -1 for the scenario as a whole; and what is said. */
static const struct {
    const char *variables;
    enum run_result result;
    int step;
    const char *says;
} cases[] = {
    {"SAVE=damaged", RUN_FAIL, 1, "expected outcome ok, was damaged"},
    {"LOADED='\"two\"'", RUN_FAIL, 3, "expected to load 'one', loaded 'two'"},
    {"LOADED=null", RUN_FAIL, 3, "expected to load 'one', loaded nothing"},
    {"MOVED=24", RUN_FAIL, 3, "read amplification of at most 1, was 1.5: 24 bytes"},
    {"SENT=8", RUN_FAIL, 3, "8 bytes went over the network, where 7 were lacking"},
    {"REFUSED=ok", RUN_FAIL, 4, "expected outcome refused, was ok"},
    {"MESSAGE=gone", RUN_FAIL, 4, "expected a message with 'nowhere'"},
    {"CHECKPOINTS=", RUN_FAIL, -1, "expected checkpoint 'one' at the end, it is not there"},
    {"CHECKPOINTS='one three'", RUN_FAIL, -1, "expected no checkpoint 'three' at the end"},
    {"SAVE=error", RUN_ERROR, -1, "line 8: the save ended in an error: "},
    {"SHORT=yes", RUN_ERROR, -1, "without reporting all of its steps"},
    {"STEP=7", RUN_ERROR, -1, "step 7 is not one that was to come"},
    {"STEP=1", RUN_ERROR, -1, "step 1 is not one that was to come"},
    {"LOADED=7", RUN_ERROR, -1, "'loaded' must be a string"},
    {"exit 5", RUN_ERROR, -1, "no end record of ranks 0, 1; player exited with status 5"},
};

START_TEST(what_does_not_hold_is_told_with_its_step)
{
    run(cases[_i].variables, NULL);
    ck_assert_int_eq(report.result, cases[_i].result);
    if (cases[_i].step < 0) {
        assert_says(report.failures, cases[_i].says);
        return;
    }
    ck_assert_int_eq(report.steps[cases[_i].step].result, RUN_STEP_FAIL);
    assert_says(report.steps[cases[_i].step].failures, cases[_i].says);
}
END_TEST

START_TEST(an_error_that_ended_a_job_is_told_instead_of_the_jobs_end)
{
    run("trap 'rm -f end-0000*' EXIT; SAVE=error", NULL);
    ck_assert_int_eq(report.result, RUN_ERROR);
    ck_assert_str_eq(report.failures, "line 8: the save ended in an error: ");
    ck_assert_int_eq(report.steps[1].result, RUN_STEP_FAIL);
    ck_assert_int_eq(report.steps[1].outcome, SCENARIO_ERROR);
}
END_TEST

START_TEST(worlds_after_a_failure_are_not_run)
{
    run("SAVE=damaged", NULL);
    ck_assert_int_eq(report.steps[2].result, RUN_STEP_SKIP);
    ck_assert_int_eq(report.steps[3].result, RUN_STEP_SKIP);
}
END_TEST

START_TEST(a_temporary_folder_is_gone_after_the_run_however_it_ended)
{
    struct dirent **entries = NULL;
    run("exit 5", NULL);
    const int count = scandir(temporary, &entries, NULL, NULL);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    ck_assert_int_eq(count, 2); /* "." and ".." */
    ck_assert_ptr_null(report.warning);
}
END_TEST

START_TEST(a_kept_folder_stays_and_is_never_used_again)
{
    char *keep = path_of("kept");
    char *end = path_of("kept/played/world-1/end-00000");
    run("", keep);
    ck_assert_int_eq(report.result, RUN_PASS);
    struct stat about;
    ck_assert_int_eq(stat(end, &about), 0);
    run_report_release(&report);
    run("", keep);
    ck_assert_int_eq(report.result, RUN_INVALID);
    assert_says(report.failures, "remove it, or keep elsewhere (--keep)");
    free(end);
    free(keep);
}
END_TEST

START_TEST(a_report_for_programs_names_no_folder_of_the_run_and_no_wall_time)
{
    run("MESSAGE=\"$(dirname \"$PWD\")/checkpoints/missing: nowhere\"", NULL);
    ck_assert_str_eq(report.steps[4].message, "checkpoints/missing: nowhere");
    json_t *value = report_json(&report, 1);
    ck_assert_ptr_nonnull(value);
    char *text = json_dumps(value, 0);
    json_decref(value);
    ck_assert_ptr_nonnull(text);
    ck_assert_ptr_null(strstr(text, temporary));
    ck_assert_ptr_null(strstr(text, "wall"));
    assert_says(text, "\"read_amplification\": 1.0");
    assert_says(text, "\"network_bytes\": 7, \"network_bound\": 7");
    assert_says(text, "\"network_bytes\": null, \"network_bound\": null");
    assert_says(text, "\"trace_digest\": null");
    free(text);
}
END_TEST

START_TEST(junit_escapes_what_xml_cannot_hold)
{
    char *text = NULL;
    size_t size = 0;
    run("MESSAGE='<a> & \\\"b\\\" \\u0001'", NULL);
    FILE *stream = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(stream);
    ck_assert(report_junit(stream, &report, 1));
    ck_assert_int_eq(fclose(stream), 0);
    assert_says(text, "&lt;a&gt; &amp; &quot;b&quot; ?");
    assert_says(text, "tests=\"5\" failures=\"1\" errors=\"0\" skipped=\"0\"");
    free(text);
}
END_TEST

/* A report whose first step failed with that message, as JUnit and as JSON. */
static char *junit_of(const char *message)
{
    char *text = NULL;
    size_t size = 0;
    run("SAVE=damaged", NULL);
    free(report.steps[1].message);
    report.steps[1].message = strdup(message);
    FILE *stream = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(stream);
    ck_assert(report_junit(stream, &report, 1));
    ck_assert_int_eq(fclose(stream), 0);
    return text;
}

/* What stands between the failure's tags, and in the JSON. */
static const struct {
    const char *message;
    const char *xml;
    const char *json;
} texts[] = {
    {"a\xff"
     "b",
     ">a?b<", "a\\xffb"},
    {"a\xc3",
     ">a?"
     "<",
     "a\\xc3"},
    {"\xc0\xaf",
     ">??"
     "<",
     "\\xc0\\xaf"},
    {"\xed\xa0\x80",
     ">???"
     "<",
     "\\xed\\xa0\\x80"},
    {"\xf4\x90\x80\x80",
     ">????"
     "<",
     "\\xf4\\x90\\x80\\x80"},
    {"\xef\xbf\xbe\xef\xbf\xbf",
     ">??"
     "<",
     "\xef\xbf\xbe\xef\xbf\xbf"},
    {"\x1b[31m\r", ">?[31m&#13;<", "\x1b[31m\r"},
    {"gr\xc3\xb6\xc3\x9f"
     "er \xf0\x9f\x98\x80",
     ">gr\xc3\xb6\xc3\x9f"
     "er \xf0\x9f\x98\x80<",
     "gr\xc3\xb6\xc3\x9f"
     "er \xf0\x9f\x98\x80"},
};

START_TEST(reports_are_well_formed_whatever_a_message_holds)
{
    char *xml = junit_of(texts[_i].message);
    json_t *json = report_json(&report, 1);
    assert_says(xml, texts[_i].xml);
    ck_assert_ptr_nonnull(json);
    const json_t *scenario_value = json_array_get(json_object_get(json, "scenarios"), 0);
    const json_t *step = json_array_get(json_object_get(scenario_value, "steps"), 1);
    ck_assert_str_eq(json_string_value(json_object_get(step, "message")), texts[_i].json);
    json_decref(json);
    free(xml);
}
END_TEST

static char *printed(void)
{
    char *text = NULL;
    size_t size = 0;
    const struct report_style style = {REPORT_STEPS, false};
    FILE *stream = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(stream);
    report_print_run(stream, &report, &style);
    ck_assert_int_eq(fclose(stream), 0);
    return text;
}

START_TEST(where_no_world_began_only_the_reason_is_printed)
{
    const struct run_options options = {
        .launch = {.program = "/nowhere/program", .launcher = "true", .timeout_seconds = 60},
    };
    ck_assert_int_eq(run_scenario(&report, scenario, &options), RESHARD_OK);
    ck_assert_int_eq(report.result, RUN_UNAVAILABLE);
    char *text = printed();
    ck_assert_ptr_null(strstr(text, "SKIP"));
    assert_says(text, "/nowhere/program: No such file");
    free(text);
}
END_TEST

START_TEST(what_a_rank_printed_commands_no_terminal)
{
    run("printf 'a\\033[31mb\\302\\233c\\n'; exit 5", NULL);
    char *text = printed();
    assert_says(text, "    a\\x1b[31mb\\xc2\\x9bc\n");
    ck_assert_ptr_null(strchr(text, '\x1b'));
    free(text);
}
END_TEST

START_TEST(a_summary_counts_what_passed_failed_and_did_not_finish)
{
    char *text = NULL;
    size_t size = 0;
    const struct report_style style = {REPORT_STEPS, false};
    struct run_report reports[3];
    run("", NULL);
    reports[0] = report;
    run("MOVED=24", NULL);
    reports[1] = report;
    run("exit 1", NULL);
    reports[2] = report;
    FILE *stream = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(stream);
    report_print_run(stream, &reports[1], &style);
    report_print_summary(stream, reports, 3, &style);
    ck_assert_int_eq(fclose(stream), 0);
    assert_says(text, "        FAIL [mpi   0.500000 s] played:10  load      one");
    assert_says(text, "3 scenarios in ");
    assert_says(text, ": 1 passed, 1 failed, 1 could not finish\n");
    free(text);
    run_report_release(&reports[0]);
    run_report_release(&reports[1]);
}
END_TEST

START_TEST(sizes_are_printed_for_people)
{
    char text[32];
    ck_assert_str_eq(report_bytes(0, text, sizeof(text)), "0 B");
    ck_assert_str_eq(report_bytes(999, text, sizeof(text)), "999 B");
    ck_assert_str_eq(report_bytes(1000, text, sizeof(text)), "1.00 kB");
    ck_assert_str_eq(report_bytes(999999, text, sizeof(text)), "1.00 MB");
    ck_assert_str_eq(report_bytes(UINT64_C(1610612736), text, sizeof(text)), "1.61 GB");
    ck_assert_str_eq(report_bytes(UINT64_MAX, text, sizeof(text)), "18.45 EB");
    ck_assert_str_eq(report_count(0, text, sizeof(text)), "0");
    ck_assert_str_eq(report_count(999, text, sizeof(text)), "999");
    ck_assert_str_eq(report_count(124439808, text, sizeof(text)), "124,439,808");
    ck_assert_str_eq(report_count(UINT64_MAX, text, sizeof(text)), "18,446,744,073,709,551,615");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("run");
    TCase *runs = tcase_create("runs");
    TCase *sizes = tcase_create("sizes");
    tcase_add_checked_fixture(runs, open_scenario, close_scenario);
    tcase_set_timeout(runs, 30);
    tcase_add_test(runs, a_run_in_which_all_holds_passes);
    tcase_add_loop_test(runs, what_does_not_hold_is_told_with_its_step, 0,
                        (int)(sizeof(cases) / sizeof(*cases)));
    tcase_add_test(runs, an_error_that_ended_a_job_is_told_instead_of_the_jobs_end);
    tcase_add_test(runs, worlds_after_a_failure_are_not_run);
    tcase_add_test(runs, a_temporary_folder_is_gone_after_the_run_however_it_ended);
    tcase_add_test(runs, a_kept_folder_stays_and_is_never_used_again);
    tcase_add_test(runs, a_report_for_programs_names_no_folder_of_the_run_and_no_wall_time);
    tcase_add_test(runs, junit_escapes_what_xml_cannot_hold);
    tcase_add_loop_test(runs, reports_are_well_formed_whatever_a_message_holds, 0,
                        (int)(sizeof(texts) / sizeof(*texts)));
    tcase_add_test(runs, where_no_world_began_only_the_reason_is_printed);
    tcase_add_test(runs, what_a_rank_printed_commands_no_terminal);
    tcase_add_test(runs, a_summary_counts_what_passed_failed_and_did_not_finish);
    tcase_add_test(sizes, sizes_are_printed_for_people);
    suite_add_tcase(suite, runs);
    suite_add_tcase(suite, sizes);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
