/*
 * The training of many ranks. Goal: whatever the optimizer and the layout, each rank has the bits
 * that the verifier's oracle computes without any sharding, and the same slots are absent; what an
 * optimizer that reduces needs of other ranks is fetched, not computed anew; and what one rank
 * refuses is refused by all. Method: every optimizer, with param groups that differ and that start
 * late, under the layouts that jobs use and under random ones, idle ranks included.
 */
#include "sim/training/train.h"
#include "sim/view.h"
#include "support/random_layout.h"
#include "support/ranks.h"

#include <stdlib.h>
#include <string.h>

enum { TENSORS_MAX = 128, STEPS = 4, RANDOM_LAYOUTS = 5 };

static const uint64_t seed = 0x0fedcba987654321;

/* ---- the model ------------------------------------------------------------------------------- */

struct entry {
    const char *fqn, *unit;
    enum reshard_dtype dtype;
    struct reshard_shape shape;
    enum reshard_role role;
};

/* Rows and columns that no number of ranks divides, cut in the middle, one element, none; blocks
 * that end in other ranks' parts; names that are patterns; one that begins with less than
 * adafactor's least size. */
static const struct entry entries[] = {
    {"embed.weight", "", RESHARD_DTYPE_F32, {2, {37, 29}}, RESHARD_ROLE_PARAMETER},
    {"scale.50", "", RESHARD_DTYPE_F32, {0, {0}}, RESHARD_ROLE_PARAMETER},
    {"empty", "", RESHARD_DTYPE_F32, {2, {0, 9}}, RESHARD_ROLE_PARAMETER},
    {"none.weight", "", RESHARD_DTYPE_F32, {2, {5, 0}}, RESHARD_ROLE_PARAMETER},
    {"a*b", "", RESHARD_DTYPE_F32, {2, {8, 6}}, RESHARD_ROLE_PARAMETER},
    {"a-b", "", RESHARD_DTYPE_F32, {2, {2, 3}}, RESHARD_ROLE_PARAMETER},
    {"{i}.down_5", "", RESHARD_DTYPE_F32, {2, {7, 3}}, RESHARD_ROLE_PARAMETER},
    {"layers.0.qkv_0", "layers.0", RESHARD_DTYPE_F32, {2, {12, 8}}, RESHARD_ROLE_PARAMETER},
    {"layers.0.bias_1", "layers.0", RESHARD_DTYPE_F32, {1, {9}}, RESHARD_ROLE_PARAMETER},
    {"layers.1.experts.0.up_2",
     "layers.1",
     RESHARD_DTYPE_BF16,
     {2, {4, 6}},
     RESHARD_ROLE_PARAMETER},
    {"layers.1.experts.1.up_3",
     "layers.1",
     RESHARD_DTYPE_BF16,
     {3, {8, 5, 4}},
     RESHARD_ROLE_PARAMETER},
    {"tail.weight_4", "tail", RESHARD_DTYPE_F16, {2, {9, 301}}, RESHARD_ROLE_PARAMETER},
    {"tail.long", "tail", RESHARD_DTYPE_F16, {1, {1031}}, RESHARD_ROLE_PARAMETER},
    {"double.weight", "double", RESHARD_DTYPE_F64, {2, {3, 6}}, RESHARD_ROLE_PARAMETER},
    {"ids", "", RESHARD_DTYPE_I32, {2, {13, 5}}, RESHARD_ROLE_PARAMETER},
    {"still", "", RESHARD_DTYPE_F32, {2, {4, 4}}, RESHARD_ROLE_FROZEN},
    {"mean", "", RESHARD_DTYPE_F32, {1, {8}}, RESHARD_ROLE_BUFFER},
};

static struct reshard_model *model_of(struct ranks *ranks,
                                      const struct reshard_optimizer *optimizer)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_model *model = NULL;
    enum reshard_status status = reshard_model_open(&model);

    for (size_t i = 0; !status && i < sizeof entries / sizeof *entries; i++)
        status = reshard_model_add_role(model, entries[i].fqn, entries[i].unit, entries[i].dtype,
                                        &entries[i].shape, entries[i].role,
                                        RESHARD_OTHER_WORLD_REFUSE, &error);
    if (!status)
        status = reshard_optimizer_extend(model, optimizer, &error);
    if (!EXPECT_STATUS(ranks, status, RESHARD_OK, &error) ||
        !EXPECT(ranks, reshard_model_tensor_count(model) <= TENSORS_MAX))
        abort();
    return model;
}

/* ---- optimizers ------------------------------------------------------------------------------ */

struct recipe {
    enum reshard_optimizer_name name;
    enum reshard_dtype dtype;
    double momentum, beta2;
    bool nesterov, amsgrad;
    uint64_t block;
};

static const struct recipe recipes[] = {
    {.name = RESHARD_OPTIMIZER_SGD, .dtype = RESHARD_DTYPE_F32},
    {.name = RESHARD_OPTIMIZER_SGD, .dtype = RESHARD_DTYPE_F32, .momentum = 0.9},
    {.name = RESHARD_OPTIMIZER_SGD, .dtype = RESHARD_DTYPE_BF16, .momentum = 0.9, .nesterov = true},
    {.name = RESHARD_OPTIMIZER_ADAM, .dtype = RESHARD_DTYPE_F32},
    {.name = RESHARD_OPTIMIZER_ADAM, .dtype = RESHARD_DTYPE_F32, .beta2 = 0.5, .amsgrad = true},
    {.name = RESHARD_OPTIMIZER_ADAMW, .dtype = RESHARD_DTYPE_F64},
    {.name = RESHARD_OPTIMIZER_ADAMW, .dtype = RESHARD_DTYPE_F16, .beta2 = 0.5, .amsgrad = true},
    {.name = RESHARD_OPTIMIZER_MUON,
     .dtype = RESHARD_DTYPE_F32,
     .momentum = 0.95,
     .nesterov = true},
    {.name = RESHARD_OPTIMIZER_MUON, .dtype = RESHARD_DTYPE_F32, .momentum = 0.5},
    {.name = RESHARD_OPTIMIZER_ADAFACTOR, .dtype = RESHARD_DTYPE_F32},
    {.name = RESHARD_OPTIMIZER_ADAFACTOR, .dtype = RESHARD_DTYPE_BF16},
    {.name = RESHARD_OPTIMIZER_ADAM8BIT, .dtype = RESHARD_DTYPE_F32, .block = 256},
    {.name = RESHARD_OPTIMIZER_ADAM8BIT, .dtype = RESHARD_DTYPE_F32, .block = 7},
    {.name = RESHARD_OPTIMIZER_ADAM8BIT, .dtype = RESHARD_DTYPE_F32, .block = 1},
};

enum { RECIPES = sizeof recipes / sizeof *recipes };

static const char *const late[] = {"*bias*", "tail.*", "embed.weight"};
static const char *const quick[] = {"layers.{i}.*", "tail.*"};

/* An optimizer of three groups: one that starts late, one of another rate, and the rest. */
struct trainer {
    struct reshard_optimizer optimizer;
    struct reshard_optimizer_group group[2];
};

static void trainer_open(struct trainer *out, const struct recipe *recipe)
{
    struct reshard_hyper hyper = reshard_optimizer_defaults(recipe->name);

    hyper.weight_decay = 0.1;
    hyper.momentum = recipe->momentum;
    hyper.nesterov = recipe->nesterov;
    hyper.amsgrad = recipe->amsgrad;
    hyper.beta2 = recipe->beta2 > 0 ? recipe->beta2 : hyper.beta2;
    hyper.block = recipe->block ? recipe->block : hyper.block;
    out->group[0] = (struct reshard_optimizer_group){"late", late, 3, hyper};
    out->group[0].hyper.from = 3;
    out->group[1] = (struct reshard_optimizer_group){"quick", quick, 2, hyper};
    out->group[1].hyper.lr = 1.25; /* more than adafactor ever takes */
    out->group[1].hyper.weight_decay = 0;
    out->optimizer = (struct reshard_optimizer){recipe->name, recipe->dtype, hyper, out->group, 2};
}

/* ---- a rank's state -------------------------------------------------------------------------- */

struct place {
    struct reshard_layout *layout;
    struct reshard_state *state;
};

/* False when there is no such layout of the model. Memory is stained: what is absent has none that
 * is worth reading. */
static bool place_open(struct place *out, struct ranks *ranks, const struct reshard_model *model,
                       const struct reshard_layout_options *options, uint64_t rank)
{
    struct reshard_error error = RESHARD_ERROR_INIT;

    *out = (struct place){NULL, NULL};
    if (reshard_layout_open(&out->layout, model, options, &error))
        return false;
    if (!EXPECT(ranks, !reshard_state_open(&out->state, out->layout, rank)) ||
        !EXPECT_STATUS(ranks, reshard_state_allocate(out->state, &error), RESHARD_OK, &error))
        abort();
    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++)
        if (reshard_state_bytes(out->state, t))
            memset(reshard_state_data(out->state, t), 0xa5, reshard_state_bytes(out->state, t));
    return true;
}

static void place_close(struct place *place)
{
    reshard_state_close(place->state);
    reshard_layout_close(place->layout);
}

static bool train_some(struct ranks *ranks, struct reshard_group *group, const struct train *train,
                       uint64_t first, uint64_t count)
{
    struct reshard_error error = RESHARD_ERROR_INIT;

    if (first == 1 && !EXPECT_STATUS(ranks, train_begin(train, NULL, &error), RESHARD_OK, &error))
        return false;
    return EXPECT_STATUS(ranks, train_steps(train, group, first, count, &error), RESHARD_OK,
                         &error);
}

/* Call `visit` for each run of elements that a rank has of a tensor: in its memory, and from which
 * element of the whole. Returns the sum of what the calls return. */
static uint64_t walk(const struct place *place, uint32_t t, const void *context,
                     uint64_t (*visit)(char *mine, uint64_t from, uint64_t count, size_t size,
                                       const void *context))
{
    const struct reshard_tensor *tensor =
        reshard_model_tensor(reshard_layout_model(place->layout), t);
    const struct reshard_box whole = reshard_box_whole(&tensor->shape);
    const size_t size = reshard_dtype_bytes(tensor->dtype);
    struct reshard_box_list boxes = RESHARD_BOX_LIST_INIT;
    char *next = reshard_state_data(place->state, t);
    uint64_t sum = 0;

    if (reshard_layout_boxes(place->layout, t, reshard_state_rank(place->state), &boxes))
        abort();
    for (uint64_t b = 0; b < boxes.count; b++) {
        struct reshard_box_runs runs = reshard_box_runs(&boxes.box[b], &whole, &boxes.box[b]);
        while (reshard_box_runs_next(&runs))
            sum += visit(next + runs.target * size, runs.source, runs.count, size, context);
        next += reshard_box_count(&boxes.box[b]) * size;
    }
    reshard_box_list_release(&boxes);
    return sum;
}

static uint64_t count_wrong(char *mine, uint64_t from, uint64_t count, size_t size,
                            const void *whole)
{
    uint64_t wrong = 0;

    for (uint64_t i = 0; i < count; i++)
        wrong += memcmp(mine + i * size, (const char *)whole + (from + i) * size, size) != 0;
    return wrong;
}

/* A rank's part of a tensor against the whole of it. */
static void expect_part(struct ranks *ranks, const struct place *place, uint32_t t,
                        const void *whole, const char *what)
{
    const struct reshard_tensor *tensor =
        reshard_model_tensor(reshard_layout_model(place->layout), t);
    const uint64_t wrong = walk(place, t, whole, count_wrong);
    char name[RESHARD_TENSOR_TEXT_MAX];

    if (!EXPECT(ranks, wrong == 0))
        printf("  %s: %d elements of %s\n", what, (int)wrong,
               reshard_tensor_print(tensor, name, sizeof name));
}

/* ---- the oracle ------------------------------------------------------------------------------ */

struct truth {
    struct verify_inventory inventory;
    struct view_optimizer optimizer;
    struct verify_oracle *oracle;
    struct verify_block *block;
};

static void truth_open(struct truth *out, struct ranks *ranks, const struct reshard_model *model,
                       const struct reshard_optimizer *optimizer, uint64_t step)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    enum reshard_status status = view_of_model(&out->inventory, model);

    if (!status)
        status = view_of_optimizer(&out->optimizer, optimizer);
    if (!status) {
        const struct verify_oracle_options options = {.inventory = &out->inventory,
                                                      .optimizer = out->optimizer.optimizer,
                                                      .seed = seed,
                                                      .step = step};
        status = verify_oracle_open(&out->oracle, &options, &error);
    }
    if (!status)
        status = verify_block_open(&out->block);
    if (!EXPECT_STATUS(ranks, status, RESHARD_OK, &error))
        abort();
}

static void truth_close(struct truth *truth)
{
    verify_block_close(truth->block);
    verify_oracle_close(truth->oracle);
    view_optimizer_release(&truth->optimizer);
    view_release(&truth->inventory);
}

/* All of a tensor: none has more than a block. */
static const void *truth_of(const struct truth *truth, const struct reshard_model *model,
                            uint32_t t)
{
    const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
    const uint64_t count = reshard_model_tensor(model, tensor->parameter)->count;

    if (reshard_tensor_is_slot(tensor) && tensor->slot_class != RESHARD_CLASS_LIKE)
        return verify_oracle_whole(truth->oracle, t);
    if (count == 0)
        return NULL;
    verify_oracle_fill(truth->oracle, truth->block, tensor->parameter, 0, (uint32_t)count);
    return verify_block_values(truth->oracle, truth->block, t);
}

static void expect_true(struct ranks *ranks, const struct place *place, const struct truth *truth,
                        const char *what)
{
    const struct reshard_model *model = reshard_layout_model(place->layout);

    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++) {
        const bool absent = verify_oracle_absent(truth->oracle, t);
        EXPECT(ranks, reshard_state_is_absent(place->state, t) == absent);
        if (!absent)
            expect_part(ranks, place, t, truth_of(truth, model, t), what);
    }
}

/* ---- layouts --------------------------------------------------------------------------------- */

static const struct reshard_rule columns[] = {
    {.pattern = "*.weight*", .tensor = {RESHARD_HOW_CUT, 1}},
    {.pattern = "*experts.{i}.*", .expert = {RESHARD_HOW_OF, 2}},
    {.pattern = "*_0", .expert = {RESHARD_HOW_CUT, 0}}};

/* Boxes of one tensor on the first rank and the last, whatever stage it is of otherwise, and all of
 * another on the first rank alone, while its slots may be on all. */
struct given {
    struct reshard_rank_box box[3];
    struct reshard_rule rule[2];
};

static void given_open(struct given *out, uint64_t world)
{
    out->box[0] = (struct reshard_rank_box){0, {2, {0, 0}, {37, 11}}};
    out->box[1] = (struct reshard_rank_box){world - 1, {2, {0, 11}, {37, 29}}};
    out->box[2] = (struct reshard_rank_box){0, {2, {0, 0}, {2, 3}}};
    out->rule[0] =
        (struct reshard_rule){.pattern = "embed.weight", .box = out->box, .box_count = 2};
    out->rule[1] = (struct reshard_rule){.pattern = "a-b", .box = out->box + 2, .box_count = 1};
}

/* What jobs use, as far as it fits a world; a rank may be idle. False after the last. What `given`
 * has is borrowed. */
static bool usual_layout(unsigned number, uint64_t world, struct given *given,
                         struct reshard_layout_options *out)
{
    const uint64_t even = world < 2 ? 1 : 2;
    given_open(given, world);
    const struct reshard_layout_options usual[] = {
        {.kind = RESHARD_LAYOUT_DDP, .replicate = world},
        {.kind = RESHARD_LAYOUT_FSDP1, .shard = world},
        {.kind = RESHARD_LAYOUT_FSDP1,
         .shard = world / even,
         .replicate = even,
         .orig_params = true},
        {.kind = RESHARD_LAYOUT_FSDP2, .shard = world},
        {.kind = RESHARD_LAYOUT_FSDP2, .shard = world / even, .pipeline = even, .dim = 1},
        {.kind = RESHARD_LAYOUT_FSDP2, .shard = world > 2 ? world - 1 : 1},
        {.kind = RESHARD_LAYOUT_DDP,
         .replicate = world / even,
         .tensor = even,
         .rule = columns,
         .rule_count = 3},
        {.kind = RESHARD_LAYOUT_FSDP1,
         .shard = world / even,
         .expert = even,
         .rule = columns,
         .rule_count = 2},
        {.kind = RESHARD_LAYOUT_FSDP2,
         .shard = world / even,
         .pipeline = even,
         .rule = given->rule,
         .rule_count = 2},
        {.kind = RESHARD_LAYOUT_FSDP2,
         .shard = world / even,
         .expert = even,
         .dim = 1,
         .rule = columns,
         .rule_count = 3},
    };

    if (number >= sizeof usual / sizeof *usual)
        return false;
    *out = usual[number];
    out->world = world;
    return true;
}

/* ---- every optimizer, under any layout ------------------------------------------------------- */

struct course {
    struct ranks *ranks;
    struct reshard_group *group;
    struct trainer trainer;
    struct reshard_model *model;
    struct truth half, full; /* after two steps, and after all */
    uint64_t fetch_bytes;
};

static void course_open(struct course *out, struct ranks *ranks, const struct recipe *recipe)
{
    struct reshard_error error = RESHARD_ERROR_INIT;

    memset(out, 0, sizeof *out);
    out->ranks = ranks;
    EXPECT_STATUS(ranks, reshard_group_open(&out->group, ranks->comm, &ranks->options, &error),
                  RESHARD_OK, &error);
    trainer_open(&out->trainer, recipe);
    out->model = model_of(ranks, &out->trainer.optimizer);
    truth_open(&out->half, ranks, out->model, &out->trainer.optimizer, STEPS / 2);
    truth_open(&out->full, ranks, out->model, &out->trainer.optimizer, STEPS);
}

static void course_close(struct course *course)
{
    truth_close(&course->half);
    truth_close(&course->full);
    reshard_model_close(course->model);
    reshard_group_close(course->group);
}

/* Train under a layout; false when it does not fit the model. */
static bool course_run(const struct course *course, const struct reshard_layout_options *options)
{
    struct ranks *ranks = course->ranks;
    struct place place;

    if (!place_open(&place, ranks, course->model, options, (uint64_t)ranks->rank)) {
        place_close(&place);
        return false;
    }
    const struct train train = {place.state, &course->trainer.optimizer, seed, course->fetch_bytes};
    train_some(ranks, course->group, &train, 1, STEPS / 2);
    expect_true(ranks, &place, &course->half, "after half the steps");
    train_some(ranks, course->group, &train, STEPS / 2 + 1, STEPS - STEPS / 2);
    expect_true(ranks, &place, &course->full, "after all steps");
    place_close(&place);
    return true;
}

static void layouts_of_jobs_train_as_the_oracle_does(struct ranks *ranks)
{
    struct reshard_layout_options options;
    struct given given;

    for (unsigned r = 0; r < RECIPES; r++) {
        struct course course;
        course_open(&course, ranks, &recipes[r]);
        course.fetch_bytes = r % 2 ? 0 : 1000;
        unsigned fitting = 0;
        for (unsigned i = 0; usual_layout(i, (uint64_t)ranks->size, &given, &options); i++)
            fitting += course_run(&course, &options);
        EXPECT(ranks, fitting >= 6);
        course_close(&course);
    }
}

static void random_layouts_train_as_the_oracle_does(struct ranks *ranks)
{
    struct test_random random = {ranks->rank ? 1 : 0};
    const char *other = getenv("RESHARD_TEST_SEED");

    random.state = other ? strtoull(other, NULL, 0) : 1;
    if (ranks->rank == 0)
        random = test_random_start("layouts to train under", 1);
    for (unsigned r = 0; r < RECIPES; r++) {
        struct course course;
        course_open(&course, ranks, &recipes[r]);
        course.fetch_bytes = r % 2 ? 0 : 1000;
        for (unsigned done = 0; done < RANDOM_LAYOUTS;) {
            struct random_layout layout;
            const int failures = ranks->failures;
            random_layout_open(&layout, &random, course.model, (uint64_t)ranks->size);
            done += course_run(&course, &layout.options);
            if (ranks->failures > failures)
                random_layout_print(&layout, course.model);
            random_layout_close(&layout);
        }
        course_close(&course);
    }
}

/* ---- state that is not what it should be ----------------------------------------------------- */

static uint64_t flip_some(char *mine, uint64_t from, uint64_t count, size_t size,
                          const void *context)
{
    (void)context;
    for (uint64_t i = 0; i < count; i++)
        if ((from + i) % 5 == 0)
            mine[i * size] ^= 1;
    return 0;
}

/* Change the lowest bit of some elements of all that is trained but the counts, the same ones on
 * all ranks. */
static void flip(const struct place *place)
{
    const struct reshard_model *model = reshard_layout_model(place->layout);

    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++)
        if (strcmp(reshard_model_tensor(model, t)->slot, "step") != 0 &&
            !reshard_state_is_absent(place->state, t))
            walk(place, t, NULL, flip_some);
}

/* Train, flip, train on: ranks' parts end as the whole does, which one rank has by itself. */
static void flip_and_compare(const struct course *course,
                             const struct reshard_layout_options *options)
{
    const struct reshard_layout_options alone = {.kind = RESHARD_LAYOUT_DDP, .replicate = 1};
    struct ranks *ranks = course->ranks;
    struct place part, whole;

    if (place_open(&part, ranks, course->model, options, (uint64_t)ranks->rank) &&
        EXPECT(ranks, place_open(&whole, ranks, course->model, &alone, 0))) {
        const struct train mine = {part.state, &course->trainer.optimizer, seed, 0};
        const struct train all = {whole.state, &course->trainer.optimizer, seed, 0};
        train_some(ranks, course->group, &mine, 1, 2);
        train_some(ranks, NULL, &all, 1, 2);
        flip(&part);
        flip(&whole);
        train_some(ranks, course->group, &mine, 3, 1);
        train_some(ranks, NULL, &all, 3, 1);
        for (uint32_t t = 0; t < reshard_model_tensor_count(course->model); t++)
            expect_part(ranks, &part, t, reshard_state_data(whole.state, t), "after a flip");
        place_close(&whole);
    }
    place_close(&part);
}

static void what_is_in_memory_is_what_trains(struct ranks *ranks)
{
    struct reshard_layout_options options;
    struct given given;

    for (unsigned r = 0; r < RECIPES; r++) {
        struct course course;
        course_open(&course, ranks, &recipes[r]);
        for (unsigned i = 1; usual_layout(i, (uint64_t)ranks->size, &given, &options); i += 2)
            flip_and_compare(&course, &options);
        course_close(&course);
    }
}

/* A count that is none, of one rank's copy or of all: refused by all, in the same words. */
static void damage_a_count(const struct course *course, bool everywhere)
{
    const struct reshard_layout_options options = {.kind = RESHARD_LAYOUT_FSDP2,
                                                   .shard = (uint64_t)course->ranks->size};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct ranks *ranks = course->ranks;
    struct place place;
    uint32_t step;

    EXPECT(ranks, reshard_model_find(course->model, "scale.50", "step", &step) == RESHARD_OK);
    if (EXPECT(ranks, place_open(&place, ranks, course->model, &options, (uint64_t)ranks->rank))) {
        const struct train train = {place.state, &course->trainer.optimizer, seed, 0};
        train_some(ranks, course->group, &train, 1, 1);
        if (everywhere || ranks->rank == ranks->size - 1)
            *(float *)reshard_state_data(place.state, step) = 0.5F;
        EXPECT_STATUS(ranks, train_steps(&train, course->group, 2, 2, &error), RESHARD_EINVAL,
                      &error);
        EXPECT(ranks, strstr(error.text, "scale.50, step") != NULL);
        EXPECT(ranks, ranks_same_text(ranks->comm, error.text));
    }
    place_close(&place);
}

static void a_count_that_no_training_leaves_is_refused_by_all(struct ranks *ranks)
{
    for (unsigned r = 0; r < RECIPES; r++) {
        struct course course;
        if (recipes[r].name == RESHARD_OPTIMIZER_SGD)
            continue;
        course_open(&course, ranks, &recipes[r]);
        damage_a_count(&course, false);
        damage_a_count(&course, true);
        course_close(&course);
    }
}

/* Alone, a rank trains what needs nothing of others, and refuses what does. */
static void a_part_by_itself_is_refused_where_others_are_needed(struct ranks *ranks)
{
    const struct reshard_layout_options options = {.kind = RESHARD_LAYOUT_FSDP2, .shard = 2};
    struct reshard_error error = RESHARD_ERROR_INIT;

    for (unsigned r = 0; r < RECIPES; r++) {
        const bool reduces = recipes[r].name == RESHARD_OPTIMIZER_ADAFACTOR ||
                             recipes[r].name == RESHARD_OPTIMIZER_ADAM8BIT;
        struct trainer trainer;
        struct place place;
        trainer_open(&trainer, &recipes[r]);
        struct reshard_model *model = model_of(ranks, &trainer.optimizer);
        if (EXPECT(ranks, place_open(&place, ranks, model, &options, 1))) {
            const struct train train = {place.state, &trainer.optimizer, seed, 0};
            EXPECT_STATUS(ranks, train_begin(&train, NULL, &error), RESHARD_OK, &error);
            EXPECT_STATUS(ranks, train_steps(&train, NULL, 1, 1, &error),
                          reduces ? RESHARD_EINVAL : RESHARD_OK, &error);
        }
        place_close(&place);
        reshard_model_close(model);
    }
}

int main(int argc, char **argv)
{
    static const struct ranks_test tests[] = {
        {"layouts of jobs train as the oracle does", layouts_of_jobs_train_as_the_oracle_does},
        {"random layouts train as the oracle does", random_layouts_train_as_the_oracle_does},
        {"what is in memory is what trains", what_is_in_memory_is_what_trains},
        {"a count that no training leaves is refused by all",
         a_count_that_no_training_leaves_is_refused_by_all},
        {"a part by itself is refused where others are needed",
         a_part_by_itself_is_refused_where_others_are_needed},
        {NULL, NULL}};

    return ranks_main(argc, argv, tests);
}
