#include "core/match.h"

#include "core/argument.h"
#include "core/cast.h"
#include "core/digest.h"
#include "core/pattern.h"
#include "core/rekey.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- options --------------------------------------------------------------------------------- */

static uint64_t hash_list(uint64_t hash, const char *const *list, uint32_t count)
{
    hash = digest_crc(hash, &count, sizeof count);
    for (uint32_t i = 0; i < count; i++)
        hash = digest_crc(hash, list[i], strlen(list[i]) + 1);
    return hash;
}

uint64_t match_options_hash(const struct reshard_match_options *options)
{
    uint64_t hash = digest_crc(0, &options->rename_count, sizeof options->rename_count);

    for (uint32_t i = 0; i < options->rename_count; i++) {
        hash = hash_list(hash, &options->rename[i].from, 1);
        hash = hash_list(hash, &options->rename[i].to, 1);
    }
    hash = hash_list(hash, options->cast, options->cast_count);
    hash = hash_list(hash, options->missing, options->missing_count);
    hash = hash_list(hash, options->keep_values, options->keep_values_count);
    hash = hash_list(hash, options->untie, options->untie_count);
    return hash_list(hash, options->unexpected, options->unexpected_count);
}

static enum reshard_status check_patterns(const char *const *list, uint32_t count, const char *what,
                                          struct reshard_error *error)
{
    const enum reshard_status status = CHECK_ARGUMENTS(error, {what, list, true, count});

    for (uint32_t i = 0; !status && i < count; i++)
        if (!pattern_is_valid(list[i]))
            return reshard_error_set(error, RESHARD_EINVAL,
                                     "%s: '%s' is no pattern: it must be UTF-8 and not empty, and "
                                     "may have {i} once and * up to %d times",
                                     what, list[i], PATTERN_STARS_MAX);
    return status;
}

enum reshard_status match_check_options(const struct reshard_match_options *options,
                                        struct reshard_error *error)
{
    enum reshard_status status = check_patterns(options->cast, options->cast_count, "cast", error);

    if (!status)
        status = check_patterns(options->missing, options->missing_count, "missing", error);
    if (!status)
        status = check_patterns(options->untie, options->untie_count, "untie", error);
    if (!status)
        status =
            check_patterns(options->keep_values, options->keep_values_count, "keep_values", error);
    if (!status)
        status =
            check_patterns(options->unexpected, options->unexpected_count, "unexpected", error);
    if (!status && options->rename_count > 0)
        status = CHECK_ARGUMENTS(error, {"rename", options->rename, false, 0});
    for (uint32_t i = 0; !status && i < options->rename_count; i++) {
        status = CHECK_ARGUMENTS(error, {"rename", &options->rename[i].to, true, 1});
        if (!status)
            status = check_patterns(&options->rename[i].from, 1, "rename", error);
    }
    return status;
}

/* Whether a list names a tensor: by its FQN, or a slot as FQN:SLOT. */
static bool names_any(const char *const *list, uint32_t count, const char *fqn, const char *slot)
{
    char name[2 * RESHARD_NAME_MAX];

    if (pattern_matches_any(list, count, fqn))
        return true;
    snprintf(name, sizeof name, "%s:%s", fqn, slot);
    return slot[0] && pattern_matches_any(list, count, name);
}

/* ---- the checkpoint's tensors by the model's names ------------------------------------------- */

struct named {
    const char *fqn; /* as the model knows it */
    const char *slot;
    uint32_t tensor;
    bool is_alias; /* a tie's second name, of `tensor` */
};

struct matching {
    struct match *out;
    const struct reshard_model *model;
    const struct reshard_model *saved;
    const uint64_t *digest;                    /* of the saved */
    const struct reshard_groups *saved_groups; /* or NULL */
    const struct reshard_groups *groups;       /* the loader's, or NULL */
    const struct reshard_match_options *options;
    match_wanted *wanted;
    int part;
    const char *directory;
    struct named *name; /* sorted */
    uint32_t name_count;
    const char **fqn; /* by tensor of the checkpoint: as the model knows it */
    char **renamed;   /* texts that were made */
    uint32_t renamed_count;
    bool *used; /* by tensor of the checkpoint */
    enum reshard_status status;
    struct reshard_error *error;
};

/* All that does not match is listed at once, so that one look at the message mends it all. */
static void complain(struct matching *matching, const char *what)
{
    (void)reshard_error_set(matching->error, RESHARD_EMISMATCH,
                            "%s does not fit the model:", matching->directory);
    reshard_error_append(matching->error, "\n  %s", what);
    matching->status = reshard_first_failure(matching->status, RESHARD_EMISMATCH);
}

static void complain_of(struct matching *matching, const struct reshard_tensor *tensor,
                        const char *what)
{
    char name[RESHARD_TENSOR_TEXT_MAX], shape[224], text[1536];

    snprintf(text, sizeof text, "%s %s %s: %s", reshard_tensor_print(tensor, name, sizeof name),
             reshard_dtype_name(tensor->dtype),
             reshard_shape_print(&tensor->shape, shape, sizeof shape), what);
    complain(matching, text);
}

/* The model's name for one of the checkpoint's. */
static const char *rename_one(struct matching *matching, const char *fqn)
{
    char name[RESHARD_NAME_MAX], reason[RENAME_REASON_MAX];

    if (!rename_fqn(matching->options->rename, matching->options->rename_count, fqn, name,
                    reason)) {
        complain(matching, reason);
        return fqn;
    }
    if (strcmp(name, fqn) == 0)
        return fqn;
    matching->renamed[matching->renamed_count] = strdup(name);
    if (matching->renamed[matching->renamed_count])
        return matching->renamed[matching->renamed_count++];
    matching->status = RESHARD_ENOMEM;
    return fqn;
}

static int compare_names(const void *a, const void *b)
{
    const struct named *left = a, *right = b;
    const int order = strcmp(left->fqn, right->fqn);

    return order ? order : strcmp(left->slot, right->slot);
}

/* The model's name for a member that the checkpoint has by its id: its place in the loader's groups
 * names it. NULL for what is no such member. */
static const char *name_of_id(struct matching *matching, const char *fqn)
{
    const char *name = NULL;
    char text[RESHARD_TENSOR_TEXT_MAX];
    uint32_t group;

    if (!matching->saved_groups ||
        reshard_groups_keys(matching->saved_groups) != RESHARD_KEYS_IDS ||
        reshard_groups_of(matching->saved_groups, fqn, &group))
        return NULL;
    if (matching->groups)
        name = rekey_name_of(matching->groups, matching->saved_groups, fqn);
    if (name)
        return name;
    snprintf(text, sizeof text, "'%.100s' is an id of param group '%.100s': %s", fqn,
             reshard_groups_name(matching->saved_groups, group),
             matching->groups ? "the loader's groups have no name for it"
                              : "without the loader's groups it has no name");
    complain(matching, text);
    return fqn;
}

static const char *name_one(struct matching *matching, const char *fqn)
{
    const char *name = name_of_id(matching, fqn);

    return name ? name : rename_one(matching, fqn);
}

static void name_all(struct matching *matching)
{
    const struct reshard_model *saved = matching->saved;
    char text[RESHARD_TENSOR_TEXT_MAX];

    for (uint32_t s = 0; s < reshard_model_tensor_count(saved); s++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(saved, s);
        /* A slot comes after its parameter and is known by it: what is wrong is said once. */
        matching->fqn[s] = reshard_tensor_is_slot(tensor) ? matching->fqn[tensor->parameter]
                                                          : name_one(matching, tensor->fqn);
        matching->name[matching->name_count++] =
            (struct named){matching->fqn[s], tensor->slot, s, false};
    }
    for (uint32_t i = 0; i < reshard_model_tie_count(saved); i++) {
        const struct reshard_tie *tie = reshard_model_tie_at(saved, i);
        matching->name[matching->name_count++] =
            (struct named){rename_one(matching, tie->alias), "", tie->tensor, true};
    }
    qsort(matching->name, matching->name_count, sizeof *matching->name, compare_names);
    for (uint32_t i = 1; i < matching->name_count; i++) {
        if (compare_names(&matching->name[i - 1], &matching->name[i]) != 0)
            continue;
        snprintf(text, sizeof text, "'%.200s'%s%.100s: two of the checkpoint's are renamed to it",
                 matching->name[i].fqn, matching->name[i].slot[0] ? " slot " : "",
                 matching->name[i].slot);
        complain(matching, text);
    }
}

static const struct named *find(const struct matching *matching, const char *fqn, const char *slot)
{
    const struct named key = {fqn, slot, 0, false};

    return bsearch(&key, matching->name, matching->name_count, sizeof key, compare_names);
}

/* ---- one tensor ------------------------------------------------------------------------------ */

static bool is_bytes(const struct reshard_tensor *tensor)
{
    return tensor->role == RESHARD_ROLE_OPAQUE;
}

static bool is_per_rank(const struct reshard_tensor *tensor)
{
    return tensor->role == RESHARD_ROLE_PER_RANK;
}

/* Rows of another world, with the same in each. */
static bool rows_differ(const struct reshard_tensor *wanted, const struct reshard_tensor *saved)
{
    struct reshard_shape shape = saved->shape;

    if (!is_per_rank(wanted) || !is_per_rank(saved))
        return false;
    shape.size[0] = wanted->shape.size[0];
    return saved->shape.size[0] > 0 && saved->shape.size[0] != wanted->shape.size[0] &&
           reshard_shape_equal(&shape, &wanted->shape);
}

/* A per-rank entry that another world has saved. */
static void match_rows(struct matching *matching, uint32_t t, uint32_t s)
{
    const struct reshard_tensor *wanted = reshard_model_tensor(matching->model, t);

    switch (wanted->other_world) {
    case RESHARD_OTHER_WORLD_KEEP:
        matching->out->kept++;
        return;
    case RESHARD_OTHER_WORLD_WRAP:
        matching->out->from[t] = s;
        matching->out->wrapped[t] = true;
        return;
    default:
        complain_of(matching, wanted,
                    "the checkpoint has it of another number of ranks, and the model does not say "
                    "what becomes of it");
    }
}

/* Whether a tensor was named to be cast; a slot must be named itself, with a colon: a star that
 * stands for whole FQNs does not mean their states. */
static bool may_be_cast(const struct matching *matching, const struct reshard_tensor *wanted)
{
    const struct reshard_match_options *options = matching->options;
    const bool is_slot = reshard_tensor_is_slot(wanted);
    char name[2 * RESHARD_NAME_MAX];

    snprintf(name, sizeof name, "%s%s%s", wanted->fqn, is_slot ? ":" : "", wanted->slot);
    for (uint32_t i = 0; i < options->cast_count; i++)
        if ((!is_slot || strchr(options->cast[i], ':')) &&
            pattern_matches_any(&options->cast[i], 1, name))
            return true;
    return false;
}

static const char *print_class(const struct reshard_tensor *tensor, char *text, size_t size)
{
    if (tensor->block)
        snprintf(text, size, "blockwise, of %" PRIu64 " elements", tensor->block);
    else
        snprintf(text, size, "%s", reshard_slot_class_name(tensor->slot_class));
    return text;
}

/* Whether two slots lie beside their parameters in the same way. */
static bool same_class(struct matching *matching, const struct reshard_tensor *wanted,
                       const struct reshard_tensor *saved)
{
    char what[256], here[64], there[64];

    if (wanted->slot_class == saved->slot_class && wanted->block == saved->block)
        return true;
    snprintf(what, sizeof what, "it is %s here, but %s in the checkpoint",
             print_class(wanted, here, sizeof here), print_class(saved, there, sizeof there));
    complain_of(matching, wanted, what);
    return false;
}

static void match_found(struct matching *matching, uint32_t t, uint32_t s)
{
    const struct reshard_tensor *wanted = reshard_model_tensor(matching->model, t);
    const struct reshard_tensor *saved = reshard_model_tensor(matching->saved, s);
    const bool may_cast = may_be_cast(matching, wanted);
    char what[512], shape[224];

    matching->used[s] = true;
    if (is_bytes(wanted) != is_bytes(saved) || is_per_rank(wanted) != is_per_rank(saved)) {
        snprintf(what, sizeof what, "it is %s here, but %s in the checkpoint",
                 reshard_role_name(wanted->role), reshard_role_name(saved->role));
        complain_of(matching, wanted, what);
    } else if (!same_class(matching, wanted, saved)) {
        return;
    } else if (saved->dtype == wanted->dtype && rows_differ(wanted, saved)) {
        match_rows(matching, t, s);
    } else if (!reshard_shape_equal(&saved->shape, &wanted->shape) ||
               (saved->dtype != wanted->dtype &&
                !(may_cast && cast_is_possible(saved->dtype, wanted->dtype)))) {
        snprintf(what, sizeof what, "the checkpoint has %s %s%s", reshard_dtype_name(saved->dtype),
                 reshard_shape_print(&saved->shape, shape, sizeof shape),
                 may_cast && saved->dtype != wanted->dtype &&
                         !cast_is_possible(saved->dtype, wanted->dtype)
                     ? ", and only floats can be cast"
                     : "");
        complain_of(matching, wanted, what);
    } else {
        matching->out->from[t] = s;
        matching->out->cast[t] = saved->dtype != wanted->dtype;
        matching->out->cast_count += matching->out->cast[t];
    }
}

/* Two names of one tensor, of which the checkpoint has the one as the tensor and the model the
 * other: the tensor by its name there; NULL if it is not so. */
static const struct named *find_swapped(const struct matching *matching,
                                        const struct reshard_tensor *wanted)
{
    const struct named *second = find(matching, wanted->fqn, "");
    uint32_t known;

    if (!second || !second->is_alias ||
        reshard_model_find(matching->model, matching->fqn[second->tensor], "", &known) ||
        known != wanted->parameter)
        return NULL;
    return find(matching, matching->fqn[second->tensor], wanted->slot);
}

/* Why the checkpoint has no such tensor, as far as it tells. */
static const char *why_missing(const struct matching *matching, const struct reshard_tensor *wanted)
{
    const struct named *parameter = find(matching, wanted->fqn, "");
    const struct reshard_tensor *saved =
        parameter ? reshard_model_tensor(matching->saved, parameter->tensor) : NULL;

    if (!reshard_tensor_is_slot(wanted) || !saved)
        return "missing in the checkpoint";
    return saved->role == RESHARD_ROLE_FROZEN
               ? "missing in the checkpoint, where the parameter is frozen"
               : "missing in the checkpoint, which has the parameter";
}

static void match_one(struct matching *matching, uint32_t t)
{
    const struct reshard_tensor *wanted = reshard_model_tensor(matching->model, t);
    const struct named *swapped = find_swapped(matching, wanted);
    const struct named *found = swapped ? swapped : find(matching, wanted->fqn, wanted->slot);
    char what[RESHARD_TENSOR_TEXT_MAX];

    if (found &&
        (!found->is_alias || pattern_matches_any(matching->options->untie,
                                                 matching->options->untie_count, wanted->fqn))) {
        match_found(matching, t, found->tensor);
    } else if (names_any(matching->options->missing, matching->options->missing_count, wanted->fqn,
                         wanted->slot)) {
        matching->out->kept++;
    } else if (found) {
        snprintf(what, sizeof what,
                 "in the checkpoint it is a second name of '%.300s'; it gets a copy only if it "
                 "is to be untied",
                 reshard_model_tensor(matching->saved, found->tensor)->fqn);
        complain_of(matching, wanted, what);
    } else {
        complain_of(matching, wanted, why_missing(matching, wanted));
    }
}

/* ---- ties ------------------------------------------------------------------------------------ */

/* A tie of the model: the checkpoint must have it as one, or hold the same under both names. */
static void match_tie(struct matching *matching, const struct reshard_tie *tie)
{
    const struct named *found = find(matching, tie->alias, "");
    const uint32_t source = matching->out->from[tie->tensor];
    const char *of = reshard_model_tensor(matching->model, tie->tensor)->fqn;
    char text[RESHARD_TENSOR_TEXT_MAX];
    const char *why;

    if (source == MATCH_SKIP)
        return; /* of what is not loaded nothing is claimed */
    if (!found) {
        if (pattern_matches_any(matching->options->missing, matching->options->missing_count,
                                tie->alias))
            return;
        why = "the checkpoint has no such name";
    } else if (found->tensor == source) {
        return;
    } else {
        const struct reshard_tensor *one = reshard_model_tensor(matching->saved, source);
        const struct reshard_tensor *other = reshard_model_tensor(matching->saved, found->tensor);
        if (!found->is_alias)
            matching->used[found->tensor] = true;
        if (one->dtype == other->dtype && reshard_shape_equal(&one->shape, &other->shape) &&
            matching->digest[source] == matching->digest[found->tensor])
            return;
        why = "in the checkpoint they are two tensors that differ";
    }
    snprintf(text, sizeof text, "'%.150s' is tied to '%.150s' here: %s", tie->alias, of, why);
    complain(matching, text);
}

/* ---- what is left ---------------------------------------------------------------------------- */

/* Why the model has no such tensor. */
static const char *why_unexpected(const struct matching *matching, const struct named *name)
{
    uint32_t known;

    if (!name->slot[0] || reshard_model_find(matching->model, name->fqn, "", &known))
        return "unknown to the model";
    return reshard_model_tensor(matching->model, known)->role == RESHARD_ROLE_FROZEN
               ? "the parameter is frozen here: its state would be lost"
               : "the model has the parameter, but no such state of it";
}

/* The model's name of a tensor of the checkpoint. */
static void find_unexpected(struct matching *matching)
{
    uint32_t known;

    for (uint32_t i = 0; i < matching->name_count; i++) {
        const struct named *name = &matching->name[i];
        const struct reshard_tensor *tensor = reshard_model_tensor(matching->saved, name->tensor);
        const bool wanted =
            name->is_alias
                ? matching->wanted(matching->part, tensor) &&
                      reshard_model_find(matching->model, name->fqn, "", &known)
                : matching->wanted(matching->part, tensor) && !matching->used[name->tensor];
        char text[RESHARD_TENSOR_TEXT_MAX];
        if (!wanted)
            continue;
        if (names_any(matching->options->unexpected, matching->options->unexpected_count, name->fqn,
                      name->slot)) {
            matching->out->unread++;
        } else if (name->is_alias) {
            snprintf(text, sizeof text,
                     "'%.300s', a second name in the checkpoint: unknown to the "
                     "model",
                     name->fqn);
            complain(matching, text);
        } else {
            complain_of(matching, tensor, why_unexpected(matching, name));
        }
    }
}

/* ---- all ------------------------------------------------------------------------------------- */

static enum reshard_status allocate(struct matching *matching)
{
    const size_t tensors = (size_t)reshard_model_tensor_count(matching->model) + 1;
    const size_t names = (size_t)reshard_model_tensor_count(matching->saved) +
                         reshard_model_tie_count(matching->saved) + 1;

    matching->out->from = malloc(tensors * sizeof *matching->out->from);
    matching->out->cast = calloc(tensors, sizeof *matching->out->cast);
    matching->out->wrapped = calloc(tensors, sizeof *matching->out->wrapped);
    matching->name = calloc(names, sizeof *matching->name);
    matching->fqn = calloc(names, sizeof *matching->fqn);
    matching->renamed = calloc(names, sizeof *matching->renamed);
    matching->used = calloc(names, sizeof *matching->used);
    if (!matching->out->from || !matching->out->cast || !matching->out->wrapped ||
        !matching->name || !matching->fqn || !matching->renamed || !matching->used)
        return RESHARD_ENOMEM;
    for (size_t t = 0; t < tensors; t++)
        matching->out->from[t] = MATCH_SKIP;
    return RESHARD_OK;
}

static void match_all(struct matching *matching)
{
    name_all(matching);
    for (uint32_t t = 0; t < reshard_model_tensor_count(matching->model); t++)
        if (matching->wanted(matching->part, reshard_model_tensor(matching->model, t)))
            match_one(matching, t);
    for (uint32_t i = 0; i < reshard_model_tie_count(matching->model); i++)
        match_tie(matching, reshard_model_tie_at(matching->model, i));
    find_unexpected(matching);
}

enum reshard_status match_tensors(struct match *out, const struct reshard_model *model,
                                  const struct manifest *manifest,
                                  const struct reshard_groups *groups,
                                  const struct reshard_match_options *options, match_wanted *wanted,
                                  int part, const char *directory, struct reshard_error *error)
{
    struct matching matching = {.out = out,
                                .model = model,
                                .saved = manifest->model,
                                .digest = manifest->digest,
                                .saved_groups = manifest->groups,
                                .groups = groups,
                                .options = options,
                                .wanted = wanted,
                                .part = part,
                                .directory = directory,
                                .error = error};

    *out = (struct match)MATCH_INIT;
    matching.status = match_check_options(options, error);
    if (!matching.status)
        matching.status = allocate(&matching);
    if (!matching.status)
        match_all(&matching);
    for (uint32_t i = 0; matching.renamed && i < matching.renamed_count; i++)
        free(matching.renamed[i]);
    free(matching.renamed);
    free(matching.fqn);
    free(matching.name);
    free(matching.used);
    return matching.status;
}

void match_release(struct match *match)
{
    free(match->from);
    free(match->cast);
    free(match->wrapped);
    *match = (struct match)MATCH_INIT;
}
