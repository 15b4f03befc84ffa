# SPDX-License-Identifier: MIT
# A loop that tests and counts.
i=0
while [ "$i" -lt "$1" ]; do i=$((i + 1)); done
echo "$i"
