#include "core/rekey.h"

#include "core/argument.h"
#include "core/pattern.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names and ids --------------------------------------------------------------------------- */

/* All that differs is listed at once. */
static enum reshard_status differ(struct reshard_error *error, const char *what)
{
    (void)reshard_error_set(error, RESHARD_EMISMATCH, "the groups are not those of the names:");
    reshard_error_append(error, "\n  %s", what);
    return RESHARD_EMISMATCH;
}

/* A group that both have, at one place. */
static enum reshard_status compare_group(const struct reshard_groups *groups,
                                         const struct reshard_groups *names, uint32_t g,
                                         struct reshard_error *error)
{
    const char *here = reshard_groups_name(groups, g), *there = reshard_groups_name(names, g);
    const uint32_t count = reshard_groups_member_count(groups, g);
    char text[512];

    if (strcmp(here, there) != 0)
        snprintf(text, sizeof text, "group %" PRIu32 " is '%.200s', but '%.200s' in the names", g,
                 here, there);
    else if (count != reshard_groups_member_count(names, g))
        snprintf(text, sizeof text, "group '%.200s': %" PRIu32 " members, but %" PRIu32 " names",
                 here, count, reshard_groups_member_count(names, g));
    else
        return RESHARD_OK;
    return differ(error, text);
}

/* Whether `names` has a name for each member of `groups`, and no others. */
static enum reshard_status check_names(const struct reshard_groups *groups,
                                       const struct reshard_groups *names,
                                       struct reshard_error *error)
{
    const uint32_t count = reshard_groups_count(groups);
    const uint32_t named = names ? reshard_groups_count(names) : 0;
    enum reshard_status status = RESHARD_OK;
    char text[512];

    if (!names || reshard_groups_keys(names) != RESHARD_KEYS_NAMES)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "groups that are keyed by names are needed for names");
    for (uint32_t g = 0; g < count || g < named; g++) {
        enum reshard_status group;
        if (g < count && g < named) {
            group = compare_group(groups, names, g, error);
        } else {
            snprintf(text, sizeof text, "group '%.200s' is in the %s alone",
                     reshard_groups_name(g < count ? groups : names, g),
                     g < count ? "groups" : "names");
            group = differ(error, text);
        }
        status = reshard_first_failure(status, group);
    }
    return status;
}

/* A member as it is known afterwards; an id is written into `text`. */
static const char *new_name(const struct reshard_groups *groups, const char *fqn,
                            enum reshard_keys to, const struct reshard_groups *names, char text[24])
{
    const char *name = fqn;
    uint64_t id;

    if (reshard_groups_id(groups, fqn, &id))
        return fqn; /* no member: it stays as it is */
    if (to == RESHARD_KEYS_NAMES)
        return reshard_groups_of_id(names, id, &name) ? fqn : name;
    snprintf(text, 24, "%" PRIu64, id);
    return text;
}

static enum reshard_status rekey_group(struct reshard_groups *out,
                                       const struct reshard_groups *groups, uint32_t g,
                                       enum reshard_keys to, const struct reshard_groups *names)
{
    enum reshard_status status = reshard_groups_add(out, reshard_groups_name(groups, g), NULL);
    char text[24];

    for (uint32_t m = 0; !status && m < reshard_groups_member_count(groups, g); m++)
        status = reshard_groups_add_member(
            out, g, new_name(groups, reshard_groups_member(groups, g, m), to, names, text), NULL);
    for (uint32_t v = 0; !status && v < reshard_groups_value_count(groups, g); v++)
        status = reshard_groups_set(out, g, reshard_groups_key(groups, g, v),
                                    reshard_groups_value(groups, g, v), NULL);
    return status;
}

static enum reshard_status rekey_groups(struct reshard_groups **out,
                                        const struct reshard_groups *groups, enum reshard_keys to,
                                        const struct reshard_groups *names)
{
    enum reshard_status status = reshard_groups_open(out);

    if (!status)
        reshard_groups_set_keys(*out, to);
    for (uint32_t g = 0; !status && g < reshard_groups_count(groups); g++)
        status = rekey_group(*out, groups, g, to, names);
    return status ? status : groups_copy_entries(*out, groups);
}

static enum reshard_status rekey_tensor(struct reshard_model *out,
                                        const struct reshard_model *model,
                                        const struct reshard_tensor *tensor, const char *name,
                                        struct reshard_error *error)
{
    const struct reshard_slot slot = reshard_tensor_slot(model, tensor);

    if (reshard_tensor_is_slot(tensor))
        return reshard_model_add_state(out, name, &slot, error);
    return reshard_model_add_role(out, name, reshard_model_unit(model, tensor->unit), tensor->dtype,
                                  &tensor->shape, tensor->role, tensor->other_world, error);
}

static enum reshard_status rekey_model(struct reshard_model **out,
                                       const struct reshard_model *model,
                                       const struct reshard_groups *groups, enum reshard_keys to,
                                       const struct reshard_groups *names,
                                       struct reshard_error *error)
{
    enum reshard_status status = reshard_model_open(out);
    char text[24];

    for (uint32_t t = 0; !status && t < reshard_model_tensor_count(model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
        status = rekey_tensor(*out, model, tensor, new_name(groups, tensor->fqn, to, names, text),
                              error);
    }
    for (uint32_t i = 0; !status && i < reshard_model_tie_count(model); i++) {
        const struct reshard_tie *tie = reshard_model_tie_at(model, i);
        const char *of = reshard_model_tensor(model, tie->tensor)->fqn;
        status = reshard_model_tie(*out, tie->alias, new_name(groups, of, to, names, text), error);
    }
    return status;
}

enum reshard_status reshard_rekey(struct reshard_model **model_out,
                                  struct reshard_groups **groups_out,
                                  const struct reshard_model *model,
                                  const struct reshard_groups *groups, enum reshard_keys to,
                                  const struct reshard_groups *names, struct reshard_error *error)
{
    enum reshard_status status = CHECK_ARGUMENTS(error, ARGUMENT(model_out), ARGUMENT(groups_out),
                                                 ARGUMENT(model), ARGUMENT(groups));
    bool is_so_already;

    if (status)
        return status;
    *model_out = NULL;
    *groups_out = NULL;
    is_so_already = reshard_groups_keys(groups) == to;
    status = reshard_groups_check(groups, model, error);
    if (!status && !is_so_already && to == RESHARD_KEYS_NAMES)
        status = check_names(groups, names, error);
    if (!status)
        status = is_so_already ? reshard_groups_copy(groups_out, groups)
                               : rekey_groups(groups_out, groups, to, names);
    if (!status)
        status = is_so_already ? reshard_model_copy(model_out, model, false)
                               : rekey_model(model_out, model, groups, to, names, error);
    if (status) {
        reshard_groups_close(*groups_out);
        reshard_model_close(*model_out);
        *groups_out = NULL;
        *model_out = NULL;
    }
    return status;
}

/* ---- flattened keys -------------------------------------------------------------------------- */

static const char *const prefixes[] = {
    [RESHARD_KEY_STATE] = "state.", [RESHARD_KEY_PARAM_GROUP] = "param_groups."};

void reshard_key_print(enum reshard_key_kind kind, const char *fqn, const char *name, char *text)
{
    size_t used = (size_t)snprintf(text, RESHARD_KEY_MAX, "%s%s.", prefixes[kind], fqn);

    for (const char *c = name; *c && used + 4 < RESHARD_KEY_MAX; c++) {
        if (*c == '.' || *c == '%') {
            memcpy(text + used, *c == '.' ? "%2E" : "%25", 3);
            used += 3;
        } else {
            text[used++] = *c;
        }
    }
    text[used] = '\0';
}

/* `bytes` of a text into RESHARD_NAME_MAX; false where that is no name. */
static bool take_name(const char *text, size_t bytes, char *out)
{
    if (bytes == 0 || bytes >= RESHARD_NAME_MAX)
        return false;
    memcpy(out, text, bytes);
    out[bytes] = '\0';
    return text_is_utf8(out);
}

/* The same of a name whose dots and per cent signs are escaped; false where it is not one. */
static bool take_escaped(const char *text, char *out)
{
    const char *c = text;
    size_t used = 0;

    while (*c && used < RESHARD_NAME_MAX - 1) {
        if (*c != '%') {
            out[used++] = *c++;
            continue;
        }
        if (strncmp(c, "%2E", 3) != 0 && strncmp(c, "%25", 3) != 0)
            return false;
        out[used++] = c[2] == 'E' ? '.' : '%';
        c += 3;
    }
    out[used] = '\0';
    return used > 0 && !*c && text_is_utf8(out);
}

/* What follows the prefix, NULL for no key of that kind. */
static const char *after_prefix(enum reshard_key_kind kind, const char *text)
{
    const size_t bytes = strlen(prefixes[kind]);

    return strncmp(text, prefixes[kind], bytes) == 0 ? text + bytes : NULL;
}

enum reshard_status reshard_key_parse(const char *text, enum reshard_key_kind *kind, char *fqn,
                                      char *name, struct reshard_error *error)
{
    const enum reshard_status status =
        CHECK_ARGUMENTS(error, ARGUMENT(text), ARGUMENT(kind), ARGUMENT(fqn), ARGUMENT(name));
    const char *rest, *dot;

    if (status)
        return status;
    rest = after_prefix(RESHARD_KEY_STATE, text);
    *kind = rest ? RESHARD_KEY_STATE : RESHARD_KEY_PARAM_GROUP;
    if (!rest)
        rest = after_prefix(RESHARD_KEY_PARAM_GROUP, text);
    if (!rest)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "'%.200s' begins neither with state. nor with param_groups.",
                                 text);
    dot = strrchr(rest, '.');
    if (!dot)
        return reshard_error_set(error, RESHARD_EINVAL, "'%.200s' has no dot after its FQN", text);
    if (!take_name(rest, (size_t)(dot - rest), fqn))
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "'%.200s': its FQN is not UTF-8 of 1 to %d bytes", text,
                                 RESHARD_NAME_MAX - 1);
    if (!take_escaped(dot + 1, name))
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "'%.200s': what follows its last dot is no name of 1 to %d bytes "
                                 "with %%2E for a dot and %%25 for a per cent sign",
                                 text, RESHARD_NAME_MAX - 1);
    return RESHARD_OK;
}

/* The slots that a key may mean: none so far, one, or too many. */
struct meaning {
    const struct reshard_model *model;
    const char *text;
    bool found;
    uint32_t tensor;
    struct reshard_error *error;
};

static enum reshard_status try_slot(struct meaning *meaning, const char *fqn, const char *slot)
{
    char first[RESHARD_TENSOR_TEXT_MAX], second[RESHARD_TENSOR_TEXT_MAX];
    uint32_t tensor;

    if (reshard_model_find(meaning->model, fqn, slot, &tensor))
        return RESHARD_OK;
    if (meaning->found && meaning->tensor != tensor)
        return reshard_error_set(
            meaning->error, RESHARD_EINVAL, "'%.200s' may mean %s or %s", meaning->text,
            reshard_tensor_print(reshard_model_tensor(meaning->model, meaning->tensor), first,
                                 sizeof first),
            reshard_tensor_print(reshard_model_tensor(meaning->model, tensor), second,
                                 sizeof second));
    meaning->found = true;
    meaning->tensor = tensor;
    return RESHARD_OK;
}

enum reshard_status reshard_key_resolve(const struct reshard_model *model, const char *text,
                                        uint32_t *tensor, struct reshard_error *error)
{
    struct meaning meaning = {model, text, false, 0, error};
    enum reshard_status status =
        CHECK_ARGUMENTS(error, ARGUMENT(model), ARGUMENT(text), ARGUMENT(tensor));
    const char *rest = status ? NULL : after_prefix(RESHARD_KEY_STATE, text);
    char fqn[RESHARD_NAME_MAX], slot[RESHARD_NAME_MAX];

    if (status)
        return status;
    if (!rest)
        return reshard_error_set(error, RESHARD_EINVAL, "'%.200s' does not begin with state.",
                                 text);
    for (const char *dot = strchr(rest, '.'); !status && dot; dot = strchr(dot + 1, '.')) {
        if (!take_name(rest, (size_t)(dot - rest), fqn))
            continue;
        if (take_name(dot + 1, strlen(dot + 1), slot))
            status = try_slot(&meaning, fqn, slot);
        if (!status && !strchr(dot + 1, '.') && take_escaped(dot + 1, slot))
            status = try_slot(&meaning, fqn, slot);
    }
    if (!status && !meaning.found)
        return reshard_error_set(error, RESHARD_ENOENT, "'%.200s' is no slot of the model", text);
    if (!status)
        *tensor = meaning.tensor;
    return status;
}

const char *rekey_name_of(const struct reshard_groups *target, const struct reshard_groups *saved,
                          const char *saved_fqn)
{
    uint64_t id, first;
    uint32_t s, g;

    if (reshard_groups_keys(saved) != RESHARD_KEYS_IDS || reshard_groups_of(saved, saved_fqn, &s) ||
        reshard_groups_id(saved, saved_fqn, &id) ||
        reshard_groups_id(saved, reshard_groups_member(saved, s, 0), &first) ||
        reshard_groups_find(target, reshard_groups_name(saved, s), &g) ||
        reshard_groups_member_count(target, g) != reshard_groups_member_count(saved, s))
        return NULL;
    return reshard_groups_member(target, g, (uint32_t)(id - first));
}
