#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Turns the result of `bench/run hardware` into a page to read: hardware.html, and its charts as SVG files.

  hardware.py RESULT.json FOLDER [--quiet]
"""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
from charts import plain  # noqa: E402
from drawing import Drawing, Missing, linear_ticks  # noqa: E402
from pools import Page, main  # noqa: E402
from rings import Scale  # noqa: E402

GOAL = ("forward_32", "build_around", 120)  # instructions a packet

METHOD = """<h2>Method</h2>
<p>One program, pinned to one processor, with real-time priority inside the timed section where that is permitted. The card is the
model of an Intel 82599 that the driver's tests use. It writes descriptors and moves no frame, and it works between the timed
sections: frames lie in the ring when the clock starts, up to 256 of them, and the driver's writes to a tail are stores to memory that
the model looks at when the clock has stopped. So what is timed is the driver and the queues on it, and no card.</p>
<p>Receive is a poll of so many packets, each freed at once, and the buffers posted that take their place. Forward is what was sent
before freed, so many packets polled, and all of them sent on another queue. Frames have 60 bytes. How many descriptors go with
a doorbell is counted in a run of its own, in which every write reaches the model.</p>
<p>The subjects take turns, a repetition in which the thread was preempted is thrown away and repeated, and the figure is the median of
the repetitions. Instructions are counted by callgrind, in a run of the same program, and only inside the timed sections; the few of
the loop round them are in the figure. AVX-512 is switched off, because callgrind does not know it.</p>"""


def bars(run, job, title):
    rows = [row for row in run["rows"] if row["case"].startswith(job + "_") and row["instructions"]]
    if not rows:
        raise Missing(f"no instructions were counted for {job}")
    left, right, bottom = 200, 860, 26 * len(rows) + 6
    high = 1.1 * max([GOAL[2]] + [row["instructions"] for row in rows])
    scale = Scale(0, high, left, right, False)
    drawing = Drawing(title, "For one packet, by the length of a burst and the strategy. A short stroke is the goal.", height=bottom + 40)
    for tick in linear_ticks(0, high):
        drawing.line(scale.place(tick), 0, scale.place(tick), bottom, "grid")
        drawing.text(scale.place(tick), bottom + 16, plain(tick), "soft fine", "middle")
    for i, row in enumerate(rows):
        y, end = 26 * i + 4, scale.place(row["instructions"])
        drawing.text(left - 8, y + 14, f"{row['case']} {row['subject']}", "fine", "end")
        drawing.rect(left, y, max(1.0, end - left), 18, "tile build_around", f"{row['type']}: {plain(row['median'])} ns", rx=2)
        drawing.text(end + 6, y + 14, plain(row["instructions"]), "fine")
        if (row["case"], row["subject"]) == GOAL[:2]:
            x = scale.place(GOAL[2])
            drawing.line(x, y - 3, x, y + 21, "range")
    return drawing


PAGE = Page(title="A driver and its card", lead="What the driver of the 82599 costs a packet, with Noria's queues on it",
            method=METHOD, charts={"forward": lambda run: bars(run, "forward", "Instructions to forward"),
                                   "receive": lambda run: bars(run, "receive", "Instructions to receive")},
            beside="three ways of making packets")

if __name__ == "__main__":
    main({"hardware": PAGE}, Path(__file__).name)
