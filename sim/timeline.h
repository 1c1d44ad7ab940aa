/*
 * A scenario's steps held against each other before anything runs: what world there is, which
 * training step the ranks are at, which checkpoints exist. What must fail is an error here, unless
 * the step says that it expects to be refused.
 */
#ifndef RESHARD_SIM_TIMELINE_H
#define RESHARD_SIM_TIMELINE_H

#include "sim/language.h"
#include "sim/scenario.h"

/*
 * Fill the scenario's steps and expected checkpoints from the file. The scenario's cluster,
 * optimizer and model are complete already; without a model, layouts are not held against it.
 * Errors are recorded in the document; ENOMEM alone is returned.
 */
RESHARD_MUST_CHECK enum reshard_status timeline_build(struct scenario *scenario,
                                                      struct yaml_document *document,
                                                      const struct language_scenario *file);

#endif
