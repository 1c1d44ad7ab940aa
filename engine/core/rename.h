/*
 * Renames of modules, between the names that a checkpoint has and those that a model has.
 */
#ifndef RESHARD_RENAME_H
#define RESHARD_RENAME_H

#include "core/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A rename of modules: FQNs of the checkpoint that match `from` (core/pattern.h) are known to the
 * model as `to`, whose stars and {i} stand for what those of `from` stood for. */
struct reshard_rename {
    const char *from;
    const char *to;
};

/* ---- for the engine's own use ---------------------------------------------------------------- */

enum { RENAME_REASON_MAX = 512 };

/*
 * Local. The model's name for one of the checkpoint's, of fewer than RESHARD_NAME_MAX bytes, into
 * `out`: by the first rename that matches, or as it is. Patterns must be valid. False, with the
 * reason, where what it becomes is no name.
 */
bool rename_fqn(const struct reshard_rename *rename, uint32_t count, const char *fqn,
                char out[RESHARD_NAME_MAX], char reason[RENAME_REASON_MAX]);

#ifdef __cplusplus
}
#endif

#endif
