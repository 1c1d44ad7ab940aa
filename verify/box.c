#include "verify/box.h"

#include <inttypes.h>
#include <stdio.h>

struct verify_box verify_box_whole(const struct verify_tensor *tensor)
{
    struct verify_box box = {.ndim = tensor->ndim};

    for (uint32_t d = 0; d < tensor->ndim; ++d)
        box.end[d] = tensor->shape[d];
    return box;
}

bool verify_box_fits(const struct verify_box *box, const struct verify_tensor *tensor)
{
    if (box->ndim != tensor->ndim)
        return false;
    for (uint32_t d = 0; d < VERIFY_DIMS_MAX; ++d) {
        if (d < box->ndim ? box->begin[d] >= box->end[d] || box->end[d] > tensor->shape[d]
                          : box->begin[d] != 0 || box->end[d] != 0)
            return false;
    }
    return true;
}

uint64_t verify_box_elements(const struct verify_box *box)
{
    uint64_t elements = 1;

    for (uint32_t d = 0; d < box->ndim; ++d)
        elements *= box->end[d] - box->begin[d];
    return elements;
}

uint64_t verify_box_first(const struct verify_box *box, const struct verify_tensor *tensor)
{
    uint64_t first = 0;

    for (uint32_t d = 0; d < box->ndim; ++d)
        first = first * tensor->shape[d] + box->begin[d];
    return first;
}

static int compare(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

int verify_box_compare(const struct verify_box *a, const struct verify_box *b)
{
    int order = compare(a->ndim, b->ndim);

    for (uint32_t d = 0; d < a->ndim && order == 0; ++d)
        order = compare(a->begin[d], b->begin[d]);
    for (uint32_t d = 0; d < a->ndim && order == 0; ++d)
        order = compare(a->end[d], b->end[d]);
    return order;
}

bool verify_box_locate(const struct verify_box *box, const struct verify_tensor *tensor,
                       uint64_t element, uint64_t *local)
{
    uint64_t index[VERIFY_DIMS_MAX];

    *local = 0;
    verify_tensor_index(tensor, element, index);
    for (uint32_t d = 0; d < box->ndim; ++d) {
        if (index[d] < box->begin[d] || index[d] >= box->end[d])
            return false;
        *local = *local * (box->end[d] - box->begin[d]) + (index[d] - box->begin[d]);
    }
    return true;
}

static void put_index(FILE *out, uint32_t ndim, const uint64_t *index)
{
    fputc('[', out);
    for (uint32_t d = 0; d < ndim; ++d)
        fprintf(out, "%s%" PRIu64, d ? ", " : "", index[d]);
    fputc(']', out);
}

void verify_box_text(const struct verify_box *box, char *text, size_t bytes)
{
    FILE *out = fmemopen(text, bytes, "w");

    text[0] = '\0';
    if (!out)
        return;
    put_index(out, box->ndim, box->begin);
    fputs(" to ", out);
    put_index(out, box->ndim, box->end);
    fclose(out);
    text[bytes - 1] = '\0';
}

struct verify_rows verify_rows_begin(const struct verify_box *box,
                                     const struct verify_tensor *tensor)
{
    struct verify_rows rows = {.box = *box, .run = 1, .outer = box->ndim};
    bool whole = true;
    uint64_t stride = 1;

    for (uint32_t d = box->ndim; d-- > 0;) {
        const uint64_t extent = box->end[d] - box->begin[d];

        rows.stride[d] = stride;
        stride *= tensor->shape[d];
        rows.index[d] = box->begin[d];
        rows.ended = rows.ended || extent == 0;
        if (!whole)
            continue;
        rows.run *= extent;
        rows.outer = d;
        whole = extent == tensor->shape[d];
    }
    return rows;
}

bool verify_rows_next(struct verify_rows *rows, uint64_t *first)
{
    uint32_t d = rows->outer;

    if (rows->ended)
        return false;
    *first = 0;
    for (uint32_t i = 0; i < rows->box.ndim; ++i)
        *first += rows->index[i] * rows->stride[i];
    while (d-- > 0) {
        if (++rows->index[d] < rows->box.end[d])
            return true;
        rows->index[d] = rows->box.begin[d];
    }
    rows->ended = true;
    return true;
}
