/*
 * What the core is held against: the same questions answered one element at a time, by the rules of
 * FORMAT.md read literally, with none of the engine's box or layout arithmetic. Slow, and meant for
 * tensors of a few hundred elements.
 *
 * Arrays that are returned belong to the caller, who frees them. Nothing here fails but by abort().
 */
#ifndef RESHARD_TESTS_ORACLE_H
#define RESHARD_TESTS_ORACLE_H

#include "core/layout.h"
#include "support/random.h"

/* For the innermost loops: Check's own assertions report to its runner each time that they hold,
 * which is too slow for single elements. */
#define ORACLE_ASSERT(condition)                                                                   \
    do {                                                                                           \
        if (!(condition))                                                                          \
            ck_abort_msg("%s does not hold", #condition);                                          \
    } while (0)

/* A walk over the indices of a box, the last dimension fastest. */
struct oracle_walk {
    struct reshard_box box;
    uint64_t index[RESHARD_DIMS_MAX];
    bool started;
};
struct oracle_walk oracle_walk(const struct reshard_box *box);
bool oracle_walk_next(struct oracle_walk *walk);

/* The row-major number of an index within a box that has it. */
uint64_t oracle_number(const uint64_t *index, const struct reshard_box *container);

/* A random shape: its dimensions and sizes below the limits given, at most `most` elements. */
struct reshard_shape oracle_shape(struct test_random *random, uint32_t dims, uint64_t size,
                                  uint64_t most);

/* Boxes at random places in a shuffled order that cover the shape exactly once; some are empty.
 * Their number, at least 1 and at most `most`. */
uint64_t oracle_partition(struct test_random *random, const struct reshard_shape *shape,
                          struct reshard_box *out, uint64_t most);

/* A box at a random place within a shape, possibly empty. */
struct reshard_box oracle_box(struct test_random *random, const struct reshard_shape *shape);

/* Add random slots of a parameter, of each class that it can have one time in two; or this one.
 * Abort if the model refuses. */
void oracle_add_slots(struct reshard_model *model, struct test_random *random, const char *fqn);
void oracle_add_slot(struct reshard_model *model, const char *fqn, const struct reshard_slot *slot);

/* A random inventory of floats and others in up to three units, with slots. */
struct reshard_model *oracle_model(struct test_random *random);

/* Add a parameter of up to three dimensions, or a slot of it; abort if the model refuses. */
void oracle_add(struct reshard_model *model, const char *fqn, const char *unit,
                enum reshard_dtype dtype, uint32_t ndim, const uint64_t *size);

/* The inventory of all that is odd: 0 dimensions, no elements, fewer rows than ranks, one row of
 * 17, integers among floats, units of different dtypes, slots of other dtypes and of each class. */
struct reshard_model *oracle_odd_model(void);

/* ---- who holds what: the rules of FORMAT.md section 4 (oracle_rules.c) ----------------------- */

/* Whether the rules let this model have this layout. */
bool oracle_accepts(const struct reshard_model *model,
                    const struct reshard_layout_options *options);

/* The ranks of the world, idle ones too. */
uint64_t oracle_world(const struct reshard_layout_options *options);

/* Where a holder has the elements of a tensor. */
#define ORACLE_ABSENT UINT64_MAX
enum { ORACLE_BOXES_MAX = 256 };
struct oracle_places {
    bool part;        /* the holder takes part in the tensor, though it may have no element of it */
    uint64_t count;   /* elements of the tensor */
    uint64_t held;    /* of them, held */
    uint64_t *packed; /* by element: its number in the packed local memory, or ORACLE_ABSENT */
    uint64_t *flat;   /* by element: its number in the flat shard, or ORACLE_ABSENT */
    uint64_t boxes;   /* boxes that hold any, in the order of the packed memory */
    struct reshard_box box[ORACLE_BOXES_MAX];
    bool is_flat;   /* the tensor is part of a flat parameter */
    uint64_t total; /* of which: entries with padding */
    uint64_t begin; /* entries before the tensor's own */
    uint64_t shard; /* and entries of one rank's shard */
    uint64_t first; /* of the tensor, as the holder has it after other cuts: the first element of
                       its interval; and the one after the last */
    uint64_t last;
};
struct oracle_places oracle_places(const struct reshard_model *model,
                                   const struct reshard_layout_options *options, uint32_t tensor,
                                   uint64_t holder);
void oracle_places_release(struct oracle_places *places);

/* Who writes what: for tensor t and holder h, entry t * world + h. `places` likewise. What is not
 * saved is not written. */
bool *oracle_owners(const struct reshard_model *model, const struct reshard_layout_options *options,
                    const struct oracle_places *places);

#endif
