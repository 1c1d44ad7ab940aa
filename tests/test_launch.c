/*
 * Launching: what became of a job is told rightly, whatever its launcher claims. Method: launchers
 * are shell scripts that leave end records as they please, exit as they please, hang, or die; none
 * of them starts a rank. Also the files that describe a simulated machine.
 */
#include "sim/cluster.h"
#include "sim/launch.h"
#include "support/scratch.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *folder;
static char script[512];
static char program[512];
static struct job job;
static struct launch_options options;
static struct reshard_error error;

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void make_job(void)
{
    char *relative = scratch_make("launch");
    folder = realpath(relative, NULL);
    free(relative);
    ck_assert_ptr_nonnull(folder);
    (void)snprintf(script, sizeof(script), "%s/launcher", folder);
    (void)snprintf(program, sizeof(program), "%s/program", folder);
    write_text(program, "");
    job = (struct job){.ranks = 8, .folder = folder};
    options =
        (struct launch_options){.program = program, .launcher = script, .timeout_seconds = 60};
    error = (struct reshard_error)RESHARD_ERROR_INIT;
}

static void remove_job(void)
{
    scratch_remove(folder);
}

/* Launch with a launcher of that shell text, which runs in the job's folder. */
static enum launch_outcome launch(const char *text)
{
    char whole[2048];
    (void)snprintf(whole, sizeof(whole), "#!/bin/sh\n%s\n", text);
    write_text(script, whole);
    ck_assert_int_eq(chmod(script, 0700), 0);
    return launch_job(&job, &options, &error);
}

static void assert_says(const char *text)
{
    ck_assert_msg(strstr(error.text, text) != NULL, "'%s' is not in: %s", text, error.text);
}

#define RECORDS "for r in 0 1 2 3 4 5 6 7; do printf 'event\\nend\\n' > end-0000$r; done; "

START_TEST(a_job_whose_ranks_all_left_their_end_has_ended)
{
    ck_assert_int_eq(launch(RECORDS), LAUNCH_ENDED);
    ck_assert_str_eq(error.text, "");
}
END_TEST

START_TEST(an_end_record_may_hold_no_event)
{
    ck_assert_int_eq(launch(RECORDS "echo end > end-00003"), LAUNCH_ENDED);
}
END_TEST

START_TEST(end_records_count_more_than_the_launchers_exit_status)
{
    ck_assert_int_eq(launch(RECORDS "exit 9"), LAUNCH_ENDED);
}
END_TEST

START_TEST(a_rank_without_an_end_is_named_with_the_end_of_the_output)
{
    ck_assert_int_eq(launch(RECORDS "rm end-00005; echo the reason >&2; exit 3"), LAUNCH_CRASHED);
    assert_says("no end record of rank 5;");
    assert_says("launcher exited with status 3");
    assert_says("\n    the reason");
}
END_TEST

START_TEST(a_launcher_that_exits_with_0_before_the_ranks_ended_is_not_believed)
{
    ck_assert_int_eq(launch("exit 0"), LAUNCH_CRASHED);
    assert_says("no end record of ranks 0, 1, 2, 3 and 4 more; launcher exited with status 0; it "
                "printed nothing");
}
END_TEST

START_TEST(an_end_record_that_was_cut_is_none)
{
    ck_assert_int_eq(launch(RECORDS "printf 'event\\nen' > end-00000; printf '' > end-00001; "
                                    "printf 'weekend\\n' > end-00002"),
                     LAUNCH_CRASHED);
    assert_says("no end record of ranks 0, 1, 2;");
}
END_TEST

START_TEST(a_fifo_in_the_place_of_an_end_record_is_none)
{
    ck_assert_int_eq(launch(RECORDS "rm end-00003; mkfifo end-00003"), LAUNCH_CRASHED);
    assert_says("no end record of rank 3;");
}
END_TEST

START_TEST(a_signal_that_ended_the_launcher_is_told)
{
    ck_assert_int_eq(launch("kill -SEGV $$"), LAUNCH_CRASHED);
    assert_says("launcher was ended by signal 11");
}
END_TEST

START_TEST(only_the_last_lines_of_a_long_output_are_shown)
{
    ck_assert_int_eq(launch("seq 1 5000"), LAUNCH_CRASHED);
    assert_says("\n    5000");
    assert_says("\n    4989");
    ck_assert_ptr_null(strstr(error.text, "4988"));
}
END_TEST

START_TEST(the_output_that_is_shown_begins_at_a_line)
{
    ck_assert_int_eq(launch("printf '%0300d.\\n' 1 2 3 4 5 6 7 8 9"), LAUNCH_CRASHED);
    const char *shown = strstr(error.text, "the end of its output:\n    ");
    ck_assert_ptr_nonnull(shown);
    shown += strlen("the end of its output:\n    ");
    ck_assert_uint_eq(strcspn(shown, "."), 300);
    assert_says("0009.");
}
END_TEST

START_TEST(a_single_long_line_is_shown_by_its_end)
{
    ck_assert_int_eq(launch("printf '%05000d.' 7"), LAUNCH_CRASHED);
    assert_says("the end of its output:\n    0000");
    assert_says("00007.");
}
END_TEST

START_TEST(what_the_simulation_warns_of_itself_hides_no_reason)
{
    ck_assert_int_eq(launch("echo the reason; for i in $(seq 60); do "
                            "echo \"[$i.0] [smpi_kernel/WARNING] Process exited early\"; done"),
                     LAUNCH_CRASHED);
    assert_says("the end of its output:\n    the reason");
    ck_assert_ptr_null(strstr(error.text, "WARNING"));
}
END_TEST

/* The read end of a pipe whose write end the job inherits: it ends when the last process did. */
static int watch(int *write_end)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    *write_end = ends[1];
    return ends[0];
}

static void assert_all_gone(int read_end, int write_end)
{
    char byte;
    ck_assert_int_eq(close(write_end), 0);
    ck_assert_int_eq(read(read_end, &byte, 1), 0);
    ck_assert_int_eq(close(read_end), 0);
}

START_TEST(a_job_that_hangs_is_ended_with_all_its_processes)
{
    int write_end;
    const int read_end = watch(&write_end);
    options.timeout_seconds = 0.2;
    ck_assert_int_eq(launch("echo started; sleep 1000 & sleep 1000"), LAUNCH_TIMED_OUT);
    assert_says("the job was ended after 0.2 seconds (--timeout)");
    assert_all_gone(read_end, write_end);
}
END_TEST

START_TEST(a_job_that_does_not_want_to_end_is_ended_too)
{
    int write_end;
    const int read_end = watch(&write_end);
    options.timeout_seconds = 0.2;
    ck_assert_int_eq(launch("trap '' TERM; sleep 1000 & sleep 1000"), LAUNCH_TIMED_OUT);
    assert_all_gone(read_end, write_end);
}
END_TEST

START_TEST(what_a_launcher_leaves_behind_is_ended)
{
    int write_end;
    const int read_end = watch(&write_end);
    ck_assert_int_eq(launch(RECORDS "sleep 1000 &"), LAUNCH_ENDED);
    assert_all_gone(read_end, write_end);
}
END_TEST

static const struct {
    int number;
    const char *command;
} stops[] = {
    {SIGINT, "kill -INT $PPID; sleep 1000"},
    {SIGTERM, "kill -TERM $PPID; sleep 1000"},
    {SIGHUP, "kill -HUP $PPID; sleep 1000"},
    {SIGQUIT, "kill -QUIT $PPID; sleep 1000"},
};

START_TEST(a_request_to_stop_ends_the_job_and_stays_known)
{
    sigset_t saved;
    sigset_t stop;
    int signal = 0;
    int write_end;
    const int read_end = watch(&write_end);
    launch_signals_begin(&saved);
    ck_assert(!launch_interrupted());
    ck_assert_int_eq(launch(stops[_i].command), LAUNCH_INTERRUPTED);
    ck_assert(launch_interrupted());
    assert_all_gone(read_end, write_end);
    sigemptyset(&stop);
    sigaddset(&stop, stops[_i].number);
    ck_assert_int_eq(sigwait(&stop, &signal), 0);
    ck_assert_int_eq(signal, stops[_i].number);
    launch_signals_end(&saved);
}
END_TEST

START_TEST(a_signal_that_is_ignored_stays_ignored_here_and_in_the_job)
{
    sigset_t saved;
    ck_assert(signal(SIGHUP, SIG_IGN) != SIG_ERR);
    launch_signals_begin(&saved);
    ck_assert_int_eq(launch("kill -HUP $PPID; kill -HUP $$; " RECORDS), LAUNCH_ENDED);
    ck_assert(!launch_interrupted());
    launch_signals_end(&saved);
}
END_TEST

/* A process that launches, and is killed by the job that it launched. */
static void launch_and_be_killed(const char *victim)
{
    const pid_t child = fork();
    int status = 0;
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct guard guard;
        if (guard_open(&guard, victim, NULL) == RESHARD_OK) {
            options.guard = &guard;
            (void)launch("echo $$ > started; trap '' TERM; sleep 1000 & kill -KILL $PPID; "
                         "sleep 1000");
        }
        _exit(1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

START_TEST(what_a_killed_process_launched_ends_and_its_folder_goes)
{
    char victim[600];
    char inside[700];
    int write_end;
    const int read_end = watch(&write_end);
    (void)snprintf(victim, sizeof(victim), "%s/victim", folder);
    (void)snprintf(inside, sizeof(inside), "%s/file", victim);
    ck_assert_int_eq(mkdir(victim, 0700), 0);
    write_text(inside, "");
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    launch_and_be_killed(victim);
    assert_all_gone(read_end, write_end);
    while (waitpid(-1, NULL, 0) > 0) /* the guard is the last of them */
        continue;
    ck_assert_int_eq(access(victim, F_OK), -1);
}
END_TEST

START_TEST(a_guard_that_is_closed_removes_nothing)
{
    struct guard guard;
    ck_assert_int_eq(guard_open(&guard, folder, NULL), RESHARD_OK);
    guard_watch(&guard, 1 << 30);
    guard_watch(&guard, 0);
    guard_close(&guard);
    guard_close(&guard);
    ck_assert_int_eq(access(program, F_OK), 0);
}
END_TEST

START_TEST(what_another_launcher_told_of_us_is_not_told_to_the_ranks)
{
    static const char *const told[] = {
        "RANK",      "WORLD_SIZE",           "LOCAL_RANK",  "LOCAL_WORLD_SIZE",
        "PMI_RANK",  "OMPI_COMM_WORLD_SIZE", "MASTER_ADDR", "TORCHELASTIC_RUN_ID",
        "PMIX_RANK", "SLURM_PROCID",         "MASTER_PORT",
    };
    for (size_t i = 0; i < sizeof(told) / sizeof(*told); i++)
        ck_assert_int_eq(setenv(told[i], "3", 1), 0);
    ck_assert_int_eq(setenv("SLURM_JOB_ID", "7", 1), 0);
    ck_assert_int_eq(setenv("RANKS_OF_MINE", "8", 1), 0);
    ck_assert_int_eq(launch(RECORDS
                            "env | grep -E '^(.*_)?(RANK|SIZE|ADDR|PORT|RUN_ID|PROCID)=' && "
                            "exit 1; [ $SLURM_JOB_ID$RANKS_OF_MINE = 78 ] || rm end-00000"),
                     LAUNCH_ENDED);
    char *log = NULL;
    ck_assert_int_ge(asprintf(&log, "%s/" LAUNCH_LOG_FILE, folder), 0);
    struct stat about;
    ck_assert_int_eq(stat(log, &about), 0);
    ck_assert_int_eq(about.st_size, 0);
    free(log);
}
END_TEST

START_TEST(a_launcher_that_is_not_there_is_told_with_where_to_get_one)
{
    options.launcher = "no-such-launcher-anywhere -x";
    ck_assert_int_eq(launch_job(&job, &options, &error), LAUNCH_UNAVAILABLE);
    assert_says("cannot start 'no-such-launcher-anywhere': No such file");
    assert_says("mpich");
}
END_TEST

START_TEST(a_rank_program_that_is_not_there_is_told)
{
    options.program = "/nowhere/reshard-rank-mpi";
    ck_assert_int_eq(launch(RECORDS), LAUNCH_UNAVAILABLE);
    assert_says("/nowhere/reshard-rank-mpi: No such file");
}
END_TEST

START_TEST(a_launchers_words_come_first_then_ranks_program_and_job)
{
    char launcher[1024];
    char expected[4096];
    char got[4096] = "";
    char path[600];
    (void)snprintf(launcher, sizeof(launcher), "%s -N 4 'two words'", script);
    options.launcher = launcher;
    ck_assert_int_eq(launch(RECORDS "printf '%s\\n' \"$@\" > words"), LAUNCH_ENDED);
    (void)snprintf(path, sizeof(path), "%s/words", folder);
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    (void)fread(got, 1, sizeof(got) - 1, file);
    ck_assert_int_eq(fclose(file), 0);
    (void)snprintf(expected, sizeof(expected), "-N\n4\ntwo words\n-n\n8\n%s\n%s/job.json\n",
                   program, folder);
    ck_assert_str_eq(got, expected);
}
END_TEST

START_TEST(a_launcher_that_is_no_command_is_not_valid)
{
    ck_assert(launch_launcher_is_valid("srun -N 4"));
    ck_assert(!launch_launcher_is_valid(""));
    ck_assert(!launch_launcher_is_valid("srun 'unclosed"));
    ck_assert(!launch_launcher_is_valid("srun; rm -r x"));
    ck_assert(!launch_launcher_is_valid("srun $(id)"));
}
END_TEST

/* ---- the simulated machine ---- */

static char *read_text(const char *path)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(getdelim(&text, &size, '\0', file), 0);
    ck_assert_int_eq(fclose(file), 0);
    return text;
}

static struct scenario_cluster small_cluster(void)
{
    return (struct scenario_cluster){
        .nodes = 3,
        .ranks_per_node = 2,
        .network_bandwidth = 4e9,
        .network_latency = 2e-6,
        .disk_read = 6e9,
        .disk_write = 3e9,
    };
}

START_TEST(ranks_fill_the_nodes_in_order)
{
    const struct scenario_cluster cluster = small_cluster();
    ck_assert_int_eq(cluster_write_hosts(&cluster, 5, program, &error), RESHARD_OK);
    char *hosts = read_text(program);
    ck_assert_str_eq(hosts, "node-0\nnode-0\nnode-1\nnode-1\nnode-2\n");
    free(hosts);
    ck_assert_int_eq(cluster_write_hosts(&cluster, 7, program, &error), RESHARD_EINVAL);
    assert_says("7 ranks do not fit on 3 nodes of 2 ranks");
}
END_TEST

START_TEST(a_platform_has_every_node_and_server_with_its_disk)
{
    struct scenario_cluster cluster = small_cluster();
    cluster.storage_servers = 2;
    cluster.storage_read = 10e9;
    cluster.storage_write = 8e9;
    ck_assert_int_eq(cluster_write_platform(&cluster, program, &error), RESHARD_OK);
    char *platform = read_text(program);
    ck_assert_ptr_nonnull(strstr(platform,
                                 "<host id=\"node-2\" speed=\"1Gf\" core=\"2\"><disk id=\"disk\" "
                                 "read_bw=\"6000000000Bps\" write_bw=\"3000000000Bps\"/></host>"));
    ck_assert_ptr_nonnull(strstr(platform, "<host id=\"storage-1\""));
    ck_assert_ptr_null(strstr(platform, "node-3"));
    ck_assert_ptr_null(strstr(platform, "storage-2"));
    /* Half of the latency in each of the two links of a path; a server's link as fast as its disk.
     */
    ck_assert_ptr_nonnull(
        strstr(platform, "<link id=\"node-0-link\" bandwidth=\"4000000000Bps\" "
                         "latency=\"9.9999999999999995e-07s\" sharing_policy=\"SPLITDUPLEX\"/>"));
    ck_assert_ptr_nonnull(
        strstr(platform, "<link id=\"storage-0-link\" bandwidth=\"10000000000Bps\""));
    free(platform);
}
END_TEST

START_TEST(a_machine_without_speed_is_refused)
{
    struct scenario_cluster cluster = small_cluster();
    cluster.disk_write = 0;
    ck_assert_int_eq(cluster_write_platform(&cluster, program, &error), RESHARD_EINVAL);
    cluster = small_cluster();
    cluster.storage_servers = 1;
    ck_assert_int_eq(cluster_write_platform(&cluster, program, NULL), RESHARD_EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("launch");
    TCase *jobs = tcase_create("jobs");
    TCase *machine = tcase_create("machine");
    tcase_add_checked_fixture(jobs, make_job, remove_job);
    tcase_set_timeout(jobs, 30);
    tcase_add_test(jobs, a_job_whose_ranks_all_left_their_end_has_ended);
    tcase_add_test(jobs, an_end_record_may_hold_no_event);
    tcase_add_test(jobs, end_records_count_more_than_the_launchers_exit_status);
    tcase_add_test(jobs, a_rank_without_an_end_is_named_with_the_end_of_the_output);
    tcase_add_test(jobs, a_launcher_that_exits_with_0_before_the_ranks_ended_is_not_believed);
    tcase_add_test(jobs, an_end_record_that_was_cut_is_none);
    tcase_add_test(jobs, a_fifo_in_the_place_of_an_end_record_is_none);
    tcase_add_test(jobs, a_signal_that_ended_the_launcher_is_told);
    tcase_add_test(jobs, only_the_last_lines_of_a_long_output_are_shown);
    tcase_add_test(jobs, a_job_that_hangs_is_ended_with_all_its_processes);
    tcase_add_test(jobs, a_job_that_does_not_want_to_end_is_ended_too);
    tcase_add_test(jobs, what_a_launcher_leaves_behind_is_ended);
    tcase_add_loop_test(jobs, a_request_to_stop_ends_the_job_and_stays_known, 0,
                        (int)(sizeof(stops) / sizeof(*stops)));
    tcase_add_test(jobs, the_output_that_is_shown_begins_at_a_line);
    tcase_add_test(jobs, a_single_long_line_is_shown_by_its_end);
    tcase_add_test(jobs, what_the_simulation_warns_of_itself_hides_no_reason);
    tcase_add_test(jobs, a_signal_that_is_ignored_stays_ignored_here_and_in_the_job);
    tcase_add_test(jobs, what_a_killed_process_launched_ends_and_its_folder_goes);
    tcase_add_test(jobs, a_guard_that_is_closed_removes_nothing);
    tcase_add_test(jobs, what_another_launcher_told_of_us_is_not_told_to_the_ranks);
    tcase_add_test(jobs, a_launcher_that_is_not_there_is_told_with_where_to_get_one);
    tcase_add_test(jobs, a_rank_program_that_is_not_there_is_told);
    tcase_add_test(jobs, a_launchers_words_come_first_then_ranks_program_and_job);
    tcase_add_test(jobs, a_launcher_that_is_no_command_is_not_valid);
    tcase_add_checked_fixture(machine, make_job, remove_job);
    tcase_add_test(machine, ranks_fill_the_nodes_in_order);
    tcase_add_test(machine, a_platform_has_every_node_and_server_with_its_disk);
    tcase_add_test(machine, a_machine_without_speed_is_refused);
    suite_add_tcase(suite, jobs);
    suite_add_tcase(suite, machine);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
