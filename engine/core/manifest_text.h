/*
 * What both sides of the manifest know: how the file ends, and how large a mesh is. Internal to
 * manifest.c, which encodes, and manifest_read.c, which decodes.
 */
#ifndef RESHARD_MANIFEST_TEXT_H
#define RESHARD_MANIFEST_TEXT_H

#include "core/layout.h"

/* What follows the bytes that the manifest's CRC covers: `  "crc64": "`, digits, `"\n}\n`. */
#define MANIFEST_TAIL_BEGIN "  \"crc64\": \""
#define MANIFEST_TAIL_END "\"\n}\n"

enum { MANIFEST_VERSION = 1 };

/* Local. The number of ranks of a mesh; 0 when it is beyond 64 bits. */
uint64_t manifest_mesh_world(const struct reshard_layout_options *layout);

#endif
