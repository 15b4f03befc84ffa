#!/bin/bash
# SPDX-License-Identifier: MIT
# The verb `ring3 sched`: charts, comparisons, pictures, and errors by line and column.
. "$(dirname "$0")/../tap.sh"

ring3=$top/$B/bin/ring3
printf 'job P1 arrive=0 cpu=7\njob P2 arrive=2 cpu=4\njob P3 arrive=4 cpu=1\njob P4 arrive=5 cpu=4\n' >"$work/four"

sim() { "$ring3" sched sim "$@"; }
piped() { printf '%b' "$1" | "$ring3" sched sim -; }

try "a chart" is "P1 0-2, P2 2-4, P1 4-6, P3 6-7, P2 7-9, P4 9-11, P1 11-13, P4 13-15, P1 15-16" \
    sim --gantt --policy=rr,quantum=2 "$work/four"
try "a table with means" says "mean                                7       2.75         11" sim --policy=rr,quantum=3 "$work/four"
try "a picture in characters" says 'P1  |###   ###     # |' sim --policy=rr,quantum=3 "$work/four"

all() { [ "$(sim --all "$work/four" | wc -l)" = $(($("$ring3" sched policies | wc -l) + 1)) ]; }
try "--all compares every policy" all
try "policies side by side" says "srtf                                    3          0.5" \
    sim --policy=fcfs --policy=srtf "$work/four"

picture() {
    sim --policy=fcfs --policy=rr --svg="$work/picture.svg" "$work/four" >/dev/null &&
        python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' "$work/picture.svg"
}
try "the SVG picture is well-formed XML" picture

same() { cmp <(sim --generate=50 --seed=5 --all) <(sim --generate=50 --seed=5 --all); }
try "the same seed gives the same figures" same
try "a thousand jobs on four CPUs" says "utilisation" sim --generate=1000 --gap=1 --cpus=4 --policy=cfs

try "an error has file, line, column and reason" is "-:2:7: unknown word \"cpuu\"" piped 'job a cpu=1\njob b cpuu=2\n'
try "a wrong job file ends with 1" gives 1 piped 'job a\n'
try "a missing file ends with 1" gives 1 sim "$work/absent"
try "an unknown policy ends with 2" gives 2 sim --policy=best "$work/four"
try "an unknown option ends with 2" gives 2 sim --fast "$work/four"
try "no file ends with 2" gives 2 sim
try "help ends with 0" gives 0 "$ring3" sched --help

# --- top: another process's workers and threads ---
$CC -std=gnu17 -g -O1 -fno-optimize-sibling-calls -Ilibsched_user/include -Ilibsync/include tests/sched/programs/watched.c \
    "$B/lib/libring3-sched.a" "$B/lib/libring3-sync.a" -lpthread -o "$work/watched" || exit 1

# seen ARGUMENT…: what `ring3 sched top ARGUMENT… PID` prints of the program while it waits.
seen() {
    local in out line status=0
    coproc { exec "$work/watched"; }
    out=${COPROC[0]} in=${COPROC[1]}
    read -r line <&"$out"
    [ "$line" = ready ] || return 1
    "$ring3" sched top "$@" "$COPROC_PID" || status=$?
    exec {in}>&-
    wait
    return $status
}

seen -n 1 -d 0.01 -t >"$work/top" 2>"$work/error"
try "top shows the policy and counts kernel threads" grep -qE '^fcfs: 2 workers, 2 kernel threads; [0-9]+ stolen, 0 preempted, 0 handed over$' "$work/top"
try "what a worker runs" grep -qE '^ +0 +[0-9]+ +[0-9]+ +1 +0  main$' "$work/top"
try "and one with nothing to do" grep -qE '^ +1 +[0-9]+ +[0-9]+ +0 +[0-9]+  \((sleeps|polls|idle)\)$' "$work/top"
try "threads that wait, with their figures" grep -qE '^ +2 blocked +0 +1 +0 +[0-9.]+ +[0-9.]+ +0  sleeper$' "$work/top"
try "one that has not run" grep -qE '^ +3 new +0 +0 +0 +0\.000 +0\.000 +0  unborn$' "$work/top"
try "how many there are of each state" grep -qF 'threads: 1 new, 0 ready, 1 running, 1 blocked, 0 ended' "$work/top"
try "nothing on stderr" gives 1 grep . "$work/error"
try "without -t no thread is listed" gives 1 grep sleeper <<<"$(seen -n 1 -d 0.01)"
try "a process without such threads is status 1" gives 1 "$ring3" sched top $$
try "a process that is not there is status 1" gives 1 "$ring3" sched top 999999999
try "a word is no process" gives 2 "$ring3" sched top init
try "no process is status 2" gives 2 "$ring3" sched top
try "a wrong option is status 2" gives 2 "$ring3" sched top -d never 1

# --- Records of schedules, and the same seed ---
$CC -std=gnu17 -g -O1 -Ilibsched_user/include -Ilibsync/include tests/sched/programs/replayed.c \
    "$B/lib/libring3-sched.a" "$B/lib/libring3-sync.a" -lpthread -o "$work/replayed" || exit 1
"$work/replayed" record "$work/schedule" lottery,seed=5 >"$work/recorded"
replay() { "$work/replayed" replay "$work/schedule" "$@"; }
try "a run on the real clock is recorded" says ' choices, diverged at 0' cat "$work/recorded"
try "another seed would go another way" gives 1 cmp -s "$work/recorded" <("$work/replayed" record "$work/other" lottery,seed=6)
try "but replayed goes the recorded one" cmp "$work/recorded" <(replay lottery,seed=6)
try "and so does another policy" cmp "$work/recorded" <(replay priority)
replay lottery,seed=5 other >"$work/output" 2>"$work/error"
try "a program that goes another way is told so" says "ring3 sched: replay: choice " cat "$work/error"
try "and goes on" grep -qE 'choices, diverged at [1-9]' "$work/output"
head -c 30 "$work/schedule" | sed '$d' >"$work/short"
short() { "$work/replayed" replay "$work/short" lottery 2>&1; }
try "a record that is too short is told" says "$work/short: the record ends here" short
printf 'ring3 schedule 1\n1\nx\n' >"$work/wrong"
wrong() { "$work/replayed" replay "$work/wrong" lottery 2>&1; }
try "a file that is no record is -EINVAL" says "Invalid argument" wrong
trace() { "$work/replayed" trace "lottery,seed=$1"; }
try "the same seed gives the same trace, byte by byte" cmp <(trace 3) <(trace 3)
try "another seed another one" gives 1 cmp -s <(trace 3) <(trace 4)

# --- Dumps of all threads, by a signal, and of deadlocks ---
$CC -std=gnu17 -g -O1 -fno-optimize-sibling-calls -Ilibsched_user/include -Ilibsync/include tests/sched/programs/dumped.c \
    "$B/lib/libring3-sched.a" "$B/lib/libring3-sync.a" -lpthread -o "$work/dumped" || exit 1

# dumped WORD SIGNAL ARGUMENT…: what the program has on stderr until it says WORD there, with SIGNAL when it is ready.
dumped() {
    local word=$1 signal=$2 out line tries=0
    shift 2
    coproc { RING3_SCHED=fcfs,dump=SIGUSR1 exec "$work/dumped" "$@" 2>"$work/dump"; }
    out=${COPROC[0]}
    read -r line <&"$out"
    [ "$line" = ready ] || return 1
    [ -z "$signal" ] || kill -s "$signal" "$COPROC_PID"
    until grep -q "$word" "$work/dump" || [ $((tries++)) -gt 600 ]; do sleep 0.1; done
    kill -s KILL "$COPROC_PID"
    wait 2>/dev/null
    cat "$work/dump"
}

if [[ ${SAN-} = *thread* ]]; then
    skip "a signal has all threads dumped" "under TSan handlers do not run where the signal came"
    exit
fi
signalled=$(dumped 'ring3 sched: deadlock' USR1)
for line in 'ring3 sched: 6 threads of process ' 'thread 1 (main): blocked, worker 0' 'thread 2 (deep): blocked, worker 0' \
    'thread 5 (computes): running, worker ' 'thread 6 (announces): ended' '    waits for thread 4 (kant)' \
    'ring3 sched: deadlock: kant waits for plato waits for kant'; do
    try "a signal has written \"$line\"" says "$line" echo "$signalled"
done
try "not that all are blocked" gives 1 grep 'all threads are blocked' <<<"$signalled"
if [ "$(uname -m)" = x86_64 ] || [ "$(uname -m)" = aarch64 ]; then
    depth() { [ "$(grep -c '  #[0-9]* .*wait_in_depth' <<<"$signalled")" -ge 3 ] || { echo "$signalled"; return 1; }; }
    if command -v addr2line >/dev/null; then
        try "where a thread waits, call by call" depth
        try "and where one is that runs" says "#0 compute at dumped.c:" echo "$signalled"
    fi
fi
unasked=$(dumped 'ring3 sched: deadlock' '' idle)
try "a deadlock is told unasked" says 'ring3 sched: deadlock: kant waits for plato waits for kant' echo "$unasked"
try "and that all threads are blocked" says 'ring3 sched: all threads are blocked' echo "$unasked"
