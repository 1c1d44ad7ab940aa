#include "sim/fingerprint.h"

#include "core/digest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHAPE_TEXT_MAX = RESHARD_DIMS_MAX * 21 };

static void shape_print(const struct reshard_shape *shape, char text[SHAPE_TEXT_MAX])
{
    size_t length = 0;
    (void)snprintf(text, SHAPE_TEXT_MAX, "scalar");
    for (uint32_t d = 0; d < shape->ndim; d++)
        length += (size_t)snprintf(text + length, SHAPE_TEXT_MAX - length, "%s%" PRIu64,
                                   d ? "x" : "", shape->size[d]);
}

static char *tensor_line(const struct reshard_tensor *tensor, bool absent, uint64_t digest)
{
    char shape[SHAPE_TEXT_MAX], digits[17] = "absent";
    char *line = NULL;
    shape_print(&tensor->shape, shape);
    if (!absent)
        (void)snprintf(digits, sizeof(digits), "%016" PRIx64, digest);
    const int length =
        asprintf(&line, "%s %s %s %s %s\n", tensor->fqn, tensor->slot[0] ? tensor->slot : "-",
                 reshard_dtype_name(tensor->dtype), shape, digits);
    return length < 0 ? NULL : line;
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

enum reshard_status fingerprint_of(const struct reshard_model *model, const bool *absent,
                                   const uint64_t *digest, char text[FINGERPRINT_TEXT_BYTES])
{
    const uint32_t count = reshard_model_tensor_count(model);
    enum reshard_status status = RESHARD_ENOMEM;
    uint32_t saved = 0;
    uint64_t crc = 0;
    char **lines = calloc((size_t)count + 1, sizeof(*lines));
    if (!lines)
        return status;
    for (uint32_t t = 0; t < count; t++) {
        const struct reshard_tensor *tensor = reshard_model_tensor(model, t);
        if (!reshard_role_is_saved(tensor->role))
            continue;
        lines[saved] = tensor_line(tensor, absent[t], digest[t]);
        if (!lines[saved++])
            goto cleanup;
    }
    qsort(lines, saved, sizeof(*lines), compare_lines);
    for (uint32_t t = 0; t < saved; t++)
        crc = digest_crc(crc, lines[t], strlen(lines[t]));
    (void)snprintf(text, FINGERPRINT_TEXT_BYTES, "%016" PRIx64, crc);
    status = RESHARD_OK;

cleanup:
    for (uint32_t t = 0; t < count; t++)
        free(lines[t]);
    free(lines);
    return status;
}
