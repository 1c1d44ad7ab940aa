#include "verify/blocks.h"

#include <stdlib.h>

/* Where an element lies among those of its dimension 0's holder. */
static struct verify_passage pass_rows(const struct verify_blocking *blocking, uint64_t element)
{
    const uint64_t inside = blocking->inside;
    struct verify_passage row;

    if (!blocking->rows)
        return (struct verify_passage){element, blocking->elements, 0};
    row = verify_deal_pass(&blocking->rows->dealing, element / inside);
    return (struct verify_passage){.position = row.position * inside + element % inside,
                                   .size = row.size * inside,
                                   .holder = row.holder};
}

/* Who has the first element of a block; of a flat parameter, the data coordinate too whose chunk
 * has its entry. */
static uint64_t holder_at(const void *context, uint64_t block)
{
    const struct verify_blocking *blocking = context;
    const struct verify_passage passage = pass_rows(blocking, block * blocking->block);
    const struct verify_flat_place *place = &blocking->place;

    if (!blocking->flat)
        return passage.holder;
    return passage.holder * blocking->cut.ways + place->shard +
           (place->within + passage.position) / place->chunk;
}

/* The first block that begins at an element or behind it. */
static uint64_t block_from(const struct verify_blocking *blocking, uint64_t element)
{
    return element / blocking->block + (element % blocking->block != 0);
}

static struct verify_deal *make(const struct verify_blocking *blocking)
{
    struct verify_dealing dealing = {.size = block_from(blocking, blocking->elements)};
    uint64_t edge[VERIFY_SECTIONS_MAX + 1] = {0, dealing.size};
    uint32_t sections = 1;

    if (blocking->rows) {
        sections = blocking->rows->sections;
        for (uint32_t s = 0; s <= sections; ++s)
            edge[s] = block_from(blocking, blocking->rows->edge[s] * blocking->inside);
        dealing.cut_count = blocking->rows->dealing.cut_count;
        for (uint32_t c = 0; c < dealing.cut_count; ++c)
            dealing.cut[c] = blocking->rows->dealing.cut[c];
    }
    if (blocking->flat)
        dealing.cut[dealing.cut_count++] = blocking->cut;
    return verify_deal_make(&dealing, holder_at, blocking, edge, sections);
}

const struct verify_deal *verify_blocks_add(struct verify_blocks **blocks,
                                            const struct verify_blocking *blocking)
{
    struct verify_blocks *added = calloc(1, sizeof *added);

    if (!added)
        return NULL;
    added->blocking = *blocking;
    added->deal = make(&added->blocking);
    if (!added->deal) {
        free(added);
        return NULL;
    }
    added->next = *blocks;
    *blocks = added;
    return added->deal;
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
