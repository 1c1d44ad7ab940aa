#include "core/manifest.h"

#include "core/digest.h"
#include "core/groups_json.h"
#include "core/json_read.h"
#include "core/layout_json.h"
#include "core/manifest_text.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEX_DIGITS = 16,
    TAIL_BEGIN_BYTES = sizeof MANIFEST_TAIL_BEGIN - 1,
    TAIL_END_BYTES = sizeof MANIFEST_TAIL_END - 1,
    TAIL_BYTES = TAIL_BEGIN_BYTES + HEX_DIGITS + TAIL_END_BYTES,
    REASON_MAX = 512,
};

/* Where in the manifest we are, for messages: `where` is "tensors[12]" or the like, or "". */
struct decoder {
    const char *name;
    char where[48];
    struct reshard_error *error;
};

/* Refuse a member (or, with "", the object that we are at). */
__attribute__((format(printf, 3, 4))) static enum reshard_status
refuse(const struct decoder *reader, const char *member, const char *format, ...)
{
    char reason[REASON_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    const char *const dot = *reader->where && *member ? "." : "";
    return reshard_error_set(reader->error, RESHARD_EFORMAT, "%s: %s%s%s: %s", reader->name,
                             reader->where, dot, member, reason);
}

static enum reshard_status out_of_memory(const struct decoder *reader)
{
    return reshard_error_set(reader->error, RESHARD_ENOMEM, "%s: out of memory", reader->name);
}

static void go_to(struct decoder *reader, const char *array, size_t index)
{
    snprintf(reader->where, sizeof reader->where, "%s[%zu]", array, index);
}

/* Refuse a value that is no object, or has a member that `known` (ended by NULL) does not list. */
static enum reshard_status check_members(const struct decoder *reader, const json_t *object,
                                         const char *const *known)
{
    if (!json_is_object(object))
        return refuse(reader, "", "must be an object");
    /* jansson's iterators want a mutable object and do not change it. */
    json_t *const iterated = (json_t *)(uintptr_t)object;
    for (void *i = json_object_iter(iterated); i; i = json_object_iter_next(iterated, i)) {
        const char *const key = json_object_iter_key(i);
        const char *const *name = known;
        while (*name && strcmp(*name, key) != 0)
            name++;
        if (!*name)
            return refuse(reader, key, "no such member in version %d", MANIFEST_VERSION);
    }
    return RESHARD_OK;
}

static enum reshard_status get_string(const struct decoder *reader, const json_t *object,
                                      const char *member, const char **out)
{
    *out = json_string_value(json_object_get(object, member));
    return *out ? RESHARD_OK : refuse(reader, member, "a string is needed");
}

/* An integer of [minimum, 2^63). */
static enum reshard_status get_integer(const struct decoder *reader, const json_t *object,
                                       const char *member, json_int_t minimum, uint64_t *out)
{
    const json_t *const value = json_object_get(object, member);
    if (!json_is_integer(value) || json_integer_value(value) < minimum)
        return refuse(reader, member, "an integer of at least %lld is needed", (long long)minimum);
    *out = (uint64_t)json_integer_value(value);
    return RESHARD_OK;
}

static enum reshard_status get_bool(const struct decoder *reader, const json_t *object,
                                    const char *member, bool *out)
{
    const json_t *const value = json_object_get(object, member);
    if (!json_is_boolean(value))
        return refuse(reader, member, "true or false is needed");
    *out = json_is_true(value);
    return RESHARD_OK;
}

static enum reshard_status get_array(const struct decoder *reader, const json_t *object,
                                     const char *member, const json_t **out)
{
    *out = json_object_get(object, member);
    return json_is_array(*out) ? RESHARD_OK : refuse(reader, member, "an array is needed");
}

/* The digits, lower-case, and nothing else. */
static bool parse_hex(const char *text, uint64_t *out)
{
    *out = 0;
    for (int i = 0; i < HEX_DIGITS; i++) {
        const char c = text[i];
        uint64_t digit;
        if (c >= '0' && c <= '9')
            digit = (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (uint64_t)(c - 'a') + 10;
        else
            return false;
        *out = *out << 4 | digit;
    }
    return true;
}

static enum reshard_status get_crc(const struct decoder *reader, const json_t *object,
                                   const char *member, uint64_t *out)
{
    const char *const text = json_string_value(json_object_get(object, member));
    if (!text || strlen(text) != HEX_DIGITS || !parse_hex(text, out))
        return refuse(reader, member, "a string of 16 lower-case hexadecimal digits is needed");
    return RESHARD_OK;
}

static enum reshard_status get_dtype(const struct decoder *reader, const json_t *object,
                                     const char *member, enum reshard_dtype *out)
{
    const char *text;
    const enum reshard_status status = get_string(reader, object, member, &text);
    if (status)
        return status;
    *out = reshard_dtype_from_name(text);
    if (*out == RESHARD_DTYPE_NONE)
        return refuse(reader, member, "'%.64s' is no dtype", text);
    return RESHARD_OK;
}

static enum reshard_status get_layout(struct decoder *reader, const json_t *layout,
                                      struct reshard_layout_options *out)
{
    struct layout_json_fault fault;
    const enum reshard_status status = layout_json_decode(layout, out, &fault);

    if (!status)
        return RESHARD_OK;
    if (status == RESHARD_ENOMEM)
        return out_of_memory(reader);
    return refuse(reader, fault.where, "%s", fault.reason);
}

static enum reshard_status get_shape(const struct decoder *reader, const json_t *object,
                                     struct reshard_shape *out)
{
    const json_t *array;
    const enum reshard_status status = get_array(reader, object, "shape", &array);
    if (status)
        return status;
    const size_t ndim = json_array_size(array);
    if (ndim > RESHARD_DIMS_MAX)
        return refuse(reader, "shape", "%zu dimensions; at most %d are possible", ndim,
                      RESHARD_DIMS_MAX);
    memset(out, 0, sizeof *out);
    out->ndim = (uint32_t)ndim;
    for (size_t d = 0; d < ndim; d++) {
        const json_t *const size = json_array_get(array, d);
        if (!json_is_integer(size) || json_integer_value(size) < 0)
            return refuse(reader, "shape", "entry %zu must be an integer of at least 0", d);
        out->size[d] = (uint64_t)json_integer_value(size);
    }
    return RESHARD_OK;
}

/* One entry of `tensors`, as its JSON has it. */
struct tensor_entry {
    const char *fqn;
    const char *slot; /* NULL for the parameter itself */
    enum reshard_dtype dtype;
    struct reshard_shape shape;
    uint64_t unit;
    const char *unit_name;
    enum reshard_role role;
    bool like;
    enum reshard_slot_class slot_class;
    uint64_t block;
    bool absent;
    uint64_t digest;
};

/* What a checkpoint can hold; a parameter that is trained says nothing. */
static enum reshard_status get_role(const struct decoder *reader, const json_t *object,
                                    enum reshard_role *out)
{
    const char *text;
    const enum reshard_status status = get_string(reader, object, "role", &text);
    if (status)
        return status;
    if (json_object_get(object, "slot"))
        return refuse(reader, "role", "a slot has no such member");
    if (!reshard_role_from_name(text, out) || !reshard_role_is_saved(*out) ||
        *out == RESHARD_ROLE_PARAMETER)
        return refuse(reader, "role", "'%.64s' is none of frozen, buffer, opaque and per_rank",
                      text);
    return RESHARD_OK;
}

/* `class` and `block` of a slot whose `like` is false. */
static enum reshard_status get_class(const struct decoder *reader, const json_t *object,
                                     struct tensor_entry *out)
{
    const char *text;
    enum reshard_status status = get_string(reader, object, "class", &text);
    if (status)
        return status;
    if (out->like)
        return refuse(reader, "class", "a slot that is `like` its parameter has no such member");
    if (!reshard_slot_class_from_name(text, &out->slot_class) ||
        out->slot_class == RESHARD_CLASS_LIKE || out->slot_class == RESHARD_CLASS_REPLICATED ||
        out->slot_class == RESHARD_CLASS_SCALAR)
        return refuse(reader, "class", "'%.64s' is none of row, column, blockwise and opaque",
                      text);
    return RESHARD_OK;
}

/* What is said of slots alone. */
static enum reshard_status get_slot(const struct decoder *reader, const json_t *object,
                                    struct tensor_entry *out)
{
    const bool has_block = json_object_get(object, "block") != NULL;
    enum reshard_status status = get_bool(reader, object, "like", &out->like);
    if (!status && !out->like)
        out->slot_class = out->shape.ndim ? RESHARD_CLASS_REPLICATED : RESHARD_CLASS_SCALAR;
    if (!status && json_object_get(object, "class"))
        status = get_class(reader, object, out);
    if (!status && has_block != (out->slot_class == RESHARD_CLASS_BLOCKWISE))
        status = refuse(reader, "block",
                        has_block ? "only a blockwise slot has this member"
                                  : "a blockwise slot must have this member");
    if (!status && has_block)
        status = get_integer(reader, object, "block", 1, &out->block);
    if (!status && json_object_get(object, "absent"))
        status = get_bool(reader, object, "absent", &out->absent);
    if (status)
        return status;
    if (json_object_get(object, "absent") && !out->absent)
        return refuse(reader, "absent", "is true, or not there");
    if (!*out->slot)
        return refuse(reader, "slot", "must not be empty; a parameter has no such member");
    if (out->absent && json_object_get(object, "digest"))
        return refuse(reader, "digest", "a slot that is absent has no such member");
    return RESHARD_OK;
}

/* The members that an entry without a slot must not have. */
static enum reshard_status check_no_slot(const struct decoder *reader, const json_t *object)
{
    static const char *const members[] = {"like", "class", "block", "absent"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (json_object_get(object, members[i]))
            return refuse(reader, members[i], "only an entry with a slot has this member");
    return RESHARD_OK;
}

static enum reshard_status get_tensor(const struct decoder *reader, const json_t *object,
                                      const json_t *units, struct tensor_entry *out)
{
    static const char *const known[] = {"fqn",  "slot",  "dtype", "shape",  "unit",   "role",
                                        "like", "class", "block", "absent", "digest", NULL};
    enum reshard_status status = check_members(reader, object, known);
    if (!status)
        status = get_string(reader, object, "fqn", &out->fqn);
    if (!status && json_object_get(object, "slot"))
        status = get_string(reader, object, "slot", &out->slot);
    if (!status)
        status = get_dtype(reader, object, "dtype", &out->dtype);
    if (!status)
        status = get_shape(reader, object, &out->shape);
    if (!status)
        status = get_integer(reader, object, "unit", 0, &out->unit);
    if (!status)
        status = out->slot ? get_slot(reader, object, out) : check_no_slot(reader, object);
    if (!status && !out->absent)
        status = get_crc(reader, object, "digest", &out->digest);
    if (!status && json_object_get(object, "role"))
        status = get_role(reader, object, &out->role);
    if (status)
        return status;
    if (out->unit >= json_array_size(units))
        return refuse(reader, "unit", "%" PRIu64 ", but there are %zu units", out->unit,
                      json_array_size(units));
    out->unit_name = json_string_value(json_array_get(units, (size_t)out->unit));
    return RESHARD_OK;
}

/* The model refuses an entry as an argument; here it is bytes that break the format. */
static enum reshard_status from_model(const struct decoder *reader, enum reshard_status status,
                                      const struct reshard_error *error)
{
    if (!status)
        return RESHARD_OK;
    if (status == RESHARD_ENOMEM)
        return out_of_memory(reader);
    return refuse(reader, "", "%.400s", *error->text ? error->text : reshard_status_text(status));
}

/* Shapes that follow from the class are held against the entry's afterwards. */
static enum reshard_status add_slot(const struct tensor_entry *entry, struct reshard_model *model,
                                    struct reshard_error *error)
{
    uint32_t parameter;
    struct reshard_slot slot = {.slot = entry->slot,
                                .dtype = entry->dtype,
                                .slot_class = entry->slot_class,
                                .block = entry->block,
                                .shape = entry->shape};
    if (reshard_model_find(model, entry->fqn, "", &parameter) == RESHARD_OK)
        slot.keeps_dimension =
            reshard_model_tensor(model, parameter)->shape.ndim == entry->shape.ndim;
    return reshard_model_add_state(model, entry->fqn, &slot, error);
}

static enum reshard_status add_tensor(const struct decoder *reader,
                                      const struct tensor_entry *entry, struct reshard_model *model)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    enum reshard_status status;
    if (entry->slot)
        status = add_slot(entry, model, &error);
    else
        status =
            reshard_model_add_role(model, entry->fqn, entry->unit_name, entry->dtype, &entry->shape,
                                   entry->role, RESHARD_OTHER_WORLD_REFUSE, &error);
    status = from_model(reader, status, &error);
    if (status)
        return status;
    /* The model numbers units itself, and shapes like-slots after their parameter: what it made of
     * the entry must be what the entry says. */
    const uint32_t last = reshard_model_tensor_count(model) - 1;
    const struct reshard_tensor *const tensor = reshard_model_tensor(model, last);
    if (tensor->unit != entry->unit)
        return refuse(reader, "unit",
                      "%" PRIu64 ", but %" PRIu32 " is needed: units are numbered in the order of "
                      "their first tensors, and a slot is in its parameter's",
                      entry->unit, tensor->unit);
    if (!reshard_shape_equal(&tensor->shape, &entry->shape))
        return refuse(reader, "shape", "differs from what the parameter's shape and `%s` come to",
                      entry->slot_class == RESHARD_CLASS_LIKE ? "like" : "class");
    return RESHARD_OK;
}

static enum reshard_status get_tensors(struct decoder *reader, const json_t *root,
                                       struct manifest *out)
{
    const json_t *tensors;
    const json_t *const units = json_object_get(root, "units");
    enum reshard_status status = get_array(reader, root, "tensors", &tensors);
    if (status)
        return status;
    const size_t count = json_array_size(tensors);
    out->digest = calloc(count ? count : 1, sizeof *out->digest);
    out->absent = calloc(count ? count : 1, sizeof *out->absent);
    if (!out->digest || !out->absent)
        return out_of_memory(reader);
    for (size_t i = 0; i < count; i++) {
        struct tensor_entry entry = {.slot = NULL};
        go_to(reader, "tensors", i);
        status = get_tensor(reader, json_array_get(tensors, i), units, &entry);
        if (!status)
            status = add_tensor(reader, &entry, out->model);
        if (status)
            return status;
        out->digest[i] = entry.digest;
        out->absent[i] = entry.absent;
    }
    *reader->where = '\0';
    return RESHARD_OK;
}

/* Before the tensors: that `units` is what their entries can be looked up in. */
static enum reshard_status check_units(struct decoder *reader, const json_t *root)
{
    const json_t *units;
    const enum reshard_status status = get_array(reader, root, "units", &units);
    if (status)
        return status;
    for (size_t i = 0; i < json_array_size(units); i++) {
        const char *const name = json_string_value(json_array_get(units, i));
        go_to(reader, "units", i);
        if (!name)
            return refuse(reader, "", "a string is needed");
        if (!*name != (i == 0))
            return refuse(reader, "", "the first unit, and no other, must be \"\", the root");
    }
    *reader->where = '\0';
    return json_array_size(units) ? RESHARD_OK
                                  : refuse(reader, "units", "must begin with \"\", the root");
}

/* After the tensors: that the model made of them has just those units. */
static enum reshard_status check_units_used(struct decoder *reader, const json_t *root,
                                            const struct reshard_model *model)
{
    const json_t *const units = json_object_get(root, "units");
    for (size_t i = 0; i < json_array_size(units); i++) {
        const char *const name = json_string_value(json_array_get(units, i));
        go_to(reader, "units", i);
        if (i > 0 && (i >= reshard_model_unit_count(model) ||
                      strcmp(name, reshard_model_unit(model, (uint32_t)i)) != 0))
            return refuse(reader, "", "'%.64s' is there twice or has no tensor", name);
    }
    *reader->where = '\0';
    return RESHARD_OK;
}

static enum reshard_status get_ties(struct decoder *reader, const json_t *root,
                                    struct reshard_model *model)
{
    static const char *const known[] = {"alias", "of", NULL};
    const json_t *ties;
    enum reshard_status status = get_array(reader, root, "ties", &ties);
    for (size_t i = 0; !status && i < json_array_size(ties); i++) {
        const json_t *const tie = json_array_get(ties, i);
        const char *alias;
        const char *of;
        struct reshard_error error = RESHARD_ERROR_INIT;
        go_to(reader, "ties", i);
        status = check_members(reader, tie, known);
        if (!status)
            status = get_string(reader, tie, "alias", &alias);
        if (!status)
            status = get_string(reader, tie, "of", &of);
        if (!status)
            status = from_model(reader, reshard_model_tie(model, alias, of, &error), &error);
    }
    if (!status)
        *reader->where = '\0';
    return status;
}

/* The optimizer's groups, once the model is known that they are of. */
static enum reshard_status get_groups(const struct decoder *reader, const json_t *optimizer,
                                      struct manifest *out)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct groups_json_fault fault;
    enum reshard_status status;
    if (!optimizer)
        return RESHARD_OK;
    status = groups_json_decode(optimizer, &out->groups, &fault);
    if (status == RESHARD_ENOMEM)
        return out_of_memory(reader);
    if (status)
        return refuse(reader, fault.where, "%s", fault.reason);
    if (reshard_groups_check(out->groups, out->model, &error))
        return refuse(reader, "optimizer.groups", "%.500s", error.text);
    return RESHARD_OK;
}

static enum reshard_status get_file(const struct decoder *reader, const json_t *object,
                                    uint64_t world, struct manifest_file *out)
{
    static const char *const known[] = {"name", "writer", "bytes", "seal", NULL};
    const char *name;
    enum reshard_status status = check_members(reader, object, known);
    if (!status)
        status = get_string(reader, object, "name", &name);
    if (!status)
        status = get_integer(reader, object, "writer", 0, &out->writer);
    if (!status)
        status = get_integer(reader, object, "bytes", 1, &out->bytes);
    if (!status)
        status = get_crc(reader, object, "seal", &out->seal);
    if (status)
        return status;
    if (out->writer >= world)
        return refuse(reader, "writer", "%" PRIu64 ", but only %" PRIu64 " ranks saved",
                      out->writer, world);
    manifest_file_name(out->writer, out->name);
    if (strcmp(name, out->name) != 0)
        return refuse(reader, "name", "'%.64s', but writer %" PRIu64 "'s file is %s", name,
                      out->writer, out->name);
    return RESHARD_OK;
}

/* No file can hold more bytes of tensors than it has bytes. What claims so is refused before
 * anybody plans, allocates or reads by it. */
static enum reshard_status check_room(const struct decoder *reader, const struct manifest *out)
{
    uint64_t tensors = 0;
    uint64_t files = 0;
    bool fits = true;
    for (uint32_t t = 0; t < reshard_model_tensor_count(out->model) && fits; t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(out->model, t);
        if (!out->absent || !out->absent[t])
            fits = !__builtin_add_overflow(
                tensors, tensor->count * reshard_dtype_bytes(tensor->dtype), &tensors);
    }
    for (uint64_t f = 0; f < out->file_count && files < tensors; f++)
        if (__builtin_add_overflow(files, out->file[f].bytes, &files))
            files = UINT64_MAX;
    return fits && tensors <= files ? RESHARD_OK
                                    : refuse(reader, "files",
                                             "all together have fewer bytes than the tensors: they "
                                             "cannot hold them");
}

static enum reshard_status get_files(struct decoder *reader, const json_t *root,
                                     struct manifest *out)
{
    const json_t *files;
    enum reshard_status status = get_array(reader, root, "files", &files);
    if (status)
        return status;
    const size_t count = json_array_size(files);
    out->file = calloc(count ? count : 1, sizeof *out->file);
    if (!out->file)
        return out_of_memory(reader);
    for (size_t i = 0; i < count; i++) {
        go_to(reader, "files", i);
        status = get_file(reader, json_array_get(files, i), out->world, &out->file[i]);
        if (status)
            return status;
        if (i > 0 && out->file[i].writer <= out->file[i - 1].writer)
            return refuse(reader, "writer", "files must be listed by rising writer");
    }
    out->file_count = count;
    *reader->where = '\0';
    return check_room(reader, out);
}

/* The ranks that read one token, for each of the tokens: so far all of them. */
static enum reshard_status get_domains(const struct decoder *reader, const json_t *root,
                                       char out[RESHARD_TOKEN_BYTES])
{
    const json_t *domains;
    const enum reshard_status status = get_array(reader, root, "domains", &domains);
    if (status)
        return status;
    if (json_array_size(domains) != 1)
        return refuse(reader, "domains", "%zu of them; this release reads checkpoints of one",
                      json_array_size(domains));
    const char *const token = json_string_value(json_array_get(domains, 0));
    if (!token || !token_parse(token, strlen(token), out))
        return refuse(reader, "domains", "a string of %d lower-case hexadecimal digits is needed",
                      RESHARD_TOKEN_DIGITS);
    return RESHARD_OK;
}

/* The caller's notes, which are not there when there are none. */
static enum reshard_status get_notes(const struct decoder *reader, const json_t *notes,
                                     struct manifest *out)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    const char *key;
    json_t *value;
    if (!notes)
        return RESHARD_OK;
    if (!json_is_object(notes) || json_object_size(notes) == 0)
        return refuse(reader, "notes", "an object of 1 to %d strings is needed", RESHARD_NOTES_MAX);
    if (json_object_size(notes) > RESHARD_NOTES_MAX)
        return refuse(reader, "notes", "%zu of them; at most %d are possible",
                      json_object_size(notes), RESHARD_NOTES_MAX);
    out->note = calloc(json_object_size(notes), sizeof *out->note);
    if (!out->note)
        return out_of_memory(reader);
    json_object_foreach((json_t *)(uintptr_t)notes, key, value)
    {
        struct reshard_note *const note = &out->note[out->note_count++];
        if (!json_is_string(value))
            return refuse(reader, "notes", "'%.64s' is no string", key);
        note->key = strdup(key);
        note->text = strdup(json_string_value(value));
        if (!note->key || !note->text)
            return out_of_memory(reader);
    }
    if (notes_check(out->note, out->note_count, &error))
        return refuse(reader, "notes", "%.400s", error.text);
    return RESHARD_OK;
}

/* `format` and `version` come before all else: another version may have any other members. */
static enum reshard_status check_version(const struct decoder *reader, const json_t *root,
                                         bool *foreign)
{
    const char *format;
    uint64_t version = 0;
    if (!json_is_object(root))
        return refuse(reader, "", "must be one JSON object");
    enum reshard_status status = get_string(reader, root, "format", &format);
    if (status)
        return status;
    if (strcmp(format, "reshard") != 0)
        return refuse(reader, "format", "'%.64s'; this reads \"reshard\"", format);
    status = get_integer(reader, root, "version", 0, &version);
    if (status)
        return status;
    *foreign = version != MANIFEST_VERSION;
    if (version > MANIFEST_VERSION)
        return refuse(reader, "version",
                      "version %" PRIu64 " is newer than this release reads (%d); use the release "
                      "that wrote it, or a later one",
                      version, MANIFEST_VERSION);
    if (version < MANIFEST_VERSION)
        return refuse(reader, "version",
                      "version %" PRIu64 "; this release reads version %d; no release wrote others",
                      version, MANIFEST_VERSION);
    return RESHARD_OK;
}

static enum reshard_status get_manifest(struct decoder *reader, const json_t *root,
                                        struct manifest *out)
{
    static const char *const known[] = {"format",    "version", "step",  "world",   "domains",
                                        "notes",     "layout",  "units", "tensors", "ties",
                                        "optimizer", "files",   "crc64", NULL};
    enum reshard_status status = check_version(reader, root, &out->foreign);
    if (!status)
        status = check_members(reader, root, known);
    if (!status)
        status = get_integer(reader, root, "step", 0, &out->step);
    if (!status)
        status = get_integer(reader, root, "world", 1, &out->world);
    if (!status)
        status = get_domains(reader, root, out->token);
    if (!status)
        status = get_notes(reader, json_object_get(root, "notes"), out);
    if (!status)
        status = get_layout(reader, json_object_get(root, "layout"), &out->layout);
    if (status)
        return status;
    *reader->where = '\0';
    const struct reshard_mesh mesh = reshard_layout_options_mesh(&out->layout);
    const uint64_t ranks = reshard_mesh_ranks(&mesh);
    if (ranks == 0 || out->world > RESHARD_MESH_RANKS_MAX)
        return refuse(reader, "layout.mesh", "more than %d ranks; so many are not believed",
                      RESHARD_MESH_RANKS_MAX);
    if (ranks > out->world)
        return refuse(reader, "world", "%" PRIu64 ", but layout.mesh has %" PRIu64 " ranks",
                      out->world, ranks);
    out->layout.world = out->world;
    status = reshard_model_open(&out->model);
    if (status)
        return out_of_memory(reader);
    status = check_units(reader, root);
    if (!status)
        status = get_tensors(reader, root, out);
    if (!status)
        status = check_units_used(reader, root, out->model);
    if (!status)
        status = get_ties(reader, root, out->model);
    if (!status)
        status = get_groups(reader, json_object_get(root, "optimizer"), out);
    if (!status)
        status = get_files(reader, root, out);
    return status;
}

/* The file's last bytes, and its CRC. */
static enum reshard_status check_tail(const char *text, size_t bytes, const char *name,
                                      struct reshard_error *error)
{
    const char *const tail = bytes > TAIL_BYTES ? text + bytes - TAIL_BYTES : text;
    uint64_t said;
    if (bytes <= TAIL_BYTES || tail[-1] != '\n' ||
        memcmp(tail, MANIFEST_TAIL_BEGIN, TAIL_BEGIN_BYTES) != 0 ||
        !parse_hex(tail + TAIL_BEGIN_BYTES, &said) ||
        memcmp(tail + TAIL_BEGIN_BYTES + HEX_DIGITS, MANIFEST_TAIL_END, TAIL_END_BYTES) != 0)
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "%s: does not end in the line \"crc64\" with 16 lower-case "
                                 "hexadecimal digits, and a closing brace: no manifest, or cut "
                                 "short at %zu bytes",
                                 name, bytes);
    const uint64_t crc = digest_crc(0, text, bytes - TAIL_BYTES);
    if (crc != said)
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "%s: crc64: says %016" PRIx64 ", but the bytes before have "
                                 "%016" PRIx64 ": the manifest is damaged",
                                 name, said, crc);
    return RESHARD_OK;
}

enum reshard_status manifest_decode(struct manifest *out, const char *text, size_t bytes,
                                    const char *name, struct reshard_error *error)
{
    *out = (struct manifest)MANIFEST_INIT;
    if (bytes > MANIFEST_BYTES_MAX)
        return reshard_error_set(error, RESHARD_EFORMAT, "%s: %zu bytes; at most %d are possible",
                                 name, bytes, MANIFEST_BYTES_MAX);
    enum reshard_status status = check_tail(text, bytes, name, error);
    if (status)
        return status;
    json_t *root;
    status = json_read(&root, text, bytes, name, error);
    if (status)
        return status;
    struct decoder reader = {name, "", error};
    status = get_manifest(&reader, root, out);
    json_decref(root);
    if (status) {
        const bool foreign = out->foreign;
        manifest_release(out);
        out->foreign = foreign;
    }
    return status;
}
