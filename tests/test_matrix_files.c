/*
 * Any layout converts to any other through files. A model that has every odd tensor, under every
 * layout that is valid at any of eight world sizes: each configuration is saved once, judged by the
 * verifier, and loaded by all others. After each load every byte that a rank holds is compared with
 * what it must hold, and what must not be touched with what it was; each payload byte must have
 * been asked of storage once, and no byte more have gone over the network than ranks lacked.
 *
 * One job with sub-communicators, as large as the number of ranks allows.
 */
#include "parallel/load.h"
#include "parallel/save.h"
#include "support/matrix.h"
#include "support/odd.h"
#include "support/sample.h"
#include "verify/files.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { STAIN = 0xA5 };

/* ---- what a load must leave ------------------------------------------------------------------ */

/* Rows of another world: `rng` keeps what each rank had, `loader` wraps around. */
static uint64_t wrong_rows(const struct matrix_place *place, uint64_t saved_world)
{
    const uint64_t rank = reshard_state_rank(place->state);
    uint32_t rng, loader;
    uint64_t wrong = 0;

    if (reshard_model_find(place->model, "rng", "", &rng) ||
        reshard_model_find(place->model, "loader", "", &loader))
        return 1;
    const struct reshard_tensor *entry = reshard_model_tensor(place->model, loader);
    const unsigned char *kept = reshard_state_data(place->state, rng);
    const unsigned char *row = reshard_state_data(place->state, loader);
    const uint64_t bytes = reshard_state_bytes(place->state, loader);
    for (uint64_t b = 0; b < reshard_state_bytes(place->state, rng); b++)
        wrong += kept[b] != STAIN;
    for (uint64_t b = 0; b < bytes; b++)
        wrong += row[b] != odd_byte(entry, rank % saved_world * bytes + b);
    return wrong;
}

/* Bytes of a loaded state that are wrong: what is not saved must have stayed as it was. */
static uint64_t wrong_bytes(const struct matrix_place *place, uint64_t saved_world, uint64_t world)
{
    const uint32_t tensors = reshard_model_tensor_count(place->model);
    bool *skip = calloc((size_t)tensors + 1, sizeof *skip);
    uint64_t wrong = 0;

    for (uint32_t t = 0; t < tensors; t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(place->model, t);
        const unsigned char *data = reshard_state_data(place->state, t);
        skip[t] = tensor->role == RESHARD_ROLE_TRANSIENT ||
                  (tensor->role == RESHARD_ROLE_PER_RANK && saved_world != world);
        for (uint64_t b = 0;
             tensor->role == RESHARD_ROLE_TRANSIENT && b < reshard_state_bytes(place->state, t);
             b++)
            wrong += data[b] != STAIN;
    }
    wrong += odd_wrong_bytes(place->state, skip);
    wrong += sample_touched_padding(place->state, STAIN);
    if (saved_world != world)
        wrong += wrong_rows(place, saved_world);
    free(skip);
    return wrong;
}

/* ---- through files --------------------------------------------------------------------------- */

static void checkpoint_path(const struct ranks *ranks, unsigned config, char *path, size_t size)
{
    snprintf(path, size, "%s/%u", ranks->scratch, config);
}

/* The first `ranks` ranks as a group; NULL on the others. */
struct part {
    MPI_Comm comm;
    struct reshard_group *group;
};

static struct part part_open(struct ranks *ranks, uint64_t count)
{
    const bool member = (uint64_t)ranks->rank < count;
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct part part = {MPI_COMM_NULL, NULL};

    MPI_Comm_split(ranks->comm, member ? 0 : MPI_UNDEFINED, ranks->rank, &part.comm);
    if (member)
        EXPECT_STATUS(ranks, reshard_group_open(&part.group, part.comm, &ranks->options, &error),
                      RESHARD_OK, &error);
    return part;
}

static void part_close(struct part *part)
{
    reshard_group_close(part->group);
    if (part->comm != MPI_COMM_NULL)
        MPI_Comm_free(&part->comm);
}

/* The verifier has its own reading of the layout's rules, and of who owns what: it must find in the
 * files exactly the pieces that they say, by the ranks that they say. */
static void judge_one(struct ranks *ranks, const char *path, const struct matrix_config *config)
{
    const struct verify_files_options options = {.threads = 1};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct verify_report report;

    if (ranks->rank != 0 || !EXPECT(ranks, verify_report_open(&report) == RESHARD_OK))
        return;
    if (!EXPECT_STATUS(ranks, verify_files(path, &options, &report, &error), RESHARD_OK, &error))
        printf("the verifier, of %s of %" PRIu64 ": %s\n", config->name, config->ranks, error.text);
    verify_report_close(&report);
}

static void save_one(struct ranks *ranks, struct reshard_group *group, unsigned number,
                     const struct matrix_config *config)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct matrix_place place;
    char path[512];

    checkpoint_path(ranks, number, path, sizeof path);
    if (matrix_place_open(&place, ranks, config, config->ranks)) {
        odd_fill(place.state);
        EXPECT_STATUS(ranks,
                      reshard_save(group, place.state, path,
                                   &(struct reshard_save_options){.step = number}, NULL, &error),
                      RESHARD_OK, &error);
        judge_one(ranks, path, config);
    }
    matrix_place_close(&place);
}

static void load_one(struct ranks *ranks, struct reshard_group *group, struct matrix_place *place,
                     unsigned number, const struct matrix_config *from,
                     const struct matrix_config *to)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_report report = {0};
    char path[512];
    uint64_t wrong;

    checkpoint_path(ranks, number, path, sizeof path);
    sample_stain(place->state, STAIN);
    if (!EXPECT_STATUS(ranks, reshard_load(group, place->state, path, NULL, &report, &error),
                       RESHARD_OK, &error))
        return;
    wrong = wrong_bytes(place, from->ranks, to->ranks);
    if (wrong)
        printf("%s of %" PRIu64 " to %s of %" PRIu64 ": %" PRIu64 " bytes are wrong\n", from->name,
               from->ranks, to->name, to->ranks, wrong);
    EXPECT(ranks, wrong == 0);
    EXPECT(ranks, report.bytes_moved == report.bytes_unique);
    EXPECT(ranks, report.bytes_sent == report.bytes_lacking);
}

static void every_configuration_loads_every_other(struct ranks *ranks)
{
    struct matrix_config config[MATRIX_CONFIGS_MAX];
    const unsigned count = matrix_list(ranks, (uint64_t)ranks->size, config);
    uint64_t loads = 0;

    for (unsigned w = 0; w < MATRIX_WORLDS && matrix_worlds[w] <= (uint64_t)ranks->size; w++) {
        struct part part = part_open(ranks, matrix_worlds[w]);
        for (unsigned i = 0; part.group && i < count; i++)
            if (config[i].ranks == matrix_worlds[w])
                save_one(ranks, part.group, i, &config[i]);
        part_close(&part);
        ranks_barrier(ranks->comm);
    }
    for (unsigned w = 0; w < MATRIX_WORLDS && matrix_worlds[w] <= (uint64_t)ranks->size; w++) {
        struct part part = part_open(ranks, matrix_worlds[w]);
        for (unsigned to = 0; to < count; to++) {
            struct matrix_place place;
            if (config[to].ranks != matrix_worlds[w])
                continue;
            loads += count;
            if (part.group && matrix_place_open(&place, ranks, &config[to], config[to].ranks)) {
                for (unsigned from = 0; from < count; from++)
                    load_one(ranks, part.group, &place, from, &config[from], &config[to]);
                matrix_place_close(&place);
            }
        }
        part_close(&part);
        ranks_barrier(ranks->comm);
    }
    if (ranks->rank == 0)
        printf("%" PRIu64 " loads\n", loads);
}

int main(int argc, char **argv)
{
    static const struct ranks_test tests[] = {
        {"every configuration loads every other", every_configuration_loads_every_other},
        {NULL, NULL},
    };

    return ranks_main(argc, argv, tests);
}
