/*
 * "Did you mean": of some known words, the one that a mistyped word most probably meant. A word is
 * near when few letters were added, dropped, changed or swapped with their neighbour (restricted
 * Damerau-Levenshtein distance): one for words up to five letters, and one more for every three.
 * Capitals are as good as small letters.
 */
#ifndef RESHARD_SIM_SUGGEST_H
#define RESHARD_SIM_SUGGEST_H

/* Offered words one after the other; keeps the nearest. The words are borrowed. */
struct suggestion {
    const char *wrong;
    const char *best; /* NULL: nothing was near */
    unsigned distance;
};

struct suggestion suggestion_for(const char *wrong);
void suggestion_offer(struct suggestion *suggestion, const char *known);

#endif
