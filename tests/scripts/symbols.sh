#!/bin/bash
# SPDX-License-Identifier: MIT
# What the built shared objects show to the world: ring3_* names only, and of preload objects exactly what their map
# lists; and the sonames under which programs remember them.
. "$(dirname "$0")/../tap.sh"

exported() { nm -D --defined-only "$1" | awk '{ sub(/@.*/, "", $3); print $3 }' | sort -u; }

only_ours() {
    ! exported "$1" | grep -v '^ring3_' && [ -n "$(exported "$1")" ]
}

soname_is() {
    is "$2" sh -c "readelf -d '$1' | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p'"
}

# The patterns between `global:` and `local:`.
map_patterns() {
    sed 's|/\*.*\*/||; s|#.*||' "$1" | tr '\n' ' ' | sed 's/.*global://; s/local:.*//; s/extern "C[+]*"//g; s/[{};"]/ /g'
}

as_mapped() { # object, map
    local pattern name bad=0
    local -a patterns names
    read -ra patterns < <(map_patterns "$2")
    mapfile -t names < <(exported "$1")
    for name in "${names[@]}"; do
        for pattern in "${patterns[@]}"; do
            # shellcheck disable=SC2053 # the map's wildcards are the shell's
            [[ $name == $pattern ]] && continue 2
        done
        echo "exported, but not in $2: $name"
        bad=1
    done
    for pattern in "${patterns[@]}"; do
        for name in "${names[@]}"; do
            # shellcheck disable=SC2053
            [[ $name == $pattern ]] && continue 2
        done
        echo "in $2, but not exported: $pattern"
        bad=1
    done
    return $bad
}

# An interposed name must not carry a version: the dynamic linker would not bind to it.
unversioned() { ! nm -D --defined-only "$1" | grep '@'; }

for so in "$B"/lib/libring3-*.so.0; do
    name=${so##*/}
    try "$name shows only ring3_* names" only_ours "$so"
    try "$name has its soname" soname_is "$so" "$name"
    try "${name%.0} leads to $name" [ "$(readlink "${so%.0}")" = "$name" ]
done
for map in */preload/libring3-*.map; do
    name=$(basename "$map" .map).so
    so=$B/lib/$name
    if [ -e "$so" ]; then
        try "$name shows what its map lists and nothing else" as_mapped "$so" "$map"
        try "$name has its soname" soname_is "$so" "$name"
        try "$name interposes without versions" unversioned "$so"
    else
        skip "$name shows what its map lists and nothing else" "$name is not built"
    fi
done
