#!/bin/bash
# SPDX-License-Identifier: MIT
# Counts machine instructions of fast paths under callgrind and compares them with bench/instructions.txt. The counts do
# not depend on what else the machine does, so they catch what timing cannot.
#   bench/instructions.sh           compare; status 1 if one needs more than its baseline plus the tolerance
#   bench/instructions.sh --update  write what is counted as the new baselines
set -u
cd "$(dirname "$0")/.." || exit 2
B=${B:-build}
baselines=bench/instructions.txt
TOLERANCE=5 # percent; at least one instruction
FEW=1000 MANY=3000

command -v valgrind >/dev/null || { echo "bench/instructions.sh: valgrind is not installed"; exit 1; }
machine=$(uname -m)-$(basename "${CC:-gcc}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

count() { # turns, program and its arguments: instructions of the whole run
    local turns=$1
    shift
    valgrind --tool=callgrind --callgrind-out-file="$work/out" --log-file="$work/log" "$@" "$turns" >"$work/said" 2>&1 ||
        { cat "$work/log" "$work/said" >&2; return 1; }
    awk '/^(summary|totals):/ { print $2; exit }' "$work/out"
}

# The cost of a turn: the start-up is the same in both runs.
per_turn() {
    local few many
    few=$(count $FEW "$@") && many=$(count $MANY "$@") || return 1
    echo $(((many - few + (MANY - FEW) / 2) / (MANY - FEW)))
}

measure() {
    local name library=$PWD/$B/lib/libring3-malloc.so
    for name in $("$B/bench/instructions"); do
        case $name in
        malloc*)
            [ -e "$library" ] || { echo "note: $library is not built: $name skipped" >&2; continue; }
            local policy
            for policy in slab first-fit next-fit best-fit worst-fit buddy; do
                printf '%s/%s %s\n' "$name" "$policy" "$(RING3_MALLOC=policy=$policy \
                    LD_PRELOAD=$library per_turn "$B/bench/instructions" "$name")"
            done
            ;;
        *) printf '%s %s\n' "$name" "$(per_turn "$B/bench/instructions" "$name")" ;;
        esac
    done
}

measure >"$work/now"
awk 'NF != 2 { exit 1 }' "$work/now" || { echo "bench/instructions.sh: a count is missing"; exit 1; }
if [ "${1:-}" = --update ]; then
    {
        sed -n '/^#/p' "$baselines" 2>/dev/null
        grep -v '^#' "$baselines" 2>/dev/null | grep -v "^$machine "
        sed "s/^/$machine /" "$work/now"
    } >"$work/new"
    cp "$work/new" "$baselines"
fi
awk -v machine="$machine" -v tolerance=$TOLERANCE '
    NR == FNR { if ($1 == machine) baseline[$2] = $3; next }
    {
        if (!($1 in baseline)) { printf "  %-32s %6d   no baseline for %s\n", $1, $2, machine; next }
        allowed = baseline[$1] * tolerance / 100
        if (allowed < 1) allowed = 1
        verdict = $2 > baseline[$1] + allowed ? "MORE THAN ITS BASELINE" : $2 < baseline[$1] - allowed ? "fewer: update the baseline" : ""
        printf "  %-32s %6d   baseline %d %s\n", $1, $2, baseline[$1], verdict
        if ($2 > baseline[$1] + allowed) failed = 1
    }
    END { exit failed }' "$baselines" "$work/now"
