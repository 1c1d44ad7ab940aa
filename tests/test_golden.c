/*
 * Checkpoints that never change: those in tests/golden must load for ever, on any number of ranks
 * and under any layout, with the digests recorded here; their copies with one fault each, which
 * tests/make_golden_refused.py makes, must be refused with the status and the names in its list,
 * on every rank in the same words, or loaded all the same where only what no load reads is broken.
 * A new version of the format adds checkpoints and changes none.
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
    enum reshard_optimizer_name optimizer;      /* NONE stands for AdamW, without param groups */
    enum reshard_dtype moments;
    uint64_t block;
    const struct reshard_optimizer_group *group; /* before the group "default" */
    uint32_t group_count;
    const char *late; /* the parameter whose states are absent, or NULL */
    bool flattens;    /* the floats of each unit have one dtype, so that fsdp1 can have it */
    uint64_t digest[TENSORS_MAX];
};

static const char *const biases[] = {"*.bias"}, *const late[] = {"late.*"};
static const struct reshard_optimizer_group factored_groups[] = {
    {"biases", biases, 1, {.lr = 0.02, .weight_decay = 0.5, .from = 1}},
    {"late", late, 1, {.lr = 1e-3, .from = 5}},
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
    {.name = "factored-fsdp1",
     .step = 2,
     .parameter = {{"embed.weight", "", RESHARD_DTYPE_F32, {2, {5, 3}}},
                   {"embed.bias", "", RESHARD_DTYPE_F32, {1, {5}}},
                   {"stack.weight", "stack", RESHARD_DTYPE_F32, {3, {2, 3, 4}}},
                   {"late.weight", "late", RESHARD_DTYPE_F32, {2, {3, 2}}}},
     .optimizer = RESHARD_OPTIMIZER_ADAFACTOR,
     .moments = RESHARD_DTYPE_F32,
     .group = factored_groups,
     .group_count = 2,
     .late = "late.weight",
     .flattens = true,
     .digest = {0x5cb758a2bafebe52, 0x03fd80e1f78c2a9b, 0x4e93e7de06fa16b4, 0x35e5cefb834ca0bf,
                0x0a23bc834af9dfe2, 0xd8ee5a7efb433934, 0x9013adfff5d818ea, 0xcd3a9711cba32000,
                0x9013adfff5d818ea, 0x0a0bf2d29f3256b9, 0x8a66365295a4a4bb, 0x9013adfff5d818ea}},
    {.name = "blocks-hsdp",
     .step = 3,
     .parameter = {{"in.weight", "", RESHARD_DTYPE_BF16, {2, {7, 5}}},
                   {"in.bias", "", RESHARD_DTYPE_BF16, {1, {7}}},
                   {"scale", "", RESHARD_DTYPE_BF16, {0, {0}}}},
     .optimizer = RESHARD_OPTIMIZER_ADAM8BIT,
     .block = 8,
     .flattens = true,
     .digest = {0x0e8aa8b7cadc7b74, 0xe08367fe73d138e5, 0x22dfe4427e60fcc9, 0xbbe6056810ea1f06,
                0x2232644cc7096c62, 0x27bab8fa03248e82, 0x4fda5f548c2c70bc, 0x1102428f497547d2,
                0x8e666eb3fae5420b, 0x4dad9cad80e67aa7, 0x03b82d397f2919d0, 0xaa312a5e27fa2932,
                0x1102428f497547d2, 0xac83edcd67c06036, 0xff00000000000000, 0xf1c9607ecc9df645,
                0x4d5b591e08a370a5, 0x1102428f497547d2}},
};

enum { GOLDENS = sizeof goldens / sizeof *goldens };

static struct reshard_model *model_of(struct ranks *ranks, const struct golden *golden)
{
    const struct reshard_optimizer optimizer = {.name = golden->optimizer ? golden->optimizer
                                                                          : RESHARD_OPTIMIZER_ADAMW,
                                                .dtype = golden->moments,
                                                .hyper = {.block = golden->block},
                                                .group = golden->group,
                                                .group_count = golden->group_count};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_model *model = NULL;
    enum reshard_status status = reshard_model_open(&model);

    for (const struct parameter *p = golden->parameter; !status && p->fqn; p++)
        status = reshard_model_add(model, p->fqn, p->unit, p->dtype, &p->shape, &error);
    if (!status && golden->alias)
        status = reshard_model_tie(model, golden->alias, golden->of, &error);
    if (!status)
        status = reshard_optimizer_extend(model, &optimizer, &error);
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

/* Groups of the golden's names and members, without values: a load must add them all. */
static struct reshard_groups *empty_groups(struct ranks *ranks, const struct golden *golden)
{
    const struct reshard_optimizer optimizer = {.group = golden->group,
                                                .group_count = golden->group_count};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_groups *groups = NULL;
    enum reshard_status status = reshard_groups_open(&groups);

    for (uint32_t g = 0; !status && g <= golden->group_count; g++)
        status = reshard_groups_add(
            groups, g < golden->group_count ? golden->group[g].name : "default", &error);
    for (const struct parameter *p = golden->parameter; !status && p->fqn; p++)
        status = reshard_groups_add_member(groups, reshard_optimizer_group_of(&optimizer, p->fqn),
                                           p->fqn, &error);
    EXPECT_STATUS(ranks, status, RESHARD_OK, &error);
    return groups;
}

static bool is_number(const struct reshard_value *value, double number)
{
    const struct reshard_value expected = {.kind = RESHARD_VALUE_NUMBER, .number = number};

    return value && reshard_value_equal(value, &expected);
}

static bool is_integer(const struct reshard_value *value, int64_t integer)
{
    const struct reshard_value expected = {.kind = RESHARD_VALUE_INTEGER, .integer = integer};

    return value && reshard_value_equal(value, &expected);
}

/* What the golden's groups have of all hyperparameters, and its one entry. */
static void check_groups(struct ranks *ranks, const struct golden *golden,
                         const struct reshard_groups *groups)
{
    uint32_t entry;

    for (uint32_t g = 0; g < golden->group_count; g++) {
        const struct reshard_hyper *hyper = &golden->group[g].hyper;
        EXPECT(ranks, is_number(reshard_groups_get(groups, g, "lr"), hyper->lr));
        EXPECT(ranks,
               is_number(reshard_groups_get(groups, g, "weight_decay"), hyper->weight_decay));
        EXPECT(ranks, is_integer(reshard_groups_get(groups, g, "from"), (int64_t)hyper->from));
    }
    if (golden->block)
        EXPECT(ranks, is_integer(reshard_groups_get(groups, golden->group_count, "block"),
                                 (int64_t)golden->block));
    if (EXPECT(ranks, !reshard_groups_entry_find(groups, "lr_scheduler", &entry)))
        EXPECT(ranks, is_integer(reshard_groups_entry_get(groups, entry, "last_epoch"),
                                 (int64_t)golden->step));
}

/* Absent are all states of one parameter, and no other. */
static void check_absence(struct ranks *ranks, const struct golden *golden,
                          const struct reshard_state *state, const struct reshard_report *report)
{
    const struct reshard_model *model = reshard_layout_model(reshard_state_layout(state));
    uint64_t absent = 0;

    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
        const bool expected = golden->late && reshard_tensor_is_slot(tensor) &&
                              strcmp(tensor->fqn, golden->late) == 0;
        EXPECT(ranks, reshard_state_is_absent(state, t) == expected);
        absent += expected;
    }
    EXPECT(ranks, report->tensors_absent == absent);
}

static void load_golden(struct ranks *ranks, struct reshard_group *group,
                        const struct golden *golden, const struct reshard_layout_options *options)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_report report = {.step = 0};
    struct reshard_groups *groups =
        golden->optimizer ? empty_groups(ranks, golden) : NULL; /* the first ones have none */
    const struct reshard_load_options load = {.groups = groups};
    uint64_t digest[TENSORS_MAX] = {0};
    struct bench bench;
    char path[512];

    snprintf(path, sizeof path, GOLDEN "/%s", golden->name);
    if (bench_open(&bench, ranks, golden, options) &&
        EXPECT_STATUS(ranks, reshard_load(group, bench.state, path, &load, &report, &error),
                      RESHARD_OK, &error)) {
        EXPECT(ranks, report.step == golden->step);
        check_absence(ranks, golden, bench.state, &report);
        if (groups)
            check_groups(ranks, golden, groups);
        EXPECT(ranks, report.bytes_moved == report.bytes_unique);
        EXPECT_STATUS(ranks,
                      reshard_state_digest(group, bench.state, RESHARD_PART_ALL, digest, &error),
                      RESHARD_OK, &error);
        EXPECT(ranks, memcmp(digest, golden->digest, sizeof digest) == 0);
    }
    reshard_groups_close(groups);
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
        const bool right =
            strcmp(reshard_status_name(status), refused->status) == 0 &&
            (!status || (says(&error, refused->file) && says(&error, refused->text)));
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
