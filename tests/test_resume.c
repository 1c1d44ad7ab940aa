/*
 * Resume equivalence: train k steps, save, load at another world size under another layout into a
 * state that held something else, train m steps; the state must be, bit for bit, that of k + m
 * steps without a break. Every optimizer, every kind of sharding, from every world size to every
 * other.
 *
 * What it must be says the verifier's oracle, which knows nothing of shards, files or steps in
 * between; absence counts like a value. Of each configuration the k steps are held against it too,
 * before they are saved.
 *
 * One job with sub-communicators, as large as the number of ranks allows.
 */
#include "core/box.h"
#include "parallel/load.h"
#include "parallel/save.h"
#include "sim/training/train.h"
#include "sim/view.h"
#include "support/ranks.h"
#include "support/sample.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRAINED_SEED = 20261, BEFORE = 3, AFTER = 2, CONFIGS_MAX = 64, STAIN = 0x5a };

/* ---- what is trained ------------------------------------------------------------------------- */

static const char *const biases[] = {"*.bias", "norm"};
static const char *const late[] = {"block.1.*"};

struct variant {
    const char *title;
    enum reshard_optimizer_name name;
    enum reshard_dtype dtype;
    double momentum;
    bool nesterov;
    bool amsgrad;
    uint64_t block;
    bool grouped;
};

static const struct variant variants[] = {
    {"sgd", RESHARD_OPTIMIZER_SGD, RESHARD_DTYPE_F32, 0, false, false, 0, false},
    {"sgd with momentum", RESHARD_OPTIMIZER_SGD, RESHARD_DTYPE_F32, 0.9, false, false, 0, true},
    {"sgd with nesterov's", RESHARD_OPTIMIZER_SGD, RESHARD_DTYPE_BF16, 0.9, true, false, 0, false},
    {"adam", RESHARD_OPTIMIZER_ADAM, RESHARD_DTYPE_F32, 0, false, false, 0, true},
    {"adamw", RESHARD_OPTIMIZER_ADAMW, RESHARD_DTYPE_F64, 0, false, false, 0, false},
    {"amsgrad", RESHARD_OPTIMIZER_ADAMW, RESHARD_DTYPE_F32, 0, false, true, 0, true},
    {"adafactor", RESHARD_OPTIMIZER_ADAFACTOR, RESHARD_DTYPE_F32, 0, false, false, 0, true},
    {"adam8bit", RESHARD_OPTIMIZER_ADAM8BIT, RESHARD_DTYPE_F32, 0, false, false, 7, true},
    {"adam8bit of long blocks", RESHARD_OPTIMIZER_ADAM8BIT, RESHARD_DTYPE_F32, 0, false, false, 64,
     false},
    {"muon", RESHARD_OPTIMIZER_MUON, RESHARD_DTYPE_F32, 0.95, true, false, 0, true},
};
static struct reshard_optimizer optimizer_of(const struct variant *variant)
{
    struct reshard_optimizer optimizer = {
        .name = variant->name,
        .dtype = variant->dtype,
        .hyper = reshard_optimizer_defaults(variant->name),
    };

    optimizer.hyper.momentum = variant->momentum;
    optimizer.hyper.nesterov = variant->nesterov;
    optimizer.hyper.amsgrad = variant->amsgrad;
    optimizer.hyper.weight_decay = 0.05;
    if (variant->block)
        optimizer.hyper.block = variant->block;
    return optimizer;
}

/* Two groups beside the default one, into `out`, which the optimizer then borrows: another learning
 * rate; and layers that are unfrozen only after the save, so that their state is absent in the
 * checkpoint and their `step` differs from that of others in the end. */
static void give_groups(struct reshard_optimizer *optimizer, struct reshard_optimizer_group *out)
{
    out[0] = (struct reshard_optimizer_group){"biases", biases, 2, optimizer->hyper};
    out[0].hyper.lr = 0.02;
    out[0].hyper.weight_decay = 0;
    out[1] = (struct reshard_optimizer_group){"late", late, 1, optimizer->hyper};
    out[1].hyper.from = BEFORE + 2;
    optimizer->group = out;
    optimizer->group_count = 2;
}

struct entry {
    const char *fqn;
    const char *unit;
    enum reshard_dtype dtype;
    struct reshard_shape shape;
    enum reshard_role role;
};

/* Sizes that do not divide, fewer rows than ranks, 0 dimensions, no elements, two dtypes, a frozen
 * parameter, a buffer. */
static const struct entry entries[] = {
    {"embed", "", RESHARD_DTYPE_F32, {2, {11, 6}}, RESHARD_ROLE_PARAMETER},
    {"norm", "", RESHARD_DTYPE_F32, {1, {5}}, RESHARD_ROLE_PARAMETER},
    {"block.0.in", "block.0", RESHARD_DTYPE_F32, {2, {16, 5}}, RESHARD_ROLE_PARAMETER},
    {"block.0.in.bias", "block.0", RESHARD_DTYPE_F32, {1, {16}}, RESHARD_ROLE_PARAMETER},
    {"block.0.out", "block.0", RESHARD_DTYPE_F32, {2, {3, 8}}, RESHARD_ROLE_PARAMETER},
    {"block.0.mean", "block.0", RESHARD_DTYPE_F32, {1, {4}}, RESHARD_ROLE_BUFFER},
    {"block.1.conv", "block.1", RESHARD_DTYPE_BF16, {3, {3, 4, 5}}, RESHARD_ROLE_PARAMETER},
    {"block.1.scale", "block.1", RESHARD_DTYPE_BF16, {0, {0}}, RESHARD_ROLE_PARAMETER},
    {"block.1.none", "block.1", RESHARD_DTYPE_BF16, {2, {0, 3}}, RESHARD_ROLE_PARAMETER},
    {"frozen", "frozen", RESHARD_DTYPE_F32, {2, {4, 4}}, RESHARD_ROLE_FROZEN},
};

static struct reshard_model *model_of(const struct reshard_optimizer *optimizer)
{
    struct reshard_model *model = NULL;
    enum reshard_status status = reshard_model_open(&model);

    for (size_t i = 0; !status && i < sizeof entries / sizeof *entries; i++)
        status = reshard_model_add_role(model, entries[i].fqn, entries[i].unit, entries[i].dtype,
                                        &entries[i].shape, entries[i].role,
                                        RESHARD_OTHER_WORLD_REFUSE, NULL);
    if (!status)
        status = reshard_optimizer_extend(model, optimizer, NULL);
    if (!status)
        return model;
    reshard_model_close(model);
    return NULL;
}

/* ---- the truth ------------------------------------------------------------------------------- */

/* Every tensor in full, after some steps without a break. */
struct truth {
    uint32_t tensors;
    bool *absent;
    unsigned char **bytes;
};

static void truth_release(struct truth *truth)
{
    for (uint32_t t = 0; truth->bytes && t < truth->tensors; t++)
        free(truth->bytes[t]);
    free(truth->bytes);
    free(truth->absent);
}

static void keep_tensor(struct truth *truth, const struct verify_oracle *oracle,
                        struct verify_block *block, const struct reshard_tensor *tensor, uint32_t t)
{
    const uint64_t bytes = tensor->count * reshard_dtype_bytes(tensor->dtype);
    const void *values;

    truth->absent[t] = verify_oracle_absent(oracle, t);
    truth->bytes[t] = calloc(bytes + 1, 1);
    if (!truth->bytes[t] || truth->absent[t] || tensor->count == 0)
        return;
    if (tensor->like != RESHARD_LIKE_NONE) {
        verify_oracle_fill(oracle, block, tensor->parameter, 0, (uint32_t)tensor->count);
        values = verify_block_values(oracle, block, t);
    } else {
        values = verify_oracle_whole(oracle, t);
    }
    memcpy(truth->bytes[t], values, bytes);
}

static bool truth_make(struct truth *truth, const struct reshard_model *model,
                       const struct reshard_optimizer *optimizer, uint64_t step)
{
    struct verify_inventory inventory = {0};
    struct view_optimizer view = {.group = NULL};
    struct verify_oracle *oracle = NULL;
    struct verify_block *block = NULL;
    enum reshard_status status = view_of_model(&inventory, model);

    *truth = (struct truth){reshard_model_tensor_count(model),
                            calloc((size_t)reshard_model_tensor_count(model) + 1, 1),
                            calloc((size_t)reshard_model_tensor_count(model) + 1, sizeof(char *))};
    if (!status)
        status = view_of_optimizer(&view, optimizer);
    if (!status)
        status = verify_oracle_open(&oracle,
                                    &(struct verify_oracle_options){.inventory = &inventory,
                                                                    .optimizer = view.optimizer,
                                                                    .seed = TRAINED_SEED,
                                                                    .step = step},
                                    NULL);
    if (!status)
        status = verify_block_open(&block);
    for (uint32_t t = 0; !status && t < truth->tensors; t++)
        keep_tensor(truth, oracle, block, reshard_model_tensor(model, t), t);
    verify_block_close(block);
    verify_oracle_close(oracle);
    view_optimizer_release(&view);
    view_release(&inventory);
    return status == RESHARD_OK;
}

/* Bytes of a box that are not the truth's. */
static uint64_t wrong_in_box(const struct reshard_tensor *tensor, const struct reshard_box *box,
                             const unsigned char *mine, const unsigned char *truth)
{
    const struct reshard_box whole = reshard_box_whole(&tensor->shape);
    const size_t size = reshard_dtype_bytes(tensor->dtype);
    struct reshard_box_runs runs = reshard_box_runs(box, &whole, box);
    uint64_t wrong = 0;

    while (reshard_box_runs_next(&runs))
        for (uint64_t b = 0; b < runs.count * size; b++)
            wrong += mine[runs.target * size + b] != truth[runs.source * size + b];
    return wrong;
}

/* Hold this rank's part of a state against the truth; says which tensor is wrong. */
static bool is_true(const struct reshard_state *state, const struct truth *truth, const char *what)
{
    const struct reshard_layout *layout = reshard_state_layout(state);
    const struct reshard_model *model = reshard_layout_model(layout);
    bool right = true;

    for (uint32_t t = 0; t < truth->tensors; t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
        const unsigned char *mine = reshard_state_data(state, t);
        struct reshard_box_list boxes = RESHARD_BOX_LIST_INIT;
        uint64_t wrong = reshard_state_is_absent(state, t) != truth->absent[t];
        char name[RESHARD_TENSOR_TEXT_MAX];
        if (reshard_layout_boxes(layout, t, reshard_state_rank(state), &boxes))
            wrong++;
        for (uint64_t i = 0; !truth->absent[t] && i < boxes.count; i++) {
            const uint64_t count = reshard_box_count(&boxes.box[i]);
            if (count == 0)
                continue;
            wrong += wrong_in_box(tensor, &boxes.box[i], mine, truth->bytes[t]);
            mine += count * reshard_dtype_bytes(tensor->dtype);
        }
        reshard_box_list_release(&boxes);
        if (wrong)
            printf("%s: rank %" PRIu64 ": %s: %" PRIu64 " bytes are wrong, %s and to be %s\n", what,
                   reshard_state_rank(state), reshard_tensor_print(tensor, name, sizeof name),
                   wrong, reshard_state_is_absent(state, t) ? "absent" : "there",
                   truth->absent[t] ? "absent" : "there");
        right = right && !wrong;
    }
    return right;
}

/* ---- configurations -------------------------------------------------------------------------- */

static const struct reshard_rule tensor_rules[] = {
    {.pattern = "*.in", .tensor = {RESHARD_HOW_CUT, 0}},
    {.pattern = "*.in.bias", .tensor = {RESHARD_HOW_CUT, 0}},
    {.pattern = "*.out", .tensor = {RESHARD_HOW_CUT, 1}},
    {.pattern = "*.conv", .tensor = {RESHARD_HOW_CUT, 1}},
};

struct config {
    char title[64];
    uint64_t ranks;
    struct reshard_layout_options options;
};

static const uint64_t worlds[] = {1, 2, 3, 4, 8};

static unsigned add_configs(uint64_t ranks, struct config *out)
{
    const struct reshard_layout_options layouts[] = {
        {.kind = RESHARD_LAYOUT_FSDP1, .shard = ranks},
        {.kind = RESHARD_LAYOUT_FSDP1,
         .shard = ranks,
         .orig_params = true,
         .forward = RESHARD_DTYPE_BF16},
        {.kind = RESHARD_LAYOUT_FSDP2, .shard = ranks},
        {.kind = RESHARD_LAYOUT_FSDP1, .replicate = 2, .shard = ranks / 2},
        {.kind = RESHARD_LAYOUT_FSDP2, .replicate = 2, .shard = ranks / 2},
        {.kind = RESHARD_LAYOUT_FSDP2,
         .shard = ranks / 2,
         .tensor = 2,
         .rule = tensor_rules,
         .rule_count = 4},
        {.kind = RESHARD_LAYOUT_FSDP1,
         .shard = ranks / 2,
         .tensor = 2,
         .rule = tensor_rules,
         .rule_count = 4},
    };
    static const char *const names[] = {
        "FSDP1", "FSDP1 with orig_params", "FSDP2",       "HSDP flat",
        "HSDP",  "TP and FSDP2",           "TP and FSDP1"};
    unsigned count = 0;

    for (unsigned i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        if (i >= 3 && ranks % 2)
            continue;
        out[count].ranks = ranks;
        out[count].options = layouts[i];
        (void)snprintf(out[count++].title, sizeof out->title, "%s on %" PRIu64, names[i], ranks);
    }
    return count;
}

static unsigned list_configs(uint64_t most, struct config *out)
{
    unsigned count = 0;

    for (unsigned w = 0; w < sizeof worlds / sizeof *worlds && worlds[w] <= most; w++)
        count += add_configs(worlds[w], out + count);
    return count;
}

/* One configuration, opened by the ranks that are in it. */
struct place {
    MPI_Comm comm;
    struct reshard_group *group;
    struct reshard_layout *layout;
    struct reshard_state *state;
    struct train train;
};

/* False on ranks that are not in it. A layout that cannot be (sizes that do not divide) is an error
 * of the test: all of these can. */
static bool place_open(struct place *place, struct ranks *ranks, const struct config *config,
                       const struct reshard_model *model, const struct reshard_optimizer *optimizer)
{
    const bool member = (uint64_t)ranks->rank < config->ranks;
    struct reshard_error error = RESHARD_ERROR_INIT;

    *place = (struct place){.comm = MPI_COMM_NULL};
    MPI_Comm_split(ranks->comm, member ? 0 : MPI_UNDEFINED, ranks->rank, &place->comm);
    if (!member ||
        !EXPECT_STATUS(ranks,
                       reshard_group_open(&place->group, place->comm, &ranks->options, &error),
                       RESHARD_OK, &error) ||
        !EXPECT_STATUS(ranks, reshard_layout_open(&place->layout, model, &config->options, &error),
                       RESHARD_OK, &error) ||
        !EXPECT_STATUS(ranks,
                       reshard_state_open(&place->state, place->layout, (uint64_t)ranks->rank),
                       RESHARD_OK, NULL) ||
        !EXPECT_STATUS(ranks, reshard_state_allocate(place->state, &error), RESHARD_OK, &error))
        return false;
    place->train =
        (struct train){.state = place->state, .optimizer = optimizer, .seed = TRAINED_SEED};
    return true;
}

static void place_close(struct place *place)
{
    reshard_state_close(place->state);
    reshard_layout_close(place->layout);
    reshard_group_close(place->group);
    if (place->comm != MPI_COMM_NULL)
        MPI_Comm_free(&place->comm);
}

/* ---- a run ----------------------------------------------------------------------------------- */

struct run {
    const struct variant *variant;
    struct reshard_optimizer_group group[2];
    struct reshard_optimizer optimizer;
    struct reshard_model *model;
    struct truth saved; /* after BEFORE steps */
    struct truth resumed;
    struct config config[CONFIGS_MAX];
    unsigned configs;
};

static void path_of(const struct ranks *ranks, const struct run *run, unsigned config, char *path,
                    size_t size)
{
    (void)snprintf(path, size, "%s/%d-%u", ranks->scratch, (int)(run->variant - variants), config);
}

static void train_and_save(struct ranks *ranks, const struct run *run, unsigned number)
{
    const struct config *config = &run->config[number];
    const struct reshard_save_options options = {.step = BEFORE};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct place place;
    char path[512];

    path_of(ranks, run, number, path, sizeof path);
    if (place_open(&place, ranks, config, run->model, &run->optimizer)) {
        EXPECT_STATUS(ranks, train_begin(&place.train, NULL, &error), RESHARD_OK, &error);
        EXPECT_STATUS(ranks, train_steps(&place.train, place.group, 1, BEFORE, &error), RESHARD_OK,
                      &error);
        EXPECT(ranks, is_true(place.state, &run->saved, config->title));
        EXPECT_STATUS(ranks, reshard_save(place.group, place.state, path, &options, NULL, &error),
                      RESHARD_OK, &error);
    }
    place_close(&place);
}

/* From one configuration's checkpoint, in another that held nothing of it. */
static void resume(struct ranks *ranks, const struct run *run, struct place *place, unsigned from,
                   unsigned to)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    char path[512], what[256];

    (void)snprintf(what, sizeof what, "%s, from %s to %s", run->variant->title,
                   run->config[from].title, run->config[to].title);
    path_of(ranks, run, from, path, sizeof path);
    sample_stain(place->state, STAIN);
    for (uint32_t t = 0; t < reshard_model_tensor_count(run->model); t++)
        reshard_state_set_absent(place->state, t, (t + from) % 3 == 0);
    if (!EXPECT_STATUS(ranks, reshard_load(place->group, place->state, path, NULL, NULL, &error),
                       RESHARD_OK, &error) ||
        !EXPECT_STATUS(ranks, train_steps(&place->train, place->group, BEFORE + 1, AFTER, &error),
                       RESHARD_OK, &error))
        return;
    EXPECT(ranks, is_true(place->state, &run->resumed, what));
}

static void every_configuration_resumes_every_other(struct ranks *ranks, struct run *run)
{
    uint64_t resumed = 0;

    for (unsigned from = 0; from < run->configs; from++)
        train_and_save(ranks, run, from);
    ranks_barrier(ranks->comm);
    for (unsigned to = 0; to < run->configs; to++) {
        struct place place;
        if (place_open(&place, ranks, &run->config[to], run->model, &run->optimizer))
            for (unsigned from = 0; from < run->configs; from++)
                resume(ranks, run, &place, from, to);
        place_close(&place);
        resumed += run->configs;
    }
    if (ranks->rank == 0)
        printf("%s: %" PRIu64 " resumed\n", run->variant->title, resumed);
}

static void run_variant(struct ranks *ranks, const struct variant *variant)
{
    struct run *run = calloc(1, sizeof *run);

    if (!EXPECT(ranks, run != NULL))
        return;
    run->variant = variant;
    run->optimizer = optimizer_of(variant);
    if (variant->grouped)
        give_groups(&run->optimizer, run->group);
    run->configs = list_configs((uint64_t)ranks->size, run->config);
    run->model = model_of(&run->optimizer);
    if (EXPECT(ranks, run->model != NULL) &&
        EXPECT(ranks, truth_make(&run->saved, run->model, &run->optimizer, BEFORE)) &&
        EXPECT(ranks, truth_make(&run->resumed, run->model, &run->optimizer, BEFORE + AFTER)))
        every_configuration_resumes_every_other(ranks, run);
    truth_release(&run->saved);
    truth_release(&run->resumed);
    reshard_model_close(run->model);
    free(run);
}

/* A test for each variant. */
#define VARIANT(number)                                                                            \
    static void variant_##number(struct ranks *ranks)                                              \
    {                                                                                              \
        run_variant(ranks, &variants[number]);                                                     \
    }
VARIANT(0)
VARIANT(1)
VARIANT(2)
VARIANT(3)
VARIANT(4)
VARIANT(5)
VARIANT(6)
VARIANT(7)
VARIANT(8)
VARIANT(9)

int main(int argc, char **argv)
{
    static const struct ranks_test tests[] = {
        {"sgd resumes", variant_0},
        {"sgd with momentum resumes", variant_1},
        {"sgd with Nesterov's momentum in bf16 resumes", variant_2},
        {"adam resumes", variant_3},
        {"adamw in f64 resumes", variant_4},
        {"amsgrad resumes", variant_5},
        {"adafactor resumes", variant_6},
        {"adam8bit of short blocks resumes", variant_7},
        {"adam8bit of long blocks resumes", variant_8},
        {"muon resumes", variant_9},
        {NULL, NULL},
    };

    return ranks_main(argc, argv, tests);
}
