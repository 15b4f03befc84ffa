#!/bin/bash
# SPDX-License-Identifier: MIT
# gdb shows locks in words (libsync/gdb/ring3.py), and user-level threads (libsched_user/gdb/threads.py).
. "$(dirname "$0")/../tap.sh"

if ! gdb -batch -ex 'python pass' >/dev/null 2>&1; then
    skip "gdb shows locks in words" "no gdb with Python here"
    exit
fi
$CC -std=gnu17 -g -O0 -Ilibsync/include tests/sync/programs/printed.c "$B/lib/libring3-sync.a" -lpthread \
    -o "$work/printed" || exit 1
show() {
    timeout 120 gdb -nx -batch -ex 'set debuginfod enabled off' -ex 'source libsync/gdb/ring3.py' -ex 'break printed.c:look' \
        -ex run -ex 'print mutex' -ex 'print robust' -ex 'print sem' -ex 'print event' -ex 'print ticket' \
        -ex 'print queued' -ex 'print slice' -ex 'print adaptive' -ex 'print array' "$work/printed" 2>&1
}
shown=$(show)
if [[ $shown != *'Breakpoint 1, look'* ]]; then
    skip "gdb shows locks in words" "gdb cannot run a program here"
    exit
fi
for line in '= mutex: held on CPU ' '= robust mutex: held by thread ' '= semaphore: 3 permits, 0 waiters' \
    '= event: set, set 1 times' '= spinlock ticket, waits park: ticket lock: serving 0, next 1, 0 waiting' \
    '= spinlock queued, waits adaptive: queued lock: free' '= spinlock slice, waits spin: slice lock: held' \
    '= spinlock adaptive, waits adaptive: mutex: free' \
    '= spinlock array, waits yield: array lock: 4 slots, next 1, held'; do
    try "gdb prints \"$line\"" says "$line" echo "$shown"
done

# --- User-level threads ---
$CC -std=gnu17 -g -O1 -fno-optimize-sibling-calls -Ilibsched_user/include -Ilibsync/include tests/sched/programs/sleepers.c \
    "$B/lib/libring3-sched.a" "$B/lib/libring3-sync.a" -lpthread -o "$work/sleepers" || exit 1
threads() {
    timeout 120 gdb -nx -batch -ex 'set debuginfod enabled off' -ex 'source libsched_user/gdb/threads.py' "$@" 2>&1
}
live=$(threads -ex 'break sleepers.c:look' -ex run -ex 'ring3 threads' -ex 'ring3 bt 4' "$work/sleepers")
for line in '1: main: running, worker 0, kernel thread ' '2: first: blocked, worker 0' '5: unborn: new, worker 0'; do
    try "gdb lists \"$line\"" says "$line" echo "$live"
done
# The third thread is three calls deep.
in_depth() {
    [ "$(grep -c 'wait_in_depth (depth' <<<"$1")" = 4 ] && grep -q ' body (' <<<"$1" && grep -q 'ring3_sem_wait' <<<"$1" ||
        { echo "$1"; return 1; }
}
if [ "$(uname -m)" != x86_64 ]; then
    skip "gdb shows where a thread waits" "the script knows the stacks of x86-64"
else
    try "gdb shows where a thread waits" in_depth "$live"
    { (cd "$work" && ulimit -c unlimited && ./sleepers); } >/dev/null 2>&1
    core=$(find "$work" -maxdepth 1 -name 'core*' | head -1)
    if [ -n "$core" ]; then
        try "and from a core file" in_depth "$(threads -ex 'ring3 bt 4' "$work/sleepers" "$core")"
    else
        skip "and from a core file" "this kernel puts core files elsewhere"
    fi
fi
