# SPDX-License-Identifier: MIT
f() { x=$1; }
i=0
while [ "$i" -lt "$1" ]; do
    f "$i"
    i=$((i + 1))
done
echo "$i"
