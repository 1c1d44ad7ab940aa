/*
 * Full, sharded and local state dicts, in every direction. Goal: that each form of a state becomes
 * each other without a change to any byte, flag or digest, whatever the slots' classes, and that
 * nothing more is sent, or kept in memory, than must be. Method: random models with slots of every
 * class, some of them absent, and random live layouts; from the live state through all three forms
 * in each of their orders, back to the first of them and to a live state again. After each step the
 * oracle says what every byte must be, and at the end the memory is that of the beginning.
 */
#include "core/form.h"
#include "parallel/exchange.h"
#include "parallel/proof.h"
#include "support/drawn.h"
#include "support/heap.h"
#include "support/oracle.h"
#include "support/ranks.h"
#include "support/sample.h"
#include "support/side.h"

#include <stdlib.h>
#include <string.h>

enum { VALUES = 71, ELEMENTS = 60, TENSORS_MAX = 128, FORMS = 3, ORDERS = 6 };

/* ---- one journey ----------------------------------------------------------------------------- */

/* Where the state has been: under the live layout, or in a form of it. */
struct place {
    struct reshard_layout *form; /* NULL: live */
    const char *name;
    bool full_on_all;
    struct side side;
};

enum { PLACES = FORMS + 3 };

struct journey {
    struct reshard_group *group;
    struct reshard_model *model;
    struct reshard_layout *live;
    struct random_layout drawn;
    enum reshard_part part;
    bool absent[TENSORS_MAX];
    bool unbound[TENSORS_MAX]; /* what is not part of it, and absent slots, need no memory */
    uint64_t digest[TENSORS_MAX];
    struct place place[PLACES];
    unsigned count;
};

static const struct reshard_tensor *entry(const struct journey *journey, uint32_t t)
{
    return reshard_model_tensor(journey->model, t);
}

static bool travels(const struct journey *journey, uint32_t t)
{
    return journey->part == RESHARD_PART_ALL ||
           (journey->part == RESHARD_PART_OPTIMIZER) == reshard_tensor_is_slot(entry(journey, t));
}

/* The full form has all there is on all ranks of the live mesh, or on rank 0. */
static uint64_t wrong_sizes(const struct journey *journey, const struct place *place, bool rank0)
{
    const struct reshard_mesh mesh = reshard_layout_options_mesh(&journey->drawn.options);
    uint64_t wrong = 0;

    for (uint32_t t = 0; t < place->side.tensors; t++) {
        const struct reshard_tensor *tensor = entry(journey, t);
        const bool has = place->side.rank < (rank0 ? 1 : reshard_mesh_ranks(&mesh));
        wrong +=
            tensor->role != RESHARD_ROLE_PER_RANK &&
            place->side.bytes[t] != (has ? tensor->count * reshard_dtype_bytes(tensor->dtype) : 0);
    }
    return wrong;
}

/* Another place, stained; with `form` NULL it is live. False where there is no such form. */
static bool add_place(struct journey *journey, struct ranks *ranks, struct test_random *random,
                      const enum reshard_form *form)
{
    const bool rank0 = form && *form == RESHARD_FORM_FULL && test_random_below(random, 2);
    const bool on_device = test_random_below(random, 2);
    struct place *place = &journey->place[journey->count];
    struct reshard_error error = RESHARD_ERROR_INIT;
    enum reshard_status status = RESHARD_OK;
    bool flags[TENSORS_MAX];

    *place = (struct place){.name = form ? reshard_form_name(*form) : "live",
                            .full_on_all = form && *form == RESHARD_FORM_FULL && !rank0};
    if (form)
        status = reshard_form_layout(&place->form, journey->live, *form, rank0, &error);
    if (status) {
        EXPECT_STATUS(ranks, status, RESHARD_EINVAL, &error);
        EXPECT(ranks, *form != RESHARD_FORM_FULL && strlen(error.text) > 20);
        return false;
    }
    journey->count++;
    for (uint32_t t = 0; t < reshard_model_tensor_count(journey->model); t++)
        flags[t] = test_random_below(random, 2);
    if (!side_open_without(&place->side, ranks, journey->model,
                           form ? reshard_layout_options(place->form) : &journey->drawn.options,
                           on_device, journey->unbound))
        return false;
    side_set_absent(&place->side, flags);
    EXPECT(ranks, !form || *form != RESHARD_FORM_FULL || wrong_sizes(journey, place, rank0) == 0);
    return true;
}

/* The live state to begin with: filled, and what is absent stained. */
static bool open_journey(struct journey *journey, struct reshard_group *group, struct ranks *ranks,
                         struct test_random *random)
{
    static const enum reshard_part parts[] = {RESHARD_PART_ALL, RESHARD_PART_ALL,
                                              RESHARD_PART_OPTIMIZER, RESHARD_PART_MODEL};
    const uint64_t world = (uint64_t)ranks->size;
    struct reshard_error error = RESHARD_ERROR_INIT;
    bool mine[TENSORS_MAX];

    *journey = (struct journey){.group = group,
                                .model = drawn_model(random, world, ELEMENTS),
                                .part = parts[test_random_below(random, 4)]};
    drawn_layout(&journey->drawn, random, journey->model, world);
    if (!EXPECT(ranks, reshard_model_tensor_count(journey->model) <= TENSORS_MAX) ||
        !EXPECT_STATUS(
            ranks,
            reshard_layout_open(&journey->live, journey->model, &journey->drawn.options, &error),
            RESHARD_OK, &error))
        return false;
    drawn_sayings(random, journey->model, &journey->drawn.options, (uint64_t)ranks->rank,
                  test_random_below(random, 12) == 0, mine, journey->absent);
    const bool bare = test_random_below(random, 2);
    for (uint32_t t = 0; t < reshard_model_tensor_count(journey->model); t++)
        journey->unbound[t] = bare && (journey->absent[t] || !travels(journey, t));
    if (!add_place(journey, ranks, random, NULL))
        return false;
    for (uint32_t t = 0; t < journey->place->side.tensors; t++)
        if (travels(journey, t) && !journey->absent[t])
            side_fill(&journey->place->side, t, VALUES);
    side_set_absent(&journey->place->side, mine);
    return EXPECT_STATUS(ranks,
                         reshard_state_digest(group, journey->place->side.state, journey->part,
                                              journey->digest, &error),
                         RESHARD_OK, &error);
}

static void close_journey(struct journey *journey)
{
    for (unsigned i = 0; i < journey->count; i++) {
        side_close(&journey->place[i].side);
        reshard_layout_close(journey->place[i].form);
    }
    random_layout_close(&journey->drawn);
    reshard_layout_close(journey->live);
    reshard_model_close(journey->model);
}

/* ---- one step -------------------------------------------------------------------------------- */

/* Bytes that any rank needs and does not have, by the oracle. */
static uint64_t lacking(const struct journey *journey, const struct side *from,
                        const struct side *to, uint64_t world)
{
    uint64_t sum = 0;

    for (uint32_t t = 0; t < from->tensors; t++)
        for (uint64_t rank = 0; travels(journey, t) && !journey->absent[t] && rank < world;
             rank++) {
            struct oracle_places has = oracle_places(journey->model, from->options, t, rank);
            struct oracle_places needs = oracle_places(journey->model, to->options, t, rank);
            for (uint64_t e = 0; e < has.count; e++)
                if (needs.packed[e] != ORACLE_ABSENT && has.packed[e] == ORACLE_ABSENT)
                    sum += reshard_dtype_bytes(entry(journey, t)->dtype);
            oracle_places_release(&has);
            oracle_places_release(&needs);
        }
    return sum;
}

/* Every byte and flag of a place that the state has come to. */
static uint64_t wrong_state(const struct journey *journey, const struct side *side)
{
    uint64_t wrong = 0;

    for (uint32_t t = 0; t < side->tensors; t++) {
        const bool comes = travels(journey, t) && !journey->absent[t];
        wrong += comes ? side_wrong(side, t, VALUES) : side_touched(side, t);
        wrong +=
            travels(journey, t) && reshard_state_is_absent(side->state, t) != journey->absent[t];
    }
    return wrong;
}

static void check_digests(struct ranks *ranks, const struct journey *journey,
                          const struct side *side)
{
    uint64_t digest[TENSORS_MAX] = {0};
    struct reshard_error error = RESHARD_ERROR_INIT;

    EXPECT_STATUS(ranks,
                  reshard_state_digest(journey->group, side->state, journey->part, digest, &error),
                  RESHARD_OK, &error);
    EXPECT(ranks, memcmp(digest, journey->digest, sizeof digest) == 0);
}

/* From a place to the next one: all there, and the one before as it was. */
static void step(struct ranks *ranks, struct test_random *random, struct journey *journey,
                 unsigned i)
{
    const struct reshard_exchange_options options = {
        .part = journey->part, .budget = test_random_below(random, 2) ? 4096 : 0};
    const struct place *from = &journey->place[i];
    struct place *to = &journey->place[i + 1];
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_report report = {0};
    unsigned char *image = side_image(&from->side);

    EXPECT_STATUS(ranks,
                  reshard_exchange(journey->group, from->side.state, to->side.state, &options,
                                   &report, &error),
                  RESHARD_OK, &error);
    if (!EXPECT(ranks, wrong_state(journey, &to->side) == 0)) {
        printf("from %s to %s of\n", from->name, to->name);
        random_layout_print(&journey->drawn, journey->model);
    }
    EXPECT(ranks, side_changed(&from->side, image) == 0);
    EXPECT(ranks, report.bytes_sent == report.bytes_lacking);
    EXPECT(ranks, ranks->rank > 0 || report.bytes_sent == lacking(journey, &from->side, &to->side,
                                                                  (uint64_t)ranks->size));
    EXPECT(ranks, !from->full_on_all || report.bytes_sent == 0);
    check_digests(ranks, journey, &to->side);
    free(image);
}

/* Two places under the same layout hold the same. */
static uint64_t differences(const struct journey *journey, const struct side *a,
                            const struct side *b)
{
    uint64_t different = 0;

    for (uint32_t t = 0; t < a->tensors; t++)
        different += travels(journey, t) && (a->bytes[t] != b->bytes[t] ||
                                             memcmp(a->memory[t], b->memory[t], a->bytes[t]) != 0);
    return different;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static const enum reshard_form orders[ORDERS][FORMS] = {
    {RESHARD_FORM_FULL, RESHARD_FORM_SHARDED, RESHARD_FORM_LOCAL},
    {RESHARD_FORM_FULL, RESHARD_FORM_LOCAL, RESHARD_FORM_SHARDED},
    {RESHARD_FORM_SHARDED, RESHARD_FORM_FULL, RESHARD_FORM_LOCAL},
    {RESHARD_FORM_SHARDED, RESHARD_FORM_LOCAL, RESHARD_FORM_FULL},
    {RESHARD_FORM_LOCAL, RESHARD_FORM_FULL, RESHARD_FORM_SHARDED},
    {RESHARD_FORM_LOCAL, RESHARD_FORM_SHARDED, RESHARD_FORM_FULL},
};

/* The live layouts of real jobs, of which each must have come. */
enum job { JOB_DDP, JOB_FSDP1, JOB_FSDP1_ORIG, JOB_FSDP2, JOB_HYBRID, JOB_TENSOR, JOBS };

static enum job job_of(const struct reshard_layout_options *live)
{
    if (live->shard > 1 && live->tensor > 1)
        return JOB_TENSOR;
    if (live->shard > 1 && live->replicate > 1)
        return JOB_HYBRID;
    if (live->kind == RESHARD_LAYOUT_FSDP1)
        return live->orig_params ? JOB_FSDP1_ORIG : JOB_FSDP1;
    return live->kind == RESHARD_LAYOUT_FSDP2 ? JOB_FSDP2 : JOB_DDP;
}

/* Through the forms in this order, to the first of them again, and to a live state. Returns how
 * many forms there were. */
static unsigned travel(struct ranks *ranks, struct test_random *random, struct journey *journey,
                       const enum reshard_form *order)
{
    unsigned forms;

    for (unsigned i = 0; i < FORMS; i++)
        (void)add_place(journey, ranks, random, &order[i]);
    forms = journey->count - 1;
    for (unsigned i = 0; i < FORMS && journey->count == forms + 1; i++)
        (void)add_place(journey, ranks, random, &order[i]);
    (void)add_place(journey, ranks, random, NULL);
    if (!EXPECT(ranks, journey->count == forms + 3))
        return 0;
    for (unsigned i = 0; i + 1 < journey->count; i++)
        step(ranks, random, journey, i);
    EXPECT(ranks, differences(journey, &journey->place[0].side,
                              &journey->place[journey->count - 1].side) == 0);
    return forms;
}

static void every_form_becomes_every_other_and_nothing_changes(struct ranks *ranks)
{
    const bool usual = !getenv("RESHARD_TEST_SEED");
    const unsigned rounds = !usual ? ORDERS : ranks->size == 1 ? 240 : ranks->size < 8 ? 24 : 120;
    struct reshard_group *group = ranks_group(ranks);
    unsigned complete[ORDERS] = {0}, jobs[JOBS] = {0};

    for (unsigned round = 0; round < rounds; round++) {
        struct test_random random = {usual ? (uint64_t)ranks->size * 1000 + round
                                           : drawn_start(ranks, "forms", 0).state};
        const uint64_t seed = random.state;
        const int failures = ranks->failures;
        struct journey journey;
        if (open_journey(&journey, group, ranks, &random)) {
            complete[round % ORDERS] +=
                travel(ranks, &random, &journey, orders[round % ORDERS]) == FORMS;
            jobs[job_of(reshard_layout_options(journey.live))]++;
        }
        if (ranks->failures > failures)
            printf("rank %d: RESHARD_TEST_SEED=%" PRIu64 " repeats it\n", ranks->rank, seed);
        close_journey(&journey);
    }
    for (unsigned i = 0; usual && i < ORDERS; i++)
        EXPECT(ranks, complete[i] > 0);
    for (unsigned i = 0; usual && ranks->size >= 8 && i < JOBS; i++)
        EXPECT(ranks, jobs[i] > 0);
    if (ranks->rank == 0)
        printf("all forms: %u %u %u %u %u %u; ddp %u, fsdp1 %u, with orig_params %u, fsdp2 %u, "
               "hybrid %u, tensor %u\n",
               complete[0], complete[1], complete[2], complete[3], complete[4], complete[5],
               jobs[0], jobs[1], jobs[2], jobs[3], jobs[4], jobs[5]);
    reshard_group_close(group);
}

/* ---- large ones ------------------------------------------------------------------------------ */

enum { BUDGET = 4096, BESIDES = 96 * 1024 };

/* A stack of matrices, 325 KiB of them, with a slot of each class. The oracle wants sizes small. */
static struct reshard_model *large_model(struct ranks *ranks)
{
    static const struct reshard_slot slots[] = {
        {.slot = "exp_avg", .dtype = RESHARD_DTYPE_F32, .slot_class = RESHARD_CLASS_LIKE},
        {.slot = "codes", .dtype = RESHARD_DTYPE_U8, .slot_class = RESHARD_CLASS_LIKE},
        {.slot = "scales",
         .dtype = RESHARD_DTYPE_F32,
         .slot_class = RESHARD_CLASS_BLOCKWISE,
         .block = 7},
        {.slot = "row", .dtype = RESHARD_DTYPE_F32, .slot_class = RESHARD_CLASS_ROW},
        {.slot = "column",
         .dtype = RESHARD_DTYPE_F64,
         .slot_class = RESHARD_CLASS_COLUMN,
         .keeps_dimension = true},
        {.slot = "step", .dtype = RESHARD_DTYPE_F32, .slot_class = RESHARD_CLASS_SCALAR},
        {.slot = "factor",
         .dtype = RESHARD_DTYPE_F32,
         .slot_class = RESHARD_CLASS_REPLICATED,
         .shape = {3, {20, 20, 150}}},
    };
    const struct reshard_shape shape = {5, {8, 10, 13, 4, 20}};
    struct reshard_model *model = NULL;

    EXPECT(ranks, !reshard_model_open(&model));
    EXPECT(ranks, !reshard_model_add(model, "w", "", RESHARD_DTYPE_F32, &shape, NULL));
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++)
        EXPECT(ranks, !reshard_model_add_state(model, "w", &slots[i], NULL));
    return model;
}

/* The most memory that a rank may have had; simulated ones have one heap. */
static uint64_t heap_limit(const struct ranks *ranks)
{
    const uint64_t own = BUDGET + BESIDES;

#ifdef RESHARD_SIMULATED
    return own * (uint64_t)ranks->size;
#else
    (void)ranks;
    return own;
#endif
}

/* One exchange of all with the least budget; what was sent, which must be what was lacking. */
static uint64_t move_large(struct ranks *ranks, struct reshard_group *group, struct side *from,
                           struct side *to)
{
    const struct reshard_exchange_options options = {.budget = BUDGET};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_report report = {0};
    unsigned char *image = side_image(from);
    uint64_t most;

    ranks_barrier(ranks->comm);
    heap_begin();
    ranks_barrier(ranks->comm);
    EXPECT_STATUS(ranks, reshard_exchange(group, from->state, to->state, &options, &report, &error),
                  RESHARD_OK, &error);
    ranks_barrier(ranks->comm);
    most = heap_most();
    ranks_barrier(ranks->comm);
    if (!EXPECT(ranks, most > 0 && most <= heap_limit(ranks)))
        printf("%" PRIu64 " bytes at once\n", most);
    EXPECT(ranks, side_wrong_all(to, VALUES) == 0);
    EXPECT(ranks, side_changed(from, image) == 0);
    EXPECT(ranks, report.bytes_sent == report.bytes_lacking);
    free(image);
    return report.bytes_sent;
}

/* A live layout's full state, held by rank 0 alone or by all, comes and goes. */
static void move_full(struct ranks *ranks, struct reshard_group *group,
                      const struct reshard_layout *live, bool rank0)
{
    const struct reshard_model *model = reshard_layout_model(live);
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_layout *form = NULL;
    struct side full = {.options = NULL}, cut = {.options = NULL};
    uint64_t elsewhere[2] = {0, 0};

    if (EXPECT_STATUS(ranks, reshard_form_layout(&form, live, RESHARD_FORM_FULL, rank0, &error),
                      RESHARD_OK, &error) &&
        side_open(&full, ranks, model, reshard_layout_options(form), false, RESHARD_ROLE_COUNT) &&
        side_open(&cut, ranks, model, reshard_layout_options(live), false, RESHARD_ROLE_COUNT)) {
        side_fill_all(&full, VALUES);
        for (uint32_t t = 0; t < cut.tensors; t++) {
            elsewhere[0] += ranks->rank > 0 ? cut.bytes[t] : 0;
            side_stain(&cut, t);
        }
        EXPECT_STATUS(ranks, group_allreduce(group, elsewhere, 1, MPI_UINT64_T, MPI_SUM, &error),
                      RESHARD_OK, &error);
        EXPECT(ranks, move_large(ranks, group, &full, &cut) == (rank0 ? elsewhere[0] : 0));
        for (uint32_t t = 0; t < full.tensors; t++)
            side_stain(&full, t);
        (void)move_large(ranks, group, &cut, &full);
    }
    side_close(&full);
    side_close(&cut);
    reshard_layout_close(form);
}

static void a_full_state_is_scattered_and_gathered_within_the_budget(struct ranks *ranks)
{
    const uint64_t world = (uint64_t)ranks->size;
    const struct reshard_rule columns = {.pattern = "w", .tensor = {RESHARD_HOW_CUT, 1}};
    const struct reshard_layout_options layouts[] = {
        {.kind = RESHARD_LAYOUT_FSDP1, .shard = world, .orig_params = true},
        {.kind = RESHARD_LAYOUT_FSDP2, .shard = world},
        {.kind = RESHARD_LAYOUT_FSDP2, .shard = world, .dim = 1},
        {.kind = RESHARD_LAYOUT_FSDP2, .world = world, .replicate = 2, .shard = world / 2},
        {.kind = RESHARD_LAYOUT_FSDP1,
         .world = world,
         .shard = world / 2,
         .tensor = 2,
         .rule = &columns,
         .rule_count = 1},
    };
    struct reshard_model *model = large_model(ranks);
    struct reshard_group *group = ranks_group(ranks);

    for (size_t i = 0; i < (world < 2 ? 3 : sizeof layouts / sizeof *layouts); i++) {
        struct reshard_error error = RESHARD_ERROR_INIT;
        struct reshard_layout *live = NULL;
        if (EXPECT_STATUS(ranks, reshard_layout_open(&live, model, &layouts[i], &error), RESHARD_OK,
                          &error)) {
            move_full(ranks, group, live, true);
            move_full(ranks, group, live, false);
        }
        reshard_layout_close(live);
    }
    reshard_group_close(group);
    reshard_model_close(model);
}

int main(int argc, char **argv)
{
    static const struct ranks_test tests[] = {
        {"every form becomes every other, and nothing changes",
         every_form_becomes_every_other_and_nothing_changes},
        {"a full state is scattered and gathered within the budget",
         a_full_state_is_scattered_and_gathered_within_the_budget},
        {NULL, NULL},
    };

    return ranks_main(argc, argv, tests);
}
