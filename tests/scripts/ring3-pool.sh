#!/bin/bash
# SPDX-License-Identifier: MIT
# `ring3 pool top` looks into the pools of a running process, and traces are JSON that others can read.
. "$(dirname "$0")/../tap.sh"

ring3=$top/$B/bin/ring3
cat >"$work/pools.c" <<'C'
#include <ring3/pool_figures.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int brief(ring3_task_t *task)
{
    (void)task;
    usleep(1000);
    return 0;
}

int main(int argc, char **argv)
{
    const ring3_pool_options_t measured = {.name = "measured", .max = 2, .capacity = 77, .measure = true};
    const ring3_pool_options_t plain = {.name = "plain", .max = 1};
    ring3_pool_t *first, *second;
    ring3_pooltrace_t *trace;
    ring3_task_t tasks[10];

    if (ring3_pool_create(&first, &measured) || ring3_pool_create(&second, &plain) || ring3_pooltrace_create(&trace, 100))
        return 1;
    ring3_pool_trace(first, trace);
    memset(tasks, 0, sizeof tasks);
    for (int i = 0; i < 10; i++) {
        tasks[i].run = brief;
        ring3_pool_submit(i % 2 ? first : second, &tasks[i], RING3_POOL_BLOCK, NULL);
    }
    for (int i = 0; i < 10; i++)
        ring3_task_wait(&tasks[i], NULL);
    if (argc > 1)
        return ring3_pooltrace_write(trace, 1) ? 1 : 0;
    if (ring3_pool_destroy(second))
        return 1;
    puts("ready");
    fflush(stdout);
    (void)argv;
    return getchar() == EOF ? 0 : 1;
}
C
$CC -Ilibthreadpool/include -Ilibsync/include "$work/pools.c" "$B/lib/libring3-threadpool.a" "$B/lib/libring3-sync.a" -lpthread -o "$work/pools"

# seen ARGUMENT…: what `ring3 pool top ARGUMENT… PID` prints of the program while it waits.
seen() {
    local out in status=0 line
    coproc { exec "$work/pools"; }
    out=${COPROC[0]} in=${COPROC[1]}
    read -r line <&"$out"
    [ "$line" = ready ] || return 1
    "$ring3" pool top "$@" "$COPROC_PID" || status=$?
    exec {in}>&-
    wait
    return $status
}

seen -n 1 -d 0.01 -o 0.5 >"$work/top" 2>"$work/error"
try "top shows a pool that is there" grep -qE '^measured +2/ +2 +0 +0/ +77 +0 +0 +0 +0$' "$work/top"
try "and none that has gone" gives 1 grep -q '^plain' "$work/top"
try "times of a measured pool" grep -qE '^ +latency +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9.]+$' "$work/top"
try "the share of tasks over a bound" grep -qF '  longer than 0.5 ms: 100.000 %' "$work/top"
try "how long the queue was" grep -qE '^  queue  0: [1-9]' "$work/top"
try "nothing on stderr" gives 1 grep . "$work/error"
try "a process without pools is status 1" gives 1 "$ring3" pool top $$
try "a process that is not there is status 1" gives 1 "$ring3" pool top 999999999
try "a word is no process" gives 2 "$ring3" pool top init
try "no process is status 2" gives 2 "$ring3" pool top
try "no verb is status 2" gives 2 "$ring3" pool
try "a wrong option is status 2" gives 2 "$ring3" pool top -d never 1
try "--help" "$ring3" pool --help

"$work/pools" trace >"$work/trace.json"
if command -v python3 >/dev/null; then
    try "a trace is JSON with one event per task" python3 - "$work/trace.json" <<'P'
import json, sys
events = json.load(open(sys.argv[1]))["traceEvents"]
tasks = [e for e in events if e.get("cat") == "task"]
names = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
assert len(tasks) == 5, tasks
assert all(names[e["tid"]].startswith("measured/") and e["dur"] >= 1000 and e["args"]["wait_us"] >= 0 for e in tasks), tasks
P
else
    skip "a trace is JSON with one event per task" "no python3 here"
fi
