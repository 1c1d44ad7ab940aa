/*
 * Numbers and texts as the format has them: little-endian, fixed strings padded with zeros. What is
 * put or taken advances the place.
 */
#ifndef RESHARD_BYTES_H
#define RESHARD_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline void bytes_put_number(unsigned char **at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *(*at)++ = (unsigned char)(value >> 8 * i);
}

static inline uint64_t bytes_take_number(const unsigned char **at, int bytes)
{
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; i--)
        value = value << 8 | (*at)[i];
    *at += bytes;
    return value;
}

/* A text no longer than its field. */
static inline void bytes_put_text(unsigned char **at, const char *text, size_t bytes)
{
    const size_t length = strnlen(text, bytes);
    memcpy(*at, text, length);
    memset(*at + length, 0, bytes - length);
    *at += bytes;
}

#endif
