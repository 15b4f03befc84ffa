# SPDX-License-Identifier: MIT
"""One [[chart]] of a room with its figures, and what it says in plain words."""
from dataclasses import dataclass

from .figures import Runs, is_ours, is_tie, outcome, three_digits, times

@dataclass
class Cell:
    """What the chart knows about one subject at one position."""
    main: object
    columns: list


class Chart:
    """cells[position][subject]; bar charts have the one position None."""

    def __init__(self, declared, runs):
        self.id, self.title, self.text = declared["id"], declared["title"], declared["text"]
        self.kind, self.better, self.unit = declared["kind"], declared["better"], declared["unit"]
        self.noun = declared.get("noun", "time" if self.better == "lower" else "throughput")
        self.axis = declared.get("axis", "threads")
        self.log = declared.get("log", False)
        self.reference = declared["reference"]
        self.headline = declared.get("headline")
        self.experiment = declared.get("experiment", False)
        self.columns = declared.get("columns", [])
        self.cells, self.errors = {}, []
        for subject, position, entries in runs.matching(declared["rows"]):
            main = Runs.figure(subject, entries, declared["metric"], declared.get("scale", 1))
            if main.error:
                self.errors.append(f"{subject}: {main.error}")
                continue
            columns = [Runs.figure(subject, entries, c["metric"], c.get("scale", 1))
                       for c in self.columns]
            self.cells.setdefault(position, {})[subject] = Cell(main, columns)
        self.errors = sorted(set(self.errors))

    @property
    def positions(self):
        return sorted(self.cells, key=lambda position: position or 0)

    @property
    def subjects(self):
        """Ours first, then the reference, then the others; each group best first where the chart
        ends."""
        last = self.cells[self.positions[-1]]
        names = {name for cells in self.cells.values() for name in cells}
        sign = 1 if self.better == "lower" else -1

        def place(name):
            value = sign * last[name].main.median if name in last else float("inf")
            return (not is_ours(name), name != self.reference, value)
        return sorted(names, key=place)

    def figures(self, position):
        """The main figures at a position, best first."""
        found = [cell.main for cell in self.cells[position].values()]
        return sorted(found, key=lambda f: f.median, reverse=self.better == "higher")

    def place(self, position):
        return f"{position} {self.axis if position > 1 else self.axis.removesuffix('s')}"

    def amount(self, value):
        return f"{three_digits(value)} {self.unit}"


def names(items):
    items = list(items)
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


class Verdict:
    """state is 'ahead' (better than every peer), 'level' (with the best peer), 'behind' (the
    reference is better), 'between' (not behind the reference, but another peer is better, or the
    reference is better at another position), 'alone' (nothing to compare), or 'experiment'. It
    speaks of the last position: the most threads, the largest size."""
    WORDS = {"ahead": "ring3 ahead", "level": "level with the best", "between": "mixed",
             "behind": "ring3 behind", "alone": "not compared", "experiment": "experiment"}

    def __init__(self, chart):
        self.chart = chart
        self.state, self.sentences = "alone", []
        if not chart.cells:
            self.sentences.append("No figures: nothing of this chart could be measured.")
            return
        position = chart.positions[-1]
        figures = chart.figures(position)
        ours = [f for f in figures if is_ours(f.subject)]
        peers = [f for f in figures if not is_ours(f.subject)]
        if chart.experiment:
            self.add_experiment(position, figures)
            return
        if not ours:
            self.sentences.append("ring3 has no figure here yet; these are the peers.")
            return
        best = next((f for f in ours if f.subject == chart.headline), ours[0])
        reference = next((f for f in peers if f.subject == chart.reference), None)
        if reference is None:
            self.sentences.append(f"{best.subject}: {chart.amount(best.median)}. "
                                  f"{chart.reference} was not measured, so there is no ratio.")
            return
        self.judge(best, reference, peers)
        self.sentences.append(self.against(position, best, reference))
        self.add_best_peer(best, reference, peers[0])
        self.add_other_positions(best.subject)
        self.add_own(ours, best, reference)
        self.add_columns(position, best, reference)

    def add_experiment(self, position, figures):
        """An experiment is about what is measured, not about who is ahead."""
        self.state = "experiment"
        reference = next((f for f in figures if f.subject == self.chart.reference), None)
        self.sentences = [self.against(position, figure, reference) for figure in figures
                          if reference and figure is not reference]
        if not self.sentences:
            self.sentences = [f"{self.where(position)}{figure.subject}: "
                              f"{self.chart.amount(figure.median)}." for figure in figures]

    def judge(self, best, reference, peers):
        to_peers = {outcome(best, peer, self.chart.better) for peer in peers}
        if outcome(best, reference, self.chart.better) == "behind":
            self.state = "behind"
        elif "behind" in to_peers:
            self.state = "between"
        else:
            self.state = "level" if "tie" in to_peers else "ahead"
        for _, one, other in self.elsewhere(best.subject):
            if self.state != "behind" and outcome(one, other, self.chart.better) == "behind":
                self.state = "between"

    def elsewhere(self, subject):
        """(position, figure, the reference's figure) at each position but the last."""
        for position in self.chart.positions[:-1]:
            cells = self.chart.cells[position]
            if subject in cells and self.chart.reference in cells:
                yield position, cells[subject].main, cells[self.chart.reference].main

    def where(self, position):
        return "" if position is None else f"At {self.chart.place(position)}, "

    def against(self, position, best, reference):
        chart = self.chart
        if is_tie(best, reference):
            return (f"{self.where(position)}{best.subject} and {reference.subject} tie: "
                    f"{three_digits(best.median)} and {chart.amount(reference.median)}, "
                    "a difference smaller than the spread.")
        if reference.median == 0:
            return (f"{self.where(position)}{reference.subject} got nowhere; {best.subject} made "
                    f"{chart.amount(best.median)}.")
        return (f"{self.where(position)}{best.subject} has {times(best, reference)} "
                f"the {chart.noun} of {reference.subject}: {three_digits(best.median)} against "
                f"{chart.amount(reference.median)}.")

    def add_best_peer(self, best, reference, best_peer):
        if best_peer.subject == reference.subject:
            return
        what = {"ahead": "No peer is better; the next is", "tie": "It ties with the best peer,",
                "behind": "The best here is"}[outcome(best, best_peer, self.chart.better)]
        self.sentences.append(f"{what} {best_peer.subject} ({self.chart.amount(best_peer.median)}).")

    def add_other_positions(self, subject):
        groups = {}
        for position, one, other in self.elsewhere(subject):
            text = "a tie" if is_tie(one, other) else times(one, other)
            groups.setdefault(text, []).append(str(position))
        if groups:
            parts = [f"{text} at {names(at)}" for text, at in groups.items()]
            self.sentences.append(f"With fewer {self.chart.axis}: {'; '.join(parts)}.")

    def add_own(self, ours, best, reference):
        """Our other entries, those that lose before all."""
        groups = {"behind": [], "tie": [], "ahead": []}
        for figure in ours:
            if figure is not best:
                ratio = times(figure, reference)
                groups[outcome(figure, reference, self.chart.better)].append(
                    f"{figure.subject} ({ratio})")
        for state, text in (("behind", "Behind"), ("tie", "Level with"), ("ahead", "Ahead of")):
            if groups[state]:
                self.sentences.append(f"{text} {reference.subject}: {names(groups[state])}.")

    def add_columns(self, position, best, reference):
        cells = self.chart.cells[position]
        for index, column in enumerate(self.chart.columns):
            one, other = (cells[f.subject].columns[index] for f in (best, reference))
            if one.error or other.error:
                continue
            self.sentences.append(f"{column['title'].capitalize()}: {column_text(column, one)} "
                                  f"against {column_text(column, other)}.")


def column_text(column, figure):
    if figure.error:
        return "–"
    value = figure.high if column.get("take") == "max" else figure.median
    return three_digits(value) + (f" {column['unit']}" if column.get("unit") else "")
