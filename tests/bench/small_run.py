# SPDX-License-Identifier: BSL-1.0
"""What the tests of the bench's programs have in common: a short run of one, what it says to what is bad, what every result has, and
the instructions that callgrind counts. The first argument of a test is the program, the second of some is instructions.py."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

PROGRAM, *OTHERS = sys.argv[1:]
ROW_KEYS = ["case", "subject", "unit", "median", "min", "max", "repetitions", "ratio"]
RESULT_KEYS = ["machine", "rows", "command", "noria"]


class SmallRun(unittest.TestCase):
    options = []      # that make a run short
    repetitions = 2   # in such a run
    row_keys = []     # what a row has beside ROW_KEYS
    result_keys = []  # and a result beside RESULT_KEYS

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.result = self.folder / "result.json"

    def run_it(self, *arguments):
        return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=240, check=False)

    def measured(self, *arguments):
        """The result of a short run, which has the shape that is promised for every suite, and what it said."""
        done = self.run_it(*arguments, *self.options, "--json", str(self.result))
        self.assertEqual(done.returncode, 0, done.stderr)
        results = json.loads(self.result.read_text())
        for key in RESULT_KEYS + self.result_keys:
            self.assertIn(key, results)
        for row in results["rows"]:
            for key in ROW_KEYS + self.row_keys:
                self.assertIn(key, row)
            if row.get("broken") is None:
                self.assertEqual(row["repetitions"], self.repetitions)
                self.assertTrue(0 <= row["min"] <= row["median"] <= row["max"], row)
        for goal in results.get("goals", []):
            self.assertEqual(goal["met"], None if goal["ratio"] is None else goal["ratio"] <= goal["limit"])
        return results, done.stdout + done.stderr

    def refused(self, done, *words):
        self.assertEqual(done.returncode, 2, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)


class CostsRun(SmallRun):
    """Of a program that measures what single operations cost."""
    options = ["--repetitions", "2", "--milliseconds", "0.05"]
    row_keys = ["type", "origin", "instructions", "objects", "discarded", "disturbed", "samples"]
    result_keys = ["suite", "goals", "missing"]

    def measured(self, *arguments):
        results, text = super().measured(*arguments)
        self.assertEqual(results["suite"], arguments[0])
        ours = {row["case"]: row["median"] for row in results["rows"] if row["subject"] == "noria"}
        for row in results["rows"]:
            self.assertGreater(row["min"], 0)
            self.assertEqual(len(row["samples"]), row["repetitions"])
            self.assertNotIn(",", row["subject"], "it could not be named in --subjects")
            if row["origin"] == "noria" or row["case"] not in ours:
                self.assertIsNone(row["ratio"])
            else:
                self.assertAlmostEqual(row["ratio"], ours[row["case"]] / row["median"], places=6)
        return results, text

    def listed(self, suite):
        """Case and subject of all there is."""
        return [(line[:15].strip(), line[16:31].strip()) for line in self.run_it(suite, "--list").stdout.splitlines()]

    def counted(self, *arguments):
        """The rows of a short run whose instructions were counted before, or a skipped test where they cannot be. What a row and its
        line of the table say is what callgrind counted of it, by the objects of one operation, and nothing where it counted none."""
        counts = self.folder / "counts.json"
        done = subprocess.run([OTHERS[0], PROGRAM, counts, *arguments], capture_output=True, text=True, timeout=240, check=False)
        if done.returncode != 0:
            self.assertIn("Instructions are not counted: ", done.stderr)
            self.skipTest(done.stderr.strip())
        found = json.loads(counts.read_text())
        results, text = self.measured(*arguments, "--instructions", str(counts))
        for row in results["rows"]:
            operation = found.pop(f"{row['case']}/{row['subject']}", None)
            if operation is None:
                self.assertIsNone(row["instructions"], row)
                shown = "-"
            else:
                self.assertGreaterEqual(operation, 1, row)
                self.assertAlmostEqual(row["instructions"], operation / row["objects"], places=6)
                shown = f"{row['instructions']:.1f}"
            self.assertRegex(text, rf"(?m)^.{{15}} {re.escape(row['subject'])} .* {re.escape(shown)} +\S+  .*{re.escape(row['type'])}$")
        self.assertEqual(found, {}, "counted, and in no row")
        return results["rows"]


def main():
    unittest.main(argv=sys.argv[:1])
