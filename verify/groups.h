/*
 * What an optimizer has besides tensors, as a manifest says it (FORMAT.md section 4, "The
 * optimizer's groups"): its param groups with their members and values, and named entries of
 * values. Plain data, of which nothing is interpreted; and two of them held against each other.
 * Part of the decoder. Local.
 */
#ifndef VERIFY_GROUPS_H
#define VERIFY_GROUPS_H

#include "verify/report.h"

#include <jansson.h>

enum verify_value_kind {
    VERIFY_VALUE_NONE,
    VERIFY_VALUE_BOOLEAN,
    VERIFY_VALUE_INTEGER,
    VERIFY_VALUE_NUMBER,
    VERIFY_VALUE_STRING,
    VERIFY_VALUE_TUPLE,
};

enum { VERIFY_VALUE_DEPTH_MAX = 8 }; /* of tuples within tuples */

/* The member that the kind names is set. */
struct verify_value {
    enum verify_value_kind kind;
    bool boolean;
    int64_t integer;
    double number;
    const char *string;
    struct verify_value *item; /* of a tuple */
    size_t count;
};

/* A value by its key. */
struct verify_keyed {
    const char *key;
    struct verify_value value;
};

/* A param group, or an entry, which has no members. */
struct verify_param_group {
    const char *name;
    const char **member; /* FQNs, in the optimizer's order */
    size_t member_count;
    struct verify_keyed *value;
    size_t value_count;
    const void **by_key; /* the values, sorted by key */
};

struct verify_group_list {
    struct verify_param_group *group;
    size_t count;
    const void **by_name; /* the groups, sorted by name */
};

/* Strings belong to the JSON, which is kept. */
struct verify_param_groups {
    bool there; /* the manifest has an optimizer */
    bool ids;   /* members are numbers: their positions in all groups */
    struct verify_group_list groups;
    struct verify_group_list entries;
    json_t *json;
};

/* Local. From a manifest's `optimizer`, of the tensors that it has; NULL: there is none. EFORMAT,
 * ENOMEM; on failure too it can be closed. */
RESHARD_MUST_CHECK enum reshard_status verify_param_groups_parse(struct verify_param_groups *out,
                                                                 json_t *value,
                                                                 const struct verify_names *names,
                                                                 struct reshard_error *error);
void verify_param_groups_close(struct verify_param_groups *groups); /* accepts an empty one */

/* Local. Equal, numbers bit for bit. */
bool verify_value_equal(const struct verify_value *a, const struct verify_value *b);

/* Local. Add a finding (EMISMATCH) for each group, entry, member or value that is not as it is in
 * the checkpoint of the directory `other`, or at another place of the order. */
void verify_param_groups_compare(const struct verify_param_groups *mine,
                                 const struct verify_param_groups *theirs, const char *other,
                                 struct verify_report *report);

#endif
