#include "core/container.h"

#include "core/container_table.h"
#include "core/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

_Static_assert(sizeof(hid_t) == sizeof(int64_t),
               "container.h passes HDF5's identifiers as int64_t");

/* What the error stack has to tell: its innermost entry, and the errno that any entry names. */
struct failure {
    char text[REASON_MAX];
    int code;
};

static herr_t read_failure(unsigned n, const H5E_error2_t *entry, void *data)
{
    struct failure *const failure = data;
    const char *const description = entry->desc ? entry->desc : "";
    const char *const code = strstr(description, "errno = ");
    if (n == 0)
        snprintf(failure->text, sizeof failure->text, "%s", description);
    if (code && !failure->code)
        failure->code = atoi(code + strlen("errno = "));
    return 0;
}

enum reshard_status container_hdf5_failure(const char *path, enum reshard_status otherwise,
                                           struct reshard_error *error)
{
    struct failure failure = {"no reason given", 0};
    enum reshard_status status = otherwise;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, read_failure, &failure);
    H5Eclear2(H5E_DEFAULT);
    if (failure.code == ENOENT)
        status = RESHARD_ENOENT;
    else if (failure.code == ENOSPC || failure.code == EDQUOT)
        status = RESHARD_ENOSPC;
    else if (failure.code == ENOMEM)
        status = RESHARD_ENOMEM;
    else if (failure.code)
        status = RESHARD_EIO;
    return reshard_error_set(error, status, "%s: HDF5: %s", path, failure.text);
}

struct container_silence container_silence_begin(void)
{
    struct container_silence silence = {NULL, NULL};
    H5Eget_auto2(H5E_DEFAULT, &silence.print, &silence.data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return silence;
}

void container_silence_end(struct container_silence silence)
{
    H5Eset_auto2(H5E_DEFAULT, silence.print, silence.data);
}

int64_t container_hdf5_access(uint64_t metadata_block_bytes)
{
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (access < 0)
        return H5I_INVALID_HID;
    if (H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_LATEST) < 0 ||
        H5Pset_alignment(access, ARENA_ALIGNMENT, ARENA_ALIGNMENT) < 0 ||
        H5Pset_meta_block_size(access, metadata_block_bytes) < 0 ||
        H5Pset_file_locking(access, false, true) < 0 ||
        H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) < 0) {
        H5Pclose(access);
        return H5I_INVALID_HID;
    }
    return access;
}

bool container_reserve(int64_t file, uint64_t bytes)
{
    void *handle = NULL;
    int done;
    if (H5Fget_vfd_handle(file, H5P_DEFAULT, &handle) < 0 || !handle)
        return true;
    do
        done = fallocate(*(const int *)handle, FALLOC_FL_KEEP_SIZE, 0, (off_t)bytes);
    while (done && errno == EINTR);
    return done == 0 || errno == EOPNOTSUPP;
}

/* A float of 16 bits: sign, exponent and mantissa from the highest bit to the lowest. */
static hid_t float16_type(size_t exponent_bits, size_t bias)
{
    const size_t mantissa_bits = 15 - exponent_bits;
    const hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    if (type >= 0 && (H5Tset_fields(type, 15, mantissa_bits, exponent_bits, 0, mantissa_bits) < 0 ||
                      H5Tset_precision(type, 16) < 0 || H5Tset_size(type, 2) < 0 ||
                      H5Tset_ebias(type, bias) < 0)) {
        H5Tclose(type);
        return H5I_INVALID_HID;
    }
    return type;
}

static hid_t bool_type(void)
{
    const hid_t type = H5Tenum_create(H5T_STD_I8LE);
    signed char value = 0;
    if (type >= 0 && H5Tenum_insert(type, "FALSE", &value) >= 0) {
        value = 1;
        if (H5Tenum_insert(type, "TRUE", &value) >= 0)
            return type;
    }
    if (type >= 0)
        H5Tclose(type);
    return H5I_INVALID_HID;
}

static hid_t complex_type(enum reshard_dtype part)
{
    const size_t bytes = reshard_dtype_bytes(part);
    const hid_t member = container_hdf5_type(part);
    hid_t type = H5Tcreate(H5T_COMPOUND, 2 * bytes);
    if (H5Tinsert(type, "r", 0, member) < 0 || H5Tinsert(type, "i", bytes, member) < 0) {
        H5Tclose(type);
        type = H5I_INVALID_HID;
    }
    H5Tclose(member);
    return type;
}

int64_t container_hdf5_type(enum reshard_dtype dtype)
{
    switch (dtype) {
    case RESHARD_DTYPE_F64:
        return H5Tcopy(H5T_IEEE_F64LE);
    case RESHARD_DTYPE_F32:
        return H5Tcopy(H5T_IEEE_F32LE);
    case RESHARD_DTYPE_F16:
        return float16_type(5, 15);
    case RESHARD_DTYPE_BF16:
        return float16_type(8, 127);
    case RESHARD_DTYPE_C32:
        return complex_type(RESHARD_DTYPE_F16);
    case RESHARD_DTYPE_C64:
        return complex_type(RESHARD_DTYPE_F32);
    case RESHARD_DTYPE_C128:
        return complex_type(RESHARD_DTYPE_F64);
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
        return bool_type();
    default:
        return H5Tcopy(H5T_STD_U8LE); /* bytes, and floats too narrow for HDF5's float rules */
    }
}

/* A fixed string, zero-padded. */
hid_t container_text_type(size_t bytes)
{
    const hid_t type = H5Tcopy(H5T_C_S1);
    if (H5Tset_size(type, bytes) < 0 || H5Tset_strpad(type, H5T_STR_NULLPAD) < 0 ||
        H5Tset_cset(type, H5T_CSET_UTF8) < 0) {
        H5Tclose(type);
        return H5I_INVALID_HID;
    }
    return type;
}

static bool set_attribute(hid_t object, const char *name, hid_t type, hid_t memory_type,
                          const void *value)
{
    const hid_t space = H5Screate(H5S_SCALAR);
    const hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    const bool written = attribute >= 0 && H5Awrite(attribute, memory_type, value) >= 0;
    const bool closed = attribute >= 0 && H5Aclose(attribute) >= 0;
    H5Sclose(space);
    return written && closed;
}

bool container_hdf5_set_text(int64_t object, const char *name, const char *text)
{
    const hid_t type = container_text_type(strlen(text));
    const bool set = type >= 0 && set_attribute(object, name, type, type, text);
    H5Tclose(type);
    return set;
}

static bool set_number(hid_t object, const char *name, hid_t type, uint64_t value)
{
    return set_attribute(object, name, type, H5T_NATIVE_UINT64, &value);
}

size_t container_tensor_row_bytes(const struct container_table *table)
{
    return table->fqn_bytes + table->slot_bytes + TENSOR_ROW_BYTES;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Pieces are sorted by tensor, so a tensor's first piece is the one that differs from the last. */
static bool begins_tensor(const struct arena_pieces *pieces, uint64_t index)
{
    return index == 0 || pieces->piece[index].tensor != pieces->piece[index - 1].tensor;
}

static struct container_table table_of(const struct reshard_model *model,
                                       const struct arena_pieces *pieces)
{
    struct container_table table = {0, 1, 1};
    for (uint64_t i = 0; i < pieces->count; i++) {
        if (!begins_tensor(pieces, i))
            continue;
        const struct reshard_tensor *tensor = reshard_model_tensor(model, pieces->piece[i].tensor);
        table.tensor_rows++;
        table.fqn_bytes = larger(table.fqn_bytes, strlen(tensor->fqn) + 1);
        table.slot_bytes = larger(table.slot_bytes, strlen(tensor->slot) + 1);
    }
    return table;
}

/* Append a member to a compound without padding, and close its type. */
static bool append_member(hid_t compound, const char *name, size_t *offset, hid_t member)
{
    const bool inserted = member >= 0 && H5Tinsert(compound, name, *offset, member) >= 0;
    *offset += member >= 0 ? H5Tget_size(member) : 0;
    if (member >= 0)
        H5Tclose(member);
    return inserted;
}

static hid_t sizes_type(void)
{
    const hsize_t count = RESHARD_DIMS_MAX;
    return H5Tarray_create2(H5T_STD_U64LE, 1, &count);
}

static hid_t finished(hid_t type, bool whole)
{
    if (whole || type < 0)
        return type;
    H5Tclose(type);
    return H5I_INVALID_HID;
}

hid_t container_tensors_type(const struct container_table *table)
{
    const hid_t type = H5Tcreate(H5T_COMPOUND, container_tensor_row_bytes(table));
    size_t at = 0;
    return finished(type,
                    append_member(type, "fqn", &at, container_text_type(table->fqn_bytes)) &&
                        append_member(type, "slot", &at, container_text_type(table->slot_bytes)) &&
                        append_member(type, "dtype", &at, container_text_type(DTYPE_FIELD_BYTES)) &&
                        append_member(type, "ndim", &at, H5Tcopy(H5T_STD_U32LE)) &&
                        append_member(type, "shape", &at, sizes_type()));
}

hid_t container_pieces_type(void)
{
    const hid_t type = H5Tcreate(H5T_COMPOUND, PIECE_ROW_BYTES);
    size_t at = 0;
    return finished(type, append_member(type, "tensor", &at, H5Tcopy(H5T_STD_U32LE)) &&
                              append_member(type, "ndim", &at, H5Tcopy(H5T_STD_U32LE)) &&
                              append_member(type, "begin", &at, sizes_type()) &&
                              append_member(type, "end", &at, sizes_type()) &&
                              append_member(type, "offset", &at, H5Tcopy(H5T_STD_U64LE)) &&
                              append_member(type, "contribution", &at, H5Tcopy(H5T_STD_U64LE)));
}

/* Properties without times, which would make equal content differ in bytes. */
static hid_t timeless(hid_t class)
{
    const hid_t properties = H5Pcreate(class);
    if (properties >= 0 && H5Pset_obj_track_times(properties, false) < 0) {
        H5Pclose(properties);
        return H5I_INVALID_HID;
    }
    return properties;
}

/* One contiguous dataset, allocated now and never filled, of which `*offset` says where it lies. */
static bool add_dataset(hid_t file, const char *name, hid_t type, uint64_t rows, uint64_t *offset,
                        const char *dtype)
{
    const hsize_t size = rows;
    const hid_t space = H5Screate_simple(1, &size, NULL);
    const hid_t create = timeless(H5P_DATASET_CREATE);
    hid_t dataset = H5I_INVALID_HID;
    haddr_t address = HADDR_UNDEF;
    if (space >= 0 && create >= 0 && H5Pset_layout(create, H5D_CONTIGUOUS) >= 0 &&
        H5Pset_alloc_time(create, H5D_ALLOC_TIME_EARLY) >= 0 &&
        H5Pset_fill_time(create, H5D_FILL_TIME_NEVER) >= 0)
        dataset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    if (dataset >= 0 && (!dtype || container_hdf5_set_text(dataset, "dtype", dtype)))
        address = H5Dget_offset(dataset);
    const bool closed = dataset >= 0 && H5Dclose(dataset) >= 0;
    if (create >= 0)
        H5Pclose(create);
    if (space >= 0)
        H5Sclose(space);
    *offset = address;
    return closed && address != HADDR_UNDEF;
}

static bool add_arenas(hid_t file, const struct arena_pieces *pieces, struct container_offsets *out)
{
    const hid_t create = timeless(H5P_GROUP_CREATE);
    const hid_t group = H5Gcreate2(file, "arena", H5P_DEFAULT, create, H5P_DEFAULT);
    bool added = group >= 0;
    for (int d = RESHARD_DTYPE_NONE + 1; added && d < RESHARD_DTYPE_COUNT; d++) {
        const enum reshard_dtype dtype = (enum reshard_dtype)d;
        const char *const name = reshard_dtype_name(dtype);
        if (pieces->elements[d] == 0)
            continue;
        const hid_t type = container_hdf5_type(dtype);
        added =
            type >= 0 && add_dataset(group, name, type, arena_padded(pieces->elements[d], dtype),
                                     &out->arena[d], name);
        H5Tclose(type);
    }
    if (group >= 0)
        added = H5Gclose(group) >= 0 && added;
    H5Pclose(create);
    return added;
}

static bool add_tables(hid_t file, const struct reshard_model *model,
                       const struct arena_pieces *pieces, struct container_offsets *out)
{
    const struct container_table table = table_of(model, pieces);
    const hid_t tensors = container_tensors_type(&table);
    const hid_t rows = container_pieces_type();
    /* A piece takes more memory than its row, and a name fits in memory: no product overflows. */
    out->tensors_bytes = table.tensor_rows * container_tensor_row_bytes(&table);
    out->pieces_bytes = pieces->count * PIECE_ROW_BYTES;
    const bool added =
        tensors >= 0 && rows >= 0 &&
        add_dataset(file, "tensors", tensors, table.tensor_rows, &out->tensors, NULL) &&
        add_dataset(file, "pieces", rows, pieces->count, &out->pieces, NULL) &&
        add_dataset(file, "seal", H5T_STD_U64LE, 1, &out->seal, NULL);
    if (rows >= 0)
        H5Tclose(rows);
    if (tensors >= 0)
        H5Tclose(tensors);
    return added;
}

static bool add_identity(hid_t file, const struct container_identity *identity)
{
    return container_hdf5_set_text(file, "format", "reshard") &&
           set_number(file, "version", H5T_STD_U32LE, CONTAINER_VERSION) &&
           set_number(file, "step", H5T_STD_U64LE, identity->step) &&
           set_number(file, "writer", H5T_STD_U64LE, identity->writer) &&
           set_number(file, "world", H5T_STD_U64LE, identity->world);
}

enum reshard_status container_create(const char *path, const struct reshard_model *model,
                                     const struct arena_pieces *pieces,
                                     const struct container_identity *identity,
                                     struct container_offsets *out, struct reshard_error *error)
{
    *out = (struct container_offsets){.seal = 0};
    if (pieces->count == 0)
        return reshard_error_set(error, RESHARD_EINVAL, "%s: a rank without pieces writes no file",
                                 path);
    const struct container_silence silence = container_silence_begin();
    const hid_t access = container_hdf5_access(METADATA_BLOCK_BYTES);
    const hid_t create = timeless(H5P_FILE_CREATE);
    const hid_t file =
        access >= 0 && create >= 0 ? H5Fcreate(path, H5F_ACC_TRUNC, create, access) : -1;
    enum reshard_status status = RESHARD_OK;
    if (file >= 0 && !container_reserve(file, CONTAINER_METADATA_BYTES))
        status = reshard_error_set(error, RESHARD_ENOSPC, "%s: cannot reserve space: %s", path,
                                   strerror(errno));
    else if (file < 0 || !add_identity(file, identity) || !add_arenas(file, pieces, out) ||
             !add_tables(file, model, pieces, out))
        status = container_hdf5_failure(path, RESHARD_EIO, error);
    if (file >= 0 && H5Fclose(file) < 0)
        status = reshard_first_failure(status, container_hdf5_failure(path, RESHARD_EIO, error));
    if (create >= 0)
        H5Pclose(create);
    if (access >= 0)
        H5Pclose(access);
    container_silence_end(silence);
    struct stat about;
    if (!status && stat(path, &about) != 0)
        status = reshard_error_set(error, RESHARD_EIO, "%s: cannot ask for the size: %s", path,
                                   strerror(errno));
    out->file_bytes = status ? 0 : (uint64_t)about.st_size;
    return status;
}

static void put_number(unsigned char **at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *(*at)++ = (unsigned char)(value >> 8 * i);
}

static void put_text(unsigned char **at, const char *text, size_t bytes)
{
    const size_t length = strlen(text);
    memcpy(*at, text, length);
    memset(*at + length, 0, bytes - length);
    *at += bytes;
}

/* The first `ndim` numbers, and zeros: what lies beyond ndim in memory is nobody's business. */
static void put_sizes(unsigned char **at, const uint64_t *size, uint32_t ndim)
{
    for (uint32_t d = 0; d < RESHARD_DIMS_MAX; d++)
        put_number(at, d < ndim ? size[d] : 0, 8);
}

static void put_rows(unsigned char *tensors, unsigned char *rows,
                     const struct container_table *table, const struct reshard_model *model,
                     const struct arena_pieces *pieces)
{
    uint64_t row = 0;
    for (uint64_t i = 0; i < pieces->count; i++) {
        const struct arena_piece *const piece = &pieces->piece[i];
        const struct reshard_tensor *const tensor = reshard_model_tensor(model, piece->tensor);
        if (begins_tensor(pieces, i)) {
            put_text(&tensors, tensor->fqn, table->fqn_bytes);
            put_text(&tensors, tensor->slot, table->slot_bytes);
            put_text(&tensors, reshard_dtype_name(tensor->dtype), DTYPE_FIELD_BYTES);
            put_number(&tensors, tensor->shape.ndim, 4);
            put_sizes(&tensors, tensor->shape.size, tensor->shape.ndim);
            row++;
        }
        put_number(&rows, row - 1, 4);
        put_number(&rows, piece->box.ndim, 4);
        put_sizes(&rows, piece->box.begin, piece->box.ndim);
        put_sizes(&rows, piece->box.end, piece->box.ndim);
        put_number(&rows, piece->offset, 8);
        put_number(&rows, piece->contribution, 8);
    }
}

enum reshard_status container_write_tables(struct store_file *file,
                                           const struct container_offsets *offsets,
                                           const struct reshard_model *model,
                                           const struct arena_pieces *pieces, uint64_t *seal,
                                           struct reshard_error *error)
{
    const struct container_table table = table_of(model, pieces);
    if (offsets->tensors_bytes != table.tensor_rows * container_tensor_row_bytes(&table) ||
        offsets->pieces_bytes != pieces->count * PIECE_ROW_BYTES)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "%s: was created for other pieces than are to be written",
                                 file->path);
    const size_t bytes = offsets->tensors_bytes + offsets->pieces_bytes;
    unsigned char *const tensors = malloc(bytes + 1);
    if (!tensors)
        return reshard_error_set(error, RESHARD_ENOMEM, "%s: out of memory", file->path);
    unsigned char *const rows = tensors + offsets->tensors_bytes;
    put_rows(tensors, rows, &table, model, pieces);
    *seal = digest_crc(0, tensors, bytes);
    unsigned char seal_row[SEAL_BYTES];
    unsigned char *at = seal_row;
    put_number(&at, *seal, SEAL_BYTES);
    enum reshard_status status =
        store_write(file, offsets->tensors, tensors, offsets->tensors_bytes, error);
    if (!status)
        status = store_write(file, offsets->pieces, rows, offsets->pieces_bytes, error);
    if (!status)
        status = store_write(file, offsets->seal, seal_row, sizeof seal_row, error);
    free(tensors);
    return status;
}
