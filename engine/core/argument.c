#include "core/argument.h"

#include <inttypes.h>
#include <stddef.h>

/* A list that has elements and no memory, or an element that is NULL. */
static enum reshard_status check_list(const struct argument *list, struct reshard_error *error)
{
    const void *const *element = list->pointer;

    for (uint64_t i = 0; i < list->count; i++) {
        if (!element)
            return reshard_error_set(error, RESHARD_EINVAL,
                                     "the argument '%s' is NULL, but it has %" PRIu64 " elements",
                                     list->name, list->count);
        if (!element[i])
            return reshard_error_set(error, RESHARD_EINVAL,
                                     "element %" PRIu64 " of the argument '%s' is NULL", i,
                                     list->name);
    }
    return RESHARD_OK;
}

enum reshard_status argument_check(const struct argument *arguments, struct reshard_error *error)
{
    enum reshard_status status = RESHARD_OK;

    for (; !status && arguments->name; arguments++) {
        if (arguments->is_list)
            status = check_list(arguments, error);
        else if (!arguments->pointer)
            status = reshard_error_set(error, RESHARD_EINVAL, "the argument '%s' is NULL",
                                       arguments->name);
    }
    return status;
}
