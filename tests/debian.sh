#!/usr/bin/env bash
# debian.sh [--mirror URL] [--directory DIRECTORY] RELEASE [COMMAND...]: prove this tree on another
# release of Debian (12, 13, or a code name). Makes a minimal system of that release, once, and runs
# in it, in a copy of the tree, the README's two commands or the given one. Passes on its status.
#
# Needs root, debootstrap and git. Packages come from where this system's apt gets its own, through
# the same proxies, unless a mirror is named. Mounts and processes are in namespaces of their own,
# and gone when this ends. The system and the copy's build trees stay, so that a second run is short.
set -euo pipefail

fail() { # STATUS MESSAGE...
    local status=$1
    shift
    printf 'debian.sh: %s\n' "$*" >&2
    exit "$status"
}

mirror='' directory=''
while [ $# -gt 0 ]; do
    case $1 in
        --mirror | --directory)
            [ $# -ge 2 ] || fail 2 "$1 needs a value"
            [ "$1" = --mirror ] && mirror=$2 || directory=$2
            shift 2
            ;;
        -*) fail 2 "there is no option $1" ;;
        *) break ;;
    esac
done
[ $# -gt 0 ] || fail 2 "which release: 12, 13, or a code name?"
case $1 in
    12) suite=bookworm ;;
    13) suite=trixie ;;
    *) suite=$1 ;;
esac
release=$1
shift

[ "$(id -u)" -eq 0 ] || fail 4 "needs root, for debootstrap, mount and chroot"
for tool in debootstrap unshare git; do
    command -v "$tool" >/dev/null || fail 4 "needs the command $tool"
done

tree=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
root=$(realpath -m -- "${directory:-$tree/build-debian/$release}")

# Where apt gets Debian itself from, not its security updates and not what others add.
apt_mirror() {
    # shellcheck disable=SC2016 # apt's variable
    apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Label: Debian' \
        'Created-By: Packages' 2>/dev/null | sed -n 1p
}

# A system that was not finished would be taken for one that is, hence the other name until it is.
make_system() {
    [ -n "$mirror" ] || mirror=$(apt_mirror)
    [ -n "$mirror" ] || fail 4 "apt names no mirror of Debian: apt-get update, or --mirror URL"
    mkdir -p "$(dirname -- "$root")"
    rm -rf --one-file-system "$root.unfinished"
    debootstrap --variant=minbase "$suite" "$root.unfinished" "$mirror" >&2 ||
        fail 4 "debootstrap could not make '$suite' from $mirror"
    # What this system's apt is told about the network, that one's must know as well.
    apt-config dump | grep -E '^Acquire::(https?|ftp|Retries|Check-Date|Check-Valid-Until)\b' \
        >"$root.unfinished/etc/apt/apt.conf.d/00network" || true
    mv "$root.unfinished" "$root"
}

# The tree as it is now, committed or not, without what git ignores. Build trees of the copy stay.
copy_tree() {
    mkdir -p "$root/reshard"
    find "$root/reshard" -mindepth 1 -maxdepth 1 ! -name 'build*' -exec rm -rf {} +
    git -C "$tree" ls-files -z --cached --others --exclude-standard |
        (cd "$tree" && while IFS= read -r -d '' file; do
            [ ! -e "$file" ] || printf '%s\0' "$file"
        done) | tar -C "$tree" --null --no-recursion -T - -c | tar -C "$root/reshard" --no-same-owner -x
}

# Only what names the network and the number of jobs goes in; a compiler launcher, say, is not there.
inherited() {
    env -0 | grep -zE '^(RESHARD_[A-Z_]*|https?_proxy|no_proxy|HTTPS?_PROXY|NO_PROXY|CI)=' || true
}

# Arguments: COMMAND... MPI needs /proc, shared memory in /dev/shm, and /sys, where it looks for processors
# and networks and complains of those it cannot find; other devices were made by debootstrap.
enter() {
    local -a environment
    mapfile -d '' -t environment < <(inherited)
    # shellcheck disable=SC2016 # expanded by the inner shell
    unshare --mount --pid --fork --kill-child bash -c '
        set -e
        root=$1
        shift
        mount -t proc proc "$root/proc"
        mount -t sysfs -o ro sysfs "$root/sys"
        mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
        exec chroot "$root" "$@"' enter "$root" \
        /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
        ${environment[@]+"${environment[@]}"} /bin/sh -c 'cd /reshard && exec "$@"' sh "$@"
}

[ -d "$root" ] || make_system
cp -L /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || true
copy_tree
printf 'debian.sh: Debian %s, in %s\n' "$(cat "$root/etc/debian_version")" "$root" >&2
if [ $# -gt 0 ]; then
    enter "$@"
else
    enter ./dev demo
    enter ./dev test
fi
