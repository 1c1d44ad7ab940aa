#!/bin/sh
# Make the golden checkpoints anew, for a new version of the format, and the page's example with them:
#
#     tests/make_golden.sh RESHARD
#
# Each is the kept checkpoint of the scenario beside it, with its index. Digests do not depend on the
# version: those in test_golden.c must still hold. The damaged copies are made from these by every
# run of the tests (make_golden_refused.py). Look at the differences before you commit them.
set -eu

reshard=$(realpath "${1:?the path of the command reshard is needed}")
tests=$(realpath "$(dirname "$0")")
kept=$(mktemp -d)
trap 'rm -rf "$kept"' EXIT

for scenario in "$tests"/golden/*.yaml; do
    name=$(basename "$scenario" .yaml)
    "$reshard" run -q --keep "$kept" "$scenario"
    rm -rf "$tests/golden/$name"
    cp -R "$kept/$name/checkpoints/$name" "$tests/golden/$name"
    sed -i 2d "$tests/golden/$name/token" # which machine made it is nobody's business
    test -e "$tests/golden/$name/index.h5" || "$reshard" index "$tests/golden/$name"
    "$reshard" verify "$tests/golden/$name"
done
"${PYTHON:-/usr/bin/python3}" "$tests/check_format_example.py" --update
