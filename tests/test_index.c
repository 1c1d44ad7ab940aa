/*
 * The index: every full tensor under its name, as h5dump and h5py show it. Method: a checkpoint of
 * eight ranks is written by the engine, element e of tensor t being the number t + e; the tools are
 * then asked for every tensor, and their answers compared number by number.
 */
#include "core/index.h"
#include "core/optimizer.h"
#include "core/writer.h"
#include "support/scratch.h"

#include <check.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOKEN "00112233445566778899aabbccddeeff"

enum { RANKS = 8, STEP = 3, TENSORS_MAX = 64 };

static char *folder;
static char path[320];
static struct reshard_model *model;
static struct reshard_layout *layout;
static struct manifest manifest;
static uint64_t digests[TENSORS_MAX];
static struct manifest_file files[RANKS];

static void add(const char *fqn, const char *unit, enum reshard_dtype dtype,
                struct reshard_shape shape)
{
    ck_assert_int_eq(reshard_model_add(model, fqn, unit, dtype, &shape, NULL), RESHARD_OK);
}

/* torch's Linear(4, 4) under AdamW, and what is odd: bf16, integers, booleans, complex numbers,
 * scalars, no elements, more elements in a row than a rank has, names that HDF5 cannot have. */
static void make_model(void)
{
    const struct reshard_optimizer adamw = {.name = RESHARD_OPTIMIZER_ADAMW,
                                            .dtype = RESHARD_DTYPE_F32};
    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    add("weight", "", RESHARD_DTYPE_F32, (struct reshard_shape){2, {4, 4}});
    add("bias", "", RESHARD_DTYPE_F32, (struct reshard_shape){1, {4}});
    add("half/100%", "h", RESHARD_DTYPE_BF16, (struct reshard_shape){3, {3, 5, 7}});
    add("..", "h", RESHARD_DTYPE_BF16, (struct reshard_shape){2, {0, 4}});
    add("scale", "h", RESHARD_DTYPE_BF16, (struct reshard_shape){0, {0}});
    add("counts", "", RESHARD_DTYPE_I64, (struct reshard_shape){1, {3}});
    add("bytes", "", RESHARD_DTYPE_U8, (struct reshard_shape){0, {0}});
    add("e4m3", "", RESHARD_DTYPE_F8_E4M3FN, (struct reshard_shape){1, {2}});
    ck_assert_int_eq(reshard_optimizer_extend(model, &adamw, NULL), RESHARD_OK);
    ck_assert_int_eq(reshard_model_tie(model, "a/tie", "weight", NULL), RESHARD_OK);
    ck_assert_uint_le(reshard_model_tensor_count(model), TENSORS_MAX);
}

/* The number t + e as an element; sums stay below 256, which bf16 has exactly. */
static void put_element(enum reshard_dtype dtype, uint64_t number, unsigned char *out)
{
    const float value = (float)number;
    if (dtype == RESHARD_DTYPE_F32)
        memcpy(out, &value, 4);
    else if (dtype == RESHARD_DTYPE_BF16)
        memcpy(out, (const unsigned char *)&value + 2, 2);
    else
        memcpy(out, &number, reshard_dtype_bytes(dtype));
}

/* A rank's packed local memory of one tensor. */
static unsigned char *make_local(uint32_t t, uint64_t rank)
{
    const struct reshard_tensor *const tensor = reshard_model_tensor(model, t);
    const struct reshard_box whole = reshard_box_whole(&tensor->shape);
    const size_t bytes = reshard_dtype_bytes(tensor->dtype);
    struct reshard_box_list boxes = RESHARD_BOX_LIST_INIT;
    unsigned char *const local = calloc(tensor->count + 1, bytes);
    unsigned char *at = local;
    ck_assert_ptr_nonnull(local);
    ck_assert_int_eq(reshard_layout_boxes(layout, t, rank, &boxes), RESHARD_OK);
    for (uint64_t i = 0; i < boxes.count; i++) {
        struct reshard_box_runs runs = reshard_box_runs(&boxes.box[i], &whole, &boxes.box[i]);
        while (reshard_box_runs_next(&runs)) {
            for (uint64_t e = 0; e < runs.count; e++)
                put_element(tensor->dtype, t + runs.source + e, at + (runs.target + e) * bytes);
        }
        at += reshard_box_count(&boxes.box[i]) * bytes;
    }
    reshard_box_list_release(&boxes);
    return local;
}

static void write_rank(uint64_t rank)
{
    unsigned char *local[TENSORS_MAX];
    struct arena_pieces pieces;
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct manifest_file *const file = &files[manifest.file_count];
    struct container_identity identity = {.step = STEP, .writer = rank, .world = RANKS};
    ck_assert_int_eq(arena_pieces_of(&pieces, layout, rank, NULL), RESHARD_OK);
    if (pieces.count == 0)
        return;
    memcpy(identity.token, manifest.token, sizeof identity.token);
    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++)
        local[t] = make_local(t, rank);
    manifest_file_name(rank, file->name);
    file->writer = rank;
    char *const name = store_path(folder, file->name);
    const enum reshard_status status =
        writer_write(store_posix(), name, model, &pieces, &identity, (const void *const *)local,
                     NULL, &file->bytes, &file->seal, &error);
    ck_assert_msg(status == RESHARD_OK, "%s", error.text);
    for (uint64_t i = 0; i < pieces.count; i++)
        digests[pieces.piece[i].tensor] ^= pieces.piece[i].contribution;
    manifest.file_count++;
    free(name);
    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++)
        free(local[t]);
    arena_pieces_release(&pieces);
}

static void make_checkpoint(void)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    folder = scratch_make("index");
    (void)snprintf(path, sizeof path, "%s/" INDEX_FILE, folder);
    make_model();
    memset(digests, 0, sizeof digests);
    manifest = (struct manifest){.step = STEP,
                                 .world = RANKS,
                                 .token = TOKEN,
                                 .layout = {.kind = RESHARD_LAYOUT_FSDP1, .shard = RANKS},
                                 .model = model,
                                 .digest = digests,
                                 .file = files};
    ck_assert_int_eq(reshard_layout_open(&layout, model, &manifest.layout, NULL), RESHARD_OK);
    for (uint64_t rank = 0; rank < RANKS; rank++)
        write_rank(rank);
    const enum reshard_status status =
        index_write(store_posix(), folder, &manifest, layout, &error);
    ck_assert_msg(status == RESHARD_OK, "%s", error.text);
}

static void remove_checkpoint(void)
{
    reshard_layout_close(layout);
    reshard_model_close(model);
    scratch_remove(folder);
}

/* A tensor's dataset: the names that are escaped are spelt out, as the format has them. */
static void dataset_name(const struct reshard_tensor *tensor, char *out, size_t size)
{
    const char *fqn = tensor->fqn;
    if (strcmp(fqn, "half/100%") == 0)
        fqn = "half%2F100%25";
    else if (strcmp(fqn, "..") == 0)
        fqn = "%2E%2E";
    if (*tensor->slot)
        (void)snprintf(out, size, "/optim/state/%s/%s", fqn, tensor->slot);
    else
        (void)snprintf(out, size, "/model/%s", fqn);
}

/* The numbers that h5dump prints of a dataset: how many, and whether all are t, t + 1, ... */
static uint64_t dump(const char *name, uint32_t t)
{
    char command[512];
    double number;
    uint64_t count = 0;
    (void)snprintf(command, sizeof command,
                   "h5dump -y -w 1 -d '%s' '%s' | sed -e '1,/DATA {/d' -e '/}/,$d' | tr ',' ' '",
                   name, path);
    FILE *const tool = popen(command, "re");
    ck_assert_ptr_nonnull(tool);
    while (fscanf(tool, "%lf", &number) == 1) {
        ck_assert_msg(number == (double)(t + count), "%s: %g at %u", name, number, (unsigned)count);
        count++;
    }
    ck_assert_int_eq(pclose(tool), 0);
    return count;
}

START_TEST(h5dump_shows_every_element_of_every_tensor)
{
    if (system("command -v h5dump >/dev/null") != 0) {
        (void)puts("skipped: no h5dump in PATH");
        return;
    }
    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++) {
        char name[256];
        const struct reshard_tensor *const tensor = reshard_model_tensor(model, t);
        dataset_name(tensor, name, sizeof name);
        ck_assert_msg(dump(name, t) == tensor->count, "%s: elements are missing", name);
    }
    ck_assert_uint_eq(dump("/model/a%2Ftie", 0), 16);
}
END_TEST

START_TEST(h5py_shows_every_element_of_every_tensor)
{
    static const char python[] = "/usr/bin/python3";
    char script[256];
    char command[600];
    (void)snprintf(command, sizeof command, "%s -c 'import h5py' 2>/dev/null", python);
    if (system(command) != 0) {
        (void)printf("skipped: %s has no h5py\n", python);
        return;
    }
    (void)snprintf(script, sizeof script, "%s/check.py", folder);
    FILE *const file = fopen(script, "we");
    ck_assert_ptr_nonnull(file);
    (void)fputs("import h5py, numpy, sys\n"
                "index = h5py.File(sys.argv[1], 'r')\n"
                "def check(name, t, shape, dtype, digest):\n"
                "    d = index[name]\n"
                "    n = numpy.prod(shape, dtype=int)\n"
                "    assert d.shape == shape, (name, d.shape)\n"
                "    assert d.attrs['dtype'].decode() == dtype, name\n"
                "    assert d.attrs['digest'].decode() == digest, name\n"
                "    assert (numpy.ravel(d[()]) == t + numpy.arange(n)).all(), (name, d[()])\n",
                file);
    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++) {
        char name[256];
        const struct reshard_tensor *const tensor = reshard_model_tensor(model, t);
        dataset_name(tensor, name, sizeof name);
        (void)fprintf(file, "check('%s', %u, (", name, t);
        for (uint32_t d = 0; d < tensor->shape.ndim; d++)
            (void)fprintf(file, "%u,", (unsigned)tensor->shape.size[d]);
        (void)fprintf(file, "), '%s', '%016llx')\n", reshard_dtype_name(tensor->dtype),
                      (unsigned long long)digests[t]);
    }
    (void)fputs("assert index['/model/a%2Ftie'] == index['/model/weight']\n", file);
    ck_assert_int_eq(fclose(file), 0);
    (void)snprintf(command, sizeof command, "%s '%s' '%s'", python, script, path);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

static void read_weight(float *weight)
{
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    const hid_t dataset = H5Dopen2(file, "/model/weight", H5P_DEFAULT);
    ck_assert_int_ge(H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, weight), 0);
    H5Dclose(dataset);
    H5Fclose(file);
}

START_TEST(what_a_missing_file_held_shows_as_nan)
{
    float weight[16];
    char *const name = store_path(folder, files[0].name);
    ck_assert_int_eq(unlink(name), 0);
    free(name);
    read_weight(weight);
    ck_assert(weight[0] != weight[0]);
    ck_assert_float_eq(weight[15], 15.0F);
}
END_TEST

START_TEST(the_index_follows_a_directory_that_moves)
{
    float weight[16];
    char moved[300];
    (void)snprintf(moved, sizeof moved, "%s.moved", folder);
    ck_assert_int_eq(rename(folder, moved), 0);
    (void)snprintf(path, sizeof path, "%s/" INDEX_FILE, moved);
    read_weight(weight);
    for (int i = 0; i < 16; i++)
        ck_assert_float_eq(weight[i], (float)i);
    ck_assert_int_eq(rename(moved, folder), 0);
}
END_TEST

START_TEST(equal_checkpoints_give_equal_bytes)
{
    char *first;
    char *second;
    uint64_t first_bytes;
    uint64_t second_bytes;
    ck_assert_int_eq(store_read_file(store_posix(), path, 1 << 26, &first, &first_bytes, NULL), 0);
    void *const stain = memset(malloc(1 << 20), 0xa5, 1 << 20);
    free(stain);
    ck_assert_int_eq(index_write(store_posix(), folder, &manifest, layout, NULL), RESHARD_OK);
    ck_assert_int_eq(store_read_file(store_posix(), path, 1 << 26, &second, &second_bytes, NULL),
                     0);
    ck_assert_uint_eq(first_bytes, second_bytes);
    ck_assert_mem_eq(first, second, first_bytes);
    free(first);
    free(second);
}
END_TEST

/* The names in the directory that begin with that. */
static uint64_t count_names(const char *begin)
{
    char **names = NULL;
    uint64_t count = 0, found = 0;
    ck_assert_int_eq(store_list(store_posix(), folder, &names, &count, NULL), RESHARD_OK);
    for (uint64_t i = 0; i < count; i++)
        found += strncmp(names[i], begin, strlen(begin)) == 0;
    store_names_free(names, count);
    return found;
}

/* A link is replaced, not followed; so are the remains of a write that was cut short. */
START_TEST(what_stands_in_its_place_is_replaced)
{
    float weight[16];
    char other[340], partial[400], *text = NULL;
    uint64_t bytes;
    (void)snprintf(other, sizeof other, "%s/other", folder);
    (void)snprintf(partial, sizeof partial, "%s/.index." TOKEN ".partial", folder);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(store_write_file(store_posix(), other, "keep", 4, NULL), RESHARD_OK);
    ck_assert_int_eq(symlink("other", path), 0);
    ck_assert_int_eq(symlink("other", partial), 0);
    ck_assert_int_eq(index_write(store_posix(), folder, &manifest, layout, NULL), RESHARD_OK);
    ck_assert_int_eq(store_read_file(store_posix(), other, 100, &text, &bytes, NULL), RESHARD_OK);
    ck_assert_str_eq(text, "keep");
    free(text);
    read_weight(weight);
    ck_assert_float_eq(weight[15], 15.0F);
    ck_assert_uint_eq(count_names(".index"), 0);
}
END_TEST

START_TEST(it_has_the_token_of_the_checkpoint)
{
    char token[33] = "";
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    const hid_t attribute = H5Aopen(file, "token", H5P_DEFAULT);
    const hid_t type = H5Aget_type(attribute);
    ck_assert_uint_eq(H5Tget_size(type), 32);
    ck_assert_int_eq(H5Tget_strpad(type), H5T_STR_NULLPAD);
    ck_assert_int_ge(H5Aread(attribute, type, token), 0);
    ck_assert_str_eq(token, TOKEN);
    H5Tclose(type);
    H5Aclose(attribute);
    H5Fclose(file);
}
END_TEST

/* The library knows in the whole process which files are open; ours is none. */
START_TEST(a_program_may_have_the_index_open)
{
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    struct reshard_error error = RESHARD_ERROR_INIT;
    ck_assert_int_ge(file, 0);
    ck_assert_msg(!index_write(store_posix(), folder, &manifest, layout, &error), "%s", error.text);
    ck_assert_int_ge(H5Fclose(file), 0);
}
END_TEST

/* A store of which one operation fails. */
struct full_store {
    struct store store;
    struct store_ops ops;
};

static enum reshard_status refuse_create(struct store *store, const char *at, enum store_mode mode,
                                         struct store_file **out, struct reshard_error *error)
{
    (void)store;
    if (mode == STORE_CREATE)
        return reshard_error_set(error, RESHARD_ENOSPC, "%s: no space", at);
    return store_open(store_posix(), at, mode, out, error);
}

static enum reshard_status refuse_rename(struct store *store, const char *from, const char *to,
                                         struct reshard_error *error)
{
    (void)store;
    (void)from;
    return reshard_error_set(error, RESHARD_EIO, "%s: cannot rename", to);
}

START_TEST(a_store_that_fails_is_told_and_leaves_nothing_half_written)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct full_store full = {.ops = *store_posix()->ops};
    full.store.ops = &full.ops;
    full.ops.open = refuse_create;
    ck_assert_int_eq(index_write(&full.store, folder, &manifest, layout, &error), RESHARD_ENOSPC);
    ck_assert_ptr_nonnull(strstr(error.text, ".index." TOKEN ".partial: no space"));
    ck_assert_uint_eq(count_names("index.h5"), 1);
    full.ops.open = store_posix()->ops->open;
    full.ops.rename = refuse_rename;
    reshard_error_clear(&error);
    ck_assert_int_eq(index_write(&full.store, folder, &manifest, layout, &error), RESHARD_EIO);
    ck_assert_uint_eq(count_names(".index"), 0);
}
END_TEST

START_TEST(the_callers_error_printing_is_left_as_it_was)
{
    H5E_auto2_t before = NULL, after = NULL;
    void *data = NULL;
    ck_assert_int_ge(H5Eget_auto2(H5E_DEFAULT, &before, &data), 0);
    ck_assert_int_eq(index_write(store_posix(), folder, &manifest, layout, NULL), RESHARD_OK);
    ck_assert_int_ge(H5Eget_auto2(H5E_DEFAULT, &after, &data), 0);
    ck_assert(before == after && after);
    ck_assert_int_eq(H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
}
END_TEST

START_TEST(a_directory_that_is_not_there_is_not_found)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    ck_assert_int_eq(index_write(store_posix(), "absent", &manifest, layout, &error),
                     RESHARD_ENOENT);
    ck_assert_ptr_nonnull(strstr(error.text, "absent/"));
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("index");
    TCase *const views = tcase_create("views");
    tcase_add_checked_fixture(views, make_checkpoint, remove_checkpoint);
    tcase_set_timeout(views, 60);
    tcase_add_test(views, h5dump_shows_every_element_of_every_tensor);
    tcase_add_test(views, h5py_shows_every_element_of_every_tensor);
    tcase_add_test(views, what_a_missing_file_held_shows_as_nan);
    tcase_add_test(views, the_index_follows_a_directory_that_moves);
    tcase_add_test(views, equal_checkpoints_give_equal_bytes);
    tcase_add_test(views, what_stands_in_its_place_is_replaced);
    tcase_add_test(views, it_has_the_token_of_the_checkpoint);
    tcase_add_test(views, a_program_may_have_the_index_open);
    tcase_add_test(views, a_store_that_fails_is_told_and_leaves_nothing_half_written);
    tcase_add_test(views, the_callers_error_printing_is_left_as_it_was);
    tcase_add_test(views, a_directory_that_is_not_there_is_not_found);
    suite_add_tcase(suite, views);
    SRunner *const runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
