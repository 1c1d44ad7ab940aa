/*
 * One holder's memory of a model, trained by itself: for tests of the training in one process. What
 * goes wrong ends the test. Memory is stained, so that what is read before it is written shows.
 */
#ifndef RESHARD_TESTS_SHARD_H
#define RESHARD_TESTS_SHARD_H

#include "sim/training/train.h"

enum { SHARD_ELEMENTS = 6, SHARD_TENSORS_MAX = 64 };

static const uint64_t shard_seed = 0x123456789abcdef0;

struct shard {
    struct train train;
    void *data[SHARD_TENSORS_MAX];
};

/* The layout, with its model, and the optimizer are borrowed. */
void shard_open(struct shard *shard, const struct reshard_layout *layout, uint64_t rank,
                const struct reshard_optimizer *optimizer);
void shard_close(struct shard *shard);

/* Begin, and make so many steps. */
void shard_train(struct shard *shard, uint64_t steps);

/* A layout of ddp over replicas, others over shards. */
struct reshard_layout *shard_layout(const struct reshard_model *model,
                                    enum reshard_layout_kind kind, uint64_t ranks);

/* "w" of that shape, or of SHARD_ELEMENTS elements in one dimension, with the slots of the
 * optimizer, unless that is NULL, behind it. */
struct reshard_model *shard_model_of(enum reshard_dtype dtype, struct reshard_shape shape,
                                     const struct reshard_optimizer *optimizer);
struct reshard_model *shard_model(enum reshard_dtype dtype,
                                  const struct reshard_optimizer *optimizer);
void shard_model_add(struct reshard_model *model, const char *fqn, const char *unit,
                     enum reshard_dtype dtype, struct reshard_shape shape);

#endif
