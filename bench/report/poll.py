#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Turns the result of `bench/run poll` into a page to read: poll.html, and its charts as SVG files.

  poll.py RESULT.json FOLDER [--quiet]
"""

import re
import sys
from pathlib import Path

sys.dont_write_bytecode = True
from charts import plain  # noqa: E402
from drawing import Drawing, Missing, log_ticks  # noqa: E402
from pools import Bar, Page, draw_bars, draw_ratios, main  # noqa: E402
from rings import Scale  # noqa: E402

METHOD = """<h2>Method</h2>
<p>One program, pinned to one processor, with real-time priority inside the timed section where that is permitted; wake-ups and
hand-offs have a second thread on the second processor. Everybody is compiled with the same flags, but for DPDK's hash for processors
with GFNI, which is compiled for these. The subjects take turns, a repetition in which the thread was preempted is thrown away and
repeated, and the figure is the median of the repetitions.</p>
<p>A wake-up is timed from the call that schedules on one processor until the poll has begun on the other, with the counters of both;
a repetition is 48 of them, 100 microseconds apart, and counts as their median. The receive path runs on a device that fills every
buffer at once and writes nothing, as DPDK's net_null with copy=0; with copy=1 that copies a frame of its own into each buffer, and
Noria copies each frame out of its buffer.</p>
<p>Instructions are counted by callgrind, in a run of the same program, and only inside the timed sections; the few of the loop
round them are in the figure. AVX-512 is switched off, because callgrind does not know it.</p>"""


def draw_wake(run):
    rows = [row for row in run["rows"] if row["case"] == "wake" and row["median"]]
    if not rows:
        raise Missing("no wake-up was measured")
    cost = {row["subject"]: row["median"] for row in run["rows"] if row["case"] == "wake_cost"}
    bars = [Bar(row["subject"], row["median"], row["type"], cost.get(row["subject"]),
                "bar" if row["origin"] == "limit" else "tile build_around") for row in rows]
    low = min([bar.value for bar in bars] + [value for value in cost.values() if value]) / 1.5
    drawing, _ = draw_bars("From schedule() on one processor to the poll on another, nanoseconds",
                           "The short stroke is what the call costs the one who makes it. The axis is logarithmic.", bars,
                           low, 1.2 * max(bar.value for bar in bars), left=140, logarithmic=True)
    return drawing


def draw_growth(run):
    lines = {}
    for row in run["rows"]:
        size = re.fullmatch(r"among_(\d+)", row["case"])
        if size and row["median"]:
            lines.setdefault(row["subject"], []).append((int(size[1]), row["median"]))
    lines = {name: sorted(points) for name, points in lines.items() if len(points) > 1}
    if not lines:
        raise Missing("it takes two numbers of instances to draw a line, and the run has fewer")
    points = [point for line in lines.values() for point in line]
    left, right, bottom = 70, 700, 250
    across = Scale(min(x for x, _ in points), max(x for x, _ in points), left, right, True)
    up = Scale(min(y for _, y in points) / 1.5, max(y for _, y in points) * 1.5, bottom, 10, True)
    drawing = Drawing("A cycle in which one instance has a packet, by the number of instances, nanoseconds",
                      "Beside it, a loop that asks each of them in turn. Both axes are logarithmic.", height=bottom + 40)
    for tick in log_ticks(min(y for _, y in points) / 1.5, max(y for _, y in points) * 1.5):
        drawing.line(left, up.place(tick), right, up.place(tick), "grid")
        drawing.text(left - 8, up.place(tick) + 4, plain(tick), "soft fine", "end")
    for x in sorted({x for x, _ in points}):
        drawing.text(across.place(x), bottom + 18, f"{x:,}", "fine", "middle")
    for name, line in lines.items():
        kind = "build_around" if name == "noria" else "other"
        places = [(across.place(x), up.place(y)) for x, y in line]
        drawing.path(places, f"line {kind}")
        for (x, y), (_, value) in zip(places, line):
            drawing.mark(x, y, kind, f"{name}: {plain(value)} ns")
        drawing.text(places[-1][0] + 12, places[-1][1] + 4, name, "fine")
    return drawing


PAGE = Page(title="The poller and the receive path", lead="What it takes to poll, to wake, to hash, to parse and to receive",
            method=METHOD, charts={"ratios": draw_ratios, "wake": draw_wake, "growth": draw_growth})

if __name__ == "__main__":
    main({"poll": PAGE}, Path(__file__).name)
