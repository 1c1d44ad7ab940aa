/*
 * Memory that runs out on demand: the n-th allocation fails, of the program's own code, the
 * engine's included, where it is linked with RESHARD_FAIL_OPTIONS (tests/CMakeLists.txt), and of
 * jansson.
 */
#ifndef RESHARD_TESTS_FAIL_H
#define RESHARD_TESTS_FAIL_H

#include <stdbool.h>
#include <stdint.h>

/* Once: let jansson allocate through here. */
void fail_begin(void);

/* Let the n-th allocation from here on fail, 0: none; whether the one before was reached. */
bool fail_at(uint64_t n);

#endif
