#include "core/digest.h"

#include <isa-l/crc64.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/*
 * Polynomials modulo the CRC's are 64-bit words in reflected order: bit 63 is x^0, bit 0 is x^63.
 * Multiplying by x is a shift to the right, with the polynomial taken off when x^64 appears.
 */
#define POLYNOMIAL UINT64_C(0xC96C5795D7870F42)
#define ONE UINT64_C(0x8000000000000000)

/* Fewer runs at once do not pay for what adding many prepares. */
enum { RUNS_MIN = 4 };

static uint64_t multiply_plain(uint64_t a, uint64_t b)
{
    uint64_t product = 0;

    for (int bit = 0; bit < 64; bit++) {
        product ^= a & (0 - (b >> 63));
        b <<= 1;
        a = (a >> 1) ^ (POLYNOMIAL & (0 - (a & 1)));
    }
    return product;
}

#if defined(__x86_64__)
/*
 * A carry-less multiplication gives the 127-bit product, two more reduce it (Barrett). In reflected
 * order the low word, after the missing bit is shifted in, is the part at x^64 and above: it is
 * divided by the polynomial, and what the quotient times the polynomial leaves goes to the rest.
 */
__attribute__((target("pclmul,sse4.1"))) static uint64_t multiply_clmul(uint64_t a, uint64_t b)
{
    const __m128i inverse = _mm_set_epi64x(0, 0x4E1F23360B94B1EA); /* x^128 / P, without x^64 */
    const __m128i polynomial = _mm_set_epi64x(0, (long long)POLYNOMIAL);
    const __m128i product =
        _mm_clmulepi64_si128(_mm_set_epi64x(0, (long long)a), _mm_set_epi64x(0, (long long)b), 0);
    const uint64_t low = (uint64_t)_mm_cvtsi128_si64(product);
    const uint64_t high = (uint64_t)_mm_extract_epi64(product, 1);
    const uint64_t over = low << 1, rest = high << 1 | low >> 63;
    const __m128i estimate = _mm_clmulepi64_si128(_mm_set_epi64x(0, (long long)over), inverse, 0);
    const uint64_t quotient = over ^ (uint64_t)_mm_cvtsi128_si64(estimate) << 1;
    const __m128i back =
        _mm_clmulepi64_si128(_mm_set_epi64x(0, (long long)quotient), polynomial, 0);

    return rest ^
           ((uint64_t)_mm_extract_epi64(back, 1) << 1 | (uint64_t)_mm_cvtsi128_si64(back) >> 63);
}

/* Divided by x; where the last term is not 0, adding the polynomial makes it so. */
static uint64_t divide_by_x(uint64_t a)
{
    return a << 1 ^ ((POLYNOMIAL << 1 | 1) & (0 - (a >> 63)));
}

/*
 * Many runs without a reduction for each, which would be most of the cost where runs are short. The
 * value is kept as 128 bits, high word x^0 to x^63, and both words are multiplied at once: the low
 * one by x^64 too, and both by 1/x for the bit that a product of reflected words lacks.
 */
__attribute__((target("pclmul,sse4.1"))) static uint64_t
add_runs_clmul(uint64_t value, uint64_t step, const unsigned char *data, size_t run_bytes,
               uint64_t count)
{
    const __m128i factors =
        _mm_set_epi64x((long long)divide_by_x(step), (long long)multiply_clmul(step, 1));
    __m128i wide = _mm_set_epi64x((long long)value, 0);

    for (; count > 0; count--, data += run_bytes) {
        const uint64_t crc = crc64_ecma_refl(0, data, run_bytes);
        wide = _mm_xor_si128(wide, _mm_set_epi64x((long long)crc, 0));
        wide = _mm_xor_si128(_mm_clmulepi64_si128(wide, factors, 0x00),
                             _mm_clmulepi64_si128(wide, factors, 0x11));
    }
    return (uint64_t)_mm_extract_epi64(wide, 1) ^
           multiply_clmul((uint64_t)_mm_cvtsi128_si64(wide), POLYNOMIAL);
}
#endif

static uint64_t multiply(uint64_t a, uint64_t b)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("pclmul"))
        return multiply_clmul(a, b);
#endif
    return multiply_plain(a, b);
}

/* Add `count` runs, each followed by the same step. */
static uint64_t add_runs(uint64_t value, uint64_t step, const unsigned char *data, size_t run_bytes,
                         uint64_t count)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("pclmul"))
        return add_runs_clmul(value, step, data, run_bytes, count);
#endif
    for (; count > 0; count--, data += run_bytes)
        value = multiply_plain(value ^ crc64_ecma_refl(0, data, run_bytes), step);
    return value;
}

/* x^(8 * bytes): what shifting by that many bytes multiplies by. */
static uint64_t power(uint64_t bytes)
{
    uint64_t result = ONE, square = ONE >> 8;

    for (; bytes; bytes >>= 1) {
        if (bytes & 1)
            result = multiply(result, square);
        square = multiply(square, square);
    }
    return result;
}

uint64_t digest_crc(uint64_t crc, const void *bytes, size_t count)
{
    return crc64_ecma_refl(crc, bytes, count);
}

uint64_t digest_shift(uint64_t crc, uint64_t bytes)
{
    return multiply(crc, power(bytes));
}

/*
 * Horner's scheme over the runs: before a run's CRC is added, what came before is shifted by the
 * distance from the last run's end to this one's. That distance depends only on which dimension
 * steps, so one multiplier for each suffices.
 */
void digest_stream_begin(struct digest_stream *stream, const struct reshard_shape *shape,
                         const struct reshard_box *box, size_t element_bytes)
{
    const struct reshard_box whole = reshard_box_whole(shape);
    const struct reshard_box_runs runs = reshard_box_runs(box, box, &whole);
    uint64_t inner = 0; /* from the first to the last run of the dimensions within */

    *stream = (struct digest_stream){.outer = runs.outer, .run_bytes = runs.count * element_bytes};
    if (reshard_box_count(box) == 0)
        return;
    for (uint32_t d = runs.outer; d-- > 0;) {
        stream->size[d] = runs.size[d];
        stream->step[d] = power((runs.target_step[d] - inner) * element_bytes);
        inner += (runs.size[d] - 1) * runs.target_step[d];
    }
    const uint64_t end = runs.target + inner + runs.count;
    stream->tail = power((reshard_box_count(&whole) - end) * element_bytes);
}

/* A run is complete: add it, and find the dimension that steps before the next. */
static void finish_run(struct digest_stream *stream)
{
    uint32_t d = stream->outer;

    stream->value ^= stream->crc;
    stream->crc = 0;
    stream->filled = 0;
    while (d-- > 0) {
        if (++stream->index[d] < stream->size[d]) {
            stream->value = multiply(stream->value, stream->step[d]);
            return;
        }
        stream->index[d] = 0;
    }
    stream->value = multiply(stream->value, stream->tail);
}

/* The runs that lie whole in the next `bytes`, up to the last but one of the innermost dimension:
 * all of them have the same step. */
static uint64_t whole_runs(const struct digest_stream *stream, size_t bytes)
{
    const uint32_t outer = stream->outer;
    const uint64_t whole = bytes / stream->run_bytes;
    uint64_t left;

    if (outer == 0 || stream->filled > 0)
        return 0;
    left = stream->size[outer - 1] - 1 - stream->index[outer - 1];
    return whole < left ? whole : left;
}

void digest_stream_add(struct digest_stream *stream, const void *data, size_t bytes)
{
    const unsigned char *next = data;

    while (bytes > 0) {
        const uint64_t runs = whole_runs(stream, bytes);
        if (runs >= RUNS_MIN) {
            const uint32_t inner = stream->outer - 1;
            stream->value =
                add_runs(stream->value, stream->step[inner], next, (size_t)stream->run_bytes, runs);
            stream->index[inner] += runs;
            next += runs * stream->run_bytes;
            bytes -= (size_t)(runs * stream->run_bytes);
            continue;
        }
        const uint64_t missing = stream->run_bytes - stream->filled;
        const size_t part = missing < bytes ? (size_t)missing : bytes;
        stream->crc = crc64_ecma_refl(stream->crc, next, part);
        stream->filled += part;
        next += part;
        bytes -= part;
        if (stream->filled == stream->run_bytes)
            finish_run(stream);
    }
}

uint64_t digest_contribution(const struct reshard_shape *shape, const struct reshard_box *box,
                             size_t element_bytes, const void *data)
{
    struct digest_stream stream;

    digest_stream_begin(&stream, shape, box, element_bytes);
    digest_stream_add(&stream, data, (size_t)reshard_box_count(box) * element_bytes);
    return stream.value;
}
