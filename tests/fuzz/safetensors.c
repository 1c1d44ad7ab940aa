/*
 * A safetensors file of any bytes is refused with a reason, or its entries tile its data exactly.
 */
// Seeds: scenarios/models/*.safetensors
#include "core/safetensors.h"
#include "fuzz/fuzz.h"
#include "support/input.h"

#include <string.h>

/* Ranges follow one another from the header's end to the file's, and each name is found. */
static void check(const struct safetensors *file, size_t size)
{
    uint64_t end = 0;

    for (uint64_t i = 0; i < safetensors_count(file); i++) {
        const struct safetensors_entry *entry = safetensors_entry(file, i);
        struct reshard_error error = RESHARD_ERROR_INIT;
        char byte = 0;

        FUZZ_REQUIRE(i == 0 ? entry->offset >= 8 : entry->offset == end);
        FUZZ_REQUIRE(entry->offset <= size && entry->bytes <= size - entry->offset);
        end = entry->offset + entry->bytes;
        FUZZ_REQUIRE(safetensors_find(file, entry->name) == entry);
        if (entry->bytes)
            FUZZ_REQUIRE(!safetensors_read(file, entry, entry->bytes - 1, &byte, 1, &error));
    }
    FUZZ_REQUIRE(safetensors_count(file) == 0 || end == size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct safetensors *file = NULL;
    struct reshard_error error = RESHARD_ERROR_INIT;
    const enum reshard_status status = safetensors_open(&file, input_file(data, size), &error);

    FUZZ_REQUIRE(status == RESHARD_OK || (status == RESHARD_EFORMAT && !file && error.text[0]));
    if (!status)
        check(file, size);
    safetensors_close(file);
    return 0;
}
