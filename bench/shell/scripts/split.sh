# SPDX-License-Identifier: MIT
words='a b c d e f g h i' i=0
while [ "$i" -lt "$1" ]; do
    set -- $words "$1"
    shift 9
    i=$((i + 1))
done
echo "$i"
