#include "verify/container.h"

#include "verify/h5.h"

#include <stdio.h>
#include <string.h>

enum {
    PATH_MAX_BYTES = 96,
    ARENA_ALIGNMENT = 4096,
    EXTENTS_MAX = RESHARD_DTYPE_COUNT + 3,
};

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

/* --- attributes ------------------------------------------------------------------------------- */

static enum reshard_status inspect_root(const struct look *look, struct verify_container *out)
{
    char format[VERIFY_H5_STRING_MAX + 1];
    uint64_t version;

    if (!verify_h5_string(look->file, "format", format) || strcmp(format, "reshard") != 0)
        return wrong(look, "attribute format", "is not the fixed string reshard");
    if (!verify_h5_number(look->file, "version", H5T_STD_U32LE, &version) || version != 1)
        return wrong(look, "attribute version", "is not the u32 1");
    if (!verify_h5_number(look->file, "step", H5T_STD_U64LE, &out->step) ||
        !verify_h5_number(look->file, "writer", H5T_STD_U64LE, &out->writer) ||
        !verify_h5_number(look->file, "world", H5T_STD_U64LE, &out->world))
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
    char attribute[VERIFY_H5_STRING_MAX + 1];
    enum reshard_status status = RESHARD_OK;
    hid_t dataset;
    hid_t type;

    if (dtype == RESHARD_DTYPE_NONE)
        return wrong(look, "/arena", "has a member that is no dtype's name");
    snprintf(path, sizeof path, "/arena/%s", name);
    dataset = verify_h5_dataset(look->file, path);
    type = H5Dget_type(dataset);
    if (dataset < 0)
        status = wrong(look, path, "is no dataset of this file");
    else if (!verify_h5_string(dataset, "dtype", attribute) || strcmp(attribute, name) != 0)
        status = wrong(look, path, "has no attribute dtype that says the same as its name");
    else if (!verify_h5_is_dtype(type, dtype))
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
    const hid_t group = verify_h5_group(look->file, "/arena");
    H5G_info_t about = {.nlinks = 0};

    if (group < 0 || H5Gget_info(group, &about) < 0)
        status = wrong(look, "/arena", "is no group of this file");
    if (!status && (about.nlinks == 0 || about.nlinks >= RESHARD_DTYPE_COUNT))
        status = wrong(look, "/arena", "has not one dataset for each dtype of the file");
    for (hsize_t i = 0; i < about.nlinks && !status; ++i) {
        char name[VERIFY_H5_STRING_MAX] = "";
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
    const hid_t dataset = verify_h5_dataset(look->file, table->path);
    const hid_t type = H5Dget_type(dataset);
    enum reshard_status status = RESHARD_OK;

    if (dataset < 0)
        status = wrong(look, table->path, "is no dataset of this file");
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
    struct verify_h5 h5;
    enum reshard_status status;

    memset(out, 0, sizeof *out);
    look.file = verify_h5_open(&h5, path);
    if (look.file < 0)
        status = reshard_error_set(error, RESHARD_EFORMAT, "HDF5 cannot open it: it is damaged");
    else
        status = inspect(&look, out);
    verify_h5_close(&h5);
    return status;
}
