#!/bin/bash
# SPDX-License-Identifier: MIT
# Unmodified programs on ring3's malloc. Every tests/programs/NAME.sh runs on libc's malloc and on each policy of
# libring3-malloc.so; what it prints, its exit status and what it leaves under result/ must be the same byte for byte.
# A witness object in every process notes whose malloc it really got.
#   RING3_TEST_LONG=1                         bigger inputs
#   PROGRAMS="git node" POLICIES="buddy"      a part of it
#   KEEP=dir                                  keep what the runs left
set -u
cd "$(dirname "$0")/../.." || exit 2
B=$PWD/${B:-build}
preload=${PRELOAD_OBJECT:-$B/lib/libring3-malloc.so}
programs=${PROGRAMS:-$(cd tests/programs && ls -- *.sh)}
# Settings of RING3_MALLOC that begin with a policy. The full hardening, and guarded blocks, are too slow for a short run.
policies=${POLICIES:-slab first-fit best-fit buddy slab,hardening=fast${RING3_TEST_LONG:+ slab,hardening=full slab,guard=sample:100 debug}}
work=${KEEP:-$(mktemp -d)}
[ -n "${KEEP:-}" ] || trap 'rm -rf "$work"' EXIT
work=$(mkdir -p "$work" && cd "$work" && pwd) || exit 2

limit=100 # seconds until a run counts as hung; the slowest takes about 10 on libc's malloc
SCALE=1
[ -z "${RING3_TEST_LONG:-}" ] || { limit=1500 SCALE=10; }
export SCALE HERE=$PWD/tests/programs PEERS=$PWD/build/peers
export LC_ALL=C TZ=UTC HOME=/nonexistent
unset LD_PRELOAD MALLOC_ARENA_MAX PYTHONPATH NODE_OPTIONS

# What tests/programs/*.sh put before the program under test, and before nothing else.
under() {
    LD_PRELOAD=$PRELOADS RING3_WITNESS=$WITNESS RING3_MALLOC=$SETTINGS "$@"
}
export -f under

run() { # program, label, object to preload, RING3_MALLOC
    local here=$work/$1
    rm -rf "$here/run" "${here:?}/$2" "$here/$2.witness"
    # Always the same directory, whatever the malloc: its name may be part of the output.
    mkdir -p "$here/run/result"
    (
        cd "$here/run" || exit
        export PRELOADS="$B/tests/witness.so $3" WITNESS=$here/$2.witness SETTINGS=$4
        timeout -k 5 "$limit" bash "$HERE/$1.sh" >result/stdout 2>result/stderr </dev/null
        echo $? >result/status
    )
    touch "$here/$2.witness"
    mv "$here/run/result" "$here/$2"
}

# Prints in one line what is wrong with a run; nothing if every process had its malloc and free from `object`.
misattributed() { # program, label, object
    local record=$work/$1/$2.witness
    [ -s "$record" ] || echo "no process loaded $3"
    grep -v "^$3 $3 " "$record" | sort | uniq -c | head -n 3 | tr -s '\n ' ' '
}

wrong_with() { # program, label
    local here=$work/$1 status
    status=$(cat "$here/$2/status")
    case $status in
    124 | 137) echo "still running after $limit s" ;;
    "$(cat "$here/libc/status")")
        diff -r -a "$here/libc" "$here/$2" | head -n 5 | cut -c 1-200 | tr '\n' '|'
        misattributed "$1" "$2" "${preload##*/}"
        ;;
    *) echo "status $status: $(tail -n 3 "$here/$2/stderr" | cut -c 1-200 | tr '\n' '|')" ;;
    esac
}

judge() { # program
    local policy wrong status start
    run "$1" libc libc.so.6 ''
    status=$(cat "$work/$1/libc/status")
    wrong=$(misattributed "$1" libc libc.so.6)
    if [ "$status" = 77 ]; then
        echo "ok - $1 # SKIP $(tail -n 1 "$work/$1/libc/stderr")"
        return
    elif [ "$status" != 0 ] || [ -n "$wrong" ]; then
        echo "not ok - $1 on libc's malloc: status $status: $wrong $(tail -n 3 "$work/$1/libc/stderr" | tr '\n' '|')"
        return
    fi
    for policy in $policies; do
        start=$(date +%s%N)
        run "$1" "$policy" "$preload" "policy=$policy"
        wrong=$(wrong_with "$1" "$policy")
        echo "${wrong:+not }ok - $1 under $policy${wrong:+: $wrong}"
        echo "# $(wc -l <"$work/$1/$policy.witness") processes, $((($(date +%s%N) - start) / 1000000)) ms"
    done
}

[ -e "$preload" ] || { echo "not ok - $preload is there"; exit 1; }
running=0
for program in $programs; do
    [ $running -lt 2 ] || { wait -n; running=$((running - 1)); }
    program=${program%.sh}
    { judge "$program" >"$work/$program.tap"; cat "$work/$program.tap"; } &
    running=$((running + 1))
done
wait
! grep -q '^not ok' "$work"/*.tap
