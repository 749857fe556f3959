# SPDX-License-Identifier: BSL-1.0
"""What the tests of the pages have in common: making a page, and what every page says to an empty run and to rubbish."""

import json
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml
from pathlib import Path

HERE = Path(__file__).resolve().parent


def row(case, subject, origin, median, **more):
    """One of a result's rows, as the suites write them that measure single operations."""
    return {"case": case, "subject": subject, "unit": "ns/object", "median": median, "min": median - 0.1, "max": median + 0.1,
            "repetitions": 9, "ratio": None, "instructions": None, "type": f"{subject}<T>", "origin": origin, "samples": [], **more}


class PageTest(unittest.TestCase):
    """Tests of one script: a test names it, and a suite where the script makes pages of several."""
    script, suite = "", ""
    charts = set()  # the files it writes for a whole run, without .svg
    page = ""       # and the page

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.out = Path(scratch.name) / "out"
        self.result = Path(scratch.name) / "result.json"

    def run_script(self, text, *options):
        self.result.write_text(text)
        suite = [self.suite] if self.suite else []
        return subprocess.run([sys.executable, HERE / self.script, *suite, self.result, self.out, *options], capture_output=True, text=True,
                              check=False)

    def page_of(self, run):
        done = self.run_script(json.dumps(run), "--quiet")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        return (self.out / self.page).read_text()

    def charts_written(self):
        return {path.stem for path in self.out.glob("*.svg")}

    def chart(self, name):
        """The text of one, which is well-formed, stands alone, and says nothing of what is no number."""
        text = (self.out / f"{name}.svg").read_text()
        self.assertEqual(xml.fromstring(text).tag, "{http://www.w3.org/2000/svg}svg")
        self.assertIn("SPDX-License-Identifier: BSL-1.0", text.splitlines()[0])
        self.assertIn("prefers-color-scheme:dark", text)
        self.assertNotIn("var(", text)
        self.assertNotRegex(text, r"\b(nan|inf)\b")
        return text

    def whole_page_of(self, run):
        """The page of a run without holes: nothing is left out, and nothing comes from outside."""
        html = self.page_of(run)
        self.assertEqual(self.charts_written(), self.charts)
        for name in self.charts:
            self.chart(name)
        self.assertNotIn("left out", html)
        self.assertNotRegex(html, r"(?i)https?:|<script|<link|@import|url\(|\ssrc=")
        for target in re.findall(r'href="([^"]*)"', html):
            self.assertTrue(target in {f"{name}.svg" for name in self.charts} or target.endswith(".json"), target)
        return html

    def test_empty_run(self):
        html = self.page_of({})
        self.assertEqual(self.charts_written(), set())
        self.assertEqual(html.count("is left out: "), len(self.charts))

    def test_rubbish_gets_one_sentence_and_exit_2(self):
        for text in ["{", "[]", '{"rows": 3}', '{"rows": [1]}', "", '{"suite": "of cards"}', '{"suite": []}', "[" * 100000]:
            with self.subTest(text[:20]):
                done = self.run_script(text)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertRegex(done.stderr, rf"\A{re.escape(self.script)}: cannot use .*\.\n\Z")
