# SPDX-License-Identifier: MIT
# clang: millions of small blocks in arenas of its own, and a linker.
command -v clang >/dev/null || { echo "clang is not installed" >&2; exit 77; }
source=$HERE/../../libsync/src/rbtree.c
include=$HERE/../../libsync/include
for ((i = 0; i < SCALE; i++)); do
    under clang -std=gnu17 -O2 -I"$include" -S -o "result/rbtree$i.s" "$source"
    echo "status $?"
done
echo 'int main(void) { return undeclared; }' >wrong.c
under clang -c wrong.c
echo "status $?"
