# SPDX-License-Identifier: MIT
# Debian's python3 with every object on malloc: python3.py uses its library widely.
[ -x /usr/bin/python3 ] || { echo "Debian's python3 is not installed" >&2; exit 77; }
export PYTHONMALLOC=malloc PYTHONHASHSEED=1 PYTHONDONTWRITEBYTECODE=1
under /usr/bin/python3 "$HERE/python3.py" "$SCALE"
echo "status $?"
