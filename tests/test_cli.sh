#!/bin/sh
# test_cli.sh RESHARD SOURCE: the command as people use it. Each case is a command line, its exit
# status, and a text that must be in what it printed, on either stream.
# shellcheck disable=SC3045 # dash, bash and busybox all have these limits
set -u
reshard=$1 source=$2
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failed=0
passed=0

# expect STATUS TEXT ARGUMENTS...
expect() {
    status=$1 text=$2
    shift 2
    "$reshard" "$@" >out 2>err </dev/null
    got=$?
    if [ "$got" -ne "$status" ]; then
        echo "FAILED: reshard $*: exit status $got, not $status"
        sed 's/^/    /' out err
        failed=$((failed + 1))
    elif ! cat out err | grep -qF -- "$text"; then
        echo "FAILED: reshard $*: '$text' is not in what it printed:"
        sed 's/^/    /' out err
        failed=$((failed + 1))
    else
        passed=$((passed + 1))
    fi
}

# check TEXT COMMAND...: any other condition
check() {
    text=$1
    shift
    if "$@" >check.out 2>&1; then
        passed=$((passed + 1))
    else
        echo "FAILED: $text"
        failed=$((failed + 1))
    fi
}

suite=$source/scenarios
example=$suite/seed-example.yaml

# Wrong usage: exit 2, and what was meant.
expect 2 "Usage: reshard COMMAND"
expect 2 "'rnu' is no command of reshard; did you mean 'run'?" rnu "$example"
expect 2 "'frobnicate' is no command of reshard; \`reshard --help\` lists them" frobnicate
expect 2 "options come after the command" --json
expect 2 "\`reshard run\` needs PATH..." run
expect 2 "no such option of \`reshard run\`; did you mean --json?" run --jsn x "$example"
expect 2 "-z: no such option" run -z "$example"
expect 2 "--json needs a value" run "$example" --json
expect 2 "--quiet takes no value" run --quiet=yes "$example"
expect 2 "--on real: it is sim" run --on real "$example"
expect 2 "--seed -1: not a whole number" run --seed -1 "$example"
expect 2 "--seed 18446744073709551616: not a whole number" run --seed 18446744073709551616 "$example"
expect 2 "--timeout never: not a number" run --timeout never "$example"
expect 2 "it needs --on mpi" run --launcher mpiexec "$example"
expect 2 "not the words of a command" run --on mpi --launcher "srun 'open" "$example"
expect 2 "exclude each other" run -q -v "$example"
expect 2 "exclude each other" run -qv "$example"
expect 2 "-qz: no such option" run -qz "$example"
expect 2 "cannot both write to standard output" run --json - --junit - "$example"
expect 2 "cannot both write to both" run --json both --junit both "$example"
expect 2 "nowhere.yaml: No such file" run nowhere.yaml
expect 2 "no scenario (*.yaml)" run "$work"
expect 2 "needs a FILE" check
expect 2 "'c'" inspect a b c
expect 2 "nowhere: No such file" inspect nowhere
expect 2 "needs DIR" verify
expect 2 "nowhere: No such file" verify nowhere
expect 2 "a checkpoint is a directory" verify "$example"
expect 2 "belong together" verify "$work" --step 3
expect 2 "belong together" verify "$work" --scenario "$example"

# Help and version are results.
expect 0 "Commands:" --help
expect 0 "Usage: reshard run" run --help
expect 0 "Usage: reshard verify" help verify
expect 0 "Usage: reshard run" run -qh
expect 0 "Commands:" help --help
expect 0 "Commands:" help help
expect 0 "reshard " --version
check "help goes to standard output" test -s out

# Scenario files that are wrong: place, line and caret.
printf 'scenario: 1\nnmae: wrong\n' >wrong.yaml
expect 2 "wrong.yaml:2:1: error:" check wrong.yaml
expect 2 "did you mean 'name'" run wrong.yaml
expect 2 "1 could not finish" run wrong.yaml
expect 0 "seed-example is valid: 9 steps, 2 worlds, up to 4 ranks, 20 parameters" check "$example"
expect 0 "\"\$schema\"" check --schema
expect 2 "--schema alone" check --schema "$example"

# Files that are none of text: nothing is waited for, nothing is lost silently.
mkfifo pipe.yaml
expect 2 "pipe.yaml: error: is no regular file" check pipe.yaml
expect 2 "is no regular file, but a FIFO" check pipe.yaml
expect 2 "is no regular file, but a device" check /dev/zero
printf 'scenario: 1\nname: p\nabout: A pipe.\nmodel: {safetensors: pipe.yaml}\n' >through.yaml
printf 'steps:\n  - start: {ranks: 2, layout: ddp}\n' >>through.yaml
expect 2 "pipe.yaml: is no regular file, but a FIFO" check through.yaml
(
    ulimit -t 5
    expect 2 "min.yaml:1:1: error: directives" check "$source/tests/hostile/min.yaml"
    [ "$failed" -eq 0 ]
) || failed=$((failed + 1))
expect 2 "keyless.yaml:1:1: error: unknown key ''" check "$source/tests/hostile/keyless.yaml"
expect 2 "nowhere.yaml: error: cannot open" check nowhere.yaml
expect 2 ".: error: is no regular file" check .
{ sed '3,$d' "$example"; printf 'about: a\000b\n'; } >nul.yaml
expect 2 "nul.yaml:3:9: error: not UTF-8 text (NUL byte)" check nul.yaml
{ cat "$example"; printf '\000nonsense: [\n'; } >nul.yaml
expect 2 "error: not UTF-8 text (NUL byte)" check nul.yaml
printf '\377\376s\000c\000' >utf16.yaml
expect 2 "utf16.yaml:1:1: error: not UTF-8 text (byte \xff)" check utf16.yaml
expect 2 "1 could not finish" run utf16.yaml

# What they hold reaches no terminal as a command, and a long line is cut around the caret.
escape=$(printf '\033')
printf 'scenario: 1\n"n\\e[31mme": "\342\200\256"\n' >escape.yaml
expect 2 "unknown key 'n\\x1b[31mme'" check escape.yaml
expect 2 "\\xe2\\x80\\xae" check escape.yaml
check "no escape sequence is printed" sh -c "! cat out err | grep -q '$escape'"
printf 'scenario: 1\nname: "\302\23331m"\n' >escape.yaml
expect 2 "2:8: error: character U+009B is not allowed in YAML" check escape.yaml
expect 2 "\\xc2\\x9b31m" check escape.yaml
check "no escape sequence is printed" sh -c "! cat out err | grep -q '$escape'"
printf 'scenario: 1\nmodel: {name: a, %02000d: %03000d}\n' 1 2 >long.yaml
expect 2 "unknown key '0" check long.yaml
check "a long source line is cut" test "$(grep -v error: err | awk '{ print length }' | sort -n | tail -1)" -le 160
printf 'scenario: 1\n%0300d: 1\nmodel: {%0200d: 1, nmae: linear}\n' 1 2 >long.yaml
expect 2 "did you mean 'name'" check long.yaml
check "the caret stands below what it means" awk '
    /did you mean .name./ { getline line; getline caret; at = index(caret, "^")
                            exit substr(line, at, 4) == "nmae" ? 0 : 1 }' err

# Models by name are found wherever the scenario and the build are, and so are their near misses.
printf 'scenario: 1\nname: away\nabout: Models by name.\nmodel: linear-4x4\n' >away.yaml
printf 'steps:\n  - start: {ranks: 2, layout: fsdp1}\n  - save: a\n' >>away.yaml
expect 0 "away is valid" check away.yaml
sed 's/linear-4x4/linear-4x/' away.yaml >miss.yaml
expect 2 "did you mean 'linear-4x4'?" check miss.yaml

# Models and safetensors files.
expect 0 "124,439,808 parameters" inspect "$suite/models/gpt2-124m.yaml"
expect 0 "transformer.wte.weight" inspect "$suite/models/gpt2-124m.yaml" 'transformer.wte.*'
expect 0 "31,121 parameters in 41 tensors" inspect "$suite/models/tiny-bert.safetensors"
expect 0 '"parameters": 31121' inspect "$suite/models/tiny-bert.safetensors" --json -
cp "$suite/models/tiny-bert.safetensors" weights
expect 0 "31,121 parameters in 41 tensors" inspect weights
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7\n' >pointer
expect 2 "pointer: error: is a Git LFS pointer; fetch the file itself" inspect pointer
expect 2 "pointer: error: is a Git LFS pointer" run pointer
cp pointer pointer.safetensors
expect 2 "pointer.safetensors: error: is a Git LFS pointer" inspect pointer.safetensors
expect 2 "did you mean 'weight'?" inspect "$suite/models/linear-4x4.yaml" wieght
expect 4 "No such file" inspect "$suite/models/linear-4x4.yaml" --json nowhere/out.json

# A run, its results in every form, and byte-identical JSON.
expect 0 "1 scenario in" run "$example" --keep kept --json first.json --junit first.xml
expect 0 "digest" run -q --json second.json "$example"
check "the same scenario and seed give the same JSON" cmp first.json second.json
expect 0 '"result": "pass"' run --json - "$example"
check "standard output is JSON alone" cmp out first.json
expect 0 "1 passed" run --seed 18446744073709551615 --json large.json "$example"
check "the largest seed is exact" grep -q '"seed": "18446744073709551615"' large.json
expect 0 "1 passed" run --seed 9223372036854775807 --json third.json "$example"
check "and another one than half of it" sh -c '! cmp -s large.json third.json'
expect 0 "1 passed" run --seed 7 --json third.json "$example"
check "another seed gives another state" sh -c '! cmp -s first.json third.json'
check "JUnit has a case for each step" test "$(grep -c '<testcase' first.xml)" -eq 9
expect 2 "remove it, or keep elsewhere" run --keep kept "$example"
expect 0 "1 passed" run --on mpi "$example"
expect 0 "1 passed" run --on=mpi --timeout=600 -v -- "$example"
bytes=$(printf 'k\377\001')
cp "$example" "$bytes.yaml"
expect 0 "1 passed" run --keep "$bytes" --json bytes.json "$bytes.yaml"
check "a path that is no UTF-8 is kept byte for byte" test -f "$bytes/seed-example/checkpoints/step3/manifest.json"
check "and is readable in JSON" grep -qF '"file": "k\\xff\u0001.yaml"' bytes.json
expect 0 '"path": "k\\xff\u0001/seed-example/checkpoints/step3"' inspect --json - "$bytes/seed-example/checkpoints/step3"
expect 0 'k\\xff\u0001/seed' verify --json - "$bytes/seed-example/checkpoints/step3"
printf 'scenario: 2\n' >"$bytes.yaml"
expect 2 'k\xff\x01' run "$bytes.yaml"
check "nothing of it reaches the terminal as it is" sh -c "! cat out err | grep -qa '$(printf '\377')'"
mkdir "a folder"
check "folders may have spaces" env TMPDIR="$work/a folder" "$reshard" run -q --json out "$example"
check "where a run works changes nothing" cmp out first.json
expect 4 "cannot start 'no-such-launcher'" run --on mpi --launcher no-such-launcher "$example"
check "where nothing began there is nothing but the reason" sh -c '! grep -q SKIP out'
expect 1 "the job was ended after 0.05 seconds" run --timeout 0.05 "$suite/thousand-ranks.yaml"
expect 4 "nowhere/out.json: No such file" run --json nowhere/out.json "$example"
cat >large.yaml <<END
scenario: 1
name: large
about: Far more state than this machine has memory.
model: llama3-70b
optimizer: adamw
cluster: {ranks_per_node: 1024}
steps:
  - start: {ranks: 1024, layout: ddp}
  - train: 1
END
cp "$suite/models/llama3-70b.yaml" .
sed -i 's/^model: llama3-70b/model: llama3-70b.yaml/' large.yaml
expect 0 "large is valid" check large.yaml
expect 4 "simulated ranks hold it in this machine's memory" run large.yaml
printf 'scenario: 1\nname: bound\nabout: A bound that cannot hold.\nmodel: {tensors: {w: [4]}}\n' >bound.yaml
printf 'steps:\n  - start: {ranks: 2, layout: fsdp1}\n  - save: a\n' >>bound.yaml
printf '    expect: {seconds: {at_least: 10}}\n' >>bound.yaml
expect 1 "expected at least 10 s" run bound.yaml
expect 1 "1 passed, 1 failed" run bound.yaml "$example"
expect 2 "1 passed, 1 failed, 1 could not finish" run bound.yaml "$example" wrong.yaml

# Storage that fails: an error, and no damage. The launcher turns the folder into a link to itself.
mpiexec=$(sed -n 's/^RESHARD_MPIEXEC:[A-Z]*=//p' "$(dirname "$reshard")/CMakeCache.txt")
printf '#!/bin/sh\nrmdir ../checkpoints && ln -s checkpoints ../checkpoints\nexec %s "$@"\n' "$mpiexec" >no-storage
chmod +x no-storage
expect 1 "the save ended in an error: " run --on mpi --launcher "$work/no-storage" \
    --json lost.json "$example"
check "it is an error in the results" grep -q '"outcome": "error"' lost.json
check "and nothing is called damaged" sh -c '! grep -q damaged lost.json'

# Its checkpoint: whole, then damaged in one bit, then cut, then without its manifest.
checkpoint=kept/seed-example/checkpoints/step3
expect 0 "training step 3, saved by 4 ranks as fsdp1" inspect $checkpoint
expect 0 '"whole": true' inspect --json - $checkpoint
expect 0 "all as it should be" verify $checkpoint
expect 0 "all as it should be" verify $checkpoint --against $checkpoint
expect 0 "all as it should be" verify $checkpoint --scenario "$example" --step 3
expect 1 "findings, two sides that must agree do not" verify $checkpoint --scenario "$example" --step 4
expect 1 "not the state of training step 4" verify $checkpoint --scenario "$example" --step 4
expect 0 '"status": "OK"' verify $checkpoint --json -
cp -r $checkpoint damaged
printf 'x' | dd of=damaged/rank-00001.h5 bs=1 seek=4097 conv=notrunc 2>dd.log
expect 3 "rank-00001.h5" verify damaged
expect 3 "EDIGEST" verify damaged --against $checkpoint
expect 3 "EDIGEST: in damaged: rank-00001.h5" verify $checkpoint --against damaged
truncate -s 1000 damaged/rank-00002.h5
expect 3 "1 of 4 files missing or cut short" inspect damaged
expect 3 "DAMAGED" inspect damaged
rm damaged/manifest.json
expect 3 "no manifest.json" inspect damaged
expect 3 "no manifest.json: no checkpoint, or a save that was cut short" verify damaged
expect 2 "part of a checkpoint; inspect its directory" inspect $checkpoint/manifest.json
expect 2 "part of a checkpoint; inspect its directory" inspect $checkpoint/rank-00000.h5
expect 0 "range of the piece" verify --help

mkdir cut
cp $checkpoint/manifest.json cut
truncate -s 1000 cut/manifest.json

# A file that is lost, metadata that HDF5 cannot read, and an index that shows something else.
cp -r $checkpoint lost
rm lost/rank-00002.h5
expect 3 "ENOENT: rank-00002.h5: is missing" verify lost
cp -r $checkpoint metadata
printf 'x' | dd of=metadata/rank-00001.h5 bs=1 seek=345 conv=notrunc 2>dd.log
expect 3 "rank-00001.h5: " verify metadata
check "HDF5 does not complain at exit" sh -c '! grep HDF5: err'
check "a scenario's saves write no index" test ! -e $checkpoint/index.h5
expect 2 "nowhere/manifest.json" index nowhere
expect 3 "manifest.json" index cut
expect 3 "rank-00002.h5: is missing, or not a file of" index lost
cp -r $checkpoint index
check "an index is written" "$reshard" index index
check "h5ls shows a full tensor" sh -c 'h5ls -r index/index.h5 | grep -q "^/model/weight  *Dataset {4, 4}"'
check "an index is replaced" "$reshard" index index
expect 0 "all as it should be" verify index
printf 'x' | dd of=index/index.h5 bs=1 seek=20 conv=notrunc 2>dd.log
expect 3 "index.h5: HDF5 cannot open it" verify index

# Conditions of the error catalogue (test_catalogue.c) that a command can meet: a file that is short
# of one byte; before a run, what cannot be; in a run, what was to be refused and was not, or was
# with other words.
cp -r $checkpoint short
truncate -s -1 short/rank-00003.h5
expect 3 "rank-00003.h5" verify short
expect 3 "1 of 4 files missing or cut short" inspect short
cat >uneven.yaml <<END
scenario: 1
name: uneven
about: A cut through a cut, of a size that does not divide.
model: linear-4x4
steps:
  - start: {ranks: 3, layout: {kind: fsdp1, mesh: {tensor: 3}, tensors: {weight: {tensor: 0}}}}
END
expect 2 "'weight': fsdp1 flattens what a rank has of it" run uneven.yaml
expect 2 "dimension 0 of size 4 must be a multiple of 3" check uneven.yaml
sed '/expect: {outcome: refused, message: first}/d' "$suite/refusals.yaml" >twice.yaml
expect 2 "already and a checkpoint is never overwritten" run twice.yaml
sed 's/message: first/message: second/' "$suite/refusals.yaml" >words.yaml
expect 1 "exists already; a checkpoint is never overwritten" run words.yaml
sed '/verify: {step: 2}/s/$/\n  - save: second\n    expect: {outcome: refused}/' "$suite/refusals.yaml" >granted.yaml
expect 1 "refused" run granted.yaml

# What may not be read is not damaged. The superuser may read all, unless that is taken away.
unprivileged=
rights=-dac_override,-dac_read_search
[ "$(id -u)" -ne 0 ] || unprivileged="setpriv --bounding-set=$rights --inh-caps=$rights"
cp -r $checkpoint forbidden
chmod 0 forbidden/rank-00001.h5
if $unprivileged true 2>/dev/null && ! $unprivileged cat forbidden/rank-00001.h5 >cat.out 2>&1; then
    command=$reshard
    printf '#!/bin/sh\nexec %s "%s" "$@"\n' "$unprivileged" "$command" >unprivileged.sh
    chmod +x unprivileged.sh
    reshard=$work/unprivileged.sh
    expect 4 "EIO: rank-00001.h5: cannot be read: Permission denied" verify forbidden
    chmod 0 forbidden/manifest.json
    expect 4 "manifest.json: cannot be read: Permission denied" verify forbidden
    expect 4 "Permission denied" inspect forbidden
    reshard=$command
fi
chmod -R u+rw forbidden

# A checkpoint of a rich layout and of every role: what is per rank has a row for each, what is not
# saved is not expected.
expect 0 "2 passed, 0 failed" run -q --keep rich "$suite/odd-tensors.yaml" "$suite/idle-ranks.yaml"
stages=rich/odd-tensors/checkpoints/stages
expect 0 "as fsdp1, pipeline 2, shard 3, idle 2" inspect $stages
expect 0 "opaque" inspect $stages tokenizer
expect 0 "(8, 4)" inspect $stages rng
expect 0 "(4)                                4  per_rank, kept in other worlds" inspect \
    "$suite/models/odd-one-out.yaml" rng
expect 0 '"role": "per_rank"' inspect --json - $stages rng
expect 0 '"pipeline": 2' inspect --json - $stages
expect 0 "all as it should be" verify $stages --scenario "$suite/odd-tensors.yaml" --step 3
expect 1 "not the state of training step 2" verify $stages --scenario "$suite/odd-tensors.yaml" \
    --step 2
"$reshard" run -q --keep rules "$suite/tensor-parallel.yaml" >out 2>err
expect 0 "rule blocks.{i}.attn.qkv.*  tensor 0" inspect rules/tensor-parallel/checkpoints/two

# Optimizer state: how each slot lies, what is absent, and the groups, all of them or a parameter's.
cat >late.yaml <<END
scenario: 1
name: late
about: Scales of blocks, and a group that begins late.
model: linear-4x4
optimizer:
  name: adam8bit
  block: 5
  groups: [{name: late, match: [bias], lr: 0.5, from: 2}]
steps:
  - start: {ranks: 2, layout: fsdp1}
  - train: 1
  - save: one
END
expect 0 "1 passed" run -q --keep late late.yaml
one=late/late/checkpoints/one
expect 0 "10 optimizer states (5 absent)" inspect $one
expect 0 "(1)                                1  absent            blockwise of 5" inspect $one bias
expect 0 "()                                 1  absent            scalar" inspect $one bias
expect 0 "weight: exp_avg            u8         (4, 4)                            16  " inspect $one
expect 0 "  like" inspect $one weight
check "what is there has a digest" sh -c '! grep -q absent out'
expect 0 "  late              1  lr 0.5, betas (0.9, 0.999), eps 1e-08, weight_decay 0.0, block 5, from 2" \
    inspect $one
expect 0 "  default           1  lr 0.001, " inspect $one
expect 0 "entry  lr_scheduler  last_epoch 1" inspect $one
expect 0 "  late " inspect $one bias
check "a parameter's group alone is shown" sh -c '! grep -q "default \|lr_scheduler" out'
expect 0 '"absent": true' inspect --json - $one bias
expect 0 '"absent_count": 5' inspect --json - $one
expect 0 '"last_epoch": 1' inspect --json - $one
expect 0 "all as it should be" verify $one --scenario late.yaml --step 1
sed 's/lr: 0.5/lr: 0.25/' late.yaml >other.yaml
expect 1 "param group late: lr is 0.5, not 0.25 as in the state of training step 1" \
    verify $one --scenario other.yaml --step 1
expect 1 "optimizer's entry lr_scheduler: last_epoch is 1, not 2" verify $one --scenario late.yaml --step 2
sed '/groups:/d' late.yaml >other.yaml
expect 1 "param group late: is not in the state of training step 1" \
    verify $one --scenario other.yaml --step 1

# Names are data: a terminal must not obey them.
printf '\101\0\0\0\0\0\0\0%s\0\0\0\0' \
    '{"a\u001b[31mb":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}' >odd.safetensors
expect 0 'a\x1B[31mb' inspect odd.safetensors
expect 0 "1 parameter in 1 tensor, 4 B" inspect odd.safetensors
printf '\102\0\0\0\0\0\0\0%s\0\0\0\0' \
    '{"a\nreshard: ok":{"dtype":"X9","shape":[1],"data_offsets":[0,4]}}' >odd.safetensors
expect 2 'a\x0areshard: ok' inspect odd.safetensors
check "a name forges no line" sh -c '! grep -q "^reshard: ok" err'
mkdir "new
line"
expect 3 'new\x0aline: no manifest.json' inspect "new
line"

# Leftovers: those of dead saves go, those of living ones stay.
token=0123456789abcdef0123456789abcdef
mkdir -p folder/.dead.$token.partial folder/.living.$token.partial folder/whole folder/.other.partial
printf '%s\n' $token | tee folder/.dead.$token.partial/token >folder/.living.$token.partial/token
head -c 5000 /dev/zero >folder/.dead.$token.partial/rank-00000.h5
exec 9<>folder/.living.$token.partial/token
flock -n 9
expect 2 "needs DIR" prune
expect 2 "nowhere: cannot list" prune nowhere
expect 0 "would remove  .dead.$token.partial  5.03 kB" prune --dry-run folder
check "a dry run removes nothing" test -f folder/.dead.$token.partial/rank-00000.h5
expect 0 "removed 1 leftover of dead saves, 5.03 kB; left 1" prune folder
check "what a dead save has left is gone" test ! -e folder/.dead.$token.partial
check "what a living save writes is there" test -f folder/.living.$token.partial/token
check "nothing else is gone" test -d folder/whole -a -d folder/.other.partial
expect 0 "left          .living.$token.partial  33 B: its save is under way" prune folder
exec 9>&-
expect 0 "removed       .living.$token.partial" prune folder

# Interrupted: children end, temporary files go, exit 130.
mkdir tmp
for signal in TERM HUP; do
    TMPDIR=$work/tmp "$reshard" run -q "$suite/thousand-ranks.yaml" >out 2>err &
    command=$!
    until ls tmp/reshard-*/world-0/log >/dev/null 2>&1; do
        kill -0 $command 2>/dev/null || break
    done
    kill -$signal $command
    wait $command
    check "a run interrupted by SIG$signal exits with 130" test $? -eq 130
    check "a run interrupted by SIG$signal leaves no temporary files" test -z "$(ls -A tmp)"
done

# Killed, which nobody can catch: the guard ends the job and removes what is temporary.
TMPDIR=$work/tmp "$reshard" run -q "$suite/thousand-ranks.yaml" >out 2>err &
command=$!
until ls tmp/reshard-*/world-0/log >/dev/null 2>&1; do
    kill -0 $command 2>/dev/null || break
done
kill -KILL $command
wait $command
until [ -z "$(ls -A tmp)" ]; do
    sleep 0.1
done

# Under nohup a hangup is nothing.
(
    trap '' HUP
    TMPDIR=$work/tmp exec "$reshard" run -q "$suite/eight-to-six.yaml" >out 2>err
) &
command=$!
until ls tmp/reshard-*/world-0/log >/dev/null 2>&1; do
    kill -0 $command 2>/dev/null || break
done
kill -HUP $command 2>/dev/null
wait $command
check "a run under nohup survives SIGHUP" test $? -eq 0

# A pod's place among others is not the ranks'.
check "a launcher's variables do not reach the ranks" \
    env RANK=5 WORLD_SIZE=6 LOCAL_RANK=5 LOCAL_WORLD_SIZE=6 MASTER_ADDR=x MASTER_PORT=1 \
    "$reshard" run -q --on mpi "$example"

# Open files: the limit is raised as far as it goes, and what is not enough is said before a run.
printf 'scenario: 1\nname: many\nabout: Many files at once.\nmodel: {tensors: {w: [1000]}}\n' >many.yaml
printf 'cluster: {ranks_per_node: 100}\nsteps:\n  - start: {ranks: 100, layout: fsdp1}\n  - save: a\n  - load: a\n' >>many.yaml
(ulimit -Sn 128 && exec "$reshard" run -q many.yaml) >out 2>err
check "a soft limit of open files is raised" test $? -eq 0
(ulimit -n 128 && exec "$reshard" run -q many.yaml) >out 2>err
check "a hard one is told before the run" sh -c "[ $? -eq 4 ] && grep -q 'ulimit -n 264' out && ! grep -q SKIP out"
(ulimit -n 264 && exec "$reshard" run -q many.yaml) >out 2>err
check "and what was told is enough" test $? -eq 0

# Files that may not grow: an error on all ranks, and no rank dies of a signal.
printf 'scenario: 1\nname: limited\nabout: Files that may not grow.\nmodel: {tensors: {w: [4000, 4000]}}\n' >limited.yaml
printf 'steps:\n  - start: {ranks: 2, layout: fsdp1}\n  - save: a\n' >>limited.yaml
for machine in sim mpi; do
    (ulimit -f 40000 && exec "$reshard" run --on $machine limited.yaml) >out 2>err
    check "a limit of file sizes is an error of the save on $machine" \
        sh -c "[ $? -eq 1 ] && grep -q 'the save ended in an error: .*File too large' out"
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
