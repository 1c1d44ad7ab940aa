#include "sim/view.h"

#include "core/groups_json.h"

#include <stdlib.h>
#include <string.h>

/* A buffer that is not saved is a buffer where memory is judged, and in no checkpoint. */
static enum verify_role view_of_role(const struct reshard_tensor *tensor)
{
    static const enum verify_role roles[RESHARD_ROLE_COUNT] = {
        [RESHARD_ROLE_PARAMETER] = VERIFY_PARAMETER, [RESHARD_ROLE_FROZEN] = VERIFY_FROZEN,
        [RESHARD_ROLE_BUFFER] = VERIFY_BUFFER,       [RESHARD_ROLE_TRANSIENT] = VERIFY_BUFFER,
        [RESHARD_ROLE_OPAQUE] = VERIFY_OPAQUE,       [RESHARD_ROLE_PER_RANK] = VERIFY_PER_RANK,
    };
    return reshard_tensor_is_slot(tensor) ? VERIFY_PARAMETER : roles[tensor->role];
}

/* What lies as its parameter and what is whole has no class. */
static enum verify_class view_of_class(enum reshard_slot_class slot_class)
{
    static const enum verify_class classes[RESHARD_CLASS_COUNT] = {
        [RESHARD_CLASS_LIKE] = VERIFY_PLAIN,       [RESHARD_CLASS_ROW] = VERIFY_ROW,
        [RESHARD_CLASS_COLUMN] = VERIFY_COLUMN,    [RESHARD_CLASS_BLOCKWISE] = VERIFY_BLOCKWISE,
        [RESHARD_CLASS_REPLICATED] = VERIFY_PLAIN, [RESHARD_CLASS_SCALAR] = VERIFY_PLAIN,
        [RESHARD_CLASS_OPAQUE] = VERIFY_BYTES,
    };
    return classes[slot_class];
}

static struct verify_tensor view_of_tensor(const struct reshard_tensor *tensor)
{
    struct verify_tensor out = {
        .fqn = tensor->fqn,
        .slot = tensor->slot,
        .dtype = tensor->dtype,
        .ndim = tensor->shape.ndim,
        .unit = tensor->unit,
        .parameter = tensor->parameter,
        .like = tensor->slot_class == RESHARD_CLASS_LIKE,
        .role = view_of_role(tensor),
        .slot_class = view_of_class(tensor->slot_class),
        .block = tensor->block,
    };
    for (uint32_t d = 0; d < tensor->shape.ndim; d++)
        out.shape[d] = tensor->shape.size[d];
    return out;
}

enum reshard_status view_of_model(struct verify_inventory *out, const struct reshard_model *model)
{
    const uint32_t count = reshard_model_tensor_count(model);
    memset(out, 0, sizeof(*out));
    out->unit_count = reshard_model_unit_count(model);
    out->tensor = calloc((size_t)count + 1, sizeof(*out->tensor));
    if (!out->tensor)
        return RESHARD_ENOMEM;
    out->tensor_count = count;
    for (uint32_t i = 0; i < count; i++)
        out->tensor[i] = view_of_tensor(reshard_model_tensor(model, i));
    return RESHARD_OK;
}

void view_release(struct verify_inventory *inventory)
{
    free(inventory->tensor);
    memset(inventory, 0, sizeof(*inventory));
}

static struct verify_setting view_of_setting(struct reshard_setting setting)
{
    static const enum verify_how hows[] = {
        [RESHARD_HOW_DEFAULT] = VERIFY_UNSET, [RESHARD_HOW_WHOLE] = VERIFY_WHOLE,
        [RESHARD_HOW_CUT] = VERIFY_CUT,       [RESHARD_HOW_AT] = VERIFY_AT,
        [RESHARD_HOW_OF] = VERIFY_OF,
    };
    return (struct verify_setting){hows[setting.how], setting.number};
}

static struct verify_rank_box view_of_box(const struct reshard_rank_box *given)
{
    struct verify_rank_box box = {.rank = given->rank, .ndim = given->box.ndim};
    for (uint32_t d = 0; d < box.ndim; d++) {
        box.begin[d] = given->box.begin[d];
        box.end[d] = given->box.end[d];
    }
    return box;
}

/* The rule's boxes go to `box`, which has room for them. */
static struct verify_rule view_of_rule(const struct reshard_rule *rule, struct verify_rank_box *box)
{
    for (uint64_t i = 0; i < rule->box_count; i++)
        box[i] = view_of_box(&rule->box[i]);
    return (struct verify_rule){
        .pattern = rule->pattern,
        .axis = {[VERIFY_PIPELINE] = view_of_setting(rule->pipeline),
                 [VERIFY_SHARD] = view_of_setting(rule->shard),
                 [VERIFY_EXPERT] = view_of_setting(rule->expert),
                 [VERIFY_TENSOR] = view_of_setting(rule->tensor)},
        .section = rule->section_count ? rule->section : NULL,
        .section_count = rule->section_count,
        .box = rule->box_count ? box : NULL,
        .box_count = rule->box_count,
    };
}

static uint64_t count_boxes(const struct reshard_layout_options *options)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < options->rule_count; i++)
        count += options->rule[i].box_count;
    return count;
}

static struct verify_layout view_of_formula(const struct reshard_layout_options *options)
{
    static const enum verify_layout_kind kinds[] = {
        [RESHARD_LAYOUT_FSDP1] = VERIFY_FSDP1,
        [RESHARD_LAYOUT_FSDP2] = VERIFY_FSDP2,
        [RESHARD_LAYOUT_DDP] = VERIFY_DDP,
        [RESHARD_LAYOUT_BOXES] = VERIFY_BOXES,
    };
    return (struct verify_layout){
        .kind = kinds[options->kind],
        .world = options->world,
        .mesh = {[VERIFY_PIPELINE] = options->pipeline,
                 [VERIFY_REPLICATE] = options->replicate,
                 [VERIFY_SHARD] = options->shard,
                 [VERIFY_EXPERT] = options->expert,
                 [VERIFY_TENSOR] = options->tensor},
        .dim = options->dim,
        .orig_params = options->orig_params,
        .forward = options->forward,
        .owner = (int64_t)options->owner - 1,
        .rule_count = options->rule_count,
    };
}

enum reshard_status view_of_layout(struct view_layout *out,
                                   const struct reshard_layout_options *options)
{
    uint64_t boxes = 0;
    *out = (struct view_layout){.layout = view_of_formula(options)};
    out->rule = calloc((size_t)options->rule_count + 1, sizeof(*out->rule));
    out->box = calloc((size_t)count_boxes(options) + 1, sizeof(*out->box));
    if (!out->rule || !out->box) {
        view_layout_release(out);
        return RESHARD_ENOMEM;
    }
    for (uint32_t i = 0; i < options->rule_count; i++) {
        out->rule[i] = view_of_rule(&options->rule[i], out->box + boxes);
        boxes += options->rule[i].box_count;
    }
    out->layout.rule = out->rule;
    return RESHARD_OK;
}

void view_layout_release(struct view_layout *layout)
{
    free(layout->rule);
    free(layout->box);
    memset(layout, 0, sizeof(*layout));
}

static struct verify_hyper view_of_hyper(const struct reshard_hyper *hyper)
{
    return (struct verify_hyper){
        .lr = hyper->lr,
        .beta1 = hyper->beta1,
        .beta2 = hyper->beta2,
        .eps = hyper->eps,
        .weight_decay = hyper->weight_decay,
        .momentum = hyper->momentum,
        .nesterov = hyper->nesterov,
        .amsgrad = hyper->amsgrad,
        .block = hyper->block,
        .from = hyper->from,
    };
}

enum reshard_status view_of_optimizer(struct view_optimizer *out,
                                      const struct reshard_optimizer *optimizer)
{
    static const enum verify_optimizer_name names[RESHARD_OPTIMIZER_COUNT] = {
        [RESHARD_OPTIMIZER_NONE] = VERIFY_OPTIMIZER_NONE,
        [RESHARD_OPTIMIZER_SGD] = VERIFY_SGD,
        [RESHARD_OPTIMIZER_ADAM] = VERIFY_ADAM,
        [RESHARD_OPTIMIZER_ADAMW] = VERIFY_ADAMW,
        [RESHARD_OPTIMIZER_ADAFACTOR] = VERIFY_ADAFACTOR,
        [RESHARD_OPTIMIZER_ADAM8BIT] = VERIFY_ADAM8BIT,
        [RESHARD_OPTIMIZER_MUON] = VERIFY_MUON,
    };
    *out = (struct view_optimizer){0};
    out->group = calloc((size_t)optimizer->group_count + 1, sizeof(*out->group));
    if (!out->group)
        return RESHARD_ENOMEM;
    for (uint32_t g = 0; g < optimizer->group_count; g++) {
        out->group[g].pattern = optimizer->group[g].pattern;
        out->group[g].pattern_count = optimizer->group[g].pattern_count;
        out->group[g].hyper = view_of_hyper(&optimizer->group[g].hyper);
    }
    out->optimizer = (struct verify_optimizer){
        .name = names[optimizer->name],
        .state = optimizer->dtype,
        .hyper = view_of_hyper(&optimizer->hyper),
        .group = out->group,
        .group_count = optimizer->group_count,
    };
    return RESHARD_OK;
}

void view_optimizer_release(struct view_optimizer *optimizer)
{
    free(optimizer->group);
    memset(optimizer, 0, sizeof(*optimizer));
}

enum reshard_status view_of_groups(struct verify_param_groups *out,
                                   const struct reshard_groups *groups,
                                   const struct verify_inventory *inventory,
                                   struct reshard_error *error)
{
    struct verify_names names;
    *out = (struct verify_param_groups){0};
    if (!groups)
        return RESHARD_OK;
    json_t *value = groups_json_encode(groups);
    if (!value)
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory for the optimizer's groups");
    enum reshard_status status = verify_names_open(&names, inventory, error);
    if (!status)
        status = verify_param_groups_parse(out, value, &names, error);
    verify_names_close(&names);
    json_decref(value);
    return status;
}
