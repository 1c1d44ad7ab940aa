/*
 * `manifest.json`, the commit record (FORMAT.md section 4): from bytes to a checkpoint's plain
 * arrays. Part of the decoder. Local.
 */
#ifndef VERIFY_RECORD_H
#define VERIFY_RECORD_H

#include "verify/decoder.h"

#include <stddef.h>

/* Fill in everything that the manifest says. EDIGEST when its CRC differs, else EFORMAT. On failure
 * the checkpoint is partly filled and can be closed. */
RESHARD_MUST_CHECK enum reshard_status verify_record_parse(struct verify_checkpoint *checkpoint,
                                                           const char *text, size_t bytes,
                                                           struct reshard_error *error);

#endif
