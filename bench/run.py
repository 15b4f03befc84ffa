#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures what bench/*/*.toml declare and writes build/report/<room>.json.

Every benchmark is run once per round, in an order shuffled anew for each round, so that slow
stretches of the machine hit all of them alike. Each run is a process of its own. Figures are kept
per run, in the JSON format of Google Benchmark.
"""
import argparse
import fcntl
import glob
import hashlib
import json
import os
import re
import random
import subprocess
import sys
import tempfile
import time

from harness import machine, plan


class Failed(Exception):
    pass


def run_process(job, build):
    """Runs a job to its end: (stdout, stderr, wall seconds, CPU seconds, peak memory in KiB)."""
    # Programs read and write files, so that what is measured is the program and not a pipe.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, \
            tempfile.NamedTemporaryFile() as result, open(job.stdin or os.devnull, "rb") as stdin:
        env = [f"{name}={value}" for name, value in job.env.items()]
        launched = subprocess.run(
            [f"{build}/bench/launch", result.name, str(job.limit), *env, "--", *job.command],
            stdin=stdin, stdout=out, stderr=err)
        out.seek(0)
        err.seek(0)
        used = result.read().split()
        words = err.read().decode(errors="replace")
        said = words.strip().split("\n")[-1]
        if launched.returncode != 0:
            raise Failed(f"cannot be launched: {said}")
        if used == [b"late"]:
            raise Failed(f"did not finish within {job.limit:g} s")
        status, wall, cpu, peak = map(int, used)
        if status != 0:
            how = (f"was killed by signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status)
                   else f"ended with status {os.WEXITSTATUS(status)}")
            raise Failed(how + (f": {said}" if said else ""))
        return out.read(), words, wall * 1e-6, cpu * 1e-6, peak


def measure_harness(job, build):
    text, _, _, _, _ = run_process(job, build)
    try:
        entry = json.loads(text)["benchmarks"][0]
    except (ValueError, LookupError):
        raise Failed("printed no result") from None
    entry["name"] = entry["run_name"] = job.name
    # The harness times its own loop, which for us only reports: the CPU time is a counter of ours.
    entry["cpu_time"] = entry["cpu_s"] * 1e9 / entry["iterations"]
    if entry.get("lost"):
        raise Failed(f"the lock let two threads in: {entry['lost']:.0f} increments lost")
    return entry, None


def measure_program(job, build):
    text, words, wall, cpu, peak = run_process(job, build)
    own = {name: int(value) for name, value in re.findall(r"^metric (\w+) (\d+)$", words, re.M)}
    first = text.split(maxsplit=1)
    turns = int(first[0]) if len(first) == 1 and first[0].isdigit() else 1
    return {
        "name": job.name, "run_name": job.name, "run_type": "iteration", "threads": 1,
        "iterations": turns, "real_time": wall * 1e9 / turns, "cpu_time": cpu * 1e9 / turns,
        "time_unit": "ns", "cpu_s": cpu, "wall_s": wall, "peak_rss_kb": peak,
        "items_per_second": turns / wall, **own,
    }, hashlib.sha256(text).hexdigest()


class Progress:
    """What is running, how far we are, how long it will take: one line on a terminal, else one
    every few seconds."""

    def __init__(self, jobs, repetitions):
        self.total, self.done = len(jobs) * repetitions, 0
        self.seconds = {job.name: job.expect for job in jobs}
        self.left = {job.name: repetitions for job in jobs}
        self.begin, self.shown = time.monotonic(), 0.0
        self.live = sys.stdout.isatty()

    def show(self, name, round_text):
        now = time.monotonic()
        if not self.live and self.done and now - self.shown < 5:
            return
        self.shown = now
        rest = sum(self.seconds[name] * self.left[name] for name in self.left)
        line = (f"[{self.done + 1:4}/{self.total}] {round_text}, {clock(now - self.begin)} so far, "
                f"about {clock(rest)} to go: {name}")
        if self.live:
            line = "\r\033[K" + line[:os.get_terminal_size().columns - 1]
        print(line, end="" if self.live else "\n", flush=True)

    def finished(self, job, seconds):
        self.done += 1
        self.left[job.name] -= 1
        self.seconds[job.name] = seconds

    def say(self, text):
        print(("\r\033[K" if self.live else "") + text, flush=True)


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def measure_all(jobs, repetitions, seed, build):
    """All runs, as a list of entries."""
    progress = Progress(jobs, repetitions)
    entries, failed, outputs = [], {}, {}
    for repetition in range(repetitions):
        order = list(jobs)
        random.Random(seed + repetition).shuffle(order)
        for job in order:
            if job.name in failed:
                progress.finished(job, 0)
                continue
            progress.show(job.name, f"round {repetition + 1} of {repetitions}")
            begin = time.monotonic()
            try:
                measure = measure_harness if job.kind == "harness" else measure_program
                entry, output = measure(job, build)
                if output and outputs.setdefault(job.group, output) != output:
                    raise Failed("output differs from that of the others")
            except Failed as why:
                failed[job.name] = str(why)
                progress.say(f"  {job.name}: {why}")
                entry = {"name": job.name, "run_name": job.name, "run_type": "iteration",
                         "error_occurred": True, "error_message": str(why)}
            entry.update(repetitions=repetitions, repetition_index=repetition, room=job.room)
            entries.append(entry)
            progress.finished(job, time.monotonic() - begin)
    progress.say(f"{progress.done} runs in {clock(time.monotonic() - progress.begin)}")
    return entries


def write_report_data(entries, the_plan, context, folder):
    os.makedirs(folder, exist_ok=True)
    for room in the_plan.rooms:
        own = [{key: value for key, value in entry.items() if key != "room"}
               for entry in entries if entry["room"] == room["name"]]
        with open(f"{folder}/{room['name']}.json", "w") as file:
            json.dump({"context": context, "benchmarks": own}, file, indent=1)


def take_lock():
    """Tests and benches never run over each other on one machine. Held until the file is closed."""
    lock = open(os.path.join(os.environ.get("TMPDIR", "/tmp"), "ring3-test-bench.lock"), "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("waiting for another ring3 test or bench run on this machine", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", choices=plan.SIZES, default="quick")
    parser.add_argument("--only", metavar="TEXT", help="only benchmarks whose name contains TEXT")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--rooms", nargs="*", help="declarations to use, instead of bench/*/*.toml")
    parser.add_argument("--locked", action="store_true", help="the caller holds the machine's lock")
    options = parser.parse_args()
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    build = os.environ.get("B", "build")

    lock = None if options.locked else take_lock()
    the_plan = plan.Plan(options.size, build, plan.load_rooms(options.rooms or glob.glob("bench/*/*.toml")))
    jobs = [job for job in the_plan.jobs if not options.only or options.only in job.name]
    for note in the_plan.notes:
        print(f"note: {note}")
    repetitions = plan.REPETITIONS[options.size]
    print(f"{len(jobs)} benchmarks, {repetitions} rounds, shuffled (seed {options.seed})", flush=True)
    # The first keys are those that Google Benchmark itself writes.
    context = {
        "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "host_name": os.uname().nodename,
        "executable": sys.argv[0], "num_cpus": os.cpu_count(), "load_avg": machine.load(),
        "library_build_type": "release",
        "command": f"make bench{ {'tiny': ' TINY=1', 'full': ' FULL=1'}.get(options.size, '')}",
        "size": options.size, "seed": options.seed, "machine": machine.describe(),
        "notes": the_plan.notes,
    }
    begin, ticks = time.monotonic(), machine.cpu_ticks()
    entries = measure_all(jobs, repetitions, options.seed, build)
    context.update(load_avg_after=machine.load(), seconds=round(time.monotonic() - begin, 1),
                   steal_percent=machine.steal_percent(ticks))
    write_report_data(entries, the_plan, context, f"{build}/report")
    if lock:
        lock.close()
    return 1 if not entries or all(entry.get("error_occurred") for entry in entries) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\ninterrupted: no figures written")
