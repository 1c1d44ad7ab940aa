/*
 * The group: each rank's place, the environment held against MPI, and agreement, whatever fails
 * where.
 */
#include "parallel/group.h"
#include "parallel/proof.h"
#include "parallel/schema.h"
#include "support/ranks.h"
#include "support/sample.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void without_an_environment_places_come_from_mpi(struct ranks *ranks)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_group *group;

    EXPECT_STATUS(ranks, reshard_group_open(&group, ranks->comm, &ranks->options, &error),
                  RESHARD_OK, &error);
    EXPECT(ranks, reshard_group_rank(group) == (uint64_t)ranks->rank);
    EXPECT(ranks, reshard_group_world(group) == (uint64_t)ranks->size);
    EXPECT(ranks, reshard_group_local_rank(group) < reshard_group_local_world(group));
    EXPECT(ranks, reshard_group_device(group) == reshard_group_local_rank(group));
    reshard_group_close(group);
}

static void a_stated_place_wins_and_devices_wrap(struct ranks *ranks)
{
    char rank[16], world[16], local[16];
    const struct reshard_environment environment = {.master_addr = "node-0",
                                                    .master_port = "29500",
                                                    .rank = rank,
                                                    .world_size = world,
                                                    .local_rank = local,
                                                    .local_world_size = world};
    const struct reshard_group_options options = {
        .environment = &environment, .devices = 2, .host = ranks->options.host};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_group *group;

    snprintf(rank, sizeof rank, "%d", ranks->rank);
    snprintf(world, sizeof world, "%d", ranks->size);
    snprintf(local, sizeof local, "%d", ranks->size - 1 - ranks->rank);
    EXPECT_STATUS(ranks, reshard_group_open(&group, ranks->comm, &options, &error), RESHARD_OK,
                  &error);
    EXPECT(ranks, reshard_group_local_rank(group) == (uint64_t)(ranks->size - 1 - ranks->rank));
    EXPECT(ranks, reshard_group_device(group) == (uint32_t)(ranks->size - 1 - ranks->rank) % 2);
    reshard_group_close(group);
}

/* One rank's environment is wrong: all are refused, with its words. */
static void refuse(struct ranks *ranks, struct reshard_environment environment,
                   enum reshard_status expected, const char *words)
{
    static const struct reshard_environment nothing = {0};
    const bool victim = ranks->rank == ranks->size - 1;
    const struct reshard_group_options options = {.environment = victim ? &environment : &nothing,
                                                  .host = ranks->options.host};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_group *group;

    EXPECT_STATUS(ranks, reshard_group_open(&group, ranks->comm, &options, &error), expected,
                  &error);
    EXPECT(ranks, group == NULL);
    EXPECT(ranks, ranks_same_text(ranks->comm, error.text));
    if (!EXPECT(ranks, strstr(error.text, words) != NULL))
        printf("the text was: %s\n", error.text);
    reshard_group_close(group);
}

static void an_environment_that_contradicts_mpi_is_refused_by_all(struct ranks *ranks)
{
    refuse(ranks, (struct reshard_environment){.world_size = "64"}, RESHARD_EMISMATCH,
           "WORLD_SIZE is 64, but MPI's size is");
    refuse(ranks, (struct reshard_environment){.rank = "63"}, RESHARD_EMISMATCH, "RANK is 63");
    refuse(ranks, (struct reshard_environment){.rank = "-1"}, RESHARD_EINVAL, "RANK is '-1'");
    refuse(ranks, (struct reshard_environment){.master_port = "0"}, RESHARD_EINVAL, "MASTER_PORT");
    refuse(ranks, (struct reshard_environment){.master_addr = "no such host"}, RESHARD_EINVAL,
           "MASTER_ADDR");
    refuse(ranks, (struct reshard_environment){.local_rank = "99"}, RESHARD_EMISMATCH,
           "LOCAL_RANK is 99");
    if (ranks->size > 1)
        refuse(ranks, (struct reshard_environment){.master_port = "29500"}, RESHARD_EMISMATCH,
               "MASTER_PORT differs from rank 0's");
}

/* What launchers say, by themselves or together. Values are NULL where a variable is not set. */
static const struct {
    const char *pmi, *ompi, *pmix, *slurm, *torch;
    const char *words; /* of the refusal, NULL: there is none */
} launched[] = {
    {NULL, NULL, NULL, NULL, NULL, NULL},
    {"1", NULL, NULL, NULL, NULL, NULL},
    {"6", NULL, NULL, NULL, NULL, "PMI_SIZE is 6"},
    {NULL, "6", "0", NULL, NULL, "OMPI_COMM_WORLD_SIZE is 6"},
    {NULL, NULL, "3", NULL, NULL, "PMIX_RANK is 3"},
    {NULL, NULL, "0", "1", NULL, NULL},
    {NULL, NULL, NULL, "6", NULL, "SLURM_STEP_NUM_TASKS is 6"},
    {NULL, NULL, NULL, NULL, "6", "WORLD_SIZE is 6"},
    {NULL, NULL, NULL, "1", "1", NULL},
    {"1", NULL, NULL, "4", "8", NULL}, /* mpiexec -n 1 within a larger step */
    {NULL, "1", "0", "4", NULL, NULL},
    {"many", NULL, NULL, "", "-6", NULL},
};

static void set_or_not(const char *variable, const char *value)
{
    if (value)
        (void)setenv(variable, value, 1);
    else
        (void)unsetenv(variable);
}

/* One rank, by MPI; simulated ones share their process's environment, which says nothing of them.
 */
static void a_rank_that_mpi_leaves_alone_among_others_is_refused(struct ranks *ranks)
{
    static const char *const variables[] = {"PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "PMIX_RANK",
                                            "SLURM_STEP_NUM_TASKS", "WORLD_SIZE"};
#ifdef RESHARD_SIMULATED
    const bool asked = false;
#else
    const bool asked = ranks->size == 1;
#endif

    ranks_barrier(ranks->comm);
    for (size_t i = 0; i < sizeof launched / sizeof *launched; i++) {
        const char *const values[] = {launched[i].pmi, launched[i].ompi, launched[i].pmix,
                                      launched[i].slurm, launched[i].torch};
        const bool refused = asked && launched[i].words;
        struct reshard_group_options options = ranks->options;
        struct reshard_error error = RESHARD_ERROR_INIT;
        struct reshard_group *group;
        for (size_t v = 0; v < sizeof variables / sizeof *variables; v++)
            set_or_not(variables[v], values[v]);
        EXPECT_STATUS(ranks, reshard_group_open(&group, MPI_COMM_SELF, &options, &error),
                      refused ? RESHARD_EMISMATCH : RESHARD_OK, &error);
        reshard_group_close(group);
        EXPECT(ranks, !refused || strstr(error.text, launched[i].words));
        EXPECT(ranks, !refused || strstr(error.text, "mpiexec"));
        EXPECT(ranks, !refused || strstr(error.text, "allow_singleton"));
        options.allow_singleton = true;
        EXPECT_STATUS(ranks, reshard_group_open(&group, MPI_COMM_SELF, &options, &error),
                      RESHARD_OK, &error);
        reshard_group_close(group);
    }
    for (size_t v = 0; v < sizeof variables / sizeof *variables; v++)
        set_or_not(variables[v], NULL);
    ranks_barrier(ranks->comm);
}

static void the_worst_outcome_of_any_rank_is_everybodys(struct ranks *ranks)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_group *group;

    EXPECT_STATUS(ranks, reshard_group_open(&group, ranks->comm, &ranks->options, &error),
                  RESHARD_OK, &error);
    for (int victim = 0; victim < ranks->size; victim++) {
        enum reshard_status mine = RESHARD_OK;
        char words[64];
        error = (struct reshard_error)RESHARD_ERROR_INIT;
        if (ranks->rank == victim)
            mine = reshard_error_set(&error, RESHARD_EIO, "the disk of %d is gone", victim);
        else if (ranks->rank == (victim + 1) % ranks->size)
            mine = reshard_error_set(&error, RESHARD_EINVAL, "something lesser");
        EXPECT_STATUS(ranks, reshard_group_agree(group, mine, &error), RESHARD_EIO, &error);
        snprintf(words, sizeof words, "the disk of %d is gone", victim);
        EXPECT(ranks, strstr(error.text, words) != NULL);
        EXPECT(ranks, error.status == RESHARD_EIO);
        EXPECT(ranks, ranks->size == 1 || strncmp(error.text, "rank ", 5) == 0);
        EXPECT(ranks, ranks_same_text(ranks->comm, error.text));
    }
    EXPECT_STATUS(ranks, reshard_group_agree(group, RESHARD_OK, &error), RESHARD_OK, NULL);
    reshard_group_close(group);
}

/* As a caller's store or device may return it: CUDA's numbers, or -1. */
static void an_outcome_that_is_no_status_is_a_failure_on_all(struct ranks *ranks)
{
    static const int outcomes[] = {-1, INT_MIN, RESHARD_EUNKNOWN + 1, 700};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_group *group;

    EXPECT_STATUS(ranks, reshard_group_open(&group, ranks->comm, &ranks->options, &error),
                  RESHARD_OK, &error);
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
        const bool fails = ranks->rank == ranks->size - 1;
        reshard_error_clear(&error);
        EXPECT_STATUS(ranks,
                      reshard_group_agree(
                          group, fails ? (enum reshard_status)outcomes[i] : RESHARD_OK, &error),
                      RESHARD_EIO, &error);
    }
    reshard_group_close(group);
}

static void ranks_that_mean_different_models_find_out(struct ranks *ranks)
{
    const struct reshard_shape shape = {1, {4 + (ranks->rank == ranks->size - 1)}};
    const struct reshard_layout_options options = {.shard = (uint64_t)ranks->size};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_model *model;
    struct reshard_layout *layout;
    struct reshard_state *state;
    struct reshard_group *group;

    EXPECT_STATUS(ranks, reshard_group_open(&group, ranks->comm, &ranks->options, &error),
                  RESHARD_OK, &error);
    EXPECT(ranks, reshard_model_open(&model) == RESHARD_OK);
    EXPECT_STATUS(ranks, reshard_model_add(model, "w", "", RESHARD_DTYPE_F32, &shape, &error),
                  RESHARD_OK, &error);
    EXPECT_STATUS(ranks, reshard_layout_open(&layout, model, &options, &error), RESHARD_OK, &error);
    EXPECT(ranks, reshard_state_open(&state, layout, (uint64_t)ranks->rank) == RESHARD_OK);
    EXPECT_STATUS(ranks, schema_agree(group, state, &error),
                  ranks->size > 1 ? RESHARD_EMISMATCH : RESHARD_OK, &error);
    EXPECT(ranks, ranks_same_text(ranks->comm, error.text));
    reshard_state_close(state);
    reshard_layout_close(layout);
    reshard_model_close(model);
    reshard_group_close(group);
}

static void a_digest_is_the_same_at_any_layout(struct ranks *ranks)
{
    struct reshard_model *model = sample_model();
    const uint32_t tensors = reshard_model_tensor_count(model);
    const uint64_t world = (uint64_t)ranks->size;
    const struct reshard_layout_options options[] = {
        {.kind = RESHARD_LAYOUT_DDP, .replicate = world},
        {.kind = RESHARD_LAYOUT_FSDP1, .shard = world},
        {.kind = RESHARD_LAYOUT_FSDP2, .shard = world},
    };
    uint64_t *first = calloc(tensors, sizeof *first), *other = calloc(tensors, sizeof *other);
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_group *group;

    EXPECT_STATUS(ranks, reshard_group_open(&group, ranks->comm, &ranks->options, &error),
                  RESHARD_OK, &error);
    for (int i = 0; i < 3; i++) {
        struct reshard_layout *layout;
        struct reshard_state *state;
        EXPECT_STATUS(ranks, reshard_layout_open(&layout, model, &options[i], &error), RESHARD_OK,
                      &error);
        EXPECT(ranks, reshard_state_open(&state, layout, (uint64_t)ranks->rank) == RESHARD_OK);
        EXPECT_STATUS(ranks, reshard_state_allocate(state, &error), RESHARD_OK, &error);
        sample_fill(state, 5);
        EXPECT_STATUS(
            ranks, reshard_state_digest(group, state, RESHARD_PART_ALL, i ? other : first, &error),
            RESHARD_OK, &error);
        EXPECT(ranks, i == 0 || memcmp(first, other, tensors * sizeof *first) == 0);
        EXPECT_STATUS(ranks, proof_cover(group, layout, &error), RESHARD_OK, &error);
        reshard_state_close(state);
        reshard_layout_close(layout);
    }
    free(first);
    free(other);
    reshard_group_close(group);
    reshard_model_close(model);
}

int main(int argc, char **argv)
{
    static const struct ranks_test tests[] = {
        {"without an environment places come from MPI",
         without_an_environment_places_come_from_mpi},
        {"a stated place wins and devices wrap", a_stated_place_wins_and_devices_wrap},
        {"an environment that contradicts MPI is refused by all",
         an_environment_that_contradicts_mpi_is_refused_by_all},
        {"a rank that MPI leaves alone among others is refused",
         a_rank_that_mpi_leaves_alone_among_others_is_refused},
        {"the worst outcome of any rank is everybody's",
         the_worst_outcome_of_any_rank_is_everybodys},
        {"an outcome that is no status is a failure on all",
         an_outcome_that_is_no_status_is_a_failure_on_all},
        {"ranks that mean different models find out", ranks_that_mean_different_models_find_out},
        {"a digest is the same at any layout", a_digest_is_the_same_at_any_layout},
        {NULL, NULL},
    };

    return ranks_main(argc, argv, tests);
}
