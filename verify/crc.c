#include "verify/crc.h"

#include <isa-l/crc64.h>

/* The polynomial of CRC-64/XZ in the reflected order of bits: bit 63 is the coefficient of x^0. */
#define POLYNOMIAL 0xC96C5795D7870F42ull
#define ONE ((uint64_t)1 << 63)

uint64_t verify_crc(uint64_t crc, const void *data, size_t bytes)
{
    return bytes ? crc64_ecma_refl(crc, data, bytes) : crc;
}

/* a · b modulo the polynomial. */
static uint64_t multiply(uint64_t a, uint64_t b)
{
    uint64_t product = 0;

    while (a) {
        if (a & ONE)
            product ^= b;
        a <<= 1;
        b = b >> 1 ^ (b & 1 ? POLYNOMIAL : 0);
    }
    return product;
}

uint64_t verify_crc_shift(uint64_t crc, uint64_t bytes)
{
    uint64_t power = ONE >> 8; /* x^8: one byte */

    for (; bytes; bytes >>= 1) {
        if (bytes & 1)
            crc = multiply(crc, power);
        power = multiply(power, power);
    }
    return crc;
}
