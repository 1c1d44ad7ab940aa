#include "sim/holding.h"

#include <stdlib.h>

enum reshard_status holding_open(struct holding *out, const struct arrangement *arrangement,
                                 uint64_t rank, struct reshard_error *error)
{
    const uint32_t count = reshard_model_tensor_count(reshard_layout_model(arrangement->layout));
    *out = (struct holding){.arrangement = arrangement};
    out->data = calloc((size_t)count + 1, sizeof(*out->data));
    enum reshard_status status = out->data ? RESHARD_OK : RESHARD_ENOMEM;
    if (!status)
        status = reshard_state_open(&out->state, arrangement->layout, rank);
    if (!status)
        status = reshard_state_allocate(out->state, error);
    for (uint32_t t = 0; !status && t < count; t++)
        out->data[t] = reshard_state_data(out->state, t);
    if (status)
        holding_release(out);
    return status;
}

void holding_release(struct holding *holding)
{
    free(holding->data);
    reshard_state_close(holding->state);
    arrangement_release(holding->arrangement);
    *holding = (struct holding){0};
}
