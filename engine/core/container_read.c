#include "core/container.h"

#include "core/container_table.h"
#include "core/digest.h"

#include <hdf5.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* A file being read: what HDF5 told of it, and what it will be held against. */
struct reading {
    struct container *container;
    const struct reshard_model *model;
    const char *path;
    struct reshard_error *error;
    struct container_table table;
    uint64_t piece_rows;
    uint64_t arena_elements[RESHARD_DTYPE_COUNT]; /* with the tail; 0 where there is no arena */
    uint32_t *model_index;                        /* of each row of /tensors */
};

static enum reshard_status refuse(const struct reading *reading, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static enum reshard_status refuse(const struct reading *reading, const char *format, ...)
{
    char reason[REASON_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    return reshard_error_set(reading->error, RESHARD_EFORMAT, "%s: %s", reading->path, reason);
}

static enum reshard_status hdf5_refuses(const struct reading *reading, const char *name)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    const enum reshard_status status =
        container_hdf5_failure(reading->path, RESHARD_EFORMAT, &error);
    return reshard_error_set(reading->error, status, "%s (%s)", error.text, name);
}

/* A scalar attribute of exactly that type, which is also its type in memory. */
static enum reshard_status get_attribute(const struct reading *reading, hid_t object,
                                         const char *name, hid_t type, void *out)
{
    const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute < 0)
        return hdf5_refuses(reading, name);
    const hid_t own = H5Aget_type(attribute);
    const hid_t space = H5Aget_space(attribute);
    enum reshard_status status = RESHARD_OK;
    if (H5Tequal(own, type) <= 0 || H5Sget_simple_extent_type(space) != H5S_SCALAR)
        status = refuse(reading, "attribute '%s' is not of the type that the format has", name);
    else if (H5Aread(attribute, type, out) < 0)
        status = hdf5_refuses(reading, name);
    H5Sclose(space);
    H5Tclose(own);
    H5Aclose(attribute);
    return status;
}

static enum reshard_status check_text(const struct reading *reading, hid_t object, const char *name,
                                      const char *expected)
{
    char text[DTYPE_FIELD_BYTES + 1] = "";
    const hid_t type = container_text_type(strlen(expected));
    enum reshard_status status = get_attribute(reading, object, name, type, text);
    if (!status && strcmp(text, expected) != 0)
        status = refuse(reading, "attribute '%s' must be '%s'", name, expected);
    H5Tclose(type);
    return status;
}

static enum reshard_status get_number(const struct reading *reading, hid_t object, const char *name,
                                      hid_t type, uint64_t *out)
{
    unsigned char bytes[8] = {0};
    const enum reshard_status status = get_attribute(reading, object, name, type, bytes);
    *out = 0;
    for (int i = 7; i >= 0; i--)
        *out = *out << 8 | bytes[i];
    return status;
}

static enum reshard_status get_identity(const struct reading *reading, hid_t file)
{
    struct container_identity *const identity = &reading->container->identity;
    uint64_t version = 0;
    enum reshard_status status = check_text(reading, file, "format", "reshard");
    if (!status)
        status = get_number(reading, file, "version", H5T_STD_U32LE, &version);
    if (!status && version != CONTAINER_VERSION)
        return refuse(reading, "version %" PRIu64 "; this release reads version %d", version,
                      CONTAINER_VERSION);
    if (!status)
        status = get_number(reading, file, "step", H5T_STD_U64LE, &identity->step);
    if (!status)
        status = get_number(reading, file, "writer", H5T_STD_U64LE, &identity->writer);
    if (!status)
        status = get_number(reading, file, "world", H5T_STD_U64LE, &identity->world);
    return status;
}

/* Links that lead elsewhere would let a file speak of bytes that are not its own. */
static enum reshard_status check_link(const struct reading *reading, hid_t file, const char *name)
{
    H5L_info_t info;
    if (H5Lget_info(file, name, &info, H5P_DEFAULT) < 0)
        return hdf5_refuses(reading, name);
    if (info.type != H5L_TYPE_HARD)
        return refuse(reading, "%s is not an object of this file but a link", name);
    return RESHARD_OK;
}

/* Where a dataset lies, and how long it is. */
struct extent {
    uint64_t rows;
    uint64_t offset;
    uint64_t bytes;
};

static enum reshard_status get_extent(const struct reading *reading, hid_t dataset, hid_t type,
                                      const char *name, struct extent *out)
{
    const hid_t space = H5Dget_space(dataset);
    const hid_t create = H5Dget_create_plist(dataset);
    const hid_t own = H5Dget_type(dataset);
    const haddr_t address = H5Dget_offset(dataset);
    const uint64_t file_bytes = reading->container->offsets.file_bytes;
    hsize_t rows = 0;
    enum reshard_status status = RESHARD_OK;
    if (H5Tequal(own, type) <= 0)
        status = refuse(reading, "%s has not the datatype that the format has", name);
    else if (H5Pget_layout(create) != H5D_CONTIGUOUS)
        status = refuse(reading, "%s is not contiguous", name);
    else if (H5Sget_simple_extent_type(space) != H5S_SIMPLE ||
             H5Sget_simple_extent_ndims(space) != 1 ||
             H5Sget_simple_extent_dims(space, &rows, NULL) != 1)
        status = refuse(reading, "%s must have one dimension", name);
    else if (address == HADDR_UNDEF || rows == 0)
        status = refuse(reading, "%s has no bytes in this file", name);
    else if (__builtin_mul_overflow((uint64_t)rows, (uint64_t)H5Tget_size(own), &out->bytes) ||
             out->bytes > file_bytes || address > file_bytes - out->bytes)
        status = refuse(reading, "%s has %llu rows from byte %llu; the file ends at byte %" PRIu64,
                        name, (unsigned long long)rows, (unsigned long long)address, file_bytes);
    out->rows = rows;
    out->offset = address;
    H5Tclose(own);
    H5Pclose(create);
    H5Sclose(space);
    return status;
}

/* Open a dataset of that type. `dtype`, unless NULL, is what its attribute must say. */
static enum reshard_status get_dataset(const struct reading *reading, hid_t file, const char *name,
                                       hid_t type, const char *dtype, struct extent *out)
{
    enum reshard_status status = check_link(reading, file, name);
    if (status)
        return status;
    const hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
    if (dataset < 0)
        return hdf5_refuses(reading, name);
    status = get_extent(reading, dataset, type, name, out);
    if (!status && dtype)
        status = check_text(reading, dataset, "dtype", dtype);
    H5Dclose(dataset);
    return status;
}

static enum reshard_status get_arena(struct reading *reading, hid_t file, enum reshard_dtype dtype)
{
    char name[32];
    struct extent extent = {0, 0, 0};
    snprintf(name, sizeof name, "/arena/%s", reshard_dtype_name(dtype));
    const hid_t type = container_hdf5_type(dtype);
    const enum reshard_status status =
        get_dataset(reading, file, name, type, reshard_dtype_name(dtype), &extent);
    if (type >= 0)
        H5Tclose(type);
    if (status)
        return status;
    if (extent.offset % ARENA_ALIGNMENT || extent.bytes % ARENA_ALIGNMENT)
        return refuse(reading,
                      "%s begins at byte %" PRIu64 " and has %" PRIu64 " bytes; both must be "
                      "multiples of %d",
                      name, extent.offset, extent.bytes, ARENA_ALIGNMENT);
    reading->container->offsets.arena[dtype] = extent.offset;
    reading->arena_elements[dtype] = extent.rows;
    return RESHARD_OK;
}

static enum reshard_status get_arenas(struct reading *reading, hid_t file)
{
    H5G_info_t info;
    hsize_t known = 0;
    enum reshard_status status = check_link(reading, file, "/arena");
    if (status)
        return status;
    if (H5Gget_info_by_name(file, "/arena", &info, H5P_DEFAULT) < 0)
        return hdf5_refuses(reading, "/arena");
    for (int d = RESHARD_DTYPE_NONE + 1; !status && d < RESHARD_DTYPE_COUNT; d++) {
        char name[32];
        snprintf(name, sizeof name, "/arena/%s", reshard_dtype_name((enum reshard_dtype)d));
        const htri_t exists = H5Lexists(file, name, H5P_DEFAULT);
        if (exists < 0)
            return hdf5_refuses(reading, name);
        if (exists)
            status = get_arena(reading, file, (enum reshard_dtype)d);
        known += exists > 0;
    }
    if (!status && info.nlinks != known)
        return refuse(reading, "/arena has an entry that is no dtype");
    return status;
}

/* The lengths of the names, from the datatype that /tensors has; then that very datatype. */
static enum reshard_status get_tensors_type(struct reading *reading, hid_t file, hid_t *out)
{
    const hid_t dataset = H5Dopen2(file, "/tensors", H5P_DEFAULT);
    const hid_t type = dataset >= 0 ? H5Dget_type(dataset) : H5I_INVALID_HID;
    if (dataset >= 0)
        H5Dclose(dataset);
    if (type < 0)
        return hdf5_refuses(reading, "/tensors");
    if (H5Tget_class(type) == H5T_COMPOUND && H5Tget_nmembers(type) == 5) {
        reading->table.fqn_bytes = H5Tget_member_offset(type, 1);
        reading->table.slot_bytes = H5Tget_member_offset(type, 2) - H5Tget_member_offset(type, 1);
    }
    H5Tclose(type);
    if (reading->table.fqn_bytes < 2 || reading->table.fqn_bytes > RESHARD_NAME_MAX ||
        reading->table.slot_bytes < 1 || reading->table.slot_bytes > RESHARD_NAME_MAX)
        return refuse(reading, "/tensors has not the datatype that the format has");
    *out = container_tensors_type(&reading->table);
    return *out >= 0 ? RESHARD_OK : hdf5_refuses(reading, "/tensors");
}

static enum reshard_status get_tables(struct reading *reading, hid_t file)
{
    struct container_offsets *const offsets = &reading->container->offsets;
    struct extent tensors = {0, 0, 0};
    struct extent pieces = {0, 0, 0};
    struct extent seal = {0, 0, 0};
    hid_t type = H5I_INVALID_HID;
    const hid_t rows = container_pieces_type();
    enum reshard_status status = get_tensors_type(reading, file, &type);
    if (!status)
        status = get_dataset(reading, file, "/tensors", type, NULL, &tensors);
    if (!status)
        status = get_dataset(reading, file, "/pieces", rows, NULL, &pieces);
    if (!status)
        status = get_dataset(reading, file, "/seal", H5T_STD_U64LE, NULL, &seal);
    if (!status && seal.rows != 1)
        status = refuse(reading, "/seal must have one row");
    if (rows >= 0)
        H5Tclose(rows);
    if (type >= 0)
        H5Tclose(type);
    reading->table.tensor_rows = tensors.rows;
    reading->piece_rows = pieces.rows;
    offsets->tensors = tensors.offset;
    offsets->tensors_bytes = tensors.bytes;
    offsets->pieces = pieces.offset;
    offsets->pieces_bytes = pieces.bytes;
    offsets->seal = seal.offset;
    return status;
}

/* All that HDF5 is asked; the file is closed again at the end. */
static enum reshard_status read_structure(struct reading *reading)
{
    const struct container_silence silence = container_silence_begin();
    const hid_t access = container_hdf5_access(METADATA_BLOCK_BYTES);
    const hid_t file =
        access >= 0 ? H5Fopen(reading->path, H5F_ACC_RDONLY, access) : H5I_INVALID_HID;
    enum reshard_status status =
        file < 0 ? hdf5_refuses(reading, "opening") : get_identity(reading, file);
    if (!status)
        status = get_arenas(reading, file);
    if (!status)
        status = get_tables(reading, file);
    if (file >= 0 && H5Fclose(file) < 0)
        status = reshard_first_failure(status, hdf5_refuses(reading, "closing"));
    if (access >= 0)
        H5Pclose(access);
    H5Eclear2(H5E_DEFAULT);
    container_silence_end(silence);
    return status;
}

/* Nothing in the file may lie over something else. */
static enum reshard_status check_disjoint(const struct reading *reading)
{
    const struct container_offsets *const offsets = &reading->container->offsets;
    struct extent extent[RESHARD_DTYPE_COUNT + 3];
    int count = 0;
    extent[count++] = (struct extent){0, offsets->tensors, offsets->tensors_bytes};
    extent[count++] = (struct extent){0, offsets->pieces, offsets->pieces_bytes};
    extent[count++] = (struct extent){0, offsets->seal, SEAL_BYTES};
    for (int d = RESHARD_DTYPE_NONE + 1; d < RESHARD_DTYPE_COUNT; d++) {
        const uint64_t bytes =
            reading->arena_elements[d] * reshard_dtype_bytes((enum reshard_dtype)d);
        if (bytes)
            extent[count++] = (struct extent){0, offsets->arena[d], bytes};
    }
    for (int a = 0; a < count; a++) {
        for (int b = 0; b < a; b++) {
            if (extent[a].offset < extent[b].offset + extent[b].bytes &&
                extent[b].offset < extent[a].offset + extent[a].bytes)
                return refuse(reading, "two datasets share byte %" PRIu64,
                              extent[a].offset > extent[b].offset ? extent[a].offset
                                                                  : extent[b].offset);
        }
    }
    return RESHARD_OK;
}

static uint64_t take_number(const unsigned char **at, int bytes)
{
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; i--)
        value = value << 8 | (*at)[i];
    *at += bytes;
    return value;
}

/* A zero-padded string that ends within its field; NULL when it is none. */
static const char *take_text(const unsigned char **at, size_t bytes)
{
    const char *const text = (const char *)*at;
    const size_t length = strnlen(text, bytes);
    *at += bytes;
    if (length == bytes)
        return NULL;
    for (size_t i = length; i < bytes; i++) {
        if (text[i])
            return NULL;
    }
    return text;
}

/* False when entries beyond `ndim` are not 0. */
static bool take_sizes(const unsigned char **at, uint32_t ndim, uint64_t *out)
{
    bool clean = true;
    for (uint32_t d = 0; d < RESHARD_DIMS_MAX; d++) {
        out[d] = take_number(at, 8);
        clean = clean && (d < ndim || out[d] == 0);
    }
    return clean;
}

/* One row of /tensors: a tensor of the model, said in the same words. */
static enum reshard_status take_tensor(struct reading *reading, uint64_t row,
                                       const unsigned char *at, struct container_table *longest)
{
    const char *const fqn = take_text(&at, reading->table.fqn_bytes);
    const char *const slot = take_text(&at, reading->table.slot_bytes);
    const char *const dtype = take_text(&at, DTYPE_FIELD_BYTES);
    struct reshard_shape shape = {.ndim = (uint32_t)take_number(&at, 4)};
    const bool clean = take_sizes(&at, shape.ndim, shape.size);
    uint32_t index;
    if (!fqn || !slot || !dtype || shape.ndim > RESHARD_DIMS_MAX || !clean)
        return refuse(reading, "/tensors row %" PRIu64 " is malformed", row);
    if (reshard_model_find(reading->model, fqn, slot, &index) != RESHARD_OK ||
        strcmp(reshard_model_tensor(reading->model, index)->fqn, fqn) != 0)
        return refuse(reading,
                      "/tensors row %" PRIu64 ": no tensor '%.200s' with slot '%.64s' is "
                      "known to the manifest",
                      row, fqn, slot);
    const struct reshard_tensor *const tensor = reshard_model_tensor(reading->model, index);
    if (strcmp(reshard_dtype_name(tensor->dtype), dtype) != 0)
        return refuse(reading, "/tensors row %" PRIu64 ": '%.200s' is %s; the manifest has %s", row,
                      fqn, dtype, reshard_dtype_name(tensor->dtype));
    if (!reshard_shape_equal(&tensor->shape, &shape)) {
        char own[192];
        char expected[192];
        return refuse(reading, "/tensors row %" PRIu64 ": '%.200s' is %s; the manifest has %s", row,
                      fqn, reshard_shape_print(&shape, own, sizeof own),
                      reshard_shape_print(&tensor->shape, expected, sizeof expected));
    }
    if (row > 0 && index <= reading->model_index[row - 1])
        return refuse(reading, "/tensors row %" PRIu64 ": '%.200s' breaks the manifest's order",
                      row, fqn);
    reading->model_index[row] = index;
    longest->fqn_bytes = larger(longest->fqn_bytes, strlen(fqn) + 1);
    longest->slot_bytes = larger(longest->slot_bytes, strlen(slot) + 1);
    return RESHARD_OK;
}

static enum reshard_status take_tensors(struct reading *reading, const unsigned char *bytes)
{
    struct container_table longest = {0, 1, 1};
    enum reshard_status status = RESHARD_OK;
    for (uint64_t row = 0; !status && row < reading->table.tensor_rows; row++)
        status = take_tensor(reading, row,
                             bytes + row * container_tensor_row_bytes(&reading->table), &longest);
    if (!status && (longest.fqn_bytes != reading->table.fqn_bytes ||
                    longest.slot_bytes != reading->table.slot_bytes))
        return refuse(reading, "/tensors: names must have the length of the longest, plus one");
    return status;
}

static bool box_is_valid(const struct reshard_box *box, const struct reshard_shape *shape)
{
    for (uint32_t d = 0; d < shape->ndim; d++) {
        if (box->begin[d] >= box->end[d] || box->end[d] > shape->size[d])
            return false;
    }
    return box->ndim == shape->ndim;
}

/* What ties a piece to those before it: the order of the model, rising elements, no gaps. */
static enum reshard_status check_place(const struct reading *reading, uint64_t row,
                                       const struct arena_piece *piece)
{
    const struct reshard_tensor *const tensor = reshard_model_tensor(reading->model, piece->tensor);
    const uint64_t used = reading->container->pieces.elements[tensor->dtype];
    const uint64_t held = reading->arena_elements[tensor->dtype];
    if (piece->offset != used)
        return refuse(reading,
                      "/pieces row %" PRIu64 ": lies at element %" PRIu64
                      " of its arena; the pieces before it end at %" PRIu64,
                      row, piece->offset, used);
    if (used > held || piece->count > held - used)
        return refuse(reading,
                      "/pieces row %" PRIu64 ": ends beyond /arena/%s, which has %" PRIu64
                      " elements",
                      row, reshard_dtype_name(tensor->dtype), held);
    if (row > 0 && piece[-1].tensor == piece->tensor) {
        const struct reshard_box whole = reshard_box_whole(&tensor->shape);
        if (reshard_box_offset(&piece->box, &whole) <= reshard_box_offset(&piece[-1].box, &whole))
            return refuse(reading, "/pieces row %" PRIu64 ": elements must rise within a tensor",
                          row);
    }
    return RESHARD_OK;
}

static enum reshard_status take_piece(struct reading *reading, uint64_t row,
                                      const unsigned char *at, uint64_t *tensors_seen)
{
    struct arena_pieces *const pieces = &reading->container->pieces;
    struct arena_piece *const piece = &pieces->piece[row];
    const uint64_t tensor_row = take_number(&at, 4);
    /* Each row of /tensors has its turn: the one of the piece before, or the next. */
    if (tensor_row >= reading->table.tensor_rows || tensor_row > *tensors_seen ||
        tensor_row + 1 < *tensors_seen)
        return refuse(reading, "/pieces row %" PRIu64 ": tensor %" PRIu64 " is out of order", row,
                      tensor_row);
    *tensors_seen = tensor_row + 1;
    piece->tensor = reading->model_index[tensor_row];
    piece->box.ndim = (uint32_t)take_number(&at, 4);
    const bool clean_begin = take_sizes(&at, piece->box.ndim, piece->box.begin);
    const bool clean = take_sizes(&at, piece->box.ndim, piece->box.end) && clean_begin;
    piece->offset = take_number(&at, 8);
    piece->contribution = take_number(&at, 8);
    const struct reshard_tensor *const tensor = reshard_model_tensor(reading->model, piece->tensor);
    if (!clean || !box_is_valid(&piece->box, &tensor->shape))
        return refuse(reading, "/pieces row %" PRIu64 ": is no box of '%.200s'", row, tensor->fqn);
    piece->count = reshard_box_count(&piece->box);
    const enum reshard_status status = check_place(reading, row, piece);
    if (!status)
        pieces->elements[tensor->dtype] += piece->count;
    return status;
}

static enum reshard_status take_pieces(struct reading *reading, const unsigned char *bytes)
{
    struct arena_pieces *const pieces = &reading->container->pieces;
    uint64_t tensors_seen = 0;
    enum reshard_status status = RESHARD_OK;
    for (uint64_t row = 0; !status && row < reading->piece_rows; row++)
        status = take_piece(reading, row, bytes + row * PIECE_ROW_BYTES, &tensors_seen);
    if (status)
        return status;
    pieces->count = reading->piece_rows;
    if (tensors_seen != reading->table.tensor_rows)
        return refuse(reading, "/tensors row %" PRIu64 " has no piece", tensors_seen);
    for (int d = RESHARD_DTYPE_NONE + 1; d < RESHARD_DTYPE_COUNT; d++) {
        const enum reshard_dtype dtype = (enum reshard_dtype)d;
        if (reading->arena_elements[d] != arena_padded(pieces->elements[d], dtype))
            return refuse(reading, "/arena/%s has %" PRIu64 " elements; its pieces need %" PRIu64,
                          reshard_dtype_name(dtype), reading->arena_elements[d],
                          arena_padded(pieces->elements[d], dtype));
    }
    return RESHARD_OK;
}

/* The bytes of both tables, one after the other, held against the seal. */
static enum reshard_status read_tables(struct reading *reading, struct store_file *file,
                                       unsigned char *tables)
{
    struct container *const container = reading->container;
    const struct container_offsets *const offsets = &container->offsets;
    unsigned char seal[SEAL_BYTES];
    const unsigned char *at = seal;
    enum reshard_status status = store_read(file, offsets->seal, seal, sizeof seal, reading->error);
    if (!status)
        status = store_read(file, offsets->tensors, tables, offsets->tensors_bytes, reading->error);
    if (!status)
        status = store_read(file, offsets->pieces, tables + offsets->tensors_bytes,
                            offsets->pieces_bytes, reading->error);
    if (status)
        return status;
    container->seal = take_number(&at, SEAL_BYTES);
    const uint64_t crc = digest_crc(0, tables, offsets->tensors_bytes + offsets->pieces_bytes);
    if (crc != container->seal)
        return refuse(reading,
                      "/seal is %016" PRIx64 ", but /tensors and /pieces have %016" PRIx64
                      ": they are damaged",
                      container->seal, crc);
    return RESHARD_OK;
}

static enum reshard_status read_rows(struct reading *reading, struct store_file *file)
{
    struct container_offsets *const offsets = &reading->container->offsets;
    struct arena_pieces *const pieces = &reading->container->pieces;
    /* Both tables lie in the file, apart, so their sum and their counts are below its size. */
    unsigned char *const tables = malloc(offsets->tensors_bytes + offsets->pieces_bytes + 1);
    reading->model_index = calloc(reading->table.tensor_rows + 1, sizeof *reading->model_index);
    pieces->piece = calloc(reading->piece_rows + 1, sizeof *pieces->piece);
    pieces->capacity = pieces->piece ? reading->piece_rows : 0;
    enum reshard_status status =
        tables && reading->model_index && pieces->piece
            ? read_tables(reading, file, tables)
            : reshard_error_set(reading->error, RESHARD_ENOMEM, "%s: out of memory", reading->path);
    if (!status)
        status = take_tensors(reading, tables);
    if (!status)
        status = take_pieces(reading, tables + offsets->tensors_bytes);
    free(reading->model_index);
    free(tables);
    return status;
}

enum reshard_status container_read(struct container *out, struct store *store, const char *path,
                                   uint64_t expected_bytes, const struct reshard_model *model,
                                   struct reshard_error *error)
{
    struct reading reading = {.container = out, .model = model, .path = path, .error = error};
    struct store_file *file = NULL;
    *out = (struct container)CONTAINER_INIT;
    enum reshard_status status = store_open(store, path, STORE_READ, &file, error);
    if (status)
        return status;
    status = store_size(file, &out->offsets.file_bytes, error);
    if (!status && out->offsets.file_bytes != expected_bytes)
        status = refuse(&reading, "has %" PRIu64 " bytes; the manifest has %" PRIu64,
                        out->offsets.file_bytes, expected_bytes);
    if (!status)
        status = read_structure(&reading);
    if (!status)
        status = check_disjoint(&reading);
    if (!status)
        status = read_rows(&reading, file);
    status = reshard_first_failure(status, store_close(file, status ? NULL : error));
    if (status)
        container_release(out);
    return status;
}

void container_release(struct container *container)
{
    arena_pieces_release(&container->pieces);
    *container = (struct container)CONTAINER_INIT;
}
