/*
 * One dimension of a tensor, dealt out: each of its entries is given to the coordinates that the
 * cuts of FORMAT.md section 4 lead to from it. So the question is always "who has this entry?",
 * never "where does a coordinate's chunk begin?": what a holder has is found by asking of entries,
 * halving what is left, since within a section holders come one after the other. That costs the
 * same for any number of entries and ranks.
 *
 * Immutable once made.
 */
#ifndef VERIFY_DEAL_H
#define VERIFY_DEAL_H

#include "core/status.h"

#include <stdbool.h>
#include <stdint.h>

enum { VERIFY_CUTS_MAX = 3, VERIFY_SECTIONS_MAX = 16 };

/* Along what a dimension is cut. The data coordinates are those of shard and expert in one. */
enum verify_along {
    VERIFY_ALONG_EXPERT,
    VERIFY_ALONG_TENSOR,
    VERIFY_ALONG_SHARD,
    VERIFY_ALONG_DATA
};

struct verify_cut {
    enum verify_along along;
    uint64_t ways;
};

/* What to deal: cuts from the outermost to the innermost; the sections are those of the cut along
 * `tensor`, borrowed. */
struct verify_dealing {
    uint64_t size;
    struct verify_cut cut[VERIFY_CUTS_MAX];
    uint32_t cut_count;
    const uint64_t *section;
    uint32_t section_count;
};

/* Entries [begin, end), in one section, that one holder has. */
struct verify_stretch {
    uint64_t begin;
    uint64_t end;
};

/* Who has an entry, of the holders that are numbered like this: never a lower one than the entry
 * before it has, but where a section begins. */
typedef uint64_t verify_deal_at(const void *context, uint64_t entry);

struct verify_deal {
    struct verify_dealing dealing;
    uint64_t holders;
    verify_deal_at *at;
    const void *context;
    struct verify_deal *next; /* of all deals of the rules */
    uint32_t sections;        /* at least one */
    uint64_t edge[];          /* where each begins, and behind the last one */
};

/* An entry behind all cuts: who has it, and where in what that holder has. */
struct verify_passage {
    uint64_t position;
    uint64_t size;   /* of what the holder has */
    uint64_t holder; /* its coordinates along the cuts, the innermost fastest */
};

/* Local. Which way an entry takes through the cuts. */
struct verify_passage verify_deal_pass(const struct verify_dealing *dealing, uint64_t entry);

/* Local. A deal of so many sections, from one edge to the next, by what `at` says; its holders are
 * those of the dealing's cuts. NULL without memory. */
struct verify_deal *verify_deal_make(const struct verify_dealing *dealing, verify_deal_at *at,
                                     const void *context, const uint64_t *edge, uint32_t sections);

/* Local. One more deal among those of *deals, by verify_deal_pass(); NULL without memory. The ways'
 * product is 2^20 at most, sections are multiples of theirs. */
const struct verify_deal *verify_deal_add(struct verify_deal **deals,
                                          const struct verify_dealing *dealing);
void verify_deals_close(struct verify_deal *deals); /* accepts NULL */

/* Local. The stretches that a holder has, rising; how many there are. */
uint32_t verify_deal_stretches(const struct verify_deal *deal, uint64_t holder,
                               struct verify_stretch out[VERIFY_SECTIONS_MAX]);

/* Local. How many entries a holder has. */
uint64_t verify_deal_entries(const struct verify_deal *deal, uint64_t holder);

#endif
