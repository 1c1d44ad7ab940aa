#include "verify/trailer.h"

#include "verify/crc.h"
#include "verify/inventory.h"
#include "verify/members.h"

#include <string.h>

/* Offsets of the trailer's members. */
enum {
    AT_VERSION = 8,
    AT_DTYPES = 12,
    AT_STEP = 16,
    AT_WRITER = 24,
    AT_WORLD = 32,
    AT_TOKEN = 40,
    AT_FILE = 72,
    AT_HEAD = 80,
    AT_HEAD_CRC = 88,
    AT_TENSORS = 96,
    AT_FQN = 112,
    AT_SLOT = 116,
    AT_PIECES = 120,
    AT_TABLES_CRC = 136,
    AT_ARENAS = 144,
    AT_ZERO = 496,
    AT_SEAL = 504,
};

enum { DTYPES = RESHARD_DTYPE_COUNT - 1, NUMBERS = 4 + 8 * VERIFY_DIMS_MAX };

_Static_assert(AT_ARENAS + 16 * DTYPES == AT_ZERO, "an arena for each dtype");

static const char magic[8] = {'r', 'e', 's', 'h', 'a', 'r', 'd', '\n'};

static enum reshard_status wrong(struct reshard_error *error, const char *what)
{
    return reshard_error_set(error, RESHARD_EFORMAT, "its trailer %s", what);
}

static uint64_t u64_at(const unsigned char *bytes, size_t at)
{
    uint64_t value;

    memcpy(&value, bytes + at, sizeof value);
    return value;
}

static uint32_t u32_at(const unsigned char *bytes, size_t at)
{
    uint32_t value;

    memcpy(&value, bytes + at, sizeof value);
    return value;
}

static enum reshard_status check_frame(const unsigned char *bytes, uint64_t file,
                                       struct reshard_error *error)
{
    if (memcmp(bytes, magic, sizeof magic) != 0)
        return reshard_error_set(error, RESHARD_EFORMAT,
                                 "does not end in a trailer of version %d: it was cut short, "
                                 "overwritten, or is no rank's file",
                                 VERIFY_VERSION);
    if (verify_crc(0, bytes, AT_SEAL) != u64_at(bytes, AT_SEAL))
        return reshard_error_set(error, RESHARD_EDIGEST,
                                 "its trailer does not have the CRC that it ends with: it is "
                                 "damaged");
    if (u32_at(bytes, AT_VERSION) != VERIFY_VERSION)
        return reshard_error_set(error, RESHARD_EFORMAT, "its trailer is of version %u, not of %d",
                                 u32_at(bytes, AT_VERSION), VERIFY_VERSION);
    if (u32_at(bytes, AT_DTYPES) != DTYPES)
        return wrong(error, "has not an arena's place for each of 22 dtypes");
    if (u64_at(bytes, AT_ZERO) != 0)
        return wrong(error, "is not zero from byte 496 to 504");
    if (u64_at(bytes, AT_FILE) != file)
        return wrong(error, "says another size of the file than it has");
    return RESHARD_OK;
}

/* Take `bytes` bytes at `offset`, which must be where the part before it ends; *at moves on. */
static bool take(uint64_t *at, uint64_t offset, uint64_t bytes, uint64_t file)
{
    if (offset != *at || bytes == 0 || bytes > file - *at)
        return false;
    *at += bytes;
    return true;
}

static enum reshard_status take_arenas(struct verify_trailer *out, const unsigned char *bytes,
                                       uint64_t *at, uint64_t file, struct reshard_error *error)
{
    for (int dtype = 1; dtype <= DTYPES; ++dtype) {
        const size_t place = AT_ARENAS + 16 * (size_t)(dtype - 1);
        const uint64_t offset = u64_at(bytes, place);
        const uint64_t size = u64_at(bytes, place + 8);
        const size_t width = reshard_dtype_bytes((enum reshard_dtype)dtype);

        if (offset == 0 && size == 0)
            continue;
        if (!take(at, offset, size, file) || size % VERIFY_PART_BYTES != 0)
            return reshard_error_set(error, RESHARD_EFORMAT,
                                     "its trailer says that /arena/%s is %llu bytes at byte %llu; "
                                     "by the part before it, a multiple of 4,096 bytes at byte "
                                     "%llu comes there",
                                     reshard_dtype_name((enum reshard_dtype)dtype),
                                     (unsigned long long)size, (unsigned long long)offset,
                                     (unsigned long long)*at);
        out->arena[dtype] = (struct verify_extent){offset, size / width, width};
    }
    return RESHARD_OK;
}

static enum reshard_status take_table(struct verify_extent *out, const unsigned char *bytes,
                                      size_t place, uint64_t *at, uint64_t file)
{
    const uint64_t offset = u64_at(bytes, place);
    const uint64_t size = u64_at(bytes, place + 8);

    if (!take(at, offset, size, file) || size % out->row_bytes != 0)
        return RESHARD_EFORMAT;
    out->offset = offset;
    out->rows = size / out->row_bytes;
    return RESHARD_OK;
}

/* Head, arenas, tables and trailer, one behind the other. */
static enum reshard_status take_parts(struct verify_trailer *out, const unsigned char *bytes,
                                      uint64_t file, struct reshard_error *error)
{
    uint64_t at = 0;
    enum reshard_status status;

    if (!take(&at, 0, out->head, file) || out->head % VERIFY_PART_BYTES != 0)
        return wrong(error, "says of the head no multiple of 4,096 bytes that the file has");
    status = take_arenas(out, bytes, &at, file, error);
    if (status)
        return status;
    if (at == out->head)
        return wrong(error, "has no arena: a file without elements is not written");
    if (take_table(&out->tensors, bytes, AT_TENSORS, &at, file))
        return wrong(error, "says of /tensors no whole rows right behind the last arena");
    if (take_table(&out->pieces, bytes, AT_PIECES, &at, file))
        return wrong(error, "says of /pieces no whole rows right behind /tensors");
    if (at + VERIFY_TRAILER_BYTES != file)
        return wrong(error, "is not right behind /pieces");
    return RESHARD_OK;
}

static bool is_token(const char *text)
{
    uint64_t half;

    return verify_read_digits(text, &half) && verify_read_digits(text + VERIFY_DIGITS, &half);
}

enum reshard_status verify_trailer_decode(struct verify_trailer *out,
                                          const unsigned char bytes[VERIFY_TRAILER_BYTES],
                                          uint64_t file, struct reshard_error *error)
{
    const enum reshard_status status = check_frame(bytes, file, error);

    if (status)
        return status;
    *out = (struct verify_trailer){
        .step = u64_at(bytes, AT_STEP),
        .writer = u64_at(bytes, AT_WRITER),
        .world = u64_at(bytes, AT_WORLD),
        .head = u64_at(bytes, AT_HEAD),
        .head_crc = u64_at(bytes, AT_HEAD_CRC),
        .fqn_bytes = u32_at(bytes, AT_FQN),
        .slot_bytes = u32_at(bytes, AT_SLOT),
        .tables_crc = u64_at(bytes, AT_TABLES_CRC),
        .seal = u64_at(bytes, AT_SEAL),
    };
    memcpy(out->token, bytes + AT_TOKEN, VERIFY_TOKEN_BYTES - 1);
    if (!is_token(out->token))
        return wrong(error, "has no token of 32 digits");
    if (out->fqn_bytes < 2 || out->fqn_bytes > VERIFY_NAME_MAX || out->slot_bytes == 0 ||
        out->slot_bytes > VERIFY_NAME_MAX)
        return wrong(error, "has a width of names that is not 1 to 1,024 bytes");
    out->tensors.row_bytes = out->fqn_bytes + out->slot_bytes + VERIFY_TENSOR_DTYPE_BYTES + NUMBERS;
    out->pieces.row_bytes = VERIFY_PIECE_BYTES;
    return take_parts(out, bytes, file, error);
}
