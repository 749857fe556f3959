#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Tests of hardware.py: what it writes for a whole run, for a run with holes, and what it says to rubbish."""

import json
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml
from pathlib import Path

HERE = Path(__file__).resolve().parent


def row(case, subject, instructions, unit="ns/object"):
    return {"case": case, "subject": subject, "unit": unit, "median": 50.0, "min": 49.0, "max": 51.0, "repetitions": 9, "ratio": None,
            "instructions": instructions, "type": f"{subject}<T>", "origin": "noria", "samples": []}


def whole_run():
    return {"noria": "0.1.0", "suite": "hardware", "command": "bench/run hardware", "machine": {"cpu": "A <fast> processor"}, "missing": "",
            "rows": [row("receive_32", "build_around", 513.0), row("forward_32", "build_around", 1067.0),
                     row("forward_32", "page_attach", 1104.0), row("rx_bell_32", "build_around", None, "descriptors/doorbell")],
            "goals": []}


class Hardware(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)

    def run_report(self, text):
        result = self.folder / "result.json"
        result.write_text(text)
        return subprocess.run([sys.executable, HERE / "hardware.py", result, self.folder / "out", "--quiet"], capture_output=True,
                              text=True, check=False)

    def page_of(self, run):
        done = self.run_report(json.dumps(run))
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        return (self.folder / "out/hardware.html").read_text()

    def chart(self, name):
        text = (self.folder / f"out/hardware_{name}.svg").read_text()
        self.assertEqual(xml.fromstring(text).tag, "{http://www.w3.org/2000/svg}svg")
        return text

    def test_whole_run_has_its_charts_and_its_rows(self):
        html = self.page_of(whole_run())
        for words in ["A &lt;fast&gt; processor", "bench/run hardware", "descriptors/doorbell: build_around&lt;T&gt;", "three ways"]:
            self.assertIn(words, html)
        self.assertNotIn("left out", html)
        self.assertNotIn("DPDK", html)
        self.assertNotRegex(html, r"(?i)https?:|<script|<link|@import|url\(|\ssrc=")
        for words in ["forward_32 build_around", "forward_32 page_attach"]:
            self.assertIn(words, self.chart("forward"))
        self.assertIn("receive_32 build_around", self.chart("receive"))

    def test_the_goal_is_a_stroke_in_its_bar_alone(self):
        self.page_of(whole_run())
        self.assertEqual(self.chart("forward").count('class="range"'), 1)
        self.assertEqual(self.chart("receive").count('class="range"'), 0)

    def test_what_was_not_counted_is_left_out_with_a_sentence(self):
        run = whole_run()
        for each in run["rows"]:
            each["instructions"] = None
        html = self.page_of(run)
        self.assertIn("no instructions were counted for forward", html)
        self.assertEqual(html.count("left out"), 2)

    def test_empty_run(self):
        self.assertEqual(self.page_of({}).count("left out"), 2)

    def test_rubbish_gets_one_sentence_and_exit_2(self):
        for text in ["{", "[]", '{"rows": 3}', '{"rows": [1]}', "", '{"suite": "memory"}', '{"suite": []}']:
            with self.subTest(text):
                done = self.run_report(text)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertRegex(done.stderr, r"\Ahardware\.py: cannot use .*\.\n\Z")


if __name__ == "__main__":
    unittest.main()
