/*
 * Plans. Goal: a plan moves every element to where its new rank looks for it, from any layout to
 * any other; and a plan that would not is never handed out. Method: real arrays of numbered
 * elements, carried by each plan one element at a time between all pairs of kinds and world sizes,
 * over a model of odd tensors; then single faults planted into good plans, and into the pieces of
 * the global proof, each of which must be seen.
 */
#include "core/plan.h"
#include "support/oracle.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* ---- layouts and what their ranks hold ------------------------------------------------------- */

struct world {
    struct reshard_layout_options options;
    struct reshard_layout *layout;
    uint64_t holders;
    struct oracle_places *places; /* by holder, then tensor */
    uint64_t **packed;            /* likewise: the numbers of the elements, in packed memory */
};

static struct reshard_model *model;
static uint32_t tensors;
static uint32_t *same; /* each tensor from itself */

static void open_odd_model(void)
{
    model = oracle_odd_model();
    tensors = reshard_model_tensor_count(model);
    same = calloc(tensors, sizeof *same);
    ck_assert_ptr_nonnull(same);
    for (uint32_t t = 0; t < tensors; t++)
        same[t] = t;
}

static void close_odd_model(void)
{
    free(same);
    reshard_model_close(model);
}

/* The number that element e of tensor t has wherever it lies. */
static uint64_t value_of(uint32_t t, uint64_t e)
{
    return ((uint64_t)t << 32) + e + 1;
}

static const struct oracle_places *places_of(const struct world *world, uint64_t holder, uint32_t t)
{
    return &world->places[holder * tensors + t];
}

static void open_world(struct world *world, const struct reshard_layout_options *options)
{
    struct reshard_error error = RESHARD_ERROR_INIT;

    world->options = *options;
    ck_assert_msg(reshard_layout_open(&world->layout, model, options, &error) == RESHARD_OK, "%s",
                  error.text);
    world->holders = reshard_layout_holders(world->layout);
    world->places = calloc(world->holders * tensors, sizeof *world->places);
    world->packed = calloc(world->holders * tensors, sizeof *world->packed);
    ck_assert(world->places && world->packed);
    for (uint64_t i = 0; i < world->holders * tensors; i++) {
        const uint32_t t = (uint32_t)(i % tensors);
        const struct oracle_places places = oracle_places(model, options, t, i / tensors);
        world->places[i] = places;
        world->packed[i] = calloc(places.held + 1, sizeof **world->packed);
        ORACLE_ASSERT(world->packed[i]);
        for (uint64_t e = 0; e < places.count; e++)
            if (places.packed[e] != ORACLE_ABSENT)
                world->packed[i][places.packed[e]] = value_of(t, e);
    }
}

static void close_world(struct world *world)
{
    for (uint64_t i = 0; i < world->holders * tensors; i++) {
        oracle_places_release(&world->places[i]);
        free(world->packed[i]);
    }
    free(world->packed);
    free(world->places);
    reshard_layout_close(world->layout);
}

enum { WORLDS_MAX = 64 };

/* Columns, which slots of one element for a row do not follow; what is flat must divide. */
static const struct reshard_rule columns[] = {
    {.pattern = "weight", .tensor = {RESHARD_HOW_CUT, 1}},
    {.pattern = "block.w", .tensor = {RESHARD_HOW_CUT, 1}},
    {.pattern = "block.z", .tensor = {RESHARD_HOW_CUT, 1}},
};
static const struct reshard_rule flat_columns[] = {
    {.pattern = "block.w", .tensor = {RESHARD_HOW_CUT, 1}},
};

/* fsdp1 plain, with orig_params, and with forward in bf16; fsdp2; ddp; hsdp 2 x S of both kinds;
 * and both by 2 along tensor. */
static uint64_t open_worlds(struct world *worlds)
{
    static const uint64_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 16};
    uint64_t count = 0;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const uint64_t n = sizes[i];
        const struct reshard_layout_options options[] = {
            {.kind = RESHARD_LAYOUT_FSDP1, .shard = n},
            {.kind = RESHARD_LAYOUT_FSDP1, .shard = n, .orig_params = true},
            {.kind = RESHARD_LAYOUT_FSDP1,
             .shard = n,
             .orig_params = true,
             .forward = RESHARD_DTYPE_BF16},
            {.kind = RESHARD_LAYOUT_FSDP2, .shard = n},
            {.kind = RESHARD_LAYOUT_DDP, .replicate = n},
            {.kind = RESHARD_LAYOUT_FSDP2, .replicate = 2, .shard = n / 2},
            {.kind = RESHARD_LAYOUT_FSDP1, .replicate = 2, .shard = n / 2, .orig_params = true},
            {.kind = RESHARD_LAYOUT_FSDP2,
             .shard = n / 2,
             .tensor = 2,
             .rule = columns,
             .rule_count = sizeof columns / sizeof *columns},
            {.kind = RESHARD_LAYOUT_FSDP1,
             .shard = n / 2,
             .tensor = 2,
             .rule = flat_columns,
             .rule_count = 1},
        };
        for (size_t k = 0; k < (n % 2 ? 5u : 9u); k++)
            open_world(&worlds[count++], &options[k]);
    }
    return count;
}

/* ---- carrying a plan out --------------------------------------------------------------------- */

/* The source rank's packed array has the element at the place that its piece gives it. */
static uint64_t fetch(const struct world *source, const struct plan_move *move,
                      const uint64_t *index)
{
    const uint32_t t = move->source_tensor;
    const struct reshard_box whole = reshard_box_whole(&reshard_model_tensor(model, t)->shape);
    const struct oracle_places *places = places_of(source, move->holder, t);
    const uint64_t piece = places->packed[oracle_number(move->source.begin, &whole)];
    const uint64_t at = piece + oracle_number(index, &move->source);

    ORACLE_ASSERT(piece != ORACLE_ABSENT && at < places->held);
    return source->packed[move->holder * tensors + t][at];
}

static void carry(const struct world *source, const struct world *target, uint64_t holder,
                  const struct plan *plan, bool files, uint64_t **memory)
{
    for (uint64_t i = 0; i < plan->count; i++) {
        const struct plan_move *move = &plan->move[i];
        const struct oracle_places *to = places_of(target, holder, move->target_tensor);
        struct oracle_walk walk = oracle_walk(&move->box);
        const uint64_t shard =
            reshard_layout_shard_of(source->layout, move->source_tensor, move->holder);
        ORACLE_ASSERT(!files || reshard_layout_owner(source->layout, move->source_tensor, shard) ==
                                    move->holder);
        ORACLE_ASSERT(files ||
                      reshard_layout_shard_of(source->layout, move->source_tensor, holder) !=
                          shard ||
                      move->holder == holder);
        ORACLE_ASSERT(i == 0 || move->holder >= plan->move[i - 1].holder);
        while (oracle_walk_next(&walk)) {
            const uint64_t at = move->target_offset + oracle_number(walk.index, &move->target);
            ORACLE_ASSERT(at < to->held);
            ORACLE_ASSERT(memory[move->target_tensor][at] == 0); /* written once */
            memory[move->target_tensor][at] = fetch(source, move, walk.index);
        }
    }
}

/* Every element that the rank has under the target is there, and at its place. */
static void reshard_one(const struct world *source, const struct world *target, uint64_t holder,
                        bool files)
{
    const struct plan_sides sides = {source->layout, target->layout, same, files};
    uint64_t **memory = calloc(tensors, sizeof *memory);
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct plan plan;

    ck_assert_ptr_nonnull(memory);
    for (uint32_t t = 0; t < tensors; t++)
        memory[t] = calloc(places_of(target, holder, t)->held + 1, sizeof **memory);
    ck_assert_msg(plan_build(&plan, &sides, holder, &error) == RESHARD_OK, "%s", error.text);
    carry(source, target, holder, &plan, files, memory);
    for (uint32_t t = 0; t < tensors; t++) {
        const struct oracle_places *places = places_of(target, holder, t);
        for (uint64_t e = 0; e < places->count; e++)
            if (places->packed[e] != ORACLE_ABSENT)
                ORACLE_ASSERT(memory[t][places->packed[e]] == value_of(t, e));
        free(memory[t]);
    }
    free(memory);
    plan_release(&plan);
}

/* A number for a move from one rank to another, which no two moves share but by chance; its bytes
 * are added to `bytes`. */
static uint64_t move_value(const struct plan_move *move, uint64_t from, uint64_t to,
                           uint64_t *bytes)
{
    const struct reshard_box *boxes[] = {&move->box, &move->source, &move->target};
    uint64_t hash = from * 1000003 + to;

    for (int b = 0; b < 3; b++)
        for (uint32_t d = 0; d < boxes[b]->ndim; d++)
            hash = (hash * 1000003 + boxes[b]->begin[d]) * 1000003 + boxes[b]->end[d];
    hash = (hash * 1000003 + move->source_offset) * 1000003 + move->target_offset;
    hash = (hash * 1000003 + move->source_tensor) * 1000003 + move->target_tensor;
    if (bytes)
        *bytes += reshard_box_count(&move->box) *
                  reshard_dtype_bytes(reshard_model_tensor(model, move->target_tensor)->dtype);
    return (hash ^ hash >> 29) * UINT64_C(0xBF58476D1CE4E5B9);
}

/* What a rank's plan has of another's memory is what that one's plan of sends has for it; no rank
 * asks another for what it has itself, so that what is sent is what is lacking. */
static void check_sends(const struct world *source, const struct world *target)
{
    const struct plan_sides sides = {source->layout, target->layout, same, false};
    uint64_t asked = 0, sent = 0, lacking = 0;

    for (uint64_t holder = 0; holder < source->holders; holder++) {
        struct plan plan;
        uint64_t bytes;
        ck_assert_int_eq(plan_build(&plan, &sides, holder, NULL), RESHARD_OK);
        for (uint64_t i = 0; i < plan.count; i++)
            if (plan.move[i].holder != holder)
                asked += move_value(&plan.move[i], plan.move[i].holder, holder, &lacking);
        plan_release(&plan);
        ck_assert_int_eq(plan_sends(&plan, &sides, holder), RESHARD_OK);
        for (uint64_t i = 0; i < plan.count; i++) {
            ck_assert_uint_ne(plan.move[i].holder, holder);
            sent += move_value(&plan.move[i], holder, plan.move[i].holder, NULL);
        }
        plan_release(&plan);
        ck_assert_int_eq(plan_lacking(&sides, holder, &bytes), RESHARD_OK);
        lacking -= bytes;
    }
    ck_assert_uint_eq(asked, sent);
    ck_assert_uint_eq(lacking, 0);
}

START_TEST(what_ranks_send_is_what_the_others_ask_of_them)
{
    struct world worlds[WORLDS_MAX];
    const uint64_t count = open_worlds(worlds);

    for (uint64_t from = 0; from < count; from++)
        for (uint64_t to = 0; to < count; to++)
            if (worlds[from].holders == worlds[to].holders)
                check_sends(&worlds[from], &worlds[to]);
    for (uint64_t i = 0; i < count; i++)
        close_world(&worlds[i]);
}
END_TEST

START_TEST(every_layout_is_resharded_to_every_other)
{
    struct world worlds[WORLDS_MAX];
    const uint64_t count = open_worlds(worlds);

    for (uint64_t from = (uint64_t)_i; from < count; from += 4)
        for (uint64_t to = 0; to < count; to++)
            for (uint64_t holder = 0; holder < worlds[to].holders; holder++)
                for (int files = 0; files < 2; files++)
                    if (files || worlds[from].holders == worlds[to].holders)
                        reshard_one(&worlds[from], &worlds[to], holder, files);
    for (uint64_t i = 0; i < count; i++)
        close_world(&worlds[i]);
}
END_TEST

/* ---- known plans ----------------------------------------------------------------------------- */

START_TEST(rank_1_of_3_reads_linear_4_4_from_ranks_2_3_and_4_of_8)
{
    const struct reshard_layout_options eight = {.kind = RESHARD_LAYOUT_FSDP1, .shard = 8};
    const struct reshard_layout_options three = {.kind = RESHARD_LAYOUT_FSDP1, .shard = 3};
    static const uint64_t holder_of[] = {2, 2, 3, 3, 3, 4, 4}; /* of elements 7 to 13 */
    const struct reshard_box whole = {.ndim = 2, .end = {4, 4}};
    const uint32_t from[] = {0, 1};
    struct reshard_layout *source, *target;
    struct reshard_model *linear;
    struct plan plan;
    uint64_t seen = 0;

    ck_assert_int_eq(reshard_model_open(&linear), RESHARD_OK);
    oracle_add(linear, "weight", "", RESHARD_DTYPE_F32, 2, (const uint64_t[]){4, 4});
    oracle_add(linear, "bias", "", RESHARD_DTYPE_F32, 1, (const uint64_t[]){4});
    ck_assert_int_eq(reshard_layout_open(&source, linear, &eight, NULL), RESHARD_OK);
    ck_assert_int_eq(reshard_layout_open(&target, linear, &three, NULL), RESHARD_OK);
    const struct plan_sides sides = {source, target, from, true};
    ck_assert_int_eq(plan_build(&plan, &sides, 1, NULL), RESHARD_OK);
    for (uint64_t i = 0; i < plan.count; i++) {
        struct oracle_walk walk = oracle_walk(&plan.move[i].box);
        ck_assert_uint_eq(plan.move[i].target_tensor, 0);
        while (oracle_walk_next(&walk)) {
            const uint64_t e = oracle_number(walk.index, &whole);
            ck_assert_uint_eq(e, 7 + seen++);
            ck_assert_uint_eq(plan.move[i].holder, holder_of[e - 7]);
        }
    }
    ck_assert_uint_eq(seen, 7);
    plan_release(&plan);
    plan_release(&plan);
    reshard_layout_close(source);
    reshard_layout_close(target);
    reshard_model_close(linear);
}
END_TEST

/* A model of other order and with more tensors: names decide, not places; some are left out. */
START_TEST(tensors_are_taken_from_where_they_are_told_or_left_out)
{
    const struct reshard_layout_options rows = {.kind = RESHARD_LAYOUT_FSDP2, .shard = 3};
    const struct reshard_layout_options all = {.kind = RESHARD_LAYOUT_DDP, .replicate = 2};
    const uint32_t from[] = {1, PLAN_SKIP, 0}, wrong[] = {1, PLAN_SKIP, 1};
    struct reshard_model *old, *new;
    struct reshard_layout *source, *target;
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct plan plan;

    ck_assert_int_eq(reshard_model_open(&old), RESHARD_OK);
    ck_assert_int_eq(reshard_model_open(&new), RESHARD_OK);
    oracle_add(old, "a", "", RESHARD_DTYPE_F32, 1, (const uint64_t[]){6});
    oracle_add(old, "b", "", RESHARD_DTYPE_F32, 1, (const uint64_t[]){9});
    oracle_add(new, "b", "", RESHARD_DTYPE_F32, 1, (const uint64_t[]){9});
    oracle_add(new, "c", "", RESHARD_DTYPE_F32, 1, (const uint64_t[]){5});
    oracle_add(new, "a", "", RESHARD_DTYPE_F32, 1, (const uint64_t[]){6});
    ck_assert_int_eq(reshard_layout_open(&source, old, &rows, NULL), RESHARD_OK);
    ck_assert_int_eq(reshard_layout_open(&target, new, &all, NULL), RESHARD_OK);
    const struct plan_sides sides = {source, target, from, true};
    const struct plan_sides wrong_sides = {source, target, wrong, true};
    ck_assert_int_eq(plan_build(&plan, &sides, 1, NULL), RESHARD_OK);
    ck_assert_uint_eq(plan.count, 6);
    for (uint64_t i = 0; i < plan.count; i++) {
        ck_assert_uint_eq(plan.move[i].holder, i / 2);
        ck_assert_uint_eq(plan.move[i].source_tensor, i % 2 ? 0 : 1);
        ck_assert_uint_eq(plan.move[i].target_tensor, i % 2 ? 2 : 0);
        ck_assert_uint_eq(plan.move[i].target_offset, 0);
    }
    plan_release(&plan);
    ck_assert_int_eq(plan_build(&plan, &wrong_sides, 1, &error), RESHARD_EMISMATCH);
    ck_assert_str_eq(error.text, "tensor 'a': shapes differ");
    ck_assert_ptr_null(plan.move);
    reshard_layout_close(source);
    reshard_layout_close(target);
    reshard_model_close(old);
    reshard_model_close(new);
}
END_TEST

/* ---- planted faults -------------------------------------------------------------------------- */

enum fault {
    MISSING,
    DOUBLED,
    SHORTER,       /* an inclusive end taken for an exclusive one */
    LONGER,        /* and the other way round */
    SHIFTED,       /* as many elements, others */
    OTHER_TENSOR,  /* goes to another tensor */
    OTHER_OFFSET,  /* goes where no piece begins */
    OTHER_PIECE,   /* addressed within another box */
    OTHER_SOURCE,  /* taken from another tensor */
    BEYOND_SOURCE, /* taken from a piece that has it not */
    SKIPPED,       /* goes to a tensor that was not asked for */
    TO_NOTHING,    /* goes to a piece without elements */
    FAULTS
};

/* Plant a fault into move i; `from` may change. False where there is no room for it. */
static bool plant(enum fault fault, struct plan *plan, uint64_t i, uint32_t *from)
{
    struct plan_move *move = &plan->move[i];
    const uint32_t d = move->box.ndim ? move->box.ndim - 1 : 0;

    if (move->box.ndim == 0 && fault != MISSING && fault != DOUBLED && fault != OTHER_OFFSET)
        return false;
    switch (fault) {
    case MISSING:
        *move = plan->move[--plan->count];
        return true;
    case DOUBLED:
        plan->move[plan->count++] = *move; /* the caller left room */
        return true;
    case SHORTER:
        move->box.end[d]--;
        return true;
    case LONGER:
        move->box.end[d]++;
        return true;
    case SHIFTED:
        move->box.begin[d]++;
        move->box.end[d]++;
        return true;
    case OTHER_TENSOR:
        move->target_tensor = (move->target_tensor + 1) % tensors;
        return true;
    case OTHER_OFFSET:
        move->target_offset++;
        return true;
    case OTHER_PIECE:
        move->target.end[d]++;
        return true;
    case OTHER_SOURCE:
        move->source_tensor = (move->source_tensor + 1) % tensors;
        return true;
    case BEYOND_SOURCE:
        move->source.begin[d] = move->box.begin[d] + 1;
        return true;
    case SKIPPED:
        from[move->target_tensor] = PLAN_SKIP;
        return true;
    case TO_NOTHING:
        plan->move[plan->count] = *move;
        plan->move[plan->count].target_tensor = 2; /* "none", of shape (0, 4) */
        plan->move[plan->count++].target_offset = 0;
        return true;
    case FAULTS:
        break;
    }
    return false;
}

static void plant_everywhere(enum fault fault, const struct world *source,
                             const struct world *target, uint64_t holder, uint64_t *planted)
{
    const struct plan_sides sides = {source->layout, target->layout, same, true};
    struct plan good;

    ck_assert_int_eq(plan_build(&good, &sides, holder, NULL), RESHARD_OK);
    for (uint64_t i = 0; i < good.count; i++) {
        uint32_t *from = calloc(tensors, sizeof *from);
        struct plan plan = {.count = good.count,
                            .move = calloc(good.count + 1, sizeof *plan.move),
                            .capacity = good.count + 1};
        struct reshard_error error = RESHARD_ERROR_INIT;
        ck_assert(from && plan.move);
        const struct plan_sides planted_sides = {source->layout, target->layout, from, true};
        memcpy(from, same, tensors * sizeof *from);
        memcpy(plan.move, good.move, good.count * sizeof *plan.move);
        ck_assert_int_eq(plan_check(&plan, &planted_sides, holder, NULL), RESHARD_OK);
        if (plant(fault, &plan, i, from)) {
            ++*planted;
            ck_assert_int_eq(plan_check(&plan, &planted_sides, holder, &error), RESHARD_ECOVER);
            ck_assert_int_eq(error.status, RESHARD_ECOVER);
            ck_assert_ptr_nonnull(strstr(error.text, "tensor "));
        }
        free(from);
        plan_release(&plan);
    }
    plan_release(&good);
}

START_TEST(every_fault_planted_into_a_plan_is_seen)
{
    const struct reshard_layout_options options[] = {
        {.kind = RESHARD_LAYOUT_FSDP1, .shard = 5, .orig_params = true},
        {.kind = RESHARD_LAYOUT_FSDP2, .shard = 3},
        {.kind = RESHARD_LAYOUT_DDP, .tensor = 2, .rule = columns, .rule_count = 3}};
    struct world worlds[3];
    uint64_t planted = 0;

    for (int w = 0; w < 3; w++)
        open_world(&worlds[w], &options[w]);
    for (int from = 0; from < 3; from++)
        for (int to = 0; to < 3; to++)
            for (uint64_t holder = 0; holder < worlds[to].holders; holder++)
                plant_everywhere((enum fault)_i, &worlds[from], &worlds[to], holder, &planted);
    ck_assert_uint_gt(planted, 200);
    for (int w = 0; w < 3; w++)
        close_world(&worlds[w]);
}
END_TEST

/* ---- the law for a whole layout -------------------------------------------------------------- */

static bool proof_equal(struct plan_proof a, struct plan_proof b)
{
    return a.lane[0] == b.lane[0] && a.lane[1] == b.lane[1];
}

START_TEST(what_all_owners_write_adds_up_to_what_is_expected)
{
    struct world worlds[WORLDS_MAX];
    const uint64_t count = open_worlds(worlds);

    for (uint64_t w = 0; w < count; w++)
        for (uint64_t seed = 0; seed < 20; seed++) {
            struct plan_proof sum = {{0, 0}}, part;
            for (uint64_t holder = 0; holder < worlds[w].holders; holder++) {
                ck_assert_int_eq(plan_proof_local(worlds[w].layout, holder, seed, &part, NULL),
                                 RESHARD_OK);
                for (int lane = 0; lane < 2; lane++)
                    sum.lane[lane] = plan_proof_add(part.lane[lane], sum.lane[lane]);
            }
            const struct plan_proof expected = plan_proof_expected(model, seed);
            ck_assert(proof_equal(sum, expected));
            ck_assert_uint_ne(sum.lane[0], sum.lane[1]);
            ck_assert(!proof_equal(expected, plan_proof_expected(model, seed + 1)));
            ck_assert_uint_lt(sum.lane[0] | sum.lane[1], UINT64_C(1) << 61);
        }
    for (uint64_t i = 0; i < count; i++)
        close_world(&worlds[i]);
}
END_TEST

/* The proof of these boxes of tensor t. */
static struct plan_proof proof_of(uint32_t t, struct reshard_box *boxes, uint64_t count,
                                  uint64_t seed)
{
    const struct reshard_box_list list = {count, count, boxes};
    struct plan_proof proof = {{0, 0}};

    ck_assert_int_eq(plan_proof_pieces(model, &list, t, seed, &proof, NULL), RESHARD_OK);
    return proof;
}

/* For every random partition: it proves, and every set that differs from a cover does not. */
START_TEST(the_proof_holds_for_covers_and_for_nothing_else)
{
    struct test_random random = test_random_start("proof", 1);
    const uint32_t t = 6; /* block.w, of shape (3, 4, 5) */
    const struct reshard_shape *shape = &reshard_model_tensor(model, t)->shape;
    const struct reshard_box whole = reshard_box_whole(shape);
    struct reshard_box parts[13];

    for (int round = 0; round < 5000; round++) {
        const uint64_t seed = test_random_next(&random);
        const uint64_t count = oracle_partition(&random, shape, parts, 12);
        const struct plan_proof expected = proof_of(t, (struct reshard_box[]){whole}, 1, seed);
        const uint64_t i = test_random_below(&random, count);
        const uint32_t d = (uint32_t)test_random_below(&random, 3);
        const struct reshard_box kept = parts[i];
        struct oracle_walk walk = oracle_walk(&kept);

        ck_assert(proof_equal(proof_of(t, parts, count, seed), expected));
        if (!oracle_walk_next(&walk))
            continue;
        parts[count] = kept;
        ck_assert(!proof_equal(proof_of(t, parts, count + 1, seed), expected)); /* doubled */
        parts[i].end[d]--;
        ck_assert(!proof_equal(proof_of(t, parts, count, seed), expected)); /* a gap */
        parts[i] = kept;
        if (kept.begin[d] > 0) {
            parts[i].begin[d]--;
            ck_assert(!proof_equal(proof_of(t, parts, count, seed), expected)); /* an overlap */
            parts[i].end[d]--;
            ck_assert(!proof_equal(proof_of(t, parts, count, seed), expected)); /* shifted */
            parts[i] = kept;
        }
        ck_assert(!proof_equal(proof_of(t + 1, (struct reshard_box[]){{1, {0}, {3}}}, 1, seed),
                               expected)); /* another tensor's */
    }
}
END_TEST

/* An overlap and a gap of the same kind in two tensors, or 2^k times the same defect, must not
 * cancel: a sum modulo 2^64 would fall for the second. */
START_TEST(defects_do_not_cancel)
{
    const struct reshard_box row = {.ndim = 1, .begin = {2}, .end = {3}};
    const struct plan_proof once = proof_of(3, (struct reshard_box[]){row}, 1, 5);
    const struct plan_proof other = proof_of(7, (struct reshard_box[]){row}, 1, 5);
    struct plan_proof sum = once;

    ck_assert(!proof_equal(once, other));
    for (int doubled = 0; doubled < 200; doubled++) {
        for (int lane = 0; lane < 2; lane++) {
            sum.lane[lane] = plan_proof_add(sum.lane[lane], sum.lane[lane]);
            ck_assert_uint_ne(sum.lane[lane], 0);
        }
    }
}
END_TEST

START_TEST(a_piece_outside_its_tensor_has_no_proof)
{
    const struct reshard_box outside[] = {
        {.ndim = 3, .end = {3, 4, 6}},
        {.ndim = 2, .end = {3, 4}},
        {.ndim = 3, .begin = {3, 0, 0}, .end = {4, 4, 5}},
        /* sides whose product is 2^64 */
        {.ndim = 3, .end = {UINT64_C(1) << 22, UINT64_C(1) << 21, UINT64_C(1) << 21}}};

    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        struct reshard_box box = outside[i];
        const struct reshard_box_list list = {1, 1, &box};
        struct reshard_error error = RESHARD_ERROR_INIT;
        struct plan_proof proof = {{0, 0}};
        ck_assert_int_eq(plan_proof_pieces(model, &list, 6, 1, &proof, &error), RESHARD_ECOVER);
        ck_assert_str_eq(error.text, "tensor 'block.w': a piece lies outside");
        ck_assert_int_eq(plan_proof_pieces(model, &list, 6, 1, &proof, NULL), RESHARD_ECOVER);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan");
    TCase *cases = tcase_create("plan");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(cases, 100);
    tcase_add_checked_fixture(cases, open_odd_model, close_odd_model);
    tcase_add_loop_test(cases, every_layout_is_resharded_to_every_other, 0, 4);
    tcase_add_test(cases, what_ranks_send_is_what_the_others_ask_of_them);
    tcase_add_test(cases, rank_1_of_3_reads_linear_4_4_from_ranks_2_3_and_4_of_8);
    tcase_add_test(cases, tensors_are_taken_from_where_they_are_told_or_left_out);
    tcase_add_loop_test(cases, every_fault_planted_into_a_plan_is_seen, 0, FAULTS);
    tcase_add_test(cases, what_all_owners_write_adds_up_to_what_is_expected);
    tcase_add_test(cases, the_proof_holds_for_covers_and_for_nothing_else);
    tcase_add_test(cases, defects_do_not_cancel);
    tcase_add_test(cases, a_piece_outside_its_tensor_has_no_proof);
    suite_add_tcase(suite, cases);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
