#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Turns the result of `bench/run memory` or `bench/run packet` into a page to read: memory.html or packet.html, and its chart.

  pools.py SUITE RESULT.json FOLDER [--quiet]
"""

import argparse
import sys
from dataclasses import dataclass
from html import escape
from pathlib import Path

sys.dont_write_bytecode = True
from charts import plain  # noqa: E402
from drawing import STYLE, Drawing, Missing, linear_ticks, log_ticks, variables  # noqa: E402
from reading import Unusable, objects, read_result, section  # noqa: E402
from report import fail, machine_part, save, table  # noqa: E402
from rings import Scale, goals_part  # noqa: E402


@dataclass
class Page:
    """What a suite's page says, and its charts: a name and who draws it from a run."""
    title: str
    lead: str
    method: str
    charts: dict
    beside: str = "Noria, DPDK, and what the machine can do at best"


METHOD = """<h2>Method</h2>
<p>One program, one thread pinned to one processor, with real-time priority inside the timed section where that is permitted; only
where objects come back from another thread, that one has the second processor. Everybody is compiled with the same flags. The
subjects take turns, a repetition in which a thread was preempted is thrown away and repeated, and the figure is the median of the
repetitions. Objects are used again and again, so they are in the first cache: what is compared is the work, not the misses.</p>
<p>Noria's thread is inside its pools' owner sections for the whole repetition, as DPDK's thread is a registered logical core with a
cache of 256 objects. Both work on plain pages. Nobody counts statistics but Noria, whose counters are always on.</p>
<p>Instructions are counted by callgrind, in a run of the same program, and only inside the timed sections; the few of the loop
round them are in the figure. AVX-512 is switched off, because callgrind does not know it; the C library still chooses its own
memcpy for the processor it finds.</p>"""


def read_run(path, suite):
    result = read_result(path, suite)
    rows = objects(result, "rows", ("median", "min", "max", "repetitions", "ratio", "instructions"), ("case", "subject", "type", "origin", "unit"))
    return {"suite": suite, "noria": str(result.get("noria", "")), "command": str(result.get("command") or f"bench/run {suite}"),
            "missing": str(result.get("missing") or ""), "machine": section(result, "machine", dict), "rows": rows,
            "goals": objects(result, "goals", ("limit", "ratio"), ("goal", "case", "ours", "against"))}


# ---- charts ----------------------------------------------------------------------------------------

@dataclass
class Bar:
    """What stands before it, how long it is, what it says when it is pointed at, and where a short stroke crosses it."""
    label: str
    value: float
    hint: str
    stroke: float = None
    kind: str = "tile build_around"


def draw_bars(title, caption, bars, low, high, left, logarithmic=False):
    """One below the other, from left to right, on a scale from low to high."""
    right, bottom = 860, 26 * len(bars) + 6
    scale = Scale(low, high, left, right, logarithmic)
    drawing = Drawing(title, caption, height=bottom + 40)
    for tick in (log_ticks if logarithmic else linear_ticks)(low, high):
        drawing.line(scale.place(tick), 0, scale.place(tick), bottom, "grid")
        drawing.text(scale.place(tick), bottom + 16, plain(tick), "soft fine", "middle")
    for i, bar in enumerate(bars):
        y, end = 26 * i + 4, scale.place(bar.value)
        drawing.text(left - 8, y + 14, bar.label, "fine", "end")
        drawing.rect(left, y, max(1.0, end - left), 18, bar.kind, bar.hint, rx=2)
        drawing.text(end + 6, y + 14, plain(bar.value), "fine")
        if bar.stroke:
            x = scale.place(bar.stroke)
            drawing.line(x, y - 3, x, y + 21, "range")
    return drawing, scale


def draw_ratios(run):
    rows = [row for row in run["rows"] if row["origin"] == "neighbour" and row["ratio"]]
    if not rows:
        raise Missing("nobody was measured beside Noria")
    goals = {(goal["case"], goal["against"]): goal["limit"] for goal in run["goals"]}
    bars = [Bar(row["case"] + row["subject"].removeprefix("DPDK"), row["ratio"], f"{row['type']}: {plain(row['median'])} ns",
                goals.get((row["case"], row["subject"]))) for row in rows]
    drawing, scale = draw_bars("Noria's time divided by DPDK's", "Below 1 Noria is faster. The short stroke is the goal.", bars,
                               0, max([1.25] + [1.05 * bar.value for bar in bars]), left=160)
    drawing.path([(scale.place(1), -4), (scale.place(1), drawing.height - 40)], "floor")
    return drawing


# ---- the parts of the page -------------------------------------------------------------------------

def how(row):
    return row["type"] if row["unit"] in ("ns/object", "") else f"{row['unit']}: {row['type']}"


def rows_part(run):
    cases = {}
    for row in run["rows"]:
        cases.setdefault(row["case"], []).append(row)
    bodies = [(case, [[(escape(row["subject"]), "name"), (escape(how(row)), ""), (plain(row["median"]), "n"),
                       (f"{plain(row['min'])} – {plain(row['max'])}", "n"), (plain(row["instructions"]), "n"),
                       (plain(row["ratio"]), "n")] for row in rows]) for case, rows in cases.items()]
    heads = [("who", ""), ("how", ""), ("ns an object", "n"), ("min – max", "n"), ("instructions", "n"), ("ours ÷ this", "n")]
    return "<h2>Every figure</h2>" + table(heads, bodies, "cells") if bodies else ""


def chart_part(run, name, drawing):
    if isinstance(drawing, Missing):
        return f'<p class="soft left-out">The chart is left out: {escape(str(drawing))}.</p>'
    return (f'<figure><h2>{escape(drawing.title)}</h2><figcaption>{escape(drawing.caption)} '
            f'<a href="{run["suite"]}_{name}.svg">SVG</a></figcaption><div class="wide">{drawing.inline()}</div></figure>')


def html(run, what, drawings):
    style = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
    missing = f"<p>Noria stands alone in this run: {escape(run['missing'])}</p>" if run["missing"] else ""
    charts = "\n".join(chart_part(run, name, drawing) for name, drawing in drawings.items())
    return f"""<!DOCTYPE html>
<!-- SPDX-License-Identifier: BSL-1.0 -->
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{what.title}. Noria {escape(run["noria"])}</title>
<style>{variables()}{STYLE}{style}</style></head><body><main>
<div class="eyebrow">Noria {escape(run["noria"])} · {escape(str(run["machine"].get("cpu", "unknown processor")))}</div>
<h1>{what.title}</h1>
<p class="lead soft">{what.lead}: {what.beside}. Less is better.</p>
{missing}
{goals_part(run, "goal")}
{charts}
{rows_part(run)}
{machine_part(run)}
{what.method}
<h2>Do it again</h2><pre><code>{escape(run["command"])}</code></pre>
<p>The numbers behind this page, with every repetition: <a href="{run["suite"]}.json">{run["suite"]}.json</a>.</p>
</main></body></html>
"""


def draw(run, chart):
    try:
        return chart(run)
    except Missing as reason:
        return reason


def main(pages, program):
    """Makes the page of one suite; where there are several, the first argument says which."""
    options = argparse.ArgumentParser(prog=program, description=f"Makes a page of what `bench/run` measured: {', '.join(pages)}.")
    if len(pages) > 1:
        options.add_argument("suite", choices=pages)
    options.add_argument("result", type=Path, help="the bench's JSON file")
    options.add_argument("folder", type=Path, help="where the page and its SVG files go")
    options.add_argument("--quiet", action="store_true", help="do not say what was written")
    chosen = options.parse_args()
    suite = chosen.suite if len(pages) > 1 else next(iter(pages))
    try:
        run = read_run(chosen.result, suite)
        drawings = {name: draw(run, chart) for name, chart in pages[suite].charts.items()}
        save(chosen.folder, f"{suite}.html", html(run, pages[suite], drawings),
             {f"{suite}_{name}": drawing for name, drawing in drawings.items()})
    except Unusable as reason:
        fail(f"cannot use {chosen.result}: {reason}.")
    except OSError as error:
        fail(f"cannot write {error.filename or chosen.folder}: {error.strerror}.")
    if not chosen.quiet:
        print(chosen.folder / f"{suite}.html")


PAGES = {"memory": Page("Pools of memory", "What it takes to get an object from a pool and to put it back", METHOD, {"ratios": draw_ratios}),
         "packet": Page("Packets", "What it takes to make, change, read and free a packet", METHOD, {"ratios": draw_ratios})}

if __name__ == "__main__":
    main(PAGES, Path(__file__).name)
