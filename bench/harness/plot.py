# SPDX-License-Identifier: MIT
"""Draws charts with gnuplot as SVG that takes its colours from the page."""
import math
import re
import subprocess

from .figures import is_ours, three_digits

# A chart is drawn twice, and the page shows the one that fits.
WIDE, NARROW = 760, 358
FONT = 13

# gnuplot is given colours that stand for the page's: rgb(10,0,N) becomes var(--name).
COLOURS = ["ink", "muted", "grid", "ours", "reference", "peer", "whisker",
           "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"]
CODE = {name: f'rgb "#0a00{number:02x}"' for number, name in enumerate(COLOURS)}
MARKERS = [7, 5, 9, 11, 13, 6, 4, 8]


class CannotPlot(Exception):
    pass


def quoted(text):
    return '"' + str(text).replace("\\", "\\\\").replace('"', "'") + '"'


def gnuplot(script, chart_id):
    try:
        done = subprocess.run(["gnuplot"], input=script, capture_output=True, text=True)
    except FileNotFoundError:
        raise CannotPlot("gnuplot is not installed (Debian package gnuplot-nox)") from None
    if done.returncode != 0 or "<svg" not in done.stdout:
        raise CannotPlot(f"gnuplot cannot draw {chart_id}: {done.stderr.strip()}")
    return for_page(done.stdout, chart_id)


def for_page(svg, chart_id):
    """gnuplot's file as an element of a page: no prologue, names of its own, the page's colours."""
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r"<title>.*?</title>\s*|<desc>.*?</desc>\s*|<filter.*?</filter>\s*", "", svg,
                 flags=re.S)
    svg = re.sub(r"rgb\(\s*10,\s*0,\s*(\d+)\)", lambda m: f"var(--{COLOURS[int(m.group(1))]})", svg)
    svg = re.sub(r"""(id=["']|xlink:href=["']#)(gp\w+|gnuplot_\w+)""", rf"\1{chart_id}-\2", svg)
    svg = svg.replace("xlink:href", "href").replace(' font-family="sans"', "")
    # The rim of markers has the colour of what they lie on.
    svg = svg.replace("color='white'", "color='var(--card)'")
    svg = re.sub(r'\s*xmlns:xlink="[^"]*"', "", svg)
    # Groups that draw nothing.
    empty = re.compile(r"<g [^>]*>\s*</g>\s*")
    while empty.search(svg):
        svg = empty.sub("", svg)
    return re.sub(r"\s*\n\s*", "\n", svg)


def terminal(width, height):
    return [f'set terminal svg size {width},{height} dynamic noenhanced font "sans,{FONT}"',
            "unset key", f"set border 0 lc {CODE['muted']}",
            f"set tics nomirror scale 0 textcolor {CODE['muted']}"]


def margins(width, height, left, right, top, bottom):
    return [f"set lmargin at screen {left / width:.4f}",
            f"set rmargin at screen {1 - right / width:.4f}",
            f"set tmargin at screen {1 - top / height:.4f}",
            f"set bmargin at screen {bottom / height:.4f}"]


def text_width(text):
    """About as wide as the letters of a proportional font."""
    return FONT * sum(0.9 if letter in "mwMW" else 0.57 for letter in text)


def extent(figures):
    """The least figure above zero and the greatest."""
    values = [v for f in figures for v in f.values if v > 0] or [1]
    return min(values), max(values)


def nice_step(span, most):
    """1, 2 or 5 times a power of ten, so that at most `most` steps fill the span."""
    power = 10 ** math.floor(math.log10(span / most))
    return next(m * power for m in (1, 2, 5, 10) if span / (m * power) <= most)


def bars(chart, width, chart_id):
    figures = chart.figures(None)[::-1]
    labels = [three_digits(f.median) for f in figures]
    left = max(text_width(f.subject) for f in figures) + 14
    right = max(map(text_width, labels)) + 18
    height = 26 * len(figures) + 44
    low, high = extent(figures)
    if chart.log:
        floor = 10 ** math.floor(math.log10(low) - 0.1)
        span = [f"set logscale x 10", f"set xrange [{floor:g}:{high * 1.02:g}]"]
    else:
        floor = 0
        span = [f"set xrange [0:{high * 1.02:g}]"]
    least = floor if chart.log else high / 250  # so that nothing is still seen
    data = []
    for row, figure in enumerate(figures, 1):
        colour = ("ours" if is_ours(figure.subject)
                  else "reference" if figure.subject == chart.reference else "peer")
        data.append(f"{row} {max(figure.median, floor):g} {max(figure.low, floor):g} "
                    f"{max(figure.high, floor):g} "
                    f"{quoted(labels[row - 1])} {0x0a0000 + COLOURS.index(colour)}")
    ticks = ", ".join(f"{quoted(f.subject)} {row}" for row, f in enumerate(figures, 1))
    script = terminal(width, height) + margins(width, height, left, right, 8, 36) + span + [
        "$runs << END", *data, "END",
        f"set grid x lc {CODE['grid']} lt 1", f"set yrange [0.4:{len(figures) + 0.6}]",
        f"set ytics ({ticks}) textcolor {CODE['ink']}",
        "set xtics" if chart.log else f"set xtics {nice_step(high, (width - left - right) / 45):g}",
        'set format x "%g"',
        "set style fill solid 1 noborder",
        "plot "
        f"$runs using 2:1:({floor:g}):($2>{least:g}?$2:{least:g}):($1-0.34):($1+0.34):6 with boxxyerror lc rgb variable, "
        f"$runs using 2:1:3:4 with xerrorbars pt -1 lw 1.5 lc {CODE['whisker']}, "
        f"$runs using 4:1:5 with labels left offset 0.7,0 textcolor {CODE['ink']}",
    ]
    script.insert(-1, f"set xlabel {quoted(chart.unit)} offset 0,0.6 textcolor {CODE['muted']}")
    return gnuplot("\n".join(script) + "\n", chart_id)


def spread_labels(wanted, low, high, gap):
    """Positions near the wanted ones (ascending), at least `gap` apart and within low..high."""
    placed = []
    for value in wanted:
        placed.append(max(value, placed[-1] + gap if placed else low))
    if placed and placed[-1] > high:
        placed[-1] = high
        for i in range(len(placed) - 2, -1, -1):
            placed[i] = min(placed[i], placed[i + 1] - gap)
    return placed


def series_colours(chart):
    """subject -> (colour name, marker, dashed)"""
    return {subject: (f"s{i % 8}", MARKERS[i % 8], not is_ours(subject))
            for i, subject in enumerate(chart.subjects)}


def lines(chart, width, chart_id):
    positions, subjects = chart.positions, chart.subjects
    style = series_colours(chart)
    mains = [chart.cells[p][s].main for p in positions for s in chart.cells[p]]
    low, high = extent(mains)
    logarithmic = chart.log or high > 30 * low
    if logarithmic:
        bottom, top = low / 1.3, high * 1.3
    else:
        bottom, top = 0, high * 1.06
    height = 330 if width > 500 else 300
    right = max(map(text_width, subjects)) + 16
    # The widest figure at the axis: the highest, or the least power of ten.
    figures = [f"{top:.0f}"] + ([f"{10 ** math.ceil(math.log10(bottom)):g}"] if logarithmic else [])
    left = max(46, *(text_width(text) + 16 for text in figures))
    edges = {"left": left, "right": right, "top": 14, "bottom": 44}
    inner = height - edges["top"] - edges["bottom"]

    def up(value):
        value = max(value, bottom)
        return (math.log(value / bottom) / math.log(top / bottom) if logarithmic
                else (value - bottom) / (top - bottom))

    data, plots, ends = [], [], []
    for number, subject in enumerate(subjects):
        colour, marker, dashed = style[subject]
        # Side by side, so that their spreads do not hide each other.
        aside = (number - (len(subjects) - 1) / 2) * 0.035
        at = [(i + aside, chart.cells[p][subject].main) for i, p in enumerate(positions)
              if subject in chart.cells[p]]
        data += [f"$line{number} << END",
                 *(f"{i:g} " + " ".join(f"{max(v, bottom):g}" for v in (f.median, f.low, f.high))
                   for i, f in at), "END"]
        plots += [f"$line{number} using 1:2:3:4 with yerrorbars pt -1 lw 1 lc {CODE[colour]}",
                  f"$line{number} using 1:2 with linespoints pt {marker} ps 0.7 "
                  f"lw {1.4 if dashed else 2.6} dt {2 if dashed else 1} lc {CODE[colour]}"]
        ends.append((up(at[-1][1].median), subject, colour))
    ends.sort()
    places = spread_labels([end[0] for end in ends], 0.02, 0.98, 16 / inner)
    labels = [f"set label {quoted(subject)} at graph 1, graph {place:.4f} left offset 1,0 "
              f"textcolor {CODE[colour]}" for place, (_, subject, colour) in zip(places, ends)]
    ticks = ", ".join(f'"{p}" {i}' for i, p in enumerate(positions))
    script = terminal(width, height) + margins(width, height, **edges) + data + labels + [
        "set logscale y 10" if logarithmic else "", f"set yrange [{bottom:g}:{top:g}]",
        'set format y "%g"', f"set grid y lc {CODE['grid']} lt 1",
        f"set xrange [-0.15:{len(positions) - 0.9}]", f"set xtics ({ticks})",
        f"set xlabel {quoted(chart.axis)} offset 0,0.5 textcolor {CODE['muted']}",
        "plot " + ", ".join(plots),
    ]
    return gnuplot("\n".join(script) + "\n", chart_id)


def draw(chart, width, chart_id):
    return (bars if chart.kind == "bars" else lines)(chart, width, chart_id)
