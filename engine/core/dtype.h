/*
 * Element types, as PyTorch and safetensors know them. One table holds each type's size and its
 * names; nothing else in the project spells them out. Elements are bytes to the engine: it moves
 * and digests them little-endian and never converts one type to another.
 */
#ifndef RESHARD_DTYPE_H
#define RESHARD_DTYPE_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of F4_E2M1X2 an element is a pair of values, as torch has it; a safetensors file counts the
 * values, so that its last dimension is twice as large. */
/* name, bytes, what it is (float: IEEE-like and trainable here), torch name, safetensors name or
 * NULL where that format has none. The order is that of the trailers' tables
 * (FORMAT.md, section 3). */
#define RESHARD_DTYPE_MAP(X)                                                                       \
    X(F64, "f64", 8, RESHARD_KIND_FLOAT, "float64", "F64")                                         \
    X(F32, "f32", 4, RESHARD_KIND_FLOAT, "float32", "F32")                                         \
    X(F16, "f16", 2, RESHARD_KIND_FLOAT, "float16", "F16")                                         \
    X(BF16, "bf16", 2, RESHARD_KIND_FLOAT, "bfloat16", "BF16")                                     \
    X(F8_E4M3FN, "f8_e4m3fn", 1, RESHARD_KIND_FLOAT8, "float8_e4m3fn", "F8_E4M3")                  \
    X(F8_E5M2, "f8_e5m2", 1, RESHARD_KIND_FLOAT8, "float8_e5m2", "F8_E5M2")                        \
    X(F8_E4M3FNUZ, "f8_e4m3fnuz", 1, RESHARD_KIND_FLOAT8, "float8_e4m3fnuz", "F8_E4M3FNUZ")        \
    X(F8_E5M2FNUZ, "f8_e5m2fnuz", 1, RESHARD_KIND_FLOAT8, "float8_e5m2fnuz", "F8_E5M2FNUZ")        \
    X(F8_E8M0FNU, "f8_e8m0fnu", 1, RESHARD_KIND_FLOAT8, "float8_e8m0fnu", "F8_E8M0")               \
    X(F4_E2M1X2, "f4_e2m1fn_x2", 1, RESHARD_KIND_FLOAT8, "float4_e2m1fn_x2", "F4")                 \
    X(C32, "c32", 4, RESHARD_KIND_COMPLEX, "complex32", NULL)                                      \
    X(C64, "c64", 8, RESHARD_KIND_COMPLEX, "complex64", "C64")                                     \
    X(C128, "c128", 16, RESHARD_KIND_COMPLEX, "complex128", NULL)                                  \
    X(I8, "i8", 1, RESHARD_KIND_INTEGER, "int8", "I8")                                             \
    X(I16, "i16", 2, RESHARD_KIND_INTEGER, "int16", "I16")                                         \
    X(I32, "i32", 4, RESHARD_KIND_INTEGER, "int32", "I32")                                         \
    X(I64, "i64", 8, RESHARD_KIND_INTEGER, "int64", "I64")                                         \
    X(U8, "u8", 1, RESHARD_KIND_INTEGER, "uint8", "U8")                                            \
    X(U16, "u16", 2, RESHARD_KIND_INTEGER, "uint16", "U16")                                        \
    X(U32, "u32", 4, RESHARD_KIND_INTEGER, "uint32", "U32")                                        \
    X(U64, "u64", 8, RESHARD_KIND_INTEGER, "uint64", "U64")                                        \
    X(BOOL, "bool", 1, RESHARD_KIND_BOOL, "bool", "BOOL")

enum reshard_dtype {
    RESHARD_DTYPE_NONE, /* not a type: an option left to its default, a name not found */
#define RESHARD_DTYPE_ENUM(id, name, bytes, kind, torch, safetensors) RESHARD_DTYPE_##id,
    RESHARD_DTYPE_MAP(RESHARD_DTYPE_ENUM)
#undef RESHARD_DTYPE_ENUM
        RESHARD_DTYPE_COUNT
};

enum reshard_kind {
    RESHARD_KIND_NONE,
    RESHARD_KIND_FLOAT,
    RESHARD_KIND_FLOAT8, /* a byte of narrow float formats: held and moved, not computed with */
    RESHARD_KIND_COMPLEX,
    RESHARD_KIND_INTEGER,
    RESHARD_KIND_BOOL,
};

/* Local. Bytes of one element; 0 for RESHARD_DTYPE_NONE. */
size_t reshard_dtype_bytes(enum reshard_dtype dtype);

/* Local. */
enum reshard_kind reshard_dtype_kind(enum reshard_dtype dtype);

/* Local. The short name ("bf16"), torch's ("bfloat16"), safetensors' ("BF16" or NULL). Constant. */
const char *reshard_dtype_name(enum reshard_dtype dtype);
const char *reshard_dtype_torch(enum reshard_dtype dtype);
const char *reshard_dtype_safetensors(enum reshard_dtype dtype);

/* Local. The type of that short name, or of that safetensors name; RESHARD_DTYPE_NONE if none. */
enum reshard_dtype reshard_dtype_from_name(const char *name);
enum reshard_dtype reshard_dtype_from_safetensors(const char *name);

#ifdef __cplusplus
}
#endif

#endif
