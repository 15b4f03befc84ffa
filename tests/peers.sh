#!/bin/bash
# SPDX-License-Identifier: MIT
# Downloads Debian packages, with those of their dependencies that are not installed, and unpacks them under
# build/peers, where the tests find programs that must not become services of this machine.
#   tests/peers.sh redis-server redis-tools
#   LD_LIBRARY_PATH=build/peers/usr/lib/x86_64-linux-gnu build/peers/usr/bin/redis-server …
# Needs no root: package lists that are missing or stale are replaced by private ones. Unpacked packages stay.
set -u
cd "$(dirname "$0")/.." || exit 2
[ $# -gt 0 ] || { echo "usage: tests/peers.sh PACKAGE…" >&2; exit 2; }

peers=$PWD/build/peers
done_dir=$peers/.unpacked # one empty file per package that is complete, dependencies included
mkdir -p "$done_dir" "$peers/.apt" || exit 1

# One at a time: two targets may want the same package.
exec 8>"$peers/.lock"
flock 8

wanted=()
for package in "$@"; do
    [ -e "$done_dir/$package" ] || wanted+=("$package")
done
[ ${#wanted[@]} -gt 0 ] || exit 0

command -v apt-get >/dev/null || { echo "peers: this is not a Debian system; missing: ${wanted[*]}" >&2; exit 1; }
quiet=(-q -o Debug::NoLocking=1 -o "APT::Sandbox::User=$(id -un)")

# What is named, and what apt would newly install beside it ("Inst name (…"; an upgrade says "Inst name [old] (…").
unpack() { # apt options
    local names
    names=$(apt-get "${quiet[@]}" "$@" --simulate --no-install-recommends install "${wanted[@]}" 2>>"$log" |
        sed -n 's/^Inst \([^ ]*\) (.*/\1/p'; exit "${PIPESTATUS[0]}") || return 1
    # shellcheck disable=SC2086 # one word per package, here and below
    names=$(printf '%s\n' "${wanted[@]}" $names | sort -u)
    rm -f "$peers"/.apt/*.deb
    echo "peers: downloading ${names//$'\n'/ }"
    # shellcheck disable=SC2086
    (cd "$peers/.apt" && apt-get "${quiet[@]}" "$@" download $names >>"$log" 2>&1) || return 1
    for file in "$peers"/.apt/*.deb; do
        dpkg-deb -x "$file" "$peers" || return 1
    done
}

log=$peers/.apt/log
: >"$log"
private=(-o "Dir::State=$peers/.apt/state" -o "Dir::Cache=$peers/.apt/cache" -o Dir::State::status=/var/lib/dpkg/status)
update_private() {
    mkdir -p "$peers/.apt/state/lists/partial" "$peers/.apt/cache/archives/partial"
    apt-get "${quiet[@]}" "${private[@]}" update >>"$log" 2>&1
}
if ! unpack && ! { update_private && unpack "${private[@]}"; }; then
    cat "$log" >&2
    echo "peers: could not download ${wanted[*]}" >&2
    exit 1
fi
rm -f "$peers"/.apt/*.deb
for package in "${wanted[@]}"; do
    : >"$done_dir/$package"
done
