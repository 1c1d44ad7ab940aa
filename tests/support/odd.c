#include "support/odd.h"

#include "core/digest.h"
#include "core/optimizer.h"

#include <stdlib.h>
#include <string.h>

struct odd_tensor {
    const char *fqn, *unit;
    enum reshard_dtype dtype;
    struct reshard_shape shape;
    enum reshard_role role;
};

/* Units are of one dtype and trained as a whole, as FSDP1 wants them. */
static const struct odd_tensor odd_tensors[] = {
    {"embed.weight", "", RESHARD_DTYPE_F32, {2, {16, 8}}, RESHARD_ROLE_PARAMETER},
    {"scale", "", RESHARD_DTYPE_F32, {0, {0}}, RESHARD_ROLE_PARAMETER},
    {"empty", "", RESHARD_DTYPE_F32, {2, {0, 5}}, RESHARD_ROLE_PARAMETER},
    {"one.row", "", RESHARD_DTYPE_F32, {2, {1, 17}}, RESHARD_ROLE_PARAMETER},
    {"blocks.0.attn.qkv.weight",
     "blocks.0",
     RESHARD_DTYPE_F32,
     {2, {32, 8}},
     RESHARD_ROLE_PARAMETER},
    {"blocks.0.attn.qkv.bias", "blocks.0", RESHARD_DTYPE_F32, {1, {32}}, RESHARD_ROLE_PARAMETER},
    {"blocks.0.attn.out.weight",
     "blocks.0",
     RESHARD_DTYPE_F32,
     {2, {8, 16}},
     RESHARD_ROLE_PARAMETER},
    {"blocks.0.norm", "blocks.0", RESHARD_DTYPE_F32, {1, {7}}, RESHARD_ROLE_PARAMETER},
    {"blocks.1.mlp.gate_up.weight",
     "blocks.1",
     RESHARD_DTYPE_BF16,
     {2, {32, 8}},
     RESHARD_ROLE_PARAMETER},
    {"blocks.1.mlp.down.weight",
     "blocks.1",
     RESHARD_DTYPE_BF16,
     {2, {8, 16}},
     RESHARD_ROLE_PARAMETER},
    {"blocks.1.cube", "blocks.1", RESHARD_DTYPE_BF16, {3, {5, 3, 4}}, RESHARD_ROLE_PARAMETER},
    {"blocks.2.experts.gate_up",
     "blocks.2.experts",
     RESHARD_DTYPE_F16,
     {3, {16, 8, 4}},
     RESHARD_ROLE_PARAMETER},
    {"blocks.2.experts.down",
     "blocks.2.experts",
     RESHARD_DTYPE_F16,
     {3, {16, 4, 4}},
     RESHARD_ROLE_PARAMETER},
    {"blocks.2.frozen", "blocks.2.frozen", RESHARD_DTYPE_F64, {2, {6, 5}}, RESHARD_ROLE_FROZEN},
    {"odd/\xd1\x81\xd0\xbb\xd0\xbe\xd0\xb9.0/w",
     "",
     RESHARD_DTYPE_C64,
     {2, {5, 2}},
     RESHARD_ROLE_PARAMETER},
    {"..", "", RESHARD_DTYPE_F8_E4M3FN, {2, {5, 3}}, RESHARD_ROLE_PARAMETER},
    {"codes", "", RESHARD_DTYPE_I8, {1, {9}}, RESHARD_ROLE_PARAMETER},
    {"positions", "", RESHARD_DTYPE_I64, {2, {3, 4}}, RESHARD_ROLE_BUFFER},
    {"mask", "blocks.0", RESHARD_DTYPE_BOOL, {1, {9}}, RESHARD_ROLE_BUFFER},
    {"cache", "blocks.1", RESHARD_DTYPE_F32, {1, {4}}, RESHARD_ROLE_TRANSIENT},
    {"tokenizer", "", RESHARD_DTYPE_U8, {1, {13}}, RESHARD_ROLE_OPAQUE},
};

/* State of a shape of its own, of each class: blocks that rows, sections and shards cut through and
 * blocks of many rows, columns that tensor parallelism cuts, rows of what has no elements. */
#define ROW(slot, dtype, keeps)                                                                    \
    {                                                                                              \
        slot, dtype, RESHARD_CLASS_ROW, 0, keeps,                                                  \
        {                                                                                          \
            0,                                                                                     \
            {                                                                                      \
                0                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }
#define COLUMN(slot, dtype, keeps)                                                                 \
    {                                                                                              \
        slot, dtype, RESHARD_CLASS_COLUMN, 0, keeps,                                               \
        {                                                                                          \
            0,                                                                                     \
            {                                                                                      \
                0                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }
#define BLOCKS(slot, dtype, elements)                                                              \
    {                                                                                              \
        slot, dtype, RESHARD_CLASS_BLOCKWISE, elements, false,                                     \
        {                                                                                          \
            0,                                                                                     \
            {                                                                                      \
                0                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }

static const struct {
    const char *fqn;
    struct reshard_slot slot;
} odd_slots[] = {
    {"embed.weight", ROW("row", RESHARD_DTYPE_F32, false)},
    {"embed.weight", COLUMN("column", RESHARD_DTYPE_BF16, true)},
    {"embed.weight", BLOCKS("scales", RESHARD_DTYPE_F32, 5)},
    {"scale", BLOCKS("scales", RESHARD_DTYPE_F32, 4)},
    {"empty", ROW("row", RESHARD_DTYPE_F32, false)},
    {"one.row", BLOCKS("codes", RESHARD_DTYPE_U8, 4)},
    {"blocks.0.attn.qkv.weight", ROW("row", RESHARD_DTYPE_F32, false)},
    {"blocks.0.attn.qkv.weight", COLUMN("column", RESHARD_DTYPE_F32, false)},
    {"blocks.0.attn.qkv.weight", BLOCKS("scales", RESHARD_DTYPE_F32, 24)},
    {"blocks.0.attn.out.weight", COLUMN("column", RESHARD_DTYPE_F32, true)},
    {"blocks.0.attn.out.weight", BLOCKS("scales", RESHARD_DTYPE_F32, 3)},
    {"blocks.1.mlp.gate_up.weight", BLOCKS("codes", RESHARD_DTYPE_U8, 7)},
    {"blocks.1.mlp.down.weight", COLUMN("column", RESHARD_DTYPE_F32, false)},
    {"blocks.1.cube", ROW("row", RESHARD_DTYPE_F32, false)},
    {"blocks.1.cube", COLUMN("column", RESHARD_DTYPE_F32, false)},
    {"blocks.1.cube", BLOCKS("scales", RESHARD_DTYPE_F32, 7)},
    {"blocks.2.experts.gate_up", ROW("row", RESHARD_DTYPE_F32, false)},
    {"blocks.2.experts.gate_up", COLUMN("column", RESHARD_DTYPE_F32, true)},
    {"blocks.2.experts.gate_up", BLOCKS("scales", RESHARD_DTYPE_F32, 10)},
    {"blocks.2.experts.down", ROW("row", RESHARD_DTYPE_F32, true)},
    {"odd/\xd1\x81\xd0\xbb\xd0\xbe\xd0\xb9.0/w", COLUMN("../column", RESHARD_DTYPE_C64, false)},
    {"codes", {"state", RESHARD_DTYPE_U8, RESHARD_CLASS_OPAQUE, 0, false, {1, {11}}}},
    {"codes", {"table", RESHARD_DTYPE_I16, RESHARD_CLASS_REPLICATED, 0, false, {2, {2, 3}}}},
    {"..", {"count", RESHARD_DTYPE_I64, RESHARD_CLASS_SCALAR, 0, false, {0, {0}}}},
};

static enum reshard_status add_slots(struct reshard_model *model)
{
    enum reshard_status status = RESHARD_OK;

    for (size_t i = 0; !status && i < sizeof odd_slots / sizeof *odd_slots; i++)
        status = reshard_model_add_state(model, odd_slots[i].fqn, &odd_slots[i].slot, NULL);
    return status;
}

static bool has_dtype(const struct reshard_model *model, enum reshard_dtype dtype)
{
    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++)
        if (reshard_model_tensor(model, t)->dtype == dtype)
            return true;
    return false;
}

/* A buffer of each dtype that nothing else has. */
static enum reshard_status add_other_dtypes(struct reshard_model *model)
{
    const struct reshard_shape shape = {1, {3}};
    enum reshard_status status = RESHARD_OK;

    for (int d = RESHARD_DTYPE_NONE + 1; !status && d < RESHARD_DTYPE_COUNT; d++) {
        char name[64] = "dtypes.";
        if (has_dtype(model, (enum reshard_dtype)d))
            continue;
        strcat(name, reshard_dtype_name((enum reshard_dtype)d));
        status = reshard_model_add_role(model, name, "", (enum reshard_dtype)d, &shape,
                                        RESHARD_ROLE_BUFFER, RESHARD_OTHER_WORLD_REFUSE, NULL);
    }
    return status;
}

static enum reshard_status add_per_rank(struct reshard_model *model, uint64_t world)
{
    const struct reshard_shape keep = {2, {world, 3}}, wrap = {1, {world}};
    enum reshard_status status =
        reshard_model_add_role(model, "rng", "", RESHARD_DTYPE_U64, &keep, RESHARD_ROLE_PER_RANK,
                               RESHARD_OTHER_WORLD_KEEP, NULL);

    if (!status)
        status = reshard_model_add_role(model, "loader", "", RESHARD_DTYPE_I32, &wrap,
                                        RESHARD_ROLE_PER_RANK, RESHARD_OTHER_WORLD_WRAP, NULL);
    return status;
}

struct reshard_model *odd_model(uint64_t world)
{
    const struct reshard_optimizer adamw = {.name = RESHARD_OPTIMIZER_ADAMW,
                                            .dtype = RESHARD_DTYPE_BF16};
    struct reshard_model *model = NULL;
    enum reshard_status status = reshard_model_open(&model);

    for (size_t i = 0; !status && i < sizeof odd_tensors / sizeof *odd_tensors; i++)
        status = reshard_model_add_role(model, odd_tensors[i].fqn, odd_tensors[i].unit,
                                        odd_tensors[i].dtype, &odd_tensors[i].shape,
                                        odd_tensors[i].role, RESHARD_OTHER_WORLD_REFUSE, NULL);
    if (!status)
        status = add_per_rank(model, world);
    if (!status)
        status = add_other_dtypes(model);
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

/* ---- layouts --------------------------------------------------------------------------------- */

static const uint64_t qkv[] = {16, 8, 8}, gate_up[] = {16, 16}, half_and_half[] = {4, 4};

#define CUT(dimension)                                                                             \
    {                                                                                              \
        RESHARD_HOW_CUT, dimension                                                                 \
    }
#define WHOLE                                                                                      \
    {                                                                                              \
        RESHARD_HOW_WHOLE, 0                                                                       \
    }

/* Along `tensor` and `expert`, for every layout that has these. */
#define MODEL_RULES                                                                                \
    {.pattern = "embed.weight", .tensor = CUT(0)},                                                 \
        {.pattern = "blocks.1.cube", .expert = CUT(0), .tensor = CUT(0), .shard = CUT(2)},         \
        {.pattern = "*.qkv.*", .tensor = CUT(0), .section = qkv, .section_count = 3},              \
        {.pattern = "*.gate_up.weight", .tensor = CUT(0), .section = gate_up, .section_count = 2}, \
        {.pattern = "*.out.weight", .tensor = CUT(1)},                                             \
        {.pattern = "*.down.weight", .tensor = CUT(1)},                                            \
        {.pattern = "*.experts.gate_up",                                                           \
         .expert = CUT(0),                                                                         \
         .tensor = CUT(1),                                                                         \
         .section = half_and_half,                                                                 \
         .section_count = 2},                                                                      \
    {                                                                                              \
        .pattern = "*.experts.*", .expert = CUT(0), .tensor = CUT(2)                               \
    }

const struct reshard_rule odd_rules[] = {MODEL_RULES};
const uint32_t odd_rule_count = sizeof odd_rules / sizeof *odd_rules;

/* FSDP1 flattens sections of dimension 0 alone. */
static const struct reshard_rule flat_rules[] = {
    {.pattern = "*.experts.gate_up", .expert = CUT(0), .tensor = CUT(2)}, MODEL_RULES};

/* Single tensors that go their own way. */
static const struct reshard_rule own_ways[] = {
    {.pattern = "blocks.1.cube", .shard = CUT(2)},
    {.pattern = "blocks.0.norm", .shard = WHOLE},
    {.pattern = "blocks.2.experts.gate_up", .shard = CUT(1)},
    {.pattern = "positions", .shard = CUT(1)},
    {.pattern = "tokenizer", .shard = CUT(0)},
};

/* Stages by hand: the head of the model on the last, and one tensor on all. */
static const struct reshard_rule stages[] = {
    {.pattern = "one.row", .pipeline = {RESHARD_HOW_AT, 1}},
    {.pattern = "blocks.{i}.mlp*", .pipeline = {RESHARD_HOW_OF, 3}},
    {.pattern = "mask", .pipeline = WHOLE},
    {.pattern = "codes", .pipeline = WHOLE},
};

static uint64_t half(uint64_t ranks)
{
    return ranks / 2 + ranks % 2; /* so that an odd world is asked for what it has not */
}

/* Rows of a matrix, one set a rank, and quarters of a cube, where ranks are replicas of each other:
 * what no formula says. */
static void give_boxes(uint64_t ranks, struct odd_boxes *boxes)
{
    uint64_t count = 0;
    const uint64_t rows = 16, halves = ranks < 2 ? 1 : 2;

    for (uint64_t row = 0; row < rows; row++) /* dealt out in turn */
        boxes->box[count++] = (struct reshard_rank_box){row % ranks, {2, {row, 0}, {row + 1, 8}}};
    boxes->rule[0] =
        (struct reshard_rule){.pattern = "embed.weight", .box = boxes->box, .box_count = count};
    boxes->rule[1] = (struct reshard_rule){.pattern = "blocks.1.cube", .box = boxes->box + count};
    for (uint64_t rank = 0; rank < ranks; rank++) {
        const uint64_t part = rank % halves;
        boxes->box[count++] = (struct reshard_rank_box){
            rank, {3, {0, 0, halves == 1 ? 0 : 2 * part}, {5, 3, halves == 1 ? 4 : 2 * part + 2}}};
        boxes->rule[1].box_count++;
    }
}

bool odd_layout(unsigned kind, uint64_t ranks, struct odd_boxes *boxes, const char **name,
                struct reshard_layout_options *out)
{
    const uint32_t flat_count = sizeof flat_rules / sizeof *flat_rules;
    const struct {
        const char *name;
        struct reshard_layout_options options;
    } all[] = {
        {"ddp", {.kind = RESHARD_LAYOUT_DDP, .replicate = ranks}},
        {"fsdp1", {.kind = RESHARD_LAYOUT_FSDP1, .shard = ranks}},
        {"fsdp1-orig-bf16",
         {.kind = RESHARD_LAYOUT_FSDP1,
          .shard = ranks,
          .orig_params = true,
          .forward = RESHARD_DTYPE_BF16}},
        {"fsdp1-no-shard", {.kind = RESHARD_LAYOUT_FSDP1, .replicate = ranks}},
        {"fsdp1-hybrid", {.kind = RESHARD_LAYOUT_FSDP1, .replicate = 2, .shard = half(ranks)}},
        {"fsdp1-tensor",
         {.kind = RESHARD_LAYOUT_FSDP1,
          .shard = half(ranks),
          .tensor = 2,
          .rule = flat_rules,
          .rule_count = flat_count}},
        {"fsdp2", {.kind = RESHARD_LAYOUT_FSDP2, .shard = ranks}},
        {"fsdp2-dim1", {.kind = RESHARD_LAYOUT_FSDP2, .shard = ranks, .dim = 1}},
        {"fsdp2-hybrid",
         {.kind = RESHARD_LAYOUT_FSDP2, .replicate = half(ranks), .shard = 2, .owner = 1}},
        {"fsdp2-own-ways",
         {.kind = RESHARD_LAYOUT_FSDP2,
          .shard = ranks,
          .rule = own_ways,
          .rule_count = sizeof own_ways / sizeof *own_ways}},
        {"fsdp2-idle", {.kind = RESHARD_LAYOUT_FSDP2, .world = ranks, .shard = half(ranks)}},
        {"fsdp2-tensor",
         {.kind = RESHARD_LAYOUT_FSDP2,
          .shard = half(ranks),
          .tensor = 2,
          .rule = odd_rules,
          .rule_count = odd_rule_count}},
        {"tensor",
         {.kind = RESHARD_LAYOUT_DDP,
          .tensor = ranks,
          .rule = odd_rules,
          .rule_count = odd_rule_count}},
        {"pipeline-fsdp1",
         {.kind = RESHARD_LAYOUT_FSDP1, .pipeline = 2, .shard = half(ranks), .orig_params = true}},
        {"pipeline-fsdp2",
         {.kind = RESHARD_LAYOUT_FSDP2,
          .pipeline = 2,
          .shard = half(ranks),
          .rule = stages,
          .rule_count = sizeof stages / sizeof *stages}},
        {"expert",
         {.kind = RESHARD_LAYOUT_FSDP2,
          .shard = half(ranks),
          .expert = 2,
          .rule = odd_rules,
          .rule_count = odd_rule_count}},
        {"everything",
         {.kind = RESHARD_LAYOUT_FSDP2,
          .pipeline = 2,
          .replicate = (ranks + 7) / 8,
          .expert = 2,
          .tensor = 2,
          .rule = odd_rules,
          .rule_count = odd_rule_count}},
        {"boxes",
         {.kind = RESHARD_LAYOUT_BOXES, .replicate = ranks, .rule = boxes->rule, .rule_count = 2}},
    };

    if (kind >= sizeof all / sizeof *all)
        return false;
    *name = all[kind].name;
    *out = all[kind].options;
    if (!out->world)
        out->world = ranks;
    give_boxes(ranks, boxes);
    return true;
}

/* ---- states ---------------------------------------------------------------------------------- */

unsigned char odd_byte(const struct reshard_tensor *tensor, uint64_t index)
{
    uint64_t x = digest_crc(digest_crc(0, tensor->fqn, strlen(tensor->fqn) + 1), tensor->slot,
                            strlen(tensor->slot)) +
                 index * UINT64_C(0x9E3779B97F4A7C15);

    x ^= x >> 31;
    x *= UINT64_C(0x7FB5D329728EA185);
    x ^= x >> 27;
    return tensor->dtype == RESHARD_DTYPE_BOOL ? (x >> 20) & 1 : (unsigned char)(x >> 20);
}

static uint64_t walk_tensor(const struct reshard_state *state, uint32_t t, bool fill)
{
    const struct reshard_layout *layout = reshard_state_layout(state);
    const struct reshard_tensor *tensor = reshard_model_tensor(reshard_layout_model(layout), t);
    const struct reshard_box whole = reshard_box_whole(&tensor->shape);
    const size_t size = reshard_dtype_bytes(tensor->dtype);
    struct reshard_box_list boxes = RESHARD_BOX_LIST_INIT;
    unsigned char *next = reshard_state_data(state, t);
    uint64_t wrong = 0;

    if (reshard_layout_boxes(layout, t, reshard_state_rank(state), &boxes))
        abort();
    for (uint64_t i = 0; i < boxes.count; i++) {
        struct reshard_box_runs runs = reshard_box_runs(&boxes.box[i], &boxes.box[i], &whole);
        while (reshard_box_count(&boxes.box[i]) && reshard_box_runs_next(&runs)) {
            for (uint64_t b = 0; b < runs.count * size; b++, next++) {
                const unsigned char byte = odd_byte(tensor, runs.target * size + b);
                wrong += *next != byte;
                if (fill)
                    *next = byte;
            }
        }
    }
    reshard_box_list_release(&boxes);
    return wrong;
}

void odd_fill(struct reshard_state *state)
{
    const uint32_t tensors =
        reshard_model_tensor_count(reshard_layout_model(reshard_state_layout(state)));

    for (uint32_t t = 0; t < tensors; t++)
        walk_tensor(state, t, true);
}

uint64_t odd_wrong_bytes(const struct reshard_state *state, const bool *skip)
{
    const uint32_t tensors =
        reshard_model_tensor_count(reshard_layout_model(reshard_state_layout(state)));
    uint64_t wrong = 0;

    for (uint32_t t = 0; t < tensors; t++)
        if (!skip || !skip[t])
            wrong += walk_tensor(state, t, false);
    return wrong;
}
