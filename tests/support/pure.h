/*
 * A truth without any training, in the place of verify/oracle.c, whose interface it has: values are
 * a pure function of name, slot and element, as those of the model "forms" of
 * tests/make_checkpoint.py, so that slots of any class and dtype can be judged. A test that is
 * linked with it has no other oracle; its optimizer, seed and files count for nothing.
 *
 * What verify_block_values() returns is valid until it is called again.
 */
#ifndef RESHARD_TESTS_PURE_H
#define RESHARD_TESTS_PURE_H

#include "verify/oracle.h"

/* Of each tensor whether it is absent; NULL: none is. Of all oracles. */
extern const bool *pure_absent;

/* One element. */
void pure_element(const struct verify_tensor *tensor, uint64_t element,
                  unsigned char out[VERIFY_ELEMENT_BYTES_MAX]);

#endif
