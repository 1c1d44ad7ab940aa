/*
 * JSON from outside, read whole or not at all. jansson takes a failed allocation for a fault of the
 * text, and may drop bytes of a long name or number in silence; here out of memory is ENOMEM and
 * nothing is dropped. What is nested is bounded by the text's length, since each object and array
 * costs some 200 bytes however short it is written.
 */
#ifndef RESHARD_JSON_READ_H
#define RESHARD_JSON_READ_H

#include "core/status.h"

#include <jansson.h>
#include <stddef.h>

/* One `{` or `[` for each so many bytes of text, and some more, may be in it: FORMAT.md, section 4.
 */
enum { JSON_READ_BYTES_PER_VALUE = 8, JSON_READ_VALUES_FREE = 1024 };

/*
 * Local. Parse a text of `bytes` bytes, without duplicate keys. `name` is the file's path, for
 * messages: EFORMAT names line and column, ENOMEM has no text. The caller releases *out.
 */
RESHARD_MUST_CHECK enum reshard_status json_read(json_t **out, const char *text, size_t bytes,
                                                 const char *name, struct reshard_error *error);

#endif
