/*
 * The placement: what each mesh dimension does to one tensor, found from the layout's options by
 * the rules of FORMAT.md section 4. A placement is a list of nested cuts, the coordinates that are
 * fixed, and nothing else; how many ranks there are and which boxes come of it is core/layout's
 * business.
 *
 * Sources of the rules: torch/distributed/fsdp/_fully_shard/_fsdp_param.py and
 * torch/distributed/tensor/placement_types.py (tensor parallelism before FSDP on one dimension:
 * what PyTorch writes as _StridedShard and Shard, and its local tensors are so for uneven sizes,
 * too), torchtitan's device meshes (experts take a part of the shard dimension).
 */
#ifndef RESHARD_PLACEMENT_H
#define RESHARD_PLACEMENT_H

#include "core/formula.h"
#include "core/model.h"

/* Coordinates along `dims` (one dimension, or the data dimensions shard and expert together) cut
 * tensor dimension `on` for `ways` coordinates. A flat cut has no dimension: it comes last, and
 * goes through the unit's flat parameter. */
struct placement_cut {
    reshard_mesh_set dims;
    uint32_t on;
    uint64_t ways;
};

enum { PLACEMENT_CUTS_MAX = 3 };

struct placement {
    uint32_t cut_count;
    struct placement_cut cut[PLACEMENT_CUTS_MAX]; /* the outermost first */
    bool flat;                                    /* the last cut is of the flat parameter */
    uint64_t width; /* of a flat one: elements of the parameter for one of the tensor's */
    bool per_rank;  /* row r is rank r's: no cuts */
    const struct reshard_rule *sections; /* of the tensor cut; NULL: none */
    const struct reshard_rule *boxes;    /* given one by one: no cuts; NULL: not */
    reshard_mesh_set cut_dims;           /* of all cuts */
    reshard_mesh_set fixed_dims;         /* where only one coordinate has it */
    struct reshard_place fixed;
    struct reshard_setting expert; /* as set, for FSDP1's units */
};

/* Local. The sections that a cut goes through, or NULL; and the cut of the flat parameter, which a
 * flat placement has last. */
const struct reshard_rule *placement_sections(const struct placement *placement, uint32_t cut);
const struct placement_cut *placement_flat_cut(const struct placement *placement);

/*
 * Local. The placements of all tensors of a model, for options that are complete and checked. `out`
 * has room for each; they borrow the options' rules. EINVAL, naming tensor and rule, for what a
 * tensor cannot follow.
 */
RESHARD_MUST_CHECK enum reshard_status placement_find(struct placement *out,
                                                      const struct reshard_model *model,
                                                      const struct reshard_layout_options *options,
                                                      struct reshard_error *error);

#endif
