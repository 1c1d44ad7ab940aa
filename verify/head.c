#include "verify/head.h"

#include "verify/h5.h"

#include <stdio.h>
#include <string.h>

enum { PATH_MAX_BYTES = 96, MEMBERS = 4 };

/* One file under inspection. */
struct look {
    hid_t file;
    const struct verify_trailer *trailer;
    struct reshard_error *error;
};

static enum reshard_status wrong(const struct look *look, const char *where, const char *what)
{
    return reshard_error_set(look->error, RESHARD_EFORMAT, "%s %s", where, what);
}

/* --- attributes ------------------------------------------------------------------------------- */

static bool number_is(const struct look *look, const char *name, hid_t type, uint64_t expected)
{
    uint64_t value;

    return verify_h5_number(look->file, name, type, &value) && value == expected;
}

static enum reshard_status inspect_root(const struct look *look)
{
    const struct verify_trailer *trailer = look->trailer;
    char text[VERIFY_H5_STRING_MAX + 1];

    if (!verify_h5_string(look->file, "format", text) || strcmp(text, "reshard") != 0)
        return wrong(look, "attribute format", "is not the fixed string reshard");
    if (!number_is(look, "version", H5T_STD_U32LE, VERIFY_VERSION))
        return wrong(look, "attribute version", "is not the u32 2");
    if (!number_is(look, "step", H5T_STD_U64LE, trailer->step) ||
        !number_is(look, "writer", H5T_STD_U64LE, trailer->writer) ||
        !number_is(look, "world", H5T_STD_U64LE, trailer->world))
        return wrong(look, "attributes step, writer and world", "are not the u64 of the trailer");
    if (!verify_h5_string(look->file, "token", text) || strcmp(text, trailer->token) != 0)
        return wrong(look, "attribute token", "is not the trailer's");
    return RESHARD_OK;
}

/* --- datasets --------------------------------------------------------------------------------- */

/* Contiguous, one-dimensional, allocated, in this file, and just there. */
static bool lies_at(hid_t dataset, const struct verify_extent *expected)
{
    const hid_t plist = H5Dget_create_plist(dataset);
    const bool plain = H5Pget_layout(plist) == H5D_CONTIGUOUS && H5Pget_external_count(plist) == 0;
    const hid_t space = plain ? H5Dget_space(dataset) : H5I_INVALID_HID;
    const hid_t type = H5Dget_type(dataset);
    const bool good = plain && H5Sget_simple_extent_ndims(space) == 1 &&
                      H5Sget_simple_extent_npoints(space) == (hssize_t)expected->rows &&
                      H5Tget_size(type) == expected->row_bytes &&
                      H5Dget_offset(dataset) == expected->offset;

    H5Tclose(type);
    H5Sclose(space);
    H5Pclose(plist);
    return good;
}

static enum reshard_status inspect_arena(const struct look *look, enum reshard_dtype dtype)
{
    const char *name = reshard_dtype_name(dtype);
    char path[PATH_MAX_BYTES];
    char attribute[VERIFY_H5_STRING_MAX + 1];
    enum reshard_status status = RESHARD_OK;
    hid_t dataset;
    hid_t type;

    snprintf(path, sizeof path, "/arena/%s", name);
    dataset = verify_h5_dataset(look->file, path);
    type = H5Dget_type(dataset);
    if (dataset < 0)
        status = wrong(look, path, "is no dataset of this file");
    else if (!verify_h5_string(dataset, "dtype", attribute) || strcmp(attribute, name) != 0)
        status = wrong(look, path, "has no attribute dtype that says the same as its name");
    else if (!verify_h5_is_dtype(type, dtype))
        status = wrong(look, path, "is not of the HDF5 type of its dtype");
    else if (!lies_at(dataset, &look->trailer->arena[dtype]))
        status =
            wrong(look, path, "is not where the trailer says, contiguous and in one dimension");
    H5Tclose(type);
    H5Dclose(dataset);
    return status;
}

static enum reshard_status inspect_arenas(const struct look *look)
{
    const hid_t group = verify_h5_group(look->file, "/arena");
    H5G_info_t about = {.nlinks = 0};
    enum reshard_status status = RESHARD_OK;
    hsize_t arenas = 0;

    if (group < 0 || H5Gget_info(group, &about) < 0)
        status = wrong(look, "/arena", "is no group of this file");
    H5Gclose(group);
    for (int dtype = 1; dtype < RESHARD_DTYPE_COUNT && !status; ++dtype) {
        if (look->trailer->arena[dtype].rows == 0)
            continue;
        arenas += 1;
        status = inspect_arena(look, (enum reshard_dtype)dtype);
    }
    if (!status && about.nlinks != arenas)
        status = wrong(look, "/arena", "has members that are no arena of the trailer");
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

/* A fixed string of that length. */
static bool member_is_string(hid_t compound, unsigned number, const char *name, size_t offset,
                             size_t bytes)
{
    const hid_t member = member_type(compound, number, name, offset);
    const bool same = member >= 0 && H5Tget_class(member) == H5T_STRING &&
                      H5Tis_variable_str(member) == 0 && H5Tget_size(member) == bytes;

    H5Tclose(member);
    return same;
}

static bool is_tensors_type(const struct verify_trailer *trailer, hid_t type)
{
    const size_t at_slot = trailer->fqn_bytes;
    const size_t at_dtype = at_slot + trailer->slot_bytes;
    const size_t at_ndim = at_dtype + VERIFY_TENSOR_DTYPE_BYTES;

    return H5Tget_class(type) == H5T_COMPOUND && H5Tget_nmembers(type) == 5 &&
           member_is_string(type, 0, "fqn", 0, trailer->fqn_bytes) &&
           member_is_string(type, 1, "slot", at_slot, trailer->slot_bytes) &&
           member_is_string(type, 2, "dtype", at_dtype, VERIFY_TENSOR_DTYPE_BYTES) &&
           member_is(type, 3, "ndim", at_ndim, H5T_STD_U32LE) &&
           member_is_vector(type, 4, "shape", at_ndim + 4);
}

static bool is_pieces_type(const struct verify_trailer *trailer, hid_t type)
{
    (void)trailer;
    return H5Tget_class(type) == H5T_COMPOUND && H5Tget_nmembers(type) == 6 &&
           member_is(type, 0, "tensor", 0, H5T_STD_U32LE) &&
           member_is(type, 1, "ndim", 4, H5T_STD_U32LE) && member_is_vector(type, 2, "begin", 8) &&
           member_is_vector(type, 3, "end", 72) &&
           member_is(type, 4, "offset", 136, H5T_STD_U64LE) &&
           member_is(type, 5, "contribution", 144, H5T_STD_U64LE);
}

static bool is_trailer_type(const struct verify_trailer *trailer, hid_t type)
{
    (void)trailer;
    return H5Tequal(type, H5T_STD_U8LE) > 0;
}

struct table {
    const char *path;
    bool (*is_type)(const struct verify_trailer *trailer, hid_t type);
    struct verify_extent extent;
};

static enum reshard_status inspect_table(const struct look *look, const struct table *table)
{
    const hid_t dataset = verify_h5_dataset(look->file, table->path);
    const hid_t type = H5Dget_type(dataset);
    enum reshard_status status = RESHARD_OK;

    if (dataset < 0)
        status = wrong(look, table->path, "is no dataset of this file");
    else if (!table->is_type(look->trailer, type))
        status = wrong(look, table->path, "is not of the type that version 2 has");
    else if (!lies_at(dataset, &table->extent))
        status = wrong(look, table->path,
                       "is not where the trailer says, contiguous and in one dimension");
    H5Tclose(type);
    H5Dclose(dataset);
    return status;
}

/* --- the whole -------------------------------------------------------------------------------- */

static enum reshard_status inspect(const struct look *look)
{
    const struct verify_trailer *trailer = look->trailer;
    const struct verify_extent pieces = trailer->pieces;
    const struct table tables[] = {
        {"/tensors", is_tensors_type, trailer->tensors},
        {"/pieces", is_pieces_type, pieces},
        {"/trailer",
         is_trailer_type,
         {pieces.offset + pieces.rows * pieces.row_bytes, VERIFY_TRAILER_BYTES, 1}},
    };
    H5G_info_t about = {.nlinks = 0};
    enum reshard_status status = inspect_root(look);

    if (!status && (H5Gget_info(look->file, &about) < 0 || about.nlinks != MEMBERS))
        status = wrong(look, "/", "has not the four members arena, tensors, pieces and trailer");
    for (size_t i = 0; i < sizeof tables / sizeof tables[0] && !status; ++i)
        status = inspect_table(look, &tables[i]);
    return status ? status : inspect_arenas(look);
}

static enum reshard_status read_trailer(const struct verify_checkpoint *checkpoint, uint32_t file,
                                        struct verify_trailer *out, struct reshard_error *error)
{
    unsigned char bytes[VERIFY_TRAILER_BYTES];
    const uint64_t size = checkpoint->file[file].bytes;
    const enum reshard_status status = verify_checkpoint_read(checkpoint, file, bytes, sizeof bytes,
                                                              size - VERIFY_TRAILER_BYTES, error);

    return status ? status : verify_trailer_decode(out, bytes, size, error);
}

enum reshard_status verify_head_judge(const struct verify_checkpoint *checkpoint, uint32_t file,
                                      struct reshard_error *error)
{
    struct verify_trailer trailer;
    struct look look = {.trailer = &trailer, .error = error};
    enum reshard_status status = read_trailer(checkpoint, file, &trailer, error);

    if (status)
        return status;
    look.file = verify_h5_open(checkpoint->directory, checkpoint->file[file].name);
    if (look.file < 0)
        return wrong(&look, "HDF5", "cannot open it");
    status = inspect(&look);
    H5Fclose(look.file);
    return status;
}
