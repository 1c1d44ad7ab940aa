/*
 * The forms of a state dict, as layouts: what PyTorch calls FULL_STATE_DICT, SHARDED_STATE_DICT and
 * LOCAL_STATE_DICT (torch/distributed/fsdp/api.py) are three ways to lie on the ranks, and the
 * exchange between ranks carries any into any other.
 *
 *   full     each tensor whole, on all ranks of the live layout or on rank 0 alone;
 *   sharded  each tensor in its original shape, cut on dimension 0 by torch.chunk's rule;
 *   local    FSDP1's flat intervals: the unit's table of contents is the model and the layout
 *            itself, so that it too is known to any number of ranks.
 *
 * Sharded and local keep the live layout's mesh, and its rules but for those of `shard`: tensors
 * whose boxes a rule gives keep them. PER_RANK entries are every rank's own in any form.
 */
#ifndef RESHARD_FORM_H
#define RESHARD_FORM_H

#include "core/layout.h"

#ifdef __cplusplus
extern "C" {
#endif

enum reshard_form { RESHARD_FORM_FULL, RESHARD_FORM_SHARDED, RESHARD_FORM_LOCAL };

/* Local. "full", "sharded", "local"; the form of such a name, false when there is none. */
const char *reshard_form_name(enum reshard_form form);
bool reshard_form_from_name(const char *name, enum reshard_form *out);

/*
 * Local. The layout that a form of a live layout's state has, for the same model and world; the
 * caller owns *out. `rank0_only` is for full. EINVAL, with the reason, where there is no such form:
 * sharded and local need tensors that FSDP2 or FSDP1 can cut so, and a layout of kind boxes has
 * neither.
 */
RESHARD_MUST_CHECK enum reshard_status reshard_form_layout(struct reshard_layout **out,
                                                           const struct reshard_layout *live,
                                                           enum reshard_form form, bool rank0_only,
                                                           struct reshard_error *error);

#ifdef __cplusplus
}
#endif

#endif
