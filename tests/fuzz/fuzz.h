/*
 * What each file of tests/fuzz defines, and libFuzzer or replay.c calls, with any bytes. It returns
 * 0, or ends the process by abort() where the code read something other than it must: whatever an
 * input claims, it is refused or understood.
 */
#ifndef RESHARD_TESTS_FUZZ_H
#define RESHARD_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Unlike assert(), there in every build. */
#define FUZZ_REQUIRE(condition)                                                                    \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "fuzz: %s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
