#include "support/heap.h"

#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the linker calls what is wrapped, and the wraps (ld, --wrap). */
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *data, size_t bytes);
void *__real_reallocarray(void *data, size_t count, size_t bytes);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t bytes);
int __real_posix_memalign(void **out, size_t alignment, size_t bytes);
void __real_free(void *data);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *data, size_t bytes);
void *__wrap_reallocarray(void *data, size_t count, size_t bytes);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t bytes);
int __wrap_posix_memalign(void **out, size_t alignment, size_t bytes);
int __wrap_asprintf(char **out, const char *format, ...) __attribute__((format(printf, 2, 3)));
int __wrap___asprintf_chk(char **out, int flag, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void __wrap_free(void *data);

/* Signed: what libraries have allocated is freed here, too. */
static _Atomic int64_t now, most, first, blocks;
static _Atomic uint64_t left; /* allocations up to the one that fails, 0 for none */
static atomic_bool failed;

/* Whether this allocation is the one to fail. */
static bool fails(void)
{
    if (left == 0 || --left > 0)
        return false;
    failed = true;
    errno = ENOMEM;
    return true;
}

static void *count(void *data)
{
    const int64_t bytes = now += (int64_t)malloc_usable_size(data);

    blocks += data != NULL;
    if (bytes > most)
        most = bytes;
    return data;
}

void *__wrap_malloc(size_t bytes)
{
    return fails() ? NULL : count(__real_malloc(bytes));
}

void *__wrap_calloc(size_t items, size_t bytes)
{
    return fails() ? NULL : count(__real_calloc(items, bytes));
}

/* What fails leaves the old memory, which is counted still. */
static void *recount(void *grown, int64_t before)
{
    if (!grown)
        return NULL;
    now -= before;
    blocks -= before > 0;
    return count(grown);
}

void *__wrap_realloc(void *data, size_t bytes)
{
    const int64_t before = (int64_t)malloc_usable_size(data);

    return fails() ? NULL : recount(__real_realloc(data, bytes), before);
}

void *__wrap_reallocarray(void *data, size_t items, size_t bytes)
{
    const int64_t before = (int64_t)malloc_usable_size(data);

    return fails() ? NULL : recount(__real_reallocarray(data, items, bytes), before);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : count(__real_strdup(text));
}

char *__wrap_strndup(const char *text, size_t bytes)
{
    return fails() ? NULL : count(__real_strndup(text, bytes));
}

int __wrap_posix_memalign(void **out, size_t alignment, size_t bytes)
{
    const int code = fails() ? ENOMEM : __real_posix_memalign(out, alignment, bytes);

    if (code == 0)
        count(*out);
    return code;
}

__attribute__((format(printf, 2, 0))) static int print(char **out, const char *format,
                                                       va_list arguments)
{
    const int length = fails() ? -1 : vasprintf(out, format, arguments);

    if (length >= 0)
        count(*out);
    return length;
}

int __wrap_asprintf(char **out, const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = print(out, format, arguments);
    va_end(arguments);
    return length;
}

/* What the C library's headers call where they check what is printed. */
int __wrap___asprintf_chk(char **out, int flag, const char *format, ...)
{
    va_list arguments;
    int length;

    (void)flag;
    va_start(arguments, format);
    length = print(out, format, arguments);
    va_end(arguments);
    return length;
}

void __wrap_free(void *data)
{
    now -= (int64_t)malloc_usable_size(data);
    blocks -= data != NULL;
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

int64_t heap_blocks(void)
{
    return blocks;
}

void heap_fail_at(uint64_t n)
{
    failed = false;
    left = n;
}

bool heap_has_failed(void)
{
    left = 0;
    return failed;
}
