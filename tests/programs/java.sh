# SPDX-License-Identifier: MIT
# The Java virtual machine: a runtime with a compiler, a collector and signal handlers of its own.
command -v java >/dev/null || { echo "java is not installed" >&2; exit 77; }
under java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx128m -version 2>/dev/null
echo "status $?"
under java -XX:TieredStopAtLevel=1 -Xmx128m -XX:+NoSuchOption -version >/dev/null 2>&1
echo "status $?"
