/*
 * The memory of the program's own code: its allocations, the engine's included, are counted, and
 * fail when they are told to, where it is linked with RESHARD_HEAP_OPTIONS (tests/CMakeLists.txt).
 * Shared libraries allocate by themselves: what MPI has is neither counted nor made to fail.
 * Simulated ranks share one heap.
 */
#ifndef RESHARD_TESTS_HEAP_H
#define RESHARD_TESTS_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Count from here on; and the most bytes that there were since beyond what there was then. */
void heap_begin(void);
uint64_t heap_most(void);

/* How many pieces of memory there are: bytes would not do, since equal ones need not be as large.
 * Signed: what libraries have allocated is freed here, too. */
int64_t heap_blocks(void);

/* The n-th allocation from here on fails, 1 being the next one; 0: none does. */
void heap_fail_at(uint64_t n);

/* Whether it has failed; from here on none does. */
bool heap_has_failed(void);

#endif
