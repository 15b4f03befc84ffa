#!/bin/bash
# SPDX-License-Identifier: MIT
# libring3-malloc.so in the place of libc's malloc: in programs that know nothing of it, at every stage of a process's
# life, under limits, across fork, and from C++. `make stress` sets RING3_TEST_LONG=1 for the full counts.
. "$(dirname "$0")/../tap.sh"

malloc=$top/$B/lib/libring3-malloc.so
bin=$top/$B/tests/preload
policies="slab first-fit next-fit best-fit worst-fit buddy"

# with POLICY CMD…: the command on ring3's malloc.
with() {
    local policy=$1
    shift
    RING3_MALLOC=$policy LD_PRELOAD=$malloc "$@"
}

every_call_can_be_the_first() {
    local call bad=0
    for call in $(sed -n 's/^ *CALL("\([^"]*\)".*/\1/p' tests/alloc/preload/first.c | grep -v refused); do
        with "$1" "$bin/first" "$call" >"$work/first" 2>&1 || {
            echo "$call: status $?"
            cat "$work/first"
            bad=1
        }
    done
    return $bad
}

stages="preinit constructor kept key thread plugin atexit destructor"

# A program of some ten megabytes gets its work done in 64 MiB of address space.
limited() {
    (
        ulimit -v 65536
        RING3_MALLOC=$1 LD_PRELOAD=$malloc perl -e 'my @a; push @a, "x" x $_ for 1..3000; print scalar @a'
    )
}

# What does not fit the limit is refused, and the program goes on.
refused() {
    (
        ulimit -v 65536
        RING3_MALLOC=$1 LD_PRELOAD=$malloc "$bin/first" refused
    )
}

# From the n-th on, no mapping and no commit of the heap succeeds: it is refused, nothing breaks, and there are as many
# refusals as there should be.
maps_fail() {
    local n said status refused=0
    for n in 1 2 3 4 5 6 7 8 9 10 12 15 20 30 50; do
        said=$(FAIL_MAP=$n RING3_MALLOC=$1 LD_PRELOAD="$bin/failmap.so $malloc" "$bin/short" 2>&1)
        status=$?
        [ $status = 0 ] && [[ $said = refused || $said = all ]] || { echo "$n: status $status: $said"; return 1; }
        [ "$said" = all ] || refused=$((refused + 1))
    done
    [ $refused -ge 3 ] || { echo "refused $refused times"; return 1; }
}

closed_descriptors() {
    RING3_MALLOC=policy=none LD_PRELOAD=$malloc "$bin/first" malloc <&- >&- 2>&-
}

# The misuse message goes nowhere, the program ends all the same.
misuse_with_closed_descriptors() {
    # shellcheck disable=SC2016 # expanded by the inner shell
    gives 134 bash -c '"$1" "$0" foreign <&- >&- 2>&-' "$malloc" "$bin/late"
}

# Every way libc lets a program into its allocator, by the names it exports. What is left out below has its memory from
# malloc, or from elsewhere.
libc_names() {
    nm -D --defined-only "$1" | awk '{ sub(/@.*/, "", $3); print $3 }' | sort -u |
        grep -E 'alloc|free|memalign|mall|cfree' |
        grep -vE '^(_IO_|__libc_(alloc_buffer_|alloca_cutoff|allocate_once_slow|allocate_rtsig|scratch_buffer_|freeres))' |
        grep -vE '^__(malloc_|realloc_|memalign_|free_)(initialize_)?hook$|_small$|^__sched_cpu|obstack|fallocate' |
        grep -vE '^_*(freeaddrinfo|freeifaddrs|freelocale|globfree|globfree64|if_freenameindex|inet6_option_alloc|mallwatch|pkey_(alloc|free)|regfree|wordfree|xdr_free)$'
}

no_name_is_left() {
    local libc missing
    libc=$(ldd "$malloc" | awk '$1 == "libc.so.6" { print $3 }')
    [ "$(libc_names "$libc" | wc -l)" -gt 25 ] || { echo "libc shows too few names"; return 1; }
    missing=$(comm -23 <(libc_names "$libc") <(nm -D --defined-only "$malloc" | awk '{ print $3 }' | sort -u))
    [ -z "$missing" ] || { echo "libc's own would be called:" $missing; return 1; }
}

# All forms that the C++ library exports.
no_operator_is_left() {
    local libstdcxx missing
    libstdcxx=$(ldd "$bin/operators" | awk '$1 == "libstdc++.so.6" { print $3 }')
    missing=$(comm -23 <(nm -D --defined-only "$libstdcxx" | awk '{ sub(/@.*/, "", $3); print $3 }' |
        grep -E '^_Z(nw|na|dl|da)' | sort -u) <(nm -D --defined-only "$malloc" | awk '{ print $3 }' | sort -u))
    [ -z "$missing" ] || { echo "the C++ library's own would be called:" $missing; return 1; }
}

small_tls() {
    local size
    size=$(readelf -lW "$malloc" | awk '$1 == "TLS" { print strtonum($6) }')
    [ "${size:-0}" -le 256 ] || { echo "$size bytes of static TLS"; return 1; }
}

is_first() { readelf -dW "$malloc" | grep -q 'INITFIRST' && readelf -dW "$malloc" | grep -q 'NODELETE'; }

many_processes() {
    # shellcheck disable=SC2016 # expanded by the inner shell
    is 100 with "$1" bash -c 'for i in {1..100}; do (echo "$i" | sed s/^/x/) | cat; done | wc -l'
}

rounds=$([ "${RING3_TEST_LONG:-}" = 1 ] && echo 20000 || echo 300)
forks=$([ "${RING3_TEST_LONG:-}" = 1 ] && echo 10000 || echo 100)

for policy in $policies; do
    try "$policy: every call can be a process's first" every_call_can_be_the_first "$policy"
    try "$policy: serves from before main until after exit, in threads' ends and in plugins" \
        is "$stages" with "$policy" "$bin/lifetimes" "$bin/plugin.so"
    try "$policy: survives $forks forks while threads allocate" with "$policy" "$bin/forks" "$forks"
    try "$policy: operator new and delete, handlers and bad_alloc" with "$policy" "$bin/operators"
    try "$policy: a C program's C++ plugin catches bad_alloc" with "$policy" "$bin/throw_late" "$bin/throwing.so"
    try "$policy: serves a program without start files" is "no start files" with "$policy" "$bin/nostart"
    try "$policy: statistics are true" with "$policy" "$bin/figures"
    try "$policy: works in 64 MiB of address space" is 3000 limited "$policy"
    try "$policy: refuses what 64 MiB of address space cannot hold" refused "$policy"
    try "$policy: serves 64 threads that free each other's blocks" is whole with "$policy" "$bin/traffic" "$rounds"
    try "$policy: survives it when no mapping succeeds any more" maps_fail "$policy"
    try "$policy: serves shells, pipes and many short processes" many_processes "$policy"
done

for layers in hardening=fast hardening=full guard=sample:50 hardening=full,guard=sample:50,zero profile=/dev/null; do
    try "$layers: serves threads with much memory, for whom the heap starts its own" with "slab,$layers" "$bin/crowd"
    try "$layers: serves 64 threads that free each other's blocks" is whole with "slab,$layers" "$bin/traffic" "$rounds"
    try "$layers: survives $forks forks while threads allocate" with "slab,$layers" "$bin/forks" "$forks"
    try "$layers: serves from before main until after exit, in threads' ends and in plugins" \
        is "$stages" with "slab,$layers" "$bin/lifetimes" "$bin/plugin.so"
    try "$layers: every call can be a process's first" every_call_can_be_the_first "slab,$layers"
    try "$layers: operator new and delete, handlers and bad_alloc" with "slab,$layers" "$bin/operators"
done

try "opened late, it works beside libc's heap" is both "$bin/late" "$malloc"
try "opened late, its free names a block of libc's and aborts" \
    says "not a pointer of this heap" gives 134 "$bin/late" "$malloc" foreign
try "an unknown key is named, with the ones there are" says 'unknown key "colour" ignored; allowed keys: policy' \
    with colour=red "$bin/first" malloc
try "an unknown policy is named, with the ones there are" says "policy=fastest ignored; allowed: default" \
    with policy=fastest "$bin/first" malloc
try "unknown settings do not stop the program" gives 0 with "policy=fastest,colour=red,," "$bin/first" malloc
try "closed descriptors do not matter" closed_descriptors
try "misuse ends the program also when nobody can be told" misuse_with_closed_descriptors
try "no allocation function of libc stays in use" no_name_is_left
try "no operator of the C++ library stays in use" no_operator_is_left
try "its thread-locals fit where dlopen puts them" small_tls
try "it starts first and is never unloaded" is_first
