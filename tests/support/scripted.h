/*
 * Checkpoints that tests/make_checkpoint.py makes, in a directory that lasts for one test, and what
 * the verifier says of them. The interpreter is $PYTHON. All abort the test when they fail.
 */
#ifndef RESHARD_TESTS_SCRIPTED_H
#define RESHARD_TESTS_SCRIPTED_H

#include "verify/files.h"

/* Where the checkpoints of this test are; valid from scripted_set_up() to scripted_tear_down(). */
extern char scripted_home[512];

void scripted_set_up(void);
void scripted_tear_down(void);

/* The interpreter. */
const char *scripted_python(void);

/* Run a command of the shell. */
void scripted_run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Make the checkpoint `name` of scripted_home, of the script's seed. */
void scripted_checkpoint(const char *name, const char *arguments);

/* Judge the checkpoint `name` of scripted_home against the oracle of the script's seed at `step`
 * and, unless NULL, against that other one; print what is found. The caller owns the report. */
struct verify_report scripted_judge(const char *name, const struct verify_inventory *inventory,
                                    uint64_t step, const char *against);

/* That oracle; the caller closes it. */
struct verify_oracle *scripted_oracle(const struct verify_inventory *inventory, uint64_t step);

#endif
