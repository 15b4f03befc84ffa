#!/bin/bash
# SPDX-License-Identifier: MIT
# Commands, functions, redirections, here-documents, errors (XCU 2.7 to 2.10).
# shellcheck disable=SC2016 # the scripts are r3sh's to expand
. "$(dirname "$0")/../r3sh.sh"

does 'if, elif, else' 'b' 'if false; then echo a; elif true; then echo b; else echo c; fi'
does 'while, break and continue by levels' '1 2 4 ' \
    'i=0; while :; do i=$((i+1)); [ $i = 3 ] && continue; [ $i = 5 ] && break; printf "%s " $i; done'
does 'break leaves two loops' 'x' 'for i in 1 2; do for j in 1 2; do echo x; break 2; done; done'
does 'for without in takes the arguments' 'a b ' 'set -- a b; for i do printf "%s " $i; done'
does 'case falls through with ;&' 'a b' 'case x in x) printf "a ";& y) echo b;; z) echo c;; esac'
does 'a body sees the status before it' '1 2 3 4 5' \
    'if false; then :; else printf "$? "; fi; (exit 2); case x in x) printf "$? ";; esac; case $(exit 3) in *) printf "$? ";; esac; (exit 4); for i in 1; do printf "$? "; done; (exit 5); { echo $?; }'
does 'a function has arguments and a status' 'f 2 3' 'f() { echo $1 $#; return 3; }; x=$(f f 2); set -- $x; f 1 2 >/dev/null; echo $x $?'
does 'local ends with the function' 'in out' 'x=out; f() { local x=in; printf "%s " $x; }; f; echo $x'
does 'an assignment before a function ends with it' '1-' 'f() { printf "%s-" $x; }; x=1 f; echo $x'
does 'and, or, not' 'b c' 'false && echo a || printf "b "; ! false && echo c'
does 'pipelines' '3' 'printf "a\nb\nc\n" | cat | wc -l | tr -d " "'
does 'pipefail' '0 1' 'false | true; printf "%s " $?; set -o pipefail; false | true; echo $?'
does 'redirections go from left to right' 'out
err' '{ echo out; echo err >&2; } >f 2>&1; cat f; rm f'
does 'a descriptor is opened, used and closed' 'text' 'exec 3>f; echo text >&3; exec 3>&-; cat f; rm f'
does 'append and read-write' 'ab' 'printf a >f; printf b >>f; cat <>f; rm f'
does 'noclobber' 'kept' 'echo kept >f; set -C; echo lost 2>/dev/null >f; cat f; rm f'
does 'a here-document expands' 'a 3 b' 'x=b; cat <<E
a $((1+2)) $x
E'
does 'a quoted here-document does not' 'a $x' 'cat <<\E
a $x
E'
does 'tabs are stripped by <<-' 'a' "$(printf 'cat <<-E\n\t\ta\n\tE')"
does 'set -e ends the shell' 'a' 'set -e; echo a; false; echo b'
does 'set -e spares what is tested' 'a b' 'set -e; if false; then :; fi; false || printf "a "; ! true; echo b'
does 'eval, . and return' '1 2' 'eval "echo 1; :" | tr "\n" " "; echo "echo 2; return 0; echo 3" >./f; . ./f; rm f'
does 'the EXIT trap runs once' 'a bye' 'trap "echo bye" EXIT; printf "a "; exit 0'
does 'a signal trap runs between commands' 'got USR1
on' 'trap "echo got USR1" USR1; kill -USR1 $$; echo on'
does 'getopts' 'a bx|y' 'set -- -a -b x y; while getopts ab: o; do case $o in a) printf "a ";; b) printf "b$OPTARG";; esac; done; shift $((OPTIND-1)); echo "|$1"'
does 'read splits and keeps the rest' '[a][b c]' 'echo "a b c" | { read x y; echo "[$x][$y]"; }'
does 'read leaves the next line to others' 'a
b' 'printf "a\nb\n" >f; { read x; echo $x; cat; } <f; rm f'
does 'alias' 'hi there' 'alias e="echo hi "
alias t=there
e t'
does 'background and wait' '7' '(exit 7) & wait $!; echo $?'
does 'LINENO' '2' ':
echo $LINENO'
ends 'a command not found' 127 'no-such-command 2>/dev/null'
ends 'a file that cannot be executed' 126 'echo >f; ./f 2>/dev/null; s=$?; rm f; exit $s'
ends 'a signal makes 128 and more' 143 'sh -c "kill -TERM \$\$"'
ends 'a syntax error' 2 'fi 2>/dev/null'
errs 'a read-only variable' 'x: is read-only' 'readonly x=1; x=2; echo on'
errs 'a syntax error shows its place' "$(printf ':2:1: syntax error: %s' "'fi'")" "$(printf 'if true; then\nfi')"
errs 'a full device' 'No space left on device' 'echo x >/dev/full'

all_errors() {
    printf 'if\nfi\necho ok\ncase\n' >"$work/wrong"
    [ "$("$sh" -n "$work/wrong" 2>&1 | grep -c 'wrong:[0-9]*:[0-9]*:')" = 2 ]
}
try '-n reports every error' all_errors
nested() {
    local deep
    for deep in '(' '$(' '${x-' '{ ' 'if ' '$(('; do
        awk -v text="$deep" 'BEGIN { printf (text ~ /[$`]/ ? "echo " : ""); for (i = 0; i < 100000; i++) printf "%s", text; print "" }' >"$work/deep"
        gives 2 "$sh" "$work/deep" 2>/dev/null || { echo "$deep"; return 1; }
    done
}
try 'nesting without end is an error, not a crash' nested
ends 'recursion without end is an error' 2 'f() { f; }; f 2>/dev/null'
binary() { gives 126 "$sh" "$top/$B/bin/r3sh" 2>/dev/null; }
try 'a binary file is no script' binary
