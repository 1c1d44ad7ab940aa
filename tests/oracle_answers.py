#!/usr/bin/env python3
"""Known answers for the verifier's oracle: scenarios/TRAINING.md once more, slowly.

    oracle_answers.py [--update] tests/oracle_answers.h

Everything is plain Python: its floats are IEEE doubles, and each is stored as the page says. The
header has, for some models and optimizers, what every tensor is after some steps, as the CRC-64/XZ
of its bytes. Without --update it is an error when the header does not have these answers.
"""
import math
import struct
import sys

STEPS = (0, 1, 2, 5)
DEFAULTS = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0,
            "momentum": 0.0, "nesterov": False, "amsgrad": False, "block": 256, "from": 1}
BYTES = {"f64": 8, "f32": 4, "f16": 2, "bf16": 2, "u8": 1, "i32": 4, "bool": 1, "c128": 16}


def crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0xC96C5795D7870F42 if byte & 1 else 0)
        table.append(byte)
    return table


CRC_TABLE = crc_table()


def crc64(data):
    crc = 2 ** 64 - 1
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 2 ** 64 - 1


def philox(seed, block, tensor, step):
    c = [block % 2 ** 32, block >> 32, tensor, step]
    key = [seed % 2 ** 32, seed >> 32]
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [b >> 32 ^ c[1] ^ key[0], b % 2 ** 32, a >> 32 ^ c[3] ^ key[1], a % 2 ** 32]
        key = [(key[0] + 0x9E3779B9) % 2 ** 32, (key[1] + 0xBB67AE85) % 2 ** 32]
    return c


def word(seed, fqn, step, i):
    h = crc64(fqn.encode())
    return philox(seed, i >> 2, h % 2 ** 32 ^ h >> 32, step)[i & 3]


def unit(bits):
    return (bits - 2 ** 32 if bits >= 2 ** 31 else bits) * 2.0 ** -31


def pack(dtype, value):
    """A double as it is stored."""
    if dtype == "f64":
        return struct.pack("<d", value)
    single = struct.pack("<f", value)
    if dtype == "f32":
        return single
    if dtype == "f16":
        return struct.pack("<e", struct.unpack("<f", single)[0])
    bits = struct.unpack("<I", single)[0]
    upper, lower = bits >> 16, bits & 0xFFFF
    if lower > 0x8000 or (lower == 0x8000 and upper & 1):
        upper += 1
    return struct.pack("<H", upper)


def unpack(dtype, data):
    if dtype == "bf16":
        return struct.unpack("<f", b"\0\0" + data)[0]
    return struct.unpack({"f64": "<d", "f32": "<f", "f16": "<e"}[dtype], data)[0]


def stored(dtype, value):
    return unpack(dtype, pack(dtype, value))


def initial(seed, fqn, dtype, i):
    bits = word(seed, fqn, 0, i)
    if dtype in ("f64", "f32", "f16", "bf16"):
        return pack(dtype, unit(bits) / 32)
    z = (bits * 0x9E3779B97F4A7C15 + i) % 2 ** 64
    if dtype == "bool":
        return bytes([z >> 63])
    if dtype == "c128":
        return struct.pack("<QQ", z, 2 ** 64 - 1 - z)
    return struct.pack("<Q", z)[:BYTES[dtype]]


class Slot:
    """A slot and its stored values as doubles or codes; `values` is None while it is absent."""

    def __init__(self, name, dtype, shape, kind="like", block=0):
        self.name, self.dtype, self.shape, self.kind, self.block = name, dtype, shape, kind, block
        self.values = None

    def old(self, i):
        return 0.0 if self.values is None else self.values[i]

    def store(self, values):
        self.values = [v if self.dtype == "u8" else stored(self.dtype, v) for v in values]
        return self.values

    def data(self):
        if self.dtype == "u8":
            return bytes(self.values)
        return b"".join(pack(self.dtype, v) for v in self.values)


class Parameter:
    def __init__(self, seed, fqn, dtype, shape, hyper=None):
        self.seed, self.fqn, self.dtype, self.shape, self.hyper = seed, fqn, dtype, shape, hyper
        self.count = math.prod(shape)
        self.bytes = [initial(seed, fqn, dtype, i) for i in range(self.count)]
        self.slots = []
        self.rule = None

    def train(self, k):
        if self.rule is None or k < self.hyper["from"]:
            return
        p = [unpack(self.dtype, b) for b in self.bytes]
        g = [unit(word(self.seed, self.fqn, k, i)) for i in range(self.count)]
        p = self.rule(self, self.hyper, p, g, {slot.name: slot for slot in self.slots})
        self.bytes = [pack(self.dtype, value) for value in p]


def count_step(slots):
    s = slots["step"].old(0) + 1.0
    slots["step"].store([s])
    return s


def correction(b, s):
    power = 1.0
    for _ in range(int(s)):
        power = power * b
    return 1.0 - power


def sgd(_, h, p, g, slots):
    d = [gi + h["weight_decay"] * pi for gi, pi in zip(g, p)]
    if h["momentum"] != 0:
        slot = slots["momentum_buffer"]
        absent = slot.values is None
        buf = slot.store([di if absent else h["momentum"] * slot.old(i) + di
                          for i, di in enumerate(d)])
        d = [di + h["momentum"] * bi if h["nesterov"] else bi for di, bi in zip(d, buf)]
    return [pi - h["lr"] * di for pi, di in zip(p, d)]


def descend(h, p, m, v, s):
    c1, c2 = correction(h["beta1"], s), correction(h["beta2"], s)
    return [pi - (h["lr"] / c1) * (mi / (math.sqrt(vi / c2) + h["eps"]))
            for pi, mi, vi in zip(p, m, v)]


def adam_like(h, p, g, slots, decoupled, amsgrad):
    s = count_step(slots)
    if decoupled:
        p = [pi * (1.0 - h["lr"] * h["weight_decay"]) for pi in p]
    else:
        g = [gi + h["weight_decay"] * pi for gi, pi in zip(g, p)]
    first, second = slots["exp_avg"], slots["exp_avg_sq"]
    m = first.store([h["beta1"] * first.old(i) + (1.0 - h["beta1"]) * gi
                     for i, gi in enumerate(g)])
    v = second.store([h["beta2"] * second.old(i) + (1.0 - h["beta2"]) * (gi * gi)
                      for i, gi in enumerate(g)])
    if amsgrad:
        most = slots["max_exp_avg_sq"]
        v = most.store([most.old(i) if most.old(i) > vi else vi for i, vi in enumerate(v)])
    return descend(h, p, m, v, s)


def adam(_, h, p, g, slots):
    return adam_like(h, p, g, slots, False, h["amsgrad"])


def adamw(_, h, p, g, slots):
    return adam_like(h, p, g, slots, True, h["amsgrad"])


def adamw_plain(_, h, p, g, slots):
    return adam_like(h, p, g, slots, True, False)


def muon(_, h, p, g, slots):
    slot = slots["momentum_buffer"]
    absent = slot.values is None
    buf = slot.store([gi if absent else h["momentum"] * slot.old(i) + gi
                      for i, gi in enumerate(g)])
    d = [gi + h["momentum"] * bi if h["nesterov"] else bi for gi, bi in zip(g, buf)]
    p = [pi * (1.0 - h["lr"] * h["weight_decay"]) for pi in p]
    return [pi - h["lr"] * (1.0 if di > 0 else -1.0 if di < 0 else 0.0) for pi, di in zip(p, d)]


def add_up(values):
    total = 0.0
    for value in values:
        total = total + value
    return total


def factored(m, n, w, g, row_slot, column_slot):
    """v of all matrices, by way of row_var and col_var."""
    rows, columns, v = [], [], []
    for k in range(len(g) // (m * n)):
        at = [[g[k * m * n + i * n + j] for j in range(n)] for i in range(m)]
        for i in range(m):
            r = add_up(at[i][j] * at[i][j] for j in range(n)) / n
            old = row_slot.old(k * m + i)
            rows.append(old + w * (r - old))
        for j in range(n):
            c = add_up(at[i][j] * at[i][j] for i in range(m)) / m
            old = column_slot.old(k * n + j)
            columns.append(old + w * (c - old))
    rows, columns = row_slot.store(rows), column_slot.store(columns)
    for k in range(len(g) // (m * n)):
        mean = add_up(rows[k * m + i] for i in range(m)) / m
        v += [rows[k * m + i] * columns[k * n + j] / (mean if mean > 2.0 ** -23 else 2.0 ** -23)
              for i in range(m) for j in range(n)]
    return v


def adafactor(parameter, h, p, g, slots):
    s = count_step(slots)
    if parameter.count == 0:
        for slot in slots.values():  # they are there, and zero
            if slot.name != "step":
                slot.store([0.0] * math.prod(slot.shape))
        return p
    w = 1.0 / (math.sqrt(s) * math.sqrt(math.sqrt(s)))
    rms = math.sqrt(add_up(pi * pi for pi in p) / len(p))
    rho = min(h["lr"], 1.0 / math.sqrt(s))
    alpha = max(1e-3, rms) * rho
    p = [pi * (1.0 - h["lr"] * h["weight_decay"]) for pi in p]
    if len(parameter.shape) >= 2:
        m, n = parameter.shape[-2:]
        v = factored(m, n, w, g, slots["row_var"], slots["col_var"])
    else:
        slot = slots["variance"]
        v = slot.store([slot.old(i) + w * (gi * gi - slot.old(i)) for i, gi in enumerate(g)])
    u = [gi / math.sqrt(max(vi, 2.0 ** -46)) for gi, vi in zip(g, v)]
    clip = max(1.0, math.sqrt(add_up(ui * ui for ui in u) / len(u)))
    return [pi - (alpha / clip) * ui for pi, ui in zip(p, u)]


def limited(value, least, most):
    return max(least, min(most, round(value)))  # Python rounds ties to even


def adam8bit(_, h, p, g, slots):
    s = count_step(slots)
    size = h["block"]
    first, second = slots["exp_avg"], slots["exp_avg_sq"]
    scale1, scale2 = slots["exp_avg_absmax"], slots["exp_avg_sq_absmax"]

    def read(slot, scale, decode):
        if slot.values is None:
            return [0.0] * len(g)
        return [decode(q) * scale.values[i // size] for i, q in enumerate(slot.values)]

    def read1():
        return read(first, scale1, lambda q: (q - 128) / 127)

    def read2():
        return read(second, scale2, lambda q: (q / 255) * (q / 255))

    m = [h["beta1"] * old + (1.0 - h["beta1"]) * gi for old, gi in zip(read1(), g)]
    v = [h["beta2"] * old + (1.0 - h["beta2"]) * (gi * gi) for old, gi in zip(read2(), g)]
    blocks = range(0, len(g), size)
    a = scale1.store([max(abs(x) for x in m[b:b + size]) for b in blocks])
    first.store([128 + limited(x / a[i // size] * 127, -127, 127) if a[i // size] else 128
                 for i, x in enumerate(m)])
    b = scale2.store([max(v[b:b + size]) for b in blocks])
    second.store([limited(math.sqrt(x / b[i // size]) * 255, 0, 255) if b[i // size] else 0
                  for i, x in enumerate(v)])
    p = [pi * (1.0 - h["lr"] * h["weight_decay"]) for pi in p]
    return descend(h, p, read1(), read2(), s)


def equip(parameter, name, state):
    """The parameter's rule and slots."""
    shape, h = parameter.shape, parameter.hyper
    matrix = len(shape) >= 2
    step = Slot("step", "f32", (), "whole")

    def like(slot, dtype=state):
        return Slot(slot, dtype, shape)

    def scale(slot):
        return Slot(slot, "f32", (-(-parameter.count // h["block"]),), "blockwise", h["block"])

    if name == "sgd":
        parameter.rule = sgd
        parameter.slots = [like("momentum_buffer")] if h["momentum"] != 0 else []
    elif name == "muon" and matrix:
        parameter.rule, parameter.slots = muon, [like("momentum_buffer")]
    elif name in ("adam", "adamw", "muon"):
        parameter.rule = {"adam": adam, "adamw": adamw, "muon": adamw_plain}[name]
        most = [like("max_exp_avg_sq")] if h["amsgrad"] and name != "muon" else []
        parameter.slots = [like("exp_avg"), like("exp_avg_sq"), *most, step]
    elif name == "adafactor":
        parameter.rule = adafactor
        parameter.slots = [like("variance"), step]
        if matrix:
            parameter.slots = [Slot("row_var", state, shape[:-1] + (1,), "row"),
                               Slot("col_var", state, shape[:-2] + (1,) + shape[-1:], "column"),
                               step]
    elif name == "adam8bit":
        parameter.rule = adam8bit
        parameter.slots = [like("exp_avg", "u8"), like("exp_avg_sq", "u8"),
                           scale("exp_avg_absmax"), scale("exp_avg_sq_absmax"), step]


# ---- the cases -----------------------------------------------------------------------------------

# f64 shows an operation that is done in another order; the narrow ones show a rounding left out.
SHAPES = [("w", "f32", (5, 7)), ("v", "f64", (13,)), ("b", "bf16", (9,)), ("h", "f16", (3, 2, 4)),
          ("s", "f32", ())]
EMPTY = [("n", "f32", (0, 3)), ("l", "f32", (0,))]
WIDE = [("d", "f64", (6, 5)), ("t", "f64", (2, 3, 4)), ("v", "f64", (13,))]
OTHERS = [("a", "f32", (2, 3)), ("i", "i32", (5,)), ("q", "bool", (6,)), ("c", "c128", (3,)),
          ("u", "u8", (2, 2))]
LAYERS = [("layers.0.w", "f32", (3, 5)), ("layers.1.w", "f64", (4, 2)), ("layers.x.w", "f32", (4,)),
          ("head.w", "bf16", (2, 3)), ("head.b", "f32", (6,)), ("embed", "f32", (2, 2))]
PATTERNS = (("none", "layers.{i}.*"), ("*.w",), ("head.*",))
# The group of each; a later one's patterns match some, too.
GROUPS = {"layers.0.w": 0, "layers.1.w": 0, "layers.x.w": 1, "head.w": 1, "head.b": 2}


def groups(first, second, third):
    return [(patterns, values) for patterns, values in zip(PATTERNS, (first, second, third))]


def case(name, optimizer, hyper, state="f32", model=None, seed=42, param_groups=()):
    return {"name": name, "optimizer": optimizer, "state": state, "seed": seed,
            "model": model or SHAPES, "hyper": {**DEFAULTS, **hyper},
            "groups": [(patterns, {**DEFAULTS, **hyper, **values})
                       for patterns, values in param_groups]}


ADAM = {"lr": 0.01, "beta1": 0.7, "beta2": 0.6, "eps": 1e-3, "weight_decay": 0.3}
SGD = {"lr": 0.05, "weight_decay": 0.3}
MOMENTUM = {**SGD, "momentum": 0.8}
FACTOR = {"lr": 0.46, "weight_decay": 0.3}
MUON = {**ADAM, "momentum": 0.8, "nesterov": True, "amsgrad": True}
LATE = {"from": 3}
NEVER = {"from": 6}
CASES = [
    case("no optimizer", "none", {}, model=OTHERS),
    case("sgd", "sgd", SGD, model=OTHERS + SHAPES),
    case("sgd with momentum", "sgd", MOMENTUM),
    case("sgd with momentum, f64", "sgd", MOMENTUM, "f64", WIDE),
    case("sgd with Nesterov's momentum", "sgd", {**MOMENTUM, "nesterov": True}, "bf16"),
    case("adam", "adam", ADAM),
    case("adam, amsgrad, f64", "adam", {**ADAM, "amsgrad": True}, "f64", WIDE),
    case("adamw", "adamw", ADAM, model=SHAPES + EMPTY),
    case("adamw, f64", "adamw", ADAM, "f64", WIDE),
    case("adamw, f16", "adamw", ADAM, "f16"),
    case("adamw, amsgrad, bf16", "adamw", {**ADAM, "amsgrad": True}, "bf16"),
    case("adafactor", "adafactor", FACTOR, model=SHAPES + EMPTY),
    case("adafactor, f64", "adafactor", FACTOR, "f64", WIDE),
    case("adafactor, bf16", "adafactor", {"lr": 0.02}, "bf16"),
    # x of the first step: -100·2^-31 for element 0 of "zero", so that 2^-46 is larger than v
    case("adafactor, a variance of nearly 0", "adafactor", FACTOR, "f64", [("zero", "f64", (2,))],
         43287702),
    case("adafactor, a matrix of nearly 0", "adafactor", FACTOR, "f64",
         [("zero", "f64", (2, 1, 1))], 1475),
    # a parameter whose rms is below 1e-3
    case("adafactor, a parameter of nearly 0", "adafactor", FACTOR, "f64", [("zero", "f64", ())],
         144),
    case("adam8bit", "adam8bit", {**ADAM, "block": 4}, model=SHAPES + EMPTY),
    case("adam8bit, a block that is not full", "adam8bit", {**ADAM, "block": 256}),
    case("adam8bit, blocks of 1", "adam8bit", {**ADAM, "block": 1}, model=WIDE),
    # g of the first step: 0 for one element of "zero"; m of element 1 of "tie" is 62.5/127 of the
    # block's largest
    case("adam8bit, a block of zeros", "adam8bit", {**ADAM, "block": 1}, seed=1976807634,
         model=[("zero", "f32", (4,))]),
    case("adam8bit, a tie", "adam8bit", {**ADAM, "beta1": 0.5, "block": 4}, seed=656390804,
         model=[("tie", "f32", (4,))]),
    # more elements than are drawn at once
    case("adafactor, large", "adafactor", FACTOR, model=[("w", "f32", (37, 31))]),
    case("adam8bit, large", "adam8bit", {**ADAM, "block": 1030}, model=[("w", "f32", (1100,))]),
    case("muon", "muon", MUON, model=SHAPES + EMPTY),
    case("muon, f64", "muon", {**MUON, "nesterov": False}, "f64", WIDE),
    case("muon, a gradient of 0", "muon", MUON, "bf16", [("zero", "f32", (2, 2))], 1976807634),
    case("groups of sgd", "sgd", MOMENTUM, model=LAYERS, param_groups=groups(
        {"lr": 0.1, "momentum": 0.0}, {**LATE, "nesterov": True}, NEVER)),
    case("groups of adam", "adam", ADAM, model=LAYERS, param_groups=groups(
        {"beta1": 0.5, "amsgrad": True}, {**LATE, "beta2": 0.8, "eps": 0.1}, NEVER)),
    case("groups of adafactor", "adafactor", FACTOR, model=LAYERS, param_groups=groups(
        {"lr": 0.01}, {**LATE, "weight_decay": 0.0}, NEVER)),
    case("groups of adam8bit", "adam8bit", ADAM, model=LAYERS, param_groups=groups(
        {"block": 3}, {**LATE, "block": 2}, NEVER)),
    case("groups of muon", "muon", MUON, "bf16", LAYERS, param_groups=groups(
        {"lr": 0.1}, {**LATE, "momentum": 0.5}, {"nesterov": False, "from": 2})),
]


# ---- the header ----------------------------------------------------------------------------------

def hyper_of(c, fqn):
    if not c["groups"] or fqn not in GROUPS:
        return c["hyper"]
    return c["groups"][GROUPS[fqn]][1]


def floats(dtype):
    return dtype in ("f64", "f32", "f16", "bf16")


def tensor_line(fqn, slot, crcs):
    kind = {"like": "LIKE", "whole": "WHOLE", "row": "ROW", "column": "COLUMN",
            "blockwise": f"BLOCKS({slot.block})"}[slot.kind]
    sizes = ", ".join(map(str, slot.shape)) or "0"
    answers = ", ".join("ABSENT" if crc is None else f"0x{crc:016x}" for crc in crcs)
    return (f'    {{"{fqn}", "{slot.name}", RESHARD_DTYPE_{slot.dtype.upper()}, '
            f'{len(slot.shape)}, {{{sizes}}}, {kind}, {{{answers}}}}},\n')


def answer_lines(c):
    parameters = [Parameter(c["seed"], *entry) for entry in c["model"]]
    entries = []
    for parameter in parameters:
        parameter.hyper = hyper_of(c, parameter.fqn)
        if floats(parameter.dtype):
            equip(parameter, c["optimizer"], c["state"])
        itself = Slot("", parameter.dtype, parameter.shape)
        entries += [(parameter, itself, [])] + [(parameter, slot, []) for slot in parameter.slots]
    for k in range(STEPS[-1] + 1):
        for parameter in parameters:
            if k > 0:
                parameter.train(k)
        for parameter, slot, crcs in entries:
            if k in STEPS and slot.name:
                crcs.append(None if slot.values is None else crc64(slot.data()))
            elif k in STEPS:
                crcs.append(crc64(b"".join(parameter.bytes)))
    return "".join(tensor_line(parameter.fqn, slot, crcs) for parameter, slot, crcs in entries)


def hyper_text(h):
    def value(v):
        return str(v).lower() if isinstance(v, bool) else repr(v)
    return "{" + ", ".join(f".{key} = {value(v)}" for key, v in h.items()) + "}"


def case_text(number, c):
    patterns = "".join(
        f"static const char *const patterns_{number}_{g}[] = {{"
        + ", ".join(f'"{pattern}"' for pattern in given) + "};\n"
        for g, (given, _) in enumerate(c["groups"]))
    members = "".join(f"    {{patterns_{number}_{g}, {len(given)},\n     {hyper_text(h)}}},\n"
                      for g, (given, h) in enumerate(c["groups"]))
    group = (f"static const struct verify_optimizer_group groups_{number}[] = {{\n{members}}};\n"
             if members else "")
    return (f"/* {c['name']} */\n{patterns}{group}"
            f"static const struct answer answers_{number}[] = {{\n{answer_lines(c)}}};\n\n")


def case_line(number, c):
    name = "OPTIMIZER_NONE" if c["optimizer"] == "none" else c["optimizer"].upper()
    groups_text = f"groups_{number}" if c["groups"] else "NULL"
    return (f'    {{"{c["name"]}", {c["seed"]}, {{VERIFY_{name}, '
            f'RESHARD_DTYPE_{c["state"].upper()},\n      {hyper_text(c["hyper"])}, '
            f'{groups_text}, {len(c["groups"])}}},\n     answers_{number}, '
            f'sizeof answers_{number} / sizeof answers_{number}[0]}},\n')


def header():
    return ("/* Made by oracle_answers.py, which says what of. */\n"
            "#ifndef ORACLE_ANSWERS_H\n#define ORACLE_ANSWERS_H\n\n"
            "/* clang-format off */\n\n"
            "static const uint64_t steps[] = {" + ", ".join(map(str, STEPS)) + "};\n\n"
            + "".join(case_text(i, c) for i, c in enumerate(CASES))
            + "static const struct answers cases[] = {\n"
            + "".join(case_line(i, c) for i, c in enumerate(CASES)) + "};\n\n#endif\n")


def main(arguments):
    update = "--update" in arguments
    path = [a for a in arguments if a != "--update"][0]
    text = header()
    if update:
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return 0
    with open(path, encoding="ascii") as file:
        if file.read() == text:
            return 0
    print(f"{path}: does not have the answers of {sys.argv[0]}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
