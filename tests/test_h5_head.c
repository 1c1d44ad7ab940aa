/*
 * The head of a rank's file, which the engine encodes itself, held against the HDF5 library and its
 * tools: they must find every dataset where it was said to be, of the type that they make
 * themselves, and nothing else. Method: heads for places that are made up, in front of a file that
 * is otherwise a hole.
 */
#include "core/h5_head.h"
#include "core/rows.h"
#include "support/scratch.h"

#include <check.h>
#include <fcntl.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECES = 5, TENSORS = 3, EVERY_DTYPE = RESHARD_DTYPE_COUNT };

static char *folder;
static char path[256];
static struct container_offsets offsets;
static unsigned char head[H5_HEAD_MAX];
static const struct container_identity identity = {.step = INT64_MAX,
                                                   .writer = 1048575,
                                                   .world = 1048576,
                                                   .token = "0123456789abcdef0011223344556677"};

static void make_folder(void)
{
    folder = scratch_make("h5_head");
    (void)snprintf(path, sizeof path, "%s/rank.h5", folder);
}

static void remove_folder(void)
{
    scratch_remove(folder);
}

/* A file with an arena of `only`, or of every dtype, and names of these widths. */
static void place(int only, uint32_t fqn_bytes, uint32_t slot_bytes)
{
    uint64_t at = 0;
    offsets = (struct container_offsets){.fqn_bytes = fqn_bytes, .slot_bytes = slot_bytes};
    for (int d = RESHARD_DTYPE_NONE + 1; d < RESHARD_DTYPE_COUNT; d++)
        offsets.arena_bytes[d] = only == d || only == EVERY_DTYPE ? (uint64_t)d * 4096 : 0;
    offsets.tensors_bytes = TENSORS * rows_tensor_bytes(&offsets);
    offsets.pieces_bytes = (uint64_t)PIECES * ROWS_PIECE_BYTES;
    at = offsets.head_bytes = h5_head_encode(&identity, &offsets, head);
    for (int d = RESHARD_DTYPE_NONE + 1; d < RESHARD_DTYPE_COUNT; d++) {
        offsets.arena[d] = offsets.arena_bytes[d] ? at : 0;
        at += offsets.arena_bytes[d];
    }
    offsets.tensors = at;
    offsets.pieces = offsets.tensors + offsets.tensors_bytes;
    offsets.trailer = offsets.pieces + offsets.pieces_bytes;
    offsets.file_bytes = offsets.trailer + TRAILER_BYTES;
}

static void write_file(void)
{
    ck_assert_uint_gt(offsets.head_bytes, 0);
    ck_assert_uint_eq(offsets.head_bytes % H5_HEAD_ALIGNMENT, 0);
    ck_assert_uint_eq(h5_head_encode(&identity, &offsets, head), offsets.head_bytes);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, head, offsets.head_bytes), (ssize_t)offsets.head_bytes);
    ck_assert_int_eq(ftruncate(fd, (off_t)offsets.file_bytes), 0);
    ck_assert_int_eq(close(fd), 0);
}

/* ---- the types, by the library --------------------------------------------------------------- */

static hid_t text_type(size_t bytes)
{
    const hid_t type = H5Tcopy(H5T_C_S1);
    ck_assert(H5Tset_size(type, bytes) >= 0 && H5Tset_strpad(type, H5T_STR_NULLPAD) >= 0 &&
              H5Tset_cset(type, H5T_CSET_UTF8) >= 0);
    return type;
}

static hid_t small_float(size_t exponent, size_t mantissa, size_t bias)
{
    const hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    ck_assert(H5Tset_fields(type, 15, mantissa, exponent, 0, mantissa) >= 0 &&
              H5Tset_precision(type, 16) >= 0 && H5Tset_size(type, 2) >= 0 &&
              H5Tset_ebias(type, bias) >= 0);
    return type;
}

static hid_t complex_of(hid_t part)
{
    const size_t bytes = H5Tget_size(part);
    const hid_t type = H5Tcreate(H5T_COMPOUND, 2 * bytes);
    ck_assert(H5Tinsert(type, "r", 0, part) >= 0 && H5Tinsert(type, "i", bytes, part) >= 0);
    H5Tclose(part);
    return type;
}

static hid_t boolean(void)
{
    const hid_t type = H5Tenum_create(H5T_STD_I8LE);
    const signed char no = 0, yes = 1;
    ck_assert(H5Tenum_insert(type, "FALSE", &no) >= 0 && H5Tenum_insert(type, "TRUE", &yes) >= 0);
    return type;
}

static hid_t element_type(enum reshard_dtype dtype)
{
    switch (dtype) {
    case RESHARD_DTYPE_F64:
        return H5Tcopy(H5T_IEEE_F64LE);
    case RESHARD_DTYPE_F32:
        return H5Tcopy(H5T_IEEE_F32LE);
    case RESHARD_DTYPE_F16:
        return small_float(5, 10, 15);
    case RESHARD_DTYPE_BF16:
        return small_float(8, 7, 127);
    case RESHARD_DTYPE_C32:
        return complex_of(small_float(5, 10, 15));
    case RESHARD_DTYPE_C64:
        return complex_of(H5Tcopy(H5T_IEEE_F32LE));
    case RESHARD_DTYPE_C128:
        return complex_of(H5Tcopy(H5T_IEEE_F64LE));
    case RESHARD_DTYPE_I8:
        return H5Tcopy(H5T_STD_I8LE);
    case RESHARD_DTYPE_I16:
        return H5Tcopy(H5T_STD_I16LE);
    case RESHARD_DTYPE_I32:
        return H5Tcopy(H5T_STD_I32LE);
    case RESHARD_DTYPE_I64:
        return H5Tcopy(H5T_STD_I64LE);
    case RESHARD_DTYPE_U16:
        return H5Tcopy(H5T_STD_U16LE);
    case RESHARD_DTYPE_U32:
        return H5Tcopy(H5T_STD_U32LE);
    case RESHARD_DTYPE_U64:
        return H5Tcopy(H5T_STD_U64LE);
    case RESHARD_DTYPE_BOOL:
        return boolean();
    default:
        return H5Tcopy(H5T_STD_U8LE);
    }
}

static void insert(hid_t compound, const char *name, size_t offset, hid_t member)
{
    ck_assert(H5Tinsert(compound, name, offset, member) >= 0);
    H5Tclose(member);
}

static hid_t eight_sizes(void)
{
    const hsize_t eight = 8;
    return H5Tarray_create2(H5T_STD_U64LE, 1, &eight);
}

static hid_t tensors_type(void)
{
    const size_t names = offsets.fqn_bytes + offsets.slot_bytes;
    const hid_t type = H5Tcreate(H5T_COMPOUND, names + 84);
    insert(type, "fqn", 0, text_type(offsets.fqn_bytes));
    insert(type, "slot", offsets.fqn_bytes, text_type(offsets.slot_bytes));
    insert(type, "dtype", names, text_type(16));
    insert(type, "ndim", names + 16, H5Tcopy(H5T_STD_U32LE));
    insert(type, "shape", names + 20, eight_sizes());
    return type;
}

static hid_t pieces_type(void)
{
    const hid_t type = H5Tcreate(H5T_COMPOUND, 152);
    insert(type, "tensor", 0, H5Tcopy(H5T_STD_U32LE));
    insert(type, "ndim", 4, H5Tcopy(H5T_STD_U32LE));
    insert(type, "begin", 8, eight_sizes());
    insert(type, "end", 72, eight_sizes());
    insert(type, "offset", 136, H5Tcopy(H5T_STD_U64LE));
    insert(type, "contribution", 144, H5Tcopy(H5T_STD_U64LE));
    return type;
}

/* ---- what the library finds ------------------------------------------------------------------ */

/* `type` is closed. */
static void check_attribute(hid_t object, const char *name, hid_t type, const void *value)
{
    unsigned char found[64] = {0};
    const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    ck_assert_msg(attribute >= 0, "no attribute %s", name);
    const hid_t own = H5Aget_type(attribute), space = H5Aget_space(attribute);
    ck_assert_msg(H5Tequal(own, type) > 0, "attribute %s is of another type", name);
    ck_assert_int_eq(H5Sget_simple_extent_type(space), H5S_SCALAR);
    ck_assert_uint_le(H5Tget_size(type), sizeof found);
    ck_assert_int_ge(H5Aread(attribute, type, found), 0);
    ck_assert_msg(memcmp(found, value, H5Tget_size(type)) == 0, "attribute %s is another", name);
    H5Sclose(space);
    H5Tclose(own);
    H5Tclose(type);
    H5Aclose(attribute);
}

/* Hard, and without times, which would make equal content differ in bytes. */
static void check_object(hid_t file, const char *name, hsize_t attributes)
{
    H5O_info_t about;
    H5L_info_t link;
    ck_assert_int_ge(H5Lget_info(file, name, &link, H5P_DEFAULT), 0);
    ck_assert_int_eq(link.type, H5L_TYPE_HARD);
    ck_assert_int_ge(H5Oget_info_by_name2(file, name, &about, H5O_INFO_ALL, H5P_DEFAULT), 0);
    ck_assert(about.ctime == 0 && about.mtime == 0 && about.rc == 1);
    ck_assert_uint_eq(about.num_attrs, attributes);
}

/* `type` is closed. */
static void check_dataset(hid_t file, const char *name, hid_t type, uint64_t offset, uint64_t bytes)
{
    hsize_t rows = 0;
    const hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
    ck_assert_msg(dataset >= 0, "no dataset %s", name);
    const hid_t own = H5Dget_type(dataset), space = H5Dget_space(dataset),
                create = H5Dget_create_plist(dataset);
    H5D_space_status_t allocated = H5D_SPACE_STATUS_ERROR;
    ck_assert_msg(H5Tequal(own, type) > 0, "%s is of another type", name);
    ck_assert_int_eq(H5Sget_simple_extent_ndims(space), 1);
    ck_assert_int_eq(H5Sget_simple_extent_dims(space, &rows, NULL), 1);
    ck_assert_uint_eq(rows * H5Tget_size(type), bytes);
    ck_assert_int_eq(H5Pget_layout(create), H5D_CONTIGUOUS);
    ck_assert_int_ge(H5Dget_space_status(dataset, &allocated), 0);
    ck_assert_int_eq(allocated, H5D_SPACE_STATUS_ALLOCATED);
    ck_assert_uint_eq(H5Dget_storage_size(dataset), bytes);
    ck_assert_uint_eq(H5Dget_offset(dataset), offset);
    H5Pclose(create);
    H5Sclose(space);
    H5Tclose(own);
    H5Tclose(type);
    H5Dclose(dataset);
}

static void check_root(hid_t file)
{
    const uint32_t version = TRAILER_VERSION;
    check_attribute(file, "format", text_type(7), "reshard");
    check_attribute(file, "version", H5Tcopy(H5T_STD_U32LE), &version);
    check_attribute(file, "step", H5Tcopy(H5T_STD_U64LE), &identity.step);
    check_attribute(file, "writer", H5Tcopy(H5T_STD_U64LE), &identity.writer);
    check_attribute(file, "world", H5Tcopy(H5T_STD_U64LE), &identity.world);
    check_attribute(file, "token", text_type(RESHARD_TOKEN_DIGITS), identity.token);
    H5O_info_t root;
    ck_assert_int_ge(H5Oget_info2(file, &root, H5O_INFO_ALL), 0);
    ck_assert_uint_eq(root.num_attrs, 6);
    check_object(file, "tensors", 0);
    check_object(file, "pieces", 0);
    check_object(file, "trailer", 0);
    check_object(file, "arena", 0);
    check_dataset(file, "tensors", tensors_type(), offsets.tensors, offsets.tensors_bytes);
    check_dataset(file, "pieces", pieces_type(), offsets.pieces, offsets.pieces_bytes);
    check_dataset(file, "trailer", H5Tcopy(H5T_STD_U8LE), offsets.trailer, TRAILER_BYTES);
}

static void check_links(hid_t file, const char *name, hsize_t count)
{
    H5G_info_t info;
    ck_assert_int_ge(H5Gget_info_by_name(file, name, &info, H5P_DEFAULT), 0);
    ck_assert_uint_eq(info.nlinks, count);
    ck_assert_int_eq(info.storage_type, H5G_STORAGE_TYPE_COMPACT);
}

static void check_file(void)
{
    hsize_t arenas = 0;
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    ck_assert_int_ge(file, 0);
    check_root(file);
    for (int d = RESHARD_DTYPE_NONE + 1; d < RESHARD_DTYPE_COUNT; d++) {
        char name[64];
        const char *const dtype = reshard_dtype_name((enum reshard_dtype)d);
        (void)snprintf(name, sizeof name, "arena/%s", dtype);
        ck_assert_int_eq(H5Lexists(file, name, H5P_DEFAULT), offsets.arena_bytes[d] > 0);
        if (offsets.arena_bytes[d] == 0)
            continue;
        check_object(file, name, 1);
        check_dataset(file, name, element_type((enum reshard_dtype)d), offsets.arena[d],
                      offsets.arena_bytes[d]);
        const hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
        check_attribute(dataset, "dtype", text_type(strlen(dtype)), dtype);
        H5Dclose(dataset);
        arenas++;
    }
    check_links(file, "/", 4);
    check_links(file, "/arena", arenas);
    ck_assert_int_ge(H5Fclose(file), 0);
}

START_TEST(the_library_finds_an_arena_of_each_dtype)
{
    place(_i, 2, 1);
    write_file();
    check_file();
}
END_TEST

/* Widths around those at which the encoding of a row's type changes its lengths. */
static const uint32_t widths[] = {2, 100, 170, 171, 172, 173, 512, 1023, 1024};

START_TEST(the_library_finds_arenas_of_all_dtypes_beside_names_of_any_width)
{
    place(EVERY_DTYPE, widths[_i], 1);
    write_file();
    check_file();
    place(EVERY_DTYPE, widths[_i], 1024);
    write_file();
    check_file();
}
END_TEST

static void run(const char *tool, const char *arguments)
{
    char command[900];
    (void)snprintf(command, sizeof command, "command -v %s >/dev/null", tool);
    if (system(command) != 0) {
        (void)printf("skipped: no %s in PATH\n", tool);
        return;
    }
    (void)snprintf(command, sizeof command, "%s %s >%s/out 2>%s/err && test ! -s %s/err", tool,
                   arguments, folder, folder, folder);
    ck_assert_msg(system(command) == 0, "fails or complains: %s", command);
}

START_TEST(tools_read_it_without_a_word)
{
    char arguments[700];
    place(EVERY_DTYPE, 1024, 1024);
    write_file();
    (void)snprintf(arguments, sizeof arguments, "%s", path);
    run("h5dump", arguments);
    (void)snprintf(arguments, sizeof arguments, "-rv %s", path);
    run("h5ls", arguments);
    (void)snprintf(arguments, sizeof arguments, "%s", path);
    run("h5stat", arguments);
    (void)snprintf(arguments, sizeof arguments, "%s %s/again.h5", path, folder);
    run("h5repack", arguments);
    (void)snprintf(arguments, sizeof arguments, "%s %s/again.h5", path, folder);
    run("h5diff", arguments);
}
END_TEST

/* But for c32: numpy has no complex number of half floats. */
START_TEST(h5py_reads_it)
{
    static const char python[] = "/usr/bin/python3";
    char command[900];
    (void)snprintf(command, sizeof command, "%s -c 'import h5py' 2>/dev/null", python);
    if (system(command) != 0) {
        (void)printf("skipped: %s has no h5py\n", python);
        return;
    }
    place(EVERY_DTYPE, 20, 10);
    write_file();
    (void)snprintf(
        command, sizeof command,
        "%s -c \"import h5py; f = h5py.File('%s', 'r'); a = f['arena'];"
        " assert len(a) == 22 and sorted(f) == ['arena', 'pieces', 'tensors', 'trailer'];"
        " assert all(a[k].attrs['dtype'].decode() == k and not a[k][:].any()"
        " for k in a if k != 'c32' and a[k].dtype.kind in 'fiub'); assert a['bool'].dtype == bool;"
        " assert a['f16'].dtype == 'f2' and a['c64'].dtype == 'c8' and a['c128'].dtype == 'c16';"
        " assert f.attrs['token'].decode() == '%s' and f.attrs['step'] == 2**63 - 1;"
        " assert f['pieces'][:]['begin'].shape == (5, 8) and len(f['trailer'][:]) == 512\"",
        python, path, identity.token);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(equal_arguments_give_equal_bytes_and_places_do_not_change_its_length)
{
    unsigned char again[H5_HEAD_MAX];
    memset(again, 0xa5, sizeof again);
    place(EVERY_DTYPE, 1024, 1024);
    ck_assert_uint_eq(h5_head_encode(&identity, &offsets, head), offsets.head_bytes);
    ck_assert_uint_eq(h5_head_encode(&identity, &offsets, again), offsets.head_bytes);
    ck_assert_mem_eq(head, again, sizeof again);
    ck_assert_uint_le(offsets.head_bytes, H5_HEAD_MAX / 2);
    place(RESHARD_DTYPE_F32, 40, 11);
    ck_assert_uint_eq(offsets.head_bytes, H5_HEAD_ALIGNMENT);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("h5_head");
    TCase *const heads = tcase_create("heads");
    tcase_add_checked_fixture(heads, make_folder, remove_folder);
    tcase_set_timeout(heads, 60);
    tcase_add_loop_test(heads, the_library_finds_an_arena_of_each_dtype, RESHARD_DTYPE_NONE + 1,
                        RESHARD_DTYPE_COUNT);
    tcase_add_loop_test(heads, the_library_finds_arenas_of_all_dtypes_beside_names_of_any_width, 0,
                        (int)(sizeof widths / sizeof *widths));
    tcase_add_test(heads, tools_read_it_without_a_word);
    tcase_add_test(heads, h5py_reads_it);
    tcase_add_test(heads, equal_arguments_give_equal_bytes_and_places_do_not_change_its_length);
    suite_add_tcase(suite, heads);
    SRunner *const runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
