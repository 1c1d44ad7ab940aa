#include "support/sample.h"

#include "core/optimizer.h"

#include <stdlib.h>
#include <string.h>

struct sample_tensor {
    const char *fqn, *unit;
    enum reshard_dtype dtype;
    struct reshard_shape shape;
};

static const struct sample_tensor sample_tensors[] = {
    {"embed.weight", "", RESHARD_DTYPE_F32, {2, {13, 6}}},
    {"scale", "", RESHARD_DTYPE_F32, {0, {0}}},
    {"empty", "", RESHARD_DTYPE_F32, {2, {0, 5}}},
    {"block.0.weight", "block.0", RESHARD_DTYPE_F32, {3, {3, 4, 5}}},
    {"block.0.bias", "block.0", RESHARD_DTYPE_F32, {1, {3}}},
    {"block.1.wide", "block.1", RESHARD_DTYPE_BF16, {2, {1, 17}}},
    {"block.1.norm", "block.1", RESHARD_DTYPE_BF16, {1, {5}}},
    {"block.1.long", "block.1", RESHARD_DTYPE_BF16, {1, {131}}},
    {"positions", "", RESHARD_DTYPE_I64, {2, {1, 7}}},
    {"mask", "", RESHARD_DTYPE_BOOL, {1, {9}}},
    {"table", "", RESHARD_DTYPE_F8_E4M3FN, {2, {6, 3}}},
};

/* One of each class at least. */
static const struct {
    const char *fqn;
    struct reshard_slot slot;
} sample_slots[] = {
    {"embed.weight", {"row", RESHARD_DTYPE_F32, RESHARD_CLASS_ROW, 0, false, {0, {0}}}},
    {"embed.weight", {"column", RESHARD_DTYPE_BF16, RESHARD_CLASS_COLUMN, 0, true, {0, {0}}}},
    {"embed.weight", {"scales", RESHARD_DTYPE_F32, RESHARD_CLASS_BLOCKWISE, 4, false, {0, {0}}}},
    {"empty", {"column", RESHARD_DTYPE_F32, RESHARD_CLASS_COLUMN, 0, false, {0, {0}}}},
    {"block.0.weight", {"row", RESHARD_DTYPE_F32, RESHARD_CLASS_ROW, 0, true, {0, {0}}}},
    {"block.0.weight", {"column", RESHARD_DTYPE_F32, RESHARD_CLASS_COLUMN, 0, false, {0, {0}}}},
    {"block.0.weight", {"codes", RESHARD_DTYPE_U8, RESHARD_CLASS_BLOCKWISE, 7, false, {0, {0}}}},
    {"block.1.wide", {"row", RESHARD_DTYPE_BF16, RESHARD_CLASS_ROW, 0, false, {0, {0}}}},
    {"block.1.long", {"scales", RESHARD_DTYPE_F32, RESHARD_CLASS_BLOCKWISE, 8, false, {0, {0}}}},
    {"block.1.norm", {"state", RESHARD_DTYPE_U8, RESHARD_CLASS_OPAQUE, 0, false, {1, {9}}}},
    {"table", {"table", RESHARD_DTYPE_I16, RESHARD_CLASS_REPLICATED, 0, false, {2, {2, 3}}}},
};

static enum reshard_status add_slots(struct reshard_model *model)
{
    enum reshard_status status = RESHARD_OK;

    for (size_t i = 0; !status && i < sizeof sample_slots / sizeof *sample_slots; i++)
        status = reshard_model_add_state(model, sample_slots[i].fqn, &sample_slots[i].slot, NULL);
    return status;
}

struct reshard_model *sample_model(void)
{
    const struct reshard_optimizer adamw = {.name = RESHARD_OPTIMIZER_ADAMW,
                                            .dtype = RESHARD_DTYPE_F32};
    struct reshard_model *model = NULL;
    enum reshard_status status = reshard_model_open(&model);

    for (size_t i = 0; !status && i < sizeof sample_tensors / sizeof *sample_tensors; i++)
        status = reshard_model_add(model, sample_tensors[i].fqn, sample_tensors[i].unit,
                                   sample_tensors[i].dtype, &sample_tensors[i].shape, NULL);
    if (!status)
        status = reshard_model_tie(model, "head.weight", "embed.weight", NULL);
    if (!status)
        status = reshard_optimizer_extend(model, &adamw, NULL);
    if (!status)
        status = add_slots(model);
    if (status) {
        reshard_model_close(model);
        return NULL;
    }
    return model;
}

unsigned char sample_byte(uint64_t seed, uint32_t tensor, uint64_t index)
{
    uint64_t x = (seed * 1000003 + tensor) * 1000003 + index;

    x ^= x >> 31;
    x *= UINT64_C(0x7FB5D329728EA185);
    x ^= x >> 27;
    return (unsigned char)(x >> 20);
}

/* Call `visit` for each byte that this rank holds of each tensor of the part. */
static uint64_t walk(const struct reshard_state *state, uint64_t seed, enum reshard_part part,
                     uint64_t (*visit)(unsigned char *byte, unsigned char expected))
{
    const struct reshard_layout *layout = reshard_state_layout(state);
    const struct reshard_model *model = reshard_layout_model(layout);
    struct reshard_box_list boxes = RESHARD_BOX_LIST_INIT;
    uint64_t sum = 0;

    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
        const struct reshard_box whole = reshard_box_whole(&tensor->shape);
        const size_t size = reshard_dtype_bytes(tensor->dtype);
        unsigned char *next = reshard_state_data(state, t);
        boxes.count = 0;
        if (!reshard_part_has(part, tensor))
            continue;
        if (reshard_layout_boxes(layout, t, reshard_state_rank(state), &boxes))
            abort();
        for (uint64_t i = 0; i < boxes.count; i++) {
            struct reshard_box_runs runs = reshard_box_runs(&boxes.box[i], &boxes.box[i], &whole);
            while (reshard_box_runs_next(&runs))
                for (uint64_t b = 0; b < runs.count * size; b++)
                    sum += visit(next++, sample_byte(seed, t, runs.target * size + b));
        }
    }
    reshard_box_list_release(&boxes);
    return sum;
}

static uint64_t visit_fill(unsigned char *byte, unsigned char expected)
{
    *byte = expected;
    return 0;
}

static uint64_t visit_compare(unsigned char *byte, unsigned char expected)
{
    return *byte != expected;
}

void sample_fill(struct reshard_state *state, uint64_t seed)
{
    walk(state, seed, RESHARD_PART_ALL, visit_fill);
}

uint64_t sample_wrong_bytes(const struct reshard_state *state, uint64_t seed,
                            enum reshard_part part)
{
    return walk(state, seed, part, visit_compare);
}

void sample_stain(struct reshard_state *state, unsigned char stain)
{
    const struct reshard_model *model = reshard_layout_model(reshard_state_layout(state));

    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++) {
        uint64_t bytes;
        void *flat = reshard_state_flat(state, t, &bytes);
        if (flat)
            memset(flat, stain, bytes);
        else if (reshard_state_data(state, t))
            memset(reshard_state_data(state, t), stain, reshard_state_bytes(state, t));
    }
}

uint64_t sample_touched_padding(const struct reshard_state *state, unsigned char stain)
{
    const struct reshard_model *model = reshard_layout_model(reshard_state_layout(state));
    const uint32_t tensors = reshard_model_tensor_count(model);
    uint64_t touched = 0;

    /* Of each flat shard, seen from its first tensor: every byte that belongs to no tensor. */
    for (uint32_t t = 0; t < tensors; t++) {
        uint64_t bytes, other_bytes;
        unsigned char *flat = reshard_state_flat(state, t, &bytes), *covered;
        bool first = flat != NULL;
        for (uint32_t other = 0; other < t; other++)
            first = first && reshard_state_flat(state, other, &other_bytes) != flat;
        if (!first || !(covered = calloc(bytes + 1, 1)))
            continue;
        for (uint32_t other = t; other < tensors; other++)
            if (reshard_state_flat(state, other, &other_bytes) == flat &&
                reshard_state_data(state, other))
                memset(covered + ((unsigned char *)reshard_state_data(state, other) - flat), 1,
                       reshard_state_bytes(state, other));
        for (uint64_t b = 0; b < bytes; b++)
            touched += !covered[b] && flat[b] != stain;
        free(covered);
    }
    return touched;
}
