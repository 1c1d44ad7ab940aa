#include "verify/members.h"

#include <stddef.h>

bool verify_has_members(const json_t *object, const char *const *names)
{
    size_t known = 0;

    if (!json_is_object(object))
        return false;
    for (; *names; ++names) {
        const bool optional = **names == '?';

        if (json_object_get(object, *names + optional))
            known += 1;
        else if (!optional)
            return false;
    }
    return known == json_object_size(object);
}

bool verify_read_integer(const json_t *value, uint64_t *out)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *out = (uint64_t)json_integer_value(value);
    return true;
}

bool verify_read_count(const json_t *object, const char *key, uint64_t *out)
{
    return verify_read_integer(json_object_get(object, key), out);
}
