/*
 * A layout's formula as JSON: the member `layout` of a manifest (FORMAT.md section 4), and of a
 * job's file. The world is not part of it.
 */
#ifndef RESHARD_LAYOUT_JSON_H
#define RESHARD_LAYOUT_JSON_H

#include "core/formula.h"

#include <jansson.h>

/* What is wrong with a formula, and where: "layout.mesh.shard". */
struct layout_json_fault {
    char where[96];
    char reason[400];
};

/* Local. A new reference; NULL when memory ran out. Equal formulas give equal JSON. */
json_t *layout_json_encode(const struct reshard_layout_options *options);

/* Local. Strict: unknown members and wrong types are EFORMAT, with the fault; whether a layout may
 * say so is reshard_layout_open()'s to judge. The options own their rules
 * (reshard_layout_options_release); after a failure they are empty. Mesh sizes that are absent are
 * 1, `world` is 0. */
RESHARD_MUST_CHECK enum reshard_status layout_json_decode(const json_t *layout,
                                                          struct reshard_layout_options *out,
                                                          struct layout_json_fault *fault);

#endif
