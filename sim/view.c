#include "sim/view.h"

#include <stdlib.h>
#include <string.h>

static enum reshard_status view_of_tensor(struct verify_tensor *out,
                                          const struct reshard_model *model, uint32_t index)
{
    const struct reshard_tensor *tensor = reshard_model_tensor(model, index);
    *out = (struct verify_tensor){
        .fqn = tensor->fqn,
        .slot = tensor->slot,
        .dtype = tensor->dtype,
        .ndim = tensor->shape.ndim,
        .unit = tensor->unit,
        .like = tensor->like != RESHARD_LIKE_NONE,
    };
    for (uint32_t d = 0; d < tensor->shape.ndim; d++)
        out->shape[d] = tensor->shape.size[d];
    return reshard_model_find(model, tensor->fqn, "", &out->parameter);
}

enum reshard_status view_of_model(struct verify_inventory *out, const struct reshard_model *model)
{
    const uint32_t count = reshard_model_tensor_count(model);
    memset(out, 0, sizeof(*out));
    out->unit_count = reshard_model_unit_count(model);
    out->tensor = calloc((size_t)count + 1, sizeof(*out->tensor));
    if (!out->tensor)
        return RESHARD_ENOMEM;
    out->tensor_count = count;
    for (uint32_t i = 0; i < count; i++) {
        enum reshard_status status = view_of_tensor(&out->tensor[i], model, i);
        if (status) {
            view_release(out);
            return status;
        }
    }
    return RESHARD_OK;
}

void view_release(struct verify_inventory *inventory)
{
    free(inventory->tensor);
    memset(inventory, 0, sizeof(*inventory));
}

struct verify_layout view_of_layout(const struct reshard_layout_options *options)
{
    static const enum verify_layout_kind kinds[] = {
        [RESHARD_LAYOUT_FSDP1] = VERIFY_FSDP1,
        [RESHARD_LAYOUT_FSDP2] = VERIFY_FSDP2,
        [RESHARD_LAYOUT_DDP] = VERIFY_DDP,
    };
    const uint64_t replicate = options->replicate ? options->replicate : 1;
    const uint64_t shard = options->shard ? options->shard : 1;

    return (struct verify_layout){
        .kind = kinds[options->kind],
        .world = replicate * shard,
        .mesh = {1, replicate, shard, 1, 1},
        .orig_params = options->orig_params,
        .forward = options->forward,
        .owner = -1,
    };
}

struct verify_optimizer view_of_optimizer(const struct reshard_optimizer *optimizer)
{
    return (struct verify_optimizer){
        .name = optimizer->name == RESHARD_OPTIMIZER_ADAMW ? VERIFY_ADAMW : VERIFY_OPTIMIZER_NONE,
        .lr = optimizer->lr,
        .beta1 = optimizer->beta1,
        .beta2 = optimizer->beta2,
        .eps = optimizer->eps,
        .weight_decay = optimizer->weight_decay,
        .state = optimizer->dtype,
    };
}
