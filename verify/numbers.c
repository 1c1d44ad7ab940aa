#include "verify/numbers.h"

#include <stdint.h>
#include <string.h>

static inline uint32_t bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float float_of(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint16_t bf16_from_float(float value)
{
    const uint32_t bits = bits_of(value);
    const uint32_t nearest = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    const uint32_t nan = bits >> 16 | 0x40;

    return (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? nan : nearest);
}

static inline float bf16_to_float(uint16_t stored)
{
    return float_of((uint32_t)stored << 16);
}

/* Shift right, rounding to nearest, ties to even. */
static inline uint32_t shift_to_even(uint32_t value, unsigned places)
{
    const uint32_t half = (uint32_t)1 << (places - 1);

    return (value + half - 1 + (value >> places & 1)) >> places;
}

static uint16_t f16_from_float(float value)
{
    const uint32_t bits = bits_of(value);
    const uint32_t sign = bits >> 16 & 0x8000;
    const uint32_t magnitude = bits & 0x7fffffff;
    const unsigned exponent = magnitude >> 23;
    const uint32_t mantissa = (magnitude & 0x7fffff) | 0x800000;

    if (magnitude > 0x7f800000)
        return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x1ff));
    if (magnitude >= 0x47800000) /* 2^16 and more, infinity too */
        return (uint16_t)(sign | 0x7c00);
    if (exponent >= 113) /* normal in f16; a carry may run into the exponent, even to infinity */
        return (uint16_t)(sign | shift_to_even(magnitude - (112u << 23), 13));
    if (exponent < 102) /* below half of the smallest subnormal */
        return (uint16_t)sign;
    return (uint16_t)(sign | shift_to_even(mantissa, 126 - exponent));
}

static float f16_to_float(uint16_t stored)
{
    const uint32_t sign = (uint32_t)(stored & 0x8000) << 16;
    const uint32_t exponent = stored >> 10 & 0x1f;
    const uint32_t mantissa = stored & 0x3ff;

    if (exponent == 31)
        return float_of(sign | 0x7f800000 | mantissa << 13);
    if (exponent > 0)
        return float_of(sign | (exponent + 112) << 23 | mantissa << 13);
    return float_of(sign | bits_of((float)mantissa * 0x1p-24f));
}

void verify_numbers_store(enum reshard_dtype dtype, const double *source, void *target,
                          size_t count)
{
    float *floats = target;
    uint16_t *halves = target;

    if (dtype == RESHARD_DTYPE_F64)
        memcpy(target, source, count * sizeof *source);
    for (size_t i = 0; i < count && dtype == RESHARD_DTYPE_F32; ++i)
        floats[i] = (float)source[i];
    for (size_t i = 0; i < count && dtype == RESHARD_DTYPE_F16; ++i)
        halves[i] = f16_from_float((float)source[i]);
    for (size_t i = 0; i < count && dtype == RESHARD_DTYPE_BF16; ++i)
        halves[i] = bf16_from_float((float)source[i]);
}

void verify_numbers_load(enum reshard_dtype dtype, const void *source, double *target, size_t count)
{
    const float *floats = source;
    const uint16_t *halves = source;

    if (dtype == RESHARD_DTYPE_F64)
        memcpy(target, source, count * sizeof *target);
    for (size_t i = 0; i < count && dtype == RESHARD_DTYPE_F32; ++i)
        target[i] = (double)floats[i];
    for (size_t i = 0; i < count && dtype == RESHARD_DTYPE_F16; ++i)
        target[i] = (double)f16_to_float(halves[i]);
    for (size_t i = 0; i < count && dtype == RESHARD_DTYPE_BF16; ++i)
        target[i] = (double)bf16_to_float(halves[i]);
}

static void round_f32(double *values, size_t count)
{
    for (size_t i = 0; i < count; ++i)
        values[i] = (double)(float)values[i];
}

static void round_f16(double *values, size_t count)
{
    for (size_t i = 0; i < count; ++i)
        values[i] = (double)f16_to_float(f16_from_float((float)values[i]));
}

static void round_bf16(double *values, size_t count)
{
    for (size_t i = 0; i < count; ++i)
        values[i] = (double)bf16_to_float(bf16_from_float((float)values[i]));
}

void verify_numbers_round(enum reshard_dtype dtype, double *values, size_t count)
{
    if (dtype == RESHARD_DTYPE_F32)
        round_f32(values, count);
    else if (dtype == RESHARD_DTYPE_F16)
        round_f16(values, count);
    else if (dtype == RESHARD_DTYPE_BF16)
        round_bf16(values, count);
}
