/*
 * What a model consists of, as plain arrays: the verifier's own view, filled in by whoever asks for
 * a proof (a scenario, or the decoder from a manifest). It holds no data.
 *
 * An inventory is immutable once checked and may be shared by any number of ranks and threads.
 * Names are borrowed. Elements are numbered row-major throughout the verifier.
 */
#ifndef VERIFY_INVENTORY_H
#define VERIFY_INVENTORY_H

#include "core/dtype.h"
#include "core/status.h"

#include <stdbool.h>
#include <stdint.h>

enum { VERIFY_DIMS_MAX = 8, VERIFY_NAME_MAX = 1024, VERIFY_ELEMENT_BYTES_MAX = 16 };

/* What an entry of the model is (FORMAT.md section 4). Slots have VERIFY_PARAMETER. */
enum verify_role {
    VERIFY_PARAMETER,
    VERIFY_FROZEN, /* a parameter that is not trained */
    VERIFY_BUFFER,
    VERIFY_OPAQUE,   /* bytes without structure */
    VERIFY_PER_RANK, /* row r of dimension 0 is rank r's */
};

/* What a slot has one element for (FORMAT.md section 4). VERIFY_PLAIN: of a `like` slot, of what is
 * whole, and of what is no slot. */
enum verify_class { VERIFY_PLAIN, VERIFY_ROW, VERIFY_COLUMN, VERIFY_BLOCKWISE, VERIFY_BYTES };

struct verify_tensor {
    const char *fqn;
    const char *slot; /* "" for an entry of the model itself */
    enum reshard_dtype dtype;
    uint32_t ndim;
    uint64_t shape[VERIFY_DIMS_MAX];
    uint32_t unit;      /* below unit_count */
    uint32_t parameter; /* of a slot: what it belongs to, earlier in the order; else: itself */
    bool like;          /* a slot of its parameter's shape and placement; true for all else */
    enum verify_role role;
    enum verify_class slot_class;
    uint64_t block; /* VERIFY_BLOCKWISE: elements of a block; 0 for others */
};

/* Tensors in the model's order, which is the order of flattening. */
struct verify_inventory {
    uint32_t tensor_count;
    struct verify_tensor *tensor;
    uint32_t unit_count;
};

/* Local. EINVAL, naming the tensor, for anything the rest of the verifier does not want to meet:
 * unknown dtypes, sizes of 2^63 bytes or more, dangling or forward references, duplicate names,
 * a slot of what is no parameter, a `like` slot of another shape than its parameter's, a role or a
 * class that the dtype or shape does not go with. */
RESHARD_MUST_CHECK enum reshard_status
verify_inventory_check(const struct verify_inventory *inventory, struct reshard_error *error);

/* Local. The number of elements, false when it or the number of bytes does not fit 63 bits. */
bool verify_tensor_measure(const struct verify_tensor *tensor, uint64_t *elements);

/* Local. The number of elements of a tensor of a checked inventory. */
uint64_t verify_tensor_elements(const struct verify_tensor *tensor);

/* Local. The n-dimensional index of an element; the tensor must have that element. */
void verify_tensor_index(const struct verify_tensor *tensor, uint64_t element,
                         uint64_t index[VERIFY_DIMS_MAX]);

/* Local. Is this a slot rather than an entry of the model itself? */
bool verify_tensor_is_slot(const struct verify_tensor *tensor);

/* Local. Is this a parameter, trained or not? Slots, buffers and the like are none. */
bool verify_tensor_is_parameter(const struct verify_tensor *tensor);

/* Local. Of a ROW or COLUMN slot: the dimension of its parameter, of 2 or more, that is reduced;
 * and which dimension of the parameter one of the slot is. */
uint32_t verify_slot_reduced(const struct verify_tensor *slot,
                             const struct verify_tensor *parameter);
uint32_t verify_slot_dimension(const struct verify_tensor *slot,
                               const struct verify_tensor *parameter, uint32_t dimension);

/* Local. For each tensor the next one of the same parameter, UINT32_MAX after the last: an entry of
 * the model leads the list of its slots. NULL without memory, else the caller's to free. */
uint32_t *verify_groups(const struct verify_inventory *inventory);

/* The inventory's names, sorted, to find a tensor by name and slot. Borrows the inventory. */
struct verify_names {
    const struct verify_inventory *inventory;
    uint32_t *order;
};

/* Local. EINVAL when two tensors have the same name and slot. `*out` is empty after failure. */
RESHARD_MUST_CHECK enum reshard_status verify_names_open(struct verify_names *out,
                                                         const struct verify_inventory *inventory,
                                                         struct reshard_error *error);
/* Local. The tensor's number, or UINT32_MAX when there is none. */
uint32_t verify_names_find(const struct verify_names *names, const char *fqn, const char *slot);
void verify_names_close(struct verify_names *names); /* accepts an empty one */

#endif
