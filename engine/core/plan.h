/*
 * The plan: the intersection of two layouts, seen from one holder. Each move says which elements of
 * which piece of a source holder go to which piece of a target holder. Movers (the store, the
 * exchange between ranks) carry plans out and know nothing of layouts.
 *
 * A plan is only ever handed out when it obeys the law: every element that the holder has under
 * the target layout is supplied exactly once, and nothing else is touched.
 */
#ifndef RESHARD_PLAN_H
#define RESHARD_PLAN_H

#include "core/layout.h"

struct plan_move {
    uint64_t holder;        /* the other side: where it comes from, or, of plan_sends(), goes to */
    uint32_t source_tensor; /* index in the source layout's model */
    uint32_t target_tensor;
    struct reshard_box box;    /* the elements that move */
    struct reshard_box source; /* the source's piece that encloses them */
    struct reshard_box target; /* the target's piece that encloses them */
    uint64_t source_offset;    /* of the source piece in its tensor's packed local memory */
    uint64_t target_offset;    /* of the target piece, likewise */
};

struct plan {
    uint64_t count;
    struct plan_move *move; /* by holder, then target tensor, then rising elements */
    uint64_t capacity;
};

#define PLAN_INIT                                                                                  \
    {                                                                                              \
        0, NULL, 0                                                                                 \
    }

enum { PLAN_SKIP = UINT32_MAX };

/* What goes where: two layouts, and which source tensor fills which target tensor. */
struct plan_sides {
    const struct reshard_layout *source;
    const struct reshard_layout *target;
    const uint32_t *from; /* by target tensor: the source tensor, or PLAN_SKIP */
    bool files;           /* the sources are files, which owners alone have written; otherwise the
                             memory of ranks, where a rank that has elements itself is its own
                             source, and others are spread over the replicas */
};

/*
 * Local. The moves that fill `holder` of the target layout. Shapes must agree (EMISMATCH), but for
 * the rows of PER_RANK entries that wrap. ECOVER, with tensor and box, if the law does not hold.
 */
RESHARD_MUST_CHECK enum reshard_status plan_build(struct plan *out, const struct plan_sides *sides,
                                                  uint64_t holder, struct reshard_error *error);

/* Local. Between ranks' memories: the moves out of `holder`, exactly those that the others' plans
 * ask of it, itself left out. */
RESHARD_MUST_CHECK enum reshard_status plan_sends(struct plan *out, const struct plan_sides *sides,
                                                  uint64_t holder);

/* Local. Add a move; sort the moves as they must be. */
RESHARD_MUST_CHECK enum reshard_status plan_add(struct plan *plan, const struct plan_move *move);
void plan_sort(struct plan *plan);

/*
 * Local. The law for one holder: the moves to each of its pieces cover the piece exactly once, no
 * move goes elsewhere, and each comes from the tensor asked for and from a piece that encloses it.
 * plan_build() ends with it.
 */
RESHARD_MUST_CHECK enum reshard_status plan_check(const struct plan *plan,
                                                  const struct plan_sides *sides, uint64_t holder,
                                                  struct reshard_error *error);
void plan_release(struct plan *plan);

/* Local. Elements that `holder` has under the target layout and not under the source: what must
 * come to it from elsewhere, whatever the plan. `bytes`. */
RESHARD_MUST_CHECK enum reshard_status plan_lacking(const struct plan_sides *sides, uint64_t holder,
                                                    uint64_t *bytes);

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
