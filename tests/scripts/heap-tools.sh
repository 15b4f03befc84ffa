#!/bin/bash
# SPDX-License-Identifier: MIT
# ring3 heap: top, compare, and the replay of traces.
. "$(dirname "$0")/../tap.sh"

ring3=$top/$B/bin/ring3
malloc=$top/$B/lib/libring3-malloc.so

# 1000 strings of a known size that stay, and as many that go, in a program without threads. Then it says so, and waits
# for the end of its input.
cat >"$work/holder.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void)
{
    char *kept[1000], *gone[1000];

    for (int i = 0; i < 1000; i++) {
        memset(kept[i] = malloc(3000), 1, 3000);
        memset(gone[i] = malloc(500), 1, 500);
    }
    for (int i = 0; i < 1000; i++)
        free(gone[i]);
    for (int i = 0; i < 1000; i++)
        kept[i] = realloc(kept[i], 2900);
    puts("ready");
    fflush(stdout);
    getchar();
    return kept[0] == NULL;
}
END
"${CC%% *}" -O1 -o "$work/holder" "$work/holder.c" || echo "not ok - a program to look at can be built"

# Run the holder under a setting, and a command with its process id while it waits.
beside() { # setting, command…
    local setting=$1 status
    shift
    mkfifo "$work/in" "$work/out"
    RING3_MALLOC=$setting LD_PRELOAD=$malloc "$work/holder" <"$work/in" >"$work/out" &
    local pid=$!
    exec 7>"$work/in" 8<"$work/out"
    read -r -u 8 _
    "$@" "$pid"
    status=$?
    exec 7>&- 8<&-
    wait "$pid"
    rm "$work/in" "$work/out"
    return $status
}

top_shows_classes() {
    local said
    said=$(beside slab "$ring3" heap top -n 1 -d 0.05 -c 50) || { echo "$said"; return 1; }
    grep -q '^policy slab ' <<<"$said" || { echo "$said"; return 1; }
    # 3000 bytes are of the class of 3072, and at least 1000 of them are out.
    awk '$1 == 3072 && $2 >= 1000 && $2 < 1100 { found = 1 } END { exit !found }' <<<"$said" || { echo "$said"; return 1; }
}

top_shows_policy() {
    local said
    said=$(beside "$1" "$ring3" heap top -n 1 -d 0.05) || { echo "$said"; return 1; }
    # 3 MB of blocks in use, and not 6.
    awk -v p="$1" '$1 == "policy" && $2 == p && $10 >= 2.7 && $10 < 6 { found = 1 } END { exit !found }' <<<"$said" ||
        { echo "$said"; return 1; }
}

foreign_process() { says "does not run on ring3's malloc" gives 1 "$ring3" heap top -n 1 -d 0.05 $$; }

compare_has_all_rows() {
    local said policy
    said=$("$ring3" heap compare -r 1 -s slab,hardening=full -- "$work/holder" </dev/null) || { echo "$said"; return 1; }
    for policy in "libc" "ring3 slab" "ring3 best-fit" "ring3 first-fit" "ring3 buddy" "ring3 slab,hardening=full"; do
        grep -q "^$policy  *[0-9]" <<<"$said" || { echo "no $policy in: $said"; return 1; }
    done
}

# A program that ends otherwise under one allocator is named.
compare_tells_difference() {
    # shellcheck disable=SC2016 # expanded by the inner shell
    says "ended with status 3" gives 1 "$ring3" heap compare -o -r 1 -- bash -c '[ "$RING3_MALLOC" != buddy ] || exit 3'
}

compare_cannot_run() { says "cannot run" gives 1 "$ring3" heap compare -o -r 1 -- "$work/nothing"; }

traced() { # setting: leaves $work/trace
    rm -f "$work"/trace*
    RING3_MALLOC=$1,trace=$work/trace LD_PRELOAD=$malloc "$work/holder" </dev/null >/dev/null
}

# What was asked for at most is exact: 1000 times 3000 and 500 bytes, and what stdio and the start take besides.
replay_is_exact() {
    local said peak again
    traced "$1" || return
    said=$("$ring3" heap replay -s "$work/chart.svg" "$work/trace") || { echo "$said"; return 1; }
    for policy in slab best-fit first-fit buddy libc; do
        grep -q "^$policy  *[0-9.]*  *[0-9.]* " <<<"$said" || { echo "no $policy in: $said"; return 1; }
    done
    peak=$(sed -n 's/.*asked for: \([0-9.]*\) MiB at most.*/\1/p' <<<"$said")
    awk -v p="$peak" 'BEGIN { exit !(p >= 3.3 && p <= 3.5) }' || { echo "$said"; return 1; }
    grep -q '<polyline' "$work/chart.svg" || { echo "no chart"; return 1; }
    again=$("$ring3" heap replay -p slab "$work/trace" | head -n 1)
    [ "$again" = "$(head -n 1 <<<"$said")" ] || { echo "$again"; return 1; }
}

# The holder keeps 1000 blocks, here by a rule of placement: the map tells so, in text and in SVG.
map_shows_blocks() {
    local said
    traced slab || return
    said=$("$ring3" heap map -p "$1" -m 90 -s "$work/map.svg" "$work/trace") || { echo "$said"; return 1; }
    awk -v p="$1:" '$1 == p && $2 > 2.7 && $2 < 4.2 && $5 >= 1000 && $5 < 1400 { found = 1 } END { exit !found }' <<<"$said" &&
        grep -q '^  |.*█' <<<"$said" && grep -q '<rect' "$work/map.svg" || { echo "$said"; return 1; }
}

map_has_all_policies() {
    local said policy
    traced slab || return
    said=$("$ring3" heap map "$work/trace") || { echo "$said"; return 1; }
    for policy in slab best-fit first-fit next-fit worst-fit buddy; do
        grep -q "^$policy: [0-9.]* MiB in " <<<"$said" || { echo "no $policy in: $said"; return 1; }
    done
}

map_refuses() {
    says "is no trace" gives 1 "$ring3" heap map "$work/holder.c" &&
        says "failed: no such policy" gives 1 "$ring3" heap map -p fastest "$work/trace" 2>/dev/null &&
        gives 2 "$ring3" heap map -m 101 "$work/trace" 2>/dev/null
}

# Threads that free for each other: every release has its allocation, whatever the order of chunks in the file.
replay_of_threads() {
    rm -f "$work"/trace*
    RING3_MALLOC=slab,trace=$work/trace LD_PRELOAD=$malloc "$top/$B/tests/preload/forks" 3 >/dev/null || return
    "$ring3" heap replay -p slab "$work/trace" >"$work/replay" || { cat "$work/replay"; return 1; }
    ! grep -q 'left out' "$work/replay" || { cat "$work/replay"; return 1; }
    # Children go on in files of their own.
    [ "$(find "$work" -name 'trace.*' | wc -l)" -ge 1 ] || { echo "no file of a child"; return 1; }
}

# A program that is killed leaves what it did until then.
killed() {
    rm -f "$work"/trace*
    RING3_MALLOC=trace=$work/trace LD_PRELOAD=$malloc bash -c 'x=$(printf %1000s .); kill -9 $$'
    "$ring3" heap replay -p buddy "$work/trace" | grep -q '^buddy  *[0-9]'
}

no_trace() { says "is no trace" gives 1 "$ring3" heap replay "$work/holder.c"; }
unwritable() {
    says "cannot be written" env RING3_MALLOC=trace=/nonexistent/trace LD_PRELOAD="$malloc" "$work/holder" </dev/null
}

# Two functions that allocate: one keeps a list, the other loses what it gets.
cat >"$work/sites.c" <<'END'
#include <signal.h>
#include <stdlib.h>
#include <string.h>
struct node {
    struct node *next;
    char text[1000];
};
static struct node *kept;
__attribute__((noinline)) void keep_nodes(int count)
{
    for (int i = 0; i < count; i++) {
        struct node *node = malloc(sizeof *node);
        node->next = kept;
        kept = node;
    }
}
static void *(*volatile allocate)(size_t) = malloc;
__attribute__((noinline)) void lose_blocks(int count)
{
    for (int i = 0; i < count; i++)
        memset(allocate(500), 1, 500);
}
__attribute__((noinline)) void wipe_stack(void)
{
    volatile char deep[8192];
    for (unsigned i = 0; i < sizeof deep; i++)
        deep[i] = 0;
}
int main(int argc, char **argv)
{
    if (argc > 1)
        raise(atoi(argv[1]));
    keep_nodes(2000);
    lose_blocks(300);
    if (argc > 1)
        raise(atoi(argv[1]));
    keep_nodes(1000);
    wipe_stack();
    return 0;
}
END
"${CC%% *}" -g -O1 -fno-builtin -o "$work/sites" "$work/sites.c" || echo "not ok - a program with call sites can be built"

# What a program keeps is no leak, what it lost is: all but a few blocks, whose addresses may still lie about.
leaks_are_found() {
    local said
    said=$(RING3_MALLOC=$1,leaks LD_PRELOAD=$malloc "$work/sites" 2>&1) || { echo "$said"; return 1; }
    awk '/^ring3 malloc: lost: / { lost = $4; blocks = $7 } END { exit !(blocks > 280 && blocks <= 300 && lost <= 150000) }' \
        <<<"$said" && grep -q 'lose_blocks at sites.c:21' <<<"$said" && ! grep -q 'keep_nodes' <<<"$said" ||
        { echo "$said"; return 1; }
}

profiled() { # settings, arguments
    local settings=$1
    shift
    rm -f "$work"/profile*
    RING3_MALLOC=slab,profile=$work/profile,$settings LD_PRELOAD=$malloc "$work/sites" "$@"
}

# The estimate from samples is right to a third; about 120 samples make it.
profile_estimates() {
    local said
    profiled profile-rate=25K || return
    said=$("$ring3" heap profile "$work/profile") || { echo "$said"; return 1; }
    awk '/bytes in/ { bytes = $1 } /keep_nodes.*sites.c/ { kept += bytes }
        END { exit !(kept > 2000000 && kept < 4000000) }' <<<"$said" || { echo "$said"; return 1; }
}

profile_is_exact() {
    profiled profile-rate=1 || return
    "$ring3" heap profile -c "$work/profile" >"$work/stacks" || return
    awk '/;keep_nodes / { kept += $NF } /;lose_blocks / { lost += $NF } END { exit !(kept == 3024000 && lost == 150000) }' \
        "$work/stacks" || { cat "$work/stacks"; return 1; }
}

# Signal 12 switches it on, and off again: what came between is the difference of the two.
profile_by_signal() {
    profiled profile-rate=1,profile-signal=12 12 || return
    [ -s "$work/profile.1" ] && [ -s "$work/profile.2" ] || { ls "$work"; return 1; }
    "$ring3" heap profile -c -b "$work/profile.1" "$work/profile.2" >"$work/stacks" || return
    awk '/;keep_nodes / { kept += $NF } END { exit kept != 2016000 }' "$work/stacks" || { cat "$work/stacks"; return 1; }
}

no_profile() { says "is no heap profile" gives 1 "$ring3" heap profile "$work/sites.c"; }

try "top shows size classes and what is out of them" top_shows_classes
for policy in first-fit best-fit buddy; do
    try "top shows what $policy holds" top_shows_policy "$policy"
done
try "top says so when there is no ring3 malloc" foreign_process
try "compare has a row for every policy, and for settings" compare_has_all_rows
try "compare tells which run ended otherwise" compare_tells_difference
try "compare says what it cannot run" compare_cannot_run
for policy in slab buddy; do
    try "a trace of $policy replays exactly, under every policy" replay_is_exact "$policy"
done
for policy in slab first-fit buddy; do
    try "a map of $policy shows blocks, as text and SVG" map_shows_blocks "$policy"
done
try "a map shows every policy" map_has_all_policies
try "a map is refused of what is no trace, and under what is no policy" map_refuses
try "a trace of threads and children replays" replay_of_threads
try "a trace survives its program" killed
try "what is no trace is refused" no_trace
try "a trace that cannot be written does not stop the program" unwritable
for policy in slab first-fit buddy; do
    try "$policy: leaks are found, with function and line, and what is kept is none" leaks_are_found "$policy"
done
try "a sampled profile estimates what a function holds" profile_estimates
try "a profile of everything is exact" profile_is_exact
try "a signal switches the profile on and off" profile_by_signal
try "what is no profile is refused" no_profile
