/*
 * Absence of optimizer state. Goal: that a slot is not there is a fact, which a checkpoint records
 * and a load and an exchange bring along; it is never zeros, and never anybody's guess. Method:
 * random models with slots of every class, and random subsets of them absent, through files and
 * from memory to memory, absent ones often without memory; ranks that hold nothing of a slot say
 * anything; then ranks that hold some of it disagree, at every operation that reads a state.
 */
#include "core/container.h"
#include "core/manifest.h"
#include "parallel/exchange.h"
#include "parallel/load.h"
#include "parallel/proof.h"
#include "parallel/save.h"
#include "support/drawn.h"
#include "support/pair.h"
#include "support/ranks.h"
#include "support/sample.h"
#include "support/side.h"

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VALUES = 57, ELEMENTS = 60, TENSORS_MAX = 128, NAMED_MAX = 8 };

/* ---- a state, some slots of which are absent ------------------------------------------------- */

struct bench {
    struct reshard_group *group;
    struct reshard_model *model;
    struct random_layout from, to;
    struct side source, target;
    bool mine[TENSORS_MAX];   /* what this rank says of the source's slots */
    bool absent[TENSORS_MAX]; /* what all come to */
    bool before[TENSORS_MAX]; /* the target's flags, that say something else */
    unsigned char *image;     /* of the source */
};

static const struct reshard_tensor *entry(const struct bench *bench, uint32_t t)
{
    return reshard_model_tensor(bench->model, t);
}

/* A source filled, absent slots stained and, one time in two, without memory; a target stained,
 * with flags of its own and, one time in two, without memory for what will be absent. */
static bool open_bench(struct bench *bench, struct reshard_group *group, struct ranks *ranks,
                       struct test_random *random, bool all)
{
    static const bool none[TENSORS_MAX];
    const uint64_t world = (uint64_t)ranks->size, which = test_random_below(random, 16);
    bool ready;

    bench->group = group;
    bench->model = drawn_model(random, world, ELEMENTS);
    drawn_layout(&bench->from, random, bench->model, world);
    drawn_layout(&bench->to, random, bench->model, world);
    if (!EXPECT(ranks, reshard_model_tensor_count(bench->model) <= TENSORS_MAX))
        return false;
    drawn_sayings(random, bench->model, &bench->from.options, (uint64_t)ranks->rank, all,
                  bench->mine, bench->absent);
    ready = side_open_without(&bench->source, ranks, bench->model, &bench->from.options, which & 1,
                              which & 2 ? bench->absent : none) &&
            side_open_without(&bench->target, ranks, bench->model, &bench->to.options, which & 4,
                              which & 8 ? bench->absent : none);
    if (!ready)
        return false;
    for (uint32_t t = 0; t < bench->source.tensors; t++) {
        const bool flag = test_random_below(random, 2) == 0;
        bench->before[t] = flag && reshard_tensor_is_slot(entry(bench, t));
        if (!bench->absent[t])
            side_fill(&bench->source, t, VALUES);
    }
    side_set_absent(&bench->source, bench->mine);
    side_set_absent(&bench->target, bench->before);
    bench->image = side_image(&bench->source);
    return true;
}

static void close_bench(struct bench *bench)
{
    side_close(&bench->source);
    side_close(&bench->target);
    random_layout_close(&bench->from);
    random_layout_close(&bench->to);
    reshard_model_close(bench->model);
    free(bench->image);
    *bench = (struct bench){.group = NULL};
}

/* What a load or an exchange must have left of the target: `moved` says what it was about. */
static void check_target(struct ranks *ranks, const struct bench *bench,
                         bool (*moved)(enum reshard_part part, const struct reshard_tensor *tensor),
                         enum reshard_part part, const struct reshard_report *report)
{
    uint64_t wrong = 0, touched = 0, flags = 0, absent = 0, tensors = 0, unique = 0;

    for (uint32_t t = 0; t < bench->target.tensors; t++) {
        const struct reshard_tensor *tensor = entry(bench, t);
        const bool about = moved(part, tensor), comes = about && !bench->absent[t];
        wrong += comes ? side_wrong(&bench->target, t, VALUES) : 0;
        touched += comes ? 0 : side_touched(&bench->target, t);
        flags += reshard_state_is_absent(bench->target.state, t) !=
                 (about ? bench->absent[t] : bench->before[t]);
        absent += about && bench->absent[t];
        tensors += comes;
        unique += comes ? tensor->count * reshard_dtype_bytes(tensor->dtype) : 0;
    }
    if (!EXPECT(ranks, wrong == 0) || !EXPECT(ranks, touched == 0) || !EXPECT(ranks, flags == 0)) {
        random_layout_print(&bench->from, bench->model);
        random_layout_print(&bench->to, bench->model);
    }
    EXPECT(ranks, report->tensors_absent == absent);
    EXPECT(ranks, report->tensors == tensors);
    EXPECT(ranks, report->bytes_unique == unique);
    EXPECT(ranks, side_changed(&bench->source, bench->image) == 0);
}

static enum reshard_part draw_part(struct test_random *random)
{
    static const enum reshard_part parts[] = {RESHARD_PART_ALL, RESHARD_PART_ALL,
                                              RESHARD_PART_OPTIMIZER, RESHARD_PART_MODEL};

    return parts[test_random_below(random, 4)];
}

/* ---- from memory to memory ------------------------------------------------------------------- */

static bool is_exchanged(enum reshard_part part, const struct reshard_tensor *tensor)
{
    return part == RESHARD_PART_ALL ||
           (part == RESHARD_PART_OPTIMIZER) == reshard_tensor_is_slot(tensor);
}

static void an_exchange_carries_absence_and_touches_nothing_of_it(struct ranks *ranks)
{
    struct reshard_group *group = ranks_group(ranks);
    struct test_random random = drawn_start(ranks, "absent slots, exchanged", 11);

    for (int round = 0; round < 80; round++) {
        const struct reshard_exchange_options options = {
            .part = draw_part(&random), .budget = test_random_below(&random, 2) ? 4096 : 0};
        struct reshard_error error = RESHARD_ERROR_INIT;
        struct reshard_report report;
        struct bench bench = {.group = NULL};
        if (open_bench(&bench, group, ranks, &random, round % 8 == 0) &&
            EXPECT_STATUS(ranks,
                          reshard_exchange(bench.group, bench.source.state, bench.target.state,
                                           &options, &report, &error),
                          RESHARD_OK, &error)) {
            check_target(ranks, &bench, is_exchanged, options.part, &report);
            EXPECT(ranks, report.bytes_sent == report.bytes_lacking);
        }
        close_bench(&bench);
    }
    reshard_group_close(group);
}

/* The digests of what is there are those of the same bytes where nothing is absent. */
static void an_absent_slot_has_no_digest(struct ranks *ranks)
{
    struct reshard_group *group = ranks_group(ranks);
    struct test_random random = drawn_start(ranks, "digests of absent slots", 12);

    for (int round = 0; round < 40; round++) {
        static const bool none[TENSORS_MAX];
        const enum reshard_part part = draw_part(&random);
        uint64_t digest[TENSORS_MAX], full[TENSORS_MAX], wrong = 0;
        struct reshard_error error = RESHARD_ERROR_INIT;
        struct bench bench = {.group = NULL};
        if (!open_bench(&bench, group, ranks, &random, round % 8 == 0)) {
            close_bench(&bench);
            continue;
        }
        memset(digest, 0x77, sizeof digest);
        EXPECT_STATUS(ranks,
                      reshard_state_digest(bench.group, bench.source.state, part, digest, &error),
                      RESHARD_OK, &error);
        EXPECT(ranks, side_changed(&bench.source, bench.image) == 0);
        side_close(&bench.source);
        if (side_open_without(&bench.source, ranks, bench.model, &bench.from.options, false, none))
            side_fill_all(&bench.source, VALUES);
        EXPECT_STATUS(ranks,
                      reshard_state_digest(bench.group, bench.source.state, part, full, &error),
                      RESHARD_OK, &error);
        for (uint32_t t = 0; t < bench.source.tensors; t++) {
            const uint64_t untouched = UINT64_C(0x7777777777777777);
            wrong += digest[t] != (!reshard_part_has(part, entry(&bench, t)) ? untouched
                                   : bench.absent[t]                         ? 0
                                                                             : full[t]);
        }
        EXPECT(ranks, wrong == 0);
        close_bench(&bench);
    }
    reshard_group_close(group);
}

/* ---- through files --------------------------------------------------------------------------- */

static bool is_saved(enum reshard_part part, const struct reshard_tensor *tensor)
{
    return reshard_part_has(part, tensor);
}

static uint64_t occurrences(const char *text, const char *words)
{
    uint64_t count = 0;

    for (const char *at = text; (at = strstr(at, words)); at += strlen(words))
        count++;
    return count;
}

/* Each entry has its digest, or says that it is absent. */
static void check_text(struct ranks *ranks, const char *path, uint64_t there, uint64_t absent)
{
    char *text = NULL, *name = store_path(path, MANIFEST_FILE);
    struct reshard_error error = RESHARD_ERROR_INIT;
    uint64_t bytes;

    if (EXPECT_STATUS(
            ranks, store_read_file(store_posix(), name, MANIFEST_BYTES_MAX, &text, &bytes, &error),
            RESHARD_OK, &error)) {
        EXPECT(ranks, occurrences(text, "\"digest\"") == there);
        EXPECT(ranks, occurrences(text, "\"absent\"") == absent);
        EXPECT(ranks, occurrences(text, "\"absent\": true}") == absent);
    }
    free(text);
    free(name);
}

/* No file has a piece of what is absent, and every piece of what is there. */
static void check_files(struct ranks *ranks, const char *path, const struct manifest *manifest)
{
    const uint32_t tensors = reshard_model_tensor_count(manifest->model);
    uint64_t elements[TENSORS_MAX] = {0}, wrong = 0;

    struct reshard_layout *layout = NULL;

    EXPECT(ranks, !reshard_layout_open(&layout, manifest->model, &manifest->layout, NULL));
    for (uint64_t f = 0; f < manifest->file_count; f++) {
        char *name = store_path(path, manifest->file[f].name);
        struct container container = CONTAINER_INIT;
        struct store_file *file = NULL;
        struct reshard_error error = RESHARD_ERROR_INIT;
        EXPECT_STATUS(ranks, store_open(store_posix(), name, STORE_READ, &file, &error), RESHARD_OK,
                      &error);
        EXPECT_STATUS(
            ranks, container_read(&container, file, manifest, &manifest->file[f], layout, &error),
            RESHARD_OK, &error);
        EXPECT(ranks, container.pieces.count > 0);
        for (uint64_t p = 0; p < container.pieces.count; p++)
            elements[container.pieces.piece[p].tensor] += container.pieces.piece[p].count;
        container_release(&container);
        EXPECT(ranks, !store_close(file, NULL));
        free(name);
    }
    reshard_layout_close(layout);
    for (uint32_t t = 0; t < tensors; t++)
        wrong += elements[t] !=
                 (manifest->absent[t] ? 0 : reshard_model_tensor(manifest->model, t)->count);
    EXPECT(ranks, wrong == 0);
}

static bool link_exists(hid_t file, const char *path)
{
    char part[512];

    for (const char *at = path; (at = strchr(at + 1, '/'));) {
        (void)snprintf(part, sizeof part, "%.*s", (int)(at - path), path);
        if (H5Lexists(file, part, H5P_DEFAULT) <= 0)
            return false;
    }
    return H5Lexists(file, path, H5P_DEFAULT) > 0;
}

/* What is there has a dataset in the index, and what is absent has none. */
static void check_index(struct ranks *ranks, const char *path, const struct manifest *manifest)
{
    char *name = store_path(path, "index.h5"), member[512];
    const hid_t file = H5Fopen(name, H5F_ACC_RDONLY, H5P_DEFAULT);
    uint64_t wrong = 0;

    for (uint32_t t = 0; file >= 0 && t < reshard_model_tensor_count(manifest->model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(manifest->model, t);
        if (tensor->slot[0])
            (void)snprintf(member, sizeof member, "/optim/state/%s/%s", tensor->fqn, tensor->slot);
        else
            (void)snprintf(member, sizeof member, "/model/%s", tensor->fqn);
        wrong += link_exists(file, member) == manifest->absent[t];
    }
    if (file >= 0)
        (void)H5Fclose(file);
    EXPECT(ranks, file >= 0);
    EXPECT(ranks, wrong == 0);
    free(name);
}

/* The checkpoint says of each slot what the ranks came to. */
static void check_checkpoint(struct ranks *ranks, const struct bench *bench, const char *path,
                             const struct reshard_report *report)
{
    uint64_t digest[TENSORS_MAX] = {0}, wrong = 0, there = 0, absent = 0, unique = 0;
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct manifest manifest;

    EXPECT_STATUS(
        ranks,
        reshard_state_digest(bench->group, bench->source.state, RESHARD_PART_ALL, digest, &error),
        RESHARD_OK, &error);
    if (!EXPECT_STATUS(ranks, reshard_manifest_read(bench->group, NULL, path, &manifest, &error),
                       RESHARD_OK, &error))
        return;
    for (uint32_t t = 0; t < bench->source.tensors; t++) {
        const struct reshard_tensor *tensor = entry(bench, t);
        uint32_t saved = 0;
        if (!reshard_role_is_saved(tensor->role) ||
            !EXPECT(ranks, !reshard_model_find(manifest.model, tensor->fqn, tensor->slot, &saved)))
            continue;
        wrong += manifest.absent[saved] != bench->absent[t];
        wrong += manifest.digest[saved] != digest[t];
        there += !bench->absent[t];
        absent += bench->absent[t];
        unique += bench->absent[t] ? 0 : tensor->count * reshard_dtype_bytes(tensor->dtype);
    }
    EXPECT(ranks, wrong == 0);
    EXPECT(ranks, report->tensors == there + absent && report->tensors_absent == absent);
    EXPECT(ranks, report->bytes_unique == unique && report->bytes_moved == unique);
    if (ranks->rank == 0) {
        check_text(ranks, path, there, absent);
        check_files(ranks, path, &manifest);
        check_index(ranks, path, &manifest);
    }
    manifest_release(&manifest);
}

static void a_checkpoint_records_absence_and_a_load_brings_it_along(struct ranks *ranks)
{
    struct reshard_group *group = ranks_group(ranks);
    struct test_random random = drawn_start(ranks, "absent slots, saved", 13);

    for (int round = 0; round < 18; round++) {
        const struct reshard_load_options options = {
            .part = draw_part(&random),
            .reading = (enum reshard_reading)test_random_below(&random, 2)};
        struct reshard_error error = RESHARD_ERROR_INIT;
        struct reshard_report report;
        struct bench bench = {.group = NULL};
        char path[320];
        (void)snprintf(path, sizeof path, "%s/saved-%d", ranks->scratch, round);
        if (open_bench(&bench, group, ranks, &random, round % 6 == 0) &&
            EXPECT_STATUS(ranks,
                          reshard_save(bench.group, bench.source.state, path,
                                       &(struct reshard_save_options){.index = true}, &report,
                                       &error),
                          RESHARD_OK, &error)) {
            EXPECT(ranks, side_changed(&bench.source, bench.image) == 0);
            check_checkpoint(ranks, &bench, path, &report);
            if (EXPECT_STATUS(
                    ranks,
                    reshard_load(bench.group, bench.target.state, path, &options, &report, &error),
                    RESHARD_OK, &error))
                check_target(ranks, &bench, is_saved, options.part, &report);
        }
        close_bench(&bench);
    }
    reshard_group_close(group);
}

/* On half of the ranks, after all have saved. */
static void another_world_loads_absence(struct ranks *ranks)
{
    const uint64_t world = (uint64_t)ranks->size;
    const struct reshard_layout_options from = {
        .kind = RESHARD_LAYOUT_FSDP1, .shard = world, .orig_params = true};
    struct reshard_layout_options to = {.kind = RESHARD_LAYOUT_FSDP2};
    struct reshard_group *group = ranks_group(ranks), *fewer = NULL;
    const int some = (ranks->size + 1) / 2;
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_model *model = sample_model();
    bool absent[TENSORS_MAX] = {false};
    MPI_Comm comm = MPI_COMM_NULL;
    struct side source, target;
    char path[320];

    to.shard = (uint64_t)some;
    (void)snprintf(path, sizeof path, "%s/another-world", ranks->scratch);
    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++)
        absent[t] = t % 3 == 0 && reshard_tensor_is_slot(reshard_model_tensor(model, t));
    if (side_open_without(&source, ranks, model, &from, false, absent)) {
        side_fill_all(&source, VALUES);
        side_set_absent(&source, absent);
        EXPECT_STATUS(ranks, reshard_save(group, source.state, path, NULL, NULL, &error),
                      RESHARD_OK, &error);
    }
    MPI_Comm_split(ranks->comm, ranks->rank < some ? 0 : MPI_UNDEFINED, ranks->rank, &comm);
    if (comm != MPI_COMM_NULL) {
        EXPECT_STATUS(ranks, reshard_group_open(&fewer, comm, &ranks->options, &error), RESHARD_OK,
                      &error);
        if (side_open_without(&target, ranks, model, &to, false, absent)) {
            EXPECT_STATUS(ranks, reshard_load(fewer, target.state, path, NULL, NULL, &error),
                          RESHARD_OK, &error);
            for (uint32_t t = 0; t < target.tensors; t++)
                EXPECT(ranks, (absent[t] ? side_touched(&target, t)
                                         : side_wrong(&target, t, VALUES)) == 0);
            EXPECT(ranks, side_wrong_flags(&target, absent) == 0);
        }
        side_close(&target);
        reshard_group_close(fewer);
        MPI_Comm_free(&comm);
    }
    side_close(&source);
    reshard_model_close(model);
    reshard_group_close(group);
}

/* ---- memory that must be there after all ----------------------------------------------------- */

/* The target believes a slot absent and has no memory for it; but there it is. */
static void what_is_there_needs_memory_whatever_the_target_says(struct ranks *ranks)
{
    const uint64_t world = (uint64_t)ranks->size;
    const struct reshard_layout_options from = {.kind = RESHARD_LAYOUT_FSDP2, .shard = world},
                                        to = {.kind = RESHARD_LAYOUT_DDP, .replicate = world};
    const char *const named = "'block.1.long' slot exp_avg";
    bool none[TENSORS_MAX] = {false}, unbound[TENSORS_MAX] = {false};
    struct reshard_group *group = ranks_group(ranks);
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct pair pair;
    char path[320];

    (void)snprintf(path, sizeof path, "%s/there", ranks->scratch);
    if (pair_open(&pair, ranks, &from, &to, false)) {
        unbound[pair_find(&pair, ranks, "block.1.long", "exp_avg")] = true;
        EXPECT(ranks, pair_unbind(&pair, ranks, none, unbound));
        side_set_absent(&pair.target, unbound);
        EXPECT_STATUS(ranks, reshard_save(group, pair.source.state, path, NULL, NULL, &error),
                      RESHARD_OK, &error);
        EXPECT_STATUS(
            ranks,
            reshard_exchange(group, pair.source.state, pair.target.state, NULL, NULL, &error),
            RESHARD_EINVAL, &error);
        EXPECT(ranks, strstr(error.text, named) != NULL);
        EXPECT_STATUS(ranks, reshard_load(group, pair.target.state, path, NULL, NULL, &error),
                      RESHARD_EINVAL, &error);
        EXPECT(ranks, strstr(error.text, named) != NULL);
        EXPECT(ranks, side_wrong_flags(&pair.target, unbound) == 0);
        EXPECT(ranks, pair_wrong(&pair, none) == 0);
    }
    pair_close(&pair);
    reshard_group_close(group);
}

/* ---- loads that fail ------------------------------------------------------------------------- */

/* A byte of the first file's first arena is another. */
static void damage(struct ranks *ranks, const char *path)
{
    char name[400];
    FILE *file;

    (void)snprintf(name, sizeof name, "%s/rank-00000.h5", path);
    file = fopen(name, "r+b");
    if (EXPECT(ranks, file != NULL)) {
        EXPECT(ranks, fseek(file, 4096, SEEK_SET) == 0);
        const int byte = fgetc(file);
        EXPECT(ranks, fseek(file, 4096, SEEK_SET) == 0 && fputc(byte ^ 1, file) != EOF);
        EXPECT(ranks, fclose(file) == 0);
    }
}

static void must_fail(struct ranks *ranks, struct reshard_group *group, struct pair *pair,
                      const char *path, const bool *before, const bool *absent,
                      enum reshard_status expected)
{
    struct reshard_error error = RESHARD_ERROR_INIT;

    EXPECT_STATUS(ranks, reshard_load(group, pair->source.state, path, NULL, NULL, &error),
                  expected, &error);
    EXPECT(ranks, ranks_same_text(ranks->comm, error.text));
    EXPECT(ranks, side_wrong_flags(&pair->source, before) == 0);
    for (uint32_t t = 0; t < pair->source.tensors; t++)
        EXPECT(ranks, !absent[t] || side_touched(&pair->source, t) == 0);
}

static void a_load_that_fails_leaves_the_flags_as_they_were(struct ranks *ranks)
{
    struct reshard_group *group = ranks_group(ranks);
    bool absent[TENSORS_MAX] = {false}, before[TENSORS_MAX] = {false};
    struct reshard_error error = RESHARD_ERROR_INIT;
    const struct reshard_shape shape = {1, {3}};
    const struct reshard_layout_options layout = {.kind = RESHARD_LAYOUT_FSDP1,
                                                  .shard = (uint64_t)ranks->size};
    struct pair pair;
    char path[320];

    (void)snprintf(path, sizeof path, "%s/fails", ranks->scratch);
    if (pair_open(&pair, ranks, &layout, &layout, true)) {
        for (uint32_t t = 0; t < pair.source.tensors; t++) {
            const bool slot = reshard_tensor_is_slot(reshard_model_tensor(pair.model, t));
            absent[t] = slot && t % 2 == 0;
            before[t] = slot && t % 3 == 0;
        }
        side_set_absent(&pair.source, absent);
        EXPECT_STATUS(ranks, reshard_save(group, pair.source.state, path, NULL, NULL, &error),
                      RESHARD_OK, &error);
        for (uint32_t t = 0; t < pair.source.tensors; t++)
            side_stain(&pair.source, t);
        side_set_absent(&pair.source, before);
        pair.source.fake.calls = 0;
        pair.source.fake.fail_at = ranks->rank == ranks->size - 1 ? 3 : 0;
        must_fail(ranks, group, &pair, path, before, absent, RESHARD_EIO);
        pair.source.fake.fail_at = 0;
        if (ranks->rank == 0)
            damage(ranks, path);
        ranks_barrier(ranks->comm);
        must_fail(ranks, group, &pair, path, before, absent, RESHARD_EDIGEST);
        must_fail(ranks, group, &pair, ranks->scratch, before, absent, RESHARD_ENOENT);
        side_close(&pair.target);
        side_close(&pair.source);
        pair.target = (struct side){.options = NULL};
        EXPECT(ranks, !reshard_model_add(pair.model, "more", "", RESHARD_DTYPE_F32, &shape, NULL));
        if (side_open(&pair.source, ranks, pair.model, &pair.from, true, RESHARD_ROLE_COUNT)) {
            side_set_absent(&pair.source, before);
            must_fail(ranks, group, &pair, path, before, absent, RESHARD_EMISMATCH);
        }
    }
    pair_close(&pair);
    reshard_group_close(group);
}

int main(int argc, char **argv)
{
    static const struct ranks_test tests[] = {
        {"an exchange carries absence and touches nothing of it",
         an_exchange_carries_absence_and_touches_nothing_of_it},
        {"an absent slot has no digest", an_absent_slot_has_no_digest},
        {"a checkpoint records absence, and a load brings it along",
         a_checkpoint_records_absence_and_a_load_brings_it_along},
        {"another world loads absence", another_world_loads_absence},
        {"what is there needs memory, whatever the target says",
         what_is_there_needs_memory_whatever_the_target_says},
        {"a load that fails leaves the flags as they were",
         a_load_that_fails_leaves_the_flags_as_they_were},
        {NULL, NULL},
    };

    return ranks_main(argc, argv, tests);
}
