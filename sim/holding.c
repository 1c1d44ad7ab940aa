#include "sim/holding.h"

enum reshard_status holding_open(struct holding *out, const struct arrangement *arrangement,
                                 uint64_t rank, struct reshard_error *error)
{
    *out = (struct holding){.arrangement = arrangement};
    enum reshard_status status = reshard_state_open(&out->state, arrangement->layout, rank);
    if (!status)
        status = reshard_state_allocate(out->state, error);
    if (status)
        holding_release(out);
    return status;
}

void holding_release(struct holding *holding)
{
    reshard_state_close(holding->state);
    arrangement_release(holding->arrangement);
    *holding = (struct holding){0};
}
