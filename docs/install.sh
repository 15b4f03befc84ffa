#!/bin/bash
# SPDX-License-Identifier: MIT
# docs/install.sh install|uninstall: called by the Makefile, which says in the environment what there is.
#   B VERSION SOVERSION      build directory; versions of ring3 and of its library interfaces
#   PREFIX LIBDIR DESTDIR    where things will live, and a folder to put before all that meanwhile
#   HEADERS PROGRAMS         files
#   LIBRARIES                name:folder:use,use,… of each library
#   PRELOADS                 names of the preload objects
set -eu
cd "$(dirname "$0")/.."
action=${1:?install or uninstall}
include=$PREFIX/include
man=$PREFIX/share/man

# put MODE FILE PLACE: install one file, or remove it again. All else in here says only what goes where.
put() {
    case $action in
    install) install -D -m "$1" "$2" "$DESTDIR$3" ;;
    uninstall) rm -f "$DESTDIR$3" ;;
    esac
}

# put_link TARGET PLACE
put_link() {
    case $action in
    install) ln -sfn "$1" "$DESTDIR$2" ;;
    uninstall) rm -f "$DESTDIR$2" ;;
    esac
}

# Requires is public: the headers of a library include those of the libraries it uses. What the archives need beyond
# them is threads, and that only in a static link.
pkg_config() { # library, folder, libraries it uses
    local requires=${3//,/ ring3-}

    cat <<END
prefix=$PREFIX
libdir=$([[ $LIBDIR == "$PREFIX"/* ]] && echo "\${prefix}${LIBDIR#"$PREFIX"}" || echo "$LIBDIR")
includedir=\${prefix}/include

Name: ring3-$1
Description: $(sed -n '1s/^# [^:]*: *//p' "$2/README.md")
Version: $VERSION
Requires:${requires:+ ring3-$requires}
Libs: -L\${libdir} -lring3-$1
Libs.private: -lpthread
Cflags: -I\${includedir}
END
}

pc=$(mktemp)
trap 'rm -f "$pc"' EXIT

for header in $HEADERS; do
    put 644 "$header" "$include/${header#*/include/}"
done
for library in $LIBRARIES; do
    IFS=: read -r name folder uses <<<"$library"
    so=libring3-$name.so
    put 644 "$B/lib/libring3-$name.a" "$LIBDIR/libring3-$name.a"
    put 755 "$B/lib/$so.$SOVERSION" "$LIBDIR/$so.$VERSION"
    put_link "$so.$VERSION" "$LIBDIR/$so.$SOVERSION"
    put_link "$so.$SOVERSION" "$LIBDIR/$so"
    pkg_config "$name" "$folder" "$uses" >"$pc"
    put 644 "$pc" "$LIBDIR/pkgconfig/ring3-$name.pc"
done
for name in $PRELOADS; do
    put 755 "$B/lib/libring3-$name.so" "$LIBDIR/libring3-$name.so"
done
for program in $PROGRAMS; do
    put 755 "$program" "$PREFIX/bin/${program##*/}"
done
for page in docs/man/*.[1-9]; do
    put 644 "$page" "$man/man${page##*.}/${page##*/}"
done
put 644 LICENSE "$PREFIX/share/doc/ring3/LICENSE"

if [ "$action" = uninstall ]; then
    rmdir "$DESTDIR$include"/ring3/*/ "$DESTDIR$include/ring3" "$DESTDIR$PREFIX/share/doc/ring3" 2>/dev/null || :
fi
# The dynamic linker finds new libraries in the system's folders through its cache.
if [ -z "$DESTDIR" ] && [ "$(id -u)" = 0 ]; then
    ldconfig
fi
