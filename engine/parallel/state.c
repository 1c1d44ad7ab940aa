#include "parallel/state.h"

#include "core/argument.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct tensor_memory {
    void *data;
    uint64_t bytes; /* of the packed local memory */
    bool bound;
    bool absent;   /* a slot that is not there */
    uint32_t flat; /* 1 + index of the flat shard that it is part of, 0 for none */
};

struct flat_shard {
    void *data;
    uint64_t bytes;
    uint32_t number; /* of the flat parameter */
    uint32_t first;  /* a tensor of it: its dtype and slot are the shard's */
};

struct reshard_state {
    const struct reshard_layout *layout;
    const struct reshard_device *device;
    uint64_t rank;
    struct tensor_memory *memory; /* by tensor */
    void **alias;                 /* by tie: memory of its own, or NULL */
    void **owned;                 /* by tensor: allocated here for it alone, or NULL */
    struct flat_shard *flat;
    uint32_t flat_count;
};

enum reshard_status reshard_state_open(struct reshard_state **out,
                                       const struct reshard_layout *layout, uint64_t rank)
{
    const struct reshard_model *model;
    struct reshard_state *state;
    size_t tensors;

    if (!out)
        return RESHARD_EINVAL;
    *out = NULL;
    if (!layout || rank >= reshard_layout_holders(layout))
        return RESHARD_EINVAL;
    model = reshard_layout_model(layout);
    tensors = reshard_model_tensor_count(model);
    state = calloc(1, sizeof *state);
    if (!state)
        return RESHARD_ENOMEM;
    state->layout = layout;
    state->rank = rank;
    state->memory = calloc(tensors + 1, sizeof *state->memory);
    state->owned = calloc(tensors + 1, sizeof *state->owned);
    state->alias = calloc((size_t)reshard_model_tie_count(model) + 1, sizeof *state->alias);
    if (!state->memory || !state->owned || !state->alias) {
        reshard_state_close(state);
        return RESHARD_ENOMEM;
    }
    for (uint32_t t = 0; t < tensors; t++)
        state->memory[t].bytes = reshard_layout_local_count(layout, t, rank) *
                                 reshard_dtype_bytes(reshard_model_tensor(model, t)->dtype);
    *out = state;
    return RESHARD_OK;
}

enum reshard_status reshard_state_set_device(struct reshard_state *state,
                                             const struct reshard_device *device)
{
    uint32_t tensors;

    if (!state)
        return RESHARD_EINVAL;
    tensors = reshard_model_tensor_count(reshard_layout_model(state->layout));
    for (uint32_t t = 0; t < tensors; t++)
        if (state->memory[t].bound)
            return RESHARD_EINVAL;
    state->device = device;
    return RESHARD_OK;
}

void reshard_state_set_absent(struct reshard_state *state, uint32_t tensor, bool absent)
{
    const struct reshard_model *model = reshard_layout_model(state->layout);

    state->memory[tensor].absent =
        absent && reshard_tensor_is_slot(reshard_model_tensor(model, tensor));
}

bool reshard_state_is_absent(const struct reshard_state *state, uint32_t tensor)
{
    return state->memory[tensor].absent;
}

const struct reshard_device *reshard_state_device(const struct reshard_state *state)
{
    return state->device;
}

/* The tie of that second name, UINT32_MAX when it is none. */
static uint32_t find_tie(const struct reshard_model *model, const char *name)
{
    for (uint32_t i = 0; i < reshard_model_tie_count(model); i++)
        if (strcmp(reshard_model_tie_at(model, i)->alias, name) == 0)
            return i;
    return UINT32_MAX;
}

enum reshard_status reshard_state_bind(struct reshard_state *state, const char *fqn,
                                       const char *slot, void *data, uint64_t bytes,
                                       struct reshard_error *error)
{
    const enum reshard_status status =
        CHECK_ARGUMENTS(error, ARGUMENT(state), ARGUMENT(fqn), ARGUMENT(slot));
    const struct reshard_model *model;
    struct tensor_memory *memory;
    uint32_t tensor, tie;
    const char *gap;

    if (status)
        return status;
    model = reshard_layout_model(state->layout);
    gap = slot[0] ? " slot " : "";
    tie = slot[0] ? UINT32_MAX : find_tie(model, fqn);
    if (reshard_model_find(model, fqn, slot, &tensor))
        return reshard_error_set(error, RESHARD_ENOENT, "the model has no tensor '%s'%s%s", fqn,
                                 gap, slot);
    memory = &state->memory[tensor];
    if (tie == UINT32_MAX ? memory->bound : state->alias[tie] != NULL)
        return reshard_error_set(error, RESHARD_EINVAL, "tensor '%s'%s%s is bound already", fqn,
                                 gap, slot);
    if (bytes != memory->bytes)
        return reshard_error_set(error, RESHARD_EMISMATCH,
                                 "tensor '%s'%s%s: the memory given has %" PRIu64
                                 " bytes, but rank %" PRIu64 " holds %" PRIu64,
                                 fqn, gap, slot, bytes, state->rank, memory->bytes);
    if (bytes > 0 && !data)
        return reshard_error_set(error, RESHARD_EINVAL, "tensor '%s'%s%s: the memory is NULL", fqn,
                                 gap, slot);
    if (tie != UINT32_MAX) {
        state->alias[tie] = data;
        return RESHARD_OK;
    }
    memory->data = data;
    memory->bound = true;
    return RESHARD_OK;
}

/* The flat shard that tensor `t` belongs to: one made before for a tensor of its kind, or new. The
 * parameters of a unit, and each slot of theirs, of one dtype share a flat shard. */
static enum reshard_status find_flat(struct reshard_state *state, uint32_t t, uint32_t *out)
{
    const struct reshard_model *model = reshard_layout_model(state->layout);
    const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
    struct flat_shard shard = {.first = t};
    struct flat_shard *grown;

    shard.bytes = reshard_layout_flat(state->layout, t, &shard.number).shard_count *
                  reshard_dtype_bytes(tensor->dtype);
    for (uint32_t i = state->flat_count; i-- > 0;) {
        const struct reshard_tensor *first = reshard_model_tensor(model, state->flat[i].first);
        if (state->flat[i].number == shard.number && first->dtype == tensor->dtype &&
            strcmp(first->slot, tensor->slot) == 0) {
            *out = i + 1;
            return RESHARD_OK;
        }
    }
    grown = reallocarray(state->flat, (size_t)state->flat_count + 1, sizeof *grown);
    if (!grown)
        return RESHARD_ENOMEM;
    state->flat = grown;
    shard.data = calloc(shard.bytes ? shard.bytes : 1, 1);
    if (!shard.data)
        return RESHARD_ENOMEM;
    state->flat[state->flat_count++] = shard;
    *out = state->flat_count;
    return RESHARD_OK;
}

static enum reshard_status allocate_flat(struct reshard_state *state, uint32_t t)
{
    const struct reshard_shard_info info = reshard_layout_shard_info(state->layout, t, state->rank);
    const size_t size =
        reshard_dtype_bytes(reshard_model_tensor(reshard_layout_model(state->layout), t)->dtype);
    enum reshard_status status = find_flat(state, t, &state->memory[t].flat);

    if (!status && state->memory[t].bytes)
        state->memory[t].data =
            (char *)state->flat[state->memory[t].flat - 1].data + info.offset * size;
    return status;
}

enum reshard_status reshard_state_allocate(struct reshard_state *state, struct reshard_error *error)
{
    enum reshard_status status = CHECK_ARGUMENTS(error, ARGUMENT(state));
    const struct reshard_model *model;

    if (status)
        return status;
    model = reshard_layout_model(state->layout);
    if (state->device)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "a state on a device cannot allocate: bind its memory");
    for (uint32_t t = 0; !status && t < reshard_model_tensor_count(model); t++) {
        struct tensor_memory *memory = &state->memory[t];
        if (memory->bound)
            continue;
        if (reshard_layout_is_flat(state->layout, t) &&
            reshard_layout_shard_of(state->layout, t, state->rank) != RESHARD_SHARD_NONE) {
            status = allocate_flat(state, t);
        } else if (memory->bytes) {
            memory->data = state->owned[t] = calloc(memory->bytes, 1);
            status = memory->data ? RESHARD_OK : RESHARD_ENOMEM;
        }
        memory->bound = !status;
        if (status)
            (void)reshard_error_set(error, status, "no memory for %" PRIu64 " bytes of tensor '%s'",
                                    memory->bytes, reshard_model_tensor(model, t)->fqn);
    }
    return status;
}

void *reshard_state_data(const struct reshard_state *state, uint32_t tensor)
{
    return state->memory[tensor].data;
}

uint64_t reshard_state_bytes(const struct reshard_state *state, uint32_t tensor)
{
    return state->memory[tensor].bytes;
}

void *reshard_state_flat(const struct reshard_state *state, uint32_t tensor, uint64_t *bytes)
{
    const uint32_t flat = state->memory[tensor].flat;

    *bytes = flat ? state->flat[flat - 1].bytes : 0;
    return flat ? state->flat[flat - 1].data : NULL;
}

enum reshard_status reshard_state_check_tensor(const struct reshard_state *state, uint32_t tensor,
                                               struct reshard_error *error)
{
    const enum reshard_status status = CHECK_ARGUMENTS(error, ARGUMENT(state));
    char name[RESHARD_TENSOR_TEXT_MAX];

    if (status || !state->memory[tensor].bytes || state->memory[tensor].data)
        return status;
    return reshard_error_set(
        error, RESHARD_EINVAL, "tensor %s has no memory bound",
        reshard_tensor_print(reshard_model_tensor(reshard_layout_model(state->layout), tensor),
                             name, sizeof name));
}

enum reshard_status reshard_state_check(const struct reshard_state *state, enum reshard_part part,
                                        struct reshard_error *error)
{
    enum reshard_status status = CHECK_ARGUMENTS(error, ARGUMENT(state));
    const struct reshard_model *model = status ? NULL : reshard_layout_model(state->layout);

    for (uint32_t t = 0; !status && t < reshard_model_tensor_count(model); t++)
        if (reshard_part_has(part, reshard_model_tensor(model, t)) && !state->memory[t].absent)
            status = reshard_state_check_tensor(state, t, error);
    return status;
}

/* ---- ties ------------------------------------------------------------------------------------ */

enum { TIE_BUFFER_BYTES = 512 * 1024 };

/* Whether two pieces of the state's memory hold the same. */
static enum reshard_status compare_memory(const struct reshard_state *state, const char *a,
                                          const char *b, uint64_t bytes, bool *equal)
{
    char *buffer = malloc((size_t)2 * TIE_BUFFER_BYTES);
    enum reshard_status status = buffer ? RESHARD_OK : RESHARD_ENOMEM;

    *equal = true;
    for (uint64_t at = 0; !status && *equal && at < bytes; at += TIE_BUFFER_BYTES) {
        const uint64_t part = bytes - at < TIE_BUFFER_BYTES ? bytes - at : TIE_BUFFER_BYTES;
        status = device_read(state->device, buffer, a + at, part);
        if (!status)
            status = device_read(state->device, buffer + TIE_BUFFER_BYTES, b + at, part);
        *equal = !status && memcmp(buffer, buffer + TIE_BUFFER_BYTES, part) == 0;
    }
    free(buffer);
    return status;
}

static enum reshard_status copy_memory(const struct reshard_state *state, const char *from,
                                       char *to, uint64_t bytes)
{
    char *buffer = malloc(TIE_BUFFER_BYTES);
    enum reshard_status status = buffer ? RESHARD_OK : RESHARD_ENOMEM;

    for (uint64_t at = 0; !status && at < bytes; at += TIE_BUFFER_BYTES) {
        const uint64_t part = bytes - at < TIE_BUFFER_BYTES ? bytes - at : TIE_BUFFER_BYTES;
        status = device_read(state->device, buffer, from + at, part);
        if (!status)
            status = device_write(state->device, to + at, buffer, part);
    }
    free(buffer);
    return status;
}

/* The tensor of a tie whose second name has memory of its own and which is chosen, or NULL. */
static const struct tensor_memory *tied_memory(const struct reshard_state *state,
                                               const bool *chosen, uint32_t tie)
{
    const struct reshard_model *model = reshard_layout_model(state->layout);
    const uint32_t tensor = reshard_model_tie_at(model, tie)->tensor;
    const struct tensor_memory *memory = &state->memory[tensor];

    if ((chosen && !chosen[tensor]) || !state->alias[tie] || state->alias[tie] == memory->data)
        return NULL;
    return memory;
}

enum reshard_status reshard_state_check_ties(const struct reshard_state *state, const bool *chosen,
                                             struct reshard_error *error)
{
    enum reshard_status status = CHECK_ARGUMENTS(error, ARGUMENT(state));
    const struct reshard_model *model = status ? NULL : reshard_layout_model(state->layout);

    for (uint32_t i = 0; !status && i < reshard_model_tie_count(model); i++) {
        const struct reshard_tie *tie = reshard_model_tie_at(model, i);
        const struct tensor_memory *memory = tied_memory(state, chosen, i);
        bool equal = true;
        if (memory)
            status = compare_memory(state, state->alias[i], memory->data, memory->bytes, &equal);
        if (!equal)
            status = reshard_error_set(error, RESHARD_EMISMATCH,
                                       "'%s' is tied to '%s', but their memory on rank %" PRIu64
                                       " differs: they are two tensors",
                                       tie->alias, reshard_model_tensor(model, tie->tensor)->fqn,
                                       state->rank);
    }
    return status;
}

enum reshard_status reshard_state_fill_ties(const struct reshard_state *state, const bool *chosen)
{
    enum reshard_status status = state ? RESHARD_OK : RESHARD_EINVAL;
    const uint32_t ties = state ? reshard_model_tie_count(reshard_layout_model(state->layout)) : 0;

    for (uint32_t i = 0; !status && i < ties; i++) {
        const struct tensor_memory *memory = tied_memory(state, chosen, i);
        if (memory)
            status = copy_memory(state, memory->data, state->alias[i], memory->bytes);
    }
    return status;
}

/* ---- the rest -------------------------------------------------------------------------------- */

const struct reshard_layout *reshard_state_layout(const struct reshard_state *state)
{
    return state->layout;
}

uint64_t reshard_state_rank(const struct reshard_state *state)
{
    return state->rank;
}

bool reshard_part_has(enum reshard_part part, const struct reshard_tensor *tensor)
{
    return reshard_role_is_saved(tensor->role) &&
           (part == RESHARD_PART_ALL ||
            (part == RESHARD_PART_OPTIMIZER) == reshard_tensor_is_slot(tensor));
}

void reshard_state_close(struct reshard_state *state)
{
    if (!state)
        return;
    if (state->owned)
        for (uint32_t t = 0; t < reshard_model_tensor_count(reshard_layout_model(state->layout));
             t++)
            free(state->owned[t]);
    for (uint32_t i = 0; i < state->flat_count; i++)
        free(state->flat[i].data);
    free(state->owned);
    free(state->alias);
    free(state->flat);
    free(state->memory);
    free(state);
}
