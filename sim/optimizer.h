/*
 * The optimizer of a scenario: read from the file, checked, and owned. A group's texts and patterns
 * are in memory of its own, so that a scenario, and a job, can hold one after the file is gone.
 */
#ifndef RESHARD_SIM_OPTIMIZER_H
#define RESHARD_SIM_OPTIMIZER_H

#include "core/optimizer.h"
#include "sim/language.h"

/* What the parameters are in that are in no group; no group has that name. */
#define OPTIMIZER_DEFAULT_GROUP "default"

/* Build the optimizer that a file says, with every hyperparameter in place. What is wrong with it
 * is recorded in the document, and it has no groups then. ENOMEM. */
RESHARD_MUST_CHECK enum reshard_status optimizer_build(struct reshard_optimizer *out,
                                                       struct yaml_document *document,
                                                       const struct language_scenario *file);

/* Record groups and patterns that have no parameter of the model. */
void optimizer_check_members(const struct reshard_optimizer *optimizer,
                             const struct reshard_model *model, struct yaml_document *document,
                             const struct language_optimizer *file);

/* A copy with groups of its own, ended by optimizer_release(), which accepts an empty one. */
RESHARD_MUST_CHECK enum reshard_status optimizer_copy(struct reshard_optimizer *out,
                                                      const struct reshard_optimizer *optimizer);
void optimizer_release(struct reshard_optimizer *optimizer);

#endif
