/*
 * Hyperparameters by their names: which optimizer uses which (the table of scenarios/TRAINING.md),
 * and what they are as values of a param group. Scenarios, jobs and checkpoints all know them by
 * these names, in this order.
 */
#ifndef RESHARD_SIM_HYPER_H
#define RESHARD_SIM_HYPER_H

#include "core/groups.h"
#include "core/optimizer.h"

enum hyper_key {
    HYPER_LR,
    HYPER_BETAS,
    HYPER_EPS,
    HYPER_WEIGHT_DECAY,
    HYPER_MOMENTUM,
    HYPER_NESTEROV,
    HYPER_AMSGRAD,
    HYPER_BLOCK,
    HYPER_FROM,
    HYPER_COUNT,
};

/* "weight_decay". */
const char *hyper_key_text(enum hyper_key key);

/* Whether an optimizer uses it; RESHARD_OPTIMIZER_NONE uses none. */
bool hyper_is_used(enum hyper_key key, enum reshard_optimizer_name optimizer);

/* "lr, weight_decay, from" of an optimizer into `text` of `size` bytes; returns `text`. */
char *hyper_list_used(enum reshard_optimizer_name optimizer, char *text, size_t size);

/* The value, with memory for the items of a tuple; valid as long as that. */
struct reshard_value hyper_value(const struct reshard_hyper *hyper, enum hyper_key key,
                                 struct reshard_value item[2]);

/* Take it from a value. False, and nothing is taken, when the value is not of its kind. */
bool hyper_take(struct reshard_hyper *hyper, enum hyper_key key, const struct reshard_value *value);

#endif
