#include "support/heap.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>

/* What the linker calls what is wrapped, and the wraps (ld, --wrap). */
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *data, size_t bytes);
void *__real_reallocarray(void *data, size_t count, size_t bytes);
void __real_free(void *data);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *data, size_t bytes);
void *__wrap_reallocarray(void *data, size_t count, size_t bytes);
void __wrap_free(void *data);

/* Signed: what libraries have allocated is freed here, too. */
static _Atomic int64_t now, most, first;

static void *count(void *data)
{
    const int64_t bytes = now += (int64_t)malloc_usable_size(data);

    if (bytes > most)
        most = bytes;
    return data;
}

void *__wrap_malloc(size_t bytes)
{
    return count(__real_malloc(bytes));
}

void *__wrap_calloc(size_t items, size_t bytes)
{
    return count(__real_calloc(items, bytes));
}

/* If it fails, which no test here lets it, the old memory is not counted any more. */
void *__wrap_realloc(void *data, size_t bytes)
{
    now -= (int64_t)malloc_usable_size(data);
    return count(__real_realloc(data, bytes));
}

void *__wrap_reallocarray(void *data, size_t items, size_t bytes)
{
    now -= (int64_t)malloc_usable_size(data);
    return count(__real_reallocarray(data, items, bytes));
}

void __wrap_free(void *data)
{
    now -= (int64_t)malloc_usable_size(data);
    __real_free(data);
}

void heap_begin(void)
{
    first = most = (int64_t)now;
}

uint64_t heap_most(void)
{
    return (uint64_t)(most - first);
}
