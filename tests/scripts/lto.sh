#!/bin/bash
# SPDX-License-Identifier: MIT
# A static variable that does not leave its file, under every lock, with the locks open to link-time optimisation: what
# the compiler believes to be untouched it must not believe here.
. "$(dirname "$0")/../tap.sh"

program=tests/sync/programs/nonescaping.c
whole() { # compiler, options
    "$@" -std=gnu17 -O2 -flto -D_GNU_SOURCE -Ilibsync/include -iquote libsync/src $program libsync/src/*.c -lpthread \
        -o "$work/whole" && timeout 120 "$work/whole"
}

for compiler in gcc clang; do
    if ! command -v $compiler >/dev/null; then
        skip "$compiler: locks guard what does not escape" "no $compiler here"
        continue
    fi
    try "$compiler: locks guard what does not escape, in one program with link-time optimisation" whole $compiler
    try "$compiler: and against the library" $compiler -std=gnu17 -O2 -D_GNU_SOURCE -Ilibsync/include $program \
        "$B/lib/libring3-sync.a" -lpthread -o "$work/part"
    try "$compiler: which counts right" timeout 120 "$work/part"
done
