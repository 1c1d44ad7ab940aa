#include "core/model.h"

#include "core/digest.h"

#include <stdlib.h>
#include <string.h>

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

/* RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
static size_t utf8_sequence(const unsigned char *s)
{
    static const struct {
        unsigned char first_low, first_high, second_low, second_high;
        size_t length;
    } forms[] = {
        {0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (s[0] < forms[i].first_low || s[0] > forms[i].first_high)
            continue;
        if (forms[i].length > 1 && (s[1] < forms[i].second_low || s[1] > forms[i].second_high))
            return 0;
        for (size_t j = 2; j < forms[i].length; j++)
            if (s[j] < 0x80 || s[j] > 0xbf)
                return 0;
        return forms[i].length;
    }
    return 0;
}

static bool is_utf8(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;

    while (*s) {
        const size_t length = utf8_sequence(s);
        if (length == 0)
            return false;
        s += length;
    }
    return true;
}

static enum reshard_status check_name(const char *what, const char *name, bool may_be_empty,
                                      struct reshard_error *error)
{
    if (name[0] == '\0' && !may_be_empty)
        return reshard_error_set(error, RESHARD_EINVAL, "the name of a %s is empty", what);
    if (strlen(name) >= RESHARD_NAME_MAX)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "the name of a %s has %zu bytes; at most %d are allowed", what,
                                 strlen(name), RESHARD_NAME_MAX - 1);
    if (!is_utf8(name))
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
    return RESHARD_OK;
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

enum reshard_status reshard_model_open(struct reshard_model **out)
{
    struct reshard_model *model = calloc(1, sizeof *model);
    uint32_t root;

    *out = NULL;
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

enum reshard_status reshard_model_add(struct reshard_model *model, const char *fqn,
                                      const char *unit, enum reshard_dtype dtype,
                                      const struct reshard_shape *shape,
                                      struct reshard_error *error)
{
    struct reshard_tensor tensor = {.fqn = fqn, .slot = "", .dtype = dtype, .shape = *shape};
    enum reshard_status status = check_name("tensor", fqn, false, error);

    if (!status)
        status = check_name("unit", unit, true, error);
    if (!status && find_name(model->names, fqn, ""))
        status = reshard_error_set(error, RESHARD_EINVAL, "the name '%s' is given twice", fqn);
    if (!status)
        status = tensor_count(fqn, dtype, shape, &tensor.count, error);
    if (!status)
        status = unit_index(model, unit, &tensor.unit);
    tensor.like = model->tensor_count;
    return status ? status : append(model, &tensor);
}

enum reshard_status reshard_model_add_slot(struct reshard_model *model, const char *fqn,
                                           const char *slot, enum reshard_dtype dtype,
                                           const struct reshard_shape *shape, bool parameter_like,
                                           struct reshard_error *error)
{
    struct reshard_tensor tensor = {.fqn = fqn, .slot = slot, .dtype = dtype};
    const struct name_entry *parameter = find_name(model->names, fqn, "");
    enum reshard_status status = check_name("slot", slot, false, error);

    if (status)
        return status;
    if (!parameter || strcmp(model->tensor[parameter->tensor].fqn, fqn) != 0)
        return reshard_error_set(error, RESHARD_EINVAL, "slot '%s' of '%s': no such parameter",
                                 slot, fqn);
    if (find_name(model->names, fqn, slot))
        return reshard_error_set(error, RESHARD_EINVAL, "slot '%s' of '%s' is given twice", slot,
                                 fqn);
    tensor.shape = parameter_like ? model->tensor[parameter->tensor].shape : *shape;
    tensor.unit = model->tensor[parameter->tensor].unit;
    tensor.like = parameter_like ? parameter->tensor : RESHARD_LIKE_NONE;
    status = tensor_count(fqn, dtype, &tensor.shape, &tensor.count, error);
    return status ? status : append(model, &tensor);
}

enum reshard_status reshard_model_tie(struct reshard_model *model, const char *alias,
                                      const char *of, struct reshard_error *error)
{
    const struct name_entry *target = find_name(model->names, of, "");
    enum reshard_status status = check_name("tie", alias, false, error);
    char *copy;

    if (status)
        return status;
    if (!target)
        return reshard_error_set(error, RESHARD_EINVAL, "'%s' is tied to '%s', which is unknown",
                                 alias, of);
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
    const struct name_entry *entry = find_name(model->names, fqn, "");

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

uint64_t reshard_model_hash(const struct reshard_model *model)
{
    uint64_t hash = 0;

    for (uint32_t i = 0; i < model->tensor_count; i++) {
        const struct reshard_tensor *tensor = &model->tensor[i];
        const uint64_t numbers[] = {tensor->shape.ndim, tensor->like};
        hash = hash_text(hash, tensor->fqn);
        hash = hash_text(hash, tensor->slot);
        hash = hash_text(hash, reshard_dtype_name(tensor->dtype));
        hash = hash_text(hash, model->unit[tensor->unit]);
        hash = digest_crc(hash, numbers, sizeof numbers);
        hash =
            digest_crc(hash, tensor->shape.size, tensor->shape.ndim * sizeof tensor->shape.size[0]);
    }
    for (uint32_t i = 0; i < model->tie_count; i++) {
        hash = hash_text(hash, model->tie[i].alias);
        hash = hash_text(hash, model->tensor[model->tie[i].tensor].fqn);
    }
    return hash;
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
