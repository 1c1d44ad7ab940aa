#include "sim/training/stream.h"

#include "core/digest.h"

#include <Random123/philox.h>

#include <string.h>

uint32_t stream_tensor_number(const char *fqn)
{
    const uint64_t crc = digest_crc(0, fqn, strlen(fqn));
    return (uint32_t)crc ^ (uint32_t)(crc >> 32);
}

struct stream stream_of(uint64_t seed, const char *fqn, uint64_t step)
{
    return (struct stream){seed, stream_tensor_number(fqn), (uint32_t)step};
}

const uint32_t *stream_words(const struct stream *stream, uint64_t begin, uint64_t count,
                             uint32_t words[STREAM_ROOM])
{
    const philox4x32_key_t key = {{(uint32_t)stream->seed, (uint32_t)(stream->seed >> 32)}};
    const uint64_t first = begin / STREAM_WORDS;
    const uint64_t last = (begin + count - 1) / STREAM_WORDS;
    for (uint64_t b = first; b <= last; b++) {
        const philox4x32_ctr_t counter = {
            {(uint32_t)b, (uint32_t)(b >> 32), stream->tensor, stream->step}};
        const philox4x32_ctr_t output = philox4x32(counter, key);
        memcpy(words + (b - first) * STREAM_WORDS, output.v, sizeof(output.v));
    }
    return words + begin % STREAM_WORDS;
}

void stream_values(const struct stream *stream, uint64_t begin, uint64_t count, double *values)
{
    uint32_t words[STREAM_ROOM];
    const uint32_t *mine = stream_words(stream, begin, count, words);
    for (uint64_t i = 0; i < count; i++)
        values[i] = (double)(int32_t)mine[i] * 0x1p-31;
}
