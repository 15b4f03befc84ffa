#!/bin/bash
# SPDX-License-Identifier: MIT
# The tests' own machinery: whatever goes wrong in a test, a suite or a script is one failure, hangs nothing, leaves no
# process behind, and the closing line counts it.
. "$(dirname "$0")/../tap.sh"

export TMPDIR=$work # a lock of its own: this script runs under the real one

bad=$(grep -c '^TEST(bad' tests/programs/failing.c) good=$(grep -c '^TEST(good' tests/programs/failing.c)
read -ra warn <<<"-std=gnu17 -D_GNU_SOURCE -O1 -Wall -Wextra -Itests"

# A tag in the environment finds the processes of a run even after their parents have gone.
tagged() { grep -lzx "HARNESS_TAG=$1" /proc/[0-9]*/environ 2>/dev/null; }
nothing_left() {
    sleep 0.2 # the killed may take a moment to die
    is '' tagged "$1"
}

# closes NAME LINE UNIT…: a run that fails, with this closing line, within a minute.
closes() {
    local name=$1 line=$2 status=0
    shift 2
    HARNESS_TAG=$name timeout 60 tests/run.sh "$@" >"$work/$name.out" 2>&1 || status=$?
    cat "$work/$name.out"
    [ "$(tail -n 1 "$work/$name.out")" = "$line" ] || { echo "closed otherwise than: $line"; return 1; }
    case $line in
    *", 0 failed"*) [ $status = 0 ] ;;
    *) [ $status = 1 ] ;;
    esac
}

backend() { # name, compiler flags and libraries
    local name=$1
    shift
    if ! $CC "${warn[@]}" -o "$work/$name" tests/ring3_test.c tests/programs/failing.c "$@" -lpthread 2>"$work/cc"; then
        skip "$name counts each failure once" "it does not build here: $(head -n 1 "$work/cc")"
        return
    fi
    try "$name counts each of $bad failures once" closes "$name" "$good passed, $bad failed" "$work/$name"
    for message in "said by the test" "said in a thread" "still running after" "before its end" \
        "the child left with status 98" "the child was killed by signal 6"; do
        try "$name tells: $message" grep -q "$message" "$work/$name.out"
    done
    try "$name leaves no process behind" nothing_left "$name"
}
backend criterion -lcriterion
backend check -DRING3_TEST_CHECK=1 -lcheck -lsubunit -lm -lrt
backend plain -DRING3_TEST_PLAIN=1

# Under the address sanitizer a test that says _exit(0), or crashes after its end, cannot be told from a good one.
if $CC "${warn[@]}" -fsanitize=address -o "$work/asan" tests/ring3_test.c tests/programs/failing.c -lcriterion -lpthread 2>"$work/cc"; then
    try "criterion with ASan counts all failures but two" closes asan "$((good + 2)) passed, $((bad - 2)) failed" "$work/asan"
    try "criterion with ASan leaves no process behind" nothing_left asan
    printf '#include "ring3_test.h"\n#include <stdlib.h>\nTEST(bad, leaks) { volatile char *p = malloc(9); p[0] = 1; p = NULL; }\n' >"$work/leak.c"
    $CC "${warn[@]}" -O0 -fsanitize=address -o "$work/leak" tests/ring3_test.c "$work/leak.c" -lcriterion -lpthread
    try "a leak is a failure with ASan" closes leak "0 passed, 1 failed" "$work/leak"
else
    skip "criterion with ASan counts all failures but two" "it does not build here"
fi

script() { # name, closing line, what it does
    printf '%s\n' "$3" >"$work/$1.sh"
    try "a script that $1: $2" env SCRIPT_LIMIT=2 bash -c 'closes "$@"' - "${1// /_}" "$2" "$work/$1.sh"
    try "a script that $1 leaves no process behind" nothing_left "${1// /_}"
}
export -f closes
script "passes" "2 passed, 0 failed" 'echo "ok - one"; echo "ok - two"'
script "fails" "1 passed, 1 failed" 'echo "ok - one"; echo "not ok - two"; exit 1'
script "is skipped" "1 passed, 0 failed, 1 skipped" 'echo "ok - one"; echo "ok - two # SKIP no tea"'
script "ends badly" "1 passed, 1 failed" 'echo "ok - one"; exit 3'
script "is killed" "1 passed, 1 failed" 'echo "ok - one"; kill -9 $$'
script "says nothing" "0 passed, 1 failed" ':'
script "hangs" "1 passed, 1 failed" 'echo "ok - one"; sleep 1000'
script "leaves a process with its output" "1 passed, 0 failed" 'echo "ok - one"; sleep 1000 &'

printf '__attribute__((constructor)) static void early(void) { __builtin_trap(); }\n' >"$work/early.c"
$CC "${warn[@]}" -DRING3_TEST_PLAIN=1 -o "$work/early" tests/ring3_test.c "$work/early.c" -lpthread
try "a program that dies before main is one failure" closes early "0 passed, 1 failed" "$work/early"
$CC "${warn[@]}" -DRING3_TEST_PLAIN=1 -o "$work/empty" tests/ring3_test.c -lpthread
try "a program without tests is one failure" closes empty "0 passed, 1 failed" "$work/empty"
