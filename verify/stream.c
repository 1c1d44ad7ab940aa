#include "verify/stream.h"

#include "verify/crc.h"
#include "verify/numbers.h"
#include "verify/philox.h"

#include <string.h>

/* SPAN elements are drawn at a time. Words come in groups of 32, and a span may begin anywhere in
 * its first block of four. */
enum {
    SPAN = 1024,
    GROUP_WORDS = VERIFY_PHILOX_LANES * VERIFY_PHILOX_WORDS,
    SPAN_WORDS = SPAN + GROUP_WORDS,
};

/* "low 32 bits of h xor high 32 bits of h, with h the CRC-64/XZ of the parameter's FQN" */
struct verify_stream verify_stream_of(uint64_t seed, const char *fqn)
{
    const uint64_t h = verify_crc(0, fqn, strlen(fqn));

    return (struct verify_stream){seed, (uint32_t)h ^ (uint32_t)(h >> 32)};
}

static size_t span_of(size_t left)
{
    return left < SPAN ? left : SPAN;
}

/* Random words for at most SPAN elements from `begin` on; the word of the first one. */
static const uint32_t *words_of(const struct verify_stream *stream, uint64_t k, uint64_t begin,
                                size_t count, uint32_t words[SPAN_WORDS])
{
    const size_t wanted = begin % VERIFY_PHILOX_WORDS + count;
    const struct verify_stream_key key = {stream->seed, stream->tensor, (uint32_t)k};

    verify_philox(&key, begin / VERIFY_PHILOX_WORDS, (wanted + GROUP_WORDS - 1) / GROUP_WORDS,
                  words);
    return words + begin % VERIFY_PHILOX_WORDS;
}

static void to_unit_interval(const uint32_t *words, double *x, size_t count)
{
    for (size_t i = 0; i < count; ++i)
        x[i] = (double)(int32_t)words[i] * 0x1p-31;
}

void verify_stream_draw(const struct verify_stream *stream, uint64_t k, uint64_t begin, double *x,
                        size_t count)
{
    uint32_t words[SPAN_WORDS];

    for (size_t done = 0; done < count; done += SPAN) {
        const size_t span = span_of(count - done);

        to_unit_interval(words_of(stream, k, begin + done, span, words), x + done, span);
    }
}

/* "z = (word × 0x9E3779B97F4A7C15 + i) mod 2^64" and what each dtype takes of it. */
static void initial_bits(enum reshard_dtype dtype, const uint32_t *words, uint64_t begin,
                         unsigned char *target, size_t count)
{
    const size_t width = reshard_dtype_bytes(dtype);

    for (size_t i = 0; i < count; ++i) {
        const uint64_t z = words[i] * 0x9E3779B97F4A7C15ull + (begin + i);
        const uint64_t bits[2] = {dtype == RESHARD_DTYPE_BOOL ? z >> 63 : z, ~z};

        memcpy(target + i * width, bits, width);
    }
}

static void initial_floats(enum reshard_dtype dtype, const uint32_t *words, void *target,
                           size_t count)
{
    double x[SPAN];

    to_unit_interval(words, x, count);
    for (size_t i = 0; i < count; ++i)
        x[i] /= 32;
    verify_numbers_store(dtype, x, target, count);
}

void verify_stream_initial(const struct verify_stream *stream, enum reshard_dtype dtype,
                           uint64_t begin, void *target, size_t count)
{
    unsigned char *bytes = target;
    uint32_t words[SPAN_WORDS];

    for (size_t done = 0; done < count; done += SPAN) {
        const size_t span = span_of(count - done);
        const uint32_t *first = words_of(stream, 0, begin + done, span, words);
        unsigned char *at = bytes + done * reshard_dtype_bytes(dtype);

        if (reshard_dtype_kind(dtype) == RESHARD_KIND_FLOAT)
            initial_floats(dtype, first, at, span);
        else
            initial_bits(dtype, first, begin + done, at, span);
    }
}
