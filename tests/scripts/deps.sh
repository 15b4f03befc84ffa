#!/bin/bash
# SPDX-License-Identifier: MIT
# tests/deps.sh against a package system of our own: stand-ins for dpkg-query, apt-get, id and sudo, the only ones on
# PATH besides a few tools, so that nothing is really installed. $work/installed is what dpkg-query says; apt-get adds
# to it, and writes down how it was called.
. "$(dirname "$0")/../tap.sh"

fakes=$work/bin
mkdir "$fakes"
for tool in bash sed tr dirname cat grep rm env true; do
    ln -s "$(type -P $tool)" "$fakes/$tool"
done
fake() { # name, body
    printf '#!/bin/bash\n%s\n' "$2" >"$fakes/$1"
    chmod +x "$fakes/$1"
}
fake dpkg-query "cat $work/installed"
fake id "cat $work/uid"
fake sudo "[ -e $work/sudo_allowed ] && [ \"\$1\" = -n ] && shift && echo sudo \"\$@\" >>$work/calls && exec \"\$@\""
fake apt-get "
echo apt-get \"\$@\" >>$work/calls
case \$1 in
update) rm -f $work/lists_missing ;;
install)
    [ ! -e $work/lists_missing ] && [ ! -e $work/apt_broken ] || exit 100
    for word in \"\$@\"; do
        [ \"\$word\" != --simulate ] || exit 0
    done
    for word in \"\${@:2}\"; do
        [[ \$word == -* ]] || echo \"installed \$word \" >>$work/installed
    done ;;
esac"

packages=$(sed 's/#.*//' tests/packages)

# start UID [without NAME…]: a machine with everything installed but those packages.
start() {
    rm -f "$work"/{installed,calls,lists_missing,apt_broken,sudo_allowed}
    : >"$work/calls"
    echo "$1" >"$work/uid"
    for package in $packages; do
        [[ " ${*:2} " == *" $package "* ]] || echo "installed $package " >>"$work/installed"
    done
}
deps() { env PATH="$fakes" DEPS="${1:-auto}" bash tests/deps.sh; }
calls_are() { is "$1" cat "$work/calls"; }
command_for() { printf 'make deps: missing packages. Install them with:\n    sudo apt-get update && sudo apt-get install --no-install-recommends %s' "$1"; }

start 0
try "nothing missing: nothing said" is "" deps
try "nothing missing: status 0" gives 0 deps
try "nothing missing: apt is not called" calls_are ""
try "DEPS=check with nothing missing: status 0" gives 0 deps check

start 0 valgrind gawk
try "DEPS=check names what is missing, and only that" is "$(command_for "valgrind gawk")" deps check
try "DEPS=check with something missing: status 1" gives 1 deps check
try "DEPS=no says nothing" is "" deps no
try "DEPS=no: status 0" gives 0 deps no
try "another DEPS is status 2" gives 2 deps perhaps
try "another DEPS lists the allowed" says "allowed are auto, check, no" deps perhaps
try "none of these installs" calls_are ""

try "root: what will be installed is said first" is "make deps: installing with apt: valgrind gawk" deps
try "root: apt installs it, without asking" says "apt-get install -y -q --no-install-recommends valgrind gawk" cat "$work/calls"
try "root: the lists are not fetched without need" gives 1 grep -q update "$work/calls"
: >"$work/calls"
try "the second run says nothing" is "" deps
try "the second run installs nothing" calls_are ""

start 0 valgrind
: >"$work/lists_missing"
try "absent package lists are fetched" gives 0 deps
try "then it is installed" grep -qx "installed valgrind " "$work/installed"

start 0 valgrind
: >"$work/apt_broken"
try "apt that fails: status 1" gives 1 deps
try "apt that fails: the packages are named" says "apt could not install: valgrind" deps

start 1000 valgrind
try "no root, no sudo: the one command to run" is "$(command_for valgrind)" deps
try "no root, no sudo: status 1" gives 1 deps
try "no root, no sudo: apt is not called" calls_are ""
start 1000
try "no root, nothing missing: status 0" gives 0 deps

start 1000 valgrind
: >"$work/sudo_allowed"
try "passwordless sudo: status 0" gives 0 deps
try "passwordless sudo: apt runs through it" says "sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y" cat "$work/calls"

start 0 pkg-config gcc
echo "installed pkgconf pkg-config (= 1.8), pkg-config-bin " >>"$work/installed"
try "a package counts that another one provides" is "make deps: missing packages. Install them with:
    sudo apt-get update && sudo apt-get install --no-install-recommends gcc" deps check
echo "not-installed gcc " >>"$work/installed"
echo "config-files gcc " >>"$work/installed"
try "a removed package does not count" gives 1 deps check

start 0 valgrind
rm "$fakes/apt-get"
try "without apt: status 1" gives 1 deps
try "without apt: it says what it needs" says "not a Debian system; please install the equivalents of: valgrind" deps
