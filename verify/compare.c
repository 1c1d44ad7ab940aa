#include "verify/compare.h"

#include <string.h>

void verify_compare(struct verify_mismatch *mismatch, const struct verify_pair *pair)
{
    const unsigned char *expected = pair->expected;
    const unsigned char *actual = pair->actual;

    if (pair->count == 0 || memcmp(expected, actual, pair->count * pair->width) == 0)
        return;
    for (size_t i = 0; i < pair->count; ++i) {
        const size_t at = i * pair->width;

        if (memcmp(expected + at, actual + at, pair->width) == 0)
            continue;
        if (mismatch->differing == 0) {
            mismatch->element = pair->begin + i;
            memcpy(mismatch->expected, expected + at, pair->width);
            memcpy(mismatch->actual, actual + at, pair->width);
        }
        mismatch->differing += 1;
    }
}
