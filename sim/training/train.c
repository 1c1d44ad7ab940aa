#include "sim/training/train.h"

#include "parallel/group.h"
#include "sim/training/adafactor.h"
#include "sim/training/adam8bit.h"
#include "sim/training/elementwise.h"
#include "sim/training/initial.h"
#include "sim/training/subject.h"
#include "sim/training/walk.h"
#include "sim/training/whole.h"

#include <stdlib.h>
#include <string.h>

enum { FETCH_BYTES = 64 << 20 };

static const struct reshard_model *model_of(const struct train *train)
{
    return reshard_layout_model(reshard_state_layout(train->state));
}

/* --- Step 0 -------------------------------------------------------------------------------- */

static enum reshard_status tensor_begin(const struct train *train, uint32_t tensor,
                                        const struct safetensors *file, struct reshard_error *error)
{
    const struct initial initial = {reshard_state_layout(train->state), tensor,
                                    reshard_state_rank(train->state),
                                    reshard_state_data(train->state, tensor)};
    const enum reshard_status status = reshard_state_check_tensor(train->state, tensor, error);
    if (status)
        return status;
    return file != NULL ? initial_file(&initial, file, error)
                        : initial_random(&initial, train->seed, error);
}

enum reshard_status train_begin(const struct train *train, const struct safetensors *file,
                                struct reshard_error *error)
{
    const struct reshard_model *model = model_of(train);
    enum reshard_status status = RESHARD_OK;
    for (uint32_t t = 0; t < reshard_model_tensor_count(model) && !status; t++) {
        if (reshard_tensor_is_slot(reshard_model_tensor(model, t)))
            reshard_state_set_absent(train->state, t, true);
        else
            status = tensor_begin(train, t, file, error);
    }
    return status;
}

/* --- A parameter in this rank's memory ----------------------------------------------------- */

/* Blocks [begin, end) are those that matter to this rank. */
static enum reshard_status reduce(const struct trainee *trainee, uint64_t begin, uint64_t end,
                                  struct reshard_error *error)
{
    if (trainee->by == RESHARD_OPTIMIZER_ADAFACTOR)
        return adafactor_step(trainee, error);
    adam8bit_step(trainee, begin, end);
    return RESHARD_OK;
}

static enum reshard_status step_alone(const struct train *train, const struct subject *subject,
                                      uint64_t step, struct reshard_error *error)
{
    const struct reshard_layout *layout = reshard_state_layout(train->state);
    struct trainee trainee;
    enum reshard_status status = subject_open(&trainee, train, subject, step, error);
    if (status)
        return status;
    if (!trainee_rule_reduces(trainee.by))
        status = elementwise_step(&trainee, layout, subject->parameter,
                                  reshard_state_rank(train->state), error);
    else if (trainee.value.data != NULL)
        status = reduce(&trainee, 0, UINT64_MAX, error);
    if (!status)
        subject_close(&trainee, train, subject);
    return status;
}

/* --- Parameters of which ranks lack something ---------------------------------------------- */

/* Blocks that a rank has something of. */
struct hull {
    uint64_t size; /* elements of a block; 1 where scales are walked, of which each is a block's */
    uint64_t begin;
    uint64_t end;
};

static enum reshard_status segment_hull(const struct segment *segment, void *context,
                                        struct reshard_error *error)
{
    (void)error;
    struct hull *hull = context;
    const uint64_t first = segment->begin / hull->size;
    const uint64_t last = (segment->begin + segment->count - 1) / hull->size;
    hull->begin = first < hull->begin ? first : hull->begin;
    hull->end = last >= hull->end ? last + 1 : hull->end;
    return RESHARD_OK;
}

/* From the first to the last block of which this rank has an element or a scale. */
static enum reshard_status hull_of(struct hull *out, const struct train *train,
                                   const struct subject *subject, struct reshard_error *error)
{
    const struct reshard_layout *layout = reshard_state_layout(train->state);
    const uint64_t rank = reshard_state_rank(train->state);
    enum reshard_status status = RESHARD_OK;
    uint64_t size = 1;
    *out = (struct hull){1, UINT64_MAX, 0};
    for (uint32_t i = 0; i < subject->slots.count && !status; i++) {
        const uint32_t tensor = subject->slots.tensor[i];
        const struct reshard_tensor *slot = reshard_model_tensor(model_of(train), tensor);
        if (slot->slot_class != RESHARD_CLASS_BLOCKWISE)
            continue;
        size = slot->block;
        status = walk_tensor(layout, tensor, rank, segment_hull, out, error);
    }
    out->size = size;
    if (!status)
        status = walk_tensor(layout, subject->parameter, rank, segment_hull, out, error);
    return status;
}

static void use_whole(struct stored *stored, const struct whole *whole, uint32_t tensor)
{
    stored->data = whole_data(whole, tensor);
    stored->fresh = whole_is_absent(whole, tensor);
}

static enum reshard_status put_back(const struct whole *whole, const struct subject *subject,
                                    struct reshard_error *error)
{
    enum reshard_status status = whole_put_back(whole, subject->parameter, error);
    for (uint32_t i = 0; i < subject->slots.count && !status; i++)
        if (i != subject->slots.step)
            status = whole_put_back(whole, subject->slots.tensor[i], error);
    return status;
}

/* The step of a parameter that was fetched. Local. */
static enum reshard_status step_fetched(const struct train *train, const struct subject *subject,
                                        const struct whole *whole, uint64_t step,
                                        struct reshard_error *error)
{
    struct trainee trainee;
    struct hull hull;
    enum reshard_status status = subject_open(&trainee, train, subject, step, error);
    if (status)
        return status;
    if (subject_is_here(train, subject)) {
        struct trainee copy = trainee;
        use_whole(&copy.value, whole, subject->parameter);
        for (uint32_t i = 0; i < copy.slot_count; i++)
            use_whole(&copy.slot[i], whole, subject->slots.tensor[i]);
        status = hull_of(&hull, train, subject, error);
        if (!status)
            status = reduce(&copy, hull.begin, hull.end, error);
        if (!status)
            status = put_back(whole, subject, error);
    }
    if (!status)
        subject_close(&trainee, train, subject);
    return status;
}

/* --- A step of all ------------------------------------------------------------------------- */

/* What a call of train_steps() has at hand. */
struct run {
    const struct train *train;
    struct reshard_group *group;
    struct whole *whole; /* NULL until something must be fetched */
    bool agreed;         /* a failure is all ranks' already */
};

/* Step a parameter that needs nothing of other ranks; another is listed, once it is known that its
 * count is right. Local. */
static enum reshard_status step_or_list(const struct train *train, uint32_t parameter,
                                        uint64_t step, struct subject_list *parted,
                                        struct reshard_error *error)
{
    struct subject subject;
    struct trainee trainee;
    bool is_parted = false;
    enum reshard_status status = subject_of(&subject, train, parameter, error);
    if (!status)
        status = subject_is_parted(&is_parted, train, &subject);
    if (status)
        return status;
    if (!is_parted)
        return step_alone(train, &subject, step, error);
    status = subject_open(&trainee, train, &subject, step, error);
    return status ? status : subject_list_append(parted, &subject);
}

static enum reshard_status step_by_itself(const struct train *train, uint64_t step,
                                          struct subject_list *parted, struct reshard_error *error)
{
    enum reshard_status status = RESHARD_OK;
    for (uint32_t t = 0; t < reshard_model_tensor_count(model_of(train)) && !status; t++)
        if (subject_takes_part(train, t, step))
            status = step_or_list(train, t, step, parted, error);
    return status;
}

/* How many of the subjects are fetched together: at least one. The same on all ranks. */
static uint32_t batch_of(const struct train *train, const struct subject *subject, uint32_t count)
{
    const uint64_t most = train->fetch_bytes ? train->fetch_bytes : FETCH_BYTES;
    uint64_t sum = subject_bytes(train, subject);
    for (uint32_t i = 1; i < count; i++) {
        const uint64_t bytes = subject_bytes(train, &subject[i]);
        if (sum > most || bytes > most - sum)
            return i;
        sum += bytes;
    }
    return count;
}

/* [collective] */
static enum reshard_status fetch(struct run *run, const struct subject *subject, uint32_t count,
                                 struct reshard_error *error)
{
    uint32_t *parameter = calloc(count, sizeof(*parameter));
    enum reshard_status status =
        reshard_group_agree(run->group, parameter != NULL ? RESHARD_OK : RESHARD_ENOMEM, error);
    for (uint32_t i = 0; i < count && !status; i++)
        parameter[i] = subject[i].parameter;
    if (!status)
        status = whole_fetch(run->whole, run->group, parameter, count, error);
    free(parameter);
    return status;
}

/* [collective] Step what was listed, batch by batch. */
static enum reshard_status step_parted(struct run *run, const struct subject_list *parted,
                                       uint64_t step, struct reshard_error *error)
{
    const struct train *train = run->train;
    enum reshard_status status = RESHARD_OK;
    for (uint32_t done = 0; done < parted->count && !status;) {
        const struct subject *subject = parted->subject + done;
        const uint32_t count = batch_of(train, subject, parted->count - done);
        status = fetch(run, subject, count, error);
        if (status)
            return status;
        for (uint32_t i = 0; i < count && !status; i++)
            status = step_fetched(train, &subject[i], run->whole, step, error);
        status = reshard_group_agree(run->group, status, error);
        done += count;
    }
    return status;
}

static enum reshard_status run_step(struct run *run, uint64_t step, struct reshard_error *error)
{
    struct subject_list parted = {0};
    enum reshard_status status = step_by_itself(run->train, step, &parted, error);
    if (!status && parted.count > 0 && run->group == NULL)
        status = reshard_error_set(error, RESHARD_EINVAL,
                                   "%s of a part needs the ranks that have the rest",
                                   reshard_optimizer_name_text(run->train->optimizer->name));
    if (!status && parted.count > 0) {
        if (run->whole == NULL)
            status = whole_open(&run->whole, run->train->state, error);
        status = reshard_group_agree(run->group, status, error);
        if (!status)
            status = step_parted(run, &parted, step, error);
        run->agreed = status != RESHARD_OK;
    }
    subject_list_release(&parted);
    return status;
}

enum reshard_status train_steps(const struct train *train, struct reshard_group *group,
                                uint64_t first, uint64_t count, struct reshard_error *error)
{
    struct run run = {train, group, NULL, false};
    enum reshard_status status = RESHARD_OK;
    if (train->optimizer->name == RESHARD_OPTIMIZER_NONE)
        status = reshard_error_set(error, RESHARD_EINVAL,
                                   "there is no optimizer to train with: give one, as in adamw");
    for (uint64_t i = 0; i < count && !status; i++)
        status = run_step(&run, first + i, error);
    whole_close(run.whole);
    return group != NULL && !run.agreed ? reshard_group_agree(group, status, error) : status;
}
