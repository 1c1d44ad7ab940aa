#include "core/given.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int compare_boxes(const struct reshard_box *a, const struct reshard_box *b)
{
    for (uint32_t d = 0; d < a->ndim; d++)
        if (a->begin[d] != b->begin[d])
            return a->begin[d] < b->begin[d] ? -1 : 1;
    for (uint32_t d = 0; d < a->ndim; d++)
        if (a->end[d] != b->end[d])
            return a->end[d] < b->end[d] ? -1 : 1;
    return 0;
}

static int compare_given(const void *a, const void *b)
{
    const struct reshard_rank_box *left = a, *right = b;

    if (left->rank != right->rank)
        return left->rank < right->rank ? -1 : 1;
    return compare_boxes(&left->box, &right->box);
}

static enum reshard_status check_boxes(const struct reshard_rule *rule,
                                       const struct reshard_tensor *tensor, uint64_t ranks,
                                       struct reshard_error *error)
{
    const struct reshard_box whole = reshard_box_whole(&tensor->shape);
    char text[320];

    for (uint64_t i = 0; i < rule->box_count; i++) {
        const struct reshard_rank_box *given = &rule->box[i];
        const bool fits = given->box.ndim == whole.ndim && !reshard_box_empty(&given->box) &&
                          reshard_box_inside(&given->box, &whole);
        if (fits && given->rank < ranks)
            continue;
        return reshard_error_set(
            error, RESHARD_EINVAL, "'%s': rank %" PRIu64 " is given box %s, but %s", tensor->fqn,
            given->rank,
            given->box.ndim <= RESHARD_DIMS_MAX ? reshard_box_print(&given->box, text, sizeof text)
                                                : "of too many dimensions",
            fits                             ? "the mesh has no such rank"
            : given->box.ndim != whole.ndim  ? "the tensor has another number of dimensions"
            : reshard_box_empty(&given->box) ? "that is empty"
                                             : "that lies outside the tensor");
    }
    return RESHARD_OK;
}

/* All boxes, sorted, the ranks that have any, and where each one's begin. */
static enum reshard_status sort_boxes(struct given *given, const struct reshard_rule *rule)
{
    struct reshard_rank_box *sorted = calloc(rule->box_count + 1, sizeof *sorted);

    given->box = calloc(rule->box_count + 1, sizeof *given->box);
    given->rank = calloc(rule->box_count + 1, sizeof *given->rank);
    given->start = calloc(rule->box_count + 1, sizeof *given->start);
    if (!sorted || !given->box || !given->rank || !given->start) {
        free(sorted);
        return RESHARD_ENOMEM;
    }
    for (uint64_t i = 0; i < rule->box_count; i++)
        sorted[i] = rule->box[i];
    qsort(sorted, rule->box_count, sizeof *sorted, compare_given);
    for (uint64_t i = 0; i < rule->box_count; i++) {
        given->box[i] = sorted[i].box;
        if (i == 0 || sorted[i].rank != sorted[i - 1].rank)
            given->rank[given->rank_count++] = sorted[i].rank;
        given->start[given->rank_count] = i + 1;
    }
    free(sorted);
    return RESHARD_OK;
}

uint64_t given_find(const struct given *given, uint64_t rank)
{
    uint64_t begin = 0, end = given->rank_count;

    while (begin < end) {
        const uint64_t middle = begin + (end - begin) / 2;
        if (given->rank[middle] < rank)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin < given->rank_count && given->rank[begin] == rank ? begin : GIVEN_NONE;
}

/* A rank with its boxes, to sort ranks by what they have. */
struct holding {
    const struct given *given;
    uint64_t index; /* of the rank among those that have any */
};

static int compare_boxes_of(const struct given *given, uint64_t a, uint64_t b)
{
    const uint64_t left = given->start[a + 1] - given->start[a];
    const uint64_t right = given->start[b + 1] - given->start[b];

    for (uint64_t i = 0; i < left && i < right; i++) {
        const int order =
            compare_boxes(&given->box[given->start[a] + i], &given->box[given->start[b] + i]);
        if (order)
            return order;
    }
    return (left > right) - (left < right);
}

static int compare_holdings(const void *a, const void *b)
{
    const struct holding *left = a, *right = b;
    const int order = compare_boxes_of(left->given, left->index, right->index);

    return order ? order : (left->index > right->index) - (left->index < right->index);
}

/* Give every rank the lowest rank that has the same boxes, into `set`, by their indices. */
static enum reshard_status find_equals(struct given *given)
{
    struct holding *holding = calloc(given->rank_count + 1, sizeof *holding);
    uint64_t lowest = 0;

    if (!holding)
        return RESHARD_ENOMEM;
    for (uint64_t i = 0; i < given->rank_count; i++)
        holding[i] = (struct holding){given, i};
    qsort(holding, given->rank_count, sizeof *holding, compare_holdings);
    for (uint64_t i = 0; i < given->rank_count; i++) {
        const uint64_t index = holding[i].index;
        if (i == 0 || compare_boxes_of(given, lowest, index) != 0)
            lowest = index;
        given->set[index] = lowest;
    }
    free(holding);
    return RESHARD_OK;
}

/* Number the sets by their lowest ranks, which stand for them so far, and list their members. */
static void list_members(struct given *given)
{
    for (uint64_t i = 0; i < given->rank_count; i++) {
        const uint64_t lowest = given->set[i];
        given->set[i] = lowest == i ? given->set_count++ : given->set[lowest];
    }
    for (uint64_t i = 0; i < given->rank_count; i++)
        given->number[i] = given->member_start[given->set[i] + 1]++;
    for (uint64_t set = 0; set < given->set_count; set++)
        given->member_start[set + 1] += given->member_start[set];
    for (uint64_t i = 0; i < given->rank_count; i++)
        given->member[given->member_start[given->set[i]] + given->number[i]] = given->rank[i];
}

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

/* The different numbers of members that sets have. */
static enum reshard_status find_sizes(struct given *given)
{
    given->size = calloc(given->set_count + 1, sizeof *given->size);
    given->size_of = calloc(given->set_count + 1, sizeof *given->size_of);
    if (!given->size || !given->size_of)
        return RESHARD_ENOMEM;
    for (uint64_t set = 0; set < given->set_count; set++)
        given->size[set] = given->member_start[set + 1] - given->member_start[set];
    qsort(given->size, given->set_count, sizeof *given->size, compare_numbers);
    for (uint64_t i = 0; i < given->set_count; i++)
        if (i == 0 || given->size[i] != given->size[given->size_count - 1])
            given->size[given->size_count++] = given->size[i];
    for (uint64_t set = 0; set < given->set_count; set++) {
        const uint64_t members = given->member_start[set + 1] - given->member_start[set];
        const uint64_t *found =
            bsearch(&members, given->size, given->size_count, sizeof *given->size, compare_numbers);
        given->size_of[set] = (uint32_t)(found - given->size);
    }
    return RESHARD_OK;
}

static enum reshard_status find_sets(struct given *given)
{
    enum reshard_status status;

    given->set = calloc(given->rank_count + 1, sizeof *given->set);
    given->number = calloc(given->rank_count + 1, sizeof *given->number);
    given->member_start = calloc(given->rank_count + 1, sizeof *given->member_start);
    given->member = calloc(given->rank_count + 1, sizeof *given->member);
    if (!given->set || !given->number || !given->member_start || !given->member)
        return RESHARD_ENOMEM;
    status = find_equals(given);
    if (status)
        return status;
    list_members(given);
    return find_sizes(given);
}

/* One set's boxes and another's are the same or apart, and all sets together are the tensor. */
static enum reshard_status check_cover(const struct given *given,
                                       const struct reshard_tensor *tensor,
                                       struct reshard_error *error)
{
    const struct reshard_box whole = reshard_box_whole(&tensor->shape);
    struct reshard_box_list all = RESHARD_BOX_LIST_INIT;
    enum reshard_status status = RESHARD_OK;

    for (uint64_t set = 0; !status && set < given->set_count; set++) {
        const uint64_t first = given_find(given, given->member[given->member_start[set]]);
        for (uint64_t i = given->start[first]; !status && i < given->start[first + 1]; i++)
            status = reshard_box_list_append(&all, &given->box[i]);
    }
    if (!status)
        status = reshard_box_cover(&whole, all.box, all.count, error);
    reshard_box_list_release(&all);
    if (status != RESHARD_ECOVER)
        return status;
    reshard_error_prefix(error,
                         "'%s': the boxes given to the ranks must cover it once (ranks with "
                         "the same boxes are replicas)",
                         tensor->fqn);
    if (error)
        error->status = RESHARD_EINVAL;
    return RESHARD_EINVAL;
}

enum reshard_status given_open(struct given **out, const struct reshard_rule *rule,
                               const struct reshard_tensor *tensor, uint64_t ranks,
                               struct reshard_error *error)
{
    enum reshard_status status = check_boxes(rule, tensor, ranks, error);
    struct given *given;

    *out = NULL;
    if (status)
        return status;
    given = calloc(1, sizeof *given);
    if (!given)
        return RESHARD_ENOMEM;
    given->shape = tensor->shape;
    status = sort_boxes(given, rule);
    if (!status)
        status = find_sets(given);
    if (!status)
        status = check_cover(given, tensor, error);
    if (status)
        given_close(given);
    else
        *out = given;
    return status;
}

void given_close(struct given *given)
{
    if (!given)
        return;
    free(given->rank);
    free(given->box);
    free(given->start);
    free(given->set);
    free(given->number);
    free(given->member_start);
    free(given->member);
    free(given->size_of);
    free(given->size);
    free(given);
}

/* Sets are numbered by their lowest ranks: with the same members they have the same numbers. */
static int compare_members(const void *a, const void *b)
{
    const struct given *left = *(struct given *const *)a, *right = *(struct given *const *)b;
    const size_t bytes = left->rank_count * sizeof *left->rank;
    int order;

    if (left->rank_count != right->rank_count)
        return left->rank_count < right->rank_count ? -1 : 1;
    order = memcmp(left->rank, right->rank, bytes);
    return order ? order : memcmp(left->set, right->set, bytes);
}

enum reshard_status givens_compare(struct given **given, uint32_t count)
{
    struct given **sorted = reallocarray(NULL, (size_t)count + 1, sizeof(struct given *));
    uint32_t used = 0, number = 0;

    if (!sorted)
        return RESHARD_ENOMEM;
    for (uint32_t i = 0; i < count; i++)
        if (given[i])
            sorted[used++] = given[i];
    if (used)
        qsort(sorted, used, sizeof(struct given *), compare_members);
    for (uint32_t i = 0; i < used; i++) {
        number += i > 0 && compare_members(&sorted[i - 1], &sorted[i]) != 0;
        sorted[i]->members = number;
    }
    free(sorted);
    return RESHARD_OK;
}
