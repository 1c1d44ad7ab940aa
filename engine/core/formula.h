/*
 * The formula of a layout: a kind, a mesh, and rules for single tensors. It is all that a layout is
 * made of besides the model, and all that a checkpoint says of who held what (FORMAT.md section 4).
 */
#ifndef RESHARD_FORMULA_H
#define RESHARD_FORMULA_H

#include "core/box.h"
#include "core/dtype.h"
#include "core/mesh.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    RESHARD_SECTIONS_MAX = 16, /* parts of a fused tensor */
    RESHARD_RULES_MAX = 4096,
    RESHARD_RULES_WILD_MAX = 64, /* of them, with a `*` or `{i}`: each is tried on each name */
};

/* FSDP's strategies are meshes: FULL_SHARD and SHARD_GRAD_OP lie alike, as `shard`; HYBRID_SHARD is
 * `replicate` and `shard`; NO_SHARD is `replicate` alone. */
enum reshard_layout_kind {
    RESHARD_LAYOUT_FSDP1, /* flat parameters over the mesh dimension "shard" */
    RESHARD_LAYOUT_FSDP2, /* every parameter sharded on a dimension over "shard" */
    RESHARD_LAYOUT_DDP,   /* everything replicated but for what rules say */
    RESHARD_LAYOUT_BOXES, /* likewise, over "replicate" alone: for tensors whose boxes are given */
};

/* What a mesh dimension does to a tensor. */
enum reshard_how {
    RESHARD_HOW_DEFAULT, /* as the kind of layout has it */
    RESHARD_HOW_WHOLE,   /* every coordinate has it */
    RESHARD_HOW_CUT,     /* cut on dimension `number`; not for pipeline */
    RESHARD_HOW_AT,      /* coordinate `number` alone has it; pipeline and expert */
    RESHARD_HOW_OF,      /* it is one of `number` entries, which the pattern's {i} counts: the
                            coordinate that has it by torch.chunk's rule; pipeline and expert */
};
struct reshard_setting {
    enum reshard_how how;
    uint64_t number;
};

/* A box that a rank has, where boxes are given one by one. */
struct reshard_rank_box {
    uint64_t rank;
    struct reshard_box box;
};

/*
 * What is said of the tensors whose FQN matches a pattern (core/pattern.h). For each member by
 * itself the first rule that has it decides; a member that is zero says nothing. Slots follow their
 * parameter.
 */
struct reshard_rule {
    const char *pattern;
    struct reshard_setting pipeline;
    struct reshard_setting shard;
    struct reshard_setting expert;
    struct reshard_setting tensor;
    const uint64_t *section; /* sizes of the parts (q, k, v) of the dimension that `tensor` cuts */
    uint32_t section_count;  /* 0, or 2 to RESHARD_SECTIONS_MAX */
    const struct reshard_rank_box *box; /* every box of every rank: then nothing else counts */
    uint64_t box_count;
};

/* The formula: all that a layout is made of besides the model. Zero is the default throughout. */
struct reshard_layout_options {
    enum reshard_layout_kind kind;
    uint64_t world;     /* ranks of the job; those beyond the mesh are idle. 0: the mesh's */
    uint64_t pipeline;  /* sizes of the mesh dimensions; 0 means 1 */
    uint64_t replicate; /* for kind boxes: the number of ranks */
    uint64_t shard;     /* ddp and boxes have none */
    uint64_t expert;
    uint64_t tensor;
    uint32_t dim;               /* fsdp2: the dimension to cut; tensors of fewer are cut on their
                                   last */
    bool orig_params;           /* FSDP1's use_orig_params: alignment and world-size padding */
    enum reshard_dtype forward; /* FSDP1: the forward dtype that sets the alignment (16 bytes of
                                   it); NONE: each unit's own dtype */
    uint64_t owner;             /* 0: owners are balanced; k + 1: replicas at coordinate k own */
    const struct reshard_rule *rule;
    uint32_t rule_count;
};

/* Local. The name of a kind ("fsdp1"); the kind of a name, false when there is none. */
const char *reshard_layout_kind_name(enum reshard_layout_kind kind);
bool reshard_layout_kind_from_name(const char *name, enum reshard_layout_kind *out);

/* Local. The mesh of the options, its sizes complete. */
struct reshard_mesh reshard_layout_options_mesh(const struct reshard_layout_options *options);

/* Local. A copy that owns its rules, for release by the second; sizes and world are complete. */
RESHARD_MUST_CHECK enum reshard_status
reshard_layout_options_copy(struct reshard_layout_options *out,
                            const struct reshard_layout_options *options);
void reshard_layout_options_release(struct reshard_layout_options *options);

/* Local. CRC-64/XZ of all that ranks must agree on. */
uint64_t reshard_layout_options_hash(const struct reshard_layout_options *options);

/* For the engine's own use. Local. The options by themselves: EINVAL, with the reason, for what no
 * model could follow. */
RESHARD_MUST_CHECK enum reshard_status formula_check(const struct reshard_layout_options *options,
                                                     struct reshard_error *error);

#ifdef __cplusplus
}
#endif

#endif
