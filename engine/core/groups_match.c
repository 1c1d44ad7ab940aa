#include "core/groups_match.h"

#include "core/pattern.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct matching {
    struct reshard_groups *filled; /* the target, as it becomes */
    const struct reshard_groups *target;
    const struct reshard_groups *saved;
    struct reshard_groups
        *named; /* the groups of `saved`, their members as the target knows them */
    const struct reshard_match_options *options;
    const char *directory;
    uint64_t kept;
    uint64_t added;
    enum reshard_status status;
    struct reshard_error *error;
};

/* All that does not fit is listed at once, as core/match.c does. */
__attribute__((format(printf, 2, 3))) static void complain(struct matching *matching,
                                                           const char *format, ...)
{
    char text[1536];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)reshard_error_set(matching->error, RESHARD_EMISMATCH,
                            "%s does not fit the model:", matching->directory);
    reshard_error_append(matching->error, "\n  %s", text);
    matching->status = reshard_first_failure(matching->status, RESHARD_EMISMATCH);
}

/* What failed for want of memory, rather than of a match. */
static void note(struct matching *matching, enum reshard_status status)
{
    matching->status = reshard_first_failure(matching->status, status);
}

/* ---- groups ---------------------------------------------------------------------------------- */

static void match_names(struct matching *matching)
{
    const struct reshard_groups *target = matching->target, *saved = matching->saved;
    uint32_t other;

    for (uint32_t g = 0; g < reshard_groups_count(target); g++)
        if (reshard_groups_find(saved, reshard_groups_name(target, g), &other))
            complain(matching, "group '%.300s': missing in the checkpoint",
                     reshard_groups_name(target, g));
    for (uint32_t g = 0; g < reshard_groups_count(saved); g++)
        if (reshard_groups_find(target, reshard_groups_name(saved, g), &other))
            complain(matching, "group '%.300s': unknown to the loader",
                     reshard_groups_name(saved, g));
}

/* ---- members --------------------------------------------------------------------------------- */

/* Members by ids are told apart by their place alone, so there must be as many. */
static void match_ids(struct matching *matching)
{
    const struct reshard_groups *target = matching->target, *saved = matching->saved;
    uint32_t other;

    for (uint32_t g = 0; g < reshard_groups_count(target); g++) {
        const char *name = reshard_groups_name(target, g);
        const uint32_t here = reshard_groups_member_count(target, g);
        if (!reshard_groups_find(saved, name, &other) &&
            reshard_groups_member_count(saved, other) != here)
            complain(matching,
                     "group '%.300s': %" PRIu32 " members here, but %" PRIu32
                     " in the checkpoint, which has no names of them",
                     name, here, reshard_groups_member_count(saved, other));
    }
}

static void name_member(struct matching *matching, uint32_t g, const char *fqn)
{
    const struct reshard_match_options *options = matching->options;
    char name[RESHARD_NAME_MAX], reason[RENAME_REASON_MAX];
    enum reshard_status status;
    uint32_t known;

    if (!rename_fqn(options->rename, options->rename_count, fqn, name, reason)) {
        complain(matching, "%s", reason);
        return;
    }
    if (!reshard_groups_of(matching->named, name, &known)) {
        complain(matching, "'%.300s': two of the checkpoint's are renamed to it", name);
        return;
    }
    status = reshard_groups_add_member(matching->named, g, name, NULL);
    if (status == RESHARD_EINVAL)
        complain(matching, "'%.300s' is renamed to what is no name", fqn);
    else
        note(matching, status);
}

/* The checkpoint's groups, with the target's names. */
static void name_all(struct matching *matching)
{
    const struct reshard_groups *saved = matching->saved;

    for (uint32_t g = 0; g < reshard_groups_count(saved); g++) {
        const enum reshard_status status =
            reshard_groups_add(matching->named, reshard_groups_name(saved, g), NULL);
        if (status) {
            note(matching, status);
            return;
        }
        for (uint32_t m = 0; m < reshard_groups_member_count(saved, g); m++)
            name_member(matching, g, reshard_groups_member(saved, g, m));
    }
}

/* A member of the target: the checkpoint must have it in the group of that name. */
static void match_member(struct matching *matching, uint32_t g, const char *fqn)
{
    const struct reshard_match_options *options = matching->options;
    const char *here = reshard_groups_name(matching->target, g), *there;
    uint32_t other;

    if (reshard_groups_of(matching->named, fqn, &other)) {
        if (!pattern_matches_any(options->missing, options->missing_count, fqn))
            complain(matching, "'%.300s' of group '%.300s': in no group of the checkpoint", fqn,
                     here);
        return;
    }
    there = reshard_groups_name(matching->named, other);
    if (strcmp(here, there) != 0)
        complain(matching, "'%.300s' of group '%.300s': in group '%.300s' of the checkpoint", fqn,
                 here, there);
}

/* A member of the checkpoint's. */
static void match_unexpected(struct matching *matching, uint32_t g, const char *fqn)
{
    const struct reshard_match_options *options = matching->options;
    uint32_t other;

    if (reshard_groups_of(matching->target, fqn, &other) &&
        !pattern_matches_any(options->unexpected, options->unexpected_count, fqn))
        complain(matching, "'%.300s', in group '%.300s' of the checkpoint: in no group here", fqn,
                 reshard_groups_name(matching->named, g));
}

/* Members that a group has on both sides: the first that is not where it should be is named. */
static void match_order(struct matching *matching, uint32_t g)
{
    const char *name = reshard_groups_name(matching->named, g), *before = NULL;
    uint64_t last = 0, id;
    uint32_t group, other;

    if (reshard_groups_find(matching->target, name, &group))
        return;
    for (uint32_t m = 0; m < reshard_groups_member_count(matching->named, g); m++) {
        const char *fqn = reshard_groups_member(matching->named, g, m);
        if (reshard_groups_of(matching->target, fqn, &other) || other != group ||
            reshard_groups_id(matching->target, fqn, &id))
            continue;
        if (before && id < last) {
            complain(matching,
                     "group '%.300s': another order in the checkpoint, which has '%.300s' before "
                     "'%.300s'",
                     name, before, fqn);
            return;
        }
        before = fqn;
        last = id;
    }
}

static void match_members(struct matching *matching)
{
    const struct reshard_groups *target = matching->target, *named = matching->named;

    if (reshard_groups_keys(matching->saved) == RESHARD_KEYS_IDS) {
        match_ids(matching);
        return;
    }
    if (reshard_groups_keys(target) == RESHARD_KEYS_IDS) {
        complain(matching, "parameters are known by ids here, but by names in the checkpoint");
        return;
    }
    name_all(matching);
    if (matching->status && matching->status != RESHARD_EMISMATCH)
        return;
    for (uint32_t g = 0; g < reshard_groups_count(target); g++)
        for (uint32_t m = 0; m < reshard_groups_member_count(target, g); m++)
            match_member(matching, g, reshard_groups_member(target, g, m));
    for (uint32_t g = 0; g < reshard_groups_count(named); g++) {
        for (uint32_t m = 0; m < reshard_groups_member_count(named, g); m++)
            match_unexpected(matching, g, reshard_groups_member(named, g, m));
        match_order(matching, g);
    }
}

/* ---- values ---------------------------------------------------------------------------------- */

/* Nothing is of every kind: torch.optim's `fused` is None until it is True. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as tuples are */
static bool is_of_a_kind(const struct reshard_value *a, const struct reshard_value *b)
{
    if (a->kind == RESHARD_VALUE_NONE || b->kind == RESHARD_VALUE_NONE)
        return true;
    if (a->kind != b->kind)
        return false;
    if (a->kind != RESHARD_VALUE_TUPLE)
        return true;
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (!is_of_a_kind(&a->item[i], &b->item[i]))
            return false;
    return true;
}

/* A value of the target's that the checkpoint has not, of a group or an entry. */
static void keep_value(struct matching *matching, const char *what, const char *name,
                       const char *key)
{
    const struct reshard_match_options *options = matching->options;
    char text[2 * RESHARD_NAME_MAX];

    snprintf(text, sizeof text, "%s:%s", name, key);
    if (pattern_matches_any(options->keep_values, options->keep_values_count, text))
        matching->kept++;
    else
        complain(matching, "%s '%.300s' value '%.300s': missing in the checkpoint", what, name,
                 key);
}

/* A value of the checkpoint's, of group `s` there. */
static void take_value(struct matching *matching, uint32_t g, uint32_t s, uint32_t v)
{
    const char *key = reshard_groups_key(matching->saved, s, v);
    const struct reshard_value *value = reshard_groups_value(matching->saved, s, v);
    const struct reshard_value *mine = reshard_groups_get(matching->target, g, key);
    char here[200], there[200];

    if (mine && !is_of_a_kind(mine, value)) {
        complain(matching,
                 "group '%.300s' value '%.300s': %s here, but %s, of another kind, in the "
                 "checkpoint",
                 reshard_groups_name(matching->target, g), key,
                 reshard_value_print(mine, here, sizeof here),
                 reshard_value_print(value, there, sizeof there));
        return;
    }
    matching->added += !mine;
    note(matching, reshard_groups_set(matching->filled, g, key, value, NULL));
}

static void match_values(struct matching *matching)
{
    const struct reshard_groups *target = matching->target, *saved = matching->saved;
    uint32_t s;

    for (uint32_t g = 0; g < reshard_groups_count(target); g++) {
        const char *name = reshard_groups_name(target, g);
        if (reshard_groups_find(saved, name, &s))
            continue;
        for (uint32_t v = 0; v < reshard_groups_value_count(target, g); v++)
            if (!reshard_groups_get(saved, s, reshard_groups_key(target, g, v)))
                keep_value(matching, "group", name, reshard_groups_key(target, g, v));
        for (uint32_t v = 0; v < reshard_groups_value_count(saved, s); v++)
            take_value(matching, g, s, v);
    }
}

/* ---- entries --------------------------------------------------------------------------------- */

/* An entry of the target's: what the checkpoint lacks of it. */
static void keep_entry(struct matching *matching, uint32_t e)
{
    const struct reshard_groups *target = matching->target, *saved = matching->saved;
    const char *name = reshard_groups_entry(target, e);
    uint32_t other = 0;
    const bool is_lost = reshard_groups_entry_find(saved, name, &other) != RESHARD_OK;

    if (is_lost && reshard_groups_entry_value_count(target, e) == 0)
        complain(matching, "entry '%.300s': missing in the checkpoint", name);
    for (uint32_t v = 0; v < reshard_groups_entry_value_count(target, e); v++) {
        const char *key = reshard_groups_entry_key(target, e, v);
        if (is_lost || !reshard_groups_entry_get(saved, other, key))
            keep_value(matching, "entry", name, key);
    }
}

/* An entry of the checkpoint's, which is taken as it is. */
static void take_entry(struct matching *matching, uint32_t e)
{
    const struct reshard_groups *target = matching->target, *saved = matching->saved;
    const char *name = reshard_groups_entry(saved, e);
    uint32_t mine = 0;
    const bool is_new = reshard_groups_entry_find(target, name, &mine) != RESHARD_OK;

    if (is_new)
        note(matching, reshard_groups_add_entry(matching->filled, name, NULL));
    for (uint32_t v = 0; v < reshard_groups_entry_value_count(saved, e); v++) {
        const char *key = reshard_groups_entry_key(saved, e, v);
        matching->added += is_new || !reshard_groups_entry_get(target, mine, key);
        note(matching, reshard_groups_set_entry(matching->filled, name, key,
                                                reshard_groups_entry_value(saved, e, v), NULL));
    }
}

/* ---- all ------------------------------------------------------------------------------------- */

static void match_all(struct matching *matching)
{
    if (!matching->saved) {
        complain(matching, "it has no param groups");
        return;
    }
    match_names(matching);
    match_members(matching);
    match_values(matching);
    for (uint32_t e = 0; e < reshard_groups_entry_count(matching->target); e++)
        keep_entry(matching, e);
    for (uint32_t e = 0; e < reshard_groups_entry_count(matching->saved); e++)
        take_entry(matching, e);
}

enum reshard_status groups_match(struct reshard_groups *target, const struct reshard_groups *saved,
                                 const struct reshard_match_options *options, const char *directory,
                                 uint64_t *values_kept, uint64_t *values_added,
                                 struct reshard_error *error)
{
    struct matching matching = {.target = target,
                                .saved = saved,
                                .options = options,
                                .directory = directory,
                                .error = error};

    *values_kept = *values_added = 0;
    matching.status = match_check_options(options, error);
    if (!matching.status)
        matching.status = reshard_groups_check_ids(target, error);
    if (!matching.status)
        matching.status = reshard_groups_copy(&matching.filled, target);
    if (!matching.status)
        matching.status = reshard_groups_open(&matching.named);
    if (!matching.status)
        match_all(&matching);
    if (!matching.status) {
        reshard_groups_swap(target, matching.filled);
        *values_kept = matching.kept;
        *values_added = matching.added;
    }
    reshard_groups_close(matching.filled);
    reshard_groups_close(matching.named);
    return matching.status;
}
