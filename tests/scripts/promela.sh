#!/bin/bash
# SPDX-License-Identifier: MIT
# spin finds no lost wake-up in the model of the condition variable (tests/model/cond.pml), and finds one in each broken
# form of it. RING3_TEST_LONG=1 takes one thread more.
. "$(dirname "$0")/../tap.sh"

model=$PWD/tests/model/cond.pml
if ! command -v spin >/dev/null; then
    skip "the condition variable in Promela" "no spin here"
    exit
fi

# errors OPTION…: prints how many claims fail.
errors() {
    local here
    here=$(mktemp -d "$work/spin.XXXXXX")
    (
        cd "$here" || exit
        spin ${RING3_TEST_LONG:+-DCONSUMERS=3} "$@" -a "$model" >log 2>&1 &&
            gcc -O1 -w -DSAFETY -DCOLLAPSE -o pan pan.c &&
            timeout 550 ./pan -E -m200000 >out 2>&1
        grep -o 'errors: [0-9]*' out || cat log out
        ! grep -E 'max search depth too small|out of memory' out
    )
}

try "no wake-up is lost: signal after the unlock" is "errors: 0" errors
try "no wake-up is lost: signal before it" is "errors: 0" errors -DINSIDE
try "no wake-up is lost: broadcast after the unlock" is "errors: 0" errors -DBROADCAST
try "no wake-up is lost: broadcast before it" is "errors: 0" errors -DBROADCAST -DINSIDE
for broken in UNLOCK_FIRST SWALLOW NO_LOOK NO_RECHECK; do
    try "a model with $broken fails" is "errors: 1" errors -D$broken
done
