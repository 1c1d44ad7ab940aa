/*
 * The exchange: the mover between ranks' memories. Live resharding, and full, sharded and local
 * state dicts in every direction, are plans that it carries out.
 *
 * Every rank works out alone what it sends and what it gets: nothing is negotiated. A rank never
 * gets what it has already, so what goes over the network is the least that any way of doing it
 * could send. Memory beyond source and target is bounded, whatever the tensors' sizes.
 */
#ifndef RESHARD_EXCHANGE_H
#define RESHARD_EXCHANGE_H

#include "parallel/group.h"
#include "parallel/report.h"
#include "parallel/state.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Zero is the default throughout; equal on all ranks. */
struct reshard_exchange_options {
    enum reshard_part part;  /* TRANSIENT buffers move with the model */
    uint64_t budget;         /* bytes of memory beyond source and target, for each rank; 0: 64 MiB,
                                at least 8 KiB. Plans come on top, some 500 bytes a move, and a
                                MiB for the digests of what is on a device */
    const char *const *only; /* patterns of FQNs (core/pattern.h): a tensor moves, and needs memory,
                                only if its FQN, or its parameter's, matches one; a tie's
                                second name does not count */
    uint32_t only_count;     /* 0: all move */
};

/*
 * [collective] Fill the target from the source: two states of the same model (names, shapes,
 * dtypes) under any two layouts of the group's world, in memory that does not overlap. Either may
 * be on a device. Slots that are absent in the source are absent in the target afterwards, those
 * that move are not; EMISMATCH names one that is both on ranks that hold some of it. Where a tie's
 * second name has memory of its own, the source's must hold the same as the first's (EMISMATCH),
 * and the target's is filled too. Ends with the proof that the target has the source's digests,
 * replica for replica: EDIGEST names the tensor when not, and when replicas of the source differ.
 * The source is only read; after a failure the target is unspecified. `report` may be NULL.
 */
RESHARD_MUST_CHECK enum reshard_status
reshard_exchange(struct reshard_group *group, const struct reshard_state *source,
                 struct reshard_state *target, const struct reshard_exchange_options *options,
                 struct reshard_report *report, struct reshard_error *error);

#ifdef __cplusplus
}
#endif

#endif
