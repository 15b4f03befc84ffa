#!/bin/bash
# SPDX-License-Identifier: MIT
# The examples of libsync print what they say, as C and with the flags of a reader who knows nothing of this tree.
. "$(dirname "$0")/../tap.sh"

example() {
    $CC -Wall -Wextra -Werror -Ilibsync/include "libsync/examples/$1.c" "$B/lib/libring3-sync.a" -lpthread \
        -o "$work/$1" && timeout 120 "$work/$1"
}

try "the bounded buffer" is "3000 items went through 8 slots, their sum is 1501500" example bounded_buffer
try "readers and writers, by each policy" is "\
phase-fair: a second reader waits behind the writer; 200 writes, none seen by halves
prefer-readers: a second reader is let in; 200 writes, none seen by halves
prefer-writers: a second reader waits behind the writer; 200 writes, none seen by halves" example readers_writers
try "dining philosophers, with each remedy" is "\
in order of the forks: 2500 meals
giving back and trying again: 2500 meals
four chairs: 2500 meals
both forks or none: 2500 meals
found out and ended: 2500 meals" example philosophers
try "a trace ring of 500" is "\
a second start is refused: yes
snapshot: 500 events, 800 to 1299
reader: 3 events from 800 on, next is 803
after the stop: 1300 events" example trace_ring
