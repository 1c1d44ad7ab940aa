#!/usr/bin/env bash
# test_example.sh RANKS PROGRAM LAUNCHER [FLAG...]: run the example: save and load in one job, save on
# RANKS and load on one more, and what it must refuse. Launchers need not pass on exit statuses
# (smpirun does not), so a run counts only with the line that the example prints when every value was
# bit for bit what it must be.
set -u
ranks=$1 program=$2
shift 2
launcher=("$@")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

expect() { # WORDS RANKS ARGUMENT...: the example's output must have these words
    local words=$1 number=$2
    shift 2
    "${launcher[@]}" -np "$number" "$program" "$@" >"$work/out" 2>&1
    grep -q -- "$words" "$work/out" && return
    echo "no '$words' from $number ranks with: $*"
    cat "$work/out"
    exit 1
}

expect 'Loaded bit for bit' "$ranks" "$work/one-job"
grep -q "rank: $((ranks - 1)), device: " "$work/out" || { echo "no device"; cat "$work/out"; exit 1; }
expect 'Running fsdp' "$ranks" --save-only "$work/saved"
expect 'Loaded bit for bit' "$((ranks + 1))" --load-only "$work/saved"
expect 'exists already' "$ranks" --save-only "$work/saved"
expect 'cannot open' "$ranks" --load-only "$work/nothing"
expect 'usage' 1 --no-such-option

# The forms at 3 ranks are those of torch/distributed/fsdp/_flat_param.py for Linear(4, 4): LOCAL has
# 7 elements a rank, of which rank 2's are the weight's last two, the bias, and one of padding;
# SHARDED has 2, 2 and 0 rows.
expect 'There and back bit for bit' "$ranks" --forms
if [ "$ranks" -eq 3 ]; then
    diff "$(dirname "$0")/example_forms.txt" "$work/out" || exit 1
fi
