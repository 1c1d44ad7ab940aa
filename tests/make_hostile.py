#!/usr/bin/env python3
"""Put the inputs of tests/hostile, and others of their kinds, into checkpoints of the present version.

    make_hostile.py OUT            write the checkpoints into the new directory OUT
    make_hostile.py OUT RESHARD    then hold `RESHARD verify` against each

OUT/cases lists them, one line each: directory, the exit status of `reshard verify`, how many findings
it has, a text that its report must hold, and the status that a load must return (it need not read
what is broken). Every CRC, size and seal is right, unless its name says otherwise: only what reads the
broken part itself can meet it.
"""
import json
import os
import pathlib
import re
import resource
import shutil
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # beside the sources
from make_checkpoint import TRAILER, crc64

HERE = pathlib.Path(__file__).resolve().parent
HOSTILE, SIZED, RANK = HERE / "hostile", 4096, "rank-00000.h5"
SECONDS, LIMIT = 20, 2 << 30  # of CPU time, in all; of memory, sparse parts of the sanitizers included
CASES = []


def case(exit_status, findings, text, load):
    """Register a function that breaks a whole checkpoint, given its directory."""
    def register(damage):
        CASES.append((damage.__name__.replace("_", "-"), exit_status, findings, text, load, damage))
        return damage
    return register


def rewrite(at, change):
    """Change the manifest as an object, and close it with the right CRC."""
    manifest = json.loads((at / "manifest.json").read_text())
    change(manifest)
    text = json.dumps(manifest, indent=2)
    head = text[:text.rindex('  "crc64"')]
    (at / "manifest.json").write_text(head + '  "crc64": "%016x"\n}\n' % crc64(head.encode()))


def behead(at, head, right=True):
    """Give rank 0's file another head, move all that follows, and say so wherever it is said."""
    data = (at / RANK).read_bytes()
    body, trailer = data[:-TRAILER], bytearray(data[-TRAILER:])
    old = struct.unpack_from("<Q", trailer, 80)[0]
    head += bytes(-len(head) % SIZED)
    for place in [72, 96, 120] + list(range(144, 496, 16)):
        offset = struct.unpack_from("<Q", trailer, place)[0]
        if offset:
            struct.pack_into("<Q", trailer, place, offset + len(head) - old)
    struct.pack_into("<QQ", trailer, 80, len(head), crc64(head) ^ (not right))
    struct.pack_into("<Q", trailer, 504, crc64(bytes(trailer[:504])))
    (at / RANK).write_bytes(head + body[old:] + trailer)

    def change(manifest):
        manifest["files"][0].update(bytes=len(head) + len(body) - old + TRAILER,
                                    seal="%016x" % struct.unpack_from("<Q", trailer, 504))
    rewrite(at, change)


def lookup3(data):
    """HDF5's checksum of metadata (Bob Jenkins' hash of 2006)."""
    def rot(x, k):
        return (x << k | x >> 32 - k) & 0xFFFFFFFF
    m = 0xFFFFFFFF
    a = b = c = (0xDEADBEEF + len(data)) & m
    while len(data) > 12:
        x, y, z = struct.unpack("<III", data[:12])
        a, b, c, data = (a + x) & m, (b + y) & m, (c + z) & m, data[12:]
        a = ((a - c) & m) ^ rot(c, 4); c = (c + b) & m
        b = ((b - a) & m) ^ rot(a, 6); a = (a + c) & m
        c = ((c - b) & m) ^ rot(b, 8); b = (b + a) & m
        a = ((a - c) & m) ^ rot(c, 16); c = (c + b) & m
        b = ((b - a) & m) ^ rot(a, 19); a = (a + c) & m
        c = ((c - b) & m) ^ rot(b, 4); b = (b + a) & m
    if not data:
        return c
    x, y, z = struct.unpack("<III", data.ljust(12, b"\0"))
    a, b, c = (a + x) & m, (b + y) & m, (c + z) & m
    c = ((c ^ b) - rot(b, 14)) & m
    a = ((a ^ c) - rot(c, 11)) & m
    b = ((b ^ a) - rot(a, 25)) & m
    c = ((c ^ b) - rot(b, 16)) & m
    a = ((a ^ c) - rot(c, 4)) & m
    b = ((b ^ a) - rot(a, 14)) & m
    return ((c ^ b) - rot(b, 24)) & m


def head_of(at):
    data = (at / RANK).read_bytes()
    return bytearray(data[:struct.unpack_from("<Q", data, len(data) - TRAILER + 80)[0]])


def headers(head):
    """Begin and end of each object header and continuation; four bytes of checksum follow."""
    for found in re.finditer(b"OHDR", head):
        begin = found.start()
        flags = head[begin + 5]
        at = begin + 6 + (16 if flags & 32 else 0) + (4 if flags & 16 else 0)
        width = 1 << (flags & 3)
        yield begin, at + width + int.from_bytes(head[at:at + width], "little")


def patched(at, header, offset, value):
    """A head with one byte of one of its object headers changed, HDF5's checksum right."""
    head = head_of(at)
    begin, end = list(headers(head))[header]
    assert lookup3(bytes(head[begin:end])) == struct.unpack_from("<I", head, end)[0]
    assert begin + offset < end
    head[begin + offset] = value
    struct.pack_into("<I", head, end, lookup3(bytes(head[begin:end])))
    return bytes(head)


UNREAD = RANK + ": ordinary HDF5 tools cannot read it: "


@case(3, 1, UNREAD, "OK")
def rkcrash1(at):
    behead(at, (HOSTILE / "rkcrash1" / RANK).read_bytes())


@case(3, 1, UNREAD, "OK")
def rkcrash3(at):
    behead(at, (HOSTILE / "rkcrash3" / RANK).read_bytes())


@case(3, 1, UNREAD, "OK")
def vheap(at):
    behead(at, (HOSTILE / "vheap" / RANK).read_bytes())


@case(3, 1, RANK + ": its head, HDF5's own bytes, does not have the CRC", "OK")
def rkcrash1_with_a_wrong_crc(at):
    behead(at, (HOSTILE / "rkcrash1" / RANK).read_bytes(), right=False)


@case(3, 1, UNREAD, "OK")
def head_of_zeros(at):
    behead(at, bytes(SIZED))


@case(3, 1, UNREAD, "OK")
def head_of_a_mebibyte(at):
    behead(at, bytes(head_of(at)) + bytes(1 << 20))


@case(3, 1, "index.h5: the library came to no end", "OK")
def index_bit(at):
    data = bytearray((at / "index.h5").read_bytes())
    heap = data.rindex(b"GCOL")          # the size of its first object
    data[heap + 16 + 8 + 1] ^= 8
    (at / "index.h5").write_bytes(data)


@case(3, 1, "index.h5: has no attribute token", "OK")
def index_of_version_1(at):
    shutil.copy(HOSTILE / "index-bit25057" / "index.h5", at / "index.h5")


@case(3, 1, "they cannot hold them", "EFORMAT")
def hugeelems(at):
    def change(manifest):
        manifest["tensors"][2]["shape"] = [1 << 57]
    rewrite(at, change)


@case(3, None, RANK + ": has ", "EFORMAT")
def hugeelems_in_a_file_that_claims_to_have_them(at):
    def change(manifest):
        manifest["tensors"][2]["shape"] = [1 << 57]
        manifest["files"][0]["bytes"] = 1 << 61
    rewrite(at, change)


@case(3, None, "rank-00", "EFORMAT")
def bigworld1(at):
    manifest = json.loads((HOSTILE / "bigworld1" / "manifest.json").read_text())
    files = json.loads((at / "manifest.json").read_text())

    def change(own):
        own.clear()
        for key, value in manifest.items():
            own[key] = value
            if key == "world":
                own["domains"] = files["domains"]
        own.update(version=2, step=files["step"])
        own["files"], own["crc64"] = files["files"], own.pop("crc64")
        own["files"][1]["bytes"] = 1 << 60
    rewrite(at, change)


def originals():
    """As they are: of version 1."""
    return [name for name in sorted(os.listdir(HOSTILE)) if (HOSTILE / name / "manifest.json").exists()]


def make(out):
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    whole, lines = out / "whole", []
    subprocess.run([sys.executable, HERE / "make_checkpoint.py", whole, "--layout", "fsdp1", "--shard",
                    "4", "--index"], check=True)
    for name, status, findings, text, load, damage in CASES:
        shutil.copytree(whole, out / name)
        damage(out / name)
        lines.append((name, status, findings, text, load))
    for name in originals():
        shutil.copytree(HOSTILE / name, out / (name + "-original"))
        lines.append((name + "-original", 3, 1, "version 1; this release reads version 2", "EFORMAT"))
    (out / "cases").write_text("".join("\t".join(map(str, line)) + "\n" for line in lines))
    return lines


def limits():
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


def verify(out, lines, reshard):
    failed = 0
    for name, status, findings, text, _ in lines:
        begin = time.monotonic()
        run = subprocess.run([reshard, "verify", out / name], capture_output=True, text=True,
                             errors="replace", preexec_fn=limits)
        seconds = time.monotonic() - begin
        printed = (run.stdout + run.stderr).replace(str(out / name), "")
        count = re.search(r"verified: (\d+) finding", printed)
        right = run.returncode == status and text in printed and \
            (findings is None or count and int(count.group(1)) == findings)
        failed += not right
        print(f"{name}: {seconds:.2f} s, exit status {run.returncode}" +
              ("" if right else f", expected {status}, {findings} and '{text}'\n{printed}"))
    print(f"{len(lines)} hostile checkpoints, {failed} not refused as they should be")
    return failed


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    OUT = pathlib.Path(sys.argv[1])
    LINES = make(OUT)
    sys.exit(len(sys.argv) == 3 and verify(OUT, LINES, sys.argv[2]) > 0)
