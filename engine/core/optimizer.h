/*
 * The schema of an optimizer's state: which slots a parameter has, of which class, with which dtype
 * and shape. Every slot has a dtype of its own, never the parameter's by default, and scalars such
 * as `step` exist once for each original parameter (not once for each FSDP unit), so that they
 * survive any change of units. The arithmetic is the training's business, not the engine's.
 *
 * The schema says what a parameter may have. Whether it has it yet is the state's to say
 * (reshard_state_set_absent): momentum is not there before the first step, and that is no zero.
 */
#ifndef RESHARD_OPTIMIZER_H
#define RESHARD_OPTIMIZER_H

#include "core/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Slots in their order. "Like" is the parameter's shape; their dtype is the optimizer's `dtype`
 * where no other is given. */
enum reshard_optimizer_name {
    RESHARD_OPTIMIZER_NONE,
    RESHARD_OPTIMIZER_SGD,       /* momentum_buffer, like; only where momentum is not 0 */
    RESHARD_OPTIMIZER_ADAM,      /* exp_avg, exp_avg_sq, like; max_exp_avg_sq, like, only where
                                    amsgrad; step, a scalar f32 */
    RESHARD_OPTIMIZER_ADAMW,     /* the same */
    RESHARD_OPTIMIZER_ADAFACTOR, /* row_var (..., m, 1) and col_var (..., 1, n), or variance, like,
                                    for fewer than 2 dimensions; step (torch.optim.Adafactor) */
    RESHARD_OPTIMIZER_ADAM8BIT,  /* exp_avg, exp_avg_sq, like, u8 codes; exp_avg_absmax,
                                    exp_avg_sq_absmax, blockwise f32; step */
    RESHARD_OPTIMIZER_MUON,      /* momentum_buffer, like, for 2 or more dimensions; all others as
                                    ADAMW without amsgrad */
    RESHARD_OPTIMIZER_COUNT,
};

/* Hyperparameters, as torch.optim names them. */
struct reshard_hyper {
    double lr;
    double beta1;
    double beta2;
    double eps;
    double weight_decay;
    double momentum;
    bool nesterov;
    bool amsgrad;
    uint64_t block; /* elements of a block of ADAM8BIT */
    uint64_t from;  /* the first training step that the group takes part in */
};

/* A param group: the parameters that match one of its patterns (core/pattern.h) and are in no group
 * before it. */
struct reshard_optimizer_group {
    const char *name;
    const char *const *pattern;
    uint32_t pattern_count;
    struct reshard_hyper hyper; /* all of them */
};

struct reshard_optimizer {
    enum reshard_optimizer_name name;
    enum reshard_dtype dtype;   /* of the slots that have no other */
    struct reshard_hyper hyper; /* of the parameters that are in no group: the group "default" */
    const struct reshard_optimizer_group *group;
    uint32_t group_count;
};

/* Local. Whether the optimizer keeps state for a parameter of that dtype: floats only. */
bool reshard_optimizer_trains(enum reshard_dtype dtype);

/* Local. Whether it trains that tensor: a parameter, not frozen, of such a dtype. */
bool reshard_optimizer_takes(const struct reshard_tensor *tensor);

/* Local. "adamw"; RESHARD_OPTIMIZER_NONE is "none". False when there is no such name. */
const char *reshard_optimizer_name_text(enum reshard_optimizer_name name);
bool reshard_optimizer_from_name(const char *text, enum reshard_optimizer_name *out);

/* Local. The hyperparameters that the optimizer has where none are given: torch.optim's, but for a
 * learning rate of 1e-3 throughout. */
struct reshard_hyper reshard_optimizer_defaults(enum reshard_optimizer_name name);

/* Local. The index of the group that a parameter is in: group_count for "default". */
uint32_t reshard_optimizer_group_of(const struct reshard_optimizer *optimizer, const char *fqn);

/* Local. Its hyperparameters. */
const struct reshard_hyper *reshard_optimizer_hyper(const struct reshard_optimizer *optimizer,
                                                    const char *fqn);

/* The most slots that a parameter has. */
enum { RESHARD_OPTIMIZER_SLOTS_MAX = 5 };

/* Local. The slots of a parameter that the optimizer trains, into `out`; returns how many. */
uint32_t reshard_optimizer_slots(const struct reshard_optimizer *optimizer,
                                 const struct reshard_tensor *parameter,
                                 struct reshard_slot out[RESHARD_OPTIMIZER_SLOTS_MAX]);

/* Local. Add the slots of every trained parameter (a float, and not frozen) at the end of the
 * model, parameter by parameter. EINVAL if the model has slots already, and for ADAM8BIT with a
 * `block` of 0. */
RESHARD_MUST_CHECK enum reshard_status
reshard_optimizer_extend(struct reshard_model *model, const struct reshard_optimizer *optimizer,
                         struct reshard_error *error);

#ifdef __cplusplus
}
#endif

#endif
