#!/bin/bash
# SPDX-License-Identifier: MIT
# Prints the command that starts Chromium. Where none is installed, Debian's package and the libraries it lacks are
# downloaded and unpacked under build/peers/chromium: nothing is installed, and no rights are needed.
set -eu

for name in chromium chromium-browser google-chrome; do
    if command -v "$name"; then exit 0; fi
done

cd "$(dirname "$0")/.."
root=$PWD/build/peers/chromium
if [ ! -e "$root/complete" ]; then
    command -v apt-get >/dev/null || { echo "chromium.sh: no chromium here and no apt-get to fetch it" >&2; exit 1; }
    rm -rf "$root" && mkdir -p "$root/deb"
    wanted() { apt-get install -s --no-install-recommends chromium 2>/dev/null | awk '/^Inst/ { print $2 }'; }
    update() { [ "$(id -u)" = 0 ] && apt-get update -q >&2; }
    mapfile -t packages < <(wanted)
    [ ${#packages[@]} != 0 ] || { update && mapfile -t packages < <(wanted); }
    [ ${#packages[@]} != 0 ] || { echo "chromium.sh: apt knows no package chromium; try apt-get update" >&2; exit 1; }
    echo "chromium.sh: unpacking chromium under $root (${#packages[@]} packages, about 120 MB to download)" >&2
    fetch() { (cd "$root/deb" && apt-get download -q "${packages[@]}" >"$root/log" 2>&1); }
    if ! fetch && ! { update && mapfile -t packages < <(wanted) && fetch; }; then
        cat "$root/log" >&2
        exit 1
    fi
    for package in "$root"/deb/*.deb; do dpkg-deb -x "$package" "$root"; done
    rm -r "$root/deb" "$root/log"
    touch "$root/complete"
fi
cat >"$root/run" <<END
#!/bin/sh
libraries=\$(find "$root/usr/lib" -maxdepth 1 -type d -name '*-linux-gnu')
LD_LIBRARY_PATH=\$libraries:\$libraries/pulseaudio exec "$root/usr/lib/chromium/chromium" "\$@"
END
chmod +x "$root/run"
echo "$root/run"
