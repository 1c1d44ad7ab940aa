/*
 * Every configuration is saved once and loaded by every other, in one job with sub-communicators:
 * all layouts of this release at all world sizes up to the job's. What a rank holds after a load is
 * compared byte by byte with what it must hold; padding must not have been touched; each payload
 * byte must have been asked of storage exactly once.
 */
#include "core/digest.h"
#include "parallel/latest.h"
#include "parallel/load.h"
#include "parallel/proof.h"
#include "parallel/save.h"
#include "support/ranks.h"
#include "support/sample.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { VALUES = 7, STAIN = 0xA5, CONFIGS_MAX = 96 };

struct config {
    uint64_t world;
    struct reshard_layout_options layout;
};

/* The configurations that fit `size` ranks. */
static int list_configs(int size, struct config *out)
{
    static const uint64_t worlds[] = {1, 2, 3, 4, 5, 7, 8, 16};
    int count = 0;

    for (size_t i = 0; i < sizeof worlds / sizeof *worlds; i++) {
        const uint64_t w = worlds[i];
        const struct config all[] = {
            {w, {.kind = RESHARD_LAYOUT_FSDP1, .shard = w}},
            {w, {.kind = RESHARD_LAYOUT_FSDP1, .shard = w, .orig_params = true}},
            {w,
             {.kind = RESHARD_LAYOUT_FSDP1,
              .shard = w,
              .orig_params = true,
              .forward = RESHARD_DTYPE_BF16}},
            {w, {.kind = RESHARD_LAYOUT_FSDP2, .shard = w}},
            {w, {.kind = RESHARD_LAYOUT_DDP, .replicate = w}},
            {w, {.kind = RESHARD_LAYOUT_FSDP1, .replicate = 2, .shard = w / 2}},
            {w, {.kind = RESHARD_LAYOUT_FSDP2, .replicate = w / 2, .shard = 2}},
        };
        if (w > (uint64_t)size)
            continue;
        for (size_t k = 0; k < sizeof all / sizeof *all; k++)
            if (k < 5 || (w % 2 == 0 && w >= 2))
                out[count++] = all[k];
    }
    return count;
}

/* One configuration opened on the first `world` ranks; empty on the others. */
struct bench {
    MPI_Comm comm;
    struct reshard_group *group;
    struct reshard_layout *layout;
    struct reshard_state *state;
};

static bool bench_open(struct bench *bench, struct ranks *ranks, const struct reshard_model *model,
                       const struct config *config)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    const bool member = (uint64_t)ranks->rank < config->world;

    *bench = (struct bench){.comm = MPI_COMM_NULL};
    MPI_Comm_split(ranks->comm, member ? 0 : MPI_UNDEFINED, ranks->rank, &bench->comm);
    if (!member)
        return false;
    return EXPECT_STATUS(ranks,
                         reshard_group_open(&bench->group, bench->comm, &ranks->options, &error),
                         RESHARD_OK, &error) &&
           EXPECT_STATUS(ranks, reshard_layout_open(&bench->layout, model, &config->layout, &error),
                         RESHARD_OK, &error) &&
           EXPECT_STATUS(ranks,
                         reshard_state_open(&bench->state, bench->layout, (uint64_t)ranks->rank),
                         RESHARD_OK, &error) &&
           EXPECT_STATUS(ranks, reshard_state_allocate(bench->state, &error), RESHARD_OK, &error);
}

static void bench_close(struct bench *bench)
{
    reshard_state_close(bench->state);
    reshard_layout_close(bench->layout);
    reshard_group_close(bench->group);
    if (bench->comm != MPI_COMM_NULL)
        MPI_Comm_free(&bench->comm);
}

static void directory_of(const struct ranks *ranks, int config, char *path, size_t size)
{
    snprintf(path, size, "%s/config-%d", ranks->scratch, config);
}

static void save_config(struct ranks *ranks, const struct reshard_model *model, int index,
                        const struct config *config)
{
    const struct reshard_save_options options = {.step = 3, .index = index % 5 == 0};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_report report;
    struct bench bench;
    char path[320];

    directory_of(ranks, index, path, sizeof path);
    if (bench_open(&bench, ranks, model, config)) {
        sample_fill(bench.state, VALUES);
        EXPECT_STATUS(ranks,
                      reshard_save(bench.group, bench.state, path, &options, &report, &error),
                      RESHARD_OK, &error);
        EXPECT(ranks, report.bytes_unique == report.bytes_moved);
        EXPECT(ranks, sample_wrong_bytes(bench.state, VALUES, RESHARD_PART_ALL) == 0);
    }
    bench_close(&bench);
}

static void load_config(struct ranks *ranks, const struct bench *bench, int from)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_report report;
    char path[320];

    directory_of(ranks, from, path, sizeof path);
    sample_stain(bench->state, STAIN);
    EXPECT_STATUS(ranks, reshard_load(bench->group, bench->state, path, NULL, &report, &error),
                  RESHARD_OK, &error);
    EXPECT(ranks, sample_wrong_bytes(bench->state, VALUES, RESHARD_PART_ALL) == 0);
    EXPECT(ranks, sample_touched_padding(bench->state, STAIN) == 0);
    EXPECT(ranks, report.step == 3);
    EXPECT(ranks, report.bytes_unique == report.bytes_moved);
}

static void every_layout_loads_what_every_other_saved(struct ranks *ranks)
{
    struct reshard_model *model = sample_model();
    struct config config[CONFIGS_MAX];
    const int count = list_configs(ranks->size, config);

    for (int i = 0; i < count; i++)
        save_config(ranks, model, i, &config[i]);
    for (int to = 0; to < count; to++) {
        struct bench bench;
        if (bench_open(&bench, ranks, model, &config[to]))
            for (int from = 0; from < count; from++)
                load_config(ranks, &bench, from);
        bench_close(&bench);
        ranks_barrier(ranks->comm);
    }
    reshard_model_close(model);
}

static void the_manifest_has_the_same_digests_for_every_layout(struct ranks *ranks)
{
    struct reshard_model *model = sample_model();
    const uint32_t tensors = reshard_model_tensor_count(model);
    struct config config[CONFIGS_MAX];
    const int count = list_configs(ranks->size, config);
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_group *group = NULL;

    EXPECT_STATUS(ranks, reshard_group_open(&group, ranks->comm, &ranks->options, &error),
                  RESHARD_OK, &error);
    for (int i = 0; i < count; i++) {
        struct manifest manifest;
        char path[320];
        directory_of(ranks, i, path, sizeof path);
        if (EXPECT_STATUS(ranks, reshard_manifest_read(group, NULL, path, &manifest, &error),
                          RESHARD_OK, &error)) {
            for (uint32_t t = 0; t < tensors; t++) {
                const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
                const uint64_t bytes = tensor->count * reshard_dtype_bytes(tensor->dtype);
                unsigned char *full = malloc(bytes + 1);
                for (uint64_t b = 0; b < bytes; b++)
                    full[b] = sample_byte(VALUES, t, b);
                EXPECT(ranks, manifest.digest[t] == digest_crc(0, full, bytes));
                free(full);
            }
        }
        manifest_release(&manifest);
    }
    reshard_group_close(group);
    reshard_model_close(model);
}

static void latest(struct ranks *ranks, struct reshard_group *group, enum reshard_status expected,
                   const char *name)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_latest found;
    char root[320];

    snprintf(root, sizeof root, "%s/latest", ranks->scratch);
    EXPECT_STATUS(ranks, reshard_latest_find(group, NULL, root, &found, &error), expected, &error);
    EXPECT(ranks, expected != RESHARD_OK || strcmp(found.name, name) == 0);
    EXPECT(ranks, ranks_same_text(ranks->comm, error.text));
}

/* Rank 0: when a checkpoint's manifest was written, in seconds. */
static void set_committed(struct ranks *ranks, const char *name, long seconds)
{
    const struct timespec times[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
    char path[400];

    snprintf(path, sizeof path, "%s/latest/%s/manifest.json", ranks->scratch, name);
    if (ranks->rank == 0)
        EXPECT(ranks, utimensat(AT_FDCWD, path, times, 0) == 0);
    ranks_barrier(ranks->comm);
}

static void latest_is_the_furthest_and_of_equals_the_last_committed(struct ranks *ranks)
{
    static const struct {
        const char *name;
        uint64_t step;
    } saves[] = {{"b", 5}, {"a", 5}, {"newest-but-behind", 3}};
    const struct config config = {(uint64_t)ranks->size,
                                  {.kind = RESHARD_LAYOUT_FSDP2, .shard = (uint64_t)ranks->size}};
    struct reshard_model *model = sample_model();
    struct bench bench;
    char path[320];

    if (bench_open(&bench, ranks, model, &config)) {
        latest(ranks, bench.group, RESHARD_ENOENT, NULL);
        snprintf(path, sizeof path, "%s/latest", ranks->scratch);
        if (ranks->rank == 0)
            EXPECT(ranks, mkdir(path, 0777) == 0);
        ranks_barrier(ranks->comm);
        latest(ranks, bench.group, RESHARD_ENOENT, NULL);
        for (size_t i = 0; i < sizeof saves / sizeof *saves; i++) {
            const struct reshard_save_options options = {.step = saves[i].step};
            struct reshard_error error = RESHARD_ERROR_INIT;
            snprintf(path, sizeof path, "%s/latest/%s", ranks->scratch, saves[i].name);
            EXPECT_STATUS(ranks,
                          reshard_save(bench.group, bench.state, path, &options, NULL, &error),
                          RESHARD_OK, &error);
            set_committed(ranks, saves[i].name, 1000 + (long)i);
        }
        latest(ranks, bench.group, RESHARD_OK, "a");
        set_committed(ranks, "b", 2000);
        latest(ranks, bench.group, RESHARD_OK, "b");
    }
    bench_close(&bench);
    reshard_model_close(model);
}

static void parts_are_loaded_alone(struct ranks *ranks)
{
    static const enum reshard_part parts[] = {RESHARD_PART_MODEL, RESHARD_PART_OPTIMIZER};
    const struct config config = {(uint64_t)ranks->size,
                                  {.kind = RESHARD_LAYOUT_FSDP1, .shard = (uint64_t)ranks->size}};
    struct reshard_model *model = sample_model();
    struct bench bench;
    char path[320];

    directory_of(ranks, 0, path, sizeof path);
    if (bench_open(&bench, ranks, model, &config)) {
        for (int i = 0; i < 2; i++) {
            const struct reshard_load_options options = {.part = parts[i]};
            struct reshard_error error = RESHARD_ERROR_INIT;
            uint64_t untouched;
            sample_fill(bench.state, VALUES + 1);
            EXPECT_STATUS(ranks,
                          reshard_load(bench.group, bench.state, path, &options, NULL, &error),
                          RESHARD_OK, &error);
            EXPECT(ranks, sample_wrong_bytes(bench.state, VALUES, parts[i]) == 0);
            untouched = sample_wrong_bytes(bench.state, VALUES + 1, parts[1 - i]);
            EXPECT(ranks, untouched == 0);
        }
    }
    bench_close(&bench);
    reshard_model_close(model);
}

int main(int argc, char **argv)
{
    static const struct ranks_test tests[] = {
        {"every layout loads what every other saved", every_layout_loads_what_every_other_saved},
        {"the manifest has the same digests for every layout",
         the_manifest_has_the_same_digests_for_every_layout},
        {"latest is the furthest and of equals the last committed",
         latest_is_the_furthest_and_of_equals_the_last_committed},
        {"parts are loaded alone", parts_are_loaded_alone},
        {NULL, NULL},
    };

    return ranks_main(argc, argv, tests);
}
