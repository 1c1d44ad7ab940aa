/*
 * The plan: the intersection of two layouts, seen from one holder of the target. Each move says
 * which elements of which piece of which source holder go to which of this holder's pieces. Movers
 * (the store, the exchange between ranks) carry plans out and know nothing of layouts.
 *
 * A plan is only ever handed out when it obeys the law: every element that the holder has under
 * the target layout is supplied exactly once, and nothing else is touched.
 */
#ifndef RESHARD_PLAN_H
#define RESHARD_PLAN_H

#include "core/layout.h"

struct plan_move {
    uint64_t holder;        /* the source: always the owner of its shard */
    uint32_t source_tensor; /* index in the source layout's model */
    uint32_t target_tensor;
    struct reshard_box box;    /* the elements that move */
    struct reshard_box source; /* the source's piece that encloses them */
    struct reshard_box target; /* this holder's piece that encloses them */
    uint64_t target_offset;    /* of the target piece in its tensor's packed local memory */
};

struct plan {
    uint64_t count;
    struct plan_move *move; /* by holder, then source tensor, then rising elements */
    uint64_t capacity;
};

#define PLAN_INIT                                                                                  \
    {                                                                                              \
        0, NULL, 0                                                                                 \
    }

enum { PLAN_SKIP = UINT32_MAX };

/*
 * Local. The moves that fill `holder` of the `target` layout from the owners of the `source`
 * layout. `from[t]` names the source tensor for target tensor t, or PLAN_SKIP; shapes must agree
 * (EMISMATCH). ECOVER, with tensor and box, if the law does not hold.
 */
RESHARD_MUST_CHECK enum reshard_status plan_build(struct plan *out,
                                                  const struct reshard_layout *source,
                                                  const struct reshard_layout *target,
                                                  const uint32_t *from, uint64_t holder,
                                                  struct reshard_error *error);

/*
 * Local. The law for one holder: the moves to each of its pieces cover the piece exactly once, no
 * move goes elsewhere, and each comes from the tensor asked for and from a piece that encloses it.
 * plan_build() ends with it.
 */
RESHARD_MUST_CHECK enum reshard_status plan_check(const struct plan *plan,
                                                  const struct reshard_layout *target,
                                                  const uint32_t *from, uint64_t holder,
                                                  struct reshard_error *error);
void plan_release(struct plan *plan);

/*
 * The same law for a whole layout, without a gather: over all pieces that owners write, the sum of
 * h(end) - h(begin) over their runs equals the sum over tensors of h(elements) - h(0), for a random
 * h, only if every element is covered exactly once (but for one chance in 2^61, twice). Each rank
 * adds up its own; one reduction modulo 2^61-1 adds the ranks.
 */
struct plan_proof {
    uint64_t lane[2];
};
RESHARD_MUST_CHECK enum reshard_status plan_proof_local(const struct reshard_layout *layout,
                                                        uint64_t holder, uint64_t seed,
                                                        struct plan_proof *out,
                                                        struct reshard_error *error);
/* Add the pieces of one tensor to a proof; ECOVER for one that lies outside. */
RESHARD_MUST_CHECK enum reshard_status plan_proof_pieces(const struct reshard_model *model,
                                                         const struct reshard_box_list *pieces,
                                                         uint32_t tensor, uint64_t seed,
                                                         struct plan_proof *proof,
                                                         struct reshard_error *error);
struct plan_proof plan_proof_expected(const struct reshard_model *model, uint64_t seed);
/* One lane of one rank's and of another's: their sum modulo 2^61-1. */
uint64_t plan_proof_add(uint64_t a, uint64_t b);

#endif
