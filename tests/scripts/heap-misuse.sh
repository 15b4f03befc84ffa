#!/bin/bash
# SPDX-License-Identifier: MIT
# Every program of tests/alloc/preload/misuses.c under every level: what the table in liballoc/MISUSE.md promises.
. "$(dirname "$0")/../tap.sh"

malloc=$top/$B/lib/libring3-malloc.so
misuses=$top/$B/tests/preload/misuses
table=$top/liballoc/MISUSE.md
levels=("slab" "slab,hardening=fast" "slab,hardening=full" "slab,guard=sample:1" "debug")

# What came of it: caught, harmless, damage, or what went wrong with the run.
outcome() { # settings, misuse
    local said status
    said=$(RING3_MALLOC=$1 LD_PRELOAD=$malloc timeout 60 "$misuses" "$2" 2>&1)
    status=$?
    case $status in
    0) echo "${said##*$'\n'}" ;;
    134) [[ $said = *"ring3 malloc: "* ]] && echo caught || echo "aborted without a word" ;;
    139) echo caught ;;
    *) echo "status $status" ;;
    esac
}

rows() { sed -n 's/^| \([a-z]*_[a-z0-9_]*\|twice\) |/\1 |/p' "$table"; }

column() { # number, settings
    local name cells promised seen wrong=0
    while IFS='|' read -r name cells; do
        name=${name// /}
        promised=$(cut -d '|' -f "$1" <<<"$cells")
        promised=${promised// /}
        seen=$(outcome "$2" "$name")
        case $promised/$seen in
        caught/caught | harmless/harmless | -/caught | -/harmless | -/damage) ;;
        *)
            echo "$name: promised $promised, seen $seen"
            wrong=1
            ;;
        esac
    done < <(rows)
    return $wrong
}

every_program_has_a_row() {
    local missing
    missing=$(diff <("$misuses" | sort) <(rows | cut -d ' ' -f 1 | sort)) || { echo "$missing"; return 1; }
    [ "$(rows | wc -l)" -ge 60 ] || { echo "only $(rows | wc -l) rows"; return 1; }
}

# Both stacks, and the function that is at fault by its symbol, for a use after free in guarded pages.
report_names_both() {
    local said
    said=$(RING3_MALLOC=slab,guard=sample:1 LD_PRELOAD=$malloc "$misuses" use_write 2>&1)
    grep -q 'which was freed already' <<<"$said" && grep -q '^  allocated by thread' <<<"$said" &&
        grep -q '^  freed by thread' <<<"$said" && [ "$(grep -c "    at 0x.*misuses+0x" <<<"$said")" -ge 2 ] ||
        { echo "$said"; return 1; }
}

# The kernel allows a process 65530 mappings; 60,000 guarded blocks stay far below, also without the kernel's guards.
few_mappings() {
    local count
    count=$(RING3_DISABLE=$1 RING3_MALLOC=debug LD_PRELOAD=$malloc perl -e '
        my @a = map { "x" x 40 } 1..60000; open my $m, "<", "/proc/self/maps"; my $n = () = <$m>; print $n') || return
    [ "$count" -le 40000 ] || { echo "$count mappings"; return 1; }
}

try "every program has a row in the table" every_program_has_a_row
for i in "${!levels[@]}"; do
    try "${levels[i]}: keeps what the table promises" column $((i + 1)) "${levels[i]}"
done
try "a use after free names both stacks" report_names_both
try "guarded blocks need a bounded number of mappings" few_mappings ''
try "so they do without the kernel's guards" few_mappings guard
