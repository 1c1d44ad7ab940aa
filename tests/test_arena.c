/*
 * Arenas. Goal: what all files hold together is every element of the model once, each at the place
 * that the format gives it. Method: random layouts; the place of each element found by walking the
 * rows of a file's table from the first on, and held against the oracle's packed memory.
 */
#include "core/arena.h"
#include "support/oracle.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct reshard_layout_options random_options(struct test_random *random)
{
    struct reshard_layout_options options = {
        .kind = (enum reshard_layout_kind)test_random_below(random, 3),
        .replicate = 1 + test_random_below(random, 3),
        .shard = 1,
    };

    if (options.kind != RESHARD_LAYOUT_DDP)
        options.shard += test_random_below(random, 8);
    options.orig_params = options.kind == RESHARD_LAYOUT_FSDP1 && test_random_below(random, 2);
    return options;
}

/* Add what a holder's file has to `times`: by tensor, for each element how often it was written. */
static void take_file(const struct reshard_model *model,
                      const struct reshard_layout_options *options, uint64_t holder,
                      const struct arena_pieces *pieces, unsigned char **times)
{
    uint64_t elements[RESHARD_DTYPE_COUNT] = {0};
    uint64_t previous = 0;

    for (uint64_t i = 0; i < pieces->count; i++) {
        const struct arena_piece *piece = &pieces->piece[i];
        const struct reshard_tensor *tensor = reshard_model_tensor(model, piece->tensor);
        const struct reshard_box whole = reshard_box_whole(&tensor->shape);
        struct oracle_places places = oracle_places(model, options, piece->tensor, holder);
        struct oracle_walk walk = oracle_walk(&piece->box);
        uint64_t count = 0;

        ck_assert_uint_eq(piece->offset, elements[tensor->dtype]);
        ck_assert_uint_eq(piece->contribution, 0);
        if (i > 0 && piece->tensor == pieces->piece[i - 1].tensor)
            ck_assert_uint_gt(oracle_number(piece->box.begin, &whole), previous);
        else if (i > 0)
            ck_assert_uint_gt(piece->tensor, pieces->piece[i - 1].tensor);
        while (oracle_walk_next(&walk)) {
            previous = oracle_number(walk.index, &whole);
            ORACLE_ASSERT(places.packed[previous] == piece->local_offset + count++);
            times[piece->tensor][previous]++;
        }
        ck_assert_uint_eq(piece->count, count);
        ck_assert_uint_gt(count, 0);
        elements[tensor->dtype] += count;
        oracle_places_release(&places);
    }
    ck_assert_mem_eq(pieces->elements, elements, sizeof elements);
}

START_TEST(all_files_together_hold_every_element_once)
{
    struct test_random random = test_random_start("files", 1);

    for (int round = 0; round < 2000; round++) {
        struct reshard_model *model = round ? oracle_model(&random) : oracle_odd_model();
        const struct reshard_layout_options options = random_options(&random);
        const uint32_t tensors = reshard_model_tensor_count(model);
        unsigned char **times = calloc(tensors, sizeof *times);
        struct reshard_layout *layout;

        ck_assert_ptr_nonnull(times);
        for (uint32_t t = 0; t < tensors; t++)
            ck_assert_ptr_nonnull(times[t] = calloc(reshard_model_tensor(model, t)->count + 1, 1));
        ck_assert_int_eq(reshard_layout_open(&layout, model, &options, NULL), RESHARD_OK);
        for (uint64_t holder = 0; holder < options.replicate * options.shard; holder++) {
            struct arena_pieces pieces;
            ck_assert_int_eq(arena_pieces_of(&pieces, layout, holder, NULL), RESHARD_OK);
            take_file(model, &options, holder, &pieces, times);
            arena_pieces_release(&pieces);
        }
        for (uint32_t t = 0; t < tensors; t++) {
            for (uint64_t e = 0; e < reshard_model_tensor(model, t)->count; e++)
                ORACLE_ASSERT(times[t][e] == 1);
            free(times[t]);
        }
        free(times);
        reshard_layout_close(layout);
        reshard_model_close(model);
    }
}
END_TEST

START_TEST(a_piece_is_found_by_its_tensor_and_its_very_box)
{
    struct test_random random = test_random_start("finding", 2);
    uint64_t found = 0;

    for (int round = 0; round < 500; round++) {
        struct reshard_model *model = oracle_model(&random);
        const struct reshard_layout_options options = random_options(&random);
        struct reshard_layout *layout;
        struct arena_pieces pieces;

        ck_assert_int_eq(reshard_layout_open(&layout, model, &options, NULL), RESHARD_OK);
        ck_assert_int_eq(arena_pieces_of(&pieces, layout, 0, NULL), RESHARD_OK);
        for (uint64_t i = 0; i < pieces.count; i++, found++) {
            struct arena_piece *piece = &pieces.piece[i];
            struct reshard_box box = piece->box;
            const uint32_t tensor = piece->tensor;
            ck_assert_ptr_eq(arena_pieces_find(&pieces, tensor, &box), piece);
            if (box.ndim == 0)
                continue;
            const uint32_t d = (uint32_t)test_random_below(&random, box.ndim);
            box.end[d]++; /* begins alike, but is another */
            ck_assert_ptr_null(arena_pieces_find(&pieces, tensor, &box));
            box = piece->box;
            box.begin[d] += 1000;
            box.end[d] += 1000;
            ck_assert_ptr_null(arena_pieces_find(&pieces, tensor, &box));
            ck_assert_ptr_null(arena_pieces_find(&pieces, UINT32_MAX, &piece->box));
        }
        arena_pieces_release(&pieces);
        ck_assert_ptr_null(arena_pieces_find(&pieces, 0, &(struct reshard_box){.ndim = 0}));
        reshard_layout_close(layout);
        reshard_model_close(model);
    }
    ck_assert_uint_gt(found, 1000);
}
END_TEST

START_TEST(a_rank_that_owns_nothing_has_no_pieces)
{
    const struct reshard_layout_options options = {.kind = RESHARD_LAYOUT_DDP, .replicate = 2};
    struct reshard_layout *layout;
    struct reshard_model *model;
    struct arena_pieces pieces;

    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    oracle_add(model, "w", "", RESHARD_DTYPE_F32, 1, (const uint64_t[]){7});
    oracle_add(model, "none", "", RESHARD_DTYPE_F32, 2, (const uint64_t[]){7, 0});
    ck_assert_int_eq(reshard_layout_open(&layout, model, &options, NULL), RESHARD_OK);
    ck_assert_int_eq(arena_pieces_of(&pieces, layout, 0, NULL), RESHARD_OK);
    ck_assert_uint_eq(pieces.count, 1);
    ck_assert_uint_eq(pieces.elements[RESHARD_DTYPE_F32], 7);
    arena_pieces_release(&pieces);
    ck_assert_int_eq(arena_pieces_of(&pieces, layout, 1, NULL), RESHARD_OK);
    ck_assert_uint_eq(pieces.count, 0);
    arena_pieces_release(&pieces);
    arena_pieces_release(&pieces);
    reshard_layout_close(layout);
    reshard_model_close(model);
}
END_TEST

START_TEST(an_arena_is_padded_to_whole_pages_and_no_further)
{
    for (int d = RESHARD_DTYPE_NONE + 1; d < RESHARD_DTYPE_COUNT; d++) {
        const enum reshard_dtype dtype = (enum reshard_dtype)d;
        const uint64_t bytes = reshard_dtype_bytes(dtype);
        const uint64_t sizes[] = {0, 1, 255, 256, 257, 4095, 4096, 4097, 1000003};
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            const uint64_t padded = arena_padded(sizes[i], dtype);
            ck_assert_uint_eq(padded * bytes % 4096, 0);
            ck_assert_uint_ge(padded, sizes[i]);
            ck_assert_uint_lt((padded - sizes[i]) * bytes, 4096);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("arena");
    TCase *cases = tcase_create("arena");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, all_files_together_hold_every_element_once);
    tcase_add_test(cases, a_piece_is_found_by_its_tensor_and_its_very_box);
    tcase_add_test(cases, a_rank_that_owns_nothing_has_no_pieces);
    tcase_add_test(cases, an_arena_is_padded_to_whole_pages_and_no_further);
    suite_add_tcase(suite, cases);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
