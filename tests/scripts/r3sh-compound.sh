#!/bin/bash
# SPDX-License-Identifier: MIT
# Pipelines, lists, compound commands, functions (XCU 2.9.2 to 2.9.5).
# shellcheck disable=SC2016 # the scripts are r3sh's to expand
. "$(dirname "$0")/../r3sh.sh"

does 'a pipeline has the status of its last command' '0 1' 'false | true; printf "%s " $?; true | false; echo $?'
does '! turns it around' '1 0' '! true; printf "%s " $?; ! false; echo $?'
does '! of a pipeline' '0' '! true | false; echo $?'
does 'pipefail has the status of the last that failed' '3' 'set -o pipefail; (exit 2) | (exit 3) | true; echo $?'
does 'pipefail is that of the time when the pipeline began' '1' 'set -o pipefail; false | set +o pipefail; echo $?'
does 'what a stage assigns is lost' 'old' 'x=old; echo new | read x; echo $x'
does 'a compound command is a stage' 'B' 'echo b | while read x; do echo $x; done | { tr b B; }'
does 'a here-document feeds a stage' 'a' 'cat <<E | cat
a
E'
does 'a reader that ends early ends the writer' 'y' 'yes | head -n 1'
does '&& and || have one precedence, from the left' 'b' 'true || echo a && echo b'
does '; and newlines separate' 'a
b
c' 'echo a; echo b
echo c'
does '& starts in the background' 'b a' '{ wait; } & { sleep 0; } & wait; (echo a >f) & wait; printf "b "; cat f; rm f'
does 'the background reads nothing' '0' 'echo x | { cat & wait; } | wc -c | tr -d " "'
does 'wait gives the status of a process' '7' '(exit 7) & wait $!; echo $?'
does 'wait for what is no child' '127' 'wait 1; echo $?'
does 'wait for all is true' '0' '(exit 3) & wait; echo $?'
does 'a status may be asked for once it has ended' '5 6' '(exit 5) & p=$!; (exit 6) & q=$!; wait $p; printf "%s " $?; wait $q; echo $?'
does 'a group runs here' 'new' 'x=old; { x=new; }; echo $x'
does 'a subshell does not' 'old' 'x=old; (x=new); echo $x'
does 'if takes the first that holds' 'two' 'if false; then echo one; elif true; then echo two; elif true; then echo three; fi'
does 'if without a branch taken is true' '0' 'false; if false; then :; fi; echo $?'
does 'if has the status of its branch' '3' 'if :; then (exit 3); fi; echo $?'
does 'a condition is a list' 'b' 'if false; true; then echo b; fi'
does 'while that never ran is true' '0' 'false; while false; do :; done; echo $?'
does 'while has the status of its body' '3' 'i=0; while [ $i -lt 1 ]; do i=1; (exit 3); done; echo $?'
does 'until' '0 1 2' 'i=0; until [ $i = 3 ]; do printf "%s " $i; i=$((i+1)); done | sed "s/ $//"'
does 'for over words' 'a b c' 'for i in a b c; do printf "%s " $i; done | sed "s/ $//"'
does 'for over no words' '0' 'false; for i in; do echo no; done; echo $?'
does 'for over nothing that an expansion gave' '0' 'false; for i in $none; do echo no; done; echo $?'
does 'for takes the arguments without in, before ; and newline' 'a b|a b|a b' 'set -- a b; for i do echo $i; done >f; for i; do echo $i; done >g; for i
do echo $i; done >h; echo $(cat f)"|"$(cat g)"|"$(cat h); rm f g h'
does 'the variable stays' 'c' 'for i in a b c; do :; done; echo $i'
does 'for expands its words once' 'a b' 'x="a b"; for i in $x; do x=; printf "%s " $i; done | sed "s/ $//"'
does 'case takes the first pattern' '1' 'case abc in a*) echo 1;; abc) echo 2;; esac'
does 'case with several patterns and a parenthesis' 'y' 'case b in (a|b) echo y;; esac'
does 'case of nothing that matches is true' '0' 'false; case x in y) ;; esac; echo $?'
does 'case with an empty body is true' '0' 'false; case x in x) ;; esac; echo $?'
does 'quoted patterns are text' 'n' 'case abc in "a*") echo y;; *) echo n;; esac'
does 'a pattern comes from a variable' 'y' 'p="a*"; case abc in $p) echo y;; esac'
does 'and is text when quoted' 'n' 'p="a*"; case abc in "$p") echo y;; *) echo n;; esac'
does 'patterns are expanded until one matches' 'a' 'case x in x) echo a;; $(echo no >&2)) ;; esac'
does 'the last ;; may be missing' 'y' 'case x in x) echo y
esac'
does ';& goes on, with several' '1 2 3' 'case x in x) printf "1 ";& y) printf "2 ";& z) echo 3;; w) echo 4;; esac'
does 'esac may be a pattern behind a parenthesis' 'y' 'case esac in (esac) echo y;; esac'
does 'break out of more than there are' 'a end' 'for i in 1 2; do printf "a "; break 9; done; echo end'
does 'a function' 'hi you' 'f() { echo hi $1; }; f you'
does 'a body that is no group' 'y|n' 'f() if [ $1 = a ]; then echo y; else echo n; fi; echo "$(f a)|$(f b)"'
does 'a body in a subshell' 'old' 'x=old; f() (x=new); f; echo $x'
does 'a newline before the body' 'y' 'f()

{ echo y; }
f'
does 'the status of a definition is 0' '0' 'false; f() { :; }; echo $?'
does 'return' '3 0' 'f() { return 3; echo no; }; f; printf "%s " $?; f() { true; return; }; f; echo $?'
does 'return without a number has the last status' '4' 'f() { (exit 4); return; }; f; echo $?'
does 'a function calls itself' '120' 'f() { if [ $1 -le 1 ]; then echo 1; else echo $(($1 * $(f $(($1 - 1))))); fi; }; f 5'
does 'a function may be redefined while it runs' '1 2' 'f() { f() { echo 2; }; printf "1 "; f; }; f'
does 'a function comes before a built-in that is not special' 'mine' 'echo() { printf "mine\n"; }; echo x'
ends 'a special built-in is no name for one' 2 '(eval "break() { :; }; exit 3") 2>/dev/null; s=$?; [ $s = 2 ] || [ $s = 3 ] && exit 2'
does 'unset -f' '127' 'f() { :; }; unset -f f; f 2>/dev/null; echo $?'
does 'variables and functions have names of their own' 'v f' 'x=v; x() { echo f; }; echo $x $(x)'
does '$# and $@ come back' '2 a b' 'set -- a b; f() { set -- x; }; f; echo $# $@'
does 'assignments before a function are seen in it and exported' 'v v' 'f() { printf "%s " $x; sh -c "echo \$x"; }; x=v f'
does 'nested compound commands' 'ok' 'if { (true) && case x in x) ! false;; esac; }; then for i in 1; do while :; do until false; do break 3; done; done; done; echo ok; fi'
