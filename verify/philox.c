#include "verify/philox.h"

enum { ROUNDS = 10, LANES = VERIFY_PHILOX_LANES };

#define MULTIPLIER_0 0xD2511F53ull
#define MULTIPLIER_1 0xCD9E8D57ull
#define WEYL_0 0x9E3779B9u
#define WEYL_1 0xBB67AE85u

/* Eight counters at a time, word by word, so that a compiler can put them side by side. */
static void philox_group(const struct verify_stream_key *key, uint64_t first, uint32_t *words)
{
    uint32_t c[VERIFY_PHILOX_WORDS][LANES];
    uint32_t key_0 = (uint32_t)key->seed;
    uint32_t key_1 = (uint32_t)(key->seed >> 32);

    for (unsigned lane = 0; lane < LANES; ++lane) {
        c[0][lane] = (uint32_t)(first + lane);
        c[1][lane] = (uint32_t)((first + lane) >> 32);
        c[2][lane] = key->tensor;
        c[3][lane] = key->step;
    }
    for (unsigned round = 0; round < ROUNDS; ++round) {
        for (unsigned lane = 0; lane < LANES; ++lane) {
            const uint64_t product_0 = MULTIPLIER_0 * c[0][lane];
            const uint64_t product_1 = MULTIPLIER_1 * c[2][lane];

            c[0][lane] = (uint32_t)(product_1 >> 32) ^ c[1][lane] ^ key_0;
            c[1][lane] = (uint32_t)product_1;
            c[2][lane] = (uint32_t)(product_0 >> 32) ^ c[3][lane] ^ key_1;
            c[3][lane] = (uint32_t)product_0;
        }
        key_0 += WEYL_0;
        key_1 += WEYL_1;
    }
    for (unsigned lane = 0; lane < LANES; ++lane) {
        for (unsigned word = 0; word < VERIFY_PHILOX_WORDS; ++word)
            words[lane * VERIFY_PHILOX_WORDS + word] = c[word][lane];
    }
}

void verify_philox(const struct verify_stream_key *key, uint64_t first, size_t groups,
                   uint32_t *words)
{
    for (size_t group = 0; group < groups; ++group)
        philox_group(key, first + group * LANES, words + group * LANES * VERIFY_PHILOX_WORDS);
}
