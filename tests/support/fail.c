#include "support/fail.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* What the linker calls what is wrapped, and the wraps (ld, --wrap). */
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *data, size_t bytes);
void *__real_reallocarray(void *data, size_t count, size_t bytes);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *data, size_t bytes);
void *__wrap_reallocarray(void *data, size_t count, size_t bytes);
char *__wrap_strdup(const char *text);

static uint64_t left; /* allocations until the one that fails, itself included; 0: none does */
static bool reached;

static bool fails(void)
{
    if (left == 0 || --left > 0)
        return false;
    reached = true;
    return true;
}

void *__wrap_malloc(size_t bytes)
{
    return fails() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t items, size_t bytes)
{
    return fails() ? NULL : __real_calloc(items, bytes);
}

void *__wrap_realloc(void *data, size_t bytes)
{
    return fails() ? NULL : __real_realloc(data, bytes);
}

void *__wrap_reallocarray(void *data, size_t items, size_t bytes)
{
    return fails() ? NULL : __real_reallocarray(data, items, bytes);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

void fail_begin(void)
{
    left = 0;
    json_set_alloc_funcs(__wrap_malloc, free);
}

bool fail_at(uint64_t n)
{
    const bool was = reached;

    left = n;
    reached = false;
    return was;
}
