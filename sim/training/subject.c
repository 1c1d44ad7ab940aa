#include "sim/training/subject.h"

#include <stdlib.h>
#include <string.h>

static const struct reshard_tensor *tensor_of(const struct train *train, uint32_t tensor)
{
    return reshard_model_tensor(reshard_layout_model(reshard_state_layout(train->state)), tensor);
}

/* --- Who takes part ------------------------------------------------------------------------ */

bool subject_takes_part(const struct train *train, uint32_t tensor, uint64_t step)
{
    const struct reshard_tensor *entry = tensor_of(train, tensor);
    return reshard_optimizer_takes(entry) &&
           step >= reshard_optimizer_hyper(train->optimizer, entry->fqn)->from;
}

enum reshard_status subject_of(struct subject *out, const struct train *train, uint32_t parameter,
                               struct reshard_error *error)
{
    const struct reshard_model *model = reshard_layout_model(reshard_state_layout(train->state));
    out->parameter = parameter;
    return trainee_find_slots(&out->slots, train->optimizer, model, parameter, error);
}

/* Whether so many ranks have all of a tensor, in the tensor's own order, and others nothing. */
static enum reshard_status find_undivided(bool *out, const struct train *train, uint32_t tensor,
                                          uint64_t replicas)
{
    const struct reshard_layout *layout = reshard_state_layout(train->state);
    struct reshard_box_list boxes = RESHARD_BOX_LIST_INIT;
    enum reshard_status status;
    *out = false;
    if (reshard_layout_shards(layout, tensor) != 1 ||
        reshard_layout_replicas(layout, tensor, 0) != replicas)
        return RESHARD_OK;
    status =
        reshard_layout_boxes(layout, tensor, reshard_layout_holder(layout, tensor, 0, 0), &boxes);
    *out = boxes.count == 1;
    reshard_box_list_release(&boxes);
    return status;
}

enum reshard_status subject_is_parted(bool *out, const struct train *train,
                                      const struct subject *subject)
{
    const struct reshard_tensor *entry = tensor_of(train, subject->parameter);
    bool undivided = false;
    *out = false;
    if (!trainee_rule_reduces(trainee_rule(train->optimizer, entry)) || entry->count == 0)
        return RESHARD_OK;
    /* Who has the parameter has its slots; who has but slots shows in their replicas. */
    const uint64_t replicas =
        reshard_layout_replicas(reshard_state_layout(train->state), subject->parameter, 0);
    enum reshard_status status = find_undivided(&undivided, train, subject->parameter, replicas);
    for (uint32_t i = 0; i < subject->slots.count && undivided && !status; i++)
        status = find_undivided(&undivided, train, subject->slots.tensor[i], replicas);
    *out = !undivided;
    return status;
}

bool subject_is_here(const struct train *train, const struct subject *subject)
{
    bool here = reshard_state_bytes(train->state, subject->parameter) > 0;
    for (uint32_t i = 0; i < subject->slots.count; i++)
        here = here || (i != subject->slots.step &&
                        reshard_state_bytes(train->state, subject->slots.tensor[i]) > 0);
    return here;
}

static uint64_t add_bytes(uint64_t sum, const struct reshard_tensor *tensor)
{
    const uint64_t bytes = tensor->count * reshard_dtype_bytes(tensor->dtype);
    return sum < UINT64_MAX - bytes ? sum + bytes : UINT64_MAX;
}

uint64_t subject_bytes(const struct train *train, const struct subject *subject)
{
    uint64_t sum = add_bytes(0, tensor_of(train, subject->parameter));
    for (uint32_t i = 0; i < subject->slots.count; i++)
        sum = add_bytes(sum, tensor_of(train, subject->slots.tensor[i]));
    return sum;
}

/* --- Its memory ---------------------------------------------------------------------------- */

/* The rank's memory of a tensor, zeroed where a slot is absent. */
static enum reshard_status stored_open(struct stored *out, const struct train *train,
                                       uint32_t tensor, struct reshard_error *error)
{
    const struct reshard_tensor *entry = tensor_of(train, tensor);
    *out = (struct stored){reshard_state_data(train->state, tensor), entry->dtype,
                           reshard_state_is_absent(train->state, tensor)};
    const enum reshard_status status = reshard_state_check_tensor(train->state, tensor, error);
    if (!status && out->fresh && out->data != NULL)
        memset(out->data, 0, reshard_state_bytes(train->state, tensor));
    return status;
}

/* The slot that counts steps, which is none where there is no such slot, or where this rank has no
 * part in the parameter. */
static float *counter_of(const struct subject *subject, const struct trainee *trainee)
{
    const struct trainee_slots *slots = &subject->slots;
    return slots->step < slots->count ? (float *)(void *)trainee->slot[slots->step].data : NULL;
}

enum reshard_status subject_open(struct trainee *out, const struct train *train,
                                 const struct subject *subject, uint64_t step,
                                 struct reshard_error *error)
{
    const struct reshard_tensor *entry = tensor_of(train, subject->parameter);
    *out = (struct trainee){
        .parameter = entry,
        .hyper = reshard_optimizer_hyper(train->optimizer, entry->fqn),
        .by = trainee_rule(train->optimizer, entry),
        .gradient = stream_of(train->seed, entry->fqn, step),
        .slot_count = subject->slots.count,
    };
    enum reshard_status status = stored_open(&out->value, train, subject->parameter, error);
    for (uint32_t i = 0; i < out->slot_count && !status; i++)
        status = stored_open(&out->slot[i], train, subject->slots.tensor[i], error);
    if (status)
        return status;
    const float *counter = counter_of(subject, out);
    return counter != NULL ? trainee_count(&out->counted, *counter, entry->fqn, error) : RESHARD_OK;
}

void subject_close(const struct trainee *trainee, const struct train *train,
                   const struct subject *subject)
{
    float *counter = counter_of(subject, trainee);
    if (counter != NULL)
        *counter = (float)trainee->counted;
    for (uint32_t i = 0; i < subject->slots.count; i++)
        reshard_state_set_absent(train->state, subject->slots.tensor[i], false);
}

/* --- Lists --------------------------------------------------------------------------------- */

enum reshard_status subject_list_append(struct subject_list *list, const struct subject *subject)
{
    if (list->count == list->capacity) {
        const uint32_t capacity = 2 * list->capacity + 16;
        struct subject *grown = reallocarray(list->subject, capacity, sizeof(*grown));
        if (grown == NULL)
            return RESHARD_ENOMEM;
        list->subject = grown;
        list->capacity = capacity;
    }
    list->subject[list->count++] = *subject;
    return RESHARD_OK;
}

void subject_list_release(struct subject_list *list)
{
    free(list->subject);
    *list = (struct subject_list){0};
}
