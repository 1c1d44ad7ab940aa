/*
 * One side of a transfer, for tests on many ranks: this rank's state under any layout, in memory
 * whose every byte the oracle can name. The memory may be a fake device's: its pointers can be
 * counted with but not followed, and its copies fail on demand.
 */
#ifndef RESHARD_TESTS_SIDE_H
#define RESHARD_TESTS_SIDE_H

#include "parallel/state.h"
#include "support/ranks.h"

struct side_device {
    struct reshard_device device; /* base, first */
    uint64_t calls;
    uint64_t fail_at; /* the call that fails, counted from 1; 0: none */
    uint64_t failed;
};

struct side {
    const struct reshard_layout_options *options;
    struct reshard_layout *layout;
    struct reshard_state *state;
    struct side_device fake;
    unsigned char **memory; /* by tensor, to be followed; bytes after the end are watched over */
    uint64_t *bytes;        /* by tensor: what the oracle says */
    uint32_t tensors;
    uint64_t rank;
};

/* Open a state and bind all its memory, stained; counts what goes wrong. The model and options are
 * borrowed. `skip`: a role that is left unbound, or RESHARD_ROLE_COUNT. */
bool side_open(struct side *side, struct ranks *ranks, const struct reshard_model *model,
               const struct reshard_layout_options *options, bool on_device,
               enum reshard_role skip);
/* The same; memory of the tensors that `unbound` marks is made, but not bound. */
bool side_open_without(struct side *side, struct ranks *ranks, const struct reshard_model *model,
                       const struct reshard_layout_options *options, bool on_device,
                       const bool *unbound);
void side_close(struct side *side);

/* Fill a tensor with its bytes of a seed (sample_byte), or stain it. */
void side_fill(struct side *side, uint32_t tensor, uint64_t seed);
void side_fill_all(struct side *side, uint64_t seed);
void side_stain(struct side *side, uint32_t tensor);

/* Bytes that are not what they must be, those after the end of the tensor's memory included. */
uint64_t side_wrong(const struct side *side, uint32_t tensor, uint64_t seed);
uint64_t side_wrong_all(const struct side *side, uint64_t seed);

/* The same of a tensor that must hold what tensor number `saved` of another model was filled with.
 */
uint64_t side_wrong_as(const struct side *side, uint32_t tensor, uint64_t seed, uint32_t saved);

/* Bytes that are not the stain any more, likewise. */
uint64_t side_touched(const struct side *side, uint32_t tensor);

/* Say which slots are absent, by tensor; and the flags that are not so. What is no slot has none.
 */
void side_set_absent(struct side *side, const bool *absent);
uint64_t side_wrong_flags(const struct side *side, const bool *absent);

/* All memory, the bytes after the ends included, and all flags, as they are: the caller frees it.
 * And how much of that has changed since. */
unsigned char *side_image(const struct side *side);
uint64_t side_changed(const struct side *side, const unsigned char *image);

#endif
