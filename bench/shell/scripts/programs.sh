# SPDX-License-Identifier: MIT
i=0
while [ "$i" -lt "$1" ]; do
    /bin/true
    i=$((i + 1))
done
echo "$i"
