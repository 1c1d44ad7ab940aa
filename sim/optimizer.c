#include "sim/optimizer.h"

#include "core/pattern.h"
#include "sim/hyper.h"
#include "sim/suggest.h"

#include <stdlib.h>
#include <string.h>

/* Where the optimizer that is being built stands. */
struct optimizer_place {
    struct yaml_document *document;
    enum reshard_optimizer_name name;
};

/* ---- hyperparameters ---- */

static void set_hyper(struct reshard_hyper *out, enum hyper_key key,
                      const struct language_hyper *written)
{
    const double *betas = written->betas.item;
    const struct reshard_hyper given = {
        .lr = written->lr,
        .beta1 = betas && written->betas.count == 2 ? betas[0] : 0,
        .beta2 = betas && written->betas.count == 2 ? betas[1] : 0,
        .eps = written->eps,
        .weight_decay = written->weight_decay,
        .momentum = written->momentum,
        .nesterov = written->nesterov,
        .amsgrad = written->amsgrad,
        .block = written->block,
        .from = written->from,
    };
    struct reshard_value item[2];
    const struct reshard_value value = hyper_value(&given, key, item);
    (void)hyper_take(out, key, &value);
}

/* What is not used would be said to no one. */
static void refuse_key(const struct optimizer_place *place, const struct yaml_node *key)
{
    char used[128];
    const char *optimizer = reshard_optimizer_name_text(place->name);
    if (place->name == RESHARD_OPTIMIZER_NONE)
        yaml_error(place->document, key, "'%s' says nothing about the optimizer none", key->text);
    else
        yaml_error(place->document, key, "'%s' says nothing about the optimizer %s, which uses %s",
                   key->text, optimizer, hyper_list_used(place->name, used, sizeof(used)));
}

/* Decays are shares of what was: the schema's own limit lets 1 pass. */
static void check_shares(const struct optimizer_place *place, const struct yaml_node *object)
{
    const struct yaml_node *betas = yaml_get(object, hyper_key_text(HYPER_BETAS));
    const struct yaml_node *momentum = yaml_get(object, hyper_key_text(HYPER_MOMENTUM));
    double value = 0;
    for (const struct yaml_node *beta = betas ? betas->first : NULL; beta; beta = beta->next)
        if (quantity_number(beta->text, &value, NULL) && value >= 1)
            yaml_error(place->document, beta, "a beta is below 1, or nothing is ever forgotten");
    if (momentum && quantity_number(momentum->text, &value, NULL) && value >= 1)
        yaml_error(place->document, momentum,
                   "'momentum' is below 1, or nothing is ever forgotten");
}

/* As torch.optim.SGD has it: there would be nothing to look ahead along. */
static void check_nesterov(const struct optimizer_place *place, const struct yaml_node *object,
                           const struct reshard_hyper *hyper)
{
    const struct yaml_node *node = yaml_get(object, hyper_key_text(HYPER_NESTEROV));
    if (!node)
        node = yaml_get(object, hyper_key_text(HYPER_MOMENTUM));
    if (node && hyper->nesterov && hyper->momentum == 0)
        yaml_error(place->document, node,
                   "'nesterov' needs a momentum above 0, such as momentum: 0.9");
}

/* Of an object's hyperparameters those that are given; `out` has the others already. */
static void read_hyper(const struct optimizer_place *place, const struct yaml_node *object,
                       const struct language_hyper *written, struct reshard_hyper *out)
{
    for (int i = 0; i < HYPER_COUNT; i++) {
        const enum hyper_key key = (enum hyper_key)i;
        const struct yaml_node *value = yaml_get(object, hyper_key_text(key));
        if (value && !hyper_is_used(key, place->name))
            refuse_key(place, value->key);
        else if (value)
            set_hyper(out, key, written);
    }
    check_shares(place, object);
    check_nesterov(place, object, out);
}

/* ---- groups ---- */

static void check_name(const struct optimizer_place *place, const struct schema_list *groups,
                       uint64_t index)
{
    const struct language_group *group = groups->item;
    const struct yaml_node *node = schema_place(group[index].node, "name");
    const char *name = group[index].name;
    if (strcmp(name, OPTIMIZER_DEFAULT_GROUP) == 0) {
        yaml_error(place->document, node,
                   "'" OPTIMIZER_DEFAULT_GROUP
                   "' is the group of the parameters that are in no other; choose another name");
        return;
    }
    for (uint64_t i = 0; i < index; i++) {
        if (strcmp(group[i].name, name) != 0)
            continue;
        yaml_error(place->document, node, "'%s' is a group in line %d already", name,
                   schema_place(group[i].node, "name")->line);
        return;
    }
}

static void check_patterns(const struct optimizer_place *place, const struct language_group *group)
{
    const struct yaml_node *list = yaml_get(group->node, "match");
    for (const struct yaml_node *node = list ? list->first : NULL; node; node = node->next)
        if (!pattern_is_valid(node->text))
            yaml_error(place->document, node,
                       "a pattern is not empty, and has at most one {i} and %d stars",
                       PATTERN_STARS_MAX);
}

/* Its texts are borrowed from the document. */
static void build_group(const struct optimizer_place *place, const struct language_group *written,
                        struct reshard_optimizer_group *out)
{
    out->name = written->name;
    out->pattern = written->match.item;
    out->pattern_count = (uint32_t)written->match.count;
    check_patterns(place, written);
    read_hyper(place, written->node, &written->hyper, &out->hyper);
}

static enum reshard_status build_groups(const struct optimizer_place *place,
                                        const struct schema_list *written,
                                        const struct reshard_hyper *hyper,
                                        struct reshard_optimizer_group **out)
{
    const struct language_group *group = written->item;
    *out = calloc(written->count + 1, sizeof(**out));
    if (!*out)
        return RESHARD_ENOMEM;
    for (uint64_t i = 0; i < written->count; i++) {
        (*out)[i].hyper = *hyper;
        check_name(place, written, i);
        build_group(place, &group[i], &(*out)[i]);
    }
    return RESHARD_OK;
}

/* What a pattern that matches no trained parameter was meant to be. */
static void refuse_pattern(const struct reshard_model *model, struct yaml_document *document,
                           const struct yaml_node *node, const struct suggestion *suggestion)
{
    uint32_t tensor = 0;
    const bool found = reshard_model_find(model, node->text, "", &tensor) == RESHARD_OK;
    const char *fqn = found ? reshard_model_tensor(model, tensor)->fqn : node->text;
    if (strcmp(fqn, node->text) != 0)
        yaml_error(document, node, "'%s' is a second name of '%s', by which groups go", node->text,
                   fqn);
    else if (!found && suggestion->best && !strchr(node->text, '*'))
        yaml_error(document, node, "'%s' matches no trained parameter; did you mean '%s'?",
                   node->text, suggestion->best);
    else
        yaml_error(document, node, "'%s' matches no trained parameter", node->text);
}

/* A pattern that none of the model's trained parameters matches is a slip. */
static bool check_pattern_members(const struct reshard_model *model, struct yaml_document *document,
                                  const struct yaml_node *node)
{
    struct suggestion suggestion = suggestion_for(node->text);
    struct pattern_match match;
    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
        if (!reshard_optimizer_takes(tensor))
            continue;
        if (pattern_matches(node->text, tensor->fqn, &match))
            return true;
        suggestion_offer(&suggestion, tensor->fqn);
    }
    refuse_pattern(model, document, node, &suggestion);
    return false;
}

static bool has_member(const struct reshard_optimizer *optimizer, const struct reshard_model *model,
                       uint32_t group)
{
    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
        if (reshard_optimizer_takes(tensor) &&
            reshard_optimizer_group_of(optimizer, tensor->fqn) == group)
            return true;
    }
    return false;
}

void optimizer_check_members(const struct reshard_optimizer *optimizer,
                             const struct reshard_model *model, struct yaml_document *document,
                             const struct language_optimizer *file)
{
    const struct language_group *group = file->groups.item;
    for (uint32_t g = 0; g < optimizer->group_count; g++) {
        const struct yaml_node *list = yaml_get(group[g].node, "match");
        bool all = true;
        for (const struct yaml_node *node = list ? list->first : NULL; node; node = node->next)
            all = check_pattern_members(model, document, node) && all;
        if (all && !has_member(optimizer, model, g))
            yaml_error(document, schema_place(group[g].node, "name"),
                       "'%s' matches no trained parameter that is not in a group before it",
                       optimizer->group[g].name);
    }
}

/* ---- the whole ---- */

/* A dtype for states that there are not. */
static void check_dtype(const struct optimizer_place *place, const struct yaml_node *precision)
{
    const struct yaml_node *dtype = yaml_get(precision, "optimizer");
    if (dtype && place->name == RESHARD_OPTIMIZER_NONE)
        yaml_error(place->document, dtype->key,
                   "there is no optimizer whose states could be %s; add optimizer: adamw",
                   dtype->text);
    if (dtype && place->name == RESHARD_OPTIMIZER_ADAM8BIT)
        yaml_error(place->document, dtype->key,
                   "all states of adam8bit have dtypes of their own; leave 'optimizer' out");
}

enum reshard_status optimizer_build(struct reshard_optimizer *out, struct yaml_document *document,
                                    const struct language_scenario *file)
{
    const struct language_optimizer *written = &file->optimizer;
    const struct yaml_node *groups = yaml_get(written->node, "groups");
    const uint64_t before = yaml_error_count(document);
    struct optimizer_place place = {document, RESHARD_OPTIMIZER_NONE};
    struct reshard_optimizer_group *group = NULL;
    (void)reshard_optimizer_from_name(written->name, &place.name);
    struct reshard_optimizer built = {
        .name = place.name,
        .dtype = file->precision.optimizer,
        .hyper = reshard_optimizer_defaults(place.name),
    };
    check_dtype(&place, file->precision.node);
    read_hyper(&place, written->node, &written->hyper, &built.hyper);
    if (groups && place.name == RESHARD_OPTIMIZER_NONE)
        refuse_key(&place, groups->key);
    enum reshard_status status = build_groups(&place, &written->groups, &built.hyper, &group);
    *out = built;
    built.group = group;
    built.group_count = (uint32_t)written->groups.count;
    if (!status && yaml_error_count(document) == before)
        status = optimizer_copy(out, &built);
    free(group);
    return status;
}

/* ---- owning ---- */

static void group_release(const struct reshard_optimizer_group *group)
{
    for (uint32_t i = 0; group->pattern && i < group->pattern_count; i++)
        free((char *)group->pattern[i]);
    free((void *)group->pattern);
    free((char *)group->name);
}

static enum reshard_status group_copy(struct reshard_optimizer_group *out,
                                      const struct reshard_optimizer_group *group)
{
    char **pattern = calloc((size_t)group->pattern_count + 1, sizeof(*pattern));
    *out = *group;
    out->pattern = (const char *const *)pattern;
    out->name = strdup(group->name);
    if (!pattern || !out->name)
        return RESHARD_ENOMEM;
    for (uint32_t i = 0; i < group->pattern_count; i++) {
        pattern[i] = strdup(group->pattern[i]);
        if (!pattern[i])
            return RESHARD_ENOMEM;
    }
    return RESHARD_OK;
}

enum reshard_status optimizer_copy(struct reshard_optimizer *out,
                                   const struct reshard_optimizer *optimizer)
{
    struct reshard_optimizer_group *group =
        calloc((size_t)optimizer->group_count + 1, sizeof(*group));
    enum reshard_status status = group ? RESHARD_OK : RESHARD_ENOMEM;
    *out = *optimizer;
    out->group = group;
    out->group_count = 0;
    for (uint32_t g = 0; !status && g < optimizer->group_count; g++) {
        out->group_count++;
        status = group_copy(&group[g], &optimizer->group[g]);
    }
    if (status)
        optimizer_release(out);
    return status;
}

void optimizer_release(struct reshard_optimizer *optimizer)
{
    for (uint32_t g = 0; g < optimizer->group_count; g++)
        group_release(&optimizer->group[g]);
    free((struct reshard_optimizer_group *)optimizer->group);
    optimizer->group = NULL;
    optimizer->group_count = 0;
}
