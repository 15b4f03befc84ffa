# SPDX-License-Identifier: MIT
# What the tests of r3sh share: `. "$(dirname "$0")/../r3sh.sh"`.
#   $sh                    the shell, by the name sh
#   does WHAT TEXT SCRIPT  the script prints exactly that (stdout), run with its subshells in the shell's process
#                          and again with FORK=always
#   ends WHAT STATUS SCRIPT
#   errs WHAT TEXT SCRIPT  stderr contains the text, and the status is not 0
# shellcheck shell=bash
# shellcheck source=tap.sh
. "$(dirname "$0")/../tap.sh" || exit
mkdir "$work/bin" "$work/dir"
ln -s "$top/$B/bin/r3sh" "$work/bin/sh"
# shellcheck disable=SC2034 # for those who include this
sh=$work/bin/sh

# A hang is a failure with status 124; the limit is for machines under load.
run() { (cd "$work/dir" && unset ENV FORK && timeout -k 5 120 "$@"); }

compare() { # TEXT SCRIPT [VAR=VALUE]
    local got
    got=$(run env ${3:+"$3"} "$sh" -c "$2" 2>&1 </dev/null)
    [ "$got" = "$1" ] || { printf '%s expected:\n%s\ngot:\n%s\n' "${3:-plain}" "$1" "$got"; return 1; }
}
both() { compare "$1" "$2" && compare "$1" "$2" FORK=always; }
does() { try "$1" both "$2" "$3"; }

status_is() { gives "$1" run "$sh" -c "$2" </dev/null; }
ends() { try "$1" status_is "$2" "$3"; }

complains() {
    local got status=0
    got=$(run "$sh" -c "$2" 2>&1 >/dev/null </dev/null) || status=$?
    [[ $got == *"$1"* && $status != 0 ]] || { printf 'no "%s" with an error (status %s) in:\n%s\n' "$1" "$status" "$got"; return 1; }
}
errs() { try "$1" complains "$2" "$3"; }
