#include "core/token.h"

#include <string.h>

static const char digits[] = "0123456789abcdef";

void token_print(const unsigned char random[RESHARD_TOKEN_RANDOM], char out[RESHARD_TOKEN_BYTES])
{
    for (size_t i = 0; i < RESHARD_TOKEN_RANDOM; i++) {
        out[2 * i] = digits[random[i] >> 4];
        out[2 * i + 1] = digits[random[i] & 15];
    }
    out[RESHARD_TOKEN_DIGITS] = '\0';
}

bool token_parse(const char *text, size_t bytes, char out[RESHARD_TOKEN_BYTES])
{
    out[0] = '\0';
    if (bytes != RESHARD_TOKEN_DIGITS)
        return false;
    for (size_t i = 0; i < bytes; i++)
        if (!text[i] || !strchr(digits, text[i]))
            return false;
    memcpy(out, text, bytes);
    out[bytes] = '\0';
    return true;
}

bool token_equal(const char a[RESHARD_TOKEN_BYTES], const char b[RESHARD_TOKEN_BYTES])
{
    return a[0] != '\0' && strncmp(a, b, RESHARD_TOKEN_BYTES) == 0;
}
