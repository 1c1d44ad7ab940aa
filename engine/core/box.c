#include "core/box.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reshard_chunk reshard_chunk(uint64_t size, uint64_t count, uint64_t index)
{
    const uint64_t chunk = size / count + (size % count != 0);
    /* Sizes are below 2^63 and indices below 2^31, but their product need not fit. */
    const uint64_t begin = chunk && index > size / chunk ? size : chunk * index;
    const struct reshard_chunk piece = {
        .begin = begin < size ? begin : size,
        .end = begin < size && size - begin > chunk ? begin + chunk : size,
    };

    return piece;
}

enum reshard_status reshard_shape_count(const struct reshard_shape *shape, uint64_t *out)
{
    uint64_t count = 1;
    bool empty = false;

    /* An empty side makes the product 0, however large the others are. */
    for (uint32_t d = 0; d < shape->ndim; d++) {
        if (shape->size[d] > INT64_MAX)
            return RESHARD_EOVERFLOW;
        empty = empty || shape->size[d] == 0;
    }
    for (uint32_t d = 0; !empty && d < shape->ndim; d++)
        if (__builtin_mul_overflow(count, shape->size[d], &count) || count > INT64_MAX)
            return RESHARD_EOVERFLOW;
    *out = empty ? 0 : count;
    return RESHARD_OK;
}

bool reshard_shape_equal(const struct reshard_shape *a, const struct reshard_shape *b)
{
    return a->ndim == b->ndim && memcmp(a->size, b->size, a->ndim * sizeof a->size[0]) == 0;
}

/* Append to a text that may be full already; a text is cut, never overrun. */
static void print(char *text, unsigned size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void print(char *text, unsigned size, const char *format, ...)
{
    const size_t used = strlen(text);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text + used, size - used, format, arguments);
    va_end(arguments);
}

char *reshard_shape_print(const struct reshard_shape *shape, char *text, unsigned size)
{
    text[0] = '\0';
    print(text, size, "(");
    for (uint32_t d = 0; d < shape->ndim; d++)
        print(text, size, "%s%" PRIu64, d ? ", " : "", shape->size[d]);
    print(text, size, ")");
    return text;
}

char *reshard_box_print(const struct reshard_box *box, char *text, unsigned size)
{
    text[0] = '\0';
    print(text, size, "[");
    for (uint32_t d = 0; d < box->ndim; d++)
        print(text, size, "%s%" PRIu64 ":%" PRIu64, d ? ", " : "", box->begin[d], box->end[d]);
    print(text, size, "]");
    return text;
}

struct reshard_box reshard_box_whole(const struct reshard_shape *shape)
{
    struct reshard_box box = {.ndim = shape->ndim};

    memcpy(box.end, shape->size, shape->ndim * sizeof box.end[0]);
    return box;
}

uint64_t reshard_box_count(const struct reshard_box *box)
{
    uint64_t count = 1;

    for (uint32_t d = 0; d < box->ndim; d++) {
        if (box->end[d] <= box->begin[d])
            return 0;
        count *= box->end[d] - box->begin[d];
    }
    return count;
}

bool reshard_box_empty(const struct reshard_box *box)
{
    for (uint32_t d = 0; d < box->ndim; d++)
        if (box->end[d] <= box->begin[d])
            return true;
    return false;
}

bool reshard_box_equal(const struct reshard_box *a, const struct reshard_box *b)
{
    const size_t bytes = a->ndim * sizeof a->begin[0];

    return a->ndim == b->ndim && memcmp(a->begin, b->begin, bytes) == 0 &&
           memcmp(a->end, b->end, bytes) == 0;
}

bool reshard_box_inside(const struct reshard_box *inner, const struct reshard_box *outer)
{
    if (inner->ndim != outer->ndim)
        return false;
    for (uint32_t d = 0; d < inner->ndim; d++)
        if (inner->begin[d] < outer->begin[d] || inner->end[d] > outer->end[d])
            return false;
    return true;
}

bool reshard_box_intersect(const struct reshard_box *a, const struct reshard_box *b,
                           struct reshard_box *out)
{
    out->ndim = a->ndim;
    for (uint32_t d = 0; d < a->ndim; d++) {
        out->begin[d] = a->begin[d] > b->begin[d] ? a->begin[d] : b->begin[d];
        out->end[d] = a->end[d] < b->end[d] ? a->end[d] : b->end[d];
        if (out->begin[d] >= out->end[d])
            return false;
    }
    return true;
}

uint64_t reshard_box_offset(const struct reshard_box *inner, const struct reshard_box *outer)
{
    uint64_t offset = 0;

    for (uint32_t d = 0; d < inner->ndim; d++)
        offset = offset * (outer->end[d] - outer->begin[d]) + (inner->begin[d] - outer->begin[d]);
    return offset;
}

/* Elements of one index of dimension `d`: the product of the sizes behind it. */
static uint64_t row_count(const struct reshard_shape *shape, uint32_t d)
{
    uint64_t count = 1;

    for (uint32_t i = d + 1; i < shape->ndim; i++)
        count *= shape->size[i];
    return count;
}

/*
 * The interval [begin, end) of the slice that `prefix` fixes in the dimensions before `d`. A
 * partial first row, the whole rows, a partial last row: the partial ones recurse into the next
 * dimension, and only the first split has both, hence at most 2*ndim-1 boxes.
 */
static enum reshard_status cut_slice(const struct reshard_shape *shape, struct reshard_box *prefix,
                                     uint32_t d, uint64_t begin, uint64_t end,
                                     struct reshard_box_list *out)
{
    const uint64_t row = d < shape->ndim ? row_count(shape, d) : 1;
    uint64_t first = begin / row, last = (end - 1) / row;
    enum reshard_status status = RESHARD_OK;

    if (d == shape->ndim)
        return reshard_box_list_append(out, prefix);
    if (first == last && end - begin != row) {
        prefix->begin[d] = first;
        prefix->end[d] = first + 1;
        return cut_slice(shape, prefix, d + 1, begin - first * row, end - first * row, out);
    }
    if (begin % row) {
        prefix->begin[d] = first;
        prefix->end[d] = first + 1;
        status = cut_slice(shape, prefix, d + 1, begin - first * row, row, out);
        first++;
    }
    if (!status && first < end / row) {
        prefix->begin[d] = first;
        prefix->end[d] = end / row;
        for (uint32_t i = d + 1; i < shape->ndim; i++) {
            prefix->begin[i] = 0;
            prefix->end[i] = shape->size[i];
        }
        status = reshard_box_list_append(out, prefix);
    }
    if (!status && end % row) {
        prefix->begin[d] = last;
        prefix->end[d] = last + 1;
        status = cut_slice(shape, prefix, d + 1, 0, end - last * row, out);
    }
    return status;
}

enum reshard_status reshard_box_from_interval(const struct reshard_shape *shape, uint64_t begin,
                                              uint64_t end, struct reshard_box_list *out)
{
    struct reshard_box prefix = {.ndim = shape->ndim};

    return begin < end ? cut_slice(shape, &prefix, 0, begin, end, out) : RESHARD_OK;
}

enum reshard_status reshard_box_list_append(struct reshard_box_list *list,
                                            const struct reshard_box *box)
{
    if (list->count == list->capacity) {
        const uint64_t capacity = list->capacity ? 2 * list->capacity : 8;
        struct reshard_box *grown = reallocarray(list->box, capacity, sizeof *grown);

        if (!grown)
            return RESHARD_ENOMEM;
        list->box = grown;
        list->capacity = capacity;
    }
    list->box[list->count++] = *box;
    return RESHARD_OK;
}

void reshard_box_list_release(struct reshard_box_list *list)
{
    free(list->box);
    *list = (struct reshard_box_list)RESHARD_BOX_LIST_INIT;
}

/* ---- runs ------------------------------------------------------------------------------------ */

static bool spans(const struct reshard_box *box, const struct reshard_box *container, uint32_t d)
{
    return box->begin[d] == container->begin[d] && box->end[d] == container->end[d];
}

struct reshard_box_runs reshard_box_runs(const struct reshard_box *box,
                                         const struct reshard_box *source,
                                         const struct reshard_box *target)
{
    struct reshard_box_runs runs = {.source = reshard_box_offset(box, source),
                                    .target = reshard_box_offset(box, target),
                                    .count = 1,
                                    .outer = box->ndim,
                                    .done = reshard_box_count(box) == 0};
    uint64_t source_step = 1, target_step = 1;

    /* A run takes in dimensions from the last one on, as long as the ones behind are whole in both
     * containers. */
    while (runs.outer > 0) {
        const uint32_t d = runs.outer - 1;
        if (d + 1 < box->ndim && !(spans(box, source, d + 1) && spans(box, target, d + 1)))
            break;
        runs.count *= box->end[d] - box->begin[d];
        source_step *= source->end[d] - source->begin[d];
        target_step *= target->end[d] - target->begin[d];
        runs.outer--;
    }
    for (uint32_t d = runs.outer; d-- > 0;) {
        runs.size[d] = box->end[d] - box->begin[d];
        runs.source_step[d] = source_step;
        runs.target_step[d] = target_step;
        source_step *= source->end[d] - source->begin[d];
        target_step *= target->end[d] - target->begin[d];
    }
    return runs;
}

bool reshard_box_runs_next(struct reshard_box_runs *runs)
{
    if (runs->done)
        return false;
    if (!runs->started) {
        runs->started = true;
        return true;
    }
    for (uint32_t d = runs->outer; d-- > 0;) {
        runs->source += runs->source_step[d];
        runs->target += runs->target_step[d];
        if (++runs->index[d] < runs->size[d])
            return true;
        runs->source -= runs->size[d] * runs->source_step[d];
        runs->target -= runs->size[d] * runs->target_step[d];
        runs->index[d] = 0;
    }
    runs->done = true;
    return false;
}

/* ---- cover ----------------------------------------------------------------------------------- */

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

/* The dimension to sort by: the one on which the parts begin at the most places, so that few are
 * compared with one another. */
static enum reshard_status sort_dimension(uint32_t ndim, const struct reshard_box *parts,
                                          uint64_t count, uint32_t *out)
{
    uint64_t *begin = ndim > 1 && count > 1 ? calloc(count, sizeof *begin) : NULL, most = 0;

    *out = 0;
    if (ndim < 2 || count < 2)
        return RESHARD_OK;
    if (!begin)
        return RESHARD_ENOMEM;
    for (uint32_t d = 0; d < ndim; d++) {
        uint64_t places = 1;
        for (uint64_t i = 0; i < count; i++)
            begin[i] = parts[i].begin[d];
        qsort(begin, count, sizeof *begin, compare_numbers);
        for (uint64_t i = 1; i < count; i++)
            places += begin[i] != begin[i - 1];
        if (places > most) {
            most = places;
            *out = d;
        }
    }
    free(begin);
    return RESHARD_OK;
}

struct cover_order {
    uint64_t begin;
    const struct reshard_box *part;
};

static int compare_begin(const void *a, const void *b)
{
    const uint64_t left = ((const struct cover_order *)a)->begin;
    const uint64_t right = ((const struct cover_order *)b)->begin;

    return (left > right) - (left < right);
}

static enum reshard_status overlap_found(const struct reshard_box *a, const struct reshard_box *b,
                                         struct reshard_error *error)
{
    char first[320], second[320];

    return reshard_error_set(error, RESHARD_ECOVER, "boxes %s and %s overlap",
                             reshard_box_print(a, first, sizeof first),
                             reshard_box_print(b, second, sizeof second));
}

/* Parts sorted by their begin on `d`: each need be compared only with those not ended before it. */
static enum reshard_status sweep(struct cover_order *order, uint64_t count, uint32_t d,
                                 struct reshard_error *error)
{
    struct reshard_box common;
    uint64_t active = 0; /* order[0 .. active) is reused for the parts that may still overlap */

    for (uint64_t i = 0; i < count; i++) {
        const struct reshard_box *part = order[i].part;
        uint64_t kept = 0;
        for (uint64_t j = 0; j < active; j++) {
            if (reshard_box_intersect(order[j].part, part, &common))
                return overlap_found(order[j].part, part, error);
            if (part->ndim && order[j].part->end[d] > part->begin[d])
                order[kept++] = order[j];
        }
        order[kept++].part = part;
        active = kept;
    }
    return RESHARD_OK;
}

/* Keep what is not empty, ready to be sorted; refuse what lies outside; add up the elements. */
static enum reshard_status collect(const struct reshard_box *whole, const struct reshard_box *parts,
                                   uint64_t count, uint32_t d, struct cover_order *order,
                                   uint64_t *kept, uint64_t *covered, struct reshard_error *error)
{
    char inner[320], outer[320];

    *kept = *covered = 0;
    for (uint64_t i = 0; i < count; i++) {
        /* Counted only once it is known to lie inside: the product of wild sides may be 0. */
        if (reshard_box_empty(&parts[i]))
            continue;
        if (!reshard_box_inside(&parts[i], whole))
            return reshard_error_set(error, RESHARD_ECOVER, "box %s lies outside %s",
                                     reshard_box_print(&parts[i], inner, sizeof inner),
                                     reshard_box_print(whole, outer, sizeof outer));
        if (__builtin_add_overflow(*covered, reshard_box_count(&parts[i]), covered))
            return reshard_error_set(error, RESHARD_ECOVER, "boxes overlap");
        order[(*kept)++] = (struct cover_order){whole->ndim ? parts[i].begin[d] : 0, &parts[i]};
    }
    return RESHARD_OK;
}

enum reshard_status reshard_box_cover(const struct reshard_box *whole,
                                      const struct reshard_box *parts, uint64_t count,
                                      struct reshard_error *error)
{
    const uint64_t wanted = reshard_box_count(whole);
    struct cover_order *order = NULL;
    uint64_t kept = 0, covered = 0;
    char text[320];
    uint32_t d;
    enum reshard_status status = sort_dimension(whole->ndim, parts, count, &d);

    if (status)
        return status;

    if (count > 0) {
        order = calloc(count, sizeof *order);
        if (!order)
            return RESHARD_ENOMEM;
        status = collect(whole, parts, count, d, order, &kept, &covered, error);
        if (status)
            goto cleanup;
        qsort(order, kept, sizeof *order, compare_begin);
        status = sweep(order, kept, d, error);
        if (status)
            goto cleanup;
    }
    /* Inside, disjoint, and as many elements as the whole: an exact cover. */
    if (covered != wanted)
        status = reshard_error_set(
            error, RESHARD_ECOVER, "%" PRIu64 " of %" PRIu64 " elements of %s are not covered",
            wanted - covered, wanted, reshard_box_print(whole, text, sizeof text));

cleanup:
    free(order);
    return status;
}
