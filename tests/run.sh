#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs test programs and test scripts, shows what each ran, and closes with `N passed, N failed`.
# A program writes TAP to the file it is given with --tap=; a script prints TAP ("ok - what", "not ok - what",
# "ok - what # SKIP why") on its standard output. A run that ends without a result, or badly after good ones, counts
# as one failure. Each has a time limit and a session of its own, of which nothing is left when the next one starts.
#   WRAP="valgrind …"                  put before the programs
#   SUITE_LIMIT=900 SCRIPT_LIMIT=900   seconds
set -u
cd "$(dirname "$0")/.." || exit 2
export B=${B:-build}

work=$(mktemp -d) || exit 2
session=
end_session() { [ -z "$session" ] || pkill -KILL -s "$session"; session=; }
trap 'end_session; rm -rf "$work"' EXIT
trap 'trap "" INT TERM HUP; exit 130' INT TERM HUP # make passes on a signal that came to all of us

# Tests and benches never run over each other on one machine.
exec 9>"${TMPDIR:-/tmp}/ring3-test-bench.lock"
flock -n 9 || { echo "waiting for another ring3 test or bench run on this machine"; flock 9; }

# Sanitizers: any report is a failure.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0:allocator_may_return_null=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1}

passed=0 failed=0 skipped=0
failures=()

start() { # seconds, command…
    # A background job leads no process group here, so setsid keeps its pid, which becomes the session's.
    setsid timeout -k 10 "$@" </dev/null 9>&- &
    session=$!
}

judge() { # name, exit status, seconds it took
    local ok bad skip
    skip=$(grep -cE '^ok\b.*# *SKIP' "$work/tap")
    ok=$(($(grep -c '^ok\b' "$work/tap") - skip))
    mapfile -t bad < <(grep '^not ok\b' "$work/tap")
    if [ ${#bad[@]} = 0 ] && { [ "$2" != 0 ] || [ $((ok + skip)) = 0 ]; }; then
        bad=("not ok - ended with status $2$([ "$2" != 124 ] || echo " (its time was up)") after $ok results")
        echo "${bad[0]}"
    fi
    passed=$((passed + ok)) failed=$((failed + ${#bad[@]})) skipped=$((skipped + skip))
    for line in "${bad[@]}"; do
        failures+=("$1: ${line#*- }")
    done
    echo "== $1: $ok passed, ${#bad[@]} failed, $3 s"
}

for unit in "$@"; do
    began=$SECONDS
    echo "== $unit"
    : >"$work/tap"
    case $unit in
    *.sh)
        start "${SCRIPT_LIMIT:-900}" bash "$unit" >"$work/tap"
        tail -n +1 -s 0.1 -f --pid="$session" "$work/tap"
        wait "$session"
        status=$?
        ;;
    *)
        # shellcheck disable=SC2086 # a command with its options
        start "${SUITE_LIMIT:-900}" ${WRAP:-} "$unit" --tap="$work/tap"
        wait "$session"
        status=$?
        # What Criterion adds to a failure, as one line.
        sed -nE '/^(not )?ok/p; s/^ *Assertion failed: /    /p' "$work/tap"
        ;;
    esac
    end_session
    judge "$unit" $status $((SECONDS - began))
done

[ ${#failures[@]} = 0 ] || printf '\nFailed:\n'
[ ${#failures[@]} = 0 ] || printf '  %s\n' "${failures[@]}"
echo "$passed passed, $failed failed$([ "$skipped" = 0 ] || echo ", $skipped skipped")"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
