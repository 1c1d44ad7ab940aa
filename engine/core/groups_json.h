/*
 * Groups as JSON: the member `optimizer` of a manifest (FORMAT.md section 4).
 */
#ifndef RESHARD_GROUPS_JSON_H
#define RESHARD_GROUPS_JSON_H

#include "core/groups.h"

#include <jansson.h>

/* How what was encoded is to be written (json_dump_callback): a double of fewer digits is another
 * one. */
enum { GROUPS_JSON_FLAGS = JSON_REAL_PRECISION(17) };

/* What is wrong with groups, and where: "optimizer.groups[1].values.betas". */
struct groups_json_fault {
    char where[160];
    char reason[400];
};

/* Local. A new reference; NULL when memory ran out. Equal groups give equal JSON. */
json_t *groups_json_encode(const struct reshard_groups *groups);

/*
 * Local. Strict: unknown members, wrong types and names that are there twice are EFORMAT, with the
 * fault. What it takes is in proportion to what it is given. That no key is there twice is for the
 * caller to see to (JSON_REJECT_DUPLICATES): a json_t cannot say it any more; so are members that
 * are no parameters (reshard_groups_check). The caller owns *out, which is NULL after a failure.
 */
RESHARD_MUST_CHECK enum reshard_status groups_json_decode(const json_t *optimizer,
                                                          struct reshard_groups **out,
                                                          struct groups_json_fault *fault);

#endif
