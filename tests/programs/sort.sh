# SPDX-License-Identifier: MIT
# GNU sort with two threads, in memory and through merged temporary files.
gawk -v rows=$((400000 * SCALE)) 'BEGIN { seed = 1
    for (i = 0; i < rows; i++) {
        seed = (seed * 1103515245 + 12345) % 2147483648
        printf "%d %x line %s\n", seed, seed * 7, substr("abcdefghijklmnopqrstuvwxyz", 1 + seed % 20)
    } }' >input
for options in -n "-k 2,2 -k 1n" "-u -k 4" "-R --random-source=input -S 10%" "-n -S 4M --batch-size=3"; do
    # shellcheck disable=SC2086 # several options
    under sort --parallel=2 -T . $options input >sorted
    echo "$options: status $?, $(cksum <sorted)"
done
under sort --parallel=2 -c input
echo "status $?"
