# SPDX-License-Identifier: MIT
"""A dozen modules of Python's library, threads, processes and a deep recursion; prints the same every time."""
import array
import bz2
import collections
import concurrent.futures
import csv
import ctypes
import decimal
import difflib
import fractions
import gc
import hashlib
import heapq
import io
import itertools
import json
import lzma
import multiprocessing
import os
import pickle
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
import threading
import xml.etree.ElementTree
import zlib

scale = int(sys.argv[1])
draw = random.Random(2024)


def say(what, *values):
    print(what, *values, flush=True)


def digest(value):
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]


def words(count):
    return ["".join(draw.choices("abcdefghij", k=draw.randint(1, 9))) for _ in range(count)]


def containers():
    counted = collections.Counter(words(40000 * scale))
    say("counter", len(counted), counted.most_common(3))
    queue = collections.deque(maxlen=1000)
    for word in counted:
        queue.append(word * draw.randint(1, 50))
    say("deque", digest(list(queue)))
    heap = []
    for number in range(20000 * scale):
        heapq.heappush(heap, draw.random())
        if number % 3 == 0:
            heapq.heappop(heap)
    say("heap", digest(heap[:50]), len(heap))
    say("array", digest(array.array("d", range(100000)).tobytes()[::977]))
    say("permutations", sum(a * b for a, b, *_ in itertools.permutations(range(8))))


def text():
    lines = [" ".join(words(10)) for _ in range(1500)]
    blob = "\n".join(lines)
    say("re", len(re.findall(r"\b([a-e]+)[f-j]\1", blob)), digest(re.sub(r"(a)(b)?", r"\2\1", blob)))
    changed = [line for line in lines[:150] if draw.random() > 0.1]
    say("difflib", digest(list(difflib.unified_diff(lines[:150], changed))))
    out = io.StringIO()
    csv.writer(out).writerows(line.split() for line in lines)
    say("csv", digest(list(csv.reader(io.StringIO(out.getvalue())))))
    data = {word: [line, len(line), None, {"x": 1.5}] for word, line in zip(words(1500), lines)}
    say("json", digest(json.loads(json.dumps(data, indent=1))), digest(pickle.loads(pickle.dumps(data))))
    root = xml.etree.ElementTree.Element("root")
    for line in lines:
        xml.etree.ElementTree.SubElement(root, "line", length=str(len(line))).text = line
    parsed = xml.etree.ElementTree.fromstring(xml.etree.ElementTree.tostring(root))
    say("xml", sum(int(e.get("length")) for e in parsed.iter("line")))
    for module in (zlib, bz2, lzma):
        say(module.__name__, digest(module.compress(blob.encode())), module.decompress(module.compress(blob.encode())) == blob.encode())


def numbers():
    decimal.getcontext().prec = 300
    say("decimal", digest(decimal.Decimal(2).sqrt()))
    say("fractions", digest(sum(fractions.Fraction(1, n) for n in range(1, 400))))
    say("integers", digest(pow(3, 20000) % 10**50), len(str(7**4000)))


def database():
    base = sqlite3.connect(":memory:")
    base.execute("create table t (id integer primary key, word text)")
    base.executemany("insert into t (word) values (?)", ((word,) for word in words(5000 * scale)))
    base.execute("create index i on t (word)")
    say("sqlite3", base.execute("select word, count(*) from t group by word order by 2 desc, 1 limit 3").fetchall())
    base.close()


def cycles():
    class Node:
        pass

    for _ in range(20):
        ring = [Node() for _ in range(1000)]
        for a, b in zip(ring, ring[1:] + ring[:1]):
            a.next = b
        del ring
    say("gc", gc.collect() > 0)


def recurse(depth):
    return [depth, recurse(depth - 1)] if depth else []


def worker(number):
    local = random.Random(number)
    kept = {}
    for step in range(4000 * scale):
        kept[local.randrange(300)] = bytes(local.randrange(2000))
        if step % 5 == 0:
            kept.pop(local.randrange(300), None)
    return number, len(kept), sum(map(len, kept.values()))


def threads():
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        say("pool", sorted(pool.map(worker, range(16))))
    passed = []
    lock = threading.Lock()

    def grow():
        for n in range(500):
            with lock:
                passed.append(str(n) * 10)

    batch = [threading.Thread(target=grow) for _ in range(20)]
    for thread in batch:
        thread.start()
    for thread in batch:
        thread.join()
    say("threads", len(passed), digest(sorted(passed)))


def processes():
    # Fork while other threads allocate.
    stop = threading.Event()

    def churn():
        while not stop.is_set():
            [bytes(n) for n in range(200)]

    noise = [threading.Thread(target=churn) for _ in range(2)]
    for thread in noise:
        thread.start()
    for number in range(10 * scale):
        pid = os.fork()
        if pid == 0:
            kept = [bytearray(n) for n in range(1000)]
            os._exit(len(kept) % 100 + number % 10)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == number % 10
    stop.set()
    for thread in noise:
        thread.join()
    say("fork")
    for number in range(5 * scale):
        got = subprocess.run([sys.executable, "-c", "print(sum(range(%d)))" % (number * 1000)], capture_output=True, check=True)
        say("subprocess", got.stdout, got.stderr)
    with multiprocessing.get_context("fork").Pool(3) as pool:
        say("multiprocessing", pool.map(worker, range(100, 106)))


def files():
    with tempfile.TemporaryDirectory(dir=".") as folder:
        for number in range(50):
            with open(os.path.join(folder, str(number)), "w") as out:
                out.write("line\n" * number * 100)
        say("files", sum(len(open(os.path.join(folder, name)).readlines()) for name in sorted(os.listdir(folder))))


def foreign():
    libc = ctypes.CDLL(None)
    libc.malloc.restype = libc.realloc.restype = ctypes.c_void_p
    libc.realloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    block = libc.malloc(100)
    ctypes.memset(block, 65, 100)
    block = libc.realloc(block, 100000)
    say("ctypes", ctypes.string_at(block, 100) == b"A" * 100)
    libc.free(block)


for part in (containers, text, numbers, database, cycles, threads, processes, files, foreign):
    part()
sys.setrecursionlimit(20000)
say("recursion", digest(len(repr(len(recurse(5000))))))
sys.exit(5)
