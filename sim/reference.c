#include "sim/reference.h"

#include "sim/view.h"

#include <pthread.h>
#include <stdlib.h>

struct reference {
    const struct world *world;
    uint64_t step;
    struct verify_oracle *oracle;
    uint64_t users;
    struct reference *next;
};

/* What the process has open: ranks that are ahead may be at another step already. The lock is for
 * contexts that SimGrid may run as threads. */
static struct {
    pthread_mutex_t lock;
    struct reference *first;
} opened = {PTHREAD_MUTEX_INITIALIZER, NULL};

static enum reshard_status oracle_open(struct verify_oracle **out, const struct world *world,
                                       uint64_t step, struct reshard_error *error)
{
    struct view_optimizer view;
    enum reshard_status status = view_of_optimizer(&view, &world->job->optimizer);
    if (status)
        return reshard_error_set(error, status, "no memory for the optimizer");
    const struct verify_oracle_options options = {
        .inventory = &world->inventory,
        .optimizer = view.optimizer,
        .seed = world->job->seed,
        .step = step,
        .safetensors = world->job->safetensors,
    };
    status = verify_oracle_open(out, &options, error);
    view_optimizer_release(&view);
    return status;
}

static enum reshard_status reference_open(struct reference **out, const struct world *world,
                                          uint64_t step, struct reshard_error *error)
{
    struct reference *reference = calloc(1, sizeof(*reference));
    if (!reference)
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory for the reference state");
    *reference = (struct reference){.world = world, .step = step, .next = opened.first};
    const enum reshard_status status = oracle_open(&reference->oracle, world, step, error);
    if (status) {
        free(reference);
        return status;
    }
    opened.first = reference;
    *out = reference;
    return RESHARD_OK;
}

enum reshard_status reference_acquire(const struct verify_oracle **out, const struct world *world,
                                      uint64_t step, struct reshard_error *error)
{
    enum reshard_status status = RESHARD_OK;
    *out = NULL;
    (void)pthread_mutex_lock(&opened.lock);
    struct reference *reference = opened.first;
    while (reference && (reference->world != world || reference->step != step))
        reference = reference->next;
    if (!reference)
        status = reference_open(&reference, world, step, error);
    if (!status) {
        reference->users++;
        *out = reference->oracle;
    }
    (void)pthread_mutex_unlock(&opened.lock);
    return status;
}

void reference_release(const struct verify_oracle *oracle)
{
    struct reference **at = &opened.first;
    if (!oracle)
        return;
    (void)pthread_mutex_lock(&opened.lock);
    while ((*at)->oracle != oracle)
        at = &(*at)->next;
    struct reference *reference = *at;
    reference->users--;
    if (reference->users == 0) {
        *at = reference->next;
        verify_oracle_close(reference->oracle);
        free(reference);
    }
    (void)pthread_mutex_unlock(&opened.lock);
}
