/*
 * Random models of everything that a model may hold, and random layouts of them with random rules.
 * Most layouts fit their model, some do not: tests ask the oracle which.
 */
#ifndef RESHARD_TESTS_RANDOM_LAYOUT_H
#define RESHARD_TESTS_RANDOM_LAYOUT_H

#include "core/layout.h"
#include "support/random.h"

/* Up to 9 tensors of at most `elements` elements, of all roles and in several units, and slots of
 * some; for a world of that many ranks. */
struct reshard_model *random_model(struct test_random *random, uint64_t world, uint64_t elements);

/* A layout's options with all that they point to. */
enum { RANDOM_RULES_MAX = 5 };
struct random_layout {
    struct reshard_layout_options options;
    struct reshard_rule rule[RANDOM_RULES_MAX];
    char pattern[RANDOM_RULES_MAX][48];
    uint64_t section[RANDOM_RULES_MAX][RESHARD_SECTIONS_MAX];
    struct reshard_rank_box *box[RANDOM_RULES_MAX];
};
void random_layout_open(struct random_layout *out, struct test_random *random,
                        const struct reshard_model *model, uint64_t world);
void random_layout_close(struct random_layout *layout);

/* Print it, to see what failed. */
void random_layout_print(const struct random_layout *layout, const struct reshard_model *model);

#endif
