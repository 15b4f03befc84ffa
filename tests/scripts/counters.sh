#!/bin/bash
# SPDX-License-Identifier: MIT
# `ring3 counters` looks into a running process: linked with the shared or the static library, and says why it cannot.
. "$(dirname "$0")/../tap.sh"

ring3=$top/$B/bin/ring3
cat >"$work/counting.c" <<'C'
#include <ring3/counters.h>
#include <stdio.h>
#include <unistd.h>
int main(void)
{
    static int rows[4];
    ring3_counter_add(ring3_counter("test.events", RING3_COUNTER_COUNT), 42);
    ring3_counter_set(ring3_counter("test.level", RING3_COUNTER_LEVEL), 7);
    ring3_counter_table("test.rows", rows, 4, sizeof rows[0]);
    puts("ready");
    fflush(stdout);
    return getchar() == EOF ? 0 : 1;
}
C
$CC -Ilibsync/include "$work/counting.c" -L"$B/lib" -lring3-sync -Wl,-rpath,"$top/$B/lib" -o "$work/shared"
$CC -Ilibsync/include "$work/counting.c" "$B/lib/libring3-sync.a" -lpthread -o "$work/static"

# seen PROGRAM ARGUMENT…: what `ring3 counters PID ARGUMENT…` prints of the program while it waits.
seen() {
    local program=$1 in out status line
    shift
    coproc { exec "$program"; }
    out=${COPROC[0]} in=${COPROC[1]}
    read -r line <&"$out"
    [ "$line" = ready ] || return 1
    status=0
    "$ring3" counters "$COPROC_PID" "$@" || status=$?
    exec {in}>&-
    wait
    return $status
}

try "a program with the shared library shows its counters" is "libring3-sync.so.0 test.events 42
libring3-sync.so.0 test.level 7
libring3-sync.so.0 test.rows 4 rows of 4 bytes" seen "$work/shared" test.
try "a program with the static library shows its counters" is "static test.events 42" seen "$work/static" test.e

# The runtime of user threads shows how often it did what costs something.
cat >"$work/runtime.c" <<'C'
#include <ring3/thread.h>
#include <stdio.h>
int main(void)
{
    if (ring3_runtime_start(&(ring3_runtime_options_t){.workers = 1}) != 0)
        return 1;
    puts("ready");
    fflush(stdout);
    return getchar() == EOF ? 0 : 1;
}
C
$CC -Ilibsched_user/include -Ilibsync/include "$work/runtime.c" "$B/lib/libring3-sched.a" "$B/lib/libring3-sync.a" -lpthread -o "$work/runtime"
try "a program with user threads shows what its scheduler did" is "runtime sched.preempted 0
runtime sched.stolen 0" eval 'seen "$work/runtime" sched. | grep -v sched.runtime | sort'
try "a process without ring3 has none" gives 1 "$ring3" counters $$
try "a process that is not there is status 1" gives 1 "$ring3" counters 999999999
try "a word is no process" gives 2 "$ring3" counters init
try "no argument is status 2" gives 2 "$ring3" counters
