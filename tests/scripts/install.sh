#!/bin/bash
# SPDX-License-Identifier: MIT
# `make install` into an empty DESTDIR, then what a stranger does with it: build a program through pkg-config, shared
# and static, run it on the installed libraries, and run the installed command.
. "$(dirname "$0")/../tap.sh"

dest=$work/dest
prefix=/opt/ring3
root=$dest$prefix
lib=$root/lib
quiet_make() { make -s CC="$CC" DESTDIR="$dest" PREFIX=$prefix "$@"; }
# The installed command knows its prefix; the one in the build directory gets its own back.
trap 'make -s CC="$CC" "$B/bin/ring3" >/dev/null 2>&1; rm -rf "$work"' EXIT

try "make install" quiet_make install
before=$(cd "$dest" && find . | sort)

for header in */include/ring3/*.h; do
    try "${header#*/include/} is installed" cmp "$header" "$root/include/${header#*/include/}"
done
for so in "$B"/lib/libring3-*.so.0; do
    name=$(basename "$so" .so.0)
    try "$name.a is installed" cmp "$B/lib/$name.a" "$lib/$name.a"
    try "$name.so leads to $name.so.0" [ "$(readlink "$lib/$name.so")" = "$name.so.0" ]
    try "$name.so.0 leads to a library" cmp "$so" "$lib/$name.so.0"
done
for page in docs/man/*; do
    try "${page##*/} is installed" cmp "$page" "$root/share/man/man${page##*.}/${page##*/}"
done
try "nothing is installed outside the prefix" is "$prefix" sh -c "cd $dest && find . -mindepth 2 -maxdepth 2 | sed 's/^.//'"

# --- Programs of strangers ---
export PKG_CONFIG_SYSROOT_DIR=$dest PKG_CONFIG_PATH=$lib/pkgconfig
config() { pkg-config "$@"; }

cat >"$work/sync.c" <<'END'
#include <ring3/mutex.h>
#include <ring3/rbtree.h>
#include <stdio.h>

int main(void)
{
    ring3_mutex_t mutex = RING3_MUTEX_INIT;
    ring3_rbtree_t tree = {0};

    ring3_mutex_lock(&mutex);
    puts(ring3_rbtree_last(&tree) ? "a node" : "an empty tree");
    ring3_mutex_unlock(&mutex);
    return 0;
}
END
# shellcheck disable=SC2046,SC2086 # flags are words
build() { $CC -o "$work/$1" "$work/sync.c" ${2-} $(config ${3-} --cflags --libs ring3-sync); }
run_shared() { env LD_LIBRARY_PATH="$lib" "$work/shared"; }
uses_installed() { env LD_LIBRARY_PATH="$lib" ldd "$work/shared" | grep -F "libring3-sync.so.0 => $lib/libring3-sync.so.0"; }
no_ring3_needed() { ! readelf -d "$work/$1" | grep 'libring3'; }

for pc in "$lib"/pkgconfig/*.pc; do
    module=$(basename "$pc" .pc)
    try "$module is valid to pkg-config" config --validate "$module"
    try "$module has a description" [ -n "$(sed -n 's/^Description: //p' "$pc")" ]
    try "$module has the version of the command" is "ring3 $(config --modversion "$module")" "$root/bin/ring3" --version
    try "$module names libraries that are there" sh -c "
        echo 'int main(void) { return 0; }' >$work/empty.c
        $CC -o $work/empty $work/empty.c -Wl,--no-as-needed \$(pkg-config --libs $module)"
    try "$module links statically" sh -c "$CC -static -o $work/empty $work/empty.c \$(pkg-config --static --libs $module)"
done
try "a program builds against the installed libraries" build shared
try "it needs the library under its soname" says "[libring3-sync.so.0]" readelf -d "$work/shared"
try "it runs on the installed library" is "an empty tree" run_shared
try "ldd finds the installed library" uses_installed
complains_once() {
    env RING3_DISABLE=warp,rseq LD_LIBRARY_PATH="$lib" "$work/shared" 2>&1 | sed 's/allowed: .*/allowed: …/'
}
try "it reads RING3_DISABLE, and complains once of what is unknown" is \
    $'ring3: RING3_DISABLE: unknown feature "warp" ignored; allowed: …\nan empty tree' complains_once
try "the same program builds statically" build static -static --static
try "the static program needs no library of ring3" no_ring3_needed static
try "the static program runs" is "an empty tree" "$work/static"
try "moved trees work: the prefix can be defined anew" says "-I/elsewhere/include" \
    env -u PKG_CONFIG_SYSROOT_DIR pkg-config --define-variable=prefix=/elsewhere --cflags ring3-sync

# --- The installed command ---
try "the installed command runs" says "usage: ring3" "$root/bin/ring3" --help
if [ -e "$lib/libring3-malloc.so" ]; then
    try "the installed command preloads the installed object" is "LD_PRELOAD=$lib/libring3-malloc.so" \
        "$root/bin/ring3" run --print
    try "programs run on the installed object" is "hello" "$root/bin/ring3" run --malloc=best-fit echo hello
    for preload in "$B"/lib/libring3-{malloc,locks,gate}.so; do
        [ ! -e "$preload" ] || try "${preload##*/} is installed" cmp "$preload" "$lib/${preload##*/}"
    done
else
    skip "the installed command preloads the installed object" "libring3-malloc.so is not built"
    try "the installed command names both places where it looked" says \
        "neither in $lib nor in $prefix/lib" "$root/bin/ring3" run true
fi

# --- And away again ---
try "make install twice changes nothing" sh -c "make -s CC='$CC' DESTDIR=$dest PREFIX=$prefix install"
try "the second install left the same files" [ "$before" = "$(cd "$dest" && find . | sort)" ]
try "make uninstall" quiet_make uninstall
try "nothing is left after uninstall" is "" find "$dest" ! -type d
quiet_make install LIBDIR=/opt/lib64 >/dev/null 2>&1
try "LIBDIR moves libraries and pkg-config files" says "-L/opt/lib64" \
    env -u PKG_CONFIG_SYSROOT_DIR PKG_CONFIG_PATH="$dest/opt/lib64/pkgconfig" pkg-config --libs ring3-sync
