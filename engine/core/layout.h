/*
 * The layout: which boxes of which tensor each holder has, as pure arithmetic over a mesh, a
 * placement for every tensor, and shapes. A holder is a rank (or the file that it writes). Every
 * rank can compute every other's boxes, so nothing is ever gathered to plan.
 *
 * A mesh is an ordered list of named dimensions of ranks, the last one fastest. Along each mesh
 * dimension a tensor is
 *   replicated        every coordinate holds the same;
 *   sharded on d      dimension d is cut by torch.chunk's rule: chunks of ceil(n/W), the last
 *                     ones short or empty;
 *   flat              the unit of the tensor is concatenated (with alignment and world-size padding
 *                     where orig_params is set), cut into W equal intervals, and each rank has what
 *                     its interval holds of the tensor.
 * Rules: torch/distributed/fsdp/_flat_param.py (FSDP1), torch/distributed/tensor and
 * _fully_shard/_fsdp_param.py (FSDP2). Parameters that cannot be flattened (integers, complex,
 * bytes) and 0-dimensional ones under FSDP2 are replicated.
 *
 * *Packed local memory*: a holder's boxes of one tensor lie one after the other in one array, in
 * the order that reshard_layout_boxes() gives, each dense. For a flat tensor this is a part of the
 * flat shard; for a sharded one it is the local tensor.
 *
 * A layout is immutable and borrows its model.
 */
#ifndef RESHARD_LAYOUT_H
#define RESHARD_LAYOUT_H

#include "core/model.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    RESHARD_MESH_DIMS_MAX = 8,
    RESHARD_MESH_RANKS_MAX = 1 << 20, /* of a mesh: more are not believed */
};

enum reshard_layout_kind {
    RESHARD_LAYOUT_FSDP1, /* flat parameters over the mesh dimension "shard" */
    RESHARD_LAYOUT_FSDP2, /* every parameter sharded on dimension 0 over "shard" */
    RESHARD_LAYOUT_DDP,   /* everything replicated */
};

/* The formula: all that a layout is made of besides the model. Zero is the default throughout. */
struct reshard_layout_options {
    enum reshard_layout_kind kind;
    uint64_t replicate;         /* size of the mesh dimension "replicate"; 0 means 1 */
    uint64_t shard;             /* size of the mesh dimension "shard"; 0 means 1; DDP has none */
    bool orig_params;           /* FSDP1's use_orig_params: alignment and world-size padding */
    enum reshard_dtype forward; /* FSDP1: the forward dtype that sets the alignment (16 bytes of
                                   it); NONE: each unit's own dtype */
};

struct reshard_layout;

/* FSDP1's _ShardParamInfo, with a half-open end: what one rank's flat shard has of one tensor. */
struct reshard_shard_info {
    bool in_shard;
    uint64_t offset; /* of the first element within the flat shard */
    uint64_t begin;  /* within the flattened tensor */
    uint64_t end;
};

/* A unit's flat parameter. */
struct reshard_flat_info {
    uint64_t total;           /* elements with alignment and world-size padding entries (N) */
    uint64_t shard_count;     /* elements of every rank's flat shard, its padding included (c) */
    enum reshard_dtype dtype; /* of the parameters; NONE for a unit that flattens nothing */
};

/* torch.chunk: the piece of rank `index` when [0, size) is cut for `count` ranks. */
struct reshard_chunk {
    uint64_t begin;
    uint64_t end;
};
struct reshard_chunk reshard_chunk(uint64_t size, uint64_t count, uint64_t index);

/* Local. The name of a kind ("fsdp1"); the kind of a name, false when there is none. */
const char *reshard_layout_kind_name(enum reshard_layout_kind kind);
bool reshard_layout_kind_from_name(const char *name, enum reshard_layout_kind *out);

/* Local. EINVAL, with the reason, for options that do not fit the model: dtypes that differ
 * within a unit that is to be flattened, a mesh of more than RESHARD_MESH_RANKS_MAX ranks. */
RESHARD_MUST_CHECK enum reshard_status
reshard_layout_open(struct reshard_layout **out, const struct reshard_model *model,
                    const struct reshard_layout_options *options, struct reshard_error *error);
void reshard_layout_close(struct reshard_layout *layout); /* accepts NULL */

const struct reshard_model *reshard_layout_model(const struct reshard_layout *layout);
const struct reshard_layout_options *reshard_layout_options(const struct reshard_layout *layout);
uint64_t reshard_layout_holders(const struct reshard_layout *layout);

/* Local. Append this holder's boxes of a tensor to `out`, in the order of its packed memory. */
RESHARD_MUST_CHECK enum reshard_status reshard_layout_boxes(const struct reshard_layout *layout,
                                                            uint32_t tensor, uint64_t holder,
                                                            struct reshard_box_list *out);

/* Local. Elements of a tensor that a holder has: of its packed memory. */
uint64_t reshard_layout_local_count(const struct reshard_layout *layout, uint32_t tensor,
                                    uint64_t holder);

/*
 * Shards and replicas. The holders of one tensor fall into `reshard_layout_shards()` shards; the
 * holders of one shard are its replicas and hold the same boxes. One replica of each is its owner,
 * which alone writes it: chosen so that bytes are balanced over the holders, from the layout
 * alone.
 */
uint64_t reshard_layout_shards(const struct reshard_layout *layout, uint32_t tensor);
uint64_t reshard_layout_shard_of(const struct reshard_layout *layout, uint32_t tensor,
                                 uint64_t holder);
uint64_t reshard_layout_owner(const struct reshard_layout *layout, uint32_t tensor, uint64_t shard);

/* Local. Bit i is set when mesh dimension i cuts the tensor. Holders that agree in every mesh
 * coordinate whose bit is clear form a *replica set*: together they hold the tensor once. */
uint32_t reshard_layout_cut_mask(const struct reshard_layout *layout, uint32_t tensor);

/* Local. The replica set of a holder under a mask of cut dimensions: a number below the product of
 * the other dimensions' sizes. */
uint64_t reshard_layout_replica_set(const struct reshard_layout *layout, uint32_t cut_mask,
                                    uint64_t holder);

/* Local. The shards that may hold elements of `box`: all others have none. [*begin, *end). */
void reshard_layout_overlap(const struct reshard_layout *layout, uint32_t tensor,
                            const struct reshard_box *box, uint64_t *begin, uint64_t *end);

/* Local. Is this tensor part of a flat parameter under this layout? */
bool reshard_layout_is_flat(const struct reshard_layout *layout, uint32_t tensor);

/* Local. FSDP1 only: a unit's flat parameter; what a holder's flat shard has of a flat tensor. */
struct reshard_flat_info reshard_layout_flat(const struct reshard_layout *layout, uint32_t unit);
struct reshard_shard_info reshard_layout_shard_info(const struct reshard_layout *layout,
                                                    uint32_t tensor, uint64_t holder);

#ifdef __cplusplus
}
#endif

#endif
