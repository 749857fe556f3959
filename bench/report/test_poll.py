#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Tests of poll.py: what it writes for a whole run, for a run with holes, and what it says to rubbish."""

import json
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml
from pathlib import Path

HERE = Path(__file__).resolve().parent


def row(case, subject, origin, median, ratio=None, unit="ns/object"):
    return {"case": case, "subject": subject, "unit": unit, "median": median, "min": median - 0.1, "max": median + 0.1,
            "repetitions": 9, "ratio": ratio, "instructions": None, "type": f"{subject}<T>", "origin": origin, "samples": []}


def whole_run():
    return {"noria": "0.1.0", "suite": "poll", "command": "bench/run poll", "machine": {"cpu": "A <fast> processor"}, "missing": "",
            "rows": [row("hash_ipv4", "noria", "noria", 6.0), row("hash_ipv4", "DPDK gfni", "neighbour", 5.0, 1.2),
                     row("hash_ipv4", "DPDK softrss_be", "neighbour", 40.0, 0.15),
                     row("wake", "futex", "noria", 5012.0), row("wake_cost", "futex", "noria", 1803.0),
                     row("wake", "bare store", "limit", 177.0), row("fair_share", "noria", "noria", 0.98, unit="least / most"),
                     row("among_1", "noria", "noria", 112.0), row("among_10000", "noria", "noria", 113.0),
                     row("among_1", "all asked", "limit", 2.0), row("among_10000", "all asked", "limit", 22361.0)],
            "goals": [{"goal": "a hash", "case": "hash_ipv4", "ours": "noria", "against": "DPDK gfni", "limit": 0.8, "ratio": 1.2, "met": False}]}


class Poll(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)

    def run_report(self, text):
        result = self.folder / "result.json"
        result.write_text(text)
        return subprocess.run([sys.executable, HERE / "poll.py", result, self.folder / "out", "--quiet"], capture_output=True,
                              text=True, check=False)

    def page_of(self, run):
        done = self.run_report(json.dumps(run))
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        return (self.folder / "out/poll.html").read_text()

    def chart(self, name):
        text = (self.folder / f"out/poll_{name}.svg").read_text()
        self.assertEqual(xml.fromstring(text).tag, "{http://www.w3.org/2000/svg}svg")
        return text

    def test_whole_run_has_its_charts_its_rows_and_its_goals(self):
        html = self.page_of(whole_run())
        for words in ["A &lt;fast&gt; processor", "bench/run poll", "missed</td>", "least / most: noria&lt;T&gt;"]:
            self.assertIn(words, html)
        self.assertNotIn("left out", html)
        self.assertNotRegex(html, r"(?i)https?:|<script|<link|@import|url\(|\ssrc=")
        for words in ["hash_ipv4 gfni", "hash_ipv4 softrss_be", "1.20"]:
            self.assertIn(words, self.chart("ratios"))
        for words in ["futex", "bare store", "5\u202f012"]:
            self.assertIn(words, self.chart("wake"))
        for words in ["noria", "all asked", "10,000"]:
            self.assertIn(words, self.chart("growth"))

    def test_the_call_that_wakes_is_a_stroke_in_its_bar(self):
        self.page_of(whole_run())
        self.assertEqual(self.chart("wake").count('class="range"'), 1)
        run = whole_run()
        run["rows"] = [each for each in run["rows"] if each["case"] != "wake_cost"]
        self.page_of(run)
        self.assertEqual(self.chart("wake").count('class="range"'), 0)

    def test_what_was_not_measured_is_left_out_with_a_sentence(self):
        for case, words in [("hash_ipv4", "nobody was measured beside Noria"), ("wake", "no wake-up was measured"),
                            ("among_1", "two numbers of instances")]:
            with self.subTest(case):
                run = whole_run()
                run["rows"] = [each for each in run["rows"] if each["case"] != case]
                html = self.page_of(run)
                self.assertIn(words, html)
                self.assertEqual(html.count("left out"), 1)

    def test_empty_run(self):
        self.assertEqual(self.page_of({}).count("left out"), 3)

    def test_rubbish_gets_one_sentence_and_exit_2(self):
        for text in ["{", "[]", '{"rows": 3}', '{"rows": [1]}', "", '{"suite": "memory"}', '{"suite": []}']:
            with self.subTest(text):
                done = self.run_report(text)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertRegex(done.stderr, r"\Apoll\.py: cannot use .*\.\n\Z")


if __name__ == "__main__":
    unittest.main()
