/*
 * A scenario of any bytes is refused with messages, or understood without one.
 */
// Seeds: scenarios/*.yaml tests/golden/*.yaml
#include "sim/scenario.h"
#include "fuzz/fuzz.h"
#include "support/input.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scenario *scenario = NULL;
    char *messages = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&messages, &length);

    FUZZ_REQUIRE(stream != NULL);
    const enum reshard_status status = scenario_open(&scenario, input_file(data, size),
                                                     RESHARD_SOURCE_DIR "/scenarios", NULL, stream);
    FUZZ_REQUIRE(fclose(stream) == 0);
    FUZZ_REQUIRE(status == RESHARD_OK || status == RESHARD_EINVAL);
    FUZZ_REQUIRE((status == RESHARD_OK) == (length == 0) && (status == RESHARD_OK) == !!scenario);
    scenario_close(scenario);
    free(messages);
    return 0;
}
