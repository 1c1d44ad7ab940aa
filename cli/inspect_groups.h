/*
 * What a checkpoint has of its optimizer besides tensors, shown: its param groups with their
 * members' numbers and hyperparameters, and its other entries.
 */
#ifndef RESHARD_CLI_INSPECT_GROUPS_H
#define RESHARD_CLI_INSPECT_GROUPS_H

#include "core/groups.h"

/* Whether a parameter of that name is to be shown. */
typedef bool inspect_shown(const void *context, const char *fqn);

/* For people, to standard output: every group and entry; with `shown`, the groups of the parameters
 * that are shown, and no entries. */
void inspect_groups_print(const struct reshard_groups *groups, inspect_shown *shown,
                          const void *context);

#endif
