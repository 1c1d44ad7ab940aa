#include "support/told.h"

#include "support/oracle.h"

#include <stdlib.h>
#include <string.h>

static enum verify_role role_of(const struct reshard_tensor *tensor)
{
    if (tensor->slot[0])
        return VERIFY_PARAMETER;
    switch (tensor->role) {
    case RESHARD_ROLE_FROZEN:
        return VERIFY_FROZEN;
    case RESHARD_ROLE_BUFFER:
        return VERIFY_BUFFER;
    case RESHARD_ROLE_OPAQUE:
        return VERIFY_OPAQUE;
    case RESHARD_ROLE_PER_RANK:
        return VERIFY_PER_RANK;
    default:
        return VERIFY_PARAMETER;
    }
}

static enum verify_class class_of(const struct reshard_tensor *tensor)
{
    switch (tensor->slot_class) {
    case RESHARD_CLASS_ROW:
        return VERIFY_ROW;
    case RESHARD_CLASS_COLUMN:
        return VERIFY_COLUMN;
    case RESHARD_CLASS_BLOCKWISE:
        return VERIFY_BLOCKWISE;
    case RESHARD_CLASS_OPAQUE:
        return VERIFY_BYTES;
    default:
        return VERIFY_PLAIN;
    }
}

static struct verify_tensor tell_tensor(const struct reshard_tensor *tensor)
{
    struct verify_tensor out = {.fqn = tensor->fqn,
                                .slot = tensor->slot,
                                .dtype = tensor->dtype,
                                .ndim = tensor->shape.ndim,
                                .unit = tensor->unit,
                                .parameter = tensor->parameter,
                                .like = tensor->slot_class == RESHARD_CLASS_LIKE,
                                .role = role_of(tensor),
                                .slot_class = class_of(tensor),
                                .block = tensor->block};

    memcpy(out.shape, tensor->shape.size, tensor->shape.ndim * sizeof *out.shape);
    return out;
}

static struct verify_setting tell_setting(const struct reshard_setting *setting)
{
    static const enum verify_how hows[] = {
        [RESHARD_HOW_DEFAULT] = VERIFY_UNSET, [RESHARD_HOW_WHOLE] = VERIFY_WHOLE,
        [RESHARD_HOW_CUT] = VERIFY_CUT,       [RESHARD_HOW_AT] = VERIFY_AT,
        [RESHARD_HOW_OF] = VERIFY_OF,
    };

    return (struct verify_setting){hows[setting->how], setting->number};
}

static struct verify_rule tell_rule(const struct reshard_rule *rule, struct verify_rank_box **boxes)
{
    struct verify_rule out = {
        .pattern = rule->pattern, .section = rule->section, .section_count = rule->section_count};

    out.axis[VERIFY_PIPELINE] = tell_setting(&rule->pipeline);
    out.axis[VERIFY_SHARD] = tell_setting(&rule->shard);
    out.axis[VERIFY_EXPERT] = tell_setting(&rule->expert);
    out.axis[VERIFY_TENSOR] = tell_setting(&rule->tensor);
    if (rule->box_count == 0)
        return out;
    *boxes = calloc(rule->box_count, sizeof **boxes);
    if (!*boxes)
        abort();
    for (uint64_t i = 0; i < rule->box_count; i++) {
        const struct reshard_box *box = &rule->box[i].box;
        struct verify_rank_box *told = &(*boxes)[i];
        told->rank = rule->box[i].rank;
        told->ndim = box->ndim;
        memcpy(told->begin, box->begin, box->ndim * sizeof *box->begin);
        memcpy(told->end, box->end, box->ndim * sizeof *box->end);
    }
    out.box = *boxes;
    out.box_count = rule->box_count;
    return out;
}

static uint64_t size_of(uint64_t size)
{
    return size ? size : 1;
}

void told_open(struct told *told, const struct reshard_model *model,
               const struct reshard_layout_options *options)
{
    static const enum verify_layout_kind kinds[] = {[RESHARD_LAYOUT_FSDP1] = VERIFY_FSDP1,
                                                    [RESHARD_LAYOUT_FSDP2] = VERIFY_FSDP2,
                                                    [RESHARD_LAYOUT_DDP] = VERIFY_DDP,
                                                    [RESHARD_LAYOUT_BOXES] = VERIFY_BOXES};
    const uint32_t tensors = reshard_model_tensor_count(model);

    memset(told, 0, sizeof *told);
    told->inventory = (struct verify_inventory){
        tensors, calloc((size_t)tensors + 1, sizeof *told->inventory.tensor),
        reshard_model_unit_count(model)};
    told->rule = calloc((size_t)options->rule_count + 1, sizeof *told->rule);
    told->box = calloc((size_t)options->rule_count + 1, sizeof(struct verify_rank_box *));
    if (!told->inventory.tensor || !told->rule || !told->box)
        abort();
    for (uint32_t t = 0; t < tensors; t++)
        told->inventory.tensor[t] = tell_tensor(reshard_model_tensor(model, t));
    told->layout = (struct verify_layout){
        .kind = kinds[options->kind],
        .world = oracle_world(options),
        .mesh = {size_of(options->pipeline), size_of(options->replicate), size_of(options->shard),
                 size_of(options->expert), size_of(options->tensor)},
        .dim = options->dim,
        .orig_params = options->orig_params,
        .forward = options->forward,
        .owner = (int64_t)options->owner - 1,
        .rule = told->rule,
        .rule_count = options->rule_count};
    for (uint32_t r = 0; r < options->rule_count; r++)
        told->rule[r] = tell_rule(&options->rule[r], &told->box[r]);
}

void told_close(struct told *told)
{
    for (uint32_t r = 0; r < told->layout.rule_count; r++)
        free(told->box[r]);
    free(told->box);
    free(told->rule);
    free(told->inventory.tensor);
}
