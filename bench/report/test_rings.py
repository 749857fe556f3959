#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Tests of rings.py: what it writes for a whole run, for a run with holes, and what it says to rubbish."""

import sys
import unittest

sys.dont_write_bytecode = True
import fixture  # noqa: E402
from rings import CASES  # noqa: E402

SUBJECTS = {"spsc_ring": ("noria", 3.2), "boost <queue>": ("neighbour", 12.7), "far behind": ("neighbour", 980.0),
            "limit: two lines": ("limit", 2.5)}


def row(case, capacity, subject, origin, median):
    return {"case": f"{case}/{capacity}", "subject": subject, "unit": "ns/item", "median": median, "min": median and median - 1,
            "max": median and median + 1, "repetitions": 9, "ratio": None if origin == "noria" else 0.4, "work": case,
            "capacity": capacity, "type": f"{subject}<T, N>", "origin": origin, "item_bytes": 16, "loop": origin == "neighbour",
            "wait": "spin", "broken": None if median else "items were lost", "samples": {"spin": [median], "pause": []}}


def whole_run():
    rows = [row(case, capacity, subject, origin, median + capacity / 1000)
            for case in CASES for capacity in (64, 1024) for subject, (origin, median) in SUBJECTS.items()]
    return {"noria": "0.1.0", "suite": "rings", "command": "bench/run rings --quick", "machine": {"cpu": "A <fast> processor"},
            "missing": "libck-dev", "rows": rows,
            "goals": [{"goal": "one at a time", "ours": "spsc_ring", "against": "boost", "limit": 0.5, "ratio": 0.37, "met": True},
                      {"goal": "round trip", "ours": "hybrid_ring", "against": "", "limit": 1.1, "ratio": None, "met": None}]}


class Rings(fixture.PageTest):
    script, page, charts = "rings.py", "rings.html", {f"rings_{case}" for case in CASES}

    def test_whole_run_has_every_chart_row_and_goal(self):
        run = whole_run()
        html = self.whole_page_of(run)
        self.assertEqual(html.count("boost &lt;queue&gt; ~"), 2 * len(CASES) + len(CASES))  # rows, and one bar a chart
        self.assertIn("1024 slots", html)
        for words in ["met</td>", "not measured", "A &lt;fast&gt; processor", "libck-dev", "bench/run rings --quick"]:
            self.assertIn(words, html)

    def test_small_run_leaves_charts_out_with_a_sentence(self):
        self.page_of(whole_run())
        run = whole_run()
        run["rows"] = [r for r in run["rows"] if r["work"] == "one"]
        self.assertEqual(self.page_of(run).count("is left out: "), len(CASES) - 1)
        self.assertEqual(self.charts_written(), {"rings_one"})  # the old ones are gone

    def test_a_broken_ring_has_no_bar(self):
        run = whole_run()
        run["rows"] = [row("one", 1024, "spsc_ring", "noria", 3.0), row("one", 1024, "leaky", "neighbour", None)]
        html = self.page_of(run)
        self.assertIn("broken", html)
        self.assertNotIn("leaky", self.chart("rings_one"))


if __name__ == "__main__":
    unittest.main()
