/*
 * A model's inventory from what people have: a model file (scenarios/models/NAME.yaml), the tensors
 * written out in a scenario, or a safetensors file. Parameters with their units and ties; states
 * are the optimizer's to add.
 */
#ifndef RESHARD_SIM_INVENTORY_H
#define RESHARD_SIM_INVENTORY_H

#include "core/model.h"
#include "sim/language.h"

#include <stdio.h>

enum { INVENTORY_TENSORS_MAX = 10000 }; /* of a file in this language, repeated ones included */

/* Zero is the default throughout. */
struct inventory_options {
    /* The dtype of all trained parameters; NONE: as the inventory says. A safetensors file must
     * have it already, as values are never cast. */
    enum reshard_dtype parameters;
    /* Of a safetensors file: the modules that are units, "{i}" in them for a number. A tensor is of
     * the unit with the longest name that it lies in. */
    uint64_t unit_count;
    const char *const *unit;
};

/*
 * Open a model file, or a safetensors file, which is known by its content (or by its name's end,
 * ".safetensors"). `options` may be NULL, `messages` too. Not ENOENT alone, but each failure has
 * been told to `messages`.
 */
RESHARD_MUST_CHECK enum reshard_status inventory_open(struct reshard_model **out, const char *path,
                                                      const struct inventory_options *options,
                                                      FILE *messages);

/* The same for a safetensors file, with the reason in `error`. */
RESHARD_MUST_CHECK enum reshard_status
inventory_open_safetensors(struct reshard_model **out, const char *path,
                           const struct inventory_options *options, struct reshard_error *error);

/*
 * A copy of a model for a world of so many ranks. An inventory is for one rank: there dimension 0
 * of a per_rank tensor, which no file writes, is 1. Errors are those of reshard_model_add_role().
 */
RESHARD_MUST_CHECK enum reshard_status inventory_for_world(struct reshard_model **out,
                                                           const struct reshard_model *model,
                                                           uint64_t world,
                                                           struct reshard_error *error);

/* The tensors written out in a scenario. EINVAL when errors were recorded in the document. */
RESHARD_MUST_CHECK enum reshard_status
inventory_open_written(struct reshard_model **out, struct yaml_document *document,
                       const struct language_model *written,
                       const struct inventory_options *options);

#endif
