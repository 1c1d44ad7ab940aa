/*
 * Which checkpoint a job goes on from. Goal: never an older one in silence, and never none because
 * of what only lies beside. Method: a folder with three checkpoints, in which one thing after the
 * other is broken or put beside them.
 */
#include "core/digest.h"
#include "core/manifest.h"
#include "parallel/latest.h"
#include "parallel/save.h"
#include "support/ranks.h"
#include "support/sample.h"
#include "support/side.h"
#include "support/store_faulty.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TAIL_BYTES = 32 };

struct bench {
    struct reshard_group *group;
    struct reshard_model *model;
    struct reshard_layout_options layout;
    struct side side;
    bool ready;
    char root[400];
};

static void save(struct bench *bench, struct ranks *ranks, const char *name, uint64_t step)
{
    const struct reshard_save_options options = {.step = step};
    struct reshard_error error = RESHARD_ERROR_INIT;
    char path[500];

    (void)snprintf(path, sizeof path, "%s/%s", bench->root, name);
    EXPECT_STATUS(ranks,
                  reshard_save(bench->group, bench->side.state, path, &options, NULL, &error),
                  RESHARD_OK, &error);
}

/* Rank 0: when a checkpoint's manifest was written. */
static void set_committed(struct ranks *ranks, const struct bench *bench, const char *name,
                          long seconds)
{
    const struct timespec times[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
    char path[500];

    (void)snprintf(path, sizeof path, "%s/%s/manifest.json", bench->root, name);
    EXPECT(ranks, utimensat(AT_FDCWD, path, times, 0) == 0);
}

/* Steps 10, 20 and 30, in this order. */
static void open_bench(struct bench *bench, struct ranks *ranks, const char *name)
{
    struct reshard_error error = RESHARD_ERROR_INIT;

    bench->model = sample_model();
    bench->layout = (struct reshard_layout_options){.kind = RESHARD_LAYOUT_FSDP2,
                                                    .shard = (uint64_t)ranks->size};
    EXPECT_STATUS(ranks, reshard_group_open(&bench->group, ranks->comm, &ranks->options, &error),
                  RESHARD_OK, &error);
    bench->ready =
        side_open(&bench->side, ranks, bench->model, &bench->layout, false, RESHARD_ROLE_COUNT);
    (void)snprintf(bench->root, sizeof bench->root, "%s/%s", ranks->scratch, name);
    if (ranks->rank == 0)
        EXPECT(ranks, mkdir(bench->root, 0777) == 0);
    ranks_barrier(ranks->comm);
    if (!bench->ready)
        return;
    side_fill_all(&bench->side, 7);
    save(bench, ranks, "s10", 10);
    save(bench, ranks, "s20", 20);
    save(bench, ranks, "s30", 30);
    if (ranks->rank == 0) {
        set_committed(ranks, bench, "s10", 1000);
        set_committed(ranks, bench, "s20", 2000);
        set_committed(ranks, bench, "s30", 3000);
    }
    ranks_barrier(ranks->comm);
}

static void close_bench(struct bench *bench)
{
    side_close(&bench->side);
    reshard_group_close(bench->group);
    reshard_model_close(bench->model);
}

/* "ROOT/NAME", in one of four buffers. */
static const char *in_root(const struct bench *bench, const char *name)
{
    static char paths[4][500];
    static unsigned next;
    char *path = paths[next++ % 4];

    (void)snprintf(path, sizeof paths[0], "%s/%s", bench->root, name);
    return path;
}

/* What is found, on all ranks alike. */
static void find(struct ranks *ranks, const struct bench *bench, struct store *store,
                 enum reshard_status expected, struct reshard_latest *out,
                 struct reshard_error *error)
{
    ranks_barrier(ranks->comm);
    reshard_error_clear(error);
    EXPECT_STATUS(ranks, reshard_latest_find(bench->group, store, bench->root, out, error),
                  expected, error);
    EXPECT(ranks, ranks_same_text(ranks->comm, error->text));
    EXPECT(ranks, ranks_same_text(ranks->comm, out->name));
    EXPECT(ranks, ranks_same_text(ranks->comm, out->text));
    EXPECT(ranks, ranks_same(ranks->comm, (long)out->fallbacks));
    ranks_barrier(ranks->comm);
}

static void must_be(struct ranks *ranks, const struct bench *bench, const char *name, uint64_t step,
                    uint64_t fallbacks, const char *words)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_latest latest;

    find(ranks, bench, NULL, RESHARD_OK, &latest, &error);
    EXPECT(ranks, strcmp(latest.name, name) == 0 && latest.step == step);
    if (!EXPECT(ranks, latest.fallbacks == fallbacks && strstr(latest.text, words) &&
                           !latest.text[0] == !fallbacks) &&
        ranks->rank == 0)
        printf("%lu fallbacks: %s\n", (unsigned long)latest.fallbacks, latest.text);
}

/* Change a manifest: one byte flipped, cut short, or with one text in the place of another and its
 * CRC right. Its time stays. */
static void change_manifest(struct ranks *ranks, const struct bench *bench, const char *name,
                            const char *from, const char *to)
{
    char path[500], *text = NULL, tail[TAIL_BYTES + 1];
    struct stat info = {0};
    uint64_t bytes = 0;

    (void)snprintf(path, sizeof path, "%s/%s/manifest.json", bench->root, name);
    if (!EXPECT(ranks, !store_read_file(store_posix(), path, 1 << 20, &text, &bytes, NULL) &&
                           stat(path, &info) == 0))
        return;
    char *at = strstr(text, from);
    EXPECT(ranks, at && strlen(from) == strlen(to));
    memcpy(at, to, strlen(to));
    (void)snprintf(tail, sizeof tail, "  \"crc64\": \"%016" PRIx64 "\"\n}\n",
                   digest_crc(0, text, bytes - TAIL_BYTES));
    if (strcmp(from, "\"format\"") != 0)
        memcpy(text + bytes - TAIL_BYTES, tail, TAIL_BYTES);
    EXPECT(ranks, unlink(path) == 0 && !store_write_file(store_posix(), path, text, bytes, NULL));
    set_committed(ranks, bench, name, info.st_mtim.tv_sec);
    free(text);
}

static void of_whole_ones_the_furthest_is_taken(struct ranks *ranks)
{
    struct bench bench;

    open_bench(&bench, ranks, "whole");
    must_be(ranks, &bench, "s30", 30, 0, "");
    close_bench(&bench);
}

static void a_damaged_manifest_falls_back_and_is_named(struct ranks *ranks)
{
    struct bench bench;

    open_bench(&bench, ranks, "flipped");
    if (ranks->rank == 0)
        change_manifest(ranks, &bench, "s30", "\"format\"", "\"fOrmat\"");
    must_be(ranks, &bench, "s20", 20, 1, "s30: ");
    if (ranks->rank == 0)
        EXPECT(ranks, truncate(in_root(&bench, "s20/manifest.json"), 100) == 0);
    must_be(ranks, &bench, "s10", 10, 2, "crc64");
    /* One that was damaged before the one that is taken was saved is none that is fallen back from.
     */
    if (ranks->rank == 0) {
        set_committed(ranks, &bench, "s20", 500);
        set_committed(ranks, &bench, "s30", 600);
    }
    must_be(ranks, &bench, "s10", 10, 0, "");
    close_bench(&bench);
}

static void a_missing_short_or_linked_file_falls_back_and_is_named(struct ranks *ranks)
{
    struct bench bench;

    open_bench(&bench, ranks, "missing");
    if (ranks->rank == 0)
        EXPECT(ranks, rename(in_root(&bench, "s30/rank-00000.h5"), in_root(&bench, "kept")) == 0);
    must_be(ranks, &bench, "s20", 20, 1, "s30: rank-00000.h5 is not there");
    if (ranks->rank == 0)
        EXPECT(ranks, symlink("../kept", in_root(&bench, "s30/rank-00000.h5")) == 0);
    must_be(ranks, &bench, "s20", 20, 1, "s30: rank-00000.h5 is not a regular file");
    if (ranks->rank == 0)
        EXPECT(ranks, truncate(in_root(&bench, "s20/rank-00000.h5"), 17) == 0);
    must_be(ranks, &bench, "s10", 10, 2, "s20: rank-00000.h5 has 17 bytes instead of ");
    close_bench(&bench);
}

static void a_newer_version_is_never_fallen_back_from(struct ranks *ranks)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_latest latest;
    struct bench bench;

    open_bench(&bench, ranks, "newer");
    if (ranks->rank == 0)
        change_manifest(ranks, &bench, "s30", "\"version\": 2", "\"version\": 3");
    find(ranks, &bench, NULL, RESHARD_EFORMAT, &latest, &error);
    EXPECT(ranks,
           strstr(error.text, "s30/manifest.json: version: version 3 is newer than") != NULL);
    EXPECT(ranks, latest.name[0] == '\0');
    close_bench(&bench);
}

/* All that lies beside checkpoints and is none. */
static void what_is_no_checkpoint_is_passed_over(struct ranks *ranks)
{
    struct bench bench;

    open_bench(&bench, ranks, "beside");
    if (ranks->rank == 0) {
        EXPECT(ranks, mkdir(in_root(&bench, "lost+found"), 0000) == 0);
        EXPECT(ranks, mkdir(in_root(&bench, "s40"), 0777) == 0); /* a copy being made */
        EXPECT(ranks, !store_write_file(store_posix(), in_root(&bench, "s40/rank-00000.h5"), "x", 1,
                                        NULL));
        EXPECT(ranks, !store_write_file(store_posix(), in_root(&bench, "file"), "x", 1, NULL));
        EXPECT(ranks, symlink("loop", in_root(&bench, "loop")) == 0);
        EXPECT(ranks, symlink("nowhere", in_root(&bench, "dangling")) == 0);
        EXPECT(ranks, mkfifo(in_root(&bench, "pipe"), 0666) == 0);
        EXPECT(ranks, mkdir(in_root(&bench, ".hidden"), 0777) == 0);
    }
    must_be(ranks, &bench, "s30", 30, 0, "");
    if (ranks->rank == 0)
        EXPECT(ranks, symlink("s30", in_root(&bench, "also")) == 0);
    must_be(ranks, &bench, "s30", 30, 0,
            ""); /* by its real name or the other: the later of equals */
    if (ranks->rank == 0) {
        EXPECT(ranks, mkdir(in_root(&bench, "piped"), 0777) == 0);
        EXPECT(ranks, mkfifo(in_root(&bench, "piped/manifest.json"), 0666) == 0);
    }
    must_be(ranks, &bench, "s30", 30, 1, "piped: ");
    if (ranks->rank == 0)
        EXPECT(ranks, chmod(in_root(&bench, "lost+found"), 0700) == 0);
    close_bench(&bench);
}

/* A storage that fails for a minute is no reason to lose the steps since the last checkpoint but
 * one; each of its operations. */
static void a_storage_that_fails_is_an_error(struct ranks *ranks)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_latest latest;
    struct bench bench;
    bool met = true;

    open_bench(&bench, ranks, "failing");
    for (uint64_t n = 1; bench.ready && met && n < 200; n++) {
        struct store_faulty faulty;
        enum reshard_status status;
        store_faulty_init(&faulty, store_posix());
        faulty.fail_at = ranks->rank == 0 ? n : 0;
        status = reshard_latest_find(bench.group, &faulty.store, bench.root, &latest, &error);
        EXPECT(ranks, ranks_same(ranks->comm, (long)status));
        met = !ranks_same(ranks->comm, ranks->rank == 0 ? (long)faulty.injected : 0);
        EXPECT(ranks, status == RESHARD_OK || status == RESHARD_EIO);
        EXPECT(ranks, status || strcmp(latest.name, "s30") == 0);
    }
    EXPECT(ranks, ranks->size == 1 || !met);
    close_bench(&bench);
}

static void without_a_whole_one_it_is_said_why(struct ranks *ranks)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_latest latest;
    struct bench bench;

    open_bench(&bench, ranks, "none");
    if (ranks->rank == 0)
        for (int step = 10; step <= 30; step += 10) {
            char name[64];
            (void)snprintf(name, sizeof name, "s%d/manifest.json", step);
            EXPECT(ranks, truncate(in_root(&bench, name), 10) == 0);
        }
    find(ranks, &bench, NULL, RESHARD_EFORMAT, &latest, &error);
    EXPECT(ranks, strstr(error.text, "each checkpoint in it is damaged: s10: ") != NULL);
    EXPECT(ranks, strstr(error.text, "; s30: ") != NULL);
    EXPECT(ranks, latest.fallbacks == 0 && latest.text[0] == '\0');
    if (ranks->rank == 0)
        for (int step = 10; step <= 30; step += 10) {
            char name[64];
            (void)snprintf(name, sizeof name, "s%d/manifest.json", step);
            EXPECT(ranks, unlink(in_root(&bench, name)) == 0);
        }
    find(ranks, &bench, NULL, RESHARD_ENOENT, &latest, &error);
    EXPECT(ranks, strstr(error.text, "holds no checkpoint") != NULL);
    close_bench(&bench);
}

int main(int argc, char **argv)
{
    static const struct ranks_test tests[] = {
        {"of whole ones the furthest is taken", of_whole_ones_the_furthest_is_taken},
        {"a damaged manifest falls back and is named", a_damaged_manifest_falls_back_and_is_named},
        {"a missing, short or linked file falls back and is named",
         a_missing_short_or_linked_file_falls_back_and_is_named},
        {"a newer version is never fallen back from", a_newer_version_is_never_fallen_back_from},
        {"what is no checkpoint is passed over", what_is_no_checkpoint_is_passed_over},
        {"a storage that fails is an error", a_storage_that_fails_is_an_error},
        {"without a whole one it is said why", without_a_whole_one_it_is_said_why},
        {NULL, NULL},
    };

    return ranks_main(argc, argv, tests);
}
