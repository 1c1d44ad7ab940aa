/*
 * What a save refuses, and what it leaves out. Goal: no replica that holds something else is
 * dropped unnoticed, a tie is one, what is not persistent is not saved, and memory that fails fails
 * on all ranks alike and leaves nothing. Method: one byte changed on one rank, one copy of a fake
 * device failed after the other, and a look at what is there afterwards.
 */
#include "core/manifest.h"
#include "parallel/load.h"
#include "parallel/save.h"
#include "support/ranks.h"
#include "support/sample.h"
#include "support/side.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VALUES = 31 };

struct bench {
    struct reshard_group *group;
    struct reshard_model *model;
    struct side side;
    bool ready;
    char path[320];
};

/* The model becomes the bench's. */
static void open_bench(struct bench *bench, struct ranks *ranks, struct reshard_model *model,
                       const struct reshard_layout_options *options, bool on_device,
                       const char *name)
{
    struct reshard_error error = RESHARD_ERROR_INIT;

    bench->model = model;
    EXPECT_STATUS(ranks, reshard_group_open(&bench->group, ranks->comm, &ranks->options, &error),
                  RESHARD_OK, &error);
    bench->ready = side_open(&bench->side, ranks, model, options, on_device, RESHARD_ROLE_COUNT);
    if (bench->ready)
        side_fill_all(&bench->side, VALUES);
    (void)snprintf(bench->path, sizeof bench->path, "%s/%s", ranks->scratch, name);
}

static void close_bench(struct bench *bench)
{
    side_close(&bench->side);
    reshard_group_close(bench->group);
    reshard_model_close(bench->model);
}

static enum reshard_status save(struct bench *bench, enum reshard_replicas replicas,
                                struct reshard_report *report, struct reshard_error *error)
{
    const struct reshard_save_options options = {.step = 4, .replicas = replicas};

    return reshard_save(bench->group, bench->side.state, bench->path, &options, report, error);
}

static enum reshard_status load(struct bench *bench, struct reshard_error *error)
{
    for (uint32_t t = 0; t < bench->side.tensors; t++)
        side_stain(&bench->side, t);
    return reshard_load(bench->group, bench->side.state, bench->path, NULL, NULL, error);
}

static void must_hold(struct ranks *ranks, const struct reshard_error *error, const char *words)
{
    EXPECT(ranks, ranks_same_text(ranks->comm, error->text));
    if (!EXPECT(ranks, strstr(error->text, words) != NULL) && ranks->rank == 0)
        printf("no '%s' in: %s\n", words, error->text);
}

/* Neither the checkpoint nor what was under way is there. */
static void must_be_gone(struct ranks *ranks, const struct bench *bench)
{
    ranks_barrier(ranks->comm);
    EXPECT(ranks, access(bench->path, F_OK) != 0);
    EXPECT(ranks, !ranks_left_over(bench->path));
    ranks_barrier(ranks->comm);
}

static struct reshard_layout_options replicated(const struct ranks *ranks)
{
    return (struct reshard_layout_options){.kind = RESHARD_LAYOUT_DDP,
                                           .replicate = (uint64_t)ranks->size};
}

/* ---- replicas -------------------------------------------------------------------------------- */

/* The first tensor with elements of which a rank holds a copy that is not written. */
static uint32_t not_owned(const struct bench *bench, int rank)
{
    uint32_t t = 0;

    while (reshard_layout_is_owner(bench->side.layout, t, (uint64_t)rank) ||
           reshard_model_tensor(bench->model, t)->count == 0)
        t++;
    return t;
}

static void a_replica_that_differs_is_refused_and_nothing_is_saved(struct ranks *ranks)
{
    const struct reshard_layout_options options = replicated(ranks);
    struct bench bench;

    open_bench(&bench, ranks, sample_model(), &options, false, "refused");
    for (int victim = 0; bench.ready && ranks->size > 1 && victim < ranks->size; victim++) {
        const uint32_t t = not_owned(&bench, victim);
        const struct reshard_tensor *tensor = reshard_model_tensor(bench.model, t);
        struct reshard_error error = RESHARD_ERROR_INIT;
        char words[400];
        if (ranks->rank == victim)
            bench.side.memory[t][bench.side.bytes[t] - 1] ^= 1;
        EXPECT_STATUS(ranks, save(&bench, RESHARD_REPLICAS_REFUSE, NULL, &error), RESHARD_EMISMATCH,
                      &error);
        (void)snprintf(words, sizeof words, "'%s'", tensor->fqn);
        must_hold(ranks, &error, words);
        (void)snprintf(words, sizeof words, ": rank %d does not hold what rank", victim);
        must_hold(ranks, &error, words);
        must_be_gone(ranks, &bench);
        if (ranks->rank == victim)
            bench.side.memory[t][bench.side.bytes[t] - 1] ^= 1;
    }
    close_bench(&bench);
}

static void with_a_warning_the_owners_copies_are_saved(struct ranks *ranks)
{
    const struct reshard_layout_options options = replicated(ranks);
    const int victim = ranks->size - 1;
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_report report = {.diverged = 77};
    struct bench bench;
    char words[32];

    open_bench(&bench, ranks, sample_model(), &options, false, "warned");
    if (bench.ready && ranks->size > 1) {
        const uint32_t t = not_owned(&bench, victim);
        if (ranks->rank == victim)
            bench.side.memory[t][0] ^= 1;
        EXPECT_STATUS(ranks, save(&bench, RESHARD_REPLICAS_WARN, &report, &error), RESHARD_OK,
                      &error);
        EXPECT(ranks, report.diverged == 1);
        (void)snprintf(words, sizeof words, "rank %d ", victim);
        EXPECT(ranks, strstr(report.diverged_text, words) != NULL);
        EXPECT(ranks, ranks_same_text(ranks->comm, report.diverged_text));
        EXPECT_STATUS(ranks, load(&bench, &error), RESHARD_OK, &error);
        EXPECT(ranks, side_wrong_all(&bench.side, VALUES) == 0);
    }
    close_bench(&bench);
}

/* Coordinate k holds what is right, all others something else: it alone is asked. */
static void the_replicas_that_the_layout_names_win(struct ranks *ranks)
{
    for (int k = 0; ranks->size > 1 && k < 2; k++) {
        struct reshard_layout_options options = replicated(ranks);
        struct reshard_error error = RESHARD_ERROR_INIT;
        struct reshard_report report;
        struct bench bench;
        options.owner = (uint64_t)k + 1;
        open_bench(&bench, ranks, sample_model(), &options, false, k ? "second" : "first");
        if (bench.ready && ranks->rank != k)
            side_fill_all(&bench.side, VALUES + 1);
        EXPECT_STATUS(ranks, save(&bench, RESHARD_REPLICAS_WARN, &report, &error), RESHARD_OK,
                      &error);
        EXPECT(ranks, report.diverged > 10);
        EXPECT_STATUS(ranks, load(&bench, &error), RESHARD_OK, &error);
        EXPECT(ranks, side_wrong_all(&bench.side, VALUES) == 0);
        close_bench(&bench);
    }
}

static void without_a_difference_nothing_has_diverged(struct ranks *ranks)
{
    const struct reshard_layout_options options = replicated(ranks);
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_report report = {.diverged = 77};
    struct bench bench;

    open_bench(&bench, ranks, sample_model(), &options, true, "same");
    EXPECT_STATUS(ranks, save(&bench, RESHARD_REPLICAS_REFUSE, &report, &error), RESHARD_OK,
                  &error);
    EXPECT(ranks, report.diverged == 0 && report.diverged_text[0] == '\0');
    EXPECT(ranks, report.tensors == bench.side.tensors);
    close_bench(&bench);
}

/* ---- ties ------------------------------------------------------------------------------------ */

/* The second name of "embed.weight" gets memory of its own. */
static unsigned char *bind_alias(struct bench *bench, struct ranks *ranks, bool on_device)
{
    const uint64_t bytes = bench->side.bytes[0];
    unsigned char *memory = malloc(bytes + 1);
    void *bound = memory;

    if (on_device) /* the distance between the device's addresses and ours */
        bound = memory +
                ((char *)reshard_state_data(bench->side.state, 0) - (char *)bench->side.memory[0]);
    memcpy(memory, bench->side.memory[0], bytes);
    EXPECT(ranks, !reshard_state_bind(bench->side.state, "head.weight", "", bound, bytes, NULL));
    return memory;
}

static void a_tie_whose_two_names_differ_is_refused(struct ranks *ranks)
{
    const struct reshard_layout_options options = {.kind = RESHARD_LAYOUT_FSDP2,
                                                   .shard = (uint64_t)ranks->size};

    for (int device = 0; device < 2; device++) {
        struct reshard_error error = RESHARD_ERROR_INIT;
        struct bench bench;
        unsigned char *alias;
        open_bench(&bench, ranks, sample_model(), &options, device, device ? "tie-1" : "tie-0");
        alias = bind_alias(&bench, ranks, device && bench.side.bytes[0] > 0);
        if (ranks->rank == 0)
            alias[bench.side.bytes[0] - 1] ^= 8;
        EXPECT_STATUS(ranks, save(&bench, 0, NULL, &error), RESHARD_EMISMATCH, &error);
        must_hold(ranks, &error, "'head.weight'");
        must_hold(ranks, &error, "'embed.weight'");
        must_be_gone(ranks, &bench);
        if (ranks->rank == 0)
            alias[bench.side.bytes[0] - 1] ^= 8;
        EXPECT_STATUS(ranks, save(&bench, 0, NULL, &error), RESHARD_OK, &error);
        memset(alias, 0, bench.side.bytes[0]);
        EXPECT_STATUS(ranks, load(&bench, &error), RESHARD_OK, &error);
        EXPECT(ranks, side_wrong_all(&bench.side, VALUES) == 0);
        EXPECT(ranks, memcmp(alias, bench.side.memory[0], bench.side.bytes[0]) == 0);
        close_bench(&bench);
        free(alias);
    }
}

/* ---- what is not persistent ------------------------------------------------------------------ */

/* A buffer between two stages, which would give its stage to what follows if it counted. */
static struct reshard_model *model_with_a_cache(void)
{
    const struct reshard_shape shape = {1, {6}};
    struct reshard_model *model = NULL;
    enum reshard_status status = reshard_model_open(&model);

    if (!status)
        status = reshard_model_add(model, "a.w", "a", RESHARD_DTYPE_F32, &shape, NULL);
    if (!status)
        status = reshard_model_add(model, "b.w", "b", RESHARD_DTYPE_F32, &shape, NULL);
    if (!status)
        status = reshard_model_add_role(model, "a.cache", "a", RESHARD_DTYPE_F64, &shape,
                                        RESHARD_ROLE_TRANSIENT, 0, NULL);
    if (!status)
        status = reshard_model_add(model, "norm", "", RESHARD_DTYPE_F32, &shape, NULL);
    return status ? NULL : model;
}

static void a_buffer_that_is_not_persistent_is_left_out(struct ranks *ranks)
{
    const uint64_t pipeline = ranks->size % 2 ? 1 : 2;
    const struct reshard_layout_options options = {.kind = RESHARD_LAYOUT_FSDP1,
                                                   .pipeline = pipeline,
                                                   .replicate = (uint64_t)ranks->size / pipeline};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_report report;
    struct manifest manifest = MANIFEST_INIT;
    struct bench bench;
    uint32_t index;

    open_bench(&bench, ranks, model_with_a_cache(), &options, false, "cache");
    EXPECT_STATUS(ranks, save(&bench, 0, &report, &error), RESHARD_OK, &error);
    EXPECT(ranks, report.tensors == 3 && report.bytes_unique == 3 * 24);
    if (EXPECT_STATUS(ranks,
                      reshard_manifest_read(bench.group, NULL, bench.path, &manifest, &error),
                      RESHARD_OK, &error))
        EXPECT(ranks, reshard_model_find(manifest.model, "a.cache", "", &index) == RESHARD_ENOENT);
    manifest_release(&manifest);
    EXPECT_STATUS(ranks, load(&bench, &error), RESHARD_OK, &error);
    for (uint32_t t = 0; t < 4; t++)
        EXPECT(ranks, t == 2 ? side_touched(&bench.side, t) == 0
                             : side_wrong(&bench.side, t, VALUES) == 0);
    close_bench(&bench);
}

/* ---- memory that fails ----------------------------------------------------------------------- */

/* The n-th copy of one rank fails, for all n until none is left to fail. */
static void fail_copies(struct ranks *ranks, struct bench *bench, int victim, bool saving)
{
    struct side_device *fake = &bench->side.fake;
    bool failed = true;

    for (uint64_t n = 1; failed && n < 4096; n += n < 6 ? 1 : n / 2) {
        struct reshard_error error = RESHARD_ERROR_INIT;
        enum reshard_status status;
        fake->calls = fake->failed = 0;
        fake->fail_at = ranks->rank == victim ? n : 0;
        status = saving ? save(bench, 0, NULL, &error) : load(bench, &error);
        failed = status != RESHARD_OK;
        EXPECT(ranks, ranks_same(ranks->comm, (long)status));
        EXPECT(ranks, !failed || status == RESHARD_EIO);
        EXPECT(ranks, ranks_same_text(ranks->comm, error.text));
        EXPECT(ranks, ranks->rank != victim || failed == (fake->failed > 0));
        if (failed && saving)
            must_be_gone(ranks, bench);
    }
    EXPECT(ranks, !failed);
    fake->fail_at = 0;
}

static void a_copy_that_fails_on_one_rank_fails_the_save_or_load_on_all(struct ranks *ranks)
{
    const struct reshard_layout_options options = {.kind = RESHARD_LAYOUT_FSDP2,
                                                   .replicate = (uint64_t)ranks->size};

    for (int victim = 0; victim < ranks->size; victim++) {
        struct bench bench;
        char name[32];
        (void)snprintf(name, sizeof name, "device-%d", victim);
        open_bench(&bench, ranks, sample_model(), &options, true, name);
        if (bench.ready) {
            fail_copies(ranks, &bench, victim, true);
            fail_copies(ranks, &bench, victim, false);
            EXPECT(ranks, side_wrong_all(&bench.side, VALUES) == 0);
        }
        close_bench(&bench);
    }
}

/* ---- the index ------------------------------------------------------------------------------- */

static enum reshard_status refuse_index(struct store *store, const char *path, enum store_mode mode,
                                        struct store_file **out, struct reshard_error *error)
{
    (void)store;
    if (mode == STORE_CREATE && strstr(path, "/.index."))
        return reshard_error_set(error, RESHARD_ENOSPC, "%s: no space", path);
    return store_open(store_posix(), path, mode, out, error);
}

/* The checkpoint is whole without it: the save has not failed, and the report says what has. */
static void an_index_that_cannot_be_written_fails_no_save(struct ranks *ranks)
{
    const struct reshard_layout_options layout = replicated(ranks);
    const struct store_ops *posix = store_posix()->ops;
    struct store_ops ops = *posix;
    struct store store = {&ops};
    struct reshard_save_options options = {.step = 4, .store = &store, .index = true};
    struct bench bench;
    char index[340];

    ops.open = refuse_index;
    open_bench(&bench, ranks, sample_model(), &layout, false, "viewed");
    for (int full = 1; bench.ready && full >= 0; full--) {
        struct reshard_error error = RESHARD_ERROR_INIT;
        struct reshard_report report;
        if (!full)
            options.store = NULL;
        EXPECT_STATUS(
            ranks,
            reshard_save(bench.group, bench.side.state, bench.path, &options, &report, &error),
            RESHARD_OK, &error);
        EXPECT(ranks, ranks_same_text(ranks->comm, report.index_text));
        EXPECT(ranks, (strstr(report.index_text, ".partial: no space") != NULL) == full);
        EXPECT(ranks, full || report.index_text[0] == '\0');
        (void)snprintf(index, sizeof index, "%s/index.h5", bench.path);
        EXPECT(ranks, (access(index, F_OK) != 0) == full);
        EXPECT_STATUS(ranks, load(&bench, &error), RESHARD_OK, &error);
        EXPECT(ranks, side_wrong_all(&bench.side, VALUES) == 0);
        (void)snprintf(bench.path, sizeof bench.path, "%s/viewed-again", ranks->scratch);
    }
    close_bench(&bench);
}

int main(int argc, char **argv)
{
    static const struct ranks_test tests[] = {
        {"a replica that differs is refused and nothing is saved",
         a_replica_that_differs_is_refused_and_nothing_is_saved},
        {"with a warning the owners' copies are saved", with_a_warning_the_owners_copies_are_saved},
        {"the replicas that the layout names win", the_replicas_that_the_layout_names_win},
        {"without a difference nothing has diverged", without_a_difference_nothing_has_diverged},
        {"a tie whose two names differ is refused", a_tie_whose_two_names_differ_is_refused},
        {"a buffer that is not persistent is left out",
         a_buffer_that_is_not_persistent_is_left_out},
        {"an index that cannot be written fails no save",
         an_index_that_cannot_be_written_fails_no_save},
        {"a copy that fails on one rank fails the save or load on all",
         a_copy_that_fails_on_one_rank_fails_the_save_or_load_on_all},
        {NULL, NULL},
    };

    return ranks_main(argc, argv, tests);
}
