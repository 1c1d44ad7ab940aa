#include "verify/h5.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

hid_t verify_h5_open(const char *directory, const char *name)
{
    hid_t access;
    hid_t file;
    char *path = NULL;

    if (asprintf(&path, "%s/%s", directory, name) < 0)
        return H5I_INVALID_HID;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    H5Pset_file_locking(access, false, true);
    file = H5Fopen(path, H5F_ACC_RDONLY, access);
    H5Pclose(access);
    free(path);
    return file;
}

/* --- links ------------------------------------------------------------------------------------ */

static bool is_own(hid_t parent, const char *path)
{
    H5L_info_t about;

    return H5Lget_info(parent, path, &about, H5P_DEFAULT) >= 0 && about.type == H5L_TYPE_HARD;
}

hid_t verify_h5_dataset(hid_t parent, const char *path)
{
    return is_own(parent, path) ? H5Dopen2(parent, path, H5P_DEFAULT) : H5I_INVALID_HID;
}

hid_t verify_h5_group(hid_t parent, const char *path)
{
    return is_own(parent, path) ? H5Gopen2(parent, path, H5P_DEFAULT) : H5I_INVALID_HID;
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

/* The HDF5 type that data of a dtype must have. */
static hid_t type_of(enum reshard_dtype dtype)
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

bool verify_h5_is_dtype(hid_t type, enum reshard_dtype dtype)
{
    const hid_t wanted = type_of(dtype);
    const bool equal = H5Tequal(type, wanted) > 0;

    H5Tclose(wanted);
    return equal;
}

/* --- attributes ------------------------------------------------------------------------------- */

bool verify_h5_string(hid_t object, const char *name, char value[VERIFY_H5_STRING_MAX + 1])
{
    const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    const hid_t type = H5Aget_type(attribute);
    const hid_t space = H5Aget_space(attribute);
    bool good = attribute >= 0 && H5Tget_class(type) == H5T_STRING &&
                H5Tis_variable_str(type) == 0 && H5Tget_size(type) <= VERIFY_H5_STRING_MAX &&
                H5Sget_simple_extent_npoints(space) == 1;

    memset(value, 0, VERIFY_H5_STRING_MAX + 1);
    good = good && H5Aread(attribute, type, value) >= 0;
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(attribute);
    return good;
}

bool verify_h5_number(hid_t object, const char *name, hid_t wanted, uint64_t *value)
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
