#!/bin/bash
# SPDX-License-Identifier: MIT
# The verb `ring3 ipc`: it shows named shared memory with its maker, and removes what the dead left and nothing else.
. "$(dirname "$0")/../tap.sh"

ring3=$top/$B/bin/ring3
cat >"$work/maker.c" <<'END'
/* maker NAME KEY: makes two objects, says so, and stays until its input ends. */
#include "ring3/shm.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    ring3_shm_t posix, sysv;
    char byte;

    if (argc != 3 || ring3_shm_posix_create(&posix, argv[1], 12345, 0600) ||
        ring3_shm_sysv_create(&sysv, atoi(argv[2]), 54321, 0600))
        return 1;
    puts("ready");
    fflush(stdout);
    return read(0, &byte, 1) < 0;
}
END
$CC -Ilibipc/include -Ilibsync/include -o "$work/maker" "$work/maker.c" "$B/lib/libring3-ipc.a" "$B/lib/libring3-sync.a" -lpthread || exit 1

name=/ring3-script-$$ key=$((0x51000000 + $$))
hex=$(printf '0x%08x' "$key")
trap 'rm -rf "$work" "/dev/shm$name"; ipcrm -M "$key" 2>/dev/null' EXIT
mkfifo "$work/stop"

shown() { "$ring3" ipc ls | grep -E "^$1 +$2 +$3 +$maker  $4\$"; }
gone() { ! "$ring3" ipc ls | grep -e "$name" -e "$hex"; }

"$work/maker" "$name" "$key" <"$work/stop" >"$work/said" &
maker=$!
exec 7>"$work/stop"
for _ in $(seq 500); do grep -q ready "$work/said" && break; sleep 0.01; done

try "ls shows a POSIX object with its maker" shown alive posix 12345 "$name"
try "ls shows a System V segment with its maker" shown alive sysv 54321 "$hex"
try "gc leaves what the living use" sh -c "! $ring3 ipc gc | grep -e $name -e $hex"
try "which is still there" shown alive posix 12345 "$name"
exec 7>&-
wait "$maker"
try "ls shows that the maker is dead" shown dead posix 12345 "$name"
try "gc --dry-run names what it would remove" says "$name" "$ring3" ipc gc --dry-run
try "and removes nothing" shown dead sysv 54321 "$hex"
try "gc removes both" sh -c "out=\$($ring3 ipc gc) && echo \"\$out\" | grep -e $name && echo \"\$out\" | grep -e $hex"
try "and nothing is left" gone
try "gc again has nothing to do" gives 0 "$ring3" ipc gc
try "help says what it does" says "usage: ring3 ipc" "$ring3" ipc --help
try "no subcommand is status 2" gives 2 "$ring3" ipc
try "an unknown subcommand is status 2" gives 2 "$ring3" ipc frobnicate
try "an unknown option is status 2" gives 2 "$ring3" ipc gc --frobnicate

# --- Channels, watched -----------------------------------------------------------------------------------------------
cat >"$work/talker.c" <<'END'
/* talker: two processes that send each other a message now and then, until the input ends. */
#include "ring3/channel.h"
#include "ring3/socket.h"
#include <poll.h>
#include <stdio.h>
#include <unistd.h>
int main(void)
{
    static ring3_channel_t channel;
    struct pollfd input = {.fd = 0, .events = POLLIN};
    char buffer[64];
    int ends[2];

    if (ring3_socket_pair(ends, SOCK_SEQPACKET))
        return 1;
    if (fork() == 0) {
        close(ends[0]);
        if (ring3_channel_accept(&channel, ends[1], NULL, NULL))
            return 1;
        while (ring3_channel_receive(&channel, buffer, sizeof buffer, NULL) > 0)
            if (ring3_channel_send(&channel, "and back again", 14, NULL))
                return 1;
        return 0;
    }
    close(ends[1]);
    if (ring3_channel_connect(&channel, ends[0], NULL, NULL))
        return 1;
    puts("ready");
    fflush(stdout);
    while (poll(&input, 1, 1) == 0)
        if (ring3_channel_send(&channel, "hello there", 11, NULL) ||
            ring3_channel_receive(&channel, buffer, sizeof buffer, NULL) != 14)
            return 1;
    ring3_channel_close(&channel);
    return 0;
}
END
# shellcheck disable=SC2086
$CC -Ilibipc/include -Ilibsync/include -o "$work/talker" "$work/talker.c" "$B/lib/libring3-ipc.a" "$B/lib/libring3-alloc.a" \
    "$B/lib/libring3-sync.a" -lpthread || exit 1
"$work/talker" <"$work/stop" >"$work/talking" &
talker=$!
exec 7>"$work/stop"
for _ in $(seq 500); do grep -q ready "$work/talking" && break; sleep 0.01; done
if "$ring3" counters "$talker" >/dev/null 2>"$work/why" || ! grep -q permitted "$work/why"; then
    try "top shows a channel over memory" says "memory" timeout 60 "$ring3" ipc top "$talker" -n 1
    try "tap shows what is sent" says "data         11  hello there" timeout 60 "$ring3" ipc tap "$talker" -n 20
    try "and what comes back" says "data         14  and back again" timeout 60 "$ring3" ipc tap "$talker" -n 20
else
    skip "top and tap" "no right to look into a process: $(cat "$work/why")"
fi
exec 7>&-
try "the watched ones were not disturbed" wait "$talker"
try "top without a process is status 2" gives 2 "$ring3" ipc top
try "top of no process is status 1" gives 1 "$ring3" ipc top 4194303 -n 1
try "bench measures" says "ring3_channel" timeout 120 "$ring3" ipc bench 0.002
try "bench wants seconds" gives 2 "$ring3" ipc bench soon

# --- The storm of signals: no blocking call is left out ----------------------------------------------------------------
blocking() { grep -hozP '\bring3_\w+\([^;(){}]*struct timespec \*deadline' libipc/include/ring3/*.h | tr '\0' '\n' | grep -o '^ring3_[a-z_]*' | sort -u; }
left_out() { blocking | while read -r call; do grep -q "{\"$call\", " tests/ipc/storm*.c || echo "$call"; done; }
try "blocking calls are found in the headers" test "$(blocking | wc -l)" -gt 50
try "every one of them has been through a storm of signals" is "" left_out
