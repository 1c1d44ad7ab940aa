#include "core/h5_head.h"

#include "core/bytes.h"
#include "core/rows.h"

#include <stdbool.h>
#include <string.h>

enum {
    SUPERBLOCK_BYTES = 48,
    CHECKSUM_BYTES = 4,
    OBJECT_PREFIX_BYTES = 8, /* signature, version, flags, length of the messages */
    LINKS_MAX = 32,          /* kept in the group's own header: more than there can be */
    LINKS_MIN = 6,
};

#define UNDEFINED_ADDRESS UINT64_MAX

/* Kinds of messages in an object's header. */
enum message {
    MESSAGE_DATASPACE = 0x01,
    MESSAGE_LINK_INFO = 0x02,
    MESSAGE_DATATYPE = 0x03,
    MESSAGE_FILL_VALUE = 0x05,
    MESSAGE_LINK = 0x06,
    MESSAGE_LAYOUT = 0x08,
    MESSAGE_GROUP_INFO = 0x0a,
    MESSAGE_ATTRIBUTE = 0x0c,
    MESSAGE_ATTRIBUTE_INFO = 0x15,
};

/* A message that never changes. */
enum { MESSAGE_CONSTANT = 0x01 };

/* Classes of datatypes, with the versions of their encodings in the upper half. */
enum {
    TYPE_INTEGER = 0x10,
    TYPE_FLOAT = 0x11,
    TYPE_TEXT = 0x13,
    TYPE_COMPOUND = 0x36,
    TYPE_ENUM = 0x38,
    TYPE_ARRAY = 0x3a,
};

/* ---- bytes ----------------------------------------------------------------------------------- */

/* Where the head is written. What does not fit is not written, and makes it no head. */
struct head {
    unsigned char *bytes;
    size_t used;
    bool full;
};

/* The place of so many bytes, NULL when there is no room. */
static unsigned char *take_room(struct head *head, size_t bytes)
{
    unsigned char *const at = head->bytes + head->used;
    head->full = head->full || bytes > H5_HEAD_MAX - head->used;
    if (head->full)
        return NULL;
    head->used += bytes;
    return at;
}

static void put(struct head *head, uint64_t value, int bytes)
{
    unsigned char *at = take_room(head, (size_t)bytes);
    if (at)
        bytes_put_number(&at, value, bytes);
}

static void put_text(struct head *head, const char *text, size_t bytes)
{
    unsigned char *at = take_room(head, bytes);
    if (at)
        bytes_put_text(&at, text, bytes);
}

static void put_name(struct head *head, const char *name)
{
    put_text(head, name, strlen(name) + 1);
}

/* A length of 16 bits that is known once what it measures has been put. */
static size_t put_length_later(struct head *head)
{
    put(head, 0, 2);
    return head->used;
}

static void set_length(struct head *head, size_t place, size_t begin)
{
    unsigned char *at = head->bytes + place - 2;
    if (head->full)
        return;
    bytes_put_number(&at, head->used - begin, 2);
}

static uint32_t rotate(uint32_t value, int bits)
{
    return value << bits | value >> (32 - bits);
}

uint32_t h5_head_checksum(const unsigned char *bytes, size_t count)
{
    uint32_t a = 0xdeadbeef + (uint32_t)count, b = a, c = a;
    for (;;) {
        unsigned char block[12] = {0};
        const unsigned char *at = block;
        const size_t part = count < sizeof block ? count : sizeof block;
        memcpy(block, bytes, part);
        a += (uint32_t)bytes_take_number(&at, 4);
        b += (uint32_t)bytes_take_number(&at, 4);
        c += (uint32_t)bytes_take_number(&at, 4);
        bytes += part;
        count -= part;
        if (count == 0)
            break;
        a = (a - c) ^ rotate(c, 4);
        c += b;
        b = (b - a) ^ rotate(a, 6);
        a += c;
        c = (c - b) ^ rotate(b, 8);
        b += a;
        a = (a - c) ^ rotate(c, 16);
        c += b;
        b = (b - a) ^ rotate(a, 19);
        a += c;
        c = (c - b) ^ rotate(b, 4);
        b += a;
    }
    c = (c ^ b) - rotate(b, 14);
    a = (a ^ c) - rotate(c, 11);
    b = (b ^ a) - rotate(a, 25);
    c = (c ^ b) - rotate(b, 16);
    a = (a ^ c) - rotate(c, 4);
    b = (b ^ a) - rotate(a, 14);
    return (c ^ b) - rotate(b, 24);
}

static void put_checksum(struct head *head, size_t begin)
{
    put(head, h5_head_checksum(head->bytes + begin, head->used - begin), CHECKSUM_BYTES);
}

/* ---- objects and their messages -------------------------------------------------------------- */

/* Begin an object; returns its address. Its messages follow, then object_end(). */
static size_t object_begin(struct head *head)
{
    const size_t address = head->used;
    put_text(head, "OHDR", 4);
    put(head, 2, 1); /* version */
    put(head, 1, 1); /* flags: the length of the messages has 2 bytes */
    put(head, 0, 2);
    return address;
}

static void object_end(struct head *head, size_t address)
{
    const size_t begin = address + OBJECT_PREFIX_BYTES;
    set_length(head, begin, begin);
    put_checksum(head, address);
}

static size_t message_begin(struct head *head, enum message kind, int flags)
{
    put(head, kind, 1);
    const size_t place = put_length_later(head);
    put(head, (uint64_t)flags, 1);
    return place;
}

static void message_end(struct head *head, size_t place)
{
    set_length(head, place, place + 1);
}

/* ---- datatypes ------------------------------------------------------------------------------- */

static void put_type(struct head *head, int class, uint64_t flags, size_t bytes)
{
    put(head, (uint64_t) class, 1);
    put(head, flags, 3);
    put(head, bytes, 4);
}

static void put_integer(struct head *head, size_t bytes, bool has_sign)
{
    put_type(head, TYPE_INTEGER, has_sign ? 0x08 : 0, bytes);
    put(head, 0, 2); /* first bit */
    put(head, 8 * bytes, 2);
}

/* From the highest bit to the lowest: sign, exponent, mantissa, whose first bit is implied. */
static void put_float(struct head *head, size_t bytes, size_t exponent_bits)
{
    const size_t bits = 8 * bytes, mantissa_bits = bits - 1 - exponent_bits;
    put_type(head, TYPE_FLOAT, 0x20 | (bits - 1) << 8, bytes);
    put(head, 0, 2);
    put(head, bits, 2);
    put(head, mantissa_bits, 1);
    put(head, exponent_bits, 1);
    put(head, 0, 1);
    put(head, mantissa_bits, 1);
    put(head, (UINT64_C(1) << (exponent_bits - 1)) - 1, 4); /* the exponent's bias */
}

/* A fixed string, zero-padded, UTF-8. */
static void put_text_type(struct head *head, size_t bytes)
{
    put_type(head, TYPE_TEXT, 0x11, bytes);
}

/* A member of a compound of that many bytes; its type follows. */
static void put_member(struct head *head, const char *name, size_t offset, size_t compound_bytes)
{
    put_name(head, name);
    put(head, offset, compound_bytes < 256 ? 1 : 2);
}

static void put_complex(struct head *head, size_t bytes, size_t exponent_bits)
{
    put_type(head, TYPE_COMPOUND, 2, bytes);
    put_member(head, "r", 0, bytes);
    put_float(head, bytes / 2, exponent_bits);
    put_member(head, "i", bytes / 2, bytes);
    put_float(head, bytes / 2, exponent_bits);
}

static void put_bool(struct head *head)
{
    put_type(head, TYPE_ENUM, 2, 1);
    put_integer(head, 1, true);
    put_name(head, "FALSE");
    put_name(head, "TRUE");
    put(head, 0, 1);
    put(head, 1, 1);
}

/* Exponent bits of a float or a part of a complex number of that many bytes. */
static size_t exponent_bits(size_t bytes)
{
    return bytes == 8 ? 11 : bytes == 4 ? 8 : 5;
}

static void put_dtype(struct head *head, enum reshard_dtype dtype)
{
    const size_t bytes = reshard_dtype_bytes(dtype);
    switch (reshard_dtype_kind(dtype)) {
    case RESHARD_KIND_FLOAT:
        put_float(head, bytes, dtype == RESHARD_DTYPE_BF16 ? 8 : exponent_bits(bytes));
        break;
    case RESHARD_KIND_COMPLEX:
        put_complex(head, bytes, exponent_bits(bytes / 2));
        break;
    case RESHARD_KIND_INTEGER:
        put_integer(head, bytes, dtype >= RESHARD_DTYPE_I8 && dtype <= RESHARD_DTYPE_I64);
        break;
    case RESHARD_KIND_BOOL:
        put_bool(head);
        break;
    default: /* floats too narrow for HDF5's float rules are bytes */
        put_integer(head, 1, false);
    }
}

/* RESHARD_DIMS_MAX numbers of 64 bits. */
static void put_sizes_type(struct head *head)
{
    put_type(head, TYPE_ARRAY, 0, ROWS_SIZES_BYTES);
    put(head, 1, 1); /* one dimension */
    put(head, ROWS_SIZES_BYTES / 8, 4);
    put_integer(head, 8, false);
}

static void put_tensors_type(struct head *head, const struct container_offsets *offsets)
{
    const size_t row = rows_tensor_bytes(offsets), slot = offsets->fqn_bytes,
                 dtype = slot + offsets->slot_bytes, ndim = dtype + ROWS_DTYPE_BYTES;
    put_type(head, TYPE_COMPOUND, 5, row);
    put_member(head, "fqn", 0, row);
    put_text_type(head, offsets->fqn_bytes);
    put_member(head, "slot", slot, row);
    put_text_type(head, offsets->slot_bytes);
    put_member(head, "dtype", dtype, row);
    put_text_type(head, ROWS_DTYPE_BYTES);
    put_member(head, "ndim", ndim, row);
    put_integer(head, 4, false);
    put_member(head, "shape", ndim + 4, row);
    put_sizes_type(head);
}

static void put_pieces_type(struct head *head)
{
    put_type(head, TYPE_COMPOUND, 6, ROWS_PIECE_BYTES);
    put_member(head, "tensor", ROWS_PIECE_TENSOR, ROWS_PIECE_BYTES);
    put_integer(head, 4, false);
    put_member(head, "ndim", ROWS_PIECE_NDIM, ROWS_PIECE_BYTES);
    put_integer(head, 4, false);
    put_member(head, "begin", ROWS_PIECE_BEGIN, ROWS_PIECE_BYTES);
    put_sizes_type(head);
    put_member(head, "end", ROWS_PIECE_END, ROWS_PIECE_BYTES);
    put_sizes_type(head);
    put_member(head, "offset", ROWS_PIECE_OFFSET, ROWS_PIECE_BYTES);
    put_integer(head, 8, false);
    put_member(head, "contribution", ROWS_PIECE_CONTRIBUTION, ROWS_PIECE_BYTES);
    put_integer(head, 8, false);
}

/* ---- attributes ------------------------------------------------------------------------------ */

static void put_attribute_info(struct head *head)
{
    const size_t place = message_begin(head, MESSAGE_ATTRIBUTE_INFO, 0);
    put(head, 0, 1);
    put(head, 0, 1);
    put(head, UNDEFINED_ADDRESS, 8); /* no heap and no index: they are in the header */
    put(head, UNDEFINED_ADDRESS, 8);
    message_end(head, place);
}

/* Up to the value, which follows; then message_end(). A `text` is of that many bytes. */
static size_t attribute_begin(struct head *head, const char *name, bool text, size_t bytes)
{
    const size_t place = message_begin(head, MESSAGE_ATTRIBUTE, 0);
    put(head, 3, 1); /* version */
    put(head, 0, 1);
    put(head, strlen(name) + 1, 2);
    const size_t type_bytes = put_length_later(head);
    put(head, 4, 2); /* bytes of the dataspace below */
    put(head, 0, 1); /* the name is ASCII */
    put_name(head, name);
    const size_t type = head->used;
    if (text)
        put_text_type(head, bytes);
    else
        put_integer(head, bytes, false);
    set_length(head, type_bytes, type);
    put(head, 2, 1); /* a dataspace of version 2: no dimensions, a scalar */
    put(head, 0, 3);
    return place;
}

static void put_text_attribute(struct head *head, const char *name, const char *text)
{
    const size_t place = attribute_begin(head, name, true, strlen(text));
    put_text(head, text, strlen(text));
    message_end(head, place);
}

static void put_number_attribute(struct head *head, const char *name, uint64_t value, int bytes)
{
    const size_t place = attribute_begin(head, name, false, (size_t)bytes);
    put(head, value, bytes);
    message_end(head, place);
}

/* ---- datasets -------------------------------------------------------------------------------- */

/* A dataspace of one dimension. */
static void put_length(struct head *head, uint64_t length)
{
    const size_t place = message_begin(head, MESSAGE_DATASPACE, 0);
    put(head, 2, 1); /* version */
    put(head, 1, 1); /* dimensions */
    put(head, 0, 1); /* no maxima */
    put(head, 1, 1); /* simple */
    put(head, length, 8);
    message_end(head, place);
}

/* Where the elements lie, all allocated, none of them ever filled by HDF5. */
static void put_place(struct head *head, uint64_t offset, uint64_t bytes)
{
    size_t place = message_begin(head, MESSAGE_FILL_VALUE, MESSAGE_CONSTANT);
    put(head, 3, 1);    /* version */
    put(head, 0x05, 1); /* allocated early, never filled, the default value */
    message_end(head, place);
    place = message_begin(head, MESSAGE_LAYOUT, 0);
    put(head, 3, 1); /* version */
    put(head, 1, 1); /* contiguous */
    put(head, offset, 8);
    put(head, bytes, 8);
    message_end(head, place);
}

static size_t put_arena(struct head *head, const struct container_offsets *offsets,
                        enum reshard_dtype dtype)
{
    const size_t address = object_begin(head);
    put_length(head, offsets->arena_bytes[dtype] / reshard_dtype_bytes(dtype));
    const size_t type = message_begin(head, MESSAGE_DATATYPE, MESSAGE_CONSTANT);
    put_dtype(head, dtype);
    message_end(head, type);
    put_place(head, offsets->arena[dtype], offsets->arena_bytes[dtype]);
    put_attribute_info(head);
    put_text_attribute(head, "dtype", reshard_dtype_name(dtype));
    object_end(head, address);
    return address;
}

static size_t put_tensors(struct head *head, const struct container_offsets *offsets)
{
    const size_t address = object_begin(head);
    put_length(head, offsets->tensors_bytes / rows_tensor_bytes(offsets));
    const size_t type = message_begin(head, MESSAGE_DATATYPE, MESSAGE_CONSTANT);
    put_tensors_type(head, offsets);
    message_end(head, type);
    put_place(head, offsets->tensors, offsets->tensors_bytes);
    object_end(head, address);
    return address;
}

static size_t put_pieces(struct head *head, const struct container_offsets *offsets)
{
    const size_t address = object_begin(head);
    put_length(head, offsets->pieces_bytes / ROWS_PIECE_BYTES);
    const size_t type = message_begin(head, MESSAGE_DATATYPE, MESSAGE_CONSTANT);
    put_pieces_type(head);
    message_end(head, type);
    put_place(head, offsets->pieces, offsets->pieces_bytes);
    object_end(head, address);
    return address;
}

static size_t put_trailer(struct head *head, const struct container_offsets *offsets)
{
    const size_t address = object_begin(head);
    put_length(head, TRAILER_BYTES);
    const size_t type = message_begin(head, MESSAGE_DATATYPE, MESSAGE_CONSTANT);
    put_integer(head, 1, false);
    message_end(head, type);
    put_place(head, offsets->trailer, TRAILER_BYTES);
    object_end(head, address);
    return address;
}

/* ---- groups ---------------------------------------------------------------------------------- */

/* Begin a group, whose links are all in its header. */
static size_t group_begin(struct head *head)
{
    const size_t address = object_begin(head);
    size_t place = message_begin(head, MESSAGE_LINK_INFO, 0);
    put(head, 0, 1);
    put(head, 0, 1);
    put(head, UNDEFINED_ADDRESS, 8);
    put(head, UNDEFINED_ADDRESS, 8);
    message_end(head, place);
    place = message_begin(head, MESSAGE_GROUP_INFO, MESSAGE_CONSTANT);
    put(head, 0, 1);
    put(head, 1, 1); /* how many links a header keeps follows */
    put(head, LINKS_MAX, 2);
    put(head, LINKS_MIN, 2);
    message_end(head, place);
    return address;
}

static void put_link(struct head *head, const char *name, size_t address)
{
    const size_t place = message_begin(head, MESSAGE_LINK, 0);
    put(head, 1, 1);    /* version */
    put(head, 0x10, 1); /* hard; a length of one byte; the name's encoding follows */
    put(head, 1, 1);    /* UTF-8 */
    put(head, strlen(name), 1);
    put_text(head, name, strlen(name));
    put(head, address, 8);
    message_end(head, place);
}

static size_t put_arenas(struct head *head, const struct container_offsets *offsets)
{
    size_t arena[RESHARD_DTYPE_COUNT] = {0};
    for (int d = RESHARD_DTYPE_NONE + 1; d < RESHARD_DTYPE_COUNT; d++)
        if (offsets->arena_bytes[d] > 0)
            arena[d] = put_arena(head, offsets, (enum reshard_dtype)d);
    const size_t group = group_begin(head);
    for (int d = RESHARD_DTYPE_NONE + 1; d < RESHARD_DTYPE_COUNT; d++)
        if (arena[d])
            put_link(head, reshard_dtype_name((enum reshard_dtype)d), arena[d]);
    object_end(head, group);
    return group;
}

static size_t put_root(struct head *head, const struct container_identity *identity,
                       const struct container_offsets *offsets)
{
    const size_t arena = put_arenas(head, offsets), tensors = put_tensors(head, offsets),
                 pieces = put_pieces(head, offsets), trailer = put_trailer(head, offsets);
    const size_t root = group_begin(head);
    put_link(head, "arena", arena);
    put_link(head, "pieces", pieces);
    put_link(head, "tensors", tensors);
    put_link(head, "trailer", trailer);
    put_attribute_info(head);
    put_text_attribute(head, "format", "reshard");
    put_number_attribute(head, "version", TRAILER_VERSION, 4);
    put_number_attribute(head, "step", identity->step, 8);
    put_number_attribute(head, "writer", identity->writer, 8);
    put_number_attribute(head, "world", identity->world, 8);
    put_text_attribute(head, "token", identity->token);
    object_end(head, root);
    return root;
}

static void put_superblock(struct head *head, size_t root, uint64_t file_bytes)
{
    put_text(head, H5_HEAD_SIGNATURE, 8);
    put(head, 2, 1); /* version */
    put(head, 8, 1); /* bytes of an offset */
    put(head, 8, 1); /* and of a length */
    put(head, 0, 1);
    put(head, 0, 8); /* base address */
    put(head, UNDEFINED_ADDRESS, 8);
    put(head, file_bytes, 8);
    put(head, root, 8);
    put_checksum(head, 0);
}

uint64_t h5_head_encode(const struct container_identity *identity,
                        const struct container_offsets *offsets, unsigned char out[H5_HEAD_MAX])
{
    struct head head = {out, SUPERBLOCK_BYTES, false}, superblock = {out, 0, false};
    memset(out, 0, H5_HEAD_MAX);
    const size_t root = put_root(&head, identity, offsets);
    put_superblock(&superblock, root, offsets->file_bytes);
    if (head.full)
        return 0;
    return (head.used + H5_HEAD_ALIGNMENT - 1) / H5_HEAD_ALIGNMENT * H5_HEAD_ALIGNMENT;
}
