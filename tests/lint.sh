#!/bin/bash
# SPDX-License-Identifier: MIT
# Checks what a compiler does not: formatting, shell scripts, man pages, licence lines and the length of files.
# `make lint`; prints what is wrong and ends with status 1 if anything is.
set -u
cd "$(dirname "$0")/.." || exit 2
MAX_LINES=650
wrong=0

mapfile -t c_files < <(git ls-files -co --exclude-standard '*.c' '*.h')
# bench/shell/scripts are not programs of ours but food for shells, some of it as autoconf writes it.
mapfile -t scripts < <(git ls-files -co --exclude-standard '*.sh' .ci/run ':!bench/shell/scripts')
mapfile -t pages < <(git ls-files -co --exclude-standard 'docs/man/*')
mapfile -t sources < <(git ls-files -co --exclude-standard '*.c' '*.h' '*.S' '*.sh' '*.mk' '*.py' '*.map' '*.[1-9]' Makefile .ci/run)

# report WHAT CMD…: shows what the command prints under a heading; it should print nothing.
report() {
    local what=$1 lines
    shift
    lines=$("$@")
    [ -n "$lines" ] || return
    printf '%s:\n%s\n' "$what" "$lines"
    wrong=1
}

unformatted() { clang-format --dry-run "${c_files[@]}" 2>&1 | grep 'warning:'; }
unparsable() {
    for script in "${scripts[@]}"; do
        bash -n "$script" 2>&1
    done
}
shell_mistakes() { shellcheck -s bash -x -P SCRIPTDIR -S warning "${scripts[@]}" 2>&1; }
# Our pages refer to each other, and none of them is installed here.
page_mistakes() {
    for page in "${pages[@]}"; do
        mandoc -Tlint "$page" 2>/dev/null
    done | grep -v 'referenced manual not found'
}
too_long() { wc -l "${sources[@]}" | awk -v max="$MAX_LINES" '$2 != "total" && $1 > max { print $2 ": " $1 " lines" }'; }

! command -v clang-format >/dev/null || report "not formatted (make format)" unformatted
report "not a shell script" unparsable
! command -v shellcheck >/dev/null || report "shellcheck" shell_mistakes
! command -v mandoc >/dev/null || report "man pages" page_mistakes
report "longer than $MAX_LINES lines" too_long
report "no SPDX line" grep -L 'SPDX-License-Identifier: MIT' "${sources[@]}"
report "blanks at the end of a line" grep -nE '[[:space:]]$' "${sources[@]}"

[ $wrong = 0 ] && echo "lint: ${#sources[@]} files, nothing to say"
exit $wrong
