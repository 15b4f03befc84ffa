#!/bin/bash
# SPDX-License-Identifier: MIT
# lockdep and stat of libring3-locks.so: each mistake in tests/locks/order.c is reported and nothing else is, with
# functions and lines; the reports of stat are true and well-formed.
. "$(dirname "$0")/../tap.sh"

locks=$top/$B/lib/libring3-locks.so
bin=$top/$B/tests/locks

with() {
    local settings=$1
    shift
    RING3_LOCKS=$settings LD_PRELOAD=$locks timeout -k 5 120 "$@"
}

# The program's report has that headline, or there is none at all.
reports() {
    local output
    output=$(with lockdep "$bin/order" "$1" 2>&1) || { echo "status $?: $output"; return 1; }
    if [ "$2" = - ]; then
        [ -z "$output" ] || { echo "$output"; return 1; }
    else
        grep -q "^ring3 lockdep: .*$2" <<<"$output" || { echo "no \"$2\" in: $output"; return 1; }
    fi
}

while read -r name headline; do
    if [ "$headline" = - ]; then
        try "lockdep has nothing to say of $name" reports "$name" -
    else
        try "lockdep reports $name: $headline" reports "$name" "$headline"
    fi
done < <("$bin/order")

both_stacks() {
    local output
    output=$(with lockdep "$bin/order" five_classes 2>&1)
    [ "$(grep -c 'holding mutex' <<<"$output")" = 5 ] || { echo "not five steps: $output"; return 1; }
    ! command -v addr2line >/dev/null ||
        [ "$(grep -c 'at order.c:' <<<"$output")" -ge 10 ] || { echo "no lines: $output"; return 1; }
}

dot() {
    with "lockdep,report=$work/%p.dot" "$bin/order" two 2>/dev/null &&
        [ "$(grep -c ' -> ' "$work"/*.dot)" = 2 ] && [ "$(tail -n 1 "$work"/*.dot)" = "}" ]
}

# picture PROGRAM BOXES RED: so many locks are drawn, and so many edges that come back up.
picture() {
    rm -f "$work/graph.svg"
    with "lockdep,report=$work/graph.svg" "$bin/order" "$1" 2>/dev/null || return 1
    python3 -c 'import sys, xml.dom.minidom as x; x.parse(sys.argv[1])' "$work/graph.svg" || return 1
    [ "$(grep -c '<rect' "$work/graph.svg")" = "$2" ] && [ "$(grep -c "class='edge back'" "$work/graph.svg")" = "$3" ] ||
        { cat "$work/graph.svg"; return 1; }
}

report_in() { # FORMAT PROGRAM…: prints the report
    local format=$1
    shift
    rm -f "$work"/stat.*
    with "stat,report=$work/stat.$format" "$@" >/dev/null && cat "$work/stat.$format"
}

counts_them_all() {
    report_in json "$bin/torture" rwlocks | python3 -c '
import json, sys
locks = json.load(sys.stdin)["locks"]
taken = sum(lock["acquired"] for lock in locks if lock["type"] == "rwlock")
reads = sum(lock["reads"] for lock in locks)
sites = sum(site["acquired"] for lock in locks if lock["type"] == "rwlock" for site in lock["sites"])
# 6 x 3000 rounds: one in five writes, the others read twice.
assert taken == 3600 + 2 * 14400 and reads == 2 * 14400, (taken, reads)
assert sites == taken, sites
for lock in locks:
    assert lock["contended"] == sum(lock["wait_log2_cycles"]), lock
    assert lock["hold_samples"] == sum(lock["hold_log2_cycles"]), lock
    assert len(lock["top_waiters"]) <= 4
'
}

is_html() {
    local page
    page=$(report_in html "$bin/torture" conditions)
    [[ $page == "<!DOCTYPE html>"*"<svg"*"</html>" ]] || { echo "$page" | head -c 300; return 1; }
}

names_the_line() {
    report_in txt "$bin/torture" conditions >"$work/out"
    if command -v addr2line >/dev/null; then
        grep -q 'at produce_or_consume at torture.c:' "$work/out" || { cat "$work/out"; return 1; }
    fi
    grep -q 'mutex' "$work/out"
}

# hangs PROGRAM SETTINGS TEXT: the program, which never ends, is reported with that text while it hangs.
hangs() {
    local pid found=1
    RING3_LOCKS=$2 LD_PRELOAD=$locks "$bin/deadlock" "$1" 100 2>"$work/hang" &
    pid=$!
    for _ in {1..600}; do
        grep -q "$3" "$work/hang" && found=0 && break
        kill -0 $pid 2>/dev/null || break
        sleep 0.1
    done
    kill $pid
    wait $pid 2>/dev/null
    [ $found = 0 ] || cat "$work/hang"
    return $found
}

asked_by_signal() {
    local pid found=1
    RING3_LOCKS=lockdep,signal=usr1,stall=0 LD_PRELOAD=$locks "$bin/deadlock" nobody 100 2>"$work/hang" &
    pid=$!
    for _ in {1..600}; do
        # Before it is under way the signal would end it.
        [ "$(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l)" -lt 3 ] || kill -USR1 $pid
        grep -q "who waits for what" "$work/hang" && found=0 && break
        sleep 0.1
    done
    kill $pid
    wait $pid 2>/dev/null
    return $found
}

live() { # FORMAT-OPTION TEXT
    local status=1 out in
    coproc { RING3_LOCKS=stat LD_PRELOAD=$locks exec "$bin/profiled" 2>/dev/null; }
    out=${COPROC[0]} in=${COPROC[1]}
    read -r line <&"$out"
    [ "$line" = ready ] && "$top/$B/bin/ring3" lockstat $1 "$COPROC_PID" >"$work/live" && status=0
    exec {in}>&-
    wait
    grep -q "$2" "$work/live" || { cat "$work/live"; return 1; }
    return $status
}

# The same answers and the same endurance while everything is watched.
watched_answers() {
    [ -s "$work/libc" ] || "$bin/conformance" >"$work/libc"
    with "$1,report=$work/unused.html" "$bin/conformance" 2>/dev/null | diff "$work/libc" -
}

survives() {
    local test bad=0
    for test in $("$bin/torture"); do
        RECURSIVE=1 with "$1,report=$work/unused.html" "$bin/torture" "$test" >/dev/null 2>&1 ||
            { echo "$test: status $?"; bad=1; }
    done
    return $bad
}

try "a report has both stacks, with lines" both_stacks
try "the graph is written for dot" dot
try "and drawn: an order and its reverse are two boxes and a red edge" picture two 2 1
try "a circle of five has one red edge" picture five_classes 5 1
for settings in lockdep stat lockdep,stat,mutex=mcs; do
    try "$settings: functions answer as libc's" watched_answers "$settings"
    try "$settings: threads, cancellation, fork, beginnings and ends" survives "$settings"
done
try "stat counts every acquisition" counts_them_all
try "stat's page is HTML with charts" is_html
try "stat's text names functions and lines" names_the_line
try "a circle of waiting threads is reported while it hangs" hangs circle lockdep,stall=0 "deadlock: threads wait"
try "it says who holds what" grep -q "that thread [0-9]* holds" "$work/hang"
try "that all threads wait is reported" hangs nobody lockdep,stall=1 "every thread has been waiting"
try "a signal asks who waits for what" asked_by_signal
try "ring3 lockstat shows a running program's locks" live "" "3000 .*mutex"
try "ring3 lockstat --json does" live --json '"acquired":3000'
try "ring3 lockstat --html does" live --html "3000 acquisitions"
try "ring3 lockstat of a process without a profile is status 1" gives 1 "$top/$B/bin/ring3" lockstat $$
try "ring3 lockstat of a word is status 2" gives 2 "$top/$B/bin/ring3" lockstat init
try "ring3 lockstat without a process is status 2" gives 2 "$top/$B/bin/ring3" lockstat
try "a process without locks has no report" is "" with stat true
