#!/usr/bin/env python3
"""Write a checkpoint of a small model after k steps of AdamW, from FORMAT.md and TRAINING.md alone;
or of one whose state has every form, with values that are functions of names alone.

It shares no code with the engine or the verifier: HDF5 through h5py, arithmetic through numpy. Who
holds what is found by cutting arrays of element numbers. A planted fault (--fault, --say) is
consistent in itself, with right seals and CRCs, so that only the check meant for it can see it.
"""
import argparse
import copy
import ctypes
import json
import os
import struct
import sys

import h5py
import numpy as np

sys.dont_write_bytecode = True  # beside the sources
from checkpoint_layout import BYTES, FLOATS, Layout, boxes

# fqn, dtype, shape, unit, role where it has one; a shape's None is the world
PLAIN = [
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
ROLES = [
    ("embed.weight", "f32", (8, 6), 0),
    ("h.0.qkv.weight", "f32", (24, 5), 1),
    ("h.0.proj.weight", "f32", (4, 8), 1),
    ("h.0.seen", "i64", (3,), 1, "buffer"),
    ("h.1.experts.0.w", "f32", (4, 4), 2),
    ("h.1.experts.1.w", "f32", (4, 4), 2),
    ("h.1.experts.2.w", "f32", (4, 4), 2),
    ("h.2.experts.w", "f32", (4, 6, 2), 3),
    ("base.weight", "f32", (5, 3), 4, "frozen"),
    ("base.scale", "f32", (7,), 4, "frozen"),
    ("loader", "u8", (11,), 0, "opaque"),
    ("rng", "u8", (None, 5), 0, "per_rank"),
    ("head.weight", "f32", (8, 6), 0),
]
# The same, with slots: slot, dtype, class, block of a blockwise one or shape of one without a class,
# and whether it is absent. A class with "+" keeps the reduced dimension.
FORMS = [
    (("embed", "f32", (8, 6), 0),
     [("exp_avg", "f32", "like"), ("row_var", "f32", "row+"), ("col_var", "f32", "column+"),
      ("absmax", "f32", "blockwise", 5), ("step", "f32", "", ()), ("rng", "u8", "opaque", (9,))]),
    (("scale", "f32", (), 0), [("absmax", "f32", "blockwise", 4), ("step", "f32", "", ())]),
    (("h.0.qkv", "f32", (24, 4), 1),
     [("exp_avg", "u8", "like"), ("row_var", "bf16", "row"), ("col_var", "f32", "column"),
      ("absmax", "f32", "blockwise", 7)]),
    (("h.0.proj", "f32", (4, 8), 1),
     [("momentum", "f32", "like", None, True), ("row_var", "f32", "row"),
      ("col_var", "f32", "column+"), ("absmax", "f16", "blockwise", 3), ("table", "f16", "", (3, 2))]),
    (("h.1.e.0", "f32", (4, 4), 2),
     [("row_var", "f32", "row", None, True), ("absmax", "f32", "blockwise", 3, True),
      ("step", "f32", "", (), True)]),
    (("h.1.e.1", "f32", (4, 4), 2),
     [("row_var", "f32", "row"), ("absmax", "f32", "blockwise", 3), ("step", "f32", "", ())]),
    (("h.2.fused", "f32", (4, 6, 2), 3),
     [("row_var", "f32", "row+"), ("col_var", "f32", "column"), ("absmax", "f32", "blockwise", 11)]),
    (("h.2.bias", "f32", (7,), 3), [("variance", "f32", "like"), ("absmax", "f32", "blockwise", 2)]),
]
OPTIMIZER = {
    "keys": "names",
    "groups": [{"name": "decay", "params": ["embed", "h.0.qkv", "h.0.proj", "h.2.fused"],
                "values": {"lr": 0.001, "betas": [0.9, 0.999], "weight_decay": 0.01,
                           "fused": None, "amsgrad": False, "block": 256}},
               {"name": "none", "params": [], "values": {}},
               {"name": "default", "params": ["h.2.bias", "scale"],
                "values": {"lr": 0.0001, "betas": [0.9, 0.95], "weight_decay": -0.0}}],
    "entries": [{"name": "scheduler", "values": {"last_epoch": 3, "mode": "cosine",
                                                 "best": {"f64": "7ff0000000000000"}}},
                {"name": "scaler", "values": {"scale": 65536.0, "growth": [1, [2.0, "x"]]}}],
}
MODELS = {
    "plain": (PLAIN, ["", "h.0", "head", "wide"], {"lm_head.weight": "wte.weight"}),
    "roles": (ROLES, ["", "h.0", "h.1", "h.2", "base"], {"h.9.seen": "h.0.seen"}),
    "forms": (FORMS, ["", "h.0", "h.1", "h.2"], {}),
}
SEED = 0x1234567890ABCDEF
TOKEN = "0123456789abcdef0123456789abcdef"
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
    return np.array(z, dtype=np.uint64).astype("<u%d" % BYTES[dtype])


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


class Tensor:
    """An entry of the inventory, with its data; `of` is what a slot belongs to."""

    def __init__(self, fqn, dtype, shape, unit, role="", slot="", like=True, of=None):
        self.fqn, self.slot, self.dtype, self.shape, self.unit = fqn, slot, dtype, shape, unit
        self.role, self.like, self.of, self.data = role, like, of, b""
        self.form, self.block, self.absent = "", None, False
        self.count = int(np.prod(shape, dtype=np.int64))

    def reduced(self):
        """The dimension of the parameter that a row or column has not."""
        return len(self.of.shape) - (1 if self.form == "row" else 2)


def state(model, steps, world):
    """The inventory with its data, in the model's order: the model itself, then the slots."""
    tensors, slots = [], []
    for fqn, dtype, shape, unit, *role in model:
        shape = tuple(world if size is None else size for size in shape)
        tensor = Tensor(fqn, dtype, shape, unit, *role)
        tensors.append(tensor)
        if dtype not in FLOATS or role:
            tensor.data = initial(fqn, dtype, tensor.count).tobytes()
            continue
        p, m, v = train(fqn, dtype, tensor.count, steps)
        tensor.data = p.tobytes()
        for slot, shape, data in (("exp_avg", shape, m), ("exp_avg_sq", shape, v),
                                  ("step", (), np.float32(steps))):
            slots.append(Tensor(fqn, "f32", shape, unit, "", slot, slot != "step", tensor))
            slots[-1].data = data.tobytes()
    return tensors + slots


def pure(t):
    """Values that are a function of name, slot and element: no training makes them."""
    h, size = crc64(("%s/%s" % (t.fqn, t.slot)).encode()), BYTES[t.dtype]
    return b"".join(struct.pack("<Q", (h + i * 0x9E3779B97F4A7C15) % 2**64)[:size]
                    for i in range(t.count))


def shape_of(parameter, form, about):
    """The shape of a slot of a form."""
    whole = parameter.shape
    if form == "like":
        return whole
    if form == "blockwise":
        return (-(-parameter.count // about),)
    if form not in ("row", "row+", "column", "column+"):
        return about
    keep = (1,) if "+" in form else ()
    return whole[:-1] + keep if form.startswith("row") else whole[:-2] + keep + whole[-1:]


def forms(model):
    """The inventory of every form, with its data: each parameter is followed by its slots."""
    tensors = []
    for entry, slots in model:
        parameter = Tensor(*entry)
        tensors.append(parameter)
        for slot, dtype, form, *more in slots:
            about, absent = (more + [None, False][len(more):])
            tensors.append(Tensor(parameter.fqn, dtype, shape_of(parameter, form, about),
                                  parameter.unit, "", slot, form == "like", parameter))
            tensors[-1].absent = absent
            if form != "like":
                tensors[-1].form = form.rstrip("+")
            if form == "blockwise":
                tensors[-1].block = about
    for t in tensors:
        t.data = pure(t)
    return tensors


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
    names = {"f64": "<f8", "f32": "<f4", "f16": "<f2", "i64": "<i8", "u8": "u1", "c128": "<c16"}
    return h5py.h5t.py_create(np.dtype(names[dtype]))


DTYPES = ("f64 f32 f16 bf16 f8_e4m3fn f8_e5m2 f8_e4m3fnuz f8_e5m2fnuz f8_e8m0fnu f4_e2m1fn_x2 c32 c64 c128 "
          "i8 i16 i32 i64 u8 u16 u32 u64 bool").split()
HEAD, TRAILER = 16384, 512


def access():
    """Metadata in one block at the front, all of a head's bytes; data behind it, in the order of creation
    and without gaps. h5py has no word of its own for the two sizes."""
    plist = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    plist.set_libver_bounds(h5py.h5f.LIBVER_V18, h5py.h5f.LIBVER_LATEST)
    library = ctypes.CDLL(h5py.h5p.__file__)
    for name, size in (("H5Pset_meta_block_size", HEAD), ("H5Pset_small_data_block_size", 0)):
        assert getattr(library, name)(ctypes.c_int64(plist.id), ctypes.c_uint64(size)) >= 0
    return plist


def create(group, name, dtype, rows):
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_layout(h5py.h5d.CONTIGUOUS)
    plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    plist.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    plist.set_obj_track_times(False)
    space = h5py.h5s.create_simple((rows,))
    return h5py.h5d.create(group, name.encode(), dtype, space, plist)


def trailer(header, head, widths, places, sizes):
    """The last 512 bytes of a file; `places` has offset and bytes of all datasets but itself."""
    (fqn, slot), tables, pieces = widths, places["tensors"], places["pieces"]
    out = struct.pack("<8sIIQQQ32sQQQ", b"reshard\n", 2, len(DTYPES), header["step"], header["writer"],
                      header["world"], header["token"].encode(), sizes["file"], len(head), crc64(head))
    out += struct.pack("<QQIIQQQ", *tables, fqn, slot, *pieces, sizes["crc"])
    for dtype in DTYPES:
        out += struct.pack("<QQ", *places.get(dtype, (0, 0)))
    out += bytes(8)
    return out + struct.pack("<Q", crc64(out))


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
    widths = [1 + max(len(t[i]) for t in tensors) for i in (0, 1)]
    tensor_type = np.dtype([("fqn", "S%d" % widths[0]), ("slot", "S%d" % widths[1]), ("dtype", "S16"),
                            ("ndim", "<u4"), ("shape", "<u8", (8,))])
    table = np.array([(t[0], t[1], t[2], len(t[3]), list(t[3]) + [0] * (8 - len(t[3])))
                      for t in tensors], tensor_type)
    content = {"tensors": table.tobytes(), "pieces": np.array(rows, piece_type).tobytes()}
    file = h5py.File(h5py.h5f.create(path.encode(), h5py.h5f.ACC_TRUNC, None, access()))
    file.attrs["format"] = np.bytes_("reshard")
    file.attrs["version"] = np.uint32(2)
    for name in ("step", "writer", "world"):
        file.attrs[name] = np.uint64(header[name])
    file.attrs["token"] = np.bytes_(header["token"])
    places, group = {}, file.create_group("arena")
    for dtype in DTYPES:
        if dtype not in arenas:
            continue
        arenas[dtype] += bytes(-len(arenas[dtype]) % 4096)
        content[dtype] = bytes(arenas[dtype])
        dataset = create(group.id, dtype, hdf5_type(dtype), len(content[dtype]) // BYTES[dtype])
        h5py.Dataset(dataset).attrs["dtype"] = np.bytes_(dtype)
        places[dtype] = dataset.get_offset(), len(content[dtype])
    types = {"tensors": h5py.h5t.py_create(tensor_type), "pieces": h5py.h5t.py_create(piece_type),
             "trailer": h5py.h5t.STD_U8LE}
    for name, count in (("tensors", len(tensors)), ("pieces", len(rows)), ("trailer", TRAILER)):
        dataset = create(file.id, name, types[name], count)
        places[name] = dataset.get_offset(), len(content.get(name, bytes(TRAILER)))
    del group, dataset
    file.close()
    return fill(path, header, widths, places, content)


def fill(path, header, widths, places, content):
    """Put everything but the head into a file that HDF5 has laid out; its seal."""
    sizes = {"file": sum(places["trailer"]), "crc": crc64(content["tensors"] + content["pieces"])}
    with open(path, "r+b") as raw:
        raw.truncate(sizes["file"])
        head, at = raw.read(HEAD), HEAD
        for name, (offset, size) in sorted(places.items(), key=lambda place: place[1]):
            assert offset == at, (name, offset, at)
            at += size
        content["trailer"] = trailer(header, head, widths, places, sizes)
        for name, (offset, _) in places.items():
            raw.seek(offset)
            raw.write(content[name])
    return struct.unpack("<Q", content["trailer"][-8:])[0]


def permute(t, owners, parts):
    """The data as of one who takes the parts for contiguous ones."""
    order = np.concatenate([part.ravel() for rank in sorted(owners) for part in parts[rank]])
    old = np.frombuffer(t.data, "V%d" % BYTES[t.dtype])
    new = old.copy()
    new[order] = old
    t.data = new.tobytes()


def plant(fault, tensors, parts):
    """Faults of who has what, in the first tensor's first two ranks, and of its data; or a bool of 2."""
    for t in tensors:
        if fault == "odd-bool" and t.dtype == "bool":
            t.data = t.data[:4] + b"\2" + t.data[5:]
    if fault == "swapped-data":
        (a, b), (c, d) = interval(parts[0]), interval(parts[1])
        data = tensors[0].data
        tensors[0].data = data[4 * c:4 * d] + data[4 * a:4 * b] + data[4 * d:]
    if fault not in ("swapped-pieces", "overlap", "hole", "moved-bound"):
        return
    (a, b), (c, d) = interval(parts[0]), interval(parts[1])
    if fault == "swapped-pieces":
        a, b, c, d = c, d, a, b
    elif fault == "overlap":
        b += 5
    elif fault == "hole":
        b -= 5
    elif fault == "moved-bound":
        b, c = b - 5, c - 5
    for rank, (x, y) in enumerate(((a, b), (c, d))):
        whole = np.arange(tensors[0].count).reshape(tensors[0].shape)
        parts[rank] = [whole[tuple(slice(*z) for z in zip(lo, hi))]
                       for lo, hi in boxes(whole.shape, x, y)]


def interval(parts):
    """The elements of parts that follow one another."""
    return int(parts[0].flat[0]), int(parts[-1].flat[-1]) + 1


def contribution(t, part):
    """The piece's bytes, and what they contribute: element by element is slow, but plain."""
    size, out, data = BYTES[t.dtype], 0, []
    rows = part.reshape(-1, part.shape[-1]) if part.ndim else part.reshape(1, 1)
    for row in rows:
        first, last = int(row[0]), int(row[-1])
        data.append(t.data[first * size:(last + 1) * size])
        out ^= shift(crc64(data[-1]), (t.count - last - 1) * size)
    return b"".join(data), out


def offsets(table, pieces):
    """Each piece with its tensor's name and slot, and its offset in the arena."""
    used = {}
    for row, lo, hi, data, _ in pieces:
        fqn, slot, dtype, _ = table[row]
        yield fqn, slot, lo, hi, used.get(dtype, 0)
        used[dtype] = used.get(dtype, 0) + len(data) // BYTES[dtype]


def write_index(args, tensors, tables, ties):
    """The view of all files as one."""
    file = h5py.File(os.path.join(args.out, "index.h5"), "w")
    file.attrs["token"] = np.bytes_(args.token)
    model, optim = file.create_group("model"), file.create_group("optim/state")
    for t in tensors:
        if t.absent and args.fault != "absent-dataset":
            continue
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        space = h5py.h5s.create_simple(t.shape) if t.shape else h5py.h5s.create(h5py.h5s.SCALAR)
        for rank, (table, pieces) in tables.items():
            rows = sum(len(p[3]) for p in pieces if table[p[0]][2] == t.dtype)
            rows = -(-rows // 4096) * 4096 // BYTES[t.dtype]
            for fqn, slot, lo, hi, offset in offsets(table, pieces):
                if (fqn, slot) != (t.fqn, t.slot):
                    continue
                size = tuple(h - l for l, h in zip(lo, hi))
                source, to = h5py.h5s.create_simple((rows,)), space.copy()
                source.select_hyperslab((offset,), (int(np.prod(size, dtype=np.int64)),))
                if size:
                    to.select_hyperslab(tuple(lo), size)
                plist.set_virtual(to, b"rank-%05d.h5" % rank, b"/arena/" + t.dtype.encode(),
                                  source)
        group = optim.require_group(t.fqn) if t.slot else model
        name = (t.slot or t.fqn).encode()
        dataset = h5py.Dataset(h5py.h5d.create(group.id, name, hdf5_type(t.dtype), space, plist))
        dataset.attrs["dtype"] = np.bytes_(t.dtype)
        dataset.attrs["digest"] = np.bytes_("%016x" % crc64(t.data))
    for alias, of in ties.items():
        model[alias] = model[of]
    file.close()


def collect(args, layout, tensors):
    """What each rank writes: its table of tensors and its pieces."""
    tables = {rank: ([], []) for rank in range(args.world)}
    for number, t in enumerate(tensors):
        owners, parts = layout.owners(t)
        if number == 0:
            plant(args.fault, tensors, parts)
        if args.fault == "permute:" + (t.fqn + "/" + t.slot if t.slot else t.fqn):
            permute(t, owners, parts)
        if args.fault == "wrong-owner" and number == 0:
            owners = {(rank + args.world // 2) % args.world for rank in owners}
        if t.absent and args.fault != "absent-pieces":
            continue
        for rank in owners:
            table, pieces = tables[rank]
            if parts[rank]:
                table.append((t.fqn, t.slot, t.dtype, t.shape))
            for part in parts[rank]:
                lo = np.unravel_index(part.flat[0], t.shape) if t.shape else ()
                hi = [int(x) + 1 for x in np.unravel_index(part.flat[-1], t.shape)] \
                    if t.shape else ()
                data, crc = contribution(t, part)
                pieces.append((len(table) - 1, [int(x) for x in lo], hi, data, crc))
    return tables


def write_manifest(args, tensors, files, layout, units, ties):
    entries = []
    for t in tensors:
        entry, dtype = {"fqn": t.fqn}, t.dtype
        if t.slot:
            entry["slot"] = t.slot
        if args.fault == "relabelled" and t.fqn == "head.weight" and not t.slot:
            dtype = "f16"
        entry.update(dtype=dtype, shape=list(t.shape), unit=t.unit)
        if t.role:
            entry["role"] = t.role
        if t.slot:
            entry["like"] = t.like
        if t.form:
            entry["class"] = t.form
        if t.block:
            entry["block"] = t.block
        if t.absent:
            entry["absent"] = True
        else:
            entry["digest"] = "%016x" % crc64(t.data)
        entries.append(entry)
    manifest = {"format": "reshard", "version": 2, "step": args.step, "world": args.world,
                "domains": [args.token]}
    if args.notes:
        manifest["notes"] = json.loads(args.notes)
    manifest.update({
                "layout": layout, "units": units, "tensors": entries,
                "ties": [{"alias": alias, "of": of} for alias, of in ties.items()]})
    if args.model == "forms":
        manifest["optimizer"] = copy.deepcopy(OPTIMIZER)
    manifest.update(files=files, crc64="")
    for path, value in args.change:
        *way, last = path.split("/")
        at = manifest
        for step in way:
            at = at[int(step) if isinstance(at, list) else step]
        if value is None:
            del at[last]
        else:
            at[int(last) if isinstance(at, list) else last] = value
    text = json.dumps(manifest, indent=2)
    head = text[:text.rindex('  "crc64"')].encode()
    tail = '  "crc64": "%016x"\n}\n' % crc64(head)
    with open(os.path.join(args.out, "manifest.json"), "wb") as out:
        out.write(head + tail.encode())


def layout_of(args):
    if args.formula:
        return json.loads(args.formula)
    layout = {"kind": args.layout, "mesh": {"replicate": args.replicate, "shard": args.shard}}
    if args.layout == "fsdp1":
        layout.update(orig_params=args.orig_params, forward=args.forward)
    return layout


def change(text):
    path, value = text.split("=", 1)
    return path, json.loads(value)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out")
    parser.add_argument("--model", choices=MODELS, default="plain")
    parser.add_argument("--layout", choices=("fsdp1", "fsdp2", "ddp"), default="fsdp2")
    parser.add_argument("--replicate", type=int, default=1)
    parser.add_argument("--shard", type=int, default=1)
    parser.add_argument("--orig-params", action="store_true")
    parser.add_argument("--forward", default=None)
    parser.add_argument("--formula", help="the layout as it is in the manifest, for the above")
    parser.add_argument("--world", type=int, help="the ranks of the mesh, if there are no others")
    parser.add_argument("--say", help="the layout that the manifest speaks of, if it lies")
    parser.add_argument("--change", type=change, action="append", default=[],
                        help="PATH=JSON: a member of the manifest; null takes it away")
    parser.add_argument("--absence", action="append", default=[], metavar="FQN/SLOT",
                        help="a slot that is absent where it would not be, or the other way round")
    parser.add_argument("--index", action="store_true")
    parser.add_argument("--step", type=int, default=3)
    parser.add_argument("--token", default=TOKEN, help="the save's, 32 digits")
    parser.add_argument("--notes", help="the caller's, a JSON object of strings")
    parser.add_argument("--fault", default="")
    args = parser.parse_args()
    os.makedirs(args.out)
    formula = layout_of(args)
    args.world = args.world or int(np.prod(list(formula["mesh"].values()), dtype=np.int64))
    model, units, ties = MODELS[args.model]
    tensors = forms(model) if args.model == "forms" else state(model, args.step, args.world)
    for t in tensors:
        if t.slot and "%s/%s" % (t.fqn, t.slot) in args.absence:
            t.absent = not t.absent
    files = []
    tables = collect(args, Layout(formula, args.world, tensors), tensors)
    for rank, (table, pieces) in tables.items():
        if not table:
            continue
        name = "rank-%05d.h5" % rank
        path = os.path.join(args.out, name)
        header = {"step": args.step, "writer": rank, "world": args.world, "token": args.token}
        seal = write_file(path, header, table, pieces)
        files.append({"name": name, "writer": rank, "bytes": os.path.getsize(path),
                      "seal": "%016x" % seal})
    if args.fault == "missing-shard":
        os.unlink(os.path.join(args.out, files.pop()["name"]))
    if args.index:
        write_index(args, tensors, tables, ties)
    with open(os.path.join(args.out, "token"), "w") as out:
        out.write("%s\nhost 00000000-0000-0000-0000-000000000000 1 1\n" % args.token)
    write_manifest(args, tensors, files, json.loads(args.say) if args.say else formula, units,
                   ties)


if __name__ == "__main__":
    main()
