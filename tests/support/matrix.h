/*
 * The configurations of the conversion matrix: every layout of support/odd.h that is valid at world
 * sizes 1, 2, 3, 4, 5, 7, 8 and 16; those that are not are refused, with a reason.
 */
#ifndef RESHARD_TESTS_MATRIX_H
#define RESHARD_TESTS_MATRIX_H

#include "parallel/state.h"
#include "support/ranks.h"

enum { MATRIX_CONFIGS_MAX = 256, MATRIX_WORLDS = 8 };
extern const uint64_t matrix_worlds[MATRIX_WORLDS];

/* A layout, by its number, that is valid on that many ranks. */
struct matrix_config {
    unsigned kind;
    uint64_t ranks;
    const char *name;
};

/* All of them up to `most` ranks, the same on all ranks; their number. What is refused must say
 * why. */
unsigned matrix_list(struct ranks *ranks, uint64_t most, struct matrix_config *out);

/* A configuration with all that this rank needs to be in it, in a world of `world` ranks, of which
 * those beyond the configuration's are idle. False when it could not be opened. */
struct matrix_place {
    struct reshard_model *model;
    struct reshard_layout *layout;
    struct reshard_state *state;
};
bool matrix_place_open(struct matrix_place *place, struct ranks *ranks,
                       const struct matrix_config *config, uint64_t world);
void matrix_place_close(struct matrix_place *place);

#endif
