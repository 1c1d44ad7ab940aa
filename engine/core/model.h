/*
 * The model: an inventory of named tensors, without data. It is built once, checked, then
 * immutable, and may be shared by any number of ranks and threads.
 *
 * A tensor is known by its fully qualified name (FQN) and, for optimizer state, its slot
 * ("exp_avg"). Tensors keep the order in which they were added: for FSDP1 that is the order of
 * flattening, hence module-tree order, then registration order within a module
 * (torch/distributed/fsdp/_flat_param.py, _init_flat_param_and_metadata).
 *
 * A *unit* is a set of parameters that FSDP1 flattens together; the unit named "" is the root,
 * which takes every parameter that no other unit has. A *tie* gives a tensor a second name and no
 * data of its own.
 *
 * Not everything in a model is a parameter: an entry's *role* says what it is, and with it what
 * layouts do by default and whether it is saved at all.
 */
#ifndef RESHARD_MODEL_H
#define RESHARD_MODEL_H

#include "core/box.h"
#include "core/dtype.h"
#include "core/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { RESHARD_NAME_MAX = 1024 }; /* bytes of an FQN, a slot or a unit, with the final zero */

enum reshard_role {
    RESHARD_ROLE_PARAMETER, /* trained */
    RESHARD_ROLE_FROZEN,    /* a parameter that is not trained: it has no optimizer state */
    RESHARD_ROLE_BUFFER,    /* state that is no parameter: whole wherever it is, unless a rule cuts
                               it */
    RESHARD_ROLE_TRANSIENT, /* a buffer that is not persistent: never saved, loaded or digested, but
                               carried along by a live resharding */
    RESHARD_ROLE_OPAQUE,    /* bytes without structure (u8, one dimension), the same on all ranks */
    RESHARD_ROLE_PER_RANK,  /* what each rank has for itself, as random states and the data loader's
                               place: dimension 0 is the world, row r is rank r's */
    RESHARD_ROLE_COUNT,
};

/* What a load does with a PER_RANK entry that was saved at another world size. */
enum reshard_other_world {
    RESHARD_OTHER_WORLD_REFUSE, /* the checkpoint does not fit */
    RESHARD_OTHER_WORLD_KEEP,   /* nothing is loaded: each rank keeps what it has */
    RESHARD_OTHER_WORLD_WRAP,   /* rank r takes row r modulo the saved world size */
};

/* How a slot lies beside its parameter, of shape (..., m, n): what it is one element *for*.
 * FORMAT.md section 4, rule 9, says which rank has what of each. */
enum reshard_slot_class {
    RESHARD_CLASS_LIKE,       /* each element: the parameter's shape and placement */
    RESHARD_CLASS_ROW,        /* each row: (..., m), or (..., m, 1); Adafactor's row_var */
    RESHARD_CLASS_COLUMN,     /* each column: (..., n), or (..., 1, n) */
    RESHARD_CLASS_BLOCKWISE,  /* each block of `block` elements of the whole parameter, numbered
                                 row-major: one dimension; the scales of 8-bit optimizers */
    RESHARD_CLASS_REPLICATED, /* the parameter: any shape, whole on every rank that may have some of
                                 it */
    RESHARD_CLASS_SCALAR,     /* the same of 0 dimensions: `step` */
    RESHARD_CLASS_OPAQUE,     /* the same of bytes without structure: u8, one dimension */
    RESHARD_CLASS_COUNT,
};

struct reshard_tensor {
    const char *fqn;
    const char *slot; /* "" for the parameter itself */
    enum reshard_dtype dtype;
    struct reshard_shape shape;
    uint64_t count; /* elements; count * bytes of the dtype fits 63 bits */
    uint32_t unit;  /* index into the units */
    uint32_t like;  /* the tensor whose placement this follows: for one that is no slot itself, for
                       a slot of class LIKE its parameter. Others have RESHARD_LIKE_NONE. */
    uint32_t parameter;     /* of a slot, the parameter that it belongs to; of others, themselves */
    enum reshard_role role; /* of a slot: its parameter's */
    enum reshard_other_world other_world;
    enum reshard_slot_class slot_class; /* of what is no slot: LIKE */
    uint64_t block;                     /* of a BLOCKWISE slot, otherwise 0 */
};

#define RESHARD_LIKE_NONE UINT32_MAX

struct reshard_tie {
    const char *alias;
    uint32_t tensor; /* the one that holds the data */
};

struct reshard_model;

/* Local. An empty model, owned by the caller. */
RESHARD_MUST_CHECK enum reshard_status reshard_model_open(struct reshard_model **out);

/*
 * Local. Add a parameter at the end of the order. Names are copied. EINVAL, with the reason in
 * `error`, for a name that is empty, too long, not UTF-8 or taken, an unknown dtype, more than
 * RESHARD_DIMS_MAX dimensions; EOVERFLOW for a size beyond 63 bits.
 */
RESHARD_MUST_CHECK enum reshard_status reshard_model_add(struct reshard_model *model,
                                                         const char *fqn, const char *unit,
                                                         enum reshard_dtype dtype,
                                                         const struct reshard_shape *shape,
                                                         struct reshard_error *error);

/*
 * Local. Add an entry of any role at the end of the order, by the same rules. A PER_RANK entry's
 * shape begins with the size of the world that it is for, and `other_world` says what becomes of it
 * at another; others leave `other_world` 0. EINVAL too for an OPAQUE one that is not u8 in one
 * dimension.
 */
RESHARD_MUST_CHECK enum reshard_status
reshard_model_add_role(struct reshard_model *model, const char *fqn, const char *unit,
                       enum reshard_dtype dtype, const struct reshard_shape *shape,
                       enum reshard_role role, enum reshard_other_world other_world,
                       struct reshard_error *error);

/* Local. "frozen" and so on; the role of such a name, false when there is none. */
const char *reshard_role_name(enum reshard_role role);
bool reshard_role_from_name(const char *name, enum reshard_role *out);

/* Local. A parameter, trained or not; and what checkpoints hold: all but TRANSIENT. */
bool reshard_role_is_parameter(enum reshard_role role);
bool reshard_role_is_saved(enum reshard_role role);

/* Local. Is the tensor optimizer state? */
bool reshard_tensor_is_slot(const struct reshard_tensor *tensor);

/* Local. "'fc.weight'" or "'fc.weight' slot exp_avg" into `text` of `size` bytes, for messages;
 * returns `text`. RESHARD_TENSOR_TEXT_MAX bytes hold any that is not absurdly long. */
enum { RESHARD_TENSOR_TEXT_MAX = 512 };
char *reshard_tensor_print(const struct reshard_tensor *tensor, char *text, size_t size);

/* Local. The name of a class, as "row"; the class of such a name, false when there is none. */
const char *reshard_slot_class_name(enum reshard_slot_class slot_class);
bool reshard_slot_class_from_name(const char *name, enum reshard_slot_class *out);

/* A slot to be added. */
struct reshard_slot {
    const char *slot;
    enum reshard_dtype dtype; /* its own, whatever the parameter's is */
    enum reshard_slot_class slot_class;
    uint64_t block;             /* BLOCKWISE */
    bool keeps_dimension;       /* ROW, COLUMN: the reduced dimension stays, with size 1 */
    struct reshard_shape shape; /* REPLICATED, OPAQUE; that of others follows from the class */
};

/*
 * Local. Add a state of a parameter that was added before. EINVAL for a parameter that is not there
 * or has the slot already, for a ROW or COLUMN of one with fewer than 2 dimensions, a `block` that
 * is 0 or is not BLOCKWISE's, a REPLICATED shape without dimensions (that is a SCALAR), an OPAQUE
 * one that is not u8 in one dimension.
 */
RESHARD_MUST_CHECK enum reshard_status reshard_model_add_state(struct reshard_model *model,
                                                               const char *fqn,
                                                               const struct reshard_slot *slot,
                                                               struct reshard_error *error);

/* Local. A slot of a model as it would be added to another; texts are borrowed. */
struct reshard_slot reshard_tensor_slot(const struct reshard_model *model,
                                        const struct reshard_tensor *tensor);

/* Local. reshard_model_add_state() for the commonest: of the parameter's shape (LIKE), or with a
 * shape of its own and whole (SCALAR, REPLICATED). */
RESHARD_MUST_CHECK enum reshard_status
reshard_model_add_slot(struct reshard_model *model, const char *fqn, const char *slot,
                       enum reshard_dtype dtype, const struct reshard_shape *shape,
                       bool parameter_like, struct reshard_error *error);

/* Local. Give the tensor `of`, which is no slot, a second name. EINVAL when `of` is unknown or
 * `alias` taken. */
RESHARD_MUST_CHECK enum reshard_status reshard_model_tie(struct reshard_model *model,
                                                         const char *alias, const char *of,
                                                         struct reshard_error *error);

/* Local. Counts and entries; an index must be below the count. Borrowed from the model. */
uint32_t reshard_model_tensor_count(const struct reshard_model *model);
const struct reshard_tensor *reshard_model_tensor(const struct reshard_model *model,
                                                  uint32_t index);
uint32_t reshard_model_unit_count(const struct reshard_model *model);
const char *reshard_model_unit(const struct reshard_model *model, uint32_t index);
uint32_t reshard_model_tie_count(const struct reshard_model *model);
const struct reshard_tie *reshard_model_tie_at(const struct reshard_model *model, uint32_t index);

/* Local. The tensor of that name and slot ("" for the parameter), aliases followed; ENOENT. */
RESHARD_MUST_CHECK enum reshard_status reshard_model_find(const struct reshard_model *model,
                                                          const char *fqn, const char *slot,
                                                          uint32_t *out);

/* Local. A copy; with `saved_only`, without what checkpoints do not hold (and without ties of it).
 * The caller owns *out. */
RESHARD_MUST_CHECK enum reshard_status
reshard_model_copy(struct reshard_model **out, const struct reshard_model *model, bool saved_only);

/* Local. One entry's part of the hash below: CRC-64/XZ of all that ranks must agree on. */
uint64_t reshard_model_tensor_hash(const struct reshard_model *model, uint32_t index);

/* Local. CRC-64/XZ over the whole inventory in order: ranks agree on a model by this number. */
uint64_t reshard_model_hash(const struct reshard_model *model);

/* For the engine's own use. Local. EINVAL, with the reason, for what cannot be the name of a
 * `what`: too long, not UTF-8, or empty where it may not be. */
RESHARD_MUST_CHECK enum reshard_status model_check_name(const char *what, const char *name,
                                                        bool may_be_empty,
                                                        struct reshard_error *error);

/* Local. End a model. Accepts NULL. Layouts and states made from it must be gone. */
void reshard_model_close(struct reshard_model *model);

#ifdef __cplusplus
}
#endif

#endif
