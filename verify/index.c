#include "verify/index.h"

#include "verify/h5.h"
#include "verify/pieces.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINK_MAX_BYTES = 3 * VERIFY_NAME_MAX, SOURCE_MAX = 64 };

/* The index under inspection. */
struct view {
    const struct verify_checkpoint *checkpoint;
    hid_t model;
    hid_t state;
    bool maps; /* judge mappings: every piece is known */
    struct reshard_error *error;
};

static enum reshard_status wrong(const struct view *view, uint32_t tensor, const char *what)
{
    const struct verify_tensor *about = &view->checkpoint->inventory.tensor[tensor];

    return reshard_error_set(view->error, RESHARD_EFORMAT, "the dataset of %s%s%s %s", about->fqn,
                             about->slot[0] ? " " : "", about->slot, what);
}

/* A name as a link: HDF5 would read "/" as a path, "." and ".." as groups. */
static void link_name(const char *name, char out[LINK_MAX_BYTES])
{
    const bool dots = strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
    size_t used = 0;

    for (; *name; ++name) {
        if (dots || *name == '%' || *name == '/')
            used += (size_t)snprintf(out + used, 4, "%%%02X", (unsigned)(unsigned char)*name);
        else
            out[used++] = *name;
    }
    out[used] = '\0';
}

/* --- mappings --------------------------------------------------------------------------------- */

/* One mapping: a box of the full tensor, and a range of an arena beside the index. */
struct mapping {
    char file[SOURCE_MAX];
    char arena[SOURCE_MAX];
    hsize_t begin[VERIFY_DIMS_MAX];
    hsize_t last[VERIFY_DIMS_MAX];
    hsize_t source;
    hsize_t count;
};

static bool read_mapping(hid_t plist, size_t number, uint32_t ndim, struct mapping *out)
{
    const hid_t full = H5Pget_virtual_vspace(plist, number);
    const hid_t source = H5Pget_virtual_srcspace(plist, number);
    const ssize_t file = H5Pget_virtual_filename(plist, number, out->file, sizeof out->file);
    const ssize_t arena = H5Pget_virtual_dsetname(plist, number, out->arena, sizeof out->arena);
    const hssize_t points = H5Sget_select_npoints(full);
    hsize_t last = 0;
    const bool good = file > 0 && file < SOURCE_MAX && arena > 0 && arena < SOURCE_MAX &&
                      points > 0 && H5Sget_simple_extent_ndims(full) == (int)ndim &&
                      (ndim == 0 || H5Sget_select_bounds(full, out->begin, out->last) >= 0) &&
                      H5Sget_simple_extent_ndims(source) == 1 &&
                      H5Sget_select_npoints(source) == points &&
                      H5Sget_select_bounds(source, &out->source, &last) >= 0;

    out->count = (hsize_t)points;
    H5Sclose(source);
    H5Sclose(full);
    return good && last - out->source + 1 == out->count;
}

/* Where a mapping of the tensor's first element onwards must lead to. */
static bool is_piece(const struct view *view, const struct verify_tensor *tensor,
                     const struct verify_piece *piece, const struct mapping *mapping)
{
    const struct verify_file *file = &view->checkpoint->file[piece->file];
    const uint64_t offset =
        (piece->position - file->arena[tensor->dtype]) / reshard_dtype_bytes(tensor->dtype);
    char arena[SOURCE_MAX];

    for (uint32_t d = 0; d < tensor->ndim; ++d) {
        if (mapping->begin[d] != piece->box.begin[d] || mapping->last[d] + 1 != piece->box.end[d])
            return false;
    }
    snprintf(arena, sizeof arena, "/arena/%s", reshard_dtype_name(tensor->dtype));
    return strcmp(mapping->file, file->name) == 0 && strcmp(mapping->arena, arena) == 0 &&
           mapping->source == offset && mapping->count == piece->count;
}

static enum reshard_status check_each_mapping(const struct view *view, hid_t plist,
                                              struct verify_pieces *pieces)
{
    const struct verify_tensor *tensor = &view->checkpoint->inventory.tensor[pieces->tensor];

    for (uint32_t m = 0; m < pieces->count; ++m) {
        struct mapping mapping = {.count = 0};
        uint64_t first = 0;
        struct verify_piece *piece;

        if (!read_mapping(plist, m, tensor->ndim, &mapping))
            return wrong(view, pieces->tensor, "has a mapping that is no box of one arena");
        for (uint32_t d = 0; d < tensor->ndim; ++d)
            first = first * tensor->shape[d] + mapping.begin[d];
        piece = verify_pieces_from(pieces, first);
        if (!piece || !is_piece(view, tensor, piece, &mapping))
            return reshard_error_set(view->error, RESHARD_EFORMAT,
                                     "the dataset of %s%s%s maps its elements from %" PRIu64
                                     " on to another place than their piece",
                                     tensor->fqn, tensor->slot[0] ? " " : "", tensor->slot, first);
        piece->count = 0; /* so that no second mapping is of this piece */
    }
    return RESHARD_OK;
}

static enum reshard_status check_mappings(const struct view *view, uint32_t tensor, hid_t dataset)
{
    const bool empty = verify_tensor_elements(&view->checkpoint->inventory.tensor[tensor]) == 0;
    const hid_t plist = H5Dget_create_plist(dataset);
    struct verify_pieces pieces;
    size_t count = 0;
    enum reshard_status status = verify_pieces_open(&pieces, view->checkpoint, tensor, view->error);

    if (!status && (H5Pget_layout(plist) == H5D_VIRTUAL) == empty)
        status = wrong(view, tensor, empty ? "has no elements, and is virtual" : "is not virtual");
    if (!status && !empty && (H5Pget_virtual_count(plist, &count) < 0 || count != pieces.count))
        status = wrong(view, tensor, "has not one mapping for each piece");
    if (!status && !empty)
        status = check_each_mapping(view, plist, &pieces);
    verify_pieces_close(&pieces);
    H5Pclose(plist);
    return status;
}

/* --- datasets --------------------------------------------------------------------------------- */

/* Does every mapping lead to a file beside the index? HDF5 opens what they lead to, wherever it is,
 * as soon as it is asked for the size of some datasets. */
static bool stays_here(hid_t dataset)
{
    const hid_t plist = H5Dget_create_plist(dataset);
    size_t count = 0;
    bool good = true;

    if (H5Pget_layout(plist) == H5D_VIRTUAL)
        good = H5Pget_virtual_count(plist, &count) >= 0;
    for (size_t m = 0; m < count && good; ++m) {
        char file[SOURCE_MAX] = "";
        const ssize_t length = H5Pget_virtual_filename(plist, m, file, sizeof file);

        good = length > 0 && length < SOURCE_MAX && strncmp(file, "rank-", 5) == 0 &&
               !strchr(file, '/');
    }
    good = good && H5Pget_external_count(plist) <= 0;
    H5Pclose(plist);
    return good;
}

static bool has_shape(hid_t dataset, const struct verify_tensor *tensor)
{
    const hid_t space = H5Dget_space(dataset);
    hsize_t size[VERIFY_DIMS_MAX];
    bool same = H5Sget_simple_extent_ndims(space) == (int)tensor->ndim &&
                H5Sget_simple_extent_dims(space, size, NULL) >= 0;

    for (uint32_t d = 0; same && d < tensor->ndim; ++d)
        same = size[d] == tensor->shape[d];
    H5Sclose(space);
    return same;
}

static bool has_dtype(hid_t dataset, enum reshard_dtype dtype)
{
    const hid_t type = H5Dget_type(dataset);
    const bool same = verify_h5_is_dtype(type, dtype);

    H5Tclose(type);
    return same;
}

static enum reshard_status check_dataset(const struct view *view, uint32_t number, hid_t dataset)
{
    const struct verify_tensor *tensor = &view->checkpoint->inventory.tensor[number];
    char text[VERIFY_H5_STRING_MAX + 1];
    char digest[17];

    snprintf(digest, sizeof digest, "%016" PRIx64, view->checkpoint->digest[number]);
    if (dataset < 0)
        return wrong(view, number, "is not where it must be");
    if (!has_dtype(dataset, tensor->dtype) || !verify_h5_string(dataset, "dtype", text) ||
        strcmp(text, reshard_dtype_name(tensor->dtype)) != 0)
        return wrong(view, number, "has another dtype than the manifest says");
    if (!stays_here(dataset))
        return wrong(view, number, "has a mapping that is no box of one arena");
    if (!has_shape(dataset, tensor))
        return wrong(view, number, "has another shape than the manifest says");
    if (!verify_h5_string(dataset, "digest", text) || strcmp(text, digest) != 0)
        return wrong(view, number, "has another digest than the manifest says");
    return view->maps ? check_mappings(view, number, dataset) : RESHARD_OK;
}

static enum reshard_status check_tensor(const struct view *view, uint32_t number)
{
    const struct verify_tensor *tensor = &view->checkpoint->inventory.tensor[number];
    char name[LINK_MAX_BYTES];
    hid_t group = H5I_INVALID_HID;
    hid_t dataset;
    enum reshard_status status;

    link_name(tensor->fqn, name);
    if (tensor->slot[0]) {
        group = verify_h5_group(view->state, name);
        link_name(tensor->slot, name);
    }
    dataset = verify_h5_dataset(tensor->slot[0] ? group : view->model, name);
    status = check_dataset(view, number, dataset);
    H5Dclose(dataset);
    H5Gclose(group);
    return status;
}

/* A tie is the very dataset of its tensor. */
static enum reshard_status check_tie(const struct view *view, const struct verify_tie *tie)
{
    char alias[LINK_MAX_BYTES];
    char of[LINK_MAX_BYTES];
    H5L_info_t left;
    H5L_info_t right;

    link_name(tie->alias, alias);
    link_name(view->checkpoint->inventory.tensor[tie->tensor].fqn, of);
    if (H5Lget_info(view->model, alias, &left, H5P_DEFAULT) >= 0 && left.type == H5L_TYPE_HARD &&
        H5Lget_info(view->model, of, &right, H5P_DEFAULT) >= 0 && left.u.address == right.u.address)
        return RESHARD_OK;
    return reshard_error_set(view->error, RESHARD_EFORMAT,
                             "%s is no hard link to the dataset of %s", tie->alias,
                             view->checkpoint->inventory.tensor[tie->tensor].fqn);
}

/* --- the whole -------------------------------------------------------------------------------- */

static bool has_members(hid_t group, uint64_t count)
{
    H5G_info_t about;

    return H5Gget_info(group, &about) >= 0 && about.nlinks == count;
}

/* What must be there is; nothing else may be. */
static enum reshard_status check_counts(const struct view *view)
{
    const struct verify_inventory *inventory = &view->checkpoint->inventory;
    uint32_t *slots = calloc((size_t)inventory->tensor_count + 1, sizeof *slots);
    uint64_t parameters = 0;
    uint64_t with_slots = 0;
    bool good = true;

    if (!slots)
        return reshard_error_set(view->error, RESHARD_ENOMEM, "no memory for an index");
    for (uint32_t t = 0; t < inventory->tensor_count; ++t) {
        const bool slot = inventory->tensor[t].slot[0];

        if (view->checkpoint->absent[t])
            continue;
        parameters += !slot;
        with_slots += slot && slots[inventory->tensor[t].parameter]++ == 0;
    }
    for (uint32_t t = 0; t < inventory->tensor_count && good; ++t) {
        char name[LINK_MAX_BYTES];
        hid_t group;

        if (slots[t] == 0)
            continue;
        link_name(inventory->tensor[t].fqn, name);
        group = verify_h5_group(view->state, name);
        good = has_members(group, slots[t]);
        H5Gclose(group);
    }
    free(slots);
    if (good && has_members(view->model, parameters + view->checkpoint->tie_count) &&
        has_members(view->state, with_slots))
        return RESHARD_OK;
    return reshard_error_set(view->error, RESHARD_EFORMAT,
                             "has members that are no tensor of the manifest");
}

static enum reshard_status check_view(const struct view *view)
{
    const struct verify_checkpoint *checkpoint = view->checkpoint;
    enum reshard_status status = RESHARD_OK;

    if (view->model < 0 || view->state < 0)
        return reshard_error_set(view->error, RESHARD_EFORMAT,
                                 "has not the groups /model and /optim/state");
    for (uint32_t t = 0; t < checkpoint->inventory.tensor_count && !status; ++t) {
        if (!checkpoint->absent[t])
            status = check_tensor(view, t);
    }
    for (uint32_t t = 0; t < checkpoint->tie_count && !status; ++t)
        status = check_tie(view, &checkpoint->tie[t]);
    return status ? status : check_counts(view);
}

static enum reshard_status check_token(const struct verify_checkpoint *checkpoint, hid_t file,
                                       struct reshard_error *error)
{
    char token[VERIFY_H5_STRING_MAX + 1];

    if (!verify_h5_string(file, "token", token))
        return reshard_error_set(error, RESHARD_EFORMAT, "has no attribute token");
    if (strcmp(token, checkpoint->token) != 0)
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "is the index of another checkpoint: its token is %s, not %s",
                                 token, checkpoint->token);
    return RESHARD_OK;
}

enum reshard_status verify_index_judge(const struct verify_checkpoint *checkpoint,
                                       struct reshard_error *error)
{
    const hid_t file = verify_h5_open(checkpoint->directory, VERIFY_INDEX_FILE);
    struct view view = {.checkpoint = checkpoint, .maps = true, .error = error};
    enum reshard_status status;
    hid_t optim;

    if (file < 0)
        return reshard_error_set(error, RESHARD_EFORMAT, "HDF5 cannot open it: it is damaged");
    for (uint32_t f = 0; f < checkpoint->file_count; ++f)
        view.maps = view.maps && checkpoint->file[f].usable;
    optim = verify_h5_group(file, "optim");
    view.model = verify_h5_group(file, "model");
    view.state = verify_h5_group(optim, "state");
    status = check_token(checkpoint, file, error);
    if (!status)
        status = check_view(&view);
    H5Gclose(view.state);
    H5Gclose(view.model);
    H5Gclose(optim);
    H5Fclose(file);
    return status;
}
