/*
 * The layout: which boxes of which tensor each holder has, as pure arithmetic over a mesh, a
 * placement for every tensor, and shapes. A holder is a rank (or the file that it writes). Every
 * rank can compute every other's boxes, so nothing is ever gathered to plan.
 *
 * Along each mesh dimension (core/mesh.h) a tensor is
 *   whole      every coordinate has the same;
 *   cut on d   dimension d is cut by torch.chunk's rule: chunks of ceil(n/W), the last ones short
 *              or empty. Cuts along several mesh dimensions nest;
 *   fixed      one coordinate alone has it: its stage of the pipeline;
 *   flat       the unit of the tensor is concatenated (with alignment and world-size padding where
 *              orig_params is set), cut into W equal intervals, and each rank has what its interval
 *              holds of the tensor.
 * or its boxes are given one by one. FORMAT.md section 4 has the rules in full; sources are
 * torch/distributed/fsdp/_flat_param.py (FSDP1), torch/distributed/tensor and
 * _fully_shard/_fsdp_param.py (FSDP2). Parameters that cannot be flattened (integers, complex,
 * bytes), buffers, and 0-dimensional tensors under FSDP2 are whole.
 *
 * *Packed local memory*: a holder's boxes of one tensor lie one after the other in one array, in
 * the order that reshard_layout_boxes() gives, each dense. For a flat tensor this is a part of the
 * flat shard; for a cut one it is the local tensor (where sections are on another dimension than
 * 0, the sections' local tensors one after the other).
 *
 * A layout is immutable and borrows its model.
 */
#ifndef RESHARD_LAYOUT_H
#define RESHARD_LAYOUT_H

#include "core/formula.h"
#include "core/model.h"

#ifdef __cplusplus
extern "C" {
#endif

struct reshard_layout;

/* FSDP1's _ShardParamInfo, with a half-open end: what one rank's flat shard has of one tensor. */
struct reshard_shard_info {
    bool in_shard;
    uint64_t offset; /* of the first element within the flat shard */
    uint64_t begin;  /* within the flattened tensor, as the rank has it after other cuts */
    uint64_t end;
};

/* A unit's flat parameter. */
struct reshard_flat_info {
    uint64_t total;           /* elements with alignment and world-size padding entries (N) */
    uint64_t shard_count;     /* elements of every rank's flat shard, its padding included (c) */
    enum reshard_dtype dtype; /* of the parameters; NONE where nothing is flattened */
};

/* Local. The options are copied. EINVAL, with the reason, for options that do not fit the model. */
RESHARD_MUST_CHECK enum reshard_status
reshard_layout_open(struct reshard_layout **out, const struct reshard_model *model,
                    const struct reshard_layout_options *options, struct reshard_error *error);
void reshard_layout_close(struct reshard_layout *layout); /* accepts NULL */

/* Local. What a layout is made of, borrowed from it; in its options all sizes are complete. */
const struct reshard_model *reshard_layout_model(const struct reshard_layout *layout);
const struct reshard_layout_options *reshard_layout_options(const struct reshard_layout *layout);

/* Local. The ranks of the world, idle ones too. */
uint64_t reshard_layout_holders(const struct reshard_layout *layout);

/* Local. Append this holder's boxes of a tensor to `out`, in the order of its packed memory. */
RESHARD_MUST_CHECK enum reshard_status reshard_layout_boxes(const struct reshard_layout *layout,
                                                            uint32_t tensor, uint64_t holder,
                                                            struct reshard_box_list *out);

/* Local. Elements of a tensor that a holder has: of its packed memory. */
uint64_t reshard_layout_local_count(const struct reshard_layout *layout, uint32_t tensor,
                                    uint64_t holder);

/*
 * Local. Shards and replicas. The holders of one tensor fall into `reshard_layout_shards()` shards,
 * which are disjoint and cover it; the holders of one shard are its replicas, numbered from 0, and
 * hold the same boxes. A holder that has no part in a tensor (idle, or of another pipeline stage)
 * is of RESHARD_SHARD_NONE. One replica of each shard is its owner, which alone writes it: chosen
 * so that bytes are balanced over the holders, from the layout alone.
 */
#define RESHARD_SHARD_NONE UINT64_MAX
uint64_t reshard_layout_shards(const struct reshard_layout *layout, uint32_t tensor);
uint64_t reshard_layout_shard_of(const struct reshard_layout *layout, uint32_t tensor,
                                 uint64_t holder);
uint64_t reshard_layout_replicas(const struct reshard_layout *layout, uint32_t tensor,
                                 uint64_t shard);
/* Local. The most replicas that any shard of the tensor has. */
uint64_t reshard_layout_replicas_most(const struct reshard_layout *layout, uint32_t tensor);
/* Local. Which replica a holder is, and which holder a replica is. The holder must have a shard. */
uint64_t reshard_layout_replica_of(const struct reshard_layout *layout, uint32_t tensor,
                                   uint64_t holder);
uint64_t reshard_layout_holder(const struct reshard_layout *layout, uint32_t tensor, uint64_t shard,
                               uint64_t replica);
uint64_t reshard_layout_owner(const struct reshard_layout *layout, uint32_t tensor, uint64_t shard);
bool reshard_layout_is_owner(const struct reshard_layout *layout, uint32_t tensor, uint64_t holder);

/* Local. No more boxes than these has a tensor in all its shards together. */
uint64_t reshard_layout_boxes_most(const struct reshard_layout *layout, uint32_t tensor);

/* Numbers of shards, in no order. */
struct reshard_shard_list {
    uint64_t count;
    uint64_t capacity;
    uint64_t *shard;
};

#define RESHARD_SHARD_LIST_INIT                                                                    \
    {                                                                                              \
        0, 0, NULL                                                                                 \
    }

/* Local. Append the shards that may hold elements of `box`: all others have none. */
RESHARD_MUST_CHECK enum reshard_status reshard_layout_overlap(const struct reshard_layout *layout,
                                                              uint32_t tensor,
                                                              const struct reshard_box *box,
                                                              struct reshard_shard_list *out);
void reshard_shard_list_release(struct reshard_shard_list *list);

/* Local. Is this tensor part of a flat parameter under this layout? */
bool reshard_layout_is_flat(const struct reshard_layout *layout, uint32_t tensor);

/* Local. The flat parameter that a flat tensor is part of (NONE for others), with its number unless
 * that is NULL, the same for all tensors of it; and what a holder's flat shard has of the tensor:
 * nothing of one that is not flat.
 */
struct reshard_flat_info reshard_layout_flat(const struct reshard_layout *layout, uint32_t tensor,
                                             uint32_t *number);
struct reshard_shard_info reshard_layout_shard_info(const struct reshard_layout *layout,
                                                    uint32_t tensor, uint64_t holder);

#ifdef __cplusplus
}
#endif

#endif
