#include "core/cast.h"

#include <string.h>

enum { DOUBLE_MANTISSA = 52, DOUBLE_BIAS = 1023, DOUBLE_EXPONENT_ONES = 0x7ff };

/* An IEEE binary format narrower than f64. */
struct format {
    int bytes;
    int exponent_bits;
    int mantissa_bits;
};

static struct format format_of(enum reshard_dtype dtype)
{
    switch (dtype) {
    case RESHARD_DTYPE_F32:
        return (struct format){4, 8, 23};
    case RESHARD_DTYPE_F16:
        return (struct format){2, 5, 10};
    case RESHARD_DTYPE_BF16:
        return (struct format){2, 8, 7};
    default:
        return (struct format){8, 11, DOUBLE_MANTISSA};
    }
}

bool cast_is_possible(enum reshard_dtype from, enum reshard_dtype to)
{
    return from != to && reshard_dtype_kind(from) == RESHARD_KIND_FLOAT &&
           reshard_dtype_kind(to) == RESHARD_KIND_FLOAT;
}

/* The bits of the double that has the same value: exact. */
static uint64_t widen(struct format format, uint64_t bits)
{
    const int up = DOUBLE_MANTISSA - format.mantissa_bits;
    const uint64_t ones = (UINT64_C(1) << format.exponent_bits) - 1;
    const uint64_t bias = ones >> 1;
    const uint64_t sign = bits >> (format.exponent_bits + format.mantissa_bits) << 63;
    uint64_t exponent = bits >> format.mantissa_bits & ones;
    uint64_t mantissa = bits & ((UINT64_C(1) << format.mantissa_bits) - 1);

    if (exponent == ones)
        return sign | (uint64_t)DOUBLE_EXPONENT_ONES << DOUBLE_MANTISSA | mantissa << up |
               (mantissa ? UINT64_C(1) << (DOUBLE_MANTISSA - 1) : 0);
    if (exponent == 0 && mantissa == 0)
        return sign;
    if (exponent == 0) { /* subnormal there, normal in double: move the leading one up */
        exponent = 1;
        while (!(mantissa >> format.mantissa_bits)) {
            mantissa <<= 1;
            exponent--;
        }
        mantissa &= (UINT64_C(1) << format.mantissa_bits) - 1;
    }
    return sign | (exponent + DOUBLE_BIAS - bias) << DOUBLE_MANTISSA | mantissa << up;
}

/* `value` without its last `shift` bits, rounded to nearest, ties to even. */
static uint64_t round_off(uint64_t value, int shift)
{
    if (shift <= 0)
        return value;
    const uint64_t half = UINT64_C(1) << (shift - 1);
    const uint64_t rest = value & ((half << 1) - 1), kept = value >> shift;

    return kept + (rest > half || (rest == half && kept & 1));
}

/* The bits of the nearest value of a narrower format, ties to even. */
static uint64_t narrow(struct format format, uint64_t bits)
{
    const int down = DOUBLE_MANTISSA - format.mantissa_bits;
    const uint64_t ones = (UINT64_C(1) << format.exponent_bits) - 1;
    const int bias = (int)(ones >> 1);
    const uint64_t sign = bits >> 63 << (format.exponent_bits + format.mantissa_bits);
    const int exponent = (int)(bits >> DOUBLE_MANTISSA & DOUBLE_EXPONENT_ONES) - DOUBLE_BIAS + bias;
    const uint64_t fraction = bits & ((UINT64_C(1) << DOUBLE_MANTISSA) - 1);
    const uint64_t significand = fraction | UINT64_C(1) << DOUBLE_MANTISSA;
    uint64_t result;

    if (exponent == DOUBLE_EXPONENT_ONES - DOUBLE_BIAS + bias) /* infinity or NaN */
        return sign | ones << format.mantissa_bits | fraction >> down |
               (fraction ? UINT64_C(1) << (format.mantissa_bits - 1) : 0);
    if (exponent > 0) /* a carry out of the mantissa is one more in the exponent, as it should */
        result = ((uint64_t)(exponent - 1) << format.mantissa_bits) + round_off(significand, down);
    else if (down + 1 - exponent > DOUBLE_MANTISSA + 1)
        result = 0; /* less than half of the smallest; a double's own subnormals too */
    else
        result = round_off(significand, down + 1 - exponent);
    if (result >= ones << format.mantissa_bits)
        result = ones << format.mantissa_bits;
    return sign | result;
}

void cast_elements(enum reshard_dtype from, const void *source, enum reshard_dtype to, void *target,
                   uint64_t count)
{
    const struct format read = format_of(from), written = format_of(to);
    const char *in = source;
    char *out = target;

    for (uint64_t i = 0; i < count; i++) {
        uint64_t bits = 0;
        memcpy(&bits, in, (size_t)read.bytes); /* little-endian, as all of the format is */
        if (from != RESHARD_DTYPE_F64)
            bits = widen(read, bits);
        if (to != RESHARD_DTYPE_F64)
            bits = narrow(written, bits);
        memcpy(out, &bits, (size_t)written.bytes);
        in += read.bytes;
        out += written.bytes;
    }
}
