#include "verify/given.h"

#include "verify/cover.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int by_rank(const void *a, const void *b)
{
    const struct verify_given_box *left = a;
    const struct verify_given_box *right = b;

    if (left->rank != right->rank)
        return left->rank < right->rank ? -1 : 1;
    return verify_box_compare(&left->box, &right->box);
}

static enum reshard_status take_boxes(struct verify_given *given,
                                      const struct verify_tensor *tensor,
                                      const struct verify_rule *rule, uint64_t ranks,
                                      struct reshard_error *error)
{
    for (uint64_t b = 0; b < rule->box_count; ++b) {
        const struct verify_rank_box *from = &rule->box[b];
        struct verify_given_box *to = &given->box[b];

        to->rank = from->rank;
        to->box.ndim = from->ndim;
        memcpy(to->box.begin, from->begin, sizeof to->box.begin);
        memcpy(to->box.end, from->end, sizeof to->box.end);
        if (from->rank >= ranks)
            return reshard_error_set(error, RESHARD_EINVAL,
                                     "tensor %s: boxes[%" PRIu64 "] is of rank %" PRIu64
                                     "; the mesh has %" PRIu64,
                                     tensor->fqn, b, from->rank, ranks);
        if (!verify_box_fits(&to->box, tensor))
            return reshard_error_set(error, RESHARD_EINVAL,
                                     "tensor %s: boxes[%" PRIu64 "] is empty, or not within it",
                                     tensor->fqn, b);
    }
    qsort(given->box, rule->box_count, sizeof *given->box, by_rank);
    return RESHARD_OK;
}

static void tell_holders(struct verify_given *given, uint64_t boxes)
{
    for (uint64_t b = 0; b < boxes; ++b) {
        const struct verify_given_box *box = &given->box[b];

        if (b == 0 || box->rank != box[-1].rank)
            given->holder[given->holder_count++] =
                (struct verify_given_holder){.rank = box->rank, .box = box};
        given->holder[given->holder_count - 1].count += 1;
        given->holder[given->holder_count - 1].elements += verify_box_elements(&box->box);
    }
}

static int compare_sets(const struct verify_given_holder *a, const struct verify_given_holder *b)
{
    int order = a->count < b->count ? -1 : a->count > b->count;

    for (uint64_t i = 0; i < a->count && order == 0; ++i)
        order = verify_box_compare(&a->box[i].box, &b->box[i].box);
    return order;
}

static int by_set(const void *a, const void *b)
{
    const struct verify_given_holder *left = *(struct verify_given_holder *const *)a;
    const struct verify_given_holder *right = *(struct verify_given_holder *const *)b;
    const int order = compare_sets(left, right);

    if (order)
        return order;
    return left->rank < right->rank ? -1 : left->rank > right->rank;
}

static int by_number(const void *a, const void *b)
{
    const struct verify_given_holder *left = *(struct verify_given_holder *const *)a;
    const struct verify_given_holder *right = *(struct verify_given_holder *const *)b;

    if (left->set != right->set)
        return left->set < right->set ? -1 : 1;
    return left->rank < right->rank ? -1 : left->rank > right->rank;
}

/* Number the sets of boxes. `lowest` is memory for as many as there are holders. */
static void tell_sets(struct verify_given *given, struct verify_given_holder **lowest)
{
    struct verify_given_holder **order = given->by_set;

    for (uint64_t h = 0; h < given->holder_count; ++h)
        order[h] = &given->holder[h];
    qsort(order, given->holder_count, sizeof(struct verify_given_holder *), by_set);
    for (uint64_t h = 0; h < given->holder_count; ++h) {
        const bool same = h > 0 && compare_sets(order[h - 1], order[h]) == 0;

        lowest[order[h] - given->holder] = same ? lowest[order[h - 1] - given->holder] : order[h];
    }
    for (uint64_t h = 0; h < given->holder_count; ++h) {
        struct verify_given_holder *holder = &given->holder[h];

        holder->set = lowest[h] == holder ? given->set_count++ : lowest[h]->set;
    }
    qsort(order, given->holder_count, sizeof(struct verify_given_holder *), by_number);
}

static int by_size(const void *a, const void *b)
{
    const uint64_t left = *(const uint64_t *)a;
    const uint64_t right = *(const uint64_t *)b;

    return left < right ? -1 : left > right;
}

/* Count each set's members, and tell which numbers of them there are. */
static enum reshard_status tell_members(struct verify_given *given, struct reshard_error *error)
{
    uint64_t *count = calloc((size_t)given->set_count + 1, sizeof *count);

    given->members = calloc((size_t)given->set_count + 1, sizeof *given->members);
    given->member_of = calloc((size_t)given->set_count + 1, sizeof *given->member_of);
    if (!count || !given->members || !given->member_of) {
        free(count);
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory for a layout's boxes");
    }
    for (uint64_t h = 0; h < given->holder_count; ++h) {
        given->by_set[h]->number = count[given->by_set[h]->set]++;
        given->world_elements += given->by_set[h]->elements;
    }
    memcpy(given->members, count, (size_t)given->set_count * sizeof *count);
    qsort(given->members, given->set_count, sizeof *count, by_size);
    for (uint64_t s = 0; s < given->set_count; ++s) {
        if (s == 0 || given->members[s] != given->members[given->member_count - 1])
            given->members[given->member_count++] = given->members[s];
    }
    for (uint64_t s = 0; s < given->set_count; ++s) {
        const uint64_t *found =
            bsearch(&count[s], given->members, given->member_count, sizeof *count, by_size);

        given->member_of[s] = (uint32_t)(found - given->members);
    }
    free(count);
    return RESHARD_OK;
}

/* The sets together must cover the tensor exactly once: so boxes of one rank do not overlap, and
 * sets that are not the same share no element. */
static enum reshard_status check_cover(const struct verify_given *given,
                                       const struct verify_tensor *tensor, uint64_t count,
                                       struct reshard_error *error)
{
    struct verify_box *box = count < UINT32_MAX ? malloc((size_t)(count + 1) * sizeof *box) : NULL;
    struct verify_boxes boxes = {box, sizeof *box, 0};
    struct verify_cover cover;
    enum reshard_status status;

    if (!box)
        return reshard_error_set(error, RESHARD_ENOMEM, "no memory for a layout's boxes");
    for (uint64_t h = 0; h < given->holder_count; ++h) {
        const struct verify_given_holder *holder = given->by_set[h];
        const bool again = h > 0 && holder->set == given->by_set[h - 1]->set;

        for (uint64_t b = 0; b < holder->count && !again; ++b)
            box[boxes.count++] = holder->box[b].box;
    }
    status = verify_cover(tensor, &boxes, &cover);
    free(box);
    if (status)
        return reshard_error_set(error, status, "no memory for a layout's boxes");
    if (cover.whole)
        return RESHARD_OK;
    return reshard_error_set(error, RESHARD_EINVAL,
                             "tensor %s: by the boxes given element %" PRIu64 " is %s", tensor->fqn,
                             cover.element,
                             cover.count ? "in two that are not of the same set" : "in none");
}

static enum reshard_status make(struct verify_given **givens, const struct verify_tensor *tensor,
                                const struct verify_rule *rule, uint64_t ranks,
                                struct reshard_error *error)
{
    const size_t count = (size_t)rule->box_count + 1;
    struct verify_given *given = calloc(1, sizeof *given);
    struct verify_given_holder **lowest = calloc(count, sizeof(struct verify_given_holder *));
    enum reshard_status status;

    if (given) {
        given->rule = rule;
        given->tensor = tensor;
        given->next = *givens;
        *givens = given;
        given->box = calloc(count, sizeof *given->box);
        given->holder = calloc(count, sizeof *given->holder);
        given->by_set = calloc(count, sizeof(struct verify_given_holder *));
    }
    if (!lowest || !given || !given->box || !given->holder || !given->by_set) {
        status = reshard_error_set(error, RESHARD_ENOMEM, "no memory for a layout's boxes");
        goto cleanup;
    }
    status = take_boxes(given, tensor, rule, ranks, error);
    if (status)
        goto cleanup;
    tell_holders(given, rule->box_count);
    tell_sets(given, lowest);
    status = tell_members(given, error);
    if (!status)
        status = check_cover(given, tensor, rule->box_count, error);

cleanup:
    free(lowest);
    return status;
}

/* Boxes that cover one shape cover no other: the second shape is refused when they are made. */
enum reshard_status verify_given_find_or_make(struct verify_given **givens,
                                              const struct verify_tensor *tensor,
                                              const struct verify_rule *rule, uint64_t ranks,
                                              const struct verify_given **out,
                                              struct reshard_error *error)
{
    const struct verify_given *given = *givens;
    enum reshard_status status = RESHARD_OK;

    while (given && (given->rule != rule || given->tensor->ndim != tensor->ndim ||
                     memcmp(given->tensor->shape, tensor->shape, sizeof tensor->shape) != 0))
        given = given->next;
    if (!given) {
        status = make(givens, tensor, rule, ranks, error);
        given = *givens;
    }
    *out = given;
    return status;
}

void verify_givens_close(struct verify_given *givens)
{
    while (givens) {
        struct verify_given *const next = givens->next;

        free(givens->box);
        free(givens->holder);
        free(givens->by_set);
        free(givens->members);
        free(givens->member_of);
        free(givens);
        givens = next;
    }
}

const struct verify_given_holder *verify_given_find(const struct verify_given *given, uint64_t rank)
{
    uint64_t begin = 0;
    uint64_t end = given->holder_count;

    while (begin < end) {
        const uint64_t middle = begin + (end - begin) / 2;

        if (given->holder[middle].rank == rank)
            return &given->holder[middle];
        if (given->holder[middle].rank > rank)
            end = middle;
        else
            begin = middle + 1;
    }
    return NULL;
}
