#include "bench/workload.h"

#include "bench/bench.h"
#include "core/optimizer.h"

#include <stdio.h>

enum { BLOCKS = 21, WIDTH = 2048 };

void workload_train(struct reshard_model *model)
{
    const struct reshard_optimizer adamw = {.name = RESHARD_OPTIMIZER_ADAMW,
                                            .dtype = RESHARD_DTYPE_F32};

    bench_require(reshard_optimizer_extend(model, &adamw, NULL) == RESHARD_OK,
                  "the optimizer's state cannot be added");
}

struct reshard_model *workload_gigabyte(void)
{
    const struct reshard_shape matrix = {2, {WIDTH, WIDTH}}, vector = {1, {WIDTH}};
    struct reshard_model *model = NULL;
    bool made = reshard_model_open(&model) == RESHARD_OK;

    for (int i = 0; made && i < BLOCKS; i++) {
        char unit[32], weight[48], bias[48];
        (void)snprintf(unit, sizeof unit, "block.%d", i);
        (void)snprintf(weight, sizeof weight, "%s.weight", unit);
        (void)snprintf(bias, sizeof bias, "%s.bias", unit);
        made = !reshard_model_add(model, weight, unit, RESHARD_DTYPE_F32, &matrix, NULL) &&
               !reshard_model_add(model, bias, unit, RESHARD_DTYPE_F32, &vector, NULL);
    }
    bench_require(made, "the model cannot be made");
    workload_train(model);
    return model;
}

struct reshard_layout *workload_layout(const struct reshard_model *model,
                                       enum reshard_layout_kind kind, uint64_t ranks)
{
    const bool replicas = kind == RESHARD_LAYOUT_DDP;
    const struct reshard_layout_options options = {
        .kind = kind, .replicate = replicas ? ranks : 1, .shard = replicas ? 1 : ranks};
    struct reshard_layout *layout = NULL;

    bench_require(reshard_layout_open(&layout, model, &options, NULL) == RESHARD_OK,
                  "the layout cannot be made");
    return layout;
}
