#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Turns the result of `bench/run memory` or `bench/run packet` into a page to read: memory.html or packet.html, and its chart.

  pools.py SUITE RESULT.json FOLDER [--quiet]
"""

import argparse
import sys
from html import escape
from pathlib import Path

sys.dont_write_bytecode = True
from charts import plain  # noqa: E402
from drawing import STYLE, Drawing, Missing, linear_ticks, variables  # noqa: E402
from reading import Unusable, objects, read_result, section  # noqa: E402
from report import fail, machine_part, save, table  # noqa: E402
from rings import Scale  # noqa: E402

TITLES = {"memory": ("Pools of memory", "What it takes to get an object from a pool and to put it back"),
          "packet": ("Packets", "What it takes to make, change, read and free a packet")}

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
    rows = objects(result, "rows", ("median", "min", "max", "repetitions", "ratio", "instructions"), ("case", "subject", "type", "origin"))
    return {"suite": suite, "noria": str(result.get("noria", "")), "command": str(result.get("command") or f"bench/run {suite}"),
            "missing": str(result.get("missing") or ""), "machine": section(result, "machine", dict), "rows": rows,
            "goals": objects(result, "goals", ("limit", "ratio"), ("goal", "case", "ours", "against"))}


# ---- the chart -------------------------------------------------------------------------------------

def draw_ratios(run):
    rows = [row for row in run["rows"] if row["origin"] == "neighbour" and row["ratio"]]
    if not rows:
        raise Missing("nobody was measured beside Noria")
    goals = {goal["case"]: goal["limit"] for goal in run["goals"] if goal["against"] == "DPDK"}
    high = max([1.25] + [1.05 * row["ratio"] for row in rows])
    left, right, bottom = 140, 860, 26 * len(rows) + 6
    scale = Scale(0, high, left, right, False)
    drawing = Drawing("Noria's time divided by DPDK's", "Below 1 Noria is faster. The short stroke is the goal.",
                      height=bottom + 40)
    for tick in linear_ticks(0, high):
        drawing.line(scale.place(tick), 0, scale.place(tick), bottom, "grid")
        drawing.text(scale.place(tick), bottom + 16, plain(tick), "soft fine", "middle")
    for i, row in enumerate(rows):
        y, end = 26 * i + 4, scale.place(row["ratio"])
        drawing.text(left - 8, y + 14, row["case"], "fine", "end")
        drawing.rect(left, y, max(1.0, end - left), 18, "tile build_around", f"{row['type']}: {plain(row['median'])} ns", rx=2)
        drawing.text(end + 6, y + 14, plain(row["ratio"]), "fine")
        if goals.get(row["case"]):
            x = scale.place(goals[row["case"]])
            drawing.line(x, y - 3, x, y + 21, "range")
    drawing.path([(scale.place(1), -4), (scale.place(1), bottom)], "floor")
    return drawing


# ---- the parts of the page -------------------------------------------------------------------------

def goals_part(run):
    def verdict(goal):
        return "not measured" if goal["ratio"] is None else "met" if goal.get("met") else "missed"
    rows = [[(escape(goal["goal"]), ""), (escape(goal["ours"]), "name"), (escape(goal["against"]), "name"),
             (plain(goal["limit"]), "n"), (plain(goal["ratio"]), "n best"), (verdict(goal), "")] for goal in run["goals"]]
    heads = [("goal", ""), ("ours", ""), ("divided by", ""), ("at most", "n"), ("measured", "n"), ("", "")]
    return "<h2>What was aimed at</h2>" + table(heads, [(None, rows)]) if rows else ""


def rows_part(run):
    cases = {}
    for row in run["rows"]:
        cases.setdefault(row["case"], []).append(row)
    bodies = [(case, [[(escape(row["subject"]), "name"), (escape(row["type"]), ""), (plain(row["median"]), "n"),
                       (f"{plain(row['min'])} – {plain(row['max'])}", "n"), (plain(row["instructions"]), "n"),
                       (plain(row["ratio"]), "n")] for row in rows]) for case, rows in cases.items()]
    heads = [("who", ""), ("how", ""), ("ns an object", "n"), ("min – max", "n"), ("instructions", "n"), ("ours ÷ this", "n")]
    return "<h2>Every figure</h2>" + table(heads, bodies, "cells") if bodies else ""


def page(run, drawing):
    title, lead = TITLES[run["suite"]]
    style = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
    missing = f"<p>Noria stands alone in this run: {escape(run['missing'])}</p>" if run["missing"] else ""
    chart = (f'<p class="soft left-out">The chart is left out: {escape(str(drawing))}.</p>' if isinstance(drawing, Missing) else
             f'<figure><h2>{escape(drawing.title)}</h2><figcaption>{escape(drawing.caption)} '
             f'<a href="{run["suite"]}_ratios.svg">SVG</a></figcaption><div class="wide">{drawing.inline()}</div></figure>')
    return f"""<!DOCTYPE html>
<!-- SPDX-License-Identifier: BSL-1.0 -->
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}. Noria {escape(run["noria"])}</title>
<style>{variables()}{STYLE}{style}</style></head><body><main>
<div class="eyebrow">Noria {escape(run["noria"])} · {escape(str(run["machine"].get("cpu", "unknown processor")))}</div>
<h1>{title}</h1>
<p class="lead soft">{lead}: Noria, DPDK, and what the machine can do at best. Less is better.</p>
{missing}
{goals_part(run)}
{chart}
{rows_part(run)}
{machine_part(run)}
{METHOD}
<h2>Do it again</h2><pre><code>{escape(run["command"])}</code></pre>
<p>The numbers behind this page, with every repetition: <a href="{run["suite"]}.json">{run["suite"]}.json</a>.</p>
</main></body></html>
"""


def main():
    options = argparse.ArgumentParser(description="Makes a page of what the memory or the packet bench measured.")
    options.add_argument("suite", choices=TITLES)
    options.add_argument("result", type=Path, help="the bench's JSON file")
    options.add_argument("folder", type=Path, help="where the page and its SVG file go")
    options.add_argument("--quiet", action="store_true", help="do not say what was written")
    chosen = options.parse_args()
    try:
        run = read_run(chosen.result, chosen.suite)
        try:
            drawing = draw_ratios(run)
        except Missing as reason:
            drawing = reason
        save(chosen.folder, f"{run['suite']}.html", page(run, drawing), {f"{run['suite']}_ratios": drawing})
    except Unusable as reason:
        fail(f"cannot use {chosen.result}: {reason}.")
    except OSError as error:
        fail(f"cannot write {error.filename or chosen.folder}: {error.strerror}.")
    if not chosen.quiet:
        print(chosen.folder / f"{run['suite']}.html")


if __name__ == "__main__":
    main()
