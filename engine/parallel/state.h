/*
 * A rank's state: where, in this rank's memory, its part of every tensor is. The state describes
 * memory; it does not copy it. Memory is bound by the caller, or allocated here.
 *
 * The memory of a tensor is its packed local memory under the layout (core/layout.h): for a
 * sharded tensor the local tensor, for a flat one the tensor's part of the flat shard. Padding
 * belongs to no tensor: it is never written, compared or digested.
 */
#ifndef RESHARD_STATE_H
#define RESHARD_STATE_H

#include "core/device.h"
#include "core/layout.h"

#ifdef __cplusplus
extern "C" {
#endif

struct reshard_state;

/* What to save or load, of that which checkpoints hold (not TRANSIENT buffers). */
enum reshard_part {
    RESHARD_PART_ALL,
    RESHARD_PART_MODEL,     /* all but slots */
    RESHARD_PART_OPTIMIZER, /* slots alone */
};

/* Local. A state without memory, for one rank of a layout, which it borrows. */
RESHARD_MUST_CHECK enum reshard_status
reshard_state_open(struct reshard_state **out, const struct reshard_layout *layout, uint64_t rank);

/* Local. All memory of the state is a device's, reached through these functions, which are borrowed
 * until the state is closed. Before any memory is bound; such a state cannot allocate. */
RESHARD_MUST_CHECK enum reshard_status
reshard_state_set_device(struct reshard_state *state, const struct reshard_device *device);

/*
 * Local. Describe the caller's memory of one tensor: `bytes` must be exactly its local elements'
 * (EMISMATCH names both), and `data` non-NULL unless that is 0. The memory is borrowed until the
 * state is closed. A tie's second name may be bound too, to the same memory or to memory of its
 * own: a save then makes sure that both hold the same, and a load fills both.
 */
RESHARD_MUST_CHECK enum reshard_status reshard_state_bind(struct reshard_state *state,
                                                          const char *fqn, const char *slot,
                                                          void *data, uint64_t bytes,
                                                          struct reshard_error *error);

/* Local. Allocate, zeroed and owned by the state, the memory of every tensor that is not bound. The
 * flat tensors of a unit and slot get one flat shard, with its padding, as FSDP1 has it. */
RESHARD_MUST_CHECK enum reshard_status reshard_state_allocate(struct reshard_state *state,
                                                              struct reshard_error *error);

/* Local. EINVAL, naming it, for a tensor of which this rank holds elements and has no memory. */
RESHARD_MUST_CHECK enum reshard_status reshard_state_check_tensor(const struct reshard_state *state,
                                                                  uint32_t tensor,
                                                                  struct reshard_error *error);

/* Local. The packed memory of a tensor; NULL when it has no elements here or is not bound. */
void *reshard_state_data(const struct reshard_state *state, uint32_t tensor);
uint64_t reshard_state_bytes(const struct reshard_state *state, uint32_t tensor);

/* Local. The whole flat shard that an allocated flat tensor is part of, padding included; NULL (and
 * 0 bytes) for others. */
void *reshard_state_flat(const struct reshard_state *state, uint32_t tensor, uint64_t *bytes);

/*
 * Local. Whether a slot is there. A new state has all of them. An absent slot is a fact that
 * checkpoints record and a load or an exchange brings along: its memory, which it may have or not,
 * is neither read nor written. Ranks that hold elements of a slot must agree on it; one that holds
 * none of them has no say. No effect on what is no slot.
 */
void reshard_state_set_absent(struct reshard_state *state, uint32_t tensor, bool absent);
bool reshard_state_is_absent(const struct reshard_state *state, uint32_t tensor);

/* Local. The device of the state's memory, NULL for host memory. */
const struct reshard_device *reshard_state_device(const struct reshard_state *state);

/* Local. For ties of the tensors that `chosen` marks (NULL: of all) whose second name has memory of
 * its own: EMISMATCH, naming both, where they do not hold the same; and make them hold the same, as
 * the first has it. Up to 1 MiB of memory. */
RESHARD_MUST_CHECK enum reshard_status reshard_state_check_ties(const struct reshard_state *state,
                                                                const bool *chosen,
                                                                struct reshard_error *error);
RESHARD_MUST_CHECK enum reshard_status reshard_state_fill_ties(const struct reshard_state *state,
                                                               const bool *chosen);

/* Local. Whether all that this rank holds of a part has memory, absent slots aside: EINVAL names a
 * tensor that has not. */
RESHARD_MUST_CHECK enum reshard_status reshard_state_check(const struct reshard_state *state,
                                                           enum reshard_part part,
                                                           struct reshard_error *error);

const struct reshard_layout *reshard_state_layout(const struct reshard_state *state);
uint64_t reshard_state_rank(const struct reshard_state *state);

/* Local. Whether a tensor belongs to a part. */
bool reshard_part_has(enum reshard_part part, const struct reshard_tensor *tensor);

void reshard_state_close(struct reshard_state *state); /* accepts NULL */

#ifdef __cplusplus
}
#endif

#endif
