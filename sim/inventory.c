#include "sim/inventory.h"

#include "core/optimizer.h"
#include "core/safetensors.h"
#include "sim/input.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What one tensor of a file becomes: `index` stands for {i} in its texts. */
struct inventory_place {
    struct yaml_document *document;
    const struct inventory_options *options;
    enum reshard_dtype dtype; /* of tensors that name none */
    const char *unit;         /* of tensors that name none; NULL: the root */
    uint64_t index;
};

/* Copy `text` with each "{i}" replaced by the number. False when it does not fit. */
static bool expand(const char *text, uint64_t index, char *out, size_t size)
{
    size_t used = 0;
    while (*text) {
        char number[24] = {text[0], '\0'};
        const bool counter = strncmp(text, "{i}", 3) == 0;
        if (counter)
            (void)snprintf(number, sizeof(number), "%" PRIu64, index);
        const size_t length = strlen(number);
        if (used + length >= size)
            return false;
        memcpy(out + used, number, length);
        used += length;
        text += counter ? 3 : 1;
    }
    out[used] = '\0';
    return true;
}

static bool lies_in(const char *fqn, const char *unit)
{
    const size_t length = strlen(unit);
    return length == 0 || (strncmp(fqn, unit, length) == 0 && fqn[length] == '.');
}

static enum reshard_dtype final_dtype(enum reshard_dtype dtype, enum reshard_role role,
                                      const struct inventory_options *options)
{
    const bool replaced = options->parameters != RESHARD_DTYPE_NONE &&
                          reshard_role_is_parameter(role) && reshard_optimizer_trains(dtype);
    return replaced ? options->parameters : dtype;
}

/* The shape of a tensor as written; what each rank has, for a world of one. False, and an error was
 * recorded, when it has too many dimensions. */
static bool read_shape(const struct inventory_place *place, const struct language_tensor *tensor,
                       enum reshard_role role, struct reshard_shape *out)
{
    const uint32_t first = role == RESHARD_ROLE_PER_RANK ? 1 : 0;
    *out = (struct reshard_shape){.ndim = first + (uint32_t)tensor->shape.count, .size = {first}};
    if (out->ndim > RESHARD_DIMS_MAX) {
        yaml_error(place->document, schema_place(tensor->node, "shape"),
                   "a per_rank tensor has at most %d dimensions: the ranks are one more",
                   RESHARD_DIMS_MAX - 1);
        return false;
    }
    if (tensor->shape.count > 0)
        memcpy(out->size + first, tensor->shape.item, tensor->shape.count * sizeof(out->size[0]));
    return true;
}

/* What becomes of it at another world size: a per_rank tensor's alone. */
static enum reshard_other_world read_other_world(const struct inventory_place *place,
                                                 const struct language_tensor *tensor,
                                                 enum reshard_role role)
{
    if (tensor->other_world && role != RESHARD_ROLE_PER_RANK)
        yaml_error(place->document, yaml_get(tensor->node, "other_world")->key,
                   "'other_world' goes with role: per_rank; any world size loads a %s",
                   tensor->role);
    return tensor->other_world && strcmp(tensor->other_world, "keep") == 0
               ? RESHARD_OTHER_WORLD_KEEP
               : RESHARD_OTHER_WORLD_REFUSE;
}

/* Errors are recorded, so that one bad tensor does not hide the next; true when it was added. */
static bool add_tensor(struct reshard_model *model, const struct inventory_place *place,
                       const struct language_tensor *tensor)
{
    char fqn[RESHARD_NAME_MAX];
    char unit[RESHARD_NAME_MAX];
    const struct yaml_node *key = tensor->node->key;
    const char *unit_text = tensor->unit ? tensor->unit : place->unit ? place->unit : "";
    enum reshard_role role = RESHARD_ROLE_PARAMETER;
    struct reshard_shape shape;
    struct reshard_error error = RESHARD_ERROR_INIT;
    if (!expand(key->text, place->index, fqn, sizeof(fqn)) ||
        !expand(unit_text, place->index, unit, sizeof(unit))) {
        yaml_error(place->document, key, "a name has at most %d bytes", RESHARD_NAME_MAX - 1);
        return false;
    }
    if (!lies_in(fqn, unit)) {
        yaml_error(place->document, key,
                   "'%s' does not lie in its unit '%s': its name must begin with '%s.'", fqn, unit,
                   unit);
        return false;
    }
    (void)reshard_role_from_name(tensor->role, &role);
    if (!read_shape(place, tensor, role, &shape))
        return false;
    const enum reshard_dtype given = role == RESHARD_ROLE_OPAQUE ? RESHARD_DTYPE_U8 : place->dtype;
    const enum reshard_dtype dtype = tensor->dtype != RESHARD_DTYPE_NONE ? tensor->dtype : given;
    if (reshard_model_add_role(model, fqn, unit, final_dtype(dtype, role, place->options), &shape,
                               role, read_other_world(place, tensor, role), &error) == RESHARD_OK)
        return true;
    yaml_error(place->document, key, "%s", error.text);
    return false;
}

static bool add_tensors(struct reshard_model *model, const struct inventory_place *place,
                        const struct schema_list *tensors)
{
    const struct language_tensor *tensor = tensors->item;
    bool all = true;
    for (uint64_t i = 0; i < tensors->count; i++) {
        if (reshard_model_tensor_count(model) == INVENTORY_TENSORS_MAX) {
            yaml_error(place->document, tensor[i].node->key,
                       "a model has at most %d tensors, those of repeated sections included",
                       INVENTORY_TENSORS_MAX);
            return false;
        }
        all = add_tensor(model, place, &tensor[i]) && all;
        if (yaml_error_count(place->document) > YAML_ERRORS_MAX)
            return false; /* enough said */
    }
    return all;
}

static void add_ties(struct reshard_model *model, struct yaml_document *document,
                     const struct schema_list *ties)
{
    const struct language_tie *tie = ties->item;
    for (uint64_t i = 0; i < ties->count; i++) {
        struct reshard_error error = RESHARD_ERROR_INIT;
        if (reshard_model_tie(model, tie[i].node->key->text, tie[i].of, &error) != RESHARD_OK)
            yaml_error(document, tie[i].node, "%s", error.text);
    }
}

/* A repeated section whose names do not count would add the same names again. */
static bool names_count(struct yaml_document *document, const struct language_section *section)
{
    const struct language_tensor *tensor = section->tensors.item;
    if (section->repeat == 1)
        return true;
    for (uint64_t i = 0; i < section->tensors.count; i++) {
        const struct yaml_node *key = tensor[i].node->key;
        if (!strstr(key->text, "{i}")) {
            yaml_error(document, key,
                       "the section repeats %" PRIu64
                       " times, so '%s' needs {i} in its name to stay unique",
                       section->repeat, key->text);
            return false;
        }
    }
    return true;
}

static void add_section(struct reshard_model *model, struct inventory_place place,
                        const struct language_section *section)
{
    place.unit = section->unit;
    if (!names_count(place.document, section))
        return;
    for (place.index = 0; place.index < section->repeat; place.index++) {
        if (!add_tensors(model, &place, &section->tensors))
            return;
    }
}

/* Model files. */

static enum reshard_status build_model(struct reshard_model **out, struct yaml_document *document,
                                       const struct language_model_file *file,
                                       const struct inventory_options *options)
{
    const struct inventory_place place = {document, options, file->dtype, NULL, 0};
    const struct language_section *section = file->sections.item;
    const enum reshard_status status = reshard_model_open(out);
    if (status != RESHARD_OK)
        return status;
    for (uint64_t i = 0; i < file->sections.count; i++)
        add_section(*out, place, &section[i]);
    add_ties(*out, document, &file->ties);
    return yaml_error_count(document) == 0 ? RESHARD_OK : RESHARD_EINVAL;
}

static enum reshard_status open_model_file(struct reshard_model **out, const char *path,
                                           const struct inventory_options *options, FILE *messages,
                                           struct reshard_error *error)
{
    struct yaml_document *document = NULL;
    struct language_model_file file = {0};
    enum reshard_status status = yaml_open(&document, path, error);
    if (status != RESHARD_OK)
        return status;
    status = schema_read(&language_model_file, document, &file)
                 ? build_model(out, document, &file, options)
                 : RESHARD_EINVAL;
    yaml_errors_print(document, messages);
    schema_release(&language_model_file, &file);
    yaml_close(document);
    return status;
}

/* Safetensors files. */

/* Does the name begin with the pattern, {i} standing for digits, and go on with a "."? The length
 * of the unit's name, 0 if not. */
static size_t match_unit(const char *fqn, const char *pattern)
{
    const char *at = fqn;
    while (*pattern) {
        if (strncmp(pattern, "{i}", 3) == 0) {
            const size_t digits = strspn(at, "0123456789");
            if (digits == 0)
                return 0;
            at += digits;
            pattern += 3;
        } else if (*at++ != *pattern++) {
            return 0;
        }
    }
    return *at == '.' ? (size_t)(at - fqn) : 0;
}

static enum reshard_status add_entry(struct reshard_model *model, const char *path,
                                     const struct safetensors_entry *entry,
                                     const struct inventory_options *options,
                                     struct reshard_error *error)
{
    char unit[RESHARD_NAME_MAX] = "";
    size_t length = 0;
    if (final_dtype(entry->dtype, RESHARD_ROLE_PARAMETER, options) != entry->dtype)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "%s: tensor '%s' is %s, but parameters shall be %s; values are "
                                 "never cast",
                                 path, entry->name, reshard_dtype_name(entry->dtype),
                                 reshard_dtype_name(options->parameters));
    for (uint64_t i = 0; i < options->unit_count; i++) {
        const size_t matched = match_unit(entry->name, options->unit[i]);
        length = matched > length ? matched : length;
    }
    if (length < sizeof(unit))
        memcpy(unit, entry->name, length);
    const enum reshard_status status =
        reshard_model_add(model, entry->name, unit, entry->dtype, &entry->shape, error);
    if (status != RESHARD_OK)
        reshard_error_prefix(error, "%s", path);
    return status;
}

/* A unit that matches nothing is a slip that would silently change the layout. */
static enum reshard_status check_units(const struct reshard_model *model, const char *path,
                                       const struct inventory_options *options,
                                       struct reshard_error *error)
{
    for (uint64_t i = 0; i < options->unit_count; i++) {
        bool found = false;
        for (uint32_t t = 0; t < reshard_model_tensor_count(model) && !found; t++)
            found = match_unit(reshard_model_tensor(model, t)->fqn, options->unit[i]) > 0;
        if (!found)
            return reshard_error_set(error, RESHARD_EINVAL, "%s: no tensor lies in the unit '%s'",
                                     path, options->unit[i]);
    }
    return RESHARD_OK;
}

enum reshard_status inventory_open_safetensors(struct reshard_model **out, const char *path,
                                               const struct inventory_options *options,
                                               struct reshard_error *error)
{
    struct safetensors *file = NULL;
    struct reshard_model *model = NULL;
    *out = NULL;
    enum reshard_status status = safetensors_open(&file, path, error);
    if (status == RESHARD_OK)
        status = reshard_model_open(&model);
    for (uint64_t i = 0; status == RESHARD_OK && i < safetensors_count(file); i++)
        status = add_entry(model, path, safetensors_entry(file, i), options, error);
    if (status == RESHARD_OK)
        status = check_units(model, path, options, error);
    safetensors_close(file);
    if (status != RESHARD_OK) {
        reshard_model_close(model);
        return status;
    }
    *out = model;
    return RESHARD_OK;
}

/* Worlds. */

static enum reshard_status add_for_world(struct reshard_model *out,
                                         const struct reshard_model *model, uint32_t index,
                                         uint64_t world, struct reshard_error *error)
{
    const struct reshard_tensor *tensor = reshard_model_tensor(model, index);
    struct reshard_shape shape = tensor->shape;
    if (reshard_tensor_is_slot(tensor)) {
        const struct reshard_slot slot = reshard_tensor_slot(model, tensor);
        return reshard_model_add_state(out, tensor->fqn, &slot, error);
    }
    if (tensor->role == RESHARD_ROLE_PER_RANK)
        shape.size[0] = world;
    return reshard_model_add_role(out, tensor->fqn, reshard_model_unit(model, tensor->unit),
                                  tensor->dtype, &shape, tensor->role, tensor->other_world, error);
}

enum reshard_status inventory_for_world(struct reshard_model **out,
                                        const struct reshard_model *model, uint64_t world,
                                        struct reshard_error *error)
{
    struct reshard_model *made = NULL;
    enum reshard_status status = reshard_model_open(&made);
    *out = NULL;
    for (uint32_t i = 0; !status && i < reshard_model_tensor_count(model); i++)
        status = add_for_world(made, model, i, world, error);
    for (uint32_t i = 0; !status && i < reshard_model_tie_count(model); i++) {
        const struct reshard_tie *tie = reshard_model_tie_at(model, i);
        status = reshard_model_tie(made, tie->alias, reshard_model_tensor(model, tie->tensor)->fqn,
                                   error);
    }
    if (status) {
        reshard_model_close(made);
        return status;
    }
    *out = made;
    return RESHARD_OK;
}

/* Entrances. */

/* By its content, whatever it is called; a file that cannot be read is told by whoever reads it. */
static bool is_safetensors(const char *path)
{
    char head[64];
    FILE *file = NULL;
    const size_t length = strlen(path);
    const size_t ending = strlen(".safetensors");
    if (length >= ending && strcmp(path + length - ending, ".safetensors") == 0)
        return true;
    if (input_open(path, &file, NULL) != RESHARD_OK)
        return false;
    const size_t bytes = fread(head, 1, sizeof(head), file);
    (void)fclose(file); /* nothing was written */
    return safetensors_looks_right(head, bytes);
}

enum reshard_status inventory_open(struct reshard_model **out, const char *path,
                                   const struct inventory_options *options, FILE *messages)
{
    static const struct inventory_options defaults = {0};
    struct reshard_error error = RESHARD_ERROR_INIT;
    *out = NULL;
    if (!options)
        options = &defaults;
    const enum reshard_status status = is_safetensors(path)
                                           ? inventory_open_safetensors(out, path, options, &error)
                                           : open_model_file(out, path, options, messages, &error);
    if (status == RESHARD_OK)
        return RESHARD_OK;
    if (error.text[0] != '\0')
        yaml_file_error_print(path, status, &error, messages);
    reshard_model_close(*out);
    *out = NULL;
    return status;
}

enum reshard_status inventory_open_written(struct reshard_model **out,
                                           struct yaml_document *document,
                                           const struct language_model *written,
                                           const struct inventory_options *options)
{
    const struct inventory_place place = {document, options, written->dtype, NULL, 0};
    enum reshard_status status = reshard_model_open(out);
    if (status != RESHARD_OK)
        return status;
    (void)add_tensors(*out, &place, &written->tensors);
    add_ties(*out, document, &written->ties);
    if (yaml_error_count(document) == 0)
        return RESHARD_OK;
    reshard_model_close(*out);
    *out = NULL;
    return RESHARD_EINVAL;
}
