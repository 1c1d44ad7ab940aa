#include "support/shard.h"

#include <check.h>

#include <stdlib.h>
#include <string.h>

void shard_open(struct shard *shard, const struct reshard_layout *layout, uint64_t rank,
                const struct reshard_optimizer *optimizer)
{
    const struct reshard_model *model = reshard_layout_model(layout);
    struct reshard_error error = RESHARD_ERROR_INIT;
    memset(shard, 0, sizeof(*shard));
    ck_assert_uint_le(reshard_model_tensor_count(model), SHARD_TENSORS_MAX);
    ck_assert_int_eq(reshard_state_open(&shard->train.state, layout, rank), RESHARD_OK);
    for (uint32_t t = 0; t < reshard_model_tensor_count(model); t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
        const uint64_t bytes = reshard_state_bytes(shard->train.state, t);
        shard->data[t] = bytes ? malloc(bytes) : NULL;
        if (bytes)
            memset(shard->data[t], 0xa5, bytes);
        ck_assert_int_eq(reshard_state_bind(shard->train.state, tensor->fqn, tensor->slot,
                                            shard->data[t], bytes, &error),
                         RESHARD_OK);
    }
    shard->train.optimizer = optimizer;
    shard->train.seed = shard_seed;
}

void shard_close(struct shard *shard)
{
    reshard_state_close(shard->train.state);
    for (int t = 0; t < SHARD_TENSORS_MAX; t++)
        free(shard->data[t]);
}

struct reshard_layout *shard_layout(const struct reshard_model *model,
                                    enum reshard_layout_kind kind, uint64_t ranks)
{
    const struct reshard_layout_options options = {
        .kind = kind,
        .replicate = kind == RESHARD_LAYOUT_DDP ? ranks : 1,
        .shard = kind == RESHARD_LAYOUT_DDP ? 1 : ranks,
    };
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_layout *layout = NULL;
    ck_assert_msg(reshard_layout_open(&layout, model, &options, &error) == RESHARD_OK, "%s",
                  error.text);
    return layout;
}

void shard_model_add(struct reshard_model *model, const char *fqn, const char *unit,
                     enum reshard_dtype dtype, struct reshard_shape shape)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    ck_assert_msg(reshard_model_add(model, fqn, unit, dtype, &shape, &error) == RESHARD_OK, "%s",
                  error.text);
}

struct reshard_model *shard_model_of(enum reshard_dtype dtype, struct reshard_shape shape,
                                     const struct reshard_optimizer *optimizer)
{
    struct reshard_model *model = NULL;
    struct reshard_error error = RESHARD_ERROR_INIT;
    ck_assert_int_eq(reshard_model_open(&model), RESHARD_OK);
    shard_model_add(model, "w", "", dtype, shape);
    if (optimizer)
        ck_assert_int_eq(reshard_optimizer_extend(model, optimizer, &error), RESHARD_OK);
    return model;
}

struct reshard_model *shard_model(enum reshard_dtype dtype,
                                  const struct reshard_optimizer *optimizer)
{
    return shard_model_of(dtype, (struct reshard_shape){1, {SHARD_ELEMENTS}}, optimizer);
}

void shard_train(struct shard *shard, uint64_t count)
{
    struct reshard_error error = RESHARD_ERROR_INIT;
    ck_assert_int_eq(train_begin(&shard->train, NULL, &error), RESHARD_OK);
    if (count > 0)
        ck_assert_msg(train_steps(&shard->train, NULL, 1, count, &error) == RESHARD_OK, "%s",
                      error.text);
}
