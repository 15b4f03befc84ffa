#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes build/report/index.html from the figures in build/report/*.json: one page, no references
to anything outside it."""
import argparse
import glob
import html
import os
import sys

from harness import figures, plan, plot
from harness.chart import Chart, Verdict, column_text, names
from harness.figures import three_digits, times

HERE = os.path.dirname(os.path.abspath(__file__))
SIZE_NOTES = {
    "tiny": "This is a tiny run: it shows that everything works. Its figures mean nothing.",
    "quick": "This is a quick run of a few minutes. For figures to quote, use make bench FULL=1 on "
             "a quiet machine.",
}


def escape(text):
    return html.escape(str(text))


def cell(text, kind=""):
    return f'<td{f" class={kind}" if kind else ""}>{text}</td>'


def ratio_text(figure, reference, better):
    if reference is None:
        return "–"
    ratio = times(figure, reference)
    tie = figure is not reference and figures.is_tie(figure, reference)
    return f"{ratio} <i>tie</i>" if tie else ratio


def breakable(name):
    """A name that may be broken at its last joint."""
    return "_<wbr>".join(escape(name).rsplit("_", 1))


def block(chart, position):
    """The table of one position: median, spread and ratio of every subject, best first."""
    cells = chart.cells[position]
    reference = cells[chart.reference].main if chart.reference in cells else None
    heads = ["" if position is None else escape(chart.place(position)),
             f"median, {escape(chart.unit)} <small>lowest to highest</small>",
             f"ratio <small>to {breakable(chart.reference)}</small>"]
    heads += [escape(c["title"] + (f", {c['unit']}" if c.get("unit") else ""))
              for c in chart.columns]
    rows = []
    for figure in chart.figures(position):
        columns = [column_text({**c, "unit": None}, f)
                   for c, f in zip(chart.columns, cells[figure.subject].columns)]
        median = (f"{three_digits(figure.median)} <small>{three_digits(figure.low)} – "
                  f"{three_digits(figure.high)}</small>")
        rows.append(f'<tr{" class=ours" if figures.is_ours(figure.subject) else ""}>'
                    f"<th scope=row>{breakable(figure.subject)}</th>"
                    + cell(median) + cell(ratio_text(figure, reference, chart.better))
                    + "".join(map(cell, map(escape, columns))) + "</tr>")
    head = "".join(f"<th scope=col>{h}</th>" for h in heads)
    return (f'<div class=scroll><table><thead><tr>{head}</tr></thead>'
            f'<tbody>{"".join(rows)}</tbody></table></div>')


def tables(chart):
    """The position where the chart ends; the others unfold."""
    *others, last = chart.positions
    if not others:
        return block(chart, last)
    blocks = "".join(block(chart, position) for position in reversed(others))
    where = names([str(position) for position in others[:0:-1]] + [chart.place(others[0])])
    return (f"{block(chart, last)}<details><summary>The same with {escape(where)}</summary>{blocks}"
            "</details>")


def drawing(chart):
    if not chart.cells:
        return ""
    label = escape(f"{chart.title}: {chart.unit}, {chart.better} is better")
    pictures = []
    for name, width in (("wide", plot.WIDE), ("narrow", plot.NARROW)):
        svg = plot.draw(chart, width, f"{chart.id}-{name}")
        svg = svg.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
        pictures.append(f'<div class="plot {name}">{svg}</div>')
    return "".join(pictures)


def badge(verdict):
    return f'<span class="badge {verdict.state}">{Verdict.WORDS[verdict.state]}</span>'


def section(chart, verdict):
    failures = "".join(f"<p class=failure>Not shown: {escape(e)}.</p>" for e in chart.errors)
    sentences = " ".join(map(escape, verdict.sentences))
    arrow = "shorter is better" if chart.kind == "bars" and chart.better == "lower" else (
        f"{chart.better} is better")
    return (f'<section class=chart id="{chart.id}"><h3>{escape(chart.title)}</h3>'
            f'<p>{escape(chart.text)}</p><p class=verdict>{badge(verdict)} {sentences}</p>'
            f'<figure><figcaption>{escape(chart.unit)}, {arrow}</figcaption>{drawing(chart)}</figure>'
            f"{failures}{tables(chart) if chart.cells else ''}</section>")


def overview(charts):
    items = "".join(
        f'<li>{badge(verdict)}<div><a href="#{chart.id}">{escape(chart.title)}</a>'
        f"<p>{escape(verdict.sentences[0])}</p></div></li>" for chart, verdict in charts)
    return f"<ul class=overview>{items}</ul>"


def machine(context):
    rows = dict(context["machine"])
    rows["Load average"] = (f"{', '.join(map(str, context['load_avg']))} before, "
                            f"{', '.join(map(str, context.get('load_avg_after', ['?'])))} after")
    rows["Taken by the hypervisor"] = f"{context.get('steal_percent', 0)} % of CPU time"
    rows["Measured"] = f"{context['date']}, in {context.get('seconds', 0):.0f} s"
    rows["Order"] = f"every round shuffled anew, seed {context['seed']}"
    body = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in rows.items())
    return f"<dl>{body}</dl><p>The command: <code>{escape(context['command'])}</code></p>"


def page(context, rooms, charts_of):
    charts = [pair for room in rooms for pair in charts_of[room["name"]]]
    notes = [SIZE_NOTES.get(context["size"], ""), *context["notes"]]
    notes = "".join(f"<li>{escape(n)}</li>" for n in notes if n)
    body = [
        "<header><h1>ring3 bench</h1>",
        f"<p>{escape(context['machine'].get('CPU', ''))}, "
        f"{escape(context['machine'].get('CPUs usable', ''))} CPUs, {escape(context['date'][:10])}"
        f", revision {escape(context['machine'].get('Revision', ''))}</p></header>",
        f"<ul class=notes>{notes}</ul>" if notes else "",
        "<h2>In short</h2>", overview(charts)]
    for room in rooms:
        body.append(f"<h2>{escape(room['title'])}</h2>")
        if room.get("text"):
            body.append(f"<p>{escape(room['text'])}</p>")
        body += [section(chart, verdict) for chart, verdict in charts_of[room["name"]]]
    body += ["<h2>How to read this</h2><p>A bar or point is the median of all runs; the thin line "
             "reaches from the lowest to the highest. Runs of all contestants take turns. Two "
             "entries tie when the middle halves of their runs overlap, or their medians differ by "
             f"2 % or less. Throughput is per second of wall time, over all threads together. "
             "Fairness is Jain's index of the turns per thread: 1 when all got the same, 1/n when "
             "one of n had everything.</p>",
             "<h2>The machine</h2>", machine(context)]
    with open(f"{HERE}/harness/page.css") as file:
        style = file.read()
    return ("<!doctype html><html lang=en><head><meta charset=utf-8>"
            "<meta name=viewport content='width=device-width, initial-scale=1'>"
            "<meta name=color-scheme content='light dark'><title>ring3 bench</title>"
            f"<link rel=icon href='data:,'><style>{style}</style></head><body><main>"
            f"{chr(10).join(body)}</main></body></html>\n")


def main():
    build = os.environ.get("B", "build")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=f"{build}/report", help="folder of the JSON files")
    parser.add_argument("--rooms", nargs="*", default=glob.glob(f"{HERE}/*/*.toml"), help="declarations")
    parser.add_argument("--out", help="the page; DATA/index.html unless given")
    options = parser.parse_args()
    out = options.out or f"{options.data}/index.html"
    rooms = [r for r in plan.load_rooms(options.rooms)
             if os.path.exists(f"{options.data}/{r['name']}.json")]
    if not rooms:
        print(f"{options.data}: no figures; run make bench first", file=sys.stderr)
        return 1
    context, entries = figures.load(options.data, rooms)
    runs = figures.Runs(entries)
    charts_of = {}
    for room in rooms:
        charts = [Chart(declared, runs) for declared in room.get("chart", [])]
        charts_of[room["name"]] = [(chart, Verdict(chart)) for chart in charts]
    try:
        text = page(context, rooms, charts_of)
    except plot.CannotPlot as why:
        print(f"bench/report.py: {why}", file=sys.stderr)
        return 1
    with open(out, "w") as file:
        file.write(text)
    for room in rooms:
        for chart, verdict in charts_of[room["name"]]:
            print(f"{Verdict.WORDS[verdict.state]:>20}  {chart.title}: {verdict.sentences[0]}")
    for note in context["notes"]:
        print(f"note: {note}")
    print(f"the report: {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
