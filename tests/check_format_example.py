#!/usr/bin/env python3
"""Hold the worked example of FORMAT.md against the golden checkpoint that it shows.

The page's own Python is run, its functions of section 5 first, in the directory of the checkpoint.
Every block of the example must then be, to the letter: what the Python before it prints, the text
of the manifest, or the listing that h5ls gives of the file named before it. Beyond the blocks, the
page's functions must give every contribution, digest, seal and CRC of all the golden checkpoints.

    check_format_example.py [--update] [FORMAT.md]

With --update the page's blocks are filled in anew instead; look at the difference before you
commit it, since golden files never change.
"""
import contextlib
import io
import json
import os
import pathlib
import re
import struct
import sys

import h5py
import numpy as np

TESTS = pathlib.Path(__file__).resolve().parent
GOLDEN = TESTS / "golden"
EXAMPLE = GOLDEN / "linear-fsdp1"
HEADING = "## 7. A worked example\n"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LISTED = re.compile(r"^`h5ls -r (\S+)`:$", re.MULTILINE)


def page_functions(page):
    """The indented Python of section 5."""
    section = page[page.index("## 5. "):page.index("## 6. ")]
    code = section[section.index("    def crc64"):]
    lines = []
    for line in code.splitlines():
        if line and not line.startswith("    "):
            break
        lines.append(line[4:])
    return "\n".join(lines)


def listing(name):
    """What `h5ls -r` prints of a file with datasets and groups."""
    lines = [f"{'/':24} Group\n"]

    def visit(path, thing):
        if isinstance(thing, h5py.Group):
            kind = "Group"
        else:
            sizes = ", ".join(map(str, thing.shape)) if thing.shape else "SCALAR"
            kind = f"Dataset {{{sizes}}}"
        lines.append(f"{'/' + path:24} {kind}\n")

    with h5py.File(EXAMPLE / name, "r") as file:
        file.visititems(visit)
    return "".join(lines)


def rendered(example, scope):
    """The example with every block as it must be."""
    out, end, printed = [], 0, None
    for match in BLOCK.finditer(example):
        kind, text = match.groups()
        out.append(example[end:match.start()])
        if kind == "python":
            captured = io.StringIO()
            with contextlib.redirect_stdout(captured):
                exec(compile(text, "FORMAT.md", "exec"), scope)
            printed = captured.getvalue()
        elif kind == "json":
            text = (EXAMPLE / "manifest.json").read_text()
        elif kind == "h5ls":
            text = listing(LISTED.findall(example[:match.start()])[-1])
        elif kind == "text" and printed is not None:
            text, printed = printed, None
        else:
            sys.exit(f"FORMAT.md: a block of kind '{kind}' with nothing to compare it with")
        out.append(f"```{kind}\n{text}```")
        end = match.end()
    return "".join(out) + example[end:]


def check_checkpoint(directory, scope):
    """Every number of a checkpoint that the page defines, by the page's functions."""
    crc64, contribution = scope["crc64"], scope["contribution"]
    text = (directory / "manifest.json").read_bytes()
    manifest = json.loads(text)
    present = [t for t in manifest["tensors"] if not t.get("absent")]  # others have no pieces
    digests = {(t["fqn"], t.get("slot", "")): 0 for t in present}
    assert text[-32:] == b'  "crc64": "%016x"\n}\n' % crc64(text[:-32]), "CRC of the manifest"
    for entry in manifest["files"]:
        path = directory / entry["name"]
        assert path.stat().st_size == entry["bytes"], f"{path}: size"
        with h5py.File(path, "r") as file:
            raw = path.read_bytes()
            tables = b"".join(bytes_of(raw, file[name]) for name in ("tensors", "pieces"))
            head, said = struct.unpack_from("<QQ", raw, len(raw) - 512 + 80)
            assert crc64(raw[:head]) == said, f"{path}: CRC of the head"
            assert crc64(tables) == struct.unpack_from("<Q", raw, len(raw) - 512 + 136)[0], \
                f"{path}: CRC of the tables"
            assert crc64(raw[-512:-8]) == struct.unpack_from("<Q", raw, len(raw) - 8)[0] == \
                int(entry["seal"], 16), f"{path}: seal"
            for piece in file["pieces"]:
                t, n = file["tensors"][piece["tensor"]], piece["ndim"]
                arena = file["arena"][t["dtype"].decode()]
                arrays = (t["shape"], piece["begin"], piece["end"])
                shape, begin, end = ([int(x) for x in a[:n]] for a in arrays)
                count = int(np.prod([e - b for b, e in zip(begin, end)], dtype=np.int64))
                size = arena.id.get_type().get_size()  # h5py makes f32 of bf16
                at = arena.id.get_offset() + int(piece["offset"]) * size
                value = contribution(raw[at:at + count * size], shape, begin, end, size)
                name = t["fqn"].decode(), t["slot"].decode()
                assert value == piece["contribution"], f"{path}: {name} {begin}: contribution"
                digests[name] ^= value
    for t in present:
        name = t["fqn"], t.get("slot", "")
        assert f"{digests[name]:016x}" == t["digest"], f"{directory}: {name}: digest"


def bytes_of(raw, dataset):
    begin = dataset.id.get_offset()
    return raw[begin:begin + dataset.id.get_storage_size()]


def first_difference(actual, expected):
    for a, b in zip(actual.splitlines() + ["(end)"], expected.splitlines() + ["(end)"]):
        if a != b:
            return f"the page says\n    {a}\nbut it is\n    {b}"
    return "they differ in length"


def main():
    arguments = [a for a in sys.argv[1:] if a != "--update"]
    path = pathlib.Path(arguments[0] if arguments else TESTS.parent / "FORMAT.md").resolve()
    page = path.read_text()
    begin = page.index(HEADING)
    scope = {}
    exec(compile(page_functions(page), "FORMAT.md", "exec"), scope)
    assert scope["crc64"](b"123456789") == 0x995DC9BBDF1939FA
    os.chdir(EXAMPLE)
    expected = rendered(page[begin:], scope)
    if "--update" in sys.argv:
        path.write_text(page[:begin] + expected)
    elif expected != page[begin:]:
        sys.exit(f"{path.name}, section 7: " + first_difference(page[begin:], expected))
    directories = sorted(p.parent for p in GOLDEN.glob("*/manifest.json"))
    for directory in directories:
        check_checkpoint(directory, scope)
    print(f"the example holds; {len(directories)} golden checkpoints recomputed")


if __name__ == "__main__":
    main()
