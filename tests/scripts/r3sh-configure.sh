#!/bin/bash
# SPDX-License-Identifier: MIT
# The configure scripts of Debian source packages: r3sh makes of them the same config.h, makefiles and libtool as dash. They are
# downloaded and take minutes, so this runs in make stress only.
#   SOURCES=dir   where unpacked sources are, to be used as they are
. "$(dirname "$0")/../r3sh.sh"

if [ -z "${RING3_TEST_LONG:-}" ] || ! command -v dash >/dev/null; then
    skip 'a configure script makes the same of the machine as under dash' 'takes minutes: RING3_TEST_LONG=1 runs it'
    exit
fi

# The source packages of the archive that this machine installs from, in lists of their own.
mkdir -p "$work/lists/partial"
apt-get indextargets --format 'deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(REPO_URI) $(CODENAME) main' 'Created-By: Packages' 'Component: main' 2>/dev/null |
    grep '/debian/ ' | sort -u >"$work/sources.list"
archive=(-o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$work/lists" -o APT::Sandbox::User=root)
sources=${SOURCES:-$work/sources}
mkdir -p "$sources"
mkdir "$work/dash"
ln -s "$(command -v dash)" "$work/dash/sh"

# fetches NAME: its configure script is in $sources/NAME then.
fetches() {
    [ ! -e "$sources/$1/configure" ] || return 0
    [ -e "$work/updated" ] || apt-get "${archive[@]}" -qq update || return
    : >"$work/updated"
    mkdir -p "$sources/$1" "$work/download" && (
        cd "$work/download" && apt-get "${archive[@]}" -qq source --download-only "$1" &&
            tar -C "$sources/$1" --strip-components=1 -xf "$1"_*.orig.tar.*[!c]
    ) && {
        [ -e "$sources/$1/configure" ] || # a package may keep its own archive within
            tar -C "$sources/$1" --strip-components=1 -xf "$sources/$1"/*.tar.*
    }
}
# configures SHELL DIRECTORY NAME: what it made, without what differs from run to run by itself
configures() {
    mkdir -p "$2" && (
        cd "$2" || exit
        env PATH="$(dirname "$1"):$PATH" CONFIG_SHELL="$1" SHELL="$1" FORCE_UNSAFE_CONFIGURE=1 \
            "$1" "$sources/$3/configure" --disable-dependency-tracking >../log 2>&1 || { tail ../log; exit 1; }
        find . -name '*config*.h' -o -name Makefile -o -name libtool | sort | while read -r file; do
            sed "s|$1|SHELL|g; s|$(dirname "$1")|BIN|g" "$file" >"$file.same" || exit
        done
    )
}
same() { # NAME
    if ! fetches "$1"; then
        echo "cannot be downloaded"
        return 1
    fi
    # One directory for both, since its name is in what they make.
    configures "$work/dash/sh" "$work/run/build" "$1" && mv "$work/run/build" "$work/run/by-dash" &&
        configures "$sh" "$work/run/build" "$1" && mv "$work/run/build" "$work/run/by-r3sh" &&
        (cd "$work/run/by-dash" && find . -name '*.same' | sort | while read -r file; do
            cmp "$file" "../by-r3sh/$file" || exit
        done) && [ -n "$(find "$work/run/by-r3sh" -name '*config*.h.same')" ]
    local status=$?
    rm -rf "$work/run"
    return $status
}
try 'bash' same bash
try 'libffi, which has libtool' same libffi
try 'coreutils, which is large' same coreutils
