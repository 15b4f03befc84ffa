# SPDX-License-Identifier: MIT
# node with Buffers, JSON, worker threads and children: node.js does it.
command -v node >/dev/null || { echo "node is not installed" >&2; exit 77; }
under node "$HERE/node.js" "$SCALE"
echo "status $?"
