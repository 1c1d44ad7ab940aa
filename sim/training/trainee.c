#include "sim/training/trainee.h"

#include <math.h>
#include <string.h>

enum { STEPS_MAX = 1 << 24 }; /* f32 counts so far */

static enum reshard_status check_slot(const struct reshard_tensor *found,
                                      const struct reshard_slot *wanted, const char *optimizer,
                                      struct reshard_error *error)
{
    char name[RESHARD_TENSOR_TEXT_MAX];
    if (found->dtype == wanted->dtype && found->slot_class == wanted->slot_class &&
        found->block == wanted->block)
        return RESHARD_OK;
    return reshard_error_set(error, RESHARD_EMISMATCH, "tensor %s is not such as %s has",
                             reshard_tensor_print(found, name, sizeof(name)), optimizer);
}

enum reshard_status trainee_find_slots(struct trainee_slots *out,
                                       const struct reshard_optimizer *optimizer,
                                       const struct reshard_model *model, uint32_t parameter,
                                       struct reshard_error *error)
{
    const struct reshard_tensor *entry = reshard_model_tensor(model, parameter);
    const char *by = reshard_optimizer_name_text(optimizer->name);
    struct reshard_slot slot[RESHARD_OPTIMIZER_SLOTS_MAX];
    enum reshard_status status = RESHARD_OK;
    out->count = reshard_optimizer_slots(optimizer, entry, slot);
    out->step = out->count;
    for (uint32_t i = 0; i < out->count && !status; i++) {
        status = reshard_model_find(model, entry->fqn, slot[i].slot, &out->tensor[i]);
        if (status)
            return reshard_error_set(error, status, "%s: the model lacks the slot %s of %s",
                                     entry->fqn, slot[i].slot, by);
        status = check_slot(reshard_model_tensor(model, out->tensor[i]), &slot[i], by, error);
        if (strcmp(slot[i].slot, "step") == 0)
            out->step = i;
    }
    return status;
}

enum reshard_optimizer_name trainee_rule(const struct reshard_optimizer *optimizer,
                                         const struct reshard_tensor *parameter)
{
    if (optimizer->name == RESHARD_OPTIMIZER_MUON && parameter->shape.ndim < 2)
        return RESHARD_OPTIMIZER_ADAMW;
    return optimizer->name;
}

bool trainee_rule_reduces(enum reshard_optimizer_name rule)
{
    return rule == RESHARD_OPTIMIZER_ADAFACTOR || rule == RESHARD_OPTIMIZER_ADAM8BIT;
}

enum reshard_status trainee_count(uint64_t *out, float counted, const char *fqn,
                                  struct reshard_error *error)
{
    const double value = (double)counted;
    if (!(value >= 0 && value <= STEPS_MAX) || value != floor(value))
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "%s, step: %g is not a number of training steps", fqn, value);
    *out = (uint64_t)value + 1;
    return RESHARD_OK;
}

double trainee_correction(const struct trainee *trainee, double beta)
{
    double product = 1;
    for (uint64_t i = 0; i < trainee->counted; i++)
        product *= beta;
    return 1 - product;
}

uint8_t *trainee_at(const struct stored *stored, uint64_t at)
{
    return stored->data + at * reshard_dtype_bytes(stored->dtype);
}
