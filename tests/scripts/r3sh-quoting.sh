#!/bin/bash
# SPDX-License-Identifier: MIT
# Quoting: backslash, single, double and dollar-single quotes (XCU 2.2).
# shellcheck disable=SC2016 # the scripts are r3sh's to expand
. "$(dirname "$0")/../r3sh.sh"

does 'a backslash keeps the character behind it' '$x `x` "x" '\''x'\'' \ ;&|<>(){}~*?[]#' "echo \\\$x \\\`x\\\` \\\"x\\\" \\'x\\' \\\\ \\;\\&\\|\\<\\>\\(\\){}\\~\\*\\?\\[\\]\\#"
does 'a backslash newline is removed' 'ab' 'printf %s a\
b'
does 'in single quotes nothing is special' '\ $x `` "' "printf '%s' '\\ \$x \`\` \"'"
does 'single quotes keep newlines' 'a
b' "echo 'a
b'"
does 'double quotes expand' '1 2 3' 'x=1; echo "$x $((1+1)) $(echo 3)"'
does 'a backslash in double quotes quotes five characters' '$ ` " \ \a \*' 'printf "%s\n" "\$ \` \" \\ \a \*"'
does 'a backslash newline in double quotes is removed' 'ab' 'printf %s "a\
b"'
does 'double quotes keep blanks, newlines and patterns' 'a  *
b' 'echo "a  *
b"'
does 'double quotes within a substitution within double quotes' 'a b' 'echo "$(echo "a b")"'
does 'double quotes within braces within double quotes' 'a b' 'echo "${x-"a b"}"'
does 'single quotes are text in braces within double quotes' "'a'" "echo \"\${x-'a'}\""
does 'a brace is quoted by a backslash in braces within double quotes' '}' 'echo "${x-\}}"'
does 'a pattern keeps its own quotes within double quotes' '*b' 'x="**b"; echo "${x#"*"}" | cat'
does 'single quotes in a pattern within double quotes' 'b' "x='*b'; echo \"\${x#'*'}\""
does 'quotes make an empty field' '2' 'set -- "" '"''"'; echo $#'
does 'quotes join to one word' 'abcd' "echo a'b'\"c\"\\d"
does 'dollar-single quotes know letters' "$(printf '\a\b\033\f\n\r\t\v|')" "printf '%s|' \$'\\a\\b\\e\\f\\n\\r\\t\\v'"
does 'dollar-single quotes know octal and hexadecimal' 'AB' "echo \$'\\101\\x42'"
does 'a hexadecimal escape has two digits at most' 'A1' "echo \$'\\x411'"
does 'dollar-single quotes know control characters' '010177' "printf %s \$'\\cA\\c?' | od -An -b | tr -d ' 0' | sed 's/1177/010177/'"
does 'dollar-single quotes quote quotes' "'\"\\" "echo \$'\\'\\\"\\\\'"
does 'dollar-single quotes do not expand' '$x' "echo \$'\$x'"
does 'a dollar alone is text' '$ $. a$' 'echo $ $. a$'
does 'dollar-single quotes are none in double quotes' "\$'a'" "echo \"\$'a'\""
does 'undecodable bytes pass' '377' "printf '%s' \$'\\377' | od -An -b | tr -d ' '"
ends 'a single quote that is not closed' 2 "echo 'a 2>/dev/null"
ends 'a dollar-single quote that is not closed' 2 "echo \$'a"
ends 'a backquote that is not closed' 2 'echo `a'
errs 'which tells its place' ':2:6: single quote is not closed' ":
echo 'a"
