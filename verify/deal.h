/*
 * One dimension of a tensor, dealt out: its entries are gone through in order, and each is given to
 * the coordinates that the cuts of FORMAT.md section 4 lead to from it. So the question is always
 * "who has this entry?", never "where does a coordinate's chunk begin?".
 *
 * Tensors that are cut alike share a deal. Immutable once made.
 */
#ifndef VERIFY_DEAL_H
#define VERIFY_DEAL_H

#include "core/status.h"

#include <stdbool.h>
#include <stdint.h>

enum { VERIFY_CUTS_MAX = 3 };

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
    uint64_t holder; /* its coordinates along the cuts, the innermost fastest */
};

struct verify_deal {
    struct verify_dealing dealing;
    uint64_t holders;
    struct verify_stretch *stretch; /* by holder, then rising */
    uint64_t *first;                /* of each holder's stretches, and behind the last one's */
    struct verify_deal *next;       /* of all deals of the rules */
};

/* An entry behind all cuts: who has it, and where in what that holder has. */
struct verify_passage {
    uint64_t position;
    uint64_t size; /* of what the holder has */
    uint64_t holder;
    uint64_t alike; /* entries from this one on that take the same way */
};

/* Local. Which way an entry takes through the cuts. */
struct verify_passage verify_deal_pass(const struct verify_dealing *dealing, uint64_t entry);

/* The stretch that begins with an entry. */
typedef struct verify_stretch verify_deal_at(const void *context, uint64_t entry);

/* Local. Deal out so many entries, each to the holder that `at` says, which is one of the dealing's
 * cuts; NULL without memory. */
struct verify_deal *verify_deal_make(const struct verify_dealing *dealing, verify_deal_at *at,
                                     const void *context);

/* Local. The deal of that dealing among those of *deals, made where there is none yet; NULL without
 * memory. The ways' product is 2^20 at most, sections are multiples of theirs. */
const struct verify_deal *verify_deal_of(struct verify_deal **deals,
                                         const struct verify_dealing *dealing);
void verify_deals_close(struct verify_deal *deals); /* accepts NULL */

/* Local. How many entries a holder has. */
uint64_t verify_deal_entries(const struct verify_deal *deal, uint64_t holder);

#endif
