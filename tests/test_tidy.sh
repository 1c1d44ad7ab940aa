#!/usr/bin/env bash
# test_tidy.sh SOURCE_DIRECTORY [BUILD_DIRECTORY]: a test of the source itself. ARCHITECTURE.md says
# which module may use which; this holds the #include lines, and where a build is given the compiled
# libraries, to it. Every broken rule prints the lines that break it.
set -u
shopt -s lastpipe # rule() counts, so it must run in this shell at the end of a pipe
cd -- "$1" || exit 2
build=${2:-}
rooms=(engine sim verify cli)
broken=0

# rule TEXT: what standard input has is what breaks the rule; nothing, and the rule holds.
rule() {
    local lines
    lines=$(cat)
    if [ -z "$lines" ]; then
        printf 'ok      %s\n' "$1"
    else
        printf 'BROKEN  %s\n' "$1"
        printf '        %s\n' "${lines//$'\n'/$'\n        '}"
        broken=$((broken + 1))
    fi
}

sources() { # DIRECTORY...
    local directory
    for directory in "$@"; do
        [ ! -d "$directory" ] || find "$directory" -name '*.[ch]'
    done | sort
}

# "file:line:text" of the sources, comments and what is in strings blanked, so that a word in a
# comment is not mistaken for a call.
code() { # DIRECTORY...
    # shellcheck disable=SC2016 # the dollars are awk's
    sources "$@" | xargs -r awk '
        FNR == 1 { comment = 0 }
        {
            line = $0; out = ""
            while (line != "") {
                if (comment) {
                    at = index(line, "*/")
                    if (!at) { line = ""; break }
                    line = substr(line, at + 2); comment = 0
                } else if (match(line, /\/\*|\/\/|"([^"\\]|\\.)*"|\047([^\047\\]|\\.)+\047/)) {
                    mark = substr(line, RSTART, 2)
                    text = substr(line, RSTART, RLENGTH)
                    out = out substr(line, 1, RSTART - 1)
                    line = substr(line, RSTART + RLENGTH)
                    if (mark == "/*") comment = 1
                    else if (mark == "//") line = ""
                    else if (out ~ /^[ \t]*#[ \t]*include/) out = out text
                    else out = out "\"\""
                } else { out = out line; line = "" }
            }
            print FILENAME ":" FNR ":" out
        }'
}

# "file:line module" for each #include "..." of the rooms, the module as ARCHITECTURE.md names it.
includes() {
    code "${rooms[@]}" | sed -nE 's/^([^:]+:[0-9]+):[[:space:]]*#[[:space:]]*include[[:space:]]*"([^"]+)\.h".*/\1 \2/p'
}

# The lines of ARCHITECTURE.md's fenced block of that name.
drawing() { # NAME
    awk -v fence="^\`\`\`$1\$" '$0 ~ fence { inside = 1; next } /^```/ { inside = 0 } inside' \
        ARCHITECTURE.md
}

# --- arrows ---------------------------------------------------------------------------------------

# In the block "modules" a module may use what stands on lines above its own.
module_arrows() {
    awk '
        NR == FNR { for (i = 1; i <= NF; i++) layer[$i] = FNR; next }
        # Further files of a module are named MODULE_something.
        function module(file) {
            sub(/^engine\//, "", file); sub(/\.[ch]$/, "", file)
            while (!(file in layer) && file ~ /_/) sub(/_[^_]*$/, "", file)
            return file
        }
        {
            split($1, place, ":")
            if (place[1] !~ /^engine\/(core|parallel)\//) next
            user = module(place[1]); used = module($2)
            if (!(user in layer)) { print place[1] ": is not in the drawing"; next }
            if (used == user) next
            if (!(used in layer)) print $1 ": includes " $2 ", which is not in the drawing"
            else if (layer[used] >= layer[user]) print $1 ": " user " must not use " used
        }' <(drawing modules) <(includes)
}

# In the block "rooms" a line is ROOM: followed by the rooms and modules that it may use.
room_arrows() {
    awk '
        NR == FNR { room = $1; sub(/:$/, "", room); known[room] = 1
                    for (i = 2; i <= NF; i++) may[room, $i] = 1; next }
        {
            split($1, place, ":")
            room = place[1]
            sub(/\/[^\/]*$/, "", room)
            while (!(room in known) && room ~ /\//) sub(/\/[^\/]*$/, "", room)
            target = $2
            sub(/\/[^\/]*$/, "", target)
            if (target == $2) target = room   # a bare name lies beside the file that includes it
            if (target == "core" || target == "parallel") target = "engine/" target
            if (place[1] == "engine/reshard.h" || target == room) next
            if (!((room, target) in may) && !((room, $2) in may))
                print $1 ": " room " must not use " $2
        }' <(drawing rooms) <(includes)
}

# Inside a room, too, headers include each other one way only.
circles() {
    includes | awk '$1 ~ /\.h:/ { split($1, p, ":"); file = p[1]; sub(/\.h$/, "", file)
                                  sub(/^engine\//, "", file); print file, $2 }' |
        tsort 2>&1 >/dev/null | sed 's/^tsort: //'
}

{ sources "${rooms[@]}" | grep -q 'engine/core/.*\.c$' || echo "$1: has no engine/core/*.c"; } |
    rule "there is a source to check"
module_arrows | sort -u | rule "engine modules use only what ARCHITECTURE.md draws above them"
room_arrows | sort -u | rule "rooms use only the rooms that ARCHITECTURE.md lets them"
circles | rule "no headers include each other in a circle"

# --- what only some files may do ------------------------------------------------------------------

code "${rooms[@]}" tests examples | grep -E '#[[:space:]]*include[[:space:]]*<hdf5(_hl)?\.h>' |
    grep -Ev '^(engine/core/index\.c|verify/[^/]*\.[ch]|tests/[^:]*):' |
    rule "hdf5.h is included by the index and the verifier alone"
code engine/core verify cli | grep -E '#[[:space:]]*include[[:space:]]*[<"](s?mpi|smpi/.*|simgrid/.*)\.h[>"]' |
    rule "engine/core, verify and cli know nothing of MPI and SimGrid"
code engine | grep -E '#[[:space:]]*include[[:space:]]*<(smpi|simgrid)/' |
    rule "the engine knows nothing of SimGrid"
code engine | sed 's/format(printf,/format(/' |
    grep -E '(^|[^[:alnum:]_])(v?f?printf|v?dprintf|f?puts|f?putc|putchar|perror|psignal|_?exit|_Exit|quick_exit|abort|assert|MPI_Abort|std(out|err))([^[:alnum:]_]|$)' |
    rule "the engine prints nothing and ends no process"
# Reality alone asks how many ranks there are in all.
code engine | grep -E '(^|[^[:alnum:]_])MPI_COMM_(WORLD|SELF)([^[:alnum:]_]|$)' |
    grep -vE '^engine/parallel/host\.c:[0-9]+: *MPI_Comm_size\(MPI_COMM_WORLD, &size\);$' |
    rule "the engine uses no communicator but its caller's"
code engine | grep -E '(^|[^[:alnum:]_])(secure_)?getenv([^[:alnum:]_]|$)' |
    grep -v '^engine/parallel/environment\.c:' |
    rule "getenv is called by engine/parallel/environment.c alone"

# An element that finds no memory for its table would end the process otherwise.
# shellcheck disable=SC2016 # the dollars are awk's
sources "${rooms[@]}" | xargs awk '
    /^[ \t]*#[ \t]*include[ \t]*<uthash\.h>/ && before !~ /^#define HASH_NONFATAL_OOM 1/ {
        print FILENAME ":" FNR ": " $0 " without #define HASH_NONFATAL_OOM 1 before it"
    }
    { before = $0 }' | rule "hash tables that find no memory say so"

# --- tidiness -------------------------------------------------------------------------------------

# What stands at the top of the tree, and nothing else: what git knows of it (not a copy without git).
top_level=(
    .ci .clang-format .clang-tidy .gitignore
    ARCHITECTURE.md CHANGELOG.md CMakeLists.txt CMakePresets.json CONTRIBUTING.md FORMAT.md LICENSE
    README.md cli cmake dev docs engine examples reshard.pc.in scenarios sim tests verify
)
git ls-files 2>/dev/null | cut -d/ -f1 | sort -u | grep -vxF -f <(printf '%s\n' "${top_level[@]}") |
    sed 's/$/: does not belong at the top of the tree/' |
    rule "only what is known stands at the top of the tree"

texts() {
    { sources "${rooms[@]}" tests examples
      find . -name CMakeLists.txt -not -path './build*' -printf '%P\n'
      find cmake tests dev .ci -name '*.cmake' -o -name '*.sh' -o -name '*.py' -o -path dev -o -path .ci/run
    } 2>/dev/null | sort -u
}

texts | xargs wc -l | awk '$2 != "total" && $1 >= 800 { print $2 ": has " $1 " lines" }' |
    rule "files have fewer than 800 lines"
texts | xargs grep -nE '(^|[^[:alnum:]])(TO''DO|FIX''ME|XX''X)([^[:alnum:]]|$)' |
    rule "nothing is left to be done later"
texts | xargs grep -nE '^[[:space:]]*#[[:space:]]*if[[:space:]]+0([^[:alnum:]]|$)' |
    rule "no code is switched off"

# A .c file is built if its name, or for tests/test_NAME.c its NAME, stands in a CMakeLists.txt of
# the room, or it stands in tests/fuzz; a header is used if something includes it; a script if a CMakeLists.txt or dev names it.
dead_files() {
    local file room name
    while read -r file; do
        room=${file%%/*}
        name=${file#"$room"/}
        case $file in
            tests/fuzz/*) continue ;; # each is a target of its own, found by its place
            tests/test_*.c) name=${name#test_} name=${name%.c} ;;
        esac
        find "$room" -name CMakeLists.txt -exec cat {} + | sed 's/#.*//' |
            tr -s '[:space:]()' '\n' | grep -qxF -e "$name" -e "${file##*/}" ||
            echo "$file: no CMakeLists.txt of $room builds it"
    done < <(sources "${rooms[@]}" tests examples | grep '\.c$')
    while read -r file; do
        [ "$file" = engine/reshard.h ] && continue
        grep -qE "#[[:space:]]*include[[:space:]]*[\"<]([^\">]*/)?${file##*/}[\">]" \
            -r --include='*.[ch]' "${rooms[@]}" tests examples 2>/dev/null ||
            echo "$file: nothing includes it"
    done < <(sources "${rooms[@]}" tests examples | grep '\.h$')
    for file in tests/*.sh; do
        grep -qF "${file##*/}" tests/CMakeLists.txt dev || echo "$file: nothing runs it"
    done
}
dead_files | rule "every source file is built, included or run"

# reshard.h and all that it includes, from there on, must be what cmake/install.cmake installs.
public_headers() {
    local -a pending=(reshard)
    local -A seen=()
    local module
    while [ "${#pending[@]}" -gt 0 ]; do
        module=${pending[0]}
        pending=("${pending[@]:1}")
        [ -z "${seen[$module]:-}" ] || continue
        seen[$module]=1
        echo "$module.h"
        mapfile -t -O "${#pending[@]}" pending < <(sed -nE 's/^#include "(.*)\.h"$/\1/p' "engine/$module.h")
    done | sort
}
installed_headers() {
    sed -n '/^set(PUBLIC_HEADERS/,/)/p' cmake/install.cmake | grep -oE '[a-z_/]+\.h' | sort
}
diff <(public_headers) <(installed_headers) |
    sed -nE 's/^< (.*)/\1: is included by reshard.h and not installed/p
             s/^> (.*)/\1: is installed and not included by reshard.h/p' |
    rule "the installed headers are reshard.h and all that it includes"

# --- what was compiled ----------------------------------------------------------------------------

# Names of data that can be written to: constant tables with addresses in them (.data.rel.ro) cannot.
# The counters of gcov and the tables of sanitizers are not ours.
mutable_data() { # ARCHIVE
    objdump -t "$1" | awk '
        /file format/ { object = $1; sub(/:$/, "", object) }
        $0 ~ /[ \t](\.data|\.bss|\.tdata|\.tbss|\*COM\*)(\.[^ \t]*)?[ \t]/ && $0 !~ /\.data\.rel\.ro/ {
            name = $NF
            if ($0 ~ / O / || $0 ~ /\*COM\*/ || ($0 ~ /[ \t]\.t(data|bss)/ && $0 !~ / d /))
                if (name !~ /gcov|asan|ubsan|^\.L/) print object " " name
        }' | sed 's/:$//'
}

if [ -n "$build" ]; then
    core=$(find "$build" -name libreshard-core.a -print -quit)
    mpi=$(find "$build" -name libreshard-mpi.a -print -quit)
    { [ -n "$core" ] && [ -n "$mpi" ] || echo "$build: has no libreshard-core.a and libreshard-mpi.a"; } |
        rule "the engine's libraries are built"
    { nm -A "$core" 2>/dev/null | grep -E ' P?(MPI|SMPI|smpi|simgrid|sg)_'; } |
        rule "the core's objects have no symbol of MPI or SimGrid"
    { mutable_data "$core"; mutable_data "$mpi"; } |
        rule "the engine has no data that can be written to"
fi

[ "$broken" -eq 0 ] || printf '%d rules are broken\n' "$broken"
[ "$broken" -eq 0 ]
