/*
 * Ways in which a state may lie on all ranks of a test, one for each kind of layout.
 */
#ifndef RESHARD_TESTS_LYING_H
#define RESHARD_TESTS_LYING_H

#include "core/layout.h"

enum lying {
    LYING_ROWS,           /* FSDP2 */
    LYING_FLAT,           /* FSDP1, each unit aligned for its own dtype */
    LYING_FLAT_ORIG_F32,  /* with orig_params, aligned for f32, */
    LYING_FLAT_ORIG_BF16, /* and for bf16 */
    LYING_FLAT_HYBRID,    /* two copies where the ranks are even, otherwise one on each */
    LYING_COLUMNS,
    LYING_TENSOR, /* tensors called "*weight" are cut along `tensor`, all others are whole */
    LYING_WHOLE,  /* copies, of which rank 0's are written */
    LYING_GIVEN,  /* "a.weight" (7, 5) has a box on the first rank and one on the last: rows [0, 3)
                     and [3, 7); all others are whole */
    LYING_COUNT,
};

/* What a layout's options borrow. */
struct lying_given {
    struct reshard_rank_box box[2];
    struct reshard_rule rule;
};

struct reshard_layout_options lying_options(enum lying how, uint64_t ranks,
                                            struct lying_given *given);

#endif
