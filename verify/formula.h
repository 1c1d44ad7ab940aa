/*
 * `layout` of a manifest, the formula of who holds what (FORMAT.md section 4): from JSON to plain
 * arrays. What the formula means for tensors is checked by whoever opens the rules. Part of the
 * decoder. Local.
 */
#ifndef VERIFY_FORMULA_H
#define VERIFY_FORMULA_H

#include "verify/rules.h"

#include <jansson.h>

/* A layout, and the memory that its rules point to. */
struct verify_formula {
    struct verify_layout layout;
    void **memory;
    size_t memory_count;
};

/* Local. Fill in all but the world. EFORMAT, ENOMEM; on failure too it can be closed. */
RESHARD_MUST_CHECK enum reshard_status
verify_formula_parse(struct verify_formula *out, const json_t *value, struct reshard_error *error);
void verify_formula_close(struct verify_formula *formula); /* accepts an empty one */

#endif
