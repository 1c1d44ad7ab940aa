/*
 * One number for a whole state: the CRC-64/XZ of the lines `fqn slot dtype shape digest`, one for
 * each tensor that is saved, sorted bytewise, each with a newline. Slot is `-` for a parameter,
 * shape is `4x4`, or `scalar` for 0 dimensions, digest 16 hexadecimal digits, or `absent`. It
 * depends on names and values alone: not on the order of tensors, and not on how the state is
 * sharded.
 */
#ifndef RESHARD_SIM_FINGERPRINT_H
#define RESHARD_SIM_FINGERPRINT_H

#include "core/model.h"

enum { FINGERPRINT_TEXT_BYTES = 17 };

/* Local. `absent` and `digest` have one entry for each tensor of the model. ENOMEM. */
RESHARD_MUST_CHECK enum reshard_status fingerprint_of(const struct reshard_model *model,
                                                      const bool *absent, const uint64_t *digest,
                                                      char text[FINGERPRINT_TEXT_BYTES]);

#endif
