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
 * which takes every parameter that no other unit has. A *tie* gives a parameter a second name and
 * no data of its own.
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

struct reshard_tensor {
    const char *fqn;
    const char *slot; /* "" for the parameter itself */
    enum reshard_dtype dtype;
    struct reshard_shape shape;
    uint64_t count; /* elements; count * bytes of the dtype fits 63 bits */
    uint32_t unit;  /* index into the units */
    uint32_t like;  /* the parameter whose placement this follows: for a parameter itself, for a
                       state of the same shape its parameter. Scalars have RESHARD_LIKE_NONE. */
};

#define RESHARD_LIKE_NONE UINT32_MAX

struct reshard_tie {
    const char *alias;
    uint32_t tensor; /* the parameter that holds the data */
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
 * Local. Add a state of a parameter that was added before. With `parameter_like` it has the
 * parameter's shape and follows its placement; otherwise `shape` is its own and every rank holds
 * the whole of it.
 */
RESHARD_MUST_CHECK enum reshard_status
reshard_model_add_slot(struct reshard_model *model, const char *fqn, const char *slot,
                       enum reshard_dtype dtype, const struct reshard_shape *shape,
                       bool parameter_like, struct reshard_error *error);

/* Local. Give the parameter `of` a second name. EINVAL when `of` is unknown or `alias` taken. */
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

/* Local. CRC-64/XZ over the whole inventory in order: ranks agree on a model by this number. */
uint64_t reshard_model_hash(const struct reshard_model *model);

/* Local. End a model. Accepts NULL. Layouts and states made from it must be gone. */
void reshard_model_close(struct reshard_model *model);

#ifdef __cplusplus
}
#endif

#endif
