#!/bin/bash
# SPDX-License-Identifier: MIT
# Signals and traps, and the built-ins that wait for them (XCU 2.12, trap, wait, kill).
# shellcheck disable=SC2016 # the scripts are r3sh's to expand
. "$(dirname "$0")/../r3sh.sh"

does 'a trap runs between commands' 'got on' 'trap "printf \"got \"" USR1; kill -USR1 $$; echo on'
does 'names, numbers and SIG' 'a b c' 'trap "printf \"a \"" USR1; kill -s USR1 $$; trap "printf \"b \"" 12; kill -12 $$; trap "echo c" TERM; kill $$'
does 'an empty action ignores' 'on' 'trap "" TERM; kill $$; echo on'
does 'a number first resets' '' 'trap "echo no" USR1; trap 12 USR1; trap'
does 'trap prints what can be read again' "trap -- 'a b' USR1" 'trap "a b" USR1; trap'
does 'trap -p names one' 'trap -- x USR1' 'trap x USR1; trap y USR2; trap -p USR1'
does 'the EXIT trap runs at the end, once' 'a bye' 'trap "echo bye" EXIT; printf "a "'
does '0 is EXIT' 'bye' 'trap "echo bye" 0; exit 3'
does 'the EXIT trap sees and keeps the status' '3 3' 'sh -c "trap \"printf \\\"\\\$? \\\"\" EXIT; exit 3"; echo $?'
does 'exit in the trap changes it' '4' '(trap "exit 4" EXIT; exit 3); echo $?'
does 'exit without a number in a trap has the status before it' '3' '(trap "true; exit" USR1; (exit 3); kill -USR1 $(sh -c "echo \$PPID")) 2>/dev/null; :; (trap "true; exit" EXIT; exit 3); echo $?'
does 'a trap does not change $?' '5' 'trap "false" USR1; f() { return 5; }; kill -USR1 $$; f; echo $?'
does 'a subshell has none of the traps' 'in' 'trap "echo out" USR1; (trap - EXIT; trap | grep -c USR1 >/dev/null; echo in)'
does 'but keeps what is ignored' 'on' 'trap "" USR1; (sh -c "kill -USR1 \$\$; echo on")'
does 'a program gets the default for what is trapped' '138' 'trap "echo no" USR1; sh -c "kill -USR1 \$\$"; echo $?'
does 'a signal that was ignored at the start stays so' 'on' 'trap "" USR1; sh -c "trap \"echo no\" USR1; kill -USR1 \$\$; echo on"'
does 'a trap may set another' 'b a' 'trap "trap \"echo a\" EXIT; printf \"b \"" USR1; kill -USR1 $$'
does 'wait ends early for a trap' 'got 138' 'trap "printf \"got \"" USR1; { while ! [ -e f ]; do sleep 0.05; done; kill -USR1 $$; sleep 0.1; } & : >f; wait $!; echo $?; rm f; wait'
does 'a trap in a function' 'got' 'f() { trap "echo got" USR1; }; f; kill -USR1 $$'
does 'return in a trap action leaves the function' 'on' 'f() { kill -USR1 $$; echo no; }; trap "return" USR1; f; echo on'
does 'kill -l names numbers' 'HUP KILL TERM' 'echo $(kill -l 1) $(kill -l 137) $(kill -l 15)'
ends 'kill of nobody fails' 1 'kill -0 999999999 2>/dev/null'
does 'kill -0 asks' '0' 'kill -0 $$; echo $?'
does 'the background of a script ignores interrupts' 'alive' 'sh -c "kill -INT \$\$; echo alive" & wait'
does 'LINENO in a trap is that of its line' 'ok' 'trap "[ -n \"\$LINENO\" ] && echo ok" EXIT'
