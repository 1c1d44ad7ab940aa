#include "verify/cover.h"

#include <stdlib.h>
#include <string.h>

/* Box numbers, for each dimension: those that come here by rising begin, and those that are here
 * where the sweep stands. */
struct sweep {
    const struct verify_tensor *tensor;
    const struct verify_boxes *boxes;
    uint64_t inside[VERIFY_DIMS_MAX]; /* elements of one row of a dimension */
    uint32_t *coming[VERIFY_DIMS_MAX];
    uint32_t *here[VERIFY_DIMS_MAX];
    struct verify_cover *out;
};

struct order {
    const struct verify_boxes *boxes;
    uint32_t dimension;
};

static const struct verify_box *box_at(const struct verify_boxes *boxes, uint32_t number)
{
    return (const void *)((const char *)boxes->first + number * boxes->stride);
}

static int by_begin(const void *a, const void *b, void *context)
{
    const struct order *order = context;
    const uint32_t left = *(const uint32_t *)a;
    const uint32_t right = *(const uint32_t *)b;
    const uint64_t x = box_at(order->boxes, left)->begin[order->dimension];
    const uint64_t y = box_at(order->boxes, right)->begin[order->dimension];

    if (x != y)
        return x < y ? -1 : 1;
    return left < right ? -1 : left > right;
}

static bool fault(const struct sweep *sweep, uint64_t element, const uint32_t *box, uint32_t count)
{
    struct verify_cover *out = sweep->out;

    *out = (struct verify_cover){.element = element, .count = count ? 2 : 0};
    if (count == 0)
        return false;
    out->box[0] = box[0] < box[1] ? box[0] : box[1];
    out->box[1] = box[0] < box[1] ? box[1] : box[0];
    for (uint32_t b = 2; b < count; ++b) {
        if (box[b] < out->box[0]) {
            out->box[1] = out->box[0];
            out->box[0] = box[b];
        } else if (box[b] < out->box[1]) {
            out->box[1] = box[b];
        }
    }
    return false;
}

/* Drop the boxes that have ended at entry `at`, take in those that begin there; the number of boxes
 * that are here, and in *until where that changes next. */
static uint32_t move_on(const struct sweep *sweep, uint32_t d, uint64_t at, uint32_t *next,
                        uint32_t count, uint32_t here, uint64_t *until)
{
    uint32_t kept = 0;

    *until = sweep->tensor->shape[d];
    for (uint32_t b = 0; b < here; ++b) {
        const uint32_t number = sweep->here[d][b];

        if (box_at(sweep->boxes, number)->end[d] > at)
            sweep->here[d][kept++] = number;
    }
    for (; *next < count && box_at(sweep->boxes, sweep->coming[d][*next])->begin[d] <= at; ++*next)
        sweep->here[d][kept++] = sweep->coming[d][*next];
    for (uint32_t b = 0; b < kept; ++b) {
        const uint64_t end = box_at(sweep->boxes, sweep->here[d][b])->end[d];

        *until = end < *until ? end : *until;
    }
    if (*next < count) {
        const uint64_t begin = box_at(sweep->boxes, sweep->coming[d][*next])->begin[d];

        *until = begin < *until ? begin : *until;
    }
    return kept;
}

/* Sweep dimension d of the row that begins with `element`, which the boxes given all reach. */
static bool sweep_row(const struct sweep *sweep, uint32_t d, const uint32_t *box, uint32_t count,
                      uint64_t element)
{
    struct order order = {sweep->boxes, d};
    uint32_t next = 0;
    uint32_t here = 0;
    uint64_t until;

    if (count == 0)
        return fault(sweep, element, box, 0);
    if (d == sweep->tensor->ndim)
        return count == 1 || fault(sweep, element, box, count);
    memcpy(sweep->coming[d], box, count * sizeof *box);
    qsort_r(sweep->coming[d], count, sizeof *box, by_begin, &order);
    for (uint64_t at = 0; at < sweep->tensor->shape[d]; at = until) {
        here = move_on(sweep, d, at, &next, count, here, &until);
        if (!sweep_row(sweep, d + 1, sweep->here[d], here, element + at * sweep->inside[d]))
            return false;
    }
    return true;
}

enum reshard_status verify_cover(const struct verify_tensor *tensor,
                                 const struct verify_boxes *boxes, struct verify_cover *out)
{
    const size_t count = boxes->count;
    struct sweep sweep = {.tensor = tensor, .boxes = boxes, .out = out};
    uint32_t *numbers = malloc((count + 1) * (2 * VERIFY_DIMS_MAX + 1) * sizeof *numbers);
    uint64_t inside = 1;

    *out = (struct verify_cover){.whole = true};
    if (!numbers)
        return RESHARD_ENOMEM;
    for (uint32_t b = 0; b < count; ++b)
        numbers[b] = b;
    for (uint32_t d = tensor->ndim; d-- > 0;) {
        sweep.coming[d] = numbers + (count + 1) * (1 + 2 * d);
        sweep.here[d] = numbers + (count + 1) * (2 + 2 * d);
        sweep.inside[d] = inside;
        inside *= tensor->shape[d];
    }
    if (inside > 0)
        out->whole = sweep_row(&sweep, 0, numbers, boxes->count, 0);
    free(numbers);
    return RESHARD_OK;
}
