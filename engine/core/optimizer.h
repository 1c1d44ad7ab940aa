/*
 * The schema of an optimizer's state: which slots a parameter has, with which dtype and shape.
 * Every slot has a dtype of its own, never the parameter's by default, and scalars such as `step`
 * exist once for each original parameter (not once for each FSDP unit), so that they survive any
 * change of units. The arithmetic is the training's business, not the engine's.
 */
#ifndef RESHARD_OPTIMIZER_H
#define RESHARD_OPTIMIZER_H

#include "core/model.h"

#ifdef __cplusplus
extern "C" {
#endif

enum reshard_optimizer_name {
    RESHARD_OPTIMIZER_NONE,
    RESHARD_OPTIMIZER_ADAMW, /* exp_avg, exp_avg_sq like the parameter; step a scalar f32 */
};

/* An optimizer with its hyperparameters, as torch.optim.AdamW names them. */
struct reshard_optimizer {
    enum reshard_optimizer_name name;
    enum reshard_dtype dtype; /* of the parameter-like slots */
    double lr;
    double beta1;
    double beta2;
    double eps;
    double weight_decay;
};

/* Local. Whether the optimizer keeps state for a parameter of that dtype: floats only. */
bool reshard_optimizer_trains(enum reshard_dtype dtype);

/* Local. "adamw"; RESHARD_OPTIMIZER_NONE is "none". False when there is no such name. */
const char *reshard_optimizer_name_text(enum reshard_optimizer_name name);
bool reshard_optimizer_from_name(const char *text, enum reshard_optimizer_name *out);

/* Local. Add the slots of every trained parameter (a float, and not frozen) at the end of the
 * model, parameter by parameter: exp_avg, exp_avg_sq, step. EINVAL if the model has slots already.
 */
RESHARD_MUST_CHECK enum reshard_status
reshard_optimizer_extend(struct reshard_model *model, const struct reshard_optimizer *optimizer,
                         struct reshard_error *error);

#ifdef __cplusplus
}
#endif

#endif
