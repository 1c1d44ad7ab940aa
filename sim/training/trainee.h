/*
 * A trainee: one parameter in one step, with all that its step depends on. Optimizers see nothing
 * else, so they know of no state, no ranks and no training.
 *
 * All functions are local.
 */
#ifndef RESHARD_SIM_TRAINING_TRAINEE_H
#define RESHARD_SIM_TRAINING_TRAINEE_H

#include "core/optimizer.h"
#include "sim/training/stream.h"

#include <stdint.h>

/* A tensor's elements as they are stored: a rank's packed local memory, or the whole tensor. */
struct stored {
    uint8_t *data; /* NULL where there are no elements */
    enum reshard_dtype dtype;
    bool fresh; /* a slot that was absent: `data` has zero bits */
};

struct trainee {
    const struct reshard_tensor *parameter;
    const struct reshard_hyper *hyper;
    enum reshard_optimizer_name by; /* whose rule: muon trains some parameters as adamw does */
    struct stream gradient;
    uint64_t counted; /* steps of this parameter, with this one; 0 where the rule counts none */
    struct stored value;
    struct stored slot[RESHARD_OPTIMIZER_SLOTS_MAX]; /* in the optimizer's order */
    uint32_t slot_count;
};

/* The slots of a parameter that the optimizer trains, as tensors of a model. */
struct trainee_slots {
    uint32_t tensor[RESHARD_OPTIMIZER_SLOTS_MAX];
    uint32_t count;
    uint32_t step; /* the one that counts steps, of `tensor`; `count` where there is none */
};

/* ENOENT when the model lacks one, EMISMATCH when it has one of another dtype or class. */
RESHARD_MUST_CHECK enum reshard_status trainee_find_slots(struct trainee_slots *out,
                                                          const struct reshard_optimizer *optimizer,
                                                          const struct reshard_model *model,
                                                          uint32_t parameter,
                                                          struct reshard_error *error);

/* Whose rule trains a parameter. */
enum reshard_optimizer_name trainee_rule(const struct reshard_optimizer *optimizer,
                                         const struct reshard_tensor *parameter);

/* Whether a step by that rule needs the whole parameter, not its elements one by one. */
bool trainee_rule_reduces(enum reshard_optimizer_name rule);

/* What a step has counted in its `step` slot, with the step to come. EINVAL for a value that no
 * training leaves there. */
RESHARD_MUST_CHECK enum reshard_status trainee_count(uint64_t *out, float counted, const char *fqn,
                                                     struct reshard_error *error);

/* 1 - beta^counted, by repeated multiplication, which is exactly defined where pow() is not. */
double trainee_correction(const struct trainee *trainee, double beta);

/* Element `at` of stored memory. */
uint8_t *trainee_at(const struct stored *stored, uint64_t at);

#endif
