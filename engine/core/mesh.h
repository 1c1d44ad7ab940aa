/*
 * The mesh: five named dimensions of ranks, the last one fastest,
 *
 *     rank = (((pipeline * R + replicate) * S + shard) * E + expert) * T + tensor
 *
 * so that the ranks that talk most are neighbours (the order of torchtitan's and Megatron's device
 * meshes). Ranks of the world beyond the product of the sizes are idle.
 */
#ifndef RESHARD_MESH_H
#define RESHARD_MESH_H

#include "core/status.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum reshard_mesh_dim {
    RESHARD_MESH_PIPELINE,  /* stages of the model */
    RESHARD_MESH_REPLICATE, /* copies of the state: data parallelism, HSDP's outer dimension */
    RESHARD_MESH_SHARD,     /* FSDP */
    RESHARD_MESH_EXPERT,    /* experts; for tensors that are none it is a part of `shard` */
    RESHARD_MESH_TENSOR,    /* columns, rows, heads of a tensor */
    RESHARD_MESH_DIMS,
};

enum { RESHARD_MESH_RANKS_MAX = 1 << 20 }; /* of a world: more are not believed */

struct reshard_mesh {
    uint64_t size[RESHARD_MESH_DIMS]; /* 1 or more each */
};

/* A rank's place, or a part of one. */
struct reshard_place {
    uint64_t at[RESHARD_MESH_DIMS];
};

/* A set of mesh dimensions: bit i for dimension i. */
typedef uint32_t reshard_mesh_set;
#define RESHARD_MESH_BIT(dim) (1u << (dim))
#define RESHARD_MESH_ALL (RESHARD_MESH_BIT(RESHARD_MESH_DIMS) - 1)

/* Local. "pipeline" and so on. */
const char *reshard_mesh_dim_name(enum reshard_mesh_dim dim);

/* Local. The number of ranks, 0 when there are more than RESHARD_MESH_RANKS_MAX or a size is 0. */
uint64_t reshard_mesh_ranks(const struct reshard_mesh *mesh);

/* Local. A rank's place in the mesh, and back. */
struct reshard_place reshard_mesh_place(const struct reshard_mesh *mesh, uint64_t rank);
uint64_t reshard_mesh_rank(const struct reshard_mesh *mesh, const struct reshard_place *place);

/* Local. Places along a set of dimensions, numbered with the last dimension fastest: how many there
 * are; the number of a place; and the coordinates of a number, other dimensions left alone. */
uint64_t reshard_mesh_count(const struct reshard_mesh *mesh, reshard_mesh_set set);
uint64_t reshard_mesh_number(const struct reshard_mesh *mesh, reshard_mesh_set set,
                             const struct reshard_place *place);
void reshard_mesh_set_number(const struct reshard_mesh *mesh, reshard_mesh_set set, uint64_t number,
                             struct reshard_place *place);

#ifdef __cplusplus
}
#endif

#endif
