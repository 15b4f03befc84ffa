#!/bin/bash
# SPDX-License-Identifier: MIT
# Patterns (XCU 2.14), as case sees them.
. "$(dirname "$0")/../r3sh.sh"

# matches PATTERN TEXT, mismatches PATTERN TEXT: the pattern as a script writes it, in both locales.
case_of() { compare "$1" "case '$3' in $2) echo yes;; *) echo no;; esac"; }
in_utf8() { compare "$1" "case '$3' in $2) echo yes;; *) echo no;; esac" LC_ALL=C.UTF-8; }
in_c() { compare "$1" "case '$3' in $2) echo yes;; *) echo no;; esac" LC_ALL=C; }
matches() { try "$1 matches $2" case_of yes "$1" "$2"; }
mismatches() { try "$1 does not match $2" case_of no "$1" "$2"; }

matches '*' ''
matches '*' 'a/b.c'
matches 'a*c' 'abbc'
mismatches 'a*c' 'abb'
matches '?' 'x'
mismatches '?' ''
mismatches '?' 'xy'
matches '[abc]' 'b'
mismatches '[abc]' 'd'
matches '[!abc]' 'd'
mismatches '[!abc]' 'a'
matches '[a-c]' 'b'
matches '[]a]' ']'
matches '[!]a]' 'b'
matches '[a-]' '-'
matches '[[:alpha:]]' 'x'
mismatches '[[:alpha:]]' '1'
matches '[[:digit:][:space:]]' ' '
matches '[![:digit:]]' 'x'
matches '[[.a.]]' 'a'
matches '[[=a=]]' 'a'
matches '[[.-.]]' '-'
matches '[a' '[a'
matches '"*"' '*'
mismatches '"*"' 'x'
matches '\*' '*'
matches '[\]]' ']'
matches '[a"]"]' ']'
matches '"["a]' '[a]'
matches 'a\b' 'ab'
matches '*[!a]' 'ab'
matches '[*]' '*'
matches '?*?' 'ab'
mismatches '?*?' 'a'
matches 'a|b' 'b'
try 'a character of two bytes is one for ?' in_utf8 yes '?' 'ä'
try 'and two in the C locale' in_c no '?' 'ä'
try 'a range of such characters' in_utf8 yes '[à-ü]' 'ä'
try 'a class knows them' in_utf8 yes '[[:alpha:]]' 'ä'
many_stars() { compare no 'x=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; case $x in *a*a*a*a*a*a*a*a*a*a*a*a*b) echo yes;; *) echo no;; esac'; }
try 'many stars take no time' many_stars
