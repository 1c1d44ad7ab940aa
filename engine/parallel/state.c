#include "parallel/state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct tensor_memory {
    void *data;
    uint64_t bytes; /* of the packed local memory */
    bool bound;
    uint32_t flat; /* 1 + index of the flat shard that it is part of, 0 for none */
};

struct flat_shard {
    void *data;
    uint64_t bytes;
};

struct reshard_state {
    const struct reshard_layout *layout;
    uint64_t rank;
    struct tensor_memory *memory; /* by tensor */
    void **owned;                 /* by tensor: allocated here for it alone, or NULL */
    struct flat_shard *flat;
    uint32_t flat_count;
};

enum reshard_status reshard_state_open(struct reshard_state **out,
                                       const struct reshard_layout *layout, uint64_t rank)
{
    const struct reshard_model *model = reshard_layout_model(layout);
    const uint32_t tensors = reshard_model_tensor_count(model);
    struct reshard_state *state;

    *out = NULL;
    if (rank >= reshard_layout_holders(layout))
        return RESHARD_EINVAL;
    state = calloc(1, sizeof *state);
    if (!state)
        return RESHARD_ENOMEM;
    state->layout = layout;
    state->rank = rank;
    state->memory = calloc(tensors + 1, sizeof *state->memory);
    state->owned = calloc(tensors + 1, sizeof *state->owned);
    if (!state->memory || !state->owned) {
        reshard_state_close(state);
        return RESHARD_ENOMEM;
    }
    for (uint32_t t = 0; t < tensors; t++)
        state->memory[t].bytes = reshard_layout_local_count(layout, t, rank) *
                                 reshard_dtype_bytes(reshard_model_tensor(model, t)->dtype);
    *out = state;
    return RESHARD_OK;
}

enum reshard_status reshard_state_bind(struct reshard_state *state, const char *fqn,
                                       const char *slot, void *data, uint64_t bytes,
                                       struct reshard_error *error)
{
    const char *const gap = slot[0] ? " slot " : "";
    struct tensor_memory *memory;
    uint32_t tensor;

    if (reshard_model_find(reshard_layout_model(state->layout), fqn, slot, &tensor))
        return reshard_error_set(error, RESHARD_ENOENT, "the model has no tensor '%s'%s%s", fqn,
                                 gap, slot);
    memory = &state->memory[tensor];
    if (memory->bound)
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
    memory->data = data;
    memory->bound = true;
    return RESHARD_OK;
}

/* The parameters of a unit, and each slot of theirs, of one dtype share a flat shard. */
static bool same_flat(const struct reshard_tensor *a, const struct reshard_tensor *b)
{
    return a->unit == b->unit && a->dtype == b->dtype && strcmp(a->slot, b->slot) == 0;
}

/* The flat shard that tensor `t` belongs to: one made before for a tensor of its kind, or new. */
static enum reshard_status find_flat(struct reshard_state *state, uint32_t t, uint32_t *out)
{
    const struct reshard_model *model = reshard_layout_model(state->layout);
    const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
    struct flat_shard shard = {.bytes =
                                   reshard_layout_flat(state->layout, tensor->unit).shard_count *
                                   reshard_dtype_bytes(tensor->dtype)};
    struct flat_shard *grown;

    for (uint32_t other = t; other-- > 0;) {
        if (state->memory[other].flat && same_flat(reshard_model_tensor(model, other), tensor)) {
            *out = state->memory[other].flat;
            return RESHARD_OK;
        }
    }
    grown = reallocarray(state->flat, state->flat_count + 1, sizeof *grown);
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
    const struct reshard_model *model = reshard_layout_model(state->layout);
    enum reshard_status status = RESHARD_OK;

    for (uint32_t t = 0; !status && t < reshard_model_tensor_count(model); t++) {
        struct tensor_memory *memory = &state->memory[t];
        if (memory->bound)
            continue;
        if (reshard_layout_is_flat(state->layout, t)) {
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

enum reshard_status reshard_state_check(const struct reshard_state *state, enum reshard_part part,
                                        struct reshard_error *error)
{
    const struct reshard_model *model = reshard_layout_model(state->layout);

    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
        if (reshard_part_has(part, tensor) && state->memory[t].bytes && !state->memory[t].data)
            return reshard_error_set(error, RESHARD_EINVAL, "tensor '%s'%s%s has no memory bound",
                                     tensor->fqn, tensor->slot[0] ? " slot " : "", tensor->slot);
    }
    return RESHARD_OK;
}

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
    const bool is_slot = tensor->slot[0] != '\0';

    return part == RESHARD_PART_ALL || (part == RESHARD_PART_OPTIMIZER) == is_slot;
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
    free(state->flat);
    free(state->memory);
    free(state);
}
