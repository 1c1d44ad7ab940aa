/*
 * The optimizers' arithmetic, and when state is there: against literals computed by a separate
 * program from scenarios/TRAINING.md (Python, its own Philox and its own CRC).
 *
 * The literals: tensor "w" of six elements, seed 0x123456789abcdef0. Those of AdamW: lr 3e-4, betas
 * 0.9 and 0.999, eps 1e-8, weight decay 0.1. In float64, for element i at step k with g = x(i, k):
 *     p = p*(1-lr*wd); m = b1*m + (1-b1)*g; v = b2*v + (1-b2)*(g*g); m, v rounded to the slot's
 * dtype p = p - (lr/c1)*(m/(sqrt(v/c2)+eps)), rounded to the parameter's dtype.
 */
#include "support/shard.h"

#include <check.h>

#include <math.h>
#include <stdbool.h>
#include <string.h>

static const struct reshard_optimizer adamw = {
    .name = RESHARD_OPTIMIZER_ADAMW,
    .dtype = RESHARD_DTYPE_F32,
    .hyper = {.lr = 3e-4, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.1},
};

/* --- AdamW --------------------------------------------------------------------------------- */

struct adamw_case {
    enum reshard_dtype dtype;
    enum reshard_dtype slots;
    uint64_t steps;
    uint64_t parameter[SHARD_ELEMENTS];
    uint64_t exp_avg[SHARD_ELEMENTS];
    uint64_t exp_avg_sq[SHARD_ELEMENTS];
};

static const struct adamw_case trainings[] = {
    {RESHARD_DTYPE_F32,
     RESHARD_DTYPE_F32,
     1,
     {0x3b27141e, 0xbce99870, 0xbc8a3fdf, 0xbc2863d6, 0x3ce23034, 0xbba4aca8},
     {0xbd680021, 0x3d82df70, 0xbda9dc67, 0xbcb5f23d, 0xbdb230d5, 0xbd70aa69},
     {0x39a83362, 0x39d6189b, 0x3a345463, 0x384ee718, 0x3a46731d, 0x39b4fff8}},
    {RESHARD_DTYPE_F32,
     RESHARD_DTYPE_F32,
     3,
     {0x3b489c74, 0xbcea8f25, 0xbc86014b, 0xbc2e8534, 0x3ce53857, 0xbb98c89b},
     {0xbd9da441, 0x3c00e8ae, 0xbe02ca82, 0x3e093c38, 0xbd6532b8, 0xbd48dc75},
     {0x39d2cc4d, 0x3a07f703, 0x3aa4eb0f, 0x3aae6dba, 0x3b0fb370, 0x3b00a60e}},
    {RESHARD_DTYPE_BF16,
     RESHARD_DTYPE_F32,
     3,
     {0x3b48, 0xbcea, 0xbc87, 0xbc2e, 0x3ce5, 0xbb99},
     {0xbd9da441, 0x3c00e8ae, 0xbe02ca82, 0x3e093c38, 0xbd6532b8, 0xbd48dc75},
     {0x39d2cc4d, 0x3a07f703, 0x3aa4eb0f, 0x3aae6dba, 0x3b0fb370, 0x3b00a60e}},
    {RESHARD_DTYPE_F16,
     RESHARD_DTYPE_BF16,
     3,
     {0x1a45, 0xa754, 0xa430, 0xa174, 0x272b, 0x9cc5},
     {0xbd9e, 0x3c02, 0xbe03, 0x3e09, 0xbd66, 0xbd4a},
     {0x39d3, 0x3a08, 0x3aa5, 0x3aaf, 0x3b10, 0x3b01}},
    {RESHARD_DTYPE_F64,
     RESHARD_DTYPE_F64,
     3,
     {0x3f69138e8afbfbb3, 0xbf9d51e4a6626551, 0xbf90c029739e55be, 0xbf85d0a6718d0aac,
      0x3f9ca70add65f139, 0xbf731913534a10cd},
     {0xbfb3b4881c245a1c, 0x3f801d156fa1cabe, 0xbfc0595040424dd2, 0x3fc1278701c18936,
      0xbfaca6573a8d4fde, 0xbfa91b8ece9eb852},
     {0x3f3a5989a421796b, 0x3f40fee072f0943e, 0x3f549d61c729ca11, 0x3f55cdb735b8c890,
      0x3f61f66e0142386b, 0x3f6014c1b35fc802}},
};

static void expect_bits(const void *data, enum reshard_dtype dtype, const uint64_t *bits)
{
    const size_t bytes = reshard_dtype_bytes(dtype);
    for (size_t i = 0; i < SHARD_ELEMENTS; i++)
        ck_assert_mem_eq((const char *)data + i * bytes, &bits[i], bytes);
}

START_TEST(adamw_gives_the_bits_of_a_separate_computation)
{
    const struct adamw_case *known = &trainings[_i];
    struct reshard_optimizer optimizer = adamw;
    optimizer.dtype = known->slots;
    struct reshard_model *model = shard_model(known->dtype, &optimizer);
    struct reshard_layout *layout = shard_layout(model, RESHARD_LAYOUT_DDP, 1);
    struct shard shard;
    shard_open(&shard, layout, 0, &optimizer);
    shard_train(&shard, known->steps);
    expect_bits(shard.data[0], known->dtype, known->parameter);
    expect_bits(shard.data[1], known->slots, known->exp_avg);
    expect_bits(shard.data[2], known->slots, known->exp_avg_sq);
    ck_assert_float_eq(*(float *)shard.data[3], (float)known->steps);
    shard_close(&shard);
    reshard_layout_close(layout);
    reshard_model_close(model);
}
END_TEST

START_TEST(a_lost_step_count_shows_in_the_parameters_and_leaves_the_gradients)
{
    struct reshard_model *model = shard_model(RESHARD_DTYPE_F32, &adamw);
    struct reshard_layout *layout = shard_layout(model, RESHARD_LAYOUT_DDP, 1);
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct shard shard;
    shard_open(&shard, layout, 0, &adamw);
    shard_train(&shard, 2);
    *(float *)shard.data[3] = 0;
    ck_assert_int_eq(train_steps(&shard.train, NULL, 3, 1, &error), RESHARD_OK);
    ck_assert_uint_ne(*(uint32_t *)shard.data[0], trainings[1].parameter[0]);
    expect_bits(shard.data[1], RESHARD_DTYPE_F32, trainings[1].exp_avg);
    shard_close(&shard);
    reshard_layout_close(layout);
    reshard_model_close(model);
}
END_TEST

START_TEST(a_step_count_that_no_training_leaves_is_refused)
{
    static const float wrong[] = {-1, 0.5F, 3e7F, (float)NAN, (float)HUGE_VAL};
    struct reshard_model *model = shard_model(RESHARD_DTYPE_F32, &adamw);
    struct reshard_layout *layout = shard_layout(model, RESHARD_LAYOUT_DDP, 1);
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct shard shard;
    shard_open(&shard, layout, 0, &adamw);
    shard_train(&shard, 1);
    *(float *)shard.data[3] = wrong[_i];
    ck_assert_int_eq(train_steps(&shard.train, NULL, 2, 1, &error), RESHARD_EINVAL);
    ck_assert_ptr_nonnull(strstr(error.text, "w, step"));
    shard_close(&shard);
    reshard_layout_close(layout);
    reshard_model_close(model);
}
END_TEST

/* Before its first step a parameter has no state, and what its memory has is nobody's business. */
START_TEST(slots_are_absent_until_the_first_step_of_their_parameter)
{
    struct reshard_optimizer optimizer = adamw;
    optimizer.hyper.from = 3;
    struct reshard_model *model = shard_model(RESHARD_DTYPE_F32, &optimizer);
    struct reshard_layout *layout = shard_layout(model, RESHARD_LAYOUT_DDP, 1);
    struct reshard_error error = RESHARD_ERROR_INIT;
    uint32_t initial[SHARD_ELEMENTS];
    struct shard shard;
    shard_open(&shard, layout, 0, &optimizer);
    shard_train(&shard, 0);
    memcpy(initial, shard.data[0], sizeof(initial));
    ck_assert_int_eq(train_steps(&shard.train, NULL, 1, 2, &error), RESHARD_OK);
    ck_assert_mem_eq(shard.data[0], initial, sizeof(initial));
    for (uint32_t t = 0; t < 4; t++)
        ck_assert_int_eq(reshard_state_is_absent(shard.train.state, t), t != 0);
    ck_assert_uint_eq(*(uint8_t *)shard.data[1], 0xa5);
    ck_assert_int_eq(train_steps(&shard.train, NULL, 3, 1, &error), RESHARD_OK);
    ck_assert_mem_ne(shard.data[0], initial, sizeof(initial));
    for (uint32_t t = 0; t < 4; t++)
        ck_assert(!reshard_state_is_absent(shard.train.state, t));
    ck_assert_float_eq(*(float *)shard.data[3], 1);
    shard_close(&shard);
    reshard_layout_close(layout);
    reshard_model_close(model);
}
END_TEST

/* A single slot that was lost begins anew, as it did before the first step; the others go on. */
START_TEST(a_slot_that_is_absent_begins_with_zeros)
{
    struct reshard_model *model = shard_model(RESHARD_DTYPE_F32, &adamw);
    struct reshard_layout *layout = shard_layout(model, RESHARD_LAYOUT_DDP, 1);
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct shard lost;
    struct shard zeroed;
    shard_open(&lost, layout, 0, &adamw);
    shard_open(&zeroed, layout, 0, &adamw);
    shard_train(&lost, 2);
    shard_train(&zeroed, 2);
    reshard_state_set_absent(lost.train.state, 1, true);
    memset(zeroed.data[1], 0, SHARD_ELEMENTS * sizeof(float));
    ck_assert_int_eq(train_steps(&lost.train, NULL, 3, 1, &error), RESHARD_OK);
    ck_assert_int_eq(train_steps(&zeroed.train, NULL, 3, 1, &error), RESHARD_OK);
    for (uint32_t t = 0; t < 4; t++)
        ck_assert_mem_eq(lost.data[t], zeroed.data[t], reshard_state_bytes(lost.train.state, t));
    ck_assert(!reshard_state_is_absent(lost.train.state, 1));
    ck_assert_mem_ne(lost.data[1], trainings[1].exp_avg, sizeof(float));
    shard_close(&lost);
    shard_close(&zeroed);
    reshard_layout_close(layout);
    reshard_model_close(model);
}
END_TEST

/* The model's slots must be the optimizer's: sgd's momentum is none of adamw's. */
START_TEST(a_model_with_another_optimizers_slots_is_refused)
{
    struct reshard_optimizer other = adamw;
    struct reshard_model *model = shard_model(RESHARD_DTYPE_F32, &adamw);
    struct reshard_layout *layout = shard_layout(model, RESHARD_LAYOUT_DDP, 1);
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct shard shard;
    shard_open(&shard, layout, 0, &other);
    shard_train(&shard, 0);
    other.hyper.momentum = 0.9;
    other.name = RESHARD_OPTIMIZER_SGD;
    ck_assert_int_eq(train_steps(&shard.train, NULL, 1, 1, &error), RESHARD_ENOENT);
    ck_assert_ptr_nonnull(strstr(error.text, "momentum_buffer of sgd"));
    reshard_error_clear(&error);
    other = adamw;
    other.dtype = RESHARD_DTYPE_F64;
    ck_assert_int_eq(train_steps(&shard.train, NULL, 1, 1, &error), RESHARD_EMISMATCH);
    ck_assert_ptr_nonnull(strstr(error.text, "'w' slot exp_avg"));
    other = adamw;
    other.name = RESHARD_OPTIMIZER_ADAM8BIT;
    other.hyper.block = 4;
    ck_assert_int_eq(train_steps(&shard.train, NULL, 1, 1, &error), RESHARD_EMISMATCH);
    shard_close(&shard);
    reshard_layout_close(layout);
    reshard_model_close(model);
}
END_TEST

START_TEST(there_is_no_training_without_an_optimizer)
{
    const struct reshard_optimizer none = {.name = RESHARD_OPTIMIZER_NONE};
    struct reshard_model *model = shard_model(RESHARD_DTYPE_F32, NULL);
    struct reshard_layout *layout = shard_layout(model, RESHARD_LAYOUT_DDP, 1);
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct shard shard;
    shard_open(&shard, layout, 0, &none);
    shard_train(&shard, 0);
    ck_assert_int_eq(train_steps(&shard.train, NULL, 1, 1, &error), RESHARD_EINVAL);
    shard_close(&shard);
    reshard_layout_close(layout);
    reshard_model_close(model);
}
END_TEST

/* --- All optimizers ------------------------------------------------------------------------ */

enum { LITERALS_MAX = 6 }; /* a parameter and its slots */

/* The bits of a training of "w" in f32, in the model's order; learning rate 0.01, weight decay 0.1.
 */
struct literal {
    enum reshard_optimizer_name name;
    struct reshard_hyper hyper;
    struct reshard_shape shape;
    uint64_t steps;
    uint32_t bits[LITERALS_MAX][SHARD_ELEMENTS];
};

static const struct literal literals[] = {
    {RESHARD_OPTIMIZER_SGD,
     {.lr = 1e-2, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.1, .from = 1},
     {1, {6}},
     3,
     {{0x3c38d993, 0xbcf48dae, 0xbb063571, 0xbcc672e9, 0x3d1075c5, 0x3ad74293}}},
    {RESHARD_OPTIMIZER_SGD,
     {.lr = 1e-2,
      .beta1 = 0.9,
      .beta2 = 0.999,
      .eps = 1e-8,
      .weight_decay = 0.1,
      .from = 1,
      .momentum = 0.9},
     {1, {6}},
     3,
     {{0x3cc04be9, 0xbd1cc061, 0x3c9b2c19, 0xbcdad4fb, 0x3d6b1b69, 0x3ca60dd5},
      {0xbf446b29, 0x3d8e6306, 0xbfa3b0b5, 0x3fab2ade, 0xbf0c8646, 0xbefa7c02}}},
    {RESHARD_OPTIMIZER_SGD,
     {.lr = 1e-2,
      .beta1 = 0.9,
      .beta2 = 0.999,
      .eps = 1e-8,
      .weight_decay = 0.1,
      .from = 1,
      .momentum = 0.9,
      .nesterov = true},
     {1, {6}},
     3,
     {{0x3cf8a43e, 0xbd1f3ae2, 0x3cf914e6, 0xbd1eb312, 0x3d7f24ff, 0x3cc9cc7f},
      {0xbf441ea1, 0x3d8cc808, 0xbfa36e67, 0x3fab220d, 0xbf0bfa67, 0xbef98ed8}}},
    {RESHARD_OPTIMIZER_ADAM,
     {.lr = 1e-2, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.1, .from = 1},
     {1, {6}},
     3,
     {{0x3cefdf5d, 0xbd2c35dd, 0x3c24cca6, 0xbc55d9f5, 0x3d4b6822, 0x3c893f77},
      {0xbd9cefeb, 0x3be17b43, 0xbe02f89c, 0x3e09159e, 0xbd60fac5, 0xbd484545},
      {0x39d22cf6, 0x3a07ff77, 0x3aa5702b, 0x3aae5927, 0x3b0f8a19, 0x3b00cabe},
      {0x40400000}}},
    {RESHARD_OPTIMIZER_ADAM,
     {.lr = 1e-2,
      .beta1 = 0.9,
      .eps = 1e-8,
      .weight_decay = 0.1,
      .from = 1,
      .beta2 = 0.5,
      .amsgrad = true},
     {1, {6}},
     3,
     {{0x3ce4047b, 0xbd2b1d64, 0x3c1b6223, 0xbc3b9609, 0x3d4bca24, 0x3c830b1a},
      {0xbd9cf19c, 0x3be18ace, 0xbe02f82d, 0x3e09171e, 0xbd60f999, 0xbd484c34},
      {0x3d7a6543, 0x3db708b5, 0x3e6c8d74, 0x3f061e44, 0x3f263d4a, 0x3f207650},
      {0x3e2420c9, 0x3e4f3c68, 0x3ee9db26, 0x3f061e44, 0x3f263d4a, 0x3f207650},
      {0x40400000}}},
    {RESHARD_OPTIMIZER_ADAMW,
     {.lr = 1e-2,
      .beta1 = 0.9,
      .eps = 1e-8,
      .weight_decay = 0.1,
      .from = 1,
      .beta2 = 0.5,
      .amsgrad = true},
     {1, {6}},
     4,
     {{0x3d0f2047, 0xbd3a0c8f, 0x3c765be6, 0xbc6cb1f4, 0x3d518c2d, 0x3c852aba},
      {0xbe17c33b, 0x3d715f9b, 0xbe080a37, 0x3d9e9870, 0xbd320dfb, 0xbc025ed2},
      {0x3eaf37ce, 0x3e36f0b0, 0x3e0658b0, 0x3eb5f336, 0x3ea6ecf8, 0x3ec1b474},
      {0x3eaf37ce, 0x3e511407, 0x3ee936d2, 0x3f06393d, 0x3f25b5ce, 0x3f203318},
      {0x40800000}}},
    {RESHARD_OPTIMIZER_ADAMW,
     {.lr = 1e-2, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.1, .from = 3},
     {1, {6}},
     4,
     {{0x3ca517ff, 0xbcba6c13, 0xbcba489c, 0xbcbf0d47, 0x3c23ed20, 0xbcc7dd0f},
      {0xbdac7a74, 0x3d0bfa3b, 0xbc3aabf0, 0x3d16e8ba, 0x3db026c5, 0x3de5860e},
      {0x3a24377d, 0x39a1231c, 0x381c4111, 0x3a7fe5f3, 0x3a4ba41c, 0x3a5c8971},
      {0x40000000}}},
    {RESHARD_OPTIMIZER_ADAFACTOR,
     {.lr = 1e-2, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.1, .from = 1},
     {1, {6}},
     3,
     {{0x3b2904a3, 0xbce642ad, 0xbc898e96, 0xbc313924, 0x3ce07906, 0xbba730ec},
      {0x3dce4789, 0x3e094ccd, 0x3eb23770, 0x3f05a667, 0x3f3bb6a3, 0x3f3193ba},
      {0x40400000}}},
    {RESHARD_OPTIMIZER_ADAFACTOR,
     {.lr = 1e-2, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.1, .from = 1},
     {2, {2, 3}},
     3,
     {{0x3b2b920e, 0xbce64a6f, 0xbc89428a, 0xbc32c4db, 0x3ce0db6d, 0xbba82da5},
      {0x3e46f526, 0x3f265041},
      {0x3e9f6f58, 0x3ede09d6, 0x3f0557b9},
      {0x40400000}}},
    {RESHARD_OPTIMIZER_ADAFACTOR,
     {.lr = 1e-2, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.1, .from = 1},
     {3, {3, 1, 2}},
     3,
     {{0x3b2904a3, 0xbce642ad, 0xbc898e96, 0xbc313924, 0x3ce07906, 0xbba730ec},
      {0x3df07091, 0x3edec21f, 0x3f36a52e},
      {0x3dce4789, 0x3e094ccd, 0x3eb23770, 0x3f05a667, 0x3f3bb6a3, 0x3f3193ba},
      {0x40400000}}},
    {RESHARD_OPTIMIZER_ADAM8BIT,
     {.lr = 1e-2,
      .beta1 = 0.9,
      .beta2 = 0.999,
      .eps = 1e-8,
      .weight_decay = 0.1,
      .from = 1,
      .block = 4},
     {1, {6}},
     3,
     {{0x3cf01df8, 0xbd2cc794, 0x3c24d425, 0xbc5445c7, 0x3d4b20b7, 0x3c89fbd3},
      {0x37, 0x88, 0x7, 0xff, 0x1, 0x10},
      {0x8c, 0xa0, 0xf8, 0xff, 0xff, 0xf1},
      {0x3e08bf46, 0x3d6532b8},
      {0x3aae0e54, 0x3b0fb370},
      {0x40400000}}},
    {RESHARD_OPTIMIZER_ADAM8BIT,
     {.lr = 1e-2,
      .beta1 = 0.9,
      .beta2 = 0.999,
      .eps = 1e-8,
      .weight_decay = 0.1,
      .from = 1,
      .block = 256},
     {2, {3, 2}},
     3,
     {{0x3cf0c08d, 0xbd2c0720, 0x3c244db0, 0xbc584653, 0x3d4b235d, 0x3c8a1b0f},
      {0x37, 0x87, 0x7, 0xff, 0x4b, 0x51},
      {0x6d, 0x7c, 0xc2, 0xc7, 0xff, 0xf1},
      {0x3e097241},
      {0x3b0fb370},
      {0x40400000}}},
    {RESHARD_OPTIMIZER_MUON,
     {.lr = 1e-2,
      .beta1 = 0.9,
      .beta2 = 0.999,
      .eps = 1e-8,
      .weight_decay = 0.1,
      .from = 1,
      .momentum = 0.95,
      .nesterov = true},
     {1, {6}},
     3,
     {{0x3cefd0cc, 0xbd2c62ea, 0x3c252f50, 0xbc55e118, 0x3d4b20b7, 0x3c893064},
      {0xbd9da441, 0x3c00e8ae, 0xbe02ca82, 0x3e093c38, 0xbd6532b8, 0xbd48dc75},
      {0x39d2cc4d, 0x3a07f703, 0x3aa4eb0f, 0x3aae6dba, 0x3b0fb370, 0x3b00a60e},
      {0x40400000}}},
    {RESHARD_OPTIMIZER_MUON,
     {.lr = 1e-2,
      .beta1 = 0.9,
      .beta2 = 0.999,
      .eps = 1e-8,
      .weight_decay = 0.1,
      .from = 1,
      .momentum = 0.95,
      .nesterov = true},
     {2, {2, 3}},
     3,
     {{0x3d03f185, 0xbd1c102d, 0x3c52730e, 0xbca865b7, 0x3d185ee0, 0x3b98b5d1},
      {0xbf560d1a, 0x3dfe9883, 0xbfb220d4, 0x3fad66b9, 0xbf2e4a4d, 0xbf17a68d}}},
    {RESHARD_OPTIMIZER_MUON,
     {.lr = 1e-2,
      .beta1 = 0.9,
      .beta2 = 0.999,
      .eps = 1e-8,
      .weight_decay = 0.1,
      .from = 1,
      .momentum = 0.95},
     {2, {2, 3}},
     3,
     {{0x3d03f185, 0xbd6dfbb3, 0x3c52730e, 0xbca865b7, 0x3d6a4a65, 0x3cca047f},
      {0xbf560d1a, 0x3dfe9883, 0xbfb220d4, 0x3fad66b9, 0xbf2e4a4d, 0xbf17a68d}}},
};

START_TEST(optimizers_give_the_bits_of_a_separate_computation)
{
    const struct literal *known = &literals[_i];
    const struct reshard_optimizer optimizer = {
        .name = known->name, .dtype = RESHARD_DTYPE_F32, .hyper = known->hyper};
    struct reshard_model *model = shard_model_of(RESHARD_DTYPE_F32, known->shape, &optimizer);
    struct reshard_layout *layout = shard_layout(model, RESHARD_LAYOUT_DDP, 1);
    struct shard shard;
    shard_open(&shard, layout, 0, &optimizer);
    shard_train(&shard, known->steps);
    ck_assert_uint_le(reshard_model_tensor_count(model), LITERALS_MAX);
    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
        const size_t bytes = reshard_dtype_bytes(tensor->dtype);
        ck_assert(!reshard_state_is_absent(shard.train.state, t));
        for (uint64_t i = 0; i < tensor->count; i++)
            ck_assert_msg(
                memcmp((const char *)shard.data[t] + i * bytes, &known->bits[t][i], bytes) == 0,
                "%s: element %d of '%s' differs", reshard_optimizer_name_text(known->name), (int)i,
                tensor->slot);
    }
    shard_close(&shard);
    reshard_layout_close(layout);
    reshard_model_close(model);
}
END_TEST

/* With betas of 1 moments stay what they are: 2 and 1 of 127, so that halves come out exactly. */
START_TEST(codes_are_rounded_to_the_nearest_ties_to_even)
{
    static const uint8_t before[SHARD_ELEMENTS] = {130, 129, 127, 126, 128, 130};
    static const uint8_t after[SHARD_ELEMENTS] = {255, 192, 64, 1, 128, 255};
    const struct reshard_optimizer optimizer = {
        .name = RESHARD_OPTIMIZER_ADAM8BIT,
        .dtype = RESHARD_DTYPE_F32,
        .hyper = {.lr = 1e-3, .beta1 = 1, .beta2 = 0.999, .block = 256, .from = 1},
    };
    struct reshard_model *model = shard_model(RESHARD_DTYPE_F32, &optimizer);
    struct reshard_layout *layout = shard_layout(model, RESHARD_LAYOUT_DDP, 1);
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct shard shard;
    shard_open(&shard, layout, 0, &optimizer);
    shard_train(&shard, 1);
    memcpy(shard.data[1], before, sizeof(before));
    *(float *)shard.data[3] = 127;
    ck_assert_int_eq(train_steps(&shard.train, NULL, 2, 1, &error), RESHARD_OK);
    ck_assert_mem_eq(shard.data[1], after, sizeof(after));
    ck_assert_float_eq(*(float *)shard.data[3], 2);
    shard_close(&shard);
    reshard_layout_close(layout);
    reshard_model_close(model);
}
END_TEST

/* Codes that are absent are zeros, which zero bits are not: that is 128. */
START_TEST(codes_that_are_absent_are_zeros)
{
    struct reshard_optimizer optimizer = adamw;
    optimizer.name = RESHARD_OPTIMIZER_ADAM8BIT;
    optimizer.hyper.block = 4;
    struct reshard_model *model = shard_model(RESHARD_DTYPE_F32, &optimizer);
    struct reshard_layout *layout = shard_layout(model, RESHARD_LAYOUT_DDP, 1);
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct shard lost;
    struct shard zeroed;
    shard_open(&lost, layout, 0, &optimizer);
    shard_open(&zeroed, layout, 0, &optimizer);
    shard_train(&lost, 1);
    shard_train(&zeroed, 1);
    reshard_state_set_absent(lost.train.state, 1, true);
    reshard_state_set_absent(lost.train.state, 2, true);
    memset(zeroed.data[1], 128, SHARD_ELEMENTS);
    memset(zeroed.data[2], 0, SHARD_ELEMENTS);
    ck_assert_int_eq(train_steps(&lost.train, NULL, 2, 1, &error), RESHARD_OK);
    ck_assert_int_eq(train_steps(&zeroed.train, NULL, 2, 1, &error), RESHARD_OK);
    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++)
        ck_assert_mem_eq(lost.data[t], zeroed.data[t], reshard_state_bytes(lost.train.state, t));
    shard_close(&lost);
    shard_close(&zeroed);
    reshard_layout_close(layout);
    reshard_model_close(model);
}
END_TEST

/* Infinitely many times nothing is no number, but there is nothing to take times. */
START_TEST(momentum_that_is_absent_is_not_taken_to_be_zero)
{
    static const enum reshard_optimizer_name names[] = {RESHARD_OPTIMIZER_SGD,
                                                        RESHARD_OPTIMIZER_MUON};
    const struct reshard_optimizer optimizer = {
        .name = names[_i],
        .dtype = RESHARD_DTYPE_F64,
        .hyper = {.lr = 1e-3, .momentum = HUGE_VAL, .from = 1},
    };
    struct reshard_model *model =
        shard_model_of(RESHARD_DTYPE_F64, (struct reshard_shape){2, {2, 3}}, &optimizer);
    struct reshard_layout *layout = shard_layout(model, RESHARD_LAYOUT_DDP, 1);
    struct shard shard;
    shard_open(&shard, layout, 0, &optimizer);
    shard_train(&shard, 1);
    for (int i = 0; i < SHARD_ELEMENTS; i++)
        ck_assert(isfinite(((double *)shard.data[1])[i]));
    shard_close(&shard);
    reshard_layout_close(layout);
    reshard_model_close(model);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("train_rules");
    TCase *tcase = tcase_create("train_rules");
    tcase_add_loop_test(tcase, adamw_gives_the_bits_of_a_separate_computation, 0,
                        (int)(sizeof(trainings) / sizeof(trainings[0])));
    tcase_add_test(tcase, a_lost_step_count_shows_in_the_parameters_and_leaves_the_gradients);
    tcase_add_loop_test(tcase, a_step_count_that_no_training_leaves_is_refused, 0, 5);
    tcase_add_test(tcase, slots_are_absent_until_the_first_step_of_their_parameter);
    tcase_add_test(tcase, a_slot_that_is_absent_begins_with_zeros);
    tcase_add_test(tcase, a_model_with_another_optimizers_slots_is_refused);
    tcase_add_test(tcase, there_is_no_training_without_an_optimizer);
    tcase_add_loop_test(tcase, optimizers_give_the_bits_of_a_separate_computation, 0,
                        (int)(sizeof(literals) / sizeof(literals[0])));
    tcase_add_test(tcase, codes_are_rounded_to_the_nearest_ties_to_even);
    tcase_add_test(tcase, codes_that_are_absent_are_zeros);
    tcase_add_loop_test(tcase, momentum_that_is_absent_is_not_taken_to_be_zero, 0, 2);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
