#!/usr/bin/env python3
"""Write a checkpoint of a small model after k steps of AdamW, from FORMAT.md and TRAINING.md alone.

It shares no code with the engine or the verifier: HDF5 through h5py, arithmetic through numpy. Who
holds what is found by cutting arrays of element numbers. A planted fault (--fault, --say) is
consistent in itself, with right seals and CRCs, so that only the check meant for it can see it.
"""
import argparse
import json
import os
import re
import struct

import h5py
import numpy as np

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
MODELS = {
    "plain": (PLAIN, ["", "h.0", "head", "wide"], {"lm_head.weight": "wte.weight"}),
    "roles": (ROLES, ["", "h.0", "h.1", "h.2", "base"], {"h.9.seen": "h.0.seen"}),
}
BYTES = {"f64": 8, "f32": 4, "f16": 2, "bf16": 2, "i64": 8, "u8": 1, "bool": 1, "c128": 16}
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
        self.count = int(np.prod(shape, dtype=np.int64))


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


AXES = ("pipeline", "replicate", "shard", "expert", "tensor")


def chunk(array, axis, ways, k):
    """What coordinate k of `ways` has of an array: torch.chunk."""
    n = array.shape[axis]
    c = -(-n // ways)
    return array.take(range(min(c * k, n), min(c * (k + 1), n)), axis=axis)


def matches(pattern, fqn):
    """The pattern's number, or 0; None when it does not match."""
    regex = "".join({"*": ".*?", "{i}": "([0-9]{1,18}+)"}.get(p, re.escape(p))
                    for p in re.split(r"(\*|\{i\})", pattern))
    match = re.fullmatch(regex, fqn, re.S)
    return match and int(match.group(1) if match.groups() else 0)


class Layout:
    """Who holds what, as lists of arrays of element numbers, each of them a dense box."""

    def __init__(self, layout, world, tensors):
        self.layout, self.world, self.tensors = layout, world, tensors
        self.mesh = [layout["mesh"].get(axis, 1) for axis in AXES]
        self.ranks = int(np.prod(self.mesh))
        self.owned = [0] * world
        self.stages = self.default_stages()

    def coordinates(self, rank):
        out = {}
        for axis, size in reversed(list(zip(AXES, self.mesh))):
            out[axis], rank = rank % size, rank // size
        return out

    def size(self, axis):
        return self.mesh[AXES.index(axis)]

    def default_stages(self):
        units = []
        for t in self.tensors:
            if not t.slot and t.role in ("", "frozen") and t.unit and t.unit not in units:
                units.append(t.unit)
        each, stage, out = -(-len(units) // self.size("pipeline")), 0, {}
        for t in self.tensors:
            if t.unit in units and not t.slot:
                stage = units.index(t.unit) // each
            out[t.fqn] = out.get(t.fqn, stage)
        return out

    def says(self, fqn, member):
        """The first rule's word, with the number of its pattern."""
        for rule in self.layout.get("tensors", []):
            number = matches(rule["pattern"], fqn)
            if member in rule and number is not None:
                return rule[member], number
        return None, 0

    def pinned(self, t, axis):
        """The coordinate that alone has a tensor, or None."""
        word, number = self.says(t.fqn, axis)
        if isinstance(word, dict) and "at" in word:
            return word["at"]
        if isinstance(word, dict):
            return number // -(-word["of"] // self.size(axis))
        return self.stages[t.fqn] if word is None and axis == "pipeline" else None

    def is_at(self, t, c):
        return all(self.pinned(t, axis) in (None, c[axis]) for axis in ("pipeline", "expert"))

    def shard(self, t):
        """A dimension, "flat" or "whole"."""
        word = self.says(t.fqn, "shard")[0]
        if word is not None or t.role not in ("", "frozen"):
            return "whole" if word is None else word
        if self.layout["kind"] == "fsdp2" and t.shape:
            return min(self.layout.get("dim", 0), len(t.shape) - 1)
        return "flat" if self.layout["kind"] == "fsdp1" and t.dtype in FLOATS else "whole"

    def data(self, t):
        """Whether a tensor is sharded over both shard and expert."""
        return self.says(t.fqn, "expert")[0] is None

    def data_coordinate(self, t, c):
        e, s = self.size("expert"), self.size("shard")
        return (c["shard"] * e + c["expert"], s * e) if self.data(t) else (c["shard"], s)

    def cuts(self, t, c):
        """What the cuts along expert, tensor and shard leave, section by section."""
        parts = [np.arange(t.count).reshape(t.shape)]
        expert, tensor = (self.says(t.fqn, axis)[0] for axis in ("expert", "tensor"))
        sections = self.says(t.fqn, "sections")[0]
        if isinstance(expert, int):
            parts = [chunk(parts[0], expert, self.size("expert"), c["expert"])]
        if isinstance(tensor, int):
            if sections:
                parts = np.split(parts[0], np.cumsum(sections)[:-1], axis=tensor)
            parts = [chunk(part, tensor, self.size("tensor"), c["tensor"]) for part in parts]
        shard = self.shard(t)
        if isinstance(shard, int):
            k, ways = self.data_coordinate(t, c)
            if sections and shard == tensor:
                have = chunk(np.concatenate(parts, axis=shard), shard, ways, k)
                parts = [part.take([i for i in range(part.shape[shard])
                                    if np.isin(part.take(i, axis=shard), have).all()], axis=shard)
                         for part in parts]
            else:
                parts = [chunk(part, shard, ways, k) for part in parts]
        return [part for part in parts if part.size]

    def flat(self, t, c):
        """What a rank's flat shard has of a tensor."""
        entries, align, found = 0, 1, None
        for other in self.tensors:
            if (other.slot or other.unit != t.unit or self.shard(other) != "flat" or
                    not self.is_at(other, c)):
                continue
            if self.layout["orig_params"]:
                align = 16 // BYTES[self.layout["forward"] or other.dtype]
            entries = -(-entries // align) * align
            parts = self.cuts(other, c)
            if other.fqn == t.fqn:
                found = entries, parts
            entries += sum(part.size for part in parts)
        k, ways = self.data_coordinate(t, c)
        if self.layout["orig_params"]:
            entries = -(-entries // ways) * ways
        each, (start, parts), out = -(-entries // ways), found, []
        for part in parts:
            a, b = (min(max(each * i - start, 0), part.size) for i in (k, k + 1))
            out += [part[tuple(slice(*x) for x in zip(lo, hi))]
                    for lo, hi in boxes(part.shape, a, b)]
            start += part.size
        return out

    def parts(self, t, rank):
        """A rank's part of a tensor."""
        whole = np.arange(t.count).reshape(t.shape)
        if t.role == "per_rank":
            return [whole[rank:rank + 1]] if t.count else []
        if rank >= self.ranks:
            return []
        c, of = self.coordinates(rank), t.of or t
        given = self.says(of.fqn, "boxes")[0]
        if t.slot and not t.like:
            return [whole] if given is not None or self.is_at(of, c) else []
        if given is not None:
            out = [whole[tuple(slice(*x) for x in zip(box["begin"], box["end"]))]
                   for box in given if box["rank"] == rank]
        elif not self.is_at(of, c):
            return []
        elif self.shard(of) == "flat":
            out = self.flat(of, c)
        else:
            out = self.cuts(of, c)
        return sorted(out, key=lambda part: part.flat[0])

    def candidate(self, t, rank):
        """The coordinates along the free dimensions; None for a rank that is no candidate."""
        if rank >= self.ranks:
            return None
        c, of = self.coordinates(rank), t.of or t
        alone = t.slot and not t.like
        given = self.says(of.fqn, "boxes")[0] is not None
        if not given and not self.is_at(of, c):
            return None
        if self.layout.get("owner", c["replicate"]) != c["replicate"]:
            return None
        free = [c["replicate"]]
        if given or self.pinned(of, "pipeline") is None:
            free.insert(0, c["pipeline"])
        cut = not alone and self.shard(of) != "whole"
        if not cut:
            free.append(c["shard"])
        expert = self.says(of.fqn, "expert")[0]
        if given or (self.pinned(of, "expert") is None and
                     (alone or not (isinstance(expert, int) or (cut and expert is None)))):
            free.append(c["expert"])
        if alone or not isinstance(self.says(of.fqn, "tensor")[0], int):
            free.append(c["tensor"])
        return tuple(free)

    def owners(self, t):
        """The ranks that write a tensor; to be called once for each, in order."""
        ranks, width = range(self.world), BYTES[t.dtype]
        part = {r: self.parts(t, r) for r in ranks}
        if t.role == "per_rank":
            out = set(ranks)
        elif (not t.slot or t.like) and self.says(t.fqn, "boxes")[0] is not None:
            sets = {}
            for r in ranks:
                if part[r]:
                    sets.setdefault(b"".join(p.tobytes() for p in part[r]), []).append(r)
            out = set()
            for holders in sets.values():
                out.add(min(holders, key=lambda r: (self.owned[r], r)))
        else:
            by = {}
            for r in ranks:
                if self.candidate(t, r) is not None:
                    by.setdefault(self.candidate(t, r), []).append(r)
            out = set(min(sorted(by.items()),
                          key=lambda one: (sum(self.owned[r] for r in one[1]), one[0]))[1])
        for r in out:
            self.owned[r] += width * sum(p.size for p in part[r])
        return out, part


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
    names = {"f64": "<f8", "f32": "<f4", "f16": "<f2", "i64": "<i8", "u8": "u1", "c128": "<c16"}
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


def permute(t, owners, parts):
    """The data as of one who takes the parts for contiguous ones."""
    order = np.concatenate([part.ravel() for rank in sorted(owners) for part in parts[rank]])
    old = np.frombuffer(t.data, "V%d" % BYTES[t.dtype])
    new = old.copy()
    new[order] = old
    t.data = new.tobytes()


def plant(fault, tensors, parts):
    """Faults of who has what, in the first tensor's first two ranks, and of its data."""
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
    model, optim = file.create_group("model"), file.create_group("optim/state")
    for t in tensors:
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
        if args.fault == "permute:" + t.fqn and not t.slot:
            permute(t, owners, parts)
        if args.fault == "wrong-owner" and number == 0:
            owners = {(rank + args.world // 2) % args.world for rank in owners}
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
        entry["digest"] = "%016x" % crc64(t.data)
        entries.append(entry)
    manifest = {"format": "reshard", "version": 1, "step": args.step, "world": args.world,
                "layout": layout, "units": units, "tensors": entries,
                "ties": [{"alias": alias, "of": of} for alias, of in ties.items()],
                "files": files, "crc64": ""}
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
    parser.add_argument("--index", action="store_true")
    parser.add_argument("--step", type=int, default=3)
    parser.add_argument("--fault", default="")
    args = parser.parse_args()
    os.makedirs(args.out)
    formula = layout_of(args)
    args.world = args.world or int(np.prod(list(formula["mesh"].values()), dtype=np.int64))
    model, units, ties = MODELS[args.model]
    tensors = state(model, args.step, args.world)
    files = []
    tables = collect(args, Layout(formula, args.world, tensors), tensors)
    for rank, (table, pieces) in tables.items():
        if not table:
            continue
        name = "rank-%05d.h5" % rank
        path = os.path.join(args.out, name)
        header = {"step": args.step, "writer": rank, "world": args.world}
        seal = write_file(path, header, table, pieces)
        files.append({"name": name, "writer": rank, "bytes": os.path.getsize(path),
                      "seal": "%016x" % seal})
    if args.fault == "missing-shard":
        os.unlink(os.path.join(args.out, files.pop()["name"]))
    if args.index:
        write_index(args, tensors, tables, ties)
    write_manifest(args, tensors, files, json.loads(args.say) if args.say else formula, units,
                   ties)


if __name__ == "__main__":
    main()
