#!/bin/bash
# SPDX-License-Identifier: MIT
# The scripts of /bin/sh that are on this machine: r3sh -n passes what dash -n passes, and those that know --help or
# --version say the same under both.
. "$(dirname "$0")/../r3sh.sh"

if ! command -v dash >/dev/null; then
    skip 'scripts of the machine' 'dash is not installed'
    exit
fi
grep -lsIE -m 1 '^#! ?/bin/(sh|dash)' /usr/bin/* /usr/sbin/* /etc/init.d/* /etc/cron.*/* /usr/share/*/*.sh \
    /usr/lib/*/*.sh /var/lib/dpkg/info/*inst /var/lib/dpkg/info/*rm 2>/dev/null | while read -r file; do
    head -n 1 "$file" | grep -qE '^#! ?/bin/(sh|dash)' && readlink -f "$file"
done | sort -u >"$work/scripts"

parses() {
    local file bad=0
    while read -r file; do
        run "$sh" -n "$file" >/dev/null 2>"$work/said" </dev/null && continue
        dash -n "$file" 2>/dev/null || continue
        head -n 3 "$work/said"
        bad=1
    done <"$work/scripts"
    return $bad
}
try "$(wc -l <"$work/scripts") scripts pass -n" parses

# said SHELL FILE OPTION: what it says, as both shells name the script
said() {
    (cd "$work/dir" && timeout -k 5 60 "$1" "$2" "$3" </dev/null 2>&1)
    echo "status $?"
}
speaks_alike() {
    local file option bad=0 count=0
    while read -r file; do
        case $file in /usr/bin/*) ;; *) continue ;; esac
        for option in --help --version; do
            grep -qe "$option *[|)]" "$file" || continue
            count=$((count + 1))
            said "$(command -v dash)" "$file" "$option" >"$work/by-dash"
            said "$sh" "$file" "$option" >"$work/by-r3sh"
            cmp -s "$work/by-dash" "$work/by-r3sh" && continue
            echo "$file $option:"
            diff "$work/by-dash" "$work/by-r3sh" | head -n 5
            bad=1
        done
    done <"$work/scripts"
    echo "$count asked"
    [ $bad = 0 ] && [ $count -gt 0 ]
}
try 'what knows --help or --version says the same' speaks_alike
