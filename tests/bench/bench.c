#include "bench/bench.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- arguments ------------------------------------------------------------------------------- */

static void usage(const char *program)
{
    (void)fprintf(stderr, "usage: %s [--json FILE] [--runs N] [--directory DIR]\n", program);
    exit(2);
}

static void open_json(struct bench *bench, const char *path)
{
    if (strcmp(path, "-") == 0) {
        bench->json = stdout;
        bench->table = stderr;
        return;
    }
    bench->json = fopen(path, "ae");
    if (!bench->json) {
        perror(path);
        exit(2);
    }
}

struct bench bench_open(int argc, char **argv, bool reports)
{
    static const struct option options[] = {{"json", required_argument, NULL, 'j'},
                                            {"runs", required_argument, NULL, 'r'},
                                            {"directory", required_argument, NULL, 'd'},
                                            {NULL, 0, NULL, 0}};
    struct bench bench = {.runs = 5, .directory = ".", .table = stdout};
    const char *json = NULL;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'j')
            json = optarg;
        else if (option == 'd')
            bench.directory = optarg;
        else if (option == 'r')
            bench.runs = atoi(optarg);
        else
            usage(argv[0]);
    }
    if (optind != argc || bench.runs < 1 || bench.runs > BENCH_RUNS_MAX)
        usage(argv[0]);
    if (!reports)
        bench.table = NULL;
    else if (json)
        open_json(&bench, json);
    if (bench.table)
        (void)fprintf(bench.table, "%-50s %32s   %-29s %32s   %s\n", "benchmark",
                      "median (min-max)", "against", "median (min-max)", "ratio (min-max)");
    return bench;
}

void bench_close(struct bench *bench)
{
    bool written = true;

    if (bench->table)
        written = fflush(bench->table) == 0;
    if (bench->json)
        written = (bench->json == stdout ? fflush(stdout) : fclose(bench->json)) == 0 && written;
    bench_require(written, "the figures could not be written");
}

/* ---- figures --------------------------------------------------------------------------------- */

struct figure {
    double median, min, max;
};

static int compare(const void *a, const void *b)
{
    const double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

static struct figure figure_of(const double *values, int count)
{
    double sorted[BENCH_RUNS_MAX];

    memcpy(sorted, values, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, compare);
    return (struct figure){.median = (sorted[(count - 1) / 2] + sorted[count / 2]) / 2,
                           .min = sorted[0],
                           .max = sorted[count - 1]};
}

static const char *unit_text(enum bench_unit unit)
{
    static const char *const text[] = {"GB/s", "ns", "ms"};

    return text[unit];
}

static double value_of(const struct bench_case *entry, double seconds)
{
    if (entry->unit == BENCH_GB_PER_S)
        return entry->amount / seconds / 1e9;
    return seconds * (entry->unit == BENCH_NS ? 1e9 : 1e3) / entry->amount;
}

static void print_figure(FILE *out, struct figure figure, const char *unit)
{
    char range[64];

    (void)snprintf(range, sizeof range, "(%.4g-%.4g)", figure.min, figure.max);
    (void)fprintf(out, "%8.4g %-4s %18s", figure.median, unit, range);
}

static void report_table(FILE *out, const struct bench_case *entry, const struct bench_way *other,
                         const struct figure *subject, const struct figure *baseline,
                         const struct figure *ratio)
{
    (void)fprintf(out, "%-50s ", entry->name);
    print_figure(out, *subject, unit_text(entry->unit));
    (void)fprintf(out, "   %-29s ", other->name);
    print_figure(out, *baseline, unit_text(entry->unit));
    (void)fprintf(out, "   %.3g (%.3g-%.3g)\n", ratio->median, ratio->min, ratio->max);
    (void)fflush(out);
}

static void print_json(FILE *out, const char *name, const struct figure *figure)
{
    (void)fprintf(out, ", \"%s\": {\"median\": %.6g, \"min\": %.6g, \"max\": %.6g}", name,
                  figure->median, figure->min, figure->max);
}

/* Names are plain ASCII without quotes: they are written in this directory. */
static void report_json(FILE *out, const struct bench_case *entry, const struct bench_way *other,
                        int runs, const struct figure *subject, const struct figure *baseline,
                        const struct figure *ratio)
{
    (void)fprintf(out,
                  "{\"benchmark\": \"%s\", \"against\": \"%s\", \"unit\": \"%s\", \"runs\": %d",
                  entry->name, other->name, unit_text(entry->unit), runs);
    print_json(out, "subject", subject);
    print_json(out, "baseline", baseline);
    print_json(out, "ratio", ratio);
    (void)fprintf(out, "}\n");
    (void)fflush(out);
}

/* Seconds of each way, turn by turn, against those of the subject (the first). */
static void report(const struct bench *bench, const struct bench_case *entry, int way,
                   double seconds[BENCH_WAYS_MAX][BENCH_RUNS_MAX])
{
    double values[2][BENCH_RUNS_MAX], ratios[BENCH_RUNS_MAX];
    struct figure subject, baseline, ratio;

    for (int run = 0; run < bench->runs; run++) {
        values[0][run] = value_of(entry, seconds[0][run]);
        values[1][run] = value_of(entry, seconds[way][run]);
        ratios[run] = seconds[way][run] / seconds[0][run];
    }
    subject = figure_of(values[0], bench->runs);
    baseline = figure_of(values[1], bench->runs);
    ratio = figure_of(ratios, bench->runs);
    if (bench->table)
        report_table(bench->table, entry, &entry->way[way], &subject, &baseline, &ratio);
    if (bench->json)
        report_json(bench->json, entry, &entry->way[way], bench->runs, &subject, &baseline, &ratio);
}

void bench_measure(const struct bench *bench, const struct bench_case *entry)
{
    double seconds[BENCH_WAYS_MAX][BENCH_RUNS_MAX];
    int ways = 0;

    while (ways < BENCH_WAYS_MAX && entry->way[ways].name)
        ways++;
    for (int way = 0; way < ways; way++)
        (void)entry->way[way].run(entry->context);
    for (int run = 0; run < bench->runs; run++)
        for (int way = 0; way < ways; way++)
            seconds[way][run] = entry->way[way].run(entry->context);
    for (int way = 1; way < ways; way++)
        report(bench, entry, way, seconds);
}

/* ---- helpers --------------------------------------------------------------------------------- */

double bench_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void bench_keep(uint64_t value)
{
    __asm__ volatile("" : : "r"(value) : "memory");
}

void bench_require(bool holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

void bench_fill(void *memory, uint64_t bytes, uint64_t seed)
{
    uint64_t *words = memory, x = seed * 2 + 1;

    for (uint64_t i = 0; i < bytes / sizeof *words; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        words[i] = x;
    }
}

void *bench_memory(uint64_t bytes, uint64_t seed)
{
    void *memory = NULL;

    bench_require(posix_memalign(&memory, 4096, bytes) == 0, "out of memory");
    bench_fill(memory, bytes, seed);
    return memory;
}
