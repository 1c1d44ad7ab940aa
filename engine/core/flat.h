/*
 * Flat parameters: what FSDP1 makes of the parameters of a unit that are at one stage of the
 * pipeline, flattened and concatenated, with padding where use_orig_params asks for it
 * (torch/distributed/fsdp/_flat_param.py, _init_flat_param_and_metadata, _get_shard).
 */
#ifndef RESHARD_FLAT_H
#define RESHARD_FLAT_H

#include "core/placement.h"

/* One flat parameter. */
struct flat {
    uint64_t total;       /* elements with alignment and world-size padding entries */
    uint64_t shard_count; /* elements of every rank's flat shard, its padding included */
    enum reshard_dtype dtype;
    uint32_t first;  /* the first tensor of it */
    uint32_t before; /* 1 + index of the flat parameter of the same unit before it, 0 for none */
};

/* Where a parameter lies in its flat one. */
struct flat_place {
    uint32_t number; /* 1 + index of the flat parameter, 0 for none */
    uint64_t begin;  /* its first entry */
    uint64_t count;  /* elements that a rank has of it before the flat cut */
};

struct flats {
    struct flat *flat;
    uint32_t count;
    struct flat_place *place; /* by tensor; a slot lies where its parameter does */
};

/* Local. The flat parameters of a model by its placements. EINVAL, with unit and tensors named, for
 * parameters that cannot be flattened together. */
RESHARD_MUST_CHECK enum reshard_status flats_open(struct flats *out,
                                                  const struct reshard_model *model,
                                                  const struct reshard_layout_options *options,
                                                  const struct placement *placement,
                                                  struct reshard_error *error);
void flats_close(struct flats *flats); /* accepts empty ones */

#endif
