/*
 * How much memory the program's own code has at once: its allocations, the engine's included, are
 * counted where it is linked with RESHARD_HEAP_OPTIONS (tests/CMakeLists.txt). Simulated ranks
 * share one heap.
 */
#ifndef RESHARD_TESTS_HEAP_H
#define RESHARD_TESTS_HEAP_H

#include <stdint.h>

/* Count from here on; and the most bytes that there were since beyond what there was then. */
void heap_begin(void);
uint64_t heap_most(void);

#endif
