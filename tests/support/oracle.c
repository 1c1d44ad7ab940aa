#include "support/oracle.h"

#include <stdlib.h>
#include <string.h>

/* ---- indices --------------------------------------------------------------------------------- */

struct oracle_walk oracle_walk(const struct reshard_box *box)
{
    return (struct oracle_walk){.box = *box};
}

bool oracle_walk_next(struct oracle_walk *walk)
{
    uint32_t d = walk->box.ndim;

    if (!walk->started) {
        walk->started = true;
        memcpy(walk->index, walk->box.begin, sizeof walk->index);
        for (d = 0; d < walk->box.ndim; d++)
            if (walk->box.begin[d] >= walk->box.end[d])
                return false;
        return true;
    }
    while (d > 0) {
        d--;
        if (++walk->index[d] < walk->box.end[d])
            return true;
        walk->index[d] = walk->box.begin[d];
    }
    return false;
}

uint64_t oracle_number(const uint64_t *index, const struct reshard_box *container)
{
    uint64_t number = 0, weight = 1;

    for (uint32_t d = container->ndim; d > 0; d--) {
        number += weight * (index[d - 1] - container->begin[d - 1]);
        weight *= container->end[d - 1] - container->begin[d - 1];
    }
    return number;
}

/* ---- random shapes, boxes, models ------------------------------------------------------------ */

struct reshard_shape oracle_shape(struct test_random *random, uint32_t dims, uint64_t size,
                                  uint64_t most)
{
    struct reshard_shape shape = {.ndim = (uint32_t)test_random_below(random, dims)};
    uint64_t elements = 1;

    for (uint32_t d = 0; d < shape.ndim; d++) {
        const bool empty = test_random_below(random, 40) == 0;
        shape.size[d] = empty ? 0 : 1 + test_random_below(random, size - 1);
        if (elements * shape.size[d] > most)
            shape.size[d] = 1;
        elements *= shape.size[d];
    }
    return shape;
}

uint64_t oracle_partition(struct test_random *random, const struct reshard_shape *shape,
                          struct reshard_box *out, uint64_t most)
{
    const uint64_t cuts = test_random_below(random, most);
    uint64_t count = 1;

    out[0] = (struct reshard_box){.ndim = shape->ndim};
    for (uint32_t d = 0; d < shape->ndim; d++)
        out[0].end[d] = shape->size[d];
    for (uint64_t i = 0; shape->ndim > 0 && i < cuts; i++) {
        struct reshard_box *box = &out[test_random_below(random, count)];
        const uint64_t d = test_random_below(random, shape->ndim);
        const uint64_t at =
            box->begin[d] + test_random_below(random, box->end[d] - box->begin[d] + 1);
        out[count] = *box;
        box->end[d] = at;
        out[count++].begin[d] = at;
    }
    for (uint64_t i = count; i > 1; i--) {
        const uint64_t j = test_random_below(random, i);
        const struct reshard_box other = out[j];
        out[j] = out[i - 1];
        out[i - 1] = other;
    }
    return count;
}

struct reshard_box oracle_box(struct test_random *random, const struct reshard_shape *shape)
{
    struct reshard_box box = {.ndim = shape->ndim};

    for (uint32_t d = 0; d < shape->ndim; d++) {
        const uint64_t a = test_random_below(random, shape->size[d] + 1);
        const uint64_t b = test_random_below(random, shape->size[d] + 1);
        box.begin[d] = a < b ? a : b;
        box.end[d] = a < b ? b : a;
    }
    return box;
}

static void must_be_added(enum reshard_status status)
{
    if (status) {
        fprintf(stderr, "the oracle's model is refused: %s\n", reshard_status_name(status));
        abort();
    }
}

void oracle_add(struct reshard_model *model, const char *fqn, const char *unit,
                enum reshard_dtype dtype, uint32_t ndim, const uint64_t *size)
{
    struct reshard_shape shape = {.ndim = ndim};

    if (ndim)
        memcpy(shape.size, size, ndim * sizeof *size);
    must_be_added(reshard_model_add(model, fqn, unit, dtype, &shape, NULL));
}

void oracle_add_slot(struct reshard_model *model, const char *fqn, const struct reshard_slot *slot)
{
    must_be_added(reshard_model_add_state(model, fqn, slot, NULL));
}

void oracle_add_slots(struct reshard_model *model, struct test_random *random, const char *fqn)
{
    static const char *const names[RESHARD_CLASS_COUNT] = {
        "exp_avg", "row_var", "col_var", "scales", "table", "step", "bytes"};
    static const enum reshard_dtype dtypes[] = {RESHARD_DTYPE_F32, RESHARD_DTYPE_BF16,
                                                RESHARD_DTYPE_U8, RESHARD_DTYPE_F64};
    uint32_t parameter;

    must_be_added(reshard_model_find(model, fqn, "", &parameter));
    const bool vector = reshard_model_tensor(model, parameter)->shape.ndim < 2;
    for (int c = 0; c < RESHARD_CLASS_COUNT; c++) {
        struct reshard_slot slot = {.slot = names[c], .slot_class = (enum reshard_slot_class)c};
        slot.dtype = dtypes[test_random_below(random, 4)];
        slot.keeps_dimension = test_random_below(random, 2);
        slot.shape = (struct reshard_shape){1, {test_random_below(random, 5)}};
        if (test_random_below(random, 2) ||
            (vector && (c == RESHARD_CLASS_ROW || c == RESHARD_CLASS_COLUMN)))
            continue;
        if (c == RESHARD_CLASS_BLOCKWISE)
            slot.block = 1 + test_random_below(random, 17);
        if (c == RESHARD_CLASS_OPAQUE)
            slot.dtype = RESHARD_DTYPE_U8;
        oracle_add_slot(model, fqn, &slot);
    }
}

struct reshard_model *oracle_model(struct test_random *random)
{
    static const enum reshard_dtype floats[] = {RESHARD_DTYPE_F64, RESHARD_DTYPE_F32,
                                                RESHARD_DTYPE_F16, RESHARD_DTYPE_BF16};
    static const enum reshard_dtype others[] = {RESHARD_DTYPE_I64, RESHARD_DTYPE_BOOL,
                                                RESHARD_DTYPE_C64, RESHARD_DTYPE_F8_E4M3FN,
                                                RESHARD_DTYPE_U16};
    static const char *const units[] = {"", "block", "head"};
    const uint64_t tensors = 1 + test_random_below(random, 7);
    enum reshard_dtype unit_dtype[3];
    struct reshard_model *model;

    must_be_added(reshard_model_open(&model));
    for (int u = 0; u < 3; u++)
        unit_dtype[u] = floats[test_random_below(random, 4)];
    for (uint64_t t = 0; t < tensors; t++) {
        const struct reshard_shape shape = oracle_shape(random, 5, 9, 120);
        const uint64_t unit = test_random_below(random, 3);
        const enum reshard_dtype dtype =
            test_random_below(random, 4) ? unit_dtype[unit] : others[test_random_below(random, 5)];
        char fqn[24];
        (void)snprintf(fqn, sizeof fqn, "t%" PRIu64, t);
        oracle_add(model, fqn, units[unit], dtype, shape.ndim, shape.size);
        oracle_add_slots(model, random, fqn);
    }
    return model;
}

/* Blocks that shards cut through and blocks of more than one row; rows and columns of a matrix, of
 * a cube and of a single row. */
static const struct {
    const char *fqn;
    struct reshard_slot slot;
} odd_slots[] = {
    {"weight", {"row", RESHARD_DTYPE_F32, RESHARD_CLASS_ROW, 0, false, {0, {0}}}},
    {"weight", {"column", RESHARD_DTYPE_BF16, RESHARD_CLASS_COLUMN, 0, true, {0, {0}}}},
    {"weight", {"scales", RESHARD_DTYPE_F32, RESHARD_CLASS_BLOCKWISE, 4, false, {0, {0}}}},
    {"weight", {"bytes", RESHARD_DTYPE_U8, RESHARD_CLASS_OPAQUE, 0, false, {1, {5}}}},
    {"scale", {"scales", RESHARD_DTYPE_F32, RESHARD_CLASS_BLOCKWISE, 3, false, {0, {0}}}},
    {"wide", {"row", RESHARD_DTYPE_F32, RESHARD_CLASS_ROW, 0, true, {0, {0}}}},
    {"wide", {"scales", RESHARD_DTYPE_U8, RESHARD_CLASS_BLOCKWISE, 5, false, {0, {0}}}},
    {"none", {"column", RESHARD_DTYPE_F32, RESHARD_CLASS_COLUMN, 0, false, {0, {0}}}},
    {"block.w", {"row", RESHARD_DTYPE_F64, RESHARD_CLASS_ROW, 0, true, {0, {0}}}},
    {"block.w", {"column", RESHARD_DTYPE_F32, RESHARD_CLASS_COLUMN, 0, false, {0, {0}}}},
    {"block.w", {"scales", RESHARD_DTYPE_F32, RESHARD_CLASS_BLOCKWISE, 7, false, {0, {0}}}},
    {"block.z", {"row", RESHARD_DTYPE_F32, RESHARD_CLASS_ROW, 0, false, {0, {0}}}},
    {"ints", {"scales", RESHARD_DTYPE_F32, RESHARD_CLASS_BLOCKWISE, 17, false, {0, {0}}}},
};

struct reshard_model *oracle_odd_model(void)
{
    const struct reshard_shape scalar = {.ndim = 0}, rows = {.ndim = 2, .size = {3, 5}};
    struct reshard_model *model;

    must_be_added(reshard_model_open(&model));
    oracle_add(model, "weight", "", RESHARD_DTYPE_F32, 2, (const uint64_t[]){5, 7});
    oracle_add(model, "scale", "", RESHARD_DTYPE_F32, 0, NULL);
    oracle_add(model, "none", "", RESHARD_DTYPE_F32, 2, (const uint64_t[]){0, 4});
    oracle_add(model, "ids", "", RESHARD_DTYPE_I64, 1, (const uint64_t[]){11});
    oracle_add(model, "wide", "", RESHARD_DTYPE_F32, 2, (const uint64_t[]){1, 17});
    oracle_add(model, "flag", "", RESHARD_DTYPE_BOOL, 0, NULL);
    oracle_add(model, "block.w", "block", RESHARD_DTYPE_BF16, 3, (const uint64_t[]){3, 4, 5});
    oracle_add(model, "block.b", "block", RESHARD_DTYPE_BF16, 1, (const uint64_t[]){3});
    oracle_add(model, "block.none", "block", RESHARD_DTYPE_BF16, 1, (const uint64_t[]){0});
    oracle_add(model, "block.z", "block", RESHARD_DTYPE_C64, 2, (const uint64_t[]){2, 3});
    oracle_add(model, "block.end", "block", RESHARD_DTYPE_BF16, 1, (const uint64_t[]){1});
    oracle_add(model, "ints", "ints", RESHARD_DTYPE_I32, 1, (const uint64_t[]){6});
    must_be_added(reshard_model_add_slot(model, "block.w", "exp_avg", RESHARD_DTYPE_F32, &scalar,
                                         true, NULL));
    must_be_added(
        reshard_model_add_slot(model, "weight", "exp_avg", RESHARD_DTYPE_F32, &scalar, true, NULL));
    must_be_added(
        reshard_model_add_slot(model, "ids", "mask", RESHARD_DTYPE_U8, &scalar, true, NULL));
    must_be_added(
        reshard_model_add_slot(model, "weight", "step", RESHARD_DTYPE_F32, &scalar, false, NULL));
    must_be_added(
        reshard_model_add_slot(model, "block.w", "rows", RESHARD_DTYPE_F64, &rows, false, NULL));
    for (size_t i = 0; i < sizeof odd_slots / sizeof *odd_slots; i++)
        oracle_add_slot(model, odd_slots[i].fqn, &odd_slots[i].slot);
    return model;
}
