#!/bin/bash
# SPDX-License-Identifier: MIT
# Tilde, command and arithmetic expansion, splitting, pathnames, quote removal (XCU 2.6).
# shellcheck disable=SC2016 # the scripts are r3sh's to expand
. "$(dirname "$0")/../r3sh.sh"

does 'a tilde is HOME' '/h /h/x /h' 'HOME=/h; echo ~ ~/x ~'
does 'a tilde behind : in an assignment' '/h:/h/x' 'HOME=/h; x=~:~/x; echo $x'
does 'a tilde behind = in an argument is text' 'x=~' 'HOME=/h; echo x=~'
does 'a tilde of export is one' '/h' 'HOME=/h; export x=~; echo $x'
does 'a quoted tilde is text' '~ ~ ~/x' 'echo \~ "~" "~"/x'
does 'a tilde is neither split nor a pattern' '/a  *' 'HOME="/a  *"; printf "%s\n" ~'
does 'a tilde with a user' '/root' 'x=~root; echo $x'
does 'a tilde with no such user is text' '~nobody-like-this' 'echo ~nobody-like-this'
does 'a tilde in ${x-w}' '/h' 'HOME=/h; echo ${x-~}'
does 'a substitution drops newlines at its end' '<a
b>' 'printf "<%s>" "$(printf "a\nb\n\n\n")"; echo'
does 'a substitution is split unless quoted' '<a><b><a b>' 'printf "<%s>" $(echo a b) "$(echo a b)"; echo'
does 'NUL bytes of a substitution are dropped' 'ab' 'echo $(printf "a\0b")'
does 'a substitution nests' 'a' 'echo $(echo $(echo $(echo a)))'
does 'backquotes nest by backslashes' 'a' 'echo `echo \`echo a\``'
does 'backslashes in backquotes' '$x \' "x=1; echo \`echo '\\\$x'\` \`echo '\\\\'\`"
does 'a case in a substitution' 'y' 'echo $(case x in x) echo y;; esac)'
does 'a comment in a substitution' 'a' 'echo $(echo a # )
)'
does 'a here-document in a substitution' 'text' 'echo $(cat <<E
text
E
)'
does '$( ( ) ) is a subshell' 'a' 'echo $( (echo a) )'
does '$(( )) that is no expression is one too' 'a' 'echo $((echo a); (echo b) >/dev/null)'
ends '$(( that the input ends in is arithmetic' 2 'echo $((cat 2>/dev/null; true))'
does 'the status is that of the substitution' '3 0' 'x=$(exit 3); printf "%s " $?; x=1; echo $?'
does 'arithmetic precedence' '7 9 1 8 -1' 'echo $((1+2*3)) $(((1+2)*3)) $((5>3==1)) $((1<<3)) $((~0))'
does 'division and remainder' '3 -3 1 -1' 'echo $((7/2)) $((-7/2)) $((7%2)) $((-7%2))'
does 'logic' '1 0 1 0' 'echo $((1&&2)) $((1&&0)) $((0||3)) $((!5))'
does 'bits' '1 7 6' 'echo $((3&5)) $((3|5)) $((3^5))'
does 'the conditional operator does one side' '1 0 5' 'x=0 y=0; : $((1?(x=1):(y=1))); echo $x $y $((0?4:5))'
does '&& and || stop early' '0' 'x=0; : $((0&&(x=1))) $((1||(x=1))); echo $x'
does 'assignment operators' '5 7 4 12 6 0 8 2 3 3 1' 'x=5; echo $((x)) $((x+=2)) $((x-=3)) $((x*=3)) $((x/=2)) $((x%=2)) $((x=8)) $((x>>=2)) $((x|=3)) $((x&=7)) $((x^=2))'
does 'octal and hexadecimal' '8 255 255' 'echo $((010)) $((0xff)) $((0XFF))'
does 'a variable needs no dollar' '6' 'x=5; echo $((x+1))'
does 'an unset variable is 0' '1' 'echo $((none+1))'
does 'the expression is expanded first' '3' 'x=1+; echo $(($x 2))'
does 'numbers have 64 bits' '9223372036854775807 -9223372036854775808' 'echo $((0x7fffffffffffffff)) $((-0x7fffffffffffffff-1))'
errs 'division by zero is an error' 'division by zero' 'echo $((1/0))'
errs 'and so is the smallest number by -1' 'arithmetic' 'x=$((-0x7fffffffffffffff-1)); echo $((x/-1))'
errs 'a broken expression is an error' 'arithmetic' 'echo $((1+))'
does 'splitting at blanks drops those around' '<a><b>' 'x="  a   b  "; printf "<%s>" $x; echo'
does 'splitting at others keeps empty fields' '<a><><b>' 'IFS=:; x=a::b; printf "<%s>" $x; echo'
does 'a separator at the end ends the last field' '<a>' 'IFS=:; x=a:; printf "<%s>" $x; echo'
does 'a separator at the start makes an empty field' '<><a>' 'IFS=:; x=:a; printf "<%s>" $x; echo'
does 'blanks around a separator belong to it' '<a><b>' 'IFS=" :"; x="a : b"; printf "<%s>" $x; echo'
does 'an unset IFS splits as the default' '<a><b>' 'unset IFS; x="a	b"; printf "<%s>" $x; echo'
does 'text of the script is not split' '<a:b>' 'IFS=:; printf "<%s>" a:b; echo'
does 'a quoted part joins the fields beside it' '<a><b c>' 'x="a b"; printf "<%s>" $x" c"; echo'
does 'an unquoted expansion to nothing is no field' '1' 'x=; set -- $x a; echo $#'
does 'fields of a for' 'a.b.' 'x="a b"; for i in $x; do printf %s. $i; done; echo'
does 'nothing is split in an assignment' 'a  b' 'x="a  b"; y=$x; echo "$y"'
does 'nothing is split in the subject of case' 'yes' 'x="a b"; case $x in "a b") echo yes; esac'
make='mkdir -p d/e; : >d/b.c; : >d/a.c; : >d/.h; : >d/e/f; '
gone='; rm -r d'
does 'files that match, in order' 'd/a.c d/b.c' "$make echo d/*.c$gone"
does 'a leading dot is matched by a dot only' 'd/a.c d/b.c d/e|d/.h' "$make echo d/* '|' d/.[!.]* | sed 's/ | /|/'$gone"
does 'a slash is matched by a slash only' 'd/e/f' "$make echo d/*/*$gone"
does 'a pattern without files stands for itself' 'd/*.z' "$make echo d/*.z$gone"
does 'a quoted pattern is text' 'd/*.c' "$make echo \"d/*.c\"$gone"
does 'the result of an expansion is a pattern' 'd/a.c d/b.c' "$make x='d/*.c'; echo \$x$gone"
does 'a bracket in a path' 'd/a.c' "$make echo d/[!b].c$gone"
does 'no pattern in an assignment' 'd/*' "$make x=d/*; echo \"\$x\"$gone"
does 'set -f takes it away' 'd/*' "$make set -f; echo d/*$gone"
does 'quotes that an expansion gave stay' "\"a\" 'b' \\c" "x='\"a\" '\\''b'\\'' \\c'; printf '%s\n' \"\$x\""
