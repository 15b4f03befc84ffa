# SPDX-License-Identifier: MIT
# The same while the shell holds 200 MB in a variable that is not exported.
x=0123456789abcdef
while [ "${#x}" -lt 200000000 ]; do x=$x$x; done
i=0
while [ "$i" -lt "$1" ]; do
    /bin/true
    i=$((i + 1))
done
echo "$i"
