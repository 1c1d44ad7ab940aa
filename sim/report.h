/*
 * Showing what became of runs: lines and a table for people, JSON for programs, JUnit for CI.
 *
 * The JSON of simulated runs holds nothing but what the scenario and its seed determine: no wall
 * time, no folder of this machine. Equal runs give equal bytes. It is always UTF-8: a byte of a
 * path or message that is not is written \xNN, four characters; a seed of 2^63 or more is a string
 * of its digits. Wall times are shown to people and in JUnit alone.
 */
#ifndef RESHARD_SIM_REPORT_H
#define RESHARD_SIM_REPORT_H

#include "sim/run.h"

#include <jansson.h>
#include <stdio.h>

enum report_detail {
    REPORT_QUIET, /* steps that failed */
    REPORT_STEPS, /* every step, a line each */
    REPORT_FULL,  /* and what was refused, and how, and what was judged */
};

struct report_style {
    enum report_detail detail;
    bool colour;
};

/* Local. The lines of one run. */
void report_print_run(FILE *out, const struct run_report *report, const struct report_style *style);

/* Local. The table of all runs and the line that counts them. */
void report_print_summary(FILE *out, const struct run_report *reports, size_t count,
                          const struct report_style *style);

/* Local. All runs for programs: one object. NULL without memory; else the caller's. */
json_t *report_json(const struct run_report *reports, size_t count);

/* Local. All runs as JUnit XML: a suite a scenario, a case a step. False when `out` refused. */
bool report_junit(FILE *out, const struct run_report *reports, size_t count);

/* Local. "1.61 GB", decimal, into `text`; returns `text`. */
char *report_bytes(uint64_t bytes, char *text, size_t size);

/* Local. "124,439,808" into `text`; returns `text`. */
char *report_count(uint64_t count, char *text, size_t size);

#endif
