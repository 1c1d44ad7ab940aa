/*
 * Casts. Goal: the nearest value, once rounded, ties to even, for every bit pattern of the narrow
 * floats and every place where rounding turns. Method: values by ldexp, the nearest one of all by
 * search with exact midpoints (which a double holds for all formats here), and for f64 to f32 the
 * C cast.
 */
#include "core/cast.h"
#include "support/random.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A narrow float, as its bits' fields say. */
struct narrow {
    enum reshard_dtype dtype;
    int exponent_bits, mantissa_bits;
};

static const struct narrow half = {RESHARD_DTYPE_F16, 5, 10}, brain = {RESHARD_DTYPE_BF16, 8, 7};

static unsigned infinity_of(const struct narrow *format)
{
    return ((1u << format->exponent_bits) - 1) << format->mantissa_bits;
}

/* The value of bits without sign, not NaN. */
static double magnitude(const struct narrow *format, unsigned bits)
{
    const int bias = (1 << (format->exponent_bits - 1)) - 1;
    const int exponent = (int)(bits >> format->mantissa_bits);
    const double fraction = bits & ((1u << format->mantissa_bits) - 1);

    if (bits == infinity_of(format))
        return INFINITY;
    if (exponent == 0)
        return ldexp(fraction, 1 - bias - format->mantissa_bits);
    return ldexp(fraction + (1u << format->mantissa_bits), exponent - bias - format->mantissa_bits);
}

/* What the infinity's bits would be worth if the exponent went on: overflow turns half way to it.
 */
static double beyond(const struct narrow *format)
{
    const int bias = (1 << (format->exponent_bits - 1)) - 1;

    return ldexp(1, (1 << format->exponent_bits) - 1 - bias);
}

static double midpoint_above(const struct narrow *format, unsigned bits)
{
    const double next =
        bits + 1 == infinity_of(format) ? beyond(format) : magnitude(format, bits + 1);

    return (magnitude(format, bits) + next) / 2;
}

/* The bits nearest to a value, by search over all of them. */
static unsigned nearest(const struct narrow *format, double value)
{
    const unsigned sign =
        signbit(value) ? 1u << (format->exponent_bits + format->mantissa_bits) : 0;
    unsigned low = 0, high = infinity_of(format);
    const double size = fabs(value);

    while (low < high) { /* the lowest whose midpoint above is not below the value */
        const unsigned middle = (low + high) / 2;
        const double turn = midpoint_above(format, middle);
        if (size < turn || (size == turn && middle % 2 == 0))
            high = middle;
        else
            low = middle + 1;
    }
    return sign | low;
}

static uint16_t cast_to_narrow(const struct narrow *format, enum reshard_dtype from,
                               const void *value)
{
    uint16_t bits = 0xdead;

    cast_elements(from, value, format->dtype, &bits, 1);
    return bits;
}

static void check_one(const struct narrow *format, double value)
{
    const float single = (float)value;

    if (cast_to_narrow(format, RESHARD_DTYPE_F64, &value) != nearest(format, value))
        ck_abort_msg("%s of %a: %04x, not %04x", reshard_dtype_name(format->dtype), value,
                     cast_to_narrow(format, RESHARD_DTYPE_F64, &value), nearest(format, value));
    if ((double)single == value &&
        cast_to_narrow(format, RESHARD_DTYPE_F32, &single) != nearest(format, value))
        ck_abort_msg("%s of float %a", reshard_dtype_name(format->dtype), value);
}

static const struct narrow *format_at(int i)
{
    return i ? &brain : &half;
}

START_TEST(every_narrow_value_is_widened_exactly_and_comes_back)
{
    const struct narrow *format = format_at(_i);
    const unsigned sign = 1u << (format->exponent_bits + format->mantissa_bits);

    for (unsigned bits = 0; bits <= infinity_of(format); bits++)
        for (unsigned negative = 0; negative < 2; negative++) {
            const uint16_t narrow = (uint16_t)(bits | (negative ? sign : 0));
            const double value = copysign(magnitude(format, bits), negative ? -1 : 1);
            double wide = 77;
            float single = 77;
            cast_elements(format->dtype, &narrow, RESHARD_DTYPE_F64, &wide, 1);
            cast_elements(format->dtype, &narrow, RESHARD_DTYPE_F32, &single, 1);
            if (memcmp(&wide, &value, sizeof wide) != 0 || (double)single != value ||
                !signbit(single) != !signbit(value))
                ck_abort_msg("%04x is %a, not %a", narrow, value, wide);
            ck_assert(cast_to_narrow(format, RESHARD_DTYPE_F64, &wide) == narrow);
            ck_assert(cast_to_narrow(format, RESHARD_DTYPE_F32, &single) == narrow);
        }
}
END_TEST

/* At every midpoint, and one step of a double to either side. */
START_TEST(rounding_turns_at_the_midpoints_with_ties_to_even)
{
    const struct narrow *format = format_at(_i);

    for (unsigned bits = 0; bits < infinity_of(format); bits++) {
        const double turn = midpoint_above(format, bits);
        const double around[] = {turn, nextafter(turn, 0), nextafter(turn, INFINITY),
                                 (double)nextafterf((float)turn, 0),
                                 (double)nextafterf((float)turn, INFINITY)};
        for (int i = 0; i < 5; i++) {
            check_one(format, around[i]);
            check_one(format, -around[i]);
        }
    }
}
END_TEST

START_TEST(every_narrow_value_is_cast_to_the_other_narrow_format)
{
    const struct narrow *from = format_at(_i), *to = format_at(1 - _i);

    for (unsigned bits = 0; bits <= infinity_of(from); bits++) {
        const uint16_t narrow = (uint16_t)bits;
        const uint16_t result = cast_to_narrow(to, from->dtype, &narrow);
        if (result != nearest(to, magnitude(from, bits)))
            ck_abort_msg("%s %04x becomes %04x", reshard_dtype_name(from->dtype), bits, result);
    }
}
END_TEST

static double bits_double(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

START_TEST(values_of_any_size_are_rounded_to_the_nearest)
{
    struct test_random random = test_random_start("casts", 1);

    for (long round = 0; round < 300000; round++) {
        uint64_t bits = test_random_next(&random);
        double value;
        if (round % 2) /* near the formats' own range */
            bits = (bits & ~(UINT64_C(0x7ff) << 52)) |
                   (uint64_t)(1023 - 150 + (int)test_random_below(&random, 300)) << 52;
        value = bits_double(bits);
        if (isnan(value))
            continue;
        check_one(&half, value);
        check_one(&brain, value);
        check_one(&half, (double)(float)value);
        check_one(&brain, (double)(float)value);
    }
}
END_TEST

static void check_single(double value)
{
    const float right = (float)value;
    float single = 77;
    double back = 77;

    cast_elements(RESHARD_DTYPE_F64, &value, RESHARD_DTYPE_F32, &single, 1);
    if (memcmp(&single, &right, sizeof single) != 0)
        ck_abort_msg("%a becomes %a, not %a", value, (double)single, (double)right);
    cast_elements(RESHARD_DTYPE_F32, &single, RESHARD_DTYPE_F64, &back, 1);
    ck_assert(back == (double)right && !signbit(back) == !signbit(right));
}

START_TEST(doubles_become_the_floats_that_c_makes_of_them)
{
    struct test_random random = test_random_start("doubles", 2);
    const double edges[] = {0,
                            -0.0,
                            0x1p-149,
                            0x1p-150,
                            0x1.8p-149,
                            0x1p-126,
                            0x1.fffffep127,
                            0x1.ffffffp127,
                            0x1.fffffefffffffp127,
                            INFINITY,
                            -INFINITY,
                            0x1p-1074,
                            0x1p-151,
                            0x1.000001p-150,
                            0x1.fffffdp-127,
                            0x1p1023};

    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
        check_single(edges[i]);
        check_single(-edges[i]);
    }
    for (long round = 0; round < 2000000; round++) {
        uint64_t bits = test_random_next(&random);
        if (round % 4) /* exponents of floats, subnormal ones too */
            bits = (bits & ~(UINT64_C(0x7ff) << 52)) |
                   (uint64_t)(1023 - 155 + (int)test_random_below(&random, 290)) << 52;
        if (round % 3 == 0) /* ties */
            bits = (bits & ~UINT64_C(0x1fffffff)) | 0x10000000;
        if (!isnan(bits_double(bits)))
            check_single(bits_double(bits));
    }
}
END_TEST

/* ---- NaN ---------------------------------------------------------------------------------------
 */

static const struct {
    enum reshard_dtype dtype;
    int bytes, exponent_bits, mantissa_bits;
} floats[] = {{RESHARD_DTYPE_F64, 8, 11, 52},
              {RESHARD_DTYPE_F32, 4, 8, 23},
              {RESHARD_DTYPE_F16, 2, 5, 10},
              {RESHARD_DTYPE_BF16, 2, 8, 7}};

/* Fields as the header says: the sign, the upper bits of the payload, and the bit of quietness. */
static uint64_t nan_of(int f, uint64_t sign, uint64_t payload, int payload_bits)
{
    const int mantissa = floats[f].mantissa_bits;
    const uint64_t kept = mantissa >= payload_bits ? payload << (mantissa - payload_bits)
                                                   : payload >> (payload_bits - mantissa);
    const uint64_t ones = (UINT64_C(1) << floats[f].exponent_bits) - 1;

    return sign << (mantissa + floats[f].exponent_bits) | ones << mantissa | kept |
           UINT64_C(1) << (mantissa - 1);
}

START_TEST(a_nan_stays_one_with_its_sign_and_payload_and_is_quiet)
{
    struct test_random random = test_random_start("NaNs", 3);

    for (long round = 0; round < 100000; round++) {
        const int from = (int)test_random_below(&random, 4),
                  to = (int)test_random_below(&random, 4);
        const int mantissa = floats[from].mantissa_bits;
        const uint64_t sign = test_random_below(&random, 2);
        const uint64_t payload = 1 + test_random_below(&random, (UINT64_C(1) << mantissa) - 1);
        const uint64_t ones = (UINT64_C(1) << floats[from].exponent_bits) - 1;
        const uint64_t in =
            sign << (mantissa + floats[from].exponent_bits) | ones << mantissa | payload;
        uint64_t out = 0;
        if (from == to)
            continue;
        cast_elements(floats[from].dtype, &in, floats[to].dtype, &out, 1);
        if (out != nan_of(to, sign, payload, mantissa))
            ck_abort_msg("%s %llx becomes %s %llx", reshard_dtype_name(floats[from].dtype),
                         (unsigned long long)in, reshard_dtype_name(floats[to].dtype),
                         (unsigned long long)out);
    }
}
END_TEST

/* ---- which, and how many -----------------------------------------------------------------------
 */

START_TEST(floats_of_two_bytes_and_more_can_be_cast_to_one_another_and_nothing_else)
{
    for (int from = RESHARD_DTYPE_NONE + 1; from < RESHARD_DTYPE_COUNT; from++)
        for (int to = RESHARD_DTYPE_NONE + 1; to < RESHARD_DTYPE_COUNT; to++) {
            bool is_float[2] = {false, false};
            for (int f = 0; f < 4; f++) {
                is_float[0] = is_float[0] || (int)floats[f].dtype == from;
                is_float[1] = is_float[1] || (int)floats[f].dtype == to;
            }
            ck_assert(cast_is_possible((enum reshard_dtype)from, (enum reshard_dtype)to) ==
                      (is_float[0] && is_float[1] && from != to));
        }
}
END_TEST

START_TEST(elements_are_cast_one_after_the_other_and_nothing_is_written_beyond)
{
    const double in[] = {1, -2.5, 65504, 1e300};
    uint16_t out[] = {9, 9, 9, 9, 9};

    cast_elements(RESHARD_DTYPE_F64, in, RESHARD_DTYPE_F16, out, 4);
    ck_assert_uint_eq(out[0], 0x3c00);
    ck_assert_uint_eq(out[1], 0xc100);
    ck_assert_uint_eq(out[2], 0x7bff);
    ck_assert_uint_eq(out[3], 0x7c00);
    ck_assert_uint_eq(out[4], 9);
    cast_elements(RESHARD_DTYPE_F64, in, RESHARD_DTYPE_F16, out + 4, 0);
    ck_assert_uint_eq(out[4], 9);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cast");
    TCase *cases = tcase_create("cast");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, every_narrow_value_is_widened_exactly_and_comes_back, 0, 2);
    tcase_add_loop_test(cases, rounding_turns_at_the_midpoints_with_ties_to_even, 0, 2);
    tcase_add_loop_test(cases, every_narrow_value_is_cast_to_the_other_narrow_format, 0, 2);
    tcase_add_test(cases, values_of_any_size_are_rounded_to_the_nearest);
    tcase_add_test(cases, doubles_become_the_floats_that_c_makes_of_them);
    tcase_add_test(cases, a_nan_stays_one_with_its_sign_and_payload_and_is_quiet);
    tcase_add_test(cases, floats_of_two_bytes_and_more_can_be_cast_to_one_another_and_nothing_else);
    tcase_add_test(cases, elements_are_cast_one_after_the_other_and_nothing_is_written_beyond);
    suite_add_tcase(suite, cases);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
