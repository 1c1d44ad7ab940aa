/*
 * Slots of a shape of their own: FORMAT.md section 4, rule 9. Goal: what a rank has of a state that
 * is one element for a row, a column or a block of its parameter is what the rule says, and who
 * writes it. Method: answers worked out by hand, which engine and oracle must both give; random
 * ones are in test_layout.c and test_layout_rules.c.
 */
#include "core/layout.h"
#include "support/oracle.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_MAX = 4, RANKS_MAX = 8 };

/* A slot of "w", and the boxes that each rank has of it. */
struct known_slot {
    enum reshard_slot_class slot_class;
    uint64_t block;
    bool keeps;
    const char *boxes[RANKS_MAX];
};

/* A parameter "w" of f32 with those slots, and a bias of so many elements after it in its unit. */
struct known {
    const char *what;
    struct reshard_layout_options options;
    struct reshard_shape shape;
    uint64_t bias;
    struct known_slot slot[SLOTS_MAX];
};

#define ALL(text)                                                                                  \
    {                                                                                              \
        text, text, text, text, text, text, text, text                                             \
    }
#define ROW RESHARD_CLASS_ROW, 0, false
#define ROW_KEPT RESHARD_CLASS_ROW, 0, true
#define COLUMN RESHARD_CLASS_COLUMN, 0, false
#define COLUMN_KEPT RESHARD_CLASS_COLUMN, 0, true
#define BLOCKS(elements) RESHARD_CLASS_BLOCKWISE, elements, false
#define OPAQUE RESHARD_CLASS_OPAQUE, 0, false
#define RULE(...)                                                                                  \
    .rule_count = 1, .rule = &(const struct reshard_rule)                                          \
    {                                                                                              \
        .pattern = "w", __VA_ARGS__                                                                \
    }
#define CUT(dimension)                                                                             \
    {                                                                                              \
        RESHARD_HOW_CUT, dimension                                                                 \
    }
#define SECTIONS(count, ...) .section = (const uint64_t[]){__VA_ARGS__}, .section_count = count

static const struct known known[] = {
    /* 20 entries in shards of 7: elements 0 to 6, 7 to 13, 14 and 15; rows begin at 0, 4, 8, 12 */
    {"Linear(4,4), flat on 3",
     {.kind = RESHARD_LAYOUT_FSDP1, .shard = 3},
     {2, {4, 4}},
     4,
     {{ROW, {"[0:2]", "[2:4]", ""}},
      {ROW_KEPT, {"[0:2, 0:1]", "[2:4, 0:1]", ""}},
      {COLUMN_KEPT, ALL("[0:1, 0:4]")},
      {BLOCKS(3), {"[0:3]", "[3:5]", "[5:6]"}}}},
    {"Linear(4,4), flat on 3, in other blocks",
     {.kind = RESHARD_LAYOUT_FSDP1, .shard = 3},
     {2, {4, 4}},
     4,
     {{BLOCKS(16), {"[0:1]", "", ""}},
      {BLOCKS(17), {"[0:1]", "", ""}},
      {BLOCKS(5), {"[0:2]", "[2:3]", "[3:4]"}},
      {BLOCKS(1), {"[0:7]", "[7:14]", "[14:16]"}}}},
    /* shards of 3: rows begin in the first three of them and in the fifth */
    {"Linear(4,4), flat on 8",
     {.kind = RESHARD_LAYOUT_FSDP1, .shard = 8},
     {2, {4, 4}},
     4,
     {{ROW, {"[0:1]", "[1:2]", "[2:3]", "", "[3:4]", "", "", ""}},
      {COLUMN, ALL("[0:4]")},
      {BLOCKS(2), {"[0:2]", "[2:3]", "[3:5]", "[5:6]", "[6:8]", "", "", ""}},
      {OPAQUE, ALL("[0:5]")}}},
    {"(5,7), flat on 3",
     {.kind = RESHARD_LAYOUT_FSDP1, .shard = 3},
     {2, {5, 7}},
     0,
     {{ROW, {"[0:2]", "[2:4]", "[4:5]"}},
      {COLUMN, ALL("[0:7]")},
      {BLOCKS(4), {"[0:3]", "[3:6]", "[6:9]"}},
      {BLOCKS(5), {"[0:3]", "[3:5]", "[5:7]"}}}},
    {"(3,4,5), flat on 8",
     {.kind = RESHARD_LAYOUT_FSDP1, .shard = 8},
     {3, {3, 4, 5}},
     0,
     {{ROW,
       {"[0:1, 0:2]", "[0:1, 2:4]", "[1:2, 0:1]", "[1:2, 1:3]", "[1:2, 3:4]", "[2:3, 0:2]",
        "[2:3, 2:4]", ""}},
      {COLUMN, ALL("[0:3, 0:5]")},
      {BLOCKS(7), {"[0:2]", "[2:3]", "[3:4]", "[4:5]", "[5:6]", "[6:7]", "[7:8]", "[8:9]"}}}},
    {"(3,4,5), flat on 2",
     {.kind = RESHARD_LAYOUT_FSDP1, .shard = 2},
     {3, {3, 4, 5}},
     0,
     {{ROW, {"[0:1, 0:4] [1:2, 0:2]", "[1:2, 2:4] [2:3, 0:4]"}},
      {ROW_KEPT, {"[0:1, 0:4, 0:1] [1:2, 0:2, 0:1]", "[1:2, 2:4, 0:1] [2:3, 0:4, 0:1]"}},
      {COLUMN_KEPT, ALL("[0:3, 0:1, 0:5]")}}},
    {"rows without elements, flat on 2",
     {.kind = RESHARD_LAYOUT_FSDP1, .shard = 2},
     {2, {5, 0}},
     3,
     {{ROW, ALL("[0:5]")}, {COLUMN, ALL("")}, {BLOCKS(4), ALL("")}}},
    {"no rows, flat on 2",
     {.kind = RESHARD_LAYOUT_FSDP1, .shard = 2},
     {2, {0, 5}},
     3,
     {{ROW, ALL("")}, {COLUMN, ALL("[0:5]")}, {BLOCKS(4), ALL("")}}},
    {"the block of a scalar, flat on 2",
     {.kind = RESHARD_LAYOUT_FSDP1, .shard = 2},
     {0, {0}},
     0,
     {{BLOCKS(9), {"[0:1]", ""}}}},
    {"(5,7), rows on 3",
     {.kind = RESHARD_LAYOUT_FSDP2, .shard = 3},
     {2, {5, 7}},
     0,
     {{ROW, {"[0:2]", "[2:4]", "[4:5]"}},
      {COLUMN, ALL("[0:7]")},
      {BLOCKS(4), {"[0:4]", "[4:7]", "[7:9]"}},
      {BLOCKS(16), {"[0:1]", "[1:2]", "[2:3]"}}}},
    {"(5,7), columns on 3",
     {.kind = RESHARD_LAYOUT_FSDP2, .shard = 3, .dim = 1},
     {2, {5, 7}},
     0,
     {{ROW, ALL("[0:5]")},
      {COLUMN, {"[0:3]", "[3:6]", "[6:7]"}},
      {COLUMN_KEPT, {"[0:1, 0:3]", "[0:1, 3:6]", "[0:1, 6:7]"}},
      {BLOCKS(4), ALL("[0:9]")}}},
    {"(5,7), rows on 3, twice",
     {.kind = RESHARD_LAYOUT_FSDP2, .replicate = 2, .shard = 3},
     {2, {5, 7}},
     0,
     {{ROW, {"[0:2]", "[2:4]", "[4:5]", "[0:2]", "[2:4]", "[4:5]"}},
      {COLUMN, ALL("[0:7]")},
      {BLOCKS(4), {"[0:4]", "[4:7]", "[7:9]", "[0:4]", "[4:7]", "[7:9]"}}}},
    {"(5,7), columns by tensor, rows by shard",
     {.kind = RESHARD_LAYOUT_FSDP2, .shard = 2, .tensor = 2, RULE(.tensor = CUT(1))},
     {2, {5, 7}},
     0,
     {{ROW, {"[0:3]", "[0:3]", "[3:5]", "[3:5]"}},
      {ROW_KEPT, {"[0:3, 0:1]", "[0:3, 0:1]", "[3:5, 0:1]", "[3:5, 0:1]"}},
      {COLUMN, {"[0:4]", "[4:7]", "[0:4]", "[4:7]"}},
      {BLOCKS(4), {"[0:6]", "[0:6]", "[6:9]", "[6:9]"}}}},
    /* each has 9 elements, in shards of 5 and 4 */
    {"(3,6), columns by tensor, then flat",
     {.kind = RESHARD_LAYOUT_FSDP1, .shard = 2, .tensor = 2, RULE(.tensor = CUT(1))},
     {2, {3, 6}},
     0,
     {{ROW, {"[0:2]", "[0:2]", "[2:3]", "[2:3]"}},
      {COLUMN, {"[0:3]", "[3:6]", "[0:3]", "[3:6]"}},
      {BLOCKS(4), ALL("[0:5]")}}},
    {"(6,3), rows by tensor, then flat",
     {.kind = RESHARD_LAYOUT_FSDP1, .shard = 2, .tensor = 2, RULE(.tensor = CUT(0))},
     {2, {6, 3}},
     0,
     {{ROW, {"[0:2]", "[3:5]", "[2:3]", "[5:6]"}},
      {COLUMN, ALL("[0:3]")},
      {BLOCKS(4), {"[0:2]", "[3:4]", "[2:3]", "[4:5]"}}}},
    {"(4,4), columns for one, then flat",
     {.kind = RESHARD_LAYOUT_FSDP1, .shard = 2, RULE(.tensor = CUT(1))},
     {2, {4, 4}},
     0,
     {{ROW, {"[0:2]", "[2:4]"}}, {COLUMN, ALL("[0:4]")}, {BLOCKS(3), {"[0:3]", "[3:6]"}}}},
    {"q, k and v, by rows",
     {.kind = RESHARD_LAYOUT_DDP, .tensor = 2, RULE(.tensor = CUT(0), SECTIONS(3, 8, 2, 2))},
     {2, {12, 4}},
     0,
     {{ROW, {"[0:4] [8:9] [10:11]", "[4:8] [9:10] [11:12]"}},
      {COLUMN, ALL("[0:4]")},
      {BLOCKS(6), {"[0:3] [7:8]", "[3:6] [6:7]"}}}},
    {"fused halves of columns",
     {.kind = RESHARD_LAYOUT_DDP, .tensor = 2, RULE(.tensor = CUT(1), SECTIONS(2, 4, 4))},
     {2, {2, 8}},
     0,
     {{ROW_KEPT, ALL("[0:2, 0:1]")},
      {COLUMN, {"[0:2] [4:6]", "[2:4] [6:8]"}},
      {COLUMN_KEPT, {"[0:1, 0:2] [0:1, 4:6]", "[0:1, 2:4] [0:1, 6:8]"}},
      {BLOCKS(3), ALL("[0:6]")}}},
    /* 12 elements and the bias, in shards of 8 and 7: rows 0, 1, 4 and 5, and 2, 3, 6 and 7 */
    {"fused halves of rows, then flat",
     {.kind = RESHARD_LAYOUT_FSDP1,
      .shard = 2,
      .tensor = 2,
      RULE(.tensor = CUT(0), SECTIONS(2, 4, 4))},
     {2, {8, 3}},
     3,
     {{ROW, {"[0:2] [4:5]", "[2:4] [6:7]", "[5:6]", "[7:8]"}},
      {COLUMN, ALL("[0:3]")},
      {BLOCKS(4), {"[0:2] [3:4]", "[2:3]", "[4:5]", "[5:6]"}}}},
    {"stacked experts, their rows by shard",
     {.kind = RESHARD_LAYOUT_FSDP2, .shard = 2, .expert = 2, .dim = 1, RULE(.expert = CUT(0))},
     {3, {4, 3, 2}},
     0,
     {{ROW, {"[0:2, 0:2]", "[2:4, 0:2]", "[0:2, 2:3]", "[2:4, 2:3]"}},
      {COLUMN, {"[0:2, 0:2]", "[2:4, 0:2]", "[0:2, 0:2]", "[2:4, 0:2]"}},
      {BLOCKS(5), {"[0:3]", "[3:5]", "[0:3]", "[3:5]"}}}},
    {"an expert of one coordinate",
     {.kind = RESHARD_LAYOUT_DDP, .expert = 2, RULE(.expert = {RESHARD_HOW_AT, 1})},
     {2, {5, 7}},
     0,
     {{ROW, {"", "[0:5]"}},
      {COLUMN, {"", "[0:7]"}},
      {BLOCKS(4), {"", "[0:9]"}},
      {OPAQUE, {"", "[0:5]"}}}},
    {"a stage of the pipeline",
     {.kind = RESHARD_LAYOUT_FSDP1,
      .pipeline = 2,
      .shard = 2,
      RULE(.pipeline = {RESHARD_HOW_AT, 1})},
     {2, {4, 4}},
     0,
     {{ROW, {"", "", "[0:2]", "[2:4]"}},
      {COLUMN, {"", "", "[0:4]", "[0:4]"}},
      {BLOCKS(3), {"", "", "[0:3]", "[3:6]"}},
      {OPAQUE, {"", "", "[0:5]", "[0:5]"}}}},
    {"boxes given, and an idle rank",
     {.kind = RESHARD_LAYOUT_BOXES,
      .replicate = 2,
      .world = 3,
      RULE(.box = (const struct reshard_rank_box[]){{1, {2, {0, 0}, {4, 4}}}}, .box_count = 1)},
     {2, {4, 4}},
     0,
     {{ROW, {"[0:4]", "[0:4]", ""}},
      {COLUMN, {"[0:4]", "[0:4]", ""}},
      {BLOCKS(3), {"[0:6]", "[0:6]", ""}},
      {OPAQUE, {"[0:5]", "[0:5]", ""}}}},
};

static void add_slot(struct reshard_model *model, const struct known_slot *its, const char *name)
{
    const struct reshard_slot slot = {
        .slot = name,
        .dtype = its->slot_class == RESHARD_CLASS_OPAQUE ? RESHARD_DTYPE_U8 : RESHARD_DTYPE_F32,
        .slot_class = its->slot_class,
        .block = its->block,
        .keeps_dimension = its->keeps,
        .shape = {1, {5}}};

    oracle_add_slot(model, "w", &slot);
}

/* Tensor 0 is "w"; the slots are the last ones. */
static struct reshard_model *open_model(const struct known *of, uint32_t *first)
{
    static const char *const names[SLOTS_MAX] = {"a", "b", "c", "d"};
    struct reshard_model *model;

    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    oracle_add(model, "w", "", RESHARD_DTYPE_F32, of->shape.ndim, of->shape.size);
    if (of->bias)
        oracle_add(model, "bias", "", RESHARD_DTYPE_F32, 1, &of->bias);
    *first = reshard_model_tensor_count(model);
    for (int s = 0; s < SLOTS_MAX && of->slot[s].slot_class != RESHARD_CLASS_LIKE; s++)
        add_slot(model, &of->slot[s], names[s]);
    return model;
}

/* Boxes without elements are as good as none. */
static void check_printed(const struct reshard_box *boxes, uint64_t count, const char *expected)
{
    char text[256] = "", box[128];

    for (uint64_t i = 0; i < count; i++) {
        if (reshard_box_empty(&boxes[i]))
            continue;
        strcat(strcat(text, text[0] ? " " : ""), reshard_box_print(&boxes[i], box, sizeof box));
    }
    ck_assert_str_eq(text, expected);
}

static void check_holder(const struct known *of, const struct reshard_layout *layout, uint32_t t,
                         uint64_t holder, const char *expected)
{
    const struct reshard_model *model = reshard_layout_model(layout);
    struct oracle_places places = oracle_places(model, &of->options, t, holder);
    struct reshard_box_list list = RESHARD_BOX_LIST_INIT;

    ck_assert_int_eq(reshard_layout_boxes(layout, t, holder, &list), RESHARD_OK);
    check_printed(list.box, list.count, expected);
    check_printed(places.box, places.boxes, expected);
    ck_assert(!reshard_layout_is_flat(layout, t));
    ck_assert_int_eq(reshard_layout_flat(layout, t, NULL).dtype, RESHARD_DTYPE_NONE);
    ck_assert(!reshard_layout_shard_info(layout, t, holder).in_shard);
    reshard_box_list_release(&list);
    oracle_places_release(&places);
}

START_TEST(ranks_have_the_known_boxes)
{
    const struct known *of = &known[_i];
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_layout *layout;
    uint32_t first;
    struct reshard_model *model = open_model(of, &first);

    printf("%s\n", of->what);
    ck_assert(oracle_accepts(model, &of->options));
    ck_assert_msg(reshard_layout_open(&layout, model, &of->options, &error) == RESHARD_OK, "%s",
                  error.text);
    for (uint32_t t = first; t < reshard_model_tensor_count(model); t++)
        for (uint64_t h = 0; h < reshard_layout_holders(layout); h++)
            check_holder(of, layout, t, h, of->slot[t - first].boxes[h]);
    reshard_layout_close(layout);
    reshard_model_close(model);
}
END_TEST

/* ---- owners ---------------------------------------------------------------------------------- */

/* A parameter with a slot of each class, and the owners of each of them, by tensor: "w" itself,
 * row, column, blocks, bytes. */
static const struct {
    const char *what;
    struct reshard_layout_options options;
    struct reshard_shape shape;
    uint64_t block;
    const char *owners[5];
} owned[] = {
    /* along replicate: w's 80 bytes to the first, the rows' 20 to the second, the blocks' 12 to the
     * second again; along replicate and shard: the column's 16, then the bytes */
    {"rows on 3, twice",
     {.kind = RESHARD_LAYOUT_FSDP2, .replicate = 2, .shard = 3},
     {2, {5, 4}},
     8,
     {"0 1 2", "3 4 5", "0", "3 4 5", "1"}},
    {"the same, owned by the first replica",
     {.kind = RESHARD_LAYOUT_FSDP2, .replicate = 2, .shard = 3, .owner = 1},
     {2, {5, 4}},
     8,
     {"0 1 2", "0 1 2", "0", "0 1 2", "1"}},
    /* the row's 16 bytes, the blocks' 16, and the rest */
    {"columns on 2",
     {.kind = RESHARD_LAYOUT_DDP, .tensor = 2, RULE(.tensor = CUT(1))},
     {2, {4, 4}},
     4,
     {"0 1", "0", "0 1", "1", "0"}},
    /* rows and blocks go through the flat cut; the column and the bytes are whole */
    {"flat on 3",
     {.kind = RESHARD_LAYOUT_FSDP1, .shard = 3},
     {2, {4, 4}},
     5,
     {"0 1 2", "0 1 2", "0", "0 1 2", "1"}},
    /* rows are along shard alone, the column along tensor alone, the blocks are whole, and the
     * bytes
     */
    {"columns by tensor, then flat",
     {.kind = RESHARD_LAYOUT_FSDP1, .shard = 2, .tensor = 2, RULE(.tensor = CUT(1))},
     {2, {4, 4}},
     4,
     {"0 1 2 3", "0 2", "0 1", "0", "1"}},
};

static struct reshard_model *open_owned(const struct reshard_shape *shape, uint64_t block)
{
    const struct known of = {.shape = *shape,
                             .slot = {{.slot_class = RESHARD_CLASS_ROW},
                                      {.slot_class = RESHARD_CLASS_COLUMN},
                                      {.slot_class = RESHARD_CLASS_BLOCKWISE, .block = block},
                                      {.slot_class = RESHARD_CLASS_OPAQUE}}};
    uint32_t first;

    return open_model(&of, &first);
}

static void print_owners(const bool *owner, uint64_t holders, char *out)
{
    *out = '\0';
    for (uint64_t h = 0; h < holders; h++) {
        char number[8];
        if (!owner[h])
            continue;
        (void)snprintf(number, sizeof number, "%s%d", *out ? " " : "", (int)h);
        strcat(out, number);
    }
}

START_TEST(the_known_ranks_own_them)
{
    const struct reshard_layout_options *options = &owned[_i].options;
    struct reshard_model *model = open_owned(&owned[_i].shape, owned[_i].block);
    struct oracle_places places[5 * RANKS_MAX];
    struct reshard_layout *layout;
    bool engines[RANKS_MAX];
    char text[64];

    printf("%s\n", owned[_i].what);
    ck_assert_int_eq(reshard_layout_open(&layout, model, options, NULL), RESHARD_OK);
    const uint64_t holders = reshard_layout_holders(layout);
    for (uint64_t i = 0; i < 5 * holders; i++)
        places[i] = oracle_places(model, options, (uint32_t)(i / holders), i % holders);
    bool *oracles = oracle_owners(model, options, places);
    for (uint32_t t = 0; t < 5; t++) {
        for (uint64_t h = 0; h < holders; h++)
            engines[h] = reshard_layout_is_owner(layout, t, h);
        print_owners(engines, holders, text);
        ck_assert_str_eq(text, owned[_i].owners[t]);
        print_owners(oracles + t * holders, holders, text);
        ck_assert_str_eq(text, owned[_i].owners[t]);
    }
    for (uint64_t i = 0; i < 5 * holders; i++)
        oracle_places_release(&places[i]);
    free(oracles);
    reshard_layout_close(layout);
    reshard_model_close(model);
}
END_TEST

/* ---- sizes of real models -------------------------------------------------------------------- */

static uint64_t held_by_all(const struct reshard_layout *layout, const char *slot)
{
    const struct reshard_model *model = reshard_layout_model(layout);
    uint64_t sum = 0;
    uint32_t t;

    ck_assert_int_eq(reshard_model_find(model, "w", slot, &t), RESHARD_OK);
    for (uint64_t h = 0; h < reshard_layout_holders(layout); h++)
        sum += reshard_layout_local_count(layout, t, h);
    return sum;
}

START_TEST(shares_of_huge_slots_add_up)
{
    static const struct reshard_shape shapes[] = {{2, {128256, 16384}},
                                                  {2, {1000003, 999983}},
                                                  {2, {3, UINT64_C(1) << 57}},
                                                  {2, {UINT64_C(1) << 57, 3}}};
    const struct reshard_layout_options flat = {.kind = RESHARD_LAYOUT_FSDP1, .shard = 12345},
                                        rows = {.kind = RESHARD_LAYOUT_FSDP2, .shard = 16383};

    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const uint64_t elements = shapes[i].size[0] * shapes[i].size[1];
        struct reshard_model *model = open_owned(&shapes[i], 2048);
        for (int k = 0; k < 2; k++) {
            struct reshard_layout *layout;
            ck_assert_int_eq(reshard_layout_open(&layout, model, k ? &rows : &flat, NULL),
                             RESHARD_OK);
            ck_assert_uint_eq(held_by_all(layout, "a"), shapes[i].size[0]);
            ck_assert_uint_eq(held_by_all(layout, "b"),
                              shapes[i].size[1] * reshard_layout_holders(layout));
            ck_assert_uint_eq(held_by_all(layout, "c"), elements / 2048 + (elements % 2048 != 0));
            reshard_layout_close(layout);
        }
        reshard_model_close(model);
    }
}
END_TEST

/* A row that is in a thousand shards: a block is in one of them. */
START_TEST(a_block_is_looked_for_in_its_own_shard)
{
    const struct reshard_layout_options options = {.kind = RESHARD_LAYOUT_FSDP1, .shard = 1000};
    const struct reshard_shape shape = {2, {2, 1000000}};
    const struct reshard_box one = {1, {250}, {251}}, three = {1, {498}, {501}};
    struct reshard_shard_list list = RESHARD_SHARD_LIST_INIT;
    struct reshard_model *model = open_owned(&shape, 2000);
    struct reshard_layout *layout;

    ck_assert_int_eq(reshard_layout_open(&layout, model, &options, NULL), RESHARD_OK);
    ck_assert_int_eq(reshard_layout_overlap(layout, 3, &one, &list), RESHARD_OK);
    ck_assert_uint_eq(list.count, 1);
    ck_assert_uint_eq(list.shard[0], 250);
    list.count = 0;
    ck_assert_int_eq(reshard_layout_overlap(layout, 3, &three, &list), RESHARD_OK);
    ck_assert_uint_eq(list.count, 3);
    ck_assert_uint_eq(list.shard[0], 498);
    reshard_shard_list_release(&list);
    reshard_layout_close(layout);
    reshard_model_close(model);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("layout_slots");
    TCase *cases = tcase_create("layout_slots");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, ranks_have_the_known_boxes, 0, (int)(sizeof known / sizeof *known));
    tcase_add_loop_test(cases, the_known_ranks_own_them, 0, (int)(sizeof owned / sizeof *owned));
    tcase_add_test(cases, shares_of_huge_slots_add_up);
    tcase_add_test(cases, a_block_is_looked_for_in_its_own_shard);
    suite_add_tcase(suite, cases);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
