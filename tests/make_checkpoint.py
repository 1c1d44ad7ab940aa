#!/usr/bin/env python3
"""Write a checkpoint of a small model after k steps of AdamW, from FORMAT.md and TRAINING.md alone.

It shares no code with the engine or the verifier: HDF5 through h5py, arithmetic through numpy. A
planted fault (--fault) is consistent in itself, with right seals and CRCs, so that only the check
meant for it can see it.
"""
import argparse
import json
import os
import struct

import h5py
import numpy as np

# fqn, dtype, shape, unit
MODEL = [
    ("wte.weight", "f32", (7, 5), 0),
    ("scale", "f32", (), 0),
    ("ids", "i64", (5,), 0),
    ("mask", "bool", (4, 3), 0),
    ("phase", "c128", (3,), 0),
    ("h.0.weight", "f32", (6, 4, 3), 1),
    ("h.0.none", "f32", (0, 4), 1),
    ("h.0.bias", "f32", (3,), 1),
    ("head.weight", "bf16", (9, 4), 2),
    ("wide", "f16", (1, 17), 3),
]
UNITS = ["", "h.0", "head", "wide"]
BYTES = {"f64": 8, "f32": 4, "f16": 2, "bf16": 2, "i64": 8, "bool": 1, "c128": 16}
FLOATS = ("f64", "f32", "f16", "bf16")
SEED = 0x1234567890ABCDEF
LR, B1, B2, EPS, WD = 1e-3, 0.9, 0.999, 1e-8, 0.01

TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = byte >> 1 ^ (0xC96C5795D7870F42 if byte & 1 else 0)
    TABLE.append(byte)


def crc64(data, crc=0):
    crc ^= 2**64 - 1
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 255]
    return crc ^ 2**64 - 1


def shift(crc, n):
    for _ in range(n):
        crc = crc >> 8 ^ TABLE[crc & 255]
    return crc


def philox(key, counter):
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [b >> 32 ^ c[1] ^ k[0], b & 0xFFFFFFFF, a >> 32 ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def words(fqn, step, count):
    h = crc64(fqn.encode())
    t = h & 0xFFFFFFFF ^ h >> 32
    out = []
    for b in range((count + 3) // 4):
        out += philox((SEED & 0xFFFFFFFF, SEED >> 32), (b, 0, t, step))
    return np.array(out[:count], dtype=np.uint32)


def store(dtype, x):
    if dtype == "f64":
        return x.copy()
    f = x.astype(np.float32)
    if dtype == "f32":
        return f
    if dtype == "f16":
        return f.astype(np.float16)
    bits = f.view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def load(dtype, stored):
    if dtype == "bf16":
        stored = (stored.astype(np.uint32) << 16).view(np.float32)
    return stored.astype(np.float64)


def unit_interval(w):
    return w.view(np.int32).astype(np.float64) * 2.0**-31


def initial(fqn, dtype, count):
    w = words(fqn, 0, count)
    if dtype in FLOATS:
        return store(dtype, unit_interval(w) / 32)
    z = [(int(word) * 0x9E3779B97F4A7C15 + i) % 2**64 for i, word in enumerate(w)]
    if dtype == "bool":
        return np.frombuffer(bytes(v >> 63 for v in z), np.uint8)
    if dtype == "c128":
        return np.frombuffer(b"".join(struct.pack("<QQ", v, v ^ 2**64 - 1) for v in z), "V16")
    return np.array(z, dtype=np.uint64)


def train(fqn, dtype, count, steps):
    p, m, v = initial(fqn, dtype, count), np.zeros(count, np.float32), np.zeros(count, np.float32)
    for k in range(1, steps + 1):
        g = unit_interval(words(fqn, k, count))
        c1 = c2 = 1.0
        for _ in range(k):
            c1, c2 = c1 * B1, c2 * B2
        c1, c2 = 1 - c1, 1 - c2
        x = load(dtype, p) * (1 - LR * WD)
        m = store("f32", B1 * load("f32", m) + (1 - B1) * g)
        v = store("f32", B2 * load("f32", v) + (1 - B2) * (g * g))
        md, vd = load("f32", m), load("f32", v)
        p = store(dtype, x - (LR / c1) * (md / (np.sqrt(vd / c2) + EPS)))
    return p, m, v


def state(steps):
    """The inventory with its data, in the model's order: the parameters, then their slots."""
    tensors, slots = [], []
    for fqn, dtype, shape, unit in MODEL:
        count = int(np.prod(shape, dtype=np.int64))
        if dtype not in FLOATS:
            p = initial(fqn, dtype, count)
        else:
            p, m, v = train(fqn, dtype, count, steps)
            for slot, data in (("exp_avg", m), ("exp_avg_sq", v)):
                slots.append([fqn, slot, "f32", shape, unit, True, data.tobytes()])
            slots.append([fqn, "step", "f32", (), unit, False, np.float32(steps).tobytes()])
        tensors.append([fqn, "", dtype, shape, unit, True, p.tobytes()])
    return tensors + slots


def intervals(args):
    """For each parameter: the interval of each shard coordinate, or None where all hold it."""
    out, totals = {}, {}
    w = args.shard
    for fqn, dtype, shape, unit in MODEL:
        count = int(np.prod(shape, dtype=np.int64))
        if args.layout == "fsdp2" and shape:
            c, row = -(-shape[0] // w), int(np.prod(shape[1:], dtype=np.int64))
            out[fqn] = [(min(c * r, shape[0]) * row, min(c * (r + 1), shape[0]) * row)
                        for r in range(w)]
        elif args.layout == "fsdp1" and dtype in FLOATS:
            start = totals.get(unit, 0)
            if args.orig_params:
                align = 16 // BYTES[args.forward or dtype]
                start = -(-start // align) * align
            out[fqn] = start
            totals[unit] = start + count
        else:
            out[fqn] = None
    for fqn, dtype, shape, unit in MODEL:
        if isinstance(out[fqn], int):
            count, start, n = int(np.prod(shape, dtype=np.int64)), out[fqn], totals[unit]
            if args.orig_params:
                n = -(-n // w) * w
            c = -(-n // w)
            out[fqn] = [(min(max(c * r - start, 0), count), min(max(c * (r + 1) - start, 0), count))
                        for r in range(w)]
    return out


def boxes(shape, a, b):
    """FORMAT.md's cut of the interval [a, b) of a row-major tensor."""
    if a == b:
        return []
    if not shape:
        return [((), ())]
    q = int(np.prod(shape[1:], dtype=np.int64))
    first, last = a // q, (b - 1) // q
    if first == last and b - a != q:
        return [((first,) + lo, (first + 1,) + hi)
                for lo, hi in boxes(shape[1:], a - first * q, b - first * q)]
    out = []
    if a % q:
        out += boxes(shape, a, (first + 1) * q)
        first += 1
    end = b // q
    if end > first:
        out.append(((first,) + (0,) * (len(shape) - 1), (end,) + tuple(shape[1:])))
    if b % q:
        out += boxes(shape, end * q, b)
    return out


def hdf5_type(dtype):
    if dtype == "bf16":
        t = h5py.h5t.IEEE_F32LE.copy()
        t.set_fields(15, 7, 8, 0, 7)
        t.set_precision(16)
        t.set_size(2)
        t.set_ebias(127)
        return t
    if dtype == "bool":
        return h5py.h5t.py_create(np.dtype("bool"))
    names = {"f64": "<f8", "f32": "<f4", "f16": "<f2", "i64": "<i8", "c128": "<c16"}
    return h5py.h5t.py_create(np.dtype(names[dtype]))


def create(group, name, dtype, rows):
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_layout(h5py.h5d.CONTIGUOUS)
    plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    plist.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    plist.set_obj_track_times(False)
    space = h5py.h5s.create_simple((rows,))
    return h5py.h5d.create(group, name.encode(), dtype, space, plist)


def write_file(path, header, tensors, pieces):
    """tensors: (fqn, slot, dtype, shape); pieces: (row, lo, hi, data, contribution)."""
    arenas, rows = {}, []
    for row, lo, hi, data, contribution in pieces:
        arena = arenas.setdefault(tensors[row][2], bytearray())
        pad = [0] * (8 - len(lo))
        offset = len(arena) // BYTES[tensors[row][2]]
        rows.append((row, len(lo), list(lo) + pad, list(hi) + pad, offset, contribution))
        arena += data
    piece_type = np.dtype([("tensor", "<u4"), ("ndim", "<u4"), ("begin", "<u8", (8,)),
                           ("end", "<u8", (8,)), ("offset", "<u8"), ("contribution", "<u8")])
    tensor_type = np.dtype([("fqn", "S%d" % (1 + max(len(t[0]) for t in tensors))),
                            ("slot", "S%d" % (1 + max(len(t[1]) for t in tensors))),
                            ("dtype", "S16"), ("ndim", "<u4"), ("shape", "<u8", (8,))])
    table = np.array([(t[0], t[1], t[2], len(t[3]), list(t[3]) + [0] * (8 - len(t[3])))
                      for t in tensors], tensor_type)
    content = {"tensors": table.tobytes(), "pieces": np.array(rows, piece_type).tobytes()}
    seal = crc64(content["tensors"] + content["pieces"])
    content["seal"] = struct.pack("<Q", seal)
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_libver_bounds(h5py.h5f.LIBVER_V18, h5py.h5f.LIBVER_LATEST)
    access.set_alignment(4096, 4096)
    file = h5py.File(h5py.h5f.create(path.encode(), h5py.h5f.ACC_TRUNC, None, access))
    file.attrs["format"] = np.bytes_("reshard")
    file.attrs["version"] = np.uint32(1)
    for name in ("step", "writer", "world"):
        file.attrs[name] = np.uint64(header[name])
    writes = []
    group = file.create_group("arena")
    for dtype, data in arenas.items():
        data += bytes(-len(data) % 4096)
        dataset = create(group.id, dtype, hdf5_type(dtype), len(data) // BYTES[dtype])
        h5py.Dataset(dataset).attrs["dtype"] = np.bytes_(dtype)
        writes.append((dataset.get_offset(), bytes(data)))
    types = {"tensors": h5py.h5t.py_create(tensor_type), "pieces": h5py.h5t.py_create(piece_type),
             "seal": h5py.h5t.STD_U64LE}
    for name, count in (("tensors", len(tensors)), ("pieces", len(rows)), ("seal", 1)):
        dataset = create(file.id, name, types[name], count)
        writes.append((dataset.get_offset(), content[name]))
    del group, dataset
    file.close()
    with open(path, "r+b") as raw:
        for offset, data in writes:
            raw.seek(offset)
            raw.write(data)
    return seal


def plant_in_intervals(fault, cut):
    """Faults of who has what, planted in the first parameter's first two shards."""
    if fault not in ("swapped-pieces", "overlap", "hole", "moved-bound"):
        return
    (a, b), (c, d) = cut["wte.weight"][:2]
    if fault == "swapped-pieces":
        cut["wte.weight"][:2] = [(c, d), (a, b)]
    elif fault == "overlap":
        cut["wte.weight"][0] = (a, b + 5)
    elif fault == "hole":
        cut["wte.weight"][0] = (a, b - 5)
    elif fault == "moved-bound":
        cut["wte.weight"][:2] = [(a, b - 5), (c - 5, d)]


def plant_in_data(fault, tensors, cut):
    if fault == "swapped-data":
        (a, b), (c, d) = cut["wte.weight"][:2]
        data = tensors[0][6]
        tensors[0][6] = data[4 * c:4 * d] + data[4 * a:4 * b] + data[4 * d:]


def collect(args, tensors, cut, rank):
    """What a rank writes: the first replica of each shard, coordinate 0 of what all hold."""
    table, pieces = [], []
    for fqn, slot, dtype, shape, _, like, data in tensors:
        count = len(data) // BYTES[dtype]
        part = cut[fqn][rank] if like and cut[fqn] else (0, count if rank == 0 else 0)
        if part[0] == part[1]:
            continue
        table.append((fqn, slot, dtype, shape))
        at = part[0]
        for lo, hi in boxes(shape, *part):
            size = int(np.prod([h - l for l, h in zip(lo, hi)], dtype=np.int64))
            raw = data[at * BYTES[dtype]:(at + size) * BYTES[dtype]]
            behind = (count - at - size) * BYTES[dtype]
            pieces.append((len(table) - 1, lo, hi, raw, shift(crc64(raw), behind)))
            at += size
    return table, pieces


def write_manifest(args, tensors, files, layout):
    entries = []
    for fqn, slot, dtype, shape, unit, like, data in tensors:
        entry = {"fqn": fqn}
        if slot:
            entry["slot"] = slot
        if args.fault == "relabelled" and fqn == "head.weight" and not slot:
            dtype = "f16"
        entry.update(dtype=dtype, shape=list(shape), unit=unit)
        if slot:
            entry["like"] = like
        entry["digest"] = "%016x" % crc64(data)
        entries.append(entry)
    manifest = {"format": "reshard", "version": 1, "step": args.step,
                "world": args.replicate * args.shard, "layout": layout, "units": UNITS,
                "tensors": entries, "ties": [{"alias": "lm_head.weight", "of": "wte.weight"}],
                "files": files, "crc64": ""}
    text = json.dumps(manifest, indent=2)
    head = text[:text.rindex('  "crc64"')].encode()
    tail = '  "crc64": "%016x"\n}\n' % crc64(head)
    with open(os.path.join(args.out, "manifest.json"), "wb") as out:
        out.write(head + tail.encode())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out")
    parser.add_argument("--layout", choices=("fsdp1", "fsdp2", "ddp"), default="fsdp2")
    parser.add_argument("--replicate", type=int, default=1)
    parser.add_argument("--shard", type=int, default=1)
    parser.add_argument("--orig-params", action="store_true")
    parser.add_argument("--forward", default=None)
    parser.add_argument("--step", type=int, default=3)
    parser.add_argument("--fault", default="")
    args = parser.parse_args()
    os.makedirs(args.out)
    tensors, cut = state(args.step), intervals(args)
    plant_in_intervals(args.fault, cut)
    plant_in_data(args.fault, tensors, cut)
    layout = {"kind": args.layout, "mesh": {"replicate": args.replicate, "shard": args.shard}}
    if args.layout == "fsdp1":
        layout.update(orig_params=args.orig_params, forward=args.forward)
    files = []
    for rank in range(args.shard):
        table, pieces = collect(args, tensors, cut, rank)
        if not table:
            continue
        name = "rank-%05d.h5" % rank
        path = os.path.join(args.out, name)
        header = {"step": args.step, "writer": rank, "world": args.replicate * args.shard}
        seal = write_file(path, header, table, pieces)
        files.append({"name": name, "writer": rank, "bytes": os.path.getsize(path),
                      "seal": "%016x" % seal})
    if args.fault == "missing-shard":
        os.unlink(os.path.join(args.out, files.pop()["name"]))
    write_manifest(args, tensors, files, layout)


if __name__ == "__main__":
    main()
