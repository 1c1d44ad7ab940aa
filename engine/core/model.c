#include "core/model.h"

#include "core/argument.h"
#include "core/digest.h"
#include "core/pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1 /* an element that was not added has no table then */
#include <uthash.h>

/* Names are found by a hash of "fqn\0slot". */
struct name_entry {
    char *key;
    size_t key_bytes;
    uint32_t tensor;
    UT_hash_handle hh;
};

struct reshard_model {
    struct reshard_tensor *tensor;
    uint32_t tensor_count;
    char **unit;
    uint32_t unit_count;
    struct reshard_tie *tie;
    uint32_t tie_count;
    struct name_entry *names;
    struct name_entry *units; /* key: the unit's name; tensor: its index */
};

enum reshard_status model_check_name(const char *what, const char *name, bool may_be_empty,
                                     struct reshard_error *error)
{
    if (name[0] == '\0' && !may_be_empty)
        return reshard_error_set(error, RESHARD_EINVAL, "the name of a %s is empty", what);
    if (strlen(name) >= RESHARD_NAME_MAX)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "the name of a %s has %zu bytes; at most %d are allowed", what,
                                 strlen(name), RESHARD_NAME_MAX - 1);
    if (!text_is_utf8(name))
        return reshard_error_set(error, RESHARD_EINVAL, "the name of a %s is not UTF-8", what);
    return RESHARD_OK;
}

static size_t name_key(const char *fqn, const char *slot, char *key)
{
    const size_t fqn_bytes = strlen(fqn) + 1, slot_bytes = strlen(slot);

    memcpy(key, fqn, fqn_bytes);
    memcpy(key + fqn_bytes, slot, slot_bytes);
    return fqn_bytes + slot_bytes;
}

static struct name_entry *find_name(struct name_entry *table, const char *fqn, const char *slot)
{
    char key[2 * RESHARD_NAME_MAX];
    struct name_entry *found = NULL;

    if (strlen(fqn) >= RESHARD_NAME_MAX || strlen(slot) >= RESHARD_NAME_MAX)
        return NULL;
    const size_t bytes = name_key(fqn, slot, key);
    HASH_FIND(hh, table, key, bytes, found);
    return found;
}

static enum reshard_status add_name(struct name_entry **table, const char *fqn, const char *slot,
                                    uint32_t tensor)
{
    struct name_entry *entry = calloc(1, sizeof *entry);

    if (!entry)
        return RESHARD_ENOMEM;
    entry->key = malloc(strlen(fqn) + strlen(slot) + 2);
    if (!entry->key) {
        free(entry);
        return RESHARD_ENOMEM;
    }
    entry->key_bytes = name_key(fqn, slot, entry->key);
    entry->tensor = tensor;
    HASH_ADD_KEYPTR(hh, *table, entry->key, entry->key_bytes, entry);
    if (!entry->hh.tbl) {
        free(entry->key);
        free(entry);
        return RESHARD_ENOMEM;
    }
    return RESHARD_OK;
}

static void forget_name(struct name_entry **table, const char *fqn)
{
    struct name_entry *entry = find_name(*table, fqn, "");

    HASH_DEL(*table, entry);
    free(entry->key);
    free(entry);
}

static void free_names(struct name_entry **table)
{
    struct name_entry *entry, *next;

    /* The analyser does not see that uthash frees its table only with the last entry. */
    /* NOLINTBEGIN(clang-analyzer-unix.Malloc) */
    HASH_ITER(hh, *table, entry, next)
    {
        HASH_DEL(*table, entry);
        free(entry->key);
        free(entry);
    }
    /* NOLINTEND(clang-analyzer-unix.Malloc) */
}

/* Make room for one more element of an array that grows by doubling. */
static bool grow(void **array, uint32_t count, size_t size)
{
    void *grown;

    if (count & (count - 1))
        return true;
    if (count > UINT32_MAX / 2)
        return false;
    grown = reallocarray(*array, count ? 2 * (size_t)count : 1, size);
    if (grown)
        *array = grown;
    return grown != NULL;
}

static enum reshard_status unit_index(struct reshard_model *model, const char *name, uint32_t *out)
{
    const struct name_entry *known = find_name(model->units, name, "");
    enum reshard_status status;
    char *copy;

    if (known) {
        *out = known->tensor;
        return RESHARD_OK;
    }
    copy = strdup(name);
    if (!copy || !grow((void **)&model->unit, model->unit_count, sizeof *model->unit)) {
        free(copy);
        return RESHARD_ENOMEM;
    }
    status = add_name(&model->units, name, "", model->unit_count);
    if (status) {
        free(copy);
        return status;
    }
    *out = model->unit_count;
    model->unit[model->unit_count++] = copy;
    return RESHARD_OK;
}

/* Forget the last unit, which nothing is of. */
static void drop_unit(struct reshard_model *model)
{
    char *name = model->unit[--model->unit_count];

    forget_name(&model->units, name);
    free(name);
}

enum reshard_status reshard_model_open(struct reshard_model **out)
{
    struct reshard_model *model;
    uint32_t root;

    if (!out)
        return RESHARD_EINVAL;
    *out = NULL;
    model = calloc(1, sizeof *model);
    if (!model)
        return RESHARD_ENOMEM;
    if (unit_index(model, "", &root)) {
        reshard_model_close(model);
        return RESHARD_ENOMEM;
    }
    *out = model;
    return RESHARD_OK;
}

/* The element count, and that its bytes fit 63 bits, so that no later size can overflow. */
static enum reshard_status tensor_count(const char *fqn, enum reshard_dtype dtype,
                                        const struct reshard_shape *shape, uint64_t *out,
                                        struct reshard_error *error)
{
    const size_t bytes = reshard_dtype_bytes(dtype);

    if (bytes == 0)
        return reshard_error_set(error, RESHARD_EINVAL, "tensor '%s' has no known dtype", fqn);
    if (shape->ndim > RESHARD_DIMS_MAX)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "tensor '%s' has %u dimensions; at most %d are supported", fqn,
                                 shape->ndim, RESHARD_DIMS_MAX);
    if (reshard_shape_count(shape, out) || *out > INT64_MAX / bytes)
        return reshard_error_set(error, RESHARD_EOVERFLOW,
                                 "tensor '%s' has more bytes than 63 bits can count", fqn);
    return RESHARD_OK;
}

static enum reshard_status append(struct reshard_model *model, const struct reshard_tensor *tensor)
{
    struct reshard_tensor copy = *tensor;
    enum reshard_status status = RESHARD_ENOMEM;

    copy.fqn = strdup(tensor->fqn);
    copy.slot = strdup(tensor->slot);
    if (!copy.fqn || !copy.slot ||
        !grow((void **)&model->tensor, model->tensor_count, sizeof *model->tensor))
        goto cleanup;
    status = add_name(&model->names, copy.fqn, copy.slot, model->tensor_count);
    if (status)
        goto cleanup;
    model->tensor[model->tensor_count++] = copy;
    return RESHARD_OK;

cleanup:
    free((char *)copy.fqn);
    free((char *)copy.slot);
    return status;
}

static const char *const role_names[RESHARD_ROLE_COUNT] = {
    [RESHARD_ROLE_PARAMETER] = "parameter", [RESHARD_ROLE_FROZEN] = "frozen",
    [RESHARD_ROLE_BUFFER] = "buffer",       [RESHARD_ROLE_TRANSIENT] = "transient",
    [RESHARD_ROLE_OPAQUE] = "opaque",       [RESHARD_ROLE_PER_RANK] = "per_rank",
};

const char *reshard_role_name(enum reshard_role role)
{
    return role_names[role];
}

bool reshard_role_from_name(const char *name, enum reshard_role *out)
{
    for (int i = 0; i < RESHARD_ROLE_COUNT; i++) {
        if (strcmp(role_names[i], name) == 0) {
            *out = (enum reshard_role)i;
            return true;
        }
    }
    return false;
}

bool reshard_role_is_parameter(enum reshard_role role)
{
    return role == RESHARD_ROLE_PARAMETER || role == RESHARD_ROLE_FROZEN;
}

bool reshard_role_is_saved(enum reshard_role role)
{
    return role != RESHARD_ROLE_TRANSIENT;
}

bool reshard_tensor_is_slot(const struct reshard_tensor *tensor)
{
    return tensor->slot[0] != '\0';
}

char *reshard_tensor_print(const struct reshard_tensor *tensor, char *text, size_t size)
{
    snprintf(text, size, "'%s'%s%s", tensor->fqn, tensor->slot[0] ? " slot " : "", tensor->slot);
    return text;
}

static enum reshard_status check_role(const struct reshard_tensor *tensor,
                                      struct reshard_error *error)
{
    if (tensor->role >= RESHARD_ROLE_COUNT || tensor->other_world > RESHARD_OTHER_WORLD_WRAP)
        return reshard_error_set(error, RESHARD_EINVAL, "'%s' has a role that there is not",
                                 tensor->fqn);
    if (tensor->role == RESHARD_ROLE_OPAQUE &&
        (tensor->dtype != RESHARD_DTYPE_U8 || tensor->shape.ndim != 1))
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "'%s' is opaque, so it must be u8 in one dimension", tensor->fqn);
    if (tensor->role == RESHARD_ROLE_PER_RANK && tensor->shape.ndim == 0)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "'%s' is of each rank, so its dimension 0 must be the world",
                                 tensor->fqn);
    return RESHARD_OK;
}

enum reshard_status reshard_model_add_role(struct reshard_model *model, const char *fqn,
                                           const char *unit, enum reshard_dtype dtype,
                                           const struct reshard_shape *shape,
                                           enum reshard_role role,
                                           enum reshard_other_world other_world,
                                           struct reshard_error *error)
{
    struct reshard_tensor tensor = {
        .fqn = fqn, .slot = "", .dtype = dtype, .role = role, .other_world = other_world};
    enum reshard_status status =
        CHECK_ARGUMENTS(error, ARGUMENT(model), ARGUMENT(fqn), ARGUMENT(unit), ARGUMENT(shape));
    uint32_t units;

    if (status)
        return status;
    tensor.shape = *shape;
    tensor.like = tensor.parameter = model->tensor_count;
    units = model->unit_count;
    status = model_check_name("tensor", fqn, false, error);
    if (!status)
        status = model_check_name("unit", unit, true, error);
    if (!status && find_name(model->names, fqn, ""))
        status = reshard_error_set(error, RESHARD_EINVAL, "the name '%s' is given twice", fqn);
    if (!status)
        status = tensor_count(fqn, dtype, shape, &tensor.count, error);
    if (!status)
        status = check_role(&tensor, error);
    if (!status)
        status = unit_index(model, unit, &tensor.unit);
    if (status)
        return status;
    status = append(model, &tensor);
    if (status && model->unit_count > units)
        drop_unit(model);
    return status;
}

enum reshard_status reshard_model_add(struct reshard_model *model, const char *fqn,
                                      const char *unit, enum reshard_dtype dtype,
                                      const struct reshard_shape *shape,
                                      struct reshard_error *error)
{
    return reshard_model_add_role(model, fqn, unit, dtype, shape, RESHARD_ROLE_PARAMETER,
                                  RESHARD_OTHER_WORLD_REFUSE, error);
}

static const char *const class_names[RESHARD_CLASS_COUNT] = {
    [RESHARD_CLASS_LIKE] = "like",
    [RESHARD_CLASS_ROW] = "row",
    [RESHARD_CLASS_COLUMN] = "column",
    [RESHARD_CLASS_BLOCKWISE] = "blockwise",
    [RESHARD_CLASS_REPLICATED] = "replicated",
    [RESHARD_CLASS_SCALAR] = "scalar",
    [RESHARD_CLASS_OPAQUE] = "opaque",
};

const char *reshard_slot_class_name(enum reshard_slot_class slot_class)
{
    return class_names[slot_class];
}

bool reshard_slot_class_from_name(const char *name, enum reshard_slot_class *out)
{
    for (int i = 0; i < RESHARD_CLASS_COUNT; i++) {
        if (strcmp(class_names[i], name) == 0) {
            *out = (enum reshard_slot_class)i;
            return true;
        }
    }
    return false;
}

/* A shape without one of its dimensions, or with size 1 there. */
static struct reshard_shape reduced(const struct reshard_shape *shape, uint32_t over, bool keeps)
{
    struct reshard_shape out = *shape;

    out.size[over] = 1;
    if (keeps)
        return out;
    for (uint32_t d = over; d + 1 < shape->ndim; d++)
        out.size[d] = shape->size[d + 1];
    out.ndim--;
    return out;
}

/* The shape that a slot's class gives it beside its parameter. */
static struct reshard_shape slot_shape(const struct reshard_tensor *parameter,
                                       const struct reshard_slot *slot)
{
    const uint32_t ndim = parameter->shape.ndim;

    switch (slot->slot_class) {
    case RESHARD_CLASS_LIKE:
        return parameter->shape;
    case RESHARD_CLASS_ROW:
        return reduced(&parameter->shape, ndim - 1, slot->keeps_dimension);
    case RESHARD_CLASS_COLUMN:
        return reduced(&parameter->shape, ndim - 2, slot->keeps_dimension);
    case RESHARD_CLASS_BLOCKWISE:
        return (struct reshard_shape){
            1, {parameter->count / slot->block + (parameter->count % slot->block != 0)}};
    case RESHARD_CLASS_SCALAR:
        return (struct reshard_shape){.ndim = 0};
    default:
        return slot->shape;
    }
}

/* What is wrong with a slot of that class, or NULL. */
static const char *class_fault(const struct reshard_tensor *parameter,
                               const struct reshard_slot *slot)
{
    switch (slot->slot_class) {
    case RESHARD_CLASS_ROW:
    case RESHARD_CLASS_COLUMN:
        if (parameter->shape.ndim < 2)
            return "a row or column is of a parameter with 2 or more dimensions";
        break;
    case RESHARD_CLASS_BLOCKWISE:
        return slot->block == 0 || slot->block > INT64_MAX ? "a block has 1 to 2^63 - 1 elements"
                                                           : NULL;
    case RESHARD_CLASS_REPLICATED:
        if (slot->shape.ndim == 0)
            return "what has no dimensions is a scalar";
        break;
    case RESHARD_CLASS_OPAQUE:
        if (slot->dtype != RESHARD_DTYPE_U8 || slot->shape.ndim != 1)
            return "what is opaque must be u8 in one dimension";
        break;
    case RESHARD_CLASS_LIKE:
    case RESHARD_CLASS_SCALAR:
        break;
    default:
        return "there is no such class";
    }
    return slot->block ? "only what is blockwise has blocks" : NULL;
}

enum reshard_status reshard_model_add_state(struct reshard_model *model, const char *fqn,
                                            const struct reshard_slot *slot,
                                            struct reshard_error *error)
{
    enum reshard_status status =
        CHECK_ARGUMENTS(error, ARGUMENT(model), ARGUMENT(fqn), ARGUMENT(slot));
    const struct reshard_tensor *parameter;
    const struct name_entry *known;
    struct reshard_tensor tensor;
    const char *fault;

    if (!status)
        status = CHECK_ARGUMENTS(error, ARGUMENT(slot->slot));
    if (!status)
        status = model_check_name("slot", slot->slot, false, error);
    if (status)
        return status;
    known = find_name(model->names, fqn, "");
    parameter = known ? &model->tensor[known->tensor] : NULL;
    if (!parameter || strcmp(parameter->fqn, fqn) != 0 ||
        !reshard_role_is_parameter(parameter->role))
        return reshard_error_set(error, RESHARD_EINVAL, "slot '%s' of '%s': no such parameter",
                                 slot->slot, fqn);
    if (find_name(model->names, fqn, slot->slot))
        return reshard_error_set(error, RESHARD_EINVAL, "slot '%s' of '%s' is given twice",
                                 slot->slot, fqn);
    fault = class_fault(parameter, slot);
    if (fault)
        return reshard_error_set(error, RESHARD_EINVAL, "slot '%s' of '%s': %s", slot->slot, fqn,
                                 fault);
    tensor = (struct reshard_tensor){.fqn = fqn,
                                     .slot = slot->slot,
                                     .dtype = slot->dtype,
                                     .shape = slot_shape(parameter, slot),
                                     .unit = parameter->unit,
                                     .parameter = known->tensor,
                                     .role = parameter->role,
                                     .slot_class = slot->slot_class,
                                     .block = slot->block};
    tensor.like = slot->slot_class == RESHARD_CLASS_LIKE ? known->tensor : RESHARD_LIKE_NONE;
    status = tensor_count(fqn, tensor.dtype, &tensor.shape, &tensor.count, error);
    return status ? status : append(model, &tensor);
}

enum reshard_status reshard_model_add_slot(struct reshard_model *model, const char *fqn,
                                           const char *slot, enum reshard_dtype dtype,
                                           const struct reshard_shape *shape, bool parameter_like,
                                           struct reshard_error *error)
{
    struct reshard_slot state = {.slot = slot, .dtype = dtype};
    const enum reshard_status status = CHECK_ARGUMENTS(
        error, ARGUMENT(slot), {"shape", parameter_like ? slot : (const void *)shape, false, 0});

    if (status)
        return status;
    if (!parameter_like) {
        state.slot_class = shape->ndim ? RESHARD_CLASS_REPLICATED : RESHARD_CLASS_SCALAR;
        state.shape = *shape;
    }
    return reshard_model_add_state(model, fqn, &state, error);
}

struct reshard_slot reshard_tensor_slot(const struct reshard_model *model,
                                        const struct reshard_tensor *tensor)
{
    return (struct reshard_slot){.slot = tensor->slot,
                                 .dtype = tensor->dtype,
                                 .slot_class = tensor->slot_class,
                                 .block = tensor->block,
                                 .keeps_dimension = tensor->shape.ndim ==
                                                    model->tensor[tensor->parameter].shape.ndim,
                                 .shape = tensor->shape};
}

enum reshard_status reshard_model_tie(struct reshard_model *model, const char *alias,
                                      const char *of, struct reshard_error *error)
{
    enum reshard_status status =
        CHECK_ARGUMENTS(error, ARGUMENT(model), ARGUMENT(alias), ARGUMENT(of));
    const struct name_entry *target;
    enum reshard_role role;
    char *copy;

    if (!status)
        status = model_check_name("tie", alias, false, error);
    if (status)
        return status;
    target = find_name(model->names, of, "");
    if (!target)
        return reshard_error_set(error, RESHARD_EINVAL, "'%s' is tied to '%s', which is unknown",
                                 alias, of);
    role = model->tensor[target->tensor].role;
    if (!reshard_role_is_parameter(role) && role != RESHARD_ROLE_BUFFER)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "'%s' is tied to '%s', which is %s: only parameters and buffers "
                                 "that are saved have second names",
                                 alias, of, reshard_role_name(role));
    if (find_name(model->names, alias, ""))
        return reshard_error_set(error, RESHARD_EINVAL, "the name '%s' is given twice", alias);
    copy = strdup(alias);
    if (!copy || !grow((void **)&model->tie, model->tie_count, sizeof *model->tie) ||
        add_name(&model->names, alias, "", target->tensor)) {
        free(copy);
        return RESHARD_ENOMEM;
    }
    model->tie[model->tie_count++] = (struct reshard_tie){copy, target->tensor};
    return RESHARD_OK;
}

uint32_t reshard_model_tensor_count(const struct reshard_model *model)
{
    return model->tensor_count;
}

const struct reshard_tensor *reshard_model_tensor(const struct reshard_model *model, uint32_t index)
{
    return &model->tensor[index];
}

uint32_t reshard_model_unit_count(const struct reshard_model *model)
{
    return model->unit_count;
}

const char *reshard_model_unit(const struct reshard_model *model, uint32_t index)
{
    return model->unit[index];
}

uint32_t reshard_model_tie_count(const struct reshard_model *model)
{
    return model->tie_count;
}

const struct reshard_tie *reshard_model_tie_at(const struct reshard_model *model, uint32_t index)
{
    return &model->tie[index];
}

enum reshard_status reshard_model_find(const struct reshard_model *model, const char *fqn,
                                       const char *slot, uint32_t *out)
{
    const struct name_entry *entry;

    if (!model || !fqn || !slot || !out)
        return RESHARD_EINVAL;
    entry = find_name(model->names, fqn, "");
    /* An alias has the slots of the tensor that it names. */
    if (entry && slot[0])
        entry = find_name(model->names, model->tensor[entry->tensor].fqn, slot);
    if (!entry)
        return RESHARD_ENOENT;
    *out = entry->tensor;
    return RESHARD_OK;
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    return digest_crc(hash, text, strlen(text) + 1);
}

uint64_t reshard_model_tensor_hash(const struct reshard_model *model, uint32_t index)
{
    const struct reshard_tensor *tensor = &model->tensor[index];
    const uint64_t numbers[] = {tensor->shape.ndim,           tensor->like,
                                (uint64_t)tensor->role,       (uint64_t)tensor->other_world,
                                (uint64_t)tensor->slot_class, tensor->block};
    uint64_t hash = hash_text(0, tensor->fqn);

    hash = hash_text(hash, tensor->slot);
    hash = hash_text(hash, reshard_dtype_name(tensor->dtype));
    hash = hash_text(hash, model->unit[tensor->unit]);
    hash = digest_crc(hash, numbers, sizeof numbers);
    return digest_crc(hash, tensor->shape.size, tensor->shape.ndim * sizeof tensor->shape.size[0]);
}

uint64_t reshard_model_hash(const struct reshard_model *model)
{
    uint64_t hash = 0;

    for (uint32_t i = 0; i < model->tensor_count; i++) {
        const uint64_t tensor = reshard_model_tensor_hash(model, i);
        hash = digest_crc(hash, &tensor, sizeof tensor);
    }
    for (uint32_t i = 0; i < model->tie_count; i++) {
        hash = hash_text(hash, model->tie[i].alias);
        hash = hash_text(hash, model->tensor[model->tie[i].tensor].fqn);
    }
    return hash;
}

/* Add a copy of another model's entry. */
static enum reshard_status copy_tensor(struct reshard_model *to, const struct reshard_model *from,
                                       const struct reshard_tensor *tensor)
{
    const struct reshard_slot slot = reshard_tensor_slot(from, tensor);

    if (reshard_tensor_is_slot(tensor))
        return reshard_model_add_state(to, tensor->fqn, &slot, NULL);
    return reshard_model_add_role(to, tensor->fqn, from->unit[tensor->unit], tensor->dtype,
                                  &tensor->shape, tensor->role, tensor->other_world, NULL);
}

enum reshard_status reshard_model_copy(struct reshard_model **out,
                                       const struct reshard_model *model, bool saved_only)
{
    enum reshard_status status = reshard_model_open(out);

    if (!status && !model)
        status = RESHARD_EINVAL;
    for (uint32_t i = 0; !status && i < model->tensor_count; i++)
        if (!saved_only || reshard_role_is_saved(model->tensor[i].role))
            status = copy_tensor(*out, model, &model->tensor[i]);
    for (uint32_t i = 0; !status && i < model->tie_count; i++) {
        const struct reshard_tensor *tensor = &model->tensor[model->tie[i].tensor];
        if (!saved_only || reshard_role_is_saved(tensor->role))
            status = reshard_model_tie(*out, model->tie[i].alias, tensor->fqn, NULL);
    }
    if (status && out) {
        reshard_model_close(*out);
        *out = NULL;
    }
    return status;
}

void reshard_model_close(struct reshard_model *model)
{
    if (!model)
        return;
    for (uint32_t i = 0; i < model->tensor_count; i++) {
        free((char *)model->tensor[i].fqn);
        free((char *)model->tensor[i].slot);
    }
    for (uint32_t i = 0; i < model->unit_count; i++)
        free(model->unit[i]);
    for (uint32_t i = 0; i < model->tie_count; i++)
        free((char *)model->tie[i].alias);
    free_names(&model->names);
    free_names(&model->units);
    free(model->tensor);
    free(model->unit);
    free(model->tie);
    free(model);
}
