#!/bin/bash
# SPDX-License-Identifier: MIT
# Redirections and here-documents (XCU 2.7).
# shellcheck disable=SC2016 # the scripts are r3sh's to expand
. "$(dirname "$0")/../r3sh.sh"

does 'input' 'a' 'echo a >f; cat <f; rm f'
does 'output makes and empties the file' 'b' 'echo a >f; echo b >f; cat f; rm f'
does 'appending' 'a b' 'echo a >f; echo b >>f; echo $(cat f); rm f'
does 'reading and writing keeps the text' 'xbc' 'printf abc >f; printf x 1<>f; cat f; rm f'
does 'set -C keeps files' '1 kept' 'echo kept >f; set -C; { echo lost >f; } 2>/dev/null; printf "%s " $?; cat f; rm f'
does 'set -C lets >| through' 'new' 'echo old >f; set -C; echo new >|f; cat f; rm f'
does 'set -C lets what is no regular file through' 'ok' 'set -C; echo x >/dev/null && echo ok'
does 'descriptors by number' 'e' '{ echo e >&7; } 7>&1'
does 'descriptors of two digits' 'e' '{ echo e >&12; } 12>&1'
does 'closing' 'closed' '{ echo x >&3; } 3>&- 2>/dev/null || echo closed'
does 'the order counts' 'err' '{ echo out; echo err >&2; } 2>&1 >/dev/null'
does 'a redirection may come first, in the middle, last' 'a b' '>f echo a; echo >>f b; echo $(cat f) 2>/dev/null; rm f'
does 'of a group, an if, a loop, a case, a subshell' '1 2 3 4 5' '{ echo 1; } >f; if :; then echo 2; fi >>f; for i in 3; do echo $i; done >>f; case x in x) echo 4; esac >>f; (echo 5) >>f; echo $(cat f); rm f'
does 'of a function, each time it is called' 'a' 'f() { echo a; } >f; f; f; cat f; rm f'
does 'a redirection without a command makes the file' '0' '>f; wc -c <f | tr -d " "; rm f'
does 'exec keeps it' 'a' 'exec 3>f; echo a >&3; exec 3>&-; cat f; rm f'
does 'the word is expanded but not split' 'x' 'n="a b"; echo x >$n; cat "a b"; rm "a b"'
does 'a built-in'"'"'s redirection ends with it' 'out' 'echo lost >/dev/null; echo out'
does 'a word - closes, made by an expansion too' '1' 'x=-; { echo a; } >&$x 2>/dev/null; echo $?'
ends 'a file that is not there fails the command' 1 'cat </nonexistent 2>/dev/null'
ends 'it ends the shell of a special built-in' 2 '(: </nonexistent; echo no) 2>/dev/null; exit $?'
does 'and not that of another' '1' 'true 2>/dev/null </nonexistent; echo $?'
does 'nor that of a compound command' '1' '{ :; } 2>/dev/null </nonexistent; echo $?'
does 'the command is not run then' '1' 'echo no 2>/dev/null </nonexistent; echo $?'
errs 'a descriptor that is not open' '9: ' 'echo >&9'
errs 'one that is open for reading only' 'not open for writing' 'exec 3</dev/null; echo >&3'
errs 'a word that is no descriptor' 'not a file descriptor' 'echo >&x'
errs 'a directory' 'Is a directory' 'echo >/'
does 'a here-document' 'a b' 'cat <<E
a b
E'
does 'expands parameters, commands and arithmetic' '1 2 3' 'x=1; cat <<E
$x $(echo 2) $((1+2))
E'
does 'keeps quotes' "\"a\" 'b'" "cat <<E
\"a\" 'b'
E"
does 'a backslash quotes $, `, \ and newline in it' '$x ` \ \a b' 'cat <<E
\$x \` \\ \a \
b
E'
does 'any quoting of the delimiter keeps the text' '$x
$x' "cat <<'E'; cat <<E\\F
\$x
E
\$x
EF"
does 'several on one line, in order' 'a
b' 'cat <<A; cat <<B
a
A
b
B'
does 'and for several descriptors' 'b' 'cat <<A 3<<B <&3
a
A
b
B'
does '<<- strips tabs from lines and the delimiter' 'a
b' "cat <<-E
$(printf '\ta\n\t\tb\n\tE')
"
errs 'a delimiter holds no expansion' 'may hold no expansion' 'cat <<$a'
does 'a here-document in a loop is expanded each time' '1 2' 'for i in 1 2; do cat <<E
$i
E
done | tr "\n" " " | sed "s/ $//"'
does 'its lines come behind the whole line' 'a b' 'cat <<E | tr "\n" " "; echo b
a
E'
does 'a large one' '200000' 'x=0123456789; x=$x$x$x$x$x$x$x$x$x$x; x=$x$x$x$x$x$x$x$x$x$x; x=$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x; x=$x$x$x$x$x$x$x$x$x$x; cat <<E | wc -c | tr -d " "
${x%?}
E'
does 'a here-document at the end of the input ends there' 'a' 'exec 2>/dev/null; eval "cat <<E
a"'
does 'functions keep theirs' 'a a' 'f() { cat <<E
a
E
}; echo $(f) $(f)'
does 'a descriptor of the shell is not one of the script' '1' '{ true >&10; } 2>/dev/null; echo $?'
does 'a program inherits what was opened' 'a' 'exec 4>f; sh -c "echo a >&4"; cat f; rm f'

# The stages of a pipeline start without a copy of the shell where their redirections allow it.
does 'a stage: stderr into the pipe' 'X x' 'sh -c "echo x >&2; echo X" 2>&1 | sort | tr "\n" " " | sed "s/ $//"'
does 'a stage: stdout thrown away, stderr into the pipe' 'e' 'sh -c "echo o; echo e >&2" 2>&1 >/dev/null | cat'
does 'a stage: the pipe thrown away before stderr follows it' '' 'sh -c "echo o; echo e >&2" >/dev/null 2>&1 | cat'
does 'a stage: descriptors exchanged' 'e' '{ sh -c "echo o; echo e >&2" 3>&1 1>&2 2>&3 3>&- | cat; } 2>/dev/null'
does 'a stage: a file instead of the pipe' 'f' 'echo f >in; echo p | cat <in | cat >out; cat out; rm in out'
does 'a stage: a file is added to' 'a b' 'echo a | cat >out; echo b | cat >>out; echo $(cat out); rm out'
does 'a stage: a closed descriptor' 'bad' 'sh -c "cat <&0 || echo bad" 2>/dev/null <&- | cat'
does 'a stage: a file that is not there' '1 0' 'set -o pipefail; cat 2>/dev/null </none/of | cat; printf "$? "; set +o pipefail; cat 2>/dev/null <none | cat; echo $?'
does 'a stage: noclobber holds' 'old' 'echo old >f; set -C; { echo new | cat >f; } 2>/dev/null; cat f; rm f'
does 'a stage: a pipe with a name does not keep the next stage from starting' 'x' 'mkfifo p; cat <p | echo x >p; mkfifo q; cat <q | { echo x >q; cat; }; rm p q'
