#include "verify/container.h"

#include <hdf5.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum {
    STRING_MAX = 64,
    PATH_MAX_BYTES = 96,
    ARENA_ALIGNMENT = 4096,
    EXTENTS_MAX = RESHARD_DTYPE_COUNT + 3,
};

/* libhdf5 need not be built thread-safe; this makes the verifier's use of it so. */
static pthread_mutex_t hdf5_lock = PTHREAD_MUTEX_INITIALIZER;

/* One file under inspection. */
struct look {
    hid_t file;
    uint64_t bytes;
    struct reshard_error *error;
};

static enum reshard_status wrong(const struct look *look, const char *where, const char *what)
{
    return reshard_error_set(look->error, RESHARD_EFORMAT, "%s %s", where, what);
}

/* --- types ------------------------------------------------------------------------------------ */

static hid_t narrow_float(size_t exponent_bits, size_t mantissa_bits, size_t bias)
{
    const hid_t type = H5Tcopy(H5T_IEEE_F32LE);

    if (H5Tset_fields(type, 15, mantissa_bits, exponent_bits, 0, mantissa_bits) < 0 ||
        H5Tset_precision(type, 16) < 0 || H5Tset_size(type, 2) < 0 ||
        H5Tset_ebias(type, bias) < 0) {
        H5Tclose(type);
        return H5I_INVALID_HID;
    }
    return type;
}

static hid_t boolean_type(void)
{
    const hid_t type = H5Tenum_create(H5T_STD_I8LE);
    const signed char no = 0;
    const signed char yes = 1;

    H5Tenum_insert(type, "FALSE", &no);
    H5Tenum_insert(type, "TRUE", &yes);
    return type;
}

static hid_t complex_type(hid_t part)
{
    const size_t bytes = H5Tget_size(part);
    const hid_t type = H5Tcreate(H5T_COMPOUND, 2 * bytes);

    H5Tinsert(type, "r", 0, part);
    H5Tinsert(type, "i", bytes, part);
    H5Tclose(part);
    return type;
}

static hid_t integer_type(enum reshard_dtype dtype)
{
    switch (dtype) {
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
    default: /* u8, and "every 8-bit float and f4_e2m1fn_x2 is u8" */
        return H5Tcopy(H5T_STD_U8LE);
    }
}

/* The HDF5 type that an arena must have. */
static hid_t arena_type(enum reshard_dtype dtype)
{
    switch (dtype) {
    case RESHARD_DTYPE_F64:
        return H5Tcopy(H5T_IEEE_F64LE);
    case RESHARD_DTYPE_F32:
        return H5Tcopy(H5T_IEEE_F32LE);
    case RESHARD_DTYPE_F16:
        return narrow_float(5, 10, 15);
    case RESHARD_DTYPE_BF16:
        return narrow_float(8, 7, 127);
    case RESHARD_DTYPE_C32:
        return complex_type(narrow_float(5, 10, 15));
    case RESHARD_DTYPE_C64:
        return complex_type(H5Tcopy(H5T_IEEE_F32LE));
    case RESHARD_DTYPE_C128:
        return complex_type(H5Tcopy(H5T_IEEE_F64LE));
    case RESHARD_DTYPE_BOOL:
        return boolean_type();
    default:
        return integer_type(dtype);
    }
}

static bool equal_and_close(hid_t type, hid_t wanted)
{
    const bool equal = H5Tequal(type, wanted) > 0;

    H5Tclose(wanted);
    return equal;
}

/* --- attributes ------------------------------------------------------------------------------- */

/* A fixed-length string, padded or terminated by zeros. */
static bool read_string_attribute(hid_t object, const char *name, char value[STRING_MAX + 1])
{
    const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    const hid_t type = H5Aget_type(attribute);
    const hid_t space = H5Aget_space(attribute);
    bool good = attribute >= 0 && H5Tget_class(type) == H5T_STRING &&
                H5Tis_variable_str(type) == 0 && H5Tget_size(type) <= STRING_MAX &&
                H5Sget_simple_extent_npoints(space) == 1;

    memset(value, 0, STRING_MAX + 1);
    good = good && H5Aread(attribute, type, value) >= 0;
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(attribute);
    return good;
}

static bool read_number_attribute(hid_t object, const char *name, hid_t wanted, uint64_t *value)
{
    const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    const hid_t type = H5Aget_type(attribute);
    const hid_t space = H5Aget_space(attribute);
    bool good =
        attribute >= 0 && H5Tequal(type, wanted) > 0 && H5Sget_simple_extent_npoints(space) == 1;

    *value = 0;
    good = good && H5Aread(attribute, type, value) >= 0;
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(attribute);
    return good;
}

static enum reshard_status inspect_root(const struct look *look, struct verify_container *out)
{
    char format[STRING_MAX + 1];
    uint64_t version;

    if (!read_string_attribute(look->file, "format", format) || strcmp(format, "reshard") != 0)
        return wrong(look, "attribute format", "is not the fixed string reshard");
    if (!read_number_attribute(look->file, "version", H5T_STD_U32LE, &version) || version != 1)
        return wrong(look, "attribute version", "is not the u32 1");
    if (!read_number_attribute(look->file, "step", H5T_STD_U64LE, &out->step) ||
        !read_number_attribute(look->file, "writer", H5T_STD_U64LE, &out->writer) ||
        !read_number_attribute(look->file, "world", H5T_STD_U64LE, &out->world))
        return wrong(look, "attributes step, writer and world", "are not all u64");
    return RESHARD_OK;
}

/* --- datasets --------------------------------------------------------------------------------- */

/* Contiguous, one-dimensional, allocated, in this file; its extent within the file's bytes. */
static bool find_extent(const struct look *look, hid_t dataset, struct verify_extent *out)
{
    const hid_t plist = H5Dget_create_plist(dataset);
    const hid_t space = H5Dget_space(dataset);
    const hid_t type = H5Dget_type(dataset);
    const bool plain = H5Pget_layout(plist) == H5D_CONTIGUOUS &&
                       H5Pget_external_count(plist) == 0 && H5Sget_simple_extent_ndims(space) == 1;
    const haddr_t offset = plain ? H5Dget_offset(dataset) : HADDR_UNDEF;
    const hssize_t rows = plain ? H5Sget_simple_extent_npoints(space) : 0;
    uint64_t bytes = 0;
    bool good;

    *out = (struct verify_extent){offset, rows > 0 ? (uint64_t)rows : 0, H5Tget_size(type)};
    good = offset != HADDR_UNDEF && out->rows > 0 && out->row_bytes > 0 &&
           !__builtin_mul_overflow(out->rows, out->row_bytes, &bytes) && bytes <= look->bytes &&
           offset <= look->bytes - bytes;
    H5Tclose(type);
    H5Sclose(space);
    H5Pclose(plist);
    return good;
}

static enum reshard_status inspect_arena(const struct look *look, const char *name,
                                         struct verify_container *out)
{
    const enum reshard_dtype dtype = reshard_dtype_from_name(name);
    char path[PATH_MAX_BYTES];
    char attribute[STRING_MAX + 1];
    enum reshard_status status = RESHARD_OK;
    hid_t dataset;
    hid_t type;

    if (dtype == RESHARD_DTYPE_NONE)
        return wrong(look, "/arena", "has a member that is no dtype's name");
    snprintf(path, sizeof path, "/arena/%s", name);
    dataset = H5Dopen2(look->file, path, H5P_DEFAULT);
    type = H5Dget_type(dataset);
    if (dataset < 0)
        status = wrong(look, path, "is no dataset");
    else if (!read_string_attribute(dataset, "dtype", attribute) || strcmp(attribute, name) != 0)
        status = wrong(look, path, "has no attribute dtype that says the same as its name");
    else if (!equal_and_close(type, arena_type(dtype)))
        status = wrong(look, path, "is not of the HDF5 type of its dtype");
    else if (!find_extent(look, dataset, &out->arena[dtype]))
        status = wrong(look, path, "is no contiguous, one-dimensional dataset within the file");
    else if (out->arena[dtype].offset % ARENA_ALIGNMENT != 0 ||
             out->arena[dtype].rows * out->arena[dtype].row_bytes % ARENA_ALIGNMENT != 0)
        status = wrong(look, path, "does not begin and end at multiples of 4,096 bytes");
    H5Tclose(type);
    H5Dclose(dataset);
    return status;
}

static enum reshard_status inspect_arenas(const struct look *look, struct verify_container *out)
{
    enum reshard_status status = RESHARD_OK;
    const hid_t group = H5Gopen2(look->file, "/arena", H5P_DEFAULT);
    H5G_info_t about = {.nlinks = 0};

    if (group < 0 || H5Gget_info(group, &about) < 0)
        status = wrong(look, "/arena", "is no group");
    if (!status && (about.nlinks == 0 || about.nlinks >= RESHARD_DTYPE_COUNT))
        status = wrong(look, "/arena", "has not one dataset for each dtype of the file");
    for (hsize_t i = 0; i < about.nlinks && !status; ++i) {
        char name[STRING_MAX] = "";
        const ssize_t length = H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, name,
                                                  sizeof name, H5P_DEFAULT);

        status = length > 0 && (size_t)length < sizeof name
                     ? inspect_arena(look, name, out)
                     : wrong(look, "/arena", "has a member that is no dtype's name");
    }
    H5Gclose(group);
    return status;
}

/* A member of a compound: its name and offset, and its type, which the caller closes. */
static hid_t member_type(hid_t compound, unsigned number, const char *name, size_t offset)
{
    char *found = H5Tget_member_name(compound, number);
    const bool same =
        found && strcmp(found, name) == 0 && H5Tget_member_offset(compound, number) == offset;

    H5free_memory(found);
    return same ? H5Tget_member_type(compound, number) : H5I_INVALID_HID;
}

static bool member_is(hid_t compound, unsigned number, const char *name, size_t offset, hid_t type)
{
    const hid_t member = member_type(compound, number, name, offset);
    const bool same = member >= 0 && H5Tequal(member, type) > 0;

    H5Tclose(member);
    return same;
}

/* Eight u64. */
static bool member_is_vector(hid_t compound, unsigned number, const char *name, size_t offset)
{
    const hsize_t dims[1] = {VERIFY_DIMS_MAX};
    const hid_t array = H5Tarray_create2(H5T_STD_U64LE, 1, dims);
    const bool same = member_is(compound, number, name, offset, array);

    H5Tclose(array);
    return same;
}

/* A fixed string; its length in *bytes, 0 when it is none. */
static void member_string(hid_t compound, unsigned number, const char *name, size_t offset,
                          size_t *bytes)
{
    const hid_t member = member_type(compound, number, name, offset);
    const bool fixed = member >= 0 && H5Tget_class(member) == H5T_STRING &&
                       H5Tis_variable_str(member) == 0 && H5Tget_size(member) <= VERIFY_NAME_MAX;

    *bytes = fixed ? H5Tget_size(member) : 0;
    H5Tclose(member);
}

static bool is_tensors_type(hid_t type, struct verify_container *out)
{
    size_t dtype_bytes = 0;
    size_t at;

    if (H5Tget_class(type) != H5T_COMPOUND || H5Tget_nmembers(type) != 5)
        return false;
    member_string(type, 0, "fqn", 0, &out->fqn_bytes);
    member_string(type, 1, "slot", out->fqn_bytes, &out->slot_bytes);
    at = out->fqn_bytes + out->slot_bytes;
    member_string(type, 2, "dtype", at, &dtype_bytes);
    at += dtype_bytes;
    return out->fqn_bytes > 0 && out->slot_bytes > 0 && dtype_bytes == VERIFY_TENSOR_DTYPE_BYTES &&
           member_is(type, 3, "ndim", at, H5T_STD_U32LE) &&
           member_is_vector(type, 4, "shape", at + 4) && H5Tget_size(type) == at + 4 + 64;
}

static bool is_pieces_type(hid_t type, struct verify_container *out)
{
    (void)out;
    return H5Tget_class(type) == H5T_COMPOUND && H5Tget_nmembers(type) == 6 &&
           H5Tget_size(type) == VERIFY_PIECE_BYTES &&
           member_is(type, 0, "tensor", 0, H5T_STD_U32LE) &&
           member_is(type, 1, "ndim", 4, H5T_STD_U32LE) && member_is_vector(type, 2, "begin", 8) &&
           member_is_vector(type, 3, "end", 72) &&
           member_is(type, 4, "offset", 136, H5T_STD_U64LE) &&
           member_is(type, 5, "contribution", 144, H5T_STD_U64LE);
}

static bool is_seal_type(hid_t type, struct verify_container *out)
{
    (void)out;
    return H5Tequal(type, H5T_STD_U64LE) > 0;
}

struct table {
    const char *path;
    bool (*is_type)(hid_t type, struct verify_container *out);
    struct verify_extent *extent;
};

static enum reshard_status inspect_table(const struct look *look, const struct table *table,
                                         struct verify_container *out)
{
    const hid_t dataset = H5Dopen2(look->file, table->path, H5P_DEFAULT);
    const hid_t type = H5Dget_type(dataset);
    enum reshard_status status = RESHARD_OK;

    if (dataset < 0)
        status = wrong(look, table->path, "is no dataset");
    else if (!table->is_type(type, out))
        status = wrong(look, table->path, "is not of the type that version 1 has");
    else if (!find_extent(look, dataset, table->extent))
        status =
            wrong(look, table->path, "is no contiguous, one-dimensional dataset within the file");
    H5Tclose(type);
    H5Dclose(dataset);
    return status;
}

/* --- the whole -------------------------------------------------------------------------------- */

static bool overlap(const struct verify_extent *a, const struct verify_extent *b)
{
    return a->rows > 0 && b->rows > 0 && a->offset < b->offset + b->rows * b->row_bytes &&
           b->offset < a->offset + a->rows * a->row_bytes;
}

static enum reshard_status inspect_extents(const struct look *look,
                                           const struct verify_container *out)
{
    const struct verify_extent *extent[EXTENTS_MAX] = {&out->tensors, &out->pieces, &out->seal};

    for (int dtype = 0; dtype < RESHARD_DTYPE_COUNT; ++dtype)
        extent[3 + dtype] = &out->arena[dtype];
    for (int a = 0; a < EXTENTS_MAX; ++a) {
        for (int b = 0; b < a; ++b) {
            if (overlap(extent[a], extent[b]))
                return wrong(look, "two datasets", "lie over each other");
        }
    }
    return RESHARD_OK;
}

static enum reshard_status inspect(const struct look *look, struct verify_container *out)
{
    const struct table tables[] = {{"/tensors", is_tensors_type, &out->tensors},
                                   {"/pieces", is_pieces_type, &out->pieces},
                                   {"/seal", is_seal_type, &out->seal}};
    H5G_info_t about = {.nlinks = 0};
    enum reshard_status status = inspect_root(look, out);

    if (!status && (H5Gget_info(look->file, &about) < 0 || about.nlinks != 4))
        status = wrong(look, "/", "has not the four members arena, tensors, pieces and seal");
    for (size_t i = 0; i < sizeof tables / sizeof tables[0] && !status; ++i)
        status = inspect_table(look, &tables[i], out);
    if (!status && out->seal.rows != 1)
        status = wrong(look, "/seal", "has more than one number");
    if (!status)
        status = inspect_arenas(look, out);
    return status ? status : inspect_extents(look, out);
}

enum reshard_status verify_container_inspect(struct verify_container *out, const char *path,
                                             uint64_t bytes, struct reshard_error *error)
{
    struct look look = {.bytes = bytes, .error = error};
    enum reshard_status status;
    H5E_auto2_t print = NULL;
    void *print_data = NULL;
    hid_t access;

    memset(out, 0, sizeof *out);
    pthread_mutex_lock(&hdf5_lock);
    H5Eget_auto2(H5E_DEFAULT, &print, &print_data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    H5Pset_file_locking(access, false, true);
    look.file = H5Fopen(path, H5F_ACC_RDONLY, access);
    if (look.file < 0)
        status = reshard_error_set(error, RESHARD_EFORMAT, "HDF5 cannot open it: it is damaged");
    else
        status = inspect(&look, out);
    H5Fclose(look.file);
    H5Pclose(access);
    H5Eset_auto2(H5E_DEFAULT, print, print_data);
    pthread_mutex_unlock(&hdf5_lock);
    return status;
}
