# SPDX-License-Identifier: MIT
# Trimming and matching, as scripts do with file names.
i=0
while [ "$i" -lt "$1" ]; do
    file=/usr/lib/x86_64/library.so.$i
    base=${file##*/}
    case ${base%%.*} in
    *.c) echo source ;;
    lib?ary) ;;
    *) echo other ;;
    esac
    i=$((i + 1))
done
echo "$i"
