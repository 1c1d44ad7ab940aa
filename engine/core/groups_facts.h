/*
 * Groups as a list of facts, in the order in which ranks must agree on them: how members are keyed,
 * then each group with its members and values, then each entry with its values.
 */
#ifndef RESHARD_GROUPS_FACTS_H
#define RESHARD_GROUPS_FACTS_H

#include "core/groups.h"

/* Local. How many facts there are; 0 where `groups` is NULL. */
uint64_t groups_fact_count(const struct reshard_groups *groups);

/* Local. CRC-64/XZ of the first `count` of them. */
uint64_t groups_hash_of_first(const struct reshard_groups *groups, uint64_t count);

/* Local. Fact number `fact` into `text` of `size` bytes, as "'lr' of group 'decay' is 0.001"; what
 * the facts end with where there are no more. */
void groups_fact_print(const struct reshard_groups *groups, uint64_t fact, char *text, size_t size);

#endif
