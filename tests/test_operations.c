/*
 * Operations of a group. Goal: ranks that call different functions, or one that is a call ahead,
 * find out before any message is taken for another's, all with the same words, and can go on; a
 * NULL on one rank is EINVAL on all, with the argument's name. Method: every pair of different
 * operations, with the first and with the last rank as the one that does otherwise.
 */
#include "parallel/exchange.h"
#include "parallel/latest.h"
#include "parallel/load.h"
#include "parallel/proof.h"
#include "parallel/save.h"
#include "support/ranks.h"
#include "support/sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct bench {
    struct ranks *ranks;
    struct reshard_group *group;
    struct reshard_model *model;
    struct reshard_layout *layout;
    struct reshard_state *state;
    struct reshard_state *other; /* where an exchange brings it */
    uint64_t *digest;
    char saved[320]; /* a checkpoint */
    char path[320];  /* none */
};

static enum reshard_status save_to(struct bench *bench, const char *path,
                                   struct reshard_error *error)
{
    const struct reshard_save_options options = {.step = 4};

    return reshard_save(bench->group, bench->state, path, &options, NULL, error);
}

static bool open_bench(struct bench *bench, struct ranks *ranks)
{
    const struct reshard_layout_options options = {.kind = RESHARD_LAYOUT_FSDP2,
                                                   .shard = (uint64_t)ranks->size};
    const uint64_t rank = (uint64_t)ranks->rank;
    struct reshard_error error = RESHARD_ERROR_INIT;

    *bench = (struct bench){.ranks = ranks, .model = sample_model()};
    bench->group = ranks_group(ranks);
    bench->digest = calloc(reshard_model_tensor_count(bench->model), sizeof *bench->digest);
    (void)snprintf(bench->saved, sizeof bench->saved, "%s/saved", ranks->scratch);
    (void)snprintf(bench->path, sizeof bench->path, "%s/new", ranks->scratch);
    if (!EXPECT(ranks, bench->digest) ||
        !EXPECT_STATUS(ranks, reshard_layout_open(&bench->layout, bench->model, &options, &error),
                       RESHARD_OK, &error) ||
        !EXPECT(ranks, !reshard_state_open(&bench->state, bench->layout, rank)) ||
        !EXPECT(ranks, !reshard_state_open(&bench->other, bench->layout, rank)) ||
        !EXPECT(ranks, !reshard_state_allocate(bench->state, &error)) ||
        !EXPECT(ranks, !reshard_state_allocate(bench->other, &error)))
        return false;
    sample_fill(bench->state, 7);
    return EXPECT_STATUS(ranks, save_to(bench, bench->saved, &error), RESHARD_OK, &error);
}

/* The group may be closed already. */
static void close_bench(struct bench *bench)
{
    struct reshard_error error = RESHARD_ERROR_INIT;

    reshard_group_close(bench->group);
    ranks_barrier(bench->ranks->comm);
    if (bench->ranks->rank == 0)
        EXPECT_STATUS(bench->ranks, store_remove(store_posix(), bench->saved, &error), RESHARD_OK,
                      &error);
    reshard_state_close(bench->state);
    reshard_state_close(bench->other);
    reshard_layout_close(bench->layout);
    reshard_model_close(bench->model);
    free(bench->digest);
    ranks_barrier(bench->ranks->comm);
}

/* ---- every pair ------------------------------------------------------------------------------ */

static enum reshard_status do_agree(struct bench *bench, struct reshard_error *error)
{
    return reshard_group_agree(bench->group, RESHARD_OK, error);
}

static enum reshard_status do_save(struct bench *bench, struct reshard_error *error)
{
    return save_to(bench, bench->path, error);
}

static enum reshard_status do_load(struct bench *bench, struct reshard_error *error)
{
    return reshard_load(bench->group, bench->state, bench->saved, NULL, NULL, error);
}

static enum reshard_status do_exchange(struct bench *bench, struct reshard_error *error)
{
    return reshard_exchange(bench->group, bench->state, bench->other, NULL, NULL, error);
}

static enum reshard_status do_manifest(struct bench *bench, struct reshard_error *error)
{
    struct manifest manifest;
    const enum reshard_status status =
        reshard_manifest_read(bench->group, NULL, bench->saved, &manifest, error);

    manifest_release(&manifest);
    return status;
}

static enum reshard_status do_latest(struct bench *bench, struct reshard_error *error)
{
    struct reshard_latest latest;

    return reshard_latest_find(bench->group, NULL, bench->ranks->scratch, &latest, error);
}

static enum reshard_status do_digest(struct bench *bench, struct reshard_error *error)
{
    return reshard_state_digest(bench->group, bench->state, RESHARD_PART_ALL, bench->digest, error);
}

static const struct {
    enum reshard_status (*call)(struct bench *bench, struct reshard_error *error);
    const char *words;
} operations[] = {
    {do_agree, "an agreement of the program's own"},
    {do_save, "a save"},
    {do_load, "a load"},
    {do_exchange, "an exchange"},
    {do_manifest, "the reading of a manifest"},
    {do_latest, "a search for the latest checkpoint"},
    {do_digest, "a digest"},
};
enum { OPERATIONS = sizeof operations / sizeof *operations };

static void must_say(struct ranks *ranks, const struct reshard_error *error, const char *words)
{
    if (!EXPECT(ranks, strstr(error->text, words) != NULL))
        printf("no '%s' in: %s\n", words, error->text);
}

/* Who does what, as the message names them; `number` counts from the group's opening. */
static void must_name(struct ranks *ranks, const struct reshard_error *error, int victim,
                      const char *victims, const char *others, const char *number)
{
    char words[160];
    /* The first rank that is not where rank 0 is. */
    const int named = victim == 0 ? 1 : victim;

    (void)snprintf(words, sizeof words,
                   "rank %d is in its operation %s, %s, and rank 0 in its %s, %s", named, number,
                   victim == 0 ? others : victims, number, victim == 0 ? victims : others);
    must_say(ranks, error, words);
    EXPECT(ranks, ranks_same_text(ranks->comm, error->text));
}

static void different_operations_are_found_out(struct ranks *ranks)
{
    static const char *const numbers[] = {"2nd", "3rd", "4th"};
    struct bench bench;
    int checked = 0;

    if (ranks->size == 1)
        return;
    if (open_bench(&bench, ranks)) {
        for (int a = 0; a < OPERATIONS; a++) {
            for (int b = 0; b < OPERATIONS; b++) {
                const int victim = (a + b) % 2 ? 0 : ranks->size - 1;
                struct reshard_error error = RESHARD_ERROR_INIT;
                if (a == b)
                    continue;
                EXPECT_STATUS(ranks, operations[ranks->rank == victim ? b : a].call(&bench, &error),
                              RESHARD_EMISMATCH, &error);
                must_say(ranks, &error, operations[a].words);
                must_say(ranks, &error, operations[b].words);
                if (checked < 3)
                    must_name(ranks, &error, victim, operations[b].words, operations[a].words,
                              numbers[checked]);
                checked++;
                EXPECT(ranks, access(bench.path, F_OK) != 0);
            }
        }
        for (int a = 0; a < OPERATIONS; a++) { /* and nothing of it is left */
            struct reshard_error error = RESHARD_ERROR_INIT;
            EXPECT_STATUS(ranks, operations[a].call(&bench, &error), RESHARD_OK, &error);
        }
        ranks_barrier(ranks->comm);
        if (ranks->rank == 0)
            EXPECT(ranks, !store_remove(store_posix(), bench.path, NULL));
    }
    close_bench(&bench);
}

/* The last rank saves once more, or agrees on something first, while the others go on. */
static void a_rank_that_is_a_call_ahead_or_behind_is_found_out(struct ranks *ranks)
{
    const bool victim = ranks->rank == ranks->size - 1;
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct bench bench;

    if (ranks->size == 1)
        return;
    if (open_bench(&bench, ranks)) {
        EXPECT_STATUS(ranks, victim ? do_save(&bench, &error) : do_load(&bench, &error),
                      RESHARD_EMISMATCH, &error);
        must_name(ranks, &error, ranks->size - 1, "a save", "a load", "2nd");
        EXPECT(ranks, access(bench.path, F_OK) != 0);
        EXPECT_STATUS(ranks, do_load(&bench, &error), RESHARD_OK, &error);
        EXPECT_STATUS(ranks, victim ? do_agree(&bench, &error) : do_save(&bench, &error),
                      RESHARD_EMISMATCH, &error);
        must_name(ranks, &error, ranks->size - 1, "an agreement of the program's own", "a save",
                  "4th");
        EXPECT(ranks, access(bench.path, F_OK) != 0);
    }
    close_bench(&bench);
}

/* What is in the way of an agreement is said even where a rank has failed, too. */
static void a_failure_does_not_hide_that_ranks_do_different_things(struct ranks *ranks)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    enum reshard_status status;
    struct bench bench;

    if (ranks->size == 1)
        return;
    if (open_bench(&bench, ranks)) {
        if (ranks->rank == 0) {
            status = reshard_error_set(&error, RESHARD_ENOMEM, "no memory for something");
            status = reshard_group_agree(bench.group, status, &error);
        } else {
            status = do_load(&bench, &error);
        }
        EXPECT_STATUS(ranks, status, RESHARD_EMISMATCH, &error);
        must_name(ranks, &error, 0, "an agreement of the program's own", "a load", "2nd");
    }
    close_bench(&bench);
}

static void a_group_that_one_rank_closes_has_ended_for_all(struct ranks *ranks)
{
    for (int a = 0; ranks->size > 1 && a < OPERATIONS; a++) {
        const int closer = a % 2 ? 0 : ranks->size - 1;
        struct reshard_error error = RESHARD_ERROR_INIT;
        char words[64];
        struct bench bench;
        if (open_bench(&bench, ranks)) {
            if (ranks->rank == closer) {
                reshard_group_close(bench.group);
                bench.group = NULL;
            } else {
                EXPECT_STATUS(ranks, operations[a].call(&bench, &error), RESHARD_EMISMATCH, &error);
                must_say(ranks, &error, "the end of its group");
                must_say(ranks, &error, operations[a].words);
                EXPECT_STATUS(ranks, do_load(&bench, &error), RESHARD_EMISMATCH, &error);
                (void)snprintf(words, sizeof words, "the group has ended: rank %d has closed it",
                               closer);
                must_say(ranks, &error, words);
            }
        }
        close_bench(&bench);
    }
}

/* ---- arguments ------------------------------------------------------------------------------- */

enum {
    SAVE_STATE,
    SAVE_DIRECTORY,
    LOAD_STATE,
    LOAD_DIRECTORY,
    LOAD_CAST,
    LOAD_CAST_ELEMENT,
    LOAD_RENAME,
    LOAD_RENAME_TO,
    EXCHANGE_SOURCE,
    EXCHANGE_TARGET,
    EXCHANGE_ONLY,
    EXCHANGE_ONLY_ELEMENT,
    MANIFEST_DIRECTORY,
    MANIFEST_OUT,
    LATEST_ROOT,
    LATEST_OUT,
    DIGEST_STATE,
    DIGEST_OUT,
    WRONGS,
};

static const char *const wrong_words[WRONGS] = {
    [SAVE_STATE] = "the argument 'state' is NULL",
    [SAVE_DIRECTORY] = "the argument 'directory' is NULL",
    [LOAD_STATE] = "the argument 'state' is NULL",
    [LOAD_DIRECTORY] = "the argument 'directory' is NULL",
    [LOAD_CAST] = "the argument 'cast' is NULL, but it has 2 elements",
    [LOAD_CAST_ELEMENT] = "element 1 of the argument 'cast' is NULL",
    [LOAD_RENAME] = "the argument 'rename' is NULL",
    [LOAD_RENAME_TO] = "of the argument 'rename' is NULL",
    [EXCHANGE_SOURCE] = "the argument 'source' is NULL",
    [EXCHANGE_TARGET] = "the argument 'target' is NULL",
    [EXCHANGE_ONLY] = "the argument 'only' is NULL, but it has 2 elements",
    [EXCHANGE_ONLY_ELEMENT] = "element 1 of the argument 'only' is NULL",
    [MANIFEST_DIRECTORY] = "the argument 'directory' is NULL",
    [MANIFEST_OUT] = "the argument 'out' is NULL",
    [LATEST_ROOT] = "the argument 'root' is NULL",
    [LATEST_OUT] = "the argument 'out' is NULL",
    [DIGEST_STATE] = "the argument 'state' is NULL",
    [DIGEST_OUT] = "the argument 'digest' is NULL",
};

static enum reshard_status load_with(struct bench *bench, int wrong, bool mine,
                                     struct reshard_error *error)
{
    static const char *const whole[] = {"a", "b"}, *const holed[] = {"a", NULL};
    static const struct reshard_rename rename = {"a", "b"}, half = {"a", NULL};
    struct reshard_load_options options = {.part = RESHARD_PART_ALL};

    if (wrong == LOAD_CAST || wrong == LOAD_CAST_ELEMENT) {
        options.match.cast = !mine ? whole : wrong == LOAD_CAST ? NULL : holed;
        options.match.cast_count = 2;
    }
    if (wrong == LOAD_RENAME || wrong == LOAD_RENAME_TO) {
        options.match.rename = !mine ? &rename : wrong == LOAD_RENAME ? NULL : &half;
        options.match.rename_count = 1;
    }
    return reshard_load(bench->group, mine && wrong == LOAD_STATE ? NULL : bench->state,
                        mine && wrong == LOAD_DIRECTORY ? NULL : bench->saved, &options, NULL,
                        error);
}

static enum reshard_status exchange_with(struct bench *bench, int wrong, bool mine,
                                         struct reshard_error *error)
{
    static const char *const whole[] = {"a", "b"}, *const holed[] = {"a", NULL};
    struct reshard_exchange_options options = {.budget = 0};

    if (wrong == EXCHANGE_ONLY || wrong == EXCHANGE_ONLY_ELEMENT) {
        options.only = !mine ? whole : wrong == EXCHANGE_ONLY ? NULL : holed;
        options.only_count = 2;
    }
    return reshard_exchange(bench->group, mine && wrong == EXCHANGE_SOURCE ? NULL : bench->state,
                            mine && wrong == EXCHANGE_TARGET ? NULL : bench->other, &options, NULL,
                            error);
}

/* The call that is right on all ranks but on the one whose `mine` is true. */
static enum reshard_status call_with(struct bench *bench, int wrong, bool mine,
                                     struct reshard_error *error)
{
    struct manifest manifest;
    struct reshard_latest latest;

    if (wrong <= SAVE_DIRECTORY)
        return reshard_save(bench->group, mine && wrong == SAVE_STATE ? NULL : bench->state,
                            mine && wrong == SAVE_DIRECTORY ? NULL : bench->path, NULL, NULL,
                            error);
    if (wrong <= LOAD_RENAME_TO)
        return load_with(bench, wrong, mine, error);
    if (wrong <= EXCHANGE_ONLY_ELEMENT)
        return exchange_with(bench, wrong, mine, error);
    if (wrong <= MANIFEST_OUT)
        return reshard_manifest_read(bench->group, NULL,
                                     mine && wrong == MANIFEST_DIRECTORY ? NULL : bench->saved,
                                     mine && wrong == MANIFEST_OUT ? NULL : &manifest, error);
    if (wrong <= LATEST_OUT)
        return reshard_latest_find(bench->group, NULL,
                                   mine && wrong == LATEST_ROOT ? NULL : bench->ranks->scratch,
                                   mine && wrong == LATEST_OUT ? NULL : &latest, error);
    return reshard_state_digest(bench->group, mine && wrong == DIGEST_STATE ? NULL : bench->state,
                                RESHARD_PART_ALL,
                                mine && wrong == DIGEST_OUT ? NULL : bench->digest, error);
}

static void a_null_on_one_rank_is_refused_by_all(struct ranks *ranks)
{
    struct bench bench;

    if (open_bench(&bench, ranks)) {
        for (int wrong = 0; wrong < WRONGS; wrong++) {
            const int victim = wrong % 2 ? 0 : ranks->size - 1;
            struct reshard_error error = RESHARD_ERROR_INIT;
            char words[32];
            EXPECT_STATUS(ranks, call_with(&bench, wrong, ranks->rank == victim, &error),
                          RESHARD_EINVAL, &error);
            must_say(ranks, &error, wrong_words[wrong]);
            EXPECT(ranks, ranks_same_text(ranks->comm, error.text));
            (void)snprintf(words, sizeof words, "rank %d: ", victim);
            EXPECT(ranks, ranks->size == 1 || strncmp(error.text, words, strlen(words)) == 0);
            EXPECT(ranks, access(bench.path, F_OK) != 0);
        }
    }
    close_bench(&bench);
}

static void a_rank_without_a_group_is_told_alone(struct ranks *ranks)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct bench bench;

    if (open_bench(&bench, ranks)) {
        struct reshard_group *group = bench.group;
        bench.group = NULL;
        for (int a = 0; a < OPERATIONS; a++) {
            reshard_error_clear(&error);
            EXPECT_STATUS(ranks, operations[a].call(&bench, &error), RESHARD_EINVAL, &error);
            must_say(ranks, &error, "the argument 'group' is NULL");
        }
        bench.group = group;
        /* Nothing was begun by that: all are where they were. */
        EXPECT_STATUS(ranks, do_load(&bench, &error), RESHARD_OK, &error);
    }
    close_bench(&bench);
    reshard_group_close(NULL);
    EXPECT_STATUS(ranks, reshard_group_open(NULL, ranks->comm, &ranks->options, &error),
                  RESHARD_EINVAL, &error);
    must_say(ranks, &error, "the argument 'out' is NULL");
    EXPECT_STATUS(ranks, reshard_group_open(&bench.group, MPI_COMM_NULL, &ranks->options, &error),
                  RESHARD_EINVAL, &error);
}

int main(int argc, char **argv)
{
    static const struct ranks_test tests[] = {
        {"different operations are found out", different_operations_are_found_out},
        {"a rank that is a call ahead or behind is found out",
         a_rank_that_is_a_call_ahead_or_behind_is_found_out},
        {"a failure does not hide that ranks do different things",
         a_failure_does_not_hide_that_ranks_do_different_things},
        {"a group that one rank closes has ended for all",
         a_group_that_one_rank_closes_has_ended_for_all},
        {"a NULL on one rank is refused by all", a_null_on_one_rank_is_refused_by_all},
        {"a rank without a group is told alone", a_rank_without_a_group_is_told_alone},
        {NULL, NULL},
    };

    return ranks_main(argc, argv, tests);
}
