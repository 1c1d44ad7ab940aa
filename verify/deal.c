#include "verify/deal.h"

#include <stdlib.h>
#include <string.h>

/* torch.chunk's rule: chunks of ceil(n/W), the last ones short or empty. */
static void pass_chunks(struct verify_passage *passage, uint64_t ways)
{
    const uint64_t chunk = passage->size / ways + (passage->size % ways != 0);
    const uint64_t before = passage->position / chunk * chunk;
    const uint64_t left = passage->size - before;

    passage->holder = passage->holder * ways + passage->position / chunk;
    passage->position -= before;
    passage->size = left < chunk ? left : chunk;
}

/* Each section by itself; what a coordinate has of them stands one after the other. */
static void pass_sections(struct verify_passage *passage, const struct verify_dealing *dealing,
                          uint64_t ways)
{
    uint64_t within = passage->position;
    uint64_t before = 0;
    uint64_t chunk;
    uint32_t s = 0;

    while (within >= dealing->section[s]) {
        within -= dealing->section[s];
        before += dealing->section[s] / ways;
        s += 1;
    }
    chunk = dealing->section[s] / ways;
    passage->holder = passage->holder * ways + within / chunk;
    passage->position = before + within % chunk;
    passage->size /= ways;
}

struct verify_passage verify_deal_pass(const struct verify_dealing *dealing, uint64_t entry)
{
    struct verify_passage passage = {entry, dealing->size, 0};

    for (uint32_t c = 0; c < dealing->cut_count; ++c) {
        const struct verify_cut *cut = &dealing->cut[c];

        if (cut->along == VERIFY_ALONG_TENSOR && dealing->section_count > 0)
            pass_sections(&passage, dealing, cut->ways);
        else
            pass_chunks(&passage, cut->ways);
    }
    return passage;
}

static uint64_t holder_at(const void *context, uint64_t entry)
{
    return verify_deal_pass(context, entry).holder;
}

struct verify_deal *verify_deal_make(const struct verify_dealing *dealing, verify_deal_at *at,
                                     const void *context, const uint64_t *edge, uint32_t sections)
{
    const size_t bytes = ((size_t)sections + 1) * sizeof *edge;
    struct verify_deal *deal = calloc(1, sizeof *deal + bytes);

    if (!deal)
        return NULL;
    deal->dealing = *dealing;
    deal->holders = 1;
    for (uint32_t c = 0; c < dealing->cut_count; ++c)
        deal->holders *= dealing->cut[c].ways;
    deal->at = at;
    deal->context = context ? context : &deal->dealing;
    deal->sections = sections;
    memcpy(deal->edge, edge, bytes);
    return deal;
}

const struct verify_deal *verify_deal_add(struct verify_deal **deals,
                                          const struct verify_dealing *dealing)
{
    uint64_t edge[VERIFY_SECTIONS_MAX + 1] = {0, dealing->size};
    struct verify_deal *deal;

    for (uint32_t s = 0; s < dealing->section_count; ++s)
        edge[s + 1] = edge[s] + dealing->section[s];
    deal = verify_deal_make(dealing, holder_at, NULL, edge,
                            dealing->section_count ? dealing->section_count : 1);
    if (deal) {
        deal->next = *deals;
        *deals = deal;
    }
    return deal;
}

void verify_deals_close(struct verify_deal *deals)
{
    while (deals) {
        struct verify_deal *const next = deals->next;

        free(deals);
        deals = next;
    }
}

/* The first entry of [begin, end) that the holder or a later one has; `end` where there is none. */
static uint64_t first_of(const struct verify_deal *deal, uint64_t begin, uint64_t end,
                         uint64_t holder)
{
    while (begin < end) {
        const uint64_t middle = begin + (end - begin) / 2;

        if (deal->at(deal->context, middle) < holder)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

uint32_t verify_deal_stretches(const struct verify_deal *deal, uint64_t holder,
                               struct verify_stretch out[VERIFY_SECTIONS_MAX])
{
    uint32_t count = 0;

    for (uint32_t s = 0; s < deal->sections; ++s) {
        const uint64_t end = deal->edge[s + 1];
        const uint64_t begin = first_of(deal, deal->edge[s], end, holder);

        out[count].begin = begin;
        out[count].end = first_of(deal, begin, end, holder + 1);
        count += out[count].begin < out[count].end;
    }
    return count;
}

uint64_t verify_deal_entries(const struct verify_deal *deal, uint64_t holder)
{
    struct verify_stretch stretch[VERIFY_SECTIONS_MAX] = {{0, 0}};
    const uint32_t count = verify_deal_stretches(deal, holder, stretch);
    uint64_t entries = 0;

    for (uint32_t s = 0; s < count; ++s)
        entries += stretch[s].end - stretch[s].begin;
    return entries;
}
