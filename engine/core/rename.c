#include "core/rename.h"

#include "core/pattern.h"

#include <stdio.h>
#include <string.h>

bool rename_fqn(const struct reshard_rename *rename, uint32_t count, const char *fqn,
                char out[RESHARD_NAME_MAX], char reason[RENAME_REASON_MAX])
{
    struct pattern_match match;

    for (uint32_t i = 0; i < count; i++) {
        if (!pattern_matches(rename[i].from, fqn, &match))
            continue;
        if (pattern_replace(rename[i].to, &match, out, RESHARD_NAME_MAX))
            return true;
        snprintf(reason, RENAME_REASON_MAX,
                 "rename '%.100s' to '%.100s': '%.100s' becomes too long, or has fewer parts "
                 "than are asked for",
                 rename[i].from, rename[i].to, fqn);
        return false;
    }
    snprintf(out, RESHARD_NAME_MAX, "%s", fqn);
    return true;
}
