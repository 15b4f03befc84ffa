#!/bin/bash
# SPDX-License-Identifier: MIT
# Input and surroundings that no one means well with: a message, a status, an end in time; no crash.
# shellcheck disable=SC2016 # the scripts are r3sh's to expand
. "$(dirname "$0")/../r3sh.sh"

# refuses STATUS FILE: as a script it ends so, and with a message.
refuses() {
    local said
    said=$(gives "$1" run "$sh" "$2" 2>&1 >/dev/null </dev/null) || { echo "$said"; return 1; }
    [ -n "$said" ] || { echo "no message"; return 1; }
}
script() { printf '%b' "$1" >"$work/script"; }
refused() { script "$3" && try "$1" refuses "$2" "$work/script"; }

refused 'a single quote that is not closed' 2 "echo 'a\n\nb"
refused 'a double quote that is not closed' 2 'echo "a\n'
refused 'a substitution that is not closed' 2 'echo $(a\n'
refused 'braces that are not closed' 2 'echo ${a\n'
refused 'arithmetic that is not closed' 2 'echo $((1\n'
refused 'a group that is not closed' 2 '{ a\n'
refused 'a NUL byte on the first line is a binary' 126 'echo a\0b\n'
refused 'division by zero' 2 'echo $((1 % 0))\n'
refused 'the smallest number by -1' 2 'echo $(((-0x7fffffffffffffff - 1) % -1))\n'
refused 'a shift of more than there is' 1 'shift 99\n'
refused 'an expression without end' 2 'x=x; echo $((x))\n'
refused 'a script that includes itself' 2 '. "$0"\n'
later_nul() { script 'echo a\necho b\0c\n' && [ "$(run "$sh" "$work/script" | tr -d '\0')" = "$(printf 'a\nbc')" ]; }
try 'a NUL byte further down is left out' later_nul
bytes() { head -c 20000 /dev/urandom >"$work/noise" && run "$sh" -n "$work/noise" >/dev/null 2>&1; [ $? -lt 128 ]; }
try 'noise ends without a signal' bytes
deep_script() { awk -v open="$1" -v close="$2" 'BEGIN { for (i = 0; i < 100000; i++) printf "%s", open; printf ":"; for (i = 0; i < 100000; i++) printf "%s", close; print "" }' >"$work/script"; }
deep() {
    deep_script "$1" "$2"
    run "$sh" "$work/script" >/dev/null 2>"$work/said" </dev/null
    [ $? -le 2 ] && ! grep -q -i 'overflow\|sanitizer' "$work/said"
}
try '100,000 groups' deep '{ ' '; }'
try '100,000 subshells' deep '( ' ' )'
try '100,000 substitutions' deep ': $( ' ' )'
try '100,000 negations' deep '! ' ''
try '100,000 conditions' deep 'if :; then ' '; fi'
try '100,000 defaults' deep 'x=${y-' '}'
try '100,000 functions' deep 'f() { ' '; }'
try '100,000 evals' deep 'eval ' ''
deep_arithmetic() { awk 'BEGIN { printf "echo $(("; for (i = 0; i < 100000; i++) printf "("; print "1" }' >"$work/script"; gives 2 run "$sh" "$work/script" 2>/dev/null; }
try '100,000 parentheses in arithmetic' deep_arithmetic
long_list() { awk 'BEGIN { for (i = 0; i < 100000; i++) print "true &&"; print "echo end" }' >"$work/script"; is end run "$sh" "$work/script"; }
try 'a list of 100,000 commands' long_list
long_line() { { printf 'x='; head -c "$((${RING3_TEST_LONG:+1000}0000000 + 5000000))" /dev/zero | tr '\0' a; printf '\necho ${#x}\n'; } >"$work/script" && is "$((${RING3_TEST_LONG:+1000}0000000 + 5000000))" run "$sh" "$work/script"; }
try 'a very long line' long_line
many_words() { is 500000 run "$sh" -c 'set -- $(seq 500000); echo $#'; }
try 'half a million arguments' many_words
ends 'a list too long for a program' 126 'x=$(head -c 3000000 /dev/zero | tr "\0" a); /bin/true $x 2>/dev/null'
does 'a subshell in a recursion without end fails alone' '2 on' '(f() { f; }; f) 2>/dev/null; printf "%s " $?; echo on'
no_space() { says 'No space left' run "$sh" -c 'echo x >/dev/full' && gives 1 run "$sh" -c 'printf x >/dev/full' 2>/dev/null; }
try 'a full device' no_space
full_here() { gives 1 run "$sh" -c 'cat </dev/null >/dev/full; echo x >/dev/full; exit $?' 2>/dev/null; }
try 'a full device under a redirection' full_here
few_descriptors() {
    local said
    said=$(run "$sh" -c 'ulimit -n 11; i=3; while [ $i -lt 10 ]; do eval "exec $i</dev/null" || exit 3; i=$((i + 1)); done; x=$(echo a | cat); (echo b); echo c >/dev/null; echo still' 2>&1)
    [[ $said == *still* || $said == *"open files"* ]] || { echo "$said"; return 1; }
}
try 'no descriptors left' few_descriptors
no_processes() { says 'fork' run setpriv --reuid=nobody --regid=nogroup --clear-groups "$sh" -c 'ulimit -u 0; true | true' || [ "$(id -u)" != 0 ]; }
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null && setpriv --reuid=nobody test -x "$sh" 2>/dev/null; then
    try 'no processes left' no_processes
fi
closed() { run "$sh" -c 'echo x' >&- 2>/dev/null; [ $? = 1 ]; }
try 'standard output is closed' closed
all_closed() { run "$sh" -c 'exec 3>f; echo ok >&3' <&- >&- 2>&-; [ "$(cat "$work/dir/f")" = ok ]; }
try 'all three are closed' all_closed
gone() { mkdir "$work/gone" && (cd "$work/gone" && rmdir "$work/gone" && "$sh" -c 'cd . 2>/dev/null; (cd /; pwd); echo on') | tr '\n' ' ' | grep -qx '/ on '; }
try 'the working directory is gone' gone
try 'a directory given as a script' refuses 126 /
try 'a script that is not there' refuses 127 /nonexistent/script
empty() { is / env -i "$sh" -c 'cd /; pwd'; }
try 'an empty environment' empty
errs 'PATH cannot be searched when it is read-only' 'is read-only' 'readonly PATH; PATH=x'
big_environment() { env "$(printf '%0100000d' 0)=x" 'a b=c' 'f()=() { :; }; echo shellshock' "$sh" -c 'f 2>/dev/null; echo $?' | grep -qx 127; }
try 'names that are none come through the environment' big_environment
