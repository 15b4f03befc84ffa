#!/bin/bash
# SPDX-License-Identifier: MIT
# ring3/lockable.hpp with the tools of the C++ library, under both compilers.
. "$(dirname "$0")/../tap.sh"

for compiler in g++ clang++; do
    if ! command -v $compiler >/dev/null; then
        skip "$compiler: lockable.hpp" "no $compiler here"
        continue
    fi
    try "$compiler compiles lockable.hpp without a warning" $compiler -std=c++17 -O1 -Wall -Wextra -Wpedantic -Werror \
        -Ilibsync/include tests/sync/programs/lockable.cc "$B/lib/libring3-sync.a" -lpthread -o "$work/lockable"
    try "$compiler: the standard's guards and conditions work on it" timeout 60 "$work/lockable"
done
