# SPDX-License-Identifier: MIT
# What a configure script made by autoconf does once its answers are cached, in small: it reads its options, finds
# itself a sane sed and a directory to work in, looks through PATH, takes each answer from the cache, and writes a
# header and a makefile out of templates with sed.
runs=$1 run=0
work=${TMPDIR:-/tmp}/ring3-bench-configure.$$
mkdir "$work" && cd "$work" || exit 1
trap 'cd / && rm -rf "$work"' 0

as_fn_set_status() { return $1; }
as_fn_append() { eval "$1=\$$1\$2"; }
as_fn_arith() { as_val=$(($*)); }

say_checking() { printf '%s' "checking for $1... " >&6; }
say_result() { printf '%s\n' "$1" >&6; }

check_header() {
    as_var=$(printf '%s\n' "ac_cv_header_$1" | sed 'y%*+%pp%;s%[^_0-9a-zA-Z]%_%g')
    say_checking "$1"
    if eval test \${$as_var+y}; then printf '%s' '(cached) ' >&6; fi
    eval ac_res=\$$as_var
    say_result "$ac_res"
    test "$ac_res" = yes
}
check_function() {
    as_var=ac_cv_func_$1
    say_checking "$1"
    if eval test \${$as_var+y}; then printf '%s' '(cached) ' >&6; fi
    eval ac_res=\$$as_var
    say_result "$ac_res"
    test "$ac_res" = yes
}

for word in stdio.h stdlib.h string.h unistd.h sys/types.h sys/stat.h sys/wait.h inttypes.h stdint.h termios.h; do
    name=$(echo "$word" | sed 's%[^_0-9a-zA-Z]%_%g')
    echo "ac_cv_header_$name=\${ac_cv_header_$name=yes}"
done >config.cache
for word in fork vfork mmap select poll memmove strchr strerror setlocale getcwd dup2 waitpid; do
    echo "ac_cv_func_$word=\${ac_cv_func_$word=yes}"
done >>config.cache
printf '%s\n' 'CC = @CC@' 'CFLAGS = @CFLAGS@' 'prefix = @prefix@' 'SED = @SED@' >Makefile.in

while [ "$run" -lt "$runs" ]; do
    exec 6>config.log
    . ./config.cache
    confdefs= ac_subst_vars='CC CFLAGS prefix SED'
    CC=cc CFLAGS='-g -O2' prefix=/usr/local SED=
    for option in --prefix=/usr --enable-shared --disable-nls --with-x=no CFLAGS=-O2; do
        case $option in
        *=?*) value=$(expr "X$option" : '[^=]*=\(.*\)') ;;
        *) value=yes ;;
        esac
        case $option in
        --prefix=*) prefix=$value ;;
        --enable-*) feature=$(expr "x$option" : 'x-*enable-\([^=]*\)') && eval enable_$feature=\$value ;;
        --disable-*) feature=$(expr "x$option" : 'x-*disable-\(.*\)') && eval enable_$feature=no ;;
        --with-*) package=$(expr "x$option" : 'x-*with-\([^=]*\)') && eval with_$package=\$value ;;
        *=*) name=$(expr "x$option" : 'x\([^=]*\)=') && eval "$name=\$value" ;;
        esac
    done
    as_save_IFS=$IFS
    IFS=:
    for as_dir in $PATH; do
        IFS=$as_save_IFS
        case $as_dir in
        '') as_dir=./ ;;
        */) ;;
        *) as_dir=$as_dir/ ;;
        esac
        for program in sed gsed; do
            if test -z "$SED" && test -f "$as_dir$program" && test -x "$as_dir$program"; then SED=$as_dir$program; fi
        done
    done
    IFS=$as_save_IFS
    for ac_header in stdio.h stdlib.h string.h unistd.h sys/types.h sys/stat.h sys/wait.h inttypes.h; do
        if check_header "$ac_header"; then as_fn_append confdefs "#define HAVE_$ac_header 1
"; fi
    done
    for ac_func in fork vfork mmap select poll memmove strchr strerror setlocale getcwd dup2 waitpid; do
        if check_function "$ac_func"; then as_fn_append confdefs "#define HAVE_$ac_func 1
"; fi
    done
    cat >config.status.sed <<EOF
s|@CC@|$CC|g
s|@CFLAGS@|$CFLAGS|g
s|@prefix@|$prefix|g
s|@SED@|$SED|g
EOF
    sed -f config.status.sed Makefile.in >Makefile
    printf '%s' "$confdefs" | sed 's%[./]%_%g' >config.h
    (
        trap '' 13
        test -f Makefile && grep -c prefix Makefile
    ) >/dev/null
    exec 6>&-
    as_fn_arith $run + 1 && run=$as_val
done
echo "$run"
