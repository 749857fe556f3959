#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Runs the suites memory and packet in small: pools_test.py PROGRAM INSTRUCTIONS

Every case of ours is measured, and DPDK's beside it where DPDK is there; the results have the shape that is promised for every
suite; instructions are counted where valgrind is there; what is bad is said in a sentence and ends with exit status 2. No figure
is judged: that is for people, and for quiet machines.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAM, INSTRUCTIONS = sys.argv[1:3]
SMALL = ["--repetitions", "2", "--milliseconds", "0.05"]
CASES = {"memory": {"get_put_1", "get_put_8", "get_put_32", "other_thread"},
         "packet": {"alloc_free_1", "alloc_free_32", "alloc_free_256", "clone", "headroom", "linearize", "read_edge", "read_inside",
                    "build_around"}}
OF_TWO_THREADS = {"other_thread"}
if len(os.sched_getaffinity(0)) < 2:
    CASES["memory"] -= OF_TWO_THREADS


class Pools(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.result = self.folder / "result.json"

    def run_it(self, *arguments):
        return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=120, check=False)

    def measured(self, suite, *arguments):
        done = self.run_it(suite, *SMALL, "--json", str(self.result), *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(self.result.read_text()), done.stdout

    def refused(self, done, *words):
        self.assertEqual(done.returncode, 2, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def test_every_case_is_measured_by_us_and_by_dpdk(self):
        for suite, cases in CASES.items():
            results, text = self.measured(suite)
            seen = {}
            for row in results["rows"]:
                seen.setdefault(row["subject"], set()).add(row["case"])
            self.assertEqual(seen["noria"], cases)
            if results["missing"]:
                self.assertNotIn("DPDK", seen)
                self.assertIn(results["missing"], text)
            else:
                self.assertEqual(seen["DPDK"], cases)
                self.assertTrue(results["machine"]["dpdk"])
                self.assertTrue(all(isinstance(goal["met"], bool) for goal in results["goals"]))
            listed = [(line[:15].strip(), line[16:31].strip()) for line in self.run_it(suite, "--list").stdout.splitlines()]
            if not results["missing"]:  # what is listed is measured, in that order
                self.assertEqual(listed, [(row["case"], row["subject"]) for row in results["rows"]])

    def test_shape_of_the_results(self):
        for suite in CASES:
            results, _ = self.measured(suite)
            self.assertEqual(results["suite"], suite)
            for key in ["machine", "rows", "goals", "command", "noria", "missing"]:
                self.assertIn(key, results)
            ours = {row["case"]: row["median"] for row in results["rows"] if row["subject"] == "noria"}
            for row in results["rows"]:
                for key in ["case", "subject", "unit", "median", "min", "max", "repetitions", "ratio", "type", "origin", "instructions",
                            "objects", "discarded", "disturbed", "samples"]:
                    self.assertIn(key, row)
                self.assertGreater(row["min"], 0)
                self.assertLessEqual(row["min"], row["median"])
                self.assertLessEqual(row["median"], row["max"])
                self.assertEqual((row["repetitions"], len(row["samples"])), (2, 2))
                if row["origin"] == "noria" or row["case"] not in ours:
                    self.assertIsNone(row["ratio"])
                else:
                    self.assertAlmostEqual(row["ratio"], ours[row["case"]] / row["median"], places=6)

    def test_goals_are_judged_by_their_limits_or_not_at_all(self):
        results, text = self.measured("packet", "--cases", "headroom,clone")
        for goal in results["goals"]:
            self.assertEqual(goal["met"], None if goal["ratio"] is None else goal["ratio"] <= goal["limit"])
        results, text = self.measured("packet", "--cases", "headroom", "--subjects", "noria")
        self.assertEqual([row["subject"] for row in results["rows"]], ["noria"])
        self.assertEqual(len(results["goals"]), 9)
        self.assertTrue(all(goal["ratio"] is None for goal in results["goals"]))
        self.assertIn("not measured", text)

    def test_instructions_are_counted_and_shown(self):
        counts = self.folder / "counts.json"
        chosen = ["memory", "--cases", ",".join(CASES["memory"] & {"get_put_8", *OF_TWO_THREADS})]
        done = subprocess.run([INSTRUCTIONS, PROGRAM, counts, *chosen], capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            self.assertIn("Instructions are not counted: ", done.stderr)
            self.skipTest(done.stderr.strip())
        results, _ = self.measured(*chosen, "--instructions", str(counts))
        counted = json.loads(counts.read_text())
        for row in results["rows"]:
            if row["case"] in OF_TWO_THREADS:
                self.assertIsNone(row["instructions"])
            else:
                self.assertAlmostEqual(row["instructions"], counted[f"{row['case']}/{row['subject']}"] / row["objects"], places=6)
                self.assertTrue(1 < row["instructions"] < 1000, row)

    def test_without_valgrind_a_sentence_says_so(self):
        done = subprocess.run([shutil.which("python3"), INSTRUCTIONS, PROGRAM, self.result, "memory"], env={"PATH": str(self.folder)},
                              capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, "Instructions are not counted: valgrind is not installed.\n")
        self.assertFalse(self.result.exists())

    def test_unusable_options(self):
        self.refused(self.run_it(), "suite")
        self.refused(self.run_it("rings"), "memory", "packet")
        self.refused(self.run_it("memory", "--cases", "magic"), "unknown case 'magic'", "get_put_8")
        self.refused(self.run_it("memory", "--cases", "clone"), "unknown case 'clone'")
        self.refused(self.run_it("packet", "--subjects", "nobody"), "unknown subject 'nobody'", "noria", "memcpy")
        self.refused(self.run_it("packet", "--repetitions", "0"))
        self.refused(self.run_it("packet", "--wings"), "--wings")
        self.refused(self.run_it("packet", "--instructions", "/no/folder/x"), "cannot read /no/folder/x", "instructions.py")
        self.refused(self.run_it("packet", *SMALL, "--cases", "headroom", "--subjects", "noria", "--json", "/no/folder/x"), "cannot write")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
