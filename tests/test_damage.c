/*
 * Damage: a sound checkpoint is copied, one fault is planted in the copy, and all ranks load it.
 * Each time every rank must return the same status and text, of the right kind, naming the file and
 * the tensor where there is one; and the sound checkpoint must load after it as if nothing had
 * been. Seals and CRCs are made right again after a fault that is not theirs, so that only the
 * check meant for it can see it.
 */
#include "core/container.h"
#include "core/digest.h"
#include "parallel/load.h"
#include "parallel/save.h"
#include "support/ranks.h"
#include "support/sample.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VALUES = 21, STAIN = 0x5A, STEP = 6, PATH_BYTES = 512, PIECE_ROW = 152, PIECE_END = 72 };

/* One model under one layout on all ranks, and three checkpoints of it. */
struct bench {
    struct ranks *ranks;
    struct reshard_group *group;
    struct reshard_model *model;
    struct reshard_layout *layout;
    struct reshard_state *state;
    char sound[PATH_BYTES];
    char later[PATH_BYTES]; /* the same values, saved as another step */
    char other[PATH_BYTES]; /* other values, saved as the same step */
    char copy[PATH_BYTES];  /* to be damaged */
    char expected[256];     /* rank 0: a text that the message must hold */
};

/* Every rank's file has the same size: two tensors of the same shape on each, without slots. */
static struct reshard_model *even_model(const struct ranks *ranks)
{
    const struct reshard_shape weight = {2, {2 * (uint64_t)ranks->size, 3}};
    const struct reshard_shape bias = {1, {5 * (uint64_t)ranks->size}};
    struct reshard_model *model = NULL;

    if (reshard_model_open(&model) ||
        reshard_model_add(model, "weight", "", RESHARD_DTYPE_F32, &weight, NULL) ||
        reshard_model_add(model, "bias", "", RESHARD_DTYPE_BF16, &bias, NULL))
        return NULL;
    return model;
}

static void save_as(struct bench *bench, const char *path, uint64_t values, uint64_t step)
{
    const struct reshard_save_options options = {.step = step};
    struct reshard_error error = RESHARD_ERROR_INIT;

    sample_fill(bench->state, values);
    EXPECT_STATUS(bench->ranks,
                  reshard_save(bench->group, bench->state, path, &options, NULL, &error),
                  RESHARD_OK, &error);
}

static void bench_open(struct bench *bench, struct ranks *ranks, struct reshard_model *model,
                       const struct reshard_layout_options *options)
{
    struct reshard_error error = RESHARD_ERROR_INIT;

    *bench = (struct bench){.ranks = ranks, .model = model};
    EXPECT_STATUS(ranks, reshard_group_open(&bench->group, ranks->comm, &ranks->options, &error),
                  RESHARD_OK, &error);
    EXPECT_STATUS(ranks, reshard_layout_open(&bench->layout, model, options, &error), RESHARD_OK,
                  &error);
    EXPECT_STATUS(ranks, reshard_state_open(&bench->state, bench->layout, (uint64_t)ranks->rank),
                  RESHARD_OK, &error);
    EXPECT_STATUS(ranks, reshard_state_allocate(bench->state, &error), RESHARD_OK, &error);
    snprintf(bench->sound, PATH_BYTES, "%s/sound", ranks->scratch);
    snprintf(bench->later, PATH_BYTES, "%s/later", ranks->scratch);
    snprintf(bench->other, PATH_BYTES, "%s/other", ranks->scratch);
    snprintf(bench->copy, PATH_BYTES, "%s/copy", ranks->scratch);
    save_as(bench, bench->sound, VALUES, STEP);
    save_as(bench, bench->later, VALUES, STEP + 1);
    save_as(bench, bench->other, VALUES + 1, STEP);
}

static void bench_close(struct bench *bench)
{
    const char *const paths[] = {bench->sound, bench->later, bench->other, bench->copy};

    ranks_barrier(bench->ranks->comm);
    for (int i = 0; bench->ranks->rank == 0 && i < 4; i++)
        (void)!store_remove(store_posix(), paths[i], NULL);
    ranks_barrier(bench->ranks->comm);
    reshard_group_close(bench->group);
    reshard_state_close(bench->state);
    reshard_layout_close(bench->layout);
    reshard_model_close(bench->model);
}

/* ---- planting, on rank 0 alone --------------------------------------------------------------- */

static void path_of(char *path, const char *directory, uint64_t writer)
{
    snprintf(path, PATH_BYTES + 64, "%s/rank-%05" PRIu64 ".h5", directory, writer);
}

static char *read_whole(const char *path, uint64_t *bytes)
{
    char *data = NULL;

    if (store_read_file(store_posix(), path, UINT32_MAX, &data, bytes, NULL)) {
        fprintf(stderr, "%s: cannot be read\n", path);
        abort();
    }
    return data;
}

static void write_whole(const char *path, const char *data, uint64_t bytes)
{
    FILE *file = fopen(path, "w");

    if (!file || fwrite(data, 1, bytes, file) != bytes || fclose(file)) {
        fprintf(stderr, "%s: cannot be written\n", path);
        abort();
    }
}

static void copy_file(const char *from, const char *to)
{
    uint64_t bytes;
    char *data = read_whole(from, &bytes);

    write_whole(to, data, bytes);
    free(data);
}

/* Make bench->copy the same as bench->sound, whatever it was. */
static void copy_sound(struct bench *bench)
{
    char **names = NULL, from[PATH_BYTES + 300], to[PATH_BYTES + 300];
    uint64_t count = 0;

    (void)!store_remove(store_posix(), bench->copy, NULL);
    if (mkdir(bench->copy, 0777) || store_list(store_posix(), bench->sound, &names, &count, NULL))
        abort();
    for (uint64_t i = 0; i < count; i++) {
        snprintf(from, sizeof from, "%s/%s", bench->sound, names[i]);
        snprintf(to, sizeof to, "%s/%s", bench->copy, names[i]);
        copy_file(from, to);
    }
    store_names_free(names, count);
}

/* One rank's file of the copy in memory, with what it says of itself. */
struct image {
    char path[PATH_BYTES + 64];
    uint64_t writer, bytes;
    unsigned char *data;
    struct trailer trailer;
    struct arena_pieces pieces;
};

static void image_open(struct image *image, const struct bench *bench, uint64_t writer)
{
    image->writer = writer;
    path_of(image->path, bench->copy, writer);
    image->data = (unsigned char *)read_whole(image->path, &image->bytes);
    if (trailer_decode(&image->trailer, image->data + image->bytes - TRAILER_BYTES, image->path,
                       NULL) ||
        arena_pieces_of(&image->pieces, bench->layout, writer, NULL))
        abort();
}

static void image_close(struct image *image)
{
    write_whole(image->path, (char *)image->data, image->bytes);
    arena_pieces_release(&image->pieces);
    free(image->data);
}

/* Decode the copy's manifest, let it be changed, and write it with the right CRC. */
static void change_manifest(const struct bench *bench,
                            void (*change)(struct manifest *manifest, const void *context),
                            const void *context)
{
    struct manifest manifest;
    char path[PATH_BYTES + 32], *text;
    uint64_t bytes;
    size_t encoded;

    snprintf(path, sizeof path, "%s/" MANIFEST_FILE, bench->copy);
    text = read_whole(path, &bytes);
    if (manifest_decode(&manifest, text, bytes, path, NULL))
        abort();
    free(text);
    change(&manifest, context);
    if (manifest_encode(&manifest, &text, &encoded))
        abort();
    write_whole(path, text, encoded);
    free(text);
    manifest_release(&manifest);
}

static void set_seal(struct manifest *manifest, const void *context)
{
    const struct image *image = context;

    for (uint64_t i = 0; i < manifest->file_count; i++)
        if (manifest->file[i].writer == image->writer)
            manifest->file[i].seal = image->trailer.seal;
}

/* Make the tables' CRC and the seal right, in the file and in the manifest, and write the file. */
static void image_reseal(struct image *image, const struct bench *bench)
{
    const struct container_offsets *at = &image->trailer.offsets;

    image->trailer.tables_crc =
        digest_crc(0, image->data + at->tensors, at->tensors_bytes + at->pieces_bytes);
    trailer_encode(&image->trailer, image->data + at->trailer);
    change_manifest(bench, set_seal, image);
    image_close(image);
}

/* ---- the faults ------------------------------------------------------------------------------ */

static void exchange_two_files(struct bench *bench)
{
    char first[PATH_BYTES + 64], second[PATH_BYTES + 64], spare[PATH_BYTES + 64];

    path_of(first, bench->copy, 1);
    path_of(second, bench->copy, 2);
    path_of(spare, bench->copy, 99);
    if (rename(first, spare) || rename(second, first) || rename(spare, second))
        abort();
}

static void exchange_two_arenas(struct bench *bench)
{
    struct image first, second;

    image_open(&first, bench, 1);
    image_open(&second, bench, 2);
    for (uint64_t i = 0; i < ARENA_ALIGNMENT; i++) {
        unsigned char *a = first.data + first.trailer.offsets.arena[RESHARD_DTYPE_F32] + i;
        unsigned char *b = second.data + second.trailer.offsets.arena[RESHARD_DTYPE_F32] + i;
        const unsigned char byte = *a;
        *a = *b;
        *b = byte;
    }
    image_close(&first);
    image_close(&second);
}

/* The even model's rows [2, 4) of rank 1 are said to be [2, 5). No arena ends there, no piece
 * follows in this dtype, every seal and CRC is right: only the layout's formula knows better. */
static void end_one_row_later(struct bench *bench)
{
    struct image image;

    image_open(&image, bench, 1);
    image.data[image.trailer.offsets.pieces + PIECE_END]++;
    image_reseal(&image, bench);
}

static void take_the_file_of(struct bench *bench, const char *directory)
{
    char from[PATH_BYTES + 64], to[PATH_BYTES + 64];

    path_of(from, directory, 1);
    path_of(to, bench->copy, 1);
    copy_file(from, to);
}

static void take_a_file_of_another_step(struct bench *bench)
{
    take_the_file_of(bench, bench->later);
}

static void take_a_file_of_another_save(struct bench *bench)
{
    take_the_file_of(bench, bench->other);
}

static void take_the_manifest_of_another_step(struct bench *bench)
{
    char from[PATH_BYTES + 64], to[PATH_BYTES + 64];

    snprintf(from, sizeof from, "%s/" MANIFEST_FILE, bench->later);
    snprintf(to, sizeof to, "%s/" MANIFEST_FILE, bench->copy);
    copy_file(from, to);
}

static void cut_a_file(struct bench *bench)
{
    char path[PATH_BYTES + 64];
    struct stat about;

    path_of(path, bench->copy, 2);
    if (stat(path, &about) || truncate(path, about.st_size / 2))
        abort();
}

static void remove_the_last_file(struct bench *bench)
{
    char path[PATH_BYTES + 64];

    path_of(path, bench->copy, (uint64_t)bench->ranks->size - 1);
    if (unlink(path))
        abort();
}

static void put_a_directory_for_a_file(struct bench *bench)
{
    char path[PATH_BYTES + 64];

    path_of(path, bench->copy, 1);
    if (unlink(path) || mkdir(path, 0777))
        abort();
}

static void put_a_pipe_for_a_file(struct bench *bench)
{
    char path[PATH_BYTES + 64];

    path_of(path, bench->copy, 1);
    if (unlink(path) || mkfifo(path, 0666))
        abort();
}

static void remove_the_manifest(struct bench *bench)
{
    char path[PATH_BYTES + 64];

    snprintf(path, sizeof path, "%s/" MANIFEST_FILE, bench->copy);
    if (unlink(path))
        abort();
}

/* A bit of the last byte of the first piece; the message must have the piece's bytes. */
static void flip_an_arena_bit(struct bench *bench)
{
    struct image image;
    const struct arena_piece *piece;
    enum reshard_dtype dtype;
    uint64_t begin, end;

    image_open(&image, bench, 1);
    piece = &image.pieces.piece[0];
    dtype = reshard_model_tensor(bench->model, piece->tensor)->dtype;
    begin = image.trailer.offsets.arena[dtype] + piece->offset * reshard_dtype_bytes(dtype);
    end = begin + piece->count * reshard_dtype_bytes(dtype);
    image.data[end - 1] ^= 0x80;
    snprintf(bench->expected, sizeof bench->expected, "bytes %" PRIu64 " to %" PRIu64, begin, end);
    image_close(&image);
}

static void flip_a_tensors_bit(struct bench *bench)
{
    struct image image;

    image_open(&image, bench, 1);
    image.data[image.trailer.offsets.tensors] ^= 1;
    image_close(&image);
}

static void flip_a_pieces_bit(struct bench *bench)
{
    struct image image;

    image_open(&image, bench, 1);
    image.data[image.trailer.offsets.pieces + PIECE_ROW - 1] ^= 0x10;
    image_close(&image);
}

static void flip_a_seal_bit(struct bench *bench)
{
    struct image image;

    image_open(&image, bench, 1);
    image.data[image.bytes - 1] ^= 0x10;
    image_close(&image);
}

/* The second row of /tensors is the bias, bf16: its dtype is the third field, after two names. */
static void relabel_bf16_as_f16(struct bench *bench)
{
    struct image image;
    unsigned char *row, *end;

    image_open(&image, bench, 1);
    row = image.data + image.trailer.offsets.tensors;
    end = row + image.trailer.offsets.tensors_bytes;
    while (row + 4 <= end && memcmp(row, "bf16", 4) != 0)
        row++;
    memcpy(row, "f16", 4);
    image_reseal(&image, bench);
}

static void half_the_shards(struct manifest *manifest, const void *context)
{
    (void)context;
    manifest->layout.replicate = 2;
    manifest->layout.shard /= 2;
}

static void claim_another_mesh(struct bench *bench)
{
    change_manifest(bench, half_the_shards, NULL);
}

static void make_fsdp1(struct manifest *manifest, const void *context)
{
    (void)context;
    manifest->layout.kind =
        manifest->layout.kind == RESHARD_LAYOUT_FSDP1 ? RESHARD_LAYOUT_FSDP2 : RESHARD_LAYOUT_FSDP1;
}

static void claim_another_layout(struct bench *bench)
{
    change_manifest(bench, make_fsdp1, NULL);
}

static void change_a_digest(struct manifest *manifest, const void *context)
{
    (void)context;
    manifest->digest[0] ^= 1;
}

static void claim_another_digest(struct bench *bench)
{
    change_manifest(bench, change_a_digest, NULL);
}

/* ---- loading --------------------------------------------------------------------------------- */

/* Load the copy; all ranks must agree. Returns the status, on every rank the same. */
static enum reshard_status load_copy(struct bench *bench, struct reshard_error *error)
{
    struct ranks *const ranks = bench->ranks;
    enum reshard_status status;

    ranks_barrier(ranks->comm);
    sample_stain(bench->state, STAIN);
    status = reshard_load(bench->group, bench->state, bench->copy, NULL, NULL, error);
    EXPECT(ranks, ranks_same(ranks->comm, (long)status));
    EXPECT(ranks, ranks_same_text(ranks->comm, error->text));
    EXPECT(ranks, sample_touched_padding(bench->state, STAIN) == 0);
    return status;
}

static void load_sound(struct bench *bench)
{
    struct reshard_error error = RESHARD_ERROR_INIT;

    sample_stain(bench->state, STAIN);
    EXPECT_STATUS(bench->ranks,
                  reshard_load(bench->group, bench->state, bench->sound, NULL, NULL, &error),
                  RESHARD_OK, &error);
    EXPECT(bench->ranks, sample_wrong_bytes(bench->state, VALUES, RESHARD_PART_ALL) == 0);
}

struct fault {
    const char *name;
    void (*plant)(struct bench *bench);
    enum reshard_status status;
    const char *file, *tensor; /* texts that the message must hold */
};

static void see_fault(struct bench *bench, const struct fault *fault)
{
    struct ranks *const ranks = bench->ranks;
    struct reshard_error error = RESHARD_ERROR_INIT;
    enum reshard_status status;
    bool right;

    bench->expected[0] = '\0';
    if (ranks->rank == 0) {
        copy_sound(bench);
        fault->plant(bench);
    }
    status = load_copy(bench, &error);
    right = status == fault->status && strstr(error.text, fault->file) &&
            strstr(error.text, fault->tensor) && strstr(error.text, bench->expected);
    if (!right && ranks->rank == 0)
        printf("%s: %s instead of %s with '%s', '%s', '%s': %s\n", fault->name,
               reshard_status_name(status), reshard_status_name(fault->status), fault->file,
               fault->tensor, bench->expected, error.text);
    EXPECT(ranks, right);
    load_sound(bench);
}

#define FAULT(plant, status, file, tensor)                                                         \
    {                                                                                              \
#plant, plant, RESHARD_##status, file, tensor                                              \
    }

static void faults_are_named_where_all_files_look_alike(struct ranks *ranks)
{
    static const struct fault faults[] = {
        FAULT(exchange_two_files, EFORMAT, "rank-0000", "was written by rank"),
        FAULT(exchange_two_arenas, EDIGEST, "rank-0000", "'weight'"),
        FAULT(end_one_row_later, EFORMAT, "rank-00001.h5", "'weight'"),
        FAULT(take_a_file_of_another_step, EFORMAT, "rank-00001.h5", "training step 7"),
        FAULT(take_a_file_of_another_save, EFORMAT, "rank-00001.h5", "of another save"),
        FAULT(relabel_bf16_as_f16, EFORMAT, "rank-00001.h5",
              "/tensors row 1 must be of tensor 'bias', bf16"),
        FAULT(claim_another_mesh, EFORMAT, "rank-0000", "the layout makes"),
    };
    const struct reshard_layout_options options = {.kind = RESHARD_LAYOUT_FSDP2,
                                                   .shard = (uint64_t)ranks->size};
    struct bench bench;

    bench_open(&bench, ranks, even_model(ranks), &options);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        see_fault(&bench, &faults[i]);
    bench_close(&bench);
}

static void faults_are_named_in_a_model_of_every_kind(struct ranks *ranks)
{
    static const struct fault faults[] = {
        FAULT(take_the_manifest_of_another_step, EFORMAT, "rank-0000", ""),
        FAULT(cut_a_file, EFORMAT, "rank-00002.h5", "the manifest has"),
        FAULT(remove_the_last_file, EFORMAT, "rank-00003.h5", ""),
        FAULT(put_a_directory_for_a_file, EFORMAT, "rank-00001.h5", ""),
        FAULT(put_a_pipe_for_a_file, EFORMAT, "rank-00001.h5", ""),
        FAULT(remove_the_manifest, ENOENT, MANIFEST_FILE, ""),
        FAULT(flip_an_arena_bit, EDIGEST, "rank-00001.h5", "tensor 'embed.weight'"),
        FAULT(flip_a_tensors_bit, EFORMAT, "rank-00001.h5", "/tensors and /pieces are damaged"),
        FAULT(flip_a_pieces_bit, EFORMAT, "rank-00001.h5", "/tensors and /pieces are damaged"),
        FAULT(flip_a_seal_bit, EFORMAT, "rank-00001.h5", "its trailer is damaged"),
        FAULT(claim_another_mesh, EFORMAT, "rank-0000", "the layout makes"),
        FAULT(claim_another_layout, EFORMAT, "rank-0000", "the layout makes"),
        FAULT(claim_another_digest, EDIGEST, "", "tensor 'embed.weight'"),
    };
    const struct reshard_layout_options options = {.kind = RESHARD_LAYOUT_FSDP1,
                                                   .shard = (uint64_t)ranks->size};
    struct bench bench;

    bench_open(&bench, ranks, sample_model(), &options);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        see_fault(&bench, &faults[i]);
    bench_close(&bench);
}

/* Bits over the whole of a file, HDF5's own metadata included: refused, or else a byte that nothing
 * depends on, and the values are right. */
static void a_flipped_bit_anywhere_is_refused_or_changes_nothing(struct ranks *ranks)
{
    enum { STRIDE = 397 };
    const struct reshard_layout_options options = {.kind = RESHARD_LAYOUT_FSDP2,
                                                   .shard = (uint64_t)ranks->size};
    struct bench bench;
    long bytes = 0;

    bench_open(&bench, ranks, even_model(ranks), &options);
    for (int attempt = 0; attempt == 0 || attempt * STRIDE < bytes; attempt++) {
        struct reshard_error error = RESHARD_ERROR_INIT;
        enum reshard_status status;
        char path[PATH_BYTES + 64];
        struct stat about;
        path_of(path, bench.sound, 1);
        bytes = stat(path, &about) ? 0 : (long)about.st_size;
        if (ranks->rank == 0) {
            struct image image;
            copy_sound(&bench);
            image_open(&image, &bench, 1);
            image.data[attempt * STRIDE] ^= (unsigned char)(1 << attempt % 8);
            image_close(&image);
        }
        status = load_copy(&bench, &error);
        if (status == RESHARD_OK)
            EXPECT(ranks, sample_wrong_bytes(bench.state, VALUES, RESHARD_PART_ALL) == 0);
        else
            EXPECT(ranks, status == RESHARD_EFORMAT || status == RESHARD_EDIGEST);
        EXPECT(ranks, status == RESHARD_OK || strstr(error.text, "rank-00001.h5"));
    }
    load_sound(&bench);
    bench_close(&bench);
}

static void every_flipped_bit_of_the_manifest_is_refused(struct ranks *ranks)
{
    enum { STRIDE = 89 };
    const struct reshard_layout_options options = {.kind = RESHARD_LAYOUT_DDP,
                                                   .replicate = (uint64_t)ranks->size};
    struct bench bench;
    char from[PATH_BYTES + 32], to[PATH_BYTES + 32], *text;
    uint64_t bytes;

    bench_open(&bench, ranks, even_model(ranks), &options);
    snprintf(from, sizeof from, "%s/" MANIFEST_FILE, bench.sound);
    snprintf(to, sizeof to, "%s/" MANIFEST_FILE, bench.copy);
    if (ranks->rank == 0)
        copy_sound(&bench);
    text = read_whole(from, &bytes);
    for (uint64_t at = 0; at < bytes; at += STRIDE) {
        struct reshard_error error = RESHARD_ERROR_INIT;
        text[at] = (char)(text[at] ^ 1 << at % 8);
        if (ranks->rank == 0)
            write_whole(to, text, bytes);
        EXPECT_STATUS(ranks, load_copy(&bench, &error), RESHARD_EFORMAT, &error);
        EXPECT(ranks, strstr(error.text, MANIFEST_FILE) != NULL);
        text[at] = (char)(text[at] ^ 1 << at % 8);
    }
    free(text);
    load_sound(&bench);
    bench_close(&bench);
}

/* Damage to what is not loaded is not met; nor is it repaired by loading. */
static void damage_to_the_other_part_is_not_met(struct ranks *ranks)
{
    const struct reshard_load_options optimizer = {.part = RESHARD_PART_OPTIMIZER};
    const struct reshard_load_options parameters = {.part = RESHARD_PART_MODEL};
    const struct reshard_layout_options options = {.kind = RESHARD_LAYOUT_FSDP1,
                                                   .shard = (uint64_t)ranks->size};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct bench bench;

    bench_open(&bench, ranks, sample_model(), &options);
    if (ranks->rank == 0) {
        copy_sound(&bench);
        flip_an_arena_bit(&bench); /* of a parameter */
    }
    ranks_barrier(ranks->comm);
    EXPECT_STATUS(ranks,
                  reshard_load(bench.group, bench.state, bench.copy, &optimizer, NULL, &error),
                  RESHARD_OK, &error);
    EXPECT(ranks, sample_wrong_bytes(bench.state, VALUES, RESHARD_PART_OPTIMIZER) == 0);
    EXPECT_STATUS(ranks,
                  reshard_load(bench.group, bench.state, bench.copy, &parameters, NULL, &error),
                  RESHARD_EDIGEST, &error);
    bench_close(&bench);
}

/* A model with another shape, another dtype, a tensor more and one less than the checkpoint's. */
static struct reshard_model *unlike_model(const struct ranks *ranks)
{
    const struct reshard_shape weight = {2, {3, 2 * (uint64_t)ranks->size}};
    const struct reshard_shape gain = {1, {5 * (uint64_t)ranks->size}};
    struct reshard_model *model = NULL;

    if (reshard_model_open(&model) ||
        reshard_model_add(model, "weight", "", RESHARD_DTYPE_F32, &weight, NULL) ||
        reshard_model_add(model, "gain", "", RESHARD_DTYPE_F16, &gain, NULL))
        return NULL;
    return model;
}

static void a_model_that_does_not_fit_is_told_everything_at_once(struct ranks *ranks)
{
    static const char *const told[] = {"'weight' f32 (3, ", "'gain'", "'bias'", "missing",
                                       "unknown to the model"};
    const struct reshard_layout_options options = {.kind = RESHARD_LAYOUT_FSDP2,
                                                   .shard = (uint64_t)ranks->size};
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_model *model = unlike_model(ranks);
    struct reshard_layout *layout = NULL;
    struct reshard_state *state = NULL;
    struct bench bench;

    bench_open(&bench, ranks, even_model(ranks), &options);
    EXPECT_STATUS(ranks, reshard_layout_open(&layout, model, &options, &error), RESHARD_OK, &error);
    EXPECT_STATUS(ranks, reshard_state_open(&state, layout, (uint64_t)ranks->rank), RESHARD_OK,
                  &error);
    EXPECT_STATUS(ranks, reshard_state_allocate(state, &error), RESHARD_OK, &error);
    EXPECT_STATUS(ranks, reshard_load(bench.group, state, bench.sound, NULL, NULL, &error),
                  RESHARD_EMISMATCH, &error);
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        EXPECT(ranks, strstr(error.text, told[i]) != NULL);
    EXPECT(ranks, ranks_same_text(ranks->comm, error.text));
    load_sound(&bench);
    reshard_state_close(state);
    reshard_layout_close(layout);
    reshard_model_close(model);
    bench_close(&bench);
}

int main(int argc, char **argv)
{
    static const struct ranks_test tests[] = {
        {"faults are named where all files look alike",
         faults_are_named_where_all_files_look_alike},
        {"faults are named in a model of every kind", faults_are_named_in_a_model_of_every_kind},
        {"a flipped bit anywhere is refused or changes nothing",
         a_flipped_bit_anywhere_is_refused_or_changes_nothing},
        {"every flipped bit of the manifest is refused",
         every_flipped_bit_of_the_manifest_is_refused},
        {"damage to the other part is not met", damage_to_the_other_part_is_not_met},
        {"a model that does not fit is told everything at once",
         a_model_that_does_not_fit_is_told_everything_at_once},
        {NULL, NULL},
    };

    return ranks_main(argc, argv, tests);
}
