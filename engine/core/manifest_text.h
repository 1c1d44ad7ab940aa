/*
 * What both sides of the manifest know: how the file ends. Internal to
 * manifest.c, which encodes, and manifest_read.c, which decodes.
 */
#ifndef RESHARD_MANIFEST_TEXT_H
#define RESHARD_MANIFEST_TEXT_H

/* What follows the bytes that the manifest's CRC covers: `  "crc64": "`, digits, `"\n}\n`. */
#define MANIFEST_TAIL_BEGIN "  \"crc64\": \""
#define MANIFEST_TAIL_END "\"\n}\n"

enum { MANIFEST_VERSION = 2 };

#endif
