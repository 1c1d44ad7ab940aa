/*
 * The layout rules of FORMAT.md section 4, all of them together. Goal: the engine's closed forms
 * say of every element, rank by rank, what the rules say; and they refuse the layouts that the
 * rules do not let be, and no others. Method: thousands of random models and layouts (stages,
 * experts, tensor cuts, sections, boxes given, idle ranks, every role) against an oracle that goes
 * through lists of indices; then the documents' known answers.
 */
#include "core/layout.h"
#include "support/oracle.h"
#include "support/random_layout.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 3000, WORLD_MAX = 24, ELEMENTS = 64 };

/* ---- random layouts against the oracle ------------------------------------------------------- */

struct subject {
    struct reshard_model *model;
    struct random_layout drawn;
    struct reshard_layout *layout; /* NULL where it is refused */
    uint64_t world;
    uint32_t tensors;
    struct oracle_places *places; /* by tensor, then holder */
    bool *owner;                  /* likewise */
};

/* Something about a random layout does not hold: say which it is. */
#define SUBJECT_ASSERT(subject, condition, tensor, holder)                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            random_layout_print(&(subject)->drawn, (subject)->model);                              \
            ck_abort_msg("tensor %d, holder %d: %s does not hold", (int)(tensor), (int)(holder),   \
                         #condition);                                                              \
        }                                                                                          \
    } while (0)

static void draw_subject(struct subject *subject, struct test_random *random)
{
    *subject = (struct subject){.world = 1 + test_random_below(random, WORLD_MAX)};
    subject->model = random_model(random, subject->world, ELEMENTS);
    subject->tensors = reshard_model_tensor_count(subject->model);
    random_layout_open(&subject->drawn, random, subject->model, subject->world);
}

/* One that the rules let be. */
static void open_subject(struct subject *subject, struct test_random *random)
{
    const struct reshard_layout_options *options = &subject->drawn.options;
    struct reshard_error error = RESHARD_ERROR_INIT;

    draw_subject(subject, random);
    while (!oracle_accepts(subject->model, options)) {
        random_layout_close(&subject->drawn);
        reshard_model_close(subject->model);
        draw_subject(subject, random);
    }
    if (reshard_layout_open(&subject->layout, subject->model, options, &error)) {
        random_layout_print(&subject->drawn, subject->model);
        ck_abort_msg("%s", error.text);
    }
    subject->places = calloc(subject->tensors * subject->world, sizeof *subject->places);
    ck_assert_ptr_nonnull(subject->places);
    for (uint32_t t = 0; t < subject->tensors; t++)
        for (uint64_t h = 0; h < subject->world; h++)
            subject->places[t * subject->world + h] = oracle_places(subject->model, options, t, h);
    subject->owner = oracle_owners(subject->model, options, subject->places);
}

static void close_subject(struct subject *subject)
{
    for (uint64_t i = 0; subject->places && i < subject->tensors * subject->world; i++)
        oracle_places_release(&subject->places[i]);
    free(subject->places);
    free(subject->owner);
    reshard_layout_close(subject->layout);
    random_layout_close(&subject->drawn);
    reshard_model_close(subject->model);
}

static const struct oracle_places *places_of(const struct subject *subject, uint32_t t, uint64_t h)
{
    return &subject->places[t * subject->world + h];
}

static void for_random_subjects(const char *what, uint64_t seed,
                                void (*check)(const struct subject *subject, uint32_t t,
                                              struct test_random *random))
{
    struct test_random random = test_random_start(what, seed);

    for (int round = 0; round < ROUNDS; round++) {
        struct subject subject;
        open_subject(&subject, &random);
        for (uint32_t t = 0; t < subject.tensors; t++)
            check(&subject, t, &random);
        close_subject(&subject);
    }
}

START_TEST(layouts_are_refused_when_the_rules_do_not_let_them_be_and_only_then)
{
    struct test_random random = test_random_start("which layouts may be", 11);
    int accepted = 0;

    for (int round = 0; round < 4 * ROUNDS; round++) {
        struct reshard_error error = RESHARD_ERROR_INIT;
        struct subject subject;
        enum reshard_status status;
        draw_subject(&subject, &random);
        const bool right = oracle_accepts(subject.model, &subject.drawn.options);
        status =
            reshard_layout_open(&subject.layout, subject.model, &subject.drawn.options, &error);
        if (status != (right ? RESHARD_OK : RESHARD_EINVAL)) {
            random_layout_print(&subject.drawn, subject.model);
            ck_abort_msg("round %d: %s, but the rules say %s: %s", round,
                         reshard_status_name(status), right ? "yes" : "no", error.text);
        }
        ck_assert(right == !error.text[0]);
        accepted += right;
        close_subject(&subject);
    }
    printf("%d of %d may be\n", accepted, 4 * ROUNDS);
    ck_assert_int_gt(accepted, ROUNDS);
    ck_assert_int_lt(accepted, 3 * ROUNDS);
}
END_TEST

static void check_flat(const struct subject *subject, uint32_t t, uint64_t h)
{
    const struct oracle_places *places = places_of(subject, t, h);
    const struct reshard_flat_info flat = reshard_layout_flat(subject->layout, t, NULL);
    const struct reshard_shard_info info = reshard_layout_shard_info(subject->layout, t, h);
    uint64_t nth = 0;

    if (!places->part) {
        SUBJECT_ASSERT(subject, !info.in_shard, t, h);
        return;
    }
    SUBJECT_ASSERT(subject, flat.total == places->total, t, h);
    SUBJECT_ASSERT(subject, flat.shard_count == places->shard, t, h);
    SUBJECT_ASSERT(subject, info.end - info.begin == places->held, t, h);
    SUBJECT_ASSERT(subject, !places->held || info.in_shard, t, h);
    SUBJECT_ASSERT(subject, !places->held || info.begin == places->first, t, h);
    for (uint64_t e = 0; e < places->count; e++)
        if (places->flat[e] != ORACLE_ABSENT)
            SUBJECT_ASSERT(subject, places->flat[e] == info.offset + nth++, t, h);
}

/* The boxes are those of the rules, but for empty ones, and give the places that the rules give. */
static void check_holder(const struct subject *subject, uint32_t t, uint64_t h)
{
    const struct reshard_tensor *tensor = reshard_model_tensor(subject->model, t);
    const struct reshard_box whole = reshard_box_whole(&tensor->shape);
    const struct oracle_places *places = places_of(subject, t, h);
    struct reshard_box_list list = RESHARD_BOX_LIST_INIT;
    uint64_t next = 0, nth = 0;

    ck_assert_int_eq(reshard_layout_boxes(subject->layout, t, h, &list), RESHARD_OK);
    for (uint64_t i = 0; i < list.count; i++) {
        struct oracle_walk walk = oracle_walk(&list.box[i]);
        SUBJECT_ASSERT(subject, reshard_box_inside(&list.box[i], &whole), t, h);
        if (reshard_box_empty(&list.box[i]))
            continue;
        SUBJECT_ASSERT(subject, nth < places->boxes, t, h);
        SUBJECT_ASSERT(subject, reshard_box_equal(&list.box[i], &places->box[nth++]), t, h);
        while (oracle_walk_next(&walk))
            SUBJECT_ASSERT(subject, places->packed[oracle_number(walk.index, &whole)] == next++, t,
                           h);
    }
    SUBJECT_ASSERT(subject, nth == places->boxes && next == places->held, t, h);
    SUBJECT_ASSERT(subject, reshard_layout_local_count(subject->layout, t, h) == next, t, h);
    SUBJECT_ASSERT(subject, reshard_layout_is_flat(subject->layout, t) == places->is_flat, t, h);
    SUBJECT_ASSERT(subject, places->part || list.count == 0, t, h);
    if (places->is_flat)
        check_flat(subject, t, h);
    reshard_box_list_release(&list);
}

static void check_holders(const struct subject *subject, uint32_t t, struct test_random *random)
{
    (void)random;
    for (uint64_t h = 0; h < subject->world; h++)
        check_holder(subject, t, h);
}

START_TEST(every_holder_has_the_boxes_that_the_rules_say_where_they_say)
{
    for_random_subjects("boxes", 12, check_holders);
}
END_TEST

static bool same_elements(const struct oracle_places *a, const struct oracle_places *b)
{
    return memcmp(a->packed, b->packed, a->count * sizeof *a->packed) == 0;
}

/* Holders that have no part are of no shard; those of one shard have the same; numbers of shards
 * and replicas name a holder, and every number below the counts does. */
static void check_shards(const struct subject *subject, uint32_t t, struct test_random *random)
{
    const struct reshard_layout *layout = subject->layout;
    const uint64_t shards = reshard_layout_shards(layout, t),
                   most = reshard_layout_replicas_most(layout, t);
    uint64_t holders = 0, replicas = 0, largest = 0;

    (void)random;
    for (uint64_t h = 0; h < subject->world; h++) {
        const struct oracle_places *places = places_of(subject, t, h);
        const uint64_t shard = reshard_layout_shard_of(layout, t, h);
        SUBJECT_ASSERT(subject, (shard == RESHARD_SHARD_NONE) == !places->part, t, h);
        if (!places->part)
            continue;
        SUBJECT_ASSERT(subject, shard < shards, t, h);
        const uint64_t replica = reshard_layout_replica_of(layout, t, h);
        SUBJECT_ASSERT(subject, replica < reshard_layout_replicas(layout, t, shard), t, h);
        SUBJECT_ASSERT(subject, reshard_layout_holder(layout, t, shard, replica) == h, t, h);
        const uint64_t first = reshard_layout_holder(layout, t, shard, 0);
        SUBJECT_ASSERT(subject, same_elements(places, places_of(subject, t, first)), t, h);
        holders++;
    }
    for (uint64_t s = 0; s < shards; s++) {
        const uint64_t of_it = reshard_layout_replicas(layout, t, s);
        SUBJECT_ASSERT(subject, of_it > 0, t, s);
        replicas += of_it;
        largest = of_it > largest ? of_it : largest;
    }
    SUBJECT_ASSERT(subject, replicas == holders && largest == most, t, -1);
}

START_TEST(shards_and_replicas_number_the_holders)
{
    for_random_subjects("shards", 13, check_shards);
}
END_TEST

/* Every element is in one shard, and no more boxes are than was said. */
static void check_disjoint(const struct subject *subject, uint32_t t, struct test_random *random)
{
    const uint64_t count = reshard_model_tensor(subject->model, t)->count;
    const uint64_t shards = reshard_layout_shards(subject->layout, t);
    unsigned char *times = calloc(count + 1, 1);
    uint64_t boxes = 0;

    (void)random;
    ck_assert_ptr_nonnull(times);
    for (uint64_t s = 0; s < shards; s++) {
        const uint64_t h = reshard_layout_holder(subject->layout, t, s, 0);
        const struct oracle_places *places = places_of(subject, t, h);
        boxes += places->boxes;
        for (uint64_t e = 0; e < count; e++)
            times[e] = (unsigned char)(times[e] + (places->packed[e] != ORACLE_ABSENT));
    }
    for (uint64_t e = 0; e < count; e++)
        SUBJECT_ASSERT(subject, times[e] == 1, t, e);
    SUBJECT_ASSERT(subject, boxes <= reshard_layout_boxes_most(subject->layout, t), t, -1);
    free(times);
}

START_TEST(every_element_is_in_one_shard)
{
    for_random_subjects("disjoint", 14, check_disjoint);
}
END_TEST

static void check_owners(const struct subject *subject, uint32_t t, struct test_random *random)
{
    const bool saved = reshard_role_is_saved(reshard_model_tensor(subject->model, t)->role);
    uint64_t owners = 0;

    (void)random;
    for (uint64_t h = 0; h < subject->world; h++) {
        const bool owner = reshard_layout_is_owner(subject->layout, t, h);
        SUBJECT_ASSERT(subject, !saved || owner == subject->owner[t * subject->world + h], t, h);
        if (owner) {
            const uint64_t shard = reshard_layout_shard_of(subject->layout, t, h);
            SUBJECT_ASSERT(subject, reshard_layout_owner(subject->layout, t, shard) == h, t, h);
        }
        owners += owner;
    }
    SUBJECT_ASSERT(subject, owners == reshard_layout_shards(subject->layout, t), t, -1);
}

START_TEST(owners_are_those_of_the_rule_of_fewest_bytes)
{
    for_random_subjects("owners", 15, check_owners);
}
END_TEST

static void check_overlap(const struct subject *subject, uint32_t t, const struct reshard_box *box)
{
    const struct reshard_box whole =
        reshard_box_whole(&reshard_model_tensor(subject->model, t)->shape);
    const uint64_t shards = reshard_layout_shards(subject->layout, t);
    struct reshard_shard_list list = RESHARD_SHARD_LIST_INIT;
    unsigned char *listed = calloc(shards, 1);

    ck_assert_ptr_nonnull(listed);
    ck_assert_int_eq(reshard_layout_overlap(subject->layout, t, box, &list), RESHARD_OK);
    for (uint64_t i = 0; i < list.count; i++) {
        SUBJECT_ASSERT(subject, list.shard[i] < shards, t, -1);
        SUBJECT_ASSERT(subject, listed[list.shard[i]]++ == 0, t, -1);
    }
    for (uint64_t s = 0; s < shards; s++) {
        const uint64_t h = reshard_layout_holder(subject->layout, t, s, 0);
        struct oracle_walk walk = oracle_walk(box);
        while (oracle_walk_next(&walk))
            if (places_of(subject, t, h)->packed[oracle_number(walk.index, &whole)] !=
                ORACLE_ABSENT)
                SUBJECT_ASSERT(subject, listed[s], t, h);
    }
    reshard_shard_list_release(&list);
    free(listed);
}

static void check_overlaps(const struct subject *subject, uint32_t t, struct test_random *random)
{
    const struct reshard_shape *shape = &reshard_model_tensor(subject->model, t)->shape;
    const struct reshard_box whole = reshard_box_whole(shape);

    check_overlap(subject, t, &whole);
    for (int i = 0; i < 3; i++) {
        const struct reshard_box box = oracle_box(random, shape);
        check_overlap(subject, t, &box);
    }
}

START_TEST(no_shard_that_has_elements_of_a_box_is_missed)
{
    for_random_subjects("overlaps", 16, check_overlaps);
}
END_TEST

/* Flat tensors have one number exactly when they are in one flat parameter: then the elements of
 * two of them have different places in every flat shard. */
static void check_numbers(const struct subject *subject, uint32_t t, struct test_random *random)
{
    uint32_t mine, other;

    (void)random;
    if (!reshard_layout_is_flat(subject->layout, t) ||
        reshard_model_tensor(subject->model, t)->slot[0])
        return;
    const struct reshard_flat_info flat = reshard_layout_flat(subject->layout, t, &mine);
    SUBJECT_ASSERT(subject, flat.dtype == reshard_model_tensor(subject->model, t)->dtype, t, -1);
    for (uint32_t u = 0; u < t; u++) {
        if (!reshard_layout_is_flat(subject->layout, u) ||
            reshard_model_tensor(subject->model, u)->slot[0])
            continue;
        reshard_layout_flat(subject->layout, u, &other);
        bool together = reshard_model_tensor(subject->model, u)->unit ==
                        reshard_model_tensor(subject->model, t)->unit;
        for (uint64_t h = 0; h < subject->world; h++)
            together = together &&
                       places_of(subject, t, h)->part == places_of(subject, u, h)->part &&
                       places_of(subject, t, h)->total == places_of(subject, u, h)->total;
        SUBJECT_ASSERT(subject, (mine == other) == together, t, u);
    }
}

START_TEST(tensors_of_one_flat_parameter_have_its_number)
{
    for_random_subjects("flat parameters", 17, check_numbers);
}
END_TEST

/* ---- known answers --------------------------------------------------------------------------- */

/* A model of one tensor "w", and its layout. */
struct known {
    struct reshard_model *model;
    struct reshard_layout *layout;
};

static enum reshard_status open_known(struct known *known,
                                      const struct reshard_layout_options *options, uint32_t ndim,
                                      const uint64_t *size)
{
    ck_assert_int_eq(reshard_model_open(&known->model), RESHARD_OK);
    oracle_add(known->model, "w", "", RESHARD_DTYPE_F32, ndim, size);
    return reshard_layout_open(&known->layout, known->model, options, NULL);
}

static void close_known(struct known *known)
{
    reshard_layout_close(known->layout);
    reshard_model_close(known->model);
}

static void check_printed(const struct reshard_layout *layout, uint32_t t, uint64_t holder,
                          const char *expected)
{
    struct reshard_box_list list = RESHARD_BOX_LIST_INIT;
    char text[1024] = "", box[128];

    ck_assert_int_eq(reshard_layout_boxes(layout, t, holder, &list), RESHARD_OK);
    for (uint64_t i = 0; i < list.count; i++)
        strcat(strcat(text, i ? " " : ""), reshard_box_print(&list.box[i], box, sizeof box));
    ck_assert_str_eq(text, expected);
    reshard_box_list_release(&list);
}

/* A matrix of that size, cut by one rule of one or two settings. */
static const struct {
    const char *what;
    enum reshard_layout_kind kind;
    uint64_t shard, expert, tensor;
    uint32_t dim;
    uint64_t size[2];
    struct reshard_rule rule;
    const char *boxes[8]; /* NULL first: refused */
} matrices[] = {
    {"FSDP and TP on one dimension are TP-major",
     RESHARD_LAYOUT_FSDP2,
     2,
     1,
     2,
     0,
     {8, 3},
     {.pattern = "w", .tensor = {RESHARD_HOW_CUT, 0}},
     {"[0:2, 0:3]", "[4:6, 0:3]", "[2:4, 0:3]", "[6:8, 0:3]"}},
    {"9 rows on dp 4 and tp 2",
     RESHARD_LAYOUT_FSDP2,
     4,
     1,
     2,
     0,
     {9, 3},
     {.pattern = "w", .tensor = {RESHARD_HOW_CUT, 0}},
     {"[0:2, 0:3]", "[5:6, 0:3]", "[2:4, 0:3]", "[6:7, 0:3]", "[4:5, 0:3]", "[7:8, 0:3]",
      "[5:5, 0:3]", "[8:9, 0:3]"}},
    {"7 rows on dp 3 and tp 2",
     RESHARD_LAYOUT_FSDP2,
     3,
     1,
     2,
     0,
     {7, 3},
     {.pattern = "w", .tensor = {RESHARD_HOW_CUT, 0}},
     {"[0:2, 0:3]", "[4:5, 0:3]", "[2:4, 0:3]", "[5:6, 0:3]", "[4:4, 0:3]", "[6:7, 0:3]"}},
    {"5 columns on dp 2 and tp 2",
     RESHARD_LAYOUT_FSDP2,
     2,
     1,
     2,
     1,
     {4, 5},
     {.pattern = "w", .tensor = {RESHARD_HOW_CUT, 1}},
     {"[0:4, 0:2]", "[0:4, 3:4]", "[0:4, 2:3]", "[0:4, 4:5]"}},
    {"5 columns on nested (2, 2), as DTensor has it",
     RESHARD_LAYOUT_DDP,
     1,
     2,
     2,
     0,
     {4, 5},
     {.pattern = "w", .expert = {RESHARD_HOW_CUT, 1}, .tensor = {RESHARD_HOW_CUT, 1}},
     {"[0:4, 0:2]", "[0:4, 2:3]", "[0:4, 3:4]", "[0:4, 4:5]"}},
    {"8 columns on nested (2, 2)",
     RESHARD_LAYOUT_FSDP2,
     2,
     1,
     2,
     1,
     {4, 8},
     {.pattern = "w", .tensor = {RESHARD_HOW_CUT, 1}},
     {"[0:4, 0:2]", "[0:4, 4:6]", "[0:4, 2:4]", "[0:4, 6:8]"}},
    {"columns and rows",
     RESHARD_LAYOUT_FSDP2,
     2,
     1,
     2,
     0,
     {3, 5},
     {.pattern = "w", .tensor = {RESHARD_HOW_CUT, 1}},
     {"[0:2, 0:3]", "[0:2, 3:5]", "[2:3, 0:3]", "[2:3, 3:5]"}},
    {"one row on 2",
     RESHARD_LAYOUT_FSDP2,
     2,
     1,
     1,
     0,
     {1, 17},
     {.pattern = "w", .expert = {RESHARD_HOW_WHOLE, 0}},
     {"[0:1, 0:17]", "[1:1, 0:17]"}},
    {"an empty shard is at the end of its dimension, not at c times r",
     RESHARD_LAYOUT_FSDP2,
     8,
     1,
     1,
     0,
     {10, 2},
     {.pattern = "w", .expert = {RESHARD_HOW_WHOLE, 0}},
     {"[0:2, 0:2]", "[2:4, 0:2]", "[4:6, 0:2]", "[6:8, 0:2]", "[8:10, 0:2]", "[10:10, 0:2]",
      "[10:10, 0:2]", "[10:10, 0:2]"}},
    {"columns on 3",
     RESHARD_LAYOUT_FSDP2,
     3,
     1,
     1,
     1,
     {4, 6},
     {.pattern = "w", .expert = {RESHARD_HOW_WHOLE, 0}},
     {"[0:4, 0:2]", "[0:4, 2:4]", "[0:4, 4:6]"}},
    {"5 columns on 3, as DTensor has it",
     RESHARD_LAYOUT_FSDP2,
     3,
     1,
     1,
     1,
     {4, 5},
     {.pattern = "w", .expert = {RESHARD_HOW_WHOLE, 0}},
     {"[0:4, 0:2]", "[0:4, 2:4]", "[0:4, 4:5]"}},
    {"experts take a part of the data dimension",
     RESHARD_LAYOUT_FSDP2,
     2,
     2,
     1,
     0,
     {7, 2},
     {.pattern = "none", .expert = {RESHARD_HOW_WHOLE, 0}},
     {"[0:2, 0:2]", "[2:4, 0:2]", "[4:6, 0:2]", "[6:7, 0:2]"}},
    {"experts, cut, then sharded",
     RESHARD_LAYOUT_FSDP2,
     2,
     2,
     1,
     1,
     {4, 3},
     {.pattern = "w", .expert = {RESHARD_HOW_CUT, 0}},
     {"[0:2, 0:2]", "[2:4, 0:2]", "[0:2, 2:3]", "[2:4, 2:3]"}},
    {"q, k and v cut by themselves",
     RESHARD_LAYOUT_DDP,
     1,
     1,
     2,
     0,
     {12, 4},
     {.pattern = "w",
      .tensor = {RESHARD_HOW_CUT, 0},
      .section = (const uint64_t[]){8, 2, 2},
      .section_count = 3},
     {"[0:4, 0:4] [8:9, 0:4] [10:11, 0:4]", "[4:8, 0:4] [9:10, 0:4] [11:12, 0:4]"}},
    {"fused halves, sharded through both",
     RESHARD_LAYOUT_FSDP2,
     2,
     1,
     2,
     0,
     {8, 1},
     {.pattern = "w",
      .tensor = {RESHARD_HOW_CUT, 0},
      .section = (const uint64_t[]){4, 4},
      .section_count = 2},
     {"[0:2, 0:1]", "[2:4, 0:1]", "[4:6, 0:1]", "[6:8, 0:1]"}},
    {"fused halves of columns",
     RESHARD_LAYOUT_DDP,
     1,
     1,
     2,
     0,
     {2, 8},
     {.pattern = "w",
      .tensor = {RESHARD_HOW_CUT, 1},
      .section = (const uint64_t[]){4, 4},
      .section_count = 2},
     {"[0:2, 0:2] [0:2, 4:6]", "[0:2, 2:4] [0:2, 6:8]"}},
    {"sections of another sum",
     RESHARD_LAYOUT_DDP,
     1,
     1,
     2,
     0,
     {8, 1},
     {.pattern = "w",
      .tensor = {RESHARD_HOW_CUT, 0},
      .section = (const uint64_t[]){4, 2},
      .section_count = 2},
     {NULL}},
    {"the rows of a column's flat interval",
     RESHARD_LAYOUT_FSDP1,
     2,
     1,
     2,
     0,
     {3, 6},
     {.pattern = "w", .tensor = {RESHARD_HOW_CUT, 1}},
     {"[0:1, 0:3] [1:2, 0:2]", "[0:1, 3:6] [1:2, 3:5]", "[1:2, 2:3] [2:3, 0:3]",
      "[1:2, 5:6] [2:3, 3:6]"}},
};

START_TEST(known_cuts_of_a_matrix_give_known_boxes)
{
    const struct reshard_layout_options options = {.kind = matrices[_i].kind,
                                                   .shard = matrices[_i].shard,
                                                   .expert = matrices[_i].expert,
                                                   .tensor = matrices[_i].tensor,
                                                   .dim = matrices[_i].dim,
                                                   .rule = &matrices[_i].rule,
                                                   .rule_count = 1};
    struct known known;

    printf("%s\n", matrices[_i].what);
    ck_assert_int_eq(open_known(&known, &options, 2, matrices[_i].size),
                     matrices[_i].boxes[0] ? RESHARD_OK : RESHARD_EINVAL);
    ck_assert_int_eq(oracle_accepts(known.model, &options), matrices[_i].boxes[0] != NULL);
    for (uint64_t h = 0; h < 8 && matrices[_i].boxes[h]; h++)
        check_printed(known.layout, 0, h, matrices[_i].boxes[h]);
    close_known(&known);
}
END_TEST

/* Two units of three, and what stands before, between and after them. */
START_TEST(stages_are_units_in_chunks_and_what_follows_them)
{
    static const struct {
        const char *fqn, *unit;
        uint64_t stage;
    } tensors[] = {{"embed", "", 0},   {"a.w", "a", 0}, {"b.w", "b", 0},
                   {"between", "", 0}, {"c.w", "c", 1}, {"a.late", "a", 0},
                   {"d.w", "d", 1},    {"e.w", "e", 2}, {"norm", "", 2}};
    const struct reshard_layout_options options = {.kind = RESHARD_LAYOUT_DDP, .pipeline = 3};
    struct reshard_layout *layout;
    struct reshard_model *model;

    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    for (uint32_t t = 0; t < 9; t++)
        oracle_add(model, tensors[t].fqn, tensors[t].unit, RESHARD_DTYPE_F32, 1,
                   (const uint64_t[]){4});
    ck_assert_int_eq(reshard_layout_open(&layout, model, &options, NULL), RESHARD_OK);
    for (uint32_t t = 0; t < 9; t++)
        for (uint64_t h = 0; h < 3; h++)
            check_printed(layout, t, h, h == tensors[t].stage ? "[0:4]" : "");
    reshard_layout_close(layout);
    reshard_model_close(model);
}
END_TEST

START_TEST(experts_are_dealt_out_by_the_number_in_their_name)
{
    const struct reshard_rule rule = {.pattern = "*.experts.{i}.*", .expert = {RESHARD_HOW_OF, 6}};
    const struct reshard_layout_options options = {
        .kind = RESHARD_LAYOUT_DDP, .expert = 4, .rule = &rule, .rule_count = 1};
    struct reshard_layout *layout;
    struct reshard_model *model;
    char name[64];

    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    for (int i = 0; i < 6; i++) {
        (void)snprintf(name, sizeof name, "h.12.experts.%d.up", i);
        oracle_add(model, name, "", RESHARD_DTYPE_F32, 1, (const uint64_t[]){4});
    }
    ck_assert_int_eq(reshard_layout_open(&layout, model, &options, NULL), RESHARD_OK);
    for (uint32_t t = 0; t < 6; t++)
        for (uint64_t h = 0; h < 4; h++) /* chunks of 2: the last coordinate has none */
            check_printed(layout, t, h, h == t / 2 ? "[0:4]" : "");
    reshard_layout_close(layout);
    oracle_add(model, "h.12.experts.6.up", "", RESHARD_DTYPE_F32, 1, (const uint64_t[]){4});
    ck_assert_int_eq(reshard_layout_open(&layout, model, &options, NULL), RESHARD_EINVAL);
    reshard_model_close(model);
}
END_TEST

START_TEST(a_named_coordinate_owns_whatever_the_balance)
{
    struct reshard_layout_options options = {
        .kind = RESHARD_LAYOUT_FSDP2, .replicate = 2, .shard = 3};
    struct reshard_layout *layout;
    struct reshard_model *model;

    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    oracle_add(model, "a", "", RESHARD_DTYPE_F32, 2, (const uint64_t[]){5, 4});
    oracle_add(model, "b", "", RESHARD_DTYPE_F32, 2, (const uint64_t[]){5, 4});
    for (options.owner = 0; options.owner < 3; options.owner++) {
        ck_assert_int_eq(reshard_layout_open(&layout, model, &options, NULL), RESHARD_OK);
        for (uint32_t t = 0; t < 2; t++)
            for (uint64_t s = 0; s < 3; s++)
                ck_assert_uint_eq(reshard_layout_owner(layout, t, s),
                                  3 * (options.owner ? options.owner - 1 : t) + s);
        reshard_layout_close(layout);
    }
    ck_assert_int_eq(reshard_layout_open(&layout, model, &options, NULL), RESHARD_EINVAL);
    reshard_model_close(model);
}
END_TEST

/* By what the ranks without boxes cost, it took gigabytes. */
START_TEST(ranks_that_are_given_no_boxes_cost_nothing)
{
    const struct reshard_rank_box box = {RESHARD_MESH_RANKS_MAX - 1, {1, {0}, {8}}};
    const struct reshard_rule rule = {.pattern = "*", .box = &box, .box_count = 1};
    const struct reshard_layout_options options = {.kind = RESHARD_LAYOUT_BOXES,
                                                   .replicate = RESHARD_MESH_RANKS_MAX,
                                                   .rule = &rule,
                                                   .rule_count = 1};
    const struct reshard_shape shape = {1, {8}};
    struct reshard_layout *layout;
    struct reshard_model *model;
    char name[32];

    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    for (int i = 0; i < 400; i++) {
        (void)snprintf(name, sizeof name, "t%d", i);
        ck_assert_int_eq(reshard_model_add(model, name, "", RESHARD_DTYPE_F32, &shape, NULL),
                         RESHARD_OK);
    }
    ck_assert_int_eq(reshard_layout_open(&layout, model, &options, NULL), RESHARD_OK);
    ck_assert_uint_eq(reshard_layout_shard_of(layout, 399, 0), RESHARD_SHARD_NONE);
    ck_assert_uint_eq(reshard_layout_owner(layout, 399, 0), RESHARD_MESH_RANKS_MAX - 1);
    reshard_layout_close(layout);
    reshard_model_close(model);
}
END_TEST

START_TEST(idle_ranks_have_rows_of_their_own_and_nothing_else)
{
    const struct reshard_layout_options options = {
        .kind = RESHARD_LAYOUT_FSDP2, .world = 3, .shard = 2};
    const struct reshard_shape rows = {2, {3, 5}};
    struct known known;

    ck_assert_int_eq(open_known(&known, &options, 1, (const uint64_t[]){7}), RESHARD_OK);
    reshard_layout_close(known.layout);
    ck_assert_int_eq(reshard_model_add_role(known.model, "rng", "", RESHARD_DTYPE_U8, &rows,
                                            RESHARD_ROLE_PER_RANK, RESHARD_OTHER_WORLD_KEEP, NULL),
                     RESHARD_OK);
    ck_assert_int_eq(reshard_layout_open(&known.layout, known.model, &options, NULL), RESHARD_OK);
    ck_assert_uint_eq(reshard_layout_holders(known.layout), 3);
    check_printed(known.layout, 0, 1, "[4:7]");
    check_printed(known.layout, 0, 2, "");
    check_printed(known.layout, 1, 0, "[0:1, 0:5]");
    check_printed(known.layout, 1, 2, "[2:3, 0:5]");
    for (uint32_t t = 0; t < 2; t++) /* neither is flat */
        ck_assert(!reshard_layout_shard_info(known.layout, t, 1).in_shard);
    ck_assert_uint_eq(reshard_layout_shard_of(known.layout, 0, 2), RESHARD_SHARD_NONE);
    ck_assert(reshard_layout_is_owner(known.layout, 1, 2));
    close_known(&known);
}
END_TEST

START_TEST(intervals_are_cut_into_head_rows_and_tail)
{
    static const struct {
        struct reshard_shape shape;
        uint64_t begin, end;
        const char *boxes;
    } cuts[] = {
        {{2, {4, 6}}, 5, 19, "[0:1, 5:6] [1:3, 0:6] [3:4, 0:1]"},
        {{3, {3, 4, 5}}, 7, 50, "[0:1, 1:2, 2:5] [0:1, 2:4, 0:5] [1:2, 0:4, 0:5] [2:3, 0:2, 0:5]"},
    };

    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        struct reshard_box_list list = RESHARD_BOX_LIST_INIT;
        char text[512] = "", box[128];
        ck_assert_int_eq(
            reshard_box_from_interval(&cuts[i].shape, cuts[i].begin, cuts[i].end, &list),
            RESHARD_OK);
        for (uint64_t b = 0; b < list.count; b++)
            strcat(strcat(text, b ? " " : ""), reshard_box_print(&list.box[b], box, sizeof box));
        ck_assert_str_eq(text, cuts[i].boxes);
        reshard_box_list_release(&list);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("layout_rules");
    TCase *cases = tcase_create("layout_rules");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(cases, 100);
    tcase_add_test(cases, layouts_are_refused_when_the_rules_do_not_let_them_be_and_only_then);
    tcase_add_test(cases, every_holder_has_the_boxes_that_the_rules_say_where_they_say);
    tcase_add_test(cases, shards_and_replicas_number_the_holders);
    tcase_add_test(cases, every_element_is_in_one_shard);
    tcase_add_test(cases, owners_are_those_of_the_rule_of_fewest_bytes);
    tcase_add_test(cases, no_shard_that_has_elements_of_a_box_is_missed);
    tcase_add_test(cases, tensors_of_one_flat_parameter_have_its_number);
    tcase_add_loop_test(cases, known_cuts_of_a_matrix_give_known_boxes, 0,
                        (int)(sizeof matrices / sizeof *matrices));
    tcase_add_test(cases, stages_are_units_in_chunks_and_what_follows_them);
    tcase_add_test(cases, experts_are_dealt_out_by_the_number_in_their_name);
    tcase_add_test(cases, a_named_coordinate_owns_whatever_the_balance);
    tcase_add_test(cases, ranks_that_are_given_no_boxes_cost_nothing);
    tcase_add_test(cases, idle_ranks_have_rows_of_their_own_and_nothing_else);
    tcase_add_test(cases, intervals_are_cut_into_head_rows_and_tail);
    suite_add_tcase(suite, cases);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
