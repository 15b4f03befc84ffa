#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random scripts under r3sh, dash and bash in posix mode: the same output and status everywhere.

    differential.py SHELL [--seconds N] [--seed N] [--count N]

SHELL runs by the name sh, with its subshells in its process and with FORK=always; the two must agree. Where dash and bash
agree with each other and not with r3sh, the script is printed, made as small as it goes, and the run fails. Where those
two differ, r3sh must say what one of them says; `explained` lists the differences that the standard leaves open.
"""
import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time

NAMES = ["a", "b", "c", "n"]
WORDS = ["x", "yy", "a b", "*", "a*c", "", "1", "-1", "07", "a:b", " x ", "\\", "ab/cd.e", "[a]", "~"]


class Script:
    """Makes statements of bounded depth."""

    def __init__(self, rng):
        self.rng = rng

    def pick(self, *choices):
        return self.rng.choice(choices)

    def quoted(self, text):
        how = self.rng.randrange(4)
        if how == 0:
            return "'" + text + "'"
        if how == 1:
            return '"' + re.sub(r'([\\"$`])', r"\\\1", text) + '"'
        return re.sub(r"([^A-Za-z0-9_:/.-])", r"\\\1", text) or "''"

    def parameter(self, depth):
        name = self.pick(*NAMES, "1", "2", "#", "?", "*", "@")
        if self.rng.random() < 0.4 or name in "#?":
            return self.pick("$" + name, "${" + name + "}")
        if name in "*@":
            return "$" + name
        operator = self.pick("-", ":-", "+", ":+", "#", "##", "%", "%%", "=", ":=")
        if name.isdigit() and "=" in operator:
            operator = "-"
        return "${" + name + operator + self.word(depth - 1, plain=True) + "}"

    def arithmetic(self, depth):
        if depth <= 0 or self.rng.random() < 0.4:
            return self.pick("n", "0", "1", "2", "7", "010", "0x1f", "-3", "$n", "$#")
        operator = self.pick("+", "-", "*", "/ 3", "% 5", "<", "==", "&", "|", "^", "&&", "||", "<< 2", ">> 1", ",?")
        left = self.arithmetic(depth - 1)
        if operator[-1].isdigit():
            return f"({left}) {operator}"
        if operator == ",?":
            return f"({left} ? {self.arithmetic(depth - 1)} : {self.arithmetic(depth - 1)})"
        return f"({left} {operator} {self.arithmetic(depth - 1)})"

    def word(self, depth, plain=False):
        pieces = []
        for _ in range(self.rng.randint(1, 3)):
            kind = self.rng.random()
            if depth <= 0 or kind < 0.4:
                pieces.append(self.quoted(self.pick(*WORDS)) if not plain else self.pick("x", "a", "?", "*", "b*", "1"))
            elif kind < 0.75:
                text = self.parameter(depth)
                pieces.append(text if plain or self.rng.random() < 0.5 else '"' + text + '"')
            elif kind < 0.9:
                pieces.append("$((" + self.arithmetic(depth) + "))")
            else:
                pieces.append("$(" + self.command(depth - 1) + ")")
        return "".join(pieces)

    def words(self, depth):
        return " ".join(self.word(depth) for _ in range(self.rng.randint(0, 3)))

    def simple(self, depth):
        return self.pick(
            lambda: f"printf '<%s>' {self.words(depth)}",
            lambda: f"{self.pick(*NAMES[:3])}={self.word(depth)}",
            lambda: f"n=$(({self.arithmetic(depth)}))",
            lambda: f"set -- {self.words(depth)}",
            lambda: "shift $(($# > 0))",
            lambda: f"[ {self.word(depth - 1)}x {self.pick('=', '!=')} {self.word(depth - 1)}x ]",
            lambda: self.pick("true", "false", ":", "(exit 3)", "f", "f x 'y z'", "unset a", "IFS=:", "IFS=' '", "unset IFS"),
            lambda: "eval 'printf \"%s.\" $n $#'",
            lambda: f"printf '%s|' {self.words(depth)} | cat",
            lambda: f"echo {self.quoted('a b:c')} | {{ read a b; printf '[%s][%s]' \"$a\" \"$b\"; }}",
            lambda: f"cat <<E\n{self.parameter(depth)} $(({self.arithmetic(1)})) text\nE\n",
        )()

    def command(self, depth):
        if depth <= 0 or self.rng.random() < 0.5:
            return self.simple(depth)
        return self.pick(
            lambda: f"{{ {self.listing(depth - 1)}\n}}",
            lambda: f"( {self.listing(depth - 1)}\n)",
            lambda: f"if {self.command(depth - 1)}\nthen {self.listing(depth - 1)}\nelse {self.listing(depth - 1)}\nfi",
            lambda: f"for c in {self.words(depth - 1)}\ndo {self.listing(depth - 1)}\n{self.pick('', 'break', 'continue')}\ndone",
            lambda: f"case {self.word(depth - 1)} in\n{self.word(1, plain=True)}) {self.listing(depth - 1)}\n;;\n*) {self.listing(depth - 1)}\nesac",
            lambda: f"f() {{ {self.listing(depth - 1, calls=False)}\n{self.pick('', 'return 4')}\n}}",
            lambda: f"! {self.simple(depth)}",
            lambda: f"{self.simple(depth)}\n{self.pick('true', 'false')} {self.pick('&&', '||')} {self.command(depth - 1)}",
        )()

    def listing(self, depth, calls=True):
        lines = [self.command(depth) for _ in range(self.rng.randint(1, 3))]
        if not calls:  # else it would never end
            lines = [re.sub(r"\bf( x 'y z')?$", ":", line, flags=re.M) for line in lines]
        return "\n".join(lines)


def explained(script):
    """What the standard leaves open, so that shells may differ."""
    return ("${*" in script or "${@" in script or "${#" in script
            or re.search(r'"[^"]*\$\{[^}]*"', script) is not None)


def run(command, script, directory, **more):
    env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": "/h", **more}
    try:
        got = subprocess.run([*command, "-c", script], cwd=directory, env=env, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
    except subprocess.TimeoutExpired:
        return b"hangs", -1
    # How an error is counted is each shell's own: that there was one is not.
    return got.stdout, got.returncode if got.returncode < 2 or got.returncode > 128 else 2 + (got.returncode in (3, 4)) * got.returncode


def judge(shell, script, directory):
    """What is wrong with r3sh, or None."""
    ours, forked = run([shell], script, directory), run([shell], script, directory, FORK="always")
    if ours != forked:
        return f"in its process {ours}, forked {forked}"
    dash, bash = run(["dash"], script, directory), run(["bash", "--posix"], script, directory)
    if ours in (dash, bash) or (dash != bash and explained(script)):
        return None
    return f"r3sh {ours}, dash {dash}, bash {bash}"


def smaller(shell, script, directory):
    """Leave out lines as long as it stays wrong."""
    lines, at = script.split("\n"), 0
    while at < len(lines):
        rest = lines[:at] + lines[at + 1:]
        if judge(shell, "\n".join(rest), directory):
            lines = rest
        else:
            at += 1
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("shell")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--count", type=int, default=10**9)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else int(time.time())
    end, done = time.monotonic() + options.seconds, 0
    with tempfile.TemporaryDirectory() as top:
        shell = os.path.join(top, "sh")
        os.symlink(os.path.abspath(options.shell), shell)
        directory = os.path.join(top, "d")
        os.mkdir(directory)
        for name in ("abc", "x", "yy"):
            open(os.path.join(directory, name), "w").close()
        while time.monotonic() < end and done < options.count:
            script = "f() { :; }\nn=5 a='a b' b=xyz\n" + Script(random.Random(seed + done)).listing(3)
            wrong = judge(shell, script, directory)
            if wrong:
                script = smaller(shell, script, directory)
                print(f"seed {seed + done}: {judge(shell, script, directory) or wrong}\n{script}")
                return 1
            done += 1
    print(f"{done} scripts, from seed {seed}: no differences")
    return 0


sys.exit(main())
