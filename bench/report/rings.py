#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Turns the result of `bench/run rings` into a page to read: rings.html, and its charts as SVG files.

  rings.py RESULT.json FOLDER [--quiet]
"""

import argparse
import sys
from html import escape
from pathlib import Path

sys.dont_write_bytecode = True
from charts import plain  # noqa: E402
from drawing import STYLE, Drawing, Missing, linear_ticks, log_ticks, shorten, variables  # noqa: E402
from reading import Unusable, objects, read_result, section  # noqa: E402
from report import fail, machine_part, save, table  # noqa: E402

# case: (title, what is measured)
CASES = {
    "one": ("From core to core, one at a time", "Every item is pushed and popped by itself."),
    "burst": ("From core to core, bursts of 32, copied", """Bursts are copied in and out. A ring without bursts of its own does
        single operations in a loop; it is marked ~."""),
    "in_place": ("From core to core, bursts of 32, in place", """Items are written and read in the ring: reserve and commit, peek
        and release. The dotted line is a bare stream of lines from one core to the other, without a ring's bookkeeping."""),
    "round_trip": ("There and back", """One item through one ring and back through another. The dotted lines are a single cache
        line going there and back, and one line each way."""),
    "thread_one": ("One thread, one at a time", "A push and a pop in turns, both sides on one core: no line moves."),
    "thread_burst": ("One thread, bursts of 32", "32 pushed, 32 popped, on one core."),
    "shared_one": ("Two producers on one core, one at a time", """The system takes the core from a producer in the middle of a push
        and gives it to the other. The consumer has a core of its own. The axis is logarithmic."""),
    "shared_burst": ("Two producers on one core, bursts of 32", "The same in bursts. The axis is logarithmic."),
    "progress": ("Two producers on one core: the longest silence", """The longest time, in a repetition, that the consumer waited for
        an item. A ring in which one producer waits for another falls silent for a slice of the scheduler. The axis is logarithmic."""),
}

METHOD = """<h2>Method</h2>
<p>One program, all rings compiled with the same flags; 16-byte descriptors (8-byte words where a ring can carry no more: these are
compared among themselves). Consumer and producer are pinned to two cores and have real-time priority inside the timed section,
where that is permitted. A repetition is a stretch of time out of a running stream: the ring has been round several times when the
clock starts, and the producer goes on until it has stopped. Rings take turns, and a repetition in which a thread was preempted is
thrown away and repeated. The consumer checks every item, its number, its contents and its sender; a ring that loses, tears or
swaps items has no figure.</p>
<p>Every case is run with and without <code>pause</code> in the waiting loops, and the better median is shown, with its name. Compare
inside one run only: where the two cores lie, and how fast a line travels between them, is the machine's affair.</p>"""


def read_run(path):
    result = read_result(path, "rings")
    rows = objects(result, "rows", ("median", "min", "max", "repetitions", "ratio", "capacity", "item_bytes"),
                   ("case", "subject", "work", "type", "origin", "wait", "unit"))
    return {"noria": str(result.get("noria", "")), "command": str(result.get("command") or "bench/run rings"),
            "missing": str(result.get("missing") or ""), "machine": section(result, "machine", dict), "rows": rows,
            "goals": objects(result, "goals", ("limit", "ratio"), ("goal", "ours", "against"))}


# ---- one chart for each case -----------------------------------------------------------------------

def label(row):
    return row["subject"] + (" ~" if row.get("loop") else "")


def main_capacity(rows):
    found = sorted({row["capacity"] for row in rows if row["capacity"]})
    return 1024 if 1024 in found else found[-1] if found else None


def draw_case(run, case):
    title, caption = CASES[case]
    rows = [row for row in run["rows"] if row["work"] == case]
    capacity = main_capacity(rows)
    here = sorted((row for row in rows if row["capacity"] == capacity and row["median"]), key=lambda row: row["median"])
    bars = [row for row in here if row["origin"] != "limit"]
    if not bars:
        raise Missing("no ring was measured in this case")
    drawing = Drawing(f"{title}, {capacity:g} slots", " ".join(caption.split()), height=22 * len(bars) + 44)
    logarithmic = case in ("shared_one", "shared_burst", "progress") and bars[-1]["median"] > 20 * bars[0]["median"]
    # What is far behind is cut off, or nothing else could be told apart.
    high = bars[-1]["median"] if logarithmic else min(bars[-1]["median"], 12 * bars[0]["median"])
    low = bars[0]["median"] / 2 if logarithmic else 0
    left, right, bottom = 190, 830, 22 * len(bars) + 6
    scale = Scale(low, high, left, right, logarithmic)
    for tick in log_ticks(low, high) if logarithmic else linear_ticks(low, high):
        drawing.line(scale.place(tick), 0, scale.place(tick), bottom, "grid")
        drawing.text(scale.place(tick), bottom + 16, plain(tick), "soft fine", "middle")
    for i, row in enumerate(bars):
        y, end = 22 * i + 3, scale.place(min(row["median"], high))
        cut = " …" if row["median"] > high else ""
        hint = f"{row['type']}: {plain(row['median'])} {row['unit']}, {row['wait']}"
        drawing.text(left - 8, y + 13, shorten(label(row), 30), "head" if row["origin"] == "noria" else "fine", "end")
        drawing.rect(left, y, max(1.0, end - left), 16, "tile build_around" if row["origin"] == "noria" else "bar", hint, rx=2)
        drawing.text(end + 6, y + 13, plain(row["median"]) + cut, "fine")
    for row in here:
        if row["origin"] == "limit" and low < row["median"] <= high:
            x = scale.place(row["median"])
            drawing.path([(x, -4), (x, bottom)], "floor")
    drawing.line(left, 0, left, bottom, "rule")
    drawing.text((left + right) / 2, bottom + 34, bars[0]["unit"].replace("us", "µs"), "soft fine", "middle")
    return drawing


class Scale:
    def __init__(self, low, high, left, right, logarithmic):
        import math
        self.bend = math.log if logarithmic else lambda value: value
        self.low, self.high, self.left, self.right = self.bend(low), self.bend(high), left, right

    def place(self, value):
        return self.left + (self.right - self.left) * (self.bend(value) - self.low) / (self.high - self.low)


def chart_part(case, drawing):
    if isinstance(drawing, Missing):
        return f'<p class="soft left-out">The chart “{CASES[case][0]}” is left out: {escape(str(drawing))}.</p>'
    return (f'<figure id="{case}"><h2>{escape(drawing.title)}</h2>'
            f'<figcaption>{escape(drawing.caption)} <a href="rings_{case}.svg">SVG</a></figcaption>'
            f'<div class="wide">{drawing.inline()}</div></figure>')


# ---- the parts of the page --------------------------------------------------------------------------

def goals_part(run, what="case (1024 slots unless said)"):
    def verdict(goal):
        return "not measured" if goal["ratio"] is None else "met" if goal.get("met") else "missed"
    rows = [[(escape(goal["goal"]), ""), (escape(goal["ours"]), "name"), (escape(goal["against"]), "name"),
             (plain(goal["limit"]), "n"), (plain(goal["ratio"]), "n best"), (verdict(goal), "")] for goal in run["goals"]]
    heads = [(what, ""), ("ours", ""), ("divided by", ""), ("at most", "n"), ("measured", "n"), ("", "")]
    return "<h2>What was aimed at</h2>" + table(heads, [(None, rows)]) if rows else ""


def rows_part(run):
    cases = {}
    for row in run["rows"]:
        cases.setdefault(row["case"], []).append(row)
    bodies = []
    for case, rows in cases.items():
        bodies.append((case, [[(escape(label(row)), "name"), (escape(row["type"]), ""),
                               (plain(row["median"]) if row["median"] is not None else "broken", "n"),
                               (f"{plain(row['min'])} – {plain(row['max'])}", "n"), (escape(row["wait"]), ""),
                               (plain(row["ratio"]), "n")] for row in rows]))
    heads = [("ring", ""), ("as a program writes it", ""), ("median", "n"), ("min – max", "n"), ("waiting", ""), ("ours ÷ this", "n")]
    return (f"<h2>Every figure</h2><details><summary>{len(run['rows'])} figures in {len(cases)} cases</summary>"
            f"{table(heads, bodies, 'cells')}</details>")


def page(run, drawings):
    charts = "\n".join(chart_part(case, drawing) for case, drawing in drawings.items())
    style = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
    missing = f"<p>Not installed, so not measured: {escape(run['missing'])}.</p>" if run["missing"] else ""
    return f"""<!DOCTYPE html>
<!-- SPDX-License-Identifier: BSL-1.0 -->
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Rings. Noria {escape(run["noria"])}</title>
<style>{variables()}{STYLE}{style}</style></head><body><main>
<div class="eyebrow">Noria {escape(run["noria"])} · {escape(str(run["machine"].get("cpu", "unknown processor")))}</div>
<h1>Rings</h1>
<p class="lead soft">What it takes to hand one item from one thread to another: Noria's rings, their neighbours, and what the machine
can do at best. Less is better.</p>
{missing}
{goals_part(run)}
{charts}
{rows_part(run)}
{machine_part(run)}
{METHOD}
<h2>Do it again</h2><pre><code>{escape(run["command"])}</code></pre>
<p>The numbers behind this page, with every repetition: <a href="rings.json">rings.json</a>.</p>
</main></body></html>
"""


def draw(run, case):
    try:
        return draw_case(run, case)
    except Missing as reason:
        return reason


def main():
    options = argparse.ArgumentParser(description="Makes a page of what the rings bench measured.")
    options.add_argument("result", type=Path, help="the bench's JSON file")
    options.add_argument("folder", type=Path, help="where rings.html and the SVG files go")
    options.add_argument("--quiet", action="store_true", help="do not say what was written")
    chosen = options.parse_args()
    try:
        run = read_run(chosen.result)
        drawings = {case: draw(run, case) for case in CASES}
        save(chosen.folder, "rings.html", page(run, drawings), {f"rings_{case}": drawing for case, drawing in drawings.items()})
    except Unusable as reason:
        fail(f"cannot use {chosen.result}: {reason}.")
    except OSError as error:
        fail(f"cannot write {error.filename or chosen.folder}: {error.strerror}.")
    if not chosen.quiet:
        count = sum(isinstance(drawing, Drawing) for drawing in drawings.values())
        print(f"{chosen.folder / 'rings.html'} with {count} charts")


if __name__ == "__main__":
    main()
