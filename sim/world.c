#include "sim/world.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

static enum reshard_status describe_tensor(struct verify_tensor *out,
                                           const struct reshard_model *model, uint32_t tensor)
{
    const struct reshard_tensor *entry = reshard_model_tensor(model, tensor);
    uint32_t parameter;
    enum reshard_status status = reshard_model_find(model, entry->fqn, "", &parameter);
    if (status)
        return status;
    *out = (struct verify_tensor){
        .fqn = entry->fqn,
        .slot = entry->slot,
        .dtype = entry->dtype,
        .ndim = entry->shape.ndim,
        .unit = entry->unit,
        .parameter = parameter,
        .like = entry->like != RESHARD_LIKE_NONE,
    };
    for (uint32_t d = 0; d < entry->shape.ndim; d++)
        out->shape[d] = entry->shape.size[d];
    return RESHARD_OK;
}

/* The verifier takes plain arrays: it shares no code with what it judges. */
static enum reshard_status describe_model(struct verify_inventory *out,
                                          const struct reshard_model *model)
{
    const uint32_t count = reshard_model_tensor_count(model);
    out->tensor_count = count;
    out->unit_count = reshard_model_unit_count(model);
    out->tensor = calloc((size_t)count + 1, sizeof(*out->tensor));
    if (!out->tensor)
        return RESHARD_ENOMEM;
    for (uint32_t t = 0; t < count; t++) {
        enum reshard_status status = describe_tensor(&out->tensor[t], model, t);
        if (status)
            return status;
    }
    return RESHARD_OK;
}

static struct verify_layout describe_layout(const struct reshard_layout_options *options)
{
    static const enum verify_layout_kind kinds[] = {
        [RESHARD_LAYOUT_FSDP1] = VERIFY_FSDP1,
        [RESHARD_LAYOUT_FSDP2] = VERIFY_FSDP2,
        [RESHARD_LAYOUT_DDP] = VERIFY_DDP,
    };
    return (struct verify_layout){
        .kind = kinds[options->kind],
        .replicate = options->replicate ? options->replicate : 1,
        .shard = options->shard ? options->shard : 1,
        .orig_params = options->orig_params,
        .forward = options->forward,
    };
}

static enum reshard_status open_layouts(struct world *world, struct reshard_error *error)
{
    const struct job *job = world->job;
    const struct verify_layout judged = describe_layout(&job->layout);
    enum reshard_status status =
        reshard_layout_open(&world->layout, job->model, &job->layout, error);
    if (status)
        return status;
    if (reshard_layout_holders(world->layout) != job->ranks)
        return reshard_error_set(error, RESHARD_EMISMATCH,
                                 "the job is for %" PRIu64 " ranks, its layout for %" PRIu64,
                                 job->ranks, reshard_layout_holders(world->layout));
    status = describe_model(&world->inventory, job->model);
    if (status)
        return status;
    return verify_rules_open(&world->rules, &world->inventory, &judged, error);
}

static void world_close(struct world *world)
{
    verify_rules_close(world->rules);
    free(world->inventory.tensor);
    safetensors_close(world->safetensors);
    reshard_layout_close(world->layout);
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
        status = open_layouts(world, error);
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
