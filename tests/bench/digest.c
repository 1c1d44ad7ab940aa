/*
 * The digest, which every byte passes through at a save and again at a load: of contiguous pieces,
 * and of strided ones, where each run costs a multiplication. The baselines touch the same bytes in
 * the same order: the plainest checksum there is, and a copy.
 */
#include "core/digest.h"
#include "bench/bench.h"

#include <stdlib.h>
#include <string.h>

enum { ELEMENT_BYTES = 2 };

/* Larger than any cache; and as much as stays in a core's own. */
#define LARGE_BYTES (UINT64_C(256) << 20)
#define SMALL_BYTES (UINT64_C(256) << 10)

struct digest_case {
    const void *data;
    void *copy;
    uint64_t bytes;  /* of the piece */
    uint64_t repeat; /* times over it */
    struct reshard_shape shape;
    struct reshard_box box;
};

static double run_digest(void *context)
{
    const struct digest_case *entry = context;
    const double start = bench_now();

    for (uint64_t i = 0; i < entry->repeat; i++)
        bench_keep(digest_contribution(&entry->shape, &entry->box, ELEMENT_BYTES, entry->data));
    return bench_now() - start;
}

static double run_sum(void *context)
{
    const struct digest_case *entry = context;
    const double start = bench_now();

    for (uint64_t i = 0; i < entry->repeat; i++) {
        const uint64_t *words = entry->data;
        uint64_t sum = 0;
        for (uint64_t w = 0; w < entry->bytes / sizeof *words; w++)
            sum += words[w];
        bench_keep(sum);
    }
    return bench_now() - start;
}

static double run_copy(void *context)
{
    const struct digest_case *entry = context;
    const double start = bench_now();

    for (uint64_t i = 0; i < entry->repeat; i++) {
        memcpy(entry->copy, entry->data, entry->bytes);
        bench_keep((uint64_t)(uintptr_t)entry->copy);
    }
    return bench_now() - start;
}

static void measure(const struct bench *bench, const char *name, struct digest_case *entry)
{
    const struct bench_case figure = {
        .name = name,
        .unit = BENCH_GB_PER_S,
        .amount = (double)entry->bytes * (double)entry->repeat,
        .context = entry,
        .way = {{"digest", run_digest}, {"64-bit sum", run_sum}, {"memcpy", run_copy}}};

    bench_require(reshard_box_count(&entry->box) * ELEMENT_BYTES == entry->bytes,
                  "a piece is not of the size that is measured");
    bench_measure(bench, &figure);
}

static void measure_contiguous(const struct bench *bench, struct digest_case *entry)
{
    const uint64_t elements = LARGE_BYTES / ELEMENT_BYTES, few = SMALL_BYTES / ELEMENT_BYTES;

    entry->bytes = SMALL_BYTES;
    entry->repeat = LARGE_BYTES / SMALL_BYTES;
    entry->shape = (struct reshard_shape){1, {few}};
    entry->box = reshard_box_whole(&entry->shape);
    measure(bench, "digest: contiguous, in cache", entry);
    entry->bytes = LARGE_BYTES;
    entry->repeat = 1;
    entry->shape = (struct reshard_shape){1, {elements}};
    entry->box = reshard_box_whole(&entry->shape);
    measure(bench, "digest: contiguous", entry);
    /* The middle rows of a matrix with rows of 8 KiB. */
    entry->shape = (struct reshard_shape){2, {3 * elements / 4096, 4096}};
    entry->box = reshard_box_whole(&entry->shape);
    entry->box.begin[0] = elements / 4096;
    entry->box.end[0] = 2 * elements / 4096;
    measure(bench, "digest: rows", entry);
}

/* The middle columns of a matrix: one run from each row. */
static void measure_strided(const struct bench *bench, struct digest_case *entry,
                            uint64_t run_bytes)
{
    const uint64_t run = run_bytes / ELEMENT_BYTES;
    char name[64];

    entry->shape = (struct reshard_shape){2, {LARGE_BYTES / run_bytes, 3 * run}};
    entry->box = reshard_box_whole(&entry->shape);
    entry->box.begin[1] = run;
    entry->box.end[1] = 2 * run;
    (void)snprintf(name, sizeof name, "digest: columns, runs of %u B", (unsigned)run_bytes);
    measure(bench, name, entry);
}

/* ---- shifting -------------------------------------------------------------------------------- */

enum { SHIFTS = 100000, PAGE_BYTES = 4096 };

static double run_shift(void *context)
{
    const double start = bench_now();
    uint64_t crc = 1;

    (void)context;
    for (uint64_t i = 0; i < SHIFTS; i++)
        crc = digest_shift(crc, (UINT64_C(1) << 40) - i);
    bench_keep(crc);
    return bench_now() - start;
}

static double run_page(void *context)
{
    const struct digest_case *entry = context;
    const double start = bench_now();
    uint64_t crc = 0;

    for (uint64_t i = 0; i < SHIFTS; i++)
        crc = digest_crc(crc, entry->data, PAGE_BYTES);
    bench_keep(crc);
    return bench_now() - start;
}

int main(int argc, char **argv)
{
    static const uint64_t run_bytes[] = {2048, 256, 64, 16, 2};
    struct bench bench = bench_open(argc, argv, true);
    void *const data = bench_memory(LARGE_BYTES, 1), *const copy = bench_memory(LARGE_BYTES, 2);
    struct digest_case entry = {.data = data, .copy = copy};
    const struct bench_case shift = {
        .name = "digest: shift by a terabyte",
        .unit = BENCH_NS,
        .amount = SHIFTS,
        .context = &entry,
        .way = {{"digest_shift", run_shift}, {"CRC of 4 KiB", run_page}}};

    measure_contiguous(&bench, &entry);
    for (size_t i = 0; i < sizeof run_bytes / sizeof *run_bytes; i++)
        measure_strided(&bench, &entry, run_bytes[i]);
    bench_measure(&bench, &shift);
    free(data);
    free(copy);
    bench_close(&bench);
    return 0;
}
