/*
 * The carrier: brings the bytes of plans from ranks' memories to ranks' memories. Every rank has
 * its own plans, what comes in and what goes out; nothing is negotiated, because both sides of a
 * message have worked out the same moves.
 *
 * Messages go straight from and to the states' memory where that is in one long piece, and through
 * two buffers otherwise. A rank whose device fails serves the others all the same, and remembers:
 * who is to agree is the caller.
 */
#ifndef RESHARD_CARRIER_H
#define RESHARD_CARRIER_H

#include "core/plan.h"
#include "parallel/group.h"
#include "parallel/state.h"

#define CARRIER_BUDGET_DEFAULT (UINT64_C(64) * 1024 * 1024)

struct carrier {
    struct reshard_group *group;
    const struct reshard_state *source;
    struct reshard_state *target; /* may be the source itself, where no byte is both */
    uint64_t chunk;               /* the most bytes of a message: half the budget */
    uint64_t send_bytes;          /* of the buffers: as large as the largest message needs */
    uint64_t receive_bytes;
    char *send_buffer;
    char *receive_buffer;
    uint64_t sent;
    uint64_t received;
    enum reshard_status status; /* the first failure of this rank's own */
};

/* The moves with one other rank, one way. */
struct leg_peer {
    uint64_t distance; /* how many ranks further (to), or back (from), modulo the world */
    uint64_t rank;
    uint64_t first;
    uint64_t count;
};

/* What moves at one time: this rank's plans, owned, and whom they concern. Zero is an empty one. */
struct leg {
    struct plan incoming;
    struct plan outgoing;
    struct leg_peer *to; /* by rising distance */
    uint64_t to_count;
    struct leg_peer *from;
    uint64_t from_count;
};

/* Local. Begin, with `budget` bytes for buffers (0: the default), the same on all ranks. */
struct carrier carrier_begin(struct reshard_group *group, const struct reshard_state *source,
                             struct reshard_state *target, uint64_t budget);

/* Local. Find a leg's peers from its plans, which are sorted; then make room for all legs. */
RESHARD_MUST_CHECK enum reshard_status leg_prepare(struct carrier *carrier, struct leg *leg);
void leg_release(struct leg *leg);
RESHARD_MUST_CHECK enum reshard_status carrier_allocate(struct carrier *carrier);

/*
 * [collective] Carry out a leg: all ranks do theirs. EMPI alone is returned; other failures are in
 * carrier->status.
 *
 * Ranks go through the distances to their peers in rising order, and through the messages of each
 * in order. So of those that have got least far each finds its partners where it is: none waits for
 * ever.
 */
RESHARD_MUST_CHECK enum reshard_status carrier_go(struct carrier *carrier, const struct leg *leg,
                                                  struct reshard_error *error);

/* Local. Account for the work, and free the buffers. */
void carrier_end(struct carrier *carrier);

#endif
