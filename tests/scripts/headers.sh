#!/bin/bash
# SPDX-License-Identifier: MIT
# Every public header compiles by itself, and when included twice, as C17 and as C++17, without a warning.
. "$(dirname "$0")/../tap.sh"

folders=(*/include)
flags=("${folders[@]/#/-I}" -O1 -Wall -Wextra -Wpedantic -Wconversion -Werror -D_POSIX_C_SOURCE=200809L)

compiles() { # compiler, language, standard, header
    printf '#include "%s"\n#include "%s"\nextern int used;\nint used;\n' "$4" "$4" >"$work/only.$2"
    # shellcheck disable=SC2086 # CC may carry options
    $1 -std="$3" "${flags[@]}" -c "$work/only.$2" -o "$work/only.o"
}

for header in */include/ring3/*.h; do
    name=${header#*/include/}
    try "$name compiles by itself as C17" compiles "$CC" c c17 "$name"
    if command -v "${CXX%% *}" >/dev/null; then
        try "$name compiles by itself as C++17" compiles "$CXX" cc c++17 "$name"
    else
        skip "$name compiles by itself as C++17" "no $CXX here"
    fi
done
