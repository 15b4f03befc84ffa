#!/bin/bash
# SPDX-License-Identifier: MIT
# The other machine: libraries compile for aarch64 without a warning, and their suites pass under qemu.
. "$(dirname "$0")/../tap.sh"

cross=aarch64-linux-gnu-gcc
if ! command -v $cross >/dev/null; then
    skip "libraries compile for aarch64 without warnings" "$cross is not installed"
    exit
fi
arm=build/$cross
# The flags of the make that called us are not for this one.
unset MAKEFLAGS MAKELEVEL MFLAGS
build() { make -j2 CC=$cross WERROR=1 DEPS=no "$@"; }
export QEMU_LD_PREFIX=/usr/aarch64-linux-gnu RING3_TEST_SLOW=1
unset RING3_TEST_LONG

# What qemu 7.2 itself cannot do: it loses count of its CPUs when a process with threads forks, and knows no seccomp.
excuse() {
    sed -E 's/ok [0-9]+ - /&aarch64: /
        s/^not (ok .*aarch64: fork.the_child_starts_afresh_and_the_parent_goes_on).* status 127.*/\1 # SKIP qemu aborts/
        s/^not (ok .*aarch64: stack.works_in_a_forked_child_while_threads_use_it).* status 127.*/\1 # SKIP qemu aborts/
        s/^not (ok .*aarch64: fence.a_refusal_after_consent_costs_speed_and_no_wake_up).* prctl.*/\1 # SKIP no seccomp/'
}

for name in sync sched; do
    try "libring3-$name compiles for aarch64 without warnings" build $arm/lib/libring3-$name.so
    try "the suite $name compiles for aarch64 without warnings" build $arm/tests/$name
    if ! command -v qemu-aarch64 >/dev/null; then
        skip "the suite $name passes on aarch64" "qemu-aarch64 is not installed"
        continue
    fi
    qemu-aarch64 $arm/tests/$name --tap="$work/tap"
    status=$?
    excuse <"$work/tap" >"$work/results"
    grep -E '^(not )?ok' "$work/results"
    [ $status = 0 ] || grep -q '^1\.\.' "$work/results" ||
        echo "not ok - the suite $name on aarch64 ended with status $status"
done
