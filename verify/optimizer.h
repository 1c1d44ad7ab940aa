/*
 * What trains which parameter, and which slots that makes: scenarios/TRAINING.md, "Who is trained,
 * and by what", and the tables of slots. The arithmetic is elsewhere. Local, pure functions.
 */
#ifndef VERIFY_OPTIMIZER_H
#define VERIFY_OPTIMIZER_H

#include "verify/inventory.h"

enum verify_optimizer_name {
    VERIFY_OPTIMIZER_NONE,
    VERIFY_SGD,
    VERIFY_ADAM,
    VERIFY_ADAMW,
    VERIFY_ADAFACTOR,
    VERIFY_ADAM8BIT,
    VERIFY_MUON,
};

/* Hyperparameters as they are, without defaults. Those that the optimizer has no use for are not
 * looked at. */
struct verify_hyper {
    double lr;
    double beta1;
    double beta2;
    double eps;
    double weight_decay;
    double momentum;
    bool nesterov;
    bool amsgrad;
    uint64_t block; /* elements of a block of ADAM8BIT */
    uint64_t from;  /* the first training step that the group takes part in; 0 is 1 */
};

/* The parameters that match one of the patterns (pattern.h) and are in no group before it. */
struct verify_optimizer_group {
    const char *const *pattern;
    uint32_t pattern_count;
    struct verify_hyper hyper;
};

/* Without an optimizer training changes nothing. */
struct verify_optimizer {
    enum verify_optimizer_name name;
    enum reshard_dtype state;  /* of the slots that have no other; NONE: f32 */
    struct verify_hyper hyper; /* of the parameters that are in no group */
    const struct verify_optimizer_group *group;
    uint32_t group_count;
};

/* What trains one parameter. NONE: nothing does. MUON is that of matrices; others have ADAMW there,
 * without amsgrad. */
struct verify_training {
    enum verify_optimizer_name name;
    enum reshard_dtype state;
    struct verify_hyper hyper;
};

struct verify_training verify_training_of(const struct verify_optimizer *optimizer,
                                          const struct verify_tensor *tensor);

/* How many steps a parameter has taken when the training is at a step: what the slot `step` says,
 * where there is one. */
uint64_t verify_training_taken(const struct verify_training *training, uint64_t step);

enum verify_slot {
    VERIFY_SLOT_MOMENTUM_BUFFER,
    VERIFY_SLOT_EXP_AVG,
    VERIFY_SLOT_EXP_AVG_SQ,
    VERIFY_SLOT_MAX_EXP_AVG_SQ,
    VERIFY_SLOT_ROW_VAR,
    VERIFY_SLOT_COL_VAR,
    VERIFY_SLOT_VARIANCE,
    VERIFY_SLOT_EXP_AVG_ABSMAX,
    VERIFY_SLOT_EXP_AVG_SQ_ABSMAX,
    VERIFY_SLOT_STEP,
    VERIFY_SLOT_COUNT,
};

/* Does the training keep that slot of the parameter? Then `out` is what the slot has to be: a
 * tensor of this name, dtype, shape and class. */
bool verify_training_slot(const struct verify_training *training,
                          const struct verify_tensor *parameter, enum verify_slot slot,
                          struct verify_tensor *out);

/* Which slot of its parameter's a tensor is; VERIFY_SLOT_COUNT when it is none, or not as it has to
 * be. */
enum verify_slot verify_training_find(const struct verify_training *training,
                                      const struct verify_tensor *parameter,
                                      const struct verify_tensor *tensor);

/* Are the slots that the training keeps absent when it is at that step? */
bool verify_training_absent(const struct verify_training *training, uint64_t step);

#endif
