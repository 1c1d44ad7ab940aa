/*
 * Digests. Goal: the digest of a tensor is the CRC of its bytes however it was cut, whatever the
 * processor multiplies with, and in whatever parts its pieces went by. Method: the loops of
 * FORMAT.md, section 5, bit by bit, over tens of thousands of random partitions.
 *
 * The source is included, not linked, so that both multiplications can be called: the one with the
 * processor's carry-less instruction and the plain one, of which a machine otherwise uses one only.
 */
#include "core/digest.c"
#include "support/oracle.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static uint64_t step_of(uint64_t crc)
{
    return crc & 1 ? crc >> 1 ^ UINT64_C(0xC96C5795D7870F42) : crc >> 1;
}

static uint64_t crc_of(const unsigned char *data, size_t count)
{
    uint64_t crc = UINT64_MAX;

    for (size_t i = 0; i < count; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = step_of(crc);
    }
    return crc ^ UINT64_MAX;
}

static uint64_t shift_of(uint64_t crc, uint64_t bytes)
{
    for (uint64_t i = 0; i < 8 * bytes; i++)
        crc = step_of(crc);
    return crc;
}

static void fill(struct test_random *random, unsigned char *data, size_t count)
{
    for (size_t i = 0; i < count; i++)
        data[i] = (unsigned char)test_random_next(random);
}

/* ---- the CRC --------------------------------------------------------------------------------- */

START_TEST(the_known_answers_are_given)
{
    static const unsigned char zeros[32];

    ck_assert_uint_eq(digest_crc(0, "123456789", 9), UINT64_C(0x995dc9bbdf1939fa));
    ck_assert_uint_eq(crc_of((const unsigned char *)"123456789", 9), UINT64_C(0x995dc9bbdf1939fa));
    ck_assert_uint_eq(digest_crc(0, "", 0), 0);
    ck_assert_uint_eq(digest_crc(0, zeros, sizeof zeros), crc_of(zeros, sizeof zeros));
    ck_assert_uint_ne(digest_crc(0, zeros, 1), digest_crc(0, zeros, 2));
}
END_TEST

START_TEST(the_crc_of_any_length_at_any_alignment_is_that_of_the_bits)
{
    struct test_random random = test_random_start("lengths", 1);
    static unsigned char data[100000];

    fill(&random, data, sizeof data);
    for (size_t count = 0; count < 700; count++)
        ck_assert_uint_eq(digest_crc(0, data + count % 17, count),
                          crc_of(data + count % 17, count));
    for (int round = 0; round < 60; round++) {
        const size_t begin = (size_t)test_random_below(&random, sizeof data);
        const size_t count = (size_t)test_random_below(&random, sizeof data - begin);
        const size_t cut = (size_t)test_random_below(&random, count + 1);
        const uint64_t head = digest_crc(0, data + begin, cut);
        ck_assert_uint_eq(digest_crc(head, data + begin + cut, count - cut),
                          crc_of(data + begin, count));
    }
}
END_TEST

/* ---- shifts ---------------------------------------------------------------------------------- */

START_TEST(a_shift_is_what_the_loop_of_the_format_gives)
{
    struct test_random random = test_random_start("shifts", 2);

    for (uint64_t bytes = 0; bytes < 3000; bytes++) {
        const uint64_t crc = test_random_next(&random);
        ck_assert_uint_eq(digest_shift(crc, bytes), shift_of(crc, bytes));
    }
    ck_assert_uint_eq(digest_shift(0, 12345), 0);
    ck_assert_uint_eq(digest_shift(77, 0), 77);
}
END_TEST

START_TEST(shifts_add_up_to_63_bits)
{
    struct test_random random = test_random_start("sums of shifts", 3);

    for (int round = 0; round < 3000; round++) {
        const uint64_t crc = test_random_next(&random);
        const uint64_t a = test_random_next(&random) >> (2 + test_random_below(&random, 60));
        const uint64_t b = test_random_next(&random) >> (2 + test_random_below(&random, 60));
        ck_assert_uint_eq(digest_shift(digest_shift(crc, a), b), digest_shift(crc, a + b));
        ck_assert_uint_eq(digest_shift(crc, a) ^ digest_shift(a, a), digest_shift(crc ^ a, a));
    }
}
END_TEST

START_TEST(two_parts_combine_to_the_whole)
{
    struct test_random random = test_random_start("combination", 4);
    unsigned char data[500];

    for (int round = 0; round < 2000; round++) {
        const size_t count = (size_t)test_random_below(&random, sizeof data);
        const size_t cut = (size_t)test_random_below(&random, count + 1);
        fill(&random, data, count);
        ck_assert_uint_eq(digest_shift(digest_crc(0, data, cut), count - cut) ^
                              digest_crc(0, data + cut, count - cut),
                          crc_of(data, count));
    }
}
END_TEST

START_TEST(both_multiplications_agree)
{
    struct test_random random = test_random_start("multiplications", 5);
    uint64_t a = ONE, b = ONE;

#if defined(__x86_64__)
    if (!__builtin_cpu_supports("pclmul"))
        return;
    for (int round = 0; round < 100000; round++) {
        ck_assert_uint_eq(multiply_clmul(a, b), multiply_plain(a, b));
        a = test_random_next(&random) >> test_random_below(&random, 64);
        b = test_random_next(&random) << test_random_below(&random, 64);
    }
    for (int i = 0; i < 64; i++) /* each monomial by each */
        for (int j = 0; j < 64; j++)
            ck_assert_uint_eq(multiply_clmul(ONE >> i, ONE >> j),
                              multiply_plain(ONE >> i, ONE >> j));
    ck_assert_uint_eq(multiply_clmul(UINT64_MAX, UINT64_MAX),
                      multiply_plain(UINT64_MAX, UINT64_MAX));
#endif
    ck_assert_uint_eq(multiply_plain(a, ONE), a);
    ck_assert_uint_eq(multiply_plain(b, ONE >> 8), shift_of(b, 1));
    ck_assert_uint_eq(multiply_plain(a, b), multiply_plain(b, a));
}
END_TEST

START_TEST(many_runs_added_at_once_are_runs_added_one_by_one)
{
#if defined(__x86_64__)
    struct test_random random = test_random_start("runs at once", 11);
    unsigned char data[1024];

    if (!__builtin_cpu_supports("pclmul"))
        return;
    for (int round = 0; round < 20000; round++) {
        const size_t run = 1 + (size_t)test_random_below(&random, 32);
        const uint64_t count = test_random_below(&random, sizeof data / 32 + 1);
        const uint64_t step = test_random_next(&random), value = test_random_next(&random);
        uint64_t expected = value;
        for (size_t i = 0; i < sizeof data; i++)
            data[i] = (unsigned char)test_random_next(&random);
        for (uint64_t i = 0; i < count; i++)
            expected = multiply_plain(expected ^ digest_crc(0, data + i * run, run), step);
        ck_assert_uint_eq(add_runs_clmul(value, step, data, run, count), expected);
    }
#endif
}
END_TEST

/* ---- contributions --------------------------------------------------------------------------- */

enum { PARTS_MAX = 12, BYTES_MAX = 16 * 120 };

/* A box's elements, gathered one at a time into dense memory; returns their bytes. */
static size_t gather(const struct reshard_shape *shape, const struct reshard_box *box, size_t bytes,
                     const unsigned char *tensor, unsigned char *dense)
{
    const struct reshard_box whole = reshard_box_whole(shape);
    struct oracle_walk walk = oracle_walk(box);
    size_t count = 0;

    while (oracle_walk_next(&walk)) {
        memcpy(dense + count, tensor + oracle_number(walk.index, &whole) * bytes, bytes);
        count += bytes;
    }
    return count;
}

/* By the definition: the CRC of each element, shifted by the bytes that follow it. */
static uint64_t by_element(const struct reshard_shape *shape, const struct reshard_box *box,
                           size_t bytes, const unsigned char *tensor, size_t total)
{
    const struct reshard_box whole = reshard_box_whole(shape);
    struct oracle_walk walk = oracle_walk(box);
    uint64_t sum = 0;

    while (oracle_walk_next(&walk)) {
        const uint64_t at = oracle_number(walk.index, &whole) * bytes;
        sum ^= shift_of(crc_of(tensor + at, bytes), total - at - bytes);
    }
    return sum;
}

static size_t random_tensor(struct test_random *random, struct reshard_shape *shape, size_t *bytes,
                            unsigned char *tensor)
{
    size_t total;

    *shape = oracle_shape(random, 6, 7, 120);
    *bytes = total = (size_t)1 << test_random_below(random, 5);
    for (uint32_t d = 0; d < shape->ndim; d++)
        total *= shape->size[d];
    fill(random, tensor, total);
    return total;
}

START_TEST(contributions_of_any_partition_add_up_to_the_digest)
{
    struct test_random random = test_random_start("partitions", 6);
    unsigned char tensor[BYTES_MAX], dense[BYTES_MAX];
    struct reshard_box parts[PARTS_MAX];

    for (int round = 0; round < 20000; round++) {
        struct reshard_shape shape;
        size_t bytes;
        const size_t total = random_tensor(&random, &shape, &bytes, tensor);
        const uint64_t count = oracle_partition(&random, &shape, parts, PARTS_MAX);
        uint64_t digest = 0;
        for (uint64_t i = 0; i < count; i++) {
            const size_t held = gather(&shape, &parts[i], bytes, tensor, dense);
            const uint64_t part = digest_contribution(&shape, &parts[i], bytes, dense);
            ck_assert(held > 0 || part == 0);
            digest ^= part;
        }
        ck_assert_uint_eq(digest, crc_of(tensor, total));
    }
}
END_TEST

START_TEST(each_contribution_is_that_of_the_definition)
{
    struct test_random random = test_random_start("definition", 7);
    unsigned char tensor[BYTES_MAX], dense[BYTES_MAX];

    for (int round = 0; round < 600; round++) {
        struct reshard_shape shape;
        size_t bytes;
        const size_t total = random_tensor(&random, &shape, &bytes, tensor);
        const struct reshard_box box = oracle_box(&random, &shape);
        gather(&shape, &box, bytes, tensor, dense);
        ck_assert_uint_eq(digest_contribution(&shape, &box, bytes, dense),
                          by_element(&shape, &box, bytes, tensor, total));
    }
}
END_TEST

START_TEST(a_piece_may_stream_by_in_any_parts)
{
    struct test_random random = test_random_start("streams", 8);
    unsigned char tensor[BYTES_MAX], dense[BYTES_MAX];

    for (int round = 0; round < 5000; round++) {
        struct digest_stream stream;
        struct reshard_shape shape;
        size_t bytes, held, done = 0;
        random_tensor(&random, &shape, &bytes, tensor);
        const struct reshard_box box = oracle_box(&random, &shape);
        held = gather(&shape, &box, bytes, tensor, dense);
        digest_stream_begin(&stream, &shape, &box, bytes);
        digest_stream_add(&stream, dense, 0);
        while (done < held) {
            const size_t most = 1 + (size_t)test_random_below(&random, held);
            const size_t left = held - done, part = most < left ? most : left;
            digest_stream_add(&stream, dense + done, part);
            done += part;
        }
        digest_stream_add(&stream, dense, 0);
        ck_assert_uint_eq(stream.value, digest_contribution(&shape, &box, bytes, dense));
    }
}
END_TEST

START_TEST(a_flipped_bit_or_a_moved_piece_changes_the_contribution)
{
    struct test_random random = test_random_start("damage", 9);
    unsigned char tensor[BYTES_MAX], dense[BYTES_MAX];
    int damaged = 0;

    for (int round = 0; round < 8000; round++) {
        struct reshard_shape shape;
        size_t bytes, held;
        random_tensor(&random, &shape, &bytes, tensor);
        struct reshard_box box = oracle_box(&random, &shape);
        held = gather(&shape, &box, bytes, tensor, dense);
        if (held == 0)
            continue;
        const uint64_t whole = digest_contribution(&shape, &box, bytes, dense);
        const size_t at = (size_t)test_random_below(&random, held);
        dense[at] ^= (unsigned char)(1u << test_random_below(&random, 8));
        ck_assert_uint_ne(digest_contribution(&shape, &box, bytes, dense), whole);
        gather(&shape, &box, bytes, tensor, dense);
        if (shape.ndim && box.end[0] < shape.size[0]) {
            box.begin[0]++;
            box.end[0]++;
            ck_assert_uint_ne(digest_contribution(&shape, &box, bytes, dense), whole);
            damaged++;
        }
    }
    ck_assert_int_gt(damaged, 1000);
}
END_TEST

START_TEST(a_point_contributes_its_own_crc)
{
    const struct reshard_shape scalar = {.ndim = 0};
    const struct reshard_box whole = reshard_box_whole(&scalar);

    ck_assert_uint_eq(digest_contribution(&scalar, &whole, 8, "12345678"),
                      crc_of((const unsigned char *)"12345678", 8));
}
END_TEST

/* The element is far from the tensor's end: 2^61 bytes of elements, of which one is held. */
START_TEST(a_piece_of_a_tensor_of_any_size_is_placed)
{
    const struct reshard_shape shape = {.ndim = 3, .size = {1 << 20, 1 << 20, 1 << 20}};
    struct reshard_box box = {.ndim = 3, .begin = {5, 6, 7}, .end = {6, 7, 8}};
    const uint64_t at = (UINT64_C(5) << 40) + (UINT64_C(6) << 20) + 7;
    const uint64_t after = ((UINT64_C(1) << 60) - at - 1) * 2;

    ck_assert_uint_eq(digest_contribution(&shape, &box, 2, "ab"),
                      digest_shift(digest_crc(0, "ab", 2), after));
    /* And two rows of it, which are 2^21 bytes apart. */
    box.end[1] = 8;
    ck_assert_uint_eq(digest_contribution(&shape, &box, 2, "abcd"),
                      digest_shift(digest_crc(0, "ab", 2), after) ^
                          digest_shift(digest_crc(0, "cd", 2), after - (1 << 21)));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("digest");
    TCase *cases = tcase_create("digest");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, the_known_answers_are_given);
    tcase_add_test(cases, the_crc_of_any_length_at_any_alignment_is_that_of_the_bits);
    tcase_add_test(cases, a_shift_is_what_the_loop_of_the_format_gives);
    tcase_add_test(cases, shifts_add_up_to_63_bits);
    tcase_add_test(cases, many_runs_added_at_once_are_runs_added_one_by_one);
    tcase_add_test(cases, two_parts_combine_to_the_whole);
    tcase_add_test(cases, both_multiplications_agree);
    tcase_add_test(cases, contributions_of_any_partition_add_up_to_the_digest);
    tcase_add_test(cases, each_contribution_is_that_of_the_definition);
    tcase_add_test(cases, a_piece_may_stream_by_in_any_parts);
    tcase_add_test(cases, a_flipped_bit_or_a_moved_piece_changes_the_contribution);
    tcase_add_test(cases, a_point_contributes_its_own_crc);
    tcase_add_test(cases, a_piece_of_a_tensor_of_any_size_is_placed);
    suite_add_tcase(suite, cases);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
