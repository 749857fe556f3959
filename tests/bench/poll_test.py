#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Runs the suite poll in small: poll_test.py PROGRAM INSTRUCTIONS

Every case of ours is measured, and DPDK's beside it where DPDK is there; the figures that are no times are what they must be;
instructions are counted where valgrind is there; what is bad is said in a sentence and ends with exit status 2. No time is
judged: that is for people, and for quiet machines.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAM, INSTRUCTIONS = sys.argv[1:3]
SMALL = ["--repetitions", "2", "--milliseconds", "0.05"]
BESIDE_DPDK = {"rx_nothing", "rx_1", "rx_8", "rx_32", "rx_64", "rx_1500", "rx_copy_64", "rx_copy_1500", "hash_ipv4", "hash_ipv6", "parse_tcp",
               "parse_ipv6", "parse_gre", "parse_pieces"}
ALONE = {"nothing", "in_vain", "turn_1", "turn_8", "turn_32", "turn_64", "among_1", "among_10", "among_100", "among_1000", "among_10000",
         "fair_share", "fair_jain", "count", "hashes_ipv4", "hashes_ipv6", "parse_vxlan"}
OF_TWO_THREADS = {"wake", "wake_cost", "hand_off", "hand_back"}


class Poll(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.result = self.folder / "result.json"

    def run_it(self, *arguments):
        return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=120, check=False)

    def measured(self, *arguments):
        done = self.run_it("poll", *SMALL, "--json", str(self.result), *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(self.result.read_text()), done.stdout

    def refused(self, done, *words):
        self.assertEqual(done.returncode, 2, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def test_every_case_is_measured(self):
        results, text = self.measured()
        expected = BESIDE_DPDK | ALONE | (OF_TWO_THREADS if len(os.sched_getaffinity(0)) > 1 else set())
        self.assertEqual({row["case"] for row in results["rows"]}, expected)
        theirs = {row["case"] for row in results["rows"] if row["origin"] == "neighbour"}
        if results["missing"]:
            self.assertEqual(theirs, set())
            self.assertIn(results["missing"], text)
        else:
            self.assertLessEqual(BESIDE_DPDK, theirs)
            self.assertTrue(results["machine"]["dpdk"])
            listed = [(line[:15].strip(), line[16:31].strip()) for line in self.run_it("poll", "--list").stdout.splitlines()]
            self.assertEqual(listed, [(row["case"], row["subject"]) for row in results["rows"]])
        for row in results["rows"]:
            self.assertGreater(row["min"], 0)
            self.assertLessEqual(row["min"], row["median"])
            self.assertLessEqual(row["median"], row["max"])
            self.assertEqual((row["repetitions"], len(row["samples"])), (2, 2))
            self.assertNotIn(",", row["subject"], "it could not be named in --subjects")
        for goal in results["goals"]:
            self.assertEqual(goal["met"], None if goal["ratio"] is None else goal["ratio"] <= goal["limit"])

    def test_a_thousand_instances_get_the_same_but_for_the_round_that_was_cut_off(self):
        results, _ = self.measured("--cases", "fair_share,fair_jain")
        for row in results["rows"]:
            self.assertEqual(row["min"], row["max"], "it depends on nothing but the poller")
            if row["case"] == "fair_share":
                self.assertEqual(row["unit"], "least / most")
                self.assertAlmostEqual(row["median"], 40 / 41)
            else:
                self.assertTrue(0.999 < row["median"] < 1, row)

    def test_a_goal_can_compare_two_cases(self):
        results, _ = self.measured("--cases", "among_1,among_10000", "--subjects", "noria")
        of = {row["case"]: row["median"] for row in results["rows"]}
        [goal] = [goal for goal in results["goals"] if goal["case"] == "among_10000"]
        self.assertAlmostEqual(goal["ratio"], of["among_10000"] / of["among_1"])
        self.assertEqual(goal["against"], "noria, among_1")

    def test_instructions_are_counted_where_that_means_something(self):
        counts = self.folder / "counts.json"
        chosen = ["poll", "--cases", "turn_8,fair_share,hash_ipv4" + (",wake" if len(os.sched_getaffinity(0)) > 1 else "")]
        done = subprocess.run([INSTRUCTIONS, PROGRAM, counts, *chosen], capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            self.assertIn("Instructions are not counted: ", done.stderr)
            self.skipTest(done.stderr.strip())
        results, _ = self.measured(*chosen[1:], "--instructions", str(counts))
        for row in results["rows"]:
            if row["case"] in OF_TWO_THREADS | {"fair_share"} or row["subject"] == "DPDK gfni":
                self.assertIsNone(row["instructions"])
            elif row["case"] == "hash_ipv4" and row["subject"] == "noria" and row["instructions"] is None:
                continue  # built for a processor with GFNI
                self.assertTrue(0.1 < row["instructions"] < 10_000, row)

    def test_quick_is_nine_short_repetitions(self):
        done = self.run_it("poll", "--quick", "--cases", "count", "--subjects", "noria", "--json", str(self.result))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([row["repetitions"] for row in json.loads(self.result.read_text())["rows"]], [9])
        self.refused(self.run_it("poll", "--quick", "--repetitions", "3"), "--quick")

    def test_unusable_options(self):
        self.refused(self.run_it("memory"), "poll")
        self.refused(self.run_it("poll", "--cases", "magic"), "unknown case 'magic'", "turn_8")
        self.refused(self.run_it("poll", "--subjects", "nobody"), "unknown subject 'nobody'", "noria", "all asked")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
