#!/usr/bin/env python3
"""Damage the golden checkpoints, one fault in each copy.

    make_golden_refused.py OUT            write the copies into the new directory OUT
    make_golden_refused.py OUT RESHARD    then hold `RESHARD verify` against each: it must say that
                                          the copy is damaged (exit 3) and name the file

OUT/cases lists the copies, for tests/test_golden.c: one line for each, of its directory, the status
that a load must return, the file that the message must name, and another text that it must hold.
Where a fault is not in a seal or CRC itself, seals and CRCs are made right again, so that only the
check meant for it can see it.
"""
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys

import h5py

sys.dont_write_bytecode = True  # beside the sources
from make_hostile import HOSTILE, behead

GOLDEN = pathlib.Path(__file__).resolve().parent / "golden"
MANIFEST, LINEAR, MIXED = "manifest.json", "linear-fsdp1", "mixed-fsdp2"
CASES, TRAILER = [], 512
ANY = "OK"  # what a load says of what it does not read


def case(golden, status, file, text):
    """Register a function that damages a copy of `golden`, given its directory."""
    def register(damage):
        CASES.append((damage.__name__.replace("_", "-"), golden, status, file, text, damage))
        return damage
    return register


def crc64(data):
    crc = 2**64 - 1
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xC96C5795D7870F42 if crc & 1 else 0)
    return crc ^ 2**64 - 1


def rewrite(at, *changes):
    """Change the manifest's text, and close it with the right CRC."""
    text = (at / MANIFEST).read_text()[:-32]
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    (at / MANIFEST).write_text(text + f'  "crc64": "{crc64(text.encode()):016x}"\n}}\n')


def flip(path, offset, bit=0):
    data = bytearray(path.read_bytes())
    data[offset] ^= 1 << bit
    path.write_bytes(data)


def offset_of(path, name):
    with h5py.File(path, "r") as file:
        return file[name].id.get_offset()


def reseal(at, name, change):
    """Change a file's bytes, given with the place of its trailer; make CRCs, seal and manifest right."""
    data = bytearray((at / name).read_bytes())
    trailer = len(data) - TRAILER
    old, = struct.unpack_from("<Q", data, trailer + 504)
    change(data, trailer)
    head, tables = (struct.unpack_from("<Q", data, trailer + place)[0] for place in (80, 96))
    struct.pack_into("<Q", data, trailer + 88, crc64(data[:head]))
    struct.pack_into("<Q", data, trailer + 136, crc64(data[tables:trailer]))
    new = crc64(data[trailer:trailer + 504])
    struct.pack_into("<Q", data, trailer + 504, new)
    (at / name).write_bytes(data)
    rewrite(at, (f"{old:016x}", f"{new:016x}"))


def trail(at, name, place, form, value):
    """Change one number of the trailer."""
    reseal(at, name, lambda data, trailer: struct.pack_into(form, data, trailer + place, value))


def change_row(at, name, dataset, row, change):
    """Change a row of a table."""
    with h5py.File(at / name, "r") as file:
        rows, offset = file[dataset][:], file[dataset].id.get_offset()
    change(rows[row:row + 1])

    def write(data, trailer):
        data[offset:offset + rows.nbytes] = rows.tobytes()
    reseal(at, name, write)


# The manifest.

@case(LINEAR, "ENOENT", MANIFEST, "")
def manifest_missing(at):
    (at / MANIFEST).unlink()


@case(LINEAR, "EFORMAT", MANIFEST, "")
def manifest_empty(at):
    (at / MANIFEST).write_bytes(b"")


@case(LINEAR, "EFORMAT", MANIFEST, "")
def manifest_cut(at):
    (at / MANIFEST).write_bytes((at / MANIFEST).read_bytes()[:-33])


@case(LINEAR, "EFORMAT", MANIFEST, "crc64")
def manifest_bit(at):
    flip(at / MANIFEST, (at / MANIFEST).read_bytes().index(b'"step": 3') + 8)


@case(LINEAR, "EFORMAT", MANIFEST, "version")
def manifest_of_version_1(at):
    rewrite(at, ('"version": 2', '"version": 1'))


@case(LINEAR, "EFORMAT", MANIFEST, "newer")
def manifest_of_a_newer_version(at):
    rewrite(at, ('"version": 2', '"version": 3'))


@case(LINEAR, "EFORMAT", MANIFEST, "domains")
def manifest_without_a_token(at):
    token = re.search(r'"domains": \["(\w+)"\]', (at / MANIFEST).read_text()).group(1)
    rewrite(at, (token, token[:-1]))


@case(LINEAR, "EFORMAT", MANIFEST, "")
def manifest_with_a_duplicate_key(at):
    rewrite(at, ('"step": 3,', '"step": 3,\n  "step": 3,'))


@case(LINEAR, "EFORMAT", MANIFEST, "author")
def manifest_with_an_unknown_member(at):
    rewrite(at, ('"step": 3,', '"step": 3,\n  "author": "nobody",'))


@case(LINEAR, "EFORMAT", MANIFEST, "world")
def manifest_with_another_world(at):
    rewrite(at, ('"world": 3', '"world": 2'))


@case(LINEAR, "EFORMAT", "", "rank 0 of 3")
def manifest_of_a_world_with_an_idle_rank(at):
    rewrite(at, ('"world": 3', '"world": 4'))


@case(LINEAR, "EFORMAT", MANIFEST, "i6")
def manifest_with_an_unknown_dtype(at):
    rewrite(at, ('"f32"', '"i6"'))


@case(LINEAR, "EFORMAT", MANIFEST, "")
def manifest_that_names_a_file_elsewhere(at):
    rewrite(at, ("rank-00001.h5", "../rank-001.h5"))


@case(LINEAR, "EFORMAT", ".h5", "the layout makes")
def manifest_of_another_layout(at):
    rewrite(at, ('"fsdp1"', '"fsdp2"'), (', "orig_params": false, "forward": null', ""))


@case(MIXED, "EFORMAT", "rank-0000", "the layout makes")
def manifest_of_another_mesh(at):
    rewrite(at, ('"replicate": 2, "shard": 2', '"replicate": 1, "shard": 4'))


@case(LINEAR, "EDIGEST", "", "'bias'")
def manifest_of_another_digest(at):
    rewrite(at, ("d400df56cacae832", "d400df56cacae833"))


@case(LINEAR, "EFORMAT", "manifest", "")
def manifest_that_lists_a_file_less(at):
    text = (at / MANIFEST).read_text()
    entry = re.search(r',\n    \{"name": "rank-00002.h5".*\}', text).group()
    rewrite(at, (entry, ""))


# Files as a whole.

@case(LINEAR, "EFORMAT", "rank-00002.h5", "")
def file_missing(at):
    (at / "rank-00002.h5").unlink()


@case(LINEAR, "EFORMAT", "rank-00001.h5", "bytes")
def file_cut(at):
    (at / "rank-00001.h5").write_bytes((at / "rank-00001.h5").read_bytes()[:-1])


@case(LINEAR, "EFORMAT", "rank-00001.h5", "bytes")
def file_longer(at):
    (at / "rank-00001.h5").write_bytes((at / "rank-00001.h5").read_bytes() + b"\0")


@case(LINEAR, "EFORMAT", "rank-00000.h5", "")
def file_of_zeros(at):
    size = (at / "rank-00000.h5").stat().st_size
    (at / "rank-00000.h5").write_bytes(bytes(size))


@case(LINEAR, "EFORMAT", "rank-0000", "bytes")
def files_exchanged(at):
    (at / "rank-00000.h5").rename(at / "x")
    (at / "rank-00001.h5").rename(at / "rank-00000.h5")
    (at / "x").rename(at / "rank-00001.h5")


@case(LINEAR, "EFORMAT", "rank-00000.h5", "step")
def file_of_another_step(at):
    trail(at, "rank-00000.h5", 16, "<Q", 2)


@case(LINEAR, "EFORMAT", "rank-00000.h5", "rank 2")
def file_of_another_writer(at):
    trail(at, "rank-00000.h5", 24, "<Q", 2)


@case(LINEAR, "EFORMAT", "rank-00000.h5", "")
def file_of_another_save(at):
    trail(at, "rank-00000.h5", 40, "32s", b"f" * 32)


@case(LINEAR, "EFORMAT", "rank-00001.h5", "")
def symbolic_link_for_a_file(at):
    (at / "rank-00001.h5").rename(at / "x")
    (at / "rank-00001.h5").symlink_to("x")


@case(LINEAR, "EFORMAT", "rank-00001.h5", "")
def directory_for_a_file(at):
    (at / "rank-00001.h5").unlink()
    (at / "rank-00001.h5").mkdir()


@case(LINEAR, "EFORMAT", "rank-00001.h5", "")
def pipe_for_a_file(at):
    (at / "rank-00001.h5").unlink()
    os.mkfifo(at / "rank-00001.h5")


# The trailer: each number of it that a load goes by.

def claim(name, place, form, value, text=""):
    @case(LINEAR, "EFORMAT", "rank-00001.h5", text)
    def damage(at):
        trail(at, "rank-00001.h5", place, form, value)
    CASES[-1] = (name,) + CASES[-1][1:]


claim("trailer-of-version-3", 8, "<I", 3)
claim("trailer-of-more-dtypes", 12, "<I", 23)
claim("trailer-of-another-size", 72, "<Q", 1 << 62)
claim("trailer-of-a-vast-head", 80, "<Q", 1 << 62)
claim("trailer-of-a-head-in-parts", 80, "<Q", 4095)
claim("trailer-of-tables-elsewhere", 96, "<Q", 4096)
claim("trailer-of-more-tensors", 104, "<Q", 1 << 61)
claim("trailer-of-wider-names", 112, "<I", 1024)
claim("trailer-of-names-without-end", 112, "<I", 2**32 - 1)
claim("trailer-of-pieces-elsewhere", 120, "<Q", 4096)
claim("trailer-of-no-pieces", 128, "<Q", 0)
claim("trailer-of-an-arena-elsewhere", 160, "<Q", 0)
claim("trailer-of-a-longer-arena", 168, "<Q", 1 << 40)
claim("trailer-of-another-arena-too", 144, "<Q", 4096)
claim("trailer-that-is-not-zero", 500, "<I", 1)


@case(LINEAR, "EFORMAT", "rank-00001.h5", "")
def trailer_bit(at):
    flip(at / "rank-00001.h5", (at / "rank-00001.h5").stat().st_size - 300)


# HDF5's part, which only people go by: a load does not read it.

@case(LINEAR, ANY, "rank-00001.h5", "")
def superblock_bit(at):
    flip(at / "rank-00001.h5", 20)


@case(LINEAR, ANY, "rank-00001.h5", "")
def object_header_bit(at):
    data = (at / "rank-00001.h5").read_bytes()
    flip(at / "rank-00001.h5", data.index(b"OHDR") + 20, 4)


@case(LINEAR, ANY, "rank-00001.h5", "")
def head_of_another_file(at):
    def change(data, trailer):
        head, = struct.unpack_from("<Q", data, trailer + 80)
        data[:head] = (at / "rank-00000.h5").read_bytes()[:head]
    reseal(at, "rank-00001.h5", change)


@case(LINEAR, ANY, "rank-00001.h5", "")
def head_of_zeros(at):
    def change(data, trailer):
        head, = struct.unpack_from("<Q", data, trailer + 80)
        data[:head] = bytes(head)
    reseal(at, "rank-00001.h5", change)


def hostile_head(name):
    @case(LINEAR, ANY, "rank-00000.h5", "")
    def damage(at):
        behead(at, (HOSTILE / name / "rank-00000.h5").read_bytes())
    CASES[-1] = ("head-" + name,) + CASES[-1][1:]


for hostile in ("rkcrash1", "rkcrash3", "vheap"):
    hostile_head(hostile)


@case(LINEAR, ANY, "token", "")
def token_missing(at):
    (at / "token").unlink()


# Our part.

@case(LINEAR, "EDIGEST", "rank-00001.h5", "'weight'")
def arena_bit(at):
    path = at / "rank-00001.h5"
    flip(path, offset_of(path, "arena/f32") + 9, 5)


@case(MIXED, "EDIGEST", "rank-0000", "'embed.weight'")
def arena_bit_in_bf16(at):
    for path in sorted(at.glob("rank-*.h5")):
        with h5py.File(path, "r") as file:
            names = [(t["fqn"], t["slot"]) for t in file["tensors"]]
            rows = [p for p in file["pieces"] if names[p["tensor"]] == (b"embed.weight", b"")]
            begin = file["arena/bf16"].id.get_offset() + 2 * int(rows[0]["offset"]) if rows else 0
        if rows:
            flip(path, begin + 3)
            return
    raise AssertionError("embed.weight is in no file")


@case(LINEAR, "EFORMAT", "rank-00002.h5", "")
def tensors_bit(at):
    path = at / "rank-00002.h5"
    flip(path, offset_of(path, "tensors") + 2)


@case(LINEAR, "EFORMAT", "rank-00002.h5", "")
def pieces_bit(at):
    path = at / "rank-00002.h5"
    flip(path, offset_of(path, "pieces") + 144)


@case(LINEAR, "EFORMAT", "rank-00002.h5", "")
def seal_bit(at):
    path = at / "rank-00002.h5"
    flip(path, path.stat().st_size - 8)


@case(LINEAR, "EFORMAT", "rank-00002.h5", "seal")
def seal_of_another_save(at):
    text = (at / MANIFEST).read_text()
    seal = re.search(r'"rank-00002.h5".*"seal": "(\w+)"', text).group(1)
    rewrite(at, (seal, f"{int(seal, 16) ^ 1:016x}"))


@case(LINEAR, "EFORMAT", "rank-00001.h5", "")
def piece_that_ends_too_late(at):
    def change(row):
        row["end"][0][1] += 1      # of [3, 0] to [4, 2]: its last element is rank 2's too
    change_row(at, "rank-00001.h5", "pieces", 2, change)


@case(LINEAR, "EFORMAT", "rank-00001.h5", "")
def piece_that_ends_too_early(at):
    def change(row):
        row["end"][0][1] -= 1
    change_row(at, "rank-00001.h5", "pieces", 2, change)


@case(LINEAR, "EFORMAT", "rank-00001.h5", "'weight'")
def piece_that_is_elsewhere(at):
    def change(row):
        row["begin"][0][:2], row["end"][0][:2] = (0, 3), (1, 4)
    change_row(at, "rank-00001.h5", "pieces", 0, change)


@case(LINEAR, "EFORMAT", "rank-00001.h5", "")
def piece_with_another_offset(at):
    def change(row):
        row["offset"] += 1
    change_row(at, "rank-00001.h5", "pieces", 8, change)


@case(LINEAR, "EFORMAT", "rank-00001.h5", "must be of tensor")
def tensor_of_another_name(at):
    def change(row):
        row["fqn"] = b"weighs"
    change_row(at, "rank-00001.h5", "tensors", 1, change)


@case(LINEAR, "EFORMAT", "rank-00001.h5", "")
def tensor_of_another_shape(at):
    def change(row):
        row["shape"][0][:2] = 8, 2
    change_row(at, "rank-00001.h5", "tensors", 0, change)


@case(LINEAR, "EFORMAT", "rank-00001.h5", "")
def tensor_of_another_dtype(at):
    def change(row):
        row["dtype"] = b"i32"
    change_row(at, "rank-00001.h5", "tensors", 0, change)


def make(out):
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    lines = []
    for name, golden, status, file, text, damage in CASES:
        shutil.copytree(GOLDEN / golden, out / name)
        damage(out / name)
        lines.append("\t".join((name, golden, status, file or "-", text or "-")) + "\n")
    (out / "cases").write_text("".join(lines))


def verify(out, reshard):
    failed = 0
    for name, _, _, file, _, _ in CASES:
        run = subprocess.run([reshard, "verify", out / name], capture_output=True, text=True)
        printed = (run.stdout + run.stderr).replace(str(out / name), "")
        if run.returncode != 3 or file not in printed:
            failed += 1
            print(f"{name}: exit status {run.returncode}, expected 3 and '{file}'\n{printed}")
    print(f"{len(CASES)} damaged checkpoints, {failed} not refused as they should be")
    return failed


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    OUT = pathlib.Path(sys.argv[1])
    make(OUT)
    sys.exit(len(sys.argv) == 3 and verify(OUT, sys.argv[2]) > 0)
