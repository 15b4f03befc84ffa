#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Opens the report in headless Chromium, as wide as a phone and as wide as a desk, light and dark,
and checks what a reader needs: every chart is drawn, has a verdict and a table, nothing refers to
anything outside the page or to a name that is not there, and nothing has to be scrolled sideways."""
import argparse
import os
import subprocess
import sys

from harness.browser import Browser

HERE = os.path.dirname(os.path.abspath(__file__))
VIEWS = [(390, 844, False), (390, 844, True), (1280, 900, False), (1280, 900, True)]

# Runs in the page; returns {charts, faults}.
LOOK = r"""(() => {
    const faults = [];
    const charts = [...document.querySelectorAll('section.chart')];
    const contrast = (a, b) => {
        const light = colour => {
            const [r, g, b] = colour.match(/[\d.]+/g).slice(0, 3).map(v => v / 255)
                .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
            return .2126 * r + .7152 * g + .0722 * b;
        };
        const [high, low] = [light(a), light(b)].sort((x, y) => y - x);
        return (high + .05) / (low + .05);
    };
    for (const chart of charts) {
        const say = text => faults.push(chart.id + ': ' + text);
        const verdict = chart.querySelector('.verdict');
        if (!verdict || verdict.innerText.trim().length < 20) say('no verdict');
        if (!chart.querySelector('table')) {
            // A chart without any figure says so in its verdict.
            if (!/^\S+ \S+ No figures/.test(verdict ? verdict.innerText : '')) say('no table');
            continue;
        }
        for (const details of chart.querySelectorAll('details')) details.open = true;
        for (const frame of chart.querySelectorAll('.scroll'))
            if (frame.scrollWidth > frame.clientWidth) say('a table is wider than its frame');
        const drawn = [...chart.querySelectorAll('svg')].filter(svg => {
            const box = svg.getBoundingClientRect();
            return box.width > 100 && box.height > 50;
        });
        if (drawn.length !== 1) { say(drawn.length + ' drawings are visible, not 1'); continue; }
        const marks = [...drawn[0].querySelectorAll('polygon, use')].filter(mark => {
            const box = mark.getBoundingClientRect();
            return box.width > 0 && box.height > 0;
        });
        const rows = new Set([...chart.querySelectorAll('tbody th[scope=row]')].map(th => th.innerText));
        if (marks.length < rows.size) say(marks.length + ' marks for ' + rows.size + ' contestants');
        const card = getComputedStyle(chart).backgroundColor;
        for (const text of drawn[0].querySelectorAll('text')) {
            const size = text.getBoundingClientRect(), frame = drawn[0].getBoundingClientRect();
            if (size.left < frame.left - 1 || size.right > frame.right + 1)
                say('text is cut off: ' + text.textContent);
            const colour = getComputedStyle(text).fill;
            if (contrast(colour, card) < 3) say('hardly readable: ' + text.textContent + ' ' + colour);
        }
        if (/var\(|NaN|undefined/.test(getComputedStyle(marks[0] || chart).fill)) say('no colour');
        if (/\b(nan|inf|None)\b/.test(chart.innerText)) say('a figure that is no number');
    }
    for (const link of document.querySelectorAll('a[href^="#"], use')) {
        const name = link.getAttribute('href').slice(1);
        if (!document.getElementById(name)) faults.push('nothing has the name ' + name);
    }
    const names = [...document.querySelectorAll('[id]')].map(e => e.id);
    for (const name of new Set(names.filter((n, i) => names.indexOf(n) !== i)))
        faults.push('two things have the name ' + name);
    for (const e of document.querySelectorAll('[src], link[href], a[href], image')) {
        const to = e.getAttribute('src') || e.getAttribute('href') || '';
        if (!to.startsWith('#') && !to.startsWith('data:')) faults.push('refers to ' + to);
    }
    const page = document.documentElement;
    if (innerWidth !== WIDTH) faults.push('laid out ' + innerWidth + ' wide, not ' + WIDTH);
    if (page.scrollWidth > page.clientWidth)
        faults.push('the page is ' + page.scrollWidth + ' wide, the window ' + page.clientWidth);
    return {charts: charts.length, faults: faults};
})()"""


def main():
    build = os.environ.get("B", "build")
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("page", nargs="?", default=f"{build}/report/index.html")
    parser.add_argument("--screenshots", metavar="FOLDER", help="keep pictures of each view")
    options = parser.parse_args()
    if not os.path.exists(options.page):
        print(f"{options.page} is not there; run make bench first", file=sys.stderr)
        return 1
    found = subprocess.run([f"{HERE}/chromium.sh"], stdout=subprocess.PIPE, text=True)
    if found.returncode != 0:
        return 1
    browser = Browser(found.stdout.strip())
    charts, faults = 0, 0
    try:
        for width, height, dark in VIEWS:
            url = "file://" + os.path.abspath(options.page)
            asked = browser.open(url, width, height, dark)
            seen = browser.evaluate(f"const WIDTH = {width}; " + LOOK)
            view = f"{width} px, {'dark' if dark else 'light'}"
            seen["faults"] += [f"asked for {other}" for other in asked
                               if other != url and not other.startswith("data:")]
            if seen["charts"] == 0:
                seen["faults"].append("no chart on the page")
            for fault in seen["faults"]:
                print(f"{view}: {fault}")
            charts, faults = seen["charts"], faults + len(seen["faults"])
            if options.screenshots:
                os.makedirs(options.screenshots, exist_ok=True)
                browser.screenshot(f"{options.screenshots}/{width}{'-dark' if dark else ''}.png")
    finally:
        browser.close()
    print(f"{options.page}: {charts} charts in {len(VIEWS)} views, {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
