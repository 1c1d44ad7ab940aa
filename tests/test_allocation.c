/*
 * Memory that runs out: the first allocation of an operation fails, then the second, and so on, on
 * the first and on the last rank, until a run meets none that fails. Goal: ENOMEM on all ranks, or
 * success with the right content where the engine can do without; no process ends; a checkpoint
 * that was there stays, one that is reported as saved is whole and loads, one that is not is not
 * there; and no memory is left. Method: the program's own allocations are counted and made to fail
 * (support/heap.h), and JSON's, which asks for an allocator; MPI's are not. Simulated ranks share
 * one heap, so there the n-th allocation of all ranks together fails.
 */
#include "parallel/exchange.h"
#include "parallel/latest.h"
#include "parallel/load.h"
#include "parallel/proof.h"
#include "parallel/save.h"
#include "support/heap.h"
#include "support/ranks.h"
#include "support/sample.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VALUES = 23, ALLOCATIONS_MAX = 100000 };

#ifdef RESHARD_SIMULATED
enum { VICTIMS = 1 };
#else
enum { VICTIMS = 2 };
#endif

struct bench {
    struct ranks *ranks;
    struct reshard_group *group;
    struct reshard_model *model;
    struct reshard_layout *layout;
    struct reshard_state *state;
    struct reshard_state *target;
    struct reshard_groups *groups;
    struct reshard_groups *filled; /* by loads */
    uint64_t *digest;
    uint64_t *digest_found;
    char earlier[320]; /* a checkpoint that nothing may touch */
    char path[320];
};

/* ---- what is saved --------------------------------------------------------------------------- */

static enum reshard_status fill_model(struct reshard_model *model)
{
    const struct reshard_shape matrix = {2, {5, 3}}, vector = {1, {4}}, bytes = {1, {3}};
    const struct reshard_slot slot = {.slot = "exp_avg", .dtype = RESHARD_DTYPE_F32};
    enum reshard_status status =
        reshard_model_add(model, "w", "", RESHARD_DTYPE_F32, &matrix, NULL);

    if (!status)
        status = reshard_model_add(model, "b", "", RESHARD_DTYPE_BF16, &vector, NULL);
    if (!status)
        status = reshard_model_add_role(model, "tokens", "", RESHARD_DTYPE_U8, &bytes,
                                        RESHARD_ROLE_TRANSIENT, 0, NULL);
    if (!status)
        status = reshard_model_add_state(model, "w", &slot, NULL);
    return status ? status : reshard_model_tie(model, "again", "b", NULL);
}

static enum reshard_status fill_groups(struct reshard_groups *groups, int64_t text)
{
    const struct reshard_value items[] = {{.kind = RESHARD_VALUE_NUMBER, .number = 0.9},
                                          {.kind = RESHARD_VALUE_STRING, .string = "text"}};
    const struct reshard_value betas = {.kind = RESHARD_VALUE_TUPLE, .item = items, .count = 2};
    const struct reshard_value step = {.kind = RESHARD_VALUE_INTEGER, .integer = text};
    enum reshard_status status = reshard_groups_add(groups, "all", NULL);

    if (!status)
        status = reshard_groups_add_member(groups, 0, "w", NULL);
    if (!status)
        status = reshard_groups_set(groups, 0, "betas", &betas, NULL);
    return status ? status : reshard_groups_set_entry(groups, "scheduler", "step", &step, NULL);
}

/* "b" is whole on every rank, so that loads spread it and saves prove it. */
static bool open_states(struct bench *bench)
{
    static const struct reshard_rule rule = {.pattern = "b", .shard = {RESHARD_HOW_WHOLE, 0}};
    const struct reshard_layout_options options = {.kind = RESHARD_LAYOUT_FSDP2,
                                                   .shard = (uint64_t)bench->ranks->size,
                                                   .rule = &rule,
                                                   .rule_count = 1};
    const uint64_t rank = (uint64_t)bench->ranks->rank;

    return !reshard_model_open(&bench->model) && !fill_model(bench->model) &&
           !reshard_layout_open(&bench->layout, bench->model, &options, NULL) &&
           !reshard_state_open(&bench->state, bench->layout, rank) &&
           !reshard_state_open(&bench->target, bench->layout, rank) &&
           !reshard_state_allocate(bench->state, NULL) &&
           !reshard_state_allocate(bench->target, NULL);
}

static enum reshard_status save_to(struct bench *bench, const char *path,
                                   struct reshard_error *error)
{
    const struct reshard_save_options options = {.step = 4, .groups = bench->groups};

    return reshard_save(bench->group, bench->state, path, &options, NULL, error);
}

static enum reshard_status load_from(struct bench *bench, const char *path,
                                     struct reshard_error *error)
{
    const struct reshard_load_options options = {.groups = bench->filled};

    return reshard_load(bench->group, bench->target, path, &options, NULL, error);
}

static bool open_bench(struct bench *bench, struct ranks *ranks)
{
    struct reshard_error error = RESHARD_ERROR_INIT;

    *bench = (struct bench){.ranks = ranks, .group = ranks_group(ranks)};
    bench->digest = calloc(16, sizeof *bench->digest);
    bench->digest_found = calloc(16, sizeof *bench->digest_found);
    (void)snprintf(bench->earlier, sizeof bench->earlier, "%s/earlier", ranks->scratch);
    (void)snprintf(bench->path, sizeof bench->path, "%s/new", ranks->scratch);
    if (!EXPECT(ranks, bench->group && bench->digest && bench->digest_found) ||
        !EXPECT(ranks, open_states(bench)) ||
        !EXPECT(ranks, !reshard_groups_open(&bench->groups)) ||
        !EXPECT(ranks, !reshard_groups_open(&bench->filled)) ||
        !EXPECT(ranks, !fill_groups(bench->groups, 8)) ||
        !EXPECT(ranks, !fill_groups(bench->filled, 7)))
        return false;
    sample_fill(bench->state, VALUES);
    /* Once loaded, the groups take as much memory as they do whenever they are loaded again. */
    return EXPECT_STATUS(ranks, save_to(bench, bench->earlier, &error), RESHARD_OK, &error) &&
           EXPECT_STATUS(ranks, load_from(bench, bench->earlier, &error), RESHARD_OK, &error) &&
           EXPECT_STATUS(ranks,
                         reshard_state_digest(bench->group, bench->state, RESHARD_PART_ALL,
                                              bench->digest, &error),
                         RESHARD_OK, &error);
}

static void close_bench(struct bench *bench)
{
    ranks_barrier(bench->ranks->comm);
    if (bench->ranks->rank == 0)
        EXPECT(bench->ranks, !store_remove(store_posix(), bench->earlier, NULL));
    reshard_state_close(bench->state);
    reshard_state_close(bench->target);
    reshard_layout_close(bench->layout);
    reshard_model_close(bench->model);
    reshard_groups_close(bench->groups);
    reshard_groups_close(bench->filled);
    reshard_group_close(bench->group);
    free(bench->digest);
    free(bench->digest_found);
}

/* ---- operations ------------------------------------------------------------------------------ */

/* What a run begins with: nothing of what it is to fill is right. */
static void spoil(struct bench *bench)
{
    const struct reshard_value step = {.kind = RESHARD_VALUE_INTEGER, .integer = 7};

    sample_stain(bench->target, 0xA5);
    memset(bench->digest_found, 0, 16 * sizeof *bench->digest_found);
    EXPECT(bench->ranks,
           !reshard_groups_set_entry(bench->filled, "scheduler", "step", &step, NULL));
}

static bool target_is_right(const struct bench *bench)
{
    return sample_wrong_bytes(bench->target, VALUES, RESHARD_PART_ALL) == 0;
}

/* The groups are the checkpoint's after a load, and as they were after one that failed. */
static bool groups_are(const struct bench *bench, int64_t step)
{
    return reshard_groups_entry_get(bench->filled, 0, "step")->integer == step;
}

static enum reshard_status do_save(struct bench *bench, struct reshard_error *error)
{
    return save_to(bench, bench->path, error);
}

/* Whole where it was reported as saved, and otherwise not there; the earlier one is, and loads. */
static void check_save(struct bench *bench, enum reshard_status status)
{
    struct ranks *ranks = bench->ranks;
    struct reshard_error error = RESHARD_ERROR_INIT;

    if (status) {
        EXPECT(ranks, access(bench->path, F_OK) != 0);
        EXPECT_STATUS(ranks, load_from(bench, bench->earlier, &error), RESHARD_OK, &error);
    } else {
        EXPECT_STATUS(ranks, load_from(bench, bench->path, &error), RESHARD_OK, &error);
        ranks_barrier(ranks->comm);
        if (ranks->rank == 0)
            EXPECT(ranks, !store_remove(store_posix(), bench->path, NULL));
    }
    EXPECT(ranks, target_is_right(bench));
    EXPECT(ranks, groups_are(bench, 8));
}

static enum reshard_status do_load(struct bench *bench, struct reshard_error *error)
{
    return load_from(bench, bench->earlier, error);
}

static void check_load(struct bench *bench, enum reshard_status status)
{
    EXPECT(bench->ranks, status || target_is_right(bench));
    EXPECT(bench->ranks, groups_are(bench, status ? 7 : 8));
}

static enum reshard_status do_exchange(struct bench *bench, struct reshard_error *error)
{
    return reshard_exchange(bench->group, bench->state, bench->target, NULL, NULL, error);
}

static void check_exchange(struct bench *bench, enum reshard_status status)
{
    EXPECT(bench->ranks, status || target_is_right(bench));
}

static enum reshard_status do_latest(struct bench *bench, struct reshard_error *error)
{
    struct reshard_latest latest;
    const enum reshard_status status =
        reshard_latest_find(bench->group, NULL, bench->ranks->scratch, &latest, error);

    EXPECT(bench->ranks, status || strcmp(latest.name, "earlier") == 0);
    return status;
}

static enum reshard_status do_manifest(struct bench *bench, struct reshard_error *error)
{
    struct manifest manifest;
    const enum reshard_status status =
        reshard_manifest_read(bench->group, NULL, bench->earlier, &manifest, error);

    EXPECT(bench->ranks, status || (manifest.step == 4 && manifest.groups));
    manifest_release(&manifest);
    return status;
}

static enum reshard_status do_digest(struct bench *bench, struct reshard_error *error)
{
    return reshard_state_digest(bench->group, bench->state, RESHARD_PART_ALL, bench->digest_found,
                                error);
}

static void check_digest(struct bench *bench, enum reshard_status status)
{
    EXPECT(bench->ranks,
           status || memcmp(bench->digest, bench->digest_found, 16 * sizeof *bench->digest) == 0);
}

static enum reshard_status do_open(struct bench *bench, struct reshard_error *error)
{
    struct reshard_group *group = NULL;
    const enum reshard_status status =
        reshard_group_open(&group, bench->ranks->comm, &bench->ranks->options, error);

    EXPECT(bench->ranks, !status == (group != NULL));
    reshard_group_close(group);
    return status;
}

static void check_nothing(struct bench *bench, enum reshard_status status)
{
    (void)bench;
    (void)status;
}

struct operation {
    enum reshard_status (*run)(struct bench *bench, struct reshard_error *error);
    void (*check)(struct bench *bench, enum reshard_status status);
};

/* ---- the loop -------------------------------------------------------------------------------- */

/* Whether an allocation has failed on any rank. */
static bool any_failed(struct bench *bench)
{
    uint64_t failed = heap_has_failed();

    EXPECT(bench->ranks, !group_allreduce(bench->group, &failed, 1, MPI_UINT64_T, MPI_SUM, NULL));
    return failed > 0;
}

/* Ranks that share one heap look at it, and change it, in step. */
static void settle(const struct ranks *ranks)
{
    if (VICTIMS == 1)
        ranks_barrier(ranks->comm);
}

/* The n-th allocation fails on the victim; returns whether there was one. */
static bool fail_one(struct bench *bench, const struct operation *operation, int victim, uint64_t n)
{
    struct ranks *ranks = bench->ranks;
    struct reshard_error error = RESHARD_ERROR_INIT;
    const int failures = ranks->failures;
    enum reshard_status status;
    int64_t before;
    bool failed;

    spoil(bench);
    settle(ranks);
    before = heap_blocks();
    settle(ranks);
    if (ranks->rank == victim)
        heap_fail_at(n);
    settle(ranks);
    status = operation->run(bench, &error);
    settle(ranks);
    failed = any_failed(bench);
    EXPECT(ranks, heap_blocks() == before);
    EXPECT(ranks, ranks_same_text(ranks->comm, status ? error.text : "OK")); /* and the status */
    if (status != RESHARD_OK)
        EXPECT_STATUS(ranks, status, failed ? RESHARD_ENOMEM : RESHARD_OK, &error);
    operation->check(bench, status);
    settle(ranks);
    if (ranks->failures > failures && ranks->rank == 0)
        printf("that was allocation %" PRIu64 " of rank %d: %s: %s\n", n, victim,
               reshard_status_name(status), error.text);
    return failed;
}

static void fail_each(struct ranks *ranks, const struct operation *operation)
{
    struct bench bench;
    uint64_t n = 1;

    if (open_bench(&bench, ranks))
        for (int v = 0; v < VICTIMS && (v == 0 || ranks->size > 1); v++) {
            for (n = 1; n < ALLOCATIONS_MAX; n++)
                if (!fail_one(&bench, operation, v == 0 ? 0 : ranks->size - 1, n))
                    break;
            EXPECT(ranks, (n > 1 || v > 0) && n < ALLOCATIONS_MAX);
            if (ranks->rank == 0)
                printf("%s: %" PRIu64 " allocations of rank %d\n", ranks->test, n - 1,
                       v == 0 ? 0 : ranks->size - 1);
        }
    close_bench(&bench);
}

static void a_save_without_memory_publishes_nothing(struct ranks *ranks)
{
    fail_each(ranks, &(const struct operation){do_save, check_save});
}

static void a_load_without_memory_says_so(struct ranks *ranks)
{
    fail_each(ranks, &(const struct operation){do_load, check_load});
}

static void an_exchange_without_memory_says_so(struct ranks *ranks)
{
    fail_each(ranks, &(const struct operation){do_exchange, check_exchange});
}

static void a_search_without_memory_says_so(struct ranks *ranks)
{
    fail_each(ranks, &(const struct operation){do_latest, check_nothing});
}

static void a_manifest_without_memory_is_not_read(struct ranks *ranks)
{
    fail_each(ranks, &(const struct operation){do_manifest, check_nothing});
}

static void a_digest_without_memory_is_none(struct ranks *ranks)
{
    fail_each(ranks, &(const struct operation){do_digest, check_digest});
}

static void a_group_without_memory_is_none(struct ranks *ranks)
{
    fail_each(ranks, &(const struct operation){do_open, check_nothing});
}

int main(int argc, char **argv)
{
    static const struct ranks_test tests[] = {
        {"a save without memory publishes nothing", a_save_without_memory_publishes_nothing},
        {"a load without memory says so", a_load_without_memory_says_so},
        {"an exchange without memory says so", an_exchange_without_memory_says_so},
        {"a search without memory says so", a_search_without_memory_says_so},
        {"a manifest without memory is not read", a_manifest_without_memory_is_not_read},
        {"a digest without memory is none", a_digest_without_memory_is_none},
        {"a group without memory is none", a_group_without_memory_is_none},
        {NULL, NULL},
    };

    json_set_alloc_funcs(malloc, free); /* those that fail here */
    return ranks_main(argc, argv, tests);
}
