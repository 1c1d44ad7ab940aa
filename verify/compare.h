/*
 * Elements held against what they should be, byte for byte: NaN payloads, negative zeros and
 * subnormals count. Local, without state.
 */
#ifndef VERIFY_COMPARE_H
#define VERIFY_COMPARE_H

#include "verify/inventory.h"

#include <stddef.h>

/* What differs in one tensor so far. Zero is the empty mismatch. */
struct verify_mismatch {
    uint64_t differing; /* elements */
    uint64_t element;   /* the first of them, in the order of comparison */
    unsigned char expected[VERIFY_ELEMENT_BYTES_MAX];
    unsigned char actual[VERIFY_ELEMENT_BYTES_MAX];
};

/* Two arrays of `count` elements of `width` bytes; the first is number `begin` of its tensor. */
struct verify_pair {
    const void *expected;
    const void *actual;
    size_t width;
    size_t count;
    uint64_t begin;
};

/* Local. Count the elements that differ and remember the first. */
void verify_compare(struct verify_mismatch *mismatch, const struct verify_pair *pair);

#endif
