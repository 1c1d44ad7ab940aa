#include "verify/cover.h"

#include <stdlib.h>
#include <string.h>

#define NO_ELEMENT UINT64_MAX

struct sweep {
    const struct verify_tensor *tensor;
    const struct verify_boxes *boxes;
    uint64_t inside[VERIFY_DIMS_MAX]; /* elements of one entry of a dimension */
    uint32_t *by_begin;               /* box numbers, each list as long as there are boxes */
    uint32_t *by_end;
    uint32_t *here;
};

static const struct verify_box *box_at(const struct verify_boxes *boxes, uint32_t number)
{
    return (const void *)((const char *)boxes->first + number * boxes->stride);
}

static const struct verify_box *box_of(const struct sweep *sweep, uint32_t number)
{
    return box_at(sweep->boxes, number);
}

/* --- orders ----------------------------------------------------------------------------------- */

struct order {
    const struct verify_boxes *boxes;
    uint32_t dimension;
    bool end;
};

static uint64_t bound_of(const struct order *order, uint32_t number)
{
    const struct verify_box *box = box_at(order->boxes, number);

    return order->end ? box->end[order->dimension] : box->begin[order->dimension];
}

static int by_bound(const void *a, const void *b, void *context)
{
    const uint64_t left = bound_of(context, *(const uint32_t *)a);
    const uint64_t right = bound_of(context, *(const uint32_t *)b);

    return left < right ? -1 : left > right;
}

/* Both orders of these boxes in one dimension. */
static void put_in_order(const struct sweep *sweep, const uint32_t *box, uint32_t count, uint32_t d)
{
    struct order begins = {sweep->boxes, d, false};
    struct order ends = {sweep->boxes, d, true};

    memcpy(sweep->by_begin, box, count * sizeof *box);
    memcpy(sweep->by_end, box, count * sizeof *box);
    qsort_r(sweep->by_begin, count, sizeof *box, by_bound, &begins);
    qsort_r(sweep->by_end, count, sizeof *box, by_bound, &ends);
}

/* --- two boxes that have the same element ----------------------------------------------------- */

/* How many pairs of boxes have an entry of this dimension in common. */
static uint64_t pairs_along(const struct sweep *sweep, uint32_t d)
{
    uint64_t pairs = 0;
    uint32_t ended = 0;

    put_in_order(sweep, sweep->here, sweep->boxes->count, d);
    for (uint32_t b = 0; b < sweep->boxes->count; ++b) {
        while (box_of(sweep, sweep->by_end[ended])->end[d] <=
               box_of(sweep, sweep->by_begin[b])->begin[d])
            ended += 1;
        pairs += b - ended;
    }
    return pairs;
}

/* The first element that two boxes have, or NO_ELEMENT. */
static uint64_t shared_by(const struct sweep *sweep, const struct verify_box *a,
                          const struct verify_box *b)
{
    struct verify_box both = {.ndim = a->ndim};

    for (uint32_t d = 0; d < a->ndim; ++d) {
        both.begin[d] = a->begin[d] > b->begin[d] ? a->begin[d] : b->begin[d];
        both.end[d] = a->end[d] < b->end[d] ? a->end[d] : b->end[d];
        if (both.begin[d] >= both.end[d])
            return NO_ELEMENT;
    }
    return verify_box_first(&both, sweep->tensor);
}

/* The first element of all that is in two boxes: each box is held against those that have begun
 * before it, and not ended, along the dimension where these are the fewest. */
static uint64_t first_shared(const struct sweep *sweep)
{
    uint64_t fewest = UINT64_MAX;
    uint64_t first = NO_ELEMENT;
    uint32_t along = 0;
    uint32_t here = 0;

    for (uint32_t d = 0; d < sweep->tensor->ndim; ++d) {
        const uint64_t pairs = pairs_along(sweep, d);

        along = pairs < fewest ? d : along;
        fewest = pairs < fewest ? pairs : fewest;
    }
    put_in_order(sweep, sweep->here, sweep->boxes->count, along);
    for (uint32_t b = 0; b < sweep->boxes->count; ++b) {
        const struct verify_box *box = box_of(sweep, sweep->by_begin[b]);
        uint32_t kept = 0;

        for (uint32_t h = 0; h < here; ++h) {
            const struct verify_box *other = box_of(sweep, sweep->by_end[h]);
            uint64_t shared;

            if (sweep->tensor->ndim > 0 && other->end[along] <= box->begin[along])
                continue;
            sweep->by_end[kept++] = sweep->by_end[h];
            shared = shared_by(sweep, box, other);
            first = shared < first ? shared : first;
        }
        sweep->by_end[kept++] = sweep->by_begin[b];
        here = kept;
    }
    return first;
}

/* --- an element that no box has --------------------------------------------------------------- */

/* Elements of a box in one entry of a dimension. */
static uint64_t slice(const struct verify_box *box, uint32_t d)
{
    uint64_t elements = 1;

    for (uint32_t i = d + 1; i < box->ndim; ++i)
        elements *= box->end[i] - box->begin[i];
    return elements;
}

/* Keep those of the boxes here that have entry `at` of dimension d. */
static uint32_t narrow(const struct sweep *sweep, uint32_t count, uint32_t d, uint64_t at)
{
    uint32_t kept = 0;

    for (uint32_t h = 0; h < count; ++h) {
        const struct verify_box *box = box_of(sweep, sweep->here[h]);

        if (box->begin[d] <= at && at < box->end[d])
            sweep->here[kept++] = sweep->here[h];
    }
    return kept;
}

/* The first entry of dimension d at which the boxes here do not have all, or at which is the
 * element that two have; false where there is none. Before that element boxes are disjoint, so that
 * their sizes add up. */
static bool first_short(const struct sweep *sweep, uint32_t count, uint32_t d, uint64_t shared,
                        uint64_t *at)
{
    uint32_t begun = 0;
    uint32_t ended = 0;
    uint64_t have = 0;
    uint64_t until;

    put_in_order(sweep, sweep->here, count, d);
    for (*at = 0; *at < sweep->tensor->shape[d]; *at = until) {
        for (; ended < count && box_of(sweep, sweep->by_end[ended])->end[d] <= *at; ++ended)
            have -= slice(box_of(sweep, sweep->by_end[ended]), d);
        for (; begun < count && box_of(sweep, sweep->by_begin[begun])->begin[d] <= *at; ++begun)
            have += slice(box_of(sweep, sweep->by_begin[begun]), d);
        if (have != sweep->inside[d] || *at == shared)
            return true;
        until = sweep->tensor->shape[d];
        if (begun < count && box_of(sweep, sweep->by_begin[begun])->begin[d] < until)
            until = box_of(sweep, sweep->by_begin[begun])->begin[d];
        if (ended < count && box_of(sweep, sweep->by_end[ended])->end[d] < until)
            until = box_of(sweep, sweep->by_end[ended])->end[d];
    }
    return false;
}

/* The first element that no box has, if it comes before the first one that two have. Entries
 * between two places where a box begins or ends are alike, so one of them is looked at in the next
 * dimension: the first that is not as it must be. */
static uint64_t first_missing(const struct sweep *sweep, uint64_t shared)
{
    uint32_t count = sweep->boxes->count;
    uint64_t element = 0;
    uint64_t index[VERIFY_DIMS_MAX];
    bool before = shared == NO_ELEMENT; /* the element at hand comes before the shared one */

    if (!before)
        verify_tensor_index(sweep->tensor, shared, index);
    for (uint32_t d = 0; d < sweep->tensor->ndim; ++d) {
        uint64_t at;

        if (!first_short(sweep, count, d, before ? UINT64_MAX : index[d], &at))
            return NO_ELEMENT;
        before = before || at < index[d];
        element += at * sweep->inside[d];
        count = narrow(sweep, count, d, at);
    }
    return count == 0 ? element : NO_ELEMENT;
}

/* --- the whole -------------------------------------------------------------------------------- */

/* The lowest two boxes that have an element. */
static void find_two(const struct sweep *sweep, struct verify_cover *out)
{
    uint64_t local;

    for (uint32_t b = 0; b < sweep->boxes->count && out->count < 2; ++b) {
        if (verify_box_locate(box_of(sweep, b), sweep->tensor, out->element, &local))
            out->box[out->count++] = b;
    }
}

static void judge(struct sweep *sweep, struct verify_cover *out)
{
    uint64_t inside = 1;
    uint64_t shared;
    uint64_t missing;

    for (uint32_t d = sweep->tensor->ndim; d-- > 0;) {
        sweep->inside[d] = inside;
        inside *= sweep->tensor->shape[d];
    }
    if (inside == 0)
        return;
    for (uint32_t b = 0; b < sweep->boxes->count; ++b)
        sweep->here[b] = b;
    shared = first_shared(sweep);
    missing = first_missing(sweep, shared);
    out->whole = shared == NO_ELEMENT && missing == NO_ELEMENT;
    out->element = missing < shared ? missing : shared;
    if (missing >= shared && !out->whole)
        find_two(sweep, out);
}

enum reshard_status verify_cover(const struct verify_tensor *tensor,
                                 const struct verify_boxes *boxes, struct verify_cover *out)
{
    const size_t room = (size_t)boxes->count + 1;
    struct sweep sweep = {.tensor = tensor, .boxes = boxes};
    uint32_t *numbers = malloc(3 * room * sizeof *numbers);

    *out = (struct verify_cover){.whole = true};
    if (!numbers)
        return RESHARD_ENOMEM;
    sweep.by_begin = numbers;
    sweep.by_end = numbers + room;
    sweep.here = numbers + 2 * room;
    judge(&sweep, out);
    free(numbers);
    return RESHARD_OK;
}
