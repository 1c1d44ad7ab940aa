/* Any bytes as a manifest: decoded, its layout opened, and the first ranks' pieces laid out. */
#include "core/manifest.h"
#include "core/arena.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { WRITERS = 4 };
    struct manifest manifest = MANIFEST_INIT;
    struct reshard_error error = RESHARD_ERROR_INIT;
    struct reshard_layout *layout = NULL;
    char *const text = malloc(size + 1);
    if (!text)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (!manifest_decode(&manifest, text, size, MANIFEST_FILE, &error) &&
        !reshard_layout_open(&layout, manifest.model, &manifest.layout, &error)) {
        for (uint64_t writer = 0; writer < WRITERS && writer < manifest.world; writer++) {
            struct arena_pieces pieces = ARENA_PIECES_INIT;
            if (!arena_pieces_of(&pieces, layout, writer, manifest.absent))
                arena_pieces_release(&pieces);
        }
    }
    reshard_layout_close(layout);
    manifest_release(&manifest);
    free(text);
    return 0;
}
