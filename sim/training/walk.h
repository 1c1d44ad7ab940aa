/*
 * A walk over what one rank has of a tensor, by segments: elements that are consecutive both in the
 * whole tensor and in the packed local memory of core/layout.h. Local.
 */
#ifndef RESHARD_SIM_TRAINING_WALK_H
#define RESHARD_SIM_TRAINING_WALK_H

#include "core/layout.h"

#include <stdint.h>

struct segment {
    uint64_t begin; /* in the tensor, row-major */
    uint64_t local; /* in local memory */
    uint64_t count;
};

typedef enum reshard_status walk_visitor(const struct segment *segment, void *context,
                                         struct reshard_error *error);

/* Visit all that a rank has of a tensor, in the order of local memory. Ends at the first failure of
 * the visitor; ENOMEM. */
RESHARD_MUST_CHECK enum reshard_status walk_tensor(const struct reshard_layout *layout,
                                                   uint32_t tensor, uint64_t rank,
                                                   walk_visitor *visit, void *context,
                                                   struct reshard_error *error);

#endif
