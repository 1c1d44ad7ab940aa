/*
 * What a layout says of one tensor, and whether it may say so: the first part of the oracle's
 * reading of FORMAT.md section 4, which says who holds what. Nothing of the engine's is used for it
 * but the inventory.
 */
#ifndef RESHARD_TESTS_SAID_H
#define RESHARD_TESTS_SAID_H

#include "core/layout.h"

/* Mesh dimensions, by the first letters of their names. */
enum dim { P, R, S, E, T, DIMS };

struct mesh {
    uint64_t size[DIMS];
    uint64_t ranks;
};
struct mesh said_mesh(const struct reshard_layout_options *options);
void said_coordinates(const struct mesh *mesh, uint64_t rank, uint64_t *at);

/* All that a tensor goes by. */
struct said {
    const struct reshard_tensor *asked;  /* the tensor itself */
    const struct reshard_tensor *tensor; /* of a slot its parameter, whose rules it follows */
    uint32_t index;                      /* likewise */
    struct reshard_setting set[DIMS];
    uint64_t number[DIMS]; /* what {i} was in the rule that set it */
    const struct reshard_rule *sections, *boxes;
    bool flat;      /* it is, or the parameter of a slot is */
    uint64_t stage; /* of the pipeline, where no rule says */
    bool cut[DIMS]; /* by dimension of the mesh: a setting cuts what was asked for (a slot need not
                       be cut where its parameter is) */
    bool flat_cut;  /* so does the flat parameter's */
};
struct said said_of(const struct reshard_model *model, const struct reshard_layout_options *options,
                    uint32_t index);

/* The one coordinate that has it along pipeline or expert; false where all have it, or parts. */
bool said_coordinate(const struct said *said, const struct mesh *mesh, int dim,
                     uint64_t *coordinate);

/* Whether a tensor goes by boxes given; a slot that is of another shape does not. */
bool said_is_given(const struct said *said);

/* Data coordinates: how many, and which one a rank is. */
uint64_t said_data_ways(const struct said *said, const struct mesh *mesh);
uint64_t said_data_coordinate(const struct said *said, const struct mesh *mesh, const uint64_t *at);

/* Whether two tensors are of one flat parameter. */
bool said_in_one_unit(const struct said *a, const struct said *b, const struct mesh *mesh);

/* ceil(n / w); bytes of the floats that FSDP1 flattens, 0 for every other type. */
uint64_t said_chunk(uint64_t n, uint64_t w);
uint64_t said_flat_bytes(enum reshard_dtype dtype);

#endif
