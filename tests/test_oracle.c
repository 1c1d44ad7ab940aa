/*
 * The verifier's oracle against answers that oracle_answers.py works out:
 * every optimizer, dtype and kind of slot, groups that begin late or never, before and after some
 * steps; each tensor whole, and in ranges that begin and end anywhere. Then what it refuses.
 */
#include "verify/crc.h"
#include "verify/oracle.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TENSORS_MAX = 64, STEPS = 4, RANGES = 40 };

/* One tensor, and the CRCs of its bytes after each of the steps. */
struct answer {
    const char *fqn;
    const char *slot;
    enum reshard_dtype dtype;
    uint32_t ndim;
    uint64_t shape[3];
    struct {
        bool like;
        enum verify_class slot_class;
        uint64_t block;
    } kind;
    uint64_t crc[STEPS];
};

struct answers {
    const char *name;
    uint64_t seed;
    struct verify_optimizer optimizer;
    const struct answer *answer;
    size_t count;
};

#define LIKE                                                                                       \
    {                                                                                              \
        true, VERIFY_PLAIN, 0                                                                      \
    }
#define WHOLE                                                                                      \
    {                                                                                              \
        false, VERIFY_PLAIN, 0                                                                     \
    }
#define ROW                                                                                        \
    {                                                                                              \
        false, VERIFY_ROW, 0                                                                       \
    }
#define COLUMN                                                                                     \
    {                                                                                              \
        false, VERIFY_COLUMN, 0                                                                    \
    }
#define BLOCKS(elements)                                                                           \
    {                                                                                              \
        false, VERIFY_BLOCKWISE, elements                                                          \
    }
#define ABSENT UINT64_MAX /* no CRC of any of the answers */

#include "oracle_answers.h"

enum { CASES = sizeof cases / sizeof cases[0] };

/* ---- a model to ask for ---------------------------------------------------------------------- */

struct asked {
    const struct answers *answers;
    struct verify_tensor tensor[TENSORS_MAX];
    struct verify_inventory inventory;
};

/* An entry of the model is followed by its slots. */
static void ask(struct asked *asked, const struct answers *answers)
{
    uint32_t parameter = 0;

    memset(asked, 0, sizeof *asked);
    asked->answers = answers;
    ck_assert_uint_le(answers->count, TENSORS_MAX);
    for (uint32_t t = 0; t < answers->count; ++t) {
        const struct answer *answer = &answers->answer[t];
        struct verify_tensor *tensor = &asked->tensor[t];

        parameter = answer->slot[0] ? parameter : t;
        *tensor = (struct verify_tensor){.fqn = answer->fqn,
                                         .slot = answer->slot,
                                         .dtype = answer->dtype,
                                         .ndim = answer->ndim,
                                         .parameter = parameter,
                                         .like = answer->kind.like,
                                         .slot_class = answer->kind.slot_class,
                                         .block = answer->kind.block};
        memcpy(tensor->shape, answer->shape, sizeof answer->shape);
    }
    asked->inventory =
        (struct verify_inventory){(uint32_t)answers->count, asked->tensor, .unit_count = 1};
}

static enum reshard_status try_open(const struct asked *asked, uint64_t step,
                                    struct verify_oracle **out)
{
    const struct verify_oracle_options options = {
        .inventory = &asked->inventory,
        .optimizer = asked->answers->optimizer,
        .seed = asked->answers->seed,
        .step = step,
    };

    return verify_oracle_open(out, &options, NULL);
}

static struct verify_oracle *open_oracle(const struct asked *asked, uint64_t step)
{
    struct verify_oracle *oracle;

    ck_assert_int_eq(try_open(asked, step, &oracle), RESHARD_OK);
    return oracle;
}

static const struct answers *case_of(const char *name)
{
    for (size_t c = 0; c < CASES; ++c) {
        if (strcmp(cases[c].name, name) == 0)
            return &cases[c];
    }
    ck_abort_msg("there is no case %s", name);
}

/* ---- answers --------------------------------------------------------------------------------- */

static const void *values_of(const struct verify_oracle *oracle, const struct asked *asked,
                             struct verify_block *block, uint32_t t)
{
    const struct verify_tensor *tensor = &asked->tensor[t];

    if (!tensor->like)
        return verify_oracle_whole(oracle, t);
    verify_oracle_fill(oracle, block, tensor->parameter, 0,
                       (uint32_t)verify_tensor_elements(tensor));
    return verify_block_values(oracle, block, t);
}

START_TEST(every_tensor_is_what_the_answers_say)
{
    const struct answers *answers = &cases[_i];
    struct asked asked;
    struct verify_block *block;

    ask(&asked, answers);
    ck_assert_int_eq(verify_block_open(&block), RESHARD_OK);
    for (int s = 0; s < STEPS; ++s) {
        struct verify_oracle *oracle = open_oracle(&asked, steps[s]);

        for (uint32_t t = 0; t < answers->count; ++t) {
            const struct answer *answer = &answers->answer[t];
            const size_t bytes = (size_t)verify_tensor_elements(&asked.tensor[t]) *
                                 reshard_dtype_bytes(answer->dtype);
            const uint64_t crc = verify_oracle_absent(oracle, t)
                                     ? ABSENT
                                     : verify_crc(0, values_of(oracle, &asked, block, t), bytes);

            ck_assert_msg(crc == answer->crc[s], "%s, step %d: %s %s differs", answers->name,
                          (int)steps[s], answer->fqn, answer->slot);
        }
        verify_oracle_close(oracle);
    }
    verify_block_close(block);
}
END_TEST

/* A range of a parameter and all that is like it, against the whole. */
static void compare_range(const struct verify_oracle *oracle, const struct asked *asked,
                          struct verify_block *const block[2], uint32_t parameter, uint64_t begin,
                          uint64_t end)
{
    verify_oracle_fill(oracle, block[1], parameter, begin, (uint32_t)(end - begin));
    for (uint32_t t = parameter; t < asked->answers->count; ++t) {
        const struct verify_tensor *tensor = &asked->tensor[t];
        const size_t width = reshard_dtype_bytes(tensor->dtype);
        const char *whole;

        if (tensor->parameter != parameter)
            break;
        if (!tensor->like) {
            ck_assert_ptr_eq(verify_block_values(oracle, block[1], t),
                             verify_oracle_whole(oracle, t));
            continue;
        }
        whole = verify_block_values(oracle, block[0], t);
        ck_assert_mem_eq(verify_block_values(oracle, block[1], t), whole + begin * width,
                         (end - begin) * width);
    }
}

START_TEST(ranges_say_the_same_as_the_whole)
{
    struct asked asked;
    struct verify_block *block[2];
    struct verify_oracle *oracle;

    ask(&asked, &cases[_i]);
    ck_assert_int_eq(verify_block_open(&block[0]), RESHARD_OK);
    ck_assert_int_eq(verify_block_open(&block[1]), RESHARD_OK);
    oracle = open_oracle(&asked, 5);
    for (uint32_t t = 0; t < cases[_i].count; ++t) {
        const uint64_t elements = verify_tensor_elements(&asked.tensor[t]);

        if (verify_tensor_is_slot(&asked.tensor[t]))
            continue;
        verify_oracle_fill(oracle, block[0], t, 0, (uint32_t)elements);
        for (uint64_t begin = 0; begin < elements; ++begin) {
            for (uint64_t end = begin + 1; end <= elements && end <= begin + RANGES; ++end)
                compare_range(oracle, &asked, block, t, begin, end);
        }
    }
    verify_oracle_close(oracle);
    verify_block_close(block[1]);
    verify_block_close(block[0]);
}
END_TEST

/* Without a step taken an absent slot's elements read as zeros, whatever was there before. */
START_TEST(absent_slots_have_zeros)
{
    static const float zeros[35];
    struct asked asked;
    struct verify_block *block;
    struct verify_oracle *oracle;

    ask(&asked, case_of("adamw"));
    ck_assert_int_eq(verify_block_open(&block), RESHARD_OK);
    for (uint64_t step = 1; step < 2; --step) {
        oracle = open_oracle(&asked, step);
        ck_assert_int_eq(verify_oracle_absent(oracle, 1), step == 0);
        ck_assert(!verify_oracle_absent(oracle, 0));
        verify_oracle_fill(oracle, block, 0, 0, 35);
        ck_assert_int_eq(memcmp(verify_block_values(oracle, block, 1), zeros, sizeof zeros) == 0,
                         step == 0);
        verify_oracle_close(oracle);
    }
    verify_block_close(block);
}
END_TEST

/* A signalling NaN of a file stays one until the group's first step, then becomes quiet. */
START_TEST(what_is_not_trained_yet_keeps_the_files_bytes)
{
    static const char header[] =
        "{\"w\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[0,4]}}";
    static const uint16_t data[] = {0x7f81, 0x3f80};
    static const enum verify_optimizer_name names[] = {VERIFY_SGD, VERIFY_ADAFACTOR,
                                                       VERIFY_ADAM8BIT};
    const uint64_t length = sizeof header - 1;
    char path[] = "/tmp/oracle-XXXXXX";
    const int fd = mkstemp(path);
    struct verify_tensor tensor = {
        .fqn = "w", .slot = "", .dtype = RESHARD_DTYPE_BF16, .ndim = 1, .shape = {2}, .like = true};
    const struct verify_inventory inventory = {1, &tensor, 1};
    struct verify_oracle_options options = {
        .inventory = &inventory,
        .optimizer = {.name = names[_i],
                      .hyper = {.lr = 0.5, .beta1 = 0.5, .beta2 = 0.5, .block = 1, .from = 2}},
        .safetensors = path,
    };
    struct verify_block *block;

    ck_assert_int_eq(write(fd, &length, 8), 8);
    ck_assert_int_eq(write(fd, header, length), (ssize_t)length);
    ck_assert_int_eq(write(fd, data, sizeof data), sizeof data);
    close(fd);
    ck_assert_int_eq(verify_block_open(&block), RESHARD_OK);
    for (; options.step <= 2; ++options.step) {
        struct verify_oracle *oracle;
        const uint16_t *values;

        ck_assert_int_eq(verify_oracle_open(&oracle, &options, NULL), RESHARD_OK);
        verify_oracle_fill(oracle, block, 0, 0, 2);
        values = verify_block_values(oracle, block, 0);
        ck_assert_uint_eq(values[0], options.step < 2 ? 0x7f81 : 0x7fc1);
        ck_assert_int_eq(values[1] == data[1], options.step < 2);
        verify_oracle_close(oracle);
    }
    verify_block_close(block);
    unlink(path);
}
END_TEST

/* ---- refusals -------------------------------------------------------------------------------- */

/* Each slot of each case, spoilt in each way. */
START_TEST(slots_must_be_as_the_optimizer_makes_them)
{
    struct asked asked;
    struct verify_oracle *oracle;
    uint32_t slots = 0;

    ask(&asked, &cases[_i]);
    for (uint32_t t = 0; t < cases[_i].count; ++t) {
        struct verify_tensor *tensor = &asked.tensor[t];
        const struct verify_tensor kept = *tensor;
        struct verify_tensor spoilt[7] = {kept, kept, kept, kept, kept, kept, kept};

        if (!verify_tensor_is_slot(tensor))
            continue;
        spoilt[0].slot = "momentum";
        spoilt[1].dtype = kept.dtype == RESHARD_DTYPE_F64 ? RESHARD_DTYPE_F32 : RESHARD_DTYPE_F64;
        spoilt[2].slot_class = kept.slot_class == VERIFY_ROW ? VERIFY_COLUMN : VERIFY_ROW;
        spoilt[3].block += 1;
        spoilt[4].like = false;
        spoilt[4].ndim += 1;
        spoilt[4].shape[kept.ndim] = 1;
        spoilt[5].like = false;
        spoilt[5].shape[0] += 1;
        spoilt[6].like = !kept.like;
        for (size_t i = 0; i < 7; ++i) {
            if (i == 5 && kept.ndim == 0)
                continue;
            *tensor = spoilt[i];
            ck_assert_msg(try_open(&asked, 1, &oracle) == RESHARD_EINVAL, "%s %s, way %d", kept.fqn,
                          kept.slot, (int)i);
            ck_assert_ptr_null(oracle);
        }
        *tensor = kept;
        slots += 1;
    }
    verify_oracle_close(open_oracle(&asked, 1));
    ck_assert_uint_eq(slots == 0, _i < 2); /* two cases have none */
}
END_TEST

/* A slot that only other hyperparameters, parameters or optimizers have. */
START_TEST(slots_that_the_optimizer_does_not_make_are_refused)
{
    static const struct {
        const char *from;
        const char *slot;
        struct verify_optimizer optimizer;
    } wrong[] = {
        {"sgd with momentum", "momentum_buffer", {.name = VERIFY_SGD}},
        {"adamw, amsgrad, bf16",
         "max_exp_avg_sq",
         {.name = VERIFY_ADAMW, .state = RESHARD_DTYPE_BF16}},
        {"adamw, amsgrad, bf16",
         "max_exp_avg_sq",
         {.name = VERIFY_MUON, .state = RESHARD_DTYPE_BF16, .hyper = {.amsgrad = true}}},
        {"muon", "momentum_buffer", {.name = VERIFY_ADAMW}},
        {"adamw", "exp_avg", {.name = VERIFY_MUON}},
        {"adam8bit", "exp_avg", {.name = VERIFY_ADAMW}},
        {"adam8bit", "exp_avg", {.name = VERIFY_ADAM8BIT, .hyper = {.block = 0}}},
        {"adam8bit", "exp_avg_absmax", {.name = VERIFY_ADAM8BIT, .hyper = {.block = 5}}},
        {"adafactor", "row_var", {.name = VERIFY_ADAMW}},
        {"adamw", "step", {.name = VERIFY_SGD}},
        {"adamw", "step", {.name = VERIFY_OPTIMIZER_NONE}},
    };
    const struct answers *from = case_of(wrong[_i].from);
    struct answer one[2];
    const struct answers answers = {"wrong", 1, wrong[_i].optimizer, one, 2};
    struct asked asked;
    struct verify_oracle *oracle;

    for (uint32_t t = 0; t < from->count; ++t) {
        if (from->answer[t].slot[0] == '\0')
            one[0] = from->answer[t];
        one[1] = from->answer[t];
        if (strcmp(one[1].slot, wrong[_i].slot) == 0)
            break;
    }
    ask(&asked, &answers);
    ck_assert_int_eq(try_open(&asked, 1, &oracle), RESHARD_EINVAL);
    /* Its own optimizer makes it, unless the parameter is none that is trained. */
    asked.answers = from;
    verify_oracle_close(open_oracle(&asked, 1));
    asked.tensor[0].role = VERIFY_FROZEN;
    ck_assert_int_eq(try_open(&asked, 1, &oracle), RESHARD_EINVAL);
}
END_TEST

START_TEST(a_step_too_far_and_a_state_that_is_no_float_are_refused)
{
    struct asked asked;
    struct answers answers = *case_of("no optimizer");
    struct verify_oracle *oracle;

    ask(&asked, &answers);
    verify_oracle_close(open_oracle(&asked, 1 << 24));
    ck_assert_int_eq(try_open(&asked, (1 << 24) + 1, &oracle), RESHARD_EINVAL);
    answers.optimizer.state = RESHARD_DTYPE_U8;
    ck_assert_int_eq(try_open(&asked, 1, &oracle), RESHARD_EINVAL);
}
END_TEST

static Suite *suite(void)
{
    Suite *const all = suite_create("oracle");
    TCase *const training = tcase_create("training");
    TCase *const refusals = tcase_create("refusals");

    tcase_add_loop_test(training, every_tensor_is_what_the_answers_say, 0, CASES);
    tcase_add_loop_test(training, ranges_say_the_same_as_the_whole, 0, CASES);
    tcase_add_test(training, absent_slots_have_zeros);
    tcase_add_loop_test(training, what_is_not_trained_yet_keeps_the_files_bytes, 0, 3);
    tcase_add_loop_test(refusals, slots_must_be_as_the_optimizer_makes_them, 0, CASES);
    tcase_add_loop_test(refusals, slots_that_the_optimizer_does_not_make_are_refused, 0, 11);
    tcase_add_test(refusals, a_step_too_far_and_a_state_that_is_no_float_are_refused);
    suite_add_tcase(all, training);
    suite_add_tcase(all, refusals);
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
