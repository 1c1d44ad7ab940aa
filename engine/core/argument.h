/*
 * The arguments of public functions: a NULL that is none of the values allowed is refused by its
 * name, before anything else happens. One table a function says which may not be NULL.
 */
#ifndef RESHARD_ARGUMENT_H
#define RESHARD_ARGUMENT_H

#include "core/status.h"

#include <stdbool.h>
#include <stdint.h>

struct argument {
    const char *name;
    const void *pointer;
    bool is_list;   /* of `count` pointers, none of them NULL; where it is empty it may be NULL */
    uint64_t count; /* of a list */
};

#define ARGUMENT(pointer)                                                                          \
    {                                                                                              \
#pointer, pointer, false, 0                                                                \
    }
#define ARGUMENT_LIST(pointer, count)                                                              \
    {                                                                                              \
#pointer, pointer, true, count                                                             \
    }

/* Local. EINVAL, naming it, for the first argument that is NULL; `arguments` ends with one that has
 * no name. */
RESHARD_MUST_CHECK enum reshard_status argument_check(const struct argument *arguments,
                                                      struct reshard_error *error);

/* Local. The same of a table written in the call: CHECK_ARGUMENTS(error, ARGUMENT(model), ...). */
#define CHECK_ARGUMENTS(error, ...)                                                                \
    argument_check((const struct argument[]){__VA_ARGS__, {NULL, NULL, false, 0}}, error)

#endif
