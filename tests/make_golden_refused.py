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
import subprocess
import sys

import h5py

GOLDEN = pathlib.Path(__file__).resolve().parent / "golden"
MANIFEST, LINEAR, MIXED = "manifest.json", "linear-fsdp1", "mixed-fsdp2"
CASES = []


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


def change_row(at, name, dataset, row, change):
    """Change a row of a table, and make the seal, and the manifest's word of it, right again."""
    with h5py.File(at / name, "r+") as file:
        rows = file[dataset][:]
        change(rows[row:row + 1])
        file[dataset][:] = rows
        old = int(file["seal"][0])
        new = crc64(file["tensors"][:].tobytes() + file["pieces"][:].tobytes())
        file["seal"][0] = new
    rewrite(at, (f"{old:016x}", f"{new:016x}"))


def restructure(at, name, change):
    """Change a file through HDF5, which may change its size, and tell the manifest its size."""
    with h5py.File(at / name, "r+", libver=("v108", "latest")) as file:
        change(file)
    text = (at / MANIFEST).read_text()
    entry = re.search(rf'"name": "{name}", "writer": \d+, "bytes": \d+', text).group()
    size = (at / name).stat().st_size
    rewrite(at, (entry, re.sub(r"\d+$", str(size), entry)))


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
def manifest_of_version_2(at):
    rewrite(at, ('"version": 1', '"version": 2'))


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


@case(LINEAR, "EFORMAT", ".h5", "'weight'")
def manifest_of_another_layout(at):
    rewrite(at, ('"fsdp1"', '"fsdp2"'), (', "orig_params": false, "forward": null', ""))


@case(MIXED, "EFORMAT", "rank-0000", "'embed.weight'")
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
    def change(file):
        file.attrs.modify("step", 2)
    restructure(at, "rank-00000.h5", change)


@case(LINEAR, "EFORMAT", "rank-00000.h5", "rank 2")
def file_of_another_writer(at):
    def change(file):
        file.attrs.modify("writer", 2)
    restructure(at, "rank-00000.h5", change)


@case(LINEAR, "EFORMAT", "rank-00001.h5", "")
def directory_for_a_file(at):
    (at / "rank-00001.h5").unlink()
    (at / "rank-00001.h5").mkdir()


@case(LINEAR, "EFORMAT", "rank-00001.h5", "")
def pipe_for_a_file(at):
    (at / "rank-00001.h5").unlink()
    os.mkfifo(at / "rank-00001.h5")


# HDF5's part.

@case(LINEAR, "EFORMAT", "rank-00001.h5", "")
def superblock_bit(at):
    flip(at / "rank-00001.h5", 20)


@case(LINEAR, "EFORMAT", "rank-00001.h5", "")
def object_header_bit(at):
    data = (at / "rank-00001.h5").read_bytes()
    flip(at / "rank-00001.h5", data.index(b"OHDR") + 20, 4)


@case(MIXED, "EFORMAT", "rank-00002.h5", "dtype")
def arena_labelled_as_another_dtype(at):
    def change(file):
        del file["arena/bf16"].attrs["dtype"]
        file["arena/bf16"].attrs.create("dtype", b"f16", dtype=h5py.string_dtype("utf-8", 3))
    restructure(at, "rank-00002.h5", change)


@case(MIXED, "EFORMAT", "rank-00002.h5", "")
def arena_renamed(at):
    restructure(at, "rank-00002.h5", lambda file: file.move("arena/bf16", "arena/f16"))


@case(LINEAR, "EFORMAT", "rank-00001.h5", "link")
def arena_in_another_file(at):
    def change(file):
        del file["arena/f32"]
        file["arena/f32"] = h5py.ExternalLink("rank-00000.h5", "/arena/f32")
    restructure(at, "rank-00001.h5", change)


@case(LINEAR, "EFORMAT", "rank-00001.h5", "")
def arena_in_chunks(at):
    def change(file):
        data = file["arena/f32"][:]
        del file["arena/f32"]
        file.create_dataset("arena/f32", data=data, chunks=(512,), compression="gzip")
        file["arena/f32"].attrs.create("dtype", b"f32", dtype=h5py.string_dtype("utf-8", 3))
    restructure(at, "rank-00001.h5", change)


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


@case(LINEAR, "EFORMAT", "rank-00002.h5", "/seal")
def tensors_bit(at):
    path = at / "rank-00002.h5"
    flip(path, offset_of(path, "tensors") + 2)


@case(LINEAR, "EFORMAT", "rank-00002.h5", "/seal")
def pieces_bit(at):
    path = at / "rank-00002.h5"
    flip(path, offset_of(path, "pieces") + 144)


@case(LINEAR, "EFORMAT", "rank-00002.h5", "/seal")
def seal_bit(at):
    path = at / "rank-00002.h5"
    flip(path, offset_of(path, "seal"))


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


@case(LINEAR, "EFORMAT", "rank-00001.h5", "known")
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
    # libhdf5 leaks, in its own code, when it meets damaged metadata: a word to LeakSanitizer.
    (out / "suppressions").write_text("leak:libhdf5\n")
    os.environ["LSAN_OPTIONS"] = f"suppressions={out}/suppressions:print_suppressions=0"
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
