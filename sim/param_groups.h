/*
 * The param groups of a training: what checkpoints have of its optimizer besides tensors
 * (scenarios/TRAINING.md, "Who is trained, and by what"), and the entry "lr_scheduler", whose
 * `last_epoch` is the training step, so that one of them changes with time. Training goes on with
 * the hyperparameters that they have, and not with the scenario's: where a group is lost or
 * exchanged on the way, numbers show it.
 *
 * All functions are local.
 */
#ifndef RESHARD_SIM_PARAM_GROUPS_H
#define RESHARD_SIM_PARAM_GROUPS_H

#include "core/groups.h"
#include "core/optimizer.h"

/* The optimizer's groups in order, then "default"; members in the model's order; the values that
 * the optimizer uses; training step 0. The caller owns *out, which is NULL without an optimizer. */
RESHARD_MUST_CHECK enum reshard_status param_groups_open(struct reshard_groups **out,
                                                         const struct reshard_model *model,
                                                         const struct reshard_optimizer *optimizer,
                                                         struct reshard_error *error);

RESHARD_MUST_CHECK enum reshard_status
param_groups_set_step(struct reshard_groups *groups, uint64_t step, struct reshard_error *error);

/* EFORMAT when they are not those of that training step. */
RESHARD_MUST_CHECK enum reshard_status param_groups_check_step(const struct reshard_groups *groups,
                                                               uint64_t step,
                                                               struct reshard_error *error);

/* Exchange every value for another of its kind that no training has: what a load leaves as it is
 * cannot be taken for what it brought. */
RESHARD_MUST_CHECK enum reshard_status param_groups_spoil(struct reshard_groups *groups,
                                                          struct reshard_error *error);

/*
 * The optimizer with the hyperparameters of the groups. Texts are borrowed from `optimizer`, *out
 * is ended by param_groups_release_optimizer(). EFORMAT, naming it, for a group or value that is
 * not there or is of another kind.
 */
RESHARD_MUST_CHECK enum reshard_status
param_groups_optimizer(struct reshard_optimizer *out, const struct reshard_groups *groups,
                       const struct reshard_optimizer *optimizer, struct reshard_error *error);
void param_groups_release_optimizer(struct reshard_optimizer *optimizer);

/* EDIGEST, naming the first difference, when groups or entries are not the expected ones: names,
 * order, members and values, bit for bit. */
RESHARD_MUST_CHECK enum reshard_status param_groups_check(const struct reshard_groups *groups,
                                                          const struct reshard_groups *expected,
                                                          struct reshard_error *error);

#endif
