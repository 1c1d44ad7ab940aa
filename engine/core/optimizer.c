#include "core/optimizer.h"

#include <string.h>

bool reshard_optimizer_trains(enum reshard_dtype dtype)
{
    return reshard_dtype_kind(dtype) == RESHARD_KIND_FLOAT;
}

static const char *const optimizer_names[] = {
    [RESHARD_OPTIMIZER_NONE] = "none",
    [RESHARD_OPTIMIZER_ADAMW] = "adamw",
};

const char *reshard_optimizer_name_text(enum reshard_optimizer_name name)
{
    return optimizer_names[name];
}

bool reshard_optimizer_from_name(const char *text, enum reshard_optimizer_name *out)
{
    for (size_t i = 0; i < sizeof optimizer_names / sizeof *optimizer_names; i++) {
        if (strcmp(text, optimizer_names[i]) == 0) {
            *out = (enum reshard_optimizer_name)i;
            return true;
        }
    }
    return false;
}

static enum reshard_status add_adamw(struct reshard_model *model, const char *fqn,
                                     enum reshard_dtype dtype, struct reshard_error *error)
{
    const struct reshard_shape scalar = {0};
    enum reshard_status status;

    status = reshard_model_add_slot(model, fqn, "exp_avg", dtype, NULL, true, error);
    if (!status)
        status = reshard_model_add_slot(model, fqn, "exp_avg_sq", dtype, NULL, true, error);
    if (!status)
        status =
            reshard_model_add_slot(model, fqn, "step", RESHARD_DTYPE_F32, &scalar, false, error);
    return status;
}

enum reshard_status reshard_optimizer_extend(struct reshard_model *model,
                                             const struct reshard_optimizer *optimizer,
                                             struct reshard_error *error)
{
    const uint32_t count = reshard_model_tensor_count(model);
    enum reshard_status status = RESHARD_OK;

    if (optimizer->name == RESHARD_OPTIMIZER_NONE)
        return RESHARD_OK;
    for (uint32_t i = 0; i < count; i++)
        if (reshard_model_tensor(model, i)->slot[0])
            return reshard_error_set(error, RESHARD_EINVAL,
                                     "the model has optimizer state already");
    for (uint32_t i = 0; i < count && !status; i++) {
        const struct reshard_tensor *parameter = reshard_model_tensor(model, i);
        if (parameter->role == RESHARD_ROLE_PARAMETER && reshard_optimizer_trains(parameter->dtype))
            status = add_adamw(model, parameter->fqn, optimizer->dtype, error);
    }
    return status;
}
