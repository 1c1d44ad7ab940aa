/*
 * What is saved, loaded and planned in the benchmarks.
 */
#ifndef RESHARD_BENCH_WORKLOAD_H
#define RESHARD_BENCH_WORKLOAD_H

#include "core/layout.h"

/* A stack of blocks with AdamW's state, all f32: 1 GiB, in 21 units. The caller closes it. */
struct reshard_model *workload_gigabyte(void);

/* A layout over that many ranks; ends the program when it cannot be. */
struct reshard_layout *workload_layout(const struct reshard_model *model,
                                       enum reshard_layout_kind kind, uint64_t ranks);

/* Add AdamW's f32 state to a model. */
void workload_train(struct reshard_model *model);

#endif
