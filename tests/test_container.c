/*
 * A rank's file: what is written is read back, HDF5 finds it, equal content has equal bytes, and
 * nothing that is not what the format says is believed. Method: a small file is made by the engine,
 * then damaged in one place: a bit of its trailer or tables, a field of a table or of the trailer
 * (with the CRCs and the seal made right again), or all of it.
 */
#include "core/container.h"
#include "core/digest.h"
#include "core/rows.h"
#include "core/writer.h"
#include "support/scratch.h"

#include <check.h>
#include <hdf5.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *folder;
static char path[256];
static struct reshard_model *model;
static struct reshard_layout *layout;
static struct arena_pieces pieces;
static struct trailer trailer; /* of the file as it was written */
static struct manifest manifest;
static struct manifest_file entry;
static const struct container_identity identity = {
    .step = 7, .writer = 1, .world = 3, .token = "0123456789abcdef0123456789abcdef"};

static void make_folder(void)
{
    folder = scratch_make("container");
    (void)snprintf(path, sizeof path, "%s/rank-00001.h5", folder);
}

static void remove_folder(void)
{
    arena_pieces_release(&pieces);
    reshard_layout_close(layout);
    reshard_model_close(model);
    layout = NULL;
    model = NULL;
    scratch_remove(folder);
}

static void add(const char *fqn, enum reshard_dtype dtype, uint64_t rows, uint64_t columns)
{
    const struct reshard_shape shape = {2, {rows, columns}};
    ck_assert_int_eq(reshard_model_add(model, fqn, "", dtype, &shape, NULL), RESHARD_OK);
}

static unsigned char *read_bytes(const char *from, uint64_t *bytes)
{
    char *data = NULL;
    ck_assert_int_eq(store_read_file(store_posix(), from, 1 << 26, &data, bytes, NULL), RESHARD_OK);
    return (unsigned char *)data;
}

/* Write a file of `pieces` at `to`, every element of tensor t being the bytes t + 1, and have a
 * manifest of it. */
static void write_file(const char *to)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    const uint32_t tensors = reshard_model_tensor_count(model);
    unsigned char *local[32];
    uint64_t bytes;
    ck_assert_uint_le(tensors, 32);
    for (uint32_t t = 0; t < tensors; t++) {
        const struct reshard_tensor *const tensor = reshard_model_tensor(model, t);
        const size_t size = tensor->count * reshard_dtype_bytes(tensor->dtype) + 1;
        local[t] = memset(malloc(size), (int)t + 1, size);
    }
    manifest = (struct manifest){.step = identity.step,
                                 .world = identity.world,
                                 .model = model,
                                 .file = &entry,
                                 .file_count = 1};
    memcpy(manifest.token, identity.token, sizeof manifest.token);
    entry.writer = identity.writer;
    const enum reshard_status status =
        writer_write(store_posix(), to, model, &pieces, &identity, (const void *const *)local, NULL,
                     &entry.bytes, &entry.seal, &error);
    ck_assert_msg(status == RESHARD_OK, "%s", error.text);
    unsigned char *const data = read_bytes(to, &bytes);
    ck_assert_uint_eq(bytes, entry.bytes);
    ck_assert_int_eq(trailer_decode(&trailer, data + bytes - TRAILER_BYTES, to, NULL), RESHARD_OK);
    ck_assert_uint_eq(trailer.seal, entry.seal);
    free(data);
    for (uint32_t t = 0; t < tensors; t++)
        free(local[t]);
}

static void layout_of(enum reshard_layout_kind kind, uint64_t shard)
{
    const struct reshard_layout_options options = {.kind = kind, .shard = shard};
    ck_assert_int_eq(reshard_layout_open(&layout, model, &options, NULL), RESHARD_OK);
}

/* The usual file: the second rank of two. It has two boxes of a flattened tensor, and owns, since
 * the bytes went to the first, two small tensors of other dtypes, one of them a scalar slot. */
static void make_file(void)
{
    const struct reshard_shape scalar = {0, {0}};
    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    add("first.weight", RESHARD_DTYPE_F32, 4, 4);
    add("second.weight", RESHARD_DTYPE_F32, 5, 4);
    add("bytes", RESHARD_DTYPE_U8, 16, 16);
    add("counts", RESHARD_DTYPE_I64, 2, 2);
    ck_assert_int_eq(reshard_model_add_slot(model, "second.weight", "step", RESHARD_DTYPE_F64,
                                            &scalar, false, NULL),
                     RESHARD_OK);
    layout_of(RESHARD_LAYOUT_FSDP1, 2);
    ck_assert_int_eq(arena_pieces_of(&pieces, layout, 1, NULL), RESHARD_OK);
    ck_assert_uint_eq(pieces.count, 4);
    write_file(path);
}

static void write_bytes(const unsigned char *data, uint64_t bytes)
{
    FILE *const file = fopen(path, "wbe");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, bytes, file), bytes);
    ck_assert_int_eq(fclose(file), 0);
}

static bool is_as_written(const struct container *container)
{
    unsigned char found[TRAILER_BYTES], written[TRAILER_BYTES];
    struct trailer read = container->trailer;
    trailer_encode(&read, found);
    trailer_encode(&trailer, written);
    bool same = memcmp(found, written, TRAILER_BYTES) == 0 &&
                container->trailer.seal == trailer.seal && container->pieces.count == pieces.count;
    for (int d = 0; d < RESHARD_DTYPE_COUNT; d++)
        same = same && container->pieces.elements[d] == pieces.elements[d];
    for (uint64_t i = 0; same && i < pieces.count; i++) {
        const struct arena_piece *const a = &container->pieces.piece[i];
        const struct arena_piece *const b = &pieces.piece[i];
        same = a->tensor == b->tensor && reshard_box_equal(&a->box, &b->box) &&
               a->count == b->count && a->offset == b->offset && a->contribution == b->contribution;
    }
    return same;
}

static enum reshard_status read_file(struct container *out, struct reshard_error *error)
{
    struct store_file *file = NULL;
    enum reshard_status status = store_open(store_posix(), path, STORE_READ, &file, error);
    if (!status)
        status = container_read(out, file, &manifest, &entry, layout, error);
    return reshard_first_failure(status, store_close(file, NULL));
}

static void assert_reads(void)
{
    struct container container = CONTAINER_INIT;
    struct reshard_error error = RESHARD_ERROR_INIT;
    const enum reshard_status status = read_file(&container, &error);
    ck_assert_msg(status == RESHARD_OK, "%s", error.text);
    ck_assert(is_as_written(&container));
    container_release(&container);
}

/* Refused with EFORMAT, by a message that names the file and says `reason`. */
static void assert_refused(const char *reason)
{
    struct container container = CONTAINER_INIT;
    struct reshard_error error = RESHARD_ERROR_INIT;
    ck_assert_int_eq(read_file(&container, &error), RESHARD_EFORMAT);
    ck_assert_msg(strncmp(error.text, path, strlen(path)) == 0 && strstr(error.text, reason),
                  "'%s' should name the file and say '%s'", error.text, reason);
    ck_assert_ptr_null(container.pieces.piece);
}

START_TEST(what_is_written_is_read_back)
{
    make_file();
    assert_reads();
}
END_TEST

START_TEST(every_dtype_has_an_arena_that_is_read_back)
{
    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    for (int d = RESHARD_DTYPE_NONE + 1; d < RESHARD_DTYPE_COUNT; d++)
        add(reshard_dtype_name((enum reshard_dtype)d), (enum reshard_dtype)d, 40, (uint64_t)d);
    layout_of(RESHARD_LAYOUT_FSDP2, 3);
    ck_assert_int_eq(arena_pieces_of(&pieces, layout, 1, NULL), RESHARD_OK);
    write_file(path);
    assert_reads();
    for (int d = RESHARD_DTYPE_NONE + 1; d < RESHARD_DTYPE_COUNT; d++) {
        ck_assert_uint_gt(trailer.offsets.arena[d], 0);
        ck_assert_uint_eq(trailer.offsets.arena[d] % ARENA_ALIGNMENT, 0);
        ck_assert_uint_eq(trailer.offsets.arena_bytes[d] % ARENA_ALIGNMENT, 0);
    }
}
END_TEST

START_TEST(equal_content_gives_equal_bytes)
{
    char again[256];
    uint64_t first_bytes;
    uint64_t second_bytes;
    make_file();
    (void)snprintf(again, sizeof again, "%s/again.h5", folder);
    unsigned char *const stain = malloc(1 << 20); /* what memory held before must not show */
    ck_assert_ptr_nonnull(stain);
    memset(stain, 0xa5, 1 << 20);
    free(stain);
    write_file(again);
    unsigned char *const first = read_bytes(path, &first_bytes);
    unsigned char *const second = read_bytes(again, &second_bytes);
    ck_assert_uint_eq(first_bytes, trailer.offsets.file_bytes);
    ck_assert_uint_eq(second_bytes, first_bytes);
    ck_assert_mem_eq(first, second, first_bytes);
    free(first);
    free(second);
}
END_TEST

/* Where the engine put it, HDF5 finds it: the head agrees with the trailer. */
START_TEST(hdf5_finds_what_the_trailer_states)
{
    float row[1024];
    unsigned char last[TRAILER_BYTES], state[TRAILER_BYTES];
    uint64_t bytes;
    make_file();
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    ck_assert_int_ge(file, 0);
    const struct {
        const char *name;
        uint64_t offset;
    } datasets[] = {{"/arena/f32", trailer.offsets.arena[RESHARD_DTYPE_F32]},
                    {"/arena/f64", trailer.offsets.arena[RESHARD_DTYPE_F64]},
                    {"/arena/i64", trailer.offsets.arena[RESHARD_DTYPE_I64]},
                    {"/tensors", trailer.offsets.tensors},
                    {"/pieces", trailer.offsets.pieces},
                    {"/trailer", trailer.offsets.trailer}};
    for (size_t i = 0; i < sizeof datasets / sizeof *datasets; i++) {
        const hid_t dataset = H5Dopen2(file, datasets[i].name, H5P_DEFAULT);
        ck_assert_msg(dataset >= 0 && H5Dget_offset(dataset) == datasets[i].offset, "%s",
                      datasets[i].name);
        H5Dclose(dataset);
    }
    const hid_t arena = H5Dopen2(file, "/arena/f32", H5P_DEFAULT);
    ck_assert_int_ge(H5Dread(arena, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, row), 0);
    H5Dclose(arena);
    const hid_t end = H5Dopen2(file, "/trailer", H5P_DEFAULT);
    ck_assert_int_ge(H5Dread(end, H5T_NATIVE_UCHAR, H5S_ALL, H5S_ALL, H5P_DEFAULT, last), 0);
    H5Dclose(end);
    ck_assert_int_ge(H5Fclose(file), 0);
    unsigned char *const data = read_bytes(path, &bytes);
    ck_assert_mem_eq(row, data + trailer.offsets.arena[RESHARD_DTYPE_F32], sizeof row);
    trailer_encode(&trailer, state);
    ck_assert_mem_eq(last, state, sizeof last);
    ck_assert_mem_eq(data + bytes - TRAILER_BYTES, state, sizeof state);
    ck_assert_uint_eq(trailer.head_crc, digest_crc(0, data, trailer.offsets.head_bytes));
    free(data);
}
END_TEST

START_TEST(a_rank_without_pieces_gets_no_file)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    ck_assert_int_eq(writer_write(store_posix(), path, model, &pieces, &identity, NULL, NULL,
                                  &entry.bytes, &entry.seal, &error),
                     RESHARD_EINVAL);
    ck_assert_ptr_nonnull(strstr(error.text, path));
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

/* Element counts whose bytes, or whose sum, are no file's: nothing may wrap around. */
START_TEST(a_file_beyond_what_files_can_be_is_refused)
{
    static unsigned char head[H5_HEAD_MAX];
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct trailer planned;
    make_file();
    pieces.elements[RESHARD_DTYPE_F32] = UINT64_MAX / 4;
    ck_assert_int_eq(container_plan(&planned, head, model, &pieces, &identity, path, &error),
                     RESHARD_EOVERFLOW);
    pieces.elements[RESHARD_DTYPE_F32] = (INT64_MAX - ARENA_ALIGNMENT) / 4;
    reshard_error_clear(&error);
    ck_assert_int_eq(container_plan(&planned, head, model, &pieces, &identity, path, &error),
                     RESHARD_EOVERFLOW);
    ck_assert_ptr_nonnull(strstr(error.text, "2^63"));
}
END_TEST

START_TEST(a_file_of_another_size_is_refused_by_its_size)
{
    char expected[64];
    make_file();
    (void)snprintf(expected, sizeof expected, "has %" PRIu64 " bytes; the manifest has %" PRIu64,
                   entry.bytes, entry.bytes + 1);
    entry.bytes++;
    assert_refused(expected);
}
END_TEST

START_TEST(a_file_without_a_trailer_is_named_for_what_it_may_be)
{
    unsigned char bytes[5000];
    make_file();
    memset(bytes, 'x', sizeof bytes);
    write_bytes(bytes, entry.bytes = sizeof bytes);
    assert_refused("is no rank's file");
    memcpy(bytes, H5_HEAD_SIGNATURE, 8);
    write_bytes(bytes, sizeof bytes);
    assert_refused("ends without a trailer: it is of version 1, or damaged");
    write_bytes(bytes, entry.bytes = TRAILER_BYTES - 1);
    assert_refused("has 511 bytes, too few for a trailer");
    write_bytes(bytes, entry.bytes = 0);
    assert_refused("has 0 bytes, too few for a trailer");
}
END_TEST

/* Elements are the digests' business, the head is the verifier's: no load goes by it. */
START_TEST(no_flipped_bit_is_believed)
{
    uint64_t bytes;
    make_file();
    unsigned char *const data = read_bytes(path, &bytes);
    for (uint64_t at = trailer.offsets.tensors; at < bytes; at++) {
        struct container container = CONTAINER_INIT;
        struct reshard_error error = RESHARD_ERROR_INIT;
        const unsigned char bit = (unsigned char)(1U << at % 8);
        data[at] ^= bit;
        write_bytes(data, bytes);
        data[at] ^= bit;
        ck_assert_msg(read_file(&container, &error) == RESHARD_EFORMAT,
                      "byte %" PRIu64 ": a changed file was believed", at);
        ck_assert_msg(strncmp(error.text, path, strlen(path)) == 0,
                      "byte %" PRIu64 ": '%s' does not name the file", at, error.text);
    }
    free(data);
}
END_TEST

START_TEST(a_head_of_other_bytes_is_not_looked_at)
{
    uint64_t bytes;
    make_file();
    unsigned char *const data = read_bytes(path, &bytes);
    memset(data, 0xff, trailer.offsets.head_bytes);
    write_bytes(data, bytes);
    free(data);
    assert_reads();
}
END_TEST

static void put_number(unsigned char *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (unsigned char)(value >> 8 * i);
}

/* Make the CRC of the tables and the seal right again, here and in the manifest. */
static void reseal(unsigned char *data, uint64_t bytes)
{
    unsigned char *const last = data + bytes - TRAILER_BYTES;
    put_number(last + 136,
               digest_crc(0, data + trailer.offsets.tensors,
                          trailer.offsets.tensors_bytes + trailer.offsets.pieces_bytes),
               8);
    entry.seal = digest_crc(0, last, 504);
    put_number(last + 504, entry.seal, 8);
    write_bytes(data, bytes);
}

/* A field of a table, changed where the seal does not tell. Rows of /tensors: 14 bytes of FQN, 5 of
 * slot, 16 of dtype, 4 of ndim, 64 of shape. */
enum { FQN = 0, SLOT = 14, DTYPE = 19, NDIM = 35, SHAPE = 39, TENSOR_ROW = 103 };
enum { TENSOR = 0, BOX_NDIM = 4, BEGIN = 8, END = 72, OFFSET = 136, PIECE_ROW = 152 };
static const struct {
    bool of_pieces;
    unsigned row;
    unsigned field;
    unsigned char value;
    const char *reason;
} planted[] = {
    {false, 0, FQN, 'g', "/tensors row 0 must be of tensor 'second.weight', f32 [0:5, 0:4]"},
    {false, 0, FQN + 13, 'x', "/tensors row 0 must be"},
    {false, 1, SLOT, 'x', "/tensors row 1 must be"},
    {false, 0, DTYPE, 'u', "/tensors row 0 must be"},
    {false, 0, NDIM, 9, "/tensors row 0 must be"},
    {false, 0, SHAPE, 6, "/tensors row 0 must be"},
    {false, 0, SHAPE + 63, 1, "/tensors row 0 must be"},
    {true, 0, TENSOR, 1, "/pieces row 0 must be piece"},
    {true, 0, TENSOR + 3, 0xff, "/pieces row 0 must be piece"},
    {true, 0, BOX_NDIM, 9, "/pieces row 0 must be piece"},
    {true, 0, BEGIN + 7, 0x80, "/pieces row 0 must be piece"},
    {true, 0, END, 200, "/pieces row 0 must be piece"},
    {true, 0, END + 63, 1, "/pieces row 0 must be piece"},
    {true, 0, OFFSET, 1, "of tensor 'second.weight', at element 0 of its arena"},
    {true, 1, OFFSET + 7, 0x80, "/pieces row 1 must be piece"},
};

START_TEST(a_changed_field_is_refused_though_the_seal_agrees)
{
    uint64_t bytes;
    make_file();
    ck_assert_uint_eq(trailer.offsets.tensors_bytes % TENSOR_ROW, 0);
    ck_assert_uint_eq(trailer.offsets.pieces_bytes, pieces.count * PIECE_ROW);
    unsigned char *const data = read_bytes(path, &bytes);
    const uint64_t row = planted[_i].row;
    data[(planted[_i].of_pieces ? trailer.offsets.pieces + row * PIECE_ROW
                                : trailer.offsets.tensors + row * TENSOR_ROW) +
         planted[_i].field] = planted[_i].value;
    reseal(data, bytes);
    free(data);
    assert_refused(planted[_i].reason);
}
END_TEST

/* A field of the trailer, with the seal made right again: what it claims must be what the layout
 * makes, whatever that would cost to go by. */
static const struct {
    unsigned field;
    int bytes;
    uint64_t value;
    const char *reason;
} claims[] = {
    {8, 4, 1, "version 1; this release reads version 2"},
    {8, 4, 3, "version 3 is newer than this release reads (2)"},
    {12, 4, 23, "has 23 dtypes; version 2 has 22"},
    {16, 8, 8, "training step 8, but the manifest is of step 7"},
    {24, 8, 2, "rank 2 of 3, but the manifest expects rank 1 of 3"},
    {32, 8, 4, "rank 1 of 4, but the manifest expects rank 1 of 3"},
    {40, 1, 'f', "has the token f123456789abcdef0123456789abcdef, but the manifest has 0123"},
    {40, 1, 'G', "is not of 32 hexadecimal digits"},
    {72, 8, UINT64_MAX, "its trailer has the end at byte 18446744073709551615"},
    {80, 8, UINT64_C(1) << 60, "its trailer has the head at byte 0 with 1152921504606846976"},
    {96, 8, 0, "its trailer has /tensors at byte 0"},
    {104, 8, UINT64_C(1) << 40, "its trailer has /tensors at byte"},
    {112, 4, 1024, "its trailer has names of 1024 and"},
    {116, 4, UINT32_MAX, "its trailer has names of 14 and 4294967295"},
    {120, 8, UINT64_MAX - 1, "its trailer has /pieces at byte"},
    {128, 8, UINT64_C(152) << 32, "its trailer has /pieces at byte"},
    {144, 8, 0, "its trailer has /arena/f64 at byte 0"},
    {144 + 16 + 8, 8, UINT64_MAX, "its trailer has /arena/f32 at byte"},
    {144 + 21 * 16 + 8, 8, 4096, "its trailer has /arena/bool at byte 0 with 4096"},
    {496, 8, 1, "must be zero"},
};

START_TEST(a_claim_that_is_not_the_layouts_is_refused_though_the_seal_agrees)
{
    uint64_t bytes;
    make_file();
    unsigned char *const data = read_bytes(path, &bytes);
    put_number(data + bytes - TRAILER_BYTES + claims[_i].field, claims[_i].value, claims[_i].bytes);
    reseal(data, bytes);
    free(data);
    assert_refused(claims[_i].reason);
}
END_TEST

START_TEST(a_file_of_another_save_is_refused_by_its_seal)
{
    make_file();
    entry.seal ^= 1;
    assert_refused("it is not the file that was saved");
}
END_TEST

START_TEST(a_file_that_the_layout_does_not_make_is_refused_by_its_size)
{
    make_file();
    reshard_layout_close(layout);
    layout_of(RESHARD_LAYOUT_DDP, 1);
    assert_refused("bytes; the layout makes");
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("container");
    TCase *const files = tcase_create("files");
    tcase_add_checked_fixture(files, make_folder, remove_folder);
    tcase_set_timeout(files, 60);
    tcase_add_test(files, what_is_written_is_read_back);
    tcase_add_test(files, every_dtype_has_an_arena_that_is_read_back);
    tcase_add_test(files, equal_content_gives_equal_bytes);
    tcase_add_test(files, hdf5_finds_what_the_trailer_states);
    tcase_add_test(files, a_rank_without_pieces_gets_no_file);
    tcase_add_test(files, a_file_beyond_what_files_can_be_is_refused);
    tcase_add_test(files, a_file_of_another_size_is_refused_by_its_size);
    tcase_add_test(files, a_file_without_a_trailer_is_named_for_what_it_may_be);
    tcase_add_test(files, no_flipped_bit_is_believed);
    tcase_add_loop_test(files, a_changed_field_is_refused_though_the_seal_agrees, 0,
                        (int)(sizeof planted / sizeof *planted));
    tcase_add_test(files, a_head_of_other_bytes_is_not_looked_at);
    tcase_add_loop_test(files, a_claim_that_is_not_the_layouts_is_refused_though_the_seal_agrees, 0,
                        (int)(sizeof claims / sizeof *claims));
    tcase_add_test(files, a_file_of_another_save_is_refused_by_its_seal);
    tcase_add_test(files, a_file_that_the_layout_does_not_make_is_refused_by_its_size);
    suite_add_tcase(suite, files);
    SRunner *const runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
