/*
 * Notes: what a caller writes into a checkpoint besides its state, for people and programs that
 * look at it later: the job, the version of the code, the position in the data. Texts by key, in
 * the caller's order; nothing here is interpreted.
 */
#ifndef RESHARD_NOTES_H
#define RESHARD_NOTES_H

#include "core/status.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    RESHARD_NOTES_MAX = 256,
    RESHARD_NOTE_BYTES_MAX = 65535, /* of a text */
};

struct reshard_note {
    const char *key;  /* UTF-8 of 1 to 1,023 bytes; no two are equal */
    const char *text; /* UTF-8 of at most RESHARD_NOTE_BYTES_MAX bytes; may be empty */
};

/* Local. EINVAL, with the reason, for notes that break these limits. */
RESHARD_MUST_CHECK enum reshard_status notes_check(const struct reshard_note *notes, uint64_t count,
                                                   struct reshard_error *error);

/* Local. Equal for equal notes in equal order. */
uint64_t notes_hash(const struct reshard_note *notes, uint64_t count);

#ifdef __cplusplus
}
#endif

#endif
