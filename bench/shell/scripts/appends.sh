# SPDX-License-Identifier: MIT
# A string that grows by two characters at a time.
text= i=0
while [ "$i" -lt "$1" ]; do
    text=$text"ab"
    i=$((i + 1))
done
echo "$((${#text} / 2))"
