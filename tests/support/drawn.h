/*
 * What tests on many ranks draw at random: the same on all of them, since they draw from the same
 * numbers, and always something that can be.
 */
#ifndef RESHARD_TESTS_DRAWN_H
#define RESHARD_TESTS_DRAWN_H

#include "support/random_layout.h"
#include "support/ranks.h"

/* The same numbers on all ranks; one of them says which. */
struct test_random drawn_start(const struct ranks *ranks, const char *what, uint64_t seed);

/* A model of at most `elements` elements a tensor of which some layouts are possible at all: its
 * rows are for this world. First moments often have a second one beside them, of the same kind. */
struct reshard_model *drawn_model(struct test_random *random, uint64_t world, uint64_t elements);

/* A layout that fits the model. */
void drawn_layout(struct random_layout *out, struct test_random *random,
                  const struct reshard_model *model, uint64_t world);

/* Whether a rank holds elements of a tensor, by the oracle. */
bool drawn_holds(const struct reshard_model *model, const struct reshard_layout_options *options,
                 uint32_t tensor, uint64_t rank);

/*
 * What ranks say of each slot: into `mine[tensor]` what this one does, into `agreed[tensor]` what
 * all must come to. Those that hold elements of a slot say the same, absent one time in two, or
 * always with `all`; the others say anything. What is no slot is not absent.
 */
void drawn_sayings(struct test_random *random, const struct reshard_model *model,
                   const struct reshard_layout_options *options, uint64_t rank, bool all,
                   bool *mine, bool *agreed);

#endif
