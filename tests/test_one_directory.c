/*
 * One directory for all ranks, or no checkpoint. Goal: a save returns success only if what it has
 * published is whole, however ranks came to other directories, and whoever else saves there.
 * Method: each rank is given a path of its own, the paths lead to one directory or to several, and
 * leftovers of dead saves lie about in them.
 */
#include "core/leftover.h"
#include "core/owner.h"
#include "core/staging.h"
#include "parallel/load.h"
#include "parallel/save.h"
#include "support/ranks.h"
#include "support/sample.h"
#include "support/side.h"
#include "support/store_faulty.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VALUES = 31 };

#define TOKEN_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* What a host does that never waits for caches: no test takes seconds here. */
struct impatient {
    struct reshard_host host; /* base, first */
    struct reshard_host_ops ops;
};

struct bench {
    struct impatient impatient;
    struct reshard_group *group;
    struct reshard_model *model;
    struct reshard_layout_options layout;
    struct side side;
    bool ready;
    char root[400]; /* a folder of the test; the same on all ranks */
    char own[440];  /* a folder of the rank's own in it */
};

static void make_folder(struct ranks *ranks, const char *path)
{
    EXPECT(ranks, mkdir(path, 0777) == 0);
}

static void open_bench(struct bench *bench, struct ranks *ranks, const char *name)
{
    struct reshard_group_options group = ranks->options;
    struct reshard_error error = RESHARD_ERROR_INIT;

    bench->impatient.ops = *group.host->ops;
    bench->impatient.ops.pause = NULL;
    bench->impatient.host.ops = &bench->impatient.ops;
    group.host = &bench->impatient.host;
    bench->model = sample_model();
    bench->layout = (struct reshard_layout_options){.kind = RESHARD_LAYOUT_FSDP2,
                                                    .shard = (uint64_t)ranks->size};
    EXPECT_STATUS(ranks, reshard_group_open(&bench->group, ranks->comm, &group, &error), RESHARD_OK,
                  &error);
    bench->ready =
        side_open(&bench->side, ranks, bench->model, &bench->layout, false, RESHARD_ROLE_COUNT);
    if (bench->ready)
        side_fill_all(&bench->side, VALUES);
    (void)snprintf(bench->root, sizeof bench->root, "%s/%s", ranks->scratch, name);
    (void)snprintf(bench->own, sizeof bench->own, "%s/own-%d", bench->root, ranks->rank);
    if (ranks->rank == 0)
        make_folder(ranks, bench->root);
    ranks_barrier(ranks->comm);
    make_folder(ranks, bench->own);
    ranks_barrier(ranks->comm);
}

static void close_bench(struct bench *bench)
{
    side_close(&bench->side);
    reshard_group_close(bench->group);
    reshard_model_close(bench->model);
}

static enum reshard_status save(struct bench *bench, struct store *store, const char *path,
                                struct reshard_report *report, struct reshard_error *error)
{
    const struct reshard_save_options options = {.step = 4, .store = store};

    return reshard_save(bench->group, bench->side.state, path, &options, report, error);
}

static void must_load(struct bench *bench, struct ranks *ranks, const char *path)
{
    struct reshard_error error = RESHARD_ERROR_INIT;

    for (uint32_t t = 0; t < bench->side.tensors; t++)
        side_stain(&bench->side, t);
    EXPECT_STATUS(ranks, reshard_load(bench->group, bench->side.state, path, NULL, NULL, &error),
                  RESHARD_OK, &error);
    EXPECT(ranks, side_wrong_all(&bench->side, VALUES) == 0);
    side_fill_all(&bench->side, VALUES);
}

static void must_hold(struct ranks *ranks, const struct reshard_error *error, const char *words)
{
    EXPECT(ranks, ranks_same_text(ranks->comm, error->text));
    if (!EXPECT(ranks, strstr(error->text, words) != NULL) && ranks->rank == 0)
        printf("no '%s' in: %s\n", words, error->text);
}

/* "FOLDER/NAME" into `out`. */
static const char *join(char out[600], const char *folder, const char *name)
{
    if (snprintf(out, 600, "%s/%s", folder, name) >= 600)
        abort();
    return out;
}

/* A directory of a dead save with a file of every rank in it: what a job that was killed has left.
 */
static void leave_dead(struct ranks *ranks, const char *folder, const char *name)
{
    char directory[600], path[700];

    make_folder(ranks, join(directory, folder, name));
    for (int k = 0; k < ranks->size; k++) {
        (void)snprintf(path, sizeof path, "%s/rank-%05d.h5", directory, k);
        EXPECT(ranks, store_write_file(store_posix(), path, "x", 1, NULL) == RESHARD_OK);
    }
}

/* ---- several directories --------------------------------------------------------------------- */

/* The same name under each rank's own folder, as with node-local disks or working directories; in
 * one of them lies what a dead save of that name has left. */
static void ranks_that_write_into_several_directories_are_refused(struct ranks *ranks)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct bench bench;
    char path[600], words[64];

    open_bench(&bench, ranks, "several");
    leave_dead(ranks, bench.own, ".step.0.partial");
    leave_dead(ranks, bench.own, ".step." TOKEN_A ".partial");
    (void)snprintf(words, sizeof words, "rank %d: its directory ", ranks->size > 1 ? 1 : 0);
    if (bench.ready && ranks->size > 1) {
        EXPECT_STATUS(ranks, save(&bench, NULL, join(path, bench.own, "step"), NULL, &error),
                      RESHARD_EMISMATCH, &error);
        must_hold(ranks, &error, words);
        must_hold(ranks, &error, "/own-1 is not that of rank 0: ");
        must_hold(ranks, &error, "is not that of rank 0");
        EXPECT(ranks, access(path, F_OK) != 0);
        ranks_barrier(ranks->comm);
        EXPECT(ranks, ranks->rank > 0 || !ranks_left_over(path));
    }
    close_bench(&bench);
}

/* Of one rank alone the path leads elsewhere. */
static void one_rank_elsewhere_is_named(struct ranks *ranks)
{
    struct bench bench;

    open_bench(&bench, ranks, "elsewhere");
    for (int victim = 1; bench.ready && victim < ranks->size; victim++) {
        struct reshard_error error = RESHARD_ERROR_INIT;
        char path[600], words[64];
        (void)snprintf(words, sizeof words, "rank %d: its directory ", victim);
        join(path, ranks->rank == victim ? bench.own : bench.root, "step");
        EXPECT_STATUS(ranks, save(&bench, NULL, path, NULL, &error), RESHARD_EMISMATCH, &error);
        must_hold(ranks, &error, words);
        EXPECT(ranks, access(path, F_OK) != 0);
        ranks_barrier(ranks->comm);
    }
    close_bench(&bench);
}

/* Other words for one directory are no matter. */
static void several_paths_to_one_directory_are_one_directory(struct ranks *ranks)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct bench bench;
    char path[600], link[600];

    open_bench(&bench, ranks, "links");
    join(link, bench.own, "up");
    EXPECT(ranks, symlink("..", link) == 0);
    ranks_barrier(ranks->comm);
    join(path, link, "step");
    if (bench.ready) {
        EXPECT_STATUS(ranks, save(&bench, NULL, path, NULL, &error), RESHARD_OK, &error);
        must_load(&bench, ranks, join(path, bench.root, "step"));
    }
    close_bench(&bench);
}

/* ---- what lies there already ----------------------------------------------------------------- */

static void
what_dead_saves_have_left_goes_first_and_what_living_ones_write_stays(struct ranks *ranks)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct staging living = STAGING_INIT;
    struct bench bench;
    char path[600], other[600];

    open_bench(&bench, ranks, "sweep");
    if (ranks->rank == 0) {
        leave_dead(ranks, bench.root, ".another." TOKEN_A ".partial");
        EXPECT(ranks, !staging_open(&living, join(path, bench.root, "step"), &error));
        EXPECT(ranks, !staging_make(&living, store_posix(), TOKEN_A, &error));
    }
    ranks_barrier(ranks->comm);
    join(path, bench.root, "step");
    if (bench.ready)
        EXPECT_STATUS(ranks, save(&bench, NULL, path, NULL, &error), RESHARD_OK, &error);
    must_load(&bench, ranks, path);
    EXPECT(ranks, !ranks_left_over(join(other, bench.root, "another")));
    EXPECT(ranks, ranks_left_over(path));
    ranks_barrier(ranks->comm);
    if (ranks->rank == 0) /* it is too late for the other, and its failure costs nobody anything */
        EXPECT(ranks, staging_publish(&living, store_posix(), &error) == RESHARD_EEXIST);
    staging_discard(&living, store_posix());
    staging_close(&living);
    ranks_barrier(ranks->comm);
    must_load(&bench, ranks, path);
    close_bench(&bench);
}

static void a_link_to_nowhere_is_seen_before_anything_is_written(struct ranks *ranks)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct bench bench;
    char path[600];

    open_bench(&bench, ranks, "dangling");
    join(path, bench.root, "step");
    if (ranks->rank == 0)
        EXPECT(ranks, symlink("nowhere", path) == 0);
    ranks_barrier(ranks->comm);
    if (bench.ready) {
        struct store_faulty counting;
        store_faulty_init(&counting, store_posix());
        EXPECT_STATUS(ranks, save(&bench, &counting.store, path, NULL, &error), RESHARD_EEXIST,
                      &error);
        must_hold(ranks, &error, "/step: exists already");
        EXPECT(ranks, counting.count == (ranks->rank == 0)); /* one look, by one rank */
    }
    close_bench(&bench);
}

/* A full disk is bad enough without having to look for what fills it. */
static void a_full_disk_names_what_cannot_be_swept(struct ranks *ranks)
{
    struct bench bench;
    char path[600];

    open_bench(&bench, ranks, "full");
    join(path, bench.root, "step");
    if (ranks->rank == 0)
        leave_dead(ranks, bench.root, ".old." TOKEN_A ".partial");
    if (ranks->rank == 0) {
        char token[600];
        join(token, bench.root, ".old." TOKEN_A ".partial/token");
        EXPECT(ranks,
               !store_write_file(store_posix(), token, TOKEN_A "\nother - - 1 1\n", 47, NULL));
    }
    ranks_barrier(ranks->comm);
    for (int victim = 0; bench.ready && victim < ranks->size; victim++) {
        struct reshard_error error = RESHARD_ERROR_INIT;
        struct store_faulty full;
        store_faulty_init(&full, store_posix());
        full.no_locks = true;
        full.status = RESHARD_ENOSPC;
        full.write_fails_above = ranks->rank == victim ? 1000 : 0;
        EXPECT_STATUS(ranks, save(&bench, &full.store, path, NULL, &error), RESHARD_ENOSPC, &error);
        must_hold(ranks, &error, "1 directory of another save still holds");
        must_hold(ranks, &error, ".old." TOKEN_A ".partial (0.000 GB: cannot be asked");
        must_hold(ranks, &error, "see `reshard prune ");
        ranks_barrier(ranks->comm);
        EXPECT(ranks, !ranks_left_over(path));
        ranks_barrier(ranks->comm);
    }
    close_bench(&bench);
}

/* ---- what it costs --------------------------------------------------------------------------- */

/*
 * As ARCHITECTURE.md says: each rank opens the token (1); one that writes a file opens it, syncs it
 * and looks at it; one of each node syncs the directory; rank 0 looks for the name (1), lists the
 * parent (1), makes the directory (1), makes, locks, looks at and syncs the token (4), writes the
 * manifest (2), reads it back (1), lists the directory (1), syncs it (1), renames (1) and syncs the
 * parent (1).
 */
enum { EACH_RANK = 1, EACH_FILE = 3, EACH_NODE = 1, FIRST_RANK = 14 };

static void the_operations_of_a_save_are_counted(struct ranks *ranks)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_report report = {0};
    struct bench bench;
    char path[600];

    open_bench(&bench, ranks, "counted");
    if (bench.ready) {
        const uint64_t world = (uint64_t)ranks->size;
        const uint64_t nodes = (world + reshard_group_local_world(bench.group) - 1) /
                               reshard_group_local_world(bench.group);
        EXPECT_STATUS(ranks, save(&bench, NULL, join(path, bench.root, "step"), &report, &error),
                      RESHARD_OK, &error);
        const uint64_t expected =
            FIRST_RANK + EACH_RANK * world + EACH_FILE * report.files + EACH_NODE * nodes;
        if (!EXPECT(ranks, report.metadata_operations == expected) && ranks->rank == 0)
            printf("%lu operations instead of %lu\n", (unsigned long)report.metadata_operations,
                   (unsigned long)expected);
    }
    close_bench(&bench);
}

/* ---- notes ----------------------------------------------------------------------------------- */

static void notes_are_saved_and_must_be_the_same_on_all_ranks(struct ranks *ranks)
{
    struct reshard_note notes[] = {{"job", "17"}, {"position", "a\nb \"\xc3\xa9\""}};
    struct reshard_save_options options = {.step = 4, .note = notes, .note_count = 2};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct manifest manifest = MANIFEST_INIT;
    struct bench bench;
    char path[600];

    open_bench(&bench, ranks, "notes");
    join(path, bench.root, "step");
    if (bench.ready) {
        if (ranks->rank == ranks->size - 1)
            notes[0].text = "18";
        if (ranks->size > 1)
            EXPECT_STATUS(ranks,
                          reshard_save(bench.group, bench.side.state, path, &options, NULL, &error),
                          RESHARD_EMISMATCH, &error);
        if (ranks->size > 1)
            must_hold(ranks, &error, "what the notes to save say differs from rank 0's");
        notes[0].text = ranks->rank == 0 ? "\xff" : "17";
        EXPECT_STATUS(ranks,
                      reshard_save(bench.group, bench.side.state, path, &options, NULL, &error),
                      RESHARD_EINVAL, &error);
        must_hold(ranks, &error, "the note 'job' is not UTF-8");
        notes[0].text = "17";
        EXPECT_STATUS(ranks,
                      reshard_save(bench.group, bench.side.state, path, &options, NULL, &error),
                      RESHARD_OK, &error);
        EXPECT_STATUS(ranks, reshard_manifest_read(bench.group, NULL, path, &manifest, &error),
                      RESHARD_OK, &error);
        EXPECT(ranks, manifest.note_count == 2 && strcmp(manifest.note[1].key, "position") == 0 &&
                          strcmp(manifest.note[1].text, notes[1].text) == 0);
    }
    manifest_release(&manifest);
    close_bench(&bench);
}

int main(int argc, char **argv)
{
    static const struct ranks_test tests[] = {
        {"ranks that write into several directories are refused",
         ranks_that_write_into_several_directories_are_refused},
        {"one rank elsewhere is named", one_rank_elsewhere_is_named},
        {"several paths to one directory are one directory",
         several_paths_to_one_directory_are_one_directory},
        {"what dead saves have left goes first, and what living ones write stays",
         what_dead_saves_have_left_goes_first_and_what_living_ones_write_stays},
        {"a link to nowhere is seen before anything is written",
         a_link_to_nowhere_is_seen_before_anything_is_written},
        {"a full disk names what cannot be swept", a_full_disk_names_what_cannot_be_swept},
        {"the operations of a save are counted", the_operations_of_a_save_are_counted},
        {"notes are saved, and must be the same on all ranks",
         notes_are_saved_and_must_be_the_same_on_all_ranks},
        {NULL, NULL},
    };

    return ranks_main(argc, argv, tests);
}
