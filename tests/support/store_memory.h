/*
 * A store of one file, which is bytes in memory: any path opens it. Reading alone works; everything
 * else is refused.
 */
#ifndef RESHARD_TESTS_STORE_MEMORY_H
#define RESHARD_TESTS_STORE_MEMORY_H

#include "core/store.h"

struct store_memory {
    struct store store; /* base, first */
    const unsigned char *data;
    uint64_t bytes;
};

/* Local. The bytes are borrowed; the result is used as &out->store. */
void store_memory_init(struct store_memory *out, const unsigned char *data, uint64_t bytes);

#endif
