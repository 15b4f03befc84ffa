# SPDX-License-Identifier: MIT
# Lines of a file, split into three fields.
file=${TMPDIR:-/tmp}/ring3-bench-lines.$$
text='some words and 12345 more' i=0
while [ "$i" -lt "$1" ]; do
    echo "$text"
    i=$((i + 1))
done >"$file"
i=0
while read -r a b rest; do i=$((i + 1)); done <"$file"
rm -f "$file"
echo "$i"
