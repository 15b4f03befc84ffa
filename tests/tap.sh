# SPDX-License-Identifier: MIT
# What test scripts share; tests/scripts/*.sh begin with `. "$(dirname "$0")/../tap.sh"`.
# They then stand in the top folder, with
#   $top          that folder, absolute
#   $B            the build directory, relative (build, build/clang, …)
#   $work         an empty directory of their own, removed at the end
#   try WHAT CMD  one test: passes if the command succeeds; its output is shown if it does not
#   skip WHAT WHY one test that does not apply here
# shellcheck shell=bash
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
export B=${B:-build} CC=${CC:-gcc} CXX=${CXX:-g++}
export LC_ALL=C.UTF-8
export top=$PWD
# A make in a test means the build under test (WERROR=1 and the like), but has no part in its jobs.
MAKEFLAGS=$(sed 's/--jobserver-[a-z]*=[^ ]*//; s/-j[0-9]*//' <<<"${MAKEFLAGS:-}")
export MAKEFLAGS DEPS=no
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

try() {
    local what=$1
    shift
    if "$@" >"$work/.output" 2>&1; then
        echo "ok - $what"
    else
        echo "not ok - $what"
        echo "# $*"
        sed 's/^/# /' "$work/.output"
    fi
}

skip() { echo "ok - $1 # SKIP $2"; }

# gives STATUS CMD…: the command ends with that exit status.
gives() {
    local wanted=$1 status=0
    shift
    "$@" || status=$?
    [ "$status" = "$wanted" ] || { echo "status $status, expected $wanted"; return 1; }
}

# says TEXT CMD…: the command's output, stdout and stderr, contains the text.
says() {
    local text=$1 output
    shift
    output=$("$@" 2>&1)
    [[ $output == *"$text"* ]] || { printf 'no "%s" in:\n%s\n' "$text" "$output"; return 1; }
}

# is TEXT CMD…: the command's output is exactly the text.
is() {
    local text=$1 output
    shift
    output=$("$@" 2>&1)
    [ "$output" = "$text" ] || { printf 'expected: %s\ngot: %s\n' "$text" "$output"; return 1; }
}
