#include "core/index.h"

#include "core/arena.h"
#include "core/bytes.h"
#include "core/h5_head.h"

#include <hdf5.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    METADATA_BLOCK_MIN = 16 * 1024,
    METADATA_BLOCK_MAX = 8 * 1024 * 1024,
    METADATA_PER_TENSOR = 1024,           /* about what a dataset, its link and its mappings take */
    H5_SUPERBLOCK_BYTES = 48,             /* of the version that the bounds below give */
    IMAGE_GROWTH = 1024 * 1024,           /* at least, when the image needs more memory */
    LINK_NAME_MAX = 3 * RESHARD_NAME_MAX, /* when every byte of a name is escaped */
};

/* HDF5 looks for a file of that name, which cannot be, before it makes one in memory. */
static const char nowhere[] = "/dev/null/" INDEX_FILE;

/* ---- HDF5's ways ----------------------------------------------------------------------------- */

/* HDF5 prints errors unless told not to; the setting is the thread's, and the caller's. */
struct silence {
    H5E_auto2_t print;
    void *data;
};

static struct silence silence_begin(void)
{
    struct silence silence = {NULL, NULL};
    H5Eget_auto2(H5E_DEFAULT, &silence.print, &silence.data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return silence;
}

static void silence_end(struct silence silence)
{
    H5Eclear2(H5E_DEFAULT);
    H5Eset_auto2(H5E_DEFAULT, silence.print, silence.data);
}

/* The innermost entry of the error stack. */
static herr_t take_reason(unsigned n, const H5E_error2_t *entry, void *data)
{
    if (n == 0)
        snprintf(data, RESHARD_ERROR_TEXT_MAX, "%s", entry->desc ? entry->desc : "");
    return 0;
}

/* In memory HDF5 can only run out of it. */
static enum reshard_status hdf5_failed(const char *name, struct reshard_error *error)
{
    char reason[RESHARD_ERROR_TEXT_MAX] = "no reason given";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_reason, reason);
    return reshard_error_set(error, RESHARD_ENOMEM, "%s: HDF5: %.500s", name, reason);
}

static hid_t element_type(enum reshard_dtype dtype);

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
    const hid_t member = element_type(part);
    hid_t type = H5Tcreate(H5T_COMPOUND, 2 * bytes);
    if (H5Tinsert(type, "r", 0, member) < 0 || H5Tinsert(type, "i", bytes, member) < 0) {
        H5Tclose(type);
        type = H5I_INVALID_HID;
    }
    H5Tclose(member);
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
static hid_t text_type(size_t bytes)
{
    const hid_t type = H5Tcopy(H5T_C_S1);
    if (H5Tset_size(type, bytes) < 0 || H5Tset_strpad(type, H5T_STR_NULLPAD) < 0 ||
        H5Tset_cset(type, H5T_CSET_UTF8) < 0) {
        H5Tclose(type);
        return H5I_INVALID_HID;
    }
    return type;
}

static bool set_attribute(hid_t object, const char *name, hid_t type, const void *value)
{
    const hid_t space = H5Screate(H5S_SCALAR);
    const hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    const bool written = attribute >= 0 && H5Awrite(attribute, type, value) >= 0;
    const bool closed = attribute >= 0 && H5Aclose(attribute) >= 0;
    H5Sclose(space);
    return written && closed;
}

static bool set_text(hid_t object, const char *name, const char *text)
{
    const hid_t type = text_type(strlen(text));
    const bool set = type >= 0 && set_attribute(object, name, type, text);
    if (type >= 0)
        H5Tclose(type);
    return set;
}

/* ---- what is mapped -------------------------------------------------------------------------- */

/* One piece of one tensor, in one file. */
struct mapping {
    const struct manifest_file *file;
    const struct arena_piece *piece;
    uint64_t arena_elements;
};

/* Every file's pieces, and the same by tensor: those of tensor t are mapping[start[t]] up to
 * mapping[start[t + 1]], by rising writer. */
struct sources {
    uint64_t file_count;
    struct arena_pieces *pieces;
    uint64_t *start;
    struct mapping *mapping;
};

static void sources_release(struct sources *sources)
{
    for (uint64_t i = 0; sources->pieces && i < sources->file_count; i++)
        arena_pieces_release(&sources->pieces[i]);
    free(sources->pieces);
    free(sources->start);
    free(sources->mapping);
}

/* Count into start[t + 2], so that after the sum start[t + 1] is where tensor t is filled in next,
 * and in the end where it ends. */
static enum reshard_status sort_pieces(struct sources *sources, const struct manifest *manifest)
{
    const uint32_t tensor_count = reshard_model_tensor_count(manifest->model);
    sources->start = calloc((size_t)tensor_count + 2, sizeof *sources->start);
    if (!sources->start)
        return RESHARD_ENOMEM;
    for (uint64_t f = 0; f < sources->file_count; f++) {
        for (uint64_t i = 0; i < sources->pieces[f].count; i++)
            sources->start[sources->pieces[f].piece[i].tensor + 2]++;
    }
    for (uint32_t t = 0; t < tensor_count; t++)
        sources->start[t + 2] += sources->start[t + 1];
    const uint64_t count = sources->start[tensor_count + 1];
    sources->mapping = calloc(count ? count : 1, sizeof *sources->mapping);
    if (!sources->mapping)
        return RESHARD_ENOMEM;
    for (uint64_t f = 0; f < sources->file_count; f++) {
        const struct arena_pieces *const pieces = &sources->pieces[f];
        for (uint64_t i = 0; i < pieces->count; i++) {
            const struct arena_piece *const piece = &pieces->piece[i];
            const enum reshard_dtype dtype =
                reshard_model_tensor(manifest->model, piece->tensor)->dtype;
            sources->mapping[sources->start[piece->tensor + 1]++] = (struct mapping){
                &manifest->file[f], piece, arena_padded(pieces->elements[dtype], dtype)};
        }
    }
    return RESHARD_OK;
}

static enum reshard_status sources_of(struct sources *out, const struct manifest *manifest,
                                      const struct reshard_layout *layout)
{
    enum reshard_status status = RESHARD_OK;
    out->pieces = calloc(manifest->file_count ? manifest->file_count : 1, sizeof *out->pieces);
    if (!out->pieces)
        return RESHARD_ENOMEM;
    out->file_count = manifest->file_count;
    for (uint64_t f = 0; !status && f < manifest->file_count; f++)
        status =
            arena_pieces_of(&out->pieces[f], layout, manifest->file[f].writer, manifest->absent);
    return status ? status : sort_pieces(out, manifest);
}

/* ---- the view ----------------------------------------------------------------------------- */

/* The index while it is made. */
struct index {
    hid_t file;
    hid_t group; /* properties of groups: without times, so that equal content gives equal bytes */
    hid_t link;  /* properties of links: names are UTF-8 */
};

/* Make an FQN or a slot a link name: HDF5 reads "/" as a path, "." as the group itself. */
static void escape(const char *name, char *out)
{
    const bool dots = strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
    for (; *name; name++) {
        if (*name == '%' || *name == '/' || dots) {
            memcpy(out, *name == '%' ? "%25" : *name == '/' ? "%2F" : "%2E", 3);
            out += 3;
        } else {
            *out++ = *name;
        }
    }
    *out = '\0';
}

/* Open the group of that name, which is created when it is not there yet. */
static hid_t open_group(const struct index *index, hid_t parent, const char *name)
{
    const htri_t exists = H5Lexists(parent, name, H5P_DEFAULT);
    if (exists < 0)
        return H5I_INVALID_HID;
    return exists ? H5Gopen2(parent, name, H5P_DEFAULT)
                  : H5Gcreate2(parent, name, index->link, index->group, H5P_DEFAULT);
}

/* The group that a tensor's dataset goes to, and the dataset's name in it. */
static hid_t open_parent(const struct index *index, const struct reshard_tensor *tensor, char *name)
{
    char fqn[LINK_NAME_MAX];
    escape(*tensor->slot ? tensor->slot : tensor->fqn, name);
    if (!*tensor->slot)
        return H5Gopen2(index->file, "/model", H5P_DEFAULT);
    escape(tensor->fqn, fqn);
    const hid_t state = H5Gopen2(index->file, "/optim/state", H5P_DEFAULT);
    const hid_t parent = state >= 0 ? open_group(index, state, fqn) : H5I_INVALID_HID;
    if (state >= 0)
        H5Gclose(state);
    return parent;
}

/* A quiet NaN, little-endian, shows where a source is missing; all else has zeros, the default. */
static bool set_fill(hid_t create, hid_t type, enum reshard_dtype dtype)
{
    unsigned char value[16] = {0};
    const bool complex = reshard_dtype_kind(dtype) == RESHARD_KIND_COMPLEX;
    const size_t bytes = reshard_dtype_bytes(dtype);
    const size_t part = complex ? bytes / 2 : bytes;
    if (!complex && reshard_dtype_kind(dtype) != RESHARD_KIND_FLOAT)
        return true;
    for (size_t end = part; end <= bytes; end += part) {
        /* All of the exponent and the first bit of the mantissa. */
        value[end - 1] = part == 2 && dtype != RESHARD_DTYPE_BF16 ? 0x7e : 0x7f;
        value[end - 2] = part == 8 ? 0xf8 : part == 4 || dtype == RESHARD_DTYPE_BF16 ? 0xc0 : 0;
    }
    return H5Pset_fill_value(create, type, value) >= 0;
}

/* Select a piece in the full tensor. The one element of a scalar is selected already. */
static bool select_box(hid_t space, const struct reshard_box *box)
{
    hsize_t start[RESHARD_DIMS_MAX] = {0};
    hsize_t count[RESHARD_DIMS_MAX] = {0};
    for (uint32_t d = 0; d < box->ndim; d++) {
        start[d] = box->begin[d];
        count[d] = box->end[d] - box->begin[d];
    }
    return box->ndim == 0 ||
           H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0;
}

/* Map one range of a file's arena to its box of the full tensor. */
static bool add_mapping(hid_t create, hid_t space, const struct mapping *mapping,
                        enum reshard_dtype dtype)
{
    char arena[32];
    const hsize_t size = mapping->arena_elements;
    const hsize_t start = mapping->piece->offset;
    const hsize_t count = mapping->piece->count;
    snprintf(arena, sizeof arena, "/arena/%s", reshard_dtype_name(dtype));
    const hid_t source = H5Screate_simple(1, &size, NULL);
    const bool added =
        source >= 0 &&
        H5Sselect_hyperslab(source, H5S_SELECT_SET, &start, NULL, &count, NULL) >= 0 &&
        select_box(space, &mapping->piece->box) &&
        H5Pset_virtual(create, space, mapping->file->name, arena, source) >= 0;
    if (source >= 0)
        H5Sclose(source);
    return added;
}

static hid_t shape_space(const struct reshard_shape *shape)
{
    hsize_t size[RESHARD_DIMS_MAX] = {0};
    for (uint32_t d = 0; d < shape->ndim; d++)
        size[d] = shape->size[d];
    return shape->ndim ? H5Screate_simple((int)shape->ndim, size, NULL) : H5Screate(H5S_SCALAR);
}

static bool set_attributes(hid_t dataset, const struct reshard_tensor *tensor, uint64_t digest)
{
    char digits[17];
    snprintf(digits, sizeof digits, "%016" PRIx64, digest);
    return set_text(dataset, "dtype", reshard_dtype_name(tensor->dtype)) &&
           set_text(dataset, "digest", digits);
}

/* The virtual dataset of one tensor. One without elements has no mapping: HDF5 makes it plain. */
static bool add_tensor(const struct index *index, const struct reshard_tensor *tensor,
                       const struct mapping *begin, const struct mapping *end, uint64_t digest)
{
    char name[LINK_NAME_MAX];
    const hid_t parent = open_parent(index, tensor, name);
    const hid_t type = element_type(tensor->dtype);
    const hid_t space = shape_space(&tensor->shape);
    const hid_t create = H5Pcreate(H5P_DATASET_CREATE);
    bool added = parent >= 0 && type >= 0 && space >= 0 && create >= 0 &&
                 H5Pset_obj_track_times(create, false) >= 0 &&
                 set_fill(create, type, tensor->dtype);
    for (const struct mapping *mapping = begin; added && mapping < end; mapping++)
        added = add_mapping(create, space, mapping, tensor->dtype);
    const hid_t dataset =
        added ? H5Dcreate2(parent, name, type, space, index->link, create, H5P_DEFAULT)
              : H5I_INVALID_HID;
    added = dataset >= 0 && set_attributes(dataset, tensor, digest);
    if (dataset >= 0)
        added = H5Dclose(dataset) >= 0 && added;
    if (create >= 0)
        H5Pclose(create);
    if (space >= 0)
        H5Sclose(space);
    if (type >= 0)
        H5Tclose(type);
    if (parent >= 0)
        H5Gclose(parent);
    return added;
}

static bool add_tie(const struct index *index, const struct reshard_model *model,
                    const struct reshard_tie *tie)
{
    char alias[LINK_NAME_MAX];
    char of[LINK_NAME_MAX];
    escape(tie->alias, alias);
    escape(reshard_model_tensor(model, tie->tensor)->fqn, of);
    const hid_t group = H5Gopen2(index->file, "/model", H5P_DEFAULT);
    const bool added =
        group >= 0 && H5Lcreate_hard(group, of, group, alias, index->link, H5P_DEFAULT) >= 0;
    if (group >= 0)
        H5Gclose(group);
    return added;
}

static bool add_groups(const struct index *index)
{
    static const char *const names[] = {"/model", "/optim", "/optim/state"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const hid_t group = open_group(index, index->file, names[i]);
        if (group < 0 || H5Gclose(group) < 0)
            return false;
    }
    return true;
}

static bool fill_index(const struct index *index, const struct manifest *manifest,
                       const struct sources *sources)
{
    const struct reshard_model *const model = manifest->model;
    bool added = add_groups(index);
    for (uint32_t t = 0; added && t < reshard_model_tensor_count(model); t++)
        added =
            (manifest->absent && manifest->absent[t]) ||
            add_tensor(index, reshard_model_tensor(model, t), sources->mapping + sources->start[t],
                       sources->mapping + sources->start[t + 1], manifest->digest[t]);
    for (uint32_t i = 0; added && i < reshard_model_tie_count(model); i++)
        added = add_tie(index, model, reshard_model_tie_at(model, i));
    return added;
}

/* One run of metadata for the whole of the index, where that is known to be enough; but HDF5 gives
 * nothing of a block back, and the index of a small model shall be a small file. */
static uint64_t metadata_block(const struct manifest *manifest)
{
    const uint64_t bytes =
        (uint64_t)reshard_model_tensor_count(manifest->model) * METADATA_PER_TENSOR;
    if (bytes < METADATA_BLOCK_MIN)
        return METADATA_BLOCK_MIN;
    return bytes < METADATA_BLOCK_MAX ? bytes : METADATA_BLOCK_MAX;
}

/* A file that is memory, of which nothing reaches the disk. */
static hid_t memory_access(uint64_t block)
{
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    const size_t growth = block > IMAGE_GROWTH ? block : IMAGE_GROWTH;
    if (access >= 0 &&
        (H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_LATEST) < 0 ||
         H5Pset_fapl_core(access, growth, false) < 0 || H5Pset_meta_block_size(access, block) < 0 ||
         H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) < 0)) {
        H5Pclose(access);
        return H5I_INVALID_HID;
    }
    return access;
}

/* HDF5 takes the mark of an open file off the superblock of an image, but (1.10) leaves there the
 * checksum of one with it: the last 4 bytes of the superblock's 48. */
static void check_superblock(unsigned char *image)
{
    unsigned char *at = image + H5_SUPERBLOCK_BYTES - 4;
    bytes_put_number(&at, h5_head_checksum(image, H5_SUPERBLOCK_BYTES - 4), 4);
}

/* The bytes that the file would have on disk, in new memory. */
static bool take_image(hid_t file, void **out, size_t *bytes)
{
    const ssize_t most =
        H5Fflush(file, H5F_SCOPE_GLOBAL) < 0 ? -1 : H5Fget_file_image(file, NULL, 0);
    void *const image = most > 0 ? malloc((size_t)most) : NULL;
    const ssize_t taken = image ? H5Fget_file_image(file, image, (size_t)most) : -1;
    if (taken != most || most < H5_SUPERBLOCK_BYTES) {
        free(image);
        return false;
    }
    check_superblock(image);
    *out = image;
    *bytes = (size_t)taken;
    return true;
}

static bool make_file(struct index *index, hid_t create, hid_t access)
{
    if (create < 0 || access < 0 || index->group < 0 || index->link < 0 ||
        H5Pset_obj_track_times(create, false) < 0 ||
        H5Pset_obj_track_times(index->group, false) < 0 ||
        H5Pset_char_encoding(index->link, H5T_CSET_UTF8) < 0)
        return false;
    index->file = H5Fcreate(nowhere, H5F_ACC_TRUNC, create, access);
    return index->file >= 0;
}

static bool make_image(const struct manifest *manifest, const struct sources *sources, void **out,
                       size_t *bytes)
{
    const hid_t access = memory_access(metadata_block(manifest));
    const hid_t create = H5Pcreate(H5P_FILE_CREATE);
    struct index index = {H5I_INVALID_HID, H5Pcreate(H5P_GROUP_CREATE), H5Pcreate(H5P_LINK_CREATE)};
    const bool made = make_file(&index, create, access) &&
                      set_text(index.file, "token", manifest->token) &&
                      fill_index(&index, manifest, sources) && take_image(index.file, out, bytes);
    const hid_t properties[] = {index.link, index.group, create, access};
    if (index.file >= 0)
        H5Fclose(index.file); /* nothing of it is wanted any more */
    for (size_t i = 0; i < sizeof properties / sizeof *properties; i++)
        if (properties[i] >= 0)
            H5Pclose(properties[i]);
    return made;
}

enum reshard_status index_make(const char *name, const struct manifest *manifest,
                               const struct reshard_layout *layout, void **out, size_t *bytes,
                               struct reshard_error *error)
{
    struct sources sources = {0, NULL, NULL, NULL};
    *out = NULL;
    *bytes = 0;
    if (reshard_model_hash(reshard_layout_model(layout)) != reshard_model_hash(manifest->model))
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "%s: the layout is of another model than the manifest's", name);
    enum reshard_status status = sources_of(&sources, manifest, layout);
    if (status) {
        reshard_error_set(error, status, "%s: %s", name, reshard_status_text(status));
    } else {
        const struct silence silence = silence_begin();
        if (!make_image(manifest, &sources, out, bytes))
            status = hdf5_failed(name, error);
        silence_end(silence);
    }
    sources_release(&sources);
    return status;
}
