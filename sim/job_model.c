#include "sim/job_model.h"

#include "core/pattern.h"
#include "sim/json_text.h"
#include "sim/optimizer.h"

#include <stdlib.h>
#include <string.h>

static json_t *count_value(uint64_t count)
{
    return json_integer((json_int_t)count);
}

/* ---- the optimizer ---- */

static json_t *hyper_encode(const struct reshard_hyper *hyper)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:b, s:b, s:o, s:o}", "lr", hyper->lr, "beta1",
                     hyper->beta1, "beta2", hyper->beta2, "eps", hyper->eps, "weight_decay",
                     hyper->weight_decay, "momentum", hyper->momentum, "nesterov", hyper->nesterov,
                     "amsgrad", hyper->amsgrad, "block", count_value(hyper->block), "from",
                     count_value(hyper->from));
}

static json_t *patterns_encode(const struct reshard_optimizer_group *group)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list && i < group->pattern_count; i++)
        json_text_append(&list, json_string(group->pattern[i]));
    return list;
}

static json_t *groups_encode(const struct reshard_optimizer *optimizer)
{
    json_t *list = json_array();
    for (uint32_t g = 0; list && g < optimizer->group_count; g++) {
        const struct reshard_optimizer_group *group = &optimizer->group[g];
        json_text_append(&list,
                         json_pack("{s:s, s:o, s:o}", "name", group->name, "match",
                                   patterns_encode(group), "hyper", hyper_encode(&group->hyper)));
    }
    return list;
}

json_t *job_optimizer_encode(const struct reshard_optimizer *optimizer)
{
    json_t *dtype = optimizer->dtype == RESHARD_DTYPE_NONE
                        ? json_null()
                        : json_string(reshard_dtype_name(optimizer->dtype));
    return json_pack("{s:s, s:o, s:o, s:o}", "name", reshard_optimizer_name_text(optimizer->name),
                     "dtype", dtype, "hyper", hyper_encode(&optimizer->hyper), "groups",
                     groups_encode(optimizer));
}

static void hyper_decode(struct member_reader *reader, const json_t *object,
                         struct reshard_hyper *out)
{
    member_size(reader, object, 10, "hyper");
    out->lr = member_real(reader, object, "lr");
    out->beta1 = member_real(reader, object, "beta1");
    out->beta2 = member_real(reader, object, "beta2");
    out->eps = member_real(reader, object, "eps");
    out->weight_decay = member_real(reader, object, "weight_decay");
    out->momentum = member_real(reader, object, "momentum");
    out->nesterov = member_flag(reader, object, "nesterov");
    out->amsgrad = member_flag(reader, object, "amsgrad");
    out->block = member_count(reader, object, "block");
    out->from = member_count(reader, object, "from");
}

static void patterns_decode(struct member_reader *reader, const json_t *object,
                            struct reshard_optimizer_group *out)
{
    const json_t *list = member_list(reader, object, "match");
    char **pattern = calloc(json_array_size(list) + 1, sizeof(*pattern));
    out->pattern = (const char *const *)pattern;
    if (!pattern)
        member_exhausted(reader);
    for (size_t i = 0; !reader->status && i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (!text || !pattern_is_valid(text)) {
            member_failed(reader, "match", "patterns");
            return;
        }
        pattern[i] = strdup(text);
        if (!pattern[i])
            member_exhausted(reader);
        out->pattern_count++;
    }
}

static void groups_decode(struct member_reader *reader, const json_t *object,
                          struct reshard_optimizer *out)
{
    const json_t *list = member_list(reader, object, "groups");
    struct reshard_optimizer_group *group = calloc(json_array_size(list) + 1, sizeof(*group));
    out->group = group;
    if (!group)
        member_exhausted(reader);
    for (size_t g = 0; !reader->status && g < json_array_size(list); g++) {
        const json_t *value = json_array_get(list, g);
        out->group_count++;
        member_size(reader, value, 3, "a group");
        group[g].name = member_text(reader, value, "name");
        patterns_decode(reader, value, &group[g]);
        hyper_decode(reader, json_object_get(value, "hyper"), &group[g].hyper);
    }
}

void job_optimizer_decode(struct member_reader *reader, const json_t *object,
                          struct reshard_optimizer *out)
{
    member_size(reader, object, 4, "optimizer");
    if (!reshard_optimizer_from_name(member_word(reader, object, "name"), &out->name))
        member_failed(reader, "name", "an optimizer");
    out->dtype = member_dtype_or_null(reader, object, "dtype");
    hyper_decode(reader, json_object_get(object, "hyper"), &out->hyper);
    groups_decode(reader, object, out);
}

/* ---- the model, written ---- */

static json_t *shape_encode(const struct reshard_shape *shape)
{
    json_t *sizes = json_array();
    for (uint32_t d = 0; sizes && d < shape->ndim; d++)
        json_text_append(&sizes, count_value(shape->size[d]));
    return sizes;
}

/* An entry of the model has its unit and role, a slot its class. */
static json_t *entry_encode(const struct reshard_model *model, const struct reshard_tensor *tensor)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:s, s:i}", "fqn", tensor->fqn, "unit",
                     reshard_model_unit(model, tensor->unit), "dtype",
                     reshard_dtype_name(tensor->dtype), "shape", shape_encode(&tensor->shape),
                     "role", reshard_role_name(tensor->role), "other_world",
                     (int)tensor->other_world);
}

static json_t *slot_encode(const struct reshard_model *model, const struct reshard_tensor *tensor)
{
    const struct reshard_slot slot = reshard_tensor_slot(model, tensor);
    return json_pack("{s:s, s:s, s:s, s:o, s:s, s:o, s:b}", "fqn", tensor->fqn, "slot", slot.slot,
                     "dtype", reshard_dtype_name(slot.dtype), "shape", shape_encode(&slot.shape),
                     "class", reshard_slot_class_name(slot.slot_class), "block",
                     count_value(slot.block), "keeps_dimension", slot.keeps_dimension);
}

json_t *job_tensors_encode(const struct reshard_model *model)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list && i < reshard_model_tensor_count(model); i++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(model, i);
        json_text_append(&list, reshard_tensor_is_slot(tensor) ? slot_encode(model, tensor)
                                                               : entry_encode(model, tensor));
    }
    return list;
}

json_t *job_ties_encode(const struct reshard_model *model)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list && i < reshard_model_tie_count(model); i++) {
        const struct reshard_tie *tie = reshard_model_tie_at(model, i);
        json_text_append(&list, json_pack("{s:s, s:s}", "alias", tie->alias, "of",
                                          reshard_model_tensor(model, tie->tensor)->fqn));
    }
    return list;
}

/* ---- the model, read ---- */

static void shape_decode(struct member_reader *reader, const json_t *object,
                         struct reshard_shape *out)
{
    const json_t *list = member_list(reader, object, "shape");
    if (json_array_size(list) > RESHARD_DIMS_MAX) {
        member_failed(reader, "shape", "of fewer dimensions");
        return;
    }
    out->ndim = (uint32_t)json_array_size(list);
    for (uint32_t d = 0; d < out->ndim; d++)
        out->size[d] = member_value_count(reader, json_array_get(list, d), "shape");
}

/* The shape that most classes give a slot must be the one that was written. */
static void slot_decode(struct member_reader *reader, const json_t *object,
                        struct reshard_model *model)
{
    struct reshard_slot slot = {.slot = ""};
    member_size(reader, object, 7, "a slot");
    const char *fqn = member_word(reader, object, "fqn");
    slot.slot = member_word(reader, object, "slot");
    slot.dtype = member_dtype(reader, object, "dtype");
    shape_decode(reader, object, &slot.shape);
    if (!reshard_slot_class_from_name(member_word(reader, object, "class"), &slot.slot_class))
        member_failed(reader, "class", "a class");
    slot.block = member_count(reader, object, "block");
    slot.keeps_dimension = member_flag(reader, object, "keeps_dimension");
    if (!reader->status)
        reader->status = reshard_model_add_state(model, fqn, &slot, reader->error);
    if (reader->status)
        return;
    const uint32_t last = reshard_model_tensor_count(model) - 1;
    if (!reshard_shape_equal(&reshard_model_tensor(model, last)->shape, &slot.shape))
        member_failed(reader, "shape", "what the slot's class gives it");
}

static void entry_decode(struct member_reader *reader, const json_t *object,
                         struct reshard_model *model)
{
    struct reshard_shape shape = {.ndim = 0};
    enum reshard_role role = RESHARD_ROLE_PARAMETER;
    member_size(reader, object, 6, "a tensor");
    const char *fqn = member_word(reader, object, "fqn");
    const char *unit = member_word(reader, object, "unit");
    const enum reshard_dtype dtype = member_dtype(reader, object, "dtype");
    shape_decode(reader, object, &shape);
    if (!reshard_role_from_name(member_word(reader, object, "role"), &role))
        member_failed(reader, "role", "a role");
    const enum reshard_other_world other =
        (enum reshard_other_world)member_count(reader, object, "other_world");
    if (!reader->status)
        reader->status =
            reshard_model_add_role(model, fqn, unit, dtype, &shape, role, other, reader->error);
}

static void tie_decode(struct member_reader *reader, const json_t *object,
                       struct reshard_model *model)
{
    member_size(reader, object, 2, "a tie");
    const char *alias = member_word(reader, object, "alias");
    const char *of = member_word(reader, object, "of");
    if (!reader->status)
        reader->status = reshard_model_tie(model, alias, of, reader->error);
}

void job_model_decode(struct member_reader *reader, const json_t *root, struct reshard_model **out)
{
    const json_t *tensors = member_list(reader, root, "tensors");
    const json_t *ties = member_list(reader, root, "ties");
    const json_t *item;
    size_t i;
    if (!reader->status)
        reader->status = reshard_model_open(out);
    json_array_foreach(tensors, i, item)
    {
        if (reader->status)
            return;
        if (json_object_get(item, "slot"))
            slot_decode(reader, item, *out);
        else
            entry_decode(reader, item, *out);
    }
    json_array_foreach(ties, i, item)
    {
        if (reader->status)
            return;
        tie_decode(reader, item, *out);
    }
}
