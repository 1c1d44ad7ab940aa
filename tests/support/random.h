/*
 * Random numbers for tests: splitmix64, so that a test draws the same numbers on every machine. The
 * seed is printed; the environment variable RESHARD_TEST_SEED replaces it, to try others or to
 * repeat a failure.
 */
#ifndef RESHARD_TESTS_RANDOM_H
#define RESHARD_TESTS_RANDOM_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct test_random {
    uint64_t state;
};

static inline struct test_random test_random_start(const char *what, uint64_t seed)
{
    const char *other = getenv("RESHARD_TEST_SEED");
    const struct test_random random = {other ? strtoull(other, NULL, 0) : seed};

    printf("%s: seed %" PRIu64 "\n", what, random.state);
    (void)fflush(stdout);
    return random;
}

static inline uint64_t test_random_next(struct test_random *random)
{
    uint64_t x = random->state += UINT64_C(0x9E3779B97F4A7C15);

    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

/* A number below `limit`, which must not be 0. */
static inline uint64_t test_random_below(struct test_random *random, uint64_t limit)
{
    return test_random_next(random) % limit;
}

#endif
