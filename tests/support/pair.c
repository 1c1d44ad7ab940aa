#include "support/pair.h"

#include "support/sample.h"

bool pair_open(struct pair *pair, struct ranks *ranks, const struct reshard_layout_options *from,
               const struct reshard_layout_options *to, bool on_device)
{
    *pair = (struct pair){.model = sample_model(), .from = *from, .to = *to};
    if (!EXPECT(ranks, pair->model != NULL))
        return false;
    const bool source =
        side_open(&pair->source, ranks, pair->model, &pair->from, on_device, RESHARD_ROLE_COUNT);
    const bool target =
        side_open(&pair->target, ranks, pair->model, &pair->to, false, RESHARD_ROLE_COUNT);
    side_fill_all(&pair->source, PAIR_VALUES);
    return source && target && EXPECT(ranks, pair->source.tensors <= PAIR_TENSORS_MAX);
}

bool pair_unbind(struct pair *pair, struct ranks *ranks, const bool *source, const bool *target)
{
    side_close(&pair->source);
    side_close(&pair->target);
    const bool first =
        side_open_without(&pair->source, ranks, pair->model, &pair->from, false, source);
    const bool second =
        side_open_without(&pair->target, ranks, pair->model, &pair->to, false, target);
    side_fill_all(&pair->source, PAIR_VALUES);
    return first && second;
}

void pair_close(struct pair *pair)
{
    side_close(&pair->source);
    side_close(&pair->target);
    reshard_model_close(pair->model);
}

uint32_t pair_find(const struct pair *pair, struct ranks *ranks, const char *fqn, const char *slot)
{
    uint32_t tensor = 0;

    EXPECT(ranks, reshard_model_find(pair->model, fqn, slot, &tensor) == RESHARD_OK);
    return tensor;
}

uint64_t pair_wrong(const struct pair *pair, const bool *comes)
{
    uint64_t wrong = 0;

    for (uint32_t t = 0; t < pair->target.tensors; t++)
        wrong +=
            comes[t] ? side_wrong(&pair->target, t, PAIR_VALUES) : side_touched(&pair->target, t);
    return wrong;
}
