#include "sim/param_groups.h"

#include "sim/hyper.h"
#include "sim/optimizer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char scheduler_entry[] = "lr_scheduler";
static const char step_key[] = "last_epoch";

enum { VALUE_TEXT = 128 };

/* ---- making ---- */

/* Group `g` of an optimizer; behind the last one stands the one of all other parameters. */
static const char *name_of(const struct reshard_optimizer *optimizer, uint32_t g)
{
    return g < optimizer->group_count ? optimizer->group[g].name : OPTIMIZER_DEFAULT_GROUP;
}

static const struct reshard_hyper *hyper_of(const struct reshard_optimizer *optimizer, uint32_t g)
{
    return g < optimizer->group_count ? &optimizer->group[g].hyper : &optimizer->hyper;
}

static enum reshard_status add_values(struct reshard_groups *groups,
                                      const struct reshard_optimizer *optimizer, uint32_t g,
                                      struct reshard_error *error)
{
    enum reshard_status status = RESHARD_OK;
    for (int i = 0; i < HYPER_COUNT && !status; i++) {
        const enum hyper_key key = (enum hyper_key)i;
        struct reshard_value item[2];
        const struct reshard_value value = hyper_value(hyper_of(optimizer, g), key, item);
        if (hyper_is_used(key, optimizer->name))
            status = reshard_groups_set(groups, g, hyper_key_text(key), &value, error);
    }
    return status;
}

static enum reshard_status add_members(struct reshard_groups *groups,
                                       const struct reshard_model *model,
                                       const struct reshard_optimizer *optimizer,
                                       struct reshard_error *error)
{
    enum reshard_status status = RESHARD_OK;
    for (uint32_t t = 0; t < reshard_model_tensor_count(model) && !status; t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
        if (reshard_optimizer_takes(tensor))
            status = reshard_groups_add_member(
                groups, reshard_optimizer_group_of(optimizer, tensor->fqn), tensor->fqn, error);
    }
    return status;
}

enum reshard_status param_groups_open(struct reshard_groups **out,
                                      const struct reshard_model *model,
                                      const struct reshard_optimizer *optimizer,
                                      struct reshard_error *error)
{
    struct reshard_groups *groups = NULL;
    *out = NULL;
    if (optimizer->name == RESHARD_OPTIMIZER_NONE)
        return RESHARD_OK;
    enum reshard_status status = reshard_groups_open(&groups);
    for (uint32_t g = 0; g <= optimizer->group_count && !status; g++) {
        status = reshard_groups_add(groups, name_of(optimizer, g), error);
        if (!status)
            status = add_values(groups, optimizer, g, error);
    }
    if (!status)
        status = add_members(groups, model, optimizer, error);
    if (!status)
        status = param_groups_set_step(groups, 0, error);
    if (status) {
        reshard_groups_close(groups);
        return status;
    }
    *out = groups;
    return RESHARD_OK;
}

/* ---- the training step ---- */

enum reshard_status param_groups_set_step(struct reshard_groups *groups, uint64_t step,
                                          struct reshard_error *error)
{
    const struct reshard_value value = {.kind = RESHARD_VALUE_INTEGER, .integer = (int64_t)step};
    return reshard_groups_set_entry(groups, scheduler_entry, step_key, &value, error);
}

static const struct reshard_value *find_step(const struct reshard_groups *groups)
{
    for (uint32_t e = 0; e < reshard_groups_entry_count(groups); e++)
        for (uint32_t v = 0; v < reshard_groups_entry_value_count(groups, e); v++)
            if (strcmp(reshard_groups_entry(groups, e), scheduler_entry) == 0 &&
                strcmp(reshard_groups_entry_key(groups, e, v), step_key) == 0)
                return reshard_groups_entry_value(groups, e, v);
    return NULL;
}

enum reshard_status param_groups_check_step(const struct reshard_groups *groups, uint64_t step,
                                            struct reshard_error *error)
{
    const struct reshard_value *value = find_step(groups);
    char text[VALUE_TEXT] = "missing";
    if (value && value->kind == RESHARD_VALUE_INTEGER && value->integer == (int64_t)step)
        return RESHARD_OK;
    if (value)
        (void)reshard_value_print(value, text, sizeof(text));
    return reshard_error_set(error, RESHARD_EFORMAT,
                             "%s: %s is %s, but the state is of training "
                             "step %" PRIu64,
                             scheduler_entry, step_key, text, step);
}

/* ---- spoiling ---- */

static struct reshard_value spoiled_scalar(const struct reshard_value *value)
{
    struct reshard_value spoiled = *value;
    spoiled.boolean = !value->boolean;
    spoiled.integer = -1 - value->integer;
    spoiled.number = -1 - value->number;
    return spoiled;
}

static struct reshard_value spoiled_value(const struct reshard_value *value,
                                          struct reshard_value item[2])
{
    struct reshard_value spoiled = spoiled_scalar(value);
    for (uint32_t i = 0; i < value->count && i < 2; i++)
        item[i] = spoiled_scalar(&value->item[i]);
    spoiled.item = item;
    spoiled.count = value->count < 2 ? value->count : 2;
    return spoiled;
}

enum reshard_status param_groups_spoil(struct reshard_groups *groups, struct reshard_error *error)
{
    struct reshard_value item[2];
    enum reshard_status status = RESHARD_OK;
    for (uint32_t g = 0; g < reshard_groups_count(groups); g++)
        for (uint32_t v = 0; v < reshard_groups_value_count(groups, g) && !status; v++) {
            const struct reshard_value value =
                spoiled_value(reshard_groups_value(groups, g, v), item);
            status = reshard_groups_set(groups, g, reshard_groups_key(groups, g, v), &value, error);
        }
    for (uint32_t e = 0; e < reshard_groups_entry_count(groups); e++)
        for (uint32_t v = 0; v < reshard_groups_entry_value_count(groups, e) && !status; v++) {
            const struct reshard_value value =
                spoiled_value(reshard_groups_entry_value(groups, e, v), item);
            status =
                reshard_groups_set_entry(groups, reshard_groups_entry(groups, e),
                                         reshard_groups_entry_key(groups, e, v), &value, error);
        }
    return status;
}

/* ---- as an optimizer ---- */

static enum reshard_status take_values(struct reshard_hyper *out,
                                       const struct reshard_groups *groups, const char *name,
                                       enum reshard_optimizer_name optimizer,
                                       struct reshard_error *error)
{
    char text[VALUE_TEXT];
    uint32_t group = 0;
    const enum reshard_status status = reshard_groups_find(groups, name, &group);
    if (status)
        return reshard_error_set(error, RESHARD_EFORMAT, "param group '%s' is lost", name);
    for (int i = 0; i < HYPER_COUNT; i++) {
        const enum hyper_key key = (enum hyper_key)i;
        if (!hyper_is_used(key, optimizer))
            continue;
        const struct reshard_value *value = reshard_groups_get(groups, group, hyper_key_text(key));
        if (!value)
            return reshard_error_set(error, RESHARD_EFORMAT, "param group '%s': %s is lost", name,
                                     hyper_key_text(key));
        if (!hyper_take(out, key, value))
            return reshard_error_set(error, RESHARD_EFORMAT, "param group '%s': %s cannot be %s",
                                     name, hyper_key_text(key),
                                     reshard_value_print(value, text, sizeof(text)));
    }
    return RESHARD_OK;
}

enum reshard_status param_groups_optimizer(struct reshard_optimizer *out,
                                           const struct reshard_groups *groups,
                                           const struct reshard_optimizer *optimizer,
                                           struct reshard_error *error)
{
    struct reshard_optimizer_group *group =
        calloc((size_t)optimizer->group_count + 1, sizeof(*group));
    *out = *optimizer;
    out->group = group;
    enum reshard_status status = group ? RESHARD_OK : RESHARD_ENOMEM;
    if (!status)
        status = take_values(&out->hyper, groups, OPTIMIZER_DEFAULT_GROUP, optimizer->name, error);
    for (uint32_t g = 0; g < optimizer->group_count && !status; g++) {
        group[g] = optimizer->group[g];
        status = take_values(&group[g].hyper, groups, group[g].name, optimizer->name, error);
    }
    if (status)
        param_groups_release_optimizer(out);
    return status;
}

void param_groups_release_optimizer(struct reshard_optimizer *optimizer)
{
    free((struct reshard_optimizer_group *)optimizer->group);
    optimizer->group = NULL;
    optimizer->group_count = 0;
}

/* ---- comparing ---- */

/* A group's values, or an entry's. */
struct valued {
    const struct reshard_groups *groups;
    bool is_entry;
    uint32_t index;
};

static const char *valued_name(const struct valued *valued)
{
    return valued->is_entry ? reshard_groups_entry(valued->groups, valued->index)
                            : reshard_groups_name(valued->groups, valued->index);
}

static uint32_t value_count(const struct valued *valued)
{
    return valued->is_entry ? reshard_groups_entry_value_count(valued->groups, valued->index)
                            : reshard_groups_value_count(valued->groups, valued->index);
}

static const char *key_at(const struct valued *valued, uint32_t v)
{
    return valued->is_entry ? reshard_groups_entry_key(valued->groups, valued->index, v)
                            : reshard_groups_key(valued->groups, valued->index, v);
}

static const struct reshard_value *value_at(const struct valued *valued, uint32_t v)
{
    return valued->is_entry ? reshard_groups_entry_value(valued->groups, valued->index, v)
                            : reshard_groups_value(valued->groups, valued->index, v);
}

/* Names, of groups or entries or within one of them, in their order. */
static enum reshard_status check_text(const char *what, uint32_t index, const char *is,
                                      const char *expected, struct reshard_error *error)
{
    if (strcmp(is, expected) == 0)
        return RESHARD_OK;
    return reshard_error_set(error, RESHARD_EDIGEST, "%s %" PRIu32 " is '%s', not '%s'", what,
                             index, is, expected);
}

static enum reshard_status check_count(const char *what, uint32_t is, uint32_t expected,
                                       struct reshard_error *error)
{
    if (is == expected)
        return RESHARD_OK;
    return reshard_error_set(error, RESHARD_EDIGEST, "%s: %" PRIu32 ", not %" PRIu32, what, is,
                             expected);
}

static enum reshard_status check_values(const struct valued *is, const struct valued *expected,
                                        struct reshard_error *error)
{
    const char *what = is->is_entry ? "entry" : "param group";
    char text[2][VALUE_TEXT];
    enum reshard_status status =
        check_text(what, is->index, valued_name(is), valued_name(expected), error);
    if (!status)
        status = check_count("values", value_count(is), value_count(expected), error);
    for (uint32_t v = 0; !status && v < value_count(is); v++) {
        status = check_text("value", v, key_at(is, v), key_at(expected, v), error);
        if (!status && !reshard_value_equal(value_at(is, v), value_at(expected, v)))
            status =
                reshard_error_set(error, RESHARD_EDIGEST, "%s is %s, not %s", key_at(is, v),
                                  reshard_value_print(value_at(is, v), text[0], VALUE_TEXT),
                                  reshard_value_print(value_at(expected, v), text[1], VALUE_TEXT));
    }
    return status;
}

static enum reshard_status check_members(const struct reshard_groups *groups,
                                         const struct reshard_groups *expected, uint32_t g,
                                         struct reshard_error *error)
{
    enum reshard_status status = check_count("members", reshard_groups_member_count(groups, g),
                                             reshard_groups_member_count(expected, g), error);
    for (uint32_t m = 0; !status && m < reshard_groups_member_count(groups, g); m++)
        status = check_text("member", m, reshard_groups_member(groups, g, m),
                            reshard_groups_member(expected, g, m), error);
    return status;
}

static enum reshard_status check_group(const struct reshard_groups *groups,
                                       const struct reshard_groups *expected, uint32_t g,
                                       struct reshard_error *error)
{
    const struct valued is = {groups, false, g};
    const struct valued wanted = {expected, false, g};
    enum reshard_status status = check_values(&is, &wanted, error);
    if (!status)
        status = check_members(groups, expected, g, error);
    if (status)
        reshard_error_prefix(error, "param group '%s'", reshard_groups_name(expected, g));
    return status;
}

static enum reshard_status check_entry(const struct reshard_groups *groups,
                                       const struct reshard_groups *expected, uint32_t e,
                                       struct reshard_error *error)
{
    const struct valued is = {groups, true, e};
    const struct valued wanted = {expected, true, e};
    const enum reshard_status status = check_values(&is, &wanted, error);
    if (status)
        reshard_error_prefix(error, "entry '%s'", reshard_groups_entry(expected, e));
    return status;
}

enum reshard_status param_groups_check(const struct reshard_groups *groups,
                                       const struct reshard_groups *expected,
                                       struct reshard_error *error)
{
    enum reshard_status status = check_count("param groups", reshard_groups_count(groups),
                                             reshard_groups_count(expected), error);
    if (!status)
        status = check_count("entries", reshard_groups_entry_count(groups),
                             reshard_groups_entry_count(expected), error);
    for (uint32_t g = 0; !status && g < reshard_groups_count(groups); g++)
        status = check_group(groups, expected, g, error);
    for (uint32_t e = 0; !status && e < reshard_groups_entry_count(groups); e++)
        status = check_entry(groups, expected, e, error);
    if (!status && reshard_groups_keys(groups) != reshard_groups_keys(expected))
        status = reshard_error_set(error, RESHARD_EDIGEST,
                                   "param groups are keyed by names on one side alone");
    return status;
}
