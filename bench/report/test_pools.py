#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Tests of pools.py: what it writes for a whole run, for a run with holes, and what it says to rubbish."""

import json
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml
from pathlib import Path

HERE = Path(__file__).resolve().parent


def row(case, subject, origin, median, ratio=None, instructions=None):
    return {"case": case, "subject": subject, "unit": "ns/object", "median": median, "min": median - 1, "max": median + 1,
            "repetitions": 9, "ratio": ratio, "instructions": instructions, "type": f"{subject}<T>", "origin": origin, "samples": []}


def whole_run():
    return {"noria": "0.1.0", "suite": "packet", "command": "bench/run packet", "machine": {"cpu": "A <fast> processor"}, "missing": "",
            "rows": [row("clone", "noria", "noria", 7.0, None, 114.25), row("clone", "DPDK", "neighbour", 10.0, 0.7, 265),
                     row("clone", "memcpy", "limit", 12.5, 0.56), row("read_edge", "DPDK", "neighbour", 8.0, 1.375)],
            "goals": [{"goal": "clone & free", "case": "clone", "ours": "noria", "against": "DPDK", "limit": 0.7, "ratio": 0.7, "met": True},
                      {"goal": "read", "case": "read_edge", "ours": "noria", "against": "DPDK", "limit": 0.8, "ratio": 1.375, "met": False},
                      {"goal": "headroom", "case": "headroom", "ours": "noria", "against": "DPDK", "limit": 0.5, "ratio": None, "met": None}]}


class Pools(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)

    def run_report(self, text, suite="packet"):
        result = self.folder / "result.json"
        result.write_text(text)
        return subprocess.run([sys.executable, HERE / "pools.py", suite, result, self.folder / "out", "--quiet"], capture_output=True,
                              text=True, check=False)

    def page_of(self, run):
        done = self.run_report(json.dumps(run))
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        return (self.folder / "out/packet.html").read_text()

    def test_whole_run_has_its_chart_its_rows_and_its_goals(self):
        html = self.page_of(whole_run())
        for words in ["A &lt;fast&gt; processor", "bench/run packet", "memcpy&lt;T&gt;", "clone &amp; free", "114", "265", "12.5", "met</td>",
                      "missed</td>", "not measured</td>"]:
            self.assertIn(words, html)
        self.assertNotIn("left out", html)
        self.assertNotRegex(html, r"(?i)https?:|<script|<link|@import|url\(|\ssrc=")
        chart = (self.folder / "out/packet_ratios.svg").read_text()
        self.assertEqual(xml.fromstring(chart).tag, "{http://www.w3.org/2000/svg}svg")
        for words in ["clone", "read_edge", "0.7"]:
            self.assertIn(words, chart)

    def test_without_dpdk_the_chart_is_left_out_with_a_sentence(self):
        self.page_of(whole_run())
        run = whole_run()
        run["missing"] = "DPDK was <not> installed."
        run["rows"] = [each for each in run["rows"] if each["subject"] != "DPDK"]
        html = self.page_of(run)
        self.assertIn("The chart is left out: nobody was measured beside Noria.", html)
        self.assertIn("DPDK was &lt;not&gt; installed.", html)
        self.assertFalse((self.folder / "out/packet_ratios.svg").exists())  # the old one is gone

    def test_empty_run(self):
        self.assertIn("left out", self.page_of({}))

    def test_rubbish_gets_one_sentence_and_exit_2(self):
        for text in ["{", "[]", '{"rows": 3}', '{"rows": [1]}', "", '{"suite": "memory"}', '{"suite": []}']:
            with self.subTest(text):
                done = self.run_report(text)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertRegex(done.stderr, r"\Apools\.py: cannot use .*\.\n\Z")


if __name__ == "__main__":
    unittest.main()
