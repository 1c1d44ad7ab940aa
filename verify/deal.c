#include "verify/deal.h"

#include <stdlib.h>
#include <string.h>

static void shorten(struct verify_passage *passage, uint64_t alike)
{
    if (alike < passage->alike)
        passage->alike = alike;
}

/* torch.chunk's rule: chunks of ceil(n/W), the last ones short or empty. */
static void pass_chunks(struct verify_passage *passage, uint64_t ways)
{
    const uint64_t chunk = passage->size / ways + (passage->size % ways != 0);
    const uint64_t before = passage->position / chunk * chunk;
    const uint64_t left = passage->size - before;

    passage->holder = passage->holder * ways + passage->position / chunk;
    passage->position -= before;
    passage->size = left < chunk ? left : chunk;
    shorten(passage, passage->size - passage->position);
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
    shorten(passage, chunk - within % chunk);
}

struct verify_passage verify_deal_pass(const struct verify_dealing *dealing, uint64_t entry)
{
    struct verify_passage passage = {entry, dealing->size, 0, dealing->size - entry};

    for (uint32_t c = 0; c < dealing->cut_count; ++c) {
        const struct verify_cut *cut = &dealing->cut[c];

        if (cut->along == VERIFY_ALONG_TENSOR && dealing->section_count > 0)
            pass_sections(&passage, dealing, cut->ways);
        else
            pass_chunks(&passage, cut->ways);
    }
    return passage;
}

static struct verify_stretch stretch_at(const void *context, uint64_t entry)
{
    const struct verify_passage passage = verify_deal_pass(context, entry);

    return (struct verify_stretch){entry, entry + passage.alike, passage.holder};
}

/* Deal all entries; into `stretch` where it is not NULL, counting each holder's into `count` behind
 * its place. */
static void deal_out(struct verify_deal *deal, verify_deal_at *at, const void *context)
{
    for (uint64_t entry = 0; entry < deal->dealing.size;) {
        const struct verify_stretch stretch = at(context, entry);

        if (deal->stretch)
            deal->stretch[deal->first[stretch.holder]++] = stretch;
        else
            deal->first[stretch.holder + 1] += 1;
        entry = stretch.end;
    }
}

static bool is_dealing(const struct verify_dealing *a, const struct verify_dealing *b)
{
    bool same =
        a->size == b->size && a->cut_count == b->cut_count && a->section_count == b->section_count;

    for (uint32_t c = 0; same && c < a->cut_count; ++c)
        same = a->cut[c].along == b->cut[c].along && a->cut[c].ways == b->cut[c].ways;
    return same && (a->section_count == 0 ||
                    memcmp(a->section, b->section, a->section_count * sizeof *a->section) == 0);
}

struct verify_deal *verify_deal_make(const struct verify_dealing *dealing, verify_deal_at *at,
                                     const void *context)
{
    struct verify_deal *deal = calloc(1, sizeof *deal);

    if (!deal)
        return NULL;
    deal->dealing = *dealing;
    deal->holders = 1;
    for (uint32_t c = 0; c < dealing->cut_count; ++c)
        deal->holders *= dealing->cut[c].ways;
    deal->first = calloc((size_t)deal->holders + 2, sizeof *deal->first);
    if (!deal->first) {
        verify_deals_close(deal);
        return NULL;
    }
    deal_out(deal, at, context);
    for (uint64_t h = 0; h < deal->holders; ++h)
        deal->first[h + 1] += deal->first[h];
    deal->stretch = calloc((size_t)deal->first[deal->holders] + 1, sizeof *deal->stretch);
    if (!deal->stretch) {
        verify_deals_close(deal);
        return NULL;
    }
    deal_out(deal, at, context);
    /* Each place is now behind its holder's stretches, which is where the next one's begin. */
    memmove(deal->first + 1, deal->first, (size_t)deal->holders * sizeof *deal->first);
    deal->first[0] = 0;
    return deal;
}

const struct verify_deal *verify_deal_of(struct verify_deal **deals,
                                         const struct verify_dealing *dealing)
{
    struct verify_deal *deal = *deals;

    while (deal && !is_dealing(&deal->dealing, dealing))
        deal = deal->next;
    if (deal)
        return deal;
    deal = verify_deal_make(dealing, stretch_at, dealing);
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

        free(deals->stretch);
        free(deals->first);
        free(deals);
        deals = next;
    }
}

uint64_t verify_deal_entries(const struct verify_deal *deal, uint64_t holder)
{
    uint64_t entries = 0;

    for (uint64_t s = deal->first[holder]; s < deal->first[holder + 1]; ++s)
        entries += deal->stretch[s].end - deal->stretch[s].begin;
    return entries;
}
