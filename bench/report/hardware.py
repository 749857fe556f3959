#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Turns the result of `bench/run hardware` into a page to read: hardware.html, and its charts as SVG files.

  hardware.py RESULT.json FOLDER [--quiet]
"""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
from charts import plain  # noqa: E402
from drawing import Missing  # noqa: E402
from pools import Bar, Page, draw_bars, main  # noqa: E402

GOAL = ("forward_32", "build_around", 120)  # instructions a packet

METHOD = """<h2>Method</h2>
<p>One program, pinned to one processor, with real-time priority inside the timed section where that is permitted. The card is the
model of an Intel 82599 that the driver's tests use. It writes descriptors and moves no frame, and it works between the timed
sections: frames lie in the ring when the clock starts, up to 256 of them, and the driver's writes to a tail are stores to memory that
the model looks at when the clock has stopped. So what is timed is the driver and the queues on it, and no card.</p>
<p>Receive is a poll of so many packets, each freed at once, and the buffers posted that take their place. Forward is what was sent
before freed, so many packets polled, and all of them sent on another queue, by the thread that owns the pools. Frames have 60 bytes.
How many descriptors go with a doorbell is counted in a run of its own, in which every write reaches the model.</p>
<p>The subjects take turns, a repetition in which the thread was preempted is thrown away and repeated, and the figure is the median of
the repetitions. Instructions are counted by callgrind, in a run of the same program, and only inside the timed sections; the few of
the loop round them are in the figure. AVX-512 is switched off, because callgrind does not know it.</p>"""


def draw_job(run, job, title):
    rows = [row for row in run["rows"] if row["case"].startswith(job + "_") and row["instructions"]]
    if not rows:
        raise Missing(f"no instructions were counted for {job}")
    case, subject, most = GOAL
    bars = [Bar(f"{row['case']} {row['subject']}", row["instructions"], f"{row['type']}: {plain(row['median'])} ns",
                most if (row["case"], row["subject"]) == (case, subject) else None) for row in rows]
    drawing, _ = draw_bars(title, "For one packet, by the length of a burst and the strategy. A short stroke is the goal.", bars,
                           0, 1.1 * max([most] + [bar.value for bar in bars]), left=200)
    return drawing


PAGE = Page(title="A driver and its card", lead="What the driver of the 82599 costs a packet, with Noria's queues on it",
            method=METHOD, charts={"forward": lambda run: draw_job(run, "forward", "Instructions to forward"),
                                   "receive": lambda run: draw_job(run, "receive", "Instructions to receive")},
            beside="three ways of making packets")

if __name__ == "__main__":
    main({"hardware": PAGE}, Path(__file__).name)
