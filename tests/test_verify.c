/*
 * The verifier on its own: the layout's rules against published test vectors, the random numbers
 * against known answers, the roundings against all cases near a tie, and a rank's memory with one
 * fault planted at a time.
 */
#include "verify/crc.h"
#include "verify/held.h"
#include "verify/numbers.h"
#include "verify/philox.h"
#include "verify/truth.h"
#include "verify/walk.h"

#include <Random123/philox.h>
#include <check.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEP = 3, RANKS_MAX = 40, TENSORS = 9 };

/* --- rules ------------------------------------------------------------------------------------ */

static struct verify_layout layout_of(enum verify_layout_kind kind, uint64_t replicate,
                                      uint64_t shard)
{
    return (struct verify_layout){
        .kind = kind, .world = replicate * shard, .mesh = {1, replicate, shard, 1, 1}, .owner = -1};
}

static struct verify_layout flat_layout(uint64_t replicate, uint64_t shard, bool orig_params,
                                        enum reshard_dtype forward)
{
    struct verify_layout layout = layout_of(VERIFY_FSDP1, replicate, shard);

    layout.orig_params = orig_params;
    layout.forward = forward;
    return layout;
}

static struct verify_rules *open_rules(const struct verify_inventory *inventory,
                                       struct verify_layout layout)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct verify_rules *rules;

    ck_assert_msg(verify_rules_open(&rules, inventory, &layout, &error) == RESHARD_OK, "%s",
                  error.text);
    return rules;
}

START_TEST(chunks_follow_torch_chunk)
{
    /* n, W, then the length of each rank's chunk */
    static const uint64_t cases[][10] = {
        {20, 8, 3, 3, 3, 3, 3, 3, 2, 0}, {20, 3, 7, 7, 6},   {6, 4, 2, 2, 2, 0}, {5, 4, 2, 2, 1, 0},
        {10, 8, 2, 2, 2, 2, 2, 0, 0, 0}, {9, 4, 3, 3, 3, 0}, {1, 4, 1, 0, 0, 0}, {0, 4, 0, 0, 0, 0},
    };
    const uint64_t *expected = cases[_i];
    struct verify_tensor tensor = {
        "w",          "", RESHARD_DTYPE_F32, 2, {expected[0], 3}, 0, 0, true, VERIFY_PARAMETER,
        VERIFY_PLAIN, 0};
    const struct verify_inventory inventory = {1, &tensor, 1};
    struct verify_rules *rules = open_rules(&inventory, layout_of(VERIFY_FSDP2, 1, expected[1]));
    struct verify_walk walk;
    struct verify_run run;
    uint64_t position = 0;

    for (uint64_t r = 0; r < expected[1]; ++r) {
        verify_walk_begin(&walk, rules, 0, r);
        ck_assert_uint_eq(verify_rules_memory_elements(rules, 0, r), 3 * expected[2 + r]);
        if (expected[2 + r] > 0) {
            ck_assert(verify_walk_next(&walk, &run));
            ck_assert_uint_eq(run.local, 0);
            ck_assert_uint_eq(run.begin, position);
            position += 3 * expected[2 + r];
            ck_assert_uint_eq(run.end, position);
        }
        ck_assert(!verify_walk_next(&walk, &run));
    }
    verify_rules_close(rules);
}
END_TEST

struct flat_case {
    uint64_t numel[3];
    uint32_t count;
    uint64_t shard;
    bool orig_params;
    enum reshard_dtype forward;
    uint64_t chunk;
    /* parameter, rank, offset in shard, first and last element; ended by a rank of 99 */
    uint64_t run[12][5];
};

/* The vectors of _ShardParamInfo: ends are inclusive there, as PyTorch has them. */
static const struct flat_case flat_cases[] = {
    {{16, 4},
     2,
     3,
     false,
     0,
     7,
     {{0, 0, 0, 0, 6}, {0, 1, 0, 7, 13}, {0, 2, 0, 14, 15}, {1, 2, 2, 0, 3}, {0, 99}}},
    {{16, 4},
     2,
     8,
     false,
     0,
     3,
     {{0, 0, 0, 0, 2},
      {0, 1, 0, 3, 5},
      {0, 2, 0, 6, 8},
      {0, 3, 0, 9, 11},
      {0, 4, 0, 12, 14},
      {0, 5, 0, 15, 15},
      {1, 5, 1, 0, 1},
      {1, 6, 0, 2, 3},
      {0, 99}}},
    {{16, 4},
     2,
     8,
     true,
     RESHARD_DTYPE_F32,
     3,
     {{0, 0, 0, 0, 2},
      {0, 1, 0, 3, 5},
      {0, 2, 0, 6, 8},
      {0, 3, 0, 9, 11},
      {0, 4, 0, 12, 14},
      {0, 5, 0, 15, 15},
      {1, 5, 1, 0, 1},
      {1, 6, 0, 2, 3},
      {0, 99}}},
    {{5, 3, 7},
     3,
     4,
     true,
     RESHARD_DTYPE_F32,
     5,
     {{0, 0, 0, 0, 4},
      {1, 1, 3, 0, 1},
      {1, 2, 0, 2, 2},
      {2, 2, 2, 0, 2},
      {2, 3, 0, 3, 6},
      {0, 99}}},
    {{5, 3, 7},
     3,
     4,
     true,
     RESHARD_DTYPE_BF16,
     6,
     {{0, 0, 0, 0, 4}, {1, 1, 2, 0, 2}, {2, 2, 4, 0, 1}, {2, 3, 0, 2, 6}, {0, 99}}},
    {{4, 0, 4}, 3, 2, false, 0, 4, {{0, 0, 0, 0, 3}, {2, 1, 0, 0, 3}, {0, 99}}},
    {{3, 0, 5}, 3, 2, false, 0, 4, {{0, 0, 0, 0, 2}, {2, 0, 3, 0, 0}, {2, 1, 0, 1, 4}, {0, 99}}},
};

START_TEST(flat_parameters_follow_fsdp1)
{
    const struct flat_case *c = &flat_cases[_i];
    struct verify_tensor tensor[3];
    const struct verify_inventory inventory = {c->count, tensor, 1};
    struct verify_rules *rules;
    uint32_t next = 0;

    for (uint32_t t = 0; t < c->count; ++t)
        tensor[t] = (struct verify_tensor){.fqn = t == 0   ? "a"
                                                  : t == 1 ? "b"
                                                           : "c",
                                           .slot = "",
                                           .dtype = RESHARD_DTYPE_F32,
                                           .ndim = 1,
                                           .shape = {c->numel[t]},
                                           .parameter = t,
                                           .like = true};
    rules = open_rules(&inventory, flat_layout(1, c->shard, c->orig_params, c->forward));
    for (uint32_t t = 0; t < c->count; ++t) {
        ck_assert_uint_eq(verify_rules_memory_elements(rules, t, 0), c->chunk);
        for (uint64_t r = 0; r < c->shard; ++r) {
            struct verify_walk walk;
            struct verify_run run;

            verify_walk_begin(&walk, rules, t, r);
            for (; verify_walk_next(&walk, &run); ++next) {
                ck_assert_uint_eq(c->run[next][0], t);
                ck_assert_uint_eq(c->run[next][1], r);
                ck_assert_uint_eq(c->run[next][2], run.local);
                ck_assert_uint_eq(c->run[next][3], run.begin);
                ck_assert_uint_eq(c->run[next][4] + 1, run.end);
            }
        }
    }
    ck_assert_uint_eq(c->run[next][1], 99);
    verify_rules_close(rules);
}
END_TEST

START_TEST(a_slot_lies_like_its_parameter_and_a_scalar_on_every_rank)
{
    struct verify_tensor tensor[] = {
        {"w", "", RESHARD_DTYPE_BF16, 2, {5, 4}, 0, 0, true, VERIFY_PARAMETER, VERIFY_PLAIN, 0},
        {"w",
         "exp_avg",
         RESHARD_DTYPE_F32,
         2,
         {5, 4},
         0,
         0,
         true,
         VERIFY_PARAMETER,
         VERIFY_PLAIN,
         0},
        {"w", "step", RESHARD_DTYPE_F32, 0, {0}, 0, 0, false, VERIFY_PARAMETER, VERIFY_PLAIN, 0},
    };
    const struct verify_inventory inventory = {3, tensor, 1};
    struct verify_rules *rules = open_rules(&inventory, layout_of(VERIFY_FSDP2, 2, 3));

    ck_assert_uint_eq(verify_rules_memory_elements(rules, 1, 0), 8);
    ck_assert_uint_eq(verify_rules_memory_elements(rules, 1, 2), 4);
    ck_assert_uint_eq(verify_rules_memory_elements(rules, 2, 2), 1);
    ck_assert_uint_eq(verify_rules_world_elements(rules, 0), 40);
    ck_assert_uint_eq(verify_rules_world_elements(rules, 2), 6);
    verify_rules_close(rules);
}
END_TEST

START_TEST(a_unit_of_two_dtypes_and_an_empty_mesh_are_refused)
{
    struct verify_tensor tensor[] = {
        {"a", "", RESHARD_DTYPE_F32, 1, {4}, 0, 0, true, VERIFY_PARAMETER, VERIFY_PLAIN, 0},
        {"b", "", RESHARD_DTYPE_BF16, 1, {4}, 0, 1, true, VERIFY_PARAMETER, VERIFY_PLAIN, 0},
    };
    const struct verify_inventory inventory = {2, tensor, 1};
    struct verify_layout layout = flat_layout(1, 2, false, RESHARD_DTYPE_NONE);
    struct verify_rules *rules;

    ck_assert_int_eq(verify_rules_open(&rules, &inventory, &layout, NULL), RESHARD_EINVAL);
    layout = layout_of(VERIFY_FSDP2, 0, 2);
    ck_assert_int_eq(verify_rules_open(&rules, &inventory, &layout, NULL), RESHARD_EINVAL);
    tensor[1].fqn = "a";
    layout = layout_of(VERIFY_FSDP2, 1, 2);
    ck_assert_int_eq(verify_rules_open(&rules, &inventory, &layout, NULL), RESHARD_EINVAL);
}
END_TEST

/* --- numbers ---------------------------------------------------------------------------------- */

START_TEST(the_crc_has_its_check_value_and_combines)
{
    const char *digits = "123456789";

    ck_assert_uint_eq(verify_crc(0, digits, 9), 0x995dc9bbdf1939faull);
    ck_assert_uint_eq(verify_crc(verify_crc(0, digits, 4), digits + 4, 5), 0x995dc9bbdf1939faull);
    for (unsigned cut = 0; cut <= 9; ++cut)
        ck_assert_uint_eq(verify_crc_shift(verify_crc(0, digits, cut), 9 - cut) ^
                              verify_crc(0, digits + cut, 9 - cut),
                          0x995dc9bbdf1939faull);
}
END_TEST

START_TEST(philox_gives_the_known_answers)
{
    const struct verify_stream_key zero = {0, 0, 0};
    const struct verify_stream_key ones = {UINT64_MAX, UINT32_MAX, UINT32_MAX};
    const struct verify_stream_key pi = {0x299f31d0a4093822ull, 0x13198a2e, 0x03707344};
    static const uint32_t expected[3][4] = {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
                                            {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
                                            {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}};
    uint32_t words[64];

    verify_philox(&zero, 0, 1, words);
    ck_assert_mem_eq(words, expected[0], sizeof expected[0]);
    verify_philox(&ones, UINT64_MAX, 1, words);
    ck_assert_mem_eq(words, expected[1], sizeof expected[1]);
    verify_philox(&pi, 0x85a308d3243f6a88ull, 1, words);
    ck_assert_mem_eq(words, expected[2], sizeof expected[2]);
    verify_philox(&pi, 0xfffffff8, 2, words); /* across the carry into the second word */
    for (unsigned b = 0; b < 16; ++b) {
        const uint64_t block = 0xfffffff8ull + b;
        const philox4x32_ctr_t counter = {
            {(uint32_t)block, (uint32_t)(block >> 32), pi.tensor, pi.step}};
        const philox4x32_key_t key = {{(uint32_t)pi.seed, (uint32_t)(pi.seed >> 32)}};
        const philox4x32_ctr_t out = philox4x32(counter, key);

        ck_assert_mem_eq(words + 4 * b, out.v, sizeof out.v);
    }
}
END_TEST

/* Every narrow value comes back, and just around the middle of two neighbours the nearer one does;
 * in the middle the even one. */
START_TEST(narrow_floats_round_to_nearest_even)
{
    const enum reshard_dtype dtype = _i ? RESHARD_DTYPE_F16 : RESHARD_DTYPE_BF16;
    const unsigned infinity = _i ? 0x7c00 : 0x7f80;

    for (unsigned bits = 0; bits + 1 < infinity; ++bits) {
        const uint16_t stored[2] = {(uint16_t)bits, (uint16_t)(bits + 1)};
        double value[2];
        double probe[4];
        uint16_t got[4];

        verify_numbers_load(dtype, stored, value, 2);
        probe[0] = value[0];
        probe[1] = (value[0] + value[1]) / 2;
        probe[2] = (double)nextafterf((float)probe[1], 0.0f);
        probe[3] = -(double)nextafterf((float)probe[1], INFINITY);
        verify_numbers_store(dtype, probe, got, 4);
        ck_assert_uint_eq(got[0], bits);
        ck_assert_uint_eq(got[1], bits + (bits & 1));
        if ((double)(float)probe[1] == probe[1] && probe[1] > 0x1p-140) {
            ck_assert_uint_eq(got[2], bits);
            ck_assert_uint_eq(got[3], 0x8000 + bits + 1);
        }
    }
}
END_TEST

START_TEST(infinities_overflow_and_nans_are_kept)
{
    const double special[] = {INFINITY, -INFINITY, 65520.0, 65519.0, -0.0, 0x1p-26};
    const uint16_t expected[] = {0x7c00, 0xfc00, 0x7c00, 0x7bff, 0x8000, 0};
    const double nan_value = (double)NAN;
    uint16_t got[6];

    verify_numbers_store(RESHARD_DTYPE_F16, special, got, 6);
    ck_assert_mem_eq(got, expected, sizeof expected);
    verify_numbers_store(RESHARD_DTYPE_F16, &nan_value, got, 1);
    ck_assert_uint_gt(got[0] & 0x7fff, 0x7c00);
    verify_numbers_store(RESHARD_DTYPE_BF16, &nan_value, got, 1);
    ck_assert_uint_gt(got[0] & 0x7fff, 0x7f80);
}
END_TEST

/* --- memory ----------------------------------------------------------------------------------- */

static struct verify_tensor model[] = {
    {"w", "", RESHARD_DTYPE_F32, 2, {6, 5}, 0, 0, true, VERIFY_PARAMETER, VERIFY_PLAIN, 0},
    {"b", "", RESHARD_DTYPE_F32, 1, {4}, 0, 1, true, VERIFY_PARAMETER, VERIFY_PLAIN, 0},
    {"ids", "", RESHARD_DTYPE_I32, 1, {3}, 0, 2, true, VERIFY_PARAMETER, VERIFY_PLAIN, 0},
    {"w", "exp_avg", RESHARD_DTYPE_F32, 2, {6, 5}, 0, 0, true, VERIFY_PARAMETER, VERIFY_PLAIN, 0},
    {"b", "exp_avg", RESHARD_DTYPE_F32, 1, {4}, 0, 1, true, VERIFY_PARAMETER, VERIFY_PLAIN, 0},
    {"w",
     "exp_avg_sq",
     RESHARD_DTYPE_F32,
     2,
     {6, 5},
     0,
     0,
     true,
     VERIFY_PARAMETER,
     VERIFY_PLAIN,
     0},
    {"b", "exp_avg_sq", RESHARD_DTYPE_F32, 1, {4}, 0, 1, true, VERIFY_PARAMETER, VERIFY_PLAIN, 0},
    {"w", "step", RESHARD_DTYPE_F32, 0, {0}, 0, 0, false, VERIFY_PARAMETER, VERIFY_PLAIN, 0},
    {"b", "step", RESHARD_DTYPE_F32, 0, {0}, 0, 1, false, VERIFY_PARAMETER, VERIFY_PLAIN, 0},
};
static const struct verify_inventory inventory = {TENSORS, model, 1};

static struct verify_oracle *open_oracle(uint64_t step)
{
    const struct verify_oracle_options options = {
        .inventory = &inventory,
        .optimizer = {.name = VERIFY_ADAMW,
                      .hyper = {.lr = 1e-3,
                                .beta1 = 0.9,
                                .beta2 = 0.999,
                                .eps = 1e-8,
                                .weight_decay = 0.01}},
        .seed = 42,
        .step = step,
    };
    struct verify_oracle *oracle;

    ck_assert_int_eq(verify_oracle_open(&oracle, &options, NULL), RESHARD_OK);
    return oracle;
}

/* A world of ranks with memory of their own, filled by the rules from the oracle of a step. */
struct world {
    struct verify_layout layout;
    struct verify_rules *rules;
    uint64_t ranks;
    struct verify_memory memory[RANKS_MAX][TENSORS];
};

static void fill_tensor(struct world *world, const struct verify_oracle *oracle,
                        struct verify_block *block, uint64_t rank, uint32_t t)
{
    const size_t width = reshard_dtype_bytes(model[t].dtype);
    const uint64_t elements = verify_rules_memory_elements(world->rules, t, rank);
    unsigned char *base = malloc((size_t)elements * width + 1);
    struct verify_walk walk;
    struct verify_run run;

    memset(base, 0x5a, (size_t)elements * width); /* what is left of this is padding */
    world->memory[rank][t] = (struct verify_memory){.base = base, .bytes = elements * width};
    verify_oracle_fill(oracle, block, model[t].parameter, 0,
                       (uint32_t)verify_tensor_elements(&model[model[t].parameter]));
    verify_walk_begin(&walk, world->rules, t, rank);
    while (verify_walk_next(&walk, &run)) {
        const char *truth =
            model[t].like ? verify_block_values(oracle, block, t) : verify_oracle_whole(oracle, t);

        memcpy(base + run.local * width, truth + run.begin * width,
               (size_t)(run.end - run.begin) * width);
    }
}

static void world_open(struct world *world, struct verify_layout layout, uint64_t step)
{
    struct verify_oracle *oracle = open_oracle(step);
    struct verify_block *block;

    memset(world, 0, sizeof *world);
    ck_assert_int_eq(verify_block_open(&block), RESHARD_OK);
    world->layout = layout;
    world->rules = open_rules(&inventory, layout);
    world->ranks = layout.world;
    for (uint64_t rank = 0; rank < world->ranks; ++rank) {
        for (uint32_t t = 0; t < TENSORS; ++t)
            fill_tensor(world, oracle, block, rank, t);
    }
    verify_block_close(block);
    verify_oracle_close(oracle);
}

static void world_close(struct world *world)
{
    for (uint64_t rank = 0; rank < world->ranks; ++rank) {
        for (uint32_t t = 0; t < TENSORS; ++t)
            free((void *)world->memory[rank][t].base);
    }
    verify_rules_close(world->rules);
}

/* Judge every rank against the state of STEP, the reports added up. */
static struct verify_report world_judge(const struct world *world)
{
    struct verify_oracle *oracle = open_oracle(STEP);
    struct verify_report all;

    ck_assert_int_eq(verify_report_open(&all), RESHARD_OK);
    for (uint64_t rank = 0; rank < world->ranks; ++rank) {
        const struct verify_held_options options = {world->rules, oracle, world->memory[rank], rank,
                                                    NULL};
        struct reshard_error error = RESHARD_ERROR_INIT;
        struct verify_report one;

        ck_assert_int_eq(verify_report_open(&one), RESHARD_OK);
        ck_assert_int_eq(verify_held(&options, &one, &error), one.status);
        ck_assert_int_eq(verify_report_merge(&all, &one), RESHARD_OK);
        verify_report_close(&one);
    }
    verify_oracle_close(oracle);
    return all;
}

static struct verify_layout layout_number(int number)
{
    switch (number) {
    case 0:
        return flat_layout(1, 3, false, RESHARD_DTYPE_NONE);
    case 1:
        return flat_layout(2, 8, true, RESHARD_DTYPE_BF16);
    case 2:
        return flat_layout(1, 40, false, RESHARD_DTYPE_NONE);
    case 3:
        return layout_of(VERIFY_FSDP2, 1, 4);
    case 4:
        return layout_of(VERIFY_FSDP2, 2, 3);
    default:
        return layout_of(VERIFY_DDP, 3, 1);
    }
}

START_TEST(ranks_that_hold_the_state_are_found_to_hold_all_of_it)
{
    struct world world;
    struct verify_report report;

    world_open(&world, layout_number(_i), STEP);
    report = world_judge(&world);
    ck_assert_uint_eq(report.finding_total, 0);
    for (uint32_t t = 0; t < TENSORS; ++t) {
        ck_assert_uint_eq(report.tally[t].held, verify_rules_world_elements(world.rules, t));
        ck_assert_uint_eq(report.tally[t].compared, report.tally[t].held);
    }
    verify_report_close(&report);
    world_close(&world);
}
END_TEST

START_TEST(one_flipped_bit_in_memory_is_named)
{
    struct world world;
    struct verify_report report;
    unsigned char *byte;

    world_open(&world, layout_number(4), STEP);
    byte = (unsigned char *)world.memory[4][3].base + 7 * sizeof(float);
    *byte ^= 1;
    report = world_judge(&world);
    ck_assert_uint_eq(report.finding_total, 1);
    ck_assert_int_eq(report.status, RESHARD_EMISMATCH);
    ck_assert_str_eq(report.finding[0].fqn, "w");
    ck_assert_str_eq(report.finding[0].slot, "exp_avg");
    ck_assert_uint_eq(report.finding[0].rank, 4);
    ck_assert_uint_eq(report.finding[0].index[0], 3);
    ck_assert_uint_eq(report.finding[0].index[1], 2);
    ck_assert_uint_eq(report.finding[0].differing, 1);
    ck_assert_uint_eq(report.finding[0].expected[0] ^ report.finding[0].actual[0], 1);
    verify_report_close(&report);
    world_close(&world);
}
END_TEST

START_TEST(shards_of_equal_size_that_changed_places_are_seen)
{
    struct world world;
    struct verify_report report;
    struct verify_memory kept;

    world_open(&world, layout_number(4), STEP);
    kept = world.memory[0][0];
    world.memory[0][0] = world.memory[1][0];
    world.memory[1][0] = kept;
    report = world_judge(&world);
    ck_assert_uint_eq(report.finding_total, 2);
    ck_assert_uint_eq(report.finding[0].differing, 10);
    verify_report_close(&report);
    world_close(&world);
}
END_TEST

START_TEST(padding_is_never_compared)
{
    struct world world;
    struct verify_report report;

    world_open(&world, layout_number(0), STEP); /* 34 entries in 3 shards of 12: two of padding */
    ck_assert_uint_eq(world.memory[2][0].bytes, 12 * sizeof(float));
    memset((char *)world.memory[2][0].base + 10 * sizeof(float), 0xff, 2 * sizeof(float));
    memset((char *)world.memory[2][1].base + 10 * sizeof(float), 0xff, 2 * sizeof(float));
    report = world_judge(&world);
    ck_assert_uint_eq(report.finding_total, 0);
    verify_report_close(&report);
    world_close(&world);
}
END_TEST

START_TEST(a_flat_shard_moved_by_one_element_and_a_short_memory_are_seen)
{
    struct world world;
    struct verify_report report;
    char *base;

    world_open(&world, layout_number(0), STEP);
    base = (char *)world.memory[2][1].base;
    memmove(base + sizeof(float), base, 11 * sizeof(float));
    world.memory[1][0].bytes -= 4;
    report = world_judge(&world);
    ck_assert_uint_eq(report.finding_total, 2);
    ck_assert_uint_eq(report.finding[0].rank, 1);
    ck_assert_str_eq(report.finding[0].text, "the rank's memory has 44 bytes, not 48");
    ck_assert_str_eq(report.finding[1].fqn, "b");
    verify_report_close(&report);
    world_close(&world);
}
END_TEST

START_TEST(a_state_of_another_step_differs_in_every_trained_tensor)
{
    struct world world;
    struct verify_report report;

    world_open(&world, layout_number(5), STEP - 1);
    report = world_judge(&world);
    ck_assert_uint_eq(report.finding_total, 3 * 8); /* all but ids, on three replicas */
    verify_report_close(&report);
    world_close(&world);
}
END_TEST

/* Blocks asked for at any place and length agree with the whole. */
START_TEST(the_oracle_says_the_same_of_every_range)
{
    struct verify_tensor big = {
        "big", "", RESHARD_DTYPE_F32, 1, {9000}, 0, 0, true, VERIFY_PARAMETER, VERIFY_PLAIN, 0};
    const struct verify_inventory one = {1, &big, 1};
    const struct verify_oracle_options options = {
        .inventory = &one,
        .optimizer = {.name = VERIFY_ADAMW,
                      .state = RESHARD_DTYPE_BF16,
                      .hyper = {.lr = 1e-3,
                                .beta1 = 0.9,
                                .beta2 = 0.999,
                                .eps = 1e-8,
                                .weight_decay = 0.01}},
        .seed = 7,
        .step = 2,
    };
    struct verify_oracle *oracle;
    struct verify_block *whole;
    struct verify_block *part;

    ck_assert_int_eq(verify_oracle_open(&oracle, &options, NULL), RESHARD_OK);
    ck_assert_int_eq(verify_block_open(&whole), RESHARD_OK);
    ck_assert_int_eq(verify_block_open(&part), RESHARD_OK);
    verify_oracle_fill(oracle, whole, 0, 0, 9000);
    for (uint32_t begin = 0; begin < 9000; begin += 1021) {
        const uint32_t count = begin % 3 ? 9000 - begin : 1;

        verify_oracle_fill(oracle, part, 0, begin, count);
        ck_assert_mem_eq(verify_block_values(oracle, part, 0),
                         (const float *)verify_block_values(oracle, whole, 0) + begin,
                         count * sizeof(float));
    }
    verify_block_close(part);
    verify_block_close(whole);
    verify_oracle_close(oracle);
}
END_TEST

/* --- safetensors ------------------------------------------------------------------------------ */

START_TEST(a_safetensors_file_is_taken_whole_or_refused)
{
    static const struct {
        const char *header;
        unsigned data;
        enum reshard_status status;
    } cases[] = {
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, RESHARD_OK},
        {"{\"__metadata__\":{\"a\":\"b\"},\"w\":{\"dtype\":\"F32\",\"shape\":[2],"
         "\"data_offsets\":[0,8]}}  ",
         8, RESHARD_OK},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 7, RESHARD_EFORMAT},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 9, RESHARD_EFORMAT},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, RESHARD_EFORMAT},
        {"{\"w\":{\"dtype\":\"F31\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, RESHARD_EFORMAT},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, RESHARD_EFORMAT},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[8,0]}}", 8, RESHARD_EFORMAT},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
         "\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
         8, RESHARD_EFORMAT},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
         "\"v\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
         8, RESHARD_EFORMAT},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}", 0,
         RESHARD_EFORMAT},
        {"[]", 0, RESHARD_EFORMAT},
    };
    static const float data[4] = {1.5f, -2.0f, 3.0f, 4.0f};
    struct verify_tensor wanted = {
        "w", "", RESHARD_DTYPE_F32, 1, {2}, 0, 0, true, VERIFY_PARAMETER, VERIFY_PLAIN, 0};
    char path[] = "/tmp/verify-truth-XXXXXX";
    const uint64_t length = strlen(cases[_i].header);
    const unsigned char *found;
    struct verify_truth *truth;
    const int fd = mkstemp(path);

    ck_assert_int_eq(write(fd, &length, 8), 8);
    ck_assert_int_eq(write(fd, cases[_i].header, length), (ssize_t)length);
    ck_assert_int_eq(write(fd, data, cases[_i].data), (ssize_t)cases[_i].data);
    close(fd);
    ck_assert_int_eq(verify_truth_open(&truth, path, NULL), cases[_i].status);
    unlink(path);
    if (cases[_i].status)
        return;
    ck_assert_int_eq(verify_truth_find(truth, &wanted, &found, NULL), RESHARD_OK);
    ck_assert_mem_eq(found, data, 8);
    wanted.shape[0] = 1;
    ck_assert_int_eq(verify_truth_find(truth, &wanted, &found, NULL), RESHARD_EMISMATCH);
    wanted.fqn = "x";
    ck_assert_int_eq(verify_truth_find(truth, &wanted, &found, NULL), RESHARD_ENOENT);
    verify_truth_close(truth);
}
END_TEST

START_TEST(a_truth_that_is_a_fifo_is_refused_at_once)
{
    char path[] = "/tmp/verify-fifo-XXXXXX";
    struct verify_truth *truth;

    ck_assert_ptr_nonnull(mkdtemp(path));
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(verify_truth_open(&truth, path, NULL), RESHARD_EFORMAT);
    unlink(path);
}
END_TEST

/* --- report ----------------------------------------------------------------------------------- */

START_TEST(a_report_keeps_the_foremost_findings_and_counts_all)
{
    struct verify_report report;
    json_t *json;

    ck_assert_int_eq(verify_report_open(&report), RESHARD_OK);
    for (uint32_t i = 200; i-- > 0;) {
        struct verify_finding finding = verify_finding_general(RESHARD_ECOVER);

        finding.order = i;
        verify_report_add(&report, &finding);
    }
    ck_assert_uint_eq(report.finding_total, 200);
    ck_assert_uint_eq(report.finding_count, VERIFY_FINDINGS_MAX);
    for (uint32_t i = 0; i < report.finding_count; ++i)
        ck_assert_uint_eq(report.finding[i].order, i);
    json = verify_report_json(&report);
    ck_assert_str_eq(json_string_value(json_object_get(json, "status")), "ECOVER");
    ck_assert_uint_eq(json_array_size(json_object_get(json, "findings")), VERIFY_FINDINGS_MAX);
    json_decref(json);
    verify_report_close(&report);
}
END_TEST

START_TEST(of_a_tensors_findings_those_with_a_file_come_first)
{
    struct verify_report report;
    struct verify_finding finding = verify_finding_general(RESHARD_EDIGEST);

    ck_assert_int_eq(verify_report_open(&report), RESHARD_OK);
    finding.order = 1;
    verify_report_add(&report, &finding);
    finding.element = 7;
    snprintf(finding.file, sizeof finding.file, "rank-00000.h5");
    verify_report_add(&report, &finding);
    finding.order = 2;
    verify_report_add(&report, &finding);
    ck_assert_uint_eq(report.finding[0].element, 7);
    ck_assert_uint_eq(report.finding[0].order, 1);
    ck_assert_str_eq(report.finding[1].file, "");
    ck_assert_uint_eq(report.finding[2].order, 2);
    verify_report_close(&report);
}
END_TEST

START_TEST(control_bytes_of_names_are_printed_as_digits)
{
    struct verify_finding finding = verify_finding_file(RESHARD_EFORMAT, "rank-\n");
    char line[256];

    snprintf(finding.fqn, sizeof finding.fqn, "a\x1b[31mb\x7f\xc3\xa4");
    verify_finding_say(&finding, "has \t");
    verify_finding_line(&finding, line, sizeof line);
    ck_assert_str_eq(line, "EFORMAT: rank-\\x0A: a\\x1B[31mb\\x7F\xc3\xa4: has \\x09");
}
END_TEST

static Suite *suite(void)
{
    Suite *const all = suite_create("verify");
    TCase *const rules = tcase_create("rules");
    TCase *const numbers = tcase_create("numbers");
    TCase *const memory = tcase_create("memory");

    tcase_add_loop_test(rules, chunks_follow_torch_chunk, 0, 8);
    tcase_add_loop_test(rules, flat_parameters_follow_fsdp1, 0, 7);
    tcase_add_test(rules, a_slot_lies_like_its_parameter_and_a_scalar_on_every_rank);
    tcase_add_test(rules, a_unit_of_two_dtypes_and_an_empty_mesh_are_refused);
    tcase_add_test(numbers, the_crc_has_its_check_value_and_combines);
    tcase_add_test(numbers, philox_gives_the_known_answers);
    tcase_add_loop_test(numbers, narrow_floats_round_to_nearest_even, 0, 2);
    tcase_add_test(numbers, infinities_overflow_and_nans_are_kept);
    tcase_add_test(numbers, the_oracle_says_the_same_of_every_range);
    tcase_add_loop_test(numbers, a_safetensors_file_is_taken_whole_or_refused, 0, 12);
    tcase_add_loop_test(memory, ranks_that_hold_the_state_are_found_to_hold_all_of_it, 0, 6);
    tcase_add_test(memory, one_flipped_bit_in_memory_is_named);
    tcase_add_test(memory, shards_of_equal_size_that_changed_places_are_seen);
    tcase_add_test(memory, padding_is_never_compared);
    tcase_add_test(memory, a_flat_shard_moved_by_one_element_and_a_short_memory_are_seen);
    tcase_add_test(memory, a_state_of_another_step_differs_in_every_trained_tensor);
    tcase_add_test(memory, a_report_keeps_the_foremost_findings_and_counts_all);
    tcase_add_test(memory, of_a_tensors_findings_those_with_a_file_come_first);
    tcase_add_test(memory, control_bytes_of_names_are_printed_as_digits);
    tcase_add_test(memory, a_truth_that_is_a_fifo_is_refused_at_once);
    suite_add_tcase(all, rules);
    suite_add_tcase(all, numbers);
    suite_add_tcase(all, memory);
    return all;
}

int main(void)
{
    SRunner *const runner = srunner_create(suite());
    int failed;

    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
