#include "core/trailer.h"

#include "core/bytes.h"
#include "core/digest.h"

#include <inttypes.h>
#include <string.h>

enum {
    MAGIC_BYTES = 8,
    ARENAS = 22,        /* the dtypes of version 2, in the order of enum reshard_dtype */
    RESERVED_BYTES = 8, /* zero */
    SEAL_BYTES = 8,
    SEALED_BYTES = TRAILER_BYTES - SEAL_BYTES,
};

_Static_assert(ARENAS == RESHARD_DTYPE_COUNT - 1,
               "the trailer's table of arenas is of version 2: another dtype is another version");

static const char magic[MAGIC_BYTES + 1] = "reshard\n";

bool trailer_is_there(const unsigned char bytes[TRAILER_BYTES])
{
    return memcmp(bytes, magic, MAGIC_BYTES) == 0;
}

void trailer_encode(struct trailer *trailer, unsigned char out[TRAILER_BYTES])
{
    const struct container_identity *const identity = &trailer->identity;
    const struct container_offsets *const offsets = &trailer->offsets;
    unsigned char *at = out;
    bytes_put_text(&at, magic, MAGIC_BYTES);
    bytes_put_number(&at, TRAILER_VERSION, 4);
    bytes_put_number(&at, ARENAS, 4);
    bytes_put_number(&at, identity->step, 8);
    bytes_put_number(&at, identity->writer, 8);
    bytes_put_number(&at, identity->world, 8);
    bytes_put_text(&at, identity->token, RESHARD_TOKEN_DIGITS);
    bytes_put_number(&at, offsets->file_bytes, 8);
    bytes_put_number(&at, offsets->head_bytes, 8);
    bytes_put_number(&at, trailer->head_crc, 8);
    bytes_put_number(&at, offsets->tensors, 8);
    bytes_put_number(&at, offsets->tensors_bytes, 8);
    bytes_put_number(&at, offsets->fqn_bytes, 4);
    bytes_put_number(&at, offsets->slot_bytes, 4);
    bytes_put_number(&at, offsets->pieces, 8);
    bytes_put_number(&at, offsets->pieces_bytes, 8);
    bytes_put_number(&at, trailer->tables_crc, 8);
    for (int d = RESHARD_DTYPE_NONE + 1; d < RESHARD_DTYPE_COUNT; d++) {
        bytes_put_number(&at, offsets->arena[d], 8);
        bytes_put_number(&at, offsets->arena_bytes[d], 8);
    }
    bytes_put_number(&at, 0, RESERVED_BYTES);
    trailer->seal = digest_crc(0, out, SEALED_BYTES);
    bytes_put_number(&at, trailer->seal, SEAL_BYTES);
}

static void take_places(struct trailer *out, const unsigned char **at)
{
    struct container_offsets *const offsets = &out->offsets;
    offsets->file_bytes = bytes_take_number(at, 8);
    offsets->head_bytes = bytes_take_number(at, 8);
    out->head_crc = bytes_take_number(at, 8);
    offsets->tensors = bytes_take_number(at, 8);
    offsets->tensors_bytes = bytes_take_number(at, 8);
    offsets->fqn_bytes = (uint32_t)bytes_take_number(at, 4);
    offsets->slot_bytes = (uint32_t)bytes_take_number(at, 4);
    offsets->pieces = bytes_take_number(at, 8);
    offsets->pieces_bytes = bytes_take_number(at, 8);
    out->tables_crc = bytes_take_number(at, 8);
    for (int d = RESHARD_DTYPE_NONE + 1; d < RESHARD_DTYPE_COUNT; d++) {
        offsets->arena[d] = bytes_take_number(at, 8);
        offsets->arena_bytes[d] = bytes_take_number(at, 8);
    }
    offsets->trailer = offsets->file_bytes - TRAILER_BYTES;
}

/* What comes before the rest may be believed to be what it says. */
static enum reshard_status check_frame(const unsigned char *bytes, const char *path,
                                       struct reshard_error *error)
{
    const unsigned char *at = bytes + MAGIC_BYTES, *seal = bytes + SEALED_BYTES;
    if (!trailer_is_there(bytes))
        return reshard_error_set(error, RESHARD_EFORMAT, "%s: ends without a trailer", path);
    const uint64_t version = bytes_take_number(&at, 4), arenas = bytes_take_number(&at, 4);
    if (version > TRAILER_VERSION)
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "%s: version %" PRIu64 " is newer than this release reads (%d)",
                                 path, version, TRAILER_VERSION);
    if (version < TRAILER_VERSION)
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "%s: version %" PRIu64 "; this release reads version %d", path,
                                 version, TRAILER_VERSION);
    const uint64_t stated = bytes_take_number(&seal, SEAL_BYTES);
    const uint64_t found = digest_crc(0, bytes, SEALED_BYTES);
    if (stated != found)
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "%s: its trailer is damaged: the seal is %016" PRIx64
                                 ", but its bytes have %016" PRIx64,
                                 path, stated, found);
    if (arenas != ARENAS)
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "%s: its trailer has %" PRIu64 " dtypes; version 2 has %d", path,
                                 arenas, ARENAS);
    return RESHARD_OK;
}

enum reshard_status trailer_decode(struct trailer *out, const unsigned char bytes[TRAILER_BYTES],
                                   const char *path, struct reshard_error *error)
{
    const unsigned char *at = bytes + MAGIC_BYTES + 4 + 4;
    struct container_identity *const identity = &out->identity;
    *out = (struct trailer){.seal = 0};
    const enum reshard_status status = check_frame(bytes, path, error);
    if (status)
        return status;
    identity->step = bytes_take_number(&at, 8);
    identity->writer = bytes_take_number(&at, 8);
    identity->world = bytes_take_number(&at, 8);
    if (!token_parse((const char *)at, RESHARD_TOKEN_DIGITS, identity->token))
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "%s: the token in its trailer is not of %d hexadecimal digits",
                                 path, RESHARD_TOKEN_DIGITS);
    at += RESHARD_TOKEN_DIGITS;
    take_places(out, &at);
    if (bytes_take_number(&at, RESERVED_BYTES) != 0)
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "%s: bytes 496 to 504 of its trailer must be zero", path);
    out->seal = bytes_take_number(&at, SEAL_BYTES);
    return RESHARD_OK;
}
