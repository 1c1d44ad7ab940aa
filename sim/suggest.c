#include "sim/suggest.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Longer words are not compared: whoever typed them did not mistype a key. */
enum { WORD_MAX = 63 };

static unsigned min_of(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static unsigned word_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    unsigned row[3][WORD_MAX + 1]; /* the row before the last, the last, this one */
    unsigned *before = row[0];
    unsigned *last = row[1];
    unsigned *here = row[2];
    for (unsigned j = 0; j <= b_length; j++)
        last[j] = j;
    for (unsigned i = 1; i <= a_length; i++) {
        here[0] = i;
        for (unsigned j = 1; j <= b_length; j++) {
            const unsigned changed = last[j - 1] + !same_letter(a[i - 1], b[j - 1]);
            here[j] = min_of(changed, min_of(last[j], here[j - 1]) + 1);
            if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
                same_letter(a[i - 2], b[j - 1]))
                here[j] = min_of(here[j], before[j - 2] + 1);
        }
        unsigned *free_row = before;
        before = last;
        last = here;
        here = free_row;
    }
    return last[b_length];
}

struct suggestion suggestion_for(const char *wrong)
{
    const size_t length = strlen(wrong);
    const unsigned allowed = length < 6 ? 1 : (unsigned)(length / 3);
    return (struct suggestion){wrong, NULL, length > WORD_MAX ? 0 : allowed + 1};
}

void suggestion_offer(struct suggestion *suggestion, const char *known)
{
    const size_t wrong_length = strlen(suggestion->wrong);
    const size_t known_length = strlen(known);
    if (wrong_length > WORD_MAX || known_length > WORD_MAX)
        return;
    const unsigned distance = word_distance(suggestion->wrong, wrong_length, known, known_length);
    if (distance < suggestion->distance) {
        suggestion->distance = distance;
        suggestion->best = known;
    }
}
