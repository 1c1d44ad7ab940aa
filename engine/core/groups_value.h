/*
 * The values of groups: what core/groups.c asks of one, tuples and what is in them included.
 */
#ifndef RESHARD_GROUPS_VALUE_H
#define RESHARD_GROUPS_VALUE_H

#include "core/groups.h"

/* Local. What is wrong with a value that is to be kept, or NULL. */
const char *groups_value_fault(const struct reshard_value *value);

/* Local. A copy with memory of its own; false when there is none, and *out has none then. Members
 * that the kind does not name are 0 in it. */
RESHARD_MUST_CHECK bool groups_value_copy(struct reshard_value *out,
                                          const struct reshard_value *value);
void groups_value_release(struct reshard_value *value);

/* Local. Continue a CRC over a value. */
uint64_t groups_value_hash(uint64_t hash, const struct reshard_value *value);

#endif
