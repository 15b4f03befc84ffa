#!/bin/bash
# SPDX-License-Identifier: MIT
# Tokens, comments, aliases and reserved words (XCU 2.3, 2.4).
# shellcheck disable=SC2016 # the scripts are r3sh's to expand
. "$(dirname "$0")/../r3sh.sh"

does 'blanks separate words, and operators end them' 'a b
c' 'echo   a	b;echo c'
does 'the longest operator is taken' '0' 'true&&true;echo $?'
does 'a # begins a comment only where a word could' 'a#b #' 'echo a#b "#" # comment; echo no'
does 'a comment does not go on with a backslash' 'on' '# comment \
echo on'
does 'an operator goes on over a joined line' 'x' 'false |\
| echo x'
does 'a word goes on over a joined line' 'abc' 'ec\
ho a\
bc'
does 'digits before a redirection are its number' 'out' 'echo out 2>/dev/null 1>&1'
does 'digits away from it are a word' '2' 'echo 2 >&1'
does 'quoted digits are a word' '1' 'echo \1>&1'
does 'a reserved word is one only where a command begins' 'if then done' 'echo if then done'
does 'a quoted reserved word is a name' '127' '\if 2>/dev/null; echo $?'
does 'a reserved word that an expansion made is a name' '127' 'x=if; $x 2>/dev/null; echo $?'
does 'a reserved word before = is an assignment' 'v' 'if=v; echo $if'
does 'braces need a blank' '127' '{echo 2>/dev/null; echo $?'
does '! is a word behind the name' '!' 'echo !'
does 'in and do are reserved in their places' 'in do' 'for x in in do; do printf "%s " $x; done | sed "s/ $//"'
does 'an alias is replaced where a command begins' 'hi' 'alias say=echo
say hi'
does 'an alias takes effect on the next line' '127' 'alias later=echo; later 2>/dev/null; echo $?'
does 'an alias behind an assignment and a redirection' 'x' 'alias say=echo
</dev/null say x
y=1 say x | cat >/dev/null'
does 'a quoted name is no alias' '127' 'alias say=echo
\say 2>/dev/null; echo $?'
does 'an alias does not replace itself again' 'a b' 'alias echo="echo a"
echo b'
does 'two aliases that name each other end' '127' 'alias a=b b=a
a 2>/dev/null; echo $?'
does 'a blank at the end has the next word replaced' 'echo x' 'alias e="echo " x=y y="echo x"
e x'
does 'an alias may hold an operator and open a command' 'yes' 'alias start="if true; then "
start echo yes; fi'
does 'an alias may end in a backslash' 'foo' "alias e='echo ' b='\\'
e b
 foo"
does 'a reserved word is no alias' 'yes' 'alias if=echo
if true; then echo yes; fi'
does 'alias prints what can be read again' "a='b c'" "alias a='b c'; alias a"
does 'unalias -a forgets all' '0' 'alias a=b c=d; unalias -a; alias | wc -l | tr -d " "'
ends 'unalias of what is none fails' 1 'unalias none 2>/dev/null'
ends 'a line that ends within a word is an error' 2 'echo "a 2>/dev/null'
does 'a script may end without a newline' 'end' 'eval "echo end"'
does 'a newline may stand behind operators' 'a b' 'true &&

printf "a " ||
:; true |
echo b'
does 'history expansion is none' '!!' 'echo !!'
does 'LINENO counts the lines of joined words' '3' 'x="a
b"
echo $LINENO'
