/*
 * Random groups for tests: names that are hard to tell apart and harder to escape (digits alone,
 * dots, per cent signs, quotes, UTF-8), values of every kind and depth, numbers of any bits.
 */
#ifndef RESHARD_TESTS_RANDOM_GROUPS_H
#define RESHARD_TESTS_RANDOM_GROUPS_H

#include "core/groups.h"
#include "support/random.h"

enum { RANDOM_NAME_MAX = 64 };

/* A name of 1 to some 40 bytes, into `out` of RANDOM_NAME_MAX bytes. */
void random_name(struct test_random *random, char *out);

/* A value; what it points to lives until random_value_free(). */
struct reshard_value random_value(struct test_random *random, int level);
void random_value_free(struct reshard_value *value);

/* Up to 5 groups with values and entries; each of the `count` names is in one of them, or in none.
 * The caller closes them. */
struct reshard_groups *random_groups(struct test_random *random, const char *const *name,
                                     uint32_t count);

#endif
