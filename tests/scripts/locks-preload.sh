#!/bin/bash
# SPDX-License-Identifier: MIT
# libring3-locks.so in the place of libc's locks, in programs that know nothing of it: every function answers as libc's
# does, with every algorithm; threads, cancellation, fork, signals, and the beginning and end of a process.
. "$(dirname "$0")/../tap.sh"

locks=$top/$B/lib/libring3-locks.so
bin=$top/$B/tests/locks

# with SETTINGS CMD…: the command on ring3's locks.
with() {
    local settings=$1
    shift
    RING3_LOCKS=$settings LD_PRELOAD=$locks timeout -k 5 120 "$@"
}

"$bin/conformance" >"$work/libc" 2>&1

answers_as_libc() {
    [ "$(wc -l <"$work/libc")" -gt 1000 ] || { echo "libc's answers are missing"; return 1; }
    with "$1" "$bin/conformance" >"$work/ours" 2>&1 || { echo "status $?"; return 1; }
    diff "$work/libc" "$work/ours"
}

survives() { # SETTINGS TEST…
    local settings=$1 test bad=0
    shift
    for test in "$@"; do
        RECURSIVE=1 with "$settings" "$bin/torture" "$test" || { echo "$test: status $?"; bad=1; }
    done
    return $bad
}

# Functions of libc that are given one of the objects, but those that only read the kind of a mutex, which is where libc
# has it, and those for objects that stay libc's: once, and named semaphores.
libc_names() {
    nm -D --defined-only "$1" | awk '{ sub(/@.*/, "", $3); print $3 }' | sort -u |
        grep -E '^_*(pthread_(mutex|cond|rwlock|spin|barrier)_|sem_|mtx_|cnd_)' |
        grep -vE '^(pthread_mutex_(consistent|consistent_np|getprioceiling|setprioceiling)|sem_(open|close|unlink))$'
}

no_name_is_left() {
    local libc missing
    libc=$(ldd "$locks" | awk '$1 == "libc.so.6" { print $3 }')
    [ "$(libc_names "$libc" | wc -l)" -gt 60 ] || { echo "libc shows too few names"; return 1; }
    missing=$(comm -23 <(libc_names "$libc") <(nm -D --defined-only "$locks" | awk '{ print $3 }' | sort -u))
    [ -z "$missing" ] || { echo "libc's own would be called:" $missing; return 1; }
}

small_tls() {
    local size
    size=$(readelf -lW "$locks" | awk '$1 == "TLS" { print strtonum($6) }')
    [ "${size:-0}" -le 256 ] || { echo "$size bytes of static TLS"; return 1; }
}

is_first() { readelf -dW "$locks" | grep -q 'INITFIRST' && readelf -dW "$locks" | grep -q 'NODELETE'; }

mapfile -t tests < <("$bin/torture")
all=adaptive,ttas,tas,backoff,delay,cas,ticket,ticket-backoff,queued,mcs,clh

# glibc 2.36 loses a wake-up now and then when a waiter is cancelled, and burns a time slice per spinlock hand-over.
for test in "${tests[@]}"; do
    case $test in
    cancel_* | spins | interruption) ;;
    *) try "libc itself passes $test" timeout -k 5 120 "$bin/torture" "$test" ;;
    esac
done
for settings in adaptive mcs ticket; do
    try "$settings: every function answers as libc's" answers_as_libc "$settings"
    for test in "${tests[@]}"; do
        try "$settings: $test" survives "$settings" "$test"
    done
done
for settings in ${all//,/ }; do
    try "$settings: threads, conditions and fork" survives "$settings" mutexes conditions forks
done
for policy in phase-fair prefer-readers prefer-writers as-asked; do
    try "rwlock=$policy: read locks may be nested" survives "rwlock=$policy" rwlocks
done
for how in yield park; do
    try "wait=$how: mutexes and spinlocks" survives "mutex=ttas,wait=$how" mutexes spins
done
try "no function of libc meets an object of ours" no_name_is_left
try "an unknown algorithm is named, with the ones there are" \
    says "mutex=fast ignored; allowed: adaptive, ttas" with mutex=fast "$bin/torture" clocks
try "an unknown key is named, with the ones there are" \
    says 'unknown key "colour" ignored; allowed keys: mutex' with mutex=mcs,colour=red "$bin/torture" clocks
try "unknown settings do not stop the program" survives "mutex=fast,colour=red,," mutexes
try "its thread-locals fit where dlopen puts them" small_tls
try "it starts first and is never unloaded" is_first
