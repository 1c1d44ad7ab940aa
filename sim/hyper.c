#include "sim/hyper.h"

#include <stdio.h>
#include <string.h>

#define USED_BY(name) (1U << RESHARD_OPTIMIZER_##name)

enum {
    ADAM_LIKE = USED_BY(ADAM) | USED_BY(ADAMW),
    MOMENTS = ADAM_LIKE | USED_BY(ADAM8BIT) | USED_BY(MUON),
    ALL = MOMENTS | USED_BY(SGD) | USED_BY(ADAFACTOR),
};

static const struct {
    const char *text;
    unsigned users;
} keys[HYPER_COUNT] = {
    [HYPER_LR] = {"lr", ALL},
    [HYPER_BETAS] = {"betas", MOMENTS},
    [HYPER_EPS] = {"eps", MOMENTS},
    [HYPER_WEIGHT_DECAY] = {"weight_decay", ALL},
    [HYPER_MOMENTUM] = {"momentum", USED_BY(SGD) | USED_BY(MUON)},
    [HYPER_NESTEROV] = {"nesterov", USED_BY(SGD) | USED_BY(MUON)},
    [HYPER_AMSGRAD] = {"amsgrad", ADAM_LIKE},
    [HYPER_BLOCK] = {"block", USED_BY(ADAM8BIT)},
    [HYPER_FROM] = {"from", ALL},
};

const char *hyper_key_text(enum hyper_key key)
{
    return keys[key].text;
}

bool hyper_is_used(enum hyper_key key, enum reshard_optimizer_name optimizer)
{
    return (keys[key].users >> optimizer & 1) != 0;
}

char *hyper_list_used(enum reshard_optimizer_name optimizer, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (int key = 0; key < HYPER_COUNT; key++) {
        if (!hyper_is_used((enum hyper_key)key, optimizer))
            continue;
        const int got =
            snprintf(text + used, size - used, "%s%s", used ? ", " : "", keys[key].text);
        if (got < 0 || (size_t)got >= size - used)
            break;
        used += (size_t)got;
    }
    return text;
}

/* ---- as values ---- */

static struct reshard_value number(double value)
{
    return (struct reshard_value){.kind = RESHARD_VALUE_NUMBER, .number = value};
}

static struct reshard_value boolean(bool value)
{
    return (struct reshard_value){.kind = RESHARD_VALUE_BOOLEAN, .boolean = value};
}

/* Counts of a scenario fit 63 bits: its limits are far below. */
static struct reshard_value integer(uint64_t value)
{
    return (struct reshard_value){.kind = RESHARD_VALUE_INTEGER, .integer = (int64_t)value};
}

struct reshard_value hyper_value(const struct reshard_hyper *hyper, enum hyper_key key,
                                 struct reshard_value item[2])
{
    switch (key) {
    case HYPER_LR:
        return number(hyper->lr);
    case HYPER_BETAS:
        item[0] = number(hyper->beta1);
        item[1] = number(hyper->beta2);
        return (struct reshard_value){.kind = RESHARD_VALUE_TUPLE, .item = item, .count = 2};
    case HYPER_EPS:
        return number(hyper->eps);
    case HYPER_WEIGHT_DECAY:
        return number(hyper->weight_decay);
    case HYPER_MOMENTUM:
        return number(hyper->momentum);
    case HYPER_NESTEROV:
        return boolean(hyper->nesterov);
    case HYPER_AMSGRAD:
        return boolean(hyper->amsgrad);
    case HYPER_BLOCK:
        return integer(hyper->block);
    case HYPER_FROM:
        return integer(hyper->from);
    case HYPER_COUNT:
        break;
    }
    return (struct reshard_value){.kind = RESHARD_VALUE_NONE};
}

static bool take_number(double *out, const struct reshard_value *value)
{
    if (value->kind != RESHARD_VALUE_NUMBER)
        return false;
    *out = value->number;
    return true;
}

static bool take_boolean(bool *out, const struct reshard_value *value)
{
    if (value->kind != RESHARD_VALUE_BOOLEAN)
        return false;
    *out = value->boolean;
    return true;
}

static bool take_count(uint64_t *out, const struct reshard_value *value)
{
    if (value->kind != RESHARD_VALUE_INTEGER || value->integer < 0)
        return false;
    *out = (uint64_t)value->integer;
    return true;
}

static bool take_betas(struct reshard_hyper *hyper, const struct reshard_value *value)
{
    double first = 0;
    if (value->kind != RESHARD_VALUE_TUPLE || value->count != 2 ||
        !take_number(&first, &value->item[0]) || !take_number(&hyper->beta2, &value->item[1]))
        return false;
    hyper->beta1 = first;
    return true;
}

bool hyper_take(struct reshard_hyper *hyper, enum hyper_key key, const struct reshard_value *value)
{
    switch (key) {
    case HYPER_LR:
        return take_number(&hyper->lr, value);
    case HYPER_BETAS:
        return take_betas(hyper, value);
    case HYPER_EPS:
        return take_number(&hyper->eps, value);
    case HYPER_WEIGHT_DECAY:
        return take_number(&hyper->weight_decay, value);
    case HYPER_MOMENTUM:
        return take_number(&hyper->momentum, value);
    case HYPER_NESTEROV:
        return take_boolean(&hyper->nesterov, value);
    case HYPER_AMSGRAD:
        return take_boolean(&hyper->amsgrad, value);
    case HYPER_BLOCK:
        return take_count(&hyper->block, value);
    case HYPER_FROM:
        return take_count(&hyper->from, value);
    case HYPER_COUNT:
        break;
    }
    return false;
}
