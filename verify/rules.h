/*
 * The layout rules, walked: which rank holds which element, and where in its memory. The rules are
 * applied by counting through a tensor's rows, or through a unit's flat positions, in order; there
 * is no box, no intersection and no formula for where a rank's interval begins. So this is slower
 * than arithmetic and shares no mistake with it.
 *
 * Rules: FORMAT.md section 4. torch.chunk cuts n entries for W ranks in chunks of ceil(n/W), the
 * last ones short or empty. FSDP1 cuts a unit's flat parameter so, FSDP2 dimension 0 of each
 * tensor.
 *
 * An opened set of rules is immutable, borrows the inventory, and may be shared by threads; a walk
 * belongs to one thread.
 */
#ifndef VERIFY_RULES_H
#define VERIFY_RULES_H

#include "verify/inventory.h"

enum verify_layout_kind { VERIFY_FSDP1, VERIFY_FSDP2, VERIFY_DDP };

struct verify_layout {
    enum verify_layout_kind kind;
    uint64_t replicate; /* size of the mesh dimension, 1 or more */
    uint64_t shard;     /* likewise; 1 for ddp. Rank = replicate coordinate * shard + coordinate */
    bool orig_params;   /* FSDP1: padding for alignment and to a multiple of the shard size */
    enum reshard_dtype
        forward; /* FSDP1: the dtype that sets the alignment; NONE: each unit's own */
};

/* The coordinate of a run that every shard coordinate holds. */
#define VERIFY_EVERY_SHARD UINT64_MAX

/* Elements [begin, end) of a tensor lie one after the other, from index `local`, in the memory of
 * the ranks of shard coordinate `shard`: in their local tensor, or, under FSDP1, in the whole flat
 * shard of the tensor's unit, in elements. */
struct verify_run {
    uint64_t begin;
    uint64_t end;
    uint64_t shard;
    uint64_t local;
};

struct verify_rules;

/* A position in a tensor: how far the count has come. Made by verify_walk_begin() alone. */
struct verify_walk {
    uint64_t element; /* the next element */
    uint64_t elements;
    uint64_t step;   /* elements that one count stands for: of a row, or 1 in a flat parameter */
    uint64_t shard;  /* coordinate that holds the next element */
    uint64_t within; /* counts of this coordinate's chunk that lie before it */
    uint64_t chunk;  /* counts in a chunk; 0 when every coordinate holds the whole */
};

/* Local. EINVAL for an inventory that does not pass its check, a mesh that has no rank or more than
 * 2^31, and floats of different dtypes within one flattened unit. */
RESHARD_MUST_CHECK enum reshard_status verify_rules_open(struct verify_rules **out,
                                                         const struct verify_inventory *inventory,
                                                         const struct verify_layout *layout,
                                                         struct reshard_error *error);
void verify_rules_close(struct verify_rules *rules); /* accepts NULL */

/* Local. Walk a tensor's elements in order; a slot that follows its parameter is walked as it is.
 * Each run is as long as its coordinate allows; runs are never empty; false at the end. */
struct verify_walk verify_walk_begin(const struct verify_rules *rules, uint32_t tensor);
bool verify_walk_next(struct verify_walk *walk, struct verify_run *out);

/* Local. Is the tensor part of a flat parameter, so that its memory is the flat shard? */
bool verify_rules_flat(const struct verify_rules *rules, uint32_t tensor);

/* Local. Elements in the memory of one shard coordinate: of its local tensor, or of the flat shard
 * (padding included) of the tensor's unit. */
uint64_t verify_rules_memory_elements(const struct verify_rules *rules, uint32_t tensor,
                                      uint64_t shard);

/* Local. Elements of a tensor that all ranks of the mesh hold together, replicas counted: what the
 * `held` counts of verify_held() must sum up to. */
uint64_t verify_rules_world_elements(const struct verify_rules *rules, uint32_t tensor);

#endif
