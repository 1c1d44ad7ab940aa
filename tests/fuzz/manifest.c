/*
 * Any bytes as a manifest: decoded, its layout opened, and the first ranks' pieces laid out. The
 * last 32 bytes are replaced by those that close a manifest, so that no input fails at its CRC.
 */
// Seeds: tests/golden/*/manifest.json
#include "core/manifest.h"
#include "core/arena.h"
#include "core/digest.h"
#include "core/manifest_text.h"
#include "fuzz/fuzz.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { WRITERS = 4, TAIL_BYTES = 32 };

static void lay_out(const struct manifest *manifest, const struct reshard_layout *layout)
{
    for (uint64_t writer = 0; writer < WRITERS && writer < manifest->world; writer++) {
        struct arena_pieces pieces = ARENA_PIECES_INIT;

        if (!arena_pieces_of(&pieces, layout, writer, manifest->absent))
            arena_pieces_release(&pieces);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct manifest manifest = MANIFEST_INIT;
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_layout *layout = NULL;
    const size_t body = size > TAIL_BYTES ? size - TAIL_BYTES : size;
    char *const text = malloc(body + TAIL_BYTES + 1);

    FUZZ_REQUIRE(text != NULL);
    memcpy(text, size ? (const char *)data : "", body);
    (void)snprintf(text + body, TAIL_BYTES + 1, "%s%016" PRIx64 "%s", MANIFEST_TAIL_BEGIN,
                   digest_crc(0, text, body), MANIFEST_TAIL_END);
    if (manifest_decode(&manifest, text, body + TAIL_BYTES, MANIFEST_FILE, &error))
        FUZZ_REQUIRE(error.text[0] != '\0');
    else if (!reshard_layout_open(&layout, manifest.model, &manifest.layout, &error))
        lay_out(&manifest, layout);
    reshard_layout_close(layout);
    manifest_release(&manifest);
    free(text);
    return 0;
}
