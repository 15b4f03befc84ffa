# SPDX-License-Identifier: MIT
"""From single runs to medians, spreads and comparisons."""
import json
import re
import statistics
from dataclasses import dataclass

# Medians closer than this are called a tie even when every run agrees.
SMALLEST_DIFFERENCE = 0.02


def three_digits(value):
    """A number as people write it: three significant digits, no exponent."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    digits = 1 if size >= 10 else 2 if size >= 1 else 3 if size >= 0.1 else 4
    return f"{value:.{digits}f}"


def times(value, reference):
    """The ratio of two figures, to two or three places."""
    if reference.median == 0:
        return "–"
    ratio = value.median / reference.median
    text = three_digits(ratio) if ratio >= 10 else f"{ratio:.{2 if ratio >= 0.1 else 3}f}"
    return f"{text}\N{NO-BREAK SPACE}×"


@dataclass
class Figure:
    """The runs of one benchmark, in one unit."""
    subject: str
    values: list
    error: str = None

    @property
    def median(self):
        return statistics.median(self.values)

    @property
    def low(self):
        return min(self.values)

    @property
    def high(self):
        return max(self.values)

    @property
    def middle_half(self):
        if len(self.values) < 2:
            return self.values[0], self.values[0]
        first, _, third = statistics.quantiles(self.values, n=4, method="inclusive")
        return first, third


def is_tie(one, other):
    """No difference that these runs could show: the middle halves of the runs overlap, or the
    medians are as good as equal."""
    if abs(one.median - other.median) <= SMALLEST_DIFFERENCE * abs(other.median):
        return True
    return one.middle_half[0] <= other.middle_half[1] and other.middle_half[0] <= one.middle_half[1]


def outcome(one, other, better):
    """'ahead', 'tie' or 'behind', from the point of view of `one`."""
    if is_tie(one, other):
        return "tie"
    return "ahead" if (one.median < other.median) == (better == "lower") else "behind"


def is_ours(subject):
    return subject.startswith("ring3")


class Runs:
    """All runs of the report, by benchmark name."""

    def __init__(self, entries):
        self.by_name = {}
        for entry in entries:
            self.by_name.setdefault(entry["run_name"], []).append(entry)

    def matching(self, pattern):
        """(subject, position or None, runs) for each name that the pattern matches whole; its
        first group is the subject and its second the position on the horizontal axis."""
        for name, runs in self.by_name.items():
            found = re.fullmatch(pattern, name)
            if found:
                yield (found.group(1), int(found.group(2)) if found.re.groups > 1 else None, runs)

    @staticmethod
    def figure(subject, runs, metric, scale):
        errors = [run["error_message"] for run in runs if run.get("error_occurred")]
        values = [run[metric] * scale for run in runs if metric in run]
        if errors or not values:
            return Figure(subject, [], errors[0] if errors else "no figure")
        return Figure(subject, values)


def load(folder, rooms):
    """(context, all entries) of the rooms' JSON files."""
    context, entries = {}, []
    for room in rooms:
        with open(f"{folder}/{room['name']}.json") as file:
            data = json.load(file)
        context = data["context"]
        entries += data["benchmarks"]
    return context, entries
