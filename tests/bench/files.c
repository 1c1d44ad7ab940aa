/*
 * One rank's file of 1 GiB of state: written with everything that makes it a checkpoint's (head,
 * digests, tables, trailer, sync), and read back move by move, against the same bytes written and
 * read raw. Cold means that this machine's page cache has been dropped, warm that it has the file.
 */
#include "bench/bench.h"
#include "bench/raw.h"
#include "bench/workload.h"
#include "core/plan.h"
#include "core/reader.h"
#include "core/writer.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct files {
    char directory[512], path[600], raw[600];
    struct reshard_model *model;
    struct reshard_layout *layout;
    struct arena_pieces pieces;
    struct plan plan;
    struct manifest manifest;
    struct manifest_file file;
    uint64_t bytes;      /* of the state, rounded up for direct transfers */
    char *memory, *back; /* the state, and where it is read to */
    uint64_t *offset;    /* of each tensor in them */
    const void **local;
    bool cold;
};

/* ---- writing --------------------------------------------------------------------------------- */

static double run_writer(void *context)
{
    struct files *files = context;
    struct container_identity identity = {.step = 1, .writer = 0, .world = 1};
    struct reshard_error error = RESHARD_ERROR_INIT;
    enum reshard_status status;
    double start;

    memcpy(identity.token, files->manifest.token, sizeof identity.token);
    raw_remove(files->path);
    start = bench_now();
    status = writer_write(store_posix(), files->path, files->model, &files->pieces, &identity,
                          files->local, NULL, &files->file.bytes, &files->file.seal, &error);
    bench_require(status == RESHARD_OK, error.text);
    return bench_now() - start;
}

static double time_raw_write(const struct files *files, bool direct)
{
    double start;

    raw_remove(files->raw);
    start = bench_now();
    raw_write(files->raw, files->memory, files->bytes, direct);
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

/* ---- reading --------------------------------------------------------------------------------- */

static double run_reader(void *context)
{
    struct files *files = context;
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reader *reader = NULL;
    enum reshard_status status;
    double start;

    if (files->cold)
        raw_forget(files->path);
    start = bench_now();
    status = reader_open(&reader, store_posix(), files->directory, &files->manifest, files->layout,
                         0, &error);
    for (uint64_t i = 0; !status && i < files->plan.count; i++) {
        const struct plan_move *move = &files->plan.move[i];
        const struct reader_target target = {
            .memory = files->back + files->offset[move->target_tensor],
            .dtype = reshard_model_tensor(files->model, move->target_tensor)->dtype};
        status = reader_move(reader, move, &target, &error);
    }
    reader_close(reader);
    bench_require(status == RESHARD_OK, error.text);
    return bench_now() - start;
}

/* What was measured must have happened: the raw reads fill the same memory. */
static void check_reader(struct files *files)
{
    memset(files->back, 0, files->bytes);
    (void)run_reader(files);
    for (uint32_t t = 0; t < reshard_model_tensor_count(files->model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(files->model, t);
        bench_require(memcmp(files->memory + files->offset[t], files->back + files->offset[t],
                             tensor->count * reshard_dtype_bytes(tensor->dtype)) == 0,
                      "what was read is not what was written");
    }
}

static double time_raw_read(const struct files *files, bool direct)
{
    double start;

    if (files->cold)
        raw_forget(files->raw);
    start = bench_now();
    raw_read(files->raw, files->back, files->bytes, direct);
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

static void place_tensors(struct files *files)
{
    const uint32_t tensors = reshard_model_tensor_count(files->model);
    uint64_t bytes = 0;

    files->offset = calloc(tensors, sizeof *files->offset);
    files->local = calloc(tensors, sizeof *files->local);
    bench_require(files->offset && files->local, "out of memory");
    for (uint32_t t = 0; t < tensors; t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(files->model, t);
        files->offset[t] = bytes;
        bytes += tensor->count * reshard_dtype_bytes(tensor->dtype);
    }
    files->bytes = (bytes + RAW_ALIGNMENT - 1) / RAW_ALIGNMENT * RAW_ALIGNMENT;
    files->memory = bench_memory(files->bytes, 1);
    files->back = bench_memory(files->bytes, 2);
    for (uint32_t t = 0; t < tensors; t++)
        files->local[t] = files->memory + files->offset[t];
}

static void make_plan(struct files *files)
{
    const uint32_t tensors = reshard_model_tensor_count(files->model);
    uint32_t *from = calloc(tensors, sizeof *from);

    bench_require(from != NULL, "out of memory");
    for (uint32_t t = 0; t < tensors; t++)
        from[t] = t;
    const struct plan_sides sides = {files->layout, files->layout, from, true};
    bench_require(plan_build(&files->plan, &sides, 0, NULL) == RESHARD_OK, "there is no plan");
    free(from);
}

static void files_open(struct files *files, const char *directory)
{
    (void)snprintf(files->directory, sizeof files->directory, "%s/bench-files-XXXXXX", directory);
    bench_require(mkdtemp(files->directory) != NULL, "no scratch directory can be made");
    manifest_file_name(0, files->file.name);
    (void)snprintf(files->path, sizeof files->path, "%s/%s", files->directory, files->file.name);
    (void)snprintf(files->raw, sizeof files->raw, "%s/raw", files->directory);
    files->model = workload_gigabyte();
    files->layout = workload_layout(files->model, RESHARD_LAYOUT_FSDP1, 1);
    bench_require(arena_pieces_of(&files->pieces, files->layout, 0, NULL) == RESHARD_OK,
                  "no pieces");
    memcpy(files->manifest.token, "00000000000000000000000000000000", RESHARD_TOKEN_BYTES);
    files->manifest.step = files->manifest.world = files->manifest.file_count = 1;
    files->manifest.layout = *reshard_layout_options(files->layout);
    files->manifest.model = files->model;
    files->manifest.file = &files->file;
    place_tensors(files);
    make_plan(files);
}

static void files_close(struct files *files)
{
    raw_remove(files->path);
    raw_remove(files->raw);
    (void)rmdir(files->directory);
    plan_release(&files->plan);
    arena_pieces_release(&files->pieces);
    reshard_layout_close(files->layout);
    reshard_model_close(files->model);
    free(files->memory);
    free(files->back);
    free(files->offset);
    free(files->local);
}

int main(int argc, char **argv)
{
    struct files files = {.pieces = ARENA_PIECES_INIT};
    struct bench bench = bench_open(argc, argv, true);
    struct bench_case entry = {.unit = BENCH_GB_PER_S, .context = &files};

    files_open(&files, bench.directory);
    entry.amount = (double)files.bytes;
    entry.name = "file: write 1 GiB and sync";
    entry.way[0] = (struct bench_way){"writer_write", run_writer};
    entry.way[1] = (struct bench_way){"raw O_DIRECT, synced", run_write_direct};
    entry.way[2] = (struct bench_way){"raw buffered, synced", run_write_buffered};
    bench_measure(&bench, &entry);
    entry.name = "file: read 1 GiB, cold";
    entry.way[0] = (struct bench_way){"reader_move", run_reader};
    entry.way[1] = (struct bench_way){"raw O_DIRECT", run_read_direct};
    entry.way[2] = (struct bench_way){"raw buffered", run_read_buffered};
    files.cold = true;
    bench_measure(&bench, &entry);
    check_reader(&files);
    entry.name = "file: read 1 GiB, warm";
    entry.way[1] = (struct bench_way){"raw buffered", run_read_buffered};
    entry.way[2].name = NULL;
    files.cold = false;
    bench_measure(&bench, &entry);
    files_close(&files);
    bench_close(&bench);
    return 0;
}
