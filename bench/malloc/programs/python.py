# SPDX-License-Identifier: MIT
"""A fixed piece of everyday Python: containers, strings, JSON, regular expressions, classes."""
import collections
import json
import re
import sys


class Node:
    def __init__(self, key, children):
        self.key, self.children = key, children

    def total(self):
        return self.key + sum(child.total() for child in self.children)


def tree(depth, key=1):
    return Node(key, [tree(depth - 1, 2 * key + i) for i in (0, 1)] if depth else [])


turns = int(sys.argv[1])
words = ["w%05d" % (i * 7919 % 5003) for i in range(1000 * turns)]
count = collections.Counter(words)
index = collections.defaultdict(list)
for at, word in enumerate(words):
    index[word].append(at)
text = json.dumps({word: places for word, places in index.items()})
back = json.loads(text)
joined = re.sub(r"w0+", lambda m: "x" * len(m.group()), " ".join(words))
parts = sorted(set(joined.split()), key=lambda s: s[::-1])
totals = [tree(9).total() for _ in range(turns)]
matrix = [[(i * j) % 97 * 0.5 for j in range(200)] for i in range(4 * turns)]
print(len(count), len(text), len(back), len(parts), sum(totals), sum(map(sum, matrix)))
