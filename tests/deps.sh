#!/bin/bash
# SPDX-License-Identifier: MIT
# Installs the Debian packages that building, testing and benchmarking need and that are missing.
#   DEPS=auto (default)  install them with apt, as root or with passwordless sudo
#   DEPS=check           name them and stop with status 1
#   DEPS=no              do nothing
set -u

packages=$(sed 's/#.*//' "$(dirname "$0")/packages" | tr -s ' \n' ' ')
mode=${DEPS:-auto}

case $mode in
no) exit 0 ;;
auto | check) ;;
*) echo "make deps: DEPS=$mode: allowed are auto, check, no" >&2; exit 2 ;;
esac

# A package counts as there when it, or another package that provides its name, is installed.
installed=" $(dpkg-query -W -f '${db:Status-Status} ${Package} ${Provides}\n' 2>/dev/null |
    sed -n 's/^installed //p' | sed 's/([^)]*)//g; s/,/ /g' | tr -s ' \n' ' ') "
missing=
for package in $packages; do
    case $installed in
    *" $package "*) ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "make deps: this is not a Debian system; please install the equivalents of:$missing" >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    as_root="env"
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root="sudo -n env"
else
    as_root=none
fi
if [ "$mode" = check ] || [ "$as_root" = none ]; then
    echo "make deps: missing packages. Install them with:" >&2
    echo "    sudo apt-get update && sudo apt-get install --no-install-recommends$missing" >&2
    exit 1
fi

echo "make deps: installing with apt:$missing"
# shellcheck disable=SC2086 # lists of words
install() { $as_root DEBIAN_FRONTEND=noninteractive apt-get install "$@" -q --no-install-recommends $missing </dev/null; }
update() { $as_root apt-get update -q </dev/null; }
# The package lists may be absent, or too old for what the servers have now.
install --simulate >/dev/null 2>&1 || update
install -y || { update && install -y; } || {
    echo "make deps: apt could not install:$missing" >&2
    exit 1
}
