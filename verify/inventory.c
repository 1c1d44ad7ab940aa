#include "verify/inventory.h"

#include <stdlib.h>
#include <string.h>

bool verify_tensor_is_slot(const struct verify_tensor *tensor)
{
    return tensor->slot[0] != '\0';
}

bool verify_tensor_is_parameter(const struct verify_tensor *tensor)
{
    return !verify_tensor_is_slot(tensor) &&
           (tensor->role == VERIFY_PARAMETER || tensor->role == VERIFY_FROZEN);
}

bool verify_tensor_measure(const struct verify_tensor *tensor, uint64_t *elements)
{
    uint64_t bytes = reshard_dtype_bytes(tensor->dtype);
    bool empty = false;

    /* A zero anywhere makes the tensor empty, however absurd the other dimensions are. */
    for (uint32_t d = 0; d < tensor->ndim; ++d)
        empty = empty || tensor->shape[d] == 0;
    *elements = empty ? 0 : 1;
    for (uint32_t d = 0; d < tensor->ndim && !empty; ++d) {
        if (__builtin_mul_overflow(*elements, tensor->shape[d], elements) ||
            __builtin_mul_overflow(bytes, tensor->shape[d], &bytes))
            return false;
    }
    return bytes <= INT64_MAX;
}

uint64_t verify_tensor_elements(const struct verify_tensor *tensor)
{
    uint64_t elements = 1;

    for (uint32_t d = 0; d < tensor->ndim; ++d)
        elements *= tensor->shape[d];
    return elements;
}

void verify_tensor_index(const struct verify_tensor *tensor, uint64_t element,
                         uint64_t index[VERIFY_DIMS_MAX])
{
    for (uint32_t d = tensor->ndim; d-- > 0;) {
        index[d] = element % tensor->shape[d];
        element /= tensor->shape[d];
    }
}

uint32_t verify_slot_reduced(const struct verify_tensor *slot,
                             const struct verify_tensor *parameter)
{
    return parameter->ndim - (slot->slot_class == VERIFY_ROW ? 1 : 2);
}

uint32_t verify_slot_dimension(const struct verify_tensor *slot,
                               const struct verify_tensor *parameter, uint32_t dimension)
{
    const bool left_out = slot->ndim < parameter->ndim;

    return dimension + (left_out && dimension >= verify_slot_reduced(slot, parameter));
}

static bool same_shape(const struct verify_tensor *a, const struct verify_tensor *b)
{
    return a->ndim == b->ndim && memcmp(a->shape, b->shape, a->ndim * sizeof a->shape[0]) == 0;
}

/* What is wrong with an entry of the model itself, or NULL. */
static const char *entry_fault(const struct verify_tensor *tensor, uint32_t number)
{
    if (tensor->parameter != number)
        return "is no slot, but refers to another tensor";
    if (tensor->role == VERIFY_OPAQUE && (tensor->dtype != RESHARD_DTYPE_U8 || tensor->ndim != 1))
        return "is opaque, but not u8 of one dimension";
    if (tensor->role == VERIFY_PER_RANK && tensor->ndim == 0)
        return "is per_rank, but has no dimension for the ranks";
    if (tensor->slot_class != VERIFY_PLAIN || tensor->block != 0)
        return "is no slot, but has a class or a block";
    return NULL;
}

/* Its parameter's shape, the reduced dimension left out or of size 1. */
static const char *reduced_fault(const struct verify_tensor *slot,
                                 const struct verify_tensor *parameter)
{
    static const char shape[] = "has not the shape of its parameter without the reduced dimension";

    if (parameter->ndim < 2)
        return "is a row or column of what has fewer than 2 dimensions";
    if (slot->ndim != parameter->ndim && slot->ndim + 1 != parameter->ndim)
        return shape;
    for (uint32_t d = 0; d < slot->ndim; ++d) {
        const uint32_t of = verify_slot_dimension(slot, parameter, d);

        if (slot->shape[d] !=
            (of == verify_slot_reduced(slot, parameter) ? 1 : parameter->shape[of]))
            return shape;
    }
    return NULL;
}

static const char *blockwise_fault(const struct verify_tensor *slot,
                                   const struct verify_tensor *parameter)
{
    const uint64_t elements = verify_tensor_elements(parameter);

    if (slot->block == 0)
        return "is blockwise, with blocks of no elements";
    if (slot->ndim != 1 || slot->shape[0] != elements / slot->block + (elements % slot->block != 0))
        return "has not one element for each block of its parameter";
    return NULL;
}

/* What a class asks of dtype and shape. */
static const char *class_fault(const struct verify_tensor *slot,
                               const struct verify_tensor *parameter)
{
    if (slot->like && slot->slot_class != VERIFY_PLAIN)
        return "follows its parameter, but has a class";
    if (slot->slot_class != VERIFY_BLOCKWISE && slot->block != 0)
        return "has a block, but is not blockwise";
    switch (slot->slot_class) {
    case VERIFY_PLAIN:
        return NULL;
    case VERIFY_ROW:
    case VERIFY_COLUMN:
        return reduced_fault(slot, parameter);
    case VERIFY_BLOCKWISE:
        return blockwise_fault(slot, parameter);
    case VERIFY_BYTES:
        return slot->dtype == RESHARD_DTYPE_U8 && slot->ndim == 1
                   ? NULL
                   : "is opaque, but not u8 of one dimension";
    }
    return "has no known class";
}

static const char *slot_fault(const struct verify_inventory *inventory, uint32_t number)
{
    const struct verify_tensor *tensor = &inventory->tensor[number];
    const struct verify_tensor *parameter;

    if (tensor->role != VERIFY_PARAMETER)
        return "is a slot with a role";
    if (tensor->parameter >= number)
        return "comes before its parameter";
    parameter = &inventory->tensor[tensor->parameter];
    if (!verify_tensor_is_parameter(parameter) || strcmp(parameter->fqn, tensor->fqn) != 0)
        return "refers to what is no parameter of its name";
    if (tensor->like && !same_shape(tensor, parameter))
        return "follows its parameter but has another shape";
    return class_fault(tensor, parameter);
}

/* What is wrong with one tensor, or NULL. */
static const char *tensor_fault(const struct verify_inventory *inventory, uint32_t number)
{
    const struct verify_tensor *tensor = &inventory->tensor[number];
    uint64_t elements;

    if (tensor->dtype <= RESHARD_DTYPE_NONE || tensor->dtype >= RESHARD_DTYPE_COUNT)
        return "has no known dtype";
    if (tensor->ndim > VERIFY_DIMS_MAX)
        return "has more than 8 dimensions";
    if (!verify_tensor_measure(tensor, &elements))
        return "is larger than 2^63 bytes";
    if (tensor->unit >= inventory->unit_count)
        return "belongs to a unit that does not exist";
    return verify_tensor_is_slot(tensor) ? slot_fault(inventory, number)
                                         : entry_fault(tensor, number);
}

enum reshard_status verify_inventory_check(const struct verify_inventory *inventory,
                                           struct reshard_error *error)
{
    struct verify_names names;
    enum reshard_status status;

    for (uint32_t t = 0; t < inventory->tensor_count; ++t) {
        const char *fault = tensor_fault(inventory, t);

        if (fault)
            return reshard_error_set(error, RESHARD_EINVAL, "tensor %s %s: %s",
                                     inventory->tensor[t].fqn, inventory->tensor[t].slot, fault);
    }
    status = verify_names_open(&names, inventory, error);
    verify_names_close(&names);
    return status;
}

uint32_t *verify_groups(const struct verify_inventory *inventory)
{
    uint32_t *next = malloc(((size_t)inventory->tensor_count + 1) * sizeof *next);

    /* From the back, each slot goes in behind its parameter, in front of the later ones. */
    for (uint32_t t = 0; next && t < inventory->tensor_count; ++t)
        next[t] = UINT32_MAX;
    for (uint32_t t = inventory->tensor_count; next && t-- > 0;) {
        const uint32_t parameter = inventory->tensor[t].parameter;

        if (parameter != t) {
            next[t] = next[parameter];
            next[parameter] = t;
        }
    }
    return next;
}

static int compare_names(const char *fqn, const char *slot, const struct verify_tensor *tensor)
{
    const int order = strcmp(fqn, tensor->fqn);

    return order ? order : strcmp(slot, tensor->slot);
}

static int compare_numbers(const void *a, const void *b, void *context)
{
    const struct verify_inventory *inventory = context;
    const struct verify_tensor *left = &inventory->tensor[*(const uint32_t *)a];

    return compare_names(left->fqn, left->slot, &inventory->tensor[*(const uint32_t *)b]);
}

enum reshard_status verify_names_open(struct verify_names *out,
                                      const struct verify_inventory *inventory,
                                      struct reshard_error *error)
{
    const uint32_t count = inventory->tensor_count;

    out->inventory = inventory;
    out->order = malloc((size_t)(count ? count : 1) * sizeof *out->order);
    if (!out->order)
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory for %u names", count);
    for (uint32_t t = 0; t < count; ++t)
        out->order[t] = t;
    qsort_r(out->order, count, sizeof *out->order, compare_numbers, (void *)inventory);
    for (uint32_t t = 1; t < count; ++t) {
        if (compare_numbers(&out->order[t - 1], &out->order[t], (void *)inventory) == 0) {
            const struct verify_tensor *twice = &inventory->tensor[out->order[t]];

            verify_names_close(out);
            return reshard_error_set(error, RESHARD_EINVAL, "tensor %s %s is listed twice",
                                     twice->fqn, twice->slot);
        }
    }
    return RESHARD_OK;
}

uint32_t verify_names_find(const struct verify_names *names, const char *fqn, const char *slot)
{
    uint32_t begin = 0;
    uint32_t end = names->inventory->tensor_count;

    while (begin < end) {
        const uint32_t middle = begin + (end - begin) / 2;
        const uint32_t number = names->order[middle];
        const int order = compare_names(fqn, slot, &names->inventory->tensor[number]);

        if (order == 0)
            return number;
        if (order < 0)
            end = middle;
        else
            begin = middle + 1;
    }
    return UINT32_MAX;
}

void verify_names_close(struct verify_names *names)
{
    free(names->order);
    names->order = NULL;
}
