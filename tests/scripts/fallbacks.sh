#!/bin/bash
# SPDX-License-Identifier: MIT
# Suites again, with what newer kernels and C libraries offer switched off.
. "$(dirname "$0")/../tap.sh"

without() { RING3_DISABLE=$1 timeout 300 "$B/tests/$2"; }

try "libsync without membarrier and rseq" without membarrier,rseq sync
try "libthreadpool without membarrier and rseq" without membarrier,rseq threadpool
try "libsched_user without guard markers" without guard sched
