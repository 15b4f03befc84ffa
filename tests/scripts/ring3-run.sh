#!/bin/bash
# SPDX-License-Identifier: MIT
# The ring3 command and its verb `run`, on a tree of its own: the built command beside a stand-in for the preload
# object that says so when it is loaded. What the real object does with the options is checked at the end.
. "$(dirname "$0")/../tap.sh"

chmod 755 "$work"
mkdir -p "$work/tree/bin" "$work/tree/lib"
cp "$B/bin/ring3" "$work/tree/bin"
cat >"$work/stand_in.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
__attribute__((constructor)) static void loaded(void)
{
    if (getenv("SHOW"))
        puts("loaded"), fflush(stdout);
}
END
$CC -shared -fPIC -o "$work/tree/lib/libring3-malloc.so" "$work/stand_in.c" || exit 1
ring3=$work/tree/bin/ring3
object=$work/tree/lib/libring3-malloc.so
cd "$work" || exit 1
unset LD_PRELOAD RING3_MALLOC RING3_LOCKS RING3_DISABLE

# --- The command itself ---
try "help lists the verbs" says "run " "$ring3" --help
try "help goes to stdout with status 0" sh -c "$ring3 --help 2>&1 >/dev/null | wc -c | grep -qx 0"
try "help VERB is the verb's own help" is "$("$ring3" run --help)" "$ring3" help run
try "the help of run has examples" says "Examples:" "$ring3" run --help
try "version" says "ring3 0." "$ring3" --version
try "an unknown verb is status 2" gives 2 "$ring3" frobnicate
try "an unknown verb is one line that names it" is 'ring3: unknown verb "frobnicate"; `ring3 --help` lists them' "$ring3" frobnicate
try "help for an unknown verb is status 2" gives 2 "$ring3" help frobnicate
try "no verb is status 2" gives 2 "$ring3"
try "output that cannot be written is a failure" gives 1 sh -c "$ring3 --help >/dev/full"

# --- The program's identity ---
same_pid() { [ "$(sh -c "echo \$\$; exec $ring3 run sh -c 'echo \$\$'" | uniq | wc -l)" = 1 ]; }
try "the program has the process id of ring3 run" same_pid
try "the exit status is the program's" gives 37 "$ring3" run sh -c 'exit 37'
try "a program killed by a signal looks killed" gives 143 "$ring3" run sh -c 'kill -TERM $$'
try "arguments arrive as they were" is "<-l> <--malloc=x> <a  b> <> " "$ring3" run printf '<%s> ' -l --malloc=x 'a  b' ''
try "-- ends the options" gives 127 "$ring3" run -- --malloc
try "standard input is passed on" is "hello" sh -c "echo hello | $ring3 run cat"

# --- Programs that cannot be run ---
printf 'echo script without interpreter line: $1\n' >plain
printf '#!/nonexistent/interpreter\n' >orphan
printf 'text\n' >text
chmod +x plain orphan
try "a program not in PATH is status 127" gives 127 "$ring3" run no-such-program
try "a program not in PATH is named" is "ring3 run: no-such-program: not found" "$ring3" run no-such-program
try "a path that is not there is status 127" gives 127 "$ring3" run ./no-such-program
try "a file that is not executable is status 126" gives 126 "$ring3" run ./text
try "a file that is not executable is named with the reason" is "ring3 run: ./text: Permission denied" "$ring3" run ./text
try "a folder is status 126" gives 126 "$ring3" run ./tree
try "a script without interpreter line runs as from execvp" is "script without interpreter line: x" "$ring3" run ./plain x
try "a script whose interpreter is missing is status 127" gives 127 "$ring3" run ./orphan
try "a script whose interpreter is missing says so" says "interpreter" "$ring3" run ./orphan

# --- Options that are wrong ---
try "an unknown option is status 2" gives 2 "$ring3" run --frobnicate true
try "an unknown option is one line that names it" is 'ring3 run: unknown option --frobnicate; `ring3 run --help` lists them' "$ring3" run --frobnicate true
try "an option that only begins like a known one is unknown" gives 2 "$ring3" run --mallocs true
try "no program is status 2" gives 2 "$ring3" run
try "no program after options is status 2" gives 2 "$ring3" run --malloc=buddy --
try "an unknown policy is status 2" gives 2 "$ring3" run --malloc=worst true
try "an unknown policy is one line that lists the allowed" is 'ring3 run: --malloc: unknown "worst"; allowed: default, slab, first-fit, next-fit, best-fit, worst-fit, buddy, debug' "$ring3" run --malloc=worst true
try "an unknown policy is seen behind policy= too" gives 2 "$ring3" run --malloc=report=on,policy=worst true
try "part of a policy's name is no policy" gives 2 "$ring3" run --malloc=first true
try "an unknown feature is status 2" gives 2 "$ring3" run --disable=rseq,warp true
try "an unknown feature is one line that lists the allowed" says 'unknown "warp"; allowed: guard, ' "$ring3" run --disable=rseq,warp true
try "a program is not started when an option is wrong" is "" sh -c "$ring3 run --malloc=worst echo started 2>/dev/null"
try "locks that are not there are status 2" gives 2 "$ring3" run --locks=mcs true
try "locks that are not there are named" says "libring3-locks.so is neither in $work/tree/lib nor in " "$ring3" run --locks true

# --- What the program finds in its environment ---
# shellcheck disable=SC2120 # try passes the arguments
show() { "$ring3" run "$@" -- sh -c 'echo "$LD_PRELOAD $RING3_MALLOC $RING3_LOCKS $RING3_DISABLE"'; }
try "the object is loaded" is $'loaded\nhello' env SHOW=1 "$ring3" run echo hello
try "without options malloc is preloaded" is "$object   " show
try "the policy is passed on" is "$object best-fit  " show --malloc=best-fit
try "keys are passed on" is "$object policy=buddy,report=on  " show --malloc=policy=buddy,report=on
try "features are passed on" is "$object   rseq,guard" show --disable=rseq,guard
RING3_MALLOC=buddy try "RING3_MALLOC of the caller stays without a policy" is "$object buddy  " show --malloc
RING3_MALLOC=buddy try "a policy goes before RING3_MALLOC of the caller" is "$object first-fit  " show --malloc=first-fit
users() { # the caller's own preloads come behind ours
    LD_PRELOAD=$work/other.so show | grep -qxF "$object:$work/other.so   "
}
$CC -shared -fPIC -o other.so -x c /dev/null
try "LD_PRELOAD of the caller is kept behind ours" users
try "print shows the environment and starts nothing" is "LD_PRELOAD=$object
RING3_MALLOC=buddy
RING3_DISABLE=rseq" "$ring3" run --print --malloc=buddy --disable=rseq echo started
cp "$object" "$work/tree/lib/libring3-locks.so"
try "locks alone preload locks alone" is "$work/tree/lib/libring3-locks.so  mcs " show --locks=mcs
try "locks and malloc go together" is "$work/tree/lib/libring3-locks.so:$object buddy mcs " show --locks=mcs --malloc=buddy
rm "$work/tree/lib/libring3-locks.so"

# --- Where the object is found ---
mkdir -p elsewhere "with space" plain_bin
ln -s ../tree/bin/ring3 elsewhere/ring3
cp -r tree "with space/tree"
cp tree/bin/ring3 plain_bin
cp -r tree co:lon
try "found when the command is run through PATH" is loaded env SHOW=1 PATH="$work/tree/bin:$PATH" ring3 run true
try "found when the command is run by a relative path" is loaded env SHOW=1 tree/bin/ring3 run true
try "found when the command is run through a symlink" is loaded env SHOW=1 elsewhere/ring3 run true
try "found in a folder with a space in its name" is loaded env SHOW=1 "with space/tree/bin/ring3" run true
try "a colon in the folder's name is status 2" gives 2 co:lon/bin/ring3 run true
try "a colon in the folder's name is explained" says "cannot preload from $work/co:lon/lib" co:lon/bin/ring3 run true
installed=$(plain_bin/ring3 run true 2>&1 | sed -n 's/.* nor in //p')
if [ -n "$installed" ]; then
    try "an object that is nowhere is status 2" gives 2 plain_bin/ring3 run true
    try "an object that is nowhere is one line" is "ring3 run: libring3-malloc.so is neither in $work/lib nor in $installed" plain_bin/ring3 run true
else
    skip "an object that is nowhere is status 2" "ring3 is installed on this machine"
fi

# --- Programs into which nothing can be preloaded ---
printf 'int main(void) { return 7; }\n' >seven.c
if $CC -static -o static seven.c 2>/dev/null; then
    try "a static program is warned of" is "ring3 run: warning: ./static is statically linked; it runs without ring3" "$ring3" run ./static
    try "a static program runs all the same" gives 7 "$ring3" run ./static
else
    skip "a static program is warned of" "no static libc"
fi
$CC -o dynamic seven.c
try "a dynamic program is not warned of" is "" "$ring3" run ./dynamic
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    cp dynamic setuid && chmod 4755 setuid
    cp dynamic setgid && chmod 2755 setgid
    try "a set-user-ID program is warned of" says "./setuid is set-user-ID; it runs without ring3" "${nobody[@]}" "$ring3" run ./setuid
    try "a set-group-ID program is warned of" says "./setgid is set-group-ID; it runs without ring3" "${nobody[@]}" "$ring3" run ./setgid
    try "a set-user-ID program runs all the same" gives 7 "${nobody[@]}" "$ring3" run ./setuid
    try "its owner is not warned" is "" "$ring3" run ./setuid
else
    skip "a set-user-ID program is warned of" "needs root to make one"
fi

# --- The real object ---
cd "$top" || exit 1
if [ -e "$B/lib/libring3-malloc.so" ]; then
    allowed=$("$B/bin/ring3" run --malloc=none true 2>&1 | sed 's/.*allowed: //')
    for policy in ${allowed//,/ }; do
        try "the real object takes policy $policy without complaint" is "fine" "$B/bin/ring3" run --malloc="$policy" echo fine
    done
    for feature in $("$B/bin/ring3" run --disable=none true 2>&1 | sed 's/.*allowed: //; s/,/ /g'); do
        try "the real object runs without $feature" is "fine" "$B/bin/ring3" run --disable="$feature" echo fine
    done
    says_the_same() { # the object's own list of policies has the same words
        local own
        own=$(RING3_MALLOC=none LD_PRELOAD=$top/$B/lib/libring3-malloc.so sort /dev/null 2>&1 | sed -n 's/.*allowed: //p' |
            sed 's/ or / /; s/,//g')
        [ "$own" = "${allowed//,/}" ] || { echo "ring3 run: $allowed; the object: $own"; return 1; }
    }
    try "ring3 run and the object know the same policies" says_the_same
else
    skip "the real object takes every policy without complaint" "libring3-malloc.so is not built"
fi
