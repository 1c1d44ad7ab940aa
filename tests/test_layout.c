/*
 * Layouts. Goal: every rank's boxes are those of PyTorch's FSDP1, FSDP2 and HSDP, to the element,
 * and every element has exactly one owner. Method: the known answers of _shard_param_info and
 * torch.chunk, then thousands of random models, meshes and kinds against an oracle that lists the
 * entries of each flat parameter and the rows of each tensor one at a time.
 */
#include "core/layout.h"
#include "support/oracle.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* ---- torch.chunk ----------------------------------------------------------------------------- */

static const struct {
    uint64_t size, count;
    uint64_t begin[8], length[8];
} chunks[] = {
    {20, 8, {0, 3, 6, 9, 12, 15, 18, 20}, {3, 3, 3, 3, 3, 3, 2, 0}},
    {20, 3, {0, 7, 14}, {7, 7, 6}},
    {6, 4, {0, 2, 4, 6}, {2, 2, 2, 0}},
    {5, 4, {0, 2, 4, 5}, {2, 2, 1, 0}},
    {10, 8, {0, 2, 4, 6, 8, 10, 10, 10}, {2, 2, 2, 2, 2, 0, 0, 0}},
    {9, 4, {0, 3, 6, 9}, {3, 3, 3, 0}},
    {1, 4, {0, 1, 1, 1}, {1, 0, 0, 0}},
    {0, 4, {0, 0, 0, 0}, {0, 0, 0, 0}},
};

START_TEST(torch_chunk_gives_its_known_answers)
{
    for (uint64_t r = 0; r < chunks[_i].count; r++) {
        const struct reshard_chunk piece = reshard_chunk(chunks[_i].size, chunks[_i].count, r);
        ck_assert_uint_eq(piece.begin, chunks[_i].begin[r]);
        ck_assert_uint_eq(piece.end - piece.begin, chunks[_i].length[r]);
    }
}
END_TEST

START_TEST(torch_chunk_deals_out_chunks_until_none_are_left)
{
    for (uint64_t size = 0; size < 130; size++)
        for (uint64_t count = 1; count < 40; count++) {
            uint64_t chunk = 0, left = size;
            while (chunk * count < size)
                chunk++;
            for (uint64_t r = 0; r < count; r++) {
                const struct reshard_chunk piece = reshard_chunk(size, count, r);
                const uint64_t length = left < chunk ? left : chunk;
                ORACLE_ASSERT(piece.begin == size - left && piece.end == size - left + length);
                left -= length;
            }
            ck_assert_uint_eq(left, 0);
        }
}
END_TEST

START_TEST(torch_chunk_does_not_overflow)
{
    struct test_random random = test_random_start("chunks of any size", 1);

    for (int round = 0; round < 100000; round++) {
        const uint64_t size = test_random_next(&random) >> (1 + test_random_below(&random, 63));
        const uint64_t count =
            1 + (test_random_next(&random) >> (33 + test_random_below(&random, 31)));
        const uint64_t r = test_random_below(&random, count);
        const unsigned __int128 chunk = ((unsigned __int128)size + count - 1) / count;
        const unsigned __int128 begin = chunk * r < size ? chunk * r : size;
        const unsigned __int128 end = chunk * (r + 1) < size ? chunk * (r + 1) : size;
        const struct reshard_chunk piece = reshard_chunk(size, count, r);
        ORACLE_ASSERT(piece.begin == begin && piece.end == end);
    }
}
END_TEST

/* ---- FSDP1's known answers ------------------------------------------------------------------- */

enum { RANKS_MAX = 8, PARAMETERS_MAX = 3 };

/* offset in the shard, elements, begin and inclusive end in the tensor, as PyTorch has it */
struct known_info {
    uint64_t offset, count;
    int64_t begin, end;
};

static const struct {
    const char *name;
    uint64_t numel[PARAMETERS_MAX];
    uint64_t parameters, shard;
    bool orig_params;
    enum reshard_dtype forward;
    uint64_t total, shard_count;
    /* by rank and parameter; those whose `present` bit is clear are in no shard of that rank */
    unsigned present[RANKS_MAX];
    struct known_info info[RANKS_MAX][PARAMETERS_MAX];
} known[] = {
    {"Linear(4,4) on 3",
     {16, 4},
     2,
     3,
     false,
     RESHARD_DTYPE_NONE,
     20,
     7,
     {1, 1, 3},
     {{{0, 7, 0, 6}}, {{0, 7, 7, 13}}, {{0, 2, 14, 15}, {2, 4, 0, 3}}}},
    {"Linear(4,4) on 8",
     {16, 4},
     2,
     8,
     false,
     RESHARD_DTYPE_NONE,
     20,
     3,
     {1, 1, 1, 1, 1, 3, 2, 0},
     {{{0, 3, 0, 2}},
      {{0, 3, 3, 5}},
      {{0, 3, 6, 8}},
      {{0, 3, 9, 11}},
      {{0, 3, 12, 14}},
      {{0, 1, 15, 15}, {1, 2, 0, 1}},
      {{0, 0, 0, 0}, {0, 2, 2, 3}}}},
    {"Linear(4,4) on 8 with orig_params",
     {16, 4},
     2,
     8,
     true,
     RESHARD_DTYPE_F32,
     24,
     3,
     {1, 1, 1, 1, 1, 3, 2, 0},
     {{{0, 3, 0, 2}},
      {{0, 3, 3, 5}},
      {{0, 3, 6, 8}},
      {{0, 3, 9, 11}},
      {{0, 3, 12, 14}},
      {{0, 1, 15, 15}, {1, 2, 0, 1}},
      {{0, 0, 0, 0}, {0, 2, 2, 3}}}},
    {"5,3,7 on 4 with orig_params",
     {5, 3, 7},
     3,
     4,
     true,
     RESHARD_DTYPE_F32,
     20,
     5,
     {1, 2, 6, 4},
     {{{0, 5, 0, 4}},
      {{0, 0, 0, 0}, {3, 2, 0, 1}},
      {{0, 0, 0, 0}, {0, 1, 2, 2}, {2, 3, 0, 2}},
      {{0, 0, 0, 0}, {0, 0, 0, 0}, {0, 4, 3, 6}}}},
    {"5,3,7 on 4 with orig_params, forward in bf16",
     {5, 3, 7},
     3,
     4,
     true,
     RESHARD_DTYPE_BF16,
     24,
     6,
     {1, 2, 4, 4},
     {{{0, 5, 0, 4}},
      {{0, 0, 0, 0}, {2, 3, 0, 2}},
      {{0, 0, 0, 0}, {0, 0, 0, 0}, {4, 2, 0, 1}},
      {{0, 0, 0, 0}, {0, 0, 0, 0}, {0, 5, 2, 6}}}},
    {"nothing where a shard begins",
     {4, 0, 4},
     3,
     2,
     false,
     RESHARD_DTYPE_NONE,
     8,
     4,
     {1, 4},
     {{{0, 4, 0, 3}}, {{0, 0, 0, 0}, {0, 0, 0, 0}, {0, 4, 0, 3}}}},
    {"nothing within a shard",
     {3, 0, 5},
     3,
     2,
     false,
     RESHARD_DTYPE_NONE,
     8,
     4,
     {7, 4},
     {{{0, 3, 0, 2}, {3, 0, 0, -1}, {3, 1, 0, 0}}, {{0, 0, 0, 0}, {0, 0, 0, 0}, {0, 4, 1, 4}}}},
};

START_TEST(flat_shards_are_those_of_pytorch)
{
    const struct reshard_layout_options options = {.kind = RESHARD_LAYOUT_FSDP1,
                                                   .shard = known[_i].shard,
                                                   .orig_params = known[_i].orig_params,
                                                   .forward = known[_i].forward};
    static const char *const names[] = {"a", "b", "c"};
    struct reshard_layout *layout;
    struct reshard_model *model;

    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    for (uint64_t p = 0; p < known[_i].parameters; p++)
        oracle_add(model, names[p], "", RESHARD_DTYPE_F32, 1, &known[_i].numel[p]);
    ck_assert_int_eq(reshard_layout_open(&layout, model, &options, NULL), RESHARD_OK);
    ck_assert_uint_eq(reshard_layout_flat(layout, 0, NULL).total, known[_i].total);
    ck_assert_uint_eq(reshard_layout_flat(layout, 0, NULL).shard_count, known[_i].shard_count);
    ck_assert_int_eq(reshard_layout_flat(layout, 0, NULL).dtype, RESHARD_DTYPE_F32);
    for (uint64_t r = 0; r < known[_i].shard; r++)
        for (uint32_t p = 0; p < known[_i].parameters; p++) {
            const struct reshard_shard_info info = reshard_layout_shard_info(layout, p, r);
            const struct known_info *right = &known[_i].info[r][p];
            ck_assert_msg(info.in_shard == (known[_i].present[r] >> p & 1), "%s: rank %d, %s",
                          known[_i].name, (int)r, names[p]);
            if (!info.in_shard)
                continue;
            ck_assert_uint_eq(info.offset, right->offset);
            ck_assert_uint_eq(info.end - info.begin, right->count);
            ck_assert_int_eq((int64_t)info.begin, right->begin);
            ck_assert_int_eq((int64_t)info.end - 1, right->end);
        }
    reshard_layout_close(layout);
    reshard_model_close(model);
}
END_TEST

/* ---- other known answers --------------------------------------------------------------------- */

/* The holder's boxes of tensor 0 of that shape, printed. */
static void check_boxes(const struct reshard_layout_options *options, struct reshard_shape shape,
                        uint64_t holder, const char *expected)
{
    struct reshard_box_list list = RESHARD_BOX_LIST_INIT;
    struct reshard_layout *layout;
    struct reshard_model *model;
    char text[1024] = "", box[128];

    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    oracle_add(model, "w", "", RESHARD_DTYPE_F32, shape.ndim, shape.size);
    ck_assert_int_eq(reshard_layout_open(&layout, model, options, NULL), RESHARD_OK);
    ck_assert_int_eq(reshard_layout_boxes(layout, 0, holder, &list), RESHARD_OK);
    for (uint64_t i = 0; i < list.count; i++)
        strcat(strcat(text, i ? " " : ""), reshard_box_print(&list.box[i], box, sizeof box));
    ck_assert_str_eq(text, expected);
    reshard_box_list_release(&list);
    reshard_layout_close(layout);
    reshard_model_close(model);
}

START_TEST(known_meshes_give_known_boxes)
{
    const struct reshard_layout_options hsdp = {
        .kind = RESHARD_LAYOUT_FSDP2, .replicate = 2, .shard = 3};
    const struct reshard_layout_options two = {.kind = RESHARD_LAYOUT_FSDP2, .shard = 2};
    const struct reshard_layout_options flat = {.kind = RESHARD_LAYOUT_FSDP1, .shard = 8};
    const struct reshard_layout_options ddp = {.kind = RESHARD_LAYOUT_DDP, .replicate = 3};
    const struct reshard_shape five = {2, {5, 4}}, wide = {2, {1, 17}};
    const struct reshard_shape point = {0, {0}};
    static const char *const rows[] = {"[0:2, 0:4]", "[2:4, 0:4]", "[4:5, 0:4]"};

    for (uint64_t r = 0; r < 6; r++)
        check_boxes(&hsdp, five, r, rows[r % 3]);
    check_boxes(&two, wide, 0, "[0:1, 0:17]");
    check_boxes(&two, wide, 1, "[1:1, 0:17]"); /* DCP's standard place of an empty shard */
    check_boxes(&two, point, 1, "[]");
    check_boxes(&flat, five, 1, "[0:1, 3:4] [1:2, 0:2]");
    check_boxes(&flat, five, 5, "[3:4, 3:4] [4:5, 0:2]");
    check_boxes(&flat, five, 6, "[4:5, 2:4]");
    check_boxes(&flat, five, 7, "");
    check_boxes(&flat, point, 0, "[]");
    check_boxes(&flat, point, 1, "");
    check_boxes(&ddp, five, 2, "[0:5, 0:4]");
}
END_TEST

START_TEST(replicas_take_turns_to_write)
{
    const struct reshard_layout_options hsdp = {
        .kind = RESHARD_LAYOUT_FSDP2, .replicate = 2, .shard = 3};
    struct reshard_layout *layout;
    struct reshard_model *model;

    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    oracle_add(model, "a", "", RESHARD_DTYPE_F32, 2, (const uint64_t[]){5, 4});
    oracle_add(model, "b", "", RESHARD_DTYPE_F32, 2, (const uint64_t[]){5, 4});
    oracle_add(model, "c", "", RESHARD_DTYPE_F32, 0, NULL);
    ck_assert_int_eq(reshard_layout_open(&layout, model, &hsdp, NULL), RESHARD_OK);
    for (uint64_t s = 0; s < 3; s++) {
        ck_assert_uint_eq(reshard_layout_owner(layout, 0, s), s);
        ck_assert_uint_eq(reshard_layout_owner(layout, 1, s), 3 + s);
    }
    ck_assert_uint_eq(reshard_layout_owner(layout, 2, 0), 0);
    reshard_layout_close(layout);
    reshard_model_close(model);
}
END_TEST

/* ---- random layouts against the oracle ------------------------------------------------------- */

struct subject {
    struct reshard_model *model;
    struct reshard_layout *layout;
    struct reshard_layout_options options;
    uint64_t holders;
};

static void open_subject(struct subject *subject, struct test_random *random)
{
    static const enum reshard_dtype forwards[] = {RESHARD_DTYPE_NONE, RESHARD_DTYPE_BF16,
                                                  RESHARD_DTYPE_F32, RESHARD_DTYPE_F64,
                                                  RESHARD_DTYPE_F16};
    struct reshard_layout_options *options = &subject->options;
    struct reshard_error error = RESHARD_ERROR_INIT;

    *options = (struct reshard_layout_options){
        .kind = (enum reshard_layout_kind)test_random_below(random, 3),
        .replicate = test_random_below(random, 4),
    };
    if (options->kind != RESHARD_LAYOUT_DDP)
        options->shard = test_random_below(random, 10);
    if (options->kind == RESHARD_LAYOUT_FSDP1) {
        options->orig_params = test_random_below(random, 2);
        options->forward = forwards[test_random_below(random, 5)];
    }
    subject->model = oracle_model(random);
    ck_assert_msg(reshard_layout_open(&subject->layout, subject->model, options, &error) ==
                      RESHARD_OK,
                  "%s", error.text);
    subject->holders =
        (options->replicate ? options->replicate : 1) * (options->shard ? options->shard : 1);
    ck_assert_uint_eq(reshard_layout_holders(subject->layout), subject->holders);
    ck_assert_ptr_eq(reshard_layout_model(subject->layout), subject->model);
}

static void close_subject(struct subject *subject)
{
    reshard_layout_close(subject->layout);
    reshard_model_close(subject->model);
}

static void check_flat(const struct subject *subject, uint32_t t, uint64_t holder,
                       const struct oracle_places *places)
{
    const struct reshard_flat_info flat = reshard_layout_flat(subject->layout, t, NULL);
    const struct reshard_shard_info info = reshard_layout_shard_info(subject->layout, t, holder);
    uint64_t held = 0;

    ck_assert_uint_eq(flat.total, places->total);
    ck_assert_uint_eq(flat.shard_count, places->shard);
    for (uint64_t e = 0; e < places->count; e++) {
        const bool has = places->flat[e] != ORACLE_ABSENT;
        held += has;
        ORACLE_ASSERT(has == (info.in_shard && e >= info.begin && e < info.end));
        ORACLE_ASSERT(!has || places->flat[e] == info.offset + e - info.begin);
    }
    ck_assert_uint_eq(held, info.end - info.begin);
}

/* The boxes, walked, give exactly the elements and the places that the oracle gives. */
static void check_tensor(const struct subject *subject, uint32_t t, uint64_t holder)
{
    const struct reshard_tensor *tensor = reshard_model_tensor(subject->model, t);
    const struct reshard_box whole = reshard_box_whole(&tensor->shape);
    struct oracle_places places = oracle_places(subject->model, &subject->options, t, holder);
    struct reshard_box_list list = RESHARD_BOX_LIST_INIT;
    uint64_t next = 0;

    ck_assert_int_eq(reshard_layout_boxes(subject->layout, t, holder, &list), RESHARD_OK);
    for (uint64_t i = 0; i < list.count; i++) {
        struct oracle_walk walk = oracle_walk(&list.box[i]);
        ck_assert_uint_eq(list.box[i].ndim, tensor->shape.ndim);
        while (oracle_walk_next(&walk))
            ORACLE_ASSERT(places.packed[oracle_number(walk.index, &whole)] == next++);
    }
    ck_assert_uint_eq(next, places.held);
    ck_assert_uint_eq(reshard_layout_local_count(subject->layout, t, holder), places.held);
    ck_assert_int_eq(reshard_layout_is_flat(subject->layout, t), places.is_flat);
    if (places.is_flat)
        check_flat(subject, t, holder, &places);
    reshard_box_list_release(&list);
    oracle_places_release(&places);
}

enum { ROUNDS = 1000 };

START_TEST(every_holder_has_what_the_rules_say_where_they_say)
{
    struct test_random random = test_random_start("who holds what", 2);

    for (int round = 0; round < ROUNDS; round++) {
        struct subject subject;
        open_subject(&subject, &random);
        for (uint32_t t = 0; t < reshard_model_tensor_count(subject.model); t++)
            for (uint64_t holder = 0; holder < subject.holders; holder++)
                check_tensor(&subject, t, holder);
        close_subject(&subject);
    }
}
END_TEST

/* Once by the replicas of each number; a replica's number and a shard name one holder. */
static void check_replicas(const struct subject *subject, uint32_t t)
{
    const uint64_t shards = reshard_layout_shards(subject->layout, t);
    const uint64_t sets = subject->holders / shards;
    const uint64_t count = reshard_model_tensor(subject->model, t)->count;
    unsigned char *times = calloc(sets * count + 1, 1);

    ck_assert_ptr_nonnull(times);
    ck_assert_uint_eq(shards * sets, subject->holders);
    for (uint64_t holder = 0; holder < subject->holders; holder++) {
        struct oracle_places places = oracle_places(subject->model, &subject->options, t, holder);
        const uint64_t set = reshard_layout_replica_of(subject->layout, t, holder);
        const uint64_t shard = reshard_layout_shard_of(subject->layout, t, holder);
        ck_assert_uint_lt(set, sets);
        ck_assert_uint_lt(shard, shards);
        ck_assert_uint_eq(set * shards + shard, holder);
        ck_assert_uint_eq(reshard_layout_holder(subject->layout, t, shard, set), holder);
        ck_assert_uint_eq(reshard_layout_replicas(subject->layout, t, shard), sets);
        for (uint64_t e = 0; e < count; e++)
            if (places.packed[e] != ORACLE_ABSENT)
                times[set * count + e]++;
        oracle_places_release(&places);
    }
    for (uint64_t i = 0; i < sets * count; i++)
        ORACLE_ASSERT(times[i] == 1);
    free(times);
}

START_TEST(every_element_is_held_once_by_the_replicas_of_each_number)
{
    struct test_random random = test_random_start("replica sets", 3);

    for (int round = 0; round < ROUNDS; round++) {
        struct subject subject;
        open_subject(&subject, &random);
        for (uint32_t t = 0; t < reshard_model_tensor_count(subject.model); t++)
            check_replicas(&subject, t);
        close_subject(&subject);
    }
}
END_TEST

static void check_owners(const struct subject *subject)
{
    const uint32_t tensors = reshard_model_tensor_count(subject->model);
    const uint64_t holders = subject->holders;
    struct oracle_places *places = calloc(tensors * holders + 1, sizeof *places);
    bool *owner;

    ck_assert_ptr_nonnull(places);
    for (uint64_t i = 0; i < tensors * holders; i++)
        places[i] =
            oracle_places(subject->model, &subject->options, (uint32_t)(i / holders), i % holders);
    owner = oracle_owners(subject->model, &subject->options, places);
    for (uint64_t i = 0; i < tensors * holders; i++) {
        ORACLE_ASSERT(reshard_layout_is_owner(subject->layout, (uint32_t)(i / holders),
                                              i % holders) == owner[i]);
        oracle_places_release(&places[i]);
    }
    free(places);
    free(owner);
}

START_TEST(every_shard_has_one_owner_by_the_rule)
{
    struct test_random random = test_random_start("owners", 4);

    for (int round = 0; round < ROUNDS; round++) {
        struct subject subject;
        open_subject(&subject, &random);
        check_owners(&subject);
        close_subject(&subject);
    }
}
END_TEST

/* Equal parameters, replicated: no rank has more than one parameter above another. */
START_TEST(owners_are_balanced)
{
    for (uint64_t replicate = 1; replicate < 9; replicate++) {
        const struct reshard_layout_options kinds[] = {
            {.kind = RESHARD_LAYOUT_DDP, .replicate = replicate},
            {.kind = RESHARD_LAYOUT_FSDP2, .replicate = replicate, .shard = 4},
            {.kind = RESHARD_LAYOUT_FSDP1, .replicate = replicate, .shard = 4}};
        struct reshard_model *model;
        char name[16];
        ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
        for (int p = 0; p < 30; p++) {
            (void)snprintf(name, sizeof name, "p%d", p);
            oracle_add(model, name, "", RESHARD_DTYPE_F32, 2, (const uint64_t[]){8, 4});
        }
        for (int k = 0; k < 3; k++) {
            uint64_t sets[8] = {0}, least = UINT64_MAX, most = 0;
            struct reshard_layout *layout;
            ck_assert_int_eq(reshard_layout_open(&layout, model, &kinds[k], NULL), RESHARD_OK);
            for (uint32_t t = 0; t < 30; t++)
                sets[reshard_layout_owner(layout, t, 0) / reshard_layout_shards(layout, t)]++;
            for (uint64_t r = 0; r < replicate; r++) {
                least = sets[r] < least ? sets[r] : least;
                most = sets[r] > most ? sets[r] : most;
            }
            ck_assert_uint_le(most - least, 1);
            reshard_layout_close(layout);
        }
        reshard_model_close(model);
    }
}
END_TEST

/* Shards outside the answer must hold nothing of the box; the first and last in it hold some, or
 * could for the rows or entries between (so that the answer is not simply everything). */
static void check_overlap(const struct subject *subject, uint32_t t, const struct reshard_box *box)
{
    const struct reshard_box whole =
        reshard_box_whole(&reshard_model_tensor(subject->model, t)->shape);
    const uint64_t shards = reshard_layout_shards(subject->layout, t);
    struct reshard_shard_list list = RESHARD_SHARD_LIST_INIT;
    uint64_t first = UINT64_MAX, last = 0;
    unsigned char *listed = calloc(shards, 1);

    ck_assert_ptr_nonnull(listed);
    ck_assert_int_eq(reshard_layout_overlap(subject->layout, t, box, &list), RESHARD_OK);
    for (uint64_t i = 0; i < list.count; i++) {
        ck_assert_uint_lt(list.shard[i], shards);
        ck_assert_uint_eq(listed[list.shard[i]]++, 0);
        first = list.shard[i] < first ? list.shard[i] : first;
        last = list.shard[i] > last ? list.shard[i] : last;
    }
    for (uint64_t s = 0; s < shards; s++) {
        struct oracle_places places = oracle_places(subject->model, &subject->options, t, s);
        struct oracle_walk walk = oracle_walk(box);
        bool has = false;
        while (!has && oracle_walk_next(&walk))
            has = places.packed[oracle_number(walk.index, &whole)] != ORACLE_ABSENT;
        ORACLE_ASSERT(!has || listed[s]);
        ORACLE_ASSERT(has || list.count == 0 || (s != first && s != last));
        oracle_places_release(&places);
    }
    reshard_shard_list_release(&list);
    free(listed);
}

START_TEST(no_shard_that_holds_elements_of_a_box_is_missed)
{
    struct test_random random = test_random_start("overlaps", 5);

    for (int round = 0; round < ROUNDS; round++) {
        struct subject subject;
        open_subject(&subject, &random);
        for (uint32_t t = 0; t < reshard_model_tensor_count(subject.model); t++) {
            const struct reshard_shape *shape = &reshard_model_tensor(subject.model, t)->shape;
            const struct reshard_box whole = reshard_box_whole(shape);
            check_overlap(&subject, t, &whole);
            for (int i = 0; i < 3; i++) {
                const struct reshard_box box = oracle_box(&random, shape);
                check_overlap(&subject, t, &box);
            }
        }
        close_subject(&subject);
    }
}
END_TEST

/* Shapes of real models, where counting is out of reach: ranks' shares add up and follow on. */
START_TEST(shares_of_huge_tensors_add_up)
{
    const struct reshard_layout_options kinds[] = {
        {.kind = RESHARD_LAYOUT_FSDP1, .shard = 16384},
        {.kind = RESHARD_LAYOUT_FSDP1, .shard = 12345, .orig_params = true},
        {.kind = RESHARD_LAYOUT_FSDP2, .shard = 16383}};
    struct reshard_model *model;

    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    oracle_add(model, "embedding", "", RESHARD_DTYPE_BF16, 2, (const uint64_t[]){128256, 16384});
    oracle_add(model, "odd", "", RESHARD_DTYPE_BF16, 2, (const uint64_t[]){1000003, 999983});
    oracle_add(model, "long", "long", RESHARD_DTYPE_BF16, 1,
               (const uint64_t[]){(UINT64_C(1) << 58) - 3});
    for (int k = 0; k < 3; k++) {
        struct reshard_layout *layout;
        ck_assert_int_eq(reshard_layout_open(&layout, model, &kinds[k], NULL), RESHARD_OK);
        for (uint32_t t = 0; t < 3; t++) {
            uint64_t sum = 0;
            for (uint64_t holder = 0; holder < kinds[k].shard; holder++)
                sum += reshard_layout_local_count(layout, t, holder);
            ck_assert_uint_eq(sum, reshard_model_tensor(model, t)->count);
        }
        reshard_layout_close(layout);
    }
    reshard_model_close(model);
}
END_TEST

/* ---- options --------------------------------------------------------------------------------- */

/* Rules that match no tensor, and still are what a manifest must say. */
#define RULE(...)                                                                                  \
    {                                                                                              \
        .rule_count = 1, .rule = &(const struct reshard_rule)                                      \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define BOX(...)                                                                                   \
    RULE(.pattern = "a", .box_count = 1, .box = &(const struct reshard_rank_box){__VA_ARGS__})
#define TOO_LARGE UINT64_C(9223372036854775808)

static const struct {
    struct reshard_layout_options options;
    const char *message;
} wrong[] = {
    {RULE(.pattern = "a{i}", .expert = {RESHARD_HOW_OF, TOO_LARGE}),
     "rule 'a{i}': expert has 9223372036854775808; numbers must be below 2^63"},
    {RULE(.pattern = "a", .pipeline = {RESHARD_HOW_AT, TOO_LARGE}),
     "rule 'a': pipeline has 9223372036854775808; numbers must be below 2^63"},
    {RULE(.pattern = "a", .section_count = 2, .section = (const uint64_t[]){2, TOO_LARGE}),
     "rule 'a': section 1 has size 9223372036854775808; it must be at least 1, and below 2^63"},
    {RULE(.pattern = "a\xe9", .shard = {RESHARD_HOW_WHOLE, 0}),
     "'a\xe9' is no pattern: it must be UTF-8 and not empty, and may have {i} once and * up to 8 "
     "times"},
    {BOX(TOO_LARGE, {1, {0}, {1}}),
     "rule 'a': box 0 has more than 8 dimensions, or a number that is not below 2^63"},
    {BOX(0, {1, {0}, {TOO_LARGE}}),
     "rule 'a': box 0 has more than 8 dimensions, or a number that is not below 2^63"},
    {BOX(0, {9, {0}, {1}}),
     "rule 'a': box 0 has more than 8 dimensions, or a number that is not below 2^63"},
    {{.kind = (enum reshard_layout_kind)4}, "unknown kind of layout 4"},
    {{.kind = RESHARD_LAYOUT_DDP, .replicate = 2, .shard = 2},
     "a ddp layout shards nothing, but its mesh has shard: 2"},
    {{.kind = RESHARD_LAYOUT_FSDP2, .orig_params = true},
     "orig_params and forward are for fsdp1; this layout is fsdp2"},
    {{.kind = RESHARD_LAYOUT_DDP, .forward = RESHARD_DTYPE_BF16},
     "orig_params and forward are for fsdp1; this layout is ddp"},
    {{.kind = RESHARD_LAYOUT_FSDP1, .forward = RESHARD_DTYPE_I32},
     "forward must be f64, f32, f16 or bf16, not i32"},
    {{.kind = RESHARD_LAYOUT_FSDP1, .forward = RESHARD_DTYPE_F8_E4M3FN},
     "forward must be f64, f32, f16 or bf16, not f8_e4m3fn"},
    {{.kind = RESHARD_LAYOUT_FSDP2, .shard = UINT64_C(1) << 31},
     "a mesh of pipeline 1, replicate 1, shard 2147483648, expert 1, tensor 1 in a world of 0 "
     "ranks is too large; at most 1048576 ranks are supported"},
    {{.kind = RESHARD_LAYOUT_FSDP2, .replicate = 1 << 16, .shard = 1 << 15},
     "a mesh of pipeline 1, replicate 65536, shard 32768, expert 1, tensor 1 in a world of 0 "
     "ranks is too large; at most 1048576 ranks are supported"},
    {{.kind = RESHARD_LAYOUT_FSDP2, .replicate = UINT64_MAX, .shard = UINT64_MAX},
     "a mesh of pipeline 1, replicate 18446744073709551615, shard 18446744073709551615, expert 1, "
     "tensor 1 in a world of 0 ranks is too large; at most 1048576 ranks are supported"},
};

START_TEST(options_that_cannot_be_meant_are_refused)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_layout *layout = (struct reshard_layout *)&error;
    struct reshard_model *model;

    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    ck_assert_int_eq(reshard_layout_open(&layout, model, &wrong[_i].options, &error),
                     RESHARD_EINVAL);
    ck_assert_ptr_null(layout);
    ck_assert_str_eq(error.text, wrong[_i].message);
    reshard_layout_close(layout);
    reshard_model_close(model);
}
END_TEST

START_TEST(a_flat_parameter_has_one_dtype)
{
    const struct reshard_layout_options flat = {.kind = RESHARD_LAYOUT_FSDP1, .shard = 2};
    const struct reshard_layout_options rows = {.kind = RESHARD_LAYOUT_FSDP2, .shard = 2};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_layout *layout;
    struct reshard_model *model;

    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    oracle_add(model, "ids", "u", RESHARD_DTYPE_I64, 1, (const uint64_t[]){4});
    oracle_add(model, "a", "u", RESHARD_DTYPE_F32, 1, (const uint64_t[]){4});
    oracle_add(model, "b", "u", RESHARD_DTYPE_BF16, 1, (const uint64_t[]){4});
    ck_assert_int_eq(reshard_layout_open(&layout, model, &flat, &error), RESHARD_EINVAL);
    ck_assert_str_eq(error.text, "fsdp1 cannot flatten unit 'u': 'a' is f32 and 'b' is bf16; a "
                                 "flat parameter has one dtype (put them into different units)");
    ck_assert_int_eq(reshard_layout_open(&layout, model, &rows, NULL), RESHARD_OK);
    reshard_layout_close(layout);
    reshard_model_close(model);
}
END_TEST

START_TEST(a_unit_too_large_to_flatten_is_refused)
{
    const struct reshard_layout_options flat = {.kind = RESHARD_LAYOUT_FSDP1, .shard = 2};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_layout *layout;
    struct reshard_model *model;

    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    oracle_add(model, "a", "", RESHARD_DTYPE_BF16, 1, (const uint64_t[]){UINT64_C(1) << 61});
    ck_assert_int_eq(reshard_layout_open(&layout, model, &flat, &error), RESHARD_EOVERFLOW);
    ck_assert_str_eq(error.text, "unit '' is too large to flatten");
    reshard_model_close(model);
}
END_TEST

START_TEST(kinds_are_known_by_name)
{
    enum reshard_layout_kind kind = RESHARD_LAYOUT_DDP;

    for (int k = RESHARD_LAYOUT_FSDP1; k <= RESHARD_LAYOUT_BOXES; k++) {
        const char *name = reshard_layout_kind_name((enum reshard_layout_kind)k);
        ck_assert(reshard_layout_kind_from_name(name, &kind));
        ck_assert_int_eq(kind, k);
    }
    ck_assert_str_eq(reshard_layout_kind_name(RESHARD_LAYOUT_FSDP1), "fsdp1");
    ck_assert(!reshard_layout_kind_from_name("FSDP1", &kind));
    ck_assert(!reshard_layout_kind_from_name("", &kind));
    ck_assert(!reshard_layout_kind_from_name("fsdp", &kind));
    ck_assert(!reshard_layout_kind_from_name("fsdp22", &kind));
}
END_TEST

START_TEST(options_left_out_mean_one)
{
    const struct reshard_layout_options none = {.kind = RESHARD_LAYOUT_FSDP2};
    struct reshard_layout *layout;
    struct reshard_model *model;

    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    ck_assert_int_eq(reshard_layout_open(&layout, model, &none, NULL), RESHARD_OK);
    ck_assert_uint_eq(reshard_layout_holders(layout), 1);
    ck_assert_uint_eq(reshard_layout_options(layout)->shard, 1);
    ck_assert_uint_eq(reshard_layout_options(layout)->replicate, 1);
    reshard_layout_close(layout);
    reshard_layout_close(NULL);
    reshard_model_close(model);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("layout");
    TCase *cases = tcase_create("layout");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, torch_chunk_gives_its_known_answers, 0,
                        (int)(sizeof chunks / sizeof *chunks));
    tcase_add_test(cases, torch_chunk_deals_out_chunks_until_none_are_left);
    tcase_add_test(cases, torch_chunk_does_not_overflow);
    tcase_add_loop_test(cases, flat_shards_are_those_of_pytorch, 0,
                        (int)(sizeof known / sizeof *known));
    tcase_add_test(cases, known_meshes_give_known_boxes);
    tcase_add_test(cases, replicas_take_turns_to_write);
    tcase_add_test(cases, every_holder_has_what_the_rules_say_where_they_say);
    tcase_add_test(cases, every_element_is_held_once_by_the_replicas_of_each_number);
    tcase_add_test(cases, every_shard_has_one_owner_by_the_rule);
    tcase_add_test(cases, owners_are_balanced);
    tcase_add_test(cases, no_shard_that_holds_elements_of_a_box_is_missed);
    tcase_add_test(cases, shares_of_huge_tensors_add_up);
    tcase_add_loop_test(cases, options_that_cannot_be_meant_are_refused, 0,
                        (int)(sizeof wrong / sizeof *wrong));
    tcase_add_test(cases, a_flat_parameter_has_one_dtype);
    tcase_add_test(cases, a_unit_too_large_to_flatten_is_refused);
    tcase_add_test(cases, kinds_are_known_by_name);
    tcase_add_test(cases, options_left_out_mean_one);
    suite_add_tcase(suite, cases);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
