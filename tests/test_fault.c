/*
 * Storage that fails: the first operation of a save or load, then the second, and so on, on each
 * rank in turn, once and persistently, until a run meets no fault. Every time all ranks must return
 * the same status and text; a failed save must leave nothing that a reader takes for a checkpoint,
 * and must not keep the next one from succeeding; a checkpoint that was there must stay whole.
 */
#include "parallel/load.h"
#include "parallel/save.h"
#include "support/ranks.h"
#include "support/sample.h"
#include "support/store_faulty.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUES = 11 };

struct bench {
    struct reshard_model *model;
    struct reshard_layout *layout;
    struct reshard_state *state;
    struct reshard_group *group;
    struct store_faulty store;
    char path[320];
    char earlier[320]; /* a checkpoint that nothing may touch */
};

static void bench_open(struct bench *bench, struct ranks *ranks)
{
    const struct reshard_layout_options options = {.kind = RESHARD_LAYOUT_FSDP1,
                                                   .shard = (uint64_t)ranks->size};
    struct reshard_error error = RESHARD_ERROR_INIT;

    memset(bench, 0, sizeof *bench);
    bench->model = sample_model();
    EXPECT_STATUS(ranks, reshard_layout_open(&bench->layout, bench->model, &options, &error),
                  RESHARD_OK, &error);
    EXPECT_STATUS(ranks, reshard_state_open(&bench->state, bench->layout, (uint64_t)ranks->rank),
                  RESHARD_OK, &error);
    EXPECT_STATUS(ranks, reshard_state_allocate(bench->state, &error), RESHARD_OK, &error);
    EXPECT_STATUS(ranks, reshard_group_open(&bench->group, ranks->comm, &ranks->options, &error),
                  RESHARD_OK, &error);
    store_faulty_init(&bench->store, store_posix());
    snprintf(bench->path, sizeof bench->path, "%s/new", ranks->scratch);
    snprintf(bench->earlier, sizeof bench->earlier, "%s/earlier", ranks->scratch);
    sample_fill(bench->state, VALUES);
}

static void bench_close(struct bench *bench)
{
    reshard_group_close(bench->group);
    reshard_state_close(bench->state);
    reshard_layout_close(bench->layout);
    reshard_model_close(bench->model);
}

static enum reshard_status save(struct bench *bench, const char *path, uint64_t step,
                                struct reshard_error *error)
{
    const struct reshard_save_options options = {.step = step, .store = &bench->store.store};

    return reshard_save(bench->group, bench->state, path, &options, NULL, error);
}

static enum reshard_status load(struct bench *bench, struct store *store, const char *path,
                                struct reshard_error *error)
{
    const struct reshard_load_options options = {.store = store};

    return reshard_load(bench->group, bench->state, path, &options, NULL, error);
}

/* Arm the store of one rank; the others' stays sound. */
static void arm(struct bench *bench, const struct ranks *ranks, int victim, uint64_t operation,
                bool persistent)
{
    bench->store.fail_at = ranks->rank == victim ? operation : 0;
    bench->store.persistent = persistent;
    bench->store.count = bench->store.injected = 0;
}

/* Rank 0: a store that stays broken cannot even remove what it has written; the next save that
 * succeeds would. Here each save must find the same. */
static void remove_leftovers(struct ranks *ranks)
{
    char **names = NULL;
    uint64_t count = 0;

    EXPECT(ranks, store_list(store_posix(), ranks->scratch, &names, &count, NULL) == RESHARD_OK);
    for (uint64_t i = 0; i < count; i++) {
        char *path =
            strncmp(names[i], ".new.", 5) == 0 ? store_path(ranks->scratch, names[i]) : NULL;
        if (path)
            EXPECT(ranks, store_remove(store_posix(), path, NULL) == RESHARD_OK);
        free(path);
    }
    store_names_free(names, count);
}

/* The last fault of a save is the parent's sync, after the rename: visible, and reported as such.
 * So is a rename of which a store that stays broken does not let anybody see whether it happened.
 */
static void check_failed_save(struct bench *bench, struct ranks *ranks, enum reshard_status status,
                              struct reshard_error *error)
{
    struct reshard_error sound = RESHARD_ERROR_INIT;
    const enum reshard_status loaded = load(bench, store_posix(), bench->path, &sound);

    EXPECT(ranks, status == RESHARD_EIO || status == RESHARD_EUNKNOWN);
    if (!EXPECT(ranks, strstr(error->text, "injected fault") != NULL))
        printf("the text was: %s\n", error->text);
    if (status == RESHARD_EUNKNOWN && strstr(error->text, "whether it happened cannot be seen"))
        EXPECT(ranks, ranks_same(ranks->comm, (long)loaded));
    else
        EXPECT_STATUS(ranks, loaded, status == RESHARD_EUNKNOWN ? RESHARD_OK : RESHARD_ENOENT,
                      &sound);
    if (ranks->rank == 0) {
        EXPECT(ranks, store_remove(store_posix(), bench->path, NULL) == RESHARD_OK);
        remove_leftovers(ranks);
    }
    ranks_barrier(ranks->comm);
}

/* Fail operation 1, 2, 3, … on one rank until none is injected; returns how many were. */
static uint64_t fail_saves(struct bench *bench, struct ranks *ranks, int victim, bool persistent)
{
    uint64_t operation = 0;
    int survived = 0;
    bool met = true;

    while (met) {
        struct reshard_error error = RESHARD_ERROR_INIT;
        enum reshard_status status;
        arm(bench, ranks, victim, ++operation, persistent);
        status = save(bench, bench->path, 1, &error);
        EXPECT(ranks, ranks_same(ranks->comm, (long)status));
        EXPECT(ranks, ranks_same_text(ranks->comm, error.text));
        met = !ranks_same(ranks->comm, ranks->rank == victim ? (long)bench->store.injected : 0);
        if (status)
            check_failed_save(bench, ranks, status, &error);
        else if (ranks->rank == 0)
            EXPECT(ranks, store_remove(store_posix(), bench->path, NULL) == RESHARD_OK);
        ranks_barrier(ranks->comm);
        survived += status == RESHARD_OK && met;
    }
    /* A look for leftovers, the lock of the token, and its end may fail; all else is told. */
    EXPECT(ranks, survived <= (victim == 0 ? 3 : 0));
    return operation - 1;
}

static void every_single_fault_of_a_save_is_seen_by_all_and_publishes_nothing(struct ranks *ranks)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct bench bench;

    bench_open(&bench, ranks);
    EXPECT_STATUS(ranks, save(&bench, bench.earlier, 0, &error), RESHARD_OK, &error);
    for (int persistent = 0; persistent < 2; persistent++)
        for (int victim = 0; victim < ranks->size; victim++) {
            const uint64_t faults = fail_saves(&bench, ranks, victim, persistent);
            EXPECT(ranks, faults >= (victim == 0 ? 15u : 5u));
            if (ranks->rank == 0)
                printf("save, rank %d: %lu faults, %s\n", victim, (unsigned long)faults,
                       persistent ? "persistent" : "transient");
        }
    sample_stain(bench.state, 0);
    EXPECT_STATUS(ranks, load(&bench, store_posix(), bench.earlier, &error), RESHARD_OK, &error);
    EXPECT(ranks, sample_wrong_bytes(bench.state, VALUES, RESHARD_PART_ALL) == 0);
    bench_close(&bench);
}

static void every_single_fault_of_a_load_is_seen_by_all(struct ranks *ranks)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct bench bench;

    bench_open(&bench, ranks);
    for (int victim = 0; victim < ranks->size; victim++) {
        bool met = true;
        for (uint64_t operation = 1; met; operation++) {
            enum reshard_status status;
            error = (struct reshard_error)RESHARD_ERROR_INIT;
            arm(&bench, ranks, victim, operation, false);
            status = load(&bench, &bench.store.store, bench.earlier, &error);
            EXPECT(ranks, ranks_same(ranks->comm, (long)status));
            EXPECT(ranks, ranks_same_text(ranks->comm, error.text));
            met = !ranks_same(ranks->comm, ranks->rank == victim ? (long)bench.store.injected : 0);
        }
        arm(&bench, ranks, victim, 0, false);
        EXPECT_STATUS(ranks, load(&bench, &bench.store.store, bench.earlier, &error), RESHARD_OK,
                      &error);
        EXPECT(ranks, sample_wrong_bytes(bench.state, VALUES, RESHARD_PART_ALL) == 0);
    }
    bench_close(&bench);
}

static void an_existing_checkpoint_is_refused_and_untouched(struct ranks *ranks)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct bench bench;

    bench_open(&bench, ranks);
    arm(&bench, ranks, 0, 0, false);
    sample_fill(bench.state, VALUES + 1);
    EXPECT_STATUS(ranks, save(&bench, bench.earlier, 9, &error), RESHARD_EEXIST, &error);
    EXPECT(ranks, strstr(error.text, "never overwritten") != NULL);
    error = (struct reshard_error)RESHARD_ERROR_INIT;
    EXPECT_STATUS(ranks, load(&bench, store_posix(), bench.earlier, &error), RESHARD_OK, &error);
    EXPECT(ranks, sample_wrong_bytes(bench.state, VALUES, RESHARD_PART_ALL) == 0);
    bench_close(&bench);
}

static void ranks_that_want_different_parts_find_out(struct ranks *ranks)
{
    const struct reshard_load_options options = {.part = ranks->rank ? RESHARD_PART_ALL
                                                                     : RESHARD_PART_MODEL};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct bench bench;

    bench_open(&bench, ranks);
    EXPECT_STATUS(ranks,
                  reshard_load(bench.group, bench.state, bench.earlier, &options, NULL, &error),
                  ranks->size > 1 ? RESHARD_EMISMATCH : RESHARD_OK, &error);
    EXPECT(ranks, ranks_same_text(ranks->comm, error.text));
    /* An error struct that was used before tells the new fault, not the old one. */
    EXPECT_STATUS(ranks, save(&bench, bench.earlier, 9, &error), RESHARD_EEXIST, &error);
    EXPECT(ranks, strstr(error.text, "never overwritten") != NULL);
    bench_close(&bench);
}

static void a_full_disk_is_told_as_such_and_leaves_nothing(struct ranks *ranks)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct bench bench;
    uint64_t count = 0;
    char **names;

    bench_open(&bench, ranks);
    bench.store.status = RESHARD_ENOSPC;
    arm(&bench, ranks, ranks->size - 1, 3, true);
    EXPECT_STATUS(ranks, save(&bench, bench.path, 1, &error), RESHARD_ENOSPC, &error);
    ranks_barrier(ranks->comm);
    if (ranks->rank == 0 && EXPECT(ranks, store_list(store_posix(), ranks->scratch, &names, &count,
                                                     NULL) == RESHARD_OK)) {
        EXPECT(ranks, count == 1 && strcmp(names[0], "earlier") == 0);
        store_names_free(names, count);
    }
    ranks_barrier(ranks->comm);
    bench_close(&bench);
}

int main(int argc, char **argv)
{
    static const struct ranks_test tests[] = {
        {"every single fault of a save is seen by all and publishes nothing",
         every_single_fault_of_a_save_is_seen_by_all_and_publishes_nothing},
        {"every single fault of a load is seen by all",
         every_single_fault_of_a_load_is_seen_by_all},
        {"an existing checkpoint is refused and untouched",
         an_existing_checkpoint_is_refused_and_untouched},
        {"ranks that want different parts find out", ranks_that_want_different_parts_find_out},
        {"a full disk is told as such and leaves nothing",
         a_full_disk_is_told_as_such_and_leaves_nothing},
        {NULL, NULL},
    };

    return ranks_main(argc, argv, tests);
}
