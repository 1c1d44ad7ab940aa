#include "support/scripted.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { COMMAND_BYTES = 8192, PATH_BYTES = 1024 };

char scripted_home[512];

void scripted_set_up(void)
{
    const char *parent = getenv("TMPDIR");

    snprintf(scripted_home, sizeof scripted_home, "%s/verify-XXXXXX", parent ? parent : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(scripted_home));
}

void scripted_tear_down(void)
{
    scripted_run("rm -rf %s", scripted_home);
}

const char *scripted_python(void)
{
    const char *python = getenv("PYTHON");

    return python ? python : "/usr/bin/python3";
}

void scripted_run(const char *format, ...)
{
    char command[COMMAND_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    ck_assert_msg(system(command) == 0, "%s", command);
}

void scripted_checkpoint(const char *name, const char *arguments)
{
    scripted_run("%s %s/tests/make_checkpoint.py %s/%s %s", scripted_python(), RESHARD_SOURCE_DIR,
                 scripted_home, name, arguments);
}

struct verify_oracle *scripted_oracle(const struct verify_inventory *inventory, uint64_t step)
{
    const struct verify_oracle_options options = {
        .inventory = inventory,
        .optimizer = {.name = VERIFY_ADAMW,
                      .hyper = {.lr = 1e-3,
                                .beta1 = 0.9,
                                .beta2 = 0.999,
                                .eps = 1e-8,
                                .weight_decay = 0.01}},
        .seed = 0x1234567890ABCDEF,
        .step = step,
    };
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct verify_oracle *oracle;

    ck_assert_msg(verify_oracle_open(&oracle, &options, &error) == RESHARD_OK, "%s", error.text);
    return oracle;
}

struct verify_report scripted_judge(const char *name, const struct verify_inventory *inventory,
                                    uint64_t step, const char *against)
{
    struct verify_oracle *oracle = scripted_oracle(inventory, step);
    struct verify_files_options options = {.threads = 2, .oracle = oracle, .expected = inventory};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct verify_report report;
    char directory[PATH_BYTES];
    char other[PATH_BYTES];
    enum reshard_status status;

    snprintf(directory, sizeof directory, "%s/%s", scripted_home, name);
    snprintf(other, sizeof other, "%s/%s", scripted_home, against ? against : "");
    options.against = against ? other : NULL;
    ck_assert_int_eq(verify_report_open(&report), RESHARD_OK);
    status = verify_files(directory, &options, &report, &error);
    ck_assert_msg(status == report.status, "%s", error.text);
    ck_assert_int_eq(verify_report_print(&report, stdout), RESHARD_OK);
    verify_oracle_close(oracle);
    return report;
}
