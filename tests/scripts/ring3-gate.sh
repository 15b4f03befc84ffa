#!/bin/bash
# SPDX-License-Identifier: MIT
# libring3-gate.so: unmodified programs whose threads run so many at a time, as a policy says. Every function answers as
# libc's does; charts, the same run for the same seed, deadlocks in words.
. "$(dirname "$0")/../tap.sh"

gate=$top/$B/lib/libring3-gate.so
ring3=$top/$B/bin/ring3
locks=$top/$B/tests/locks
$CC -std=gnu17 -O2 -g tests/sched/programs/gated.c -o "$work/gated" -lpthread || exit 1
cd "$work" || exit 1
unset RING3_SCHED RING3_GATE

# with SETTINGS CMD…
with() {
    local settings=$1
    shift
    RING3_GATE=$settings LD_PRELOAD=$gate timeout -k 5 300 "$@"
}

try "libc itself passes" is ok timeout -k 5 300 ./gated
parts=(locks waiting cancelling io others loops)
for part in "${parts[@]}"; do
    for settings in places=1 places=2; do
        try "$settings: $part" is ok with "$settings" ./gated "$part"
    done
    try "seed=1: $part" says ok with seed=1 ./gated "$part"
done
try "who makes no calls is interrupted, and that is said" says "t1 makes no calls while others wait" \
    with seed=1 ./gated loops

"$ring3" sched policies >policies
while read -r policy _; do
    under() { RING3_SCHED=$policy with places=1 ./gated waiting; }
    try "policy $policy" is ok under
done <policies

# --- The answers of libc ---
"$locks/conformance" >libc 2>libc.errors
# With a seed the gate interrupts, and says so, who makes no calls for a while: so does who gets no CPU for a while.
answers_as_libc() {
    [ "$(wc -l <libc)" -gt 1000 ] || { echo "libc's answers are missing"; return 1; }
    with "$1" "$locks/conformance" >ours 2>errors || { echo "status $?"; return 1; }
    diff libc ours && diff libc.errors <(grep -v 'makes no calls while others wait' errors)
}
for settings in places=1 seed=1; do
    try "$settings: every function answers as libc's" answers_as_libc "$settings"
    for test in $("$locks/torture"); do
        try "$settings: $test" with "$settings" "$locks/torture" "$test"
    done
done

# --- A seed ---
recorded() { with "seed=$1,trace=$2.json,gantt=$2.txt,epoch=1000" ./gated waiting; }
same_seed() {
    recorded 7 first && recorded 7 second && cmp first.json second.json && cmp first.txt second.txt
}
try "the same seed gives the same trace, byte by byte" is "ok
ok" same_seed
other_seed() { recorded 8 third && ! cmp -s first.json third.json; }
try "another seed gives another" other_seed
try "with a seed sleeping takes no time" timeout 60 env RING3_GATE=seed=1 "LD_PRELOAD=$gate" sleep 100000
try "with a seed there is one place, and that is said" says "there is one place" with seed=1,places=3 true

# --- Charts ---
is_json() { python3 -c 'import json, sys; print(len(json.load(open(sys.argv[1]))["traceEvents"]) > 50)' "$1"; }
try "the trace is JSON for Perfetto" is True is_json first.json
one_at_a_time() {
    python3 - first.json <<'END'
import json, sys
events = sorted(json.load(open(sys.argv[1]))["traceEvents"], key=lambda e: e["ts"])
for a, b in zip(events, events[1:]):
    assert a["tid"] == 0 and a["ts"] + a["dur"] <= b["ts"] + 0.002, (a, b)
assert len({e["name"] for e in events}) == 7, {e["name"] for e in events}
END
}
try "one place: slices do not overlap, and all seven threads have some" one_at_a_time
try "the schedule in the simulator's words" grep -q '^main 0-.*, t1 ' first.txt
picture() {
    with places=2,svg=two.svg ./gated waiting &&
        python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' two.svg && grep -q '>cpu1<' two.svg
}
try "a picture with a row for each place" picture

# --- Deadlock ---
deadlock() { RING3_GATE=places=2 LD_PRELOAD=$gate timeout 5 ./gated deadlock 2>&1; }
try "when all are blocked that is said" says "all threads are blocked" deadlock
try "and who holds what" says ", which main holds" deadlock
try "and the cycle" says "deadlock: main waits for t1 waits for main" deadlock

# --- ring3 run ---
try "ring3 run --sched" is ok "$ring3" run --sched=rr,quantum=1 ./gated waiting
try "ring3 run --gate" is ok "$ring3" run --gate=places=1,gantt=run.txt -- ./gated waiting
try "which writes a chart" grep -q '^main 0-' run.txt
try "both set their variables" says "RING3_SCHED=cfs
RING3_GATE=seed=4" "$ring3" run --print --sched=cfs --gate=seed=4
try "not with --locks" gives 2 "$ring3" run --locks --sched=rr true
try "an unknown policy is named" says 'policy=best' with places=1 env RING3_SCHED=best true
try "unknown settings do not stop the program" says ok with colour=red,places=0 ./gated others
try "it starts first and is never unloaded" sh -c "readelf -dW '$gate' | grep INITFIRST && readelf -dW '$gate' | grep -q NODELETE"
