/*
 * Where one tensor is, settled: what FORMAT.md's rules come to for it before a rank is asked about.
 * Inside of rules.h and walk.h.
 */
#ifndef VERIFY_PLACEMENT_H
#define VERIFY_PLACEMENT_H

#include "verify/blocks.h"
#include "verify/deal.h"
#include "verify/given.h"
#include "verify/rules.h"

#define VERIFY_ANYWHERE UINT64_MAX

enum verify_placing {
    VERIFY_PLACED_DEALT,    /* dimension by dimension, or whole */
    VERIFY_PLACED_FLAT,     /* what the deals leave to a rank lies in a flat parameter */
    VERIFY_PLACED_ROWS,     /* of what the deals leave, the rows whose first elements are there */
    VERIFY_PLACED_GIVEN,    /* by boxes */
    VERIFY_PLACED_PER_RANK, /* each rank has its row */
};

struct verify_placement {
    enum verify_placing how;
    struct verify_setting expert;
    uint64_t at[VERIFY_AXES]; /* the one coordinate that has the tensor, or VERIFY_ANYWHERE */
    bool cut[VERIFY_AXES];    /* ranks along this axis have parts of it */
    bool data;                /* a cut along shard goes over the data coordinates of both axes */
    const struct verify_deal *deal[VERIFY_DIMS_MAX]; /* NULL: the whole dimension */
    struct verify_flat_place flat;
    uint64_t width; /* ROWS: elements of a row of the parameter, as the deals leave it */
    const struct verify_given *given;
    uint64_t owner;       /* the candidate that owns: coordinates along the free axes */
    const uint64_t *hand; /* GIVEN: of sets by how many members they have, the member that owns */
    uint64_t world_elements;
};

struct verify_rules {
    const struct verify_inventory *inventory;
    struct verify_layout layout;
    uint64_t ranks; /* of the mesh */
    struct verify_deal *deals;
    struct verify_given *givens;
    struct verify_blocks *blocks;
    struct verify_hands *hands;
    struct verify_placement placement[];
};

/* Local. Settle all entries of the model, but for flat parameters' entries and for owners; slots
 * are for slots.h. EINVAL, ENOMEM. */
RESHARD_MUST_CHECK enum reshard_status verify_placement_settle(struct verify_rules *rules,
                                                               struct reshard_error *error);

/* Local. The coordinates of a rank of the mesh. */
void verify_coordinates(const struct verify_rules *rules, uint64_t rank,
                        uint64_t coordinate[VERIFY_AXES]);

/* Local. Has the tensor a part, be it an empty one, for the rank of these coordinates? For dealt
 * and flat ones. */
bool verify_placement_is_at(const struct verify_placement *placement,
                            const uint64_t coordinate[VERIFY_AXES]);

/* Local. Which candidate for the tensor's owner the rank of these coordinates belongs to. */
uint64_t verify_placement_candidate(const struct verify_rules *rules,
                                    const struct verify_placement *placement,
                                    const uint64_t coordinate[VERIFY_AXES]);

/* Local. Along shard, or along shard and expert in one. */
uint64_t verify_data_coordinate(const struct verify_rules *rules,
                                const struct verify_placement *placement,
                                const uint64_t coordinate[VERIFY_AXES]);
uint64_t verify_data_ways(const struct verify_rules *rules,
                          const struct verify_placement *placement);

/* Local. Which holder of a deal the rank of these coordinates is. */
uint64_t verify_deal_holder(const struct verify_rules *rules, const struct verify_deal *deal,
                            const uint64_t coordinate[VERIFY_AXES]);

/* Local. How many elements the deals leave to the rank of these coordinates. */
uint64_t verify_dealt_elements(const struct verify_rules *rules, uint32_t tensor,
                               const uint64_t coordinate[VERIFY_AXES]);

#endif
