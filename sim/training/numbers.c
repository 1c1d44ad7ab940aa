#include "sim/training/numbers.h"

#include <string.h>

static float float_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static uint32_t float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static uint16_t bf16_from_float(float value)
{
    const uint32_t bits = float_bits(value);
    if ((bits & 0x7fffffff) > 0x7f800000) /* NaN: rounding could carry it into infinity */
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float f16_to_float(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    const uint32_t exponent = half >> 10 & 0x1f;
    const uint32_t mantissa = half & 0x3ff;
    if (exponent == 0x1f)
        return float_from_bits(sign | 0x7f800000 | mantissa << 13);
    if (exponent == 0) { /* zero and subnormals: a whole number of 2^-24 */
        const float magnitude = (float)mantissa * 0x1p-24F;
        return float_from_bits(sign | float_bits(magnitude));
    }
    return float_from_bits(sign | (exponent + 112) << 23 | mantissa << 13);
}

static uint16_t f16_from_float(float value)
{
    const uint32_t bits = float_bits(value);
    const uint32_t sign = bits >> 16 & 0x8000;
    const uint32_t magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000)
        return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
    if (magnitude >= 0x477ff000) /* 65520 and above: nearest is beyond the largest half */
        return (uint16_t)(sign | 0x7c00);
    if (magnitude < 0x38800000) {
        /* Below 2^-14 halves are multiples of 2^-24, the last digits of the floats at 0.5: adding
         * 0.5 rounds there, to nearest even, as the hardware rounds any sum. */
        const float sum = float_from_bits(magnitude) + 0.5F;
        return (uint16_t)(sign | (float_bits(sum) - float_bits(0.5F)));
    }
    const uint32_t rebased = magnitude - (112U << 23);
    return (uint16_t)(sign | (rebased + 0xfff + (rebased >> 13 & 1)) >> 13);
}

void numbers_decode(enum reshard_dtype dtype, const void *stored, double *values, uint64_t count)
{
    const float *const singles = stored;
    const uint16_t *const halves = stored;
    switch (dtype) {
    case RESHARD_DTYPE_F64:
        memcpy(values, stored, count * sizeof(double));
        return;
    case RESHARD_DTYPE_F32:
        for (uint64_t i = 0; i < count; i++)
            values[i] = (double)singles[i];
        return;
    case RESHARD_DTYPE_BF16:
        for (uint64_t i = 0; i < count; i++)
            values[i] = (double)float_from_bits((uint32_t)halves[i] << 16);
        return;
    default:
        for (uint64_t i = 0; i < count; i++)
            values[i] = (double)f16_to_float(halves[i]);
    }
}

void numbers_encode(enum reshard_dtype dtype, const double *values, void *stored, uint64_t count)
{
    float *const singles = stored;
    uint16_t *const halves = stored;
    switch (dtype) {
    case RESHARD_DTYPE_F64:
        memcpy(stored, values, count * sizeof(double));
        return;
    case RESHARD_DTYPE_F32:
        for (uint64_t i = 0; i < count; i++)
            singles[i] = (float)values[i];
        return;
    case RESHARD_DTYPE_BF16:
        for (uint64_t i = 0; i < count; i++)
            halves[i] = bf16_from_float((float)values[i]);
        return;
    default:
        for (uint64_t i = 0; i < count; i++)
            halves[i] = f16_from_float((float)values[i]);
    }
}
