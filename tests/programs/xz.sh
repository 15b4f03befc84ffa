# SPDX-License-Identifier: MIT
# xz with two threads, whose blocks are large and travel between them.
command -v xz >/dev/null || { echo "xz is not installed" >&2; exit 77; }
seq 1 $((120000 * SCALE)) >input
under xz -T2 -2 --block-size=300K -k -c input >packed
echo "status $?, $(cksum <packed)"
under xz -T2 -d -c packed | cksum
echo "status ${PIPESTATUS[*]}"
under xz -l --robot packed | grep -c .
head -c 1000 packed | under xz -d -c 2>/dev/null | cksum
