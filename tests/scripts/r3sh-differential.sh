#!/bin/bash
# SPDX-License-Identifier: MIT
# Random scripts: r3sh with its subshells in its process and forked, dash, and bash in posix mode agree.
. "$(dirname "$0")/../r3sh.sh"
for shell in dash bash python3; do
    command -v $shell >/dev/null || { skip 'random scripts' "$shell is not installed"; exit; }
done
# Always the same ones; make fuzz-scripts tries others.
try 'random scripts' "$top/tests/fuzz/differential.py" "$sh" --seed 1 --count "${RING3_TEST_LONG:+100}50" --seconds 10000
