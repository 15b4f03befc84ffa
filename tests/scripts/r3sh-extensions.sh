#!/bin/bash
# SPDX-License-Identifier: MIT
# What POSIX does not have: arrays, [[ ]], process substitution, braces, <<<, time, PIPESTATUS, set -o strict, the trace
# in JSON. Under the name sh it is not there.
# shellcheck disable=SC2016 # the scripts are r3sh's to expand
. "$(dirname "$0")/../r3sh.sh"
ln -s "$top/$B/bin/r3sh" "$work/bin/r3sh"
plain_sh=$sh sh=$work/bin/r3sh

does 'an array' '2 3 1 2 3 1' 'a=(1 2 3); echo ${a[1]} ${#a[@]} "${a[@]}" $a'
does 'elements are assigned, added, unset' 'x w|0 1 9' 'a=(x); a+=(y); a[9]=z; i="${!a[@]}"; a[1]=w; unset "a[9]"; echo "${a[*]}|$i"'
does 'a negative index counts from the end' '3' 'a=(1 2 3); echo ${a[-1]}'
does 'elements with an index of their own' '1=b 3=c 4=d' 'a=([3]=c d [1]=b); for i in "${!a[@]}"; do printf "%s=%s " $i ${a[i]}; done | sed "s/ $//"'
does 'a subscript is arithmetic' '20 30 21' 'i=1; a=(0 10 20 30); echo ${a[i+1]} $((a[i]+a[i+1])) $((a[2]+=1))'
does '"${a[@]}" keeps each' '<x y><*><>' 'a=("x y" "*" ""); printf "<%s>" "${a[@]}"; echo'
does 'trimming does each' 'b d' 'a=(ab cd); echo ${a[@]#?}'
does 'an array of no elements' '0 none' 'a=(); echo ${#a[@]} ${a[@]-none}'
does 'text is appended' 'ab xy' 'x=a; x+=b; a=(x); a[0]+=y; echo $x $a'
does 'a function has arrays of its own' 'in out' 'a=(out); f() { local a=(in); printf "%s " ${a[@]}; }; f; echo ${a[@]}'
does 'a subshell undoes arrays' '1 3 1 2' 'a=(1 2); (a[1]=3; unset "a[5]"; printf "%s " "${a[@]}"); echo "${a[@]}"'
does 'set prints an array that can be read again' '1 2' 'a=(1 "2"); s=$(set | grep "^a="); unset a; eval "$s"; echo "${a[@]}"'
errs 'a read-only array' 'is read-only' 'readonly a=(1 2); a[1]=3'
errs 'a subscript before the start' 'before the first' 'a=(1); a[-2]=x'
does 'an array with keys' '1 two words 2' 'declare -A m=([one]=1 ["a b"]="two words"); echo "${m[one]} ${m[a b]} ${#m[@]}"'
does 'keys are assigned, added to, unset' 'xy gone 1' 'declare -A m; m[a]=x; m[a]+=y; m[b]=1; unset "m[b]"; echo "${m[a]} ${m[b]-gone} ${#m[@]}"'
does 'keys are listed' 'a b c' 'declare -A m=([c]=3 [a]=1 [b]=2); echo $(printf "%s\n" "${!m[@]}" | sort)'
does 'the key 0 is the value of the name' 'z z' 'declare -A m; m[0]=z; echo "$m ${m[0]}"'
does 'a key is a text, and expanded' '7 8' 'declare -A m; k=1+1; m[$k]=7; m[2]=8; echo "${m[1+1]} ${m[2]}"'
does 'keys in arithmetic and [[ -v' '5 y n' 'declare -A m=([n]=2); printf "%s " $((m[n]+=3)); [[ -v m[n] ]] && printf "y "; [[ -v m[o] ]] || echo n'
does 'a function has keys of its own' 'in r out none' 'declare -A m=([k]=out); f() { local -A m=([k]=in); declare -A n; n[q]=r; echo ${m[k]} ${n[q]}; }; echo $(f) ${m[k]} ${n[q]-none}'
does 'a subshell undoes keys' '2 1' 'declare -A m=([a]=1); (m[b]=2; printf "%s " ${#m[@]}); echo ${#m[@]}'
does 'what declare -p prints can be read again' 'x y 2' 'declare -A m=(["a]"]="x  y" ["b c"]=2); s=$(declare -p m); unset m; eval "$s"; echo ${m["a]"]} ${m[b c]}'
does 'many keys' '3000 4498500 0' 'declare -A m; i=0; while [ $i -lt 3000 ]; do m[key$i]=$i; i=$((i+1)); done; s=0; for k in "${!m[@]}"; do s=$((s+m[$k])); done; n=${#m[@]}; for k in "${!m[@]}"; do unset "m[$k]"; done; echo $n $s ${#m[@]}'
does 'declare exports and protects' '5 1' 'declare -xr Z=5; sh -c "printf \"%s \" \$Z"; (declare Z=6) 2>/dev/null; echo $?'
errs 'numbers do not become keys' 'have numbers' 'a=(1 2); declare -A a'
errs 'an element without a key' 'without a key' 'declare -A m; m=(x)'
does '[[ ]] does not split and matches patterns' 'y y n' 'x="a b"; [[ $x == "a b" ]] && printf "y "; [[ abc == a* ]] && printf "y "; [[ abc == "a*" ]] || echo n'
does '[[ ]] with && || ! and parentheses' 'y' '[[ ( -n x || -f /none ) && ! -d /none
 && 1 -lt 2 ]] && echo y'
does '[[ =~ ]]' 'foo12 foo 12' '[[ foo12 =~ ^([a-z]+)([0-9]+)$ ]] && echo "${BASH_REMATCH[@]}"'
does 'a quoted part of an expression is text' 'n' '[[ axb =~ a"."b ]] || echo n'
does '[[ compares texts and sums' 'y y y' '[[ a < b ]] && printf "y "; [[ b > a ]] && printf "y "; [[ 1+2 -eq 3 ]] && echo y'
does '[[ -v' 'y n y' 'a=(1); x=; [[ -v x ]] && printf "y "; [[ -v none ]] || printf "n "; [[ -v a[0] ]] && echo y'
errs '[[ that is not closed' "']]'" '[[ a'
does '<( ) is a file' 'a b' 'echo $(cat <(echo a) <(echo b))'
does '>( ) is one to write to' 'A' 'x=$(echo a > >(tr a A; : >done); until [ -e done ]; do sleep 0.02; done); rm done; echo $x'
does '<( ) feeds a loop here' '2' 'n=0; while read x; do n=$((n+1)); done < <(printf "a\nb\n"); echo $n'
does 'braces' 'a1 a2 b1 b2 x-y {a' 'echo {a,b}{1,2} x-y {a'
does 'sequences' '1 2 3 c b a 01 02 1 4 7' 'echo {1..3} {c..a} {01..02} {1..7..3}'
does 'braces nest, keep quotes, and are not in assignments' 'ac ad b "x y" {1,2}' 'x={1,2}; echo {a{c,d},b} \"{x\ y}\" $x | tr -d {} | sed "s/1,2/{1,2}/"'
does 'a here-string' 'a b' 'x="a b"; cat <<<$x'
does 'PIPESTATUS' '1 0 3|0' 'false | true | (exit 3); x="${PIPESTATUS[@]}"; true; echo "$x|${PIPESTATUS[0]}"'
does 'time -p' 'real user sys' '{ time -p true; } 2>&1 | cut -d " " -f 1 | tr "\n" " " | sed "s/ $//"'
sed_time() { run "$sh" -c 'time sleep 0 | exit 3' 2>&1 | grep -qE '^ +2 +3 ' && run "$sh" -c 'time :' 2>&1 | grep -qE '^real [0-9.]+ s  user [0-9.]+ s  sys [0-9.]+ s$'; }
try 'time tells of each stage' sed_time
does 'strict: expansions are one field' '[a b *]' 'set -o strict; x="a b *"; printf "[%s]" $x; echo'
does 'strict: a failure inside of what is tested ends it' 'else or ok' 'set -o strict; f() { false; echo no; }; if f; then :; else printf "else "; fi; { false; echo no; } || printf "or "; if false; true; then :; else echo ok; fi'
ends 'strict: a failed substitution is a failure' 1 'set -o strict; f() { local x=$(false); exit 9; }; f 2>/dev/null; exit 8'
ends 'strict: any stage of a pipeline' 1 'set -o strict; false | true; exit 9'
errs 'strict: a pattern without files' 'no such files' 'set -o strict; echo none*'
errs 'strict: an unset parameter' 'not set' 'set -o strict; echo $none'
does 'a slice of a text' 'def cde hij hi bcdefgh  cde' 'x=abcdefghij; echo "${x:3:3} ${x:2:3} ${x: -3} ${x:(-3):2} ${x:1:-2} ${x:20} ${x:1+1:1?3:2}"'
does 'a slice counts characters' 'ö ü' 'LC_ALL=C.UTF-8; x=äöü; echo "${x:1:1} ${x: -1}"'
does 'a slice of the arguments' 'two three|two|three|sh-name one' 'f() { echo "${@:2}|${@:2:1}|${*: -1}|${@:0:2}"; }; f one two three | sed "s/[^|]* one$/sh-name one/"'
does 'a slice of an array goes by the indices' 'one two|seven|seven|ne' 'a=(zero one two [7]=seven); echo "${a[@]:1:2}|${a[@]: -1}|${a[@]:5}|${a[1]:1}"'
errs 'a slice that ends before it begins' ':1:13: the slice ends before' 'x=abc; echo ${x:1:-5}'
does 'the longest match is replaced' 'a- _' 'x=abcbc; echo "${x/b*/-} ${x//[a-c]*/_}"'
does 'the first, all, at the begin, at the end' 'Xbcabc XbcXbc Xbcabc abcabX acabc ^abc abc$' 'x=abcabc y=abc; echo "${x/a/X} ${x//a/X} ${x/#a/X} ${x/%c/X} ${x/b} ${y/#/^} ${y/%/\$}"'
does 'a quoted slash or pattern is text' 'a:b:c a_b aXb' 'p=a/b/c s="a*b"; echo "${p//\//:} ${s/"*"/_} ${s/\*/X}"'
does 'each element, each argument' 'zEro onE|<0 0ne><tw0 0>' 'a=(zero one); printf "%s|" "${a[*]/e/E}"; set -- one two; printf "<%s>" "${@/o/0 0}"; echo'
does 'nothing is replaced by nothing' 'abc [][]' 'x=abc; echo "${x//}" "[${none:1:2}][${none/a/b}]"'
does 'a function with them is printed as it was' 'f() { echo "${x:1:2}" "${x//a/b}" ${x/%q}; }' 'f() { echo "${x:1:2}" "${x//a/b}" ${x/%q}; }; command -V f | tail -n 1'
json() {
    run env XTRACE_FORMAT=json XTRACE_FD=7 "$sh" -xc 'f() { echo "a\"$1"; }; f x; (true; /bin/true); x=$(echo y); a=(1 2)' 7>"$work/trace" >/dev/null &&
        python3 -c 'import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
assert [line["command"] for line in lines[:2]] == [["echo", "a\"x"], ["f", "x"]], lines
assert lines[0]["depth"] == 1 and lines[1]["depth"] == 0 and lines[1]["seconds"] >= lines[0]["seconds"] >= 0
assert lines[-1]["assignments"] == {"a": ["1", "2"]} and lines[0]["line"] == 1 and lines[0]["column"] == 7
assert sum(line["command"] == ["/bin/true"] for line in lines) == 1' "$work/trace"
}
try 'the trace in JSON, to a descriptor' json

sh=$plain_sh
does 'sh: braces are text' '{a,b} {1..3}' 'echo {a,b} {1..3}'
does 'sh: [[ is a command that is not there' '127' '[[ a = a ]] 2>/dev/null; echo $?'
ends 'sh: no arrays' 2 'eval "a=(1)" 2>/dev/null'
ends 'sh: no process substitution' 2 'eval "cat <(:)" 2>/dev/null'
ends 'sh: no here-strings' 2 'eval "cat <<<a" 2>/dev/null'
errs 'sh: no elements in arithmetic' "unexpected '['" 'echo $((a[1]))'
does 'sh: += is part of a name' '127' 'x+=1 2>/dev/null; echo $?'
does 'sh: a slice is an error where it is expanded' 'on 2' 'x=abc; echo on | tr -d "\n"; (echo "${x:1:1}") 2>/dev/null; echo " $?"'
does 'sh: a replacement too' '2' 'x=abc; (echo "${x/a/b}") 2>/dev/null; echo "$?"'
sh=$work/bin/r3sh
does 'set -o posix counts from the next line on' '1 {a,b} a b' 'a=(1); set -o posix; b=(2); printf "%s " $a
printf "%s " {a,b}; set +o posix
echo {a,b}'
does 'a subshell undoes it' 'posix off a b' '(set -o posix); set -o | grep posix | tr -s " " | tr "\n" " "
echo {a,b}'
errs 'what is no syntax then is an error' "unexpected '('" 'set -o posix
a=(1)'
does 'it is among the options' 'posix on' 'set -o posix; set -o | grep posix | tr -s " "'
