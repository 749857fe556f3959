#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Tests of report.py: what it writes for a whole run, for a run with holes, and what it says to rubbish."""

import copy
import json
import random
import re
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
import fixture  # noqa: E402
from charts import CHARTS  # noqa: E402
from drawing import COLOURS, spread  # noqa: E402
from words import STRATEGIES  # noqa: E402

HOLDS = {"0": 0, "64": 64, "half": 8192}


def row(traffic, size, hold, strategy, median):
    return {"case": f"{traffic}/hold {hold}/headers", "subject": strategy, "unit": "ns/packet", "median": median, "min": median - 1,
            "max": median + 2, "repetitions": 9, "ratio": None if strategy == "adaptive" else 0.9, "strategy": strategy,
            "frame_bytes": size, "traffic": traffic, "hold": hold if hold == "half" else int(hold), "hold_packets": HOLDS[hold],
            "touch": "headers", "offered": 1000, "delivered": 993, "dropped": {"rx_missed": 7}, "held": 0, "bytes_copied": 64,
            "allocations": 993, "pinned_peak_bytes": 65536, "packets_measured": 500, "held_payload_bytes": 6400, "delivered_bytes": 99300, "memcpy_floor_ns": 3.5, "samples": [median]}


def whole_run():
    """Two sizes and a mix, three holding times, every strategy; no two medians are the same."""
    cells = [(traffic, size, hold) for traffic, size in (("64", 64), ("1514", 1514), ("capture", None)) for hold in HOLDS]
    rows = [row(*cell, strategy, 40 + 10 * i + j + 0.5) for i, cell in enumerate(cells) for j, strategy in enumerate(STRATEGIES)]
    cases = list(dict.fromkeys(r["case"] for r in rows))
    return {
        "noria": "0.1.0", "suite": "copy_or_not", "command": "bench/run --sizes '64,1514' & <more>", "rows": rows,
        "machine": {"cpu": "A <fast> processor", "cores": 2, "l1d": 49152, "core_share": 0.97},
        "traffic": [{"name": "capture", "frames": 30, "bytes": 9000, "mean_bytes": 300, "histogram": [[64, 10], [1518, 20]]}],
        "answer": {"sentences": ["Copy up to 128 bytes."],
                   "by_hold": [{"hold": "0", "touch": "headers", "copybreak": 128, "text": "copy up to 128 bytes"},
                               {"hold": "64", "touch": "headers", "copybreak": 0, "text": "attach always"},
                               {"hold": "half", "touch": "headers", "copybreak": None, "text": "copy always"}],
                   "map": [{"frame_bytes": size, "hold": hold, "touch": touch, "winner": "stride_copy", "family": "copy",
                            "margin": 1.2} for size in (64, 1514) for hold in HOLDS for touch in ("headers", "checksum")],
                   "cost_of_wrong": [{"case": case, "best": "stride_copy", "worst": "per_packet", "ratio": 3.1} for case in cases]},
        "regret": {"median": 0.01, "worst": 0.08, "noise_median": 0.01, "cells": [
            {"case": case, "best_fixed": "stride_copy", "regret": 0.02, "noise": 0.01, "net": 0.01} for case in cases]}}


class Report(fixture.PageTest):
    script, page, charts = "report.py", "index.html", set(CHARTS)

    def test_whole_run_has_every_chart_and_every_row(self):
        run = whole_run()
        html = self.whole_page_of(run)
        self.assertEqual(html.count("<figure"), len(CHARTS))
        for measured in run["rows"]:
            self.assertIn(measured["case"], html)
            self.assertRegex(html, rf'<td class="n( best)?">{measured["median"]:.{0 if measured["median"] > 100 else 1}f}</td>')
        self.assertEqual(len(re.findall(r'<tr><td class="name"><svg[^\n]*7 rx_missed</td></tr>', html)), len(run["rows"]))
        self.assertIn("bench/run --sizes &#x27;64,1514&#x27; &amp; &lt;more&gt;", html)
        self.assertIn("A &lt;fast&gt; processor", html)

    def test_small_run_leaves_charts_out_with_a_sentence(self):
        self.page_of(whole_run())
        run = whole_run()
        run["rows"] = [r for r in run["rows"] if r["case"] == "64/hold 0/headers"]
        html = self.page_of(run)
        self.assertEqual(self.charts_written(), {"map", "cost_of_wrong", "regret", "traffic"})  # the old ones are gone
        self.assertEqual(html.count("is left out: "), 3)

    def test_any_key_may_be_missing_or_null(self):
        def places(value, path=()):
            for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
                yield (*path, key)
                yield from places(value[key], (*path, key))
        run, pick = whole_run(), random.Random(1)
        named = [path for path in places(run) if isinstance(path[-1], str)]
        for round_ in range(12):
            broken = copy.deepcopy(run)
            for path in sorted(pick.sample(named, len(named) // 8), key=len, reverse=True):
                parent = broken
                for key in path[:-1]:
                    parent = parent[key]
                if len(path) > 1 and pick.random() < 0.5:
                    del parent[path[-1]]
                elif len(path) > 1:
                    parent[path[-1]] = None
            with self.subTest(round=round_):
                self.page_of(broken)

    def test_missing_file_and_unwritable_folder(self):
        folder = self.out.parent
        for arguments in ([folder / "none.json", folder], [folder, folder]):
            done = subprocess.run([sys.executable, fixture.HERE / "report.py", *arguments], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 2)
            self.assertEqual(done.stderr.count("\n"), 1)
        self.out.write_text("a file where the folder should be")
        done = self.run_script("{}")
        self.assertEqual((done.returncode, done.stderr.count("\n")), (2, 1))

    def test_says_what_it_wrote_unless_quiet(self):
        self.assertIn("index.html with 7 charts", self.run_script(json.dumps(whole_run())).stdout)


class Parts(unittest.TestCase):
    def test_colours_stand_out_from_the_page(self):
        def light(colour):
            parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
            linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
            return 0.05 + sum(weight * p for weight, p in zip((0.2126, 0.7152, 0.0722), linear))
        needed = {**dict.fromkeys(STRATEGIES, 3), "copy": 3, "attach": 3, "bar": 3, "ink": 7, "soft": 4.5}  # WCAG 2.2
        for name, ratio in needed.items():
            for colour, page in zip(COLOURS[name], COLOURS["page"]):
                one, other = sorted((light(colour), light(page)))
                self.assertGreaterEqual(other / one, ratio, (name, colour))

    def test_spread_keeps_order_gap_and_limits(self):
        places = spread([50, 51, 10, 52, 99], 10, 0, 100)
        self.assertEqual(sorted(range(5), key=places.__getitem__), [2, 0, 1, 3, 4])
        ordered = sorted(places)
        self.assertTrue(all(b - a >= 10 for a, b in zip(ordered, ordered[1:])) and 0 <= ordered[0] and ordered[-1] <= 100)


if __name__ == "__main__":
    unittest.main()
