#!/bin/bash
# SPDX-License-Identifier: MIT
# Taking and giving back a lock that nobody else wants is no business of the kernel's: between the two markers of
# tests/programs/uncontended.c a trace shows no system call.
. "$(dirname "$0")/../tap.sh"

# calls NAME: how many system calls a trace shows between the markers; fails unless both markers are there.
calls() {
    strace -f -o "$work/trace" "$B/tests/uncontended" "$1" || return 1
    awk '/ getppid\(/ { marks++; next } marks == 1 { count++ } END { print count + 0; exit marks != 2 }' "$work/trace"
}

if ! strace -o /dev/null true 2>"$work/why"; then
    skip "uncontended locks make no system calls" "strace may not trace here: $(head -n 1 "$work/why")"
    exit
fi
for lock in mutex $("$B/tests/uncontended" list); do
    try "$lock: 200,000 times lock and unlock without a system call" is 0 calls "$lock"
done
