/*
 * A layout as a scenario writes it, completed to the engine's options: mesh sizes that are not
 * given, settings and boxes from their texts, patterns held against the model's names. Whether the
 * tensors can follow the layout is the engine's to say (reshard_layout_open).
 */
#ifndef RESHARD_SIM_FORMULA_H
#define RESHARD_SIM_FORMULA_H

#include "core/layout.h"
#include "sim/language.h"

/* What a layout is for. */
struct formula_place {
    struct yaml_document *document;
    const struct reshard_model *model; /* NULL: not known, so that no name is held against it */
    uint64_t world;                    /* ranks of the world */
    uint64_t ranks;                    /* of them, those that the layout is for: the first ones */
};

/* Complete a layout; *out owns its rules. EINVAL when errors were recorded in the document, then
 * *out is empty; ENOMEM. */
RESHARD_MUST_CHECK enum reshard_status formula_build(struct reshard_layout_options *out,
                                                     const struct formula_place *place,
                                                     const struct language_layout *written);

#endif
