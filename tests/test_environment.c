/*
 * The launcher's environment. Goal: what torchrun and its like set is understood, and a value that
 * is wrong, by itself or beside the others, is refused with its name. Method: a table of single
 * faults with the text of each message.
 */
#include "parallel/environment.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct reshard_environment good = {
    .master_addr = "node-0.cluster",
    .master_port = "29500",
    .rank = "5",
    .world_size = "8",
    .local_rank = "1",
    .local_world_size = "4",
};

START_TEST(what_torchrun_sets_is_understood)
{
    struct environment_values values;
    struct reshard_error error = RESHARD_ERROR_INIT;

    ck_assert_msg(environment_parse(&good, &values, &error) == RESHARD_OK, "%s", error.text);
    ck_assert_int_eq(values.master_port, 29500);
    ck_assert_int_eq(values.rank, 5);
    ck_assert_int_eq(values.world_size, 8);
    ck_assert_int_eq(values.local_rank, 1);
    ck_assert_int_eq(values.local_world_size, 4);
}
END_TEST

START_TEST(what_is_absent_is_minus_one)
{
    const struct reshard_environment nothing = {.rank = NULL};
    struct environment_values values = {7, 7, 7, 7, 7};

    ck_assert_int_eq(environment_parse(&nothing, &values, NULL), RESHARD_OK);
    ck_assert_int_eq(values.master_port, -1);
    ck_assert_int_eq(values.rank, -1);
    ck_assert_int_eq(values.world_size, -1);
    ck_assert_int_eq(values.local_rank, -1);
    ck_assert_int_eq(values.local_world_size, -1);
}
END_TEST

START_TEST(the_limits_belong_to_what_is_right)
{
    struct reshard_environment least = {.master_port = "1",
                                        .rank = "0",
                                        .world_size = "1",
                                        .local_rank = "0",
                                        .local_world_size = "1"};
    struct reshard_environment most = {.master_port = "65535",
                                       .rank = "2147483646",
                                       .world_size = "2147483647",
                                       .local_rank = "2147483646",
                                       .local_world_size = "2147483647"};
    struct environment_values values;

    ck_assert_int_eq(environment_parse(&least, &values, NULL), RESHARD_OK);
    ck_assert_int_eq(environment_parse(&most, &values, NULL), RESHARD_OK);
    ck_assert_int_eq(values.rank, 2147483646);
}
END_TEST

static const char *const addresses[] = {"localhost",      "127.0.0.1",  "::1",
                                        "[fe80::1%eth0]", "a.b-c.D.e9", "n"};

START_TEST(a_host_name_or_an_address_is_taken)
{
    struct reshard_environment environment = good;
    struct environment_values values;

    environment.master_addr = addresses[_i];
    ck_assert_int_eq(environment_parse(&environment, &values, NULL), RESHARD_OK);
}
END_TEST

/* One variable set to one value, the others good; what the message begins with. */
static const struct {
    size_t variable;
    const char *value, *message;
} wrong[] = {
#define OF(member) offsetof(struct reshard_environment, member)
    {OF(master_addr), "", "MASTER_ADDR has 0 characters; a host name has 1 to 253"},
    {OF(master_addr), "a b", "MASTER_ADDR is 'a b'; it must be a host name or an address"},
    {OF(master_addr), "tcp://x", "MASTER_ADDR is 'tcp://x'; it must be"},
    {OF(master_addr), "h\xc3\xb4te", "MASTER_ADDR is 'h\xc3\xb4te'; it must be"},
    {OF(master_port), "0", "MASTER_PORT is '0'; it must be a whole number from 1 to 65535"},
    {OF(master_port), "65536", "MASTER_PORT is '65536'; it must be"},
    {OF(master_port), "", "MASTER_PORT is ''; it must be"},
    {OF(master_port), "29500 ", "MASTER_PORT is '29500 '; it must be"},
    {OF(master_port), "http", "MASTER_PORT is 'http'; it must be"},
    {OF(local_world_size), "2147483647", "LOCAL_WORLD_SIZE is 2147483647, but WORLD_SIZE is"},
    {OF(rank), "-1", "RANK is '-1'; it must be a whole number from 0 to 2147483646"},
    {OF(rank), "+1", "RANK is '+1'; it must be"},
    {OF(rank), " 1", "RANK is ' 1'; it must be"},
    {OF(rank), "1.0", "RANK is '1.0'; it must be"},
    {OF(rank), "0x1", "RANK is '0x1'; it must be"},
    {OF(rank), "1e3", "RANK is '1e3'; it must be"},
    {OF(rank), "2147483647", "RANK is '2147483647'; it must be"},
    {OF(rank), "9223372036854775808", "RANK is '9223372036854775808'; it must be"},
    {OF(rank), "99999999999999999999999", "RANK is '99999999999999999999999'; it must be"},
    {OF(rank), "18446744073709551617", "RANK is '18446744073709551617'; it must be"},
    {OF(rank), "8", "RANK is 8, but WORLD_SIZE is 8; ranks count from 0"},
    {OF(world_size), "0", "WORLD_SIZE is '0'; it must be a whole number from 1 to 2147483647"},
    {OF(world_size), "5", "RANK is 5, but WORLD_SIZE is 5; ranks count from 0"},
    {OF(world_size), "2147483648", "WORLD_SIZE is '2147483648'; it must be"},
    {OF(local_rank), "4", "LOCAL_RANK is 4, but LOCAL_WORLD_SIZE is 4; ranks count from 0"},
    {OF(local_rank), "one", "LOCAL_RANK is 'one'; it must be"},
    {OF(local_world_size), "1", "LOCAL_RANK is 1, but LOCAL_WORLD_SIZE is 1; ranks"},
    {OF(local_world_size), "0", "LOCAL_WORLD_SIZE is '0'; it must be a whole number from 1"},
#undef OF
};

START_TEST(a_wrong_value_is_refused_by_its_name)
{
    struct reshard_environment environment = good;
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct environment_values values;

    memcpy((char *)&environment + wrong[_i].variable, &wrong[_i].value, sizeof wrong[_i].value);
    ck_assert_int_eq(environment_parse(&environment, &values, &error), RESHARD_EINVAL);
    ck_assert_msg(strncmp(error.text, wrong[_i].message, strlen(wrong[_i].message)) == 0,
                  "'%s' instead of '%s'", error.text, wrong[_i].message);
    ck_assert_int_eq(environment_parse(&environment, &values, NULL), RESHARD_EINVAL);
}
END_TEST

START_TEST(a_host_name_has_at_most_253_characters)
{
    struct reshard_environment environment = good;
    struct environment_values values;
    char name[255];

    memset(name, 'n', sizeof name);
    name[253] = '\0';
    environment.master_addr = name;
    ck_assert_int_eq(environment_parse(&environment, &values, NULL), RESHARD_OK);
    name[253] = 'n';
    name[254] = '\0';
    ck_assert_int_eq(environment_parse(&environment, &values, NULL), RESHARD_EINVAL);
}
END_TEST

START_TEST(the_process_gives_what_it_has)
{
    static const char *const names[] = {"MASTER_ADDR", "MASTER_PORT", "RANK",
                                        "WORLD_SIZE",  "LOCAL_RANK",  "LOCAL_WORLD_SIZE"};
    struct reshard_environment environment;
    const char *values[6];

    for (size_t i = 0; i < 6; i++)
        ck_assert_int_eq(unsetenv(names[i]), 0);
    reshard_environment_from_process(&environment);
    memcpy(values, &environment, sizeof values);
    for (size_t i = 0; i < 6; i++)
        ck_assert_ptr_null(values[i]);
    for (size_t i = 0; i < 6; i++)
        ck_assert_int_eq(setenv(names[i], names[i], 1), 0);
    reshard_environment_from_process(&environment);
    ck_assert_str_eq(environment.master_addr, "MASTER_ADDR");
    ck_assert_str_eq(environment.master_port, "MASTER_PORT");
    ck_assert_str_eq(environment.rank, "RANK");
    ck_assert_str_eq(environment.world_size, "WORLD_SIZE");
    ck_assert_str_eq(environment.local_rank, "LOCAL_RANK");
    ck_assert_str_eq(environment.local_world_size, "LOCAL_WORLD_SIZE");
}
END_TEST

static const char *const launchers[] = {"PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "PMIX_RANK",
                                        "SLURM_STEP_NUM_TASKS", "WORLD_SIZE"};

START_TEST(a_launcher_that_has_started_more_ranks_is_named)
{
    const char *variable, *value;

    for (size_t i = 0; i < 5; i++)
        ck_assert_int_eq(unsetenv(launchers[i]), 0);
    ck_assert(!environment_has_more(&variable, &value));
    for (size_t i = 0; i < 5; i++) {
        ck_assert_int_eq(setenv(launchers[i], "2", 1), 0);
        ck_assert(environment_has_more(&variable, &value));
        ck_assert_str_eq(variable, launchers[i]);
        ck_assert_str_eq(value, "2");
        ck_assert_int_eq(setenv(launchers[i], "2 or so", 1), 0);
        ck_assert(!environment_has_more(&variable, &value));
        ck_assert_int_eq(unsetenv(launchers[i]), 0);
    }
}
END_TEST

START_TEST(a_launcher_of_mpi_that_has_started_one_is_believed)
{
    const char *variable, *value;

    for (size_t i = 2; i < 5; i++)
        ck_assert_int_eq(setenv(launchers[i], "7", 1), 0);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(setenv(launchers[i], "1", 1), 0);
        ck_assert(!environment_has_more(&variable, &value));
        ck_assert_int_eq(unsetenv(launchers[i]), 0);
        ck_assert(environment_has_more(&variable, &value));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("environment");
    TCase *cases = tcase_create("environment");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(cases, what_torchrun_sets_is_understood);
    tcase_add_test(cases, what_is_absent_is_minus_one);
    tcase_add_test(cases, the_limits_belong_to_what_is_right);
    tcase_add_loop_test(cases, a_host_name_or_an_address_is_taken, 0,
                        (int)(sizeof addresses / sizeof *addresses));
    tcase_add_loop_test(cases, a_wrong_value_is_refused_by_its_name, 0,
                        (int)(sizeof wrong / sizeof *wrong));
    tcase_add_test(cases, a_host_name_has_at_most_253_characters);
    tcase_add_test(cases, the_process_gives_what_it_has);
    tcase_add_test(cases, a_launcher_that_has_started_more_ranks_is_named);
    tcase_add_test(cases, a_launcher_of_mpi_that_has_started_one_is_believed);
    suite_add_tcase(suite, cases);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
