/*
 * Live resharding of 1 GiB of state between the ranks of an MPI world, from one layout to another,
 * against the same bytes sent raw: each rank sends as much as the exchange does to its neighbour,
 * in one message, and copies what it keeps. The exchange proves the digests of source and target;
 * the raw messages prove nothing, so digesting both states is measured beside them. Run it under
 * mpiexec.
 */
#include "parallel/exchange.h"
#include "bench/bench.h"
#include "bench/workload.h"
#include "parallel/proof.h"
#include "support/ranks.h"

#include <stdlib.h>
#include <string.h>

struct world {
    int rank, size;
    struct reshard_model *model;
    struct reshard_group *group;
    struct reshard_layout *from, *to;
    struct reshard_state *source, *target;
    char *raw_from, *raw_to;
    uint64_t sent, kept; /* bytes of this rank: to others, and in all under the target layout */
    uint64_t *digest;
};

static void require(enum reshard_status status, const struct reshard_error *error)
{
    if (status)
        (void)fprintf(stderr, "bench: %s: %s\n", reshard_status_name(status), error->text);
    if (status)
        MPI_Abort(MPI_COMM_WORLD, 1);
}

static uint64_t held_bytes(const struct reshard_layout *layout, int rank)
{
    const struct reshard_model *model = reshard_layout_model(layout);
    uint64_t bytes = 0;

    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++)
        bytes += reshard_layout_local_count(layout, t, (uint64_t)rank) *
                 reshard_dtype_bytes(reshard_model_tensor(model, t)->dtype);
    return bytes;
}

static struct reshard_state *open_state(const struct world *world,
                                        const struct reshard_layout *layout)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_state *state = NULL;

    require(reshard_state_open(&state, layout, (uint64_t)world->rank), &error);
    require(reshard_state_allocate(state, &error), &error);
    return state;
}

static double run_exchange(void *context)
{
    struct world *world = context;
    struct reshard_error error = RESHARD_ERROR_INIT;
    double start;

    ranks_barrier(MPI_COMM_WORLD);
    start = bench_now();
    require(reshard_exchange(world->group, world->source, world->target, NULL, NULL, &error),
            &error);
    ranks_barrier(MPI_COMM_WORLD);
    return bench_now() - start;
}

/* At most a GiB a message, as MPI counts in ints. */
static void send_raw(const struct world *world)
{
    enum { PART = 1 << 30 };
    const int to = (world->rank + 1) % world->size;
    const int from = (world->rank + world->size - 1) % world->size;

    for (uint64_t at = 0; at < world->sent; at += PART) {
        const int part = (int)(world->sent - at < PART ? world->sent - at : PART);
        MPI_Sendrecv(world->raw_from + at, part, MPI_BYTE, to, 0, world->raw_to + at, part,
                     MPI_BYTE, from, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    }
}

static double run_raw(void *context)
{
    struct world *world = context;
    double start;

    ranks_barrier(MPI_COMM_WORLD);
    start = bench_now();
    if (world->size > 1)
        send_raw(world);
    if (world->kept > world->sent)
        memcpy(world->raw_to + world->sent, world->raw_from + world->sent,
               world->kept - world->sent);
    ranks_barrier(MPI_COMM_WORLD);
    return bench_now() - start;
}

static double run_digests(void *context)
{
    struct world *world = context;
    struct reshard_error error = RESHARD_ERROR_INIT;
    double start;

    ranks_barrier(MPI_COMM_WORLD);
    start = bench_now();
    require(
        reshard_state_digest(world->group, world->source, RESHARD_PART_ALL, world->digest, &error),
        &error);
    require(
        reshard_state_digest(world->group, world->target, RESHARD_PART_ALL, world->digest, &error),
        &error);
    ranks_barrier(MPI_COMM_WORLD);
    return bench_now() - start;
}

/* Scalars are on all ranks, and must be the same: they stay zero. */
static void fill_source(const struct world *world)
{
    for (uint32_t t = 0; t < reshard_model_tensor_count(world->model); t++)
        bench_fill(reshard_state_data(world->source, t), reshard_state_bytes(world->source, t),
                   (uint64_t)world->rank * 1000 + t);
}

static void measure(const struct bench *bench, struct world *world, enum reshard_layout_kind from,
                    enum reshard_layout_kind to)
{
    struct reshard_report report = {0};
    struct reshard_error error = RESHARD_ERROR_INIT;
    char name[96];
    struct bench_case entry = {.name = name, .unit = BENCH_GB_PER_S, .context = world};
    uint64_t bytes;

    world->from = workload_layout(world->model, from, (uint64_t)world->size);
    world->to = workload_layout(world->model, to, (uint64_t)world->size);
    world->source = open_state(world, world->from);
    world->target = open_state(world, world->to);
    fill_source(world);
    require(reshard_exchange(world->group, world->source, world->target, NULL, &report, &error),
            &error);
    bench_require(report.bytes_sent == report.bytes_lacking, "more was sent than was lacking");
    world->sent = report.bytes_sent / (uint64_t)world->size;
    world->kept = held_bytes(world->to, world->rank);
    bytes = (world->kept > world->sent ? world->kept : world->sent) / 8 * 8 + 8;
    world->raw_from = bench_memory(bytes, 1);
    world->raw_to = bench_memory(bytes, 2);
    entry.amount = (double)report.bytes_unique;
    (void)snprintf(name, sizeof name, "exchange: 1 GiB, %s to %s on %d",
                   reshard_layout_kind_name(from), reshard_layout_kind_name(to), world->size);
    entry.way[0] = (struct bench_way){"reshard_exchange", run_exchange};
    entry.way[1] = (struct bench_way){"raw messages, copies", run_raw};
    entry.way[2] = (struct bench_way){"digests of both alone", run_digests};
    bench_measure(bench, &entry);
    free(world->raw_from);
    free(world->raw_to);
    reshard_state_close(world->source);
    reshard_state_close(world->target);
    reshard_layout_close(world->from);
    reshard_layout_close(world->to);
}

int main(int argc, char **argv)
{
    struct world world = {.rank = 0};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct bench bench;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &world.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &world.size);
    bench = bench_open(argc, argv, world.rank == 0);
    world.model = workload_gigabyte();
    world.digest = calloc(reshard_model_tensor_count(world.model), sizeof *world.digest);
    bench_require(world.digest != NULL, "no memory");
    require(reshard_group_open(&world.group, MPI_COMM_WORLD, NULL, &error), &error);
    measure(&bench, &world, RESHARD_LAYOUT_FSDP1, RESHARD_LAYOUT_FSDP2);
    measure(&bench, &world, RESHARD_LAYOUT_FSDP2, RESHARD_LAYOUT_DDP);
    reshard_group_close(world.group);
    reshard_model_close(world.model);
    free(world.digest);
    bench_close(&bench);
    MPI_Finalize();
    return 0;
}
