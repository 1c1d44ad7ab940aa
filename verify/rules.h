/*
 * The layout rules: which rank holds which element, where in its memory, and who writes it. They
 * are settled once, tensor by tensor (placement.h): of a dimension it is asked who has an entry
 * (deal.h), flat parameters are counted through (flat.h), owners dealt out (owners.h). Neither
 * costs more for more ranks or larger tensors, so a layout is settled in time and memory that are
 * in proportion to its manifest. walk.h goes through what one rank holds.
 *
 * Rules: FORMAT.md section 4.
 *
 * An opened set of rules is immutable, borrows the inventory and what the layout points to, and may
 * be shared by threads.
 */
#ifndef VERIFY_RULES_H
#define VERIFY_RULES_H

#include "verify/inventory.h"

enum verify_layout_kind { VERIFY_FSDP1, VERIFY_FSDP2, VERIFY_DDP, VERIFY_BOXES };

/* The dimensions of the mesh, the last one fastest. */
enum verify_axis {
    VERIFY_PIPELINE,
    VERIFY_REPLICATE,
    VERIFY_SHARD,
    VERIFY_EXPERT,
    VERIFY_TENSOR,
    VERIFY_AXES,
};

/* What a rule says of one mesh dimension: nothing; "whole"; a dimension to cut; only one coordinate
 * has it; only the coordinate that has the pattern's number of n entries. */
enum verify_how { VERIFY_UNSET, VERIFY_WHOLE, VERIFY_CUT, VERIFY_AT, VERIFY_OF };

struct verify_setting {
    enum verify_how how;
    uint64_t number; /* the dimension, the coordinate, or n */
};

/* One box of a rank; entries from `ndim` on are 0. */
struct verify_rank_box {
    uint64_t rank;
    uint64_t begin[VERIFY_DIMS_MAX];
    uint64_t end[VERIFY_DIMS_MAX];
    uint32_t ndim;
};

/* A rule for the tensors whose name its pattern matches. */
struct verify_rule {
    const char *pattern;
    struct verify_setting axis[VERIFY_AXES]; /* VERIFY_REPLICATE: always unset */
    const uint64_t *section;                 /* sizes; none given when section_count is 0 */
    uint32_t section_count;
    const struct verify_rank_box *box; /* none given when NULL */
    uint64_t box_count;
};

struct verify_layout {
    enum verify_layout_kind kind;
    uint64_t world;             /* ranks; those beyond the mesh are idle */
    uint64_t mesh[VERIFY_AXES]; /* sizes, all of them 1 or more */
    uint32_t dim;               /* FSDP2: the dimension to cut */
    bool orig_params; /* FSDP1: padding for alignment and to a multiple of the shard size */
    enum reshard_dtype
        forward;   /* FSDP1: the dtype that sets the alignment; NONE: each unit's own */
    int64_t owner; /* the replicate coordinate that owns; -1: balanced */
    const struct verify_rule *rule;
    uint32_t rule_count;
};

struct verify_rules;

/* Local. EINVAL, saying which "must" of FORMAT.md is broken, for an inventory that does not pass
 * its check and for a layout that is none or does not fit it. ENOMEM. */
RESHARD_MUST_CHECK enum reshard_status verify_rules_open(struct verify_rules **out,
                                                         const struct verify_inventory *inventory,
                                                         const struct verify_layout *layout,
                                                         struct reshard_error *error);
void verify_rules_close(struct verify_rules *rules); /* accepts NULL */

const struct verify_inventory *verify_rules_inventory(const struct verify_rules *rules);
const struct verify_layout *verify_rules_layout(const struct verify_rules *rules);

/* Local. Is the tensor part of a flat parameter, so that its memory is the flat shard? Slots of the
 * parameter's shape are with it; those of another shape have memory of their own. */
bool verify_rules_flat(const struct verify_rules *rules, uint32_t tensor);

/* Local. Is the tensor at the rank's coordinates? It may still have no element there, since chunks
 * may be empty. False for idle ranks, but for rows of their own. */
bool verify_rules_present(const struct verify_rules *rules, uint32_t tensor, uint64_t rank);

/* Local. Elements in a rank's memory of a tensor: of its boxes, or of the whole flat shard (padding
 * included) of the tensor's unit. 0 where the tensor is not present. */
uint64_t verify_rules_memory_elements(const struct verify_rules *rules, uint32_t tensor,
                                      uint64_t rank);

/* Local. Elements of a tensor that all ranks of the world hold together, replicas counted: what the
 * `held` counts of verify_held() must sum up to. */
uint64_t verify_rules_world_elements(const struct verify_rules *rules, uint32_t tensor);

/* Local. Must this rank, of those that hold the same boxes of a tensor, write them? */
bool verify_rules_owns(const struct verify_rules *rules, uint32_t tensor, uint64_t rank);

#endif
