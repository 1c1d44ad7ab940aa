#include "core/optimizer.h"

#include "core/argument.h"
#include "core/pattern.h"

#include <string.h>

bool reshard_optimizer_trains(enum reshard_dtype dtype)
{
    return reshard_dtype_kind(dtype) == RESHARD_KIND_FLOAT;
}

bool reshard_optimizer_takes(const struct reshard_tensor *tensor)
{
    return !reshard_tensor_is_slot(tensor) && tensor->role == RESHARD_ROLE_PARAMETER &&
           reshard_optimizer_trains(tensor->dtype);
}

static const char *const optimizer_names[RESHARD_OPTIMIZER_COUNT] = {
    [RESHARD_OPTIMIZER_NONE] = "none",           [RESHARD_OPTIMIZER_SGD] = "sgd",
    [RESHARD_OPTIMIZER_ADAM] = "adam",           [RESHARD_OPTIMIZER_ADAMW] = "adamw",
    [RESHARD_OPTIMIZER_ADAFACTOR] = "adafactor", [RESHARD_OPTIMIZER_ADAM8BIT] = "adam8bit",
    [RESHARD_OPTIMIZER_MUON] = "muon",
};

const char *reshard_optimizer_name_text(enum reshard_optimizer_name name)
{
    return optimizer_names[name];
}

bool reshard_optimizer_from_name(const char *text, enum reshard_optimizer_name *out)
{
    for (int i = 0; i < RESHARD_OPTIMIZER_COUNT; i++) {
        if (strcmp(text, optimizer_names[i]) == 0) {
            *out = (enum reshard_optimizer_name)i;
            return true;
        }
    }
    return false;
}

struct reshard_hyper reshard_optimizer_defaults(enum reshard_optimizer_name name)
{
    struct reshard_hyper hyper = {
        .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .block = 256, .from = 1};

    if (name == RESHARD_OPTIMIZER_ADAMW)
        hyper.weight_decay = 0.01;
    if (name == RESHARD_OPTIMIZER_MUON) {
        hyper.weight_decay = 0.1;
        hyper.momentum = 0.95;
        hyper.nesterov = true;
    }
    return hyper;
}

uint32_t reshard_optimizer_group_of(const struct reshard_optimizer *optimizer, const char *fqn)
{
    struct pattern_match match;

    for (uint32_t g = 0; g < optimizer->group_count; g++)
        for (uint32_t i = 0; i < optimizer->group[g].pattern_count; i++)
            if (pattern_matches(optimizer->group[g].pattern[i], fqn, &match))
                return g;
    return optimizer->group_count;
}

const struct reshard_hyper *reshard_optimizer_hyper(const struct reshard_optimizer *optimizer,
                                                    const char *fqn)
{
    const uint32_t group = reshard_optimizer_group_of(optimizer, fqn);

    return group < optimizer->group_count ? &optimizer->group[group].hyper : &optimizer->hyper;
}

/* ---- slots ----------------------------------------------------------------------------------- */

static const struct reshard_slot step_slot = {
    .slot = "step", .dtype = RESHARD_DTYPE_F32, .slot_class = RESHARD_CLASS_SCALAR};

static uint32_t adam_slots(enum reshard_dtype dtype, bool amsgrad, struct reshard_slot *out)
{
    uint32_t count = 0;

    out[count++] = (struct reshard_slot){.slot = "exp_avg", .dtype = dtype};
    out[count++] = (struct reshard_slot){.slot = "exp_avg_sq", .dtype = dtype};
    if (amsgrad)
        out[count++] = (struct reshard_slot){.slot = "max_exp_avg_sq", .dtype = dtype};
    out[count++] = step_slot;
    return count;
}

static uint32_t adafactor_slots(enum reshard_dtype dtype, bool matrix, struct reshard_slot *out)
{
    uint32_t count = 0;

    if (matrix) {
        out[count++] = (struct reshard_slot){.slot = "row_var",
                                             .dtype = dtype,
                                             .slot_class = RESHARD_CLASS_ROW,
                                             .keeps_dimension = true};
        out[count++] = (struct reshard_slot){.slot = "col_var",
                                             .dtype = dtype,
                                             .slot_class = RESHARD_CLASS_COLUMN,
                                             .keeps_dimension = true};
    } else {
        out[count++] = (struct reshard_slot){.slot = "variance", .dtype = dtype};
    }
    out[count++] = step_slot;
    return count;
}

static uint32_t adam8bit_slots(uint64_t block, struct reshard_slot *out)
{
    static const char *const scales[] = {"exp_avg_absmax", "exp_avg_sq_absmax"};
    uint32_t count = adam_slots(RESHARD_DTYPE_U8, false, out) - 1;

    for (int i = 0; i < 2; i++)
        out[count++] = (struct reshard_slot){.slot = scales[i],
                                             .dtype = RESHARD_DTYPE_F32,
                                             .slot_class = RESHARD_CLASS_BLOCKWISE,
                                             .block = block};
    out[count++] = step_slot;
    return count;
}

uint32_t reshard_optimizer_slots(const struct reshard_optimizer *optimizer,
                                 const struct reshard_tensor *parameter,
                                 struct reshard_slot out[RESHARD_OPTIMIZER_SLOTS_MAX])
{
    const struct reshard_hyper *hyper = reshard_optimizer_hyper(optimizer, parameter->fqn);
    const bool matrix = parameter->shape.ndim >= 2;

    switch (optimizer->name) {
    case RESHARD_OPTIMIZER_SGD:
        *out = (struct reshard_slot){.slot = "momentum_buffer", .dtype = optimizer->dtype};
        return hyper->momentum != 0;
    case RESHARD_OPTIMIZER_ADAM:
    case RESHARD_OPTIMIZER_ADAMW:
        return adam_slots(optimizer->dtype, hyper->amsgrad, out);
    case RESHARD_OPTIMIZER_ADAFACTOR:
        return adafactor_slots(optimizer->dtype, matrix, out);
    case RESHARD_OPTIMIZER_ADAM8BIT:
        return adam8bit_slots(hyper->block, out);
    case RESHARD_OPTIMIZER_MUON:
        if (!matrix)
            return adam_slots(optimizer->dtype, false, out);
        *out = (struct reshard_slot){.slot = "momentum_buffer", .dtype = optimizer->dtype};
        return 1;
    default:
        return 0;
    }
}

static enum reshard_status add_slots(struct reshard_model *model,
                                     const struct reshard_optimizer *optimizer, uint32_t parameter,
                                     struct reshard_error *error)
{
    struct reshard_slot slot[RESHARD_OPTIMIZER_SLOTS_MAX];
    const uint32_t count =
        reshard_optimizer_slots(optimizer, reshard_model_tensor(model, parameter), slot);
    enum reshard_status status = RESHARD_OK;

    for (uint32_t i = 0; !status && i < count; i++)
        status = reshard_model_add_state(model, reshard_model_tensor(model, parameter)->fqn,
                                         &slot[i], error);
    return status;
}

/* Names and patterns are there. */
static enum reshard_status check_groups(const struct reshard_optimizer *optimizer,
                                        struct reshard_error *error)
{
    const struct reshard_optimizer_group *group = optimizer->group;
    enum reshard_status status = RESHARD_OK;

    if (optimizer->group_count > 0)
        status = CHECK_ARGUMENTS(error, ARGUMENT(optimizer->group));
    for (uint32_t g = 0; !status && g < optimizer->group_count; g++)
        status = CHECK_ARGUMENTS(error, ARGUMENT_LIST(group[g].pattern, group[g].pattern_count));
    return status;
}

enum reshard_status reshard_optimizer_extend(struct reshard_model *model,
                                             const struct reshard_optimizer *optimizer,
                                             struct reshard_error *error)
{
    enum reshard_status status = CHECK_ARGUMENTS(error, ARGUMENT(model), ARGUMENT(optimizer));
    uint32_t count;

    if (!status)
        status = check_groups(optimizer, error);
    if (status)
        return status;
    count = reshard_model_tensor_count(model);
    if (optimizer->name == RESHARD_OPTIMIZER_NONE)
        return RESHARD_OK;
    for (uint32_t i = 0; i < count; i++)
        if (reshard_tensor_is_slot(reshard_model_tensor(model, i)))
            return reshard_error_set(error, RESHARD_EINVAL,
                                     "the model has optimizer state already");
    for (uint32_t i = 0; i < count && !status; i++)
        if (reshard_optimizer_takes(reshard_model_tensor(model, i)))
            status = add_slots(model, optimizer, i, error);
    return status;
}
