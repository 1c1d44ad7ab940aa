/*
 * Benchmarks. A time alone says little on a machine that others use too; so every figure is held
 * against a baseline that does the same work in the plainest way, measured in the same run. Subject
 * and baselines take turns (A B A B), after one turn that is not counted, and what is given are
 * medians with the extremes: these show the noise.
 *
 * Every program under tests/bench takes
 *     --json FILE   append each figure as a line of JSON ("-": to standard output, and then the
 *                   table goes to standard error)
 *     --runs N      turns that count (5)
 *     --directory D where files are written (the working directory): the disk that is measured
 */
#ifndef RESHARD_BENCH_H
#define RESHARD_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { BENCH_WAYS_MAX = 4, BENCH_RUNS_MAX = 101 };

struct bench {
    int runs;
    const char *directory;
    FILE *table; /* NULL for a process that measures along but reports nothing */
    FILE *json;  /* NULL: none wanted */
};

enum bench_unit {
    BENCH_GB_PER_S, /* the amount is in bytes */
    BENCH_NS,       /* for each of the amount */
    BENCH_MS,
};

/* A way to do the work; returns the seconds that it took, without its preparations. */
struct bench_way {
    const char *name;
    double (*run)(void *context);
};

struct bench_case {
    const char *name;
    enum bench_unit unit;
    double amount; /* of work in one run */
    void *context;
    struct bench_way way[BENCH_WAYS_MAX]; /* the subject, then baselines, up to a NULL name */
};

/* Read the arguments; end the program with status 2 if they are wrong. `reports` is false on all
 * but one of the processes of a parallel run. */
struct bench bench_open(int argc, char **argv, bool reports);
void bench_close(struct bench *bench);

/* Measure a case and report a figure for each of its baselines. The ratio is of speeds, turn by
 * turn: 1 is as fast as the baseline, 2 twice as fast. */
void bench_measure(const struct bench *bench, const struct bench_case *entry);

/* Seconds of a clock that only rises. */
double bench_now(void);

/* Let the compiler believe that a result is used. */
void bench_keep(uint64_t value);

/* End the program with status 1, saying what went wrong, unless it holds. */
void bench_require(bool holds, const char *what);

/* Random words, to leave nothing to compress; `bytes` is a multiple of 8. */
void bench_fill(void *memory, uint64_t bytes, uint64_t seed);

/* Memory aligned for direct transfers, filled. The caller frees it. */
void *bench_memory(uint64_t bytes, uint64_t seed);

#endif
