#include "sim/arrangement.h"

#include "core/digest.h"
#include "sim/view.h"

#include <pthread.h>
#include <stdlib.h>

/* What is shared of an arrangement, and by what it is found. */
struct shared {
    struct arrangement arrangement; /* the first member */
    struct view_layout view;
    uint64_t key;
    uint64_t users;
    struct shared *next;
};

/* What the process has open. The lock is for contexts that SimGrid may run as threads. */
static struct {
    pthread_mutex_t lock;
    struct shared *first;
} opened = {PTHREAD_MUTEX_INITIALIZER, NULL};

/* What is asked for: a formula, or a form of a layout. */
struct wanted {
    const struct world *world;
    const struct reshard_layout_options *options; /* NULL: a form */
    const struct reshard_layout *live;
    enum reshard_form form;
    bool rank0_only;
};

static uint64_t key_of(const struct wanted *wanted)
{
    const struct reshard_layout_options *options =
        wanted->options ? wanted->options : reshard_layout_options(wanted->live);
    const uint64_t numbers[] = {reshard_layout_options_hash(options), wanted->options != NULL,
                                (uint64_t)wanted->form, wanted->rank0_only};
    return digest_crc(0, numbers, sizeof(numbers));
}

static void shared_close(struct shared *shared)
{
    verify_rules_close(shared->arrangement.rules);
    view_layout_release(&shared->view);
    reshard_layout_close(shared->arrangement.layout);
    free(shared);
}

static enum reshard_status open_layout(struct reshard_layout **out, const struct wanted *wanted,
                                       struct reshard_error *error)
{
    return wanted->options
               ? reshard_layout_open(out, wanted->world->job->model, wanted->options, error)
               : reshard_form_layout(out, wanted->live, wanted->form, wanted->rank0_only, error);
}

static enum reshard_status open_rules(struct shared *shared, struct reshard_error *error)
{
    struct arrangement *arrangement = &shared->arrangement;
    enum reshard_status status =
        view_of_layout(&shared->view, reshard_layout_options(arrangement->layout));
    if (!status)
        status = verify_rules_open(&arrangement->rules, &arrangement->world->inventory,
                                   &shared->view.layout, error);
    if (status != RESHARD_EINVAL)
        return status;
    reshard_error_prefix(error, "the verifier refuses what the engine accepts");
    return RESHARD_ECOVER;
}

static enum reshard_status shared_open(struct shared **out, const struct wanted *wanted,
                                       struct reshard_error *error)
{
    struct shared *shared = calloc(1, sizeof(*shared));
    if (!shared)
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory for a layout");
    shared->arrangement.world = wanted->world;
    enum reshard_status status = open_layout(&shared->arrangement.layout, wanted, error);
    if (!status)
        status = open_rules(shared, error);
    if (status) {
        shared_close(shared);
        return status;
    }
    *out = shared;
    return RESHARD_OK;
}

static struct shared *find(const struct wanted *wanted, uint64_t key)
{
    struct shared *shared = opened.first;
    while (shared && (shared->key != key || shared->arrangement.world != wanted->world))
        shared = shared->next;
    return shared;
}

static enum reshard_status acquire(const struct arrangement **out, const struct wanted *wanted,
                                   struct reshard_error *error)
{
    const uint64_t key = key_of(wanted);
    enum reshard_status status = RESHARD_OK;
    *out = NULL;
    (void)pthread_mutex_lock(&opened.lock);
    struct shared *shared = find(wanted, key);
    if (!shared) {
        status = shared_open(&shared, wanted, error);
        if (!status) {
            shared->key = key;
            shared->next = opened.first;
            opened.first = shared;
        }
    }
    if (!status) {
        shared->users++;
        *out = &shared->arrangement;
    }
    (void)pthread_mutex_unlock(&opened.lock);
    return status;
}

enum reshard_status arrangement_acquire(const struct arrangement **out, const struct world *world,
                                        const struct reshard_layout_options *options,
                                        struct reshard_error *error)
{
    const struct wanted wanted = {.world = world, .options = options};
    return acquire(out, &wanted, error);
}

enum reshard_status arrangement_acquire_form(const struct arrangement **out,
                                             const struct arrangement *live, enum reshard_form form,
                                             bool rank0_only, struct reshard_error *error)
{
    const struct wanted wanted = {
        .world = live->world, .live = live->layout, .form = form, .rank0_only = rank0_only};
    return acquire(out, &wanted, error);
}

void arrangement_release(const struct arrangement *arrangement)
{
    struct shared **at = &opened.first;
    if (!arrangement)
        return;
    (void)pthread_mutex_lock(&opened.lock);
    while (&(*at)->arrangement != arrangement)
        at = &(*at)->next;
    struct shared *shared = *at;
    shared->users--;
    if (shared->users == 0) {
        *at = shared->next;
        shared_close(shared);
    }
    (void)pthread_mutex_unlock(&opened.lock);
}
