/*
 * Boxes. Goal: intervals become the boxes of the rules, runs visit what a walk over single elements
 * visits, and no set of boxes that misses, doubles or oversteps passes for a cover. Method: every
 * interval of every small shape; thousands of random boxes; each held against an odometer that
 * counts elements one at a time.
 */
#include "core/box.h"
#include "support/oracle.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct reshard_shape matrix = {.ndim = 2, .size = {4, 6}};

static uint64_t count_of(const struct reshard_shape *shape)
{
    uint64_t count = 1;

    for (uint32_t d = 0; d < shape->ndim; d++)
        count *= shape->size[d];
    return count;
}

static struct reshard_box whole_of(const struct reshard_shape *shape)
{
    struct reshard_box box = {.ndim = shape->ndim};

    for (uint32_t d = 0; d < shape->ndim; d++)
        box.end[d] = shape->size[d];
    return box;
}

static uint64_t walked(const struct reshard_box *box)
{
    struct oracle_walk walk = oracle_walk(box);
    uint64_t count = 0;

    while (oracle_walk_next(&walk))
        count++;
    return count;
}

/* ---- shapes ---------------------------------------------------------------------------------- */

static const struct {
    struct reshard_shape shape;
    enum reshard_status status;
    uint64_t count;
} counts[] = {
    {{0, {0}}, RESHARD_OK, 1},
    {{1, {0}}, RESHARD_OK, 0},
    {{3, {3, 4, 5}}, RESHARD_OK, 60},
    {{1, {INT64_MAX}}, RESHARD_OK, INT64_MAX},
    {{2, {INT64_MAX, 1}}, RESHARD_OK, INT64_MAX},
    {{1, {UINT64_C(1) << 63}}, RESHARD_EOVERFLOW, 0},
    {{1, {UINT64_MAX}}, RESHARD_EOVERFLOW, 0},
    {{2, {UINT64_C(1) << 32, UINT64_C(1) << 31}}, RESHARD_EOVERFLOW, 0},
    {{2, {UINT64_C(1) << 32, UINT64_C(1) << 32}}, RESHARD_EOVERFLOW, 0},
    {{8, {2, 2, 2, 2, 2, 2, 2, UINT64_C(1) << 56}}, RESHARD_EOVERFLOW, 0},
    {{8, {2, 2, 2, 2, 2, 2, 2, UINT64_C(1) << 55}}, RESHARD_OK, UINT64_C(1) << 62},
    {{3, {UINT64_C(1) << 40, UINT64_C(1) << 40, 0}}, RESHARD_OK, 0},
    {{3, {0, UINT64_C(1) << 40, UINT64_C(1) << 40}}, RESHARD_OK, 0},
    /* A size beyond 63 bits can be written into no file, elements or not. */
    {{2, {UINT64_C(1) << 63, 0}}, RESHARD_EOVERFLOW, 0},
    {{2, {0, UINT64_MAX}}, RESHARD_EOVERFLOW, 0},
};

START_TEST(shapes_count_their_elements_up_to_63_bits)
{
    uint64_t count = 77;

    ck_assert_int_eq(reshard_shape_count(&counts[_i].shape, &count), counts[_i].status);
    if (counts[_i].status == RESHARD_OK)
        ck_assert_uint_eq(count, counts[_i].count);
}
END_TEST

START_TEST(shapes_and_boxes_print_as_python_would)
{
    const struct reshard_box cut = {.ndim = 2, .begin = {0, 4}, .end = {2, 6}}, none = {.ndim = 0};
    const struct reshard_shape scalar = {.ndim = 0}, line = {.ndim = 1, .size = {UINT64_MAX}};
    char text[64];

    ck_assert_str_eq(reshard_shape_print(&matrix, text, sizeof text), "(4, 6)");
    ck_assert_str_eq(reshard_shape_print(&scalar, text, sizeof text), "()");
    ck_assert_str_eq(reshard_shape_print(&line, text, sizeof text), "(18446744073709551615)");
    ck_assert_str_eq(reshard_box_print(&cut, text, sizeof text), "[0:2, 4:6]");
    ck_assert_str_eq(reshard_box_print(&none, text, sizeof text), "[]");
}
END_TEST

START_TEST(a_text_too_long_for_its_buffer_is_cut_and_never_overruns)
{
    struct reshard_box box = {.ndim = RESHARD_DIMS_MAX};
    struct reshard_shape shape = {.ndim = RESHARD_DIMS_MAX};
    char whole[400], cut[400];

    for (uint32_t d = 0; d < RESHARD_DIMS_MAX; d++) {
        box.begin[d] = UINT64_MAX - d;
        shape.size[d] = box.end[d] = UINT64_MAX;
    }
    for (unsigned size = 1; size < sizeof whole; size++) {
        memset(cut, 'x', sizeof cut);
        reshard_box_print(&box, whole, sizeof whole);
        reshard_box_print(&box, cut, size);
        ck_assert_uint_eq(strlen(cut), strlen(whole) < size ? strlen(whole) : size - 1);
        ck_assert_int_eq(strncmp(cut, whole, strlen(cut)), 0);
        ck_assert_int_eq(cut[size], 'x');
        reshard_shape_print(&shape, cut, size);
        ck_assert_uint_lt(strlen(cut), size);
        ck_assert_int_eq(cut[size], 'x');
    }
}
END_TEST

/* ---- single boxes ---------------------------------------------------------------------------- */

START_TEST(counts_offsets_and_relations_agree_with_a_walk)
{
    struct test_random random = test_random_start("relations", 1);

    for (int round = 0; round < 4000; round++) {
        const struct reshard_shape shape = oracle_shape(&random, 6, 6, 300);
        const struct reshard_box whole = whole_of(&shape), made = reshard_box_whole(&shape);
        const struct reshard_box a = oracle_box(&random, &shape), b = oracle_box(&random, &shape);
        struct reshard_box common;
        uint64_t shared = 0;
        bool inside = true;
        struct oracle_walk walk = oracle_walk(&a);

        ck_assert(reshard_box_equal(&whole, &made));
        ck_assert_uint_eq(reshard_box_count(&a), walked(&a));
        if (walked(&a))
            ck_assert_uint_eq(reshard_box_offset(&a, &whole), oracle_number(a.begin, &whole));
        while (oracle_walk_next(&walk)) {
            bool in = true;
            for (uint32_t d = 0; d < b.ndim; d++)
                in = in && walk.index[d] >= b.begin[d] && walk.index[d] < b.end[d];
            shared += in;
            inside = inside && in;
        }
        ck_assert_int_eq(reshard_box_intersect(&a, &b, &common), shared > 0);
        if (shared) {
            ck_assert_uint_eq(walked(&common), shared);
            ck_assert(reshard_box_inside(&common, &a) && reshard_box_inside(&common, &b));
        }
        if (walked(&a))
            ck_assert_int_eq(reshard_box_inside(&a, &b), inside);
        ck_assert(reshard_box_inside(&a, &whole));
    }
}
END_TEST

START_TEST(boxes_of_other_dimensions_are_neither_equal_nor_inside)
{
    const struct reshard_box flat = {.ndim = 1, .end = {4}};
    const struct reshard_box deep = {.ndim = 2, .end = {4, 1}};
    const struct reshard_box point = {.ndim = 0};
    const struct reshard_shape one = {.ndim = 1, .size = {4}}, two = {.ndim = 2, .size = {4, 1}};

    ck_assert(!reshard_box_equal(&flat, &deep));
    ck_assert(!reshard_box_inside(&flat, &deep));
    ck_assert(!reshard_box_inside(&point, &flat));
    ck_assert(reshard_box_inside(&point, &point));
    ck_assert(!reshard_shape_equal(&one, &two));
    ck_assert(reshard_shape_equal(&two, &two));
}
END_TEST

/* ---- intervals ------------------------------------------------------------------------------- */

/* The boxes hold the elements begin .. end-1, in this order and no others; returns their number. */
static uint64_t check_interval(const struct reshard_shape *shape, uint64_t begin, uint64_t end)
{
    const struct reshard_box whole = whole_of(shape);
    const uint64_t most = shape->ndim ? 2 * shape->ndim - 1 : 1;
    struct reshard_box_list list = RESHARD_BOX_LIST_INIT;
    uint64_t next = begin, count;

    ORACLE_ASSERT(reshard_box_from_interval(shape, begin, end, &list) == RESHARD_OK);
    for (uint64_t i = 0; i < list.count; i++) {
        struct oracle_walk walk = oracle_walk(&list.box[i]);
        ORACLE_ASSERT(list.box[i].ndim == shape->ndim && walked(&list.box[i]) > 0);
        while (oracle_walk_next(&walk))
            ORACLE_ASSERT(oracle_number(walk.index, &whole) == next++);
    }
    ORACLE_ASSERT(next == end && list.count <= (begin < end ? most : 0));
    count = list.count;
    reshard_box_list_release(&list);
    ORACLE_ASSERT(!list.box && list.count == 0);
    return count;
}

/* The next shape of that dimension with sizes 1 to `most`; false after the last. */
static bool next_shape(struct reshard_shape *shape, uint64_t most)
{
    for (uint32_t d = 0; d < shape->ndim; d++) {
        if (++shape->size[d] <= most)
            return true;
        shape->size[d] = 1;
    }
    return false;
}

static const uint64_t exhaustive[] = {1, 30, 8, 4, 3, 2, 2}; /* largest size, by dimension */

START_TEST(every_interval_of_every_small_shape_is_cut_right)
{
    struct reshard_shape shape = {.ndim = (uint32_t)_i, .size = {1, 1, 1, 1, 1, 1, 1, 1}};
    uint64_t most = 0;

    do {
        const uint64_t count = count_of(&shape);
        for (uint64_t begin = 0; begin <= count; begin++)
            for (uint64_t end = begin; end <= count; end++) {
                const uint64_t boxes = check_interval(&shape, begin, end);
                most = boxes > most ? boxes : most;
            }
    } while (next_shape(&shape, exhaustive[_i]));
    /* The bound is met where a size of 4 leaves room for a head, a middle and a tail. */
    if (exhaustive[_i] >= 3)
        ck_assert_uint_eq(most, 2 * (uint64_t)_i - 1);
}
END_TEST

START_TEST(intervals_of_random_shapes_are_cut_right)
{
    struct test_random random = test_random_start("intervals", 2);

    for (int round = 0; round < 4000; round++) {
        const struct reshard_shape shape = oracle_shape(&random, 9, 8, 3000);
        const uint64_t count = count_of(&shape);
        const uint64_t a = test_random_below(&random, count + 1);
        const uint64_t b = test_random_below(&random, count + 1);
        check_interval(&shape, a < b ? a : b, a < b ? b : a);
    }
}
END_TEST

static void check_boxes(const struct reshard_shape *shape, uint64_t begin, uint64_t end,
                        const char *expected)
{
    struct reshard_box_list list = RESHARD_BOX_LIST_INIT;
    char text[1024] = "", box[128];

    ck_assert_int_eq(reshard_box_from_interval(shape, begin, end, &list), RESHARD_OK);
    for (uint64_t i = 0; i < list.count; i++)
        strcat(strcat(text, i ? " " : ""), reshard_box_print(&list.box[i], box, sizeof box));
    ck_assert_str_eq(text, expected);
    reshard_box_list_release(&list);
}

START_TEST(known_intervals_give_known_boxes)
{
    const struct reshard_shape cube = {.ndim = 3, .size = {3, 4, 5}}, point = {.ndim = 0};
    const struct reshard_shape row = {.ndim = 2, .size = {1, 17}};
    const struct reshard_shape huge = {.ndim = 2, .size = {UINT64_C(1) << 40, 1 << 20}};

    check_boxes(&matrix, 5, 19, "[0:1, 5:6] [1:3, 0:6] [3:4, 0:1]");
    check_boxes(&cube, 7, 50, "[0:1, 1:2, 2:5] [0:1, 2:4, 0:5] [1:2, 0:4, 0:5] [2:3, 0:2, 0:5]");
    check_boxes(&matrix, 0, 24, "[0:4, 0:6]");
    check_boxes(&matrix, 6, 12, "[1:2, 0:6]");
    check_boxes(&matrix, 8, 8, "");
    check_boxes(&row, 3, 17, "[0:1, 3:17]");
    check_boxes(&row, 0, 17, "[0:1, 0:17]");
    check_boxes(&point, 0, 1, "[]");
    check_boxes(&huge, (UINT64_C(1) << 60) - 1, UINT64_C(1) << 60,
                "[1099511627775:1099511627776, 1048575:1048576]");
}
END_TEST

START_TEST(an_interval_is_appended_to_what_a_list_has)
{
    struct reshard_box_list list = RESHARD_BOX_LIST_INIT;

    for (uint64_t i = 0; i < 24; i++)
        ck_assert_int_eq(reshard_box_from_interval(&matrix, i, i + 1, &list), RESHARD_OK);
    ck_assert_uint_eq(list.count, 24);
    for (uint64_t i = 0; i < 24; i++) {
        ck_assert_uint_eq(list.box[i].begin[0], i / 6);
        ck_assert_uint_eq(list.box[i].begin[1], i % 6);
    }
    reshard_box_list_release(&list);
    reshard_box_list_release(&list);
}
END_TEST

/* ---- runs ------------------------------------------------------------------------------------ */

/* A random box between `inner` and the whole. */
static struct reshard_box container_of(struct test_random *random, const struct reshard_box *inner,
                                       const struct reshard_shape *shape)
{
    struct reshard_box box = *inner;

    for (uint32_t d = 0; d < box.ndim; d++) {
        const bool tight = test_random_below(random, 2) == 0;
        box.begin[d] -= tight ? 0 : test_random_below(random, inner->begin[d] + 1);
        box.end[d] += tight ? 0 : test_random_below(random, shape->size[d] - inner->end[d] + 1);
    }
    return box;
}

START_TEST(runs_visit_what_a_walk_visits)
{
    struct test_random random = test_random_start("runs", 3);
    uint64_t elements = 0, visits = 0;

    for (int round = 0; round < 6000; round++) {
        const struct reshard_shape shape = oracle_shape(&random, 9, 6, 400);
        const struct reshard_box box = oracle_box(&random, &shape);
        const struct reshard_box source = container_of(&random, &box, &shape);
        const struct reshard_box target = container_of(&random, &box, &shape);
        struct oracle_walk walk = oracle_walk(&box);
        struct reshard_box_runs runs = reshard_box_runs(&box, &source, &target);

        while (reshard_box_runs_next(&runs)) {
            visits++;
            ck_assert_uint_gt(runs.count, 0);
            for (uint64_t i = 0; i < runs.count; i++, elements++) {
                ORACLE_ASSERT(oracle_walk_next(&walk));
                ORACLE_ASSERT(runs.source + i == oracle_number(walk.index, &source));
                ORACLE_ASSERT(runs.target + i == oracle_number(walk.index, &target));
            }
        }
        ck_assert(!oracle_walk_next(&walk));
        ck_assert(!reshard_box_runs_next(&runs));
    }
    ck_assert_uint_lt(visits, elements);
}
END_TEST

START_TEST(a_box_that_is_whole_in_both_is_one_run)
{
    const struct reshard_shape shape = {.ndim = 4, .size = {3, 1, 4, 5}};
    struct reshard_box box = whole_of(&shape);
    struct reshard_box_runs runs = reshard_box_runs(&box, &box, &box);

    ck_assert(reshard_box_runs_next(&runs));
    ck_assert_uint_eq(runs.count, 60);
    ck_assert(!reshard_box_runs_next(&runs));
    /* Whole rows of the first dimension are one run as well. */
    const struct reshard_box whole = box;
    box.begin[0] = 1;
    runs = reshard_box_runs(&box, &box, &whole);
    ck_assert(reshard_box_runs_next(&runs));
    ck_assert_uint_eq(runs.count, 40);
    ck_assert_uint_eq(runs.target, 20);
    ck_assert(!reshard_box_runs_next(&runs));
}
END_TEST

/* ---- cover ----------------------------------------------------------------------------------- */

enum { PARTS_MAX = 24 };

/* Is each element of the shape in exactly one of the parts, and nothing of them outside? */
static bool covers(const struct reshard_shape *shape, const struct reshard_box *parts,
                   uint64_t count)
{
    const struct reshard_box whole = whole_of(shape);
    unsigned char *times = calloc(count_of(shape) + 1, 1);
    bool exact = true;

    ck_assert_ptr_nonnull(times);
    for (uint64_t i = 0; exact && i < count; i++) {
        struct oracle_walk walk = oracle_walk(&parts[i]);
        while (exact && oracle_walk_next(&walk)) {
            for (uint32_t d = 0; d < shape->ndim; d++)
                exact = exact && walk.index[d] < shape->size[d];
            exact = exact && times[oracle_number(walk.index, &whole)]++ == 0;
        }
    }
    for (uint64_t e = 0; exact && e < count_of(shape); e++)
        exact = times[e] == 1;
    free(times);
    return exact;
}

START_TEST(every_partition_is_a_cover)
{
    struct test_random random = test_random_start("partitions", 4);
    struct reshard_box parts[PARTS_MAX];

    for (int round = 0; round < 8000; round++) {
        const struct reshard_shape shape = oracle_shape(&random, 6, 7, 300);
        const struct reshard_box whole = whole_of(&shape);
        const uint64_t count = oracle_partition(&random, &shape, parts, PARTS_MAX);
        struct reshard_error error = RESHARD_ERROR_INIT;
        ck_assert(covers(&shape, parts, count));
        ck_assert_msg(reshard_box_cover(&whole, parts, count, &error) == RESHARD_OK, "%s",
                      error.text);
    }
}
END_TEST

enum fault { GAP, OVERLAP, OUTSIDE, DUPLICATE, INCLUSIVE_END, REPLACED, SHIFTED, FAULTS };

/* Plant a fault in a part that holds elements; false where this fault finds no room. */
static bool plant(enum fault fault, struct test_random *random, const struct reshard_shape *shape,
                  struct reshard_box *parts, uint64_t *count)
{
    const uint64_t i = test_random_below(random, *count);
    uint64_t j;
    const uint64_t d = shape->ndim ? test_random_below(random, shape->ndim) : 0;

    if (walked(&parts[i]) == 0 || (shape->ndim == 0 && fault != GAP && fault != DUPLICATE))
        return false;
    switch (fault) {
    case GAP:
        parts[i] = parts[--*count];
        break;
    case OVERLAP:
        if (parts[i].begin[d] == 0)
            return false;
        parts[i].begin[d]--;
        break;
    case OUTSIDE:
        parts[i].end[d] = shape->size[d] + 1;
        break;
    case DUPLICATE:
        parts[*count] = parts[i];
        ++*count;
        break;
    case INCLUSIVE_END:
        parts[i].end[d]--;
        break;
    case REPLACED: /* by a copy of another of the same volume: the sum of volumes still fits */
        for (j = 0; j < *count && (j == i || walked(&parts[i]) != walked(&parts[j]));)
            j++;
        if (j == *count)
            return false;
        parts[i] = parts[j];
        break;
    case SHIFTED: /* the volume still fits */
        parts[i].begin[d]++;
        parts[i].end[d]++;
        break;
    case FAULTS:
        return false;
    }
    return true;
}

START_TEST(every_planted_fault_is_no_cover)
{
    struct test_random random = test_random_start("planted faults", 5 + (uint64_t)_i);
    struct reshard_box parts[PARTS_MAX + 1];
    int planted = 0;

    for (int round = 0; planted < 1500; round++) {
        const struct reshard_shape shape = oracle_shape(&random, 5, 7, 300);
        const struct reshard_box whole = whole_of(&shape);
        uint64_t count = oracle_partition(&random, &shape, parts, PARTS_MAX);
        struct reshard_error error = RESHARD_ERROR_INIT;
        ck_assert_int_lt(round, 100000);
        if (!plant((enum fault)_i, &random, &shape, parts, &count))
            continue;
        planted++;
        ck_assert(!covers(&shape, parts, count));
        ck_assert_int_eq(reshard_box_cover(&whole, parts, count, &error), RESHARD_ECOVER);
        ck_assert_int_eq(error.status, RESHARD_ECOVER);
        ck_assert_ptr_nonnull(strchr(error.text, '['));
        ck_assert_int_eq(reshard_box_cover(&whole, parts, count, NULL), RESHARD_ECOVER);
    }
}
END_TEST

START_TEST(any_set_of_boxes_is_judged_as_by_counting)
{
    struct test_random random = test_random_start("any set", 6);
    int good = 0;

    for (int round = 0; round < 40000; round++) {
        const struct reshard_shape shape = oracle_shape(&random, 4, 4, 12);
        const struct reshard_box whole = whole_of(&shape);
        const uint64_t count = test_random_below(&random, 5);
        struct reshard_box parts[4];
        for (uint64_t i = 0; i < count; i++)
            parts[i] = oracle_box(&random, &shape);
        const bool exact = covers(&shape, parts, count);
        good += exact;
        ck_assert_int_eq(reshard_box_cover(&whole, parts, count, NULL),
                         exact ? RESHARD_OK : RESHARD_ECOVER);
    }
    ck_assert_int_gt(good, 500);
}
END_TEST

START_TEST(a_point_is_covered_by_one_point)
{
    const struct reshard_box point = {.ndim = 0}, two[] = {{.ndim = 0}, {.ndim = 0}};

    ck_assert_int_eq(reshard_box_cover(&point, two, 1, NULL), RESHARD_OK);
    ck_assert_int_eq(reshard_box_cover(&point, two, 2, NULL), RESHARD_ECOVER);
    ck_assert_int_eq(reshard_box_cover(&point, NULL, 0, NULL), RESHARD_ECOVER);
}
END_TEST

START_TEST(nothing_is_covered_by_nothing_and_by_nothing_else)
{
    const struct reshard_box none = {.ndim = 2, .end = {0, 4}};
    const struct reshard_box some = {.ndim = 2, .end = {1, 1}};

    ck_assert_int_eq(reshard_box_cover(&none, NULL, 0, NULL), RESHARD_OK);
    ck_assert_int_eq(reshard_box_cover(&none, &none, 1, NULL), RESHARD_OK);
    ck_assert_int_eq(reshard_box_cover(&none, &some, 1, NULL), RESHARD_ECOVER);
}
END_TEST

START_TEST(the_fault_is_named_with_its_boxes)
{
    const struct reshard_box whole = whole_of(&matrix);
    const struct reshard_box parts[] = {{.ndim = 2, .begin = {0, 0}, .end = {3, 6}},
                                        {.ndim = 2, .begin = {2, 0}, .end = {4, 6}},
                                        {.ndim = 2, .begin = {3, 0}, .end = {5, 6}}};
    const struct reshard_box apart[] = {parts[0], parts[2]};
    struct reshard_error overlap = RESHARD_ERROR_INIT, outside = RESHARD_ERROR_INIT;
    struct reshard_error hole = RESHARD_ERROR_INIT;

    ck_assert_int_eq(reshard_box_cover(&whole, parts, 2, &overlap), RESHARD_ECOVER);
    ck_assert_str_eq(overlap.text, "boxes [0:3, 0:6] and [2:4, 0:6] overlap");
    ck_assert_int_eq(reshard_box_cover(&whole, apart, 2, &outside), RESHARD_ECOVER);
    ck_assert_str_eq(outside.text, "box [3:5, 0:6] lies outside [0:4, 0:6]");
    ck_assert_int_eq(reshard_box_cover(&whole, parts, 1, &hole), RESHARD_ECOVER);
    ck_assert_str_eq(hole.text, "6 of 24 elements of [0:4, 0:6] are not covered");
}
END_TEST

/* Boxes that come from a damaged file can be of any size: the product of these sides is 2^64. */
START_TEST(a_box_too_large_to_count_is_not_taken_for_an_empty_one)
{
    const struct reshard_box whole = whole_of(&matrix);
    const struct reshard_box parts[] = {whole,
                                        {.ndim = 2, .end = {UINT64_C(1) << 32, UINT64_C(1) << 32}}};

    ck_assert_int_eq(reshard_box_cover(&whole, parts, 2, NULL), RESHARD_ECOVER);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("box");
    TCase *cases = tcase_create("box");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(cases, 100);
    tcase_add_loop_test(cases, shapes_count_their_elements_up_to_63_bits, 0,
                        (int)(sizeof counts / sizeof *counts));
    tcase_add_test(cases, shapes_and_boxes_print_as_python_would);
    tcase_add_test(cases, a_text_too_long_for_its_buffer_is_cut_and_never_overruns);
    tcase_add_test(cases, counts_offsets_and_relations_agree_with_a_walk);
    tcase_add_test(cases, boxes_of_other_dimensions_are_neither_equal_nor_inside);
    tcase_add_loop_test(cases, every_interval_of_every_small_shape_is_cut_right, 0,
                        (int)(sizeof exhaustive / sizeof *exhaustive));
    tcase_add_test(cases, intervals_of_random_shapes_are_cut_right);
    tcase_add_test(cases, known_intervals_give_known_boxes);
    tcase_add_test(cases, an_interval_is_appended_to_what_a_list_has);
    tcase_add_test(cases, runs_visit_what_a_walk_visits);
    tcase_add_test(cases, a_box_that_is_whole_in_both_is_one_run);
    tcase_add_test(cases, every_partition_is_a_cover);
    tcase_add_loop_test(cases, every_planted_fault_is_no_cover, 0, FAULTS);
    tcase_add_test(cases, any_set_of_boxes_is_judged_as_by_counting);
    tcase_add_test(cases, a_point_is_covered_by_one_point);
    tcase_add_test(cases, nothing_is_covered_by_nothing_and_by_nothing_else);
    tcase_add_test(cases, the_fault_is_named_with_its_boxes);
    tcase_add_test(cases, a_box_too_large_to_count_is_not_taken_for_an_empty_one);
    suite_add_tcase(suite, cases);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
