#include "verify/optimizer.h"

#include "verify/pattern.h"

#include <string.h>

/* "Each trained parameter is in one group: the first one of which a pattern matches its FQN" */
static const struct verify_hyper *hyper_of(const struct verify_optimizer *optimizer,
                                           const char *fqn)
{
    uint64_t number;

    for (uint32_t g = 0; g < optimizer->group_count; ++g) {
        const struct verify_optimizer_group *group = &optimizer->group[g];

        for (uint32_t i = 0; i < group->pattern_count; ++i) {
            if (verify_pattern_matches(group->pattern[i], fqn, &number))
                return &group->hyper;
        }
    }
    return &optimizer->hyper;
}

struct verify_training verify_training_of(const struct verify_optimizer *optimizer,
                                          const struct verify_tensor *tensor)
{
    struct verify_training training = {.name = optimizer->name, .state = optimizer->state};

    if (verify_tensor_is_slot(tensor) || tensor->role != VERIFY_PARAMETER ||
        reshard_dtype_kind(tensor->dtype) != RESHARD_KIND_FLOAT)
        return (struct verify_training){.name = VERIFY_OPTIMIZER_NONE};
    training.hyper = *hyper_of(optimizer, tensor->fqn);
    if (training.state == RESHARD_DTYPE_NONE)
        training.state = RESHARD_DTYPE_F32;
    if (training.hyper.from == 0)
        training.hyper.from = 1;
    if (training.name == VERIFY_MUON && tensor->ndim < 2) {
        training.name = VERIFY_ADAMW;
        training.hyper.amsgrad = false;
    }
    return training;
}

uint64_t verify_training_taken(const struct verify_training *training, uint64_t step)
{
    if (training->name == VERIFY_OPTIMIZER_NONE || step < training->hyper.from)
        return 0;
    return step - training->hyper.from + 1;
}

static bool keeps(const struct verify_training *training, bool matrix, enum verify_slot slot)
{
    const enum verify_optimizer_name name = training->name;
    const bool adam = name == VERIFY_ADAM || name == VERIFY_ADAMW;
    const bool adam8bit = name == VERIFY_ADAM8BIT;

    switch (slot) {
    case VERIFY_SLOT_MOMENTUM_BUFFER:
        return name == VERIFY_MUON || (name == VERIFY_SGD && training->hyper.momentum != 0);
    case VERIFY_SLOT_EXP_AVG:
    case VERIFY_SLOT_EXP_AVG_SQ:
        return adam || adam8bit;
    case VERIFY_SLOT_MAX_EXP_AVG_SQ:
        return adam && training->hyper.amsgrad;
    case VERIFY_SLOT_ROW_VAR:
    case VERIFY_SLOT_COL_VAR:
        return name == VERIFY_ADAFACTOR && matrix;
    case VERIFY_SLOT_VARIANCE:
        return name == VERIFY_ADAFACTOR && !matrix;
    case VERIFY_SLOT_EXP_AVG_ABSMAX:
    case VERIFY_SLOT_EXP_AVG_SQ_ABSMAX:
        return adam8bit;
    case VERIFY_SLOT_STEP:
        return adam || adam8bit || name == VERIFY_ADAFACTOR;
    case VERIFY_SLOT_COUNT:
        break;
    }
    return false;
}

static const struct {
    const char *name;
    bool like;
    enum verify_class slot_class;
    enum reshard_dtype dtype; /* NONE: the state's */
} forms[VERIFY_SLOT_COUNT] = {
    [VERIFY_SLOT_MOMENTUM_BUFFER] = {"momentum_buffer", true, VERIFY_PLAIN, RESHARD_DTYPE_NONE},
    [VERIFY_SLOT_EXP_AVG] = {"exp_avg", true, VERIFY_PLAIN, RESHARD_DTYPE_NONE},
    [VERIFY_SLOT_EXP_AVG_SQ] = {"exp_avg_sq", true, VERIFY_PLAIN, RESHARD_DTYPE_NONE},
    [VERIFY_SLOT_MAX_EXP_AVG_SQ] = {"max_exp_avg_sq", true, VERIFY_PLAIN, RESHARD_DTYPE_NONE},
    [VERIFY_SLOT_ROW_VAR] = {"row_var", false, VERIFY_ROW, RESHARD_DTYPE_NONE},
    [VERIFY_SLOT_COL_VAR] = {"col_var", false, VERIFY_COLUMN, RESHARD_DTYPE_NONE},
    [VERIFY_SLOT_VARIANCE] = {"variance", true, VERIFY_PLAIN, RESHARD_DTYPE_NONE},
    [VERIFY_SLOT_EXP_AVG_ABSMAX] = {"exp_avg_absmax", false, VERIFY_BLOCKWISE, RESHARD_DTYPE_F32},
    [VERIFY_SLOT_EXP_AVG_SQ_ABSMAX] = {"exp_avg_sq_absmax", false, VERIFY_BLOCKWISE,
                                       RESHARD_DTYPE_F32},
    [VERIFY_SLOT_STEP] = {"step", false, VERIFY_PLAIN, RESHARD_DTYPE_F32},
};

/* The shape of a slot that is not like its parameter. */
static void shape_slot(struct verify_tensor *slot, const struct verify_tensor *parameter)
{
    const uint64_t elements = verify_tensor_elements(parameter);

    if (slot->slot_class == VERIFY_BLOCKWISE) {
        slot->ndim = 1;
        slot->shape[0] = elements / slot->block + (elements % slot->block != 0);
    } else if (slot->slot_class == VERIFY_PLAIN) {
        slot->ndim = 0;
    } else {
        slot->shape[slot->ndim - (slot->slot_class == VERIFY_ROW ? 1 : 2)] = 1;
    }
}

bool verify_training_slot(const struct verify_training *training,
                          const struct verify_tensor *parameter, enum verify_slot slot,
                          struct verify_tensor *out)
{
    if (!keeps(training, parameter->ndim >= 2, slot))
        return false;
    *out = *parameter;
    out->slot = forms[slot].name;
    out->like = forms[slot].like;
    out->slot_class = forms[slot].slot_class;
    out->block = out->slot_class == VERIFY_BLOCKWISE ? training->hyper.block : 0;
    out->dtype = forms[slot].dtype;
    if (out->dtype == RESHARD_DTYPE_NONE)
        out->dtype = training->name == VERIFY_ADAM8BIT ? RESHARD_DTYPE_U8 : training->state;
    if (!out->like)
        shape_slot(out, parameter);
    return true;
}

static bool same_form(const struct verify_tensor *a, const struct verify_tensor *b)
{
    return strcmp(a->slot, b->slot) == 0 && a->dtype == b->dtype && a->like == b->like &&
           a->slot_class == b->slot_class && a->block == b->block && a->ndim == b->ndim &&
           memcmp(a->shape, b->shape, a->ndim * sizeof a->shape[0]) == 0;
}

enum verify_slot verify_training_find(const struct verify_training *training,
                                      const struct verify_tensor *parameter,
                                      const struct verify_tensor *tensor)
{
    enum verify_slot slot = 0;
    struct verify_tensor wanted;

    while (slot < VERIFY_SLOT_COUNT && !(verify_training_slot(training, parameter, slot, &wanted) &&
                                         same_form(&wanted, tensor)))
        slot += 1;
    return slot;
}

bool verify_training_absent(const struct verify_training *training, uint64_t step)
{
    return verify_training_taken(training, step) == 0;
}
