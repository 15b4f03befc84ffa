#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the portable POSIX tests of a yash source tree (tests/*-p.tst) against a shell and prints a table: as this user,
# and, when that is root, as an ordinary user too, since some tests skip themselves under one of the two. A test that
# asks for a terminal gets a pseudo-terminal. Nothing of yash is kept: all work happens in a temporary directory.
#   tests/conformance.sh YASH_SRC SHELL [file.tst…]
#   JOBS=n         files at once (the number of CPUs)
#   FILE_LIMIT=s   seconds for one file (300)
#   RUNNER="bash --posix"   runs the test scripts themselves; it needs $LINENO, which Debian's dash lacks
#   KEEP=dir       where the detailed result files (.trs) of files that did not pass go
#   SKIP_AS_USER=1 leaves the second run out
set -u
source=${1:?usage: conformance.sh YASH_SRC SHELL [file.tst...]} shell=${2:?which shell?}
shift 2
jobs=${JOBS:-$(nproc)} limit=${FILE_LIMIT:-300} runner=${RUNNER:-bash --posix}

[ -e "$source/tests/run-test.sh" ] || { echo "conformance: $source is no yash source tree" >&2; exit 2; }

work=$(mktemp -d) || exit 2
# What a file left running works in our directory, and ends with it.
clean_up() {
    local process
    for process in /proc/[0-9]*; do
        case $(readlink "$process/cwd" 2>/dev/null) in
        "$work"/*) kill -KILL "${process#/proc/}" 2>/dev/null ;;
        esac
    done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP
chmod 755 "$work"
cp "$shell" "$work/$(basename "$shell")" || exit 2
shell=$work/$(basename "$shell")
for helper in ptwrap checkfg; do
    "${CC:-cc}" -w -o "$work/$helper" "$source/tests/$helper.c" || exit 2
done

files=("$@")
[ $# -gt 0 ] || mapfile -t files < <(cd "$source/tests" && echo *-p.tst | tr ' ' '\n')

# One file: its results go to $1/<name>.trs, its end to $1/<name>.status.
one() { # directory, file
    local -a wrap=()
    cd "$1" || return
    ! grep -q '%REQUIRETTY%' "$2" || wrap=("$work/ptwrap")
    # shellcheck disable=SC2086 # a command with its options
    # A session of its own, so that nothing outlives the file; signals as a login shell would have them.
    setsid -w timeout -k 5 "$limit" env --default-signal "${wrap[@]}" $runner ./run-test.sh "$shell" "$2" \
        </dev/null >"${2%.tst}.log" 2>&1
    echo $? >"${2%.tst}.status"
}
export -f one
export work shell limit runner

run_all() { # directory, command that changes the user…
    local dir=$1
    shift
    mkdir "$dir"
    cp "$source"/tests/*-p.tst "$source"/tests/*.sh "$work/checkfg" "$dir"
    [ $# = 0 ] || chown -R nobody "$dir"
    # shellcheck disable=SC2016 # expanded by the inner shell
    printf '%s\n' "${files[@]}" | "$@" xargs -P "$jobs" -I '{}' bash -c 'one "$0" "$1"' "$dir" '{}'
}

count() { grep -c "^%%% $1: " "$2" 2>/dev/null; }

# name, directory: one line of the table, "passed failed skipped note"
judge() {
    local trs=$2/${1%.tst}.trs status passed failed skipped started note=
    status=$(cat "$2/${1%.tst}.status" 2>/dev/null || echo lost)
    passed=$(count PASSED "$trs") failed=$(count FAILED "$trs") skipped=$(count SKIPPED "$trs")
    started=$(count START "$trs")
    case $status in
    0) ;;
    124 | 137) note="time is up" ;;
    *) note="ended with status $status" ;;
    esac
    # A case that began and has no result hung or took the runner with it.
    failed=$((${failed:-0} + ${started:-0} - ${passed:-0} - ${failed:-0}))
    [ "$failed" -ge 0 ] || failed=0
    [ -z "$note" ] || [ "$failed" -gt 0 ] || failed=1
    echo "${passed:-0} $failed ${skipped:-0} $note"
}

total_passed=0 total_failed=0
table() { # title, directory
    local file passed failed skipped note sum_passed=0 sum_failed=0 sum_skipped=0
    printf '\n%-24s %8s %8s %8s\n' "$1" passed failed skipped
    for file in "${files[@]}"; do
        read -r passed failed skipped note < <(judge "$file" "$2")
        printf '%-24s %8d %8d %8d %s\n' "${file%.tst}" "$passed" "$failed" "$skipped" "$note"
        sum_passed=$((sum_passed + passed)) sum_failed=$((sum_failed + failed)) sum_skipped=$((sum_skipped + skipped))
        [ -z "${KEEP:-}" ] || [ "$failed" = 0 ] || cp "$2/${file%.tst}.trs" "$2/${file%.tst}.log" "$KEEP" 2>/dev/null
    done
    printf '%-24s %8d %8d %8d\n' total "$sum_passed" "$sum_failed" "$sum_skipped"
    total_passed=$((total_passed + sum_passed)) total_failed=$((total_failed + sum_failed))
}

[ -z "${KEEP:-}" ] || mkdir -p "$KEEP"
run_all "$work/self"
table "as $(id -un)" "$work/self"
if [ "$(id -u)" = 0 ] && [ -z "${SKIP_AS_USER:-}" ]; then
    run_all "$work/user" setpriv --reuid=nobody --regid=nogroup --clear-groups
    table "as nobody" "$work/user"
fi
echo
echo "$total_passed passed, $total_failed failed"
[ "$total_failed" = 0 ] && [ "$total_passed" -gt 0 ]
