/*
 * Two states of the sample model on all ranks: a source that is filled, and a target that is
 * stained.
 */
#ifndef RESHARD_TESTS_PAIR_H
#define RESHARD_TESTS_PAIR_H

#include "support/ranks.h"
#include "support/side.h"

enum { PAIR_VALUES = 57, PAIR_TENSORS_MAX = 128 };

struct pair {
    struct reshard_model *model;
    struct reshard_layout_options from, to;
    struct side source, target;
};

/* Open both under these layouts, the source on a device or not; counts what goes wrong. */
bool pair_open(struct pair *pair, struct ranks *ranks, const struct reshard_layout_options *from,
               const struct reshard_layout_options *to, bool on_device);

/* Open them again, in host memory: what each array marks has none there. */
bool pair_unbind(struct pair *pair, struct ranks *ranks, const bool *source, const bool *target);
void pair_close(struct pair *pair);

/* The number of a tensor; counts an expectation that does not hold where there is none. */
uint32_t pair_find(const struct pair *pair, struct ranks *ranks, const char *fqn, const char *slot);

/* Bytes of the target that are not what they must be: of what comes, the source's; of all else, the
 * stain. */
uint64_t pair_wrong(const struct pair *pair, const bool *comes);

#endif
