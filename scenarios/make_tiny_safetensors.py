#!/usr/bin/env python3
"""Writes models/tiny-bert.safetensors: a BERT in miniature with the names of the Hugging Face
checkpoint, in several dtypes, from nothing but this script. Run it anywhere: the file is the same
byte for byte."""

import json
import pathlib
import struct

HIDDEN, FFN, LAYERS, VOCAB, POSITIONS = 32, 128, 2, 97, 40
BYTES = {"F32": 4, "F16": 2, "BF16": 2, "I64": 8, "U8": 1}


def inventory():
    """(name, dtype, shape), in module-tree order."""
    embeddings = "bert.embeddings."
    yield embeddings + "position_ids", "I64", [1, POSITIONS]
    yield embeddings + "word_embeddings.weight", "BF16", [VOCAB, HIDDEN]
    yield embeddings + "position_embeddings.weight", "BF16", [POSITIONS, HIDDEN]
    yield embeddings + "token_type_embeddings.weight", "BF16", [2, HIDDEN]
    yield embeddings + "LayerNorm.weight", "BF16", [HIDDEN]
    yield embeddings + "LayerNorm.bias", "BF16", [HIDDEN]
    for layer in range(LAYERS):
        prefix = f"bert.encoder.layer.{layer}."
        for name, rows, columns in (
            ("attention.self.query", HIDDEN, HIDDEN),
            ("attention.self.key", HIDDEN, HIDDEN),
            ("attention.self.value", HIDDEN, HIDDEN),
            ("attention.output.dense", HIDDEN, HIDDEN),
            ("intermediate.dense", FFN, HIDDEN),
            ("output.dense", HIDDEN, FFN),
        ):
            yield prefix + name + ".weight", "F32", [rows, columns]
            yield prefix + name + ".bias", "F32", [rows]
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            yield prefix + name + ".weight", "F32", [HIDDEN]
            yield prefix + name + ".bias", "F32", [HIDDEN]
    yield "bert.pooler.dense.weight", "F16", [HIDDEN, HIDDEN]
    yield "bert.pooler.dense.bias", "F16", [HIDDEN]
    yield "bert.pooler.mask", "U8", [3, 5, 7]


def words(seed):
    """An endless row of 32-bit words (xorshift), so that values are fixed and all different."""
    state = seed
    while True:
        state ^= (state << 13) & 0xFFFFFFFF
        state ^= state >> 17
        state ^= (state << 5) & 0xFFFFFFFF
        yield state


def element(dtype, word, index):
    value = (word / 2**32 - 0.5) / 8
    if dtype == "F32":
        return struct.pack("<f", value)
    if dtype == "F16":
        return struct.pack("<e", value)
    if dtype == "BF16":
        return struct.pack("<f", value)[2:]
    if dtype == "I64":
        return struct.pack("<q", index)
    return struct.pack("<B", word & 0xFF)


def main():
    header = {"__metadata__": {"format": "pt"}}
    data = bytearray()
    stream = words(0x9E3779B9)
    for name, dtype, shape in sorted(inventory(), key=lambda t: (-BYTES[t[1]], t[1], t[0])):
        count = 1
        for size in shape:
            count *= size
        begin = len(data)
        for index in range(count):
            data += element(dtype, next(stream), index)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, len(data)]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path = pathlib.Path(__file__).parent / "models" / "tiny-bert.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(data))


if __name__ == "__main__":
    main()
