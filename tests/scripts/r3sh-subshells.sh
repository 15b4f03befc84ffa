#!/bin/bash
# SPDX-License-Identifier: MIT
# Subshells (XCU 2.12): what they change is undone, whether they are processes or not.
# shellcheck disable=SC2016 # the scripts are r3sh's to expand
. "$(dirname "$0")/../r3sh.sh"

does 'variables' '2 1' 'x=1; (x=2; printf "%s " $x); echo $x'
does 'unset and export' '1' 'x=1; (unset x; export y=3); echo $x $y'
does 'appended text' 'a ab a' 'x=a; printf "%s " $x; (x=${x}b; printf "%s " $x); echo $x'
does 'functions' 'one two one.' 'f() { printf "one"; }; f; (f() { printf " two "; }; f); f; echo .'
does 'aliases' '0' '(alias x=y); alias | wc -l | tr -d " "'
does 'options' 'ab' 'set -f; (set +f); case $- in *f*) echo ab;; esac'
does 'arguments' '1 a b' 'set -- a b; (shift; printf "%s " $#); echo $*'
does 'the working directory' '/ back' 'cd /tmp; d=$PWD; (cd /; printf "%s " "$PWD"); [ "$PWD" = "$d" ] && [ "$(command pwd -P)" = "$(cd -P . && pwd)" ] && echo back'
does 'umask' 'same' 'm=$(umask); (umask 077); [ "$m" = "$(umask)" ] && echo same'
does 'traps' "a bye" 'trap "echo bye" EXIT; (trap - EXIT); printf "a "'
does 'a trap of its own' 'in out' 'trap "echo out" EXIT; (trap "printf in\ " EXIT)'
does 'the trap command shows what was inherited' "trap -- 'echo x' USR1" 'trap "echo x" USR1; (trap)'
does 'descriptors' 'a
b' 'exec 3>f; (exec 3>&-); echo a >&3; exec 3>&-; cat f; echo b; rm f'
does 'read-only' '1 2' 'x=1; (readonly x); printf "%s " $x; x=2; echo $x'
does 'local variables of functions, inside' '1 3 1' 'x=1; f() { local x=2; (x=3; printf "%s " $x); }; printf "%s " $x; f; echo $x'
does 'a journal outlives the function that wrote it' '1' 'y=1; f() { local x; y=2; }; (f; f); echo $y'
does 'exit and its status' '3' '(exit 3; echo no); echo $?'
does 'an error ends the subshell only' '2' '(readonly x=1; x=2; echo no) 2>/dev/null; echo $?'
does 'a background job inside' 'a b' '(sleep 0 & wait $!; printf "a "); echo b'
does 'programs first and last' '1
2
3' '(expr 1; echo 2; expr 3)'
does 'substitutions inside substitutions' 'abc' 'echo $(printf a; echo $(printf b; printf c))'
does 'captured output can be redirected' 'err out' 'x=$( { echo err >&2; } 2>&1; echo out); echo $x'
does 'captured output of a pipeline' '2' 'x=$(printf "a\nb\n" | wc -l); echo $x'
does 'getopts has one state' 'b' 'set -- -a -b; getopts ab o; (getopts ab o); getopts ab o; echo $o'
does 'the process number is that of the shell' 'same' '[ $$ = $(echo $$) ] && echo same'
does 'a redirected program in the middle of captured output' 'ab' 'x=$(printf a; cat </dev/null; printf b); echo $x'
does 'and in the middle of a redirected group' 'ab c' 'x=$(printf a; { cat; printf b; } </dev/null; f() { cat; echo " c"; }; f </dev/null); echo $x'
does 'a substitution in a stage of a pipeline within a subshell' '1' '(n=1; echo $(n=2) $n | cat)'
