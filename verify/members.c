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

bool verify_read_digits(const char *text, uint64_t *out)
{
    *out = 0;
    for (int i = 0; i < VERIFY_DIGITS; ++i) {
        const char digit = text[i];

        if (digit >= '0' && digit <= '9')
            *out = *out << 4 | (uint64_t)(digit - '0');
        else if (digit >= 'a' && digit <= 'f')
            *out = *out << 4 | (uint64_t)(digit - 'a' + 10);
        else
            return false;
    }
    return true;
}

bool verify_read_hex(const json_t *object, const char *key, uint64_t *out)
{
    const json_t *value = json_object_get(object, key);

    return json_is_string(value) && json_string_length(value) == VERIFY_DIGITS &&
           verify_read_digits(json_string_value(value), out);
}
