#include "core/dtype.h"

#include <string.h>

struct dtype_entry {
    const char *name;
    const char *torch;
    const char *safetensors;
    size_t bytes;
    enum reshard_kind kind;
};

static const struct dtype_entry dtype_table[RESHARD_DTYPE_COUNT] = {
    [RESHARD_DTYPE_NONE] = {"none", "none", NULL, 0, RESHARD_KIND_NONE},
#define DTYPE_ENTRY(id, name, bytes, kind, torch, safetensors)                                     \
    [RESHARD_DTYPE_##id] = {name, torch, safetensors, bytes, kind},
    RESHARD_DTYPE_MAP(DTYPE_ENTRY)
#undef DTYPE_ENTRY
};

static const struct dtype_entry *dtype_entry(enum reshard_dtype dtype)
{
    const size_t index = (size_t)dtype;

    return &dtype_table[index < RESHARD_DTYPE_COUNT ? index : RESHARD_DTYPE_NONE];
}

size_t reshard_dtype_bytes(enum reshard_dtype dtype)
{
    return dtype_entry(dtype)->bytes;
}

enum reshard_kind reshard_dtype_kind(enum reshard_dtype dtype)
{
    return dtype_entry(dtype)->kind;
}

const char *reshard_dtype_name(enum reshard_dtype dtype)
{
    return dtype_entry(dtype)->name;
}

const char *reshard_dtype_torch(enum reshard_dtype dtype)
{
    return dtype_entry(dtype)->torch;
}

const char *reshard_dtype_safetensors(enum reshard_dtype dtype)
{
    return dtype_entry(dtype)->safetensors;
}

enum reshard_dtype reshard_dtype_from_name(const char *name)
{
    for (int i = RESHARD_DTYPE_NONE + 1; i < RESHARD_DTYPE_COUNT; i++)
        if (strcmp(dtype_table[i].name, name) == 0)
            return (enum reshard_dtype)i;
    return RESHARD_DTYPE_NONE;
}

enum reshard_dtype reshard_dtype_from_safetensors(const char *name)
{
    for (int i = RESHARD_DTYPE_NONE + 1; i < RESHARD_DTYPE_COUNT; i++)
        if (dtype_table[i].safetensors && strcmp(dtype_table[i].safetensors, name) == 0)
            return (enum reshard_dtype)i;
    return RESHARD_DTYPE_NONE;
}
