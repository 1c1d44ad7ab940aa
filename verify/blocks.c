#include "verify/blocks.h"

#include <stdlib.h>

/* Where an element lies among those of its dimension 0's holder; all that follow it up to the end
 * of the holder's stretch lie behind it. */
static struct verify_passage pass_rows(const struct verify_blocking *blocking, uint64_t element)
{
    const uint64_t inside = blocking->inside;
    struct verify_passage row;

    if (!blocking->rows)
        return (struct verify_passage){element, blocking->elements, 0,
                                       blocking->elements - element};
    row = verify_deal_pass(&blocking->rows->dealing, element / inside);
    return (struct verify_passage){.position = row.position * inside + element % inside,
                                   .size = row.size * inside,
                                   .holder = row.holder,
                                   .alike = row.alike * inside - element % inside};
}

/* The entry of the flat parameter, and the data coordinate whose chunk has it. */
static void pass_flat(const struct verify_blocking *blocking, struct verify_passage *passage)
{
    const uint64_t chunk = blocking->place.chunk;
    const uint64_t entry = blocking->place.within + passage->position;
    const uint64_t left = chunk - entry % chunk;

    passage->holder = passage->holder * blocking->cut.ways + blocking->place.shard + entry / chunk;
    if (left < passage->alike)
        passage->alike = left;
}

/* Who has the first element of a block; and how many blocks on begin in the same stretch of
 * elements. */
static struct verify_stretch stretch_at(const void *context, uint64_t block)
{
    const struct verify_blocking *blocking = context;
    struct verify_passage passage = pass_rows(blocking, block * blocking->block);

    if (blocking->flat)
        pass_flat(blocking, &passage);
    return (struct verify_stretch){block, block + 1 + (passage.alike - 1) / blocking->block,
                                   passage.holder};
}

static bool is_place(const struct verify_flat_place *a, const struct verify_flat_place *b)
{
    return a->elements == b->elements && a->chunk == b->chunk && a->shard == b->shard &&
           a->within == b->within;
}

static bool is_blocking(const struct verify_blocking *a, const struct verify_blocking *b)
{
    return a->elements == b->elements && a->block == b->block && a->inside == b->inside &&
           a->rows == b->rows && a->flat == b->flat && is_place(&a->place, &b->place) &&
           a->cut.along == b->cut.along && a->cut.ways == b->cut.ways;
}

static struct verify_deal *make(const struct verify_blocking *blocking)
{
    struct verify_dealing dealing = {.size = 0};

    if (blocking->rows)
        dealing = blocking->rows->dealing;
    dealing.size =
        blocking->elements / blocking->block + (blocking->elements % blocking->block != 0);
    dealing.section = NULL;
    dealing.section_count = 0;
    if (blocking->flat)
        dealing.cut[dealing.cut_count++] = blocking->cut;
    return verify_deal_make(&dealing, stretch_at, blocking);
}

const struct verify_deal *verify_blocks_of(struct verify_blocks **blocks,
                                           const struct verify_blocking *blocking)
{
    struct verify_blocks *found = *blocks;

    while (found && !is_blocking(&found->blocking, blocking))
        found = found->next;
    if (found)
        return found->deal;
    found = calloc(1, sizeof *found);
    if (!found)
        return NULL;
    found->blocking = *blocking;
    found->deal = make(blocking);
    if (!found->deal) {
        free(found);
        return NULL;
    }
    found->next = *blocks;
    *blocks = found;
    return found->deal;
}

void verify_blocks_close(struct verify_blocks *blocks)
{
    while (blocks) {
        struct verify_blocks *const next = blocks->next;

        verify_deals_close(blocks->deal);
        free(blocks);
        blocks = next;
    }
}
