#include "verify/record.h"

#include "verify/crc.h"
#include "verify/members.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { SEAL_BYTES = 32, WORLD_MAX = 1 << 20, BYTES_OF_VALUE = 8, VALUES_FREE = 1024 };
enum { NOTES_MAX = 256, NOTE_BYTES_MAX = 65535 };

static const char seal_head[] = "  \"crc64\": \"";
static const char seal_tail[] = "\"\n}\n";

static enum reshard_status wrong(struct reshard_error *error, const char *what)
{
    return reshard_error_set(error, RESHARD_EFORMAT, "manifest.json: %s", what);
}

static enum reshard_status check_seal(const char *text, size_t bytes, struct reshard_error *error)
{
    const char *seal;
    uint64_t crc;

    if (bytes < SEAL_BYTES + 2)
        return wrong(error, "is too short to be one");
    seal = text + bytes - SEAL_BYTES;
    if (memcmp(seal, seal_head, sizeof seal_head - 1) != 0 ||
        memcmp(seal + sizeof seal_head - 1 + VERIFY_DIGITS, seal_tail, sizeof seal_tail - 1) != 0 ||
        !verify_read_digits(seal + sizeof seal_head - 1, &crc))
        return wrong(error, "does not end in its line \"crc64\": it was cut short or changed");
    if (verify_crc(0, text, bytes - SEAL_BYTES) != crc)
        return reshard_error_set(error, RESHARD_EDIGEST,
                                 "manifest.json: its bytes do not have the CRC it ends with");
    return RESHARD_OK;
}

/* Do its members stand in this order? It has no others; `?` marks what may be absent. */
static bool in_order(json_t *object, const char *const *names)
{
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        const char *key = json_object_iter_key(at);

        while (*names && **names == '?' && strcmp(key, *names + 1) != 0)
            ++names;
        if (!*names || strcmp(key, *names + (**names == '?')) != 0)
            return false;
        ++names;
    }
    return true;
}

/* Keep a name; NULL when it is none. The length of an FQN, slot or unit is limited. */
static const char *keep_name(struct verify_checkpoint *checkpoint, const json_t *value)
{
    char *copy;

    if (!json_is_string(value) || json_string_length(value) >= VERIFY_NAME_MAX)
        return NULL;
    copy = strdup(json_string_value(value));
    if (copy)
        checkpoint->name[checkpoint->name_count++] = copy;
    return copy;
}

static bool parse_role(const json_t *value, enum verify_role *out)
{
    static const char *const names[] = {[VERIFY_FROZEN] = "frozen",
                                        [VERIFY_BUFFER] = "buffer",
                                        [VERIFY_OPAQUE] = "opaque",
                                        [VERIFY_PER_RANK] = "per_rank"};
    const char *role = json_string_value(value);

    for (int r = VERIFY_FROZEN; r <= VERIFY_PER_RANK && role; ++r) {
        *out = (enum verify_role)r;
        if (strcmp(role, names[r]) == 0)
            return true;
    }
    return false;
}

static const char *parse_shape(struct verify_tensor *tensor, const json_t *shape)
{
    if (!json_is_array(shape) || json_array_size(shape) > VERIFY_DIMS_MAX)
        return "has no shape of at most 8 dimensions";
    tensor->ndim = (uint32_t)json_array_size(shape);
    for (uint32_t d = 0; d < tensor->ndim; ++d) {
        if (!verify_read_integer(json_array_get(shape, d), &tensor->shape[d]))
            return "has a shape with an entry that is no size";
    }
    return NULL;
}

/* The class of a slot of its own shape; the size of its blocks where these are what it is of. */
static const char *parse_class(struct verify_tensor *tensor, const json_t *value)
{
    static const char *const names[] = {[VERIFY_ROW] = "row",
                                        [VERIFY_COLUMN] = "column",
                                        [VERIFY_BLOCKWISE] = "blockwise",
                                        [VERIFY_BYTES] = "opaque"};
    const json_t *named = json_object_get(value, "class");
    const char *name = json_string_value(named);

    if (named && tensor->like)
        return "has a class, but is no slot of a shape of its own";
    for (int c = VERIFY_ROW; c <= VERIFY_BYTES && name; ++c) {
        if (strcmp(name, names[c]) == 0)
            tensor->slot_class = (enum verify_class)c;
    }
    if (named && tensor->slot_class == VERIFY_PLAIN)
        return "has no known class";
    if ((json_object_get(value, "block") != NULL) != (tensor->slot_class == VERIFY_BLOCKWISE))
        return "is blockwise without \"block\", or has it and is not";
    if (tensor->slot_class == VERIFY_BLOCKWISE &&
        !verify_read_count(value, "block", &tensor->block))
        return "has a block that is no size";
    return NULL;
}

/* An absent slot has no data, and so no digest. */
static const char *parse_presence(struct verify_checkpoint *checkpoint, const json_t *value,
                                  uint32_t number)
{
    const json_t *absent = json_object_get(value, "absent");

    if (absent && (!json_is_true(absent) || !json_object_get(value, "slot")))
        return "has \"absent\", and is no slot, or it is not true";
    checkpoint->absent[number] = absent;
    if (absent)
        return json_object_get(value, "digest") ? "is absent, and has a digest" : NULL;
    return verify_read_hex(value, "digest", &checkpoint->digest[number])
               ? NULL
               : "has no digest of 16 digits";
}

/* What is wrong with one tensor of the inventory, or NULL. References are looked at later. */
static const char *parse_tensor(struct verify_checkpoint *checkpoint, const json_t *value,
                                uint32_t number)
{
    static const char *const members[] = {"fqn",    "?slot",   "dtype",   "shape",
                                          "unit",   "?role",   "?like",   "?class",
                                          "?block", "?absent", "?digest", NULL};
    struct verify_tensor *tensor = &checkpoint->inventory.tensor[number];
    const char *dtype = json_string_value(json_object_get(value, "dtype"));
    const json_t *slot = json_object_get(value, "slot");
    const json_t *like = json_object_get(value, "like");
    const json_t *role = json_object_get(value, "role");
    const char *fault;
    uint64_t unit;

    if (!verify_has_members(value, members))
        return "has members that a tensor does not have, or lacks some";
    tensor->fqn = keep_name(checkpoint, json_object_get(value, "fqn"));
    tensor->slot = slot ? keep_name(checkpoint, slot) : "";
    if (!tensor->fqn || !tensor->fqn[0] || !tensor->slot || (slot && !tensor->slot[0]))
        return "has no name of 1 to 1023 bytes";
    tensor->dtype = dtype ? reshard_dtype_from_name(dtype) : RESHARD_DTYPE_NONE;
    if (tensor->dtype == RESHARD_DTYPE_NONE)
        return "has no known dtype";
    fault = parse_shape(tensor, json_object_get(value, "shape"));
    if (fault)
        return fault;
    if (!verify_read_count(value, "unit", &unit) || unit >= checkpoint->inventory.unit_count)
        return "belongs to no unit";
    tensor->unit = (uint32_t)unit;
    if (slot ? !json_is_boolean(like) : like != NULL)
        return "is a slot without \"like\", or no slot and has it";
    if (role && (slot || !parse_role(role, &tensor->role)))
        return "is a slot with a role, or has one that is none";
    tensor->like = !slot || json_is_true(like);
    fault = parse_class(tensor, value);
    return fault ? fault : parse_presence(checkpoint, value, number);
}

static enum reshard_status parse_tensors(struct verify_checkpoint *checkpoint, const json_t *array,
                                         struct reshard_error *error)
{
    struct verify_inventory *inventory = &checkpoint->inventory;
    const size_t count = json_array_size(array);
    enum reshard_status status;

    inventory->tensor = calloc(count + 1, sizeof *inventory->tensor);
    checkpoint->digest = calloc(count + 1, sizeof *checkpoint->digest);
    checkpoint->absent = calloc(count + 1, sizeof *checkpoint->absent);
    if (!inventory->tensor || !checkpoint->digest || !checkpoint->absent)
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory for %zu tensors", count);
    for (uint32_t t = 0; t < count; ++t) {
        const char *fault = parse_tensor(checkpoint, json_array_get(array, t), t);

        if (fault)
            return reshard_error_set(error, RESHARD_EFORMAT, "manifest.json: tensors[%u] %s", t,
                                     fault);
    }
    inventory->tensor_count = (uint32_t)count;
    status = verify_names_open(&checkpoint->names, inventory, error);
    for (uint32_t t = 0; t < count && !status; ++t)
        inventory->tensor[t].parameter =
            verify_names_find(&checkpoint->names, inventory->tensor[t].fqn, "");
    if (!status)
        status = verify_inventory_check(inventory, error);
    if (status && error && status != RESHARD_ENOMEM) {
        reshard_error_prefix(error, "manifest.json");
        error->status = RESHARD_EFORMAT;
    }
    return status && status != RESHARD_ENOMEM ? RESHARD_EFORMAT : status;
}

static enum reshard_status parse_units(struct verify_checkpoint *checkpoint, const json_t *array,
                                       struct reshard_error *error)
{
    const size_t count = json_array_size(array);

    if (count == 0 || !json_is_string(json_array_get(array, 0)) ||
        json_string_length(json_array_get(array, 0)) != 0)
        return wrong(error, "units: the first is not \"\"");
    for (size_t u = 1; u < count; ++u) {
        const json_t *name = json_array_get(array, u);

        if (!json_is_string(name) || json_string_length(name) >= VERIFY_NAME_MAX)
            return wrong(error, "units: a name is no string of at most 1023 bytes");
    }
    checkpoint->inventory.unit_count = (uint32_t)count;
    return RESHARD_OK;
}

/* Units stand in the order of their first tensors, and each has one. */
static enum reshard_status check_units(const struct verify_inventory *inventory,
                                       struct reshard_error *error)
{
    uint32_t seen = 1;

    for (uint32_t t = 0; t < inventory->tensor_count; ++t) {
        if (inventory->tensor[t].unit > seen)
            return wrong(error, "units: not in the order of their first tensors");
        seen += inventory->tensor[t].unit == seen;
    }
    return seen == inventory->unit_count ? RESHARD_OK : wrong(error, "units: one has no tensor");
}

static bool can_be_tied(const struct verify_checkpoint *checkpoint, const char *of)
{
    const uint32_t number = verify_names_find(&checkpoint->names, of, "");
    const struct verify_tensor *tensor = checkpoint->inventory.tensor + number;

    return number != UINT32_MAX &&
           (verify_tensor_is_parameter(tensor) || tensor->role == VERIFY_BUFFER);
}

static enum reshard_status parse_ties(struct verify_checkpoint *checkpoint, const json_t *array,
                                      struct reshard_error *error)
{
    static const char *const members[] = {"alias", "of", NULL};

    checkpoint->tie = calloc(json_array_size(array) + 1, sizeof *checkpoint->tie);
    if (!checkpoint->tie)
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory for the ties");
    for (size_t i = 0; i < json_array_size(array); ++i) {
        const json_t *tie = json_array_get(array, i);
        const char *alias = json_string_value(json_object_get(tie, "alias"));
        const char *of = json_string_value(json_object_get(tie, "of"));

        if (!verify_has_members(tie, members) || !alias || !of || !alias[0])
            return wrong(error, "ties: an entry has no \"alias\" and \"of\"");
        if (!can_be_tied(checkpoint, of) ||
            verify_names_find(&checkpoint->names, alias, "") != UINT32_MAX)
            return reshard_error_set(error, RESHARD_EFORMAT,
                                     "manifest.json: ties: %s must be no tensor, and %s a "
                                     "parameter or buffer",
                                     alias, of);
        checkpoint->tie[i].alias = keep_name(checkpoint, json_object_get(tie, "alias"));
        checkpoint->tie[i].tensor = verify_names_find(&checkpoint->names, of, "");
        if (!checkpoint->tie[i].alias)
            return wrong(error, "ties: an alias is no name of at most 1023 bytes");
        checkpoint->tie_count = (uint32_t)i + 1;
    }
    return RESHARD_OK;
}

static const char *parse_file(struct verify_checkpoint *checkpoint, const json_t *value,
                              uint32_t number)
{
    static const char *const members[] = {"name", "writer", "bytes", "seal", NULL};
    struct verify_file *file = &checkpoint->file[number];
    const char *name = json_string_value(json_object_get(value, "name"));

    file->fd = -1;
    if (!verify_has_members(value, members) || !name ||
        !verify_read_count(value, "writer", &file->writer) ||
        !verify_read_count(value, "bytes", &file->bytes) ||
        !verify_read_hex(value, "seal", &file->seal))
        return "has not the four members of a file";
    if (file->writer >= checkpoint->world)
        return "was written by a rank outside the world";
    if (number > 0 && file->writer <= checkpoint->file[number - 1].writer)
        return "does not come by rising writer";
    snprintf(file->name, sizeof file->name, "rank-%05llu.h5", (unsigned long long)file->writer);
    if (strcmp(name, file->name) != 0)
        return "has not the name of its writer";
    return NULL;
}

static enum reshard_status parse_files(struct verify_checkpoint *checkpoint, const json_t *array,
                                       struct reshard_error *error)
{
    const size_t count = json_array_size(array);

    if (count > checkpoint->world)
        return wrong(error, "files: more files than ranks");
    checkpoint->file = calloc(count + 1, sizeof *checkpoint->file);
    if (!checkpoint->file)
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory for %zu files", count);
    for (uint32_t f = 0; f < count; ++f) {
        const char *fault = parse_file(checkpoint, json_array_get(array, f), f);

        if (fault)
            return reshard_error_set(error, RESHARD_EFORMAT, "manifest.json: files[%u] %s", f,
                                     fault);
        checkpoint->file_count = f + 1;
    }
    return RESHARD_OK;
}

/* No file can have more bytes of tensors than it has bytes: what claims so is refused before
 * anybody sets out to read it. */
static enum reshard_status check_room(const struct verify_checkpoint *checkpoint,
                                      struct reshard_error *error)
{
    const struct verify_inventory *inventory = &checkpoint->inventory;
    unsigned __int128 tensors = 0;
    unsigned __int128 files = 0;

    for (uint32_t t = 0; t < inventory->tensor_count; ++t) {
        if (!checkpoint->absent[t])
            tensors += (unsigned __int128)verify_tensor_elements(&inventory->tensor[t]) *
                       reshard_dtype_bytes(inventory->tensor[t].dtype);
    }
    for (uint32_t f = 0; f < checkpoint->file_count; ++f)
        files += checkpoint->file[f].bytes;
    return tensors <= files ? RESHARD_OK
                            : wrong(error, "files: all of them together have fewer bytes than the "
                                           "tensors: they cannot hold them");
}

/* --- the head --------------------------------------------------------------------------------- */

/* The tokens of the storage domains: just one, today. */
static enum reshard_status parse_domains(struct verify_checkpoint *checkpoint, const json_t *array,
                                         struct reshard_error *error)
{
    const json_t *token = json_array_get(array, 0);
    const char *text = json_string_value(token);
    uint64_t half;

    if (json_array_size(array) != 1 || !text ||
        json_string_length(token) != (size_t)2 * VERIFY_DIGITS ||
        !verify_read_digits(text, &half) || !verify_read_digits(text + VERIFY_DIGITS, &half))
        return wrong(error, "\"domains\" is no array of one token of 32 lower-case hexadecimal "
                            "digits");
    memcpy(checkpoint->token, text, sizeof checkpoint->token);
    return RESHARD_OK;
}

/* The caller's words. Nobody reads them here. */
static enum reshard_status check_notes(json_t *notes, struct reshard_error *error)
{
    if (!notes)
        return RESHARD_OK;
    if (!json_is_object(notes) || json_object_size(notes) == 0 ||
        json_object_size(notes) > NOTES_MAX)
        return wrong(error, "\"notes\" is no object of 1 to 256 strings");
    for (void *at = json_object_iter(notes); at; at = json_object_iter_next(notes, at)) {
        const size_t length = strlen(json_object_iter_key(at));

        if (length == 0 || length >= VERIFY_NAME_MAX)
            return wrong(error, "notes: a key has not 1 to 1023 bytes");
        if (!json_is_string(json_object_iter_value(at)) ||
            json_string_length(json_object_iter_value(at)) > NOTE_BYTES_MAX)
            return wrong(error, "notes: a value is no string of at most 65535 bytes");
    }
    return RESHARD_OK;
}

static enum reshard_status check_version(const json_t *root, struct reshard_error *error)
{
    const char *format = json_string_value(json_object_get(root, "format"));
    uint64_t version = 0;

    if (!format || strcmp(format, "reshard") != 0)
        return wrong(error, "\"format\" is not \"reshard\"");
    if (!verify_read_count(root, "version", &version))
        return wrong(error, "\"version\" is no version");
    if (version > VERIFY_VERSION)
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "manifest.json: version %llu is newer than this release reads "
                                 "(%d)",
                                 (unsigned long long)version, VERIFY_VERSION);
    if (version < VERIFY_VERSION)
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "manifest.json: version %llu; this release reads version %d, and "
                                 "no older one",
                                 (unsigned long long)version, VERIFY_VERSION);
    return RESHARD_OK;
}

static enum reshard_status parse_head(struct verify_checkpoint *checkpoint, json_t *root,
                                      struct reshard_error *error)
{
    static const char *const members[] = {"format",     "version", "step",  "world",   "domains",
                                          "?notes",     "layout",  "units", "tensors", "ties",
                                          "?optimizer", "files",   "crc64", NULL};
    static const char *const arrays[] = {"units", "tensors", "ties", "files", NULL};
    enum reshard_status status = check_version(root, error);

    if (status)
        return status;
    if (!verify_has_members(root, members) || !in_order(root, members))
        return wrong(error, "its members are not those of version 2 in their order");
    if (!verify_read_count(root, "step", &checkpoint->step))
        return wrong(error, "\"step\" is no count");
    if (!verify_read_count(root, "world", &checkpoint->world) || checkpoint->world == 0 ||
        checkpoint->world > WORLD_MAX)
        return wrong(error, "\"world\" is no number of ranks");
    for (const char *const *array = arrays; *array; ++array) {
        if (!json_is_array(json_object_get(root, *array)))
            return reshard_error_set(error, RESHARD_EFORMAT, "manifest.json: %s is no array",
                                     *array);
    }
    status = parse_domains(checkpoint, json_object_get(root, "domains"), error);
    return status ? status : check_notes(json_object_get(root, "notes"), error);
}

static enum reshard_status parse_root(struct verify_checkpoint *checkpoint, json_t *root,
                                      struct reshard_error *error)
{
    const json_t *tensors = json_object_get(root, "tensors");
    enum reshard_status status = parse_head(checkpoint, root, error);

    if (status)
        return status;
    checkpoint->name =
        calloc(2 * json_array_size(tensors) + json_array_size(json_object_get(root, "ties")) + 1,
               sizeof *checkpoint->name);
    if (!checkpoint->name)
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory for the manifest's names");
    status = verify_formula_parse(&checkpoint->formula, json_object_get(root, "layout"), error);
    checkpoint->formula.layout.world = checkpoint->world;
    if (!status)
        status = parse_units(checkpoint, json_object_get(root, "units"), error);
    if (!status)
        status = parse_tensors(checkpoint, tensors, error);
    if (!status)
        status = check_units(&checkpoint->inventory, error);
    if (!status)
        status = parse_ties(checkpoint, json_object_get(root, "ties"), error);
    if (!status)
        status = verify_param_groups_parse(&checkpoint->groups, json_object_get(root, "optimizer"),
                                           &checkpoint->names, error);
    if (!status)
        status = parse_files(checkpoint, json_object_get(root, "files"), error);
    return status ? status : check_room(checkpoint, error);
}

/* Each object and array costs a parser some 200 bytes, however short it is written. */
static bool is_modest(const char *text, size_t bytes)
{
    size_t values = 0;

    for (size_t i = 0; i < bytes; ++i)
        values += text[i] == '{' || text[i] == '[';
    return values <= bytes / BYTES_OF_VALUE + VALUES_FREE;
}

enum reshard_status verify_record_parse(struct verify_checkpoint *checkpoint, const char *text,
                                        size_t bytes, struct reshard_error *error)
{
    enum reshard_status status = check_seal(text, bytes, error);
    json_error_t fault;
    json_t *root;

    if (status)
        return status;
    if (!is_modest(text, bytes))
        return wrong(error, "has more than an object or array for each 8 bytes");
    root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &fault);
    if (!root)
        return reshard_error_set(error, RESHARD_EFORMAT, "manifest.json:%d:%d: %s", fault.line,
                                 fault.column, fault.text);
    status = parse_root(checkpoint, root, error);
    json_decref(root);
    return status;
}
