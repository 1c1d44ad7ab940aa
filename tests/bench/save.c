/*
 * Whole checkpoints of 1 GiB of state on the ranks of an MPI world: saved, loaded back onto the
 * same layout, and loaded from another layout of another world, against the same bytes written and
 * read raw, an equal part by each rank. Loads prove the digests of what they loaded; the raw reads
 * prove nothing. Run it under mpiexec.
 */
#include "parallel/save.h"
#include "bench/bench.h"
#include "bench/raw.h"
#include "bench/workload.h"
#include "parallel/load.h"
#include "support/ranks.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct world {
    int rank, size;
    char directory[512], own[600], other[600], raw[600];
    const char *from; /* the checkpoint that is loaded */
    uint64_t raw_bytes;
    void *raw_memory;
    struct reshard_model *model;
    struct reshard_layout *layout;
    struct reshard_group *group;
    struct reshard_state *state;
};

static void require(enum reshard_status status, const struct reshard_error *error)
{
    if (status)
        (void)fprintf(stderr, "bench: %s: %s\n", reshard_status_name(status), error->text);
    if (status)
        MPI_Abort(MPI_COMM_WORLD, 1);
}

/* Scalars are replicated, and must be the same on all ranks: they stay zero. */
static void fill_state(const struct world *world, struct reshard_state *state)
{
    for (uint32_t t = 0; t < reshard_model_tensor_count(world->model); t++)
        bench_fill(reshard_state_data(state, t), reshard_state_bytes(state, t),
                   (uint64_t)world->rank * 1000 + t);
}

/* ---- saving ---------------------------------------------------------------------------------- */

static void remove_checkpoint(const struct world *world, const char *path)
{
    struct reshard_error error = RESHARD_ERROR_INIT;

    if (world->rank == 0)
        require(store_remove(store_posix(), path, &error), &error);
    ranks_barrier(MPI_COMM_WORLD);
}

static double run_save(void *context)
{
    const struct reshard_save_options options = {.step = 1};
    struct world *world = context;
    struct reshard_error error = RESHARD_ERROR_INIT;
    double start;

    remove_checkpoint(world, world->own);
    start = bench_now();
    require(reshard_save(world->group, world->state, world->own, &options, NULL, &error), &error);
    ranks_barrier(MPI_COMM_WORLD);
    return bench_now() - start;
}

static double time_raw_write(const struct world *world, bool direct)
{
    double start;

    raw_remove(world->raw);
    ranks_barrier(MPI_COMM_WORLD);
    start = bench_now();
    raw_write(world->raw, world->raw_memory, world->raw_bytes, direct);
    ranks_barrier(MPI_COMM_WORLD);
    return bench_now() - start;
}

static double run_write_direct(void *context)
{
    return time_raw_write(context, true);
}

static double run_write_buffered(void *context)
{
    return time_raw_write(context, false);
}

/* The checkpoint of another world: one rank fewer where there are several, another layout. */
static void save_other(const struct world *world, const struct reshard_group_options *options)
{
    const struct reshard_save_options save = {.step = 1};
    const int ranks = world->size > 1 ? world->size - 1 : 1;
    struct reshard_layout *layout =
        workload_layout(world->model, RESHARD_LAYOUT_FSDP2, (uint64_t)ranks);
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_group *group = NULL;
    struct reshard_state *state = NULL;
    MPI_Comm comm;

    MPI_Comm_split(MPI_COMM_WORLD, world->rank < ranks ? 0 : MPI_UNDEFINED, 0, &comm);
    if (comm != MPI_COMM_NULL) {
        require(reshard_group_open(&group, comm, options, &error), &error);
        require(reshard_state_open(&state, layout, (uint64_t)world->rank), &error);
        require(reshard_state_allocate(state, &error), &error);
        fill_state(world, state);
        require(reshard_save(group, state, world->other, &save, NULL, &error), &error);
        reshard_state_close(state);
        reshard_group_close(group);
        MPI_Comm_free(&comm);
    }
    reshard_layout_close(layout);
    ranks_barrier(MPI_COMM_WORLD);
}

/* ---- loading --------------------------------------------------------------------------------- */

static void forget_checkpoint(const struct world *world, const char *path)
{
    char file[700], **names = NULL;
    struct reshard_error error = RESHARD_ERROR_INIT;
    uint64_t count = 0;

    ranks_barrier(MPI_COMM_WORLD);
    if (world->rank == 0)
        require(store_list(store_posix(), path, &names, &count, &error), &error);
    for (uint64_t i = 0; i < count; i++) {
        (void)snprintf(file, sizeof file, "%s/%s", path, names[i]);
        raw_forget(file);
    }
    store_names_free(names, count);
    ranks_barrier(MPI_COMM_WORLD);
}

static double run_load(void *context)
{
    struct world *world = context;
    struct reshard_error error = RESHARD_ERROR_INIT;
    double start;

    forget_checkpoint(world, world->from);
    start = bench_now();
    require(reshard_load(world->group, world->state, world->from, NULL, NULL, &error), &error);
    ranks_barrier(MPI_COMM_WORLD);
    return bench_now() - start;
}

static double time_raw_read(const struct world *world, bool direct)
{
    double start;

    raw_forget(world->raw);
    ranks_barrier(MPI_COMM_WORLD);
    start = bench_now();
    raw_read(world->raw, world->raw_memory, world->raw_bytes, direct);
    ranks_barrier(MPI_COMM_WORLD);
    return bench_now() - start;
}

static double run_read_direct(void *context)
{
    return time_raw_read(context, true);
}

static double run_read_buffered(void *context)
{
    return time_raw_read(context, false);
}

/* ---- setting up ------------------------------------------------------------------------------ */

static uint64_t model_bytes(const struct reshard_model *model)
{
    uint64_t bytes = 0;

    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
        bytes += tensor->count * reshard_dtype_bytes(tensor->dtype);
    }
    return bytes;
}

static void name_files(struct world *world, const char *directory)
{
    (void)snprintf(world->directory, sizeof world->directory, "%s/bench-save-XXXXXX", directory);
    if (world->rank == 0)
        bench_require(mkdtemp(world->directory) != NULL, "no scratch directory can be made");
    MPI_Bcast(world->directory, sizeof world->directory, MPI_CHAR, 0, MPI_COMM_WORLD);
    (void)snprintf(world->own, sizeof world->own, "%s/own", world->directory);
    (void)snprintf(world->other, sizeof world->other, "%s/other", world->directory);
    (void)snprintf(world->raw, sizeof world->raw, "%s/raw-%d", world->directory, world->rank);
}

static void world_open(struct world *world, const char *directory)
{
    const struct reshard_group_options options = {.host = NULL};
    struct reshard_error error = RESHARD_ERROR_INIT;
    uint64_t bytes;

    name_files(world, directory);
    world->model = workload_gigabyte();
    bytes = model_bytes(world->model) / (uint64_t)world->size;
    world->raw_bytes = (bytes + RAW_ALIGNMENT - 1) / RAW_ALIGNMENT * RAW_ALIGNMENT;
    world->raw_memory = bench_memory(world->raw_bytes, (uint64_t)world->rank);
    world->layout = workload_layout(world->model, RESHARD_LAYOUT_FSDP1, (uint64_t)world->size);
    require(reshard_group_open(&world->group, MPI_COMM_WORLD, &options, &error), &error);
    save_other(world, &options);
    require(reshard_state_open(&world->state, world->layout, (uint64_t)world->rank), &error);
    require(reshard_state_allocate(world->state, &error), &error);
    fill_state(world, world->state);
}

static void world_close(struct world *world)
{
    reshard_state_close(world->state);
    reshard_group_close(world->group);
    reshard_layout_close(world->layout);
    reshard_model_close(world->model);
    free(world->raw_memory);
    remove_checkpoint(world, world->directory);
}

static void measure(const struct bench *bench, struct world *world)
{
    char name[96];
    struct bench_case entry = {.name = name,
                               .unit = BENCH_GB_PER_S,
                               .amount = (double)model_bytes(world->model),
                               .context = world};

    (void)snprintf(name, sizeof name, "save: 1 GiB, fsdp1 on %d", world->size);
    entry.way[0] = (struct bench_way){"reshard_save", run_save};
    entry.way[1] = (struct bench_way){"raw O_DIRECT, synced", run_write_direct};
    entry.way[2] = (struct bench_way){"raw buffered, synced", run_write_buffered};
    bench_measure(bench, &entry);
    (void)snprintf(name, sizeof name, "load: 1 GiB, cold, same layout on %d", world->size);
    world->from = world->own;
    entry.way[0] = (struct bench_way){"reshard_load", run_load};
    entry.way[1] = (struct bench_way){"raw O_DIRECT", run_read_direct};
    entry.way[2] = (struct bench_way){"raw buffered", run_read_buffered};
    bench_measure(bench, &entry);
    (void)snprintf(name, sizeof name, "load: 1 GiB, cold, fsdp2 of %d to fsdp1 of %d",
                   world->size > 1 ? world->size - 1 : 1, world->size);
    world->from = world->other;
    bench_measure(bench, &entry);
}

int main(int argc, char **argv)
{
    struct world world = {.rank = 0};
    struct bench bench;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &world.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &world.size);
    bench = bench_open(argc, argv, world.rank == 0);
    world_open(&world, bench.directory);
    measure(&bench, &world);
    world_close(&world);
    bench_close(&bench);
    MPI_Finalize();
    return 0;
}
