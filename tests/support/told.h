/*
 * A model and a layout in the verifier's own terms, so that it and the engine can be asked the
 * same.
 */
#ifndef RESHARD_TESTS_TOLD_H
#define RESHARD_TESTS_TOLD_H

#include "core/layout.h"
#include "verify/rules.h"

struct told {
    struct verify_inventory inventory;
    struct verify_layout layout;
    struct verify_rule *rule;
    struct verify_rank_box **box; /* by rule */
};

/* Names, patterns and sections are borrowed. Abort without memory. */
void told_open(struct told *told, const struct reshard_model *model,
               const struct reshard_layout_options *options);
void told_close(struct told *told);

#endif
