#include "verify/crc.h"

#include <isa-l/crc64.h>

/* The polynomial of CRC-64/XZ in the reflected order of bits: bit 63 is the coefficient of x^0. */
#define POLYNOMIAL 0xC96C5795D7870F42ull
#define ONE ((uint64_t)1 << 63)

uint64_t verify_crc(uint64_t crc, const void *data, size_t bytes)
{
    return bytes ? crc64_ecma_refl(crc, data, bytes) : crc;
}

uint64_t verify_crc_multiply(uint64_t crc, uint64_t power)
{
    uint64_t product = 0;

    for (; crc; crc <<= 1) {
        product ^= crc & ONE ? power : 0;
        power = power >> 1 ^ (power & 1 ? POLYNOMIAL : 0);
    }
    return product;
}

uint64_t verify_crc_power(uint64_t bytes)
{
    uint64_t power = ONE;
    uint64_t square = ONE >> 8; /* x^8: one byte */

    for (; bytes; bytes >>= 1) {
        if (bytes & 1)
            power = verify_crc_multiply(power, square);
        square = verify_crc_multiply(square, square);
    }
    return power;
}

uint64_t verify_crc_shift(uint64_t crc, uint64_t bytes)
{
    return verify_crc_multiply(crc, verify_crc_power(bytes));
}
