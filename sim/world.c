#include "sim/world.h"

#include "sim/param_groups.h"
#include "sim/view.h"

#include <pthread.h>
#include <stdlib.h>

static void world_close(struct world *world)
{
    reshard_groups_close(world->groups);
    view_release(&world->inventory);
    safetensors_close(world->safetensors);
    job_close(world->job);
    free(world);
}

static enum reshard_status world_open(struct world **out, const char *path,
                                      struct reshard_error *error)
{
    *out = NULL;
    struct world *world = calloc(1, sizeof(*world));
    if (!world)
        return reshard_error_set(error, RESHARD_ENOMEM, "%s: no memory for the job", path);
    enum reshard_status status = job_read(&world->job, path, error);
    if (!status)
        status = view_of_model(&world->inventory, world->job->model);
    if (!status)
        status =
            param_groups_open(&world->groups, world->job->model, &world->job->optimizer, error);
    if (!status && world->job->safetensors)
        status = safetensors_open(&world->safetensors, world->job->safetensors, error);
    if (status) {
        world_close(world);
        return status;
    }
    *out = world;
    return RESHARD_OK;
}

/* What the process has open. The lock is for contexts that SimGrid may run as threads. */
static struct {
    pthread_mutex_t lock;
    struct world *world;
    uint64_t users;
} shared = {PTHREAD_MUTEX_INITIALIZER, NULL, 0};

enum reshard_status world_acquire(const struct world **out, const char *path,
                                  struct reshard_error *error)
{
    enum reshard_status status = RESHARD_OK;
    *out = NULL;
    (void)pthread_mutex_lock(&shared.lock);
    if (shared.users == 0)
        status = world_open(&shared.world, path, error);
    if (!status) {
        shared.users++;
        *out = shared.world;
    }
    (void)pthread_mutex_unlock(&shared.lock);
    return status;
}

void world_release(const struct world *world)
{
    if (!world)
        return;
    (void)pthread_mutex_lock(&shared.lock);
    shared.users--;
    if (shared.users == 0) {
        world_close(shared.world);
        shared.world = NULL;
    }
    (void)pthread_mutex_unlock(&shared.lock);
}
