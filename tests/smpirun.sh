#!/bin/sh
# smpirun.sh SMPIRUN RANKS MODULE: run a test module on simulated ranks, one a node. smpirun exits 0
# on a deadlock, so the run counts only if the module said "passed" for every rank.
set -eu
smpirun=$1 ranks=$2 module=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{
    echo '<?xml version="1.0"?><!DOCTYPE platform SYSTEM "https://simgrid.org/simgrid.dtd">'
    echo '<platform version="4.1"><cluster id="c" prefix="node-" suffix="" radical="0-'"$((ranks - 1))"'"'
    echo ' speed="1Gf" bw="25GBps" lat="2us"/></platform>'
} >"$work/platform.xml"
i=0
while [ "$i" -lt "$ranks" ]; do
    echo "node-$i"
    i=$((i + 1))
done >"$work/hosts"
"$smpirun" -no-privatize -np "$ranks" -platform "$work/platform.xml" -hostfile "$work/hosts" \
    --cfg=smpi/simulate-computation:no --cfg=smpi/barrier:ompi_tree --cfg=smpi/allreduce:rdb \
    --log=root.thres:warning "$module" >"$work/out" 2>&1 || { cat "$work/out"; exit 1; }
cat "$work/out"
passed=$(grep -c '^rank [0-9]* passed$' "$work/out" || true)
[ "$passed" -eq "$ranks" ] || { echo "only $passed of $ranks ranks passed"; exit 1; }
