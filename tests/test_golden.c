/*
 * Checkpoints that never change: those in tests/golden must load for ever, on any number of ranks
 * and under any layout, with the digests recorded here; their copies with one fault each, which
 * tests/make_golden_refused.py makes, must be refused with the status and the names in its list,
 * on every rank in the same words. A new version of the format adds checkpoints and changes none.
 */
#include "core/optimizer.h"
#include "parallel/load.h"
#include "parallel/proof.h"
#include "support/ranks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN RESHARD_SOURCE_DIR "/tests/golden"
#define REFUSED RESHARD_BINARY_DIR "/tests/golden-refused"

enum { PARAMETERS_MAX = 8, TENSORS_MAX = 24 };

struct parameter {
    const char *fqn, *unit;
    enum reshard_dtype dtype;
    struct reshard_shape shape;
};

/* What a golden checkpoint holds, written out here and not taken from its manifest. */
struct golden {
    const char *name;
    uint64_t step;
    struct parameter parameter[PARAMETERS_MAX]; /* ends with a NULL name */
    const char *alias, *of;                     /* a tie, or NULL */
    enum reshard_dtype moments;
    bool flattens; /* the floats of each unit have one dtype, so that fsdp1 can have it */
    uint64_t digest[TENSORS_MAX];
};

static const struct golden goldens[] = {
    {.name = "linear-fsdp1",
     .step = 3,
     .parameter = {{"weight", "", RESHARD_DTYPE_F32, {2, {4, 4}}},
                   {"bias", "", RESHARD_DTYPE_F32, {1, {4}}}},
     .moments = RESHARD_DTYPE_F32,
     .flattens = true,
     .digest = {0x492ff3768a7169b1, 0xd400df56cacae832, 0xf53b72b8c5c7187f, 0x724f97fe2be62a11,
                0x1102428f497547d2, 0x0d477a26b3218941, 0x1bf2b80e2d6d6f19, 0x1102428f497547d2}},
    {.name = "mixed-fsdp2",
     .step = 2,
     .parameter = {{"temperature", "", RESHARD_DTYPE_F32, {0, {0}}},
                   {"pruned.weight", "", RESHARD_DTYPE_BF16, {2, {0, 8}}},
                   {"hollow.weight", "", RESHARD_DTYPE_BF16, {3, {4, 0, 3}}},
                   {"embed.weight", "", RESHARD_DTYPE_BF16, {2, {5, 3}}},
                   {"norm.weight", "", RESHARD_DTYPE_BF16, {1, {1}}},
                   {"steps_seen", "", RESHARD_DTYPE_I64, {0, {0}}},
                   {"mask", "", RESHARD_DTYPE_BOOL, {1, {3}}}},
     .alias = "head.weight",
     .of = "embed.weight",
     .moments = RESHARD_DTYPE_F32,
     .digest = {0x461249560e04599e,
                0,
                0,
                0xeacc5d41de216cee,
                0xccc16ccd57b1d372,
                0xcff2c0a95f24d5d6,
                0x811bc71ebd634780,
                0x2dff370287b93e41,
                0x20dce7d19f1e3e11,
                0x9013adfff5d818ea,
                0,
                0,
                0x9013adfff5d818ea,
                0,
                0,
                0x9013adfff5d818ea,
                0x4ba5ee8749f847ea,
                0x09440f27cd25692d,
                0x9013adfff5d818ea,
                0x0a6dfc62b2dec07c,
                0xeb5451424eea4ab2,
                0x9013adfff5d818ea}},
    {.name = "layers-ddp",
     .step = 4,
     .parameter = {{"head.scale", "", RESHARD_DTYPE_F64, {1, {2}}},
                   {"block.0.weight", "block.0", RESHARD_DTYPE_F32, {3, {2, 3, 2}}},
                   {"block.0.bias", "block.0", RESHARD_DTYPE_F32, {1, {2}}},
                   {"block.1.weight", "block.1", RESHARD_DTYPE_F16, {1, {7}}}},
     .moments = RESHARD_DTYPE_BF16,
     .flattens = true,
     .digest = {0xfe0cab5b89c793b1, 0xb4934ebf6f509510, 0x7c060df521c58b20, 0x45eaf87f1288a681,
                0xc9e192ded4fac1d3, 0x27513c9cc45746e1, 0x00e8dc35238cb81f, 0xf4fb88e76d90c581,
                0xc085c24f46186157, 0x00e8dc35238cb81f, 0x86e02de40ebd8b1c, 0x317ed795f23c5dce,
                0x00e8dc35238cb81f, 0x7bc236a827e657a3, 0x644cf5ad4beb5843, 0x00e8dc35238cb81f}},
};

enum { GOLDENS = sizeof goldens / sizeof *goldens };

static struct reshard_model *model_of(struct ranks *ranks, const struct golden *golden)
{
    const struct reshard_optimizer adamw = {.name = RESHARD_OPTIMIZER_ADAMW,
                                            .dtype = golden->moments};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_model *model = NULL;
    enum reshard_status status = reshard_model_open(&model);

    for (const struct parameter *p = golden->parameter; !status && p->fqn; p++)
        status = reshard_model_add(model, p->fqn, p->unit, p->dtype, &p->shape, &error);
    if (!status && golden->alias)
        status = reshard_model_tie(model, golden->alias, golden->of, &error);
    if (!status)
        status = reshard_optimizer_extend(model, &adamw, &error);
    EXPECT_STATUS(ranks, status, RESHARD_OK, &error);
    return model;
}

/* A new state under a layout, on all ranks. */
struct bench {
    struct reshard_model *model;
    struct reshard_layout *layout;
    struct reshard_state *state;
};

static struct reshard_group *group_of(struct ranks *ranks)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_group *group = NULL;

    EXPECT_STATUS(ranks, reshard_group_open(&group, ranks->comm, &ranks->options, &error),
                  RESHARD_OK, &error);
    return group;
}

static bool bench_open(struct bench *bench, struct ranks *ranks, const struct golden *golden,
                       const struct reshard_layout_options *options)
{
    struct reshard_error error = RESHARD_ERROR_INIT;

    *bench = (struct bench){.model = model_of(ranks, golden)};
    return EXPECT_STATUS(ranks, reshard_layout_open(&bench->layout, bench->model, options, &error),
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
    reshard_model_close(bench->model);
}

/* ---- golden ---------------------------------------------------------------------------------- */

static void load_golden(struct ranks *ranks, struct reshard_group *group,
                        const struct golden *golden, const struct reshard_layout_options *options)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_report report = {.step = 0};
    uint64_t digest[TENSORS_MAX] = {0};
    struct bench bench;
    char path[512];

    snprintf(path, sizeof path, GOLDEN "/%s", golden->name);
    if (bench_open(&bench, ranks, golden, options) &&
        EXPECT_STATUS(ranks, reshard_load(group, bench.state, path, NULL, &report, &error),
                      RESHARD_OK, &error)) {
        EXPECT(ranks, report.step == golden->step);
        EXPECT(ranks, report.bytes_moved == report.bytes_unique);
        EXPECT_STATUS(ranks,
                      reshard_state_digest(group, bench.state, RESHARD_PART_ALL, digest, &error),
                      RESHARD_OK, &error);
        EXPECT(ranks, memcmp(digest, golden->digest, sizeof digest) == 0);
    }
    bench_close(&bench);
}

static void every_golden_checkpoint_loads_under_every_layout(struct ranks *ranks)
{
    const uint64_t world = (uint64_t)ranks->size;
    const struct reshard_layout_options layouts[] = {
        {.kind = RESHARD_LAYOUT_DDP, .replicate = world},
        {.kind = RESHARD_LAYOUT_FSDP2, .shard = world},
        {.kind = RESHARD_LAYOUT_FSDP2, .replicate = world},
        {.kind = RESHARD_LAYOUT_FSDP1, .shard = world},
        {.kind = RESHARD_LAYOUT_FSDP1, .shard = world, .orig_params = true},
    };
    struct reshard_group *group = group_of(ranks);

    for (size_t g = 0; g < GOLDENS; g++)
        for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
            if (goldens[g].flattens || layouts[i].kind != RESHARD_LAYOUT_FSDP1)
                load_golden(ranks, group, &goldens[g], &layouts[i]);
    reshard_group_close(group);
}

static void the_example_has_the_values_that_the_page_shows(struct ranks *ranks)
{
    static const float bias[] = {-1.0259454e-02F, 2.7049286e-02F, -1.2413309e-02F, 1.2148149e-02F};
    const struct reshard_layout_options ddp = {.kind = RESHARD_LAYOUT_DDP,
                                               .replicate = (uint64_t)ranks->size};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_group *group = group_of(ranks);
    struct bench bench;

    if (bench_open(&bench, ranks, &goldens[0], &ddp) &&
        EXPECT_STATUS(ranks,
                      reshard_load(group, bench.state, GOLDEN "/linear-fsdp1", NULL, NULL, &error),
                      RESHARD_OK, &error)) {
        const float *loaded = reshard_state_data(bench.state, 1);
        const float *steps = reshard_state_data(bench.state, 4);
        EXPECT(ranks, memcmp(loaded, bias, sizeof bias) == 0);
        EXPECT(ranks, *steps == 3.0F);
    }
    bench_close(&bench);
    reshard_group_close(group);
}

/* ---- refused --------------------------------------------------------------------------------- */

/* One line of the list that the script writes; "-" stands for nothing. */
struct refused {
    char name[128], golden[64], status[32], file[64], text[64];
};

static bool says(const struct reshard_error *error, const char *text)
{
    return strcmp(text, "-") == 0 || strstr(error->text, text) != NULL;
}

static void refuse(struct ranks *ranks, struct reshard_group *group, const struct refused *refused,
                   const struct golden *golden)
{
    const struct reshard_layout_options options = {.kind = RESHARD_LAYOUT_FSDP2,
                                                   .shard = (uint64_t)ranks->size};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct bench bench;
    char path[512];

    snprintf(path, sizeof path, REFUSED "/%s", refused->name);
    if (bench_open(&bench, ranks, golden, &options)) {
        const enum reshard_status status =
            reshard_load(group, bench.state, path, NULL, NULL, &error);
        const bool right = strcmp(reshard_status_name(status), refused->status) == 0 &&
                           says(&error, refused->file) && says(&error, refused->text);
        if (!right)
            printf("%s: %s instead of %s naming '%s' and '%s': %s\n", refused->name,
                   reshard_status_name(status), refused->status, refused->file, refused->text,
                   error.text);
        EXPECT(ranks, right);
        EXPECT(ranks, ranks_same(ranks->comm, (long)status));
        EXPECT(ranks, ranks_same_text(ranks->comm, error.text));
    }
    bench_close(&bench);
}

static void every_damaged_checkpoint_is_refused_in_the_same_words(struct ranks *ranks)
{
    FILE *list = fopen(REFUSED "/cases", "r");
    struct reshard_group *group;
    struct refused refused;
    int count = 0;

    if (!EXPECT(ranks, list != NULL))
        return;
    group = group_of(ranks);
    while (fscanf(list, "%127[^\t]\t%63[^\t]\t%31[^\t]\t%63[^\t]\t%63[^\n]\n", refused.name,
                  refused.golden, refused.status, refused.file, refused.text) == 5) {
        for (size_t g = 0; g < GOLDENS; g++)
            if (strcmp(goldens[g].name, refused.golden) == 0)
                refuse(ranks, group, &refused, &goldens[g]);
        count++;
    }
    EXPECT(ranks, feof(list) && count >= 40);
    fclose(list);
    reshard_group_close(group);
}

int main(int argc, char **argv)
{
    static const struct ranks_test tests[] = {
        {"every golden checkpoint loads under every layout",
         every_golden_checkpoint_loads_under_every_layout},
        {"the example has the values that the page shows",
         the_example_has_the_values_that_the_page_shows},
        {"every damaged checkpoint is refused in the same words",
         every_damaged_checkpoint_is_refused_in_the_same_words},
        {NULL, NULL},
    };

    return ranks_main(argc, argv, tests);
}
