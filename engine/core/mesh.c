#include "core/mesh.h"

const char *reshard_mesh_dim_name(enum reshard_mesh_dim dim)
{
    static const char *const names[RESHARD_MESH_DIMS] = {
        [RESHARD_MESH_PIPELINE] = "pipeline", [RESHARD_MESH_REPLICATE] = "replicate",
        [RESHARD_MESH_SHARD] = "shard",       [RESHARD_MESH_EXPERT] = "expert",
        [RESHARD_MESH_TENSOR] = "tensor",
    };

    return names[dim];
}

uint64_t reshard_mesh_ranks(const struct reshard_mesh *mesh)
{
    uint64_t ranks = 1;

    for (int d = 0; d < RESHARD_MESH_DIMS; d++) {
        if (mesh->size[d] > RESHARD_MESH_RANKS_MAX)
            return 0;
        ranks *= mesh->size[d]; /* both factors are at most 2^20 */
        if (ranks > RESHARD_MESH_RANKS_MAX)
            return 0;
    }
    return ranks;
}

uint64_t reshard_mesh_count(const struct reshard_mesh *mesh, reshard_mesh_set set)
{
    uint64_t count = 1;

    for (int d = 0; d < RESHARD_MESH_DIMS; d++)
        if (set & RESHARD_MESH_BIT(d))
            count *= mesh->size[d];
    return count;
}

uint64_t reshard_mesh_number(const struct reshard_mesh *mesh, reshard_mesh_set set,
                             const struct reshard_place *place)
{
    uint64_t number = 0;

    for (int d = 0; d < RESHARD_MESH_DIMS; d++)
        if (set & RESHARD_MESH_BIT(d))
            number = number * mesh->size[d] + place->at[d];
    return number;
}

void reshard_mesh_set_number(const struct reshard_mesh *mesh, reshard_mesh_set set, uint64_t number,
                             struct reshard_place *place)
{
    for (int d = RESHARD_MESH_DIMS; d-- > 0;) {
        const uint64_t size = mesh->size[d];
        if (!(set & RESHARD_MESH_BIT(d)))
            continue;
        place->at[d] = size > 1 ? number % size : 0; /* most sizes are 1, and division is slow */
        number = size > 1 ? number / size : number;
    }
}

struct reshard_place reshard_mesh_place(const struct reshard_mesh *mesh, uint64_t rank)
{
    struct reshard_place place;

    reshard_mesh_set_number(mesh, RESHARD_MESH_ALL, rank, &place);
    return place;
}

uint64_t reshard_mesh_rank(const struct reshard_mesh *mesh, const struct reshard_place *place)
{
    return reshard_mesh_number(mesh, RESHARD_MESH_ALL, place);
}
