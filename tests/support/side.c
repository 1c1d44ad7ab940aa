#include "support/side.h"

#include "support/oracle.h"
#include "support/sample.h"

#include <stdlib.h>
#include <string.h>

enum { STAIN = 0xA5, GUARD = 0x3C, GUARD_BYTES = 32 };

/* Beyond what any address of a process can be: following such a pointer is fatal. */
static const uintptr_t device_offset = (uintptr_t)1 << 56;

/* ---- the fake device ------------------------------------------------------------------------- */

static enum reshard_status count_call(struct side_device *fake)
{
    if (++fake->calls != fake->fail_at)
        return RESHARD_OK;
    fake->failed++;
    return RESHARD_EIO;
}

static enum reshard_status fake_to_host(void *context, void *host, const void *device,
                                        uint64_t bytes)
{
    const enum reshard_status status = count_call(context);

    if (!status)
        memcpy(host, (const void *)((uintptr_t)device - device_offset), bytes);
    return status;
}

static enum reshard_status fake_to_device(void *context, void *device, const void *host,
                                          uint64_t bytes)
{
    const enum reshard_status status = count_call(context);

    if (!status)
        memcpy((void *)((uintptr_t)device - device_offset), host, bytes);
    return status;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static const struct reshard_tensor *tensor_of(const struct side *side, uint32_t t)
{
    return reshard_model_tensor(reshard_layout_model(side->layout), t);
}

static bool bind(struct side *side, struct ranks *ranks, uint32_t t, bool on_device)
{
    const struct reshard_tensor *tensor = tensor_of(side, t);
    unsigned char *memory = side->memory[t];
    void *bound = on_device ? (void *)((uintptr_t)memory + device_offset) : memory;
    struct reshard_error error = RESHARD_ERROR_INIT;

    return EXPECT_STATUS(
        ranks,
        reshard_state_bind(side->state, tensor->fqn, tensor->slot, bound, side->bytes[t], &error),
        RESHARD_OK, &error);
}

static bool make_memory(struct side *side, struct ranks *ranks, bool on_device, const bool *unbound)
{
    bool right = true;

    for (uint32_t t = 0; right && t < side->tensors; t++) {
        const struct reshard_tensor *tensor = tensor_of(side, t);
        struct oracle_places places =
            oracle_places(reshard_layout_model(side->layout), side->options, t, side->rank);
        side->bytes[t] = places.held * reshard_dtype_bytes(tensor->dtype);
        oracle_places_release(&places);
        side->memory[t] = malloc(side->bytes[t] + GUARD_BYTES);
        if (!EXPECT(ranks, side->memory[t] != NULL))
            return false;
        memset(side->memory[t] + side->bytes[t], GUARD, GUARD_BYTES);
        side_stain(side, t);
        if (!unbound[t])
            right = bind(side, ranks, t, on_device);
    }
    return right;
}

bool side_open_without(struct side *side, struct ranks *ranks, const struct reshard_model *model,
                       const struct reshard_layout_options *options, bool on_device,
                       const bool *unbound)
{
    struct reshard_error error = RESHARD_ERROR_INIT;

    *side = (struct side){.options = options,
                          .tensors = reshard_model_tensor_count(model),
                          .rank = (uint64_t)ranks->rank};
    side->fake.device = (struct reshard_device){fake_to_host, fake_to_device, &side->fake};
    side->memory = calloc((size_t)side->tensors + 1, sizeof *side->memory);
    side->bytes = calloc((size_t)side->tensors + 1, sizeof *side->bytes);
    return EXPECT(ranks, side->memory && side->bytes) &&
           EXPECT_STATUS(ranks, reshard_layout_open(&side->layout, model, options, &error),
                         RESHARD_OK, &error) &&
           EXPECT_STATUS(ranks, reshard_state_open(&side->state, side->layout, side->rank),
                         RESHARD_OK, NULL) &&
           (!on_device ||
            EXPECT_STATUS(ranks, reshard_state_set_device(side->state, &side->fake.device),
                          RESHARD_OK, NULL)) &&
           make_memory(side, ranks, on_device, unbound);
}

bool side_open(struct side *side, struct ranks *ranks, const struct reshard_model *model,
               const struct reshard_layout_options *options, bool on_device, enum reshard_role skip)
{
    const uint32_t tensors = reshard_model_tensor_count(model);
    bool *unbound = calloc((size_t)tensors + 1, sizeof *unbound);
    bool right = EXPECT(ranks, unbound != NULL);

    for (uint32_t t = 0; right && t < tensors; t++)
        unbound[t] = reshard_model_tensor(model, t)->role == skip;
    right = right && side_open_without(side, ranks, model, options, on_device, unbound);
    free(unbound);
    return right;
}

void side_close(struct side *side)
{
    for (uint32_t t = 0; side->memory && t < side->tensors; t++)
        free(side->memory[t]);
    free(side->memory);
    free(side->bytes);
    reshard_state_close(side->state);
    reshard_layout_close(side->layout);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

/* Go through the bytes that this rank has of a tensor: set them to those of tensor number `as`, or
 * count those that differ. */
static uint64_t walk(const struct side *side, uint32_t t, uint64_t seed, uint32_t as, bool fill)
{
    const size_t size = reshard_dtype_bytes(tensor_of(side, t)->dtype);
    struct oracle_places places =
        oracle_places(reshard_layout_model(side->layout), side->options, t, side->rank);
    uint64_t wrong = 0;

    for (uint64_t e = 0; e < places.count; e++)
        for (size_t b = 0; b < size && places.packed[e] != ORACLE_ABSENT; b++) {
            unsigned char *byte = &side->memory[t][places.packed[e] * size + b];
            const unsigned char right = sample_byte(seed, as, e * size + b);
            wrong += *byte != right;
            if (fill)
                *byte = right;
        }
    oracle_places_release(&places);
    return wrong;
}

static uint64_t broken_guards(const struct side *side, uint32_t t)
{
    uint64_t broken = 0;

    for (int i = 0; i < GUARD_BYTES; i++)
        broken += side->memory[t][side->bytes[t] + (uint64_t)i] != GUARD;
    return broken;
}

void side_fill(struct side *side, uint32_t tensor, uint64_t seed)
{
    (void)walk(side, tensor, seed, tensor, true);
}

void side_fill_all(struct side *side, uint64_t seed)
{
    for (uint32_t t = 0; t < side->tensors; t++)
        side_fill(side, t, seed);
}

void side_stain(struct side *side, uint32_t tensor)
{
    memset(side->memory[tensor], STAIN, side->bytes[tensor]);
}

uint64_t side_wrong(const struct side *side, uint32_t tensor, uint64_t seed)
{
    return side_wrong_as(side, tensor, seed, tensor);
}

uint64_t side_wrong_as(const struct side *side, uint32_t tensor, uint64_t seed, uint32_t saved)
{
    return walk(side, tensor, seed, saved, false) + broken_guards(side, tensor);
}

uint64_t side_wrong_all(const struct side *side, uint64_t seed)
{
    uint64_t wrong = 0;

    for (uint32_t t = 0; t < side->tensors; t++)
        wrong += side_wrong(side, t, seed);
    return wrong;
}

uint64_t side_touched(const struct side *side, uint32_t tensor)
{
    uint64_t touched = broken_guards(side, tensor);

    for (uint64_t b = 0; b < side->bytes[tensor]; b++)
        touched += side->memory[tensor][b] != STAIN;
    return touched;
}

/* ---- flags, and all of it -------------------------------------------------------------------- */

void side_set_absent(struct side *side, const bool *absent)
{
    for (uint32_t t = 0; t < side->tensors; t++)
        reshard_state_set_absent(side->state, t, absent[t]);
}

uint64_t side_wrong_flags(const struct side *side, const bool *absent)
{
    uint64_t wrong = 0;

    for (uint32_t t = 0; t < side->tensors; t++)
        wrong += reshard_state_is_absent(side->state, t) !=
                 (absent[t] && reshard_tensor_is_slot(tensor_of(side, t)));
    return wrong;
}

unsigned char *side_image(const struct side *side)
{
    unsigned char *image, *next;
    uint64_t bytes = side->tensors;

    for (uint32_t t = 0; t < side->tensors; t++)
        bytes += side->bytes[t] + GUARD_BYTES;
    image = next = malloc(bytes + 1);
    for (uint32_t t = 0; image && t < side->tensors; t++) {
        *next++ = reshard_state_is_absent(side->state, t);
        memcpy(next, side->memory[t], side->bytes[t] + GUARD_BYTES);
        next += side->bytes[t] + GUARD_BYTES;
    }
    return image;
}

uint64_t side_changed(const struct side *side, const unsigned char *image)
{
    uint64_t changed = 0;

    if (!image)
        return 1;
    for (uint32_t t = 0; t < side->tensors; t++) {
        changed += *image++ != reshard_state_is_absent(side->state, t);
        for (uint64_t b = 0; b < side->bytes[t] + GUARD_BYTES; b++)
            changed += *image++ != side->memory[t][b];
    }
    return changed;
}
