"""Who holds what of a checkpoint, for make_checkpoint.py, from FORMAT.md section 4 alone: arrays of
element numbers are cut as the layout says.

A tensor is whatever has these: fqn, slot, dtype, shape, unit, role, like, form (a slot's class),
block, of (a slot's parameter), count and reduced().
"""
import re

import numpy as np

BYTES = {"f64": 8, "f32": 4, "f16": 2, "bf16": 2, "i64": 8, "u8": 1, "bool": 1, "c128": 16}
FLOATS = ("f64", "f32", "f16", "bf16")

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
        self.stages = self.default_stages()
        self.hands = {}

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

    def dimensions(self, t):
        """The dimensions of the parameter whose cuts count for a tensor."""
        every = set(range(len((t.of or t).shape)))
        if t.form in ("row", "column"):
            return every - {t.reduced()}
        return every if t.like else every & {0} if t.form == "blockwise" else set()

    def flat_counts(self, t):
        """Whether the cut of a flat parameter is one of the tensor's."""
        if t.form != "blockwise":
            return t.like or t.form == "row"
        words = [(axis, self.says(t.fqn, axis)[0]) for axis in ("expert", "tensor")]
        return all(not isinstance(word, int) or word == 0 or self.size(axis) == 1
                   for axis, word in words)

    def cut_axes(self, t):
        """The mesh dimensions whose coordinates have other parts of a tensor."""
        of, counts = t.of or t, self.dimensions(t)
        if self.says(of.fqn, "boxes")[0] is not None:
            return set()
        words = {axis: self.says(of.fqn, axis)[0] for axis in ("expert", "tensor")}
        out = {axis for axis in words if isinstance(words[axis], int) and words[axis] in counts}
        shard = self.shard(of)
        if self.flat_counts(t) if shard == "flat" else shard in counts:
            out |= {"shard", "expert"} if self.data(of) else {"shard"}
        return out

    def cuts(self, t, c, slot=None):
        """What the cuts along expert, tensor and shard leave, section by section; of a parameter's
        elements, or of those of its slot, of as many dimensions."""
        counts = self.dimensions(slot or t)
        if slot is None or slot.form == "blockwise":
            parts = [np.arange(t.count).reshape(t.shape)]
        else:
            keep = [1 if d == slot.reduced() else n for d, n in enumerate(t.shape)]
            parts = [np.arange(slot.count).reshape(keep)]
        expert, tensor = (self.says(t.fqn, axis)[0] for axis in ("expert", "tensor"))
        expert, tensor = (word if isinstance(word, int) and word in counts else None
                          for word in (expert, tensor))
        sections = self.says(t.fqn, "sections")[0]
        if isinstance(expert, int):
            parts = [chunk(parts[0], expert, self.size("expert"), c["expert"])]
        if isinstance(tensor, int):
            if sections:
                parts = np.split(parts[0], np.cumsum(sections)[:-1], axis=tensor)
            parts = [chunk(part, tensor, self.size("tensor"), c["tensor"]) for part in parts]
        shard = self.shard(t)
        if isinstance(shard, int) and shard in counts:
            k, ways = self.data_coordinate(t, c)
            if sections and shard == tensor:
                have = chunk(np.concatenate(parts, axis=shard), shard, ways, k)
                parts = [part.take([i for i in range(part.shape[shard])
                                    if np.isin(part.take(i, axis=shard), have).all()], axis=shard)
                         for part in parts]
            else:
                parts = [chunk(part, shard, ways, k) for part in parts]
        return [part for part in parts if part.size]

    def flat_place(self, t, c):
        """At which entry a tensor begins in its flat parameter, its parts, and all entries."""
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
        return *found, entries

    def flat_intervals(self, t, c):
        """What a rank's flat shard has of a tensor: of each part an interval."""
        start, parts, entries = self.flat_place(t, c)
        k, ways = self.data_coordinate(t, c)
        if self.layout["orig_params"]:
            entries = -(-entries // ways) * ways
        each, out = -(-entries // ways), []
        for part in parts:
            a, b = (min(max(each * i - start, 0), part.size) for i in (k, k + 1))
            out.append((part, a, b))
            start += part.size
        return out

    def flat(self, t, c):
        return [box for part, a, b in self.flat_intervals(t, c) for box in cut(part, a, b)]

    def rows(self, t, c):
        """Of a row or column what the cuts leave; of a flat parameter's rows those whose first
        elements are there."""
        out = self.cuts(t.of, c, t)
        if t.form == "row" and self.shard(t.of) == "flat":
            parts, out = out, []
            for part, (elements, a, b) in zip(parts, self.flat_intervals(t.of, c)):
                here = np.isin(elements[..., 0].ravel(), elements.ravel()[a:b])
                out += cut(part, *(np.flatnonzero(here)[[0, -1]] + [0, 1] if here.any()
                                   else (0, 0)))
        if len(t.shape) < len(t.of.shape):
            out = [part.squeeze(t.reduced()) for part in out]
        return out

    def blocks(self, t, c):
        """The blocks whose first elements are there."""
        if self.shard(t.of) == "flat" and self.flat_counts(t):
            parts = [part.ravel()[a:b] for part, a, b in self.flat_intervals(t.of, c)]
        else:
            parts = [part.ravel() for part in self.cuts(t.of, c, t)]
        first = np.arange(t.count) * t.block
        found = [np.flatnonzero(np.isin(first, part)) for part in parts]
        return [part for part in found if part.size]

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
            if given is None and t.form in ("row", "column", "blockwise") and self.is_at(of, c):
                return self.blocks(t, c) if t.form == "blockwise" else self.rows(t, c)
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
        given = self.says(of.fqn, "boxes")[0] is not None
        if not given and not self.is_at(of, c):
            return None
        if self.layout.get("owner", c["replicate"]) != c["replicate"]:
            return None
        free = [c["replicate"]]
        if given or self.pinned(of, "pipeline") is None:
            free.insert(0, c["pipeline"])
        axes = self.cut_axes(t)
        if given or self.pinned(of, "expert") is None:
            free += [c[axis] for axis in ("shard", "expert", "tensor") if axis not in axes]
        else:
            free += [c[axis] for axis in ("shard", "tensor") if axis not in axes]
        return tuple(free)

    def members(self, t):
        """The ranks that have each set of a tensor's given boxes, by lowest rank; None of others."""
        if (t.slot and not t.like) or self.says((t.of or t).fqn, "boxes")[0] is None:
            return None
        sets = {}
        for rank in range(self.world):
            part = self.parts(t, rank)
            if part:
                sets.setdefault(b"".join(p.tobytes() for p in part), []).append(rank)
        return tuple(sorted(tuple(ranks) for ranks in sets.values()))

    def group(self, t):
        """What tensors that are dealt together have in common."""
        members = self.members(t)
        if members is not None:
            return members
        of = t.of or t
        pins = [None if self.says(of.fqn, "boxes")[0] is not None else self.pinned(of, axis)
                for axis in ("pipeline", "expert")]
        return tuple(sorted(self.cut_axes(t))), *pins

    def begins(self, t):
        """The entry of a flat parameter at which a tensor, or its parameter, begins."""
        of = t.of or t
        if self.says(of.fqn, "boxes")[0] is not None or self.shard(of) != "flat":
            return 0
        return next(self.flat_place(of, c)[0] for c in map(self.coordinates, range(self.ranks))
                    if self.is_at(of, c))

    def dealt(self, t, n):
        """Which of 0 to n - 1 a tensor goes to, when its group is dealt to n."""
        key = self.group(t), n
        if key not in self.hands:
            group = [other for other in self.tensors
                     if other.role != "per_rank" and self.group(other) == key[0]]
            sums, out = [0] * n, {}
            for other in sorted(group, key=lambda o: (-o.count * BYTES[o.dtype], self.begins(o))):
                to = sums.index(min(sums))
                sums[to] += other.count * BYTES[other.dtype]
                out[other.fqn, other.slot] = to
            self.hands[key] = out
        return self.hands[key][t.fqn, t.slot]

    def owners(self, t):
        """The ranks that write a tensor, and what each rank has of it."""
        part = {r: self.parts(t, r) for r in range(self.world)}
        if t.role == "per_rank":
            return set(part), part
        members = self.members(t)
        if members is not None:
            return {ranks[self.dealt(t, len(ranks))] for ranks in members}, part
        by = {}
        for rank in part:
            if self.candidate(t, rank) is not None:
                by.setdefault(self.candidate(t, rank), []).append(rank)
        return set(by[sorted(by)[self.dealt(t, len(by))]]), part


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


def cut(part, a, b):
    """The boxes of an interval of a part's elements."""
    return [part[tuple(slice(*x) for x in zip(lo, hi))] for lo, hi in boxes(part.shape, a, b)]
