/*
 * The writer and the reader of one rank's file, of boxes given: pieces and moves of any shape.
 * Columns make runs that are adjacent in the file and apart in memory, and the other way round.
 */
#include "core/reader.h"
#include "core/writer.h"
#include "support/scratch.h"

#include <check.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 700, COLUMNS = 48, CUT = 16, STEP = 3 };

static char *scratch;
static struct reshard_error error;
static struct reshard_model *model;
static struct reshard_layout *layout;
static struct manifest manifest;
static struct manifest_file file;
static struct arena_pieces pieces;
static float *values; /* the whole tensor */

static struct reshard_box columns(uint64_t begin, uint64_t end)
{
    return (struct reshard_box){2, {0, begin}, {ROWS, end}};
}

/* The two pieces of the file: columns before and after the cut, each dense, one after the other. */
static float *cut_pieces(void)
{
    const struct reshard_box whole = columns(0, COLUMNS);
    float *packed = calloc(ROWS * COLUMNS, sizeof *packed);
    static struct arena_piece piece[2];

    piece[0] = (struct arena_piece){.box = columns(0, CUT), .count = ROWS * CUT};
    piece[1] = (struct arena_piece){.box = columns(CUT, COLUMNS),
                                    .count = ROWS * (COLUMNS - CUT),
                                    .offset = ROWS * CUT,
                                    .local_offset = ROWS * CUT};
    for (int i = 0; i < 2; i++) {
        struct reshard_box_runs runs = reshard_box_runs(&piece[i].box, &whole, &piece[i].box);
        while (reshard_box_runs_next(&runs))
            memcpy(packed + piece[i].local_offset + runs.target, values + runs.source,
                   runs.count * sizeof *packed);
    }
    pieces = (struct arena_pieces){.count = 2, .piece = piece};
    pieces.elements[RESHARD_DTYPE_F32] = ROWS * COLUMNS;
    return packed;
}

static void open_layout(void)
{
    const struct reshard_rank_box box[] = {{0, columns(0, CUT)}, {0, columns(CUT, COLUMNS)}};
    const struct reshard_rule rule = {.pattern = "w", .box = box, .box_count = 2};
    const struct reshard_layout_options options = {
        .kind = RESHARD_LAYOUT_BOXES, .replicate = 1, .rule = &rule, .rule_count = 1};

    ck_assert_msg(!reshard_layout_open(&layout, model, &options, &error), "%s", error.text);
}

static void setup(void)
{
    const struct reshard_shape shape = {2, {ROWS, COLUMNS}};
    const struct container_identity identity = {
        .step = STEP, .world = 1, .token = "0123456789abcdef0123456789abcdef"};
    const void *local[1];
    char path[256];
    float *packed;

    scratch = scratch_make("reader");
    reshard_error_clear(&error);
    values = calloc(ROWS * COLUMNS, sizeof *values);
    for (int i = 0; i < ROWS * COLUMNS; i++)
        values[i] = (float)i;
    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    ck_assert_int_eq(reshard_model_add(model, "w", "", RESHARD_DTYPE_F32, &shape, &error),
                     RESHARD_OK);
    local[0] = packed = cut_pieces();
    manifest =
        (struct manifest){.step = STEP, .world = 1, .model = model, .file_count = 1, .file = &file};
    memcpy(manifest.token, identity.token, sizeof manifest.token);
    manifest_file_name(0, file.name);
    open_layout();
    file.writer = 0;
    snprintf(path, sizeof path, "%s/%s", scratch, file.name);
    ck_assert_msg(!writer_write(store_posix(), path, model, &pieces, &identity, local, NULL,
                                &file.bytes, &file.seal, &error),
                  "%s", error.text);
    free(packed);
}

static void teardown(void)
{
    reshard_layout_close(layout);
    reshard_model_close(model);
    free(values);
    scratch_remove(scratch);
}

static struct reader *opened(void)
{
    struct reader *reader;

    ck_assert_msg(!reader_open(&reader, store_posix(), scratch, &manifest, layout, 0, &error), "%s",
                  error.text);
    return reader;
}

/* Move `box` out of piece `index` into a target piece, and compare all of the target. */
static void move_and_compare(int index, struct reshard_box box, struct reshard_box target)
{
    const struct reshard_box whole = columns(0, COLUMNS);
    const struct plan_move move = {.box = box, .source = pieces.piece[index].box, .target = target};
    const uint64_t count = reshard_box_count(&target);
    float *memory = malloc((count + 2) * sizeof *memory);
    float *expected = malloc((count + 2) * sizeof *expected);
    struct reshard_box_runs runs = reshard_box_runs(&box, &whole, &target);
    const struct reader_target packed = {memory, NULL, RESHARD_DTYPE_F32};
    struct reader *reader = opened();

    for (uint64_t i = 0; i < count + 2; i++)
        memory[i] = expected[i] = -1;
    while (reshard_box_runs_next(&runs))
        memcpy(expected + runs.target, values + runs.source, runs.count * sizeof *expected);
    ck_assert_int_eq(reader_move(reader, &move, &packed, &error), RESHARD_OK);
    ck_assert_mem_eq(memory, expected, (count + 2) * sizeof *memory);
    reader_close(reader);
    free(memory);
    free(expected);
}

START_TEST(runs_adjacent_in_the_file_are_dealt_out_over_memory)
{
    move_and_compare(0, columns(0, CUT), columns(0, COLUMNS));
    move_and_compare(1, columns(CUT, COLUMNS), columns(0, COLUMNS));
}
END_TEST

START_TEST(runs_apart_in_the_file_come_together_in_memory)
{
    move_and_compare(0, columns(3, 4), columns(3, 4));
    move_and_compare(1, columns(20, 31), columns(20, 31));
    move_and_compare(1, columns(20, 31), columns(18, 40));
}
END_TEST

START_TEST(a_part_of_the_rows_moves_alone)
{
    const struct reshard_box box = {2, {17, 2}, {600, 9}};
    const struct reshard_box target = {2, {11, 1}, {650, 12}};

    move_and_compare(0, box, target);
}
END_TEST

START_TEST(a_piece_that_the_file_has_not_is_refused)
{
    const struct plan_move move = {
        .box = columns(0, 8), .source = columns(0, 8), .target = columns(0, 8)};
    const struct reader_target packed = {values, NULL, RESHARD_DTYPE_F32};
    struct reader *reader = opened();

    ck_assert_int_eq(reader_move(reader, &move, &packed, &error), RESHARD_EFORMAT);
    ck_assert_ptr_nonnull(strstr(error.text, "rank-00000.h5: holds no piece [0:700, 0:8]"));
    reader_close(reader);
}
END_TEST

START_TEST(a_damaged_piece_is_named_and_a_sound_one_is_not)
{
    const struct plan_move first = {.source = pieces.piece[0].box},
                           second = {.source = pieces.piece[1].box};
    struct trailer trailer;
    struct store_file *damaged;
    unsigned char last[TRAILER_BYTES];
    struct reader *reader;
    char path[256], byte = 0x55;

    snprintf(path, sizeof path, "%s/%s", scratch, file.name);
    ck_assert_int_eq(store_open(store_posix(), path, STORE_READ, &damaged, &error), RESHARD_OK);
    ck_assert_int_eq(store_read(damaged, file.bytes - TRAILER_BYTES, last, TRAILER_BYTES, &error),
                     RESHARD_OK);
    ck_assert_int_eq(store_close(damaged, &error), RESHARD_OK);
    ck_assert_int_eq(trailer_decode(&trailer, last, path, &error), RESHARD_OK);
    ck_assert_int_eq(store_open(store_posix(), path, STORE_WRITE, &damaged, &error), RESHARD_OK);
    ck_assert_int_eq(
        store_write(damaged,
                    trailer.offsets.arena[RESHARD_DTYPE_F32] + ROWS * CUT * sizeof(float) + 1000,
                    &byte, 1, &error),
        RESHARD_OK);
    ck_assert_int_eq(store_close(damaged, &error), RESHARD_OK);
    reader = opened();
    ck_assert_int_eq(reader_check(reader, &first, &error), RESHARD_OK);
    ck_assert_int_eq(reader_check(reader, &second, &error), RESHARD_EDIGEST);
    ck_assert_ptr_nonnull(strstr(error.text, "piece [0:700, 16:48] of tensor 'w'"));
    reader_close(reader);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reader");
    TCase *tests = tcase_create("reader");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, runs_adjacent_in_the_file_are_dealt_out_over_memory);
    tcase_add_test(tests, runs_apart_in_the_file_come_together_in_memory);
    tcase_add_test(tests, a_part_of_the_rows_moves_alone);
    tcase_add_test(tests, a_piece_that_the_file_has_not_is_refused);
    tcase_add_test(tests, a_damaged_piece_is_named_and_a_sound_one_is_not);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
