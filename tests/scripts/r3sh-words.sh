#!/bin/bash
# SPDX-License-Identifier: MIT
# Quoting and word expansion (XCU 2.2, 2.5, 2.6).
# shellcheck disable=SC2016 # the scripts are r3sh's to expand
. "$(dirname "$0")/../r3sh.sh"

does 'single quotes keep everything' 'a $b \c' "printf %s 'a \$b \\c'"
does 'double quotes keep blanks and expand' 'a  1  b' 'x=1; echo "a  $x  b"'
does 'a backslash quotes one character' 'a b*' 'echo a\ b\*'
does 'a backslash joins lines' 'ab' 'echo a\
b'
does 'dollar-single-quotes know escapes' "$(printf "a\tb'A")" "echo \$'a\\tb\\'\\x41'"
does 'an empty quoted word is a field' '3' 'set -- "" a '"''"'; echo $#'
does 'default, alternate, length and trimming' 'd alt 3 bc ab c.d c.gz' \
    'x=abc; y=a/b/c.d; z=c.tar.gz; echo ${u-d} ${x+alt} ${#x} ${x#a} ${x%c} ${y##*/} ${z%%.*}.gz'
does 'assignment in an expansion stays' 'v v' 'echo ${x:=v} $x'
does 'a quoted pattern is text' '*b' 'x="*a*b"; echo "${x#"*a"}"'
does 'quoted $@ keeps the arguments' '[a b][c]' 'set -- "a b" c; printf "[%s]" "$@"'
does 'quoted $@ of no arguments is no field' '0' 'set --; set -- "$@"; echo $#'
does 'quoted $* joins by IFS' 'a:b' 'set -- a b; IFS=:; echo "$*"'
does 'fields split at blanks and at other separators' '4[a][][b][c]' \
    'IFS=": "; x="a :: b c"; set -- $x; printf "%s" $#; printf "[%s]" "$@"'
does 'an empty IFS splits nothing' '1' 'IFS=; x="a b"; set -- $x; echo $#'
does 'a pattern without match stands for itself' 'no*such' 'echo no*such'
does 'pathnames come in order' 'f1 f2' 'touch f2 f1; echo f*; rm f1 f2'
does 'set -f leaves patterns alone' 'b*' 'touch b1; set -f; echo b*; rm b1'
does 'a tilde is the home directory' '/h/x:/h' 'HOME=/h; x=~/x:~; echo $x'
does 'command substitution drops newlines at the end' 'a
b.' 'echo "$(printf "a\nb\n\n")".'
does 'backquotes nest by backslashes' 'x' 'echo `echo \`echo x\``'
does 'arithmetic' '7 1 -1 255 8 3' 'x=3; echo $((1+2*3)) $((x==3)) $((~0)) $((0xff)) $((1<<3)) $((x<9?x:9))'
does 'arithmetic assigns' '6 6' 'x=5; echo $((x+=1)) $x'
does 'a variable appended to itself grows' '100' 'x=; i=0; while [ $i -lt 50 ]; do x=$x.$((i%10)); i=$((i+1)); done; echo ${#x}'
errs 'an unset parameter with ? ends the shell' 'x: gone' 'echo ${x?gone}; echo on'
errs 'set -u' 'x: parameter not set' 'set -u; echo $x'
errs 'division by zero' 'division by zero' 'echo $((1/0))'
errs 'the place is told' ':2:6: x: gone' 'echo
echo ${x?gone}'
