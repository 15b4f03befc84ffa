# SPDX-License-Identifier: MIT
"""Reads bench/*/*.toml and makes a list of single runs from what they ask for.

A room of the bench (bench/locks, bench/malloc, …) declares in one TOML file what is measured
([[measure]]), under what ([[subject]]) and what is shown ([[chart]]). bench/README.md has the keys.
"""
import os
import re
import shutil
import subprocess
import tomllib
from dataclasses import dataclass, field

SIZES = ("tiny", "quick", "full")
LIMIT = {"tiny": 10, "quick": 10, "full": 60}  # seconds for one run of a program
REPETITIONS = {"tiny": 3, "quick": 5, "full": 15}


@dataclass
class Job:
    """One benchmark: run again in every round."""
    name: str
    command: list
    kind: str = "harness"  # "harness": prints Google Benchmark JSON; "program": measured from outside
    env: dict = field(default_factory=dict)
    stdin: str = None
    expect: float = 0.2  # seconds, a first guess
    limit: float = 20.0
    group: str = ""  # outputs within one group must be equal
    room: str = ""


def exactly(name):
    """The name as a POSIX regular expression, which knows no escaped hyphen."""
    return re.escape(name).replace(r"\-", "-")


def load_rooms(paths):
    """The declarations, in the order they ask for."""
    rooms = []
    for path in sorted(paths):
        with open(path, "rb") as file:
            room = tomllib.load(file)
        room["name"] = os.path.basename(path).removesuffix(".toml")
        rooms.append(room)
    return sorted(rooms, key=lambda room: room.get("order", 99))


class Plan:
    def __init__(self, size, build, rooms):
        self.size, self.build, self.rooms = size, build, rooms
        self.jobs, self.notes = [], []
        self.read_peers()
        for room in self.rooms:
            self.add_room(room)

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def read_peers(self):
        """The libraries that the build looked for."""
        try:
            with open(f"{self.build}/bench/peers") as file:
                peers = [line.split() for line in file]
        except OSError:
            peers = []
        for name, package, state in peers:
            if state != "found":
                self.note(f"{name} is not installed (Debian package {package}): skipped.")

    def sized(self, value):
        """A value, or one per size: {tiny = …, quick = …, full = …}."""
        return value[self.size] if isinstance(value, dict) else value

    def fill(self, text):
        return text.replace("{B}", self.build)

    def add_room(self, room):
        subjects = [s for s in room.get("subject", [])
                    if self.size in s.get("sizes", SIZES) and self.present(s)]
        for measure in room.get("measure", []):
            if self.size not in measure.get("sizes", SIZES):
                continue
            if "benchmarks" in measure:
                self.add_benchmarks(room, measure)
            else:
                self.add_programs(room, measure, subjects)

    def add_benchmarks(self, room, measure):
        program = f"{self.build}/bench/{measure.get('program', room['name'])}"
        select = self.sized(measure["benchmarks"])
        seconds = self.sized(measure.get("seconds", {"tiny": 0.01, "quick": 0.15, "full": 0.5}))
        if not os.access(program, os.X_OK):
            self.note(f"{program} is not built: skipped.")
            return
        names = subprocess.run([program, "--benchmark_list_tests", f"--benchmark_filter={select}"],
                               capture_output=True, text=True, check=True).stdout.split()
        for name in names:
            self.jobs.append(Job(
                clean_name(name),
                [program, f"--benchmark_filter=^{exactly(name)}$", "--benchmark_format=json",
                 f"--ring3_seconds={seconds}"],
                expect=seconds + 0.02, limit=max(20.0, 20 * seconds), room=room["name"]))

    def add_programs(self, room, measure, subjects):
        command = [self.fill(str(self.sized(word))) for word in measure["command"]]
        if measure.get("needs") and not have_command(measure["needs"]):
            self.note(f"{measure['needs']} is not installed: {measure['name']} skipped.")
            return
        for subject in subjects:
            env = dict(measure.get("env", {}))
            words = [word.replace("{sh}", self.as_sh(subject)) for word in command]
            env.update({key: self.fill(value) for key, value in subject.get("env", {}).items()})
            if subject.get("preload"):
                env["LD_PRELOAD"] = self.preload_path(subject["preload"])
            self.jobs.append(Job(
                f"{measure['name']}/{subject['name']}", words, "program", env,
                measure.get("stdin"), limit=measure.get("limit", LIMIT[self.size]), group=measure["name"],
                room=room["name"]))

    def as_sh(self, subject):
        """The subject's shell by the name sh: a link, since shells go by the name they are called."""
        if not subject.get("shell"):
            return "sh"
        link = os.path.abspath(f"{self.build}/bench/as-sh/{subject['name']}/sh")
        os.makedirs(os.path.dirname(link), exist_ok=True)
        if os.path.lexists(link):
            os.unlink(link)
        os.symlink(self.shell_path(subject), link)
        return link

    def shell_path(self, subject):
        path = self.fill(subject["shell"])
        found = shutil.which(path)
        return os.path.abspath(found) if found else None

    def preload_path(self, library):
        if "/" in library:
            path = os.path.abspath(self.fill(library))
            return path if os.path.exists(path) else None
        ldconfig = subprocess.run("PATH=$PATH:/sbin:/usr/sbin ldconfig -p", shell=True,
                                  capture_output=True, text=True).stdout
        found = re.search(rf"^\s*{re.escape(library)} .*=> (\S+)$", ldconfig, re.M)
        return found.group(1) if found else None

    def present(self, subject):
        library = subject.get("preload") or subject.get("shell")
        found = self.preload_path if subject.get("preload") else self.shell_path
        if not library or found(subject if subject.get("shell") else library):
            return True
        package = subject.get("package")
        self.note(f"{subject['name']} is not installed (Debian package {package}): skipped."
                  if package else f"{self.fill(library)} is not built: what needs it is skipped.")
        return False


def clean_name(name):
    """The harness writes into a name how it ran; only the number of threads is of interest."""
    return re.sub(r"/(iterations:\d+|manual_time|real_time)", "", name)


def have_command(name):
    return any(os.access(os.path.join(folder, name), os.X_OK)
               for folder in os.environ.get("PATH", "").split(":"))
