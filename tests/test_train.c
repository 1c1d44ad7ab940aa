/*
 * The reference training: random words, initial values and rounding against literals computed by a
 * separate program from scenarios/TRAINING.md (Python with numpy, its own Philox and its own CRC),
 * and the one law of the whole: training on shards is training, whatever the shards.
 */
#include "core/digest.h"
#include "sim/fingerprint.h"
#include "sim/training/numbers.h"
#include "sim/training/stream.h"
#include "sim/training/train.h"
#include "support/shard.h"

#include <Random123/philox.h>
#include <check.h>

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct reshard_optimizer adamw = {
    .name = RESHARD_OPTIMIZER_ADAMW,
    .dtype = RESHARD_DTYPE_F32,
    .hyper = {.lr = 3e-4, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.1},
};

/* --- Random words and initial values ------------------------------------------------------- */

/* Random123's tests/kat_vectors, philox4x32 with 10 rounds. */
START_TEST(philox_gives_its_known_answers)
{
    static const uint32_t known[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d,
         0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
         0x94fdcceb, 0x5001e420, 0x24126ea1},
    };
    const uint32_t *k = known[_i];
    const philox4x32_ctr_t counter = {{k[0], k[1], k[2], k[3]}};
    const philox4x32_key_t key = {{k[4], k[5]}};
    const philox4x32_ctr_t output = philox4x32(counter, key);
    ck_assert_mem_eq(output.v, k + 6, sizeof(output.v));
}
END_TEST

START_TEST(a_tensor_is_numbered_by_the_crc_of_its_name)
{
    ck_assert_uint_eq(stream_tensor_number("w"), 0xe95463b8);
    /* The halves of CRC-64/XZ's check value. */
    ck_assert_uint_eq(stream_tensor_number("123456789"), 0x995dc9bb ^ 0xdf1939fa);
}
END_TEST

struct begin_case {
    enum reshard_dtype dtype;
    uint64_t bits[SHARD_ELEMENTS];
};

static const struct begin_case begins[] = {
    {RESHARD_DTYPE_F64,
     {0x3f626d82ce000000, 0xbf9ce4a229c00000, 0xbf9196c32c000000, 0xbf85a9ee9e800000,
      0x3f9bf798d6400000, 0xbf75d05274000000}},
    {RESHARD_DTYPE_F32, {0x3b136c16, 0xbce72511, 0xbc8cb619, 0xbc2d4f75, 0x3cdfbcc7, 0xbbae8294}},
    {RESHARD_DTYPE_F16, {0x189b, 0xa739, 0xa466, 0xa16a, 0x26fe, 0x9d74}},
    {RESHARD_DTYPE_BF16, {0x3b13, 0xbce7, 0xbc8d, 0xbc2d, 0x3ce0, 0xbbaf}},
    {RESHARD_DTYPE_I64,
     {0xadb14aac47f1c173, 0x10767a3b3183e64e, 0x21b37d2e2582b592, 0x487790009c534e02,
      0x7269bc1bc4174251, 0xeb01608eec710c81}},
    {RESHARD_DTYPE_U32, {0x47f1c173, 0x3183e64e, 0x2582b592, 0x9c534e02, 0xc4174251, 0xec710c81}},
    {RESHARD_DTYPE_F8_E5M2, {0x73, 0x4e, 0x92, 0x02, 0x51, 0x81}},
    {RESHARD_DTYPE_BOOL, {1, 0, 0, 0, 0, 1}},
};

START_TEST(initial_values_are_those_of_the_specification)
{
    const struct begin_case *known = &begins[_i];
    const size_t bytes = reshard_dtype_bytes(known->dtype);
    struct reshard_model *model = shard_model(known->dtype, NULL);
    struct reshard_layout *layout = shard_layout(model, RESHARD_LAYOUT_DDP, 1);
    struct shard shard;
    shard_open(&shard, layout, 0, &adamw);
    shard_train(&shard, 0);
    for (int i = 0; i < SHARD_ELEMENTS; i++)
        ck_assert_mem_eq((const char *)shard.data[0] + (size_t)i * bytes, &known->bits[i], bytes);
    shard_close(&shard);
    reshard_layout_close(layout);
    reshard_model_close(model);
}
END_TEST

START_TEST(a_complex_element_of_sixteen_bytes_is_z_and_its_complement)
{
    struct reshard_model *model = shard_model(RESHARD_DTYPE_C128, NULL);
    struct reshard_layout *layout = shard_layout(model, RESHARD_LAYOUT_DDP, 1);
    struct shard shard;
    shard_open(&shard, layout, 0, &adamw);
    shard_train(&shard, 0);
    const uint64_t *words = shard.data[0];
    for (int i = 0; i < SHARD_ELEMENTS; i++) {
        ck_assert_uint_eq(words[2 * i], begins[4].bits[i]);
        ck_assert_uint_eq(words[2 * i + 1], ~begins[4].bits[i]);
    }
    shard_close(&shard);
    reshard_layout_close(layout);
    reshard_model_close(model);
}
END_TEST

/* --- Rounding ------------------------------------------------------------------------------ */

struct rounding {
    enum reshard_dtype dtype;
    double value;
    uint16_t bits;
};

static const struct rounding roundings[] = {
    {RESHARD_DTYPE_BF16, 0.0, 0x0000},
    {RESHARD_DTYPE_BF16, -0.0, 0x8000},
    {RESHARD_DTYPE_BF16, 1.0, 0x3f80},
    {RESHARD_DTYPE_BF16, 0x1.01p0, 0x3f80},         /* a tie, to even: down */
    {RESHARD_DTYPE_BF16, 0x1.03p0, 0x3f82},         /* a tie, to even: up */
    {RESHARD_DTYPE_BF16, 0x1.010002p0, 0x3f81},     /* just above a tie */
    {RESHARD_DTYPE_BF16, 0x1.00fffep0, 0x3f80},     /* just below one */
    {RESHARD_DTYPE_BF16, 0x1.0100000001p0, 0x3f80}, /* above a tie, but not any more in f32 */
    {RESHARD_DTYPE_BF16, 0x1.fep127, 0x7f7f},       /* the largest */
    {RESHARD_DTYPE_BF16, 0x1.ffp127, 0x7f80},       /* rounds to infinity */
    {RESHARD_DTYPE_BF16, 0x1p-133, 0x0001},         /* the smallest */
    {RESHARD_DTYPE_BF16, 0x1p-134, 0x0000},
    {RESHARD_DTYPE_BF16, -0x1.8p-133, 0x8002},
    {RESHARD_DTYPE_BF16, HUGE_VAL, 0x7f80},
    {RESHARD_DTYPE_F16, 0.0, 0x0000},
    {RESHARD_DTYPE_F16, -0.0, 0x8000},
    {RESHARD_DTYPE_F16, 1.0, 0x3c00},
    {RESHARD_DTYPE_F16, 0x1.002p0, 0x3c00},    /* a tie, to even: down */
    {RESHARD_DTYPE_F16, 0x1.006p0, 0x3c02},    /* a tie, to even: up */
    {RESHARD_DTYPE_F16, 0x1.002002p0, 0x3c01}, /* just above a tie */
    {RESHARD_DTYPE_F16, 0x1.001ffep0, 0x3c00}, /* just below one */
    {RESHARD_DTYPE_F16, 0x1.ffep0, 0x4000},    /* carries into the exponent */
    {RESHARD_DTYPE_F16, 65504.0, 0x7bff},      /* the largest */
    {RESHARD_DTYPE_F16, 65519.996, 0x7bff},
    {RESHARD_DTYPE_F16, 65520.0, 0x7c00}, /* rounds to infinity */
    {RESHARD_DTYPE_F16, -1e300, 0xfc00},
    {RESHARD_DTYPE_F16, 0x1p-14, 0x0400},        /* the smallest normal */
    {RESHARD_DTYPE_F16, 0x1.ff8p-15, 0x03ff},    /* the largest subnormal */
    {RESHARD_DTYPE_F16, 0x1.ffcp-15, 0x0400},    /* a tie between them, to even */
    {RESHARD_DTYPE_F16, 0x1p-24, 0x0001},        /* the smallest */
    {RESHARD_DTYPE_F16, 0x1p-25, 0x0000},        /* a tie, to even: to zero */
    {RESHARD_DTYPE_F16, 0x1.000002p-25, 0x0001}, /* just above it */
    {RESHARD_DTYPE_F16, -0x1.8p-24, 0x8002},     /* a tie, to even: up */
    {RESHARD_DTYPE_F16, 0x1p-26, 0x0000},
};

START_TEST(doubles_are_stored_by_rounding_to_nearest_even)
{
    const struct rounding *known = &roundings[_i];
    uint16_t bits = 0xdead;
    numbers_encode(known->dtype, &known->value, &bits, 1);
    ck_assert_msg(bits == known->bits, "%a as %s is %04x, not %04x", known->value,
                  reshard_dtype_name(known->dtype), known->bits, bits);
}
END_TEST

/* All 2^16 patterns, but for the payloads of NaNs, which arithmetic need not keep. */
START_TEST(every_narrow_value_reads_back_as_itself)
{
    static const enum reshard_dtype narrow[] = {RESHARD_DTYPE_F16, RESHARD_DTYPE_BF16};
    for (uint32_t pattern = 0; pattern < 0x10000; pattern++) {
        const uint16_t stored = (uint16_t)pattern;
        uint16_t again = 0;
        double value = 0;
        numbers_decode(narrow[_i], &stored, &value, 1);
        numbers_encode(narrow[_i], &value, &again, 1);
        ck_assert_msg(again == stored || isnan(value), "%04x became %04x", stored, again);
        if (isnan(value)) {
            numbers_decode(narrow[_i], &again, &value, 1);
            ck_assert(isnan(value));
        }
    }
}
END_TEST

/* --- Shards -------------------------------------------------------------------------------- */

/* Shapes whose boxes have short and long runs, rows cut in the middle, one element, none. */
static struct reshard_model *odd_model(void)
{
    struct reshard_model *model = NULL;
    struct reshard_error error = RESHARD_ERROR_INIT;
    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    shard_model_add(model, "a", "", RESHARD_DTYPE_F32, (struct reshard_shape){2, {37, 29}});
    shard_model_add(model, "b", "", RESHARD_DTYPE_F32, (struct reshard_shape){3, {5, 7, 3}});
    shard_model_add(model, "c", "", RESHARD_DTYPE_F32, (struct reshard_shape){0, {0}});
    shard_model_add(model, "d", "", RESHARD_DTYPE_F32, (struct reshard_shape){2, {0, 9}});
    shard_model_add(model, "e", "block", RESHARD_DTYPE_BF16, (struct reshard_shape){1, {1031}});
    shard_model_add(model, "f", "block", RESHARD_DTYPE_BF16, (struct reshard_shape){2, {3, 11}});
    shard_model_add(model, "g", "", RESHARD_DTYPE_I32, (struct reshard_shape){2, {13, 5}});
    shard_model_add(model, "h", "half", RESHARD_DTYPE_F16, (struct reshard_shape){2, {9, 301}});
    ck_assert_int_eq(reshard_optimizer_extend(model, &adamw, &error), RESHARD_OK);
    return model;
}

/* A shard's elements of a tensor are those of the whole at the same place. */
static void expect_part(const struct shard *whole, const struct shard *part, uint32_t tensor)
{
    const struct reshard_layout *layout = reshard_state_layout(part->train.state);
    const uint64_t rank = reshard_state_rank(part->train.state);
    const struct reshard_tensor *entry = reshard_model_tensor(reshard_layout_model(layout), tensor);
    const struct reshard_box all = reshard_box_whole(&entry->shape);
    const size_t bytes = reshard_dtype_bytes(entry->dtype);
    struct reshard_box_list boxes = RESHARD_BOX_LIST_INIT;
    const char *next = part->data[tensor];
    ck_assert_int_eq(reshard_layout_boxes(layout, tensor, rank, &boxes), RESHARD_OK);
    for (uint64_t b = 0; b < boxes.count; b++) {
        struct reshard_box_runs runs = reshard_box_runs(&boxes.box[b], &all, &boxes.box[b]);
        while (reshard_box_runs_next(&runs))
            ck_assert_msg(memcmp(next + runs.target * bytes,
                                 (const char *)whole->data[tensor] + runs.source * bytes,
                                 runs.count * bytes) == 0,
                          "%s %s differs on rank %d", entry->fqn, entry->slot, (int)rank);
        next += reshard_box_count(&boxes.box[b]) * bytes;
    }
    reshard_box_list_release(&boxes);
}

/* Every rank of a layout of the model trains its own; frees the layout. */
static void expect_ranks_equal(const struct reshard_model *model, struct reshard_layout *layout)
{
    struct reshard_layout *alone = shard_layout(model, RESHARD_LAYOUT_DDP, 1);
    struct shard whole;
    shard_open(&whole, alone, 0, &adamw);
    shard_train(&whole, 3);
    for (uint64_t rank = 0; rank < reshard_layout_holders(layout); rank++) {
        struct shard part;
        shard_open(&part, layout, rank, &adamw);
        shard_train(&part, 3);
        for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++)
            expect_part(&whole, &part, t);
        shard_close(&part);
    }
    shard_close(&whole);
    reshard_layout_close(layout);
    reshard_layout_close(alone);
}

/* The loop's index is the number of ranks. */
static void expect_shards_equal(enum reshard_layout_kind kind, uint64_t ranks)
{
    struct reshard_model *model = odd_model();
    expect_ranks_equal(model, shard_layout(model, kind, ranks));
    reshard_model_close(model);
}

/* Ranks that have no part in a parameter have no account of its steps either, and idle ones have
 * nothing at all. */
START_TEST(stages_columns_and_idle_ranks_train_as_the_whole_does)
{
    const struct reshard_rule rule = {.pattern = "f",
                                      .tensor = {.how = RESHARD_HOW_CUT, .number = 1}};
    const struct reshard_layout_options options = {.kind = RESHARD_LAYOUT_FSDP2,
                                                   .world = 13,
                                                   .pipeline = 2,
                                                   .shard = 3,
                                                   .tensor = 2,
                                                   .rule = &rule,
                                                   .rule_count = 1};
    struct reshard_model *model = odd_model();
    struct reshard_layout *layout = NULL;
    struct reshard_error error = RESHARD_ERROR_INIT;
    ck_assert_msg(reshard_layout_open(&layout, model, &options, &error) == RESHARD_OK, "%s",
                  error.text);
    expect_ranks_equal(model, layout);
    reshard_model_close(model);
}
END_TEST

START_TEST(flat_shards_train_as_the_whole_does)
{
    expect_shards_equal(RESHARD_LAYOUT_FSDP1, (uint64_t)_i);
}
END_TEST

START_TEST(chunks_of_rows_train_as_the_whole_does)
{
    expect_shards_equal(RESHARD_LAYOUT_FSDP2, (uint64_t)_i);
}
END_TEST

START_TEST(elements_whose_block_number_exceeds_32_bits_have_words_of_their_own)
{
    /* 2^36 rows over 2^20 ranks: the last rank has the last 2^16. */
    const uint64_t ranks = UINT64_C(1) << 20;
    struct reshard_model *model = NULL;
    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    shard_model_add(model, "huge", "", RESHARD_DTYPE_U16,
                    (struct reshard_shape){1, {UINT64_C(1) << 36}});
    struct reshard_layout *layout = shard_layout(model, RESHARD_LAYOUT_FSDP2, ranks);
    struct shard first;
    struct shard last;
    shard_open(&first, layout, 0, &adamw);
    shard_open(&last, layout, ranks - 1, &adamw);
    shard_train(&first, 0);
    shard_train(&last, 0);
    const uint64_t b = (UINT64_C(1) << 34) - 1;
    const uint64_t i = 4 * b + 2;
    const philox4x32_ctr_t counter = {
        {(uint32_t)b, (uint32_t)(b >> 32), stream_tensor_number("huge"), 0}};
    const philox4x32_key_t key = {{(uint32_t)shard_seed, (uint32_t)(shard_seed >> 32)}};
    const uint64_t z = philox4x32(counter, key).v[2] * UINT64_C(0x9E3779B97F4A7C15) + i;
    ck_assert_uint_eq(((uint16_t *)last.data[0])[(1 << 16) - 2], (uint16_t)z);
    ck_assert_mem_ne(first.data[0], last.data[0], 32);
    shard_close(&first);
    shard_close(&last);
    reshard_layout_close(layout);
    reshard_model_close(model);
}
END_TEST

/* --- The state's one number ---------------------------------------------------------------- */

/* CRC-64/XZ of
 *     "a - f32 2x3 00000000000000ff\nb - f32 scalar 0123456789abcdef\nb step f32 4 ...0001\n"
 * by FORMAT.md's Python. */
START_TEST(a_fingerprint_is_the_crc_of_the_sorted_lines)
{
    const uint64_t digests[] = {0x0123456789abcdef, 0xff, 1};
    const struct reshard_shape four = {1, {4}};
    struct reshard_model *model = NULL;
    struct reshard_error error = RESHARD_ERROR_INIT;
    char text[FINGERPRINT_TEXT_BYTES];
    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    shard_model_add(model, "b", "", RESHARD_DTYPE_F32, (struct reshard_shape){0, {0}});
    shard_model_add(model, "a", "", RESHARD_DTYPE_F32, (struct reshard_shape){2, {2, 3}});
    ck_assert_int_eq(
        reshard_model_add_slot(model, "b", "step", RESHARD_DTYPE_F32, &four, false, &error),
        RESHARD_OK);
    ck_assert_int_eq(fingerprint_of(model, (bool[3]){false}, digests, text), RESHARD_OK);
    ck_assert_str_eq(text, "b99682955fd7f067");
    ck_assert_int_eq(fingerprint_of(model, (bool[3]){false, false, true}, digests, text),
                     RESHARD_OK);
    char lines[] = "a - f32 2x3 00000000000000ff\nb - f32 scalar 0123456789abcdef\nb step f32 4 "
                   "absent\n";
    char expected[FINGERPRINT_TEXT_BYTES];
    (void)snprintf(expected, sizeof(expected), "%016" PRIx64,
                   digest_crc(0, lines, sizeof(lines) - 1));
    ck_assert_str_eq(text, expected);
    reshard_model_close(model);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("train");
    TCase *tcase = tcase_create("train");
    tcase_add_loop_test(tcase, philox_gives_its_known_answers, 0, 3);
    tcase_add_test(tcase, a_tensor_is_numbered_by_the_crc_of_its_name);
    tcase_add_loop_test(tcase, initial_values_are_those_of_the_specification, 0,
                        (int)(sizeof(begins) / sizeof(begins[0])));
    tcase_add_test(tcase, a_complex_element_of_sixteen_bytes_is_z_and_its_complement);
    tcase_add_loop_test(tcase, doubles_are_stored_by_rounding_to_nearest_even, 0,
                        (int)(sizeof(roundings) / sizeof(roundings[0])));
    tcase_add_loop_test(tcase, every_narrow_value_reads_back_as_itself, 0, 2);
    tcase_add_test(tcase, stages_columns_and_idle_ranks_train_as_the_whole_does);
    tcase_add_loop_test(tcase, flat_shards_train_as_the_whole_does, 1, 12);
    tcase_add_loop_test(tcase, chunks_of_rows_train_as_the_whole_does, 1, 12);
    tcase_add_test(tcase, elements_whose_block_number_exceeds_32_bits_have_words_of_their_own);
    tcase_add_test(tcase, a_fingerprint_is_the_crc_of_the_sorted_lines);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
