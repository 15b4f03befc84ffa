#!/bin/bash
# SPDX-License-Identifier: MIT
# The build itself: that nothing is left to do after it, that it knows which file depends on which header, and that
# `make help` tells of every target.
. "$(dirname "$0")/../tap.sh"

try_make() { make CC="$CC" "$@"; }

# compiled_again HEADER: the objects that a change to it would compile again.
compiled_again() { try_make -n -W "$1" all 2>/dev/null | grep -o -- '-c [^ ]*'; }
compiles_again() { compiled_again "$1" | grep -qxe "-c $2"; }
leaves_alone() { ! compiles_again "$1" "$2"; }

try_make all >/dev/null 2>&1
try "after a build there is nothing to do" try_make -q all
try "a header that changed compiles its users again" compiles_again libsync/include/ring3/rbtree.h libsync/src/rbtree.c
try "and those that reach it through another header" compiles_again libsync/include/ring3/container.h libsync/src/rbtree.c
try "and nobody else" leaves_alone libsync/include/ring3/rbtree.h libsync/src/env.c
try "private headers count too" compiles_again libsync/src/env_find.h libsync/src/env.c
try "another compiler builds into its own folder" says "-o build/clang" make -n -B CC=clang all
try "so does a sanitizer" says "-o build/thread" make -n -B CC=gcc SAN=thread all
try "so does a debug build" says "-o build/debug" make -n -B CC=gcc DEBUG=1 all

# Targets that a person types: those declared .PHONY that do something.
targets() {
    make -npq 2>/dev/null |
        awk 'BEGIN { RS = "" } /Phony target/ && /recipe to execute/ { sub(/:.*/, ""); print }' | sort -u
}
for target in $(targets); do
    try "make help tells of $target in one line" is 1 sh -c "make help | grep -c '^  $target '"
done
